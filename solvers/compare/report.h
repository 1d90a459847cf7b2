/// \file
/// The report of a comparison: a folder of CSV files and one HTML page.
#pragma once
#include "solvers/compare/merge.h"
#include "solvers/compare/summary.h"

namespace krylearn {

/// Writes visits.csv, summary.csv, events.csv, history.csv, sequence.csv, scaling.csv and logs.csv – those that have
/// rows – and environment.csv into `folder`, each atomically. Collective.
PetscErrorCode WriteReport(MPI_Comm comm, const std::string &folder, const Records &records,
                           const std::vector<LogFile> &logs);

/// Draws `folder`/report.html from these files with report.py and Python, from rank 0. Where Python or matplotlib is
/// missing `notice` says so, and nothing fails. Collective.
PetscErrorCode DrawReport(MPI_Comm comm, const std::string &folder, std::string *notice);

} // namespace krylearn
