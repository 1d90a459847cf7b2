/// \file
/// Implicit diffusion: (I − s M) x = b with M a Laplacian on faces or cells.
#pragma once
#include "solvers/flow/immersed.h"
#include <petscksp.h>

namespace krylearn {

/// Holds one operator M and solves (I − s M) x = b for changing s, always from a zero guess.
class ImplicitDiffusion {
public:
  ImplicitDiffusion() = default;
  ~ImplicitDiffusion();
  ImplicitDiffusion(const ImplicitDiffusion &) = delete;
  ImplicitDiffusion &operator=(const ImplicitDiffusion &) = delete;

  /// Laplacian of velocity component `axis` with homogeneous boundary ghosts. Regular rows are halved (Crank–Nicolson),
  /// irregular ones are not (backward Euler: thin slivers must not ring). Faces on the boundary and
  /// closed ones have no increment of their own: given ones keep their value, outflow ones follow their inner
  /// neighbour. Prefix `velocity_`. Collective.
  PetscErrorCode SetUpVelocity(std::shared_ptr<const Grid> grid, const BoundaryConditions &boundaries,
                               const ImmersedBoundary &immersed, int axis);
  /// Half the aperture-weighted Laplacian of a scalar over its capacity. Prefix `scalar_`. Collective.
  PetscErrorCode SetUpScalar(std::shared_ptr<const Grid> grid, const BoundaryConditions &boundaries,
                             const ScalarConfig &config, const FaceFields &aperture, const Field &capacity);

  /// Solves in place: x holds b on entry. Owned entries only: the upper boundary faces are no unknowns. Collective.
  PetscErrorCode Solve(double s, Field *x);
  KSP Solver() const { return ksp_; }
  PetscInt Iterations() const { return iterations_; }
  void ResetIterations() { iterations_ = 0; }

private:
  PetscErrorCode Finish(const char *prefix);
  std::shared_ptr<const Grid> grid_;
  Mat laplacian_ = nullptr, system_ = nullptr;
  KSP ksp_ = nullptr;
  Vec rhs_ = nullptr, solution_ = nullptr;
  PetscInt iterations_ = 0;
  double current_ = -1;
};

} // namespace krylearn
