// Whatever a configuration does, its visit ends with the truth about it and the next one is not harmed.
#include "solvers/compare/visit.h"
#include "tests/mpi_test.h"
#include <cmath>
#include <stdexcept>

using namespace krylearn;

namespace {

/// Returns something else at every call, as a broken preconditioner would.
PetscErrorCode ApplyGarbage(PC, Vec x, Vec y) {
  PetscFunctionBeginUser;
  static int call = 0;
  PetscCall(VecCopy(x, y));
  PetscCall(VecShift(y, ++call % 3 - 1.5));
  PetscFunctionReturn(0);
}
PetscErrorCode ApplyNothing(PC, Vec, Vec y) { return VecSet(y, NAN); }
PetscErrorCode ApplyThrows(PC, Vec, Vec) { throw std::runtime_error("the network is not there"); }
PetscErrorCode ApplyFails(PC pc, Vec, Vec) {
  SETERRQ(PetscObjectComm((PetscObject)pc), PETSC_ERR_LIB, "this preconditioner always fails");
}

template <PetscErrorCode (*apply)(PC, Vec, Vec)> PetscErrorCode CreateShell(PC pc) {
  PetscFunctionBeginUser;
  PetscCall(PCSetType(pc, PCSHELL));
  PetscCall(PCShellSetApply(pc, apply));
  PetscFunctionReturn(0);
}

class VisitTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_PETSC_OK(LogObserver::Install());
    static bool registered = false;
    if (!registered) {
      ASSERT_PETSC_OK(PCRegister("garbage", CreateShell<ApplyGarbage>));
      ASSERT_PETSC_OK(PCRegister("nan", CreateShell<ApplyNothing>));
      ASSERT_PETSC_OK(PCRegister("throws", CreateShell<ApplyThrows>));
      ASSERT_PETSC_OK(PCRegister("fails", CreateShell<ApplyFails>));
    }
    registered = true;
    ProblemSpec spec;
    spec.name = "obstacles";
    spec.cells = {24, 24, 1};
    ASSERT_PETSC_OK(MakeProblemWorkload(PETSC_COMM_WORLD, spec, 1, &workload));
  }
  void TearDown() override { ASSERT_PETSC_OK(workload->Destroy()); }

  Visit Run(const std::string &options, const Rules &rules = Rules()) {
    static int number = 0;
    Configuration c;
    c.name = "visit" + std::to_string(++number);
    c.options = options;
    Visit visit;
    EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, {c}));
    EXPECT_PETSC_OK(RunVisit(PETSC_COMM_WORLD, c, rules, workload.get(), &observer, &visit));
    return visit;
  }

  std::unique_ptr<Workload> workload;
  LogObserver observer;
};

double Count(const Visit &visit, const std::string &event, Phase phase) {
  double count = 0;
  for (const EventCost &e : visit.events)
    if (e.event == event && e.phase == phase) count += e.count;
  return count;
}

TEST_F(VisitTest, ReportsASolutionThatMeetsTheTolerance) {
  const Visit visit = Run("-pc_type jacobi");
  EXPECT_EQ(visit.outcome, Outcome::kOk) << visit.message;
  EXPECT_EQ(visit.solver, "cg with jacobi");
  ASSERT_EQ(visit.solves.size(), 1u);
  EXPECT_LE(visit.WorstResidual(), 1.01e-8);
  EXPECT_GT(visit.Iterations(), 10);
  ASSERT_EQ(PetscInt(visit.history.size()), visit.Iterations() + 1);
  EXPECT_NEAR(visit.history[0].residual, 1, 1e-12);
  EXPECT_LE(visit.history.back().residual, 1e-8);
}

TEST_F(VisitTest, CountsTheEventsOfTheVisitAlone) {
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Visit visit = Run("-pc_type jacobi -ksp_norm_type unpreconditioned");
    EXPECT_EQ(Count(visit, "KSPSolve", Phase::kSolve), 1);
    EXPECT_EQ(Count(visit, "MatMult", Phase::kSolve), double(visit.Iterations()));
    EXPECT_EQ(Count(visit, "PCSetUp", Phase::kSetup), 1);
    EXPECT_EQ(Count(visit, "KSPSolve", Phase::kSetup), 0);
    EXPECT_GT(visit.flops, 0);
  }
}

TEST_F(VisitTest, MarksSolversThatAreContentTooEarly) {
  for (const char *options : {"-pc_type jacobi -ksp_rtol 1e-3", "-pc_type jacobi -ksp_norm_type preconditioned -ksp_rtol 1e-5",
                              "-ksp_type preonly -pc_type jacobi", "-ksp_type preonly -pc_type garbage",
                              "-ksp_type preonly -pc_type nan", "-pc_type none -ksp_atol 1"}) {
    const Visit visit = Run(options);
    EXPECT_EQ(visit.outcome, Outcome::kMissed) << options << ": " << visit.message;
    EXPECT_FALSE(visit.WorstResidual() <= 1e-8) << options;
    EXPECT_NE(visit.message.find("true residual"), std::string::npos) << visit.message;
  }
}

TEST_F(VisitTest, NamesSolversThatGiveUp) {
  EXPECT_EQ(Run("-pc_type none -ksp_max_it 3").outcome, Outcome::kDiverged);
  EXPECT_EQ(Run("-pc_type nan").outcome, Outcome::kDiverged);
  EXPECT_EQ(Run("-ksp_type cr -pc_type jacobi").outcome, Outcome::kOk); // whose own norm is the one that works
  Rules rules;
  rules.max_iterations = 5;
  const Visit visit = Run("-pc_type garbage", rules);
  EXPECT_EQ(visit.outcome, Outcome::kDiverged);
  EXPECT_EQ(visit.message.rfind("DIVERGED_", 0), 0u) << visit.message;
}

