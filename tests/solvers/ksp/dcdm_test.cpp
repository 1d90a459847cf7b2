#include "solvers/ksp/dcdm.h"
#include "solvers/linear_system.h"
#include "tests/solvers/pc/nmg_model.h"
#include <algorithm>
#include <cstdlib>
#include <limits>

using namespace krylearn;
using namespace krylearn_test;

namespace {

/// A named problem that frees itself.
struct System : LinearSystem {
  explicit System(const char *name, const Int3 &cells = {48, 40, 1}) {
    ProblemSpec spec;
    spec.name = name;
    spec.cells = cells;
    EXPECT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, spec, "", this));
  }
  ~System() { EXPECT_PETSC_OK(Destroy()); }
};

struct Ksp {
  KSP ksp = nullptr;
  PC pc = nullptr;
  Mat A;
  explicit Ksp(Mat matrix, const char *type = KSPDCDM, const char *pc_type = PCJACOBI) : A(matrix) {
    EXPECT_PETSC_OK(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
    EXPECT_PETSC_OK(KSPSetOperators(ksp, A, A));
    EXPECT_PETSC_OK(KSPSetType(ksp, type));
    EXPECT_PETSC_OK(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    EXPECT_PETSC_OK(KSPSetTolerances(ksp, 1e-8, 1e-300, 1e5, 2000));
    EXPECT_PETSC_OK(KSPGetPC(ksp, &pc));
    EXPECT_PETSC_OK(PCSetType(pc, pc_type));
  }
  Ksp(const Ksp &) = delete;
  ~Ksp() { KSPDestroy(&ksp); }

  KSPConvergedReason Reason(Vec b, Vec x) {
    KSPConvergedReason reason;
    EXPECT_PETSC_OK(KSPSolve(ksp, b, x));
    EXPECT_PETSC_OK(KSPGetConvergedReason(ksp, &reason));
    return reason;
  }
  /// Iterations of a solve that reaches `tolerance` in the true residual.
  PetscInt Solve(Vec b, Vec x, double tolerance = 1e-8) {
    EXPECT_PETSC_OK(KSPSetTolerances(ksp, tolerance, 1e-300, 1e5, 2000));
    const KSPConvergedReason reason = Reason(b, x);
    EXPECT_GT(reason, 0) << KSPConvergedReasons[reason];
    double norm;
    PetscReal scale;
    PetscInt iterations;
    EXPECT_PETSC_OK(TrueResidual(A, b, x, &norm));
    EXPECT_PETSC_OK(VecNorm(b, NORM_2, &scale));
    EXPECT_LE(norm, 1.01 * tolerance * scale);
    EXPECT_PETSC_OK(KSPGetIterationNumber(ksp, &iterations));
    return iterations;
  }
  KSPDCDMFallbacks Fallbacks() {
    KSPDCDMFallbacks f;
    EXPECT_PETSC_OK(KSPDCDMGetFallbacks(ksp, &f));
    return f;
  }
};

TEST(Dcdm, TakesTheIterationsOfTruncatedFlexibleCgWithLinearPreconditioners) {
  for (const char *problem : {"box", "obstacles", "contrast", "darcy"})
    for (const char *pc : {PCJACOBI, PCNMG, PCBJACOBI})
      for (const PetscInt window : {1, 2, 5}) {
        SCOPED_TRACE(std::string(problem) + " " + pc + " " + std::to_string(window));
        System system(problem);
        Ksp fcg(system.A, KSPFCG, pc), dcdm(system.A, KSPDCDM, pc);
        ASSERT_PETSC_OK(KSPFCGSetMmax(fcg.ksp, window));
        ASSERT_PETSC_OK(KSPFCGSetTruncationType(fcg.ksp, KSP_FCD_TRUNC_TYPE_STANDARD));
        ASSERT_PETSC_OK(KSPDCDMSetWindow(dcdm.ksp, window));
        const PetscInt expected = fcg.Solve(system.b, system.x);
        // Rounding sets solves of many hundreds of iterations apart, with any two programs.
        const double room = expected <= 200 ? 1 : 0.04 * double(expected);
        EXPECT_NEAR(double(dcdm.Solve(system.b, system.x)), double(expected), room);
        const KSPDCDMFallbacks f = dcdm.Fallbacks();
        EXPECT_EQ(f.not_finite + f.zero + f.level + f.upwards + f.stalled, 0);
      }
}

TEST(Dcdm, TakesTheSameIterationsOnAnyNumberOfRanks) {
  const struct {
    const char *problem, *pc;
    Int3 cells;
    PetscInt iterations;
  } table[] = {{"obstacles", PCJACOBI, {47, 41, 1}, 255},
               {"obstacles", PCNMG, {47, 41, 1}, 6},
               {"contrast", PCNMG, {20, 18, 17}, 17},
               {"darcy", PCJACOBI, {20, 18, 17}, 199}};
  for (const auto &row : table) {
    SCOPED_TRACE(std::string(row.problem) + " " + row.pc);
    System system(row.problem, row.cells);
    Ksp dcdm(system.A, KSPDCDM, row.pc);
    EXPECT_NEAR(double(dcdm.Solve(system.b, system.x)), double(row.iterations), 1);
  }
}

TEST(Dcdm, ReachesTightTolerances) {
  System system("obstacles");
  Ksp dcdm(system.A, KSPDCDM, PCNMG);
  EXPECT_LE(dcdm.Solve(system.b, system.x, 1e-12), 12);
}

TEST(Dcdm, ServesSingularSystemsWithTheirNullSpaceAttached) {
  ModelSpec spec;
  spec.n = {31, 22, 1};
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m, true);
  for (const char *pc : {PCJACOBI, PCNMG}) {
    Ksp cg(m.A, KSPCG, pc), dcdm(m.A, KSPDCDM, pc);
    const PetscInt expected = cg.Solve(m.b, m.x);
    EXPECT_NEAR(double(dcdm.Solve(m.b, m.x)), double(expected), 1);
    PetscScalar sum;
    ASSERT_PETSC_OK(VecSum(m.x, &sum));
    EXPECT_NEAR(sum, 0, 1e-8);
  }
}

/// y = A x, counted.
struct Counter {
  Mat A;
  PetscInt products = 0;
};
PetscErrorCode CountedMult(Mat shell, Vec x, Vec y) {
  Counter *counter;
  PetscFunctionBeginUser;
  PetscCall(MatShellGetContext(shell, &counter));
  ++counter->products;
  PetscCall(MatMult(counter->A, x, y));
  PetscFunctionReturn(0);
}

TEST(Dcdm, SpendsOneProductAnIteration) {
  System system("obstacles");
  Counter counter{system.A};
  Mat shell;
  PetscInt rows;
  ASSERT_PETSC_OK(MatGetLocalSize(system.A, &rows, nullptr));
  ASSERT_PETSC_OK(MatCreateShell(PETSC_COMM_WORLD, rows, rows, PETSC_DECIDE, PETSC_DECIDE, &counter, &shell));
  ASSERT_PETSC_OK(MatShellSetOperation(shell, MATOP_MULT, reinterpret_cast<void (*)()>(CountedMult)));
  Ksp dcdm(shell);
  ASSERT_PETSC_OK(KSPSetOperators(dcdm.ksp, shell, system.A));
  ASSERT_PETSC_OK(KSPDCDMSetStall(dcdm.ksp, 0));
  ASSERT_EQ(dcdm.Reason(system.b, system.x), KSP_CONVERGED_RTOL);
  PetscInt iterations;
  ASSERT_PETSC_OK(KSPGetIterationNumber(dcdm.ksp, &iterations));
  EXPECT_EQ(counter.products, iterations);
  ASSERT_PETSC_OK(MatDestroy(&shell));
}

/// What a shell preconditioner proposes, by name.
struct Hostile {
  std::string kind;
  Mat A;
  PetscInt calls = 0;
};
PetscErrorCode HostileApply(PC pc, Vec r, Vec z) {
  Hostile *h;
  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &h));
  const bool other_time = h->calls++ % 2;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  PetscInt first, end;
  PetscCall(VecGetOwnershipRange(z, &first, &end));
  PetscCall(VecCopy(r, z));
  if (h->kind == "nan") PetscCall(VecSet(z, nan));
  if (h->kind == "infinite") PetscCall(VecSet(z, std::numeric_limits<double>::infinity()));
  if (h->kind == "nan in one cell" && Rank() == 0) PetscCall(VecSetValue(z, 3, nan, INSERT_VALUES));
  if (h->kind == "nan every other time" && other_time) PetscCall(VecSet(z, nan));
  if (h->kind == "zero") PetscCall(VecSet(z, 0));
  if (h->kind == "constant") PetscCall(VecSet(z, 1));
  if (h->kind == "flipped") PetscCall(VecScale(z, -1));
  if (h->kind == "huge") PetscCall(VecScale(z, 1e200));
  if (h->kind == "large") PetscCall(VecScale(z, 1e100));
  if (h->kind == "tiny") PetscCall(VecScale(z, 1e-200));
  if (h->kind == "product with A") PetscCall(MatMult(h->A, r, z));
  if (h->kind == "blind") { // to the first half
    PetscInt rows;
    PetscCall(VecGetSize(z, &rows));
    for (PetscInt i = first; i < PetscMin(end, rows / 2); ++i) PetscCall(VecSetValue(z, i, 0, INSERT_VALUES));
  }
  if (h->kind == "random")
    for (PetscInt i = first; i < end; ++i)
      PetscCall(VecSetValue(z, i, RandomEntry(i + 100000 * h->calls), INSERT_VALUES));
  PetscCall(VecAssemblyBegin(z));
  PetscCall(VecAssemblyEnd(z));
  PetscFunctionReturn(0);
}

