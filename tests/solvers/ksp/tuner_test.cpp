// KSPTUNER on systems where it is known which configuration is the best.
#include "meshes/files.h"
#include "solvers/ksp/tuner.h"
#include "solvers/linear_system.h"
#include "solvers/solver_state.h"
#include "tests/mpi_test.h"
#include "tests/scratch_folder.h"
#include <algorithm>
#include <map>
#include <petsc/private/pcimpl.h>
#include <petsclog.h>
#include <sstream>

using namespace krylearn;
using namespace krylearn_test;

namespace {

const char kThree[] = "nmg: -pc_type nmg; jacobi: -pc_type jacobi; sor: -pc_type sor";

/// A named problem and a tuner by work, under a prefix of its own so that no test reads another's options.
struct Tuned : LinearSystem {
  KSP ksp = nullptr;
  explicit Tuned(const std::string &configs, const char *name = "obstacles", const Int3 &cells = {48, 40, 1}) {
    static int count = 0;
    ProblemSpec spec;
    spec.name = name;
    spec.cells = cells;
    EXPECT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, spec, "", this));
    EXPECT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
    EXPECT_PETSC_OK(KSPSetOptionsPrefix(ksp, ("t" + std::to_string(++count) + "_").c_str()));
    EXPECT_PETSC_OK(SetSystem(ksp, *this));
    EXPECT_PETSC_OK(KSPSetType(ksp, KSPTUNER));
    EXPECT_PETSC_OK(KSPSetTolerances(ksp, 1e-8, 1e-300, 1e5, 3000));
    EXPECT_PETSC_OK(KSPTunerSetConfigs(ksp, configs.c_str()));
    EXPECT_PETSC_OK(KSPTunerSetLoss(ksp, "work"));
    EXPECT_PETSC_OK(KSPTunerSetReport(ksp, -1));
  }
  Tuned(const Tuned &) = delete;
  ~Tuned() {
    EXPECT_PETSC_OK(KSPDestroy(&ksp));
    EXPECT_PETSC_OK(Destroy());
  }

  /// Solves to the tolerance in the true residual, and says by which configuration.
  std::string Solve() {
    KSPConvergedReason reason;
    double norm;
    PetscReal scale, said;
    const char *chosen, *cheapest;
    EXPECT_PETSC_OK(KSPSolve(ksp, b, x));
    EXPECT_PETSC_OK(KSPGetConvergedReason(ksp, &reason));
    EXPECT_GT(reason, 0) << KSPConvergedReasons[reason];
    EXPECT_PETSC_OK(TrueResidual(A, b, x, &norm));
    EXPECT_PETSC_OK(VecNorm(b, NORM_2, &scale));
    EXPECT_LE(norm, 1.02e-8 * scale);
    EXPECT_PETSC_OK(KSPGetResidualNorm(ksp, &said));
    EXPECT_NEAR(said, norm, 1e-3 * norm);
    EXPECT_PETSC_OK(KSPTunerGetChosen(ksp, &chosen, &cheapest));
    return chosen;
  }
  std::string Solve(int times) {
    std::string course;
    for (int solve = 0; solve < times; ++solve) course += Solve() + " ";
    return course;
  }
  std::string Cheapest() {
    const char *chosen, *cheapest;
    EXPECT_PETSC_OK(KSPTunerGetChosen(ksp, &chosen, &cheapest));
    return cheapest;
  }
  /// As the table of the view says.
  long SetUps(const std::string &name) {
    std::istringstream lines(View());
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string first;
      double solves, stopped, cost, setup, count;
      if (words >> first && first == name && words >> solves >> stopped >> cost >> setup >> count) return long(count);
    }
    return -1;
  }
  std::string View() {
    ScratchFolder folder;
    PetscViewer viewer;
    std::string text;
    EXPECT_PETSC_OK(PetscViewerASCIIOpen(PETSC_COMM_WORLD, (folder / "view").c_str(), &viewer));
    EXPECT_PETSC_OK(KSPView(ksp, viewer));
    EXPECT_PETSC_OK(PetscViewerDestroy(&viewer));
    EXPECT_PETSC_OK(ReadTextFile(PETSC_COMM_WORLD, folder / "view", &text));
    return text;
  }
};

