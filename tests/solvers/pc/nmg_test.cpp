#include "solvers/linear_system.h"
#include "tests/solvers/pc/nmg_model.h"
#include <cmath>

using namespace krylearn;
using namespace krylearn_test;

namespace {

const char *const kProblems[] = {"box", "obstacles", "contrast", "mixed", "walls", "darcy"};

void Make(const std::string &name, const Int3 &cells, LinearSystem *system) {
  ProblemSpec spec;
  spec.name = name;
  spec.cells = cells;
  ASSERT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, spec, "", system));
}

/// The vectors that a preconditioner is tried on: by number, a function of the cell.
double Trial(int number, const Cell &c, const Int3 &n) {
  const PetscInt natural = c[0] + n[0] * (c[1] + n[1] * c[2]);
  if (number == 0) return RandomEntry(natural);
  const double x = double(c[0]) / double(n[0]), y = double(c[1]) / double(n[1]);
  if (number == 1) return std::sin(0.3 + 5 * x) * std::cos(3 * y);
  if (number == 2) return (c[0] + c[1] + c[2]) % 2 ? 1 : -1;
  return c == Cell{n[0] / 2, n[1] / 3, n[2] / 2} ? 1 : 0;
}
constexpr int kTrials = 4;

/// Rounding in single precision, relative: jumps of α by 1000 make it grow.
double Rounding(const std::string &problem) { return problem == "contrast" || problem == "mixed" ? 2e-4 : 1e-5; }

/// Trial vectors in the range of A, and what the preconditioner makes of them.
struct Trials {
  Vec *x = nullptr, *y = nullptr;
  Trials(Mat A, const Int3 &n) {
    DM dm;
    MatNullSpace nullspace;
    Vec like;
    EXPECT_PETSC_OK(MatGetDM(A, &dm));
    EXPECT_PETSC_OK(MatGetNullSpace(A, &nullspace));
    EXPECT_PETSC_OK(MatCreateVecs(A, &like, nullptr));
    EXPECT_PETSC_OK(VecDuplicateVecs(like, kTrials, &x));
    EXPECT_PETSC_OK(VecDuplicateVecs(like, kTrials, &y));
    EXPECT_PETSC_OK(VecDestroy(&like));
    for (int t = 0; t < kTrials; ++t) {
      Fill(dm, x[t], [&](const Cell &c) { return Trial(t, c, n); });
      if (nullspace) {
        EXPECT_PETSC_OK(MatNullSpaceRemove(nullspace, x[t]));
      }
    }
  }
  ~Trials() {
    VecDestroyVecs(kTrials, &x);
    VecDestroyVecs(kTrials, &y);
  }
};

TEST(Nmg, IsSymmetricAndPositiveDefinite) {
  for (const Int3 &n : {Int3{20, 18, 16}, Int3{33, 29, 1}})
    for (const char *problem : kProblems) {
      LinearSystem system;
      Make(problem, n, &system);
      Trials trials(system.A, n);
      for (const char *weights : {"blackbox", "constant"})
        for (const char *cycle : {"auto", "w", "v"}) {
          SCOPED_TRACE(std::string(problem) + " " + weights + " " + cycle);
          Solver solver(system.A);
          ASSERT_PETSC_OK(PCNMGSetWeights(solver.pc, weights));
          ASSERT_PETSC_OK(PCNMGSetCycle(solver.pc, cycle));
          ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
          for (int i = 0; i < kTrials; ++i) {
            PetscScalar own, there, back;
            PetscReal size, image;
            ASSERT_PETSC_OK(PCApply(solver.pc, trials.x[i], trials.y[i]));
            ASSERT_PETSC_OK(VecDot(trials.x[i], trials.y[i], &own));
            EXPECT_GT(own, 0) << i;
            ASSERT_PETSC_OK(VecNorm(trials.x[i], NORM_2, &size));
            for (int j = 0; j < i; ++j) {
              ASSERT_PETSC_OK(VecNorm(trials.y[j], NORM_2, &image));
              ASSERT_PETSC_OK(VecDot(trials.x[i], trials.y[j], &there));
              ASSERT_PETSC_OK(VecDot(trials.y[i], trials.x[j], &back));
              EXPECT_NEAR(there, back, Rounding(problem) * size * image) << i << " " << j;
            }
          }
        }
      ASSERT_PETSC_OK(system.Destroy());
    }
}

TEST(Nmg, IsLinear) {
  for (const Int3 &n : {Int3{20, 18, 16}, Int3{33, 29, 1}})
    for (const char *problem : kProblems) {
      SCOPED_TRACE(problem);
      LinearSystem system;
      Make(problem, n, &system);
      Trials trials(system.A, n);
      Solver solver(system.A);
      ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
      for (int t = 0; t < 2; ++t) ASSERT_PETSC_OK(PCApply(solver.pc, trials.x[t], trials.y[t]));
      ASSERT_PETSC_OK(VecAXPBYPCZ(trials.x[2], 3, -0.7, 0, trials.x[0], trials.x[1]));
      ASSERT_PETSC_OK(PCApply(solver.pc, trials.x[2], trials.y[2]));
      PetscReal size, difference;
      ASSERT_PETSC_OK(VecNorm(trials.y[2], NORM_2, &size));
      ASSERT_PETSC_OK(VecAXPBYPCZ(trials.y[2], -3, 0.7, 1, trials.y[0], trials.y[1]));
      ASSERT_PETSC_OK(VecNorm(trials.y[2], NORM_2, &difference));
      EXPECT_LT(difference, Rounding(problem) * size);
      ASSERT_PETSC_OK(system.Destroy());
    }
}

TEST(Nmg, NeedsFewIterationsOnAnyNumberOfRanks) {
  const struct {
    const char *name;
    Int3 cells;
    PetscInt iterations;
  } table[] = {
      {"box", {32, 32, 32}, 7},    {"obstacles", {32, 32, 32}, 8},  {"contrast", {32, 32, 32}, 19},
      {"mixed", {32, 32, 32}, 14}, {"walls", {32, 32, 32}, 13},     {"darcy", {32, 32, 32}, 8},
      {"box", {128, 128, 1}, 6},   {"obstacles", {128, 128, 1}, 6}, {"contrast", {128, 128, 1}, 8},
      {"mixed", {128, 128, 1}, 8}, {"walls", {128, 128, 1}, 8},     {"darcy", {128, 128, 1}, 6},
  };
  for (const auto &row : table) {
    SCOPED_TRACE(std::string(row.name) + " " + GridSize(row.cells));
    LinearSystem system;
    Make(row.name, row.cells, &system);
    Solver solver(system.A);
    EXPECT_NEAR(double(solver.Solve(system.b, system.x)), double(row.iterations), 1);
    // Single precision inside does not limit what is reached outside.
    EXPECT_LE(solver.Solve(system.b, system.x, 1e-10), 2 + row.iterations * 5 / 4);
    ASSERT_PETSC_OK(system.Destroy());
  }
}

} // namespace
