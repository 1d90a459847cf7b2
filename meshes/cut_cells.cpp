#include "meshes/log.h"
#include "meshes/obstacles.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace {

// How far the distance at the centre of a segment, face or cell may lie from the plane through its corners, relative to
// its longest edge, and how often parts that fail are halved. The remaining error is far smaller than this because the
// plane is shifted to the mean of the curved surface.
constexpr double kTolerance[4] = {0, 1e-5, 2e-3, 5e-3};
constexpr int kLevels[4] = {0, 8, 4, 3};
// Cells along the edge of the blocks for which shapes are sorted out at once.
constexpr PetscInt kBlock = 8;

/// The obstacles as seen from a small neighbourhood. Only shapes near enough to matter are kept; since those left out
/// are farther than any distance that enters a result, all results are the same as with every shape.
struct Neighbourhood {
  std::vector<Shape> shapes;
  double snap = 0; ///< distances below this are rounding errors of a point on the surface

  /// Keeps the shapes that matter to a box about `centre`; `reach` is half its diagonal. Distances enter results only
  /// within a diagonal of a surface, so 3 would do; returns the least distance of the centre.
  double Gather(const std::vector<Shape> &from, const Real3 &centre, double reach) {
    double nearest = PETSC_MAX_REAL;
    shapes.clear();
    for (const Shape &s : from) {
      const double d = s.Distance(centre);
      nearest = std::min(nearest, d);
      if (d <= 3.1 * reach) shapes.push_back(s);
    }
    return nearest;
  }

  double Distance(const Real3 &x) const {
    double nearest = PETSC_MAX_REAL;
    for (const Shape &s : shapes) nearest = std::min(nearest, s.Distance(x));
    return std::abs(nearest) < snap ? 0 : nearest;
  }
};

/// +1 if a patch is all fluid by the signs of its corners and centre, -1 if it has no fluid, 0 if cut.
template <std::size_t N> int Sides(const std::array<double, N> &corners, double centre) {
  const auto range = std::minmax_element(corners.begin(), corners.end());
  if (*range.first >= 0 && centre > 0) return 1;
  if (*range.second <= 0 && centre <= 0) return -1;
  return 0;
}

/// Positive fraction of a linear function between a and b.
double ClipSegment(double a, double b) {
  if (a > 0 && b > 0) return 1;
  if (a <= 0 && b <= 0) return 0;
  return std::max(a, b) / (std::max(a, b) - std::min(a, b));
}

/// Area of the part of the unit square where the interpolant of the corner values d00, d10, d11, d01 is positive: the
/// polygon of positive corners and zeros along the edges.
double ClipSquare(const std::array<double, 4> &d) {
  static constexpr double x[4] = {0, 1, 1, 0}, y[4] = {0, 0, 1, 1};
  double px[8], py[8];
  int count = 0;
  for (int a = 0; a < 4; ++a) {
    const int b = (a + 1) % 4;
    if (d[a] > 0) px[count] = x[a], py[count++] = y[a];
    if ((d[a] > 0) != (d[b] > 0)) {
      const double t = d[a] / (d[a] - d[b]);
      px[count] = x[a] + t * (x[b] - x[a]);
      py[count++] = y[a] + t * (y[b] - y[a]);
    }
  }
  double twice = 0;
  for (int a = 0; a < count; ++a) {
    const int b = (a + 1) % count;
    twice += px[a] * py[b] - px[b] * py[a];
  }
  return std::min(1.0, std::max(0.0, 0.5 * twice));
}

