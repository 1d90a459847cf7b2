// Trains networks as preconditioners on the named Poisson problems, and tells what a model file holds.
#include "apps/app.h"
#include "meshes/exact_text.h"
#include "meshes/files.h"
#include "solvers/compare/environment.h"
#include "solvers/dataset/training.h"
#include "solvers/linear_system.h"
#include "solvers/training_geometry.h"
#include <algorithm>
#include <csignal>
#include <filesystem>

using namespace krylearn;

namespace {

const char help[] = R"(train: trains networks that precondition -div(alpha grad p) = f, and tells what a model holds.

  train -arch NAME -problem NAMES -grid nx,ny[,nz][:...] -o MODEL [-steps N] [-log FILE]
  train -info MODEL

Geometries come from a data set (-data FILE, which the program dataset writes), or are made on the fly from named
problems, with seeds from 1000000 on, which nobody else takes. Training carries on a pool of live solves with deep
conjugate directions; the model that needs the fewest iterations on held-out geometries is kept.
SIGUSR1 writes a checkpoint after the step under way; -resume goes on from it.

  mpirun -n 2 train -arch vcycle -problem obstacles -grid 64,64 -o vcycle.model
  poisson -problem obstacles -grid 256,256 -ksp_type dcdm -pc_type neural -pc_neural_model vcycle.model

)";

volatile std::sig_atomic_t signals = 0;
void OnSignal(int) { signals = signals + 1; }