TEST(Dcdm, ConvergesWhateverThePreconditionerProposes) {
  // The number of replaced directions: all of them, some, or none.
  const struct {
    const char *kind;
    char replaced;
  } table[] = {{"nan", 'a'},  {"infinite", 'a'}, {"nan in one cell", 'a'}, {"nan every other time", 's'},
               {"zero", 'a'}, {"constant", 's'}, {"flipped", '?'},         {"huge", 'a'},
               {"tiny", 'a'}, {"random", 's'},   {"large", 'n'},           {"product with A", '?'}};
  System system("obstacles", {24, 20, 1});
  for (const auto &row : table) {
    SCOPED_TRACE(row.kind);
    Ksp dcdm(system.A, KSPDCDM, PCSHELL);
    Hostile hostile{row.kind, system.A};
    ASSERT_PETSC_OK(PCShellSetContext(dcdm.pc, &hostile));
    ASSERT_PETSC_OK(PCShellSetApply(dcdm.pc, HostileApply));
    const PetscInt iterations = dcdm.Solve(system.b, system.x);
    const KSPDCDMFallbacks f = dcdm.Fallbacks();
    const PetscInt replaced = f.not_finite + f.zero + f.level + f.upwards + f.stalled;
    const PetscInt least = row.replaced == 'a' ? iterations : row.replaced == 's' ? 1 : 0;
    const PetscInt most = row.replaced == 'n' ? 0 : row.replaced == 's' ? iterations - 1 : iterations;
    EXPECT_GE(replaced, least);
    EXPECT_LE(replaced, most);
  }
}

