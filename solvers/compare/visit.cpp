#include "solvers/compare/visit.h"
#include "meshes/files.h"
#include "solvers/compare/peak_memory.h"
#include "solvers/poisson_preconditioner.h"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <dlfcn.h>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace krylearn {
namespace {

/// Keeps the first message of an error where PETSc's handler would print it and the program's would end it.
class QuietErrors {
public:
  QuietErrors() { PetscPushErrorHandler(Keep, this); }
  ~QuietErrors() { PetscPopErrorHandler(); }
  std::string message;

private:
  static PetscErrorCode Keep(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type,
                             const char *text, void *context) {
    QuietErrors *self = static_cast<QuietErrors *>(context);
    if (type == PETSC_ERROR_INITIAL && self->message.empty()) self->message = text ? text : "";
    return code;
  }
};

/// hypre keeps its last error and returns it from every later call.
void ForgetHypreErrors() {
  using Clear = int (*)();
  static const Clear clear = reinterpret_cast<Clear>(dlsym(RTLD_DEFAULT, "HYPRE_ClearAllErrors"));
  if (clear) clear();
}

/// Whether any rank has failed. A rank that failed alone must not wait for ever for those that communicate inside the
/// solver, so after a while it ends the job.
PetscErrorCode AnyRankFailed(MPI_Comm comm, const std::string &configuration, const std::string &message, bool failed,
                             bool *any) {
  PetscFunctionBeginUser;
  int mine = failed, all = 0, done = 0;
  MPI_Request request;
  PetscCallMPI(MPI_Iallreduce(&mine, &all, 1, MPI_INT, MPI_MAX, comm, &request));
  const auto start = std::chrono::steady_clock::now();
  while (failed && !done) {
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) break;
    // The communicator of one rank makes the program treat this as an error that only this rank has met.
    PetscCheck(std::chrono::steady_clock::now() - start < std::chrono::seconds(60), PETSC_COMM_SELF,
               PETSC_ERR_CONV_FAILED, "configuration %s failed on some ranks only, and the others wait: %s. Leave it out",
               configuration.c_str(), message.c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!done) PetscCallMPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
  *any = all != 0;
  PetscFunctionReturn(0);
}

/// What a KSP calls back while it solves.
struct Watch {
  std::vector<ResidualPoint> *history;
  double start, scale, time_limit;
  bool out_of_time;
  PetscErrorCode (*test)(KSP, PetscInt, PetscReal, KSPConvergedReason *, void *);
  void *context;
  PetscErrorCode (*destroy)(void *);
};

PetscErrorCode Record(KSP, PetscInt iteration, PetscReal norm, void *context) {
  Watch *watch = static_cast<Watch *>(context);
  if (watch->history) watch->history->push_back({iteration, MPI_Wtime() - watch->start, norm / watch->scale});
  return 0;
}

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

/// The solver of one visit, from its creation to its end.
class Solver {
public:
  Solver(const Configuration &configuration, const Rules &rules, Workload *workload, LogObserver *observer,
         Visit *visit)
      : configuration_(configuration), rules_(rules), work_(*workload), observer_(*observer), visit_(*visit) {}

  PetscErrorCode Run() {
    PetscFunctionBeginUser;
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
    watch_.start = MPI_Wtime();
    PetscFunctionReturn(0);
  }

  PetscErrorCode Seconds(double *seconds) {
    PetscFunctionBeginUser;
    *seconds = MPI_Wtime() - watch_.start;
    PetscCall(StopClock());
    PetscCall(Slowest(Comm(), seconds));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Create() {
    PetscFunctionBeginUser;
    const std::string prefix = configuration_.Prefix();
    PetscCall(KSPCreate(Comm(), &ksp_));
    PetscCall(KSPSetOptionsPrefix(ksp_, prefix.c_str()));
    PetscCall(SetSystem(ksp_, work_.system));
    PetscCall(KSPSetType(ksp_, KSPCG));
    PetscCall(KSPSetTolerances(ksp_, rules_.rtol, PETSC_DEFAULT, PETSC_DEFAULT, rules_.max_iterations));
    PetscCall(KSPSetNormType(ksp_, KSP_NORM_UNPRECONDITIONED));
    PetscCall(KSPSetFromOptions(ksp_));
    PetscBool own_norm;
    PetscCall(PetscOptionsHasName(nullptr, prefix.c_str(), "-ksp_norm_type", &own_norm));
    if (!own_norm) PetscCall(StopOnTrueResidual(ksp_));
    PetscCall(SolverName(ksp_, &visit_.solver));
    PetscCall(GiveStructuredMatrix());
    PetscCall(KSPMonitorSet(ksp_, Record, &watch_, nullptr));
    if (rules_.time_limit > 0) {
      PetscCall(KSPGetAndClearConvergenceTest(ksp_, &watch_.test, &watch_.context, &watch_.destroy));
      watch_.time_limit = rules_.time_limit;
      PetscCall(KSPSetConvergenceTest(ksp_, TestConverged, &watch_, DestroyWatch));
    }
    PetscFunctionReturn(0);
  }

  /// PFMG and SMG build themselves from a matrix of hypre's structured kind.
  PetscErrorCode GiveStructuredMatrix() {
    PetscFunctionBeginUser;
    PC pc;
    PetscBool structured;
    PetscCall(KSPGetPC(ksp_, &pc));
    PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &structured, PCPFMG, PCSMG, ""));
    if (!structured) PetscFunctionReturn(0);
    PetscCallMPI(MPI_Barrier(Comm()));
    const double start = MPI_Wtime();
    PetscCall(MatDestroy(&structured_));
    PetscCall(work_.StructuredMatrix(&structured_));
    PetscCheck(structured_, Comm(), PETSC_ERR_SUP, "a structured preconditioner needs a system on a grid");
    PetscCall(KSPSetOperators(ksp_, work_.system.A, structured_));
    visit_.structured_seconds += MPI_Wtime() - start;
    PetscFunctionReturn(0);
  }