struct Settings {
  nets::TrainingSpec spec;
  ProblemSpec problem;
  std::string info, data, validation_data;
  bool chosen = false, arch = false, arch_options = false; ///< given
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
  nets::TrainingSpec &spec = s->spec;
  OptionReader options(comm, "Model and data");
  std::string problems = "obstacles", grids = "64,64", architecture_options;
  bool problem, grid, info, data, output, interval;
  PetscCall(options.String("info", "tell what this model file holds, and stop", &s->info, &info));
  PetscCall(options.String("arch", "architecture of the network", &spec.architecture, &s->arch));
  PetscCall(options.String("arch_options", "its options, such as channels=8,layers=3", &architecture_options,
                           &s->arch_options));
  PetscCall(options.String("problem", "names of the problems to train on, separated by commas", &problems, &problem));
  PetscCall(options.String("grid", "cells nx,ny[,nz]; several sizes separated by colons", &grids, &grid));
  PetscCall(ReadProblemParameters(&options, &s->problem));
  PetscCall(options.String("data", "data set to take geometries from: all its problems and grids, unless told",
                           &s->data, &data));
  PetscCall(options.String("validation_data", "data set of held-out geometries; without, they are made on the fly",
                           &s->validation_data));
  PetscCall(options.String("o", "file for the model", &spec.output, &output));
  PetscCall(
      options.String("init", "model to start from; architecture and options are its own where not given", &spec.init));
  OptionReader training(comm, "Training");
  PetscCall(training.Choice("loss",
                            "anorm: error that a step leaves, in the A-norm; paper: residual that the best step "
                            "leaves (Kaneda 2023); residual: that a step of length 1 leaves (Lan 2024)",
                            {"anorm", "residual", "paper"}, &spec.loss));
  PetscCall(training.Choice("sampling",
                            "residuals to train on. krylov: of live solves; ritz: mixtures of eigenvectors of "
                            "-data; white: random right-hand sides",
                            {"krylov", "ritz", "white"}, &spec.sampling));
  std::string device = "auto";
  PetscCall(training.Choice("device",
                            "where networks are computed; cuda is refused, as training applies the operator, whose "
                            "kernels are written for CPUs",
                            {"auto", "cpu", "cuda"}, &device));
  PetscCall(ReadLong(&training, "seed", "seed of the parameters and of everything drawn, 0 to 9999", &spec.seed));
  PetscCall(ReadLong(&training, "steps", "steps of training", &spec.steps));
  PetscCall(training.Real("rate", "largest learning rate", "1", &spec.rate));
  PetscCall(ReadLong(&training, "pool_geometries", "geometries of the pool, over all ranks", &spec.geometries));
  PetscCall(ReadLong(&training, "pool_solves", "live solves on each geometry", &spec.right_sides));
  PetscCall(ReadLong(&training, "batch_geometries", "geometries of a step, over all ranks", &spec.batch_geometries));
  PetscCall(ReadLong(&training, "batch_solves", "solves of a step on each geometry", &spec.batch_right_sides));
  PetscCall(ReadLong(&training, "validate_every", "steps between validations", &spec.validate_every));
  PetscCall(ReadLong(&training, "validation_geometries", "held-out geometries a problem and size",
                     &spec.validation_geometries));
  PetscCall(ReadLong(&training, "patience", "validations without gain after which training ends; 0: never early",
                     &spec.patience));
  std::string keep = "best";
  PetscCall(training.Choice("keep", "parameters to write: the best on held-out geometries, or the last",
                            {"best", "last"}, &keep));
  spec.keep_last = keep == "last";
  PetscCall(training.String("log", "CSV file for loss and iterations", &spec.log));
  PetscCall(training.String("checkpoint", "file to go on from after an interruption", &spec.checkpoint));
  PetscCall(training.Real("checkpoint_interval", "time between checkpoints; 0: one after each step", "s",
                          &spec.checkpoint_seconds, &interval));
  PetscCall(training.Bool("resume", "go on from -checkpoint", &spec.resume));
  PetscCheck(
      device != "cuda", comm, PETSC_ERR_USER_INPUT,
      "-device cuda: training applies the operator, whose kernels are written for CPUs only; give -device cpu, and "
      "more ranks");
  spec.families = SplitList(problems, ',');
  PetscCheck(data || !spec.families.empty(), comm, PETSC_ERR_USER_INPUT, "-problem needs a name");
  std::vector<Int3> cells;
  PetscCall(ParseGrids(comm, grids, &cells));
  spec.grids.clear();
  for (const Int3 &n : cells) spec.grids.push_back({n[0], n[1], n[2]});
  // Everything in the data set, unless told otherwise.
  if (data && !problem) spec.families.clear();
  if (!data) PetscCall(CheckProblemNames(comm, spec.families));
  if (data && !grid) spec.grids.clear();
  for (const std::string &option : SplitList(architecture_options, ',')) {
    const auto equals = option.find('=');
    PetscCheck(equals != std::string::npos && equals > 0, comm, PETSC_ERR_USER_INPUT,
               "-arch_options %s: give KEY=VALUE, several separated by commas", architecture_options.c_str());
    spec.options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  for (const char *key : {"-contrast", "-wall_alpha", "-obstacle"}) {
    PetscBool given;
    PetscCall(PetscOptionsHasName(nullptr, nullptr, key, &given));
    PetscCheck(!given || !data, comm, PETSC_ERR_USER_INPUT, "%s: the data set of -data has its own", key);
  }
  PetscCheck(s->validation_data.empty() || data, comm, PETSC_ERR_USER_INPUT, "-validation_data needs -data FILE");
  PetscCheck(!spec.resume || !spec.checkpoint.empty(), comm, PETSC_ERR_USER_INPUT, "-resume needs -checkpoint FILE");
  PetscCheck(!interval || !spec.checkpoint.empty(), comm, PETSC_ERR_USER_INPUT,
             "-checkpoint_interval needs -checkpoint FILE");
  PetscCheck(spec.checkpoint_seconds >= 0, comm, PETSC_ERR_USER_INPUT, "-checkpoint_interval %s: give seconds, or 0",
             ExactText(spec.checkpoint_seconds).c_str());
  PetscCheck(spec.rate >= 0, comm, PETSC_ERR_USER_INPUT, "-rate %s: give 0 or more", ExactText(spec.rate).c_str());
  PetscCheck(spec.seed >= 0 && spec.seed < 10000, comm, PETSC_ERR_USER_INPUT, "-seed %ld: give 0 to 9999", spec.seed);
  s->chosen = s->arch || problem || grid || data || info || output || spec.resume;
  PetscCall(RefuseMisspeltOptions(comm));
  PetscFunctionReturn(0);
}

PetscErrorCode PrintInfo(MPI_Comm comm, const std::string &path) {
  PetscFunctionBeginUser;
  nets::Library *library;
  nets::ModelInfo info;
  PetscCall(OpenNetworks(comm, &library));
  PetscCall(GuardedNetworkCall(comm, "Cannot tell what a model holds", [&] { info = library->Info(comm, path); }));
  PetscCall(PetscPrintf(comm, "architecture      %s\ndimension         %d\nparameters        %ld\n",
                        info.architecture.c_str(), info.dim, info.parameters));
  for (const auto &o : info.options)
    PetscCall(PetscPrintf(comm, "option            %s = %s\n", o.first.c_str(), o.second.c_str()));
  for (const auto &o : info.about) PetscCall(PetscPrintf(comm, "%-17s %s\n", o.first.c_str(), o.second.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode CheckWritable(MPI_Comm comm, const std::string &path) {
  PetscFunctionBeginUser;
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  const std::string complaint = rank == 0 && !path.empty() ? WhyNotWritable(path) : "";
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, "Cannot write '" + path + "'", complaint));
  PetscFunctionReturn(0);
}

/// Refuses files that would overwrite each other, and a checkpoint in whose place something else lies.
PetscErrorCode CheckFiles(MPI_Comm comm, const Settings &s) {
  PetscFunctionBeginUser;
  const nets::TrainingSpec &spec = s.spec;
  const struct {
    const char *key;
    const std::string &path;
  } files[] = {{"o", spec.output},
               {"log", spec.log},
               {"checkpoint", spec.checkpoint},
               {"data", s.data},
               {"validation_data", s.validation_data},
               {"init", spec.init}};
  constexpr std::size_t kWritten = 3;
  const auto place = [](const std::string &path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(path, ignored).string();
  };
  for (std::size_t a = 0; a < kWritten; ++a) {
    for (std::size_t b = a + 1; b < std::size(files); ++b) {
      const bool trained_on = a == 0 && &files[b].path == &spec.init; // read before it is written
      if (files[a].path.empty() || files[b].path.empty() || trained_on) continue;
      const std::string one = place(files[a].path), other = place(files[b].path);
      PetscCheck(one != other && one + ".part" != other && one != other + ".part", comm, PETSC_ERR_USER_INPUT,
                 "-%s and -%s name the same file, '%s' (or its temporary one, .part)", files[a].key, files[b].key,
                 files[b].path.c_str());
    }
    PetscCall(CheckWritable(comm, files[a].path));
  }
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::FILE *there = rank == 0 && !spec.resume ? std::fopen(spec.checkpoint.c_str(), "rb") : nullptr;
  const bool taken = there && std::fgetc(there) != EOF;
  if (there) std::fclose(there);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_USER_INPUT, "-checkpoint " + spec.checkpoint,
                             taken ? "there is such a file; go on from it with -resume, or remove it" : ""));
  PetscFunctionReturn(0);
}

