#include "nets/architectures/stencil_network.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nets {
namespace {

constexpr std::int64_t kSlabCells = 65536;

at::Tensor Owned(const GridOperator &op, const at::Tensor &padded) { return op.Neighbour(padded, {0, 0, 0}); }

} // namespace

Index StencilNeighbour(std::int64_t o, int dim) {
  return {long(o % 3) - 1, long(o / 3 % 3) - 1, dim == 3 ? long(o / 9) - 1 : 0};
}

void StencilNetwork::AddParameters(const std::string &prefix, long seed, long stream,
                                   std::vector<std::pair<std::string, at::Tensor>> *parameters) const {
  const std::int64_t deep = dim_ == 3 ? 3 : 1;
  for (long l = 0; l < layers_; ++l) {
    const bool last = l + 1 == layers_;
    const std::int64_t in = l == 0 ? dim_ + 2 : channels_, out = last ? stencils_ * Size() : channels_;
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
  if (!at::GradMode::is_enabled()) return WeightsInSlabs(x, kernel, bias, op, forms);
  x = Convolution(x, kernel, bias, op.partition, dim_);
  std::vector<at::Tensor> stencils;
  for (std::size_t f = 0; f < forms.size(); ++f) {
    std::vector<at::Tensor> weights;
    for (std::int64_t o = 0; o < Size(); ++o) {
      const Index neighbour = StencilNeighbour(o, dim_);
      const at::Tensor base = forms[f].base(neighbour);
      const at::Tensor w = x[std::int64_t(f) * Size() + o] * forms[f].left * op.Neighbour(forms[f].right, neighbour);
      weights.push_back(base.defined() ? w + base : w);
    }
    stencils.push_back(WithHalo(at::stack(weights), op.partition, OneLayer(dim_)));
  }
  return stencils;
}

/// The last convolution a few planes at a time: what it computes is most of the memory that a set-up needs.
std::vector<at::Tensor> StencilNetwork::WeightsInSlabs(const at::Tensor &x, const at::Tensor &kernel,
                                                       const at::Tensor &bias, const GridOperator &op,
                                                       const std::vector<StencilForm> &forms) const {
  const Partition &p = op.partition;
  const at::Tensor in = WithHalo(x, p, OneLayer(dim_));
  std::vector<std::int64_t> shape = in.sizes().vec();
  shape[0] = Size();
  std::vector<at::Tensor> stencils;
  for (std::size_t f = 0; f < forms.size(); ++f) stencils.push_back(at::zeros(shape, x.options()));
  const std::int64_t axis = dim_ == 3 ? 0 : 1; // of [z, y, x]
  const std::int64_t count = p.OwnedCells() > 0 ? op.scale.size(axis) : 0;
  const std::int64_t slab = std::max<std::int64_t>(2, kSlabCells * count / std::max(1L, p.OwnedCells()));
  for (std::int64_t first = 0; first < count; first += slab) {
    const std::int64_t planes = std::min(slab, count - first);
    const auto part = [&](const at::Tensor &field) { return field.narrow(axis, first, planes); };
    const at::Tensor y = ConvolvePadded(in.narrow(axis + 1, first, planes + 2), kernel, bias);
    for (std::size_t f = 0; f < forms.size(); ++f)
      for (std::int64_t o = 0; o < Size(); ++o)
        part(Owned(op, stencils[f][o]))
            .copy_(y[std::int64_t(f) * Size() + o]
                       .mul_(part(forms[f].left))
                       .mul_(part(op.Neighbour(forms[f].right, StencilNeighbour(o, dim_)))));
  }
  for (std::size_t f = 0; f < forms.size(); ++f) {
    for (std::int64_t o = 0; o < Size(); ++o) {
      const at::Tensor base = forms[f].base(StencilNeighbour(o, dim_));
      if (base.defined()) Owned(op, stencils[f][o]).add_(base);
    }
    FillHalo(stencils[f], p, OneLayer(dim_));
  }
  return stencils;
}

at::Tensor SymmetricStencil(const at::Tensor &weights, const GridOperator &op) {
  const std::int64_t size = weights.size(0);
  const auto mean = [&](std::int64_t o) {
    return 0.5 * (Owned(op, weights[o]) + op.Neighbour(weights[size - 1 - o], StencilNeighbour(o, op.dim)));
  };
  if (at::GradMode::is_enabled()) {
    std::vector<at::Tensor> means;
    for (std::int64_t o = 0; o < size; ++o) means.push_back(mean(o));
    return WithHalo(at::stack(means), op.partition, OneLayer(op.dim));
  }
  for (std::int64_t o = 0; o < size / 2; ++o) {
    const at::Tensor there = mean(o), back = mean(size - 1 - o);
    Owned(op, weights[o]).copy_(there);
    Owned(op, weights[size - 1 - o]).copy_(back);
  }
  return weights;
}

} // namespace nets
} // namespace krylearn
