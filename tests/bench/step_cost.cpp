// What a time step costs beside its pressure solve, in passes over the velocity field.
//
//   build/tests/bench_step_cost [-n 128] [-steps 10]
//
// One pass reads the three velocity components and writes them to another place. Steps and passes alternate, so that a
// busy machine slows both; medians are compared.
#include "meshes/log.h"
#include "solvers/flow/cases.h"
#include "solvers/krylearn.h"
#include <algorithm>
#include <cstring>

using namespace krylearn;

static double Seconds(PetscLogEvent event) {
  PetscEventPerfInfo info;
  PetscLogEventGetPerfInfo(PETSC_DETERMINE, event, &info);
  return info.time;
}

static double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

int main(int argc, char **argv) {
  PetscCall(PetscInitialize(&argc, &argv, nullptr, nullptr));
  PetscCall(KrylearnInitialize());
  PetscCall(PetscLogDefaultBegin());
  PetscInt n = 128, steps = 10;
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-n", &n, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-steps", &steps, nullptr));
  PetscLogEvent solve;
  {
    const FlowCase *flow_case;
    FlowConfig config;
    PetscCall(FindFlowCase(PETSC_COMM_WORLD, "taylor_green_3d", &flow_case));
    PetscCall(flow_case->configure(PETSC_COMM_WORLD, &config));
    config.grid.cells = {n, n, n};
    FlowSolver flow;
    PetscCall(flow.SetUp(PETSC_COMM_WORLD, config));
    PetscCall(flow.Initialise());
    PetscCall(PetscLogEventGetId("KSPSolve", &solve));
    std::array<Field, 3> copy = flow.Velocity();
    std::vector<double> step_times, pass_times;
    double dt;
    for (PetscInt s = 0; s < steps; ++s) {
      const double step0 = Seconds(Log().step), solve0 = Seconds(solve);
      PetscCall(flow.StableStep(&dt));
      PetscCall(flow.Step(dt));
      step_times.push_back(Seconds(Log().step) - step0 - (Seconds(solve) - solve0));
      // As many passes as a step is expected to cost: a busy machine then interrupts both alike.
      constexpr int kPasses = 20;
      const double start = MPI_Wtime();
      for (int repeat = 0; repeat < kPasses; ++repeat)
        for (int a = 0; a < 3; ++a)
          std::memmove(copy[a].data(), flow.Velocity()[a].data(), copy[a].size() * sizeof(double));
      pass_times.push_back((MPI_Wtime() - start) / kPasses);
    }
    const double step = Median(step_times), pass = Median(pass_times);
    PetscCall(
        PetscPrintf(PETSC_COMM_WORLD,
                    "cells: %d x %d x %d\nstep_without_solve: %.4f s\npass: %.5f s (%.1f GB/s read and written)\n",
                    int(n), int(n), int(n), step, pass, 6 * 8e-9 * n * n * n / pass));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "passes: %.1f\n", step / pass));
    const struct {
      const char *name;
      PetscLogEvent event;
    } parts[] = {{"momentum", Log().momentum},
                 {"boundary", Log().boundary},
                 {"divergence", Log().divergence},
                 {"correct", Log().correct},
                 {"halo", Log().halo}};
    for (const auto &part : parts)
      PetscCall(
          PetscPrintf(PETSC_COMM_WORLD, "  %-12s %.1f passes a step\n", part.name, Seconds(part.event) / steps / pass));
  }
  return PetscFinalize();
}