/// What the model to start from is, where the user does not say.
PetscErrorCode TakeArchitecture(MPI_Comm comm, nets::Library *library, Settings *s) {
  PetscFunctionBeginUser;
  nets::ModelInfo info;
  PetscCall(GuardedNetworkCall(comm, "Cannot start from -init", [&] { info = library->Info(comm, s->spec.init); }));
  const auto list = library->ArchitectureList();
  const bool known = std::any_of(list.begin(), list.end(), [&](const auto &a) { return a.first == info.architecture; });
  if (!known) PetscFunctionReturn(0); // training itself says why not
  if (!s->arch) s->spec.architecture = info.architecture;
  if (!s->arch_options && s->spec.architecture == info.architecture) s->spec.options = info.options;
  PetscFunctionReturn(0);
}

/// Parameters of problems that make no sense are refused with the words of those who know.
PetscErrorCode CheckProblems(const Settings &s) {
  PetscFunctionBeginUser;
  for (const std::string &family : s.spec.families) {
    ProblemSpec one = s.problem;
    one.name = family;
    one.seed = PetscInt(nets::kFirstTrainingSeed);
    for (std::size_t a = 0; a < 3; ++a) one.cells[a] = PetscInt(s.spec.grids.front()[a]);
    TrainingGeometry ignored;
    PetscCall(MakeTrainingGeometry(one, &ignored));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode TrainModel(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  nets::TrainingSpec &spec = s->spec;
  PetscCheck(!spec.output.empty(), comm, PETSC_ERR_USER_INPUT, "Give a file for the model: -o MODEL");
  PetscCall(CheckFiles(comm, *s));
  if (s->data.empty()) PetscCall(CheckProblems(*s));
  nets::Library *library;
  PetscCall(OpenNetworks(comm, &library));
  if (!spec.init.empty() && !(s->arch && s->arch_options)) PetscCall(TakeArchitecture(comm, library, s));
  Csv environment;
  PetscCall(DescribeEnvironment(comm, &environment));
  for (const auto &row : environment.rows)
    if (row.size() >= 2 && row[0] == "revision") spec.about[row[0]] = row[1];
  spec.signal = &signals;
  spec.say = [](const std::string &line) { std::printf("%s\n", line.c_str()), std::fflush(stdout); };
  nets::GeometrySource source;
  if (s->data.empty()) {
    source = TrainingGeometries(s->problem);
    spec.data = DescribeProblemParameters(s->problem);
  } else PetscCall(GeometriesOfData(comm, s->data, s->validation_data, &spec, &source));
  nets::TrainingReport report;
  PetscCall(GuardedNetworkCall(comm, "Training failed", [&] { report = library->Train(comm, spec, source); }));
  for (const auto &row : report.rows)
    PetscCall(PetscPrintf(comm, "iterations        %s %s: median %s, worst %s\n", row.family.c_str(),
                          GridSize({PetscInt(row.n[0]), PetscInt(row.n[1]), PetscInt(row.n[2])}).c_str(),
                          ExactText(row.median).c_str(), ExactText(row.worst).c_str()));
  PetscCall(PetscPrintf(comm, "training          %ld steps in %.1f s, %.0f samples/s\nmodel             %s\n",
                        report.steps, report.seconds, report.samples_per_second, spec.output.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode Body(MPI_Comm comm) {
  PetscFunctionBeginUser;
  Settings settings;
  PetscCall(ReadSettings(comm, &settings));
  if (HelpWanted()) PetscFunctionReturn(0);
  if (!settings.chosen) {
    char *given;
    PetscCall(PetscOptionsGetAll(nullptr, &given));
    const bool other = given[0] != 0;
    PetscCall(PetscFree(given));
    PetscCheck(!other, comm, PETSC_ERR_USER_INPUT,
               "Give a file for the model: -o FILE (train without options explains itself)");
    PetscCall(PetscPrintf(comm, "%sAll options: train -help\n", help));
  } else if (!settings.info.empty()) PetscCall(PrintInfo(comm, settings.info));
  else PetscCall(TrainModel(comm, &settings));
  PetscFunctionReturn(0);
}

} // namespace

int main(int argc, char **argv) {
  std::signal(SIGUSR1, OnSignal); // one that comes before the first step counts, too
  return RunApp(argc, argv, help, Body, {"-info", "-log"});
}
