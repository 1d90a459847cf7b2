#include "solvers/ksp/tuner/attempt.h"
#include "meshes/files.h"
#include "solvers/poisson_preconditioner.h"
#include "solvers/solver_errors.h"
#include <climits>
#include <petsc/private/kspimpl.h>

namespace krylearn {
namespace {

/// hypre tells PETSc's log nothing, so its work is guessed in products with the matrix: so many that BoomerAMG ranks by
/// work as it does by time beside PCNMG and GAMG on the pressure systems of a cylinder. (A cycle has about 15; but flops
/// of products with sparse matrices take longer than those of stencils.)
constexpr double kHypreCycle = 40, kHypreSetUp = 400;
/// A recursive residual may miss the true one by rounding.
constexpr double kSlack = 1.01;

/// A meter of what this rank spends.
class Meter {
public:
  Meter(TunerLoss loss, double unlogged_product) : loss_(loss), product_(unlogged_product) {}

  PetscErrorCode Start() {
    PetscFunctionBegin;
    PetscCall(Read(&start_));
    products_ = 0;
    PetscFunctionReturn(0);
  }
  /// Products with the matrix that the log does not see.
  void AddUnlogged(double products) { products_ += products; }
  PetscErrorCode Spent(double *spent) const {
    double now = 0;
    PetscFunctionBegin;
    PetscCall(Read(&now));
    *spent = now - start_ + (loss_ == TunerLoss::kWork ? products_ * product_ : 0);
    PetscFunctionReturn(0);
  }

private:
  PetscErrorCode Read(double *now) const {
    PetscLogDouble flops = 0;
    PetscFunctionBegin;
    *now = MPI_Wtime();
    if (loss_ == TunerLoss::kTime) PetscFunctionReturn(0);
    PetscCall(PetscGetFlops(&flops));
    *now = flops;
    PetscFunctionReturn(0);
  }

  TunerLoss loss_;
  double product_, start_ = 0, products_ = 0;
};

/// What an attempt's convergence test knows.
struct Watch {
  KSP outer;
  PetscInt base; ///< iterations of `outer` before this attempt
  double limit;  ///< of this rank's spending
  Meter *meter;
  double cycle;  ///< products of an iteration that the log does not see
  PetscInt last; ///< iteration that has been reported; restarts repeat theirs
  bool stopped;
};

/// Iterations of the arm are iterations of the outer KSP; and the clock of rank 0 decides for all.
PetscErrorCode TestConverged(KSP, PetscInt iteration, PetscReal norm, KSPConvergedReason *reason, void *context) {
  Watch *watch = static_cast<Watch *>(context);
  KSP outer = watch->outer;
  PetscFunctionBegin;
  *reason = KSP_CONVERGED_ITERATING;
  if (iteration > 0) {
    outer->its = watch->base + iteration;
    outer->rnorm = norm;
    if (iteration > watch->last) {
      watch->last = iteration;
      watch->meter->AddUnlogged(watch->cycle);
      PetscCall(KSPLogResidualHistory(outer, norm));
      PetscCall(KSPMonitor(outer, outer->its, norm));
    }
    PetscCall((*outer->converged)(outer, outer->its, norm, reason, outer->cnvP));
  }
  if (*reason || PetscIsInfReal(watch->limit)) PetscFunctionReturn(0);
  double spent = 0;
  PetscCall(watch->meter->Spent(&spent));
  int over = spent > watch->limit;
  PetscCallMPI(MPI_Bcast(&over, 1, MPI_INT, 0, PetscObjectComm((PetscObject)outer)));
  if (over) {
    watch->stopped = true;
    *reason = KSP_DIVERGED_ITS;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Create(KSP outer, TunerArm *arm) {
  PC pc;
  Mat A, P;
  PetscFunctionBegin;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)outer), &arm->ksp));
  PetscCall(PetscObjectIncrementTabLevel((PetscObject)arm->ksp, (PetscObject)outer, 1));
  PetscCall(KSPSetOptionsPrefix(arm->ksp, arm->configuration.Prefix().c_str()));
  PetscCall(KSPSetErrorIfNotConverged(arm->ksp, PETSC_FALSE));
  PetscCall(KSPGetOperators(outer, &A, &P));
  PetscCall(KSPSetOperators(arm->ksp, A, P));
  PetscCall(KSPSetType(arm->ksp, KSPCG));
  PetscCall(KSPGetPC(arm->ksp, &pc));
  PetscCall(KSPSetFromOptions(arm->ksp));
  PetscCall(StopOnTrueResidual(arm->ksp));
  PetscCall(KSPGetReusePreconditioner(arm->ksp, &arm->reuse));
  KSPNormType norm = KSP_NORM_DEFAULT;
  PetscCall(KSPGetNormType(arm->ksp, &norm));
  arm->true_residual = norm == KSP_NORM_UNPRECONDITIONED;
  PetscFunctionReturn(0);
}

