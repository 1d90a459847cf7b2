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

/// Calls body(c) for every index triple of the boundary layer of a side, with c[axis] = 0 and all ghosts of the other
/// axes included, so that edges and corners are filled as the axes are taken one after the other.
template <class Body> void BoundaryConditions::ForGhosts(int axis, int side, Body &&body) const {
  if (axis >= grid_->Dim() || !grid_->AtBoundary(axis, side)) return;
  const Layout &l = grid_->Cells();
  Int3 first, last;
  for (int d = 0; d < 3; ++d) {
    first[d] = l.lo[d] - l.ghosts[d];
    last[d] = l.hi[d] + l.ghosts[d];
  }
  first[axis] = 0;
  last[axis] = 1;
  Int3 c;
  for (c[2] = first[2]; c[2] < last[2]; ++c[2])
    for (c[1] = first[1]; c[1] < last[1]; ++c[1])
      for (c[0] = first[0]; c[0] < last[0]; ++c[0]) body(c);
}

void BoundaryConditions::FillNormalFaces(FaceFields &u, double t) const {
  const Layout &l = grid_->Cells();
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      if (!NormalGiven(d, side)) continue;
      const PetscInt b = side == 0 ? 0 : l.n[d];
      ForGhosts(d, side, [&](Int3 c) {
        Real3 x{grid_->Centre(0, c[0]), grid_->Centre(1, c[1]), grid_->Centre(2, c[2])};
        x[d] = grid_->Face(d, b);
        c[d] = b;
        u[d][l.At(c[0], c[1], c[2])] = Value(d, side, d, x, t);
      });
    }
}

void BoundaryConditions::FillVelocity(FaceFields &u, double t) const {
  PetscLogEventBegin(Log().boundary, 0, 0, 0, 0);
  const Layout &l = grid_->Cells();
  FillNormalFaces(u, t);
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const Kind kind = boundaries_[d][side].kind;
      const PetscInt b = side == 0 ? 0 : l.n[d];      // boundary face
      const PetscInt in = side == 0 ? 0 : l.n[d] - 1; // first cell inside
      const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
      const double outward = side == 0 ? -1 : 1;
      for (int a = 0; a < grid_->Dim(); ++a) {
        ForGhosts(d, side, [&](Int3 c) {
          if (a == d) {
            c[d] = b;
            double *p = &u[a][l.At(c[0], c[1], c[2])];
            // Beyond the boundary face: odd about it, or no gradient at outflow.
            for (int m = 1; m <= (side == 0 ? 2 : 1); ++m)
              p[-m * inward] = kind == Kind::kOutflow ? (outward * p[0] >= 0 ? p[0] : 0) : 2 * p[0] - p[m * inward];
            return;
          }
          c[d] = in;
          double *p = &u[a][l.At(c[0], c[1], c[2])];
          if (kind == Kind::kOutflow) {
            // Normal velocity of the outflow face, averaged to where this component lives.
            Int3 f = c;
            f[d] = b;
            const std::ptrdiff_t q = l.At(f[0], f[1], f[2]);
            const bool edge = c[a] == l.lo[a] - l.ghosts[a];
            const double normal = outward * 0.5 * (u[d][q] + u[d][edge ? q : q - l.stride[a]]);
            p[-inward] = p[-2 * inward] = normal >= 0 ? p[0] : 0;
            return;
          }
          double value = 0;
          if (kind != Kind::kSlip) {
            Real3 x{grid_->Centre(0, c[0]), grid_->Centre(1, c[1]), grid_->Centre(2, c[2])};
            x[a] = grid_->Face(a, c[a]);
            x[d] = grid_->Face(d, b);
            value = Value(d, side, a, x, t);
          }
          for (int m = 1; m <= 2; ++m) {
            const double mirrored = p[(m - 1) * inward];
            p[-m * inward] = kind == Kind::kSlip ? mirrored : 2 * value - mirrored;
          }
        });
      }
    }
  PetscLogEventEnd(Log().boundary, 0, 0, 0, 0);
}

void BoundaryConditions::FillPressure(Field &p) const {
  const Layout &l = grid_->Cells();
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const double sign = boundaries_[d][side].kind == Kind::kOutflow ? -1 : 1;
      const std::ptrdiff_t inward = side == 0 ? l.stride[d] : -l.stride[d];
      ForGhosts(d, side, [&](Int3 c) {
        c[d] = side == 0 ? 0 : l.n[d] - 1;
        double *q = &p[l.At(c[0], c[1], c[2])];
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
      ForGhosts(d, side, [&](Int3 c) {
        c[d] = side == 0 ? 0 : l.n[d] - 1;
        const std::ptrdiff_t at = l.At(c[0], c[1], c[2]);
        double *q = &s[at];
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