/// Iterations with a hostile preconditioner and a classical one; what happened goes into `f`.
PetscInt IterationsWith(const System &system, const char *kind, const char *classical, PetscInt stall,
                        KSPDCDMFallbacks *f) {
  Ksp dcdm(system.A, KSPDCDM, PCSHELL);
  Hostile hostile{kind, system.A};
  PC pc;
  EXPECT_PETSC_OK(PCShellSetContext(dcdm.pc, &hostile));
  EXPECT_PETSC_OK(PCShellSetApply(dcdm.pc, HostileApply));
  EXPECT_PETSC_OK(KSPDCDMSetStall(dcdm.ksp, stall));
  EXPECT_PETSC_OK(KSPDCDMGetFallbackPC(dcdm.ksp, &pc));
  EXPECT_PETSC_OK(PCSetType(pc, classical));
  if (stall == 0) { EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_DIVERGED_ITS); }
  const PetscInt iterations = stall > 0 ? dcdm.Solve(system.b, system.x) : 2000;
  *f = dcdm.Fallbacks();
  return iterations;
}

TEST(Dcdm, OvercomesPreconditionersThatStandStill) {
  const struct {
    const char *kind;
    PetscInt jacobi, nmg;
  } table[] = {{"random", 1000, 30}, {"blind", 1100, 55}, {"product with A", 1500, 160}};
  System system("obstacles", {64, 64, 1});
  for (const auto &row : table) {
    SCOPED_TRACE(row.kind);
    KSPDCDMFallbacks f;
    EXPECT_LE(IterationsWith(system, row.kind, PCJACOBI, 20, &f), row.jacobi);
    EXPECT_GT(f.stalled, 0);
    EXPECT_EQ(f.window, 8);
    EXPECT_LE(IterationsWith(system, row.kind, PCNMG, 20, &f), row.nmg);
    if (std::string(row.kind) == "random") continue; // half of them lead upwards, where nmg has better
    EXPECT_GT(f.stalled, 0);
    IterationsWith(system, row.kind, PCNMG, 0, &f);
    EXPECT_EQ(f.stalled, 0);
    EXPECT_EQ(f.window, 2);
  }
}

