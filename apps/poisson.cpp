// Solves the named Poisson problems, or a system from files, with any of PETSc's solvers.
#include "apps/app.h"
#include "meshes/files.h"
#include "meshes/hdf5_file.h"
#include "solvers/linear_system.h"
#include "solvers/poisson_preconditioner.h"
#include "solvers/sequences/sequence.h"
#include <cmath>

using namespace krylearn;

namespace {

const char help[] = R"(poisson: solves -div(alpha grad p) = f on a grid with any KSP and PC of PETSc.

  poisson -problem NAME -grid nx,ny[,nz] [-seed S] [-refine K] [-repeat N] [-output FOLDER]
  poisson -mat FILE -rhs FILE                       a system in PETSc's binary format
  poisson -problem heat|sor -policies NAMES         a sequence of systems, and policies that tune SOR over it

The solver is conjugate gradients with algebraic multigrid, to a true relative residual of 1e-8, unless options say
otherwise: -ksp_type, -pc_type, -ksp_rtol, -ksp_monitor, -ksp_view, -log_view and all the rest of PETSc's.

  poisson -problem box -grid 64,64,64
  poisson -problem darcy -grid 256,256 -seed 3 -pc_type gamg
  poisson -problem obstacles -grid 128,128,128 -pc_type nmg
  poisson -problem obstacles -grid 256,256 -ksp_type dcdm -pc_type neural -pc_neural_model FILE
  poisson -problem mms -grid 32,32 -refine 2 -obstacle "cylinder:0.5,0.5,0.2"
  mpirun -n 2 poisson -problem obstacles -grid 64,64,64 -poisson_pmat_type hyprestruct -pc_type pfmg

)";

/// A sequence of systems and the policies that solve it.
PetscErrorCode RunSequence(MPI_Comm comm, const std::string &name) {
  PetscFunctionBeginUser;
  SequenceSpec spec;
  spec.name = name;
  std::string policies = "fixed:1.5,tsallis,tsallis_cb,chebcb,surface", output;
  OptionReader options(comm, "Sequences of systems");
  PetscInt cells[3] = {spec.nx, 0, 0}, count = 3;
  double beta[3] = {spec.alpha, spec.beta, 0};
  PetscInt given = 3;
  PetscCall(options.String("problem", "heat: diffusion whose rate changes; sor: shifted Laplacians", &spec.name));
  PetscCall(options.String("policies",
                           "who chooses relaxation factors: cg, fixed:OMEGA, best_fixed, oracle, tsallis, "
                           "tsallis_rv, tsallis_cb, chebcb, thompson, surface",
                           &policies));
  PetscCall(options.Ints("grid", "intervals along each axis (heat 50, sor 11)", cells, &count));
  PetscCall(options.Int("steps", "systems in the sequence", &spec.steps));
  PetscCall(options.Int("seed", "seed of everything drawn", &spec.seed));
  PetscCall(options.Reals("beta", "of -problem sor: parameters of the Beta distribution of shifts", "1", beta, &given));
  PetscCall(options.String("output", "folder for the course of each policy, policies.csv", &output));
  PetscCheck(count <= 1, comm, PETSC_ERR_USER_INPUT, "-grid takes one number with -problem %s", name.c_str());
  PetscCheck(given == 0 || given == 2, comm, PETSC_ERR_USER_INPUT, "-beta takes two numbers");
  spec.nx = cells[0];
  spec.alpha = beta[0], spec.beta = beta[1];
  PetscCall(RefuseMisspeltOptions(comm));
  if (HelpWanted()) PetscFunctionReturn(0);
  const std::vector<std::string> names = SplitList(policies, ',');
  PetscCheck(!names.empty(), comm, PETSC_ERR_USER_INPUT, "-policies: give names, separated by commas");
  if (!output.empty()) PetscCall(PrepareFolder(comm, output));
  std::vector<Course> courses;
  std::vector<double> contexts;
  PetscCall(RunPolicies(comm, spec, names, &courses, &contexts));
  PetscCall(PetscPrintf(comm, "%-20s %12s %10s %10s\n", "policy", "iterations", "a step", "seconds"));
  for (const Course &c : courses) {
    PetscCall(PetscPrintf(comm, "%-20s %12" PetscInt64_FMT " %10.3f ", c.policy.c_str(), c.Total(),
                          double(c.Total()) / double(spec.steps)));
    if (c.seconds > 0) PetscCall(PetscPrintf(comm, "%10.3f\n", c.seconds));
    else PetscCall(PetscPrintf(comm, "%10s\n", "-"));
  }
  if (!output.empty()) {
    PetscCall(WriteCourses(comm, output + "/policies.csv", courses, contexts));
    PetscCall(PetscPrintf(comm, "output               %s/policies.csv\n", output.c_str()));
  }
  PetscFunctionReturn(0);
}

