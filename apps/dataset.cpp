// Makes data sets of Poisson operators to train networks on, and tells what one holds.
#include "apps/app.h"
#include "solvers/compare/environment.h"
#include "solvers/dataset/generate.h"
#include "solvers/dataset/reader.h"
#include <cstdio>
#include <map>

using namespace krylearn;

namespace {

const char help[] = R"(dataset: makes data sets of Poisson operators to train networks on, and tells what one holds.

  dataset -problem NAMES -grid nx,ny[,nz][:...] -count N -o FILE [-solutions K] [-ritz K] [-capture FOLDERS]
  dataset -describe FILE

The contents depend on the options alone, not on the number of ranks. A run that was interrupted goes on where it
stopped when it is started again with the same options. Training, validation and test sets (-split) never share a
geometry.

  mpirun -n 2 dataset -problem obstacles,contrast,darcy -grid 64,64:128,128 -count 32 -o training.h5
  train -data training.h5 -o vcycle.model

)";

struct Settings {
  DataSpec spec;
  DataOutput output;
  std::string described;
  bool chosen = false;
};

PetscErrorCode ReadLong(OptionReader *options, const char *key, const char *meaning, long *value) {
  PetscFunctionBeginUser;
  PetscInt number = PetscInt(*value);
  PetscCall(options->Int(key, meaning, &number));
  *value = long(number);
  PetscFunctionReturn(0);
}

PetscErrorCode ReadSettings(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  DataSpec &spec = s->spec;
  std::string problems = "obstacles", grids = "64,64", captured, boundaries = "named";
  bool problem, grid, describe, capture, output;
  OptionReader options(comm, "What to make");
  PetscCall(options.String("problem", "names of problems, separated by commas (see poisson)", &problems, &problem));
  PetscCall(options.String("grid", "cells nx,ny[,nz]; several sizes separated by colons", &grids, &grid));
  PetscCall(ReadLong(&options, "count", "samples of each problem on each grid", &spec.count));
  PetscCall(options.Choice("split", "which geometries, each told from the others by its seed",
                           {"training", "validation", "test"}, &spec.split));
  PetscCall(ReadLong(&options, "seed", "block of seeds within the split: others give other geometries", &spec.seed));
  PetscCall(options.Choice("boundaries",
                           "those of the named problems, or Dirichlet, Neumann and periodic sides drawn by seed",
                           {"named", "mixed"}, &boundaries));
  PetscCall(options.Real("contrast", "alpha inside the boxes of contrast and mixed", "1", &spec.parameters.contrast));
  PetscCall(options.Real("wall_alpha", "alpha of the walls of problem walls, 0 makes them solid", "1",
                         &spec.parameters.wall_alpha));
  PetscCall(
      ReadLong(&options, "solutions", "random right-hand sides with exact solutions, of each sample", &spec.solutions));
  PetscCall(
      ReadLong(&options, "ritz", "eigenvectors of the lowest eigenvalues, of each sample; takes SLEPc", &spec.modes));
  PetscCall(ReadLong(&options, "small_cells", "cells of the largest grid that gets solutions and eigenvectors",
                     &spec.small_cells));
  PetscCall(options.String("capture", "folders that fluid -capture wrote, separated by commas", &captured, &capture));
  PetscCall(ReadLong(&options, "capture_systems", "right-hand sides from each of these folders", &spec.captured_most));
  OptionReader where(comm, "Files");
  PetscCall(where.String("o", "file for the data set", &s->output.path, &output));
  PetscCall(where.Real("max_size", "largest data set to make", "MB", &s->output.max_megabytes));
  PetscCall(where.String("describe", "tell what this data set holds, and stop", &s->described, &describe));
  spec.parameters.mixed_boundaries = boundaries == "mixed";
  spec.captured = SplitList(captured, ',');
  spec.problems = capture && !problem ? std::vector<std::string>() : SplitList(problems, ',');
  spec.grids.clear();
  if (!spec.problems.empty()) PetscCall(ParseGrids(comm, grids, &spec.grids));
  PetscCheck(!problem || !spec.problems.empty(), comm, PETSC_ERR_USER_INPUT, "-problem needs a name");
  PetscCheck(!grid || !spec.problems.empty(), comm, PETSC_ERR_USER_INPUT,
             "-grid belongs to -problem; captured systems have their own grids");
  PetscCheck(spec.parameters.contrast > 0, comm, PETSC_ERR_USER_INPUT, "-contrast %g must be positive",
             spec.parameters.contrast);
  PetscCheck(spec.parameters.wall_alpha >= 0, comm, PETSC_ERR_USER_INPUT, "-wall_alpha %g must not be negative",
             spec.parameters.wall_alpha);
  PetscCheck(s->output.max_megabytes > 0, comm, PETSC_ERR_USER_INPUT, "-max_size %g: give a positive number of MB",
             s->output.max_megabytes);
  s->chosen = problem || grid || describe || capture || output;
  PetscCall(RefuseMisspeltOptions(comm));
  PetscFunctionReturn(0);
}

