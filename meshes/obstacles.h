/// \file
/// Obstacles as signed-distance shapes, and the cut cells they leave on a grid.
#pragma once
#include "meshes/grid.h"
#include <string>
#include <vector>

namespace krylearn {

/// One shape. Distances are negative inside the obstacle.
struct Shape {
  enum class Kind { kSphere, kCylinder, kBox };
  Kind kind = Kind::kSphere;
  Real3 centre{}; ///< sphere, cylinder
  double radius = 0;
  int axis = 2; ///< direction of an (infinite) cylinder
  Real3 lower{}, upper{}; ///< box
  double Distance(const Real3 &x) const;
};

/// A union of shapes.
struct Obstacles {
  std::vector<Shape> shapes;
  bool Empty() const { return shapes.empty(); }
  /// Signed distance to the nearest shape, negative inside; +infinity without shapes.
  double Distance(const Real3 &x) const;
};

/// Parses "sphere:x,y,z,r; cylinder:x,y,r[,axis]; box:x0,y0,z0,x1,y1,z1" (2D grids: "cylinder:x,y,r" and
/// "box:x0,y0,x1,y1" suffice). Errors name the offending part and the accepted forms (PETSC_ERR_USER_INPUT).
PetscErrorCode ParseObstacles(MPI_Comm comm, int dim, const std::string &text, Obstacles *obstacles);

/// Fluid fractions left by obstacles, valid in all ghosts too (mirrored values are not used: shapes are evaluated
/// beyond the box as they are).
struct CutCells {
  /// Open fraction of each face in [0,1]; slivers below kSliver are closed, above 1 - kSliver opened, so that no
  /// stencil divides by next to nothing.
  FaceFields aperture;
  /// Fluid volume fraction of each cell in [0,1]; 0 where all faces are closed.
  Field volume;
  static constexpr double kSliver = 0.02;
};

/// Computes apertures and volume fractions; exact for planar surfaces (faces are clipped by the linearly interpolated
/// distance of their corners, in sub-cells where a shape is smaller than a cell). Without obstacles everything is 1.
/// Collective.
PetscErrorCode ComputeCutCells(const Grid &grid, const Obstacles &obstacles, CutCells *cut);

} // namespace krylearn