TEST(Dcdm, LengthensTheWindowBeforeClassicalDirectionsStepIn) {
  System system("obstacles", {64, 64, 1});
  Ksp dcdm(system.A, KSPDCDM, PCSHELL);
  Hostile hostile{"blind", system.A};
  ASSERT_PETSC_OK(PCShellSetContext(dcdm.pc, &hostile));
  ASSERT_PETSC_OK(PCShellSetApply(dcdm.pc, HostileApply));
  const auto after = [&](PetscInt iterations) {
    EXPECT_PETSC_OK(KSPSetTolerances(dcdm.ksp, 1e-8, 1e-300, 1e5, iterations));
    EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_DIVERGED_ITS);
    return dcdm.Fallbacks();
  };
  ASSERT_PETSC_OK(KSPDCDMSetStall(dcdm.ksp, 12));
  PetscInt first = 1;
  while (first < 100 && after(first).window == 2) ++first;
  EXPECT_EQ(after(first).window, 8);
  EXPECT_EQ(after(first + 11).stalled, 0);
  EXPECT_GE(after(first + 60).stalled, 1);
  ASSERT_PETSC_OK(KSPDCDMSetWindowMax(dcdm.ksp, 1)); // the window stays as it is, and nothing waits for it
  EXPECT_EQ(after(first + 11).window, 2);
  EXPECT_GE(after(first + 11).stalled, 1);
}

TEST(Dcdm, LeavesGoodPreconditionersAloneWhereTheResidualStandsStill) {
  System system("contrast", {64, 64, 1});
  Ksp patient(system.A, KSPDCDM, PCBJACOBI), hasty(system.A, KSPDCDM, PCBJACOBI);
  ASSERT_PETSC_OK(KSPDCDMSetStall(patient.ksp, 0));
  ASSERT_PETSC_OK(KSPDCDMSetStall(hasty.ksp, 3));
  const PetscInt usual = patient.Solve(system.b, system.x);
  EXPECT_LE(double(hasty.Solve(system.b, system.x)), 1.05 * double(usual));
  EXPECT_EQ(hasty.Fallbacks().window, 8);
}

