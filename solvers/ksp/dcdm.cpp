// KSPDCDM: deep conjugate directions – a preconditioner of any kind proposes, A-orthogonality and a line search decide.
#include "solvers/ksp/dcdm.h"
#include "solvers/ksp/dcdm/window.h"
#include "solvers/misspelt_keys.h"
#include <new>
#include <petsc/private/kspimpl.h>

namespace {

using krylearn::ConjugateWindow;

/// A direction of which A-orthogonalisation leaves less than this part (squared A-norm) lay in the span of the window.
constexpr PetscReal kVanished = 1e-24;
/// One of which this little (squared A-norm) is left has lost so many digits to cancellation that the recursion of the
/// residual may part from the true one.
constexpr PetscReal kCancelled = 1e-6;
/// A solve stands still where the residual has not fallen by a tenth.
constexpr PetscReal kProgress = 0.9;
/// So many times as much a classical direction has to gain where it replaces an upward one: it breaks the sequence of
/// those before it.
constexpr PetscReal kWorthChanging = 2;

struct KSP_DCDM {
  PetscInt window = 2, window_max = 8, stall = 20;
  ConjugateWindow directions;
  PC classical = nullptr; ///< proposes where the KSP's own preconditioner will not do
  bool prepared = false;  ///< for this solve
  PetscInt left = 0;      ///< classical iterations before the preconditioner is asked again
  PetscInt phase = 0;     ///< and how many there will be the next time
  bool cancelled = false; ///< since the residual was last computed afresh
  KSPDCDMFallbacks fallbacks{};
};

/// What is known of a direction q before the step along it.
struct Slopes {
  PetscScalar rq = 0, qAq = 0;
  /// How much the step lessens the squared A-norm of the error.
  PetscReal Gain() const { return PetscRealPart(rq) * PetscRealPart(rq) / PetscRealPart(qAq); }
};

KSP_DCDM *Data(KSP ksp) { return static_cast<KSP_DCDM *>(ksp->data); }

PetscErrorCode KSPReset_DCDM(KSP ksp) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  PetscCall(dcdm->directions.Free());
  if (dcdm->classical) PetscCall(PCReset(dcdm->classical));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetUp_DCDM(KSP ksp) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  PetscCall(KSPSetWorkVecs(ksp, 3));
  PetscCall(dcdm->directions.Reserve(ksp->work[0], PetscMax(dcdm->window, dcdm->window_max)));
  PetscFunctionReturn(0);
}

PetscErrorCode GetClassicalPC(KSP ksp, PC *pc) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  if (!dcdm->classical) {
    const char *prefix;
    PetscCall(PCCreate(PetscObjectComm((PetscObject)ksp), &dcdm->classical));
    PetscCall(PetscObjectIncrementTabLevel((PetscObject)dcdm->classical, (PetscObject)ksp, 1));
    PetscCall(KSPGetOptionsPrefix(ksp, &prefix));
    PetscCall(PCSetOptionsPrefix(dcdm->classical, prefix));
    PetscCall(PCAppendOptionsPrefix(dcdm->classical, "dcdm_fallback_"));
    PetscCall(PCSetType(dcdm->classical, PCJACOBI));
  }
  *pc = dcdm->classical;
  PetscFunctionReturn(0);
}

/// Sets the classical preconditioner up, which most solves never need.
PetscErrorCode PrepareClassical(KSP ksp) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  if (dcdm->prepared) PetscFunctionReturn(0);
  PC pc;
  Mat A, P;
  PetscBool jacobi, diagonal;
  PetscCall(GetClassicalPC(ksp, &pc));
  PetscCall(PCGetOperators(ksp->pc, &A, &P));
  PetscCall(PCSetOperators(pc, A, P));
  if (ksp->dm) PetscCall(PCSetDM(pc, ksp->dm));
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCJACOBI, &jacobi));
  PetscCall(MatHasOperation(P, MATOP_GET_DIAGONAL, &diagonal));
  if (jacobi && !diagonal) PetscCall(PCSetType(pc, PCNONE));
  PetscCall(PCSetUp(pc));
  PetscCall(PCPreSolve(pc, ksp));
  dcdm->prepared = true;
  PetscFunctionReturn(0);
}

/// An upward direction is usable, as the line search takes it the other way; one that is level leads nowhere.
enum class Verdict { kUsable, kNotFinite, kZero, kLevel };

