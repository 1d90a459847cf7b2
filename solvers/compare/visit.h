/// \file
/// One visit: a configuration is created, set up, solves a workload and is destroyed, under the rules of the comparison.
#pragma once
#include "solvers/configuration.h"
#include "solvers/compare/log_observer.h"
#include "solvers/compare/workload.h"

namespace krylearn {

/// What holds for all configurations alike.
struct Rules {
  double rtol = 1e-8;              ///< ‖b − A x‖ / ‖b‖ to reach
  PetscInt max_iterations = 10000; ///< unless the configuration has -ksp_max_it
  double time_limit = 0;           ///< seconds a solve may take; 0: no limit
};

enum class Outcome {
  kOk,       ///< every solution meets the tolerance
  kMissed,   ///< the solver was content but a residual is too large: marked, never ranked
  kDiverged, ///< the solver gave up
  kTimeLimit,
  kFailed ///< an error was raised
};
const char *OutcomeName(Outcome outcome);

struct SolveRecord {
  PetscInt iterations = 0;
  double setup_seconds = 0, solve_seconds = 0; ///< the slowest rank's
  double true_residual = 0;                    ///< ‖b − A x‖ / ‖b‖ in double precision, computed by the comparison
};

struct ResidualPoint {
  PetscInt iteration;
  double seconds, residual; ///< since the start of the solve, all iterations alike; the solver's own norm over ‖b‖
};

struct Visit {
  Outcome outcome = Outcome::kOk;
  std::string message; ///< what went wrong
  std::string solver;
  std::vector<SolveRecord> solves;
  std::vector<ResidualPoint> history; ///< of the first solve
  std::vector<EventCost> events;
  std::string unread;                 ///< options of the configuration that nothing asked for
  double flops = 0;                   ///< that PETSc has logged in set-ups and solves, all ranks
  double structured_seconds = 0;      ///< making the second matrix of PFMG and SMG; not part of the set-up
  double peak_megabytes = 0;          ///< over all ranks, above what was there before; 0 where unknown

  double SetupSeconds() const;      ///< sum over the solves
  double SolveSeconds() const;      ///< sum
  double FirstSolveSeconds() const; ///< with whatever a solver puts off until then
  double LaterSolveSeconds() const; ///< mean of the others; of a single solve that one
  PetscInt Iterations() const; ///< sum
  double WorstResidual() const;
};

/// Runs one configuration on a copy of the workload's system. Defaults are CG from a zero guess, stopping on the true residual; options under
/// the configuration's prefix override them, and what comes out is judged by its residual alone. A PETSc error, C++
/// exception or breakdown that meets all ranks ends the visit, not the program; one that strikes some ranks only leaves
/// the others waiting and ends the program with a message. Collective.
PetscErrorCode RunVisit(MPI_Comm comm, const Configuration &configuration, const Rules &rules, Workload *workload,
                        LogObserver *observer, Visit *visit);

} // namespace krylearn