  PetscErrorCode Solve(PetscInt step) {
    PetscFunctionBeginUser;
    const LinearSystem &system = work_.system;
    SolveRecord record;
    bool new_matrix;
    PetscCall(work_.Prepare(step, &new_matrix));
    const double absolute = work_.AbsoluteTolerance(step);
    if (absolute > 0) PetscCall(KSPSetTolerances(ksp_, 1e-15, absolute, PETSC_DEFAULT, PETSC_DEFAULT));
    PetscReal scale;
    PetscCall(VecNorm(system.b, NORM_2, &scale));
    if (scale == 0) scale = 1;
    watch_.history = step == 0 ? &visit_.history : nullptr;
    watch_.scale = scale;

    if (new_matrix && step > 0) {
      PetscCall(KSPSetOperators(ksp_, system.A, system.P));
      PetscCall(GiveStructuredMatrix());
    }
    PetscCall(StartClock(Phase::kSetup));
    PetscCall(KSPSetUp(ksp_));
    PetscCall(KSPSetUpOnBlocks(ksp_));
    PetscCall(Seconds(&record.setup_seconds));

    PetscCall(StartClock(Phase::kSolve));
    PetscCall(KSPSolve(ksp_, system.b, system.x));
    PetscCall(Seconds(&record.solve_seconds));

    KSPConvergedReason reason;
    PetscCall(KSPGetConvergedReason(ksp_, &reason));
    PetscCall(KSPGetIterationNumber(ksp_, &record.iterations));
    PetscCall(TrueResidual(system.A, system.b, system.x, &record.true_residual));
    // A residual that only just misses by rounding is no miss.
    const double wanted = 1.01 * (absolute > 0 ? absolute : rules_.rtol * scale);
    const bool met = record.true_residual <= wanted;
    record.true_residual /= scale;
    visit_.solves.push_back(record);
    if (watch_.out_of_time) {
      visit_.outcome = Outcome::kTimeLimit;
      visit_.message = "stopped by -time_limit";
    } else if (reason < 0) {
      visit_.outcome = Outcome::kDiverged;
      visit_.message = KSPConvergedReasons[reason];
    } else if (!met && visit_.outcome == Outcome::kOk) {
      char text[120];
      std::snprintf(text, sizeof text, "says %s, but the true residual is %.2e of b instead of %.2e",
                    KSPConvergedReasons[reason], record.true_residual, wanted / 1.01 / scale);
      visit_.outcome = Outcome::kMissed;
      visit_.message = text;
    }
    PetscFunctionReturn(0);
  }

  MPI_Comm Comm() const { return PetscObjectComm((PetscObject)work_.system.A); }

  const Configuration &configuration_;
  const Rules &rules_;
  Workload &work_;
  LogObserver &observer_;
  Visit &visit_;
  KSP ksp_ = nullptr;
  Mat structured_ = nullptr;
  Watch watch_{};
  bool counting_ = false;
};

/// Runs `call`, turning exceptions into error codes.
template <class Call> PetscErrorCode Guarded(Call &&call, std::string *message) {
  try {
    return call();
  } catch (const std::bad_alloc &) {
    *message = "out of memory";
    return PETSC_ERR_MEM;
  } catch (const std::exception &e) {
    *message = e.what();
    return PETSC_ERR_LIB;
  }
}

/// One line, and a short one.
std::string Shortened(std::string text, PetscErrorCode code) {
  if (text.empty()) {
    const char *general = nullptr;
    PetscErrorMessage(code, &general, nullptr);
    text = general ? general : "error " + std::to_string(code);
  }
  text = text.substr(0, text.find('\n'));
  if (text.size() > 160) text = text.substr(0, 157) + "...";
  return text;
}

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

double Visit::Flops() const {
  // Of the outermost events: the flops of those inside are theirs too.
  double sum = 0;
  for (const EventCost &e : events)
    if (e.event == "KSPSolve" || e.event == "PCSetUp" || e.event == "PCSetUpOnBlocks") sum += e.flops;
  return sum;
}
double Visit::SetupSeconds() const {
  return std::accumulate(solves.begin(), solves.end(), 0.0,
                         [](double sum, const SolveRecord &s) { return sum + s.setup_seconds; });
}
double Visit::SolveSeconds() const {
  return std::accumulate(solves.begin(), solves.end(), 0.0,
                         [](double sum, const SolveRecord &s) { return sum + s.solve_seconds; }) /
         double(std::max<std::size_t>(1, solves.size()));
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
  PetscCall(observer->Collect(comm, &visit->events));
  PetscFunctionReturn(0);
}

} // namespace krylearn
