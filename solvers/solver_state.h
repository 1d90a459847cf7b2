/// \file
/// What tuners inside a solver have learnt, for checkpoints.
#pragma once
#include <petscksp.h>
#include <string>

namespace krylearn {

/// Composed by objects that learn: PetscErrorCode (object, std::string *) and (object, const std::string &).
constexpr char kGetLearnt[] = "KrylearnGetLearnt_C", kSetLearnt[] = "KrylearnSetLearnt_C";

/// What the KSP, or else its PC, has learnt; empty where neither learns. Collective.
PetscErrorCode GetLearnt(KSP ksp, std::string *text);

/// Takes up what GetLearnt() gave; ignored by solvers that do not learn. PETSC_ERR_USER_INPUT where it belongs to
/// other settings. Collective.
PetscErrorCode SetLearnt(KSP ksp, const std::string &text);

} // namespace krylearn
