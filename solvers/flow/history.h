/// \file
/// The course of a run: one row of numbers per step, kept in memory and in a CSV file.
#pragma once
#include <cstdio>
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

/// Columns of equal length, the first being time. Rank 0 also writes them to a file as they come.
class History {
public:
  ~History();
  /// Starts `path` with a header. After a restart rows later than `resume_time` are dropped and the rest is read back;
  /// pass a negative time to start anew. A file with other columns is kept as `path`.old and named in a notice. An
  /// empty path keeps everything in memory only. PETSC_ERR_FILE_OPEN names path and reason. Collective.
  PetscErrorCode Open(MPI_Comm comm, const std::string &path, const std::vector<std::string> &columns,
                      double resume_time);
  PetscErrorCode Add(const std::vector<double> &row);
  /// Writes what is buffered to the disk (before checkpoints); reports writes that have failed since the last time.
  /// Collective.
  PetscErrorCode Flush();
  bool Has(const std::string &column) const;
  /// The values of a column so far; empty where there is none of that name.
  const std::vector<double> &Column(const std::string &name) const;

private:
  /// Rank 0's part of Open() and Flush(); both return what went wrong, or nothing.
  std::string Start(const std::string &path, double resume_time, std::string *aside);
  std::string ToDisk();

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::string path_;
  FILE *file_ = nullptr;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> values_;
};

} // namespace krylearn
