#include "solvers/flow/solver.h"
#include "meshes/log.h"
#include <algorithm>
#include <cmath>

namespace krylearn {

PetscErrorCode FlowSolver::SetUp(MPI_Comm comm, const FlowConfig &config) {
  PetscFunctionBeginUser;
  comm_ = comm;
  config_ = config;
  PetscCheck(config.viscosity >= 0 && std::isfinite(config.viscosity), comm, PETSC_ERR_USER_INPUT,
             "Viscosity %g is not possible; give a value of at least 0", config.viscosity);
  PetscCheck(config.velocity > 0 && config.length > 0, comm, PETSC_ERR_USER_INPUT,
             "Reference length %g and velocity %g must be positive", config.length, config.velocity);
  PetscCall(Grid::Create(comm, config.grid, &grid_));
  config_.obstacles = config.obstacles.WithImages(*grid_);
  PetscCall(boundaries_.SetUp(grid_, config.boundaries));
  PetscCall(PrepareGeometry());
  momentum_.SetUp(grid_, &boundaries_, config.advection);
  for (const ScalarConfig &scalar : config.scalars) {
    scalars_.emplace_back();
    ScalarState &s = scalars_.back();
    PetscCall(s.transport.SetUp(grid_, &boundaries_, scalar, cut_, config.crank_nicolson));
    s.now = grid_->NewField();
    s.old = grid_->NewField();
    s.next = grid_->NewField();
    for (int a = 0; a < grid_->Dim(); ++a)
      if (config.gravity[a] * scalar.buoyancy != 0 && buoyancy_[a].empty()) buoyancy_[a] = grid_->NewField();
  }
  velocity_ = grid_->NewFaces();
  old_ = grid_->NewFaces();
  next_ = grid_->NewFaces();
  pressure_ = grid_->NewField();
  stage_pressure_ = grid_->NewField();
  phi_ = grid_->NewField();
  if (config.crank_nicolson) {
    tendency_ = grid_->NewFaces();
    tendency_sum_ = grid_->NewFaces();
    laplacian_ = grid_->NewFaces();
    for (int a = 0; a < grid_->Dim(); ++a) {
      viscous_[a] = std::make_unique<ImplicitDiffusion>();
      PetscCall(viscous_[a]->SetUpVelocity(grid_, boundaries_, immersed_, a));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::PrepareGeometry() {
  PetscFunctionBeginUser;
  PetscCall(ComputeCutCells(*grid_, config_.obstacles, &cut_));
  PoissonCoefficients coefficients;
  for (int d = 0; d < 3; ++d)
    for (int side = 0; side < 2; ++side)
      coefficients.sides[d][side] = d < grid_->Dim() && !grid_->Periodic(d) && !boundaries_.NormalGiven(d, side)
                                        ? Side::kDirichlet
                                        : Side::kNeumann;
  coefficients.alpha = cut_.aperture;
  coefficients.solid = grid_->NewField();
  for (std::size_t q = 0; q < coefficients.solid.size(); ++q) coefficients.solid[q] = cut_.volume[q] == 0 ? 1 : 0;
  const bool cut = !config_.obstacles.Empty();
  if (cut) {
    constexpr PetscInt kSmallestPocket = 64;
    PetscCall(FillPockets(*grid_, kSmallestPocket, &coefficients, &filled_));
    cut_.aperture = coefficients.alpha;
    PetscCall(CheckInflowIsOpen());
    for (std::size_t q = 0; q < coefficients.solid.size(); ++q)
      if (coefficients.solid[q] != 0) cut_.volume[q] = 0;
  }
  PetscCall(immersed_.SetUp(grid_, &boundaries_, config_.obstacles, cut_));
  PetscCall(projection_.SetUp(grid_, &boundaries_, std::move(coefficients), cut, config_.velocity,
                              config_.pressure_pmat_type));
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::CheckInflowIsOpen() const {
  PetscFunctionBeginUser;
  double covered[6] = {}, any[6];
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      if (config_.boundaries[d][side].kind != Boundary::Kind::kInflow) continue;
      ForBoundaryCells(*grid_, d, side, [&](const Int3 &, std::ptrdiff_t, std::ptrdiff_t face) {
        if (cut_.aperture[d][face] < 1) covered[2 * d + side] = 1;
      });
    }
  PetscCallMPI(MPI_Allreduce(covered, any, 6, MPI_DOUBLE, MPI_MAX, comm_));
  for (int n = 0; n < 6; ++n)
    PetscCheck(any[n] == 0, comm_, PETSC_ERR_USER_INPUT,
               "An obstacle covers part of the inflow side %c%s or closes a pocket there; move it into the domain",
               "xyz"[n / 2], n % 2 ? "hi" : "lo");
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::Initialise() {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  if (config_.initial_velocity)
    for (int a = 0; a < grid_->Dim(); ++a) {
      Int3 c, last = l.hi;
      last[a] = l.FaceEnd(a, grid_->Periodic(a));
      for (c[2] = l.lo[2]; c[2] < last[2]; ++c[2])
        for (c[1] = l.lo[1]; c[1] < last[1]; ++c[1])
          for (c[0] = l.lo[0]; c[0] < last[0]; ++c[0]) {
            Real3 x{grid_->Centre(0, c[0]), grid_->Centre(1, c[1]), grid_->Centre(2, c[2])};
            x[a] = grid_->Face(a, c[a]);
            velocity_[a][l.At(c[0], c[1], c[2])] = config_.initial_velocity(a, x);
          }
    }
  immersed_.ZeroClosed(&velocity_);
  boundaries_.FillNormalFaces(velocity_, time_);
  PetscCall(grid_->Exchange(velocity_));
  boundaries_.FillVelocity(velocity_, time_);
  // Any step length serves: the potential is thrown away.
  PetscCall(projection_.Apply(1, true, &velocity_, &phi_, nullptr, 0));
  immersed_.ZeroClosed(&velocity_);
  for (ScalarState &s : scalars_) s.transport.Initialise(&s.now);
  std::fill(pressure_.begin(), pressure_.end(), 0);
  PetscCall(Refresh());
  PetscCall(InitialisePressure());
  PetscFunctionReturn(0);
}

/// The pressure at the initial state: what keeps its rate of change divergence-free. The step that evaluates it is
/// thrown away.
PetscErrorCode FlowSolver::InitialisePressure() {
  PetscFunctionBeginUser;
  double dt;
  PetscCall(StableStep(&dt));
  if (config_.fixed_dt > 0) dt = config_.fixed_dt;
  Lift();
  PetscCall(momentum_.ExplicitStage(kStages[0], dt, config_.viscosity, velocity_, velocity_, pressure_,
                                    config_.body_force, buoyancy_, &next_));
  PetscCall(immersed_.ExplicitStage(0, dt, config_.viscosity, velocity_, velocity_, pressure_, config_.body_force,
                                    buoyancy_, &next_, false));
  PetscCall(Finish(0, dt, time_ + dt, &next_));
  TakePressure(0);
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::Refresh() {
  PetscFunctionBeginUser;
  PetscCall(grid_->Exchange(velocity_));
  boundaries_.FillVelocity(velocity_, time_);
  PetscCall(grid_->Exchange({&pressure_}));
  boundaries_.FillPressure(pressure_);
  for (ScalarState &s : scalars_) PetscCall(s.transport.UpdateGhosts(velocity_, &s.now));
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::Step(double dt) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().step, 0, 0, 0, 0));
  immersed_.BeginStep();
  projection_.ResetIterations();
  for (auto &viscous : viscous_)
    if (viscous) viscous->ResetIterations();
  for (ScalarState &s : scalars_) {
    s.transport.ResetIterations();
    PetscCall(s.transport.DiffuseHalfStep(dt, velocity_, &s.now));
  }
  std::swap(old_, velocity_);
  for (int stage = 0; stage < 3; ++stage)
    PetscCall(config_.crank_nicolson ? ImplicitStage(stage, dt) : ExplicitStage(stage, dt));
  // The pressure at the end of the step is that of the second stage; see the class comment.
  std::swap(pressure_, stage_pressure_);
  for (ScalarState &s : scalars_) PetscCall(s.transport.DiffuseHalfStep(dt, velocity_, &s.now));
  time_ += dt;
  ++step_;
  PetscCall(PetscLogEventEnd(Log().step, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::AdvanceScalars(int stage, double dt, const FaceFields &u) {
  PetscFunctionBeginUser;
  for (ScalarState &s : scalars_) {
    if (stage == 0) std::swap(s.old, s.now);
    const Field &from = stage == 0 ? s.old : s.now;
    PetscCall(s.transport.AdvanceStage(kStages[stage], dt, u, from, s.old, &s.next));
  }
  PetscFunctionReturn(0);
}

void FlowSolver::Lift() {
  bool any = false;
  for (Field &f : buoyancy_) {
    std::fill(f.begin(), f.end(), 0);
    any = any || !f.empty();
  }
  if (!any) return;
  for (ScalarState &s : scalars_) s.transport.AddBuoyancy(config_.gravity, s.now, &buoyancy_);
}

PetscErrorCode FlowSolver::CommitScalars() {
  PetscFunctionBeginUser;
  for (ScalarState &s : scalars_) {
    std::swap(s.now, s.next);
    PetscCall(s.transport.UpdateGhosts(velocity_, &s.now));
  }
  PetscFunctionReturn(0);
}

/// Closes a stage: boundary values, halos, projection, ghosts. `step` is the length of the stage's pressure impulse.
PetscErrorCode FlowSolver::Finish(int stage, double step, double time, FaceFields *u) {
  PetscFunctionBeginUser;
  boundaries_.FillNormalFaces(*u, time);
  PetscCall(grid_->Exchange(*u));
  // Crank–Nicolson books the whole step at its end.
  const int booked = config_.crank_nicolson ? -1 : stage;
  PetscCall(projection_.Apply(step, stage == 2, u, &phi_, &immersed_, booked));
  // The limiter reads two layers, the correction keeps one up to date.
  if (config_.advection == Advection::kUpwind) PetscCall(grid_->Exchange(*u));
  boundaries_.FillVelocity(*u, time);
  PetscFunctionReturn(0);
}

/// Turns the increment of a stage into the pressures of this stage and the guess for the next. In: pressure_ is what
/// the stage used. The first stage leaves the pressure at the beginning of the step in pressure_. The second one leaves
/// that at the end in stage_pressure_, and in pressure_ the mean of both, which is the pressure of the third stage. An
/// explicit second stage sees the end itself, a Crank–Nicolson one, which spans half the step, already the mean.
void FlowSolver::TakePressure(int stage) {
  if (stage == 2) return;
  PetscLogEventBegin(Log().correct, 0, 0, 0, 0);
  const std::size_t size = phi_.size();
  double *p = pressure_.data(), *s = stage_pressure_.data();
  const double *phi = phi_.data();
  if (stage == 0) {
#pragma GCC ivdep
    for (std::size_t q = 0; q < size; ++q) p[q] += phi[q];
  } else {
    const double end = config_.crank_nicolson ? 2 : 1;
#pragma GCC ivdep
    for (std::size_t q = 0; q < size; ++q) {
      s[q] = p[q] + end * phi[q];
      p[q] += 0.5 * end * phi[q];
    }
  }
  PetscLogEventEnd(Log().correct, 0, 0, 0, 0);
}

PetscErrorCode FlowSolver::ExplicitStage(int stage, double dt) {
  PetscFunctionBeginUser;
  const Stage &weights = kStages[stage];
  const FaceFields &from = stage == 0 ? old_ : velocity_;
  FaceFields &to = stage == 0 ? velocity_ : next_;
  Lift();
  PetscCall(AdvanceScalars(stage, dt, from));
  PetscCall(momentum_.ExplicitStage(weights, dt, config_.viscosity, from, old_, pressure_, config_.body_force,
                                    buoyancy_, &to));
  PetscCall(
      immersed_.ExplicitStage(stage, dt, config_.viscosity, from, old_, pressure_, config_.body_force, buoyancy_, &to));
  PetscCall(Finish(stage, weights.euler * dt, time_ + weights.time * dt, &to));
  if (stage > 0) std::swap(velocity_, next_);
  TakePressure(stage);
  PetscCall(CommitScalars());
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::StableStep(double *dt) const {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  double local = 0, lift = 0;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      const std::ptrdiff_t row = l.At(0, j, k);
      const double *x = grid_->InverseWidth(0), *u = velocity_[0].data() + row, *v = velocity_[1].data() + row;
      const double *w = grid_->Dim() == 3 ? velocity_[2].data() + row : nullptr;
      const double iy = grid_->InverseWidth(1)[j], iz = grid_->InverseWidth(2)[k];
      const std::ptrdiff_t s1 = l.stride[1], s2 = l.stride[2];
      for (PetscInt i = l.lo[0]; i < l.hi[0]; ++i) {
        double rate =
            std::max(std::abs(u[i]), std::abs(u[i + 1])) * x[i] + std::max(std::abs(v[i]), std::abs(v[i + s1])) * iy;
        if (w) rate += std::max(std::abs(w[i]), std::abs(w[i + s2])) * iz;
        if (!(rate <= local)) local = rate; // lets NaN through
      }
    }
  for (const ScalarState &s : scalars_) {
    if (s.transport.Config().buoyancy == 0) continue;
    double largest = 0;
    for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
      for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j)
        for (PetscInt i = l.lo[0]; i < l.hi[0]; ++i) largest = std::max(largest, std::abs(s.now[l.At(i, j, k)]));
    lift += largest * std::abs(s.transport.Config().buoyancy);
  }
  double both[2] = {local, lift}, global[2];
  PetscCallMPI(MPI_Allreduce(both, global, 2, MPI_DOUBLE, MPI_MAX, comm_));
  double viscous = 0, force = global[1], h = 1e300;
  for (int d = 0; d < grid_->Dim(); ++d) {
    h = std::min(h, grid_->SmallestWidth(d));
    double diffusivity = config_.viscosity;
    for (const ScalarConfig &s : config_.scalars) diffusivity = std::max(diffusivity, s.diffusivity);
    if (!config_.crank_nicolson) viscous += 4 * diffusivity / (grid_->SmallestWidth(d) * grid_->SmallestWidth(d));
    force += std::abs(config_.body_force[d]);
  }
  // From rest the Courant number grows with the step itself: solve rate dt + force dt²/h = cfl for dt.
  // The reference velocity keeps a step from rest, or with walls and inflows about to start, within bounds.
  const double courant = std::max(global[0], 0.25 * config_.velocity / h);
  const double rate = 0.5 * (courant + std::sqrt(courant * courant + 4 * config_.cfl * force / h));
  constexpr double kViscousLimit = 2.0; // the scheme's real stability interval is 2.51
  *dt = 1 / (rate / config_.cfl + viscous / kViscousLimit + 1e-300);
  PetscFunctionReturn(0);
}

PetscErrorCode FlowSolver::LargestChange(const FaceFields &other, double *change) const {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  double local = 0;
  for (int a = 0; a < grid_->Dim(); ++a)
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t q = l.At(i, j, k);
      local = std::max(local, std::abs(velocity_[a][q] - other[a][q]));
    });
  PetscCallMPI(MPI_Allreduce(&local, change, 1, MPI_DOUBLE, MPI_MAX, comm_));
  PetscFunctionReturn(0);
}

std::vector<std::pair<std::string, KSP>> FlowSolver::Solvers() const {
  std::vector<std::pair<std::string, KSP>> all{{"pressure", projection_.Solver()}};
  const char *const names[] = {"velocity_x", "velocity_y", "velocity_z"};
  for (std::size_t a = 0; a < viscous_.size(); ++a)
    if (viscous_[a]) all.emplace_back(names[a], viscous_[a]->Solver());
  for (const ScalarState &s : scalars_)
    if (s.transport.Solver()) all.emplace_back("scalar_" + s.transport.Config().name, s.transport.Solver());
  return all;
}

PetscInt FlowSolver::VelocityIterations() const {
  PetscInt sum = 0;
  for (const auto &viscous : viscous_)
    if (viscous) sum += viscous->Iterations();
  return sum;
}

PetscInt FlowSolver::ScalarIterations() const {
  PetscInt sum = 0;
  for (const ScalarState &s : scalars_) sum += s.transport.Iterations();
  return sum;
}

} // namespace krylearn
