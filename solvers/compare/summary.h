/// \file
/// From visits to verdicts: medians and spreads, ratios to the best baseline, ranks.
#pragma once
#include "solvers/compare/records.h"

namespace krylearn {

/// Median and extremes of a few values; NaN where there are none.
struct Spread {
  double median = NAN, low = NAN, high = NAN;
  /// Half the distance between the extremes, relative to the median.
  double Relative() const { return median > 0 ? (high - low) / 2 / median : 0; }
};
Spread SpreadOf(std::vector<double> values);

/// What configurations are measured by: the solve alone, set-up + 1, 10 and 100 solves.
enum Measure { kSolveAlone, kWithSetup1, kWithSetup10, kWithSetup100, kMeasures };

/// One configuration on one workload.
struct SummaryRow {
  VisitRow first; ///< for what all its visits share
  int rank = 0;   ///< from 1, by set-up + one solve; 0: not ranked
  std::string status = "ok", message;
  int visits = 0;
  Spread iterations, setup, solve, peak_mb;
  Spread ratio[kMeasures]; ///< time / time of the best baseline in the same round
  double total[kMeasures] = {NAN, NAN, NAN, NAN}; ///< median seconds; only of ranked configurations
  double score[kMeasures] = {NAN, NAN, NAN, NAN}; ///< median of time / geometric mean of all in the round
  double structured = 0;                          ///< seconds for the second matrix of PFMG and SMG, in no other figure
  double true_residual = 0, gflops = NAN;
};

/// All configurations on one workload, ranked ones first.
struct Summary {
  std::vector<SummaryRow> rows;
  std::vector<PetscInt> seeds;
  int repeats = 0;
  std::string best[kMeasures]; ///< the baseline that ratios refer to
  const VisitRow &Key() const { return rows.front().first; }
};

/// One summary for each workload, grid, rank count and tolerance, in order of appearance. A configuration is ranked when
/// every visit met the tolerance. Ratios are formed in each round (seed and repeat) and then summarised, so that neither
/// drift of the machine nor differences between seeds enter; ranks and the best baseline follow from times relative to the
/// others of the round for the same reason. Where no baseline is ranked, the best of all is the yardstick.
std::vector<Summary> Summarise(const std::vector<VisitRow> &visits);

/// summary.csv
Csv SummaryTable(const std::vector<Summary> &summaries);

/// Iterations and times of each configuration against the rank count, where there are several (scaling.csv); speed-up is
/// against the fewest ranks.
Csv ScalingTable(const std::vector<Summary> &summaries);

} // namespace krylearn
