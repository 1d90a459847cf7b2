/// \file
/// Obstacles as signed-distance shapes, and the cut cells they leave on a grid.
#pragma once
#include "meshes/grid.h"
#include <string>
#include <vector>

namespace krylearn {

/// One shape. Distances are exact (not bounds) and negative inside the obstacle.
struct Shape {
  enum class Kind { kSphere, kCylinder, kBox };
  Kind kind = Kind::kSphere;
  Real3 centre{}; ///< sphere, cylinder
  double radius = 0;
  int axis = 2;           ///< direction of an (infinite) cylinder
  Real3 lower{}, upper{}; ///< box; may be infinite along an axis
  double Distance(const Real3 &x) const;
  /// Smallest t in [0,1] at which x + t·step·e_axis lies in the shape; 1 if none does. Closed form.
  double AxisCut(const Real3 &x, int axis, double step) const;
};

/// A union of shapes.
struct Obstacles {
  std::vector<Shape> shapes;
  bool Empty() const { return shapes.empty(); }
  /// Signed distance to the nearest shape, negative inside (there a lower bound of the depth, where shapes overlap);
  /// +infinity without shapes.
  double Distance(const Real3 &x) const;
  /// Fraction in [0,1] of the way from a fluid point `from` to from + step·e_axis at which the first surface is met; 1
  /// if none is, 0 if `from` is not in the fluid. Accurate to rounding, and sees shapes that lie between the two
  /// points. `step` may be negative.
  double AxisCut(const Real3 &from, int axis, double step) const;
  /// The obstacles together with the periodic images that reach into the grid (or its ghost layers). ComputeCutCells()
  /// takes them itself; whoever asks for distances near a periodic boundary takes them first. Idempotent.
  Obstacles WithImages(const Grid &grid) const;
};

/// Parses "sphere:x,y,z,r; cylinder:x,y,r[,axis]; box:x0,y0,z0,x1,y1,z1". The two coordinates of a cylinder are those
/// of the axes it is not along, in alphabetical order (axis x: y,z; axis y: x,z). 2D grids take "cylinder:x,y,r",
/// "sphere:x,y,r" (a disk, the same thing) and "box:x0,y0,x1,y1" as well. An empty text leaves no obstacles. Errors
/// name the offending part and the accepted forms (PETSC_ERR_USER_INPUT). Collective.
PetscErrorCode ParseObstacles(MPI_Comm comm, int dim, const std::string &text, Obstacles *obstacles);

/// Fluid fractions left by obstacles, valid in all ghosts too: beyond a boundary the shapes are evaluated as they are
/// (not mirrored), across periodic boundaries they are repeated.
struct CutCells {
  /// Open fraction of each face in [0,1]; slivers below kSliver are closed, above 1 - kSliver opened, so that no
  /// stencil divides by next to nothing. Faces of cells without fluid are closed.
  FaceFields aperture;
  /// Fluid volume fraction of each cell in [0,1]; 0 where all faces are closed or the fraction is below kSliver.
  Field volume;
  static constexpr double kSliver = 0.02;
};

/// Computes apertures and volume fractions; exact for planar surfaces (faces are clipped by the linearly interpolated
/// distance of their corners, cells by the plane through theirs, in sub-cells where the surface is curved, has edges,
/// or a shape is smaller than a cell). In 2D faces are segments in the plane of the cell centres. Without obstacles
/// everything is 1. The same bits on any number of ranks. `sliver` is the threshold of the sliver rule; 0 turns it off
/// (for convergence studies). Collective.
///
/// Limit: a sheet thinner than a cell narrows the faces it crosses, but cannot close those that it runs parallel to
/// between two face planes; obstacles should be at least a cell thick, or touch faces.
PetscErrorCode ComputeCutCells(const Grid &grid, const Obstacles &obstacles, CutCells *cut,
                               double sliver = CutCells::kSliver);

/// Open fraction, by area, of one side of the box (side 0: lower, 1: upper end of `axis`): 1 untouched, 0 covered by
/// obstacles. The same on all ranks. Collective.
PetscErrorCode OpenFractionOfSide(const Grid &grid, const CutCells &cut, int axis, int side, double *fraction);

} // namespace krylearn
