// A linear V of one channel whose 3×3(×3) kernels small networks compute for every cell from the geometry: Lan et al.,
// "A Neural-Preconditioned Poisson Solver for Mixed Dirichlet and Neumann Boundary Conditions", ICML 2024, in a
// symmetric form. On a level:
//   1. e = level below (Pᵀ K r)      2. x = L r + Kᵀ P e
// L is a symmetric stencil, K another, P piecewise constant. The coarsest level is a single cell, solved exactly. The
// operator A is applied nowhere.
//
// The paper's average pooling, linear up-sampling and blend c0 x + c1 e with weights of each cell are special cases:
// K = (¼ ½ ¼) on each axis makes Kᵀ P linear interpolation, and the size of L and K is the blend. Unlike interpolation
// they can stop at walls.
//
// Scaling makes all levels look alike, so that one set of kernels serves many: with D the diagonal of the operator,
// L = D^(-1/2) L' D^(-1/2) and K = D^(1/2) K' D^(-1/2), where L' and K' come from the network. Pᵀ adds cells, and
// diagonals are those of GridOperator::Coarsened(), discretised anew: for unit stencils on every level that is a
// restriction of 4 times the average, in 2D and in 3D. The first levels have networks of their own, all others share
// the last.
//
// With zeros in place of the networks it is the V(1,1) cycle with damped Jacobi, its residuals multiplied out:
// L = 2ω D⁻¹ − ω² D⁻¹ A D⁻¹, K = 1 − ω A D⁻¹. Training begins there.
#include "nets/architectures/npsd_inference.h"
#include "nets/architectures/stencil_network.h"
#include <algorithm>

namespace krylearn {
namespace nets {
namespace {

constexpr double kDamping = 0.8; ///< ω of the Jacobi smoother that training starts from
constexpr long kStreams = 32;    ///< of random numbers, for each network

class NpsdPrepared : public Prepared {
public:
  NpsdPrepared(std::vector<NpsdLevel> levels, int dim) : levels_(std::move(levels)), dim_(dim) {}

  at::Tensor Apply(const at::Tensor &r) const override {
    if (at::GradMode::is_enabled()) return Level(0, r);
    if (!inference_ || inference_->Batch() != r.size(0))
      inference_ = std::make_unique<NpsdInference>(levels_, dim_, long(r.size(0)));
    return inference_->Apply(r);
  }

  double Flops() const override {
    double flops = 0;
    for (const NpsdLevel &level : levels_) {
      const double weights = level.filter.defined() ? double(level.filter.size(0)) : 0;
      flops += double(level.partition.OwnedCells()) * (6 * weights + 3);
    }
    return flops;
  }

private:
  at::Tensor Level(std::size_t number, const at::Tensor &r) const {
    const NpsdLevel &level = levels_[number];
    const Partition &p = level.partition;
    if (level.inverse.defined()) return r * level.inverse;
    const at::Tensor e = Level(number + 1, Restrict(Stencil(level.filter, r, p, dim_), p));
    return SymmetricStencil(level.local, r, p, dim_) + StencilAdjoint(level.filter, Prolong(e, p), p, dim_);
  }

  const std::vector<NpsdLevel> levels_;
  const int dim_;
  mutable std::unique_ptr<NpsdInference> inference_;
};

class NpsdNet : public Net {
public:
  NpsdNet(const Options &options, int dim, long seed)
      : network_(dim, WholeNumber(options, "channels", 1, 256), WholeNumber(options, "layers", 1, kStreams),
                 {StencilKind::kSymmetric, StencilKind::kGeneral}),
        sets_(std::size_t(WholeNumber(options, "sets", 1, 20))) {
    for (std::size_t s = 0; s < sets_; ++s)
      network_.AddParameters("set" + std::to_string(s) + ".", seed, long(s) * kStreams, &parameters);
  }

  std::unique_ptr<Prepared> Prepare(const GridOperator &finest) const override {
    std::vector<NpsdLevel> levels;
    GridOperator op = finest;
    while (!op.IsOneCell()) {
      levels.push_back(Kernels(op, std::min(levels.size(), sets_ - 1)));
      op = op.Coarsened();
    }
    levels.push_back({op.partition, {}, {}, op.scale * op.scale});
    return std::make_unique<NpsdPrepared>(std::move(levels), finest.dim);
  }

private:
  NpsdLevel Kernels(const GridOperator &op, std::size_t set) const {
    const at::Tensor scales = op.PaddedScale(), inverse = op.scale * op.scale,
                     root = at::where(op.scale > 0, at::reciprocal(op.scale), at::zeros_like(op.scale));
    const auto local = [&](const Index &by) {
      if (by == Index{0, 0, 0}) return kDamping * (2 - kDamping) * inverse;
      const at::Tensor c = op.Coupling(by), there = op.Neighbour(scales, by);
      return c.defined() ? kDamping * kDamping * inverse * c * there * there : c;
    };
    const auto filter = [&](const Index &by) {
      if (by == Index{0, 0, 0}) return (1 - kDamping) * (op.scale > 0).to(op.scale.scalar_type());
      const at::Tensor c = op.Coupling(by), there = op.Neighbour(scales, by);
      return c.defined() ? kDamping * c * there * there : c;
    };
    const std::vector<at::Tensor> stencils = network_.Weights(parameters.data() + set * network_.Count(), op,
                                                              {{op.scale, scales, local}, {root, scales, filter}});
    return {op.partition, stencils[0], stencils[1], {}};
  }

  StencilNetwork network_;
  std::size_t sets_;
};

} // namespace

Architecture Npsd() {
  return {"npsd",
          "V of per-cell kernels that networks compute from the geometry, without the operator; linear, symmetric",
          true,
          true,
          {{"channels", "8"}, {"layers", "2"}, {"sets", "3"}},
          [](const Options &options, int dim, long seed) -> std::unique_ptr<Net> {
            return std::make_unique<NpsdNet>(options, dim, seed);
          }};
}

} // namespace nets
} // namespace krylearn
