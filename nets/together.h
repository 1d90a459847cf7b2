/// \file
/// Failures that all ranks share.
#pragma once
#include <mpi.h>
#include <stdexcept>
#include <string>

namespace krylearn {
namespace nets {

/// Runs `call` and lets all ranks fail where one does, with the message of the first that did (std::runtime_error).
/// `call` may not wait for other ranks. Collective.
template <class Call> void Together(MPI_Comm comm, Call &&call) {
  std::string error;
  bool failed = false;
  try {
    call();
  } catch (const std::exception &e) {
    error = e.what();
    failed = true;
  }
  int rank, size, first;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  const int mine = failed ? rank : size;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
  if (first == size) return;
  long length = long(error.size());
  MPI_Bcast(&length, 1, MPI_LONG, first, comm);
  error.resize(std::size_t(length));
  MPI_Bcast(&error[0], int(length), MPI_CHAR, first, comm);
  throw std::runtime_error(error);
}

} // namespace nets
} // namespace krylearn
