// PCNMG: matrix-free multigrid in single precision as a PETSc preconditioner.
#include "meshes/log.h"
#include "meshes/options.h"
#include "solvers/krylearn.h"
#include "solvers/pc/nmg.h"
#include "solvers/misspelt_keys.h"
#include "solvers/pc/nmg/extract.h"
#include "solvers/pc/nmg/hierarchy.h"
#include "solvers/pc/neural/suitable.h"
#include "solvers/pc/pc_grid.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>
#include <petsc/private/pcimpl.h>
#include <petscksp.h>
#include <string>

namespace {

using namespace krylearn;
using nmg::Array;

const std::vector<std::string> kWeightNames = {"constant", "blackbox"}, kCycleNames = {"v", "w", "auto"};
const std::vector<std::string> kKeys = {"grid", "weights", "cycle", "sweeps", "replicate"};

struct PC_NMG {
  nmg::Options options;
  PCGrid grid{"PCNMG", "pc_nmg_grid"};
  // What depends on the values:
  std::unique_ptr<nmg::Hierarchy> hierarchy;
  std::vector<nmg::IsolatedRow> isolated;
  Array scale, b, x;
  double unit = 1; ///< of the matrix
  ResidualScale scale_in;
  bool warned = false;
};

PC_NMG *Data(PC pc) { return static_cast<PC_NMG *>(pc->data); }

PetscErrorCode PCReset_NMG(PC pc) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  PetscCall(nmg->grid.Reset());
  nmg->hierarchy.reset();
  nmg->isolated.clear();
  for (Array *array : {&nmg->scale, &nmg->b, &nmg->x}) *array = Array();
  PetscFunctionReturn(0);
}

PetscErrorCode SetUpHierarchy(PC pc) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  Mat matrix;
  PetscCall(nmg->grid.Matrix(pc, &matrix));
  // Arrays of an earlier set-up, and those of this one that go early, make room for the next.
  const Array::Recycling recycling;
  nmg->hierarchy.reset();
  for (Array *array : {&nmg->scale, &nmg->b, &nmg->x}) *array = Array();
  nmg::Stencil stencil;
  const std::shared_ptr<nmg::Box> &box = nmg->grid.Box();
  PetscCall(nmg::ExtractStencil("PCNMG", matrix, nmg->grid.GridDM(), nmg->grid.Reordered(), *box, &stencil,
                                &nmg->isolated, &nmg->unit));
  std::unique_ptr<nmg::Hierarchy> hierarchy;
  PetscCall(nmg::Together(box->comm, [&] {
    nmg->scale = stencil.Scale();
    for (Array *array : {&nmg->b, &nmg->x}) *array = box->NewArray();
    hierarchy.reset(new nmg::Hierarchy);
    return 0;
  }));
  PetscCall(hierarchy->SetUp(box, &stencil, nmg->options));
  nmg->hierarchy = std::move(hierarchy);
  PetscFunctionReturn(0);
}

PetscErrorCode PCSetUp_NMG(PC pc) {
  PC_NMG *nmg = Data(pc);
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  PetscFunctionBegin;
  PetscBool host;
  MatType type;
  PetscCall(MatGetType(pc->pmat, &type));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)pc->pmat, &host, MATSEQAIJ, MATMPIAIJ, ""));
  PetscCheck(host, comm, PETSC_ERR_SUP,
             "PCNMG reads AIJ matrices in host memory, not %s; use -mat_type aij (-dm_mat_type aij)", type);
  PetscCall(PetscLogEventBegin(Log().nmg_setup, pc, 0, 0, 0));
  PetscCall(nmg->grid.SetUp(pc));
  PetscCall(SetUpHierarchy(pc));
  PetscCall(PetscLogEventEnd(Log().nmg_setup, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

/// Owned cells of a vector, times the scale, into an array; and back.
void Enter(const PC_NMG &nmg, const PetscScalar *from, Array *to) {
  const Layout &l = nmg.grid.Box()->layout;
  const PetscInt count = l.hi[0] - l.lo[0];
  const double factor = nmg.scale_in.factor;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j, from += count) {
      const std::ptrdiff_t at = l.At(l.lo[0], j, k);
      float *__restrict out = to->data() + at;
      const float *__restrict s = nmg.scale.data() + at;
      for (PetscInt i = 0; i < count; ++i) out[i] = s[i] * float(factor * from[i]);
    }
}

void Leave(const PC_NMG &nmg, const Array &from, PetscScalar *to) {
  const Layout &l = nmg.grid.Box()->layout;
  const PetscInt count = l.hi[0] - l.lo[0];
  const double factor = 1 / (nmg.scale_in.factor * nmg.unit);
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j, to += count) {
      const std::ptrdiff_t at = l.At(l.lo[0], j, k);
      const float *__restrict in = from.data() + at, *__restrict s = nmg.scale.data() + at;
      for (PetscInt i = 0; i < count; ++i) to[i] = factor * double(s[i] * in[i]);
    }
}

