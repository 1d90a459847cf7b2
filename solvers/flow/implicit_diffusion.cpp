#include "solvers/flow/implicit_diffusion.h"
#include "meshes/log.h"
#include "solvers/poisson_preconditioner.h"
#include <cmath>

namespace krylearn {
namespace {

/// One row of a star stencil on a DMDA: centre and the two neighbours of each axis.
struct Row {
  double centre = 0;
  std::array<double, 6> neighbour{}; // axis 0 below, above, axis 1 below, …
};

PetscErrorCode InsertRow(Mat matrix, const Grid &grid, const Int3 &c, const Row &row) {
  PetscFunctionBeginUser;
  const Layout &l = grid.Cells();
  MatStencil at{c[2], c[1], c[0], 0}, columns[7];
  PetscScalar values[7];
  PetscInt count = 0;
  columns[count] = at;
  values[count++] = row.centre;
  for (int d = 0; d < grid.Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      Int3 n = c;
      n[d] += side == 0 ? -1 : 1;
      if (!grid.Periodic(d) && (n[d] < 0 || n[d] >= l.n[d])) continue;
      columns[count] = {n[2], n[1], n[0], 0};
      values[count++] = row.neighbour[2 * d + side];
    }
  // On a periodic axis of two cells both neighbours are one column; adding lets them merge.
  PetscCall(MatSetValuesStencil(matrix, 1, &at, count, columns, values, ADD_VALUES));
  PetscFunctionReturn(0);
}

/// Sign with which a homogeneous boundary ghost repeats its interior neighbour.
double GhostSign(const Boundary &b) {
  return b.kind == Boundary::Kind::kNoSlip || b.kind == Boundary::Kind::kInflow ? -1 : 1;
}

} // namespace

ImplicitDiffusion::~ImplicitDiffusion() {
  PetscBool finalized = PETSC_FALSE;
  PetscFinalized(&finalized);
  if (finalized) return;
  KSPDestroy(&ksp_);
  MatDestroy(&laplacian_);
  MatDestroy(&system_);
  VecDestroy(&rhs_);
  VecDestroy(&solution_);
}

PetscErrorCode ImplicitDiffusion::SetUpVelocity(std::shared_ptr<const Grid> grid, const BoundaryConditions &boundaries,
                                                const ImmersedBoundary &immersed, int axis) {
  PetscFunctionBeginUser;
  grid_ = grid;
  const Layout &l = grid->Cells();
  PetscCall(DMCreateMatrix(grid->PressureDM(), &laplacian_));
  // What is known per face: 0 regular, 1 irregular (weights below), 2 fixed.
  std::vector<char> kind(l.size, 0);
  std::vector<PetscInt> index(l.size, -1);
  std::vector<Row> special;
  for (std::ptrdiff_t q : immersed.Closed()[axis]) kind[q] = 2;
  immersed.ForIrregularRows([&](int a, std::ptrdiff_t q, double diagonal, const std::array<double, 6> &weight) {
    if (a != axis) return;
    kind[q] = 1;
    index[q] = special.size();
    special.push_back({-diagonal, weight});
  });
  PetscErrorCode ierr = 0;
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    if (ierr) return;
    const Int3 c{i, j, k};
    const std::ptrdiff_t q = l.At(i, j, k);
    const bool given = c[axis] == 0 && !grid->Periodic(axis); // or outflow, which has no row either
    Row row;
    if (given || kind[q] == 2) {
      ierr = InsertRow(laplacian_, *grid, c, row);
      return;
    }
    if (kind[q] == 1) row = special[index[q]];
    for (int d = 0; d < grid->Dim(); ++d)
      for (int side = 0; side < 2; ++side) {
        double &weight = row.neighbour[2 * d + side];
        if (kind[q] == 0) {
          if (d == axis) weight = grid->InverseDistance(d)[c[d]] * grid->InverseWidth(d)[c[d] - 1 + side];
          else weight = grid->InverseWidth(d)[c[d]] * grid->InverseDistance(d)[c[d] + side];
          weight *= 0.5;
          row.centre -= weight;
        }
        if (d == axis) {
          // The next face is on the boundary: given ones have no increment, outflow ones that of this face.
          const bool next = !grid->Periodic(d) && c[d] == (side == 0 ? 1 : l.n[d] - 1);
          if (!next) continue;
          if (!boundaries.NormalGiven(d, side)) row.centre += weight;
        } else {
          const bool outside = grid->AtBoundary(d, side) && c[d] == (side == 0 ? 0 : l.n[d] - 1);
          if (!outside) continue;
          row.centre += weight * GhostSign(boundaries.At(d, side));
        }
        weight = 0;
      }
    ierr = InsertRow(laplacian_, *grid, c, row);
  });
  PetscCall(ierr);
  PetscCall(Finish("velocity_"));
  PetscFunctionReturn(0);
}

