#include "solvers/flow/history.h"
#include "meshes/files.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace krylearn {
namespace {

/// Reads complete rows up to `resume_time`; a row cut short by a kill or written later is computed again.
void ReadRows(std::ifstream &in, double resume_time, std::vector<std::vector<double>> *values) {
  for (std::string line; std::getline(in, line);) {
    std::vector<double> row;
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(std::strtod(cell.c_str(), nullptr));
    if (row.size() != values->size() || row[0] > resume_time * (1 + 1e-12)) break;
    for (std::size_t c = 0; c < row.size(); ++c) (*values)[c].push_back(row[c]);
  }
}

/// Renames `path` to the first free one of path.old, path.old2, …; `aside` receives the new name.
std::string MoveAside(const std::string &path, std::string *aside) {
  *aside = path + ".old";
  for (int n = 2; access(aside->c_str(), F_OK) == 0; ++n) *aside = path + ".old" + std::to_string(n);
  return std::rename(path.c_str(), aside->c_str()) ? std::strerror(errno) : "";
}

} // namespace

History::~History() {
  if (file_) std::fclose(file_);
}

std::string History::Start(const std::string &path, double resume_time, std::string *aside) {
  std::string complaint = WhyNotWritable(path), header;
  if (!complaint.empty()) return complaint;
  for (const std::string &name : names_) header += (header.empty() ? "" : ",") + name;
  if (resume_time >= 0) {
    std::ifstream in(path);
    std::string line;
    const bool there = bool(std::getline(in, line));
    if (there && line == header) ReadRows(in, resume_time, &values_);
    else if (there) complaint = MoveAside(path, aside);
    if (!complaint.empty()) return complaint;
  }
  const std::string temporary = path + ".part";
  file_ = std::fopen(temporary.c_str(), "w");
  if (!file_) return std::strerror(errno);
  std::fprintf(file_, "%s\n", header.c_str());
  for (std::size_t n = 0; n < values_[0].size(); ++n)
    for (std::size_t c = 0; c < values_.size(); ++c)
      std::fprintf(file_, "%.17g%c", values_[c][n], c + 1 == values_.size() ? '\n' : ',');
  complaint = ToDisk();
  return complaint.empty() ? Publish(temporary, path) : complaint; // the open stream follows the file
}

std::string History::ToDisk() {
  // A failed write may have happened long ago; stdio remembers that there was one, but not why.
  errno = 0;
  const bool failed = std::fflush(file_) != 0 || std::ferror(file_) || (fsync(fileno(file_)) != 0 && errno != EINVAL);
  return failed ? std::string(errno ? std::strerror(errno) : "writing failed") + "; is the disk full?" : "";
}

PetscErrorCode History::Open(MPI_Comm comm, const std::string &path, const std::vector<std::string> &columns,
                             double resume_time) {
  PetscFunctionBeginUser;
  comm_ = comm;
  path_ = path;
  names_ = columns;
  values_.assign(columns.size(), {});
  if (path.empty()) PetscFunctionReturn(0);
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::string complaint, aside;
  if (rank == 0) complaint = Start(path, resume_time, &aside);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, "Cannot write " + path, complaint));
  if (!aside.empty())
    PetscCall(PetscPrintf(comm, "notice: %s has other columns than this run writes; kept as %s\n", path.c_str(),
                          aside.c_str()));
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
    if (file_) std::fprintf(file_, "%.17g%c", row[c], c + 1 == row.size() ? '\n' : ',');
  }
  PetscFunctionReturn(0);
}

PetscErrorCode History::Flush() {
  PetscFunctionBeginUser;
  if (path_.empty()) PetscFunctionReturn(0);
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, "Cannot write " + path_, file_ ? ToDisk() : ""));
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
