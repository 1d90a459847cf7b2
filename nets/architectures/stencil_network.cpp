#include "nets/architectures/stencil_network.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nets {
namespace {

constexpr std::int64_t kSlabCells = 65536;

at::Tensor Owned(const GridOperator &op, const at::Tensor &padded) { return op.Neighbour(padded, {0, 0, 0}); }

} // namespace

std::vector<StencilNetwork::Weight> StencilNetwork::Outputs() const {
  const std::int64_t size = dim_ == 3 ? 27 : 9;
  std::vector<Weight> outputs;
  for (std::size_t s = 0; s < stencils_.size(); ++s) {
    const std::int64_t first = stencils_[s] == StencilKind::kSymmetric ? size / 2 : 0;
    for (std::int64_t o = first; o < size; ++o)
      outputs.push_back({s, o - first, {long(o % 3) - 1, long(o / 3 % 3) - 1, dim_ == 3 ? long(o / 9) - 1 : 0}});
  }
  return outputs;
}

void StencilNetwork::AddParameters(const std::string &prefix, long seed, long stream,
                                   std::vector<std::pair<std::string, at::Tensor>> *parameters) const {
  const std::int64_t deep = dim_ == 3 ? 3 : 1, outputs = std::int64_t(Outputs().size());
  for (long l = 0; l < layers_; ++l) {
    const bool last = l + 1 == layers_;
    const std::int64_t in = l == 0 ? dim_ + 2 : channels_, out = last ? outputs : channels_;
    const std::vector<std::int64_t> shape = {out, in, deep, 3, 3};
    const double bound = std::sqrt(6.0 / double(in * 9 * deep));
    const std::string number = std::to_string(l);
    parameters->push_back(
        {prefix + "kernel" + number, last ? at::zeros(shape) : RandomParameter(shape, bound, seed, stream + l)});
    parameters->push_back({prefix + "bias" + number, at::zeros({out})});
  }
}

std::vector<at::Tensor> StencilNetwork::Weights(const std::pair<std::string, at::Tensor> *parameters,
                                                const GridOperator &op, const std::vector<StencilForm> &forms) const {
  at::Tensor x = op.Channels();
  const std::size_t last = Count() - 2;
  for (std::size_t l = 0; l < last; l += 2) {
    x = Convolution(x, parameters[l].second, parameters[l + 1].second, op.partition, dim_);
    x = at::GradMode::is_enabled() ? at::elu(x) : at::elu_(x);
  }
  const at::Tensor &kernel = parameters[last].second, &bias = parameters[last + 1].second;
  if (!at::GradMode::is_enabled()) return WeightsInSlabs(std::move(x), kernel, bias, op, forms);
  x = Convolution(x, kernel, bias, op.partition, dim_);
  std::vector<std::vector<at::Tensor>> weights(forms.size());
  std::int64_t channel = 0;
  for (const Weight &w : Outputs()) {
    const StencilForm &form = forms[w.stencil];
    const at::Tensor base = form.base(w.neighbour),
                     learned = x[channel++] * form.left * op.Neighbour(form.right, w.neighbour);
    weights[w.stencil].push_back(base.defined() ? learned + base : learned);
  }
  std::vector<at::Tensor> stencils;
  for (const auto &stencil : weights) stencils.push_back(WithHalo(at::stack(stencil), op.partition, OneLayer(dim_)));
  return stencils;
}

/// The last convolution a few planes at a time: what it computes is most of the memory that a set-up needs.
std::vector<at::Tensor> StencilNetwork::WeightsInSlabs(at::Tensor x, const at::Tensor &kernel, const at::Tensor &bias,
                                                       const GridOperator &op,
                                                       const std::vector<StencilForm> &forms) const {
  const Partition &p = op.partition;
  const std::vector<Weight> outputs = Outputs();
  const at::Tensor in = WithHalo(x, p, OneLayer(dim_));
  x.reset();
  std::vector<std::int64_t> shape = in.sizes().vec();
  std::vector<at::Tensor> stencils;
  for (std::size_t s = 0; s < stencils_.size(); ++s) {
    shape[0] = std::count_if(outputs.begin(), outputs.end(), [s](const Weight &w) { return w.stencil == s; });
    stencils.push_back(at::zeros(shape, in.options()));
  }
  const std::int64_t axis = dim_ == 3 ? 0 : 1; // of [z, y, x]
  const std::int64_t count = p.OwnedCells() > 0 ? op.scale.size(axis) : 0;
  const std::int64_t slab = std::max<std::int64_t>(2, kSlabCells * count / std::max(1L, p.OwnedCells()));
  for (std::int64_t first = 0; first < count; first += slab) {
    const std::int64_t planes = std::min(slab, count - first);
    const auto part = [&](const at::Tensor &field) { return field.narrow(axis, first, planes); };
    const at::Tensor y = ConvolvePadded(in.narrow(axis + 1, first, planes + 2), kernel, bias);
    std::int64_t channel = 0;
    for (const Weight &w : outputs) {
      const StencilForm &form = forms[w.stencil];
      part(Owned(op, stencils[w.stencil][w.place]))
          .copy_(y[channel++].mul_(part(form.left)).mul_(part(op.Neighbour(form.right, w.neighbour))));
    }
  }
  for (const Weight &w : outputs) {
    const at::Tensor base = forms[w.stencil].base(w.neighbour);
    if (base.defined()) Owned(op, stencils[w.stencil][w.place]).add_(base);
  }
  for (const at::Tensor &stencil : stencils) FillHalo(stencil, p, OneLayer(dim_));
  return stencils;
}

} // namespace nets
} // namespace krylearn