PetscErrorCode ImplicitDiffusion::SetUpScalar(std::shared_ptr<const Grid> grid, const BoundaryConditions &boundaries,
                                              const ScalarConfig &config, const FaceFields &aperture,
                                              const Field &capacity) {
  PetscFunctionBeginUser;
  grid_ = grid;
  const Layout &l = grid->Cells();
  PetscCall(DMCreateMatrix(grid->PressureDM(), &laplacian_));
  PetscErrorCode ierr = 0;
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    if (ierr) return;
    const Int3 c{i, j, k};
    const std::ptrdiff_t q = l.At(i, j, k);
    Row row;
    if (capacity[q] > 0)
      for (int d = 0; d < grid->Dim(); ++d)
        for (int side = 0; side < 2; ++side) {
          double weight = 0.5 * grid->InverseWidth(d)[c[d]] * grid->InverseDistance(d)[c[d] + side];
          weight *= aperture[d][q + (side == 0 ? 0 : l.stride[d])] / capacity[q];
          row.centre -= weight;
          const bool outside = grid->AtBoundary(d, side) && c[d] == (side == 0 ? 0 : l.n[d] - 1);
          if (!outside) {
            row.neighbour[2 * d + side] = weight;
          } else if (boundaries.At(d, side).kind == Boundary::Kind::kInflow) {
            // the ghost holds the inflow value itself
          } else {
            const bool open =
                std::isnan(config.boundary_value[d][side]) || boundaries.At(d, side).kind == Boundary::Kind::kOutflow;
            row.centre += open ? weight : -weight;
          }
        }
    ierr = InsertRow(laplacian_, *grid, c, row);
  });
  PetscCall(ierr);
  PetscCall(Finish("scalar_"));
  PetscFunctionReturn(0);
}

PetscErrorCode ImplicitDiffusion::Finish(const char *prefix) {
  PetscFunctionBeginUser;
  PetscCall(MatAssemblyBegin(laplacian_, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(laplacian_, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDuplicate(laplacian_, MAT_COPY_VALUES, &system_));
  PetscCall(MatCreateVecs(system_, &solution_, &rhs_));
  PetscCall(KSPCreate(grid_->Comm(), &ksp_));
  PetscCall(KSPSetOptionsPrefix(ksp_, prefix));
  PetscCall(KSPSetType(ksp_, KSPBCGS)); // Shortley–Weller rows are not symmetric
  PetscCall(KSPSetTolerances(ksp_, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, 500));
  PetscCall(KSPSetNormType(ksp_, KSP_NORM_UNPRECONDITIONED));
  PC pc;
  PetscCall(KSPGetPC(ksp_, &pc));
  PetscCall(PCSetType(pc, PCJACOBI));
  PetscCall(KSPSetFromOptions(ksp_));
  PetscCall(StopOnTrueResidual(ksp_));
  PetscFunctionReturn(0);
}

PetscErrorCode ImplicitDiffusion::Solve(double s, Field *x) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().diffusion, 0, 0, 0, 0));
  if (s != current_) {
    PetscCall(MatCopy(laplacian_, system_, SAME_NONZERO_PATTERN));
    PetscCall(MatScale(system_, -s));
    PetscCall(MatShift(system_, 1));
    PetscCall(KSPSetOperators(ksp_, system_, system_));
    current_ = s;
  }
  PetscCall(grid_->ToVec(*x, rhs_));
  PetscCall(KSPSolve(ksp_, rhs_, solution_));
  PetscInt its;
  KSPConvergedReason reason;
  PetscCall(KSPGetIterationNumber(ksp_, &its));
  PetscCall(KSPGetConvergedReason(ksp_, &reason));
  const char *prefix;
  PetscCall(KSPGetOptionsPrefix(ksp_, &prefix));
  PetscCheck(reason > 0, grid_->Comm(), PETSC_ERR_NOT_CONVERGED,
             "Implicit diffusion did not converge (%s after %" PetscInt_FMT
             " iterations); try -%sksp_type gmres or a smaller time step",
             KSPConvergedReasons[reason], its, prefix);
  iterations_ += its;
  PetscCall(grid_->FromVec(solution_, x));
  PetscCall(PetscLogEventEnd(Log().diffusion, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

} // namespace krylearn
