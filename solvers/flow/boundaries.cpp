#include "solvers/flow/boundaries.h"
#include "meshes/log.h"
#include <cmath>

namespace krylearn {
using Kind = Boundary::Kind;

PetscErrorCode BoundaryConditions::SetUp(std::shared_ptr<const Grid> grid, const Boundaries &boundaries) {
  PetscFunctionBeginUser;
  grid_ = grid;
  boundaries_ = boundaries;
  const char *const names[3][2] = {{"xlo", "xhi"}, {"ylo", "yhi"}, {"zlo", "zhi"}};
  double net = 0, gross = 0;
  for (int d = 0; d < grid->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const bool periodic = boundaries[d][side].kind == Kind::kPeriodic;
      PetscCheck(periodic == grid->Periodic(d), grid->Comm(), PETSC_ERR_USER_INPUT,
                 "Side %s is %speriodic but axis %c of the grid is %s; make both sides of an axis periodic",
                 names[d][side], periodic ? "" : "not ", "xyz"[d], grid -> Periodic(d) ? "periodic" : "not");
      if (boundaries[d][side].kind != Kind::kInflow || !grid->AtBoundary(d, side)) continue;
      const Layout &l = grid->Cells();
      const PetscInt b = side == 0 ? 0 : l.n[d];
      ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
        const Int3 c{i, j, k};
        if (c[d] != (side == 0 ? 0 : l.n[d] - 1)) return;
        Real3 x{grid->Centre(0, i), grid->Centre(1, j), grid->Centre(2, k)};
        x[d] = grid->Face(d, b);
        const double period = boundaries[d][side].period;
        const double q = Value(d, side, d, x, period / 4) * grid->FaceArea(d, i, j, k);
        net += side == 0 ? q : -q;
        gross += std::abs(q);
      });
    }
  double local[2] = {net, gross}, global[2];
  PetscCallMPI(MPI_Allreduce(local, global, 2, MPI_DOUBLE, MPI_SUM, grid->Comm()));
  PetscCheck(HasOutflow() || std::abs(global[0]) <= 1e-10 * global[1], grid->Comm(), PETSC_ERR_USER_INPUT,
             "A net inflow of %g enters a box without outflow; make one side an outflow (-boundary_xhi outflow)",
             global[0]);
  PetscFunctionReturn(0);
}

bool BoundaryConditions::HasOutflow() const {
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side)
      if (!grid_->Periodic(d) && boundaries_[d][side].kind == Kind::kOutflow) return true;
  return false;
}

PetscInt BoundaryConditions::FirstFace(int axis, int direction) const {
  const Layout &l = grid_->Cells();
  return axis == direction && grid_->AtBoundary(axis, 0) && NormalGiven(axis, 0) ? l.lo[axis] + 1 : l.lo[direction];
}

PetscInt BoundaryConditions::LastFace(int axis, int direction) const {
  const Layout &l = grid_->Cells();
  return axis == direction && grid_->AtBoundary(axis, 1) && !NormalGiven(axis, 1) ? l.hi[axis] + 1 : l.hi[direction];
}

double BoundaryConditions::Value(int d, int side, int axis, const Real3 &x, double t) const {
  const Boundary &b = boundaries_[d][side];
  if (b.kind == Kind::kNoSlip) return axis == d ? 0 : b.velocity[axis];
  if (b.kind != Kind::kInflow) return 0;
  double value = b.velocity[axis];
  if (b.profile == Boundary::Profile::kParabolic)
    for (int e = 0; e < grid_->Dim(); ++e) {
      if (e == d || grid_->Periodic(e)) continue;
      const double lower = grid_->Spec().lower[e], upper = grid_->Spec().upper[e];
      value *= std::max(0.0, 4 * (x[e] - lower) * (upper - x[e]) / ((upper - lower) * (upper - lower)));
    }
  if (b.period > 0) value *= std::sin(2 * M_PI * t / b.period);
  return value;
}

/// Calls body(q, c) for every cell of the layer inside a side, all ghosts of the other axes included, so that edges and
/// corners are filled as the axes are taken one after the other. q is the offset of the cell, c its indices.
template <class Body> void BoundaryConditions::ForSide(int axis, int side, Body &&body) const {
  if (axis >= grid_->Dim() || !grid_->AtBoundary(axis, side)) return;
  const Layout &l = grid_->Cells();
  const int inner = axis == 0 ? 1 : 0, outer = axis == 2 ? 1 : 2;
  Int3 c;
  c[axis] = side == 0 ? 0 : l.n[axis] - 1;
  for (c[outer] = l.lo[outer] - l.ghosts[outer]; c[outer] < l.hi[outer] + l.ghosts[outer]; ++c[outer]) {
    c[inner] = l.lo[inner] - l.ghosts[inner];
    std::ptrdiff_t q = l.At(c[0], c[1], c[2]);
    for (; c[inner] < l.hi[inner] + l.ghosts[inner]; ++c[inner], q += l.stride[inner]) body(q, c);
  }
}

/// Location of component `a` of cell c on the plane of a side.
static Real3 PointOnSide(const Grid &grid, int axis, int side, int a, const Int3 &c) {
  Real3 x{grid.Centre(0, c[0]), grid.Centre(1, c[1]), grid.Centre(2, c[2])};
  x[a] = grid.Face(a, c[a]);
  x[axis] = grid.Face(axis, side == 0 ? 0 : grid.Cells().n[axis]);
  return x;
}