struct Settings {
  ProblemSpec problem;
  std::string matrix, rhs, output, pmat_type;
  PetscInt refine = 0, repeat = 1;
  bool chosen = false; ///< the user has said what to solve
};

PetscErrorCode PrintProblems(MPI_Comm comm) {
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(comm, "Problems:\n"));
  for (const ProblemInfo &info : NamedProblems()) PetscCall(PetscPrintf(comm, "  %-12s %s\n", info.name, info.summary));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadSettings(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  PetscCall(ReadProblemOptions(comm, &s->problem));
  OptionReader options(comm, "System and output");
  bool matrix, rhs, output;
  PetscCall(options.String("mat", "matrix to read instead, PETSc binary", &s->matrix, &matrix));
  PetscCall(options.String("rhs", "right-hand side that belongs to -mat, PETSc binary", &s->rhs, &rhs));
  PetscCall(options.Int("refine", "solve on K finer grids too and print the order of convergence", &s->refine));
  PetscCall(
      options.Int("repeat", "solve N times with one set-up, with right-hand sides of seed, seed + 1, ...", &s->repeat));
  PetscCall(options.String("output", "folder for HDF5 and XDMF files of p and alpha", &s->output, &output));
  PetscCall(options.String("poisson_pmat_type",
                           "type of a second matrix to build the preconditioner from; hyprestruct "
                           "makes -pc_type pfmg and smg work",
                           &s->pmat_type));
  PetscCheck(matrix == rhs, comm, PETSC_ERR_USER_INPUT, "-%s needs -%s too", matrix ? "mat" : "rhs",
             matrix ? "rhs" : "mat");
  PetscCheck(s->refine >= 0 && s->refine <= 10, comm, PETSC_ERR_USER_INPUT,
             "-refine %" PetscInt_FMT ": give the number of refinements, 0 to 10", s->refine);
  PetscCheck(s->repeat >= 1, comm, PETSC_ERR_USER_INPUT, "-repeat %" PetscInt_FMT ": give at least 1", s->repeat);
  PetscBool named = PETSC_FALSE, grid = PETSC_FALSE;
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-problem", &named));
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-grid", &grid));
  if (matrix) {
    PetscCheck(!named && !grid, comm, PETSC_ERR_USER_INPUT, "Give either -mat and -rhs or -problem and -grid");
    PetscCheck(s->refine == 0 && !output && s->pmat_type.empty(), comm, PETSC_ERR_USER_INPUT,
               "-refine, -output and -poisson_pmat_type need a grid; they do not go with -mat");
  }
  s->chosen = matrix || named || grid;
  PetscCall(RefuseMisspeltOptions(comm));
  PetscFunctionReturn(0);
}

PetscErrorCode PrintResult(MPI_Comm comm, const LinearSystem &system, const SolveReport &r, PetscInt repeat) {
  PetscFunctionBeginUser;
  PetscInt unknowns;
  PetscMPIInt ranks;
  PetscCall(MatGetSize(system.A, &unknowns, nullptr));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscPrintf(comm, "system            %s\n", system.description.c_str()));
  PetscCall(
      PetscPrintf(comm, "unknowns          %" PetscInt_FMT " on %d rank%s\n", unknowns, ranks, ranks == 1 ? "" : "s"));
  PetscCall(PetscPrintf(comm, "solver            %s\n", r.solver.c_str()));
  PetscCall(PetscPrintf(comm, "assembly          %.4g s\n", system.assembly_seconds));
  PetscCall(PetscPrintf(comm, "set-up            %.4g s\n", r.setup_seconds));
  PetscCall(PetscPrintf(comm, "solve             %.4g s%s\n", r.solve_seconds, repeat > 1 ? " each" : ""));
  PetscCall(PetscPrintf(comm, "iterations        %" PetscInt_FMT "%s (%s)\n", r.iterations,
                        repeat > 1 ? " at most" : "", KSPConvergedReasons[r.reason]));
  PetscCall(PetscPrintf(comm, "true residual     %.3e (relative to the right-hand side)\n", r.true_residual));
  if (r.error_known) PetscCall(PetscPrintf(comm, "error             L2 %.4e, max %.4e\n", r.error_l2, r.error_max));
  PetscFunctionReturn(0);
}

/// Ends the program where a solve failed, with what is known about it.
PetscErrorCode CheckConverged(MPI_Comm comm, const SolveReport &r) {
  PetscFunctionBeginUser;
  PetscCheck(r.reason > 0, comm, PETSC_ERR_NOT_CONVERGED,
             "Not converged: %s after %" PetscInt_FMT " iterations, true relative residual %.3e",
             KSPConvergedReasons[r.reason], r.iterations, r.true_residual);
  if (r.reason == KSP_CONVERGED_RTOL && r.true_residual > 2 * r.rtol)
    PetscCall(PetscFPrintf(comm, PETSC_STDERR,
                           "poisson: warning: the solver says that it has reached %.1e, and has reached %.1e; its "
                           "recursion is too far from the true residual (another -ksp_type or -pc_type?)\n",
                           double(r.rtol), r.true_residual));
  PetscFunctionReturn(0);
}

