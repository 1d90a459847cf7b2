/// \file
/// PCNMG for programs that set it up in code; option keys match. The manual block stands above PCCreate_NMG in nmg.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscpc.h>

#define PCNMG "nmg"

extern "C" {
/// The grid of a matrix in natural ordering, x fastest; 2D: nz = 1. Key -pc_nmg_grid.
KRYLEARN_EXPORT PetscErrorCode PCNMGSetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz);
/// How levels are connected: "blackbox" (default) or "constant". Key -pc_nmg_weights.
KRYLEARN_EXPORT PetscErrorCode PCNMGSetWeights(PC pc, const char *name);
/// "auto" (default), "w" or "v". Key -pc_nmg_cycle.
KRYLEARN_EXPORT PetscErrorCode PCNMGSetCycle(PC pc, const char *name);
/// Smoothing sweeps before and after; 0 (default): 2, or 6 where most cells are anisotropic. Key -pc_nmg_sweeps.
KRYLEARN_EXPORT PetscErrorCode PCNMGSetSweeps(PC pc, PetscInt sweeps);
/// Levels of at most so many cells (32768) are held whole by every rank. Key -pc_nmg_replicate.
KRYLEARN_EXPORT PetscErrorCode PCNMGSetReplicate(PC pc, PetscInt cells);
KRYLEARN_EXPORT PetscErrorCode PCCreate_NMG(PC pc);
}
