/// \file
/// The course of a run: one row of numbers per step, kept in memory and in a CSV file.
#pragma once
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

/// Columns of equal length, the first being time. Rank 0 also writes them to a file as they come.
class History {
public:
  ~History();
  /// Starts `path` with a header. After a restart rows later than `resume_time` are dropped and the rest is read back;
  /// pass a negative time to start anew. An empty path keeps everything in memory only. Collective.
  PetscErrorCode Open(MPI_Comm comm, const std::string &path, const std::vector<std::string> &columns,
                      double resume_time);
  PetscErrorCode Add(const std::vector<double> &row);
  /// Writes what is buffered to the disk (before checkpoints).
  PetscErrorCode Flush();
  bool Has(const std::string &column) const;
  /// The values of a column so far; empty where there is none of that name.
  const std::vector<double> &Column(const std::string &name) const;

private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  FILE *file_ = nullptr;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> values_;
};

} // namespace krylearn
