// KSPTUNER: a bandit over whole KSP/PC configurations, by what solves cost.
#include "meshes/log.h"
#include "solvers/ksp/tuner/data.h"
#include "solvers/ksp/tuner/report.h"
#include <new>

namespace {

using namespace krylearn;
using End = TunerAttempt::End;
using Outcome = bandit::Tuning::Outcome;

/// Called for new operators too.
PetscErrorCode KSPSetUp_Tuner(KSP ksp) {
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  PetscCall(KSPSetWorkVecs(ksp, 2));
  PetscFunctionReturn(0);
}

/// Whether the matrices are others than in the last solve, in themselves or in their values.
PetscErrorCode NoteOperators(KSP ksp, bool *are_new) {
  KSP_Tuner *data = TunerData(ksp);
  KSP_Tuner::Operators now;
  Mat matrices[2];
  PetscFunctionBegin;
  PetscCall(KSPGetOperators(ksp, &matrices[0], &matrices[1]));
  for (int m = 0; m < 2; ++m) {
    PetscCall(PetscObjectGetId((PetscObject)matrices[m], &now.ids[m]));
    PetscCall(PetscObjectStateGet((PetscObject)matrices[m], &now.states[m]));
  }
  const bool others = !(now == data->operators);
  *are_new = others && data->operators.ids[0] != 0;
  if (others) ++data->generation;
  data->operators = now;
  PetscFunctionReturn(0);
}

PetscErrorCode Attempt(KSP ksp, int arm, double limit, bool zero_guess, TunerAttempt *attempt) {
  KSP_Tuner *data = TunerData(ksp);
  TunerArm &a = data->arms[std::size_t(arm)];
  const bool first = !a.ksp;
  const TunerRules rules{data->comm, data->loss, data->generation, &data->running};
  PetscFunctionBegin;
  PetscCall(AttemptSolve(ksp, &a, rules, limit, zero_guess, ksp->work[0], attempt));
  if (attempt->built) data->tuning->SetUp(arm, attempt->setup);
  if (first && attempt->end == End::kConverged) {
    std::string unread;
    PetscCall(UnreadOptions(a.configuration, &unread));
    if (!unread.empty()) a.message = "nothing reads " + unread;
  }
  PetscFunctionReturn(0);
}

/// Leaves the solve to another arm, from where the first has brought it if that is of use.
PetscErrorCode Finish(KSP ksp, int arm, const TunerAttempt &left, int other, PetscReal initial, TunerAttempt *attempt) {
  KSP_Tuner *data = TunerData(ksp);
  bool zero_guess = false;
  PetscReal norm;
  PetscFunctionBegin;
  PetscCall(PetscInfo(ksp, "Configuration %s gave up after %" PetscInt_FMT " iterations (%s); %s goes on\n",
                      data->arms[std::size_t(arm)].configuration.name.c_str(), ksp->its, left.message.c_str(),
                      data->arms[std::size_t(other)].configuration.name.c_str()));
  PetscCall(ComputeResidual(ksp, ksp->work[0], &norm));
  if (!(norm < initial)) {
    zero_guess = ksp->guess_zero;
    if (zero_guess) PetscCall(VecSet(ksp->vec_sol, 0));
    else PetscCall(VecCopy(ksp->work[1], ksp->vec_sol));
  }
  ksp->reason = KSP_CONVERGED_ITERATING;
  PetscCall(Attempt(ksp, other, PETSC_INFINITY, zero_guess, attempt));
  PetscFunctionReturn(0);
}

/// The safe arm has failed, and has never solved anything, so it is not safe: the others are asked one after the other.
/// If none can do it either the solve ends with what the safe arm said.
PetscErrorCode Rescue(KSP ksp, const TunerAttempt &left, PetscReal initial, double *cost, bool *solved) {
  KSP_Tuner *data = TunerData(ksp);
  const int safe = data->tuning->Safe();
  const KSPConvergedReason reason = ksp->reason;
  PetscFunctionBegin;
  data->arms[std::size_t(safe)].message = left.message;
  for (int other = 0; other < int(data->arms.size()) && !*solved; ++other) {
    if (other == safe || data->tuning->Arms()[std::size_t(other)].dropped) continue;
    TunerAttempt attempt;
    PetscCall(Finish(ksp, safe, left, other, initial, &attempt));
    *cost += attempt.solve;
    *solved = attempt.end == End::kConverged;
  }
  if (!*solved) ksp->reason = reason;
  PetscFunctionReturn(0);
}

/// What a solve has taught; an arm that is dropped for it frees what it holds.
PetscErrorCode Learn(KSP ksp, int arm, double cost, const TunerAttempt &attempt, bool solved) {
  KSP_Tuner *data = TunerData(ksp);
  TunerArm &a = data->arms[std::size_t(arm)];
  const auto &record = data->tuning->Arms()[std::size_t(arm)];
  Outcome outcome = Outcome::kSolved;
  PetscFunctionBegin;
  if (!solved) outcome = Outcome::kUnsolved; // the safe one fails as well
  else if (attempt.end == End::kStopped) outcome = Outcome::kStopped;
  else if (attempt.end != End::kConverged) outcome = Outcome::kFailed;
  PetscCall(PetscLogEventBegin(Log().bandit, ksp, 0, 0, 0));
  data->tuning->Observe(arm, cost, outcome);
  PetscCall(PetscLogEventEnd(Log().bandit, ksp, 0, 0, 0));
  if (outcome == Outcome::kFailed) a.message = attempt.message;
  if (!record.dropped) PetscFunctionReturn(0);
  if (outcome == Outcome::kStopped)
    a.message = attempt.message + ", " + std::to_string(record.stopped) + " times, and never finished";
  PetscCall(MarkOptionsUsed(a.configuration));
  PetscCall(KSPDestroy(&a.ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSolve_Tuner(KSP ksp) {
  KSP_Tuner *data = TunerData(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  bool new_matrix = false;
  PetscReal initial;
  TunerAttempt attempt, rest;
  PetscFunctionBegin;
  PetscCheck(!ksp->transpose_solve, comm, PETSC_ERR_SUP, "KSPTUNER does not solve with the transpose");
  ksp->its = 0;
  if (ksp->guess_zero) PetscCall(VecNorm(ksp->vec_rhs, NORM_2, &initial));
  else PetscCall(ComputeResidual(ksp, ksp->work[0], &initial));
  KSPCheckNorm(ksp, initial);
  ksp->rnorm = initial;
  PetscCall(KSPLogResidualHistory(ksp, initial));
  PetscCall(KSPMonitor(ksp, 0, initial));
  PetscCall((*ksp->converged)(ksp, 0, initial, &ksp->reason, ksp->cnvP));
  if (ksp->reason) PetscFunctionReturn(0); // a solve without iterations tells nothing
  if (!ksp->guess_zero) PetscCall(VecCopy(ksp->vec_sol, ksp->work[1]));

  PetscCall(NoteOperators(ksp, &new_matrix));
  PetscCall(PetscLogEventBegin(Log().bandit, ksp, 0, 0, 0));
  int arm = data->tuning->Choose(new_matrix);
  double limit = data->tuning->Limit(arm);
  PetscCall(PetscLogEventEnd(Log().bandit, ksp, 0, 0, 0));
  // All ranks have worked out the same; but processors of different kinds may round in different ways.
  PetscCallMPI(MPI_Bcast(&arm, 1, MPI_INT, 0, data->comm));
  PetscCallMPI(MPI_Bcast(&limit, 1, MPI_DOUBLE, 0, data->comm));
  data->chosen = arm;
  const int safe = data->tuning->Safe();
  PetscCall(Attempt(ksp, arm, limit, ksp->guess_zero, &attempt));
  double cost = attempt.solve;
  bool solved = attempt.end == End::kConverged;
  if (!solved && arm != safe) {
    PetscCall(Finish(ksp, arm, attempt, safe, initial, &rest));
    cost += rest.solve;
    solved = rest.end == End::kConverged;
  }
  const TunerAttempt &last = arm == safe ? attempt : rest;
  if (!solved && data->tuning->Arms()[std::size_t(safe)].solved == 0)
    PetscCall(Rescue(ksp, last, initial, &cost, &solved));
  PetscCheck(solved || last.end != End::kError, comm, PETSC_ERR_NOT_CONVERGED,
             "KSPTUNER: the safe configuration %s fails: %s; choose another with -%sksp_tuner_safe",
             data->arms[std::size_t(safe)].configuration.name.c_str(), last.message.c_str(), TunerPrefix(ksp).c_str());
  PetscCall(Learn(ksp, arm, cost, attempt, solved));
  if (data->report > 0 && data->tuning->Solves() % data->report == 0) PetscCall(ReportTuning(ksp));
  PetscFunctionReturn(0);
}

/// Monitors that ask for the solution or the residual get those of the KSP that is at work.
PetscErrorCode KSPBuildSolution_Tuner(KSP ksp, Vec v, Vec *V) {
  KSP running = TunerData(ksp)->running;
  PetscFunctionBegin;
  if (running) PetscCall(KSPBuildSolution(running, v, V));
  else PetscCall(KSPBuildSolutionDefault(ksp, v, V));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPBuildResidual_Tuner(KSP ksp, Vec t, Vec v, Vec *V) {
  KSP running = TunerData(ksp)->running;
  PetscFunctionBegin;
  if (running) PetscCall((*running->ops->buildresidual)(running, t, v, V));
  else PetscCall(KSPBuildResidualDefault(ksp, t, v, V));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPView_Tuner(KSP ksp, PetscViewer viewer) {
  const KSP_Tuner *data = TunerData(ksp);
  PetscBool ascii;
  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  policy %s, seed %d, by %s, solves stopped at %g times the cheapest\n",
                                   data->spec.name.c_str(), int(data->spec.seed), kTunerLosses[int(data->loss)],
                                   double(data->limit)));
  if (!data->tuning) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(ViewTuning(viewer, data->loss, *data->tuning, data->arms));
  const int best = data->tuning->Cheapest();
  if (best >= 0 && data->arms[std::size_t(best)].ksp) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "the cheapest:\n"));
    PetscCall(KSPView(data->arms[std::size_t(best)].ksp, viewer));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(0);
}

/// What has been learnt survives.
PetscErrorCode KSPReset_Tuner(KSP ksp) {
  PetscFunctionBegin;
  for (TunerArm &arm : TunerData(ksp)->arms) {
    if (arm.ksp) PetscCall(KSPReset(arm.ksp));
    arm.generation = -1;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDestroy_Tuner(KSP ksp) {
  KSP_Tuner *data = TunerData(ksp);
  PetscFunctionBegin;
  if (data->tuning && data->tuning->Solves() > 0) {
    if (data->report >= 0) PetscCall(ReportTuning(ksp));
    if (!data->save.empty()) PetscCall(KSPTunerSave(ksp, data->save.c_str()));
  }
  PetscCall(ForgetTuning(ksp));
  PetscCall(DecomposeTunerSetters(ksp));
  delete data;
  ksp->data = nullptr;
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

/*MC
   KSPTUNER - chooses among complete KSP/PC configurations for every solve, by what solves have cost

   Options Database Keys:
+  -ksp_tuner_configs FILE - the configurations, 'a: -option value; b: -option value' or a file with one a line
.  -ksp_tuner_safe NAME - the one that finishes what others leave (the first)
.  -ksp_tuner_policy thompson - thompson, tsallis_rv or fixed
.  -ksp_tuner_loss time - time: seconds of the slowest rank; work: an estimate of flops, the same in every run
.  -ksp_tuner_limit 2 - times the cheapest cost at which a solve is stopped
.  -ksp_tuner_seed 1 - seed of everything drawn
.  -ksp_tuner_report 0 - a report every N solves; 0: at the end; -1: none
.  -ksp_tuner_state FILE - what has been learnt before
-  -ksp_tuner_save FILE - file for what has been learnt, written when the object is destroyed

   Level: intermediate

   Notes:
   A configuration is what one would give a KSP: -ksp_type (cg by default), -pc_type, and their options, without the
   prefix. Its own prefix is that of this KSP followed by tuner_NAME_, so that -tuner_NAME_ksp_view and the like work,
   and the command line wins over the list. The PC of this KSP is not used. All configurations see the operators, null
   space and DM of this KSP, stop by its tolerances on the true residual, and share its monitors.

   A solve costs its seconds, or its work, plus a share of the configuration's set-up: so much as falls to one solve
   where a matrix is used as often as has been seen. A solve that costs more than -ksp_tuner_limit times the cheapest
   configuration's is stopped, and the safe one goes on from the iterate. So it does where a configuration diverges or
   raises an error; that one is dropped, unless it has solved systems before and this is not its third failure in a row.
   So is one that has been stopped in each of its first three solves. Whatever happens, convergence is judged by the
   residual b - A x, computed afresh. The safe one may take the KSP's maximum of iterations by itself.

   The work of hypre's preconditioners, which PETSc's log does not see, is guessed from the size of the matrix.

   References:
.  M. Khodak, M. K. Jung, B. Wynne, E. Chow, E. Kolemen, PCGBandit: one-shot acceleration of transient PDE solvers via
   online-learned preconditioners, arXiv 2509.08765, 2025

.seealso: `KSPTunerSetConfigs()`, `KSPTunerSetSafe()`, `KSPTunerSetPolicy()`, `KSPTunerSetLoss()`,
          `KSPTunerSetLimit()`, `KSPTunerGetChosen()`, `PCSORBANDIT`
M*/
PetscErrorCode KSPCreate_Tuner(KSP ksp) {
  PC pc;
  PetscFunctionBegin;
  ksp->data = new (std::nothrow) KSP_Tuner;
  PetscCheck(ksp->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "KSPTUNER: out of memory");
  TunerData(ksp)->spec.name = "thompson";
  // Programs may ask for any side; it is the configurations' affair.
  for (const PCSide side : {PC_LEFT, PC_RIGHT, PC_SYMMETRIC})
    PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, side, side == PC_LEFT ? 3 : 2));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCNONE));
  ksp->setupnewmatrix = PETSC_TRUE;
  ksp->ops->setup = KSPSetUp_Tuner;
  ksp->ops->solve = KSPSolve_Tuner;
  ksp->ops->reset = KSPReset_Tuner;
  ksp->ops->destroy = KSPDestroy_Tuner;
  ksp->ops->view = KSPView_Tuner;
  ksp->ops->setfromoptions = KSPSetFromOptions_Tuner;
  ksp->ops->buildsolution = KSPBuildSolution_Tuner;
  ksp->ops->buildresidual = KSPBuildResidual_Tuner;
  PetscCall(ComposeTunerSetters(ksp));
  PetscFunctionReturn(0);
}

} // extern "C"