void BoundaryConditions::FillNormalFaces(FaceFields &u, double t) const {
  const Layout &l = grid_->Cells();
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      if (!NormalGiven(d, side)) continue;
      double *face = u[d].data() + (side == 0 ? 0 : l.stride[d]);
      if (boundaries_[d][side].kind == Kind::kInflow)
        ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &c) {
          Real3 x = PointOnSide(*grid_, d, side, d, c);
          face[q] = Value(d, side, d, x, t);
        });
      else ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &) { face[q] = 0; });
    }
}

void BoundaryConditions::FillVelocity(FaceFields &u, double t) const {
  PetscLogEventBegin(Log().boundary, 0, 0, 0, 0);
  FillNormalFaces(u, t);
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      if (!grid_->AtBoundary(d, side)) continue;
      FillNormalGhosts(d, side, u[d].data());
      for (int a = 0; a < grid_->Dim(); ++a)
        if (a != d) FillTangentialGhosts(d, side, a, u, t);
    }
  PetscLogEventEnd(Log().boundary, 0, 0, 0, 0);
}

/// Beyond the boundary face: odd about it, or no gradient at outflow.
void BoundaryConditions::FillNormalGhosts(int d, int side, double *u) const {
  const Layout &l = grid_->Cells();
  const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
  const double outward = side == 0 ? -1 : 1;
  double *face = u + (side == 0 ? 0 : l.stride[d]);
  const int layers = side == 0 ? 2 : 1; // the upper boundary face already takes one ghost layer
  if (boundaries_[d][side].kind == Kind::kOutflow)
    ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &) {
      double *p = face + q;
      for (int m = 1; m <= layers; ++m) p[-m * inward] = outward * p[0] >= 0 ? p[0] : 0;
    });
  else
    ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &) {
      double *p = face + q;
      for (int m = 1; m <= layers; ++m) p[-m * inward] = 2 * p[0] - p[m * inward];
    });
}

void BoundaryConditions::FillTangentialGhosts(int d, int side, int a, FaceFields &u, double t) const {
  const Layout &l = grid_->Cells();
  const Boundary &b = boundaries_[d][side];
  const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
  double *field = u[a].data();
  if (b.kind == Kind::kOutflow) {
    const double outward = side == 0 ? -1 : 1;
    const double *normal = u[d].data() + (side == 0 ? 0 : l.stride[d]);
    ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &c) {
      // Normal velocity of the outflow face, averaged to where this component lives.
      const bool edge = c[a] == l.lo[a] - l.ghosts[a];
      const double mean = outward * 0.5 * (normal[q] + normal[edge ? q : q - l.stride[a]]);
      double *p = field + q;
      p[-inward] = p[-2 * inward] = mean >= 0 ? p[0] : 0;
    });
  } else if (b.kind == Kind::kSlip) {
    ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &) {
      double *p = field + q;
      p[-inward] = p[0], p[-2 * inward] = p[inward];
    });
  } else {
    // Walls move as a whole; only inflow needs its profile evaluated.
    const bool profile = b.kind == Kind::kInflow && b.velocity[a] != 0;
    double value = b.kind == Kind::kNoSlip ? b.velocity[a] : 0;
    ForSide(d, side, [&](std::ptrdiff_t q, const Int3 &c) {
      if (profile) value = Value(d, side, a, PointOnSide(*grid_, d, side, a, c), t);
      double *p = field + q;
      p[-inward] = 2 * value - p[0], p[-2 * inward] = 2 * value - p[inward];
    });
  }
}

void BoundaryConditions::FillPressure(Field &p) const {
  const Layout &l = grid_->Cells();
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const double sign = boundaries_[d][side].kind == Kind::kOutflow ? -1 : 1;
      const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
      ForSide(d, side, [&](std::ptrdiff_t at, const Int3 &) {
        double *q = p.data() + at;
        q[-inward] = sign * q[0];
        q[-2 * inward] = sign * q[inward];
      });
    }
}

void BoundaryConditions::FillScalar(Field &s, const ScalarConfig &config, const FaceFields &u) const {
  const Layout &l = grid_->Cells();
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const Kind kind = boundaries_[d][side].kind;
      const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
      double value = config.boundary_value[d][side];
      if (std::isnan(value) && kind == Kind::kInflow) value = 0;
      ForSide(d, side, [&](std::ptrdiff_t at, const Int3 &) {
        double *q = s.data() + at;
        if (kind == Kind::kOutflow) {
          // Backflow brings what the surroundings hold: the given value, or nothing.
          const double normal = side == 0 ? -u[d][at] : u[d][at + l.stride[d]];
          q[-inward] = q[-2 * inward] = normal >= 0 ? q[0] : (std::isnan(value) ? 0 : value);
        } else if (kind == Kind::kInflow) {
          q[-inward] = q[-2 * inward] = value; // upwinding then brings exactly the inflow value
        } else {
          q[-inward] = std::isnan(value) ? q[0] : 2 * value - q[0];
          q[-2 * inward] = std::isnan(value) ? q[inward] : 2 * value - q[inward];
        }
      });
    }
}

} // namespace krylearn
