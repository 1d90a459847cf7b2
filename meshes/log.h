/// \file
/// The PETSc log events of the project: whatever costs time shows up in -log_view under its own name.
#pragma once
#include <petscsys.h>

namespace krylearn {

struct LogEvents {
  PetscClassId classid = 0;
  PetscLogEvent halo = 0, assemble = 0, geometry = 0, output = 0, checkpoint = 0;
  PetscLogEvent momentum = 0, diffusion = 0, divergence = 0, correct = 0, obstacle = 0, scalar = 0, diagnostics = 0,
                boundary = 0, project = 0, step = 0, nmg_setup = 0, nmg_apply = 0,
                neural_setup = 0, neural_apply = 0, bandit = 0;
};

/// The registered events; valid after KrylearnRegisterEvents().
const LogEvents &Log();
/// Registers the class and its events with PETSc's log; calling it again does nothing. Collective.
PetscErrorCode KrylearnRegisterEvents();

/// Enters the log stage of this name, registering it at its first use; leave it with PetscLogStagePop(). Collective.
PetscErrorCode EnterLogStage(const char *name);

} // namespace krylearn
