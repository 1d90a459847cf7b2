// A symmetric multigrid V(1,1) cycle whose smoothers are stencils that a small network computes from the geometry.
//
// On a level with operator A, D its diagonal: the network turns the channels of the geometry into a stencil K(i) for
// each cell i, and the smoother is S = D^(-1/2) K D^(-1/2).
//   1. x = S r                       3. x += P e, piecewise constant
//   2. e = cycle(Pᵀ (r − A x))       4. x += Sᵀ (r − A x), the adjoint of step 1
// Coarse operators are GridOperator::Coarsened(), down to a single cell, which is solved exactly. All levels share one
// set of parameters. The whole is linear and symmetric in r; with zero in place of the network it is damped Jacobi.
// Kernels that depend on the geometry by way of a network: Lan et al., ICML 2024; here they smooth instead of transfer.
#include "nets/architectures/vcycle_inference.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nets {
namespace {

constexpr double kDamping = 0.8; ///< of the Jacobi smoother that training starts from

constexpr std::int64_t kSlabCells = 65536;

class VCyclePrepared : public Prepared {
public:
  explicit VCyclePrepared(std::vector<VCycleLevel> levels)
      : levels_(std::move(levels)), fluid_((levels_[0].op.scale > 0).to(levels_[0].op.scale.scalar_type())) {}

  at::Tensor Apply(const at::Tensor &r) const override {
    if (at::GradMode::is_enabled()) return Cycle(0, r) * fluid_;
    if (!inference_ || inference_->Batch() != r.size(0))
      inference_ = std::make_unique<VCycleInference>(levels_, long(r.size(0)));
    return inference_->Apply(r) * fluid_;
  }

  double Flops() const override {
    double flops = 0;
    for (const VCycleLevel &level : levels_) {
      const double weights = level.weights.defined() ? double(level.weights.size(0)) : 0;
      flops += double(level.op.partition.OwnedCells()) * (4 * weights + 2 * (6.0 * level.op.dim + 3) + 4);
    }
    return flops;
  }

private:
  at::Tensor Cycle(std::size_t number, const at::Tensor &r) const {
    const VCycleLevel &level = levels_[number];
    const GridOperator &op = level.op;
    if (!level.weights.defined()) return r * (op.scale * op.scale);
    at::Tensor x = Stencil(level.weights, r, op.partition, op.dim);
    x = x + Prolong(Cycle(number + 1, Restrict(op.Residual(r, x), op.partition)), op.partition);
    return x + StencilAdjoint(level.weights, op.Residual(r, x), op.partition, op.dim);
  }

  const std::vector<VCycleLevel> levels_;
  at::Tensor fluid_; ///< 1 in cells with an unknown
  mutable std::unique_ptr<VCycleInference> inference_;
};

class VCycleNet : public Net {
public:
  VCycleNet(const Options &options, int dim, long seed) : dim_(dim) {
    const long channels = WholeNumber(options, "channels", 1, 256), layers = WholeNumber(options, "layers", 1, 20);
    const std::int64_t deep = dim == 3 ? 3 : 1;
    for (long l = 0; l < layers; ++l) {
      const bool last = l + 1 == layers;
      const std::int64_t in = l == 0 ? dim + 2 : channels, out = last ? (dim == 3 ? 27 : 9) : channels;
      const std::vector<std::int64_t> shape = {out, in, deep, 3, 3};
      const double bound = std::sqrt(6.0 / double(in * 9 * deep));
      parameters.push_back(
          {"kernel" + std::to_string(l), last ? at::zeros(shape) : RandomParameter(shape, bound, seed, l)});
      parameters.push_back({"bias" + std::to_string(l), at::zeros({out})});
    }
  }

  std::unique_ptr<Prepared> Prepare(const GridOperator &finest) const override {
    std::vector<VCycleLevel> levels;
    levels.push_back({finest, {}});
    while (!levels.back().op.IsOneCell()) {
      levels.back().weights = Weights(levels.back().op);
      levels.push_back({levels.back().op.Coarsened(), {}});
    }
    return std::make_unique<VCyclePrepared>(std::move(levels));
  }

private:
  /// D^(-1/2) K D^(-1/2) of a level, padded.
  at::Tensor Weights(const GridOperator &op) const {
    at::Tensor x = op.Channels();
    const std::size_t last = parameters.size() - 2;
    for (std::size_t l = 0; l < last; l += 2) {
      x = Convolution(x, parameters[l].second, parameters[l + 1].second, op.partition, dim_);
      x = at::GradMode::is_enabled() ? at::elu(x) : at::elu_(x);
    }
    const at::Tensor &kernel = parameters[last].second, &bias = parameters[last + 1].second, scales = op.PaddedScale();
    if (!at::GradMode::is_enabled()) return WeightsInSlabs(op, x, kernel, bias, scales);
    x = Convolution(x, kernel, bias, op.partition, dim_);
    at::Tensor base = at::zeros({x.size(0), 1, 1, 1}, x.options());
    base[x.size(0) / 2].fill_(kDamping);
    std::vector<at::Tensor> neighbours;
    for (std::int64_t o = 0; o < x.size(0); ++o) neighbours.push_back(op.Neighbour(scales, Direction(o)));
    return WithHalo((x + base) * op.scale * at::stack(neighbours), op.partition, OneLayer(dim_));
  }

  /// The last step of Weights() without gradients, a few planes at a time: its 27 channels are most of the memory that
  /// a set-up needs, and are held once.
  at::Tensor WeightsInSlabs(const GridOperator &op, const at::Tensor &x, const at::Tensor &kernel,
                            const at::Tensor &bias, const at::Tensor &scales) const {
    const Partition &p = op.partition;
    const at::Tensor in = WithHalo(x, p, OneLayer(dim_));
    std::vector<std::int64_t> shape = in.sizes().vec();
    shape[0] = kernel.size(0);
    const at::Tensor padded = at::zeros(shape, x.options());
    const std::int64_t axis = dim_ == 3 ? 0 : 1; // of [z, y, x]
    const std::int64_t count = p.OwnedCells() > 0 ? op.scale.size(axis) : 0;
    const std::int64_t slab = std::max<std::int64_t>(2, kSlabCells * count / std::max(1L, p.OwnedCells()));
    for (std::int64_t first = 0; first < count; first += slab) {
      const std::int64_t planes = std::min(slab, count - first);
      const at::Tensor y = ConvolvePadded(in.narrow(axis + 1, first, planes + 2), kernel, bias);
      y[y.size(0) / 2].add_(kDamping);
      for (std::int64_t o = 0; o < y.size(0); ++o)
        op.Neighbour(padded[o], {0, 0, 0})
            .narrow(axis, first, planes)
            .copy_(y[o].mul_(op.scale.narrow(axis, first, planes))
                       .mul_(op.Neighbour(scales, Direction(o)).narrow(axis, first, planes)));
    }
    FillHalo(padded, p, OneLayer(dim_));
    return padded;
  }

  /// Of weight o, in the order of kernels.h.
  Index Direction(std::int64_t o) const {
    return {long(o % 3) - 1, long(o / 3 % 3) - 1, dim_ == 3 ? long(o / 9) - 1 : 0};
  }

  int dim_;
};

} // namespace

Architecture VCycle() {
  return {"vcycle",
          "symmetric multigrid V(1,1) with learned smoothing stencils; linear",
          true,
          true,
          {{"channels", "8"}, {"layers", "3"}},
          [](const Options &options, int dim, long seed) -> std::unique_ptr<Net> {
            return std::make_unique<VCycleNet>(options, dim, seed);
          }};
}

} // namespace nets
} // namespace krylearn
