/// \file
/// Small model matrices for the tests of PCNMG, made without the project's grids, and solves with it.
#pragma once
#include "meshes/random.h"
#include "solvers/pc/nmg.h"
#include "tests/mpi_test.h"
#include <array>
#include <functional>
#include <petscdmda.h>
#include <petscksp.h>

namespace krylearn_test {

using Cell = std::array<PetscInt, 3>;

/// −∇·(α∇p) on a grid of unit cells.
struct ModelSpec {
  Cell n{16, 16, 1};
  std::array<bool, 3> periodic{false, false, false};
  std::array<std::array<bool, 2>, 3> dirichlet{};
  /// α of the lower face of cell (i,j,k) on an axis; 0 closes the face.
  std::function<double(int axis, const Cell &)> alpha = [](int, const Cell &) { return 1.0; };

  PetscInt Number(const Cell &c) const { return c[0] + n[0] * (c[1] + n[1] * c[2]); }
  /// Calls `entry(cell, value)` for the neighbours of a cell and returns its diagonal, 1 where all faces are closed.
  template <class Entry> double Row(const Cell &c, Entry &&entry) const {
    double diagonal = 0;
    for (std::size_t a = 0; a < 3; ++a)
      for (PetscInt side = 0; side < 2 && n[a] > 1; ++side) {
        Cell face = c, other = c;
        face[a] += side;
        other[a] += 2 * side - 1;
        const bool outside = other[a] < 0 || other[a] >= n[a];
        if (periodic[a]) face[a] %= n[a];
        const double value = alpha(int(a), face);
        if (value == 0 || (outside && !periodic[a] && !dirichlet[a][std::size_t(side)])) continue;
        diagonal += outside && !periodic[a] ? 2 * value : value;
        if (outside && !periodic[a]) continue;
        other[a] = (other[a] + n[a]) % n[a];
        entry(other, -value);
      }
    return diagonal > 0 ? diagonal : 1;
  }
};

inline ModelSpec Dirichlet(const Cell &n) {
  ModelSpec spec;
  spec.n = n;
  for (auto &axis : spec.dirichlet) axis = {true, true};
  return spec;
}

/// Owns PETSc objects.
struct Model {
  DM dm = nullptr;
  Mat A = nullptr;
  Vec b = nullptr, x = nullptr;
  Model() = default;
  Model(const Model &) = delete;
  ~Model() {
    VecDestroy(&b);
    VecDestroy(&x);
    MatDestroy(&A);
    DMDestroy(&dm);
  }
};

/// Fills a vector of a DMDA with a function of the cell.
template <class Function> void Fill(DM dm, Vec vec, Function &&function) {
  Cell lo, size;
  PetscScalar *values;
  ASSERT_PETSC_OK(DMDAGetCorners(dm, &lo[0], &lo[1], &lo[2], &size[0], &size[1], &size[2]));
  ASSERT_PETSC_OK(VecGetArrayWrite(vec, &values));
  for (PetscInt k = 0, at = 0; k < size[2]; ++k)
    for (PetscInt j = 0; j < size[1]; ++j)
      for (PetscInt i = 0; i < size[0]; ++i) values[at++] = function(Cell{lo[0] + i, lo[1] + j, lo[2] + k});
  ASSERT_PETSC_OK(VecRestoreArrayWrite(vec, &values));
}

inline double RandomEntry(PetscInt number) { return 2 * krylearn::Uniform(1, 1, std::uint64_t(number)) - 1; }

/// Puts the values of `spec` into a matrix of the DMDA.
inline void FillMatrix(const ModelSpec &spec, DM dm, Mat A) {
  Cell lo, size;
  ASSERT_PETSC_OK(DMDAGetCorners(dm, &lo[0], &lo[1], &lo[2], &size[0], &size[1], &size[2]));
  ASSERT_PETSC_OK(MatZeroEntries(A));
  const auto add = [A](const Cell &r, Cell c, double value) {
    const MatStencil row{r[2], r[1], r[0], 0}, column{c[2], c[1], c[0], 0};
    ASSERT_PETSC_OK(MatSetValuesStencil(A, 1, &row, 1, &column, &value, ADD_VALUES));
  };
  for (PetscInt k = lo[2]; k < lo[2] + size[2]; ++k)
    for (PetscInt j = lo[1]; j < lo[1] + size[1]; ++j)
      for (PetscInt i = lo[0]; i < lo[0] + size[0]; ++i) {
        const Cell cell{i, j, k};
        const double diagonal = spec.Row(cell, [&](Cell other, double value) {
          // Across a periodic side MatSetValuesStencil() wants the ghost's index.
          for (std::size_t a = 0; a < 3; ++a)
            if (spec.n[a] > 2 && other[a] - cell[a] > 1) other[a] -= spec.n[a];
            else if (spec.n[a] > 2 && cell[a] - other[a] > 1) other[a] += spec.n[a];
          add(cell, other, value);
        });
        add(cell, cell, diagonal);
      }
  ASSERT_PETSC_OK(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
}

/// A matrix on a DMDA with a random right-hand side; `constants` attaches them as its null space.
inline void MakeModel(MPI_Comm comm, const ModelSpec &spec, Model *m, bool constants = false) {
  const auto kind = [&spec](std::size_t a) {
    return spec.periodic[a] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  };
  const Cell &n = spec.n;
  if (n[2] > 1)
    ASSERT_PETSC_OK(DMDACreate3d(comm, kind(0), kind(1), kind(2), DMDA_STENCIL_STAR, n[0], n[1], n[2], PETSC_DECIDE,
                                 PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, nullptr, &m->dm));
  else
    ASSERT_PETSC_OK(DMDACreate2d(comm, kind(0), kind(1), DMDA_STENCIL_STAR, n[0], n[1], PETSC_DECIDE, PETSC_DECIDE, 1,
                                 1, nullptr, nullptr, &m->dm));
  ASSERT_PETSC_OK(DMSetUp(m->dm));
  ASSERT_PETSC_OK(DMCreateMatrix(m->dm, &m->A));
  FillMatrix(spec, m->dm, m->A);
  ASSERT_PETSC_OK(DMCreateGlobalVector(m->dm, &m->b));
  ASSERT_PETSC_OK(VecDuplicate(m->b, &m->x));
  Fill(m->dm, m->b, [&spec](const Cell &c) { return RandomEntry(spec.Number(c)); });
  if (!constants) return;
  MatNullSpace nullspace;
  ASSERT_PETSC_OK(MatNullSpaceCreate(comm, PETSC_TRUE, 0, nullptr, &nullspace));
  ASSERT_PETSC_OK(MatSetNullSpace(m->A, nullspace));
  ASSERT_PETSC_OK(MatNullSpaceRemove(nullspace, m->b));
  ASSERT_PETSC_OK(MatNullSpaceDestroy(&nullspace));
}

/// The same in natural ordering, without a DM. `entries` may change a row: it gets the row, its columns and values.
using Row = std::vector<std::pair<PetscInt, double>>;
inline void MakeNaturalModel(const ModelSpec &spec, Model *m,
                             const std::function<void(PetscInt, Row *)> &change = nullptr) {
  MPI_Comm comm = PETSC_COMM_WORLD;
  const PetscInt rows = spec.n[0] * spec.n[1] * spec.n[2];
  PetscInt first, end;
  ASSERT_PETSC_OK(MatCreateAIJ(comm, PETSC_DECIDE, PETSC_DECIDE, rows, rows, 9, nullptr, 9, nullptr, &m->A));
  ASSERT_PETSC_OK(MatGetOwnershipRange(m->A, &first, &end));
  ASSERT_PETSC_OK(MatCreateVecs(m->A, &m->x, &m->b));
  for (PetscInt row = first; row < end; ++row) {
    const Cell cell{row % spec.n[0], row / spec.n[0] % spec.n[1], row / (spec.n[0] * spec.n[1])};
    Row entries;
    const double diagonal =
        spec.Row(cell, [&](const Cell &other, double value) { entries.push_back({spec.Number(other), value}); });
    entries.push_back({row, diagonal});
    if (change) change(row, &entries);
    for (const auto &entry : entries) ASSERT_PETSC_OK(MatSetValue(m->A, row, entry.first, entry.second, INSERT_VALUES));
    ASSERT_PETSC_OK(VecSetValue(m->b, row, RandomEntry(row), INSERT_VALUES));
  }
  ASSERT_PETSC_OK(MatAssemblyBegin(m->A, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(MatAssemblyEnd(m->A, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(VecAssemblyBegin(m->b));
  ASSERT_PETSC_OK(VecAssemblyEnd(m->b));
}

/// Conjugate gradients with PCNMG, stopping on the true residual.
struct Solver {
  KSP ksp = nullptr;
  PC pc = nullptr;
  explicit Solver(Mat A, double tolerance = 1e-8) {
    EXPECT_PETSC_OK(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
    EXPECT_PETSC_OK(KSPSetOperators(ksp, A, A));
    EXPECT_PETSC_OK(KSPSetType(ksp, KSPCG));
    EXPECT_PETSC_OK(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    EXPECT_PETSC_OK(KSPSetTolerances(ksp, tolerance, 1e-300, 1e5, 200));
    EXPECT_PETSC_OK(KSPGetPC(ksp, &pc));
    EXPECT_PETSC_OK(PCSetType(pc, PCNMG));
  }
  Solver(const Solver &) = delete;
  ~Solver() { KSPDestroy(&ksp); }

  /// Iterations to the tolerance; 1000 where it is not reached, which the true residual confirms.
  PetscInt Solve(Vec b, Vec x, double tolerance = 1e-8) {
    KSPConvergedReason reason;
    PetscInt iterations;
    PetscReal norm, scale;
    Mat A;
    Vec r;
    EXPECT_PETSC_OK(KSPSetTolerances(ksp, tolerance, 1e-300, 1e5, 200));
    EXPECT_PETSC_OK(KSPSolve(ksp, b, x));
    EXPECT_PETSC_OK(KSPGetConvergedReason(ksp, &reason));
    EXPECT_PETSC_OK(KSPGetIterationNumber(ksp, &iterations));
    EXPECT_PETSC_OK(KSPGetOperators(ksp, &A, nullptr));
    EXPECT_PETSC_OK(VecDuplicate(b, &r));
    EXPECT_PETSC_OK(MatMult(A, x, r));
    EXPECT_PETSC_OK(VecAYPX(r, -1, b));
    EXPECT_PETSC_OK(VecNorm(r, NORM_2, &norm));
    EXPECT_PETSC_OK(VecNorm(b, NORM_2, &scale));
    EXPECT_PETSC_OK(VecDestroy(&r));
    EXPECT_GT(reason, 0) << KSPConvergedReasons[reason] << " after " << iterations;
    EXPECT_LE(norm, 1.1 * tolerance * scale);
    return reason > 0 ? iterations : 1000;
  }
};

/// Iterations of a fresh solver with default settings.
inline PetscInt Iterations(const Model &m, double tolerance = 1e-8) {
  Solver solver(m.A, tolerance);
  return solver.Solve(m.b, m.x, tolerance);
}

} // namespace krylearn_test
