// Hot smoke rising in a box: a disc-shaped source on the floor (2D: a strip), freely, or past a sphere.
#include "solvers/flow/cases.h"
#include "solvers/flow/flow_options.h"
#include <cmath>

namespace krylearn {
namespace {

/// A box of 1 x 1 x 1.5 (2D: 1 x 1.5), height along the last axis, open at the top. Temperature drives, smoke marks.
PetscErrorCode ConfigurePlume(MPI_Comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  int dim;
  PetscCall(WantedDimension(3, &dim));
  const int up = dim - 1;
  config->grid.cells = dim == 3 ? Int3{48, 48, 72} : Int3{96, 144, 1};
  config->grid.upper = dim == 3 ? Real3{1, 1, 1.5} : Real3{1, 1.5, 1};
  for (int d = 0; d <= up; ++d)
    for (int side = 0; side < 2; ++side) config->boundaries[d][side].kind = Boundary::Kind::kSlip;
  config->boundaries[up][0].kind = Boundary::Kind::kNoSlip;
  config->boundaries[up][1].kind = Boundary::Kind::kOutflow;
  config->gravity = {0, 0, 0};
  config->gravity[up] = -1;
  config->viscosity = 1e-4;
  config->advection = Advection::kUpwind;
  config->cfl = 0.5; // keeps the limited scalar advection bounded
  config->end_time = 4;
  const auto source = [up](const Real3 &x) {
    const double dx = x[0] - 0.5, dy = up == 2 ? x[1] - 0.5 : 0;
    return dx * dx + dy * dy < 0.12 * 0.12 && x[up] < 0.06 ? 1.0 : std::nan("");
  };
  ScalarConfig temperature, smoke;
  temperature.name = "temperature";
  temperature.diffusivity = 1e-4;
  temperature.buoyancy = 1;
  temperature.source = source;
  smoke.name = "smoke";
  smoke.source = source;
  config->scalars = {temperature, smoke};
  PetscFunctionReturn(0);
}

PetscErrorCode ConfigureObstacle(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  PetscCall(ConfigurePlume(comm, config));
  config->obstacle_text = config->grid.cells[2] == 1 ? "cylinder:0.5,0.6,0.15" : "sphere:0.5,0.5,0.6,0.15";
  PetscFunctionReturn(0);
}

PetscErrorCode Report(FlowSolver &flow, const History &) {
  PetscFunctionBeginUser;
  for (std::size_t n = 0; n < flow.Scalars(); ++n) {
    double total;
    PetscCall(flow.Transport(n).Total(flow.Scalar(n), &total));
    PetscCall(PetscPrintf(flow.GetGrid()->Comm(), "%s_total: %.8g\n", flow.Transport(n).Config().name.c_str(), total));
  }
  PetscFunctionReturn(0);
}

} // namespace

const FlowCase kSmokePlume = {
    "smoke_plume", "hot smoke rising from a disc on the floor of a box open at the top (3D, or 2D by -grid nx,ny)",
    ConfigurePlume, Report};
const FlowCase kSmokeObstacle = {"smoke_obstacle", "the same plume hitting a sphere (3D; 2D: a cylinder)",
                                 ConfigureObstacle, Report};

} // namespace krylearn
