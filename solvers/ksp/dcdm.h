/// \file
/// KSPDCDM for programs that set it up in code; option keys match. The manual block stands above KSPCreate_DCDM in
/// dcdm.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscksp.h>

#define KSPDCDM "dcdm"

/// What happened in a solve: why proposed directions were replaced by classical ones, and the window it ended with.
struct KSPDCDMFallbacks {
  PetscInt not_finite; ///< the proposal, or its image under A, held a NaN or an infinity
  PetscInt zero;       ///< the proposal vanished, or lay in the span of the directions kept
  PetscInt upwards;    ///< its product with the residual was negative, and a classical direction promised more
  PetscInt level;      ///< its product with the residual was zero, so no step along it gains anything
  PetscInt stalled;    ///< the solve stood still, a classical direction promised more and such took over
  PetscInt residual;   ///< of all these: the classical direction would not do either, the residual served
  PetscInt window;     ///< directions at the end
};

extern "C" {
/// Directions kept to make a new one A-orthogonal to, 1 to 1000; 2 by default. Key -ksp_dcdm_window.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMSetWindow(KSP ksp, PetscInt window);
/// What the window grows to when a solve stands still, 1 to 1000; 8 by default, no more than the window: it never
/// grows. Key -ksp_dcdm_window_max.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMSetWindowMax(KSP ksp, PetscInt window);
/// Iterations without progress after which the window grows, and as many again after which classical directions may
/// take over; 0: never; 20 by default. Key -ksp_dcdm_stall.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMSetStall(KSP ksp, PetscInt iterations);
/// The preconditioner that classical directions come from: jacobi, unless options of the prefix dcdm_fallback_ or the
/// caller say otherwise. It gets the KSP's operators when it is first needed. Not to be destroyed.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMGetFallbackPC(KSP ksp, PC *pc);
/// What happened in the last solve. Zeros for other types of KSP.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMGetFallbacks(KSP ksp, KSPDCDMFallbacks *fallbacks);
KRYLEARN_EXPORT PetscErrorCode KSPCreate_DCDM(KSP ksp);
}
