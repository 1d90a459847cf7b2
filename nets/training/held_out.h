/// \file
/// Validation: iterations on geometries that training never sees.
#pragma once
#include "nets/architecture.h"

namespace krylearn {
namespace nets {

class HeldOut {
public:
  struct Score {
    double mean = 0;              ///< iterations over all held-out geometries: what models are compared by
    double median = 0, worst = 0; ///< of the same
    bool sound = true;            ///< the network had a direction for every residual
    std::vector<TrainingReport::Row> rows;
  };

  HeldOut(MPI_Comm comm, const TrainingSpec &spec);
  /// Makes this rank's share of the geometries.
  void Make(const GeometrySource &source);
  /// The same geometries and right-hand sides each time; a solve that does not end counts as 201 iterations.
  /// Collective.
  Score Measure(const Net &net) const;
  /// One row for each problem and size, without figures.
  const std::vector<TrainingReport::Row> &Rows() const { return rows_; }

private:
  MPI_Comm comm_;
  long each_;
  std::vector<TrainingReport::Row> rows_;
  std::vector<std::pair<long, Geometry>> mine_; ///< number among all, and geometry
};

/// Figures of a score in one line.
std::string Describe(const std::vector<TrainingReport::Row> &rows);

} // namespace nets
} // namespace krylearn
