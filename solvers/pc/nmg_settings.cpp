// The public settings of PCNMG; nmg.cpp has what they do.
#include "solvers/pc/nmg.h"
#include <petsc/private/petscimpl.h>

/*@
   PCNMGSetGrid - sets the grid of a matrix in natural ordering

   Logically Collective on PC

   Input Parameters:
+  pc - the preconditioner
.  nx - cells along the first axis, whose numbers run fastest
.  ny - cells along the second axis
-  nz - cells along the third axis; 1 in 2D

   Options Database Key:
.  -pc_nmg_grid nx,ny[,nz] - the same

   Level: beginner

   Notes:
   Row i + nx (j + ny k) is cell (i,j,k), whatever the ranks that hold it. Sides are not periodic.

   A matrix whose rows a DMDA numbers needs no grid: the preconditioner finds it through KSPSetDM() or DMCreateMatrix().

.seealso: `PCNMG`, `KSPSetDM()`, `DMCreateMatrix()`
@*/
PetscErrorCode PCNMGSetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNMGSetGrid_C", (PC, PetscInt, PetscInt, PetscInt), (pc, nx, ny, nz));
  PetscFunctionReturn(0);
}

/*@C
   PCNMGSetWeights - sets how levels are connected

   Logically Collective on PC

   Input Parameters:
+  pc - the preconditioner
-  name - "blackbox" (default): operator-dependent weights; "constant": piecewise constant ones

   Options Database Key:
.  -pc_nmg_weights blackbox|constant - the same

   Level: intermediate

.seealso: `PCNMG`, `PCNMGSetCycle()`
@*/
PetscErrorCode PCNMGSetWeights(PC pc, const char *name) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNMGSetWeights_C", (PC, const char *), (pc, name));
  PetscFunctionReturn(0);
}

/*@C
   PCNMGSetCycle - sets how often a level visits the next coarser one

   Logically Collective on PC

   Input Parameters:
+  pc - the preconditioner
-  name - "w": twice; "v": once; "auto" (default): once from large levels where a trial shows that this does, else twice

   Options Database Key:
.  -pc_nmg_cycle auto|w|v - the same

   Level: intermediate

.seealso: `PCNMG`, `PCNMGSetWeights()`
@*/
PetscErrorCode PCNMGSetCycle(PC pc, const char *name) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNMGSetCycle_C", (PC, const char *), (pc, name));
  PetscFunctionReturn(0);
}

/*@
   PCNMGSetSweeps - sets smoothing sweeps before and after the visit of coarser levels

   Logically Collective on PC

   Input Parameters:
+  pc - the preconditioner
-  sweeps - 1 to 20; 0 (default): 2, or 6 where most cells are anisotropic

   Options Database Key:
.  -pc_nmg_sweeps N - the same

   Level: intermediate

.seealso: `PCNMG`, `PCNMGSetCycle()`
@*/
PetscErrorCode PCNMGSetSweeps(PC pc, PetscInt sweeps) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNMGSetSweeps_C", (PC, PetscInt), (pc, sweeps));
  PetscFunctionReturn(0);
}

/*@
   PCNMGSetReplicate - sets the largest levels that every rank holds whole

   Logically Collective on PC

   Input Parameters:
+  pc - the preconditioner
-  cells - levels of at most so many cells are held whole; 32768 unless set

   Options Database Key:
.  -pc_nmg_replicate N - the same

   Level: advanced

   Note:
   Small levels cost less to compute everywhere than to communicate about. The result does not depend on it.

.seealso: `PCNMG`, `PCNMGSetGrid()`
@*/
PetscErrorCode PCNMGSetReplicate(PC pc, PetscInt cells) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNMGSetReplicate_C", (PC, PetscInt), (pc, cells));
  PetscFunctionReturn(0);
}
