/// \file
/// The momentum equation away from obstacles: advection and viscosity on the staggered grid, fused with the stage
/// update of the time integrator.
#pragma once
#include "solvers/flow/boundaries.h"

namespace krylearn {

/// Weights of one stage of the three-stage strong-stability-preserving Runge–Kutta scheme (Shu & Osher 1988):
/// u_new = old · u^n + euler · (u + dt · tendency(u)).
struct Stage {
  double old, euler, time; ///< time: where in the step the stage ends, in units of dt
};
constexpr Stage kStages[3] = {{0, 1, 1}, {0.75, 0.25, 0.5}, {1.0 / 3, 2.0 / 3, 1}};
/// Share of each stage's increment that survives into the end of the step.
constexpr double kStageShare[3] = {1.0 / 6, 2.0 / 3, 1};

/// Limited slope of van Leer (1974): harmonic mean of two differences, zero at extrema.
inline double LimitedSlope(double a, double b) {
  const double product = a * b, sum = a + b;
  return product > 0 ? 2 * product / sum : 0;
}

/// Second-order momentum tendencies.
///
/// Central advection is the symmetry-preserving form of Verstappen & Veldman (2003): mass fluxes averaged over the two
/// cells of a velocity control volume, velocities averaged with equal weights, so that a divergence-free flow loses no
/// kinetic energy to it on any grid. The upwind form replaces the averaged velocity by a limited upwind value (TVD).
class Momentum {
public:
  void SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries, Advection advection);

  /// One fused explicit stage: out = old u^n + euler (u + dt (advection + ν Laplacian − ∇p + force)) on all unknown
  /// faces. u needs ghosts and halos; p needs one ghost layer. `buoyancy` (may hold empty fields) adds face
  /// accelerations. Rank-local.
  PetscErrorCode ExplicitStage(const Stage &stage, double dt, double nu, const FaceFields &u, const FaceFields &u_old,
                               const Field &p, const Real3 &force, const FaceFields &buoyancy, FaceFields *out) const;
  /// out = advection + ν Laplacian on all unknown faces.
  PetscErrorCode Tendency(double nu, const FaceFields &u, FaceFields *out) const;
  /// out = ν Laplacian on all unknown faces.
  PetscErrorCode Laplacian(double nu, const FaceFields &u, FaceFields *out) const;

private:
  enum class Flux { kCentral, kUpwind, kNone };
  /// Faces [begin, end) along x of row (j, k).
  struct RowRange {
    PetscInt j, k, begin, end;
  };
  template <int dim, int a, Flux flux, class Store>
  void Row(const RowRange &range, double nu, const FaceFields &u, double *out, const Store &store) const;
  template <class Visit> void ForRows(Flux flux, Visit &&visit) const;
  PetscErrorCode Raw(Flux flux, double nu, double flops, const FaceFields &u, FaceFields *out) const;
  double FlopsPerCell() const;

  std::shared_ptr<const Grid> grid_;
  const BoundaryConditions *boundaries_ = nullptr;
  Flux flux_ = Flux::kCentral;
  /// Shares of cells i-1 and i in the control volume of face i.
  std::array<std::vector<double>, 3> share_lower_, share_upper_;
};

} // namespace krylearn
