/// \file
/// What networks train on: residuals of one geometry, and what is known of the solves that they belong to.
#pragma once
#include "nets/architecture.h"

namespace krylearn {
namespace nets {

/// A direction and A times it.
struct Direction {
  at::Tensor d, Ad;
};

/// Residuals to train on, [solve, z, y, x], single precision.
struct Batch {
  at::Tensor residual;           ///< r, of norm 1
  at::Tensor energy;             ///< eᵀr of the error e = A⁻¹ r: its squared A-norm, [solve]
  std::vector<Direction> window; ///< the last directions of each solve, dᵀAd = 1, or d = 0 where there were fewer
};

/// q made A-orthogonal to a window, differentiable.
at::Tensor Orthogonal(at::Tensor q, const std::vector<Direction> &window);

/// Residuals of one geometry, on this rank alone.
class Sampler {
public:
  virtual ~Sampler() = default;
  /// `solves` residuals; which ones is drawn by `place`, the number of the draw.
  virtual Batch Draw(long solves, std::uint64_t place) = 0;
  /// Takes back the network's directions for the last draw.
  virtual void Advance(const at::Tensor & /*q*/) {}
  /// What Advance() changes, as contiguous tensors in host memory: a sampler made of the same input goes on from here
  /// once their values have been copied into its own. As many tensors for all samplers of a kind.
  virtual std::vector<at::Tensor> State() const { return {}; }
};

/// What a sampler is made of: `op` in double precision; `solver`, a network that solves with it; right-hand sides to
/// keep; a seed for everything random; eigenvectors where the kind takes them.
struct SamplerInput {
  const GridOperator &op;
  const Prepared &solver;
  long solves, seed;
  const Modes &modes;
};

struct Sampling {
  const char *name, *summary;
  bool takes_modes;
  std::unique_ptr<Sampler> (*make)(const SamplerInput &input);
};

const std::vector<Sampling> &Samplings();
/// std::invalid_argument names the sampling and those there are.
const Sampling &FindSampling(const std::string &name);

// One file each:
Sampling LiveSolves(); ///< krylov
Sampling RitzMixtures();
Sampling WhiteMixtures();

/// White right-hand sides of `op`, [solves, z, y, x], double precision: uniform in ±1 where there are unknowns.
at::Tensor WhiteRightSides(const GridOperator &op, long solves, long seed);
/// Solves A x = b to 1e-10; std::runtime_error where that fails.
at::Tensor SolveExactly(const GridOperator &op, const Prepared &solver, const at::Tensor &b);

} // namespace nets
} // namespace krylearn