/// Fraction of the unit cube where mean + Σ g_a (x_a - 1/2) is positive (Scardovelli and Zaleski, J. Comput. Phys. 164,
/// 2000, eq. 20–25).
double ClipCube(double mean, Real3 g) {
  for (double &m : g) m = std::abs(m);
  const double sum = g[0] + g[1] + g[2];
  if (std::abs(mean) >= 0.5 * sum) return mean > 0 ? 1 : 0;
  for (double &m : g) m /= sum;
  std::sort(g.begin(), g.end());
  if (g[0] < 1e-7) g[0] = 0; // the cubic branches below divide by it
  double alpha = mean / sum + 0.5;
  const bool mirrored = alpha > 0.5;
  if (mirrored) alpha = 1 - alpha;
  const double m1 = g[0], m2 = g[1], m3 = g[2], m12 = m1 + m2;
  auto cube = [](double v) { return v * v * v; };
  double part;
  if (alpha < m1) part = cube(alpha) / (6 * m1 * m2 * m3);
  else if (alpha < m2) part = alpha * (alpha - m1) / (2 * m2 * m3) + (m2 > 0 ? m1 * m1 / (6 * m2 * m3) : 0);
  else if (alpha < std::min(m3, m12))
    part = (alpha * alpha * (3 * m12 - alpha) + m1 * m1 * (m1 - 3 * alpha) + m2 * m2 * (m2 - 3 * alpha)) /
           (6 * m1 * m2 * m3);
  else if (m3 < m12)
    part = (alpha * alpha * (3 - 2 * alpha) + m1 * m1 * (m1 - 3 * alpha) + m2 * m2 * (m2 - 3 * alpha) +
            m3 * m3 * (m3 - 3 * alpha)) /
           (6 * m1 * m2 * m3);
  else part = (alpha - 0.5 * m12) / m3;
  return mirrored ? 1 - part : part;
}

/// Fluid fraction of boxes of 1 (segment), 2 (face) or 3 (cell) free dimensions.
class Clipper {
public:
  explicit Clipper(const Neighbourhood &near) : near_(near) {}

  /// `free` lists the N axes along which the box extends from `lower` to `upper`.
  template <int N> double Fraction(const Real3 &lower, const Real3 &upper, const std::array<int, N> &free) const {
    return Part<N>(lower, upper, free, 0);
  }

private:
  template <int N>
  double Part(const Real3 &lower, const Real3 &upper, const std::array<int, N> &free, int level) const {
    constexpr int kCorners = 1 << N;
    Real3 middle = lower;
    double square = 0, longest = 0;
    for (int a : free) {
      const double w = upper[a] - lower[a];
      middle[a] = 0.5 * (lower[a] + upper[a]);
      square += w * w;
      longest = std::max(longest, w);
    }
    const double centre = near_.Distance(middle), reach = 0.5 * std::sqrt(square);
    if (std::abs(centre) >= reach) return centre > 0 ? 1 : 0;

    std::array<double, kCorners> d;
    for (int c = 0; c < kCorners; ++c) {
      Real3 x = lower;
      for (int f = 0; f < N; ++f)
        if (c >> f & 1) x[free[f]] = upper[free[f]];
      d[c] = near_.Distance(x);
    }
    // The centre against the middle of each diagonal. For a convex shape no deviation means a plane.
    double deviation = 0, mean = 0;
    for (int c = 0; c < kCorners / 2; ++c) {
      const double middle_of_ends = 0.5 * (d[c] + d[kCorners - 1 - c]);
      deviation = std::max(deviation, std::abs(middle_of_ends - centre));
      mean += middle_of_ends / (kCorners / 2);
    }
    // Several shapes can cancel in that comparison; look closer before trusting it.
    const int first = near_.shapes.size() > 1 ? 1 : 0;
    const double allowed = kTolerance[N] * longest * double(1 << level);
    if ((level >= first && deviation <= allowed) || level == kLevels[N]) {
      const int sides = Sides(d, centre);
      if (sides != 0) return sides > 0 ? 1 : 0;
      // A quadratic function's mean over a box is two parts its centre, one part the mean of its corners.
      for (double &corner : d) corner -= (mean - centre) * 2 / 3;
      return Clip(d);
    }
    double sum = 0;
    for (int c = 0; c < kCorners; ++c) {
      Real3 low = lower, high = upper;
      for (int f = 0; f < N; ++f) (c >> f & 1 ? low : high)[free[f]] = middle[free[f]];
      sum += Part<N>(low, high, free, level + 1);
    }
    return sum / kCorners;
  }

  static double Clip(const std::array<double, 2> &d) { return ClipSegment(d[0], d[1]); }
  static double Clip(const std::array<double, 4> &d) { return ClipSquare({d[0], d[1], d[3], d[2]}); }
  static double Clip(const std::array<double, 8> &d) {
    double mean = 0;
    Real3 g{};
    for (int c = 0; c < 8; ++c) {
      mean += d[c] / 8;
      for (int a = 0; a < 3; ++a) g[a] += (c >> a & 1 ? d[c] : -d[c]) / 4;
    }
    return ClipCube(mean, g);
  }

  const Neighbourhood &near_;
};

