// Incompressible flow from the command line.
//
//   mpirun -n 2 build/apps/fluid -case cylinder -output out/cylinder -output_every 0.1
//   mpirun -n 2 build/apps/fluid -options_file data/cases/cavity.petscrc
//   build/apps/fluid -help
#include "apps/app.h"
#include "meshes/log.h"
#include "meshes/options.h"
#include "solvers/flow/flow_options.h"
#include "solvers/flow/simulation.h"
#include "solvers/pc/nmg.h"
#include "solvers/poisson_preconditioner.h"

using namespace krylearn;

static const char help[] = "fluid: MPI-parallel incompressible Navier-Stokes on a staggered grid\n"
                           "usage: mpirun -n RANKS fluid -case NAME [options]\n";

/// Without a case: the cases and, under -help, every option with its default where the case does not set it.
static PetscErrorCode ListCases(MPI_Comm comm) {
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(comm, "%sCases:\n", HelpWanted() ? "" : help));
  for (const FlowCase &c : FlowCases()) PetscCall(PetscPrintf(comm, "  %-16s %s\n", c.name, c.description));
  PetscCall(PetscPrintf(comm, "All options: fluid -help; with the defaults of a case: fluid -case NAME -help\n"));
  if (!HelpWanted()) PetscFunctionReturn(0);
  FlowConfig all;
  for (const FlowCase &c : FlowCases()) {
    FlowConfig config;
    PetscCall(c.configure(comm, &config));
    if (!config.scalars.empty()) all.scalars = config.scalars;
  }
  RunOptions run;
  PetscCall(ReadFlowOptions(comm, &all));
  PetscCall(ReadRunOptions(comm, &run));
  PetscFunctionReturn(0);
}

static PetscErrorCode Body(MPI_Comm comm) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Case");
  std::string name;
  PetscCall(options.String("case", "which flow to run", &name));
  if (name.empty()) {
    char *given;
    PetscCall(PetscOptionsGetAll(nullptr, &given));
    const bool other = given[0] != 0 && !HelpWanted();
    PetscCall(PetscFree(given));
    PetscCheck(!other, comm, PETSC_ERR_USER_INPUT,
               "Options are given, but no case to apply them to; add -case NAME (fluid without options lists them)");
    PetscCall(ListCases(comm));
    PetscFunctionReturn(0);
  }
  const FlowCase *flow_case;
  PetscCall(FindFlowCase(comm, name, &flow_case));
  FlowConfig config;
  RunOptions run;
  config.case_name = name;
  PetscCall(flow_case->configure(comm, &config));
  PetscCall(ReadFlowOptions(comm, &config));
  PetscCall(ReadRunOptions(comm, &run));
  if (HelpWanted()) {
    PetscCall(AnnounceSolver(comm, "pressure_", PCNMG));
    PetscFunctionReturn(0);
  }
  if (run.dry_run) {
    PetscCall(RefuseMisspeltOptions(comm));
    PetscCall(Simulation::DryRun(comm, config));
    PetscFunctionReturn(0);
  }
  Simulation simulation;
  PetscCall(EnterLogStage("Krylearn set-up"));
  PetscCall(simulation.SetUp(comm, *flow_case, config, run));
  PetscCall(PetscLogStagePop());
  PetscCall(EnterLogStage("Krylearn run"));
  PetscCall(simulation.Run());
  PetscCall(PetscLogStagePop());
  PetscFunctionReturn(0);
}

int main(int argc, char **argv) { return RunApp(argc, argv, help, Body); }
