/// \file
/// The command-line options that every flow case understands.
#pragma once
#include "solvers/flow/config.h"

namespace krylearn {

/// Overrides what the case has set with what the user gave; prints everything under -help. Checks what can be checked
/// without a grid. Collective.
PetscErrorCode ReadFlowOptions(MPI_Comm comm, FlowConfig *config);

/// 2 or 3, as -grid asks for; `fallback` without it. For cases that look different in 2D and 3D, as they are configured
/// before the command line is read. Collective.
PetscErrorCode WantedDimension(int fallback, int *dim);
/// What -boundary_xlo and the like call this kind.
const char *BoundaryName(Boundary::Kind kind);

} // namespace krylearn
