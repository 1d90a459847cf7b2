/// \file
/// Failures that all ranks share.
#pragma once
#include "nets/nets.h"
#include <mpi.h>
#include <stdexcept>
#include <string>

namespace krylearn {
namespace nets {

/// Runs `call` and lets all ranks fail where one does, with the message of the first that did and its kind
/// of those that nets.h tells apart. `call` may not wait for other ranks. Collective.
template <class Call> void Together(MPI_Comm comm, Call &&call) {
  enum Kind : long { kNone, kWish, kFile, kOther };
  std::string error;
  Kind kind = kNone;
  const auto keep = [&](Kind its, const std::exception &e) { kind = its, error = e.what(); };
  try {
    call();
  } catch (const std::invalid_argument &e) {
    keep(kWish, e);
  } catch (const FileError &e) {
    keep(kFile, e);
  } catch (const std::exception &e) { keep(kOther, e); }
  int rank, size, first;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  const int mine = kind != kNone ? rank : size;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
  if (first == size) return;
  long facts[2] = {kind, long(error.size())};
  MPI_Bcast(facts, 2, MPI_LONG, first, comm);
  error.resize(std::size_t(facts[1]));
  MPI_Bcast(&error[0], int(facts[1]), MPI_CHAR, first, comm);
  if (facts[0] == kWish) throw std::invalid_argument(error);
  if (facts[0] == kFile) throw FileError(error);
  throw std::runtime_error(error);
}

} // namespace nets
} // namespace krylearn