PetscErrorCode PCApply_NMG(PC pc, Vec r, Vec z) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  PetscCheck(nmg->hierarchy, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE,
             "PCNMG has nothing to apply, because its set-up has failed; mend the matrix and set up again");
  PetscCall(PetscLogEventBegin(Log().nmg_apply, pc, 0, 0, 0));
  PetscCall(nmg->scale_in.Look(r));
  const PetscScalar *in;
  PetscScalar *out;
  PetscCall(nmg->grid.Enter(r, z, &in, &out));
  Enter(*nmg, in, &nmg->b);
  PetscCall(nmg->hierarchy->Apply(&nmg->b, &nmg->x));
  Leave(*nmg, nmg->x, out);
  for (const nmg::IsolatedRow &row : nmg->isolated) out[row.local] = in[row.local] * row.inverse;
  PetscCall(nmg->grid.Leave(r, z, &in, &out));
  PetscCall(PetscLogEventEnd(Log().nmg_apply, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

/// Methods that follow the residual by relations which hold for an exactly linear preconditioner claim tolerances below
/// single precision that they have not reached.
PetscErrorCode WarnOfMethod(PC pc, KSP ksp) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  KSPType type;
  PetscReal rtol;
  const char *prefix;
  PetscCall(KSPGetType(ksp, &type));
  PetscCall(KSPGetTolerances(ksp, &rtol, nullptr, nullptr, nullptr));
  if (BearsSinglePrecision(type) || nmg->warned || rtol >= kReachedByAll) PetscFunctionReturn(0);
  nmg->warned = true;
  PetscCall(KSPGetOptionsPrefix(ksp, &prefix));
  if (!prefix) prefix = "";
  PetscCall(PetscFPrintf(PetscObjectComm((PetscObject)pc), PETSC_STDERR,
                         "PCNMG warning: -%sksp_type %s takes an exactly linear preconditioner for granted, but PCNMG "
                         "works in single precision, so a tolerance of %g may be claimed and not reached; use "
                         "-%sksp_type cg, or fgmres where the matrix is not symmetric\n",
                         prefix, type, double(rtol), prefix));
  PetscFunctionReturn(0);
}

PetscErrorCode PCPreSolve_NMG(PC pc, KSP ksp, Vec, Vec) {
  PetscFunctionBegin;
  PetscCall(WarnOfMethod(pc, ksp));
  Data(pc)->scale_in.Begin();
  PetscFunctionReturn(0);
}

PetscErrorCode PCPostSolve_NMG(PC pc, KSP, Vec, Vec) {
  PetscFunctionBegin;
  Data(pc)->scale_in.End();
  PetscFunctionReturn(0);
}

PetscErrorCode PCView_NMG(PC pc, PetscViewer viewer) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  PetscBool ascii;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  const nmg::Options &o = nmg->options;
  PetscCall(PetscViewerASCIIPrintf(viewer, "  %s transfers, %s cycle, Chebyshev-Jacobi smoothing, single precision\n",
                                   kWeightNames[std::size_t(o.weights)].c_str(),
                                   kCycleNames[std::size_t(o.cycle)].c_str()));
  const Int3 &natural = nmg->grid.natural;
  if (natural[0] > 0)
    PetscCall(PetscViewerASCIIPrintf(
        viewer, "  natural ordering of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells\n", natural[0],
        natural[1], natural[2]));
  PetscCall(
      PetscViewerASCIIPrintf(viewer, "  levels of at most %" PetscInt_FMT " cells held by every rank\n", o.replicate));
  if (!nmg->hierarchy) PetscFunctionReturn(0);
  const PetscInt sweeps = nmg->hierarchy->Sweeps();
  PetscCall(PetscViewerASCIIPrintf(viewer, "  %" PetscInt_FMT " + %" PetscInt_FMT " sweeps\n", sweeps, sweeps));
  const auto levels = nmg->hierarchy->Info();
  PetscCall(PetscViewerASCIIPrintf(viewer, "  %d levels, operator complexity %.3f\n", int(levels.size()),
                                   nmg->hierarchy->OperatorComplexity()));
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const auto &level = levels[l];
    char how[40] = "solved exactly";
    if (!level.exact) std::snprintf(how, sizeof how, "spectrum ends at %.3f", level.largest_eigenvalue);
    PetscCall(PetscViewerASCIIPrintf(viewer,
                                     "  level %d: %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
                                     " cells, %d points, %s, visited %" PetscInt_FMT " times%s\n",
                                     int(l), level.cells[0], level.cells[1], level.cells[2],
                                     int(2 * level.couplings + 1), how, level.visits,
                                     level.replicated ? ", held by every rank" : ""));
    for (std::size_t axis = 0; axis < 3; ++axis)
      if (level.odd_circle[axis])
        PetscCall(PetscViewerASCIIPrintf(viewer,
                                         "    not coarsened along %c, which is periodic with an odd number of cells\n",
                                         "xyz"[axis]));
  }
  PetscFunctionReturn(0);
}


