/// \file
/// The staggered (MAC) grid: a box of cells, distributed over ranks.
#pragma once
#include "meshes/halo.h"
#include "meshes/layout.h"
#include <memory>
#include <petscdmda.h>
#include <vector>

namespace krylearn {

/// What a grid is made from. Lengths are in the unit of the problem; a 2D grid has one cell along the last axis.
struct GridSpec {
  Int3 cells{32, 32, 1};
  Real3 lower{0, 0, 0}, upper{1, 1, 1};
  std::array<bool, 3> periodic{false, false, false};
  /// Face coordinates per axis (cells + 1 increasing values); empty means uniform between lower and upper.
  std::array<std::vector<double>, 3> faces;
  /// Ranks per axis and cells per rank on each axis; empty lets the grid choose the cut with the least surface.
  std::array<std::vector<PetscInt>, 3> ownership;
};

/// Face coordinates of `cells` cells between `lower` and `upper`, clustered at both ends: widths follow a hyperbolic
/// tangent and the widest cell is `ratio` times the narrowest.
std::vector<double> StretchedFaces(PetscInt cells, double lower, double upper, double ratio);

/// A box of cells with its coordinates, its distribution over the ranks of a communicator and its halo exchange.
///
/// All ranks must own at least `kGhosts` cells on every axis that has more than one cell.
class Grid {
public:
  /// Ghost layers on each side: what the widest stencil (the bounded scalar advection) reads.
  static constexpr PetscInt kGhosts = 2;

  /// Builds a grid. Collective. Refuses empty, inverted or too finely divided boxes with PETSC_ERR_USER_INPUT.
  static PetscErrorCode Create(MPI_Comm comm, const GridSpec &spec, std::shared_ptr<const Grid> *grid);
  ~Grid();
  Grid(const Grid &) = delete;
  Grid &operator=(const Grid &) = delete;

  MPI_Comm Comm() const { return comm_; }
  /// 2 or 3.
  int Dim() const { return layout_.n[2] == 1 ? 2 : 3; }
  const Layout &Cells() const { return layout_; }
  const HaloExchange &Halo() const { return halo_; }
  /// Star-stencil DMDA of width 1 with one unknown a cell: the home of pressure vectors and matrices.
  DM PressureDM() const { return dm_; }
  bool Periodic(int axis) const { return spec_.periodic[axis]; }
  const GridSpec &Spec() const { return spec_; }
  bool Uniform() const { return uniform_; }
  /// True where this rank's box touches the lower (side 0) or upper (side 1) end of a non-periodic axis.
  bool AtBoundary(int axis, int side) const {
    return !spec_.periodic[axis] && (side == 0 ? layout_.lo[axis] == 0 : layout_.hi[axis] == layout_.n[axis]);
  }
  PetscInt64 GlobalCells() const { return PetscInt64(layout_.n[0]) * layout_.n[1] * layout_.n[2]; }

  /// Coordinate of face i, of the centre of cell i, width of cell i and distance between the centres of cells i-1 and
  /// i, all defined for kGhosts ghost cells too (mirrored at boundaries, repeated on periodic axes).
  double Face(int axis, PetscInt i) const { return face_[axis][i + kGhosts]; }
  double Centre(int axis, PetscInt i) const { return centre_[axis][i + kGhosts]; }
  double Width(int axis, PetscInt i) const { return width_[axis][i + kGhosts]; }
  double Distance(int axis, PetscInt i) const { return distance_[axis][i + kGhosts]; }
  /// Pointers to the reciprocals, so that inner loops index with the cell number: p[i] = 1 / Width(axis, i).
  const double *InverseWidth(int axis) const { return inverse_width_[axis].data() + kGhosts; }
  const double *InverseDistance(int axis) const { return inverse_distance_[axis].data() + kGhosts; }
  const double *Widths(int axis) const { return width_[axis].data() + kGhosts; }
  double SmallestWidth(int axis) const { return smallest_[axis]; }
  /// Area of lower face (i,j,k) of `axis`, and volume of a cell; in 2D per unit depth of the single cell layer.
  double FaceArea(int axis, PetscInt i, PetscInt j, PetscInt k) const;
  double Volume(PetscInt i, PetscInt j, PetscInt k) const { return Width(0, i) * Width(1, j) * Width(2, k); }

  /// A zero field on this rank's layout.
  Field NewField() const { return Field(layout_.size, 0.0); }
  /// Zero face fields: axes 0..Dim()-1; the third stays empty in 2D.
  FaceFields NewFaces() const;
  PetscErrorCode Exchange(std::initializer_list<Field *> fields) const { return halo_.Exchange(fields); }
  PetscErrorCode Exchange(FaceFields &faces) const { return halo_.Exchange({&faces[0], &faces[1], &faces[2]}); }

  /// Copies owned cells between a field and a vector of PressureDM(); ghosts are not touched.
  PetscErrorCode ToVec(const Field &field, Vec vec) const;
  PetscErrorCode FromVec(Vec vec, Field *field) const;

private:
  Grid() = default;
  PetscErrorCode SetCoordinates();
  PetscErrorCode Distribute();

  MPI_Comm comm_ = MPI_COMM_NULL;
  GridSpec spec_;
  Layout layout_;
  HaloExchange halo_;
  DM dm_ = nullptr;
  bool uniform_ = true;
  Real3 smallest_{};
  std::array<std::vector<double>, 3> face_, centre_, width_, distance_, inverse_width_, inverse_distance_;
};

/// Calls `body(i, j, k)` for all owned cells, the first index fastest.
template <class Body> void ForEachCell(const Layout &layout, Body &&body) {
  for (PetscInt k = layout.lo[2]; k < layout.hi[2]; ++k)
    for (PetscInt j = layout.lo[1]; j < layout.hi[1]; ++j)
      for (PetscInt i = layout.lo[0]; i < layout.hi[0]; ++i) body(i, j, k);
}

} // namespace krylearn
