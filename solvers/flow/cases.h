/// \file
/// The registry of flow cases: one small file each in cases/, listed in cases.cpp.
#pragma once
#include "solvers/flow/history.h"
#include "solvers/flow/solver.h"

namespace krylearn {

struct FlowCase {
  const char *name, *description;
  /// Fills the configuration before the command line is read; may read options of its own. Collective.
  PetscErrorCode (*configure)(MPI_Comm comm, FlowConfig *config);
  /// Prints what users of the case look at once the run has ended, one `name: value` per line; may be null. Collective.
  PetscErrorCode (*report)(FlowSolver &flow, const History &history);
};

const std::vector<FlowCase> &FlowCases();
/// Looks a case up; unknown names are refused with the list and the nearest one.
PetscErrorCode FindFlowCase(MPI_Comm comm, const std::string &name, const FlowCase **found);

// The cases, each in cases/NAME.cpp.
extern const FlowCase kCavity, kTaylorGreen2D, kTaylorGreen3D, kCylinder, kChannel, kSmokePlume, kSmokeObstacle;

} // namespace krylearn
