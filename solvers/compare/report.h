/// \file
/// The report of a comparison: a folder of CSV files and one HTML page.
#pragma once
#include "solvers/compare/merge.h"
#include "solvers/compare/summary.h"

namespace krylearn {

/// Makes the folder ready: it can be written, and files in it that have the names of a report's are tables of one
/// (others may be anybody's and are refused, PETSC_ERR_FILE_UNEXPECTED). Collective.
PetscErrorCode PrepareReport(MPI_Comm comm, const std::string &folder);

/// Writes visits.csv, summary.csv, events.csv, history.csv, sequence.csv, scaling.csv and logs.csv – those that have
/// rows – and environment.csv into `folder`, each atomically. Collective.
/// `sources` are the files that were merged, whose environments are carried along.
PetscErrorCode WriteReport(MPI_Comm comm, const std::string &folder, const Records &records,
                           const std::vector<LogFile> &logs = {}, const std::vector<std::string> &sources = {});

/// Draws `folder`/report.html from these files with report.py and Python, from rank 0. Where Python or matplotlib is
/// missing `notice` says so, and nothing fails. Collective.
PetscErrorCode DrawReport(MPI_Comm comm, const std::string &folder, std::string *notice);

} // namespace krylearn