long Count(const std::string &text, const std::string &word) {
  long count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

TEST(Tuner, FindsTheCheapestConfigurationAndKeepsToIt) {
  for (const char *problem : {"obstacles", "box", "contrast"}) {
    Tuned tuned("jacobi: -pc_type jacobi; none: -pc_type none; nmg: -pc_type nmg; sor: -pc_type sor", problem);
    const std::string course = tuned.Solve(60);
    EXPECT_EQ(tuned.Cheapest(), "nmg") << problem;
    EXPECT_GE(Count(course, "nmg "), 40) << course;
  }
}

TEST(Tuner, MakesTheSameChoicesInEveryRunByWork) {
  Tuned one(kThree), two(kThree);
  EXPECT_EQ(one.Solve(20), two.Solve(20));
}

TEST(Tuner, AllRanksChooseAlikeByTime) {
  Tuned tuned(kThree);
  ASSERT_PETSC_OK(KSPTunerSetLoss(tuned.ksp, "time"));
  for (int solve = 0; solve < 20; ++solve) {
    const std::string name = tuned.Solve();
    int ends[2] = {int(name[0]), -int(name[0])};
    ASSERT_EQ(MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT, MPI_MAX, PETSC_COMM_WORLD), MPI_SUCCESS);
    EXPECT_EQ(ends[0], -ends[1]);
  }
}

TEST(Tuner, OutlivesConfigurationsThatDivergeFailLieOrCrawl) {
  Tuned tuned("safe: -pc_type nmg; diverges: -ksp_type richardson -ksp_richardson_scale 100 -pc_type none; "
              "fails: -pc_type nosuch; indefinite: -ksp_type preonly -pc_type jacobi; "
              "crawls: -ksp_type richardson -ksp_richardson_scale 0.01 -pc_type jacobi; "
              "breaks: -pc_type nmg -pc_nmg_grid 7,7");
  const std::string course = tuned.Solve(40);
  for (const char *name : {"diverges ", "fails ", "breaks "}) EXPECT_EQ(Count(course, name), 1) << course;
  EXPECT_LE(Count(course, "crawls "), 3) << course;
  EXPECT_LE(Count(course, "indefinite "), 3) << course;
  const std::string view = tuned.View();
  EXPECT_GE(Count(view, "dropped"), 3) << view;
  EXPECT_NE(view.find("nosuch"), std::string::npos) << view;
  EXPECT_NE(view.find("cheapest, safe"), std::string::npos) << view;
}

TEST(Tuner, GoesOnFromNonzeroGuessesAfterAFailure) {
  Tuned tuned("nmg: -pc_type nmg; diverges: -ksp_type richardson -ksp_richardson_scale 100 -pc_type none");
  tuned.Solve();
  ASSERT_PETSC_OK(VecScale(tuned.x, 0.999));
  ASSERT_PETSC_OK(KSPSetInitialGuessNonzero(tuned.ksp, PETSC_TRUE));
  PetscInt iterations;
  tuned.Solve();
  ASSERT_PETSC_OK(KSPGetIterationNumber(tuned.ksp, &iterations));
  EXPECT_GT(iterations, 0);
  // From the solution itself there is nothing to do, and nothing to learn.
  const std::string before = tuned.View();
  tuned.Solve();
  EXPECT_EQ(tuned.View(), before);
}

TEST(Tuner, ServesSingularSystemsAndZeroRightHandSides) {
  Tuned tuned(kThree, "walls");
  tuned.Solve(6);
  ASSERT_PETSC_OK(VecZeroEntries(tuned.b));
  KSPConvergedReason reason;
  ASSERT_PETSC_OK(KSPSolve(tuned.ksp, tuned.b, tuned.x));
  ASSERT_PETSC_OK(KSPGetConvergedReason(tuned.ksp, &reason));
  EXPECT_GT(reason, 0);
}

TEST(Tuner, SetsUpAnewForMatricesThatChangeAndForNoOthers) {
  for (const bool changes : {true, false}) {
    Tuned tuned("jacobi: -pc_type jacobi; none: -pc_type none");
    ASSERT_PETSC_OK(KSPTunerSetPolicy(tuned.ksp, "fixed"));
    for (int step = 0; step < 6; ++step) {
      if (changes) {
        ASSERT_PETSC_OK(MatScale(tuned.A, 1.5));
      }
      ASSERT_PETSC_OK(VecScale(tuned.b, step % 2 ? 3 : 0.7));
      ASSERT_PETSC_OK(KSPSetOperators(tuned.ksp, tuned.A, tuned.A));
      tuned.Solve();
    }
    EXPECT_EQ(tuned.SetUps("jacobi"), changes ? 6 : 1);
  }
}

TEST(Tuner, KeepsThePreconditionerOnlyAsLongAsItIsToldTo) {
  Tuned tuned("lu: -pc_type bjacobi -sub_pc_type lu");
  long expected = 0;
  for (const PetscBool reuse : {PETSC_FALSE, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE}) {
    ASSERT_PETSC_OK(MatShift(tuned.A, 3));
    ASSERT_PETSC_OK(KSPSetReusePreconditioner(tuned.ksp, reuse));
    ASSERT_PETSC_OK(KSPSetOperators(tuned.ksp, tuned.A, tuned.A));
    tuned.Solve();
    expected += !reuse;
    EXPECT_EQ(tuned.SetUps("lu"), expected);
  }
}

