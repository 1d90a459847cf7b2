#include "solvers/compare/visit.h"
#include "solvers/solver_errors.h"
#include "meshes/files.h"
#include "solvers/compare/peak_memory.h"
#include "solvers/poisson_preconditioner.h"
#include <algorithm>
#include <cstring>
#include <numeric>

namespace krylearn {
namespace {

/// The convergence test that a time limit wraps, and the clock.
struct Watch {
  double start, time_limit;
  bool out_of_time;
  PetscErrorCode (*test)(KSP, PetscInt, PetscReal, KSPConvergedReason *, void *);
  void *context;
  PetscErrorCode (*destroy)(void *);
};

PetscErrorCode TestConverged(KSP ksp, PetscInt iteration, PetscReal norm, KSPConvergedReason *reason, void *context) {
  PetscFunctionBeginUser;
  Watch *watch = static_cast<Watch *>(context);
  PetscCall((*watch->test)(ksp, iteration, norm, reason, watch->context));
  if (*reason) PetscFunctionReturn(0);
  int over = MPI_Wtime() - watch->start > watch->time_limit;
  PetscCallMPI(MPI_Bcast(&over, 1, MPI_INT, 0, PetscObjectComm((PetscObject)ksp))); // one clock decides for all
  if (over) {
    watch->out_of_time = true;
    *reason = KSP_DIVERGED_ITS;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode DestroyWatch(void *context) {
  Watch *watch = static_cast<Watch *>(context);
  return watch->destroy ? (*watch->destroy)(watch->context) : 0;
}

/// A copy with everything that solvers ask a matrix for. Collective.
PetscErrorCode CopyMatrix(Mat from, Mat *to) {
  PetscFunctionBeginUser;
  MatNullSpace nullspace;
  PetscBool known, spd;
  DM dm;
  PetscCall(MatDuplicate(from, MAT_COPY_VALUES, to));
  PetscCall(MatGetNullSpace(from, &nullspace));
  PetscCall(MatSetNullSpace(*to, nullspace));
  PetscCall(MatSetTransposeNullSpace(*to, nullspace));
  PetscCall(MatIsSPDKnown(from, &known, &spd));
  if (known) PetscCall(MatSetOption(*to, MAT_SPD, spd));
  PetscCall(MatIsSymmetricKnown(from, &known, &spd));
  if (known) PetscCall(MatSetOption(*to, MAT_SYMMETRIC, spd));
  PetscCall(MatGetDM(from, &dm));
  if (dm) PetscCall(MatSetDM(*to, dm));
  PetscFunctionReturn(0);
}

/// The solver of one visit, from its creation to its end.
class Solver {
public:
  Solver(const Configuration &configuration, const Rules &rules, Workload *workload, LogObserver *observer,
         Visit *visit)
      : configuration_(configuration), rules_(rules), work_(*workload), observer_(*observer), visit_(*visit) {}

  PetscErrorCode Run() {
    PetscFunctionBeginUser;
    PetscCall(CopyMatrix(work_.system.A, &matrix_));
    PetscCall(VecDuplicate(work_.system.b, &rhs_));
    PetscCall(Create());
    for (PetscInt step = 0; step < work_.Steps(); ++step) {
      PetscCall(Solve(step));
      if (visit_.outcome == Outcome::kDiverged || visit_.outcome == Outcome::kTimeLimit) break;
    }
    PetscFunctionReturn(0);
  }

  PetscErrorCode Destroy() {
    PetscFunctionBeginUser;
    PetscCall(KSPDestroy(&ksp_));
    PetscCall(MatDestroy(&structured_));
    PetscCall(MatDestroy(&matrix_));
    PetscCall(VecDestroy(&rhs_));
    PetscFunctionReturn(0);
  }

  /// Between set-up or solve and whatever comes next; harmless in between.
  PetscErrorCode StopClock() {
    PetscFunctionBeginUser;
    if (counting_) PetscCall(observer_.Leave());
    counting_ = false;
    PetscFunctionReturn(0);
  }

private:
  PetscErrorCode StartClock(Phase phase) {
    PetscFunctionBeginUser;
    PetscCallMPI(MPI_Barrier(Comm()));
    PetscCall(observer_.Enter(configuration_.name, phase));
    counting_ = true;
    PetscCall(PetscGetFlops(&flops_));
    watch_.start = MPI_Wtime();
    PetscFunctionReturn(0);
  }

  PetscErrorCode Seconds(double *seconds) {
    PetscFunctionBeginUser;
    PetscLogDouble flops;
    *seconds = MPI_Wtime() - watch_.start;
    PetscCall(PetscGetFlops(&flops));
    visit_.flops += flops - flops_;
    PetscCall(StopClock());
    PetscCall(Slowest(Comm(), seconds));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Create() {
    PetscFunctionBeginUser;
    const std::string prefix = configuration_.Prefix();
    PetscCall(KSPCreate(Comm(), &ksp_));
    PetscCall(KSPSetOptionsPrefix(ksp_, prefix.c_str()));
    LinearSystem own = work_.system;
    own.A = own.P = matrix_;
    PetscCall(SetSystem(ksp_, own));
    PetscCall(KSPSetType(ksp_, KSPCG));
    PetscCall(KSPSetTolerances(ksp_, rules_.rtol, PETSC_DEFAULT, PETSC_DEFAULT, rules_.max_iterations));
    PetscCall(KSPSetNormType(ksp_, KSP_NORM_UNPRECONDITIONED));
    PetscCall(KSPSetFromOptions(ksp_));
    PetscBool own_norm;
    PetscCall(PetscOptionsHasName(nullptr, prefix.c_str(), "-ksp_norm_type", &own_norm));
    if (!own_norm) PetscCall(StopOnTrueResidual(ksp_));
    PetscCall(SolverName(ksp_, &visit_.solver));
    PetscCall(RefuseWithoutGrid());
    // PETSc's own list of norms; a monitor would make some methods compute more than they need.
    PetscInt most;
    PetscCall(KSPGetTolerances(ksp_, nullptr, nullptr, nullptr, &most));
    norms_.resize(std::size_t(std::min<PetscInt>(most, 100000)) + 2);
    if (rules_.time_limit > 0) {
      PetscCall(KSPGetAndClearConvergenceTest(ksp_, &watch_.test, &watch_.context, &watch_.destroy));
      watch_.time_limit = rules_.time_limit;
      PetscCall(KSPSetConvergenceTest(ksp_, TestConverged, &watch_, DestroyWatch));
    }
    PetscFunctionReturn(0);
  }

  /// What PETSc would crash on.
  PetscErrorCode RefuseWithoutGrid() {
    PetscFunctionBeginUser;
    PC pc;
    PetscBool on_grid;
    PetscCall(KSPGetPC(ksp_, &pc));
    PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &on_grid, PCPFMG, PCSMG, PCMG, ""));
    PetscCheck(!on_grid || work_.system.problem.grid, Comm(), PETSC_ERR_SUP,
               "this preconditioner works on a grid, and the system has none");
    PetscFunctionReturn(0);
  }

  /// Hands over the values of the current step. PFMG and SMG build themselves from a matrix of hypre's structured kind.
  PetscErrorCode GiveMatrix() {
    PetscFunctionBeginUser;
    PC pc;
    PetscBool structured;
    PetscCall(MatCopy(work_.system.A, matrix_, SAME_NONZERO_PATTERN));
    // Without this, SOR goes on with the inverse diagonal of the values before.
    PetscCall(MatAssemblyBegin(matrix_, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(matrix_, MAT_FINAL_ASSEMBLY));
    PetscCall(KSPGetPC(ksp_, &pc));
    PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &structured, PCPFMG, PCSMG, ""));
    if (structured) {
      PetscCallMPI(MPI_Barrier(Comm()));
      double seconds = MPI_Wtime();
      PetscCall(MatDestroy(&structured_));
      PetscCall(work_.StructuredMatrix(&structured_));
      seconds = MPI_Wtime() - seconds;
      PetscCall(Slowest(Comm(), &seconds));
      visit_.structured_seconds += seconds;
    }
    PetscCall(KSPSetOperators(ksp_, matrix_, structured ? structured_ : matrix_));
    PetscFunctionReturn(0);
  }

  /// The workload's absolute tolerance holds unless the configuration has one of its own.
  PetscErrorCode SetTolerance(double absolute) {
    PetscFunctionBeginUser;
    if (absolute <= 0) PetscFunctionReturn(0);
    PetscBool own_relative, own_absolute;
    const std::string prefix = configuration_.Prefix();
    PetscCall(PetscOptionsHasName(nullptr, prefix.c_str(), "-ksp_rtol", &own_relative));
    PetscCall(PetscOptionsHasName(nullptr, prefix.c_str(), "-ksp_atol", &own_absolute));
    if (own_relative || own_absolute) PetscFunctionReturn(0);
    PetscCall(KSPSetTolerances(ksp_, 1e-15, absolute, PETSC_DEFAULT, PETSC_DEFAULT));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Solve(PetscInt step) {
    PetscFunctionBeginUser;
    const LinearSystem &system = work_.system;
    SolveRecord record;
    bool new_matrix;
    PetscCall(work_.Prepare(step, &new_matrix));
    PetscCall(VecCopy(system.b, rhs_)); // solvers may scale what they are given
    const double absolute = work_.AbsoluteTolerance(step);
    PetscCall(SetTolerance(absolute));
    PetscReal scale;
    PetscCall(VecNorm(system.b, NORM_2, &scale));
    if (scale == 0) scale = 1;

    if (new_matrix || step == 0) PetscCall(GiveMatrix());
    PetscCall(StartClock(Phase::kSetup));
    PetscCall(KSPSetUp(ksp_));
    PetscCall(KSPSetUpOnBlocks(ksp_));
    PetscCall(Seconds(&record.setup_seconds));

    if (step == 0) PetscCall(KSPSetResidualHistory(ksp_, norms_.data(), PetscInt(norms_.size()), PETSC_TRUE));
    PetscCall(StartClock(Phase::kSolve));
    PetscCall(KSPSolve(ksp_, rhs_, system.x));
    PetscCall(Seconds(&record.solve_seconds));

    KSPConvergedReason reason;
    PetscCall(KSPGetConvergedReason(ksp_, &reason));
    PetscCall(KSPGetIterationNumber(ksp_, &record.iterations));
    PetscCall(TrueResidual(system.A, system.b, system.x, &record.true_residual));
    if (step == 0) PetscCall(KeepHistory(record.solve_seconds, scale));
    // A residual that only just misses by rounding is no miss.
    const double wanted = absolute > 0 ? absolute : rules_.rtol * scale;
    const bool met = record.true_residual <= 1.01 * wanted;
    record.true_residual /= scale;
    visit_.solves.push_back(record);
    Judge(met, reason, record, wanted / scale);
    PetscFunctionReturn(0);
  }

  /// By the true residual first; then by what the solver says of itself.
  void Judge(bool met, KSPConvergedReason reason, const SolveRecord &record, double wanted) {
    if (met) return;
    if (watch_.out_of_time) {
      visit_.outcome = Outcome::kTimeLimit;
      visit_.message = "stopped by -time_limit";
    } else if (reason < 0) {
      visit_.outcome = Outcome::kDiverged;
      visit_.message = KSPConvergedReasons[reason];
    } else if (visit_.outcome == Outcome::kOk) {
      char text[120];
      std::snprintf(text, sizeof text, "says %s, but the true residual is %.2e of b instead of %.2e",
                    KSPConvergedReasons[reason], record.true_residual, wanted);
      visit_.outcome = Outcome::kMissed;
      visit_.message = text;
    }
  }

  /// Iterations of a method take about the same time each; PETSc's list of norms has no clock.
  PetscErrorCode KeepHistory(double seconds, double scale) {
    PetscFunctionBeginUser;
    const PetscReal *norms;
    PetscInt count;
    PetscCall(KSPGetResidualHistory(ksp_, &norms, &count));
    for (PetscInt i = 0; i < count; ++i)
      visit_.history.push_back({i, count > 1 ? seconds * double(i) / double(count - 1) : 0, norms[i] / scale});
    PetscCall(KSPSetResidualHistory(ksp_, nullptr, 0, PETSC_TRUE));
    PetscFunctionReturn(0);
  }

  MPI_Comm Comm() const { return PetscObjectComm((PetscObject)work_.system.A); }

  const Configuration &configuration_;
  const Rules &rules_;
  Workload &work_;
  LogObserver &observer_;
  Visit &visit_;
  KSP ksp_ = nullptr;
  Mat matrix_ = nullptr, structured_ = nullptr; ///< copies, for solvers change what they are given
  Vec rhs_ = nullptr;
  std::vector<PetscReal> norms_;
  PetscLogDouble flops_ = 0;
  Watch watch_{};
  bool counting_ = false;
};

} // namespace

const char *OutcomeName(Outcome outcome) {
  switch (outcome) {
  case Outcome::kOk: return "ok";
  case Outcome::kMissed: return "missed";
  case Outcome::kDiverged: return "diverged";
  case Outcome::kTimeLimit: return "time_limit";
  case Outcome::kFailed: return "failed";
  }
  return "";
}

double Visit::SetupSeconds() const {
  return std::accumulate(solves.begin(), solves.end(), 0.0,
                         [](double sum, const SolveRecord &s) { return sum + s.setup_seconds; });
}
double Visit::SolveSeconds() const {
  return std::accumulate(solves.begin(), solves.end(), 0.0,
                         [](double sum, const SolveRecord &r) { return sum + r.solve_seconds; });
}
double Visit::FirstSolveSeconds() const { return solves.empty() ? 0 : solves[0].solve_seconds; }
double Visit::LaterSolveSeconds() const {
  return solves.size() < 2 ? FirstSolveSeconds() : (SolveSeconds() - FirstSolveSeconds()) / double(solves.size() - 1);
}
PetscInt Visit::Iterations() const {
  return std::accumulate(solves.begin(), solves.end(), PetscInt(0),
                         [](PetscInt sum, const SolveRecord &s) { return sum + s.iterations; });
}
double Visit::WorstResidual() const {
  double worst = 0;
  for (const SolveRecord &s : solves)
    if (!(s.true_residual <= worst)) worst = s.true_residual; // NaN too
  return worst;
}

PetscErrorCode RunVisit(MPI_Comm comm, const Configuration &configuration, const Rules &rules, Workload *workload,
                        LogObserver *observer, Visit *visit) {
  PetscFunctionBeginUser;
  *visit = Visit();
  PeakMemory memory;
  Solver solver(configuration, rules, workload, observer, visit);
  std::string message;
  PetscErrorCode code;
  {
    QuietErrors errors;
    code = Guarded([&] { return solver.Run(); }, &message);
    if (message.empty()) message = errors.message;
  }
  PetscCall(solver.StopClock());
  bool failed = false;
  PetscCall(AnyRankFailed(comm, configuration.name, Shortened(message, code), code != 0, &failed));
  PetscCall(memory.Megabytes(comm, &visit->peak_megabytes));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &visit->flops, 1, MPI_DOUBLE, MPI_SUM, comm));
  if (failed) {
    visit->outcome = Outcome::kFailed;
    visit->message = Shortened(message, code);
    // The lowest rank that knows what happened tells the others.
    int rank, speaker;
    PetscCallMPI(MPI_Comm_rank(comm, &rank));
    speaker = code ? rank : INT_MAX;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &speaker, 1, MPI_INT, MPI_MIN, comm));
    PetscCall(BroadcastText(comm, speaker, &visit->message));
    PetscCall(MarkOptionsUsed(configuration));
    // What is half-built may not go away cleanly; then it stays.
    QuietErrors errors;
    (void)Guarded([&] { return solver.Destroy(); }, &message);
  } else {
    PetscCall(solver.Destroy());
  }
  ForgetHypreErrors();
  if (!failed) PetscCall(UnreadOptions(configuration, &visit->unread));
  PetscCall(observer->Collect(comm, &visit->events));
  PetscFunctionReturn(0);
}

} // namespace krylearn
