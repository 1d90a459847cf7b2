// Sizes, boundary conditions and coefficients that grids of 2^k cells do not show.
#include "tests/solvers/pc/nmg_model.h"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace krylearn_test;

namespace {

/// Iterations on all ranks of a communicator.
PetscInt Try(const ModelSpec &spec, bool singular = false, MPI_Comm comm = PETSC_COMM_WORLD) {
  Model m;
  MakeModel(comm, spec, &m, singular);
  return m.A && m.b ? Iterations(m) : 1000;
}

/// Lets the address space of this process grow by so many bytes only; returns the limits before.
rlimit LimitMemory(PetscInt64 bytes) {
  rlimit before, now;
  PetscInt64 pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  getrlimit(RLIMIT_AS, &before);
  now = before;
  if (pages > 0) now.rlim_cur = std::min(before.rlim_max, rlim_t(4096 * pages + bytes));
  setrlimit(RLIMIT_AS, &now);
  return before;
}

std::string Name(const Cell &n) {
  return std::to_string(n[0]) + " x " + std::to_string(n[1]) + " x " + std::to_string(n[2]);
}

TEST(NmgSizes, OddAndPrimeSizesAreAsGoodAsEvenOnes) {
  for (const Cell &n : {Cell{31, 37, 1}, Cell{17, 23, 29}, Cell{33, 33, 17}, Cell{97, 13, 1}}) {
    EXPECT_LE(Try(Dirichlet(n)), 10) << Name(n);
    ModelSpec closed;
    closed.n = n;
    EXPECT_LE(Try(closed, true), 11) << Name(n) << ", all sides Neumann";
  }
}

TEST(NmgSizes, ThinGridsAreServed) {
  for (const Cell &n : {Cell{64, 3, 1}, Cell{40, 5, 1}, Cell{3, 40, 7}, Cell{80, 2, 1}, Cell{2, 2, 60}})
    EXPECT_LE(Try(Dirichlet(n)), 10) << Name(n);
}

TEST(NmgSizes, TinyGridsAreServed) {
  for (const Cell &n : {Cell{1, 1, 1}, Cell{2, 1, 1}, Cell{2, 2, 1}, Cell{5, 1, 1}, Cell{1, 7, 1}, Cell{3, 3, 3},
                        Cell{11, 11, 1}})
    EXPECT_LE(Try(Dirichlet(n), false, PETSC_COMM_SELF), 6) << Name(n);
  // A line of 300 cells is coarsened along one axis only.
  EXPECT_LE(Try(Dirichlet({300, 1, 1})), 6);
}

TEST(NmgSizes, PeriodicAxesAreServedEvenAndOdd) {
  for (const Cell &n : {Cell{32, 24, 1}, Cell{18, 16, 14}, Cell{30, 33, 1}, Cell{15, 24, 16}, Cell{31, 31, 1}}) {
    ModelSpec spec = Dirichlet(n);
    spec.periodic = {true, false, false};
    EXPECT_LE(Try(spec), 20) << Name(n) << ", periodic along x";
    spec.periodic = {true, true, n[2] > 1};
    EXPECT_LE(Try(spec, true), 20) << Name(n) << ", periodic everywhere";
  }
}

TEST(NmgSizes, SmallPeriodicAxesAreServed) {
  for (const Cell &n : {Cell{4, 40, 1}, Cell{3, 40, 1}, Cell{6, 20, 10}, Cell{5, 8, 30}}) {
    ModelSpec spec = Dirichlet(n);
    spec.periodic = {true, false, false};
    EXPECT_LE(Try(spec), 12) << Name(n);
  }
}

TEST(NmgSizes, OddPeriodicGridsTooLargeForOneRankAreServed) {
  // No axis can be coarsened, and the level is more than what every rank may hold. Levels without end shall take
  // neither the machine's memory nor its time.
  alarm(20);
  const rlimit before = LimitMemory(PetscInt64(512) << 20);
  for (const Cell &n : {Cell{601, 1, 1}, Cell{25, 25, 1}}) {
    ModelSpec spec;
    spec.n = n;
    spec.periodic = {true, n[1] > 1, false};
    Model m;
    MakeModel(PETSC_COMM_WORLD, spec, &m, true);
    Solver solver(m.A);
    ASSERT_PETSC_OK(PCNMGSetReplicate(solver.pc, 100));
    EXPECT_LE(solver.Solve(m.b, m.x), 30) << Name(n);
  }
  setrlimit(RLIMIT_AS, &before);
  alarm(0);
}

TEST(NmgSizes, StretchedCellsAreServedInABoundedWay) {
  const struct {
    double ratio;
    PetscInt most;
  } table[] = {{4, 12}, {10, 16}, {100, 44}};
  for (const auto &row : table) {
    ModelSpec spec = Dirichlet({64, 60, 1});
    spec.alpha = [&row](int axis, const Cell &) { return axis == 0 ? row.ratio : 1.0; };
    EXPECT_LE(Try(spec), row.most) << row.ratio;
  }
}

TEST(NmgSizes, LevelsStayDistributedAsLongAsAsked) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({64, 48, 1}), &m);
  const PetscInt usual = Iterations(m);
  for (const PetscInt cells : {1, 200, 1000000}) {
    Solver solver(m.A);
    ASSERT_PETSC_OK(PCNMGSetReplicate(solver.pc, cells));
    EXPECT_NEAR(double(solver.Solve(m.b, m.x)), double(usual), 1) << cells;
  }
}