/// Computes the fractions of one grid, before the sliver rule.
class Cutter {
public:
  Cutter(const Grid &grid, const Obstacles &obstacles, CutCells *cut)
      : grid_(grid), layout_(grid.Cells()), obstacles_(obstacles), cut_(*cut) {
    double largest = 0, smallest = PETSC_MAX_REAL;
    for (int a = 0; a < grid.Dim(); ++a) {
      largest = std::max({largest, std::abs(grid.Spec().lower[a]), std::abs(grid.Spec().upper[a])});
      smallest = std::min(smallest, grid.SmallestWidth(a));
    }
    block_.snap = cell_.snap = std::max(1e-9 * smallest, 1e-14 * largest);
    for (int a = 0; a < 3; ++a) {
      begin_[a] = layout_.lo[a] - layout_.ghosts[a];
      end_[a] = layout_.hi[a] + layout_.ghosts[a];
    }
  }

  void Run() {
    for (PetscInt k = begin_[2]; k < end_[2]; k += kBlock)
      for (PetscInt j = begin_[1]; j < end_[1]; j += kBlock)
        for (PetscInt i = begin_[0]; i < end_[0]; i += kBlock) CutBlock({i, j, k});
  }

private:
  /// Lower and upper corner of cell range [first, last); in 2D the plane of the cell centres.
  void Box(const Int3 &first, const Int3 &last, Real3 *lower, Real3 *upper) const {
    for (int a = 0; a < 3; ++a) {
      (*lower)[a] = grid_.Face(a, first[a]);
      (*upper)[a] = grid_.Face(a, last[a]);
    }
    if (grid_.Dim() == 2) (*lower)[2] = (*upper)[2] = grid_.Centre(2, 0);
  }

  static double HalfDiagonal(const Real3 &lower, const Real3 &upper) {
    double square = 0;
    for (int a = 0; a < 3; ++a) square += (upper[a] - lower[a]) * (upper[a] - lower[a]);
    return 0.5 * std::sqrt(square);
  }

  void CutBlock(const Int3 &first) {
    Int3 last;
    for (int a = 0; a < 3; ++a) last[a] = std::min(first[a] + kBlock, end_[a]);
    Real3 lower, upper, centre;
    Box(first, last, &lower, &upper);
    for (int a = 0; a < 3; ++a) centre[a] = 0.5 * (lower[a] + upper[a]);
    const double reach = HalfDiagonal(lower, upper);
    const double deepest = block_.Gather(obstacles_.shapes, centre, reach);
    if (deepest > 1.01 * reach) return; // all fluid
    const bool solid = deepest < -1.01 * reach;
    for (PetscInt k = first[2]; k < last[2]; ++k)
      for (PetscInt j = first[1]; j < last[1]; ++j)
        for (PetscInt i = first[0]; i < last[0]; ++i) {
          if (solid) Fill(layout_.At(i, j, k), 0);
          else CutCell({i, j, k});
        }
  }

  void Fill(std::ptrdiff_t at, double value) {
    cut_.volume[at] = value;
    for (int a = 0; a < grid_.Dim(); ++a) cut_.aperture[a][at] = value;
  }

  void CutCell(const Int3 &cell) {
    Real3 lower, upper, centre;
    Int3 next;
    for (int a = 0; a < 3; ++a) next[a] = cell[a] + 1;
    Box(cell, next, &lower, &upper);
    for (int a = 0; a < 3; ++a) centre[a] = 0.5 * (lower[a] + upper[a]);
    const double reach = HalfDiagonal(lower, upper), d = cell_.Gather(block_.shapes, centre, reach);
    const std::ptrdiff_t at = layout_.At(cell[0], cell[1], cell[2]);
    if (std::abs(d) >= 1.000001 * reach) return Fill(at, d > 0 ? 1 : 0);
    const Clipper clipper(cell_);
    for (int a = 0; a < grid_.Dim(); ++a) {
      Real3 top = upper;
      top[a] = lower[a];
      cut_.aperture[a][at] = grid_.Dim() == 2 ? clipper.Fraction<1>(lower, top, {1 - a})
                                              : clipper.Fraction<2>(lower, top, {a == 0 ? 1 : 0, a == 2 ? 1 : 2});
    }
    cut_.volume[at] =
        grid_.Dim() == 2 ? clipper.Fraction<2>(lower, upper, {0, 1}) : clipper.Fraction<3>(lower, upper, {0, 1, 2});
  }

  const Grid &grid_;
  const Layout &layout_;
  const Obstacles &obstacles_;
  CutCells &cut_;
  Int3 begin_, end_;
  Neighbourhood block_, cell_; // what the block and the cell at hand see
};

