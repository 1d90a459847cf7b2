/// \file
/// Tensors cut over ranks, and put together again, for the tests of nets/.
#pragma once
#include "meshes/random.h"
#include "nets/layers.h"
#include "tests/mpi_test.h"

namespace krylearn_test {

using krylearn::nets::Index;
using krylearn::nets::Partition;

/// Cuts of a grid over the ranks there are: along x, y, z, along two axes, and unevenly with a rank that owns nothing.
inline std::vector<Partition> Cuts(const Index &n, const std::array<bool, 3> &periodic = {false, false, false}) {
  const long ranks = Ranks();
  std::vector<Partition> cuts;
  std::vector<Index> shapes = {{ranks, 1, 1}, {1, ranks, 1}};
  if (n[2] > 1) shapes.push_back({1, 1, ranks});
  if (ranks == 4) shapes.push_back({2, 2, 1});
  for (const Index &shape : shapes) cuts.push_back(Partition::Even(PETSC_COMM_WORLD, n, shape, periodic));
  if (ranks > 1) {
    Partition uneven = cuts[0];
    for (long r = 1; r < ranks; ++r) uneven.starts[0][std::size_t(r)] = r == 1 ? 1 : ranks > 2 ? 2 : n[0] - 1;
    uneven.SetPlace();
    cuts.push_back(uneven);
  }
  return cuts;
}

/// Random numbers [leading, nz, ny, nx] that every rank makes alike.
inline at::Tensor Random(const std::vector<std::int64_t> &shape, std::uint64_t seed,
                         at::ScalarType type = at::kDouble) {
  at::Tensor x = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    x.data_ptr<double>()[i] = 2 * krylearn::Uniform(seed, 1, std::uint64_t(i)) - 1;
  return x.to(type);
}

/// The part of a tensor of the whole grid that this rank owns.
inline at::Tensor Part(const at::Tensor &whole, const Partition &p) {
  at::Tensor part = whole;
  for (std::size_t a = 0; a < 3; ++a) part = part.narrow(-1 - std::int64_t(a), p.Lo(a), p.Owned(a));
  return part.contiguous();
}

inline at::Tensor Sum(const at::Tensor &x) {
  at::Tensor all = x.detach().to(at::kDouble).contiguous().clone();
  MPI_Allreduce(MPI_IN_PLACE, all.data_ptr<double>(), int(all.numel()), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return all;
}

/// The tensor of the whole grid, on every rank, from its parts.
inline at::Tensor Join(const at::Tensor &part, const Partition &p) {
  std::vector<std::int64_t> shape = part.sizes().vec();
  for (std::size_t a = 0; a < 3; ++a) shape[shape.size() - 1 - a] = p.n[a];
  const at::Tensor whole = at::zeros(shape, at::kDouble);
  at::Tensor place = whole;
  for (std::size_t a = 0; a < 3; ++a) place = place.narrow(-1 - std::int64_t(a), p.Lo(a), p.Owned(a));
  place.copy_(part.detach());
  return Sum(whole);
}

inline double Largest(const at::Tensor &x) { return x.numel() ? x.abs().max().item<double>() : 0; }

} // namespace krylearn_test