/// The arm's KSP ready to solve. `built`: its preconditioner had to be set up.
PetscErrorCode Prepare(KSP outer, TunerArm *arm, PetscInt64 generation, bool *built) {
  Mat A, P;
  PetscBool reuse;
  PetscFunctionBegin;
  *built = false;
  if (!arm->ksp) PetscCall(Create(outer, arm));
  if (outer->dm && arm->ksp->dm != outer->dm) {
    PetscCall(KSPSetDM(arm->ksp, outer->dm));
    PetscCall(KSPSetDMActive(arm->ksp, PETSC_FALSE));
  }
  if (arm->generation == generation) PetscFunctionReturn(0);
  PetscCall(KSPGetOperators(outer, &A, &P));
  PetscCall(KSPSetOperators(arm->ksp, A, P));
  PetscCall(KSPGetReusePreconditioner(outer, &reuse));
  reuse = arm->reuse || reuse ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(KSPSetReusePreconditioner(arm->ksp, reuse));
  *built = arm->generation < 0 || !reuse;
  PetscCall(KSPSetUp(arm->ksp));
  PetscCall(KSPSetUpOnBlocks(arm->ksp));
  arm->generation = generation;
  PetscFunctionReturn(0);
}

/// Two flops for every entry: of this rank, and its part of all.
PetscErrorCode ProductFlops(KSP outer, double *flops, double *part) {
  Mat A;
  PetscBool known;
  MatInfo info;
  PetscMPIInt ranks;
  PetscFunctionBegin;
  PetscCall(KSPGetOperators(outer, &A, nullptr));
  PetscCall(MatHasOperation(A, MATOP_GETINFO, &known));
  *flops = 0;
  if (known) {
    PetscCall(MatGetInfo(A, MAT_LOCAL, &info));
    *flops = 2 * info.nz_used;
  }
  double all;
  PetscCallMPI(MPI_Allreduce(flops, &all, 1, MPI_DOUBLE, MPI_SUM, PetscObjectComm((PetscObject)outer)));
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)outer), &ranks));
  *part = all > 0 ? *flops / all : 1.0 / ranks;
  PetscFunctionReturn(0);
}

/// Seconds of the slowest rank, or work of all.
PetscErrorCode Agree(MPI_Comm comm, TunerLoss loss, TunerAttempt *attempt) {
  double costs[2] = {attempt->setup, attempt->solve};
  PetscFunctionBegin;
  PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, costs, 2, MPI_DOUBLE, loss == TunerLoss::kTime ? MPI_MAX : MPI_SUM, comm));
  attempt->setup = costs[0];
  attempt->solve = costs[1];
  PetscFunctionReturn(0);
}

/// Locks that an error has left on a vector of the caller.
class Locks {
public:
  explicit Locks(Vec v) : vec_(v) { VecLockGet(v, &before_); }
  PetscErrorCode Restore() {
    PetscInt now;
    PetscFunctionBegin;
    PetscCall(VecLockGet(vec_, &now));
    for (; now > before_; --now) PetscCall(VecLockReadPop(vec_));
    PetscFunctionReturn(0);
  }

private:
  Vec vec_;
  PetscInt before_ = 0;
};

