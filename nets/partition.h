/// \file
/// How the cells of a grid are divided over ranks that form a box of their own.
#pragma once
#include <array>
#include <mpi.h>
#include <vector>

namespace krylearn {
namespace nets {

/// One number per axis. Axis 0 is x; 2D grids have one cell along the last axis.
using Index = std::array<long, 3>;

/// A grid of n cells, cut along each axis. Rank x + px (y + py z) of the communicator – the order of PETSc's DMDA, and
/// of an MPI Cartesian communicator whose dimensions are given last axis first – owns the cells [starts[a][place[a]],
/// starts[a][place[a] + 1]) of axis a, which may be none at all.
struct Partition {
  MPI_Comm comm = MPI_COMM_SELF; ///< not owned
  Index n{1, 1, 1};
  std::array<bool, 3> periodic{false, false, false};
  std::array<std::vector<long>, 3> starts; ///< ranks + 1 values an axis, from 0 to n
  Index place{0, 0, 0};                    ///< of this rank

  long Lo(std::size_t axis) const { return starts[axis][std::size_t(place[axis])]; }
  long Hi(std::size_t axis) const { return starts[axis][std::size_t(place[axis]) + 1]; }
  long Owned(std::size_t axis) const { return Hi(axis) - Lo(axis); }
  long OwnedCells() const { return Owned(0) * Owned(1) * Owned(2); }
  long Ranks(std::size_t axis) const { return long(starts[axis].size()) - 1; }
  int RankAt(const Index &at) const { return int(at[0] + Ranks(0) * (at[1] + Ranks(1) * at[2])); }

  /// The whole grid on this rank alone.
  static Partition Whole(const Index &n, const std::array<bool, 3> &periodic = {false, false, false});
  /// `starts` cut into ranks[a] nearly equal parts. std::invalid_argument where the ranks are not those of `comm`.
  static Partition Even(MPI_Comm comm, const Index &n, const Index &ranks,
                        const std::array<bool, 3> &periodic = {false, false, false});
  /// Finds this rank's place from its number. std::invalid_argument where anything does not fit together.
  void SetPlace();

  /// The next coarser grid: cell I covers cells 2 I and, if there, 2 I + 1 along every axis of more than one cell, and
  /// belongs to the rank that owns cell 2 I – whatever the cut, so that levels do not depend on it.
  Partition Coarsened() const;
  bool Coarsens(std::size_t axis) const { return n[axis] > 1; }
};

/// Layers of ghost cells below and above on each axis.
using Depth = std::array<std::array<long, 2>, 3>;

} // namespace nets
} // namespace krylearn
