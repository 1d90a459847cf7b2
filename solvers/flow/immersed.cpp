#include "solvers/flow/immersed.h"
#include "meshes/log.h"
#include <cmath>

namespace krylearn {
namespace {
/// Walls nearer than this fraction of a cell are moved out to it: the change is far below the truncation error and the
/// weights stay bounded.
constexpr double kNearestWall = 0.02;
} // namespace

PetscErrorCode ImmersedBoundary::SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                                       const Obstacles &obstacles, const CutCells &cut) {
  PetscFunctionBeginUser;
  grid_ = grid;
  boundaries_ = boundaries;
  empty_ = obstacles.Empty();
  if (empty_) PetscFunctionReturn(0);
  PetscCheck(grid->Uniform(), grid->Comm(), PETSC_ERR_USER_INPUT,
             "Obstacles need a uniform grid; leave out the stretching");
  cut_ = &cut;
  PetscCall(PetscLogEventBegin(Log().geometry, 0, 0, 0, 0));
  PetscCall(Classify(obstacles, cut));
  PetscCall(PetscLogEventEnd(Log().geometry, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode ImmersedBoundary::Classify(const Obstacles &obstacles, const CutCells &cut) {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  const int dim = grid_->Dim();
  for (int a = 0; a < dim; ++a) {
    Int3 first, last, c;
    for (int d = 0; d < 3; ++d) {
      first[d] = d < dim ? boundaries_->FirstFace(a, d) : l.lo[d];
      last[d] = d < dim ? boundaries_->LastFace(a, d) : l.hi[d];
    }
    const PetscInt gx = 1, gz = dim == 3 ? 1 : 0;
    for (c[2] = l.lo[2] - gz; c[2] < l.hi[2] + gz; ++c[2])
      for (c[1] = l.lo[1] - 1; c[1] < l.hi[1] + 1; ++c[1])
        for (c[0] = l.lo[0] - gx; c[0] < l.hi[0] + gx; ++c[0]) {
          const std::ptrdiff_t q = l.At(c[0], c[1], c[2]);
          bool unknown = true;
          for (int d = 0; d < 3; ++d) unknown = unknown && c[d] >= first[d] && c[d] < last[d];
          if (cut.aperture[a][q] == 0) {
            (unknown ? closed_ : closed_ghosts_)[a].push_back(q);
            continue;
          }
          if (!unknown) continue;
          // Regular only if all faces of both adjacent cells and the neighbours of this component are fully open.
          bool regular = true;
          for (int d = 0; d < dim && regular; ++d) {
            const std::ptrdiff_t s = l.stride[d], sa = l.stride[a];
            for (std::ptrdiff_t r : {q, q + s, q - sa, q - sa + s}) regular = regular && cut.aperture[d][r] == 1;
            regular = regular && cut.aperture[a][q + s] == 1 && cut.aperture[a][q - s] == 1;
          }
          if (!regular) irregular_[a].push_back(Stencil(a, c, obstacles, cut));
        }
  }
  PetscFunctionReturn(0);
}

ImmersedBoundary::Face ImmersedBoundary::Stencil(int a, const Int3 &c, const Obstacles &obstacles,
                                                 const CutCells &cut) const {
  const Layout &l = grid_->Cells();
  const int dim = grid_->Dim();
  Face face;
  face.q = l.At(c[0], c[1], c[2]);
  face.weight.fill(0);
  face.diagonal = 0;
  Real3 x{grid_->Centre(0, c[0]), grid_->Centre(1, c[1]), grid_->Centre(2, c[2])};
  x[a] = grid_->Face(a, c[a]);

  if (obstacles.Distance(x) > 0) {
    for (int d = 0; d < dim; ++d) {
      const double h = grid_->Width(d, c[d]);
      double reach[2];
      bool wall[2];
      for (int side = 0; side < 2; ++side) {
        const double step = side == 0 ? -h : h;
        Real3 y = x;
        y[d] += step;
        const std::ptrdiff_t neighbour = face.q + (side == 0 ? -l.stride[d] : l.stride[d]);
        const double cross = obstacles.AxisCut(x, d, step);
        wall[side] = cross < 1 || obstacles.Distance(y) <= 0 || cut.aperture[a][neighbour] == 0;
        reach[side] = wall[side] ? std::max(cross, kNearestWall) * h : h;
      }
      for (int side = 0; side < 2; ++side) {
        const double weight = 2 / (reach[side] * (reach[0] + reach[1]));
        face.diagonal += weight;
        if (!wall[side]) face.weight[2 * d + side] = weight;
      }
    }
    return face;
  }

  // Centre inside the obstacle, but partly open: the value sits in the middle of the open part. The open side is where
  // the distance grows, along the in-plane axis on which it grows most.
  int axis = -1;
  double steepest = 0;
  bool upwards = true;
  for (int d = 0; d < dim; ++d) {
    if (d == a) continue;
    const double h = grid_->Width(d, c[d]);
    Real3 below = x, above = x;
    below[d] -= 0.5 * h;
    above[d] += 0.5 * h;
    const double slope = (obstacles.Distance(above) - obstacles.Distance(below)) / h;
    if (std::abs(slope) >= steepest) steepest = std::abs(slope), axis = d, upwards = slope > 0;
  }
  const double h = grid_->Width(axis, c[axis]), open = cut.aperture[a][face.q];
  const double to_wall = std::max(0.5 * open, kNearestWall) * h, to_neighbour = 0.5 * (1 + open) * h;
  const double wall = 2 / (to_wall * (to_wall + to_neighbour));
  const double outer = 2 / (to_neighbour * (to_wall + to_neighbour));
  face.weight[2 * axis + upwards] = outer;
  face.diagonal = wall + outer;
  return face;
}

double ImmersedBoundary::Advect(int a, std::ptrdiff_t q, const FaceFields &u, double *imbalance) const {
  const Layout &l = grid_->Cells();
  const std::ptrdiff_t sa = l.stride[a];
  const double *c = u[a].data() + q;
  double tendency = 0, net = 0;
  for (int d = 0; d < grid_->Dim(); ++d) {
    const std::ptrdiff_t s = l.stride[d];
    const double f = 1 / grid_->Width(d, l.lo[d]);
    const double *v = u[d].data() + q, *open = cut_->aperture[d].data() + q;
    double hi, lo, plain_hi, plain_lo;
    if (d == a) {
      hi = 0.5 * (open[0] * v[0] + open[s] * v[s]), lo = 0.5 * (open[-s] * v[-s] + open[0] * v[0]);
      plain_hi = 0.5 * (v[0] + v[s]), plain_lo = 0.5 * (v[-s] + v[0]);
    } else {
      hi = 0.5 * (open[s - sa] * v[s - sa] + open[s] * v[s]), lo = 0.5 * (open[-sa] * v[-sa] + open[0] * v[0]);
      plain_hi = 0.5 * (v[s - sa] + v[s]), plain_lo = 0.5 * (v[-sa] + v[0]);
    }
    tendency -= 0.5 * f * (hi * (c[s] - c[0]) + lo * (c[0] - c[-s]));
    net += f * (plain_hi - plain_lo);
  }
  *imbalance = -net * c[0];
  return tendency;
}

double ImmersedBoundary::Diffuse(int a, const Face &face, const FaceFields &u) const {
  const Layout &l = grid_->Cells();
  const double *c = u[a].data() + face.q;
  double sum = 0;
  for (int d = 0; d < grid_->Dim(); ++d)
    sum += face.weight[2 * d] * c[-l.stride[d]] + face.weight[2 * d + 1] * c[l.stride[d]];
  return sum;
}

PetscErrorCode ImmersedBoundary::ExplicitStage(int stage, double dt, double nu, const FaceFields &u,
                                               const FaceFields &u_old, const Field &p, const Real3 &force,
                                               const FaceFields &buoyancy, FaceFields *out, bool implicit_diagonal) {
  PetscFunctionBeginUser;
  if (empty_) PetscFunctionReturn(0);
  PetscCall(PetscLogEventBegin(Log().obstacle, 0, 0, 0, 0));
  const Layout &l = grid_->Cells();
  const Stage &weights = kStages[stage];
  for (int a = 0; a < grid_->Dim(); ++a) {
    const double spacing = 1 / grid_->Width(a, l.lo[a]);
    double defect = 0;
    for (const Face &face : irregular_[a]) {
      const std::ptrdiff_t q = face.q;
      double imbalance;
      const double advection = Advect(a, q, u, &imbalance);
      const double gradient = (p[q] - p[q - l.stride[a]]) * spacing;
      double rate = advection - gradient + force[a] + nu * Diffuse(a, face, u);
      if (!buoyancy[a].empty()) rate += buoyancy[a][q];
      const double friction = dt * nu * face.diagonal;
      const double euler =
          implicit_diagonal ? (u[a][q] + dt * rate) / (1 + friction) : u[a][q] * (1 - friction) + dt * rate;
      const double value = weights.old * u_old[a][q] + weights.euler * euler;
      // The regular update in conservative form is what the fluid would do without the obstacle.
      defect += value - ((*out)[a][q] + weights.euler * dt * imbalance);
      (*out)[a][q] = value;
    }
    for (std::ptrdiff_t q : closed_[a]) {
      defect -= (*out)[a][q];
      (*out)[a][q] = 0;
    }
    impulse_[a] += kStageShare[stage] * defect;
  }
  PetscCall(PetscLogFlops(double(IrregularFaces()) * (25 * grid_->Dim() + 12)));
  PetscCall(PetscLogEventEnd(Log().obstacle, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode ImmersedBoundary::CloseFaces(int stage, double step, const Field &phi, FaceFields *u) {
  PetscFunctionBeginUser;
  if (empty_) PetscFunctionReturn(0);
  const Layout &l = grid_->Cells();
  for (int a = 0; a < grid_->Dim(); ++a) {
    const double spacing = 1 / grid_->Width(a, l.lo[a]);
    double defect = 0;
    for (std::ptrdiff_t q : closed_[a]) {
      defect += step * (phi[q] - phi[q - l.stride[a]]) * spacing;
      (*u)[a][q] = 0;
    }
    for (std::ptrdiff_t q : closed_ghosts_[a]) (*u)[a][q] = 0;
    if (stage >= 0) impulse_[a] += kStageShare[stage] * defect;
  }
  PetscFunctionReturn(0);
}

void ImmersedBoundary::ZeroClosed(FaceFields *u) const {
  for (int a = 0; a < 3; ++a) {
    for (std::ptrdiff_t q : closed_[a]) (*u)[a][q] = 0;
    for (std::ptrdiff_t q : closed_ghosts_[a]) (*u)[a][q] = 0;
  }
}

PetscErrorCode ImmersedBoundary::Force(double dt, Real3 *force) const {
  PetscFunctionBeginUser;
  force->fill(0);
  if (empty_) PetscFunctionReturn(0);
  const Layout &l = grid_->Cells();
  const double volume = grid_->Volume(l.lo[0], l.lo[1], l.lo[2]);
  Real3 local;
  for (int a = 0; a < 3; ++a) local[a] = -impulse_[a] * volume / dt;
  PetscCallMPI(MPI_Allreduce(local.data(), force->data(), 3, MPI_DOUBLE, MPI_SUM, grid_->Comm()));
  PetscFunctionReturn(0);
}

double ImmersedBoundary::RegularLaplacian(int a, std::ptrdiff_t q, const FaceFields &u) const {
  const Layout &l = grid_->Cells();
  const double *c = u[a].data() + q;
  double sum = 0;
  for (int d = 0; d < grid_->Dim(); ++d) {
    const double inverse = 1 / grid_->Width(d, l.lo[d]);
    sum += inverse * inverse * (c[l.stride[d]] - 2 * c[0] + c[-l.stride[d]]);
  }
  return sum;
}

void ImmersedBoundary::BookAdvection(double share, double dt, const FaceFields &u, const FaceFields &n) {
  for (int a = 0; a < grid_->Dim(); ++a) {
    double sum = 0, imbalance;
    for (const Face &face : irregular_[a]) {
      Advect(a, face.q, u, &imbalance);
      sum += n[a][face.q] + imbalance;
    }
    for (std::ptrdiff_t q : closed_[a]) sum += n[a][q];
    impulse_[a] -= share * dt * sum;
  }
}

void ImmersedBoundary::BookImplicitStep(double dt, double nu, const FaceFields &u_old, const FaceFields &u_predicted,
                                        const FaceFields &u_new, const Field &p, const Field &phi, const Real3 &force) {
  const Layout &l = grid_->Cells();
  for (int a = 0; a < grid_->Dim(); ++a) {
    const double spacing = 1 / grid_->Width(a, l.lo[a]);
    const auto defect = [&](std::ptrdiff_t q) {
      const double viscous = 0.5 * nu * (RegularLaplacian(a, q, u_old) + RegularLaplacian(a, q, u_predicted));
      const std::ptrdiff_t below = q - l.stride[a];
      const double gradient = (p[q] - p[below] + phi[q] - phi[below]) * spacing;
      return u_new[a][q] - u_old[a][q] - dt * (viscous - gradient + force[a]);
    };
    double sum = 0;
    for (const Face &face : irregular_[a]) sum += defect(face.q);
    for (std::ptrdiff_t q : closed_[a]) sum += defect(q);
    impulse_[a] += sum;
  }
}

void ImmersedBoundary::FixAdvection(const FaceFields &u, const FaceFields &buoyancy, FaceFields *out) const {
  double unused;
  for (int a = 0; a < grid_->Dim(); ++a) {
    for (const Face &face : irregular_[a])
      (*out)[a][face.q] = Advect(a, face.q, u, &unused) + (buoyancy[a].empty() ? 0 : buoyancy[a][face.q]);
    for (std::ptrdiff_t q : closed_[a]) (*out)[a][q] = 0;
  }
}

void ImmersedBoundary::FixDiffusion(double nu, const FaceFields &u, FaceFields *out) const {
  for (int a = 0; a < grid_->Dim(); ++a) {
    for (const Face &face : irregular_[a])
      (*out)[a][face.q] = nu * (Diffuse(a, face, u) - face.diagonal * u[a][face.q]);
    for (std::ptrdiff_t q : closed_[a]) (*out)[a][q] = 0;
  }
}

} // namespace krylearn