/// Makes q and its image A-orthogonal to the window and judges what is left.
PetscErrorCode Orthogonalise(KSP ksp, Vec r, Vec q, Vec Aq, Slopes *slopes, Verdict *verdict) {
  PetscScalar before;
  PetscFunctionBegin;
  PetscCall(VecDot(q, Aq, &before));
  PetscCall(Data(ksp)->directions.Orthogonalise(q, Aq));
  PetscCall(VecDotBegin(q, Aq, &slopes->qAq));
  PetscCall(VecDotBegin(q, r, &slopes->rq));
  PetscCall(VecDotEnd(q, Aq, &slopes->qAq));
  PetscCall(VecDotEnd(q, r, &slopes->rq));
  if (PetscIsInfOrNanScalar(slopes->qAq) || PetscIsInfOrNanScalar(slopes->rq)) *verdict = Verdict::kNotFinite;
  else if (!(PetscRealPart(slopes->qAq) > kVanished * PetscAbsScalar(before))) *verdict = Verdict::kZero;
  else if (!(PetscAbsScalar(slopes->rq) > 0)) *verdict = Verdict::kLevel;
  else *verdict = Verdict::kUsable;
  if (!(PetscRealPart(slopes->qAq) > kCancelled * PetscAbsScalar(before))) Data(ksp)->cancelled = true;
  PetscFunctionReturn(0);
}

enum class Source { kPreconditioner, kClassical, kResidual };

/// A direction and its image, A-orthogonal to the window where it is usable.
PetscErrorCode Propose(KSP ksp, Source source, Mat A, Vec r, Vec q, Vec Aq, Slopes *slopes, Verdict *verdict) {
  PetscScalar qq;
  PetscFunctionBegin;
  if (source == Source::kPreconditioner) PetscCall(KSP_PCApply(ksp, r, q));
  else {
    if (source == Source::kClassical) {
      PetscCall(PrepareClassical(ksp));
      PetscCall(PCApply(Data(ksp)->classical, r, q));
    } else PetscCall(VecCopy(r, q));
    PetscCall(KSP_RemoveNullSpace(ksp, q));
  }
  PetscCall(VecDotBegin(q, r, &slopes->rq));
  PetscCall(VecDotBegin(q, q, &qq));
  PetscCall(VecDotEnd(q, r, &slopes->rq));
  PetscCall(VecDotEnd(q, q, &qq));
  slopes->qAq = 0;
  if (PetscIsInfOrNanScalar(slopes->rq) || PetscIsInfOrNanScalar(qq)) *verdict = Verdict::kNotFinite;
  else if (PetscRealPart(qq) == 0) *verdict = Verdict::kZero;
  else if (!(PetscAbsScalar(slopes->rq) > 0)) *verdict = Verdict::kLevel;
  else {
    PetscCall(KSP_MatMult(ksp, A, q, Aq));
    PetscCall(Orthogonalise(ksp, r, q, Aq, slopes, verdict));
  }
  PetscFunctionReturn(0);
}

/// Counts a proposal that is not used, and says why to -info.
PetscErrorCode CountReplaced(KSP ksp, const char *why, PetscInt *count) {
  PetscFunctionBegin;
  ++*count;
  PetscCall(PetscInfo(ksp, "Iteration %" PetscInt_FMT ": a classical direction replaces one that %s\n", ksp->its, why));
  PetscFunctionReturn(0);
}

PetscErrorCode CountUnusable(KSP ksp, Verdict verdict) {
  KSPDCDMFallbacks &f = Data(ksp)->fallbacks;
  PetscFunctionBegin;
  if (verdict == Verdict::kNotFinite) PetscCall(CountReplaced(ksp, "is not finite", &f.not_finite));
  else if (verdict == Verdict::kZero) PetscCall(CountReplaced(ksp, "vanishes", &f.zero));
  else PetscCall(CountReplaced(ksp, "is orthogonal to the residual", &f.level));
  PetscFunctionReturn(0);
}

/// Replaces q by the classical direction if a step along that gains more, so many times as much.
PetscErrorCode TakeBetter(KSP ksp, Mat A, Vec r, PetscReal times, Vec q, Vec Aq, Slopes *slopes, bool *taken) {
  Vec other = ksp->work[1], image = ksp->work[2];
  Slopes its;
  Verdict verdict;
  PetscFunctionBegin;
  PetscCall(Propose(ksp, Source::kClassical, A, r, other, image, &its, &verdict));
  *taken = verdict == Verdict::kUsable && its.Gain() > times * slopes->Gain();
  if (!*taken) PetscFunctionReturn(0);
  PetscCall(VecCopy(other, q));
  PetscCall(VecCopy(image, Aq));
  *slopes = its;
  PetscFunctionReturn(0);
}

