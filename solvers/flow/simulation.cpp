#include "solvers/flow/simulation.h"
#include "meshes/files.h"
#include "meshes/options.h"
#include "solvers/flow/diagnostics.h"
#include <algorithm>
#include <cmath>
#include <csignal>
#include <unistd.h>

namespace krylearn {
namespace {
volatile std::sig_atomic_t stop_requested = 0;
void RequestStop(int) { stop_requested = 1; }
constexpr double kSnap = 1e-9; // relative slack when a step is to land on an output time
} // namespace

PetscErrorCode ReadRunOptions(MPI_Comm comm, RunOptions *run) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Run and output");
  PetscCall(options.String("output", "folder for history.csv, snapshots and checkpoints; none: nothing is written",
                           &run->output));
  PetscCall(options.Real("output_every", "time between snapshots; 0: only the last state", "time", &run->output_every));
  PetscCall(options.Real("checkpoint_every", "wall-clock time between checkpoints; 0: only at the end", "s",
                         &run->checkpoint_every));
  PetscCall(options.Real("average_from", "start of time averages in the snapshots; negative: none", "time",
                         &run->average_from));
  PetscCall(options.String("restart", "checkpoint file to continue from", &run->restart));
  PetscCall(options.Real("wall_time", "write a checkpoint and stop after this long (as SIGUSR1 does); 0: never", "s",
                         &run->wall_time));
  PetscCall(
      options.String("capture", "folder that receives each pressure system as PETSc binary files", &run->capture));
  PetscCall(options.Bool("dry_run", "print cells, memory and time step, then stop", &run->dry_run));
  PetscCheck(run->output_every >= 0 && run->checkpoint_every >= 0 && run->wall_time >= 0, comm, PETSC_ERR_USER_INPUT,
             "-output_every, -checkpoint_every and -wall_time must not be negative");
  const std::pair<const char *, bool> needy[] = {{"output_every", run->output_every > 0},
                                                 {"checkpoint_every", run->checkpoint_every > 0},
                                                 {"average_from", run->average_from >= 0}};
  for (const auto &option : needy)
    PetscCheck(!option.second || !run->output.empty(), comm, PETSC_ERR_USER_INPUT,
               "-%s needs a folder: add -output DIR", option.first);
  PetscFunctionReturn(0);
}