PetscErrorCode Describe(MPI_Comm comm, const std::string &path) {
  PetscFunctionBeginUser;
  std::unique_ptr<DataSet> set;
  PetscCall(DataSet::Open(comm, path, &set));
  PetscCall(PetscPrintf(comm, "options           %s\nrevision          %s\n", set->Options().c_str(),
                        set->Revision().c_str()));
  PetscCall(PetscPrintf(comm, "identity          %s\n", set->Identity().c_str()));
  PetscCall(PetscPrintf(comm, "split             %s\nsamples           %d\n", set->Split().c_str(),
                        int(set->Samples().size())));
  for (std::size_t g = 0; g < set->Groups().size(); ++g) {
    const DataGroup &group = set->Groups()[g];
    std::map<std::string, long> families;
    long singular = 0;
    for (const DataSet::Entry &entry : set->Samples())
      if (entry.group == g) ++families[entry.family], singular += entry.singular;
    std::string text;
    for (const auto &family : families)
      text += (text.empty() ? "" : ", ") + std::to_string(family.second) + " " + family.first;
    PetscCall(PetscPrintf(comm, "%-17s %s; each with %ld right-hand sides%s, %ld eigenvectors; %ld singular\n",
                          group.name.c_str(), text.c_str(), group.right_sides, group.solved ? " and solutions" : "",
                          group.modes, singular));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Make(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  PetscCheck(!s->output.path.empty(), comm, PETSC_ERR_USER_INPUT, "Give a file for the data set: -o FILE");
  DataPlan plan;
  DataReport report;
  Csv environment;
  PetscCall(PlanDataSet(comm, s->spec, &plan));
  PetscCall(DescribeEnvironment(comm, &environment));
  for (const auto &row : environment.rows)
    if (row.size() >= 2 && row[0] == "revision") s->output.revision = row[1];
  s->output.say = [](const std::string &line) { std::printf("%s\n", line.c_str()), std::fflush(stdout); };
  PetscCall(
      PetscPrintf(comm, "data set          %ld samples, %.4g MB\n", long(plan.samples.size()), plan.Bytes() / 1e6));
  PetscCall(GenerateDataSet(comm, plan, s->output, &report));
  if (report.complete)
    PetscCall(PetscPrintf(comm, "complete          %s holds them already\n", s->output.path.c_str()));
  else
    PetscCall(PetscPrintf(comm, "made              %ld samples in %.1f s: %s\n", report.made, report.seconds,
                          s->output.path.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode Body(MPI_Comm comm) {
  PetscFunctionBeginUser;
  Settings settings;
  PetscCall(ReadSettings(comm, &settings));
  if (HelpWanted()) PetscFunctionReturn(0);
  if (!settings.chosen) PetscCall(PetscPrintf(comm, "%sAll options: dataset -help\n", help));
  else if (!settings.described.empty()) PetscCall(Describe(comm, settings.described));
  else PetscCall(Make(comm, &settings));
  PetscFunctionReturn(0);
}

} // namespace

int main(int argc, char **argv) { return RunApp(argc, argv, help, Body); }
