// Matrices that PCNMG takes or refuses, with and without a DM.
#include "tests/solvers/pc/nmg_model.h"
#include <algorithm>
#include <cmath>

using namespace krylearn_test;

namespace {

/// Set-up of PCNMG on a matrix in natural ordering.
PetscErrorCode BuildNmg(Mat A, const Cell &n) {
  Solver solver(A);
  PetscFunctionBeginUser;
  PetscCall(PCNMGSetGrid(solver.pc, n[0], n[1], n[2]));
  PetscCall(KSPSetUp(solver.ksp));
  PetscFunctionReturn(0);
}

TEST(NmgMatrix, NaturalOrderingIsSolvedAsOnADMDA) {
  for (const Cell &n : {Cell{40, 36, 1}, Cell{19, 16, 13}, Cell{3, 100, 1}, Cell{120, 1, 1}}) {
    Model with, without;
    MakeModel(PETSC_COMM_WORLD, Dirichlet(n), &with);
    MakeNaturalModel(Dirichlet(n), &without);
    Solver solver(without.A);
    ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, n[0], n[1], n[2]));
    EXPECT_EQ(solver.Solve(without.b, without.x), Iterations(with));
    PetscReal one, other;
    ASSERT_PETSC_OK(VecNorm(with.x, NORM_2, &one));
    ASSERT_PETSC_OK(VecNorm(without.x, NORM_2, &other));
    EXPECT_NEAR(one, other, 1e-6 * one);
  }
}

TEST(NmgMatrix, TheGridMayComeFromTheOptions) {
  Model m;
  MakeNaturalModel(Dirichlet({40, 36, 1}), &m);
  Solver solver(m.A);
  ASSERT_PETSC_OK(KSPSetOptionsPrefix(solver.ksp, "natural_"));
  ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, "-natural_pc_nmg_grid", "40,36"));
  ASSERT_PETSC_OK(KSPSetFromOptions(solver.ksp));
  ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, "-natural_pc_nmg_grid"));
  EXPECT_LE(solver.Solve(m.b, m.x), 9);
}

TEST(NmgMatrix, GridsOfFewCellsARankAreServedOrRefusedWithAdvice) {
  for (const Cell &n : {Cell{5, 5, 5}, Cell{2, 2, 1}}) {
    Model m;
    MakeNaturalModel(Dirichlet(n), &m);
    const int ranks = krylearn_test::Ranks();
    const bool fits = ranks <= 2 || ranks == 4 || (n[2] > 1 && ranks != 7);
    if (!fits) {
      EXPECT_REFUSED(BuildNmg(m.A, n), "use fewer ranks");
      continue;
    }
    Solver solver(m.A);
    ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, n[0], n[1], n[2]));
    EXPECT_LE(solver.Solve(m.b, m.x), 6) << n[0];
  }
}

TEST(NmgMatrix, NewNonzerosInNaturalOrderingAreSeen) {
  const Cell n{24, 20, 1};
  ModelSpec closed = Dirichlet(n);
  closed.alpha = [](int axis, const Cell &c) { return axis == 0 && c[0] == 8 ? 0.0 : 1.0; };
  Model first, second;
  MakeNaturalModel(closed, &first);
  MakeNaturalModel(Dirichlet(n), &second);
  Solver solver(first.A);
  ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, n[0], n[1], n[2]));
  EXPECT_LE(solver.Solve(first.b, first.x), 9);
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, second.A, second.A));
  EXPECT_LE(solver.Solve(second.b, second.x), 9);
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, first.A, first.A));
  EXPECT_LE(solver.Solve(first.b, first.x), 9);
}

