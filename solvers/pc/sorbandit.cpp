// PCSORBANDIT: SOR whose relaxation factor a bandit learns over a sequence of solves.
#include "solvers/pc/sorbandit.h"
#include "meshes/files.h"
#include "meshes/log.h"
#include "solvers/bandit/bandit.h"
#include "solvers/misspelt_keys.h"
#include "solvers/solver_errors.h"
#include "solvers/solver_state.h"
#include <cmath>
#include <new>
#include <petsc/private/kspimpl.h>
#include <petsc/private/pcimpl.h>

namespace {

using namespace krylearn;

struct PC_SORBandit {
  PC sor = nullptr;
  bandit::PolicySpec spec;
  PetscReal low = 1, high = 1.95;
  PetscInt count = 20;
  PetscBool symmetric = PETSC_TRUE, diagonal = PETSC_FALSE; ///< the context is read off the matrix
  double context = 0;
  std::unique_ptr<bandit::Bandit> bandit;
  std::string load, save;
};

PC_SORBandit *Data(PC pc) { return static_cast<PC_SORBandit *>(pc->data); }

double Omega(const PC_SORBandit &data, PetscInt arm) {
  return data.count == 1 ? data.low : data.low + (data.high - data.low) * double(arm) / double(data.count - 1);
}

/// What has been learnt belongs to other settings from now on.
PetscErrorCode Forget(PC pc) {
  PetscFunctionBegin;
  Data(pc)->bandit.reset();
  PetscFunctionReturn(0);
}

PetscErrorCode Read(PC pc, const std::string &path) {
  PC_SORBandit *data = Data(pc);
  std::string text;
  PetscFunctionBegin;
  PetscCall(ReadTextFile(PetscObjectComm((PetscObject)pc), path, &text));
  PetscCheck(!text.empty(), PetscObjectComm((PetscObject)pc), PETSC_ERR_FILE_OPEN,
             "PCSORBANDIT: state file '%s' does not exist, or is empty", path.c_str());
  PetscCall(RefuseExceptions(PetscObjectComm((PetscObject)pc), "PCSORBANDIT: state file '" + path + "'", [&] { data->bandit->SetState(text); }));
  PetscFunctionReturn(0);
}

/// The learner for the settings, if there is none; with the state that the user wants.
PetscErrorCode MakeBandit(PC pc) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  if (data->bandit) PetscFunctionReturn(0);
  data->spec.arms = int(data->count);
  data->spec.positions.clear();
  for (PetscInt arm = 0; arm < data->count; ++arm) data->spec.positions.push_back(Omega(*data, arm));
  char arms[100];
  std::snprintf(arms, sizeof arms, "omega %.17g to %.17g (%d), %s sweeps", double(data->low), double(data->high),
                int(data->count), data->symmetric ? "symmetric" : "forward");
  PetscCall(RefuseExceptions(PetscObjectComm((PetscObject)pc), "PCSORBANDIT: policy", [&] { data->bandit = std::make_unique<bandit::Bandit>(data->spec, arms); }));
  if (!data->load.empty()) PetscCall(Read(pc, data->load));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSetUp_SORBandit(PC pc) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  PetscCall(MakeBandit(pc));
  if (!data->sor) {
    PetscCall(PCCreate(PetscObjectComm((PetscObject)pc), &data->sor));
    PetscCall(PetscObjectIncrementTabLevel((PetscObject)data->sor, (PetscObject)pc, 1));
    PetscCall(PCSetType(data->sor, PCSOR));
  }
  PetscCall(PCSORSetSymmetric(data->sor, data->symmetric ? SOR_LOCAL_SYMMETRIC_SWEEP : SOR_LOCAL_FORWARD_SWEEP));
  // Rows taken in blocks know no relaxation factor but 1.
  PetscCall(MatSetOption(pc->pmat, MAT_USE_INODES, PETSC_FALSE));
  PetscCall(PCSetOperators(data->sor, pc->mat, pc->pmat));
  PetscCall(PCSetUp(data->sor));
  if (data->diagonal) {
    Vec diagonal;
    PetscScalar sum;
    PetscInt rows;
    PetscCall(MatCreateVecs(pc->pmat, nullptr, &diagonal));
    PetscCall(MatGetDiagonal(pc->pmat, diagonal));
    PetscCall(VecSum(diagonal, &sum));
    PetscCall(VecGetSize(diagonal, &rows));
    PetscCall(VecDestroy(&diagonal));
    data->context = PetscRealPart(sum) / double(PetscMax(rows, 1));
  }
  PetscFunctionReturn(0);
}