/// The sliver rule. Which faces close depends on raw volumes only, which cells close on closed faces only, so the order
/// of the loops does not matter.
void RemoveSlivers(const Grid &grid, double sliver, CutCells *cut) {
  const Layout &layout = grid.Cells();
  Int3 begin, end;
  for (int a = 0; a < 3; ++a) {
    begin[a] = layout.lo[a] - layout.ghosts[a];
    end[a] = layout.hi[a] + layout.ghosts[a];
  }
  auto for_all = [&](auto &&body) {
    for (PetscInt k = begin[2]; k < end[2]; ++k)
      for (PetscInt j = begin[1]; j < end[1]; ++j)
        for (PetscInt i = begin[0]; i < end[0]; ++i) body(Int3{i, j, k}, layout.At(i, j, k));
  };
  auto tiny = [&](std::ptrdiff_t at) { return cut->volume[at] <= 0 || cut->volume[at] < sliver; };
  for_all([&](const Int3 &cell, std::ptrdiff_t at) {
    for (int a = 0; a < grid.Dim(); ++a) {
      double &open = cut->aperture[a][at];
      if (open < sliver) open = 0;
      if (open > 1 - sliver) open = 1;
      // On a boundary face only the cell inside the box has a say.
      const bool lower_end = !grid.Periodic(a) && cell[a] == 0, upper_end = !grid.Periodic(a) && cell[a] == layout.n[a];
      if (!upper_end && tiny(at)) open = 0;
      if (!lower_end && cell[a] > begin[a] && tiny(at - layout.stride[a])) open = 0;
    }
  });
  for_all([&](const Int3 &cell, std::ptrdiff_t at) {
    double &volume = cut->volume[at];
    double least = 1, most = 0;
    for (int a = 0; a < grid.Dim(); ++a) {
      const double below = cut->aperture[a][at];
      const double above = cell[a] + 1 < end[a] ? cut->aperture[a][at + layout.stride[a]] : below;
      least = std::min({least, below, above});
      most = std::max({most, below, above});
    }
    if (most <= 0) volume = 0;
    if (least >= 1 && volume > 1 - sliver) volume = 1;
  });
}

} // namespace

PetscErrorCode ComputeCutCells(const Grid &grid, const Obstacles &obstacles, CutCells *cut, double sliver) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().geometry, 0, 0, 0, 0));
  cut->aperture = grid.NewFaces();
  for (int a = 0; a < grid.Dim(); ++a) std::fill(cut->aperture[a].begin(), cut->aperture[a].end(), 1.0);
  cut->volume.assign(grid.Cells().size, 1.0);
  if (!obstacles.Empty()) {
    const Obstacles all = obstacles.WithImages(grid);
    Cutter(grid, all, cut).Run();
    RemoveSlivers(grid, sliver, cut);
    // The outermost ghosts lack a neighbour that the sliver rule asks for; their owners have it.
    PetscCall(grid.Exchange(cut->aperture));
    PetscCall(grid.Exchange({&cut->volume}));
  }
  PetscCall(PetscLogEventEnd(Log().geometry, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode OpenFractionOfSide(const Grid &grid, const CutCells &cut, int axis, int side, double *fraction) {
  PetscFunctionBeginUser;
  PetscCheck(axis >= 0 && axis < grid.Dim() && (side == 0 || side == 1), grid.Comm(), PETSC_ERR_ARG_OUTOFRANGE,
             "A grid of dimension %d has no side %d on axis %d", grid.Dim(), side, axis);
  const Layout &layout = grid.Cells();
  double sums[2] = {0, 0};
  const bool here = side == 0 ? layout.lo[axis] == 0 : layout.hi[axis] == layout.n[axis];
  if (here) {
    Int3 begin = layout.lo, end = layout.hi;
    begin[axis] = side == 0 ? 0 : layout.n[axis];
    end[axis] = begin[axis] + 1;
    for (PetscInt k = begin[2]; k < end[2]; ++k)
      for (PetscInt j = begin[1]; j < end[1]; ++j)
        for (PetscInt i = begin[0]; i < end[0]; ++i) {
          const double area = grid.FaceArea(axis, i, j, k);
          sums[0] += area * cut.aperture[axis][layout.At(i, j, k)];
          sums[1] += area;
        }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, grid.Comm()));
  *fraction = sums[0] / sums[1];
  PetscFunctionReturn(0);
}

} // namespace krylearn
