/// \file
/// A pool of live solves: what networks train on.
#pragma once
#include "nets/training/conjugate.h"

namespace krylearn {
namespace nets {

/// One geometry with solves on it that training itself carries on. Each solve has a known error e; a training step
/// takes the residual r = A e, the network's direction q, made A-orthogonal to the solve's last two, and then steps
/// along it. So the network meets the residuals that it causes. On this rank alone.
class LiveGeometry {
public:
  /// Starts `solves` of them: seven of ten with a white right-hand side, the others with errors one inverse iteration
  /// smoother. `seed` names everything random.
  LiveGeometry(const Geometry &geometry, const Prepared &solver, long solves, long seed);

  const GridOperator &Operator() const { return single_; }
  /// Mean over the chosen solves of the share of the squared A-norm error that the step leaves: 1 − (qᵀr)²/(qᵀAq eᵀr),
  /// with its graph; advances them. Solves end after 2 to 20 steps and start again.
  at::Tensor Step(const Prepared &net, const std::vector<long> &chosen);
  /// Starts all solves again; how long they run depends on `seed`. What follows depends on nothing that was before.
  void Restart(long seed);
  long Solves() const { return long(lives_.size()); }

private:
  void RestartOne(long solve);
  GridOperator single_, double_;
  at::Tensor start_, error_;                      ///< [solve, z, y, x], double
  std::array<at::Tensor, 2> directions_, images_; ///< of the last steps, dᵀAd = 1 or d = 0; float
  std::vector<long> ages_, lives_, count_;
  long seed_ = 0;
};

} // namespace nets
} // namespace krylearn