/// PCReset() takes the operators away, but the KSP may not know of it.
PetscErrorCode CheckSetUp(PC pc) {
  PetscFunctionBegin;
  PetscCheck(Data(pc)->sor, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE,
             "PCSORBANDIT is not set up: call KSPSetOperators() again after PCReset()");
  PetscFunctionReturn(0);
}

PetscErrorCode PCApply_SORBandit(PC pc, Vec r, Vec z) {
  PetscFunctionBegin;
  PetscCall(CheckSetUp(pc));
  PetscCall(PCApply(Data(pc)->sor, r, z));
  PetscFunctionReturn(0);
}

/// Each solve has one factor. All ranks draw the same, because they have seen the same losses.
PetscErrorCode PCPreSolve_SORBandit(PC pc, KSP, Vec, Vec) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  PetscCall(CheckSetUp(pc));
  PetscCall(PetscLogEventBegin(Log().bandit, pc, 0, 0, 0));
  const int arm = data->bandit->Choose(data->context);
  PetscCall(PCSORSetOmega(data->sor, Omega(*data, arm)));
  PetscCall(PetscLogEventEnd(Log().bandit, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

/// A solve costs its iterations; one that did not converge, as many as were allowed. A solve without any tells nothing.
PetscErrorCode PCPostSolve_SORBandit(PC pc, KSP ksp, Vec, Vec) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  PetscCall(PetscLogEventBegin(Log().bandit, pc, 0, 0, 0));
  data->bandit->Observe(double(ksp->reason < 0 ? PetscMax(ksp->its, ksp->max_it) : ksp->its));
  PetscCall(PetscLogEventEnd(Log().bandit, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode PCView_SORBandit(PC pc, PetscViewer viewer) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  PetscBool ascii;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPrintf(
      viewer, "  policy %s, seed %d, %s sweeps, %" PetscInt_FMT " relaxation factors from %g to %g\n",
      data->spec.name.c_str(), int(data->spec.seed), data->symmetric ? "symmetric" : "forward", data->count,
      double(data->low), double(data->high)));
  if (data->spec.context_low < data->spec.context_high)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  context %g%s in %g to %g\n", data->context,
                                     data->diagonal ? " (mean of the diagonal)" : "", data->spec.context_low,
                                     data->spec.context_high));
  if (!data->bandit) PetscFunctionReturn(0);
  const auto &records = data->bandit->Records();
  const std::vector<double> chances = data->bandit->Probabilities(data->context);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  omega   solves  mean iterations  chance now\n"));
  for (std::size_t arm = 0; arm < records.size(); ++arm)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  %-7.4g %6ld  %15.2f  %10.3f%s\n", Omega(*data, PetscInt(arm)),
                                     records[arm].count, records[arm].Mean(), chances[arm],
                                     int(arm) == data->bandit->Chosen() ? "  <" : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode SetPolicy(PC pc, const char *name) {
  PetscFunctionBegin;
  std::string known;
  bool found = false;
  for (const bandit::Policy &policy : bandit::Policies()) {
    known += (known.empty() ? "" : ", ") + std::string(policy.name);
    found = found || std::string(name) == policy.name;
  }
  PetscCheck(found, PetscObjectComm((PetscObject)pc), PETSC_ERR_USER_INPUT,
             "PCSORBANDIT knows no policy '%s'; there are %s", name, known.c_str());
  if (Data(pc)->spec.name != name) PetscCall(Forget(pc));
  Data(pc)->spec.name = name;
  PetscFunctionReturn(0);
}

PetscErrorCode SetOmega(PC pc, PetscReal low, PetscReal high, PetscInt count) {
  PC_SORBandit *data = Data(pc);
  PetscFunctionBegin;
  PetscCheck(low > 0 && high < 2 && low <= high, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCSORBANDIT: relaxation factors from %g to %g; SOR converges for those inside (0, 2) only", double(low),
             double(high));
  PetscCheck(count >= 1 && count <= 10000 && (count > 1) == (high > low), PetscObjectComm((PetscObject)pc),
             PETSC_ERR_ARG_OUTOFRANGE,
             "PCSORBANDIT: %" PetscInt_FMT " relaxation factors from %g to %g; give 2 to 10000, or 1 where both ends "
             "are the same",
             count, double(low), double(high));
  if (data->low != low || data->high != high || data->count != count) PetscCall(Forget(pc));
  data->low = low, data->high = high, data->count = count;
  PetscFunctionReturn(0);
}

PetscErrorCode GetOmega(PC pc, PetscReal *omega) {
  PetscFunctionBegin;
  *omega = Data(pc)->bandit ? Omega(*Data(pc), Data(pc)->bandit->Chosen()) : 0;
  PetscFunctionReturn(0);
}

PetscErrorCode SetSymmetric(PC pc, PetscBool symmetric) {
  PetscFunctionBegin;
  if (Data(pc)->symmetric != symmetric) {
    PetscCall(Forget(pc));
    pc->setupcalled = PETSC_FALSE;
  }
  Data(pc)->symmetric = symmetric;
  PetscFunctionReturn(0);
}

PetscErrorCode SetContext(PC pc, PetscReal context) {
  PetscFunctionBegin;
  PetscCheck(std::isfinite(context), PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCSORBANDIT: the context is no number");
  Data(pc)->context = context;
  PetscFunctionReturn(0);
}

PetscErrorCode SetContextRange(PC pc, PetscReal low, PetscReal high, PetscInt bins) {
  bandit::PolicySpec &spec = Data(pc)->spec;
  PetscFunctionBegin;
  PetscCheck(std::isfinite(low) && std::isfinite(high) && low < high && bins >= 1 && bins <= 10000,
             PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCSORBANDIT: contexts from %g to %g in %" PetscInt_FMT " bins; give the lower end first, and 1 to 10000 "
             "bins",
             double(low), double(high), bins);
  if (spec.context_low != low || spec.context_high != high || spec.bins != long(bins)) PetscCall(Forget(pc));
  spec.context_low = low, spec.context_high = high, spec.bins = long(bins);
  PetscFunctionReturn(0);
}

PetscErrorCode SetSeed(PC pc, PetscInt seed) {
  PetscFunctionBegin;
  if (Data(pc)->spec.seed != std::uint64_t(seed)) PetscCall(Forget(pc));
  Data(pc)->spec.seed = std::uint64_t(seed);
  PetscFunctionReturn(0);
}

PetscErrorCode GetLearnt(PC pc, std::string *text) {
  PetscFunctionBegin;
  PetscCall(MakeBandit(pc));
  *text = Data(pc)->bandit->State();
  PetscFunctionReturn(0);
}

PetscErrorCode SetLearnt(PC pc, const std::string &text) {
  PetscFunctionBegin;
  PetscCall(MakeBandit(pc));
  PetscCall(RefuseExceptions(PetscObjectComm((PetscObject)pc), "PCSORBANDIT: state", [&] { Data(pc)->bandit->SetState(text); }));
  PetscFunctionReturn(0);
}

PetscErrorCode Save(PC pc, const char *path) {
  PetscFunctionBegin;
  PetscCheck(Data(pc)->bandit, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE,
             "PCSORBANDIT has learnt nothing yet that it could save");
  PetscCall(WriteTextFile(PetscObjectComm((PetscObject)pc), path, Data(pc)->bandit->State()));
  PetscFunctionReturn(0);
}

PetscErrorCode Load(PC pc, const char *path) {
  PetscFunctionBegin;
  Data(pc)->load = path;
  if (Data(pc)->bandit) PetscCall(Read(pc, path));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSetFromOptions_SORBandit(PC pc, PetscOptionItems *PetscOptionsObject) {
  PC_SORBandit *data = Data(pc);
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  PetscFunctionBegin;
  PetscCall(RefuseMisspeltKeys((PetscObject)pc, "pc_sorbandit_",
                               {"policy", "omega", "arms", "symmetric", "context", "context_range", "bins", "seed",
                                "state", "save"}));
  char text[PETSC_MAX_PATH_LEN];
  PetscBool given, counted;
  PetscOptionsHeadBegin(PetscOptionsObject, "PCSORBANDIT options");
  PetscCall(PetscOptionsString("-pc_sorbandit_policy", "How the relaxation factor is chosen", "PCSORBanditSetPolicy",
                               data->spec.name.c_str(), text, sizeof text, &given));
  if (given) PetscCall(PCSORBanditSetPolicy(pc, text));
  PetscReal ends[3] = {data->low, data->high, 0};
  PetscInt found = 3, count = data->count;
  PetscCall(PetscOptionsRealArray("-pc_sorbandit_omega", "Lowest and highest relaxation factor, or one",
                                  "PCSORBanditSetOmega", ends, &found, &given));
  PetscCheck(!given || found == 1 || found == 2, comm, PETSC_ERR_USER_INPUT,
             "-pc_sorbandit_omega needs two numbers low,high, or one");
  if (given && found == 1) ends[1] = ends[0];
  PetscCall(PetscOptionsInt("-pc_sorbandit_arms", "Number of relaxation factors", "PCSORBanditSetOmega", count, &count,
                            &counted));
  if (given && !counted) count = ends[0] == ends[1] ? 1 : PetscMax(count, 2);
  if (given || counted) PetscCall(PCSORBanditSetOmega(pc, ends[0], ends[1], count));
  PetscBool symmetric = data->symmetric;
  PetscCall(PetscOptionsBool("-pc_sorbandit_symmetric", "Symmetric sweeps, as conjugate gradients need; else forward",
                             "PCSORBanditSetSymmetric", symmetric, &symmetric, &given));
  if (given) PetscCall(PCSORBanditSetSymmetric(pc, symmetric));
  const char *const kinds[] = {"none", "diagonal"};
  PetscInt kind = data->diagonal ? 1 : 0;
  PetscCall(PetscOptionsEList("-pc_sorbandit_context",
                              "What describes a system: what the program says, or the mean of "
                              "the matrix's diagonal",
                              "PCSORBanditSetContext", kinds, 2, kinds[kind], &kind, &given));
  if (given) data->diagonal = kind == 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscReal range[3] = {data->spec.context_low, data->spec.context_high, 0};
  PetscInt bins = PetscInt(data->spec.bins);
  found = 3;
  PetscCall(PetscOptionsRealArray("-pc_sorbandit_context_range", "Lowest and highest context",
                                  "PCSORBanditSetContextRange", range, &found, &given));
  PetscCheck(!given || found == 2, comm, PETSC_ERR_USER_INPUT,
             "-pc_sorbandit_context_range needs two numbers low,high");
  PetscCall(PetscOptionsInt("-pc_sorbandit_bins", "Parts of the range of contexts", "PCSORBanditSetContextRange", bins,
                            &bins, &counted));
  PetscCheck(!counted || range[0] < range[1], comm, PETSC_ERR_USER_INPUT,
             "-pc_sorbandit_bins needs -pc_sorbandit_context_range too");
  if (given || counted) PetscCall(PCSORBanditSetContextRange(pc, range[0], range[1], bins));
  PetscInt seed = PetscInt(data->spec.seed);
  PetscCall(
      PetscOptionsInt("-pc_sorbandit_seed", "Seed of everything drawn", "PCSORBanditSetSeed", seed, &seed, &given));
  if (given) PetscCall(PCSORBanditSetSeed(pc, seed));
  PetscCall(PetscOptionsString("-pc_sorbandit_state", "File of what has been learnt before", "PCSORBanditLoad", "",
                               text, sizeof text, &given));
  if (given) PetscCall(PCSORBanditLoad(pc, text));
  PetscCall(PetscOptionsString("-pc_sorbandit_save", "File for what has been learnt, written at the end",
                               "PCSORBanditSave", "", text, sizeof text, &given));
  if (given) {
    PetscCall(PrepareFolder(comm, FolderOf(text)));
    data->save = text;
  }
  PetscOptionsHeadEnd();
  PetscFunctionReturn(0);
}

/// What has been learnt survives: the next system is one of the same sequence.
PetscErrorCode PCReset_SORBandit(PC pc) {
  PetscFunctionBegin;
  PetscCall(PCDestroy(&Data(pc)->sor));
  PetscFunctionReturn(0);
}

const struct {
  const char *name;
  void (*function)(void);
} kSetters[] = {{"PCSORBanditSetPolicy_C", (void (*)(void))SetPolicy},
                {"PCSORBanditSetOmega_C", (void (*)(void))SetOmega},
                {"PCSORBanditGetOmega_C", (void (*)(void))GetOmega},
                {"PCSORBanditSetSymmetric_C", (void (*)(void))SetSymmetric},
                {"PCSORBanditSetContext_C", (void (*)(void))SetContext},
                {"PCSORBanditSetContextRange_C", (void (*)(void))SetContextRange},
                {"PCSORBanditSetSeed_C", (void (*)(void))SetSeed},
                {"PCSORBanditSave_C", (void (*)(void))Save},
                {"PCSORBanditLoad_C", (void (*)(void))Load},
                {kGetLearnt, (void (*)(void))GetLearnt},
                {kSetLearnt, (void (*)(void))SetLearnt}};

PetscErrorCode PCDestroy_SORBandit(PC pc) {
  PetscFunctionBegin;
  if (!Data(pc)->save.empty() && Data(pc)->bandit) PetscCall(Save(pc, Data(pc)->save.c_str()));
  PetscCall(PCReset_SORBandit(pc));
  for (const auto &setter : kSetters) PetscCall(PetscObjectComposeFunction((PetscObject)pc, setter.name, nullptr));
  delete Data(pc);
  pc->data = nullptr;
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

PetscErrorCode PCSORBanditSetPolicy(PC pc, const char *name) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetPolicy_C", (PC, const char *), (pc, name));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSetOmega(PC pc, PetscReal low, PetscReal high, PetscInt count) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetOmega_C", (PC, PetscReal, PetscReal, PetscInt), (pc, low, high, count));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditGetOmega(PC pc, PetscReal *omega) {
  PetscFunctionBegin;
  *omega = 0;
  PetscTryMethod(pc, "PCSORBanditGetOmega_C", (PC, PetscReal *), (pc, omega));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSetSymmetric(PC pc, PetscBool symmetric) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetSymmetric_C", (PC, PetscBool), (pc, symmetric));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSetContext(PC pc, PetscReal context) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetContext_C", (PC, PetscReal), (pc, context));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSetContextRange(PC pc, PetscReal low, PetscReal high, PetscInt bins) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetContextRange_C", (PC, PetscReal, PetscReal, PetscInt), (pc, low, high, bins));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSetSeed(PC pc, PetscInt seed) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSetSeed_C", (PC, PetscInt), (pc, seed));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditSave(PC pc, const char *path) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditSave_C", (PC, const char *), (pc, path));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSORBanditLoad(PC pc, const char *path) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCSORBanditLoad_C", (PC, const char *), (pc, path));
  PetscFunctionReturn(0);
}