TEST_F(VisitTest, StopsSolversThatTakeTooLong) {
  Rules rules;
  rules.time_limit = 1e-9;
  const Visit visit = Run("-pc_type none", rules);
  EXPECT_EQ(visit.outcome, Outcome::kTimeLimit);
  EXPECT_LE(visit.Iterations(), 2);
}

TEST_F(VisitTest, OutlivesErrorsAndExceptionsOfASolver) {
  const struct {
    const char *options, *message;
  } cases[] = {{"-pc_type nosuch", "Unable to find requested PC type nosuch"},
               {"-ksp_type nosuch", "Unable to find requested KSP type nosuch"},
               {"-pc_type fails", "this preconditioner always fails"},
               {"-pc_type throws", "the network is not there"},
               {"-pc_type shell", "No apply() routine"}};
  const PetscInt before = Run("-pc_type jacobi").Iterations();
  for (const auto &c : cases) {
    const Visit visit = Run(c.options);
    EXPECT_EQ(visit.outcome, Outcome::kFailed) << c.options;
    EXPECT_NE(visit.message.find(c.message), std::string::npos) << c.options << ": " << visit.message;
    const Visit after = Run("-pc_type jacobi");
    EXPECT_EQ(after.outcome, Outcome::kOk) << "after " << c.options << ": " << after.message;
    EXPECT_EQ(after.Iterations(), before) << "after " << c.options;
    EXPECT_EQ(Count(after, "KSPSolve", Phase::kSolve), 1) << "after " << c.options;
  }
}

TEST_F(VisitTest, KeepsTheSystemFromSolversThatChangeTheirs) {
  const PetscInt before = Run("-pc_type none").Iterations();
  Run("-pc_type none -ksp_diagonal_scale");
  EXPECT_EQ(Run("-pc_type none").Iterations(), before);
  if (krylearn_test::Ranks() > 1) return;
  Run("-ksp_type preonly -pc_type lu -pc_factor_in_place");
  EXPECT_EQ(Run("-pc_type none").Iterations(), before);
}

TEST_F(VisitTest, TellsOfOptionsThatNothingReads) {
  const Visit visit = Run("-pc_type jacobi -pc_typ gamg");
  EXPECT_EQ(visit.outcome, Outcome::kOk);
  EXPECT_EQ(visit.unread, "-pc_typ");
}

TEST_F(VisitTest, CountsAgainAfterAFailureInTheSameStage) {
  Configuration c;
  c.name = "twice";
  c.options = "-pc_type fails";
  Visit visit;
  ASSERT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, {c}));
  ASSERT_PETSC_OK(RunVisit(PETSC_COMM_WORLD, c, Rules(), workload.get(), &observer, &visit));
  EXPECT_EQ(visit.outcome, Outcome::kFailed);
  for (const EventCost &e : visit.events) {
    EXPECT_GE(e.messages, 0) << e.event;
    EXPECT_GE(e.reductions, 0) << e.event;
    EXPECT_GE(e.flops, 0) << e.event;
  }
  ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, "-twice_pc_type", "jacobi"));
  ASSERT_PETSC_OK(RunVisit(PETSC_COMM_WORLD, c, Rules(), workload.get(), &observer, &visit));
  EXPECT_EQ(visit.outcome, Outcome::kOk) << visit.message;
  EXPECT_EQ(Count(visit, "KSPSolve", Phase::kSolve), 1);
  EXPECT_EQ(Count(visit, "MatMult", Phase::kSolve), double(visit.Iterations()));
}

TEST_F(VisitTest, GivesSolversTheValuesOfEachStep) {
  ASSERT_PETSC_OK(workload->Destroy());
  ASSERT_PETSC_OK(MakeHeatWorkload(PETSC_COMM_WORLD, 20, 4, &workload));
  for (const char *options : {"-pc_type sor -pc_sor_local_symmetric", "-pc_type jacobi"}) {
    const PetscInt first = Run(options).Iterations();
    EXPECT_EQ(Run(options).Iterations(), first) << options;
  }
#if defined(PETSC_HAVE_HYPRE)
  const Visit visit = Run("-pc_type pfmg");
  EXPECT_EQ(visit.outcome, Outcome::kOk) << visit.message;
  EXPECT_EQ(Run("-pc_type pfmg").Iterations(), visit.Iterations());
#endif
}

TEST_F(VisitTest, GivesStructuredSolversTheirMatrix) {
#if defined(PETSC_HAVE_HYPRE)
  const Visit visit = Run("-pc_type pfmg");
  EXPECT_EQ(visit.outcome, Outcome::kOk) << visit.message;
  EXPECT_EQ(visit.solver, "cg with pfmg");
  const Visit hypre = Run("-pc_type hypre");
  EXPECT_EQ(hypre.outcome, Outcome::kOk) << hypre.message;
#endif
}

TEST_F(VisitTest, SolvesSeveralRightHandSidesWithOneSetUp) {
  ASSERT_PETSC_OK(workload->Destroy());
  ProblemSpec spec;
  spec.name = "box";
  spec.cells = {16, 16, 1};
  ASSERT_PETSC_OK(MakeProblemWorkload(PETSC_COMM_WORLD, spec, 3, &workload));
  const Visit visit = Run("-pc_type jacobi");
  EXPECT_EQ(visit.outcome, Outcome::kOk) << visit.message;
  ASSERT_EQ(visit.solves.size(), 3u);
  EXPECT_EQ(Count(visit, "PCSetUp", Phase::kSetup), 1);
}

} // namespace
