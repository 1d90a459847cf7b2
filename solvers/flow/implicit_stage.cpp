// Stages with Crank–Nicolson viscosity: each goes from the beginning of the step to the stage's time,
//   (I − c dt ν/2 L) u_s = u^n + dt Σ a_sj N(u_j) + c dt (ν/2 L u^n − ∇p + force),
// N being the advection and a_sj, c the Butcher form of the explicit scheme.
#include "solvers/flow/solver.h"

namespace krylearn {
namespace {
/// Shares of earlier advection sums (all earlier stages have equal weights) and of the newest one.
constexpr double kEarlier[3] = {0, 0.25, 1.0 / 6}, kNewest[3] = {1, 0.25, 2.0 / 3};
/// Shares of the stage advections in the whole step.
constexpr double kStepShare[3] = {1.0 / 6, 1.0 / 6, 2.0 / 3};
} // namespace

PetscErrorCode FlowSolver::ImplicitStage(int stage, double dt) {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  const double c = kStages[stage].time, step = c * dt, nu = config_.viscosity;
  const FaceFields &from = stage == 0 ? old_ : velocity_;
  FaceFields &to = stage == 0 ? velocity_ : next_;
  Lift();
  PetscCall(AdvanceScalars(stage, dt, from));

  PetscCall(momentum_.Tendency(0, from, &tendency_));
  for (int a = 0; a < grid_->Dim(); ++a)
    if (!buoyancy_[a].empty())
      for (std::size_t q = 0; q < tendency_[a].size(); ++q) tendency_[a][q] += buoyancy_[a][q];
  if (!immersed_.Empty()) {
    immersed_.BookAdvection(kStepShare[stage], dt, from, tendency_);
    immersed_.FixAdvection(from, buoyancy_, &tendency_);
  }

  // L u^n with the boundary values of the middle of the stage makes the trapezoidal rule second order there too; the
  // increments of given faces are then zero.
  boundaries_.FillVelocity(old_, time_ + 0.5 * step);
  PetscCall(momentum_.Laplacian(nu, old_, &laplacian_));
  if (!immersed_.Empty()) immersed_.FixDiffusion(nu, old_, &laplacian_);

  for (int a = 0; a < grid_->Dim(); ++a) {
    const std::ptrdiff_t s = l.stride[a];
    const double earlier = kEarlier[stage] * dt, newest = kNewest[stage] * dt;
    double *sum = tendency_sum_[a].data();
    const double *now = tendency_[a].data(), *viscous = laplacian_[a].data(), *p = pressure_.data();
    const double *base = old_[a].data();
    double *out = to[a].data();
    Int3 first = l.lo, last = l.hi, at;
    for (int d = 0; d < grid_->Dim(); ++d) {
      first[d] = boundaries_.FirstFace(a, d);
      last[d] = boundaries_.LastFace(a, d);
    }
    Field &delta = phi_; // free until the projection
    std::fill(delta.begin(), delta.end(), 0);
    for (at[2] = first[2]; at[2] < last[2]; ++at[2])
      for (at[1] = first[1]; at[1] < last[1]; ++at[1])
        for (at[0] = first[0]; at[0] < last[0]; ++at[0]) {
          const std::ptrdiff_t q = l.At(at[0], at[1], at[2]);
          const double gradient = (p[q] - p[q - s]) * grid_->InverseDistance(a)[at[a]];
          delta[q] =
              (stage ? earlier * sum[q] : 0) + newest * now[q] + step * (viscous[q] - gradient + config_.body_force[a]);
          sum[q] = stage == 0 ? now[q] : sum[q] + now[q];
        }
    for (std::ptrdiff_t q : immersed_.Closed()[a]) delta[q] = 0;
    // Outflow faces on the boundary are no unknowns of the matrix: viscosity acts on them as on their inner neighbour.
    outflow_faces_.clear();
    for (int side = 0; side < 2; ++side) {
      if (boundaries_.NormalGiven(a, side)) continue;
      const std::ptrdiff_t inward = side == 0 ? s : -s;
      ForBoundaryCells(*grid_, a, side, [&](const Int3 &, std::ptrdiff_t, std::ptrdiff_t q) {
        const std::ptrdiff_t inner = q + inward;
        const double difference = (delta[q] - step * viscous[q]) - (delta[inner] - step * viscous[inner]);
        outflow_faces_.push_back({q, inner, difference});
      });
    }
    PetscCall(viscous_[a]->Solve(step * nu, &delta));
    for (const OutflowFace &f : outflow_faces_) delta[f.q] = delta[f.inner] + f.difference;
    for (at[2] = first[2]; at[2] < last[2]; ++at[2])
      for (at[1] = first[1]; at[1] < last[1]; ++at[1])
        for (at[0] = first[0]; at[0] < last[0]; ++at[0]) {
          const std::ptrdiff_t q = l.At(at[0], at[1], at[2]);
          out[q] = base[q] + delta[q];
        }
  }
  if (stage == 2 && !immersed_.Empty()) { // the predicted velocity, for the force
    tendency_ = to;
    PetscCall(grid_->Exchange(tendency_));
    boundaries_.FillVelocity(tendency_, time_ + step);
  }
  const FaceFields &predicted = tendency_;
  PetscCall(Finish(stage, step, time_ + step, &to));
  if (stage == 2 && !immersed_.Empty()) {
    immersed_.BookImplicitStep(dt, nu, old_, predicted, to, pressure_, phi_, config_.body_force);
  }
  if (stage > 0) std::swap(velocity_, next_);
  TakePressure(stage);
  PetscCall(CommitScalars());
  PetscFunctionReturn(0);
}

} // namespace krylearn
