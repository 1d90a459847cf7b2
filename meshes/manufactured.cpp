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

    double source = -a.Value(x) * p.Laplacian(x);
    for (int d = 0; d < dim; ++d) source -= a.Derivative(x, d) * p.Derivative(x, d);
    double b = source * problem->volume[at];

    // The wall closes the surface of the fluid in the cell, so its area vector (out of the fluid) is what the open faces
    // leave; the flux through it is known.
    Real3 wall{0, 0, 0};
    bool is_cut = false;
    for (int d = 0; d < dim; ++d) {
      const double lower = cut.aperture[d][at], upper = cut.aperture[d][at + layout.stride[d]];
      wall[d] = (lower - upper) * grid.FaceArea(d, i, j, k);
      is_cut = is_cut || lower != upper;
    }
    if (is_cut) {
      // The point of the surface nearest to the cell's centre; a distance's gradient is its unit normal.
      Real3 point = x;
      const double distance = obstacles.Distance(x), probe = 1e-4 * grid.Width(0, i);
      for (int d = 0; d < dim; ++d) {
        Real3 ahead = x, behind = x;
        ahead[d] += probe;
        behind[d] -= probe;
        point[d] -= distance * (obstacles.Distance(ahead) - obstacles.Distance(behind)) / (2 * probe);
      }
      for (int d = 0; d < dim; ++d) b += a.Value(point) * p.Derivative(point, d) * wall[d];
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