TEST(NmgMatrix, CouplingsLeftInDirichletColumnsAreIgnored) {
  // The rows of boundary cells are the identity, but their neighbours' entries stay, as in PETSc's ksp/tutorials/ex45.
  const Cell n{25, 21, 1};
  const auto boundary = [n](PetscInt row) {
    const PetscInt i = row % n[0], j = row / n[0];
    return i == 0 || j == 0 || i == n[0] - 1 || j == n[1] - 1;
  };
  Model m;
  MakeNaturalModel(Dirichlet(n), &m, [&](PetscInt row, Row *entries) {
    if (boundary(row)) *entries = {{row, 1.0}};
  });
  Solver solver(m.A);
  ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, n[0], n[1], n[2]));
  // With zero boundary values the subspace of the iteration is one where the matrix is symmetric.
  PetscInt first, end;
  ASSERT_PETSC_OK(VecGetOwnershipRange(m.b, &first, &end));
  for (PetscInt row = first; row < end; ++row)
    if (boundary(row)) {
      ASSERT_PETSC_OK(VecSetValue(m.b, row, 0, INSERT_VALUES));
    }
  ASSERT_PETSC_OK(VecAssemblyBegin(m.b));
  ASSERT_PETSC_OK(VecAssemblyEnd(m.b));
  EXPECT_LE(solver.Solve(m.b, m.x), 9);
}

TEST(NmgMatrix, ExplicitZerosAreNoCouplings) {
  Model m;
  MakeNaturalModel(Dirichlet({12, 10, 1}), &m, [](PetscInt row, Row *entries) {
    if (row % 2 == 0) entries->push_back({(row + 37) % 120, 0.0});
  });
  EXPECT_PETSC_OK(BuildNmg(m.A, {12, 10, 1}));
}

TEST(NmgMatrix, RefusesWhatIsNoStarNamingTheRow) {
  // One row of one rank has a coupling across an edge, from both sides.
  const Cell n{12, 10, 1};
  Model m;
  MakeNaturalModel(Dirichlet(n), &m, [](PetscInt row, Row *entries) {
    if (row == 100) entries->push_back({113, -0.25});
    if (row == 113) entries->push_back({100, -0.25});
  });
  EXPECT_REFUSED(BuildNmg(m.A, n),
                 "needs a star stencil (5 points in 2D, 7 in 3D), but row 100 has an entry in column 113");
  EXPECT_REFUSED(BuildNmg(m.A, n), "use another preconditioner");
  // The wrong grid shows in the same way.
  EXPECT_REFUSED(BuildNmg(m.A, {10, 12, 1}), "check the grid");
}

TEST(NmgMatrix, RefusesEntriesOfFarCellsOnOtherRanks) {
  // Both cells lie inside their ranks' boxes, far from the seams.
  const Cell n{24, 24, 1};
  const PetscInt one = 6 + 24 * 5, other = 10 + 24 * 18;
  for (const bool both : {true, false}) {
    Model m;
    MakeNaturalModel(Dirichlet(n), &m, [=](PetscInt row, Row *entries) {
      if (row == one) entries->push_back({other, -0.25});
      if (both && row == other) entries->push_back({one, -0.25});
    });
    EXPECT_REFUSED(BuildNmg(m.A, n), "row 126 has an entry in column 442");
  }
}

