/// \file
/// Makes a data set: what the app `dataset` does once it knows what is wanted.
#pragma once
#include "solvers/dataset/plan.h"
#include <functional>

namespace krylearn {

struct DataOutput {
  std::string path;
  double max_megabytes = 10000; ///< larger data sets are refused before the first sample
  std::string revision;         ///< of the code
  std::function<void(const std::string &)> say; ///< receives lines of progress, on the first rank
};

struct DataReport {
  long samples = 0, made = 0;
  bool complete = false; ///< it was there already
  double megabytes = 0, seconds = 0;
};

/// Makes the samples that are not there yet, each on one rank, and seals the file. A complete data set of the same
/// options is left as it is; any other file of that name is refused. Collective.
PetscErrorCode GenerateDataSet(MPI_Comm comm, const DataPlan &plan, const DataOutput &output, DataReport *report);

} // namespace krylearn
