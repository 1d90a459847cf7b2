/// \file
/// A folder that all ranks of a test share and that goes away with it.
#pragma once
#include "tests/mpi_test.h"
#include <cstdlib>
#include <filesystem>
#include <mpi.h>
#include <string>

namespace krylearn_test {

/// Collective, like everything in a test.
class ScratchFolder {
public:
  ScratchFolder() {
    char name[512] = {};
    if (Rank() == 0) {
      const std::string pattern = (std::filesystem::temp_directory_path() / "krylearn_test_XXXXXX").string();
      pattern.copy(name, sizeof name - 1);
      if (!mkdtemp(name)) name[0] = 0;
    }
    MPI_Bcast(name, sizeof name, MPI_CHAR, 0, PETSC_COMM_WORLD);
    path_ = name;
  }
  ~ScratchFolder() {
    MPI_Barrier(PETSC_COMM_WORLD);
    std::error_code ignored;
    if (Rank() == 0) std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string &name) const { return path_ + "/" + name; }
  const std::string &Path() const { return path_; }

private:
  std::string path_;
};

/// Runs `body` on rank 0 while the others wait.
template <class Body> void OnRank0(Body &&body) {
  if (Rank() == 0) body();
  MPI_Barrier(PETSC_COMM_WORLD);
}

} // namespace krylearn_test