/// The outer KSP's verdict on the solution, by its true residual.
PetscErrorCode Judge(KSP outer, KSPConvergedReason claimed, bool stopped, Vec work, TunerAttempt *attempt) {
  PetscReal norm = 0;
  PetscFunctionBegin;
  PetscCall(ComputeResidual(outer, work, &norm));
  outer->rnorm = norm;
  KSPConvergedReason reason;
  PetscCall((*outer->converged)(outer, PetscMax(outer->its, 1), norm, &reason, outer->cnvP));
  if (!reason && claimed > 0 && norm <= kSlack * outer->ttol) reason = claimed;
  outer->reason = reason ? reason : claimed < 0 ? claimed : KSP_DIVERGED_BREAKDOWN;
  attempt->message = KSPConvergedReasons[outer->reason];
  if (!reason && claimed > 0) attempt->message = "says that it converged, and has not";
  else if (stopped) attempt->message = "too dear";
  // Too slow, or short of the target by rounding, is no failure: the solution is on its way.
  if (outer->reason > 0) attempt->end = TunerAttempt::End::kConverged;
  else if (stopped || claimed > 0 || claimed == KSP_DIVERGED_ITS) attempt->end = TunerAttempt::End::kStopped;
  else attempt->end = TunerAttempt::End::kDiverged;
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode ComputeResidual(KSP outer, Vec r, PetscReal *norm) {
  Mat A;
  PetscFunctionBegin;
  PetscCall(KSPGetOperators(outer, &A, nullptr));
  PetscCall(MatMult(A, outer->vec_sol, r));
  PetscCall(VecAYPX(r, -1, outer->vec_rhs));
  PetscCall(VecNorm(r, NORM_2, norm));
  PetscFunctionReturn(0);
}

PetscErrorCode AttemptSolve(KSP outer, TunerArm *arm, const TunerRules &rules, double limit, bool zero_guess, Vec work,
                            TunerAttempt *attempt) {
  const bool by_work = rules.loss == TunerLoss::kWork;
  double product = 0, part = 1;
  KSPConvergedReason claimed = KSP_DIVERGED_BREAKDOWN;
  PetscFunctionBegin;
  if (by_work) PetscCall(ProductFlops(outer, &product, &part));
  Meter meter(rules.loss, product);
  Watch watch{outer, outer->its, part * limit, &meter, 0, 0, false};
  Locks rhs(outer->vec_rhs), solution(outer->vec_sol);
  OpenEvents events;
  events.Note();
  *attempt = {};
  const auto solve = [&]() -> PetscErrorCode {
    PetscBool hypre;
    bool built;
    PetscFunctionBegin;
    PetscCall(meter.Start());
    PetscCall(Prepare(outer, arm, rules.generation, &built));
    PetscCall(PetscObjectTypeCompare((PetscObject)arm->ksp->pc, PCHYPRE, &hypre));
    if (hypre && built) meter.AddUnlogged(kHypreSetUp);
    if (built) PetscCall(meter.Spent(&attempt->setup));
    attempt->built = built;
    watch.cycle = hypre ? kHypreCycle : 0;
    PetscCall(meter.Start());
    PetscCall(KSPSetTolerances(arm->ksp, outer->rtol, outer->abstol, outer->divtol, outer->max_it));
    PetscCall(KSPSetConvergenceTest(arm->ksp, TestConverged, &watch, nullptr));
    PetscCall(KSPSetInitialGuessNonzero(arm->ksp, zero_guess ? PETSC_FALSE : PETSC_TRUE));
    *rules.running = arm->ksp;
    PetscCall(KSPSolve(arm->ksp, outer->vec_rhs, outer->vec_sol));
    PetscCall(KSPGetConvergedReason(arm->ksp, &claimed));
    PetscFunctionReturn(0);
  };
  PetscErrorCode code;
  std::string message;
  {
    QuietErrors errors;
    code = Guarded(solve, &errors.message);
    message = errors.message;
  }
  *rules.running = nullptr;
  if (arm->ksp) PetscCall(KSPSetConvergenceTest(arm->ksp, KSPConvergedSkip, nullptr, nullptr)); // the watch ends here
  bool failed;
  PetscCall(AnyRankFailed(rules.comm, arm->configuration.name, message, code != 0, &failed));
  if (!failed) {
    outer->its = watch.base + arm->ksp->its;
    PetscCall(Judge(outer, claimed, watch.stopped, work, attempt));
  } else {
    // The lowest rank that failed says why.
    int rank, first;
    PetscCallMPI(MPI_Comm_rank(rules.comm, &rank));
    int mine = code ? rank : INT_MAX;
    PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, rules.comm));
    if (code) attempt->message = Shortened(message, code);
    PetscCall(BroadcastText(rules.comm, first, &attempt->message));
    attempt->end = TunerAttempt::End::kError;
    attempt->built = false;
    outer->reason = KSP_DIVERGED_BREAKDOWN;
    ForgetHypreErrors();
    PetscCall(events.Restore());
    PetscCall(rhs.Restore());
    PetscCall(solution.Restore());
    PetscCall(KSPDestroy(&arm->ksp)); // half made, or in the midst of something
    arm->generation = -1;
  }
  PetscCall(meter.Spent(&attempt->solve));
  PetscCall(Agree(PetscObjectComm((PetscObject)outer), rules.loss, attempt));
  PetscFunctionReturn(0);
}

} // namespace krylearn