PetscErrorCode PCSetFromOptions_NMG(PC pc, PetscOptionItems *PetscOptionsObject) {
  PC_NMG *nmg = Data(pc);
  PetscFunctionBegin;
  PetscCall(RefuseMisspeltKeys((PetscObject)pc, "pc_nmg_", kKeys));
  PetscOptionsHeadBegin(PetscOptionsObject, "PCNMG options");
  nmg::Options &o = nmg->options;
  const Int3 &natural = nmg->grid.natural;
  PetscInt grid[4] = {natural[0], natural[1], natural[2]}, count = 4;
  PetscBool given;
  char name[32];
  PetscInt sweeps = o.sweeps, replicate = o.replicate;
  PetscCall(PetscOptionsIntArray("-pc_nmg_grid", "Cells nx,ny[,nz] of a matrix in natural ordering, x fastest",
                                 "PCNMGSetGrid", grid, &count, &given));
  PetscCheck(!given || count == 2 || count == 3, PetscObjectComm((PetscObject)pc), PETSC_ERR_USER_INPUT,
             "-pc_nmg_grid needs two numbers (2D) or three (3D)");
  if (given) PetscCall(PCNMGSetGrid(pc, grid[0], grid[1], count > 2 ? grid[2] : 1));
  // Not PetscOptionsEnum(), which takes the first name where none is given.
  PetscCall(PetscOptionsString("-pc_nmg_weights", "How levels are connected (blackbox, constant)", "PCNMGSetWeights",
                               kWeightNames[std::size_t(o.weights)].c_str(), name, sizeof name, &given));
  if (given) PetscCall(PCNMGSetWeights(pc, name));
  PetscCall(PetscOptionsString("-pc_nmg_cycle", "Visits of coarse levels (auto, w, v)", "PCNMGSetCycle",
                               kCycleNames[std::size_t(o.cycle)].c_str(), name, sizeof name, &given));
  if (given) PetscCall(PCNMGSetCycle(pc, name));
  PetscCall(PetscOptionsInt("-pc_nmg_sweeps", "Smoothing sweeps before and after, 0: chosen by anisotropy",
                            "PCNMGSetSweeps", sweeps, &sweeps, &given));
  if (given) PetscCall(PCNMGSetSweeps(pc, sweeps));
  PetscCall(PetscOptionsInt("-pc_nmg_replicate", "Levels of at most so many cells are held whole by every rank",
                            "PCNMGSetReplicate", replicate, &replicate, &given));
  if (given) PetscCall(PCNMGSetReplicate(pc, replicate));
  PetscOptionsHeadEnd();
  PetscFunctionReturn(0);
}

PetscErrorCode PCDestroy_NMG(PC pc) {
  PetscFunctionBegin;
  PetscCall(PCReset_NMG(pc));
  for (const char *name : {"Grid", "Weights", "Cycle", "Sweeps", "Replicate"}) {
    const std::string composed = std::string("PCNMGSet") + name + "_C";
    PetscCall(PetscObjectComposeFunction((PetscObject)pc, composed.c_str(), nullptr));
  }
  delete Data(pc);
  pc->data = nullptr;
  PetscFunctionReturn(0);
}

/// What has been built is built anew at the next set-up.
PetscErrorCode Outdate(PC pc) {
  PetscFunctionBegin;
  PetscCall(PCReset_NMG(pc));
  pc->setupcalled = PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode SetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz) {
  PetscFunctionBegin;
  PetscCheck(nx > 0 && ny > 0 && nz > 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCNMG: a grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells has none", nx, ny, nz);
  if (Data(pc)->grid.natural == Int3{nx, ny, nz}) PetscFunctionReturn(0);
  Data(pc)->grid.natural = {nx, ny, nz};
  PetscCall(Outdate(pc));
  PetscFunctionReturn(0);
}

/// Position of `name` in a list, in capitals or not.
PetscErrorCode Find(PC pc, const char *what, const std::vector<std::string> &names, const char *name, int *found) {
  PetscFunctionBegin;
  *found = -1;
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    PetscBool same;
    PetscCall(PetscStrcasecmp(names[i].c_str(), name, &same));
    if (same) *found = int(i);
    all += (i ? ", " : "") + names[i];
  }
  PetscCheck(*found >= 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_UNKNOWN_TYPE,
             "PCNMG knows no %s '%s'; there are %s", what, name, all.c_str());
  PetscFunctionReturn(0);
}