/*MC
   PCSORBANDIT - SOR or SSOR whose relaxation factor a bandit learns over a sequence of solves

   Options Database Keys:
+  -pc_sorbandit_policy tsallis - tsallis, tsallis_rv, tsallis_cb, chebcb, thompson, surface or fixed
.  -pc_sorbandit_omega 1,1.95 - lowest and highest relaxation factor, or one
.  -pc_sorbandit_arms 20 - number of relaxation factors
.  -pc_sorbandit_symmetric - symmetric sweeps (default), or forward ones with no
.  -pc_sorbandit_context none - diagonal: the mean of the matrix's diagonal describes a system
.  -pc_sorbandit_context_range low,high - range of contexts, for policies that use them
.  -pc_sorbandit_bins 6 - parts of that range, for tsallis_cb
.  -pc_sorbandit_seed 1 - seed of everything drawn
.  -pc_sorbandit_state FILE - what has been learnt before
-  -pc_sorbandit_save FILE - file for what has been learnt, written when the object is destroyed

   Level: intermediate

   Notes:
   Every `KSPSolve()` takes one relaxation factor and tells its iterations to the policy; the program writes nothing.
   With `KSPCG` sweeps are symmetric; `KSPRICHARDSON` with -pc_sorbandit_symmetric no is the SOR method. Iterations are
   comparable only where they end by the same norm whatever the factor: use -ksp_norm_type unpreconditioned. On several
   ranks sweeps are local (block Jacobi), so the best factor depends on their number. What has been learnt outlives new
   matrices and `PCReset()`; changing a setting forgets it.

   Inodes of the matrix are switched off (MAT_USE_INODES), because their sweeps know no factor but 1.

   References:
.  M. Khodak, E. Chow, M. F. Balcan, A. Talwalkar, Learning to relax: setting solver parameters across a sequence of
   linear system instances, ICLR 2024

.seealso: `PCSORBanditSetPolicy()`, `PCSORBanditSetOmega()`, `PCSORBanditSetContext()`, `PCSOR`
M*/
PetscErrorCode PCCreate_SORBandit(PC pc) {
  PetscFunctionBegin;
  pc->data = new (std::nothrow) PC_SORBandit;
  PetscCheck(pc->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "PCSORBANDIT: out of memory");
  pc->ops->apply = PCApply_SORBandit;
  pc->ops->setup = PCSetUp_SORBandit;
  pc->ops->presolve = PCPreSolve_SORBandit;
  pc->ops->postsolve = PCPostSolve_SORBandit;
  pc->ops->reset = PCReset_SORBandit;
  pc->ops->destroy = PCDestroy_SORBandit;
  pc->ops->setfromoptions = PCSetFromOptions_SORBandit;
  pc->ops->view = PCView_SORBandit;
  for (const auto &setter : kSetters)
    PetscCall(PetscObjectComposeFunction_Private((PetscObject)pc, setter.name, setter.function));
  PetscFunctionReturn(0);
}

} // extern "C"