/// Where a solve stands still: the better direction, and if that is the classical one, the next iterations, too, since
/// classical directions need each other. Twice as many each time, so that a preconditioner which never helps costs
/// little.
PetscErrorCode LeaveToClassical(KSP ksp, Mat A, Vec r, Vec q, Vec Aq, Slopes *slopes) {
  KSP_DCDM *dcdm = Data(ksp);
  bool taken;
  PetscFunctionBegin;
  PetscCall(TakeBetter(ksp, A, r, 1, q, Aq, slopes, &taken));
  if (!taken) PetscFunctionReturn(0);
  PetscCall(PetscInfo(ksp,
                      "Iteration %" PetscInt_FMT ": stands still; a classical direction gains more and takes over for "
                      "%" PetscInt_FMT " iterations\n",
                      ksp->its, dcdm->phase));
  dcdm->left = dcdm->phase;
  dcdm->phase = PetscMin(2 * dcdm->phase, PetscMax(ksp->max_it, 1));
  PetscFunctionReturn(0);
}

/// The step's direction and its image, which lie in the next place.
PetscErrorCode Choose(KSP ksp, Mat A, Vec r, bool stands, Vec *q, Vec *Aq, Slopes *slopes, Verdict *verdict) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  PetscCall(dcdm->directions.Next(q, Aq));
  const bool asked = dcdm->left == 0;
  if (asked) {
    PetscCall(Propose(ksp, Source::kPreconditioner, A, r, *q, *Aq, slopes, verdict));
    if (*verdict != Verdict::kUsable) PetscCall(CountUnusable(ksp, *verdict));
    else if (stands) PetscCall(LeaveToClassical(ksp, A, r, *q, *Aq, slopes));
    else if (PetscRealPart(slopes->rq) < 0) { // M is indefinite: the step goes the other way, or along C(r)
      bool taken;
      PetscCall(TakeBetter(ksp, A, r, kWorthChanging, *q, *Aq, slopes, &taken));
      if (taken) PetscCall(CountReplaced(ksp, "leads upwards", &dcdm->fallbacks.upwards));
    }
  }
  if (dcdm->left > 0) --dcdm->left, ++dcdm->fallbacks.stalled;
  if (asked && *verdict == Verdict::kUsable) PetscFunctionReturn(0);
  PetscCall(Propose(ksp, Source::kClassical, A, r, *q, *Aq, slopes, verdict));
  if (*verdict == Verdict::kUsable) PetscFunctionReturn(0);
  ++dcdm->fallbacks.residual;
  PetscCall(PetscInfo(
      ksp, "Iteration %" PetscInt_FMT ": the classical direction will not do; starts afresh along the residual\n",
      ksp->its));
  dcdm->directions.Start(dcdm->directions.Width());
  PetscCall(dcdm->directions.Next(q, Aq));
  PetscCall(Propose(ksp, Source::kResidual, A, r, *q, *Aq, slopes, verdict));
  PetscFunctionReturn(0);
}

/// r = b − A x.
PetscErrorCode ComputeResidual(KSP ksp, Mat A, Vec r) {
  PetscFunctionBegin;
  PetscCall(KSP_MatMult(ksp, A, ksp->vec_sol, r));
  PetscCall(VecAYPX(r, -1, ksp->vec_rhs));
  Data(ksp)->cancelled = false;
  PetscFunctionReturn(0);
}

/// Norm of the residual; test of convergence, history and monitors.
PetscErrorCode Report(KSP ksp, Vec r, PetscReal *norm) {
  PetscFunctionBegin;
  *norm = 0;
  if (ksp->normtype != KSP_NORM_NONE) {
    PetscCall(VecNorm(r, NORM_2, norm));
    KSPCheckNorm(ksp, *norm);
  }
  ksp->rnorm = *norm;
  PetscCall(KSPLogResidualHistory(ksp, *norm));
  PetscCall(KSPMonitor(ksp, ksp->its, *norm));
  PetscCall((*ksp->converged)(ksp, ksp->its, *norm, &ksp->reason, ksp->cnvP));
  PetscFunctionReturn(0);
}