PetscErrorCode SetWeights(PC pc, const char *name) {
  PetscFunctionBegin;
  int found;
  PetscCall(Find(pc, "weights", kWeightNames, name, &found));
  if (Data(pc)->options.weights == nmg::Weights(found)) PetscFunctionReturn(0);
  Data(pc)->options.weights = nmg::Weights(found);
  PetscCall(Outdate(pc));
  PetscFunctionReturn(0);
}

PetscErrorCode SetCycle(PC pc, const char *name) {
  PetscFunctionBegin;
  int found;
  PetscCall(Find(pc, "cycle", kCycleNames, name, &found));
  if (Data(pc)->options.cycle == nmg::Cycle(found)) PetscFunctionReturn(0);
  Data(pc)->options.cycle = nmg::Cycle(found);
  PetscCall(Outdate(pc));
  PetscFunctionReturn(0);
}

PetscErrorCode SetSweeps(PC pc, PetscInt sweeps) {
  PetscFunctionBegin;
  PetscCheck(sweeps >= 0 && sweeps <= 20, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCNMG: %" PetscInt_FMT " smoothing sweeps; give 1 to 20, or 0 to leave the choice to it", sweeps);
  if (Data(pc)->options.sweeps == sweeps) PetscFunctionReturn(0);
  Data(pc)->options.sweeps = sweeps;
  PetscCall(Outdate(pc));
  PetscFunctionReturn(0);
}

PetscErrorCode SetReplicate(PC pc, PetscInt cells) {
  PetscFunctionBegin;
  PetscCheck(cells >= 1, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCNMG: levels of at most %" PetscInt_FMT " cells; give at least 1", cells);
  if (Data(pc)->options.replicate == cells) PetscFunctionReturn(0);
  Data(pc)->options.replicate = cells;
  PetscCall(Outdate(pc));
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

/*MC
   PCNMG - matrix-free multigrid in single precision for -div(alpha grad p) on a structured grid

   Options Database Keys:
+  -pc_nmg_grid nx,ny[,nz] - the grid of a matrix in natural ordering; otherwise a DMDA tells it
.  -pc_nmg_weights blackbox|constant - how levels are connected
.  -pc_nmg_cycle auto|w|v - visits of coarse levels: as trials of them tell, two, one
.  -pc_nmg_sweeps 0 - smoothing sweeps before and after, 0: 2, or 6 where most cells are anisotropic
-  -pc_nmg_replicate 32768 - levels of at most so many cells are held whole by every rank

   Level: intermediate

   Notes:
   Linear, symmetric and positive definite: fit for KSPCG. The matrix is AIJ, symmetric, with couplings to neighbours
   across faces only (5 points in 2D, 7 in 3D); rows that hold nothing but a diagonal – Dirichlet values, solid cells –
   are solved on their own, and couplings of other rows to them are ignored. Jumps of alpha, solids (alpha = 0),
   Neumann, Dirichlet and periodic sides and singular components are all served. The same iterations on any number of
   ranks. Use -ksp_norm_type unpreconditioned to stop on the true residual.

   The values work in single precision: a Krylov method in double precision around it reaches any tolerance.

   References:
.  J. E. Dendy, Black box multigrid, J. Comput. Phys. 48 (1982) 366-386

.seealso: `PCNMGSetGrid()`, `PCNMGSetWeights()`, `PCNMGSetCycle()`, `PCNMGSetSweeps()`, `PCNMGSetReplicate()`, `PCMG`
M*/
PetscErrorCode PCCreate_NMG(PC pc) {
  PetscFunctionBegin;
  pc->data = new (std::nothrow) PC_NMG;
  PetscCheck(pc->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "PCNMG: out of memory");
  pc->ops->apply = PCApply_NMG;
  pc->ops->applytranspose = PCApply_NMG; // symmetric
  pc->ops->setup = PCSetUp_NMG;
  pc->ops->presolve = PCPreSolve_NMG;
  pc->ops->postsolve = PCPostSolve_NMG;
  pc->ops->reset = PCReset_NMG;
  pc->ops->destroy = PCDestroy_NMG;
  pc->ops->setfromoptions = PCSetFromOptions_NMG;
  pc->ops->view = PCView_NMG;
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNMGSetGrid_C", SetGrid));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNMGSetWeights_C", SetWeights));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNMGSetCycle_C", SetCycle));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNMGSetSweeps_C", SetSweeps));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNMGSetReplicate_C", SetReplicate));
  PetscFunctionReturn(0);
}

} // extern "C"