/// Meets the mistakes in grid and boundaries that a real run would. A grid that is large for these ranks is coarsened
/// first, as coordinates and index tables take memory too.
static PetscErrorCode CheckGridAndBoundaries(MPI_Comm comm, const FlowConfig &config, double cells_per_rank) {
  PetscFunctionBeginUser;
  constexpr double kCheap = 4e6;
  GridSpec spec = config.grid;
  PetscCheck(cells_per_rank <= kCheap || double(spec.cells[0]) * spec.cells[1] * spec.cells[2] <= PETSC_MAX_INT, comm,
             PETSC_ERR_USER_INPUT,
             "The grid has more cells than this PETSc has row numbers (%.3g); configure PETSc with 64-bit indices or "
             "choose a coarser grid",
             double(PETSC_MAX_INT));
  const bool positive = *std::min_element(spec.cells.begin(), spec.cells.end()) > 0;
  for (int d = 0; positive && cells_per_rank > kCheap; d = (d + 1) % 3) {
    if (spec.cells[d] < 64) continue; // of so many cells some axis has more
    cells_per_rank *= double(spec.cells[d] / 2) / spec.cells[d];
    spec.cells[d] /= 2;
    spec.faces[d].clear();
  }
  std::shared_ptr<const Grid> grid;
  PetscCall(Grid::Create(comm, spec, &grid));
  BoundaryConditions boundaries;
  PetscCall(boundaries.SetUp(grid, config.boundaries));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::DryRun(MPI_Comm comm, const FlowConfig &config) {
  PetscFunctionBeginUser;
  const Int3 &n = config.grid.cells;
  const double cells = double(n[0]) * n[1] * n[2];
  const int dim = n[2] == 1 ? 2 : 3;
  PetscMPIInt ranks;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(CheckGridAndBoundaries(comm, config, cells / ranks));
  // Fields of the solver, apertures, one 5- or 7-point matrix with its vectors and a preconditioner of twice that.
  const double fields = 3 * dim + 3 + 2 * dim + 2 + 3.0 * config.scalars.size() + (config.crank_nicolson ? 3 * dim : 0);
  const double matrix = (2 * dim + 1) * 12.0 + 4 * 8.0;
  double h = 1e300, viscous = 0, diffusivity = config.viscosity;
  for (const ScalarConfig &scalar : config.scalars) diffusivity = std::max(diffusivity, scalar.diffusivity);
  for (int d = 0; d < dim; ++d) {
    double smallest = (config.grid.upper[d] - config.grid.lower[d]) / n[d];
    for (std::size_t i = 0; i + 1 < config.grid.faces[d].size(); ++i)
      smallest = std::min(smallest, config.grid.faces[d][i + 1] - config.grid.faces[d][i]);
    h = std::min(h, smallest);
    if (!config.crank_nicolson) viscous += 4 * diffusivity / (smallest * smallest);
  }
  const double dt = config.fixed_dt > 0 ? config.fixed_dt : 1 / (config.velocity / (h * config.cfl) + viscous / 2);
  const double steps = std::min(double(config.max_steps), std::ceil(config.end_time / dt));
  PetscCall(PetscPrintf(comm, "cells: %.0f (%" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT ") on %d ranks\n",
                        cells, n[0], n[1], n[2], ranks));
  PetscCall(PetscPrintf(comm, "memory: about %.0f MiB in all (fields %.0f, pressure system %.0f)\n",
                        cells * (8 * fields + 3 * matrix) / 1048576.0, cells * 8 * fields / 1048576.0,
                        cells * 3 * matrix / 1048576.0));
  PetscCall(PetscPrintf(comm, "dt: about %.3g at the reference velocity %.6g; %.0f steps to time %.6g\n", dt,
                        config.velocity, steps, config.end_time));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::SetUp(MPI_Comm comm, const FlowCase &flow_case, const FlowConfig &config,
                                 const RunOptions &options) {
  PetscFunctionBeginUser;
  comm_ = comm;
  PetscCallMPI(MPI_Comm_rank(comm, &rank_));
  // Before anything slow: a signal during set-up stops after the first step. Batch systems send SIGTERM.
  std::signal(SIGUSR1, RequestStop);
  std::signal(SIGTERM, RequestStop);
  case_ = &flow_case;
  options_ = options;
  terminal_ = rank_ == 0 && isatty(STDERR_FILENO);
  PetscCall(flow_.SetUp(comm, config));
  if (options.average_from >= 0) {
    mean_velocity_ = flow_.GetGrid()->NewFaces();
    mean_pressure_ = flow_.GetGrid()->NewField();
  }
  PetscCall(RefuseMisspeltOptions(comm));
  if (options.restart.empty()) PetscCall(flow_.Initialise());
  else PetscCall(ReadCheckpoint());
  first_time_ = flow_.Time();
  first_step_ = flow_.StepNumber();
  PetscCall(OpenOutputs());
  if (options.wall_time > 0 && options.output.empty())
    PetscCall(
        PetscPrintf(comm, "notice: -wall_time will stop the run without a checkpoint; add -output DIR for one\n"));
  if (flow_.FilledCells() > 0)
    PetscCall(PetscPrintf(comm, "notice: %" PetscInt64_FMT " cells in pockets closed off by obstacles were filled\n",
                          flow_.FilledCells()));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::OpenOutputs() {
  PetscFunctionBeginUser;
  const FlowConfig &config = flow_.Config();
  const double resume = options_.restart.empty() ? -1 : flow_.Time();
  if (!options_.output.empty()) PetscCall(snapshots_.Open(*flow_.GetGrid(), options_.output, config.case_name, resume));
  std::vector<std::string> columns = {"time",
                                      "step",
                                      "dt",
                                      "cfl",
                                      "kinetic_energy",
                                      "enstrophy",
                                      "divergence",
                                      "pressure_iterations",
                                      "velocity_iterations",
                                      "scalar_iterations"};
  if (!flow_.Immersed().Empty())
    for (const char *name : {"Cd", "Cl"}) columns.push_back(name);
  if (!flow_.Immersed().Empty() && flow_.GetGrid()->Dim() == 3) columns.push_back("Cz");
  for (std::size_t n = 0; n < config.probes.size(); ++n)
    for (const char *name : {"u", "v", "w", "p"}) columns.push_back("probe" + std::to_string(n) + "_" + name);
  for (const ScalarConfig &scalar : config.scalars) columns.push_back(scalar.name + "_total");
  // Every place is looked at before the first file is replaced.
  if (!options_.capture.empty()) PetscCall(PrepareFolder(comm_, options_.capture));
  const std::string checkpoint = options_.output + "/checkpoint.h5";
  std::string complaint;
  if (!options_.output.empty() && rank_ == 0) complaint = WhyNotWritable(checkpoint);
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_OPEN, "Cannot write " + checkpoint, complaint));
  PetscCall(history_.Open(comm_, options_.output.empty() ? "" : options_.output + "/history.csv", columns, resume));
  if (!options_.capture.empty()) PetscCall(flow_.GetProjection().CaptureTo(options_.capture));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::ChooseStep(double *dt) {
  PetscFunctionBeginUser;
  const FlowConfig &config = flow_.Config();
  double stable;
  PetscCall(flow_.StableStep(&stable));
  if (config.fixed_dt > 0) {
    natural_dt_ = config.fixed_dt;
  } else {
    double next = stable;
    if (natural_dt_ > 0) next = std::min(next, config.dt_growth * natural_dt_);
    if (config.dt_max > 0) next = std::min(next, config.dt_max);
    natural_dt_ = next;
  }
  courant_ = config.cfl * natural_dt_ / stable;
  double target = config.end_time;
  if (options_.output_every > 0) {
    const double done = std::floor(flow_.Time() / options_.output_every * (1 + kSnap) + kSnap);
    target = std::min(target, (done + 1) * options_.output_every);
  }
  const double remaining = target - flow_.Time();
  *dt = natural_dt_;
  if (*dt > remaining * (1 - kSnap)) *dt = remaining;
  else if (config.fixed_dt == 0 && *dt > 0.5 * remaining) *dt = 0.5 * remaining; // no sliver of a last step
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::Record(double dt) {
  PetscFunctionBeginUser;
  const FlowConfig &config = flow_.Config();
  FlowIntegrals integrals;
  PetscCall(ComputeIntegrals(flow_, &integrals));
  const Projection &projection = flow_.GetProjection();
  std::vector<double> row = {flow_.Time(),
                             double(flow_.StepNumber()),
                             dt,
                             courant_ * dt / natural_dt_,
                             integrals.kinetic_energy,
                             integrals.enstrophy,
                             projection.ScaledDivergence(),
                             double(projection.Iterations()),
                             double(flow_.VelocityIterations()),
                             double(flow_.ScalarIterations())};
  if (!flow_.Immersed().Empty()) {
    Real3 force;
    PetscCall(flow_.Immersed().Force(dt, &force));
    const int dim = flow_.GetGrid()->Dim();
    const double scale = 2 / (config.velocity * config.velocity * std::pow(config.length, dim - 1));
    for (int a = 0; a < dim; ++a) row.push_back(scale * force[a]);
  }
  for (const Real3 &x : config.probes) {
    std::array<double, 4> values;
    PetscCall(Probe(flow_, x, &values));
    row.insert(row.end(), values.begin(), values.end());
  }
  for (std::size_t n = 0; n < flow_.Scalars(); ++n) {
    double total;
    PetscCall(flow_.Transport(n).Total(flow_.Scalar(n), &total));
    row.push_back(total);
  }
  PetscCall(history_.Add(row));
  // Probes inside obstacles are NaN; nothing else may be.
  bool finite = std::isfinite(integrals.kinetic_energy) && std::isfinite(projection.ScaledDivergence());
  for (std::size_t n = 0; n < flow_.Scalars(); ++n) finite = finite && std::isfinite(row[row.size() - 1 - n]);
  worst_divergence_ = std::max(worst_divergence_, projection.ScaledDivergence());
  pressure_iterations_ += projection.Iterations();
  PetscCheck(finite, comm_, PETSC_ERR_FP, "The flow has blown up at time %g; use a smaller -cfl or a finer grid",
             flow_.Time());
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::Accumulate(double dt) {
  PetscFunctionBeginUser;
  if (options_.average_from < 0 || flow_.Time() <= options_.average_from) PetscFunctionReturn(0);
  averaged_ += dt;
  const double share = dt / averaged_;
  const auto blend = [share](Field &mean, const Field &now) {
    for (std::size_t q = 0; q < mean.size(); ++q) mean[q] += share * (now[q] - mean[q]);
  };
  for (int a = 0; a < flow_.GetGrid()->Dim(); ++a) blend(mean_velocity_[a], flow_.Velocity()[a]);
  blend(mean_pressure_, flow_.Pressure());
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::WriteSnapshot() {
  PetscFunctionBeginUser;
  if (options_.output.empty()) PetscFunctionReturn(0);
  std::array<Field, 3> velocity, mean;
  Field vorticity;
  CentreVelocity(flow_, flow_.Velocity(), &velocity);
  PetscCall(Vorticity(flow_, &velocity, &vorticity));
  const bool three = flow_.GetGrid()->Dim() == 3;
  std::vector<SnapshotSeries::Item> items = {{"velocity", {&velocity[0], &velocity[1], three ? &velocity[2] : nullptr}},
                                             {"pressure", {&flow_.Pressure(), nullptr, nullptr}},
                                             {"vorticity", {&vorticity, nullptr, nullptr}}};
  for (std::size_t n = 0; n < flow_.Scalars(); ++n)
    items.push_back({flow_.Transport(n).Config().name, {&flow_.Scalar(n), nullptr, nullptr}});
  if (!flow_.Immersed().Empty()) items.push_back({"volume_fraction", {&flow_.Cut().volume, nullptr, nullptr}});
  if (averaged_ > 0) {
    CentreVelocity(flow_, mean_velocity_, &mean);
    items.push_back({"mean_velocity", {&mean[0], &mean[1], three ? &mean[2] : nullptr}});
    items.push_back({"mean_pressure", {&mean_pressure_, nullptr, nullptr}});
  }
  PetscCall(snapshots_.Write(flow_.Time(), items));
  PetscFunctionReturn(0);
}

/// Compares with the velocity one reference time L/U earlier: that sees slow drift and is deaf to solver noise.
PetscErrorCode Simulation::IsSteady(bool *steady) {
  PetscFunctionBeginUser;
  const FlowConfig &config = flow_.Config();
  const double window = config.length / config.velocity;
  *steady = false;
  if (steady_time_ >= 0 && std::floor(flow_.Time() / window) == std::floor(steady_time_ / window))
    PetscFunctionReturn(0);
  if (steady_time_ >= 0) {
    double change;
    PetscCall(flow_.LargestChange(steady_velocity_, &change));
    *steady = change < config.steady_tolerance * config.velocity * (flow_.Time() - steady_time_) / window;
  }
  steady_velocity_ = flow_.Velocity();
  steady_time_ = flow_.Time();
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::ShouldStop(bool *stop) {
  PetscFunctionBeginUser;
  // 0: go on, 1: a checkpoint is due, 2: stop. Ranks may see signals and clocks differently; the largest counts.
  const double now = MPI_Wtime();
  int local = 0, global;
  if (options_.checkpoint_every > 0 && now - last_checkpoint_ >= options_.checkpoint_every) local = 1;
  if (stop_requested || (options_.wall_time > 0 && now - started_ >= options_.wall_time)) local = 2;
  PetscCallMPI(MPI_Allreduce(&local, &global, 1, MPI_INT, MPI_MAX, comm_));
  if (global == 1) PetscCall(WriteCheckpoint());
  *stop = global == 2;
  if (*stop) ending_ = stop_requested ? "stopped by a signal" : "stopped by the wall-time limit";
  PetscFunctionReturn(0);
}

void Simulation::Progress(double dt) {
  const double now = MPI_Wtime();
  if (!terminal_ || now - last_progress_ < 0.5) return;
  last_progress_ = now;
  const double done = (flow_.Time() - first_time_) / std::max(1e-300, flow_.Config().end_time - first_time_);
  const double left = done > 0 ? (now - started_) * (1 - done) / done : 0;
  fprintf(stderr,
          "\rstep %" PetscInt_FMT "  t %.4g of %.4g  dt %.2e  cfl %.2f  div %.1e  iterations %" PetscInt_FMT
          "  left %.0f s   ",
          flow_.StepNumber(), flow_.Time(), flow_.Config().end_time, dt, courant_ * dt / natural_dt_,
          flow_.GetProjection().ScaledDivergence(), flow_.GetProjection().Iterations(), left);
  fflush(stderr);
}

PetscErrorCode Simulation::Run() {
  PetscFunctionBeginUser;
  const FlowConfig &config = flow_.Config();
  started_ = last_checkpoint_ = MPI_Wtime();
  ending_ = "reached its end time";
  if (options_.output_every > 0 && options_.restart.empty()) PetscCall(WriteSnapshot());
  double last_snapshot = -1;
  while (flow_.Time() < config.end_time * (1 - kSnap)) {
    if (flow_.StepNumber() >= config.max_steps) {
      ending_ = "reached -max_steps";
      break;
    }
    double dt;
    PetscCall(ChooseStep(&dt));
    PetscCall(flow_.Step(dt));
    PetscCall(Record(dt));
    PetscCall(Accumulate(dt));
    Progress(dt);
    const double ratio = options_.output_every > 0 ? flow_.Time() / options_.output_every : 0.5;
    if (std::abs(ratio - std::round(ratio)) < 10 * kSnap * std::max(1.0, ratio)) {
      PetscCall(WriteSnapshot());
      last_snapshot = flow_.Time();
    }
    bool steady = false;
    if (config.steady_tolerance > 0) PetscCall(IsSteady(&steady));
    if (steady) {
      ending_ = "reached a steady state";
      break;
    }
    bool stop;
    PetscCall(ShouldStop(&stop));
    if (stop) break;
  }
  if (terminal_) fprintf(stderr, "\r%100s\r", "");
  if (last_snapshot != flow_.Time()) PetscCall(WriteSnapshot());
  PetscCall(WriteCheckpoint());
  PetscCall(Summarise());
  if (case_->report) PetscCall(case_->report(flow_, history_));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::Summarise() {
  PetscFunctionBeginUser;
  const double seconds = MPI_Wtime() - started_;
  const PetscInt steps = flow_.StepNumber() - first_step_;
  PetscCall(PetscPrintf(comm_, "case: %s, %s\n", flow_.Config().case_name.c_str(), ending_.c_str()));
  PetscCall(PetscPrintf(comm_, "time: %.9g\nsteps: %" PetscInt_FMT "\nseconds: %.2f\n", flow_.Time(),
                        flow_.StepNumber(), seconds));
  if (steps > 0) {
    PetscCall(PetscPrintf(comm_, "pressure_iterations: %.2f a step\n", double(pressure_iterations_) / steps));
    PetscCall(PetscPrintf(comm_, "kinetic_energy: %.9g\n", history_.Column("kinetic_energy").back()));
    for (const char *force : {"Cd", "Cl", "Cz"})
      if (history_.Has(force)) PetscCall(PetscPrintf(comm_, "%s: %.6f\n", force, history_.Column(force).back()));
    PetscCall(PetscPrintf(comm_, "divergence: %.3e (largest over the run, scaled by h/U; limit %.0e)\n",
                          worst_divergence_, 10 * flow_.GetProjection().Tolerance()));
  } else {
    PetscCall(
        PetscPrintf(comm_, "No step was taken: the run starts where it would end; raise -end_time or -max_steps\n"));
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
