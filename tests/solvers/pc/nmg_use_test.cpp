// PCNMG in a program: settings, new values, reuse, reset, view.
#include "tests/solvers/pc/nmg_model.h"
#include <cstdio>
#include <cstdlib>

using namespace krylearn_test;

namespace {

const Cell kSize{40, 33, 1};

/// Ten times stiffer in the left half, or everywhere.
ModelSpec Half(double left) {
  ModelSpec spec = Dirichlet(kSize);
  spec.alpha = [left](int, const Cell &c) { return c[0] < kSize[0] / 2 ? left : 1.0; };
  return spec;
}

/// ‖M b‖ of a solver's preconditioner, to tell one from another.
double Mark(const Solver &solver, const Model &m) {
  PetscReal norm = -1;
  EXPECT_PETSC_OK(PCApply(solver.pc, m.b, m.x));
  EXPECT_PETSC_OK(VecNorm(m.x, NORM_2, &norm));
  return norm;
}

double MarkOf(const ModelSpec &spec) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m);
  Solver solver(m.A);
  EXPECT_PETSC_OK(KSPSetUp(solver.ksp));
  return Mark(solver, m);
}

TEST(NmgUse, FollowsNewValuesOfTheMatrix) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(1), &m);
  Solver solver(m.A);
  const PetscInt usual = solver.Solve(m.b, m.x);
  FillMatrix(Half(1000), m.dm, m.A);
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_LE(solver.Solve(m.b, m.x), usual + 2);
  EXPECT_NEAR(Mark(solver, m), MarkOf(Half(1000)), 1e-9);
}

TEST(NmgUse, FollowsNewValuesInNaturalOrdering) {
  Model m, fresh;
  MakeNaturalModel(Half(1), &m);
  MakeNaturalModel(Half(1000), &fresh);
  Solver solver(m.A), other(fresh.A);
  for (Solver *s : {&solver, &other}) ASSERT_PETSC_OK(PCNMGSetGrid(s->pc, kSize[0], kSize[1], 1));
  solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(MatCopy(fresh.A, m.A, SAME_NONZERO_PATTERN));
  solver.Solve(m.b, m.x);
  other.Solve(fresh.b, fresh.x);
  EXPECT_DOUBLE_EQ(Mark(solver, m), Mark(other, fresh));
}

TEST(NmgUse, KeepsAnOldPreconditionerWhereAsked) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(1), &m);
  Solver solver(m.A);
  const PetscInt usual = solver.Solve(m.b, m.x);
  const double before = Mark(solver, m);
  FillMatrix(Half(1000), m.dm, m.A);
  ASSERT_PETSC_OK(KSPSetReusePreconditioner(solver.ksp, PETSC_TRUE));
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_GT(solver.Solve(m.b, m.x), usual + 2);
  EXPECT_EQ(Mark(solver, m), before);
}

TEST(NmgUse, WorksAgainAfterAReset) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(10), &m);
  Solver solver(m.A);
  const PetscInt usual = solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(PCReset(solver.pc));
  ASSERT_PETSC_OK(PCSetOperators(solver.pc, m.A, m.A));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
  ASSERT_PETSC_OK(KSPReset(solver.ksp));
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
  // Another grid altogether.
  Model larger;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({50, 20, 1}), &larger);
  ASSERT_PETSC_OK(KSPReset(solver.ksp));
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, larger.A, larger.A));
  EXPECT_LE(solver.Solve(larger.b, larger.x), 9);
}

TEST(NmgUse, AFailedSetUpLeavesNothingToApply) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(1), &m);
  Solver solver(m.A);
  solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(MatScale(m.A, -1));
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_REFUSED(KSPSetUp(solver.ksp), "needs positive diagonals");
  ASSERT_PETSC_OK(PCSetReusePreconditioner(solver.pc, PETSC_TRUE));
  EXPECT_REFUSED(PCApply(solver.pc, m.b, m.x), "its set-up has failed");
}

