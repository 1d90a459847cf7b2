#include "meshes/files.h"
#include "meshes/options.h"
#include "solvers/bandit/learner.h"
#include "solvers/pc/sorbandit.h"
#include "solvers/sequences/sequence.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace krylearn {
namespace {

constexpr double kLow = 1, kHigh = 1.95; ///< relaxation factors to choose from
constexpr PetscInt kArms = 20;
constexpr PetscReal kTolerance = 1e-8;
constexpr PetscInt kMostIterations = 100000;

double Omega(PetscInt arm) { return kLow + (kHigh - kLow) * double(arm) / double(kArms - 1); }

/// How one run chooses.
struct Choice {
  std::string policy; ///< of the bandit; empty: no preconditioner
  double omega = 0;   ///< where the policy is "fixed"
};

PetscErrorCode MakeSolver(MPI_Comm comm, const Sequence &sequence, const Choice &choice, PetscInt seed, KSP *ksp) {
  PC pc;
  PetscFunctionBeginUser;
  PetscCall(KSPCreate(comm, ksp));
  PetscCall(KSPSetType(*ksp, sequence.symmetric ? KSPCG : KSPRICHARDSON));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetInitialGuessNonzero(*ksp, PetscBool(sequence.symmetric)));
  PetscCall(KSPSetTolerances(*ksp, kTolerance, PETSC_DEFAULT, PETSC_DEFAULT, kMostIterations));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, choice.policy.empty() ? PCNONE : PCSORBANDIT));
  PetscCall(PCSORBanditSetSymmetric(pc, PetscBool(sequence.symmetric)));
  PetscCall(PCSORBanditSetContextRange(pc, sequence.context_low, sequence.context_high, sequence.bins));
  PetscCall(PCSORBanditSetSeed(pc, seed));
  if (!choice.policy.empty()) PetscCall(PCSORBanditSetPolicy(pc, choice.policy.c_str()));
  if (choice.omega > 0) PetscCall(PCSORBanditSetOmega(pc, choice.omega, choice.omega, 1));
  else PetscCall(PCSORBanditSetOmega(pc, kLow, kHigh, kArms));
  PetscFunctionReturn(0);
}