TEST(NmgMatrix, RefusesANonsymmetricMatrixOfADMDAByItsOwnNumbers) {
  // Across a periodic side, between ranks where there are several.
  ModelSpec spec = Dirichlet({12, 10, 1});
  spec.periodic = {false, true, false};
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m);
  AO order;
  PetscInt pair[2] = {5, 5 + 9 * 12};
  ASSERT_PETSC_OK(DMDAGetAO(m.dm, &order));
  ASSERT_PETSC_OK(AOApplicationToPetsc(order, 2, pair));
  if (Rank() == 0) { ASSERT_PETSC_OK(MatSetValue(m.A, pair[0], pair[1], -3, INSERT_VALUES)); }
  ASSERT_PETSC_OK(MatAssemblyBegin(m.A, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(MatAssemblyEnd(m.A, MAT_FINAL_ASSEMBLY));
  Solver solver(m.A);
  const std::string one = std::to_string(pair[0]), other = std::to_string(pair[1]);
  EXPECT_REFUSED(KSPSetUp(solver.ksp),
                 "entry (" + one + "," + other + ") is -3 and entry (" + other + "," + one + ") is -1");
}

TEST(NmgMatrix, SaysWhatNaturalOrderingIsWhereEntriesDoNotFitIt) {
  const Cell n{12, 10, 1};
  Model m, natural;
  MakeModel(PETSC_COMM_WORLD, Dirichlet(n), &m);
  MakeNaturalModel(Dirichlet(n), &natural);
  EXPECT_REFUSED(BuildNmg(natural.A, {10, 12, 1}), "-pc_nmg_grid is for natural ordering");
  EXPECT_REFUSED(BuildNmg(natural.A, {10, 12, 1}), "set the DMDA with KSPSetDM() instead");
  PetscInt across; // ranks beside each other along the first axis break the ordering
  ASSERT_PETSC_OK(DMDAGetInfo(m.dm, nullptr, nullptr, nullptr, nullptr, &across, nullptr, nullptr, nullptr, nullptr,
                              nullptr, nullptr, nullptr, nullptr));
  if (across == 1) EXPECT_PETSC_OK(BuildNmg(m.A, n));
  else EXPECT_REFUSED(BuildNmg(m.A, n), "leave it out, since the matrix has a DMDA, which numbers rank by rank");
}

TEST(NmgMatrix, RefusesANonsymmetricMatrixNamingTheRow) {
  const Cell n{12, 10, 1};
  Model m;
  MakeNaturalModel(Dirichlet(n), &m, [](PetscInt row, Row *entries) {
    if (row == 100)
      for (auto &entry : *entries)
        if (entry.first == 99) entry.second = -1.1;
  });
  EXPECT_REFUSED(BuildNmg(m.A, n), "needs a symmetric matrix, but entry (100,99) is -1.1 and entry (99,100) is -1;");
  // An entry on one side only.
  Model half;
  MakeNaturalModel(Dirichlet(n), &half, [](PetscInt row, Row *entries) {
    if (row == 50) entries->erase(std::remove_if(entries->begin(), entries->end(),
                                                 [](const auto &entry) { return entry.first == 62; }),
                                  entries->end());
  });
  EXPECT_REFUSED(BuildNmg(half.A, n), "needs a symmetric matrix, but entry (62,50) is -1 and entry (50,62) is 0;");
}

TEST(NmgMatrix, RefusesDiagonalsThatAreNotPositiveNamingTheRow) {
  const Cell n{12, 10, 1};
  for (const double value : {0.0, -4.0}) {
    Model m;
    MakeNaturalModel(Dirichlet(n), &m, [value](PetscInt row, Row *entries) {
      if (row == 100) entries->back().second = value;
    });
    EXPECT_REFUSED(BuildNmg(m.A, n), "needs positive diagonals, but row 100 has none");
  }
  for (const double value : {0.0, -1.0}) {
    // A row that holds nothing else.
    Model m;
    MakeNaturalModel(Dirichlet(n), &m, [value](PetscInt row, Row *entries) {
      if (row == 100) *entries = {{row, value}};
    });
    EXPECT_REFUSED(BuildNmg(m.A, n), "needs positive diagonals, but row 100 has none");
  }
}

TEST(NmgMatrix, RefusesWhatSinglePrecisionCannotHold) {
  const Cell n{12, 10, 1};
  for (const double alpha : {1e-50, 1e-40, 1e45, 1e80}) {
    ModelSpec spec = Dirichlet(n);
    spec.alpha = [alpha](int, const Cell &c) { return c[1] > 3 ? 1.0 : alpha; };
    Model m;
    MakeNaturalModel(spec, &m);
    EXPECT_REFUSED(BuildNmg(m.A, n), "works in single precision, but the entries of row");
  }
  // A penalty on one diagonal.
  Model m;
  MakeNaturalModel(Dirichlet(n), &m, [](PetscInt row, Row *entries) {
    if (row == 100) entries->back().second = 1e50;
  });
  EXPECT_REFUSED(BuildNmg(m.A, n), "works in single precision, but the entries of row");
}

TEST(NmgMatrix, RefusesCouplingsThatDifferBesideAStiffCell) {
  const Cell n{12, 10, 1};
  Model m;
  MakeNaturalModel(Dirichlet(n), &m, [](PetscInt row, Row *entries) {
    for (auto &entry : *entries) {
      if (row == 100 && entry.first == 100) entry.second = 1e7;
      if (row == 100 && entry.first == 99) entry.second = -3.9;
    }
  });
  EXPECT_REFUSED(BuildNmg(m.A, n), "needs a symmetric matrix, but entry (100,99) is -3.9 and entry (99,100) is -1;");
}

TEST(NmgMatrix, RefusesNotANumber) {
  Model m;
  MakeNaturalModel(Dirichlet({12, 10, 1}), &m, [](PetscInt row, Row *entries) {
    if (row == 100) *entries = {{row, std::nan("")}};
  });
  EXPECT_REFUSED(BuildNmg(m.A, {12, 10, 1}), "row 100");
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Model inside;
    MakeNaturalModel(Dirichlet({12, 10, 1}), &inside, [value](PetscInt row, Row *entries) {
      for (auto &entry : *entries)
        if (row == 53 && entry.first == 54) entry.second = value;
    });
    EXPECT_REFUSED(BuildNmg(inside.A, {12, 10, 1}), "row 53");
  }
}

