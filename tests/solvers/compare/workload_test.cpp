#include "solvers/compare/workload.h"
#include "tests/scratch_folder.h"
#include "tests/mpi_test.h"
#include "meshes/files.h"
#include <cmath>

using namespace krylearn;

namespace {

/// ‖(A − S) v‖ for a random v.
double Difference(const Workload &workload) {
  Mat structured;
  Vec v, a, s;
  PetscReal norm = NAN;
  EXPECT_PETSC_OK(workload.StructuredMatrix(&structured));
  EXPECT_PETSC_OK(VecDuplicate(workload.system.b, &v));
  EXPECT_PETSC_OK(VecDuplicate(v, &a));
  EXPECT_PETSC_OK(VecDuplicate(v, &s));
  EXPECT_PETSC_OK(VecSetRandom(v, nullptr));
  EXPECT_PETSC_OK(MatMult(workload.system.A, v, a));
  EXPECT_PETSC_OK(MatMult(structured, v, s));
  EXPECT_PETSC_OK(VecAXPY(a, -1, s));
  EXPECT_PETSC_OK(VecNorm(a, NORM_INFINITY, &norm));
  for (Vec *vec : {&v, &a, &s}) EXPECT_PETSC_OK(VecDestroy(vec));
  EXPECT_PETSC_OK(MatDestroy(&structured));
  return norm;
}

#if defined(PETSC_HAVE_HYPRE)
TEST(Workload, CopiesItsMatrixForStructuredSolvers) {
  for (const Int3 &cells : {Int3{12, 14, 1}, Int3{9, 10, 11}})
    for (const char *name : {"obstacles", "darcy", "stretched"}) {
      ProblemSpec spec;
      spec.name = name;
      spec.cells = cells;
      std::unique_ptr<Workload> workload;
      ASSERT_PETSC_OK(MakeProblemWorkload(PETSC_COMM_WORLD, spec, 1, &workload));
      EXPECT_LE(Difference(*workload), 1e-12) << name;
      ASSERT_PETSC_OK(workload->Destroy());
    }
  std::unique_ptr<Workload> heat;
  bool changed;
  ASSERT_PETSC_OK(MakeHeatWorkload(PETSC_COMM_WORLD, 12, 5, &heat));
  ASSERT_PETSC_OK(heat->Prepare(0, &changed));
  ASSERT_PETSC_OK(heat->Prepare(1, &changed));
  EXPECT_LE(Difference(*heat), 1e-13);
  ASSERT_PETSC_OK(heat->Destroy());
}
#endif

/// Solves all steps of a workload exactly enough; returns the last solution's norm.
double SolveAll(Workload *workload) {
  KSP ksp;
  PC pc;
  EXPECT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
  EXPECT_PETSC_OK(KSPSetType(ksp, KSPCG));
  EXPECT_PETSC_OK(KSPGetPC(ksp, &pc));
  EXPECT_PETSC_OK(PCSetType(pc, PCJACOBI));
  EXPECT_PETSC_OK(KSPSetTolerances(ksp, 1e-13, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  for (PetscInt step = 0; step < workload->Steps(); ++step) {
    bool changed;
    EXPECT_PETSC_OK(workload->Prepare(step, &changed));
    EXPECT_PETSC_OK(KSPSetOperators(ksp, workload->system.A, workload->system.A));
    EXPECT_PETSC_OK(KSPSolve(ksp, workload->system.b, workload->system.x));
  }
  PetscReal norm = NAN;
  EXPECT_PETSC_OK(VecNorm(workload->system.x, NORM_2, &norm));
  EXPECT_PETSC_OK(KSPDestroy(&ksp));
  return norm;
}

TEST(Workload, HeatSequenceStartsOverAndIsTheSameOnAnyRankCount) {
  std::unique_ptr<Workload> heat;
  ASSERT_PETSC_OK(MakeHeatWorkload(PETSC_COMM_WORLD, 20, 30, &heat));
  EXPECT_TRUE(heat->sequence);
  const double first = SolveAll(heat.get()), second = SolveAll(heat.get());
  EXPECT_DOUBLE_EQ(first, second);
  EXPECT_NEAR(first, 4.84113846, 1e-8); // on one rank; its totals of iterations are those of the published method
  ASSERT_PETSC_OK(heat->Destroy());
  EXPECT_REFUSED(MakeHeatWorkload(PETSC_COMM_WORLD, 2, 5, &heat), "-nx 2");
  EXPECT_REFUSED(MakeHeatWorkload(PETSC_COMM_WORLD, 20, 0, &heat), "-steps 0");
}

PetscErrorCode View(const std::string &path, PetscObject object) {
  PetscFunctionBeginUser;
  PetscViewer viewer;
  PetscCall(PetscViewerBinaryOpen(PETSC_COMM_WORLD, path.c_str(), FILE_MODE_WRITE, &viewer));
  PetscCall(PetscObjectView(object, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscFunctionReturn(0);
}

TEST(Workload, ReadsACapturedSequenceOnItsGrid) {
  krylearn_test::ScratchFolder scratch;
  const std::string folder = scratch.Path();
  ProblemSpec spec;
  spec.name = "darcy";
  spec.cells = {10, 11, 9};
  std::unique_ptr<Workload> made, read;
  bool changed;
  ASSERT_PETSC_OK(MakeProblemWorkload(PETSC_COMM_WORLD, spec, 2, &made));
  ASSERT_PETSC_OK(View(folder + "/matrix.bin", (PetscObject)made->system.A));
  for (const int step : {0, 1}) {
    ASSERT_PETSC_OK(made->Prepare(step, &changed));
    ASSERT_PETSC_OK(View(folder + "/rhs_" + std::to_string(step) + ".bin", (PetscObject)made->system.b));
  }
  const std::string lines = "grid 10 11 9 periodic 0 0 0\nmatrix.bin rhs_0.bin step 0.1 residual 1e-3\n"
                            "matrix.bin rhs_1.bin step 0.1 residual 2e-3\n";
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder + "/sequence.txt", lines));
  ASSERT_PETSC_OK(MakeCapturedWorkload(PETSC_COMM_WORLD, folder, 0, false, &read));
  EXPECT_EQ(read->Steps(), 2);
  EXPECT_EQ(read->grid, "10 x 11 x 9");
  EXPECT_DOUBLE_EQ(read->AbsoluteTolerance(1), 2e-3);
  ASSERT_PETSC_OK(read->Prepare(0, &changed));
  ASSERT_PETSC_OK(read->Prepare(1, &changed));
  // The same system on the same grid: the residual of a vector of the one is that of the other.
  PetscReal norm;
  ASSERT_PETSC_OK(VecAXPY(read->system.b, -1, made->system.b));
  ASSERT_PETSC_OK(VecNorm(read->system.b, NORM_INFINITY, &norm));
  EXPECT_EQ(norm, 0);
  ASSERT_PETSC_OK(MatAXPY(read->system.A, -1, made->system.A, SAME_NONZERO_PATTERN));
  ASSERT_PETSC_OK(MatNorm(read->system.A, NORM_FROBENIUS, &norm));
  EXPECT_EQ(norm, 0);
  ASSERT_PETSC_OK(read->Destroy());
  ASSERT_PETSC_OK(MakeCapturedWorkload(PETSC_COMM_WORLD, folder, 1, true, &read));
  EXPECT_EQ(read->Steps(), 1);
  EXPECT_EQ(read->AbsoluteTolerance(0), 0);
  ASSERT_PETSC_OK(read->Destroy());
  ASSERT_PETSC_OK(made->Destroy());

  EXPECT_REFUSED(MakeCapturedWorkload(PETSC_COMM_WORLD, folder + "/none", 0, false, &read), "there is no");
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder + "/sequence.txt", "what is this\n"));
  EXPECT_REFUSED(MakeCapturedWorkload(PETSC_COMM_WORLD, folder, 0, false, &read), "is damaged");
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder + "/sequence.txt",
                                "grid 10 11 8 periodic 0 0 0\nmatrix.bin rhs_0.bin step 0.1 residual 1e-3\n"));
  EXPECT_REFUSED(MakeCapturedWorkload(PETSC_COMM_WORLD, folder, 0, false, &read), "its grid 10 x 11 x 8 has 880 cells");
}

} // namespace
