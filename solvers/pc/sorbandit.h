/// \file
/// PCSORBANDIT for programs that set it up in code; option keys match. The manual block stands above
/// PCCreate_SORBandit in sorbandit.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscpc.h>

#define PCSORBANDIT "sorbandit"

extern "C" {
/// How the relaxation factor is chosen: a policy of solvers/bandit/. Key -pc_sorbandit_policy.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetPolicy(PC pc, const char *name);
/// `count` relaxation factors from `low` to `high`, evenly, inside (0, 2). Keys -pc_sorbandit_omega and _arms.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetOmega(PC pc, PetscReal low, PetscReal high, PetscInt count);
/// The factor of the last solve, or of the one under way.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditGetOmega(PC pc, PetscReal *omega);
/// Symmetric sweeps (SSOR, the default) or forward ones. Key -pc_sorbandit_symmetric.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetSymmetric(PC pc, PetscBool symmetric);
/// A number that describes the systems from now on, the same on all ranks.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetContext(PC pc, PetscReal context);
/// The range of contexts and how many parts policies with bins split it into. Keys -pc_sorbandit_context_range, _bins.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetContextRange(PC pc, PetscReal low, PetscReal high, PetscInt bins);
/// Seed of everything drawn. Key -pc_sorbandit_seed.
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSetSeed(PC pc, PetscInt seed);
/// Writes or reads what has been learnt. Collective. Keys -pc_sorbandit_state (read at the first set-up) and
/// -pc_sorbandit_save (written when the object is destroyed).
KRYLEARN_EXPORT PetscErrorCode PCSORBanditSave(PC pc, const char *path);
KRYLEARN_EXPORT PetscErrorCode PCSORBanditLoad(PC pc, const char *path);
KRYLEARN_EXPORT PetscErrorCode PCCreate_SORBandit(PC pc);
}