PetscErrorCode NothingApply(PC, Vec, Vec z) { return VecSet(z, 0); }

TEST(Dcdm, TakesTheResidualWhereTheMatrixHasNoDiagonalToRead) {
  System system("obstacles", {24, 20, 1});
  Counter counter{system.A};
  Mat shell;
  PetscInt rows;
  ASSERT_PETSC_OK(MatGetLocalSize(system.A, &rows, nullptr));
  ASSERT_PETSC_OK(MatCreateShell(PETSC_COMM_WORLD, rows, rows, PETSC_DECIDE, PETSC_DECIDE, &counter, &shell));
  ASSERT_PETSC_OK(MatShellSetOperation(shell, MATOP_MULT, reinterpret_cast<void (*)()>(CountedMult)));
  Ksp dcdm(shell, KSPDCDM, PCSHELL);
  ASSERT_PETSC_OK(PCShellSetApply(dcdm.pc, NothingApply));
  dcdm.A = system.A;
  const PetscInt iterations = dcdm.Solve(system.b, system.x);
  EXPECT_EQ(dcdm.Fallbacks().zero, iterations);
  EXPECT_EQ(dcdm.Fallbacks().residual, 0);
  ASSERT_PETSC_OK(MatDestroy(&shell));
}

TEST(Dcdm, TakesTheResidualWhereTheClassicalDirectionWillNotDoEither) {
  System system("obstacles", {24, 20, 1});
  Ksp dcdm(system.A, KSPDCDM, PCSHELL);
  Hostile hostile{"nan", system.A};
  PC pc;
  ASSERT_PETSC_OK(KSPDCDMGetFallbackPC(dcdm.ksp, &pc));
  ASSERT_PETSC_OK(PCSetType(pc, PCSHELL));
  for (PC each : {dcdm.pc, pc}) {
    ASSERT_PETSC_OK(PCShellSetContext(each, &hostile));
    ASSERT_PETSC_OK(PCShellSetApply(each, HostileApply));
  }
  const PetscInt iterations = dcdm.Solve(system.b, system.x, 1e-2);
  EXPECT_EQ(dcdm.Fallbacks().not_finite, iterations);
  EXPECT_EQ(dcdm.Fallbacks().residual, iterations);
}

TEST(Dcdm, StopsAtAMatrixThatIsNotPositiveDefinite) {
  System system("box", {16, 16, 1});
  ASSERT_PETSC_OK(MatScale(system.A, -1));
  Ksp dcdm(system.A, KSPDCDM, PCNONE);
  EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_DIVERGED_INDEFINITE_MAT);
}

TEST(Dcdm, StartsFromAGuessAndEndsWithinItsLimits) {
  System system("obstacles");
  Ksp dcdm(system.A);
  const PetscInt usual = dcdm.Solve(system.b, system.x);
  ASSERT_PETSC_OK(KSPSetInitialGuessNonzero(dcdm.ksp, PETSC_TRUE));
  EXPECT_EQ(dcdm.Solve(system.b, system.x, 1e-6), 0);
  ASSERT_PETSC_OK(KSPSetInitialGuessNonzero(dcdm.ksp, PETSC_FALSE));
  ASSERT_PETSC_OK(KSPSetTolerances(dcdm.ksp, 1e-8, 1e-300, 1e5, 5));
  EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_DIVERGED_ITS);
  PetscInt iterations;
  ASSERT_PETSC_OK(KSPGetIterationNumber(dcdm.ksp, &iterations));
  EXPECT_EQ(iterations, 5);
  EXPECT_EQ(dcdm.Solve(system.b, system.x), usual);
  ASSERT_PETSC_OK(VecSet(system.b, 0));
  EXPECT_GT(dcdm.Reason(system.b, system.x), 0);
}

