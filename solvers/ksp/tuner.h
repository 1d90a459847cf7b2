/// \file
/// KSPTUNER for programs that set it up in code; option keys match. The manual block stands above KSPCreate_Tuner in
/// tuner.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscksp.h>

#define KSPTUNER "tuner"

extern "C" {
/// The configurations to choose from: 'NAME: -option value …; NAME: …', or the path of a file with one a line. Options
/// are those of a KSP without its prefix. Key -ksp_tuner_configs.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetConfigs(KSP ksp, const char *configs);
/// The configuration that finishes what others leave and is never dropped; the first by default. Key -ksp_tuner_safe.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetSafe(KSP ksp, const char *name);
/// thompson (default), tsallis_rv, or fixed: always the safe one. Key -ksp_tuner_policy.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetPolicy(KSP ksp, const char *policy);
/// What a solve costs: time (default), seconds of the slowest rank; work, an estimate in flops that is the same in
/// every run. Key -ksp_tuner_loss.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetLoss(KSP ksp, const char *loss);
/// A solve is stopped, and finished by the safe configuration, at so many times the cheapest one's cost; above 1, 2 by
/// default. Key -ksp_tuner_limit.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetLimit(KSP ksp, PetscReal limit);
/// Seed of everything drawn; 1 by default. Key -ksp_tuner_seed.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetSeed(KSP ksp, PetscInt seed);
/// A report every so many solves and at the end; 0 (default): at the end; −1: none. Key -ksp_tuner_report.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSetReport(KSP ksp, PetscInt solves);
/// Reads what has been learnt, now or at the first set-up. Key -ksp_tuner_state. Collective.
KRYLEARN_EXPORT PetscErrorCode KSPTunerLoad(KSP ksp, const char *path);
/// Writes what has been learnt. Key -ksp_tuner_save: when the KSP is destroyed. Collective.
KRYLEARN_EXPORT PetscErrorCode KSPTunerSave(KSP ksp, const char *path);
/// The configuration of the last solve, and the one of least cost so far; "" before there is one. Not to be freed.
KRYLEARN_EXPORT PetscErrorCode KSPTunerGetChosen(KSP ksp, const char **chosen, const char **cheapest);
KRYLEARN_EXPORT PetscErrorCode KSPCreate_Tuner(KSP ksp);
}
