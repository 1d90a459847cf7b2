/// \file
/// KSPDCDM for programs that set it up in code; option keys match. The manual block stands above KSPCreate_DCDM in
/// dcdm.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscksp.h>

#define KSPDCDM "dcdm"

/// Why a proposed direction was replaced by the residual, as counted by KSPDCDMGetFallbacks().
struct KSPDCDMFallbacks {
  PetscInt not_finite;  ///< the proposal, or its image under A, held a NaN or an infinity
  PetscInt zero;        ///< the proposal vanished, or lay in the span of the directions kept
  PetscInt not_descent; ///< its product with the residual was not positive
  PetscInt stalled;     ///< the solve stood still and the residual promised more than the proposal
};

extern "C" {
/// Directions kept to make a new one A-orthogonal to, 1 to 1000; 2 by default. Key -ksp_dcdm_window.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMSetWindow(KSP ksp, PetscInt window);
/// Iterations without progress after which proposals are measured against the residual; 0: never; 20 by default. Key
/// -ksp_dcdm_stall.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMSetStall(KSP ksp, PetscInt iterations);
/// Directions replaced in the last solve. Zeros for other types of KSP.
KRYLEARN_EXPORT PetscErrorCode KSPDCDMGetFallbacks(KSP ksp, KSPDCDMFallbacks *fallbacks);
KRYLEARN_EXPORT PetscErrorCode KSPCreate_DCDM(KSP ksp);
}
