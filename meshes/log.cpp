#include "meshes/log.h"

namespace krylearn {
namespace {
LogEvents events;

PetscErrorCode Forget() {
  events = LogEvents();
  return 0;
}
} // namespace

const LogEvents &Log() { return events; }

PetscErrorCode KrylearnRegisterEvents() {
  PetscFunctionBeginUser;
  if (events.classid) PetscFunctionReturn(0);
  PetscCall(PetscClassIdRegister("Krylearn", &events.classid));
  const struct {
    const char *name;
    PetscLogEvent *event;
  } table[] = {
      {"krylearn_halo", &events.halo},          {"krylearn_assemble", &events.assemble},
      {"krylearn_geometry", &events.geometry},  {"krylearn_output", &events.output},
      {"krylearn_checkpt", &events.checkpoint}, {"krylearn_momentum", &events.momentum},
      {"krylearn_diffuse", &events.diffusion},  {"krylearn_diverg", &events.divergence},
      {"krylearn_correct", &events.correct},    {"krylearn_obstacle", &events.obstacle},
      {"krylearn_scalar", &events.scalar},      {"krylearn_diagnos", &events.diagnostics},
      {"krylearn_boundary", &events.boundary},  {"krylearn_project", &events.project},
      {"krylearn_step", &events.step},
      {"krylearn_nmg_set", &events.nmg_setup},  {"krylearn_nmg_app", &events.nmg_apply},
      {"krylearn_net_set", &events.neural_setup}, {"krylearn_net_app", &events.neural_apply},
      {"krylearn_bandit", &events.bandit},
  };
  for (const auto &row : table) PetscCall(PetscLogEventRegister(row.name, events.classid, row.event));
  // A program may finalize PETSc and initialize it again; the old identifiers would then name other events.
  PetscCall(PetscRegisterFinalize(Forget));
  PetscFunctionReturn(0);
}

PetscErrorCode EnterLogStage(const char *name) {
  PetscFunctionBeginUser;
  PetscLogStage stage = -1;
  PetscCall(PetscLogStageGetId(name, &stage));
  if (stage < 0) PetscCall(PetscLogStageRegister(name, &stage));
  PetscCall(PetscLogStagePush(stage));
  PetscFunctionReturn(0);
}

} // namespace krylearn
