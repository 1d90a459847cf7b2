#include "solvers/flow/history.h"
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace krylearn {

History::~History() {
  if (file_) fclose(file_);
}

PetscErrorCode History::Open(MPI_Comm comm, const std::string &path, const std::vector<std::string> &columns,
                             double resume_time) {
  PetscFunctionBeginUser;
  comm_ = comm;
  names_ = columns;
  values_.assign(columns.size(), {});
  if (path.empty()) PetscFunctionReturn(0);
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  int failed = 0;
  std::string header;
  for (const std::string &name : columns) header += (header.empty() ? "" : ",") + name;
  if (rank == 0) {
    if (resume_time >= 0) {
      // Keep complete rows up to the restart; a row cut short by a kill or written later is computed again.
      std::ifstream in(path);
      std::string line;
      if (std::getline(in, line) && line == header)
        while (std::getline(in, line)) {
          std::vector<double> row;
          std::stringstream cells(line);
          for (std::string cell; std::getline(cells, cell, ',');) row.push_back(std::strtod(cell.c_str(), nullptr));
          if (row.size() != columns.size() || row[0] > resume_time * (1 + 1e-12)) break;
          for (std::size_t c = 0; c < row.size(); ++c) values_[c].push_back(row[c]);
        }
    }
    const std::string temporary = path + ".part";
    file_ = fopen(temporary.c_str(), "w");
    if (file_) {
      fprintf(file_, "%s\n", header.c_str());
      for (std::size_t n = 0; n < values_[0].size(); ++n)
        for (std::size_t c = 0; c < values_.size(); ++c)
          fprintf(file_, "%.17g%c", values_[c][n], c + 1 == values_.size() ? '\n' : ',');
      fflush(file_);
      failed = rename(temporary.c_str(), path.c_str()) != 0; // the open stream follows the file
    } else {
      failed = 1;
    }
  }
  PetscCallMPI(MPI_Bcast(&failed, 1, MPI_INT, 0, comm));
  PetscCheck(!failed, comm, PETSC_ERR_USER_INPUT, "Cannot write %s; choose another -output folder", path.c_str());
  // All ranks hold the history, so that reports can be computed anywhere.
  PetscInt rows = values_[0].size();
  PetscCallMPI(MPI_Bcast(&rows, 1, MPIU_INT, 0, comm));
  for (auto &column : values_) {
    column.resize(rows);
    PetscCallMPI(MPI_Bcast(column.data(), PetscMPIInt(rows), MPI_DOUBLE, 0, comm));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode History::Add(const std::vector<double> &row) {
  PetscFunctionBeginUser;
  PetscCheck(row.size() == names_.size(), comm_, PETSC_ERR_PLIB, "A history row has %zu numbers for %zu columns",
             row.size(), names_.size());
  for (std::size_t c = 0; c < row.size(); ++c) {
    values_[c].push_back(row[c]);
    if (file_) fprintf(file_, "%.17g%c", row[c], c + 1 == row.size() ? '\n' : ',');
  }
  PetscFunctionReturn(0);
}

PetscErrorCode History::Flush() {
  PetscFunctionBeginUser;
  if (file_) {
    fflush(file_);
    fsync(fileno(file_));
  }
  PetscFunctionReturn(0);
}

bool History::Has(const std::string &column) const { return !Column(column).empty(); }

const std::vector<double> &History::Column(const std::string &name) const {
  static const std::vector<double> none;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (names_[c] == name) return values_[c];
  return none;
}

} // namespace krylearn