TEST(NmgUse, VectorsOfAnySizeMayFollowASolve) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(1), &m);
  Solver solver(m.A);
  const PetscInt usual = solver.Solve(m.b, m.x);
  const double mark = Mark(solver, m);
  ASSERT_PETSC_OK(VecScale(m.b, 1e-60));
  solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(VecScale(m.b, 1e60));
  EXPECT_NEAR(Mark(solver, m), mark, 1e-6 * mark);
  // A guess whose residual is far larger than the right-hand side.
  ASSERT_PETSC_OK(VecScale(m.b, 1e-30));
  ASSERT_PETSC_OK(VecSet(m.x, 1));
  ASSERT_PETSC_OK(KSPSetInitialGuessNonzero(solver.ksp, PETSC_TRUE));
  ASSERT_PETSC_OK(KSPSetTolerances(solver.ksp, 1e-30, 1e-9, 1e60, PETSC_DEFAULT));
  ASSERT_PETSC_OK(KSPSolve(solver.ksp, m.b, m.x));
  KSPConvergedReason reason;
  PetscInt its;
  ASSERT_PETSC_OK(KSPGetConvergedReason(solver.ksp, &reason));
  ASSERT_PETSC_OK(KSPGetIterationNumber(solver.ksp, &its));
  EXPECT_EQ(reason, KSP_CONVERGED_ATOL);
  EXPECT_LE(its, usual + 8);
}

TEST(NmgUse, AnotherGridWithAsManyCellsIsSeen) {
  Model wide, high;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({24, 36, 1}), &wide);
  MakeModel(PETSC_COMM_WORLD, Dirichlet({36, 24, 1}), &high);
  Solver solver(wide.A);
  solver.Solve(wide.b, wide.x);
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, high.A, high.A));
  EXPECT_LE(solver.Solve(high.b, high.x), 9);
}

TEST(NmgUse, InstancesDoNotDisturbEachOther) {
  Model one, two;
  MakeModel(PETSC_COMM_WORLD, Half(10), &one);
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 12}), &two);
  Solver first(one.A), second(two.A);
  ASSERT_PETSC_OK(KSPSetUp(first.ksp));
  const double mark = Mark(first, one);
  ASSERT_PETSC_OK(KSPSetUp(second.ksp));
  const double other = Mark(second, two);
  EXPECT_EQ(Mark(first, one), mark);
  EXPECT_EQ(Mark(second, two), other);
}

TEST(NmgUse, SettingsTakeEffectAtAnyTime) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(10), &m);
  Solver solver(m.A);
  const PetscInt usual = solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(PCNMGSetSweeps(solver.pc, 4));
  EXPECT_LT(solver.Solve(m.b, m.x), usual);
  ASSERT_PETSC_OK(PCNMGSetSweeps(solver.pc, 1));
  EXPECT_GT(solver.Solve(m.b, m.x), usual);
  ASSERT_PETSC_OK(PCNMGSetSweeps(solver.pc, 0));
  ASSERT_PETSC_OK(PCNMGSetWeights(solver.pc, "constant"));
  EXPECT_GT(solver.Solve(m.b, m.x), usual);
  ASSERT_PETSC_OK(PCNMGSetWeights(solver.pc, "blackbox"));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
}

TEST(NmgUse, SettingsAreOfNoConcernToOtherPreconditioners) {
  PC pc;
  ASSERT_PETSC_OK(PCCreate(PETSC_COMM_WORLD, &pc));
  ASSERT_PETSC_OK(PCSetType(pc, PCJACOBI));
  EXPECT_PETSC_OK(PCNMGSetGrid(pc, 1, 2, 3));
  EXPECT_PETSC_OK(PCNMGSetWeights(pc, "constant"));
  ASSERT_PETSC_OK(PCSetType(pc, PCNMG));
  ASSERT_PETSC_OK(PCSetType(pc, PCJACOBI)); // the functions go with the type
  EXPECT_PETSC_OK(PCNMGSetSweeps(pc, -1));
  ASSERT_PETSC_OK(PCDestroy(&pc));
}