PetscErrorCode Run(MPI_Comm comm, const SequenceSpec &spec, Sequence *sequence, const Choice &choice, Course *course,
                   std::vector<double> *contexts) {
  KSP ksp;
  PC pc;
  PetscFunctionBeginUser;
  PetscCall(MakeSolver(comm, *sequence, choice, spec.seed, &ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(sequence->Rewind());
  contexts->clear();
  for (PetscInt step = 0; step < spec.steps; ++step) {
    PetscCall(sequence->Make(step));
    contexts->push_back(sequence->context);
    PetscLogDouble before, after;
    PetscCall(PetscTime(&before));
    PetscCall(PCSORBanditSetContext(pc, sequence->context));
    PetscCall(KSPSetOperators(ksp, sequence->A, sequence->A));
    PetscCall(KSPSolve(ksp, sequence->b, sequence->x));
    PetscCall(PetscTime(&after));
    course->seconds += after - before;
    PetscInt iterations;
    KSPConvergedReason reason;
    PetscReal omega = 0;
    PetscCall(KSPGetIterationNumber(ksp, &iterations));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCheck(reason > 0, comm, PETSC_ERR_NOT_CONVERGED, "Step %" PetscInt_FMT " with policy %s: %s", step,
               course->policy.c_str(), KSPConvergedReasons[reason]);
    if (!choice.policy.empty()) PetscCall(PCSORBanditGetOmega(pc, &omega));
    course->iterations.push_back(iterations);
    course->omega.push_back(omega);
  }
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn(0);
}

/// Understands "cg", "fixed:1.5" and names of the bandit's; the others are the caller's.
PetscErrorCode Understand(MPI_Comm comm, const Sequence &sequence, const std::string &policy, Choice *choice) {
  PetscFunctionBeginUser;
  if (policy == "cg") {
    PetscCheck(sequence.symmetric, comm, PETSC_ERR_USER_INPUT,
               "Policy cg goes with -problem heat; -problem sor iterates with SOR alone");
    PetscFunctionReturn(0);
  }
  if (policy.compare(0, 6, "fixed:") == 0) {
    char *end;
    choice->policy = "fixed";
    choice->omega = std::strtod(policy.c_str() + 6, &end);
    PetscCheck(*end == 0 && choice->omega > 0 && choice->omega < 2, comm, PETSC_ERR_USER_INPUT,
               "Policy %s: give a relaxation factor inside (0, 2), such as fixed:1.5", policy.c_str());
    PetscFunctionReturn(0);
  }
  std::vector<std::string> known = {"cg", "fixed:OMEGA", "best_fixed", "oracle"};
  for (const bandit::Policy &p : bandit::Policies())
    if (std::string(p.name) != "fixed") known.push_back(p.name);
  std::string all;
  for (const std::string &name : known) all += (all.empty() ? "" : ", ") + name;
  PetscCheck(std::find(known.begin() + 4, known.end(), policy) != known.end(), comm, PETSC_ERR_USER_INPUT,
             "There is no policy '%s'; there are %s", policy.c_str(), all.c_str());
  choice->policy = policy;
  PetscFunctionReturn(0);
}

/// What the best factor for all steps, or for each, would have taken.
Course WorkOut(const std::string &policy, const std::vector<Course> &fixed) {
  Course course;
  course.policy = policy;
  if (policy == "best_fixed") {
    course = *std::min_element(fixed.begin(), fixed.end(),
                               [](const Course &a, const Course &b) { return a.Total() < b.Total(); });
    char name[40];
    std::snprintf(name, sizeof name, "best_fixed (%.4g)", course.omega[0]);
    course.policy = name;
    return course;
  }
  for (std::size_t step = 0; step < fixed[0].iterations.size(); ++step) {
    const auto best = std::min_element(fixed.begin(), fixed.end(), [step](const Course &a, const Course &b) {
      return a.iterations[step] < b.iterations[step];
    });
    course.iterations.push_back(best->iterations[step]);
    course.omega.push_back(best->omega[step]);
  }
  return course;
}

} // namespace

PetscInt64 Course::Total() const { return std::accumulate(iterations.begin(), iterations.end(), PetscInt64(0)); }

PetscErrorCode RunPolicies(MPI_Comm comm, const SequenceSpec &spec, const std::vector<std::string> &policies,
                           std::vector<Course> *courses, std::vector<double> *contexts) {
  PetscFunctionBeginUser;
  std::unique_ptr<Sequence> sequence;
  PetscCall(MakeSequence(comm, spec, &sequence));
  const auto hindsight = [](const std::string &policy) { return policy == "best_fixed" || policy == "oracle"; };
  std::vector<Choice> choices(policies.size());
  for (std::size_t i = 0; i < policies.size(); ++i)
    if (!hindsight(policies[i])) PetscCall(Understand(comm, *sequence, policies[i], &choices[i]));
  std::vector<Course> fixed;
  courses->clear();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    Course course;
    course.policy = policies[i];
    if (!hindsight(policies[i])) PetscCall(Run(comm, spec, sequence.get(), choices[i], &course, contexts));
    else {
      for (PetscInt arm = PetscInt(fixed.size()); arm < kArms; ++arm) {
        fixed.emplace_back();
        fixed.back().policy = "fixed";
        PetscCall(Run(comm, spec, sequence.get(), {"fixed", Omega(arm)}, &fixed.back(), contexts));
      }
      course = WorkOut(policies[i], fixed);
    }
    courses->push_back(course);
  }
  PetscCall(sequence->Destroy());
  PetscFunctionReturn(0);
}

PetscErrorCode WriteCourses(MPI_Comm comm, const std::string &path, const std::vector<Course> &courses,
                            const std::vector<double> &contexts) {
  PetscFunctionBeginUser;
  std::string text = "step,context";
  for (const Course &c : courses) text += ",iterations " + c.policy + ",omega " + c.policy;
  text += "\n";
  for (std::size_t step = 0; step < contexts.size(); ++step) {
    char number[60];
    std::snprintf(number, sizeof number, "%zu,%.10g", step, contexts[step]);
    text += number;
    for (const Course &c : courses) {
      std::snprintf(number, sizeof number, ",%d,%.6g", int(c.iterations[step]), c.omega[step]);
      text += number;
    }
    text += "\n";
  }
  PetscCall(WriteTextFile(comm, path, text));
  PetscFunctionReturn(0);
}

} // namespace krylearn
