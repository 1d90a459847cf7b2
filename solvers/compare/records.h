/// \file
/// What a comparison leaves behind, as rows of its CSV files; -merge reads the same rows back.
#pragma once
#include "solvers/compare/csv.h"
#include "solvers/compare/visit.h"
#include <cmath>

namespace krylearn {

/// One visit of one configuration (visits.csv).
struct VisitRow {
  std::string workload, grid;
  bool sequence = false;
  double unknowns = 0;
  int ranks = 1;
  double rtol = 0;
  PetscInt seed = 0, repeat = 0;
  std::string configuration, options, solver, status, message;
  bool candidate = false;
  PetscInt steps = 0, steps_wanted = 0, iterations = 0; ///< solves made and asked for; iterations of all of them
  double setup_seconds = NAN; ///< of a sequence: in all; else of the one set-up
  double first_seconds = NAN; ///< of a sequence: in all; else of the first solve, which pays what a solver puts off
  double solve_seconds = NAN; ///< of a sequence: in all; else mean of the later solves (of a single one that one)
  double true_residual = NAN;         ///< the largest, relative to b
  double structured_seconds = 0;      ///< assembly of the second matrix of PFMG and SMG, in neither of the two
  double peak_mb = NAN, gflop = NAN;

  /// Iterations a solve (problems) or in all (sequences).
  double ShownIterations() const { return sequence ? double(iterations) : double(iterations) / std::max(1.0, double(steps)); }
  /// Set-up and k solves, in seconds; a sequence has one total whatever k.
  double Total(double k) const {
    return setup_seconds + first_seconds + (sequence ? 0 : (k - 1) * solve_seconds);
  }
  /// Seconds of all solves.
  double AllSolves() const { return first_seconds + (sequence ? 0 : (double(steps) - 1) * solve_seconds); }
};

/// Cost of an event a visit (events.csv), a point of a residual history (history.csv), a step of a sequence
/// (sequence.csv).
struct EventRow {
  std::string workload, grid, configuration;
  int ranks = 1;
  EventCost cost;
};
struct HistoryRow {
  std::string workload, grid, configuration;
  int ranks = 1;
  PetscInt seed = 0;
  ResidualPoint point;
};
struct StepRow {
  std::string workload, grid, configuration;
  int ranks = 1;
  PetscInt repeat = 0, step = 0;
  SolveRecord record;
};

struct Records {
  std::vector<VisitRow> visits;
  std::vector<EventRow> events;
  std::vector<HistoryRow> history;
  std::vector<StepRow> steps;
};

Csv VisitTable(const std::vector<VisitRow> &rows);
Csv EventTable(const std::vector<EventRow> &rows);
Csv HistoryTable(const std::vector<HistoryRow> &rows);
Csv StepTable(const std::vector<StepRow> &rows);

/// Adds the rows of a table that one of the functions above wrote, whichever it is; `recognised` is false for any other.
/// Returns what is wrong with the table, or nothing.
std::string ReadRecords(const Csv &table, Records *records, bool *recognised);

} // namespace krylearn
