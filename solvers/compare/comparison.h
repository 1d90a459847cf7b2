/// \file
/// Runs all configurations on a workload, round by round, and gathers what they leave.
#pragma once
#include "solvers/compare/records.h"
#include <functional>

namespace krylearn {

/// A comparison in progress. Every configuration visits every workload once a round; each round of each workload starts
/// one configuration further than the one before, so that nobody is always first and drift of the machine hits all
/// alike. A visit before the first, which does not count, pays for what a process does only once; one more of the first
/// configuration with a network pays for loading LibTorch.
class Comparison {
public:
  Comparison(MPI_Comm comm, std::vector<Configuration> configurations, const Rules &rules, PetscInt rounds)
      : comm_(comm), configurations_(std::move(configurations)), rules_(rules), rounds_(rounds) {}

  /// Puts the configurations' options into the database and hooks PETSc's log. Call once. Collective.
  PetscErrorCode Prepare();
  /// Called after each visit, on all ranks, with its row.
  std::function<PetscErrorCode(const VisitRow &)> on_visit;
  /// Called after each round, on all ranks.
  std::function<PetscErrorCode()> on_round;
  /// All rounds on one workload. Residual histories are kept from the first round on the first workload of each name
  /// and grid, the course of a sequence from every round. Collective.
  PetscErrorCode Run(Workload *workload);

  /// Events are means a visit.
  Records Result() const;

private:
  PetscErrorCode Keep(const Workload &workload, const Configuration &configuration, PetscInt round, const Visit &visit);

  MPI_Comm comm_;
  std::vector<Configuration> configurations_;
  Rules rules_;
  PetscInt rounds_, starts_ = 0;
  LogObserver observer_;
  Records records_; ///< events are sums here
};

} // namespace krylearn