TEST(Dcdm, RunsAFixedNumberOfIterationsWithoutANorm) {
  System system("obstacles");
  Ksp dcdm(system.A);
  ASSERT_PETSC_OK(KSPSetNormType(dcdm.ksp, KSP_NORM_NONE));
  ASSERT_PETSC_OK(KSPSetConvergenceTest(dcdm.ksp, KSPConvergedSkip, nullptr, nullptr));
  ASSERT_PETSC_OK(KSPSetTolerances(dcdm.ksp, 1e-8, 1e-300, 1e5, 7));
  EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_CONVERGED_ITS);
  ASSERT_PETSC_OK(VecSet(system.b, 0)); // there is no way down from the solution
  EXPECT_EQ(dcdm.Reason(system.b, system.x), KSP_CONVERGED_ITS);
}

TEST(Dcdm, WorksAgainAfterAResetAndWithAnotherWindow) {
  System system("obstacles"), other("darcy", {30, 20, 1});
  Ksp dcdm(system.A);
  const PetscInt usual = dcdm.Solve(system.b, system.x);
  ASSERT_PETSC_OK(KSPDCDMSetWindow(dcdm.ksp, 30));
  EXPECT_LE(dcdm.Solve(system.b, system.x), usual + 1);
  ASSERT_PETSC_OK(KSPReset(dcdm.ksp));
  dcdm.A = other.A;
  ASSERT_PETSC_OK(KSPSetOperators(dcdm.ksp, other.A, other.A));
  dcdm.Solve(other.b, other.x);
}

TEST(Dcdm, RefusesNonsense) {
  KSP ksp;
  ASSERT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
  ASSERT_PETSC_OK(KSPSetType(ksp, KSPDCDM));
  EXPECT_REFUSED(KSPDCDMSetWindow(ksp, 0), "a window of 0 directions; give 1 to 1000");
  EXPECT_REFUSED(KSPDCDMSetWindowMax(ksp, 1001), "a window that grows to 1001 directions; give 1 to 1000");
  EXPECT_REFUSED(KSPDCDMSetStall(ksp, -1), "give at least 1, or 0 for never");
  ASSERT_PETSC_OK(KSPSetType(ksp, KSPCG)); // settings are of no concern to other types
  EXPECT_PETSC_OK(KSPDCDMSetWindow(ksp, 0));
  KSPDCDMFallbacks f;
  EXPECT_PETSC_OK(KSPDCDMGetFallbacks(ksp, &f));
  EXPECT_EQ(f.zero, 0);
  ASSERT_PETSC_OK(KSPDestroy(&ksp));
}

TEST(Dcdm, ViewTellsTheWindowAndWhatWasReplaced) {
  System system("box", {16, 16, 1});
  Ksp dcdm(system.A, KSPDCDM, PCSHELL);
  Hostile hostile{"zero", system.A};
  ASSERT_PETSC_OK(PCShellSetContext(dcdm.pc, &hostile));
  ASSERT_PETSC_OK(PCShellSetApply(dcdm.pc, HostileApply));
  const PetscInt iterations = dcdm.Solve(system.b, system.x);
  char *buffer = nullptr;
  std::size_t length = 0;
  FILE *memory = open_memstream(&buffer, &length);
  PetscViewer viewer;
  ASSERT_PETSC_OK(PetscViewerASCIIOpenWithFILE(PETSC_COMM_WORLD, memory, &viewer));
  ASSERT_PETSC_OK(KSPView(dcdm.ksp, viewer));
  ASSERT_PETSC_OK(PetscViewerDestroy(&viewer));
  std::fclose(memory);
  const std::string seen(buffer, length);
  std::free(buffer);
  if (Rank() > 0) return;
  EXPECT_NE(seen.find("window of 2 directions"), std::string::npos) << seen;
  EXPECT_NE(seen.find("then a window of 8, then classical directions"), std::string::npos) << seen;
  EXPECT_NE(seen.find("0 not finite, " + std::to_string(iterations) + " zero"), std::string::npos) << seen;
  EXPECT_NE(seen.find("type: jacobi"), std::string::npos) << seen;
}

} // namespace
