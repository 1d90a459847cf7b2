/// \file
/// A run from start to end: time stepping, output, checkpoints, progress.
#pragma once
#include "meshes/hdf5_file.h"
#include "solvers/flow/cases.h"

namespace krylearn {

/// What the user asks of a run, beside the physics.
struct RunOptions {
  std::string output, restart, capture;
  double output_every = 0, checkpoint_every = 0, wall_time = 0, average_from = -1;
  bool dry_run = false;
};

/// Reads the options of a run; prints them under -help. Collective.
PetscErrorCode ReadRunOptions(MPI_Comm comm, RunOptions *options);

/// Runs a flow case. Files in the output folder: history.csv (a row per step), NAME.xdmf with its HDF5 snapshots, and
/// checkpoint.h5, from which -restart continues: bit for bit on the same number of ranks.
class Simulation {
public:
  /// Creates the solver, checks that all outputs can be written, restores a checkpoint where asked. Collective.
  PetscErrorCode SetUp(MPI_Comm comm, const FlowCase &flow_case, const FlowConfig &config, const RunOptions &options);
  /// Steps to the end, the steady state, the wall-time limit or SIGUSR1 (both write a checkpoint and stop). Collective.
  PetscErrorCode Run();
  /// Checks grid and boundaries, prints cells, memory and a first estimate of the time step without allocating the
  /// fields. Collective.
  static PetscErrorCode DryRun(MPI_Comm comm, const FlowConfig &config);

private:
  PetscErrorCode OpenOutputs();
  PetscErrorCode ChooseStep(double *dt);
  PetscErrorCode Record(double dt);
  PetscErrorCode WriteSnapshot();
  PetscErrorCode WriteCheckpoint();
  PetscErrorCode ReadCheckpoint();
  PetscErrorCode Accumulate(double dt);
  PetscErrorCode IsSteady(bool *steady);
  PetscErrorCode ShouldStop(bool *stop);
  void Progress(double dt);
  PetscErrorCode Summarise();

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  const FlowCase *case_ = nullptr;
  RunOptions options_;
  FlowSolver flow_;
  History history_;
  SnapshotSeries snapshots_;
  double natural_dt_ = 0, started_ = 0, last_progress_ = 0, last_checkpoint_ = 0, first_time_ = 0;
  double averaged_ = 0; ///< time over which the averages run
  FaceFields mean_velocity_;
  Field mean_pressure_;
  FaceFields steady_velocity_; ///< velocity at the last multiple of L/U, where a steady state is looked for
  double steady_time_ = -1;
  double worst_divergence_ = 0, courant_ = 0;
  PetscInt first_step_ = 0;
  PetscInt64 pressure_iterations_ = 0;
  std::string ending_;
  bool terminal_ = false;
};

} // namespace krylearn
