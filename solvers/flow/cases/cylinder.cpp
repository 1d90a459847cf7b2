// Flow around a cylinder in a channel: the DFG benchmarks 2D-1, 2D-2 and 2D-3.
// Reference: Schäfer & Turek, Notes Numer. Fluid Mech. 52 (1996).
#include "meshes/options.h"
#include "solvers/flow/cases.h"
#include "solvers/flow/diagnostics.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace {

constexpr double kHeight = 0.41, kLength = 2.2, kDiameter = 0.1;

PetscErrorCode Configure(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  std::string benchmark = "2D-2";
  PetscInt resolution = 20;
  OptionReader options(comm, "Cylinder");
  PetscCall(options.Choice("cylinder_benchmark", "2D-1 steady Re 20, 2D-2 vortex street Re 100, 2D-3 one inflow pulse",
                           {"2D-1", "2D-2", "2D-3"}, &benchmark));
  PetscCall(options.Int("cylinder_cells", "cells a diameter; a multiple of 10 fits the channel", &resolution));
  PetscCheck(resolution > 0 && resolution % 10 == 0, comm, PETSC_ERR_USER_INPUT,
             "-cylinder_cells %" PetscInt_FMT " does not fit the channel; give a positive multiple of 10", resolution);
  config->grid.cells = {22 * resolution, 41 * resolution / 10, 1};
  config->grid.upper = {kLength, kHeight, 1};
  config->obstacle_text = "cylinder:0.2,0.2,0.05";
  config->viscosity = 1e-3;
  config->length = kDiameter;
  const bool steady = benchmark == "2D-1";
  const double peak = steady ? 0.3 : 1.5;
  config->velocity = 2.0 / 3 * peak; // the mean of the parabola
  Boundary &inflow = config->boundaries[0][0];
  inflow.kind = Boundary::Kind::kInflow;
  inflow.profile = Boundary::Profile::kParabolic;
  inflow.velocity = {peak, 0, 0};
  config->boundaries[0][1].kind = Boundary::Kind::kOutflow;
  config->probes = {{0.15, 0.2, 0.5}, {0.25, 0.2, 0.5}};
  if (benchmark == "2D-3") {
    inflow.period = 16;
    config->end_time = 8;
  } else {
    config->end_time = steady ? 20 : 10;
    config->steady_tolerance = steady ? 1e-5 : 0;
    config->initial_velocity = [peak](int axis, const Real3 &x) {
      return axis == 0 ? peak * 4 * x[1] * (kHeight - x[1]) / (kHeight * kHeight) : 0.0;
    };
  }
  PetscFunctionReturn(0);
}

/// The probes in front of and behind the cylinder come first in the history, before the user's.
PetscErrorCode Report(FlowSolver &flow, const History &history) {
  PetscFunctionBeginUser;
  MPI_Comm comm = flow.GetGrid()->Comm();
  const auto &time = history.Column("time"), &cd = history.Column("Cd"), &cl = history.Column("Cl");
  const auto &front = history.Column("probe0_p"), &back = history.Column("probe1_p");
  if (time.empty()) PetscFunctionReturn(0);
  if (!front.empty() && !back.empty()) PetscCall(PetscPrintf(comm, "delta_p: %.6f\n", front.back() - back.back()));
  if (cd.empty()) PetscFunctionReturn(0); // no obstacle, no forces
  const double frequency = OscillationFrequency(time, cl);
  // Extremes over the second half, when the vortex street has developed; over everything after the start for one pulse.
  const bool pulse = flow.Config().boundaries[0][0].period > 0;
  const double from = pulse ? 0.05 * time.back() : 0.5 * time.back();
  double cd_max = -1e300, cl_max = -1e300;
  for (std::size_t n = 0; n < time.size(); ++n)
    if (time[n] >= from) cd_max = std::max(cd_max, cd[n]), cl_max = std::max(cl_max, cl[n]);
  PetscCall(PetscPrintf(comm, "Cd_max: %.6f (over t >= %.4g)\nCl_max: %.6f\n", cd_max, from, cl_max));
  if (!pulse)
    PetscCall(PetscPrintf(comm, "strouhal: %.6f (0: steady, or fewer than two periods since half the end time)\n",
                          frequency * flow.Config().length / flow.Config().velocity));
  PetscFunctionReturn(0);
}

} // namespace

const FlowCase kCylinder = {"cylinder", "cylinder in a channel, benchmarks 2D-1, 2D-2, 2D-3 (2D; -cylinder_benchmark)",
                            Configure, Report};

} // namespace krylearn
