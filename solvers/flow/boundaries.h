/// \file
/// Boundary conditions of the flow as ghost values.
#pragma once
#include "solvers/flow/config.h"

namespace krylearn {

/// Sets velocity, pressure and scalar ghosts outside the box so that interior stencils need no special cases.
///
/// No-slip walls and inflow mirror tangential velocities oddly about the boundary value (second order), slip evenly.
/// Outflow has zero gradient; where the flow turns back in, the ghost velocity is zero instead, so that backflow
/// imports no kinetic energy (directional do-nothing, Braack & Mucha 2014). Pressure is mirrored evenly at sides with a
/// given normal velocity and oddly at outflow (p = 0 there).
class BoundaryConditions {
public:
  BoundaryConditions() = default;
  /// Checks that periodic sides match the grid and that a flow with inflow has an outflow unless the net inflow
  /// vanishes (PETSC_ERR_USER_INPUT). Collective.
  PetscErrorCode SetUp(std::shared_ptr<const Grid> grid, const Boundaries &boundaries);

  const Boundary &At(int axis, int side) const { return boundaries_[axis][side]; }
  bool HasOutflow() const;
  /// True where the normal velocity of the side is prescribed (and its face is no unknown).
  bool NormalGiven(int axis, int side) const {
    return !grid_->Periodic(axis) && boundaries_[axis][side].kind != Boundary::Kind::kOutflow;
  }
  /// Range [first, last) of unknown faces of `axis` along `direction` on this rank.
  PetscInt FirstFace(int axis, int direction) const;
  PetscInt LastFace(int axis, int direction) const;

  /// Prescribed velocity component `axis` at point x of side (d, side) at time t.
  double Value(int d, int side, int axis, const Real3 &x, double t) const;

  /// Sets prescribed normal faces and all velocity ghosts for time t. Rank-local; halos must be up to date.
  void FillVelocity(FaceFields &u, double t) const;
  /// Sets only the prescribed normal faces. Rank-local.
  void FillNormalFaces(FaceFields &u, double t) const;
  void FillPressure(Field &p) const;
  void FillScalar(Field &c, const ScalarConfig &config, const FaceFields &u) const;

private:
  template <class Body> void ForSide(int axis, int side, Body &&body) const;
  void FillNormalGhosts(int d, int side, double *u) const;
  void FillTangentialGhosts(int d, int side, int a, FaceFields &u, double t) const;
  std::shared_ptr<const Grid> grid_;
  Boundaries boundaries_{};
};

/// Calls body(c, q, face) for each owned cell along one side of the box: its indices, its offset, and that of its face
/// on the boundary. Does nothing on ranks that do not touch the side.
template <class Body> void ForBoundaryCells(const Grid &grid, int axis, int side, Body &&body) {
  if (!grid.AtBoundary(axis, side)) return;
  const Layout &l = grid.Cells();
  Int3 first = l.lo, last = l.hi, c;
  first[axis] = side == 0 ? 0 : l.n[axis] - 1;
  last[axis] = first[axis] + 1;
  for (c[2] = first[2]; c[2] < last[2]; ++c[2])
    for (c[1] = first[1]; c[1] < last[1]; ++c[1])
      for (c[0] = first[0]; c[0] < last[0]; ++c[0]) {
        const std::ptrdiff_t q = l.At(c[0], c[1], c[2]);
        body(c, q, side == 0 ? q : q + l.stride[axis]);
      }
}

} // namespace krylearn
