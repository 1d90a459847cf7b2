#include "nets/partition.h"
#include <stdexcept>
#include <string>

namespace krylearn {
namespace nets {

Partition Partition::Whole(const Index &n, const std::array<bool, 3> &periodic) {
  Partition p;
  p.n = n;
  p.periodic = periodic;
  for (std::size_t a = 0; a < 3; ++a) p.starts[a] = {0, n[a]};
  return p;
}

Partition Partition::Even(MPI_Comm comm, const Index &n, const Index &ranks, const std::array<bool, 3> &periodic) {
  Partition p;
  p.comm = comm;
  p.n = n;
  p.periodic = periodic;
  for (std::size_t a = 0; a < 3; ++a)
    for (long r = 0; r <= ranks[a]; ++r) p.starts[a].push_back(r * n[a] / ranks[a]);
  p.SetPlace();
  return p;
}

void Partition::SetPlace() {
  int rank, size;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  for (std::size_t a = 0; a < 3; ++a) {
    bool increasing = starts[a].size() >= 2 && starts[a].front() == 0 && starts[a].back() == n[a];
    for (std::size_t i = 1; increasing && i < starts[a].size(); ++i) increasing = starts[a][i] >= starts[a][i - 1];
    if (!increasing || n[a] < 1) throw std::invalid_argument("the cut of a grid over ranks does not cover its cells");
  }
  if (Ranks(0) * Ranks(1) * Ranks(2) != size)
    throw std::invalid_argument("the cut of a grid is for " + std::to_string(Ranks(0) * Ranks(1) * Ranks(2)) +
                                " ranks, but there are " + std::to_string(size));
  place = {rank % Ranks(0), rank / Ranks(0) % Ranks(1), rank / (Ranks(0) * Ranks(1))};
}

Partition Partition::Coarsened() const {
  Partition coarse = *this;
  for (std::size_t a = 0; a < 3; ++a) {
    if (!Coarsens(a)) continue;
    coarse.n[a] = (n[a] + 1) / 2;
    for (long &start : coarse.starts[a]) start = (start + 1) / 2;
    if (coarse.n[a] == 1) coarse.periodic[a] = false; // a cell is no neighbour of its own
  }
  return coarse;
}

} // namespace nets
} // namespace krylearn