TEST(NmgUse, RefusesNonsense) {
  PC pc;
  ASSERT_PETSC_OK(PCCreate(PETSC_COMM_WORLD, &pc));
  ASSERT_PETSC_OK(PCSetType(pc, PCNMG));
  EXPECT_REFUSED(PCNMGSetSweeps(pc, -1), "-1 smoothing sweeps; give 1 to 20");
  EXPECT_REFUSED(PCNMGSetSweeps(pc, 21), "give 1 to 20");
  EXPECT_REFUSED(PCNMGSetWeights(pc, "nosuch"), "no weights 'nosuch'; there are constant, blackbox");
  EXPECT_REFUSED(PCNMGSetCycle(pc, "x"), "no cycle 'x'; there are v, w, auto");
  EXPECT_REFUSED(PCNMGSetReplicate(pc, 0), "give at least 1");
  EXPECT_REFUSED(PCNMGSetGrid(pc, 8, 0, 1), "8 x 0 x 1 cells has none");
  ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, "-pc_nmg_grid", "8"));
  EXPECT_REFUSED(PCSetFromOptions(pc), "two numbers (2D) or three (3D)");
  ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, "-pc_nmg_grid"));
  const struct {
    const char *key, *value, *message;
  } table[] = {
      {"-pc_nmg_weights", "", "no weights ''; there are constant, blackbox"},
      {"-pc_nmg_cycle", "", "no cycle ''; there are v, w, auto"},
      {"-pc_nmg_cycle", nullptr, "no cycle ''; there are v, w, auto"},
      {"-pc_nmg_cycle", "nosuch", "no cycle 'nosuch'"},
  };
  for (const auto &row : table) {
    ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, row.key, row.value));
    EXPECT_REFUSED(PCSetFromOptions(pc), row.message);
    ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, row.key));
  }
  ASSERT_PETSC_OK(PCDestroy(&pc));
}

TEST(NmgUse, RefusesMisspeltKeysWithTheNearest) {
  PC pc;
  ASSERT_PETSC_OK(PCCreate(PETSC_COMM_WORLD, &pc));
  ASSERT_PETSC_OK(PCSetType(pc, PCNMG));
  ASSERT_PETSC_OK(PCSetOptionsPrefix(pc, "my_"));
  const struct {
    const char *key, *message; ///< none: of no concern
  } table[] = {
      {"-my_pc_nmg_cylce", "unknown option -my_pc_nmg_cylce; did you mean -my_pc_nmg_cycle?"},
      {"-my_pc_nmg_xyzzyx", "unknown option -my_pc_nmg_xyzzyx; see -help"},
      {"-pc_nmg_cylce", nullptr},
      {"-their_pc_nmg_cylce", nullptr},
      {"-my_pc_nmg_cycle", nullptr},
  };
  for (const auto &row : table) {
    ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, row.key, "w"));
    if (row.message) EXPECT_REFUSED(PCSetFromOptions(pc), row.message);
    else EXPECT_PETSC_OK(PCSetFromOptions(pc)) << row.key;
    ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, row.key));
  }
  ASSERT_PETSC_OK(PCDestroy(&pc));
}

/// What PCView() prints, on the first rank.
std::string View(PC pc) {
  PetscViewer viewer;
  char *buffer = nullptr;
  std::size_t length = 0;
  FILE *memory = open_memstream(&buffer, &length);
  EXPECT_PETSC_OK(PetscViewerASCIIOpenWithFILE(PETSC_COMM_WORLD, memory, &viewer));
  EXPECT_PETSC_OK(PCView(pc, viewer));
  EXPECT_PETSC_OK(PetscViewerDestroy(&viewer));
  std::fclose(memory);
  const std::string seen(buffer, length);
  std::free(buffer);
  return seen;
}

TEST(NmgUse, ViewTellsOfAxesThatAreNotCoarsened) {
  ModelSpec spec = Dirichlet({15, 24, 1});
  for (const bool periodic : {false, true}) {
    spec.periodic = {periodic, false, false};
    Model m;
    MakeModel(PETSC_COMM_WORLD, spec, &m);
    Solver solver(m.A);
    ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
    const std::string seen = View(solver.pc);
    if (Rank() > 0) continue;
    EXPECT_EQ(seen.find("not coarsened along x, which is periodic with an odd number") != std::string::npos, periodic)
        << seen;
    EXPECT_EQ(seen.find("not coarsened along y"), std::string::npos) << seen;
  }
}

TEST(NmgUse, ViewTellsSettingsAndLevels) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Half(10), &m);
  Solver solver(m.A);
  for (const bool set_up : {false, true}) {
    if (set_up) { ASSERT_PETSC_OK(KSPSetUp(solver.ksp)); }
    const std::string seen = View(solver.pc);
    if (Rank() > 0) continue;
    EXPECT_NE(seen.find("blackbox transfers, auto cycle, Chebyshev-Jacobi smoothing"), std::string::npos) << seen;
    EXPECT_EQ(seen.find("level 0: 40 x 33 x 1 cells, 5 points") != std::string::npos, set_up) << seen;
    EXPECT_EQ(seen.find("2 + 2 sweeps") != std::string::npos, set_up) << seen;
    EXPECT_EQ(seen.find("solved exactly") != std::string::npos, set_up) << seen;
  }
}

} // namespace