TEST(Tuner, LeavesItToTheSafeConfigurationWhereIterationsRunOut) {
  Tuned tuned("safe: -pc_type nmg; weak: -ksp_type richardson -ksp_richardson_scale 0.1 -pc_type none");
  ASSERT_PETSC_OK(KSPSetTolerances(tuned.ksp, 1e-8, 1e-300, 1e5, 20));
  const std::string course = tuned.Solve(40);
  EXPECT_GE(Count(course, "weak "), 2) << course;
  EXPECT_LE(Count(course, "weak "), 3) << course;
  EXPECT_NE(tuned.View().find("times, and never finished"), std::string::npos);
}

TEST(Tuner, TakesNewConfigurationsWithTheirOwnOptions) {
  Tuned tuned("a: -ksp_type gmres -pc_type jacobi");
  PetscInt many, few;
  tuned.Solve();
  ASSERT_PETSC_OK(KSPGetIterationNumber(tuned.ksp, &many));
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, "a: -pc_type nmg"));
  tuned.Solve();
  ASSERT_PETSC_OK(KSPGetIterationNumber(tuned.ksp, &few));
  EXPECT_LT(few, many / 3);
}

TEST(Tuner, ServesAnotherGridAfterAReset) {
  Tuned tuned(kThree), other(kThree, "box", {20, 28, 1});
  tuned.Solve(4);
  DM dm;
  ASSERT_PETSC_OK(KSPReset(tuned.ksp));
  ASSERT_PETSC_OK(KSPGetDM(other.ksp, &dm));
  ASSERT_PETSC_OK(KSPSetDM(tuned.ksp, dm));
  ASSERT_PETSC_OK(KSPSetDMActive(tuned.ksp, PETSC_FALSE));
  ASSERT_PETSC_OK(KSPSetOperators(tuned.ksp, other.A, other.A));
  KSPConvergedReason reason;
  for (int solve = 0; solve < 4; ++solve) {
    ASSERT_PETSC_OK(KSPSolve(tuned.ksp, other.b, other.x));
    ASSERT_PETSC_OK(KSPGetConvergedReason(tuned.ksp, &reason));
    EXPECT_GT(reason, 0);
  }
}

/// A preconditioner that one rank cannot set up; the others do not need it for theirs.
PetscErrorCode SetUpOnAllButOne(PC pc) {
  int rank, ranks;
  PetscFunctionBeginUser;
  MPI_Comm_rank(PetscObjectComm((PetscObject)pc), &rank);
  MPI_Comm_size(PetscObjectComm((PetscObject)pc), &ranks);
  PetscCheck(rank != ranks - 1, PETSC_COMM_SELF, PETSC_ERR_LIB, "no luck on the last rank");
  PetscFunctionReturn(0);
}

PetscErrorCode CreateUnlucky(PC pc) {
  PetscFunctionBeginUser;
  pc->ops->setup = SetUpOnAllButOne;
  pc->ops->apply = [](PC, Vec x, Vec y) -> PetscErrorCode { return VecCopy(x, y); };
  PetscFunctionReturn(0);
}

/// How deep events of the present stage are nested now.
std::map<std::string, int> OpenEventsOf(const std::vector<std::string> &names) {
  std::map<std::string, int> depths;
  PetscStageLog log;
  EXPECT_PETSC_OK(PetscLogGetStageLog(&log));
  for (const std::string &name : names) {
    PetscLogEvent event;
    EXPECT_PETSC_OK(PetscLogEventGetId(name.c_str(), &event));
    depths[name] = log->stageInfo[log->curStage].eventLog->eventInfo[event].depth;
  }
  return depths;
}

TEST(Tuner, OutlivesAnErrorOnOneRankAloneAndLeavesTheLogWhole) {
  ASSERT_PETSC_OK(PCRegister("unlucky", CreateUnlucky));
  ASSERT_PETSC_OK(PetscLogDefaultBegin());
  const std::map<std::string, int> before = OpenEventsOf({"KSPSolve", "KSPSetUp", "PCSetUp", "PCApply"});
  Tuned tuned("safe: -pc_type nmg; unlucky: -ksp_type preonly -pc_type unlucky; sor: -pc_type sor");
  tuned.Solve(20);
  EXPECT_NE(tuned.View().find("dropped: no luck on the last rank"), std::string::npos);
  EXPECT_EQ(OpenEventsOf({"KSPSolve", "KSPSetUp", "PCSetUp", "PCApply"}), before);
}

