#include "solvers/poisson_preconditioner.h"
#include "solvers/ksp/dcdm.h"
#include "solvers/ksp/tuner.h"
#include "solvers/pc/neural.h"
#include "solvers/pc/nmg.h"
#include "solvers/pc/sorbandit.h"
#include <string>

namespace krylearn {

PetscErrorCode SetPoissonPreconditioner(PC pc) {
  PetscFunctionBeginUser;
#if defined(PETSC_HAVE_HYPRE)
  const char *prefix;
  PetscCall(PCGetOptionsPrefix(pc, &prefix));
  const std::string start = std::string("-") + (prefix ? prefix : "");
  PetscCall(PCSetType(pc, PCHYPRE));
  PetscCall(PCHYPRESetType(pc, "boomeramg"));
  for (const char *key : {"pc_type", "pc_hypre_type"}) {
    PetscBool chosen;
    PetscCall(PetscOptionsHasName(nullptr, nullptr, (start + key).c_str(), &chosen));
    if (chosen) PetscFunctionReturn(0);
  }
  // The fastest of some thirty configurations of BoomerAMG, GAMG, ML, PCMG, PFMG, SMG and ICC on the obstacle problem,
  // and it solves all named problems. One level of aggressive coarsening halves the hierarchy; Chebyshev is a symmetric
  // smoother, cheaper here than hybrid SSOR.
  const char *const defaults[][2] = {{"coarsen_type", "HMIS"},
                                     {"interp_type", "ext+i"},
                                     {"P_max", "4"},
                                     {"agg_nl", "1"},
                                     {"agg_num_paths", "2"},
                                     {"strong_threshold", "0.25"},
                                     {"relax_type_all", "Chebyshev"}};
  for (const auto &row : defaults) {
    const std::string key = start + "pc_hypre_boomeramg_" + row[0];
    PetscBool given;
    PetscCall(PetscOptionsHasName(nullptr, nullptr, key.c_str(), &given));
    if (!given) PetscCall(PetscOptionsSetValue(nullptr, key.c_str(), row[1]));
  }
#else
  PetscCall(PCSetType(pc, PCGAMG));
#endif
  PetscFunctionReturn(0);
}

PetscErrorCode AnnounceSolver(MPI_Comm comm, const char *prefix, const char *fallback) {
  PetscFunctionBeginUser;
  char type[64];
  PetscCall(PetscStrncpy(type, fallback, sizeof type));
  PetscCall(PetscOptionsGetString(nullptr, prefix, "-pc_type", type, sizeof type, nullptr));
  for (const char *own : {PCNMG, PCNEURAL, PCSORBANDIT}) {
    if (std::string(type) != own) continue;
    PC pc;
    PetscCall(PCCreate(comm, &pc));
    PetscCall(PCSetOptionsPrefix(pc, prefix));
    PetscCall(PCSetType(pc, type));
    PetscCall(PCSetFromOptions(pc));
    PetscCall(PCDestroy(&pc));
  }
  type[0] = 0;
  PetscCall(PetscOptionsGetString(nullptr, prefix, "-ksp_type", type, sizeof type, nullptr));
  for (const char *own : {KSPDCDM, KSPTUNER}) {
    if (std::string(type) != own) continue;
    KSP ksp;
    PetscCall(KSPCreate(comm, &ksp));
    PetscCall(KSPSetOptionsPrefix(ksp, prefix));
    PetscCall(KSPSetFromOptions(ksp));
    PetscCall(KSPDestroy(&ksp));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode StopOnTrueResidual(KSP ksp) {
  PetscFunctionBeginUser;
  // PETSc 3.18 accepts the true residual for these, but cr then never stops and bcgsl stops far from it.
  PetscBool broken;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &broken, KSPCR, KSPBCGSL, ""));
  if (broken) {
    PetscCall(KSPSetNormType(ksp, KSP_NORM_DEFAULT));
    PetscFunctionReturn(0);
  }
  KSPNormType norm;
  PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
  const PetscErrorCode code = KSPGetNormType(ksp, &norm); // resolves norm and side, or fails
  PetscCall(PetscPopErrorHandler());
  if (code) {
    KSPType type;
    PetscCall(KSPGetType(ksp, &type));
    PetscCall(PetscInfo(ksp, "%s cannot stop on the true residual; it stops on its own norm\n", type));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_DEFAULT));
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