TEST(NmgMatrix, RefusesSeveralUnknownsACell) {
  DM dm;
  Mat A;
  ASSERT_PETSC_OK(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 12, 10,
                               PETSC_DECIDE, PETSC_DECIDE, 2, 1, nullptr, nullptr, &dm));
  ASSERT_PETSC_OK(DMSetUp(dm));
  ASSERT_PETSC_OK(DMCreateMatrix(dm, &A));
  ASSERT_PETSC_OK(MatShift(A, 1));
  {
    Solver solver(A);
    EXPECT_REFUSED(KSPSetUp(solver.ksp), "one unknown a cell, but the DMDA has 2");
    EXPECT_REFUSED(KSPSetUp(solver.ksp), "fieldsplit");
  }
  ASSERT_PETSC_OK(MatDestroy(&A));
  ASSERT_PETSC_OK(DMDestroy(&dm));
}

TEST(NmgMatrix, AsksForAGridWhereNoneIsKnown) {
  Model m;
  MakeNaturalModel(Dirichlet({12, 10, 1}), &m);
  Solver solver(m.A);
  ASSERT_PETSC_OK(KSPSetOptionsPrefix(solver.ksp, "my_"));
  EXPECT_REFUSED(KSPSetUp(solver.ksp), "give -my_pc_nmg_grid nx,ny[,nz]");
  EXPECT_REFUSED(BuildNmg(m.A, {12, 11, 1}), "12,11,1 has 132 cells, but the matrix has 120 rows");
  EXPECT_REFUSED(BuildNmg(m.A, {65536, 65536, 1}), "cells, but the matrix has 120 rows");
}

TEST(NmgMatrix, RefusesOtherMatrixTypes) {
  Model m;
  MakeNaturalModel(Dirichlet({12, 10, 1}), &m);
  ASSERT_PETSC_OK(MatSetOption(m.A, MAT_SYMMETRIC, PETSC_TRUE)); // MATSBAIJ asks for it
  for (const char *type : {MATBAIJ, MATSBAIJ, MATDENSE}) {
    Mat other;
    ASSERT_PETSC_OK(MatConvert(m.A, type, MAT_INITIAL_MATRIX, &other));
    EXPECT_REFUSED(BuildNmg(other, {12, 10, 1}), "use -mat_type aij") << type;
    ASSERT_PETSC_OK(MatDestroy(&other));
  }
}

} // namespace
