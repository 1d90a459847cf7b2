// A symmetric multigrid V(1,1) cycle whose smoothers are stencils that a small network computes from the geometry.
//
// On a level with operator A, D its diagonal: the network turns the channels of the geometry into a stencil K(i) for
// each cell i, and the smoother is S = D^(-1/2) K D^(-1/2).
//   1. x = S r                       3. x += P e, piecewise constant
//   2. e = cycle(Pᵀ (r − A x))       4. x += Sᵀ (r − A x), the adjoint of step 1
// Coarse operators are GridOperator::Coarsened(), down to a single cell, which is solved exactly. All levels share one
// set of parameters. The whole is linear and symmetric in r; with zero in place of the network it is damped Jacobi.
// Kernels that depend on the geometry by way of a network: Lan et al., ICML 2024; here they smooth instead of transfer.
#include "nets/architectures/stencil_network.h"
#include "nets/architectures/vcycle_inference.h"

namespace krylearn {
namespace nets {
namespace {

constexpr double kDamping = 0.8; ///< of the Jacobi smoother that training starts from

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
  VCycleNet(const Options &options, int dim, long seed)
      : network_(dim, WholeNumber(options, "channels", 1, 256), WholeNumber(options, "layers", 1, 20),
                 {StencilKind::kGeneral}) {
    network_.AddParameters("", seed, 0, &parameters);
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
    const auto jacobi = [&op](const Index &neighbour) {
      return neighbour == Index{0, 0, 0} ? kDamping * op.scale * op.scale : at::Tensor();
    };
    return network_.Weights(parameters.data(), op, {{op.scale, op.PaddedScale(), jacobi}})[0];
  }

  StencilNetwork network_;
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
