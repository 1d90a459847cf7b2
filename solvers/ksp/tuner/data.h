/// \file
/// What a KSPTUNER holds; for the files that make it up.
#pragma once
#include "solvers/bandit/tuning.h"
#include "solvers/ksp/tuner.h"
#include "solvers/ksp/tuner/attempt.h"
#include <petsc/private/kspimpl.h>

namespace krylearn {

struct KSP_Tuner {
  std::string configs, safe, load, save;
  bandit::PolicySpec spec;
  TunerLoss loss = TunerLoss::kTime;
  PetscReal limit = 2;
  PetscInt report = 0;

  std::vector<TunerArm> arms;
  std::unique_ptr<bandit::Tuning> tuning;
  InsertedOptions inserted;
  MPI_Comm comm = MPI_COMM_NULL; ///< a duplicate, for agreements
  int number = 0;                ///< among the tuners that share a prefix, from 1
  int chosen = -1;
  KSP running = nullptr;

  /// The operators solved with last: identifiers and states of both matrices; and how many there have been.
  struct Operators {
    PetscObjectId ids[2] = {0, 0};
    PetscObjectState states[2] = {0, 0};
    bool operator==(const Operators &o) const {
      return ids[0] == o.ids[0] && ids[1] == o.ids[1] && states[0] == o.states[0] && states[1] == o.states[1];
    }
  } operators;
  PetscInt64 generation = 0;
};

constexpr const char *kTunerLosses[] = {"time", "work"};

inline KSP_Tuner *TunerData(KSP ksp) { return static_cast<KSP_Tuner *>(ksp->data); }

inline std::string TunerPrefix(KSP ksp) {
  const char *prefix = ((PetscObject)ksp)->prefix;
  return prefix ? prefix : "";
}

/// The arms and the learner for the settings, if there are none; with the state that the user wants. Collective.
PetscErrorCode MakeTuning(KSP ksp);
/// Settings have changed: what has been learnt belongs to others.
PetscErrorCode ForgetTuning(KSP ksp);
/// A state file; of the tuners that share a prefix, all but the first have their number behind its name.
std::string TunerStateFile(KSP ksp, const std::string &path);
PetscErrorCode ReadTunerState(KSP ksp, const std::string &path);
PetscErrorCode SetTunerState(KSP ksp, const std::string &text, const std::string &origin);

PetscErrorCode KSPSetFromOptions_Tuner(KSP ksp, PetscOptionItems *items);
PetscErrorCode ComposeTunerSetters(KSP ksp);
PetscErrorCode DecomposeTunerSetters(KSP ksp);

} // namespace krylearn
