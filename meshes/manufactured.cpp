// The manufactured problem: smooth p and α, Dirichlet and Neumann data that are not zero, obstacles if wanted.
#include "meshes/obstacles.h"
#include "meshes/problems.h"
#include <cmath>

namespace krylearn {
namespace {

/// offset + scale · Π_a sin(rate[a] x_a + phase[a]), with the derivatives the equation needs.
struct Wave {
  double offset, scale;
  Real3 rate, phase;

  double Value(const Real3 &x) const { return offset + scale * Product(x, -1); }
  double Derivative(const Real3 &x, int axis) const { return scale * rate[axis] * Product(x, axis); }
  double Laplacian(const Real3 &x) const {
    return -(rate[0] * rate[0] + rate[1] * rate[1] + rate[2] * rate[2]) * scale * Product(x, -1);
  }

private:
  /// The product with the factor of `axis` differentiated (-1: none).
  double Product(const Real3 &x, int axis) const {
    double product = 1;
    for (int a = 0; a < 3; ++a) {
      const double angle = rate[a] * x[a] + phase[a];
      product *= a == axis ? std::cos(angle) : std::sin(angle);
    }
    return product;
  }
};

constexpr double kHalfPi = 1.5707963267948966;

Wave Pressure(int dim) { return {0.3, 1, {4.1, 2.9, dim == 3 ? 3.3 : 0}, {0.5, 1.1, dim == 3 ? 0.7 : kHalfPi}}; }
Wave Alpha(int dim) { return {2, 1, {3.3, 4.3, dim == 3 ? 2.7 : 0}, {0.2, 0.9, dim == 3 ? 1.3 : kHalfPi}}; }

/// Centre of the fluid part of the lower face on `axis` of `cell`, by sampling; the point farthest from the obstacles
/// where all samples miss it.
Real3 CentreOfFluid(const Grid &grid, const Obstacles &obstacles, int axis, const Int3 &cell) {
  constexpr int kSamples = 20;
  const int t = (axis + 1) % 3, s = (axis + 2) % 3;
  const int count[3] = {kSamples, kSamples, grid.Dim() == 3 ? kSamples : 1};
  Real3 x{}, mean{}, farthest{};
  double hits = 0, largest = -PETSC_MAX_REAL;
  x[axis] = grid.Face(axis, cell[axis]);
  for (int m = 0; m < count[t]; ++m)
    for (int n = 0; n < count[s]; ++n) {
      x[t] = grid.Face(t, cell[t]) + grid.Width(t, cell[t]) * (m + 0.5) / count[t];
      x[s] = grid.Face(s, cell[s]) + grid.Width(s, cell[s]) * (n + 0.5) / count[s];
      const double distance = obstacles.Distance(x);
      if (distance > largest) largest = distance, farthest = x;
      if (distance < 0) continue;
      hits += 1;
      for (int d = 0; d < 3; ++d) mean[d] += x[d];
    }
  if (hits == 0) return farthest;
  for (double &m : mean) m /= hits;
  return mean;
}

} // namespace

PetscErrorCode MakeManufacturedProblem(const ProblemSpec &spec, Problem *problem) {
  PetscFunctionBeginUser;
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  const int dim = grid.Dim();
  const Wave p = Pressure(dim), a = Alpha(dim);
  Obstacles obstacles;
  CutCells cut;
  PetscCall(ParseObstacles(grid.Comm(), dim, spec.obstacle, &obstacles));
  PetscCall(ComputeCutCells(grid, obstacles, &cut));

  // Dirichlet on the lower side of x and the upper side of the last axis, Neumann elsewhere.
  PoissonCoefficients &c = problem->coefficients;
  c.sides[0][0] = c.sides[dim - 1][1] = Side::kDirichlet;

  const auto centre = [&](PetscInt i, PetscInt j, PetscInt k) {
    return Real3{grid.Centre(0, i), grid.Centre(1, j), grid.Centre(2, k)};
  };
  const auto face_centre = [&](int axis, PetscInt i, PetscInt j, PetscInt k) {
    Real3 x = centre(i, j, k);
    x[axis] = grid.Face(axis, Int3{i, j, k}[axis]);
    return x;
  };
  for (int d = 0; d < dim; ++d) {
    Field &alpha = c.alpha[d];
    Int3 end = layout.hi;
    end[d] = layout.FaceEnd(d, grid.Periodic(d));
    for (PetscInt k = layout.lo[2]; k < end[2]; ++k)
      for (PetscInt j = layout.lo[1]; j < end[1]; ++j)
        for (PetscInt i = layout.lo[0]; i < end[0]; ++i) {
          const std::ptrdiff_t at = layout.At(i, j, k);
          alpha[at] = cut.aperture[d][at] > 0 ? cut.aperture[d][at] * a.Value(face_centre(d, i, j, k)) : 0;
        }
  }
  PetscCall(grid.Exchange(c.alpha));

  problem->exact = grid.NewField();
  problem->rhs = grid.NewField();
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    const Int3 cell{i, j, k};
    const Real3 x = centre(i, j, k);
    problem->exact[at] = p.Value(x);
    if (cut.volume[at] == 0) {
      c.solid[at] = 1;
      return;
    }
    problem->cell_alpha[at] = a.Value(x);
    problem->volume[at] = cut.volume[at] * grid.Volume(i, j, k);

    double b = 0;
    bool is_cut = cut.volume[at] < 1;
    for (int d = 0; d < dim; ++d)
      is_cut = is_cut || cut.aperture[d][at] < 1 || cut.aperture[d][at + layout.stride[d]] < 1;
    if (!is_cut) {
      double source = -a.Value(x) * p.Laplacian(x);
      for (int d = 0; d < dim; ++d) source -= a.Derivative(x, d) * p.Derivative(x, d);
      b = source * problem->volume[at];
    } else {
      // The source and the known flux through the wall, integrated over the fluid of a cut cell, are together the flux
      // through its open faces (divergence theorem). That is taken where the fluid is, not at the centre of the face as
      // the scheme does, so that the error of the scheme shows and no error of the data.
      for (int d = 0; d < dim; ++d)
        for (int side = 0; side < 2; ++side) {
          const double aperture = cut.aperture[d][at + side * layout.stride[d]];
          if (aperture == 0) continue;
          Int3 face = cell;
          face[d] += side;
          const Real3 point = aperture < 1 ? CentreOfFluid(grid, obstacles, d, face)
                                           : face_centre(d, face[0], face[1], face[2]);
          b += (side == 0 ? 1 : -1) * aperture * grid.FaceArea(d, i, j, k) * a.Value(point) * p.Derivative(point, d);
        }
    }

    for (int d = 0; d < dim; ++d)
      for (int side = 0; side < 2; ++side) {
        if (!grid.AtBoundary(d, side) || cell[d] != (side == 0 ? 0 : layout.n[d] - 1)) continue;
        Int3 face = cell;
        face[d] += side;
        const Real3 xf = face_centre(d, face[0], face[1], face[2]);
        const double alpha_area = c.alpha[d][at + side * layout.stride[d]] * grid.FaceArea(d, i, j, k);
        if (c.sides[d][side] == Side::kDirichlet) b += 2 * alpha_area / grid.Width(d, cell[d]) * p.Value(xf);
        else b += (side == 0 ? -1 : 1) * alpha_area * p.Derivative(xf, d);
      }
    problem->rhs[at] = b;
  });
  PetscCall(grid.Exchange({&c.solid, &problem->cell_alpha}));
  PetscCall(FindSingularComponents(grid, c, &problem->singular));
  if (!problem->singular.cells.empty()) {
    // An enclosed part of the fluid has a solution up to a constant only.
    Vec vec;
    PetscCall(DMGetGlobalVector(grid.PressureDM(), &vec));
    PetscCall(grid.ToVec(problem->rhs, vec));
    PetscCall(MakeCompatible(grid, problem->singular, vec));
    PetscCall(grid.FromVec(vec, &problem->rhs));
    PetscCall(DMRestoreGlobalVector(grid.PressureDM(), &vec));
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
