/// \file
/// The incompressible flow solver: one object that owns the fields and advances them.
#pragma once
#include "solvers/flow/projection.h"
#include "solvers/flow/scalar_transport.h"

namespace krylearn {

/// Incompressible Navier–Stokes with optional scalars on a staggered grid,
///
///     ∂u/∂t + ∇·(u u) = −∇p + ν ∇²u + force + buoyancy,   ∇·u = 0,   density 1.
///
/// A step is three stages of the strong-stability-preserving Runge–Kutta scheme (Shu & Osher 1988). Each stage
///   1. advances scalars and momentum by an Euler step with the newest known pressure (incremental projection),
///   2. replaces the update near obstacles (ImmersedBoundary),
///   3. solves for the pressure increment and makes the velocity divergence-free (Projection).
/// Stage pressures equal the pressures at the states the stages start from, so the second one is a second-order
/// pressure at the end of the step; it is what Pressure() returns. With Crank–Nicolson viscosity each stage starts from
/// the beginning of the step and treats viscosity by the trapezoidal rule.
///
/// Not here: turbulence models, variable density, moving obstacles.
class FlowSolver {
public:
  PetscErrorCode SetUp(MPI_Comm comm, const FlowConfig &config);
  /// Initial fields, projected. Collective.
  PetscErrorCode Initialise();
  /// To be called after fields were replaced (restart): brings ghosts up to date.
  PetscErrorCode Refresh();
  /// Advances by dt. Collective.
  PetscErrorCode Step(double dt);
  /// Largest stable step for the current velocity by the configured Courant number and the explicit viscosity; from
  /// rest, what buoyancy can accelerate in one step counts too. Collective.
  PetscErrorCode StableStep(double *dt) const;

  const FlowConfig &Config() const { return config_; }
  std::shared_ptr<const Grid> GetGrid() const { return grid_; }
  double Time() const { return time_; }
  PetscInt StepNumber() const { return step_; }
  void SetTime(double time, PetscInt step) { time_ = time, step_ = step; }
  FaceFields &Velocity() { return velocity_; }
  const FaceFields &Velocity() const { return velocity_; }
  Field &Pressure() { return pressure_; }
  const Field &Pressure() const { return pressure_; }
  std::size_t Scalars() const { return scalars_.size(); }
  Field &Scalar(std::size_t n) { return scalars_[n].now; }
  const Field &Scalar(std::size_t n) const { return scalars_[n].now; }
  const ScalarTransport &Transport(std::size_t n) const { return scalars_[n].transport; }
  const CutCells &Cut() const { return cut_; }
  const Field &Solid() const { return projection_.Coefficients().solid; }
  Projection &GetProjection() { return projection_; }
  const Projection &GetProjection() const { return projection_; }
  const ImmersedBoundary &Immersed() const { return immersed_; }
  const BoundaryConditions &GetBoundaries() const { return boundaries_; }
  PetscInt64 FilledCells() const { return filled_; }
  /// All Krylov solvers by name: pressure, velocity_x, …, and those of scalars.
  std::vector<std::pair<std::string, KSP>> Solvers() const;
  /// Krylov iterations of the last step: velocity and scalar solves.
  PetscInt VelocityIterations() const;
  PetscInt ScalarIterations() const;
  /// Largest difference of an owned velocity to `other`. Collective.
  PetscErrorCode LargestChange(const FaceFields &other, double *change) const;

private:
  struct ScalarState {
    ScalarTransport transport;
    Field now, old, next;
  };
  PetscErrorCode PrepareGeometry();
  PetscErrorCode CheckInflowIsOpen() const;
  PetscErrorCode InitialisePressure();
  PetscErrorCode AdvanceScalars(int stage, double dt, const FaceFields &u);
  PetscErrorCode CommitScalars();
  void Lift();
  PetscErrorCode ExplicitStage(int stage, double dt);
  PetscErrorCode ImplicitStage(int stage, double dt);
  PetscErrorCode Finish(int stage, double step, double time, FaceFields *u);
  void TakePressure(int stage);

  MPI_Comm comm_ = MPI_COMM_NULL;
  FlowConfig config_;
  std::shared_ptr<const Grid> grid_;
  BoundaryConditions boundaries_;
  CutCells cut_;
  Momentum momentum_;
  ImmersedBoundary immersed_;
  Projection projection_;
  std::array<std::unique_ptr<ImplicitDiffusion>, 3> viscous_;
  std::vector<ScalarState> scalars_;
  FaceFields velocity_, old_, next_, buoyancy_;
  FaceFields tendency_, tendency_sum_, laplacian_; // Crank–Nicolson only
  struct OutflowFace {
    std::ptrdiff_t q, inner;
    double difference; ///< of their explicit updates
  };
  std::vector<OutflowFace> outflow_faces_;
  Field pressure_, stage_pressure_, phi_;
  double time_ = 0;
  PetscInt step_ = 0;
  PetscInt64 filled_ = 0;
};

} // namespace krylearn