TEST(NmgSizes, SingularComponentsAreServedSideBySide) {
  for (const Cell &n : {Cell{40, 30, 1}, Cell{18, 13, 12}}) {
    ModelSpec spec;
    spec.n = n;
    const PetscInt wall = n[0] / 3, other = 2 * n[0] / 3;
    spec.alpha = [=](int axis, const Cell &c) { return axis == 0 && (c[0] == wall || c[0] == other) ? 0.0 : 1.0; };
    Model m;
    MakeModel(PETSC_COMM_WORLD, spec, &m);
    Vec *part, like = m.b;
    ASSERT_PETSC_OK(VecDuplicateVecs(like, 3, &part));
    for (int p = 0; p < 3; ++p) {
      Fill(m.dm, part[p], [=](const Cell &c) { return (c[0] >= wall) + (c[0] >= other) == p ? 1.0 : 0.0; });
      ASSERT_PETSC_OK(VecNormalize(part[p], nullptr));
    }
    MatNullSpace nullspace;
    ASSERT_PETSC_OK(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, 3, part, &nullspace));
    ASSERT_PETSC_OK(MatSetNullSpace(m.A, nullspace));
    ASSERT_PETSC_OK(MatNullSpaceRemove(nullspace, m.b));
    EXPECT_LE(Iterations(m), 12) << Name(n);
    ASSERT_PETSC_OK(MatNullSpaceDestroy(&nullspace));
    ASSERT_PETSC_OK(VecDestroyVecs(3, &part));
  }
}

TEST(NmgSizes, ASmallClosedPocketInASolidIsServed) {
  // Coarser and coarser, the pocket becomes a single cell without neighbours long before the coarsest level.
  const Cell n{128, 128, 1};
  ModelSpec spec;
  spec.n = n;
  const auto inside = [](const Cell &c) { return c[0] >= 40 && c[0] < 46 && c[1] >= 40 && c[1] < 46; };
  spec.alpha = [=](int axis, const Cell &c) {
    Cell below = c;
    --below[std::size_t(axis)];
    return inside(c) && inside(below) ? 1.0 : 0.0;
  };
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m);
  // Rows of solid cells hold a diagonal alone.
  Fill(m.dm, m.x, [=](const Cell &c) { return inside(c) ? 0.0 : 1.0; });
  ASSERT_PETSC_OK(MatDiagonalSet(m.A, m.x, ADD_VALUES));
  Fill(m.dm, m.b, [=](const Cell &c) { return inside(c) ? RandomEntry(c[0] + 128 * c[1]) : 0.0; });
  Vec ones;
  ASSERT_PETSC_OK(VecDuplicate(m.b, &ones));
  Fill(m.dm, ones, [=](const Cell &c) { return inside(c) ? 1.0 : 0.0; });
  ASSERT_PETSC_OK(VecNormalize(ones, nullptr));
  MatNullSpace nullspace;
  ASSERT_PETSC_OK(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, 1, &ones, &nullspace));
  ASSERT_PETSC_OK(MatSetNullSpace(m.A, nullspace));
  ASSERT_PETSC_OK(MatNullSpaceRemove(nullspace, m.b));
  EXPECT_LE(Iterations(m), 12);
  ASSERT_PETSC_OK(MatNullSpaceDestroy(&nullspace));
  ASSERT_PETSC_OK(VecDestroy(&ones));
}

