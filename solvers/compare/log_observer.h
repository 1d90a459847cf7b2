/// \file
/// Reads PETSc's log while a solver runs: what each event cost, with and without the events inside it.
///
/// PETSc's own figures (PetscLogEventGetPerfInfo) include nested events: a PCApply holds the MatMults of its smoothers.
/// The observer therefore hooks PETSc's log handlers and keeps each event's own time as well, apart for events inside
/// and outside of PCApply; own times add up to the whole and make a breakdown.
#pragma once
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

enum class Phase { kSetup, kSolve };

/// The cost of one event in one phase, over all ranks.
struct EventCost {
  Phase phase = Phase::kSolve;
  std::string event, category;
  double count = 0;       ///< the busiest rank's
  double seconds = 0;     ///< with nested events, the slowest rank's
  double own_seconds = 0; ///< without nested events, mean over ranks
  double flops = 0, messages = 0, bytes = 0; ///< sums over ranks
  double reductions = 0;                     ///< of one rank
};

/// Where the own time of an event belongs in a breakdown of the solve: "MatMult", "preconditioner", "smoother",
/// "transfer", "factor solve", "reductions", "vectors", "halos", "network" or "other". `inside` says whether it runs
/// within a PCApply.
const char *EventCategory(const std::string &event, bool inside);

/// All categories in the order of a report, "set-up" first.
const std::vector<std::string> &EventCategories();

/// Counts the events between Enter() and Leave(), one log stage a configuration. One observer at a time counts.
class LogObserver {
public:
  /// Turns PETSc's logging on and hooks it. Call once after PetscInitialize(); the hooks stay.
  static PetscErrorCode Install();
  /// Enters the log stage `stage` and counts what follows towards `phase`.
  PetscErrorCode Enter(const std::string &stage, Phase phase);
  /// Ends the counting and leaves the stage; also right after a failure, with events left open.
  PetscErrorCode Leave();
  /// What has been counted since the last Collect(), all ranks together; then forgets it. Collective.
  PetscErrorCode Collect(MPI_Comm comm, std::vector<EventCost> *costs);

private:
  struct Counts {
    double own[2] = {0, 0}; ///< outside, inside of PCApply
    double count = 0, seconds = 0, flops = 0, messages = 0, bytes = 0, reductions = 0;
  };
  std::vector<Counts> counts_[2]; ///< by phase, then event
  std::vector<Counts> before_;    ///< PETSc's figures at Enter()
  PetscLogStage stage_ = -1;
  Phase phase_ = Phase::kSetup;
};

} // namespace krylearn
