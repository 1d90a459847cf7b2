/// \file
/// Reads what earlier comparisons left, and PETSc's own logs of any program.
#pragma once
#include "solvers/compare/records.h"

namespace krylearn {

/// One event of one stage of a PETSc log (`-log_view :FILE:ascii_csv`), over all ranks.
struct LogRow {
  std::string stage, event; ///< event "summary" is the whole stage
  double count = 0;         ///< the busiest rank's
  double seconds = 0, seconds_min = 0; ///< the slowest and the fastest rank's, nested events included
  double flops = 0, messages = 0, bytes = 0; ///< sums over ranks
  double reductions = 0;                     ///< of one rank
};

struct LogFile {
  std::string name;
  int ranks = 1;
  std::vector<LogRow> rows; ///< events that happened, by stage in order of the file, the costliest first
};

/// Reads the files that match `pattern` (blanks or commas between several; shell wildcards): tables of earlier reports
/// into `records`, PETSc logs into `logs`. Other tables of a report (summary, environment, …) are passed over. A pattern
/// without a file, files that cannot be read and foreign ones are refused by name (PETSC_ERR_FILE_OPEN,
/// PETSC_ERR_FILE_UNEXPECTED). Collective.
///
/// Visits of different reports stay rounds of their own, so that ratios never pair different runs; a name that stands for
/// other options in a later report gets " (run N)"; events of the same configuration become their mean. `sources` returns
/// the files read.
PetscErrorCode ReadForMerge(MPI_Comm comm, const std::string &pattern, Records *records, std::vector<LogFile> *logs,
                            std::vector<std::string> *sources);

/// logs.csv
Csv LogTable(const std::vector<LogFile> &logs);

/// The costliest events of each stage of a log, and, for logs of the same stages on different rank counts, seconds and
/// speed-up against ranks.
std::string LogText(const LogFile &log);
std::string LogScalingText(const std::vector<LogFile> &logs);

} // namespace krylearn
