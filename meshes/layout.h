/// \file
/// The index box that all arrays of a rank share, and the arrays themselves.
#pragma once
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <petscsys.h>
#include <vector>

namespace krylearn {

/// One number per axis; 2D problems have one cell along the last axis.
using Int3 = std::array<PetscInt, 3>;
using Real3 = std::array<double, 3>;

/// Cells [lo, hi) of this rank in a global box of `n` cells, surrounded by `ghosts` layers.
///
/// Every field of a rank – cell values and the face values of all axes – uses this one layout, so a single offset
/// addresses cell (i,j,k) and its lower faces alike. The upper boundary face of axis a has index n[a] and lives in the
/// first upper ghost layer of the last rank on that axis.
struct Layout {
  Int3 n{}, lo{}, hi{}, ghosts{};
  std::array<std::ptrdiff_t, 3> stride{};
  std::size_t size = 0;

  /// Offset of cell (i,j,k), global indices; valid within the ghost layers too.
  std::ptrdiff_t At(PetscInt i, PetscInt j, PetscInt k) const {
    return (i - lo[0] + ghosts[0]) + stride[1] * (j - lo[1] + ghosts[1]) + stride[2] * (k - lo[2] + ghosts[2]);
  }
  /// How far apart two cells at distance `d` lie.
  std::ptrdiff_t Offset(const Int3 &d) const { return d[0] * stride[0] + d[1] * stride[1] + d[2] * stride[2]; }
  PetscInt OwnedCells() const { return (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]); }
  /// One past the last owned face of `axis` along that axis: the upper boundary face belongs to the last rank.
  PetscInt FaceEnd(int axis, bool periodic) const { return hi[axis] == n[axis] && !periodic ? hi[axis] + 1 : hi[axis]; }
};

/// Memory placed so that the first owned cell of each row, two ghosts in, starts a cache line: most vector loads of a
/// stencil then touch one line instead of two.
template <class T> struct CacheAligned {
  using value_type = T;
  static constexpr std::size_t kLine = 64, kShift = kLine - 2 * sizeof(T);
  CacheAligned() = default;
  template <class U> CacheAligned(const CacheAligned<U> &) {}
  T *allocate(std::size_t count) {
    char *line =
        static_cast<char *>(std::aligned_alloc(kLine, (kShift + count * sizeof(T) + kLine - 1) / kLine * kLine));
    if (!line) throw std::bad_alloc();
    return reinterpret_cast<T *>(line + kShift);
  }
  void deallocate(T *p, std::size_t) { std::free(reinterpret_cast<char *>(p) - kShift); }
  template <class U> bool operator==(const CacheAligned<U> &) const { return true; }
  template <class U> bool operator!=(const CacheAligned<U> &) const { return false; }
};

/// Values on one rank's `Layout`, ghosts included. An empty field means "not in use" (the third axis in 2D).
using Field = std::vector<double, CacheAligned<double>>;
/// One field per axis: face values.
using FaceFields = std::array<Field, 3>;

} // namespace krylearn
