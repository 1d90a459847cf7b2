// Channel flow: parabolic inflow, no-slip walls, free outflow; steady Poiseuille flow is exact.
#include "solvers/flow/cases.h"
#include "solvers/flow/diagnostics.h"

namespace krylearn {
namespace {

PetscErrorCode Configure(MPI_Comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  config->grid.cells = {96, 32, 1};
  config->grid.upper = {3, 1, 1};
  config->viscosity = 1e-2;
  config->end_time = 20;
  config->steady_tolerance = 1e-6;
  Boundary &inflow = config->boundaries[0][0];
  inflow.kind = Boundary::Kind::kInflow;
  inflow.profile = Boundary::Profile::kParabolic;
  inflow.velocity = {1, 0, 0};
  config->boundaries[0][1].kind = Boundary::Kind::kOutflow;
  PetscFunctionReturn(0);
}

PetscErrorCode Report(FlowSolver &flow, const History &) {
  PetscFunctionBeginUser;
  // A square duct has no closed solution, and obstacles leave nothing of the profile.
  if (flow.GetGrid()->Dim() == 3 || !flow.Immersed().Empty()) PetscFunctionReturn(0);
  const FlowConfig &config = flow.Config();
  const double peak = config.boundaries[0][0].velocity[0], lower = config.grid.lower[1], upper = config.grid.upper[1];
  const double height = upper - lower, end = config.grid.upper[0];
  const auto exact = [&](int axis, const Real3 &x, double) {
    if (axis == 0) return peak * 4 * (x[1] - lower) * (upper - x[1]) / (height * height);
    if (axis == 3) return 8 * config.viscosity * peak / (height * height) * (end - x[0]);
    return 0.0;
  };
  double velocity, pressure;
  PetscCall(ExactErrors(flow, exact, &velocity, &pressure));
  PetscCall(
      PetscPrintf(flow.GetGrid()->Comm(), "velocity_error_L2: %.6e\npressure_error_L2: %.6e\n", velocity, pressure));
  PetscFunctionReturn(0);
}

} // namespace

const FlowCase kChannel = {"channel", "developing channel flow towards the exact Poiseuille profile (2D or 3D)",
                           Configure, Report};

} // namespace krylearn