TEST(Tuner, ShowsMonitorsEachIterationOnce) {
  Tuned tuned("gmres: -ksp_type gmres -ksp_gmres_restart 4 -pc_type sor");
  std::vector<PetscInt> seen;
  ASSERT_PETSC_OK(KSPMonitorSet(
      tuned.ksp,
      [](KSP, PetscInt iteration, PetscReal, void *context) -> PetscErrorCode {
        static_cast<std::vector<PetscInt> *>(context)->push_back(iteration);
        return 0;
      },
      &seen, nullptr));
  tuned.Solve();
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], PetscInt(i));
  PetscInt iterations;
  ASSERT_PETSC_OK(KSPGetIterationNumber(tuned.ksp, &iterations));
  EXPECT_EQ(PetscInt(seen.size()), iterations + 1);
}

TEST(Tuner, GoesOnWithWhatItHasLearnt) {
  ScratchFolder folder;
  Tuned one(kThree), two(kThree), three(kThree);
  one.Solve(10);
  ASSERT_PETSC_OK(KSPTunerSave(one.ksp, (folder / "state").c_str()));
  std::string learnt;
  ASSERT_PETSC_OK(GetLearnt(one.ksp, &learnt));
  ASSERT_PETSC_OK(KSPTunerLoad(two.ksp, (folder / "state").c_str()));
  ASSERT_PETSC_OK(SetLearnt(three.ksp, learnt));
  ASSERT_PETSC_OK(KSPReset(one.ksp));
  ASSERT_PETSC_OK(KSPSetOperators(one.ksp, one.A, one.A));
  const std::string course = one.Solve(10);
  EXPECT_EQ(two.Solve(10), course);
  EXPECT_EQ(three.Solve(10), course);
  Tuned other("nmg: -pc_type nmg; sor: -pc_type sor");
  ASSERT_PETSC_OK(KSPTunerLoad(other.ksp, (folder / "state").c_str()));
  EXPECT_REFUSED(KSPSetUp(other.ksp), "it belongs to: jacobi: -pc_type jacobi; sor: -pc_type sor; expected: sor: ");
}

TEST(Tuner, AsksTheOthersWhereTheSafeConfigurationFails) {
  Tuned tuned("unsafe: -pc_type nosuch; nmg: -pc_type nmg; sor: -pc_type sor");
  tuned.Solve(10);
  EXPECT_EQ(tuned.Cheapest(), "nmg");
  EXPECT_NE(tuned.View().find("nosuch"), std::string::npos);
}

TEST(Tuner, ReportsThatTheSafeConfigurationFails) {
  Tuned fails("a: -pc_type nosuch"), slow("a: -pc_type none; b: -pc_type jacobi");
  EXPECT_REFUSED(KSPSolve(fails.ksp, fails.b, fails.x), "the safe configuration a fails: ");
  KSPConvergedReason reason;
  ASSERT_PETSC_OK(KSPSetTolerances(slow.ksp, 1e-8, 1e-300, 1e5, 3));
  for (int solve = 0; solve < 3; ++solve) {
    ASSERT_PETSC_OK(KSPSolve(slow.ksp, slow.b, slow.x));
    ASSERT_PETSC_OK(KSPGetConvergedReason(slow.ksp, &reason));
    EXPECT_EQ(reason, KSP_DIVERGED_ITS);
  }
  EXPECT_EQ(Count(slow.View(), "dropped"), 0);
}

TEST(Tuner, RefusesNonsense) {
  Tuned tuned("");
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "has no configurations to choose from");
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, " ; "));
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "has no configurations to choose from");
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, "no/such/file"));
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "'no/such/file' is no list");
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, "a: -pc_type none -ksp_rtol 1e-2"));
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "Configuration a has -ksp_rtol");
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, "a: -pc_type none; a: -pc_type jacobi"));
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "two configurations named a");
  ASSERT_PETSC_OK(KSPTunerSetConfigs(tuned.ksp, kThree));
  ASSERT_PETSC_OK(KSPTunerSetSafe(tuned.ksp, "gamg"));
  EXPECT_REFUSED(KSPSetUp(tuned.ksp), "no configuration 'gamg' to be the safe one; it has nmg, jacobi, sor");
  EXPECT_REFUSED(KSPTunerSetPolicy(tuned.ksp, "greedy"), "knows no policy 'greedy'; there are thompson");
  EXPECT_REFUSED(KSPTunerSetLoss(tuned.ksp, "joule"), "knows no loss 'joule'; there are time, work");
  EXPECT_REFUSED(KSPTunerSetLimit(tuned.ksp, 1), "give more than 1");
  EXPECT_REFUSED(KSPTunerSetReport(tuned.ksp, -2), "give at least 1");
  EXPECT_REFUSED(KSPTunerSave(tuned.ksp, "nowhere"), "has learnt nothing yet");
  Tuned other(kThree);
  EXPECT_REFUSED(KSPSolveTranspose(other.ksp, other.b, other.x), "does not solve with the transpose");
}

} // namespace
