// KSPDCDM: deep conjugate directions – a preconditioner of any kind proposes, A-orthogonality and a line search decide.
#include "solvers/ksp/dcdm.h"
#include <new>
#include <petsc/private/kspimpl.h>
#include <utility>

namespace {

/// A direction of which A-orthogonalisation leaves less than this part (squared A-norm) lay in the span of the window.
constexpr PetscReal kVanished = 1e-24;
/// One of which this little (squared A-norm) is left has lost so many digits to cancellation that the recursion of the
/// residual may part from the true one.
constexpr PetscReal kCancelled = 1e-6;
/// A solve stands still where the residual has not fallen by a tenth.
constexpr PetscReal kProgress = 0.9;

struct KSP_DCDM {
  PetscInt window = 2, stall = 20;
  // Directions d with dᵀAd = 1, and A d, in the first `window` places; the last place is the next direction's.
  Vec *directions = nullptr, *images = nullptr;
  PetscInt allocated = 0, kept = 0, oldest = 0;
  PetscScalar *products = nullptr;
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
  if (dcdm->allocated) {
    PetscCall(VecDestroyVecs(dcdm->allocated, &dcdm->directions));
    PetscCall(VecDestroyVecs(dcdm->allocated, &dcdm->images));
  }
  PetscCall(PetscFree(dcdm->products));
  dcdm->allocated = dcdm->kept = dcdm->oldest = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetUp_DCDM(KSP ksp) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscFunctionBegin;
  PetscCall(KSPSetWorkVecs(ksp, 3));
  if (dcdm->allocated == dcdm->window + 1) PetscFunctionReturn(0);
  PetscCall(KSPReset_DCDM(ksp));
  PetscCall(KSPCreateVecs(ksp, dcdm->window + 1, &dcdm->directions, 0, nullptr));
  PetscCall(KSPCreateVecs(ksp, dcdm->window + 1, &dcdm->images, 0, nullptr));
  PetscCall(PetscMalloc1(dcdm->window, &dcdm->products));
  dcdm->allocated = dcdm->window + 1;
  PetscFunctionReturn(0);
}

enum class Verdict { kUsable, kNotFinite, kZero, kNotDescent };

/// Counts why a proposal is not used, and says so to -info.
PetscErrorCode Count(KSP ksp, Verdict verdict) {
  KSPDCDMFallbacks &f = Data(ksp)->fallbacks;
  const struct {
    PetscInt *counter;
    const char *why;
  } table[] = {{nullptr, ""},
               {&f.not_finite, "is not finite"},
               {&f.zero, "vanishes"},
               {&f.not_descent, "is not one of descent"}};
  const auto &row = table[int(verdict)];
  PetscFunctionBegin;
  if (verdict == Verdict::kUsable) PetscFunctionReturn(0);
  ++*row.counter;
  PetscCall(
      PetscInfo(ksp, "Iteration %" PetscInt_FMT ": the residual replaces a direction that %s\n", ksp->its, row.why));
  PetscFunctionReturn(0);
}

/// Makes q A-orthogonal to the window in two passes, and A q with it, which takes no product with A.
PetscErrorCode Orthogonalise(KSP ksp, Vec r, Vec q, Vec Aq, Slopes *slopes, Verdict *verdict) {
  KSP_DCDM *dcdm = Data(ksp);
  PetscScalar before;
  PetscFunctionBegin;
  PetscCall(VecDot(q, Aq, &before));
  for (int pass = 0; pass < 2 && dcdm->kept > 0; ++pass) {
    PetscCall(VecMDot(Aq, dcdm->kept, dcdm->directions, dcdm->products));
    for (PetscInt k = 0; k < dcdm->kept; ++k) dcdm->products[k] = -dcdm->products[k];
    PetscCall(VecMAXPY(q, dcdm->kept, dcdm->products, dcdm->directions));
    PetscCall(VecMAXPY(Aq, dcdm->kept, dcdm->products, dcdm->images));
  }
  PetscCall(VecDotBegin(q, Aq, &slopes->qAq));
  PetscCall(VecDotBegin(q, r, &slopes->rq));
  PetscCall(VecDotEnd(q, Aq, &slopes->qAq));
  PetscCall(VecDotEnd(q, r, &slopes->rq));
  if (PetscIsInfOrNanScalar(slopes->qAq) || PetscIsInfOrNanScalar(slopes->rq)) *verdict = Verdict::kNotFinite;
  else if (!(PetscRealPart(slopes->qAq) > kVanished * PetscAbsScalar(before))) *verdict = Verdict::kZero;
  else if (!(PetscRealPart(slopes->rq) > 0)) *verdict = Verdict::kNotDescent;
  else *verdict = Verdict::kUsable;
  if (!(PetscRealPart(slopes->qAq) > kCancelled * PetscAbsScalar(before))) dcdm->cancelled = true;
  PetscFunctionReturn(0);
}

/// The preconditioner's direction.
PetscErrorCode Propose(KSP ksp, Vec r, Vec q, Verdict *verdict) {
  PetscScalar rq, qq;
  PetscFunctionBegin;
  PetscCall(KSP_PCApply(ksp, r, q));
  PetscCall(VecDotBegin(q, r, &rq));
  PetscCall(VecDotBegin(q, q, &qq));
  PetscCall(VecDotEnd(q, r, &rq));
  PetscCall(VecDotEnd(q, q, &qq));
  if (PetscIsInfOrNanScalar(rq) || PetscIsInfOrNanScalar(qq)) *verdict = Verdict::kNotFinite;
  else if (PetscRealPart(qq) == 0) *verdict = Verdict::kZero;
  else if (!(PetscRealPart(rq) > 0)) *verdict = Verdict::kNotDescent;
  else *verdict = Verdict::kUsable;
  PetscFunctionReturn(0);
}

/// The residual without its part in the null space, as a direction.
PetscErrorCode TakeResidual(KSP ksp, Mat A, Vec r, Vec q, Vec Aq) {
  PetscFunctionBegin;
  PetscCall(VecCopy(r, q));
  PetscCall(KSP_RemoveNullSpace(ksp, q));
  PetscCall(KSP_MatMult(ksp, A, q, Aq));
  PetscFunctionReturn(0);
}

/// Where a solve stands still: replaces q by the residual if a step along that gains more.
PetscErrorCode TakeBetter(KSP ksp, Mat A, Vec r, Vec q, Vec Aq, Slopes *slopes) {
  Vec other = ksp->work[1], image = ksp->work[2];
  Slopes steepest;
  PetscFunctionBegin;
  PetscCall(TakeResidual(ksp, A, r, other, image));
  Verdict verdict = Verdict::kUsable;
  PetscCall(Orthogonalise(ksp, r, other, image, &steepest, &verdict));
  if (verdict != Verdict::kUsable || steepest.Gain() <= slopes->Gain()) PetscFunctionReturn(0);
  ++Data(ksp)->fallbacks.stalled;
  PetscCall(PetscInfo(ksp, "Iteration %" PetscInt_FMT ": the residual gains more than the direction\n", ksp->its));
  PetscCall(VecCopy(other, q));
  PetscCall(VecCopy(image, Aq));
  *slopes = steepest;
  PetscFunctionReturn(0);
}

/// Keeps the direction in the last place, scaled to dᵀAd = 1, instead of the oldest.
PetscErrorCode Keep(KSP_DCDM *dcdm, const Slopes &slopes) {
  const PetscInt last = dcdm->window;
  const PetscReal scale = 1 / PetscSqrtReal(PetscRealPart(slopes.qAq));
  PetscFunctionBegin;
  PetscCall(VecScale(dcdm->directions[last], scale));
  PetscCall(VecScale(dcdm->images[last], scale));
  std::swap(dcdm->directions[last], dcdm->directions[dcdm->oldest]);
  std::swap(dcdm->images[last], dcdm->images[dcdm->oldest]);
  dcdm->oldest = (dcdm->oldest + 1) % dcdm->window;
  dcdm->kept = PetscMin(dcdm->kept + 1, dcdm->window);
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
  dcdm->kept = dcdm->oldest = 0;
  dcdm->fallbacks = {};
  ksp->its = 0;
  dcdm->cancelled = false;
  if (ksp->guess_zero) PetscCall(VecCopy(ksp->vec_rhs, r));
  else PetscCall(ComputeResidual(ksp, A, r));
  PetscReal norm, best;
  PetscCall(Report(ksp, r, &norm));
  best = norm;
  PetscInt best_at = 0;
  while (!ksp->reason) {
    if (ksp->its >= ksp->max_it) {
      ksp->reason = KSP_DIVERGED_ITS;
      break;
    }
    Vec q = dcdm->directions[dcdm->window], Aq = dcdm->images[dcdm->window];
    Slopes slopes;
    Verdict verdict = Verdict::kUsable;
    PetscCall(Propose(ksp, r, q, &verdict));
    if (verdict == Verdict::kUsable) {
      PetscCall(KSP_MatMult(ksp, A, q, Aq));
      PetscCall(Orthogonalise(ksp, r, q, Aq, &slopes, &verdict));
      const bool stands = dcdm->stall > 0 && ksp->normtype != KSP_NORM_NONE && ksp->its - best_at >= dcdm->stall;
      if (verdict == Verdict::kUsable && stands) PetscCall(TakeBetter(ksp, A, r, q, Aq, &slopes));
    }
    if (verdict != Verdict::kUsable) {
      PetscCall(Count(ksp, verdict));
      PetscCall(TakeResidual(ksp, A, r, q, Aq));
      PetscCall(Orthogonalise(ksp, r, q, Aq, &slopes, &verdict));
      if (verdict != Verdict::kUsable && dcdm->kept > 0) { // start afresh
        dcdm->kept = dcdm->oldest = 0;
        PetscCall(TakeResidual(ksp, A, r, q, Aq));
        PetscCall(Orthogonalise(ksp, r, q, Aq, &slopes, &verdict));
      }
    }
    if (verdict != Verdict::kUsable) {
      PetscCall(GiveUp(ksp, slopes));
      break;
    }
    const PetscScalar step = slopes.rq / slopes.qAq;
    PetscCall(VecAXPY(ksp->vec_sol, step, q));
    PetscCall(VecAXPY(r, -step, Aq));
    PetscCall(Keep(dcdm, slopes));
    ++ksp->its;
    PetscCall(Report(ksp, r, &norm));
    if (ksp->reason > 0 && dcdm->cancelled && ksp->normtype != KSP_NORM_NONE) {
      PetscCall(ComputeResidual(ksp, A, r));
      PetscCall(VecNorm(r, NORM_2, &norm));
      ksp->rnorm = norm;
      PetscCall((*ksp->converged)(ksp, ksp->its, norm, &ksp->reason, ksp->cnvP));
    }
    if (norm < kProgress * best) best = norm, best_at = ksp->its;
  }
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
    PetscCall(PetscViewerASCIIPrintf(viewer, "  standing still: %" PetscInt_FMT " iterations without a tenth\n",
                                     dcdm->stall));
  PetscCall(PetscViewerASCIIPrintf(viewer,
                                   "  directions replaced by the residual in the last solve: %" PetscInt_FMT
                                   " not finite, %" PetscInt_FMT " zero, %" PetscInt_FMT
                                   " not of descent, %" PetscInt_FMT " while standing still\n",
                                   f.not_finite, f.zero, f.not_descent, f.stalled));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetFromOptions_DCDM(KSP ksp, PetscOptionItems *PetscOptionsObject) {
  PetscInt window = Data(ksp)->window, stall = Data(ksp)->stall;
  PetscBool given;
  PetscFunctionBegin;
  PetscOptionsHeadBegin(PetscOptionsObject, "KSPDCDM options");
  PetscCall(PetscOptionsInt("-ksp_dcdm_window", "Directions that a new one is made A-orthogonal to", "KSPDCDMSetWindow",
                            window, &window, &given));
  if (given) PetscCall(KSPDCDMSetWindow(ksp, window));
  PetscCall(PetscOptionsInt("-ksp_dcdm_stall", "Iterations without progress before the residual may step in, 0: never",
                            "KSPDCDMSetStall", stall, &stall, &given));
  if (given) PetscCall(KSPDCDMSetStall(ksp, stall));
  PetscOptionsHeadEnd();
  PetscFunctionReturn(0);
}

PetscErrorCode KSPDestroy_DCDM(KSP ksp) {
  PetscFunctionBegin;
  PetscCall(KSPReset_DCDM(ksp));
  for (const char *name : {"KSPDCDMSetWindow_C", "KSPDCDMSetStall_C", "KSPDCDMGetFallbacks_C"})
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

PetscErrorCode KSPDCDMSetStall(KSP ksp, PetscInt iterations) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPDCDMSetStall_C", (KSP, PetscInt), (ksp, iterations));
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
-  -ksp_dcdm_stall 20 - iterations without progress before the residual may step in, 0: never

   Level: intermediate

   Notes:
   An iteration is q = M(r), made A-orthogonal to the last directions in two passes, and an exact line search along
   it: flexible conjugate gradients, truncated as `KSPFCG` does with -ksp_fcg_truncation_type standard. It takes one
   product with A, whatever the window. M may be any `PC`, and may change from one iteration to the next; it is meant
   for networks.

   A direction that is not finite, zero, or not one of descent is replaced by the residual, at the cost of a second
   product; -ksp_view, -info and `KSPDCDMGetFallbacks()` tell how often. So a bad preconditioner makes a solve slow,
   never wrong.

   It stops on the true (unpreconditioned) residual, the only norm it supports beside none. The null space attached to
   the matrix is removed from directions.

   References:
.  A. Kaneda, O. Akar, J. Chen, V. Kala, D. Hyde, J. Teran, A deep conjugate direction method for iteratively solving
   linear systems, ICML 2023

.seealso: `KSPDCDMSetWindow()`, `KSPDCDMSetStall()`, `KSPDCDMGetFallbacks()`, `KSPFCG`, `KSPCG`
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
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMSetStall_C", SetStall));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPDCDMGetFallbacks_C", GetFallbacks));
  PetscFunctionReturn(0);
}

} // extern "C"
