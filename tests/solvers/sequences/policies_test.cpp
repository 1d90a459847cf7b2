// PCSORBANDIT over sequences of systems.
#include "solvers/pc/sorbandit.h"
#include "solvers/sequences/sequence.h"
#include "tests/mpi_test.h"
#include "tests/scratch_folder.h"

using namespace krylearn;
using namespace krylearn_test;

namespace {

PetscInt64 Total(const SequenceSpec &spec, const std::string &policy) {
  std::vector<Course> courses;
  std::vector<double> contexts;
  EXPECT_PETSC_OK(RunPolicies(PETSC_COMM_WORLD, spec, {policy}, &courses, &contexts));
  return courses.empty() ? 0 : courses[0].Total();
}

TEST(Policies, SequencesAreTheSameOnAnyNumberOfRanks) {
  SequenceSpec spec;
  spec.nx = 25;
  spec.steps = 100;
  const PetscInt64 total = Total(spec, "cg");
  EXPECT_NEAR(double(total), 366, 3);
}

TEST(Policies, LearntFactorsBeatThoseThatAreNotTuned) {
  SequenceSpec spec;
  spec.name = "sor";
  spec.steps = 400;
  if (Ranks() > 1) {
    std::unique_ptr<Sequence> sequence;
    EXPECT_REFUSED(MakeSequence(PETSC_COMM_WORLD, spec, &sequence), "takes one rank");
    return;
  }
  const PetscInt64 gauss_seidel = Total(spec, "fixed:1");
  for (const char *policy : {"tsallis", "tsallis_cb", "chebcb", "thompson", "surface"})
    EXPECT_LT(Total(spec, policy), gauss_seidel / 2) << policy;
}

TEST(Policies, AllRanksTakeTheSameFactors) {
  SequenceSpec spec;
  spec.nx = 13;
  spec.steps = 60;
  std::vector<Course> courses;
  std::vector<double> contexts;
  ASSERT_PETSC_OK(RunPolicies(PETSC_COMM_WORLD, spec, {"tsallis", "surface"}, &courses, &contexts));
  for (const Course &course : courses)
    for (const double omega : course.omega) {
      double ends[2] = {omega, -omega};
      ASSERT_EQ(MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD), MPI_SUCCESS);
      EXPECT_EQ(ends[0], -ends[1]);
    }
}

TEST(Policies, HindsightIsNeverWorse) {
  SequenceSpec spec;
  spec.nx = 9;
  spec.steps = 30;
  std::vector<Course> courses;
  std::vector<double> contexts;
  ASSERT_PETSC_OK(RunPolicies(PETSC_COMM_WORLD, spec, {"best_fixed", "oracle", "fixed:1.5"}, &courses, &contexts));
  EXPECT_LE(courses[0].Total(), courses[2].Total());
  EXPECT_LE(courses[1].Total(), courses[0].Total());
}

TEST(Policies, RefusesWhatThereIsNot) {
  SequenceSpec spec;
  spec.steps = 1;
  std::vector<Course> courses;
  std::vector<double> contexts;
  const auto run = [&](const std::string &policy) {
    return RunPolicies(PETSC_COMM_WORLD, spec, {policy}, &courses, &contexts);
  };
  EXPECT_REFUSED(run("greedy"), "There is no policy 'greedy'; there are cg");
  EXPECT_REFUSED(run("fixed:2"), "inside (0, 2)");
}

/// A solver of the heat sequence's first system with PCSORBANDIT.
struct BanditSolver {
  std::unique_ptr<Sequence> sequence;
  KSP ksp = nullptr;
  PC pc = nullptr;
  BanditSolver() {
    SequenceSpec spec;
    spec.nx = 12;
    EXPECT_PETSC_OK(MakeSequence(PETSC_COMM_WORLD, spec, &sequence));
    EXPECT_PETSC_OK(sequence->Rewind());
    EXPECT_PETSC_OK(sequence->Make(700)); // much diffusion
    EXPECT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
    EXPECT_PETSC_OK(KSPSetType(ksp, KSPCG));
    EXPECT_PETSC_OK(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    EXPECT_PETSC_OK(KSPGetPC(ksp, &pc));
    EXPECT_PETSC_OK(PCSetType(pc, PCSORBANDIT));
    EXPECT_PETSC_OK(KSPSetOperators(ksp, sequence->A, sequence->A));
  }
  ~BanditSolver() {
    KSPDestroy(&ksp);
    sequence->Destroy();
  }
  double Solve() {
    PetscReal omega;
    EXPECT_PETSC_OK(KSPSolve(ksp, sequence->b, sequence->x));
    EXPECT_PETSC_OK(PCSORBanditGetOmega(pc, &omega));
    return omega;
  }
};

TEST(SorBandit, GoesOnWithWhatItHasLearnt) {
  ScratchFolder folder;
  BanditSolver one, two;
  for (int solve = 0; solve < 20; ++solve) one.Solve();
  ASSERT_PETSC_OK(PCSORBanditSave(one.pc, (folder / "state").c_str()));
  ASSERT_PETSC_OK(PCSORBanditLoad(two.pc, (folder / "state").c_str()));
  // A reset takes the matrix away, but nothing that has been learnt.
  ASSERT_PETSC_OK(PCReset(one.pc));
  EXPECT_REFUSED(KSPSolve(one.ksp, one.sequence->b, one.sequence->x), "call KSPSetOperators() again after PCReset()");
  ASSERT_PETSC_OK(KSPSetOperators(one.ksp, one.sequence->A, one.sequence->A));
  for (int solve = 0; solve < 20; ++solve) EXPECT_EQ(two.Solve(), one.Solve()) << solve;
}

TEST(SorBandit, RefusesNonsense) {
  BanditSolver s;
  EXPECT_REFUSED(PCSORBanditSetPolicy(s.pc, "greedy"), "knows no policy 'greedy'; there are tsallis");
  EXPECT_REFUSED(PCSORBanditSetOmega(s.pc, 1, 2, 20), "inside (0, 2) only");
  EXPECT_REFUSED(PCSORBanditSetOmega(s.pc, 0, 1, 20), "inside (0, 2) only");
  EXPECT_REFUSED(PCSORBanditSetOmega(s.pc, 1, 1.5, 1), "give 2 to 10000");
  EXPECT_REFUSED(PCSORBanditSetContextRange(s.pc, 1, 1, 5), "give the lower end first");
  EXPECT_REFUSED(PCSORBanditSave(s.pc, "nowhere"), "has learnt nothing yet");
  ASSERT_PETSC_OK(PCSORBanditSetPolicy(s.pc, "chebcb"));
  EXPECT_REFUSED(KSPSetUp(s.ksp), "policy 'chebcb' needs the range of contexts");
  ASSERT_PETSC_OK(PCSORBanditSetPolicy(s.pc, "tsallis"));
  ASSERT_PETSC_OK(PCSORBanditLoad(s.pc, "no/such/file"));
  EXPECT_REFUSED(KSPSetUp(s.ksp), "'no/such/file' does not exist");
}

TEST(SorBandit, AStateOfOtherArmsIsRefused) {
  ScratchFolder folder;
  BanditSolver one, two;
  one.Solve();
  ASSERT_PETSC_OK(PCSORBanditSave(one.pc, (folder / "state").c_str()));
  ASSERT_PETSC_OK(PCSORBanditSetOmega(two.pc, 1, 1.9, 20));
  ASSERT_PETSC_OK(PCSORBanditLoad(two.pc, (folder / "state").c_str()));
  EXPECT_REFUSED(KSPSetUp(two.ksp), "it belongs to: arms omega 1 to 1.95");
}

} // namespace
