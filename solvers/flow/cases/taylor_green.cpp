// Taylor–Green vortices. 2D: an exact decaying solution, fully periodic. 3D: the transition benchmark at Re 1600,
// solved in one octant, whose symmetry planes are exactly slip walls. Reference for 3D: 512³ spectral data of the
// high-order workshop (Wang et al., Int. J. Numer. Meth. Fluids 72, 2013).
#include "solvers/flow/cases.h"
#include "solvers/flow/diagnostics.h"
#include <cmath>

namespace krylearn {
namespace {

PetscErrorCode Configure2D(MPI_Comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  config->grid.cells = {64, 64, 1};
  config->grid.upper = {2 * M_PI, 2 * M_PI, 1};
  config->grid.periodic = {true, true, false};
  for (int d = 0; d < 2; ++d)
    for (int side = 0; side < 2; ++side) config->boundaries[d][side].kind = Boundary::Kind::kPeriodic;
  config->viscosity = 1e-2;
  config->end_time = 2;
  config->initial_velocity = [](int axis, const Real3 &x) {
    return axis == 0 ? std::sin(x[0]) * std::cos(x[1]) : -std::cos(x[0]) * std::sin(x[1]);
  };
  PetscFunctionReturn(0);
}

/// The decay rate depends on the viscosity, which the command line may have changed.
double Exact(double nu, int axis, const Real3 &x, double t) {
  const double decay = std::exp(-2 * nu * t);
  if (axis == 0) return std::sin(x[0]) * std::cos(x[1]) * decay;
  if (axis == 1) return -std::cos(x[0]) * std::sin(x[1]) * decay;
  return 0.25 * (std::cos(2 * x[0]) + std::cos(2 * x[1])) * decay * decay;
}

PetscErrorCode Report2D(FlowSolver &flow, const History &) {
  PetscFunctionBeginUser;
  double velocity, pressure;
  const double nu = flow.Config().viscosity;
  const auto exact = [nu](int axis, const Real3 &x, double t) { return Exact(nu, axis, x, t); };
  PetscCall(ExactErrors(flow, exact, &velocity, &pressure));
  PetscCall(
      PetscPrintf(flow.GetGrid()->Comm(), "velocity_error_L2: %.6e\npressure_error_L2: %.6e\n", velocity, pressure));
  PetscFunctionReturn(0);
}

PetscErrorCode Configure3D(MPI_Comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  config->grid.cells = {32, 32, 32};
  config->grid.upper = {M_PI, M_PI, M_PI};
  for (int d = 0; d < 3; ++d)
    for (int side = 0; side < 2; ++side) config->boundaries[d][side].kind = Boundary::Kind::kSlip;
  config->viscosity = 1.0 / 1600;
  config->end_time = 10;
  config->initial_velocity = [](int axis, const Real3 &x) {
    if (axis == 0) return std::sin(x[0]) * std::cos(x[1]) * std::cos(x[2]);
    if (axis == 1) return -std::cos(x[0]) * std::sin(x[1]) * std::cos(x[2]);
    return 0.0;
  };
  PetscFunctionReturn(0);
}

PetscErrorCode Report3D(FlowSolver &flow, const History &history) {
  PetscFunctionBeginUser;
  const auto &time = history.Column("time"), &energy = history.Column("kinetic_energy");
  MPI_Comm comm = flow.GetGrid()->Comm();
  const auto at = [&](double t) {
    for (std::size_t n = 1; n < time.size(); ++n)
      if (time[n] >= t - 1e-9)
        return energy[n - 1] + (energy[n] - energy[n - 1]) * (t - time[n - 1]) / (time[n] - time[n - 1]);
    return std::nan("");
  };
  for (double t : {5.0, 10.0})
    if (flow.Time() >= t - 1e-9) PetscCall(PetscPrintf(comm, "energy_at_%.0f: %.6f\n", t, at(t)));
  double peak = 0, when = 0;
  for (std::size_t n = 1; n < time.size(); ++n) {
    const double rate = (energy[n - 1] - energy[n]) / (time[n] - time[n - 1]);
    if (rate > peak) peak = rate, when = 0.5 * (time[n] + time[n - 1]);
  }
  PetscCall(PetscPrintf(comm, "dissipation_peak: %.6f at t = %.2f\n", peak, when));
  PetscFunctionReturn(0);
}

} // namespace

const FlowCase kTaylorGreen2D = {"taylor_green_2d", "decaying periodic vortices with exact solution (2D)", Configure2D,
                                 Report2D};
const FlowCase kTaylorGreen3D = {"taylor_green_3d", "Taylor-Green vortex at Re 1600, one octant with slip walls (3D)",
                                 Configure3D, Report3D};

} // namespace krylearn