PetscErrorCode SolveOnce(MPI_Comm comm, const Settings &settings) {
  PetscFunctionBeginUser;
  LinearSystem system;
  if (settings.matrix.empty()) PetscCall(MakeSystem(comm, settings.problem, settings.pmat_type, &system));
  else PetscCall(ReadSystem(comm, settings.matrix, settings.rhs, &system));
  SnapshotSeries series;
  if (!settings.output.empty()) PetscCall(series.Open(*system.problem.grid, settings.output, "poisson"));
  series.UseDoubles();
  SolveReport report;
  PetscCall(SolveSystem(&system, settings.repeat, settings.problem.seed, &report));
  PetscCall(PrintResult(comm, system, report, settings.repeat));
  if (!settings.output.empty()) {
    const Grid &grid = *system.problem.grid;
    Field p = grid.NewField();
    PetscCall(grid.FromVec(system.x, &p));
    std::vector<SnapshotSeries::Item> items = {{"p", {&p}}, {"alpha", {&system.problem.cell_alpha}}};
    if (!system.problem.exact.empty()) items.push_back({"exact", {&system.problem.exact}});
    PetscCall(series.Write(0, items));
    PetscCall(PetscPrintf(comm, "output            %s/poisson.xdmf\n", settings.output.c_str()));
  }
  PetscCall(CheckConverged(comm, report));
  PetscCall(system.Destroy());
  PetscFunctionReturn(0);
}

/// Solves on ever finer grids and prints how fast the error falls.
PetscErrorCode Refine(MPI_Comm comm, const Settings &settings) {
  PetscFunctionBeginUser;
  PetscCall(
      PetscPrintf(comm, "%-20s %12s %7s %12s %7s %6s\n", "grid", "L2 error", "order", "max error", "order", "its"));
  double l2 = 0, largest = 0;
  ProblemSpec spec = settings.problem;
  for (PetscInt level = 0; level <= settings.refine; ++level) {
    LinearSystem system;
    SolveReport r;
    PetscCall(MakeSystem(comm, spec, settings.pmat_type, &system));
    PetscCheck(!system.problem.exact.empty(), comm, PETSC_ERR_USER_INPUT,
               "-refine needs a problem whose solution is known; take -problem mms instead of %s", spec.name.c_str());
    PetscCall(SolveSystem(&system, 1, spec.seed, &r));
    PetscCall(CheckConverged(comm, r));
    const std::string size = GridSize(spec.cells);
    if (level == 0)
      PetscCall(PetscPrintf(comm, "%-20s %12.4e %7s %12.4e %7s %6" PetscInt_FMT "\n", size.c_str(), r.error_l2, "-",
                            r.error_max, "-", r.iterations));
    else
      PetscCall(PetscPrintf(comm, "%-20s %12.4e %7.3f %12.4e %7.3f %6" PetscInt_FMT "\n", size.c_str(), r.error_l2,
                            std::log2(l2 / r.error_l2), r.error_max, std::log2(largest / r.error_max), r.iterations));
    l2 = r.error_l2;
    largest = r.error_max;
    const int dim = spec.cells[2] == 1 ? 2 : 3;
    for (int d = 0; d < dim; ++d) spec.cells[d] *= 2;
    PetscCall(system.Destroy());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Body(MPI_Comm comm) {
  PetscFunctionBeginUser;
  char name[20] = "";
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-problem", name, sizeof name, nullptr));
  if (std::string(name) == "heat" || std::string(name) == "sor") {
    PetscCall(RunSequence(comm, name));
    PetscFunctionReturn(0);
  }
  Settings settings;
  PetscCall(ReadSettings(comm, &settings));
  if (HelpWanted()) {
    PetscCall(AnnounceSolver(comm, nullptr, ""));
    PetscCall(PetscPrintf(comm, "\n"));
    PetscCall(PrintProblems(comm));
    PetscFunctionReturn(0);
  }
  if (!settings.chosen) {
    PetscCall(PetscPrintf(comm, "%s", help));
    PetscCall(PrintProblems(comm));
    PetscCall(PetscPrintf(comm, "\nAll options: poisson -help\n"));
    PetscFunctionReturn(0);
  }
  if (settings.refine > 0) PetscCall(Refine(comm, settings));
  else PetscCall(SolveOnce(comm, settings));
  PetscFunctionReturn(0);
}

} // namespace

int main(int argc, char **argv) { return RunApp(argc, argv, help, Body); }
