/// \file
/// What a tuner has learnt, for people.
#pragma once
#include "solvers/bandit/tuning.h"
#include "solvers/ksp/tuner/attempt.h"

namespace krylearn {

/// A row for every configuration: solves, costs, chance of being taken next, what became of it. Collective.
PetscErrorCode ViewTuning(PetscViewer viewer, TunerLoss loss, const bandit::Tuning &tuning,
                          const std::vector<TunerArm> &arms);

/// ViewTuning() on the standard output, and the options that the cheapest configuration stands for, under `prefix`.
/// Collective.
PetscErrorCode ReportTuning(MPI_Comm comm, const std::string &prefix, TunerLoss loss, const bandit::Tuning &tuning,
                            const std::vector<TunerArm> &arms);

} // namespace krylearn