/// Not even along the residual is there a way down.
PetscErrorCode GiveUp(KSP ksp, const Slopes &s) {
  PetscFunctionBegin;
  if (PetscIsInfOrNanScalar(s.qAq) || PetscIsInfOrNanScalar(s.rq)) ksp->reason = KSP_DIVERGED_NANORINF;
  else if (PetscRealPart(s.qAq) < 0) ksp->reason = KSP_DIVERGED_INDEFINITE_MAT;
  else if (s.rq == 0.0 && ksp->normtype == KSP_NORM_NONE) ksp->reason = KSP_CONVERGED_ITS; // solved exactly
  else ksp->reason = KSP_DIVERGED_BREAKDOWN;
  PetscFunctionReturn(0);
}

PetscErrorCode Iterate(KSP ksp, Mat A, Vec r) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  const bool watched = dcdm->stall > 0 && ksp->normtype != KSP_NORM_NONE;
  PetscReal norm, best;
  PetscCall(Report(ksp, r, &norm));
  best = norm;
  PetscInt since = 0; // the last progress, or what was done about there being none
  while (!ksp->reason) {
    if (ksp->its >= ksp->max_it) {
      ksp->reason = KSP_DIVERGED_ITS;
      break;
    }
    bool stands = watched && ksp->its - since >= dcdm->stall;
    if (stands && dcdm->directions.Width() < dcdm->window_max) {
      dcdm->directions.Widen(dcdm->window_max);
      dcdm->fallbacks.window = dcdm->window_max;
      PetscCall(PetscInfo(ksp, "Iteration %" PetscInt_FMT ": stands still; the window grows to %" PetscInt_FMT "\n",
                          ksp->its, dcdm->window_max));
      since = ksp->its;
      stands = false;
    }
    Vec q, Aq;
    Slopes slopes;
    Verdict verdict;
    PetscCall(Choose(ksp, A, r, stands, &q, &Aq, &slopes, &verdict));
    if (verdict != Verdict::kUsable) {
      PetscCall(GiveUp(ksp, slopes));
      break;
    }
    const PetscScalar step = slopes.rq / slopes.qAq;
    PetscCall(VecAXPY(ksp->vec_sol, step, q));
    PetscCall(VecAXPY(r, -step, Aq));
    PetscCall(dcdm->directions.Keep(PetscRealPart(slopes.qAq)));
    ++ksp->its;
    PetscCall(Report(ksp, r, &norm));
    if (ksp->reason > 0 && dcdm->cancelled && ksp->normtype != KSP_NORM_NONE) {
      PetscCall(ComputeResidual(ksp, A, r));
      PetscCall(VecNorm(r, NORM_2, &norm));
      ksp->rnorm = norm;
      PetscCall((*ksp->converged)(ksp, ksp->its, norm, &ksp->reason, ksp->cnvP));
    }
    if (norm < kProgress * best || dcdm->left > 0) since = ksp->its;
    if (norm < kProgress * best) best = norm;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSolve_DCDM(KSP ksp) {
  KSP_DCDM *dcdm = Data(ksp);
  Vec r = ksp->work[0];
  Mat A;
  PetscBool scaled;
  PetscFunctionBegin;
  PetscCall(PCGetDiagonalScale(ksp->pc, &scaled));
  PetscCheck(!scaled, PetscObjectComm((PetscObject)ksp), PETSC_ERR_SUP,
             "KSPDCDM does not work with diagonal scaling; take -ksp_diagonal_scale away");
  PetscCall(PCGetOperators(ksp->pc, &A, nullptr));
  dcdm->directions.Start(dcdm->window);
  dcdm->fallbacks = {};
  dcdm->fallbacks.window = dcdm->window;
  dcdm->cancelled = dcdm->prepared = false;
  dcdm->left = 0;
  dcdm->phase = dcdm->stall;
  ksp->its = 0;
  if (ksp->guess_zero) PetscCall(VecCopy(ksp->vec_rhs, r));
  else PetscCall(ComputeResidual(ksp, A, r));
  PetscCall(Iterate(ksp, A, r));
  if (dcdm->prepared) PetscCall(PCPostSolve(dcdm->classical, ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPView_DCDM(KSP ksp, PetscViewer viewer) {
  const KSP_DCDM *dcdm = Data(ksp);
  const KSPDCDMFallbacks &f = dcdm->fallbacks;
  PetscBool ascii;
  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  window of %" PetscInt_FMT " direction%s, exact line search\n",
                                   dcdm->window, dcdm->window == 1 ? "" : "s"));
  if (dcdm->stall > 0)
    PetscCall(PetscViewerASCIIPrintf(viewer,
                                     "  standing still: %" PetscInt_FMT
                                     " iterations without a tenth; then a window of %" PetscInt_FMT
                                     ", then classical directions\n",
                                     dcdm->stall, PetscMax(dcdm->window, dcdm->window_max)));
  if (f.window > dcdm->window)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  window in the last solve: grew to %" PetscInt_FMT "\n", f.window));
  PetscCall(PetscViewerASCIIPrintf(viewer,
                                   "  directions replaced by classical ones in the last solve: %" PetscInt_FMT
                                   " not finite, %" PetscInt_FMT " zero, %" PetscInt_FMT
                                   " orthogonal to the residual, %" PetscInt_FMT " upwards, %" PetscInt_FMT
                                   " while standing still\n",
                                   f.not_finite, f.zero, f.level, f.upwards, f.stalled));
  if (f.residual)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  of these, by the residual: %" PetscInt_FMT "\n", f.residual));
  if (!dcdm->prepared) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  classical directions by\n"));
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(PCView(dcdm->classical, viewer));
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetFromOptions_DCDM(KSP ksp, PetscOptionItems *PetscOptionsObject) {
  PetscInt window = Data(ksp)->window, most = Data(ksp)->window_max, stall = Data(ksp)->stall;
  PetscBool given;
  PC pc;
  PetscFunctionBegin;
  PetscCall(krylearn::RefuseMisspeltKeys((PetscObject)ksp, "ksp_dcdm_", {"window", "window_max", "stall"}));
  PetscOptionsHeadBegin(PetscOptionsObject, "KSPDCDM options");
  PetscCall(PetscOptionsInt("-ksp_dcdm_window", "Directions that a new one is made A-orthogonal to", "KSPDCDMSetWindow",
                            window, &window, &given));
  if (given) PetscCall(KSPDCDMSetWindow(ksp, window));
  PetscCall(PetscOptionsInt("-ksp_dcdm_window_max", "What the window grows to while a solve stands still",
                            "KSPDCDMSetWindowMax", most, &most, &given));
  if (given) PetscCall(KSPDCDMSetWindowMax(ksp, most));
  PetscCall(PetscOptionsInt("-ksp_dcdm_stall",
                            "Iterations without progress before the window grows, and classical directions step in; 0: "
                            "never",
                            "KSPDCDMSetStall", stall, &stall, &given));
  if (given) PetscCall(KSPDCDMSetStall(ksp, stall));
  PetscOptionsHeadEnd();
  PetscCall(KSPDCDMGetFallbackPC(ksp, &pc));
  PetscCall(PCSetFromOptions(pc));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDestroy_DCDM(KSP ksp) {
  PetscFunctionBegin;
  PetscCall(KSPReset_DCDM(ksp));
  PetscCall(PCDestroy(&Data(ksp)->classical));
  for (const char *name : {"KSPDCDMSetWindow_C", "KSPDCDMSetWindowMax_C", "KSPDCDMSetStall_C", "KSPDCDMGetFallbackPC_C",
                           "KSPDCDMGetFallbacks_C"})
    PetscCall(PetscObjectComposeFunction((PetscObject)ksp, name, nullptr));
  delete Data(ksp);
  ksp->data = nullptr;
  PetscFunctionReturn(0);
}

PetscErrorCode SetWindow(KSP ksp, PetscInt window) {
  PetscFunctionBegin;
  PetscCheck(window >= 1 && window <= 1000, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPDCDM: a window of %" PetscInt_FMT " directions; give 1 to 1000", window);
  if (window != Data(ksp)->window) ksp->setupstage = KSP_SETUP_NEW;
  Data(ksp)->window = window;
  PetscFunctionReturn(0);
}

PetscErrorCode SetWindowMax(KSP ksp, PetscInt window) {
  PetscFunctionBegin;
  PetscCheck(window >= 1 && window <= 1000, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPDCDM: a window that grows to %" PetscInt_FMT " directions; give 1 to 1000", window);
  if (window != Data(ksp)->window_max) ksp->setupstage = KSP_SETUP_NEW;
  Data(ksp)->window_max = window;
  PetscFunctionReturn(0);
}

PetscErrorCode SetStall(KSP ksp, PetscInt iterations) {
  PetscFunctionBegin;
  PetscCheck(iterations >= 0, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPDCDM: standing still after %" PetscInt_FMT " iterations; give at least 1, or 0 for never", iterations);
  Data(ksp)->stall = iterations;
  PetscFunctionReturn(0);
}

PetscErrorCode GetFallbacks(KSP ksp, KSPDCDMFallbacks *fallbacks) {
  PetscFunctionBegin;
  *fallbacks = Data(ksp)->fallbacks;
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

PetscErrorCode KSPDCDMSetWindow(KSP ksp, PetscInt window) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPDCDMSetWindow_C", (KSP, PetscInt), (ksp, window));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDCDMSetWindowMax(KSP ksp, PetscInt window) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPDCDMSetWindowMax_C", (KSP, PetscInt), (ksp, window));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDCDMSetStall(KSP ksp, PetscInt iterations) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPDCDMSetStall_C", (KSP, PetscInt), (ksp, iterations));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDCDMGetFallbackPC(KSP ksp, PC *pc) {
  PetscFunctionBegin;
  PetscUseMethod(ksp, "KSPDCDMGetFallbackPC_C", (KSP, PC *), (ksp, pc));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDCDMGetFallbacks(KSP ksp, KSPDCDMFallbacks *fallbacks) {
  PetscFunctionBegin;
  *fallbacks = {};
  PetscTryMethod(ksp, "KSPDCDMGetFallbacks_C", (KSP, KSPDCDMFallbacks *), (ksp, fallbacks));
  PetscFunctionReturn(0);
}

/*MC
   KSPDCDM - deep conjugate directions: a preconditioner, linear or not, proposes directions for symmetric positive
   (semi)definite systems

   Options Database Keys:
+  -ksp_dcdm_window 2 - directions that a new one is made A-orthogonal to
.  -ksp_dcdm_window_max 8 - what the window grows to while a solve stands still
.  -ksp_dcdm_stall 20 - iterations without progress before the window grows, and classical directions step in; 0: never
-  -dcdm_fallback_pc_type jacobi - the preconditioner that classical directions come from

   Level: intermediate

   Notes:
   An iteration is q = M(r), made A-orthogonal to the last directions in two passes, and an exact line search along
   it: flexible conjugate gradients, truncated as `KSPFCG` does with -ksp_fcg_truncation_type standard. It takes one
   product with A, whatever the window. M may be any `PC`, and may change from one iteration to the next; it is meant
   for networks.

   A direction that is not finite, zero, or orthogonal to the residual is replaced by a classical one: that of the
   fallback preconditioner, or of the residual should that fail too. One that leads upwards, as where M is indefinite,
is taken the other way, unless a step along the classical one lessens the error twice as much, in the A-norm.

   A solve stands still where the residual has not fallen by a tenth in -ksp_dcdm_stall iterations. Then the window
   grows to -ksp_dcdm_window_max. Where the solve stands still again and a step along the classical direction lessens
   the error more, in the A-norm, classical directions take over for as many iterations, and for twice as many each time
   this happens. -ksp_view, -info and `KSPDCDMGetFallbacks()` tell. So a bad preconditioner makes a solve slow, never
   wrong.

   It stops on the true (unpreconditioned) residual, the only norm it supports beside none. The null space attached to
   the matrix is removed from directions.

   References:
.  A. Kaneda, O. Akar, J. Chen, V. Kala, D. Hyde, J. Teran, A deep conjugate direction method for iteratively solving
   linear systems, ICML 2023

.seealso: `KSPDCDMSetWindow()`, `KSPDCDMSetWindowMax()`, `KSPDCDMSetStall()`, `KSPDCDMGetFallbackPC()`,
          `KSPDCDMGetFallbacks()`, `KSPFCG`, `KSPCG`
M*/
PetscErrorCode KSPCreate_DCDM(KSP ksp) {
  PetscFunctionBegin;
  ksp->data = new (std::nothrow) KSP_DCDM;
  PetscCheck(ksp->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "KSPDCDM: out of memory");
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_LEFT, 3));
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_NONE, PC_LEFT, 1));
  ksp->ops->setup = KSPSetUp_DCDM;
  ksp->ops->solve = KSPSolve_DCDM;
  ksp->ops->reset = KSPReset_DCDM;
  ksp->ops->destroy = KSPDestroy_DCDM;
  ksp->ops->view = KSPView_DCDM;
  ksp->ops->setfromoptions = KSPSetFromOptions_DCDM;
  ksp->ops->buildsolution = KSPBuildSolutionDefault;
  ksp->ops->buildresidual = KSPBuildResidualDefault;
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMSetWindow_C", SetWindow));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMSetWindowMax_C", SetWindowMax));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMSetStall_C", SetStall));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMGetFallbackPC_C", GetClassicalPC));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMGetFallbacks_C", GetFallbacks));
  PetscFunctionReturn(0);
}

} // extern "C"
