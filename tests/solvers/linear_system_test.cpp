#include "solvers/linear_system.h"
#include "tests/mpi_test.h"
#include <cstdio>
#include <unistd.h>

using namespace krylearn;

namespace {

/// A path that all ranks know and no other run of the tests uses.
std::string Path(const std::string &name) {
  int process = int(getpid());
  MPI_Bcast(&process, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return "/tmp/krylearn_test_" + std::to_string(process) + "_" + name;
}

void Remove(const std::string &path) {
  MPI_Barrier(PETSC_COMM_WORLD);
  if (krylearn_test::Rank() == 0) std::remove(path.c_str()), std::remove((path + ".info").c_str());
}

template <class Object, class View> void Write(const std::string &path, Object object, View view) {
  PetscViewer viewer;
  ASSERT_PETSC_OK(PetscViewerBinaryOpen(PETSC_COMM_WORLD, path.c_str(), FILE_MODE_WRITE, &viewer));
  ASSERT_PETSC_OK(view(object, viewer));
  ASSERT_PETSC_OK(PetscViewerDestroy(&viewer));
}

ProblemSpec Spec(const std::string &name) {
  ProblemSpec spec;
  spec.name = name;
  spec.cells = {20, 18, 1};
  return spec;
}

TEST(LinearSystem, SolvesEveryNamedProblem) {
  for (const ProblemInfo &info : NamedProblems()) {
    LinearSystem system;
    SolveReport report;
    ASSERT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, Spec(info.name), "", &system));
    ASSERT_PETSC_OK(SolveSystem(&system, 2, 1, &report));
    EXPECT_GT(report.reason, 0) << info.name;
    EXPECT_LT(report.true_residual, 1.01e-8) << info.name;
    ASSERT_PETSC_OK(system.Destroy());
  }
}

TEST(LinearSystem, ReportsASolveThatDidNotConverge) {
  LinearSystem system;
  SolveReport report;
  ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, "-ksp_max_it", "1"));
  ASSERT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, Spec("darcy"), "", &system));
  ASSERT_PETSC_OK(SolveSystem(&system, 1, 1, &report));
  ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, "-ksp_max_it"));
  EXPECT_EQ(report.reason, KSP_DIVERGED_ITS);
  EXPECT_GT(report.true_residual, 1e-8);
  ASSERT_PETSC_OK(system.Destroy());
}

TEST(LinearSystem, ComesBackFromFilesWithItsNullSpace) {
  // An enclosed box with obstacles: the null vector is not the constant.
  LinearSystem made, read;
  ASSERT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, Spec("obstacles"), "", &made));
  Problem &p = made.problem;
  for (auto &axis : p.coefficients.sides) axis = {Side::kNeumann, Side::kNeumann};
  PetscInt64 filled;
  ASSERT_PETSC_OK(FillPockets(*p.grid, 100, &p.coefficients, &filled));
  ASSERT_PETSC_OK(FindSingularComponents(*p.grid, p.coefficients, &p.singular));
  ASSERT_EQ(p.singular.cells.size(), 1u);
  ASSERT_PETSC_OK(FillPoisson(*p.grid, p.coefficients, made.A));
  ASSERT_PETSC_OK(MakeCompatible(*p.grid, p.singular, made.b));
  const std::string matrix = Path("A"), rhs = Path("b");
  Write(matrix, made.A, MatView);
  Write(rhs, made.b, VecView);
  ASSERT_PETSC_OK(ReadSystem(PETSC_COMM_WORLD, matrix, rhs, &read));
  MatNullSpace nullspace;
  ASSERT_PETSC_OK(MatGetNullSpace(read.A, &nullspace));
  EXPECT_NE(nullspace, nullptr);
  SolveReport report;
  ASSERT_PETSC_OK(SolveSystem(&read, 1, 1, &report));
  EXPECT_GT(report.reason, 0);
  EXPECT_LT(report.true_residual, 1.01e-8);
  ASSERT_PETSC_OK(made.Destroy());
  ASSERT_PETSC_OK(read.Destroy());
  Remove(matrix);
  Remove(rhs);
}

TEST(LinearSystem, RefusesFilesThatAreNoSystem) {
  LinearSystem system;
  Mat wide;
  Vec vec;
  const std::string matrix = Path("wide"), rhs = Path("vec");
  ASSERT_PETSC_OK(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, 9, 12, 1, nullptr, 1, nullptr, &wide));
  ASSERT_PETSC_OK(MatAssemblyBegin(wide, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(MatAssemblyEnd(wide, MAT_FINAL_ASSEMBLY));
  ASSERT_PETSC_OK(VecCreateMPI(PETSC_COMM_WORLD, PETSC_DECIDE, 9, &vec));
  Write(matrix, wide, MatView);
  Write(rhs, vec, VecView);
  EXPECT_REFUSED(ReadSystem(PETSC_COMM_WORLD, matrix, rhs, &system), "not square: 9 rows, 12 columns");
  EXPECT_REFUSED(ReadSystem(PETSC_COMM_WORLD, rhs, rhs, &system), "is not a matrix");
  EXPECT_REFUSED(ReadSystem(PETSC_COMM_WORLD, "/nonexistent/A", rhs, &system), "Cannot open /nonexistent/A");
  if (krylearn_test::Rank() == 0) {
    EXPECT_EQ(truncate(rhs.c_str(), 60), 0);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  EXPECT_REFUSED(ReadSystem(PETSC_COMM_WORLD, matrix, rhs, &system), "is cut off");
  ASSERT_PETSC_OK(MatDestroy(&wide));
  ASSERT_PETSC_OK(VecDestroy(&vec));
  Remove(matrix);
  Remove(rhs);
}

} // namespace
