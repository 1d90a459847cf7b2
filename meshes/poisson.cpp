#include "meshes/poisson.h"
#include "meshes/log.h"

namespace krylearn {
namespace {

/// What a face adds to the matrix: α area/distance between the centres of two cells, or between a centre and the side.
class FaceCoefficients {
public:
  FaceCoefficients(const Grid &grid, const PoissonCoefficients &coefficients)
      : grid_(grid), layout_(grid.Cells()), c_(coefficients) {}

  /// Coupling through the lower (side 0) or upper (side 1) face on `axis` of fluid cell (i,j,k). `inner` tells whether
  /// there is a cell behind the face; otherwise the coupling is to the boundary.
  double operator()(int axis, int side, const Int3 &cell, std::ptrdiff_t at, bool *inner) const {
    const PetscInt face = cell[axis] + side;
    const std::ptrdiff_t f = at + side * layout_.stride[axis];
    *inner = grid_.Periodic(axis) || (face > 0 && face < layout_.n[axis]);
    const double area = grid_.FaceArea(axis, cell[0], cell[1], cell[2]);
    if (*inner) return c_.Joined(layout_, axis, f) ? c_.alpha[axis][f] * area / grid_.Distance(axis, face) : 0;
    if (c_.sides[axis][side] == Side::kNeumann) return 0;
    return 2 * c_.alpha[axis][f] * area / grid_.Width(axis, cell[axis]);
  }

private:
  const Grid &grid_;
  const Layout &layout_;
  const PoissonCoefficients &c_;
};

PetscErrorCode FillValues(const Grid &grid, const PoissonCoefficients &coefficients, Mat matrix) {
  PetscFunctionBeginUser;
  const Layout &layout = grid.Cells();
  const FaceCoefficients coupling(grid, coefficients);
  // Rows and columns are numbered in the ghosted box of the DM, which reaches across periodic sides; any matrix type
  // made by a DM (AIJ, hyprestruct, …) takes them.
  PetscInt start[3], count[3];
  PetscCall(DMDAGetGhostCorners(grid.PressureDM(), &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  const PetscInt step[3] = {1, count[0], count[0] * count[1]};
  // MatZeroEntries() of a hyprestruct matrix writes outside it (PETSc 3.18 leaves the dimension of its box unset).
  PetscBool structured;
  PetscCall(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(matrix), MATHYPRESTRUCT, &structured));
  if (!structured) PetscCall(MatZeroEntries(matrix));
  for (PetscInt k = layout.lo[2]; k < layout.hi[2]; ++k)
    for (PetscInt j = layout.lo[1]; j < layout.hi[1]; ++j)
      for (PetscInt i = layout.lo[0]; i < layout.hi[0]; ++i) {
        const Int3 cell{i, j, k};
        const std::ptrdiff_t at = layout.At(i, j, k);
        const PetscInt row = (i - start[0]) + step[1] * (j - start[1]) + step[2] * (k - start[2]);
        PetscInt columns[7], used = 1;
        PetscScalar values[7];
        double diagonal = 0;
        const bool fluid = coefficients.solid[at] == 0;
        for (int axis = 0; axis < grid.Dim(); ++axis)
          for (int side = 0; side < 2; ++side) {
            bool inner;
            double value = coupling(axis, side, cell, at, &inner);
            if (!fluid) value = 0;
            diagonal += value;
            if (!inner) continue;
            columns[used] = row + (side == 0 ? -step[axis] : step[axis]);
            values[used++] = -value; // zeros too: the pattern does not depend on the coefficients
          }
        columns[0] = row;
        values[0] = diagonal > 0 ? diagonal : 1;
        // Adding, because on a periodic axis of two cells both neighbours are the same cell – in AIJ, not in stencils.
        PetscCall(MatSetValuesLocal(matrix, 1, &row, used, columns, values, structured ? INSERT_VALUES : ADD_VALUES));
      }
  PetscCall(MatAssemblyBegin(matrix, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(matrix, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode FillPoisson(const Grid &grid, const PoissonCoefficients &coefficients, Mat matrix) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().assemble, matrix, 0, 0, 0));
  PetscCall(FillValues(grid, coefficients, matrix));
  SingularComponents components;
  PetscCall(FindSingularComponents(grid, coefficients, &components));
  MatNullSpace nullspace;
  PetscCall(CreatePoissonNullSpace(grid, components, &nullspace));
  PetscCall(MatSetOption(matrix, MAT_SPD, nullspace ? PETSC_FALSE : PETSC_TRUE));
  PetscCall(MatSetOption(matrix, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetNullSpace(matrix, nullspace));
  PetscCall(MatSetTransposeNullSpace(matrix, nullspace));
  PetscCall(MatNullSpaceDestroy(&nullspace));
  PetscCall(PetscLogEventEnd(Log().assemble, matrix, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode AssemblePoisson(const Grid &grid, const PoissonCoefficients &coefficients, Mat *matrix) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().assemble, 0, 0, 0, 0));
  PetscCall(DMCreateMatrix(grid.PressureDM(), matrix));
  PetscCall(PetscLogEventEnd(Log().assemble, 0, 0, 0, 0));
  PetscCall(FillPoisson(grid, coefficients, *matrix));
  PetscFunctionReturn(0);
}

} // namespace krylearn