TEST(NmgSizes, RandomCoefficientsOverSixDecadesAreServed) {
  // Every face on its own: as far from a continuous coefficient as can be.
  const struct {
    Cell n;
    bool closed;
    PetscInt most;
  } table[] = {{{61, 52, 1}, false, 170}, {{61, 52, 1}, true, 190},
               {{20, 18, 17}, false, 85}, {{20, 18, 17}, true, 110}};
  for (const auto &row : table) {
    ModelSpec spec = Dirichlet(row.n);
    if (row.closed) spec.dirichlet = {};
    spec.alpha = [n = row.n](int axis, const Cell &c) {
      const PetscInt number = axis + 3 * (c[0] + (n[0] + 1) * (c[1] + (n[1] + 1) * c[2]));
      return std::pow(10.0, 6 * krylearn::Uniform(5, 2, std::uint64_t(number)) - 3);
    };
    EXPECT_LE(Try(spec, row.closed), row.most) << Name(row.n) << (row.closed ? " closed" : "");
  }
}

TEST(NmgSizes, ScalesOfMatrixAndRightHandSideDoNotMatter) {
  const Cell n{20, 17, 9};
  const PetscInt usual = Try(Dirichlet(n));
  for (const double scale : {1e-12, 1.0, 1e12})
    for (const double rhs : {1e-20, 1.0, 1e20}) {
      ModelSpec spec = Dirichlet(n);
      spec.alpha = [scale](int, const Cell &) { return scale; };
      Model m;
      MakeModel(PETSC_COMM_WORLD, spec, &m);
      ASSERT_PETSC_OK(VecScale(m.b, rhs));
      EXPECT_NEAR(double(Iterations(m)), double(usual), 1) << "matrix " << scale << ", right-hand side " << rhs;
    }
}

TEST(NmgSizes, ScalesBeyondSinglePrecisionAreServed) {
  const Cell n{20, 17, 9};
  const PetscInt usual = Try(Dirichlet(n));
  const double pairs[][2] = {{1, 1e-60}, {1, 1e60}, {1e-30, 1e20}, {1e30, 1e-20}, {1e-60, 1}, {1e60, 1}};
  for (const auto &pair : pairs) {
    ModelSpec spec = Dirichlet(n);
    spec.alpha = [pair](int, const Cell &) { return pair[0]; };
    Model m;
    MakeModel(PETSC_COMM_WORLD, spec, &m);
    ASSERT_PETSC_OK(VecScale(m.b, pair[1]));
    EXPECT_NEAR(double(Iterations(m)), double(usual), 1) << "matrix " << pair[0] << ", right-hand side " << pair[1];
  }
}

TEST(NmgSizes, RowsWithADiagonalOnlyAreDividedByIt) {
  const Cell n{24, 22, 1};
  ModelSpec spec = Dirichlet(n);
  // A block of cells with all faces closed; its diagonal is 1.
  const auto inside = [](PetscInt i, PetscInt j) { return i >= 5 && i < 12 && j >= 7 && j < 14; };
  spec.alpha = [inside](int axis, const Cell &c) {
    return inside(c[0], c[1]) || inside(c[0] - (axis == 0), c[1] - (axis == 1)) ? 0.0 : 2.0;
  };
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m);
  Cell lo, size;
  ASSERT_PETSC_OK(DMDAGetCorners(m.dm, &lo[0], &lo[1], &lo[2], &size[0], &size[1], &size[2]));
  Vec diagonal, z;
  ASSERT_PETSC_OK(VecDuplicate(m.b, &diagonal));
  ASSERT_PETSC_OK(VecDuplicate(m.b, &z));
  ASSERT_PETSC_OK(MatGetDiagonal(m.A, diagonal));
  Fill(m.dm, z, [&](const Cell &c) { return inside(c[0], c[1]) ? 3e10 : 1.0; });
  ASSERT_PETSC_OK(VecPointwiseMult(diagonal, diagonal, z));
  ASSERT_PETSC_OK(MatDiagonalSet(m.A, diagonal, INSERT_VALUES));
  Solver solver(m.A);
  ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
  ASSERT_PETSC_OK(PCApply(solver.pc, m.b, z));
  const PetscScalar *b, *got;
  ASSERT_PETSC_OK(VecGetArrayRead(m.b, &b));
  ASSERT_PETSC_OK(VecGetArrayRead(z, &got));
  for (PetscInt j = 0, at = 0; j < size[1]; ++j)
    for (PetscInt i = 0; i < size[0]; ++i, ++at) {
      if (inside(lo[0] + i, lo[1] + j)) {
        EXPECT_NEAR(got[at], b[at] / 3e10, 1e-15 * std::fabs(got[at]));
      }
    }
  ASSERT_PETSC_OK(VecRestoreArrayRead(m.b, &b));
  ASSERT_PETSC_OK(VecRestoreArrayRead(z, &got));
  ASSERT_PETSC_OK(VecDestroy(&diagonal));
  ASSERT_PETSC_OK(VecDestroy(&z));
  EXPECT_LE(Iterations(m), 10);
}

} // namespace
