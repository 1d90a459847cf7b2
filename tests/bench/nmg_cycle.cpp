// What a cycle of PCNMG costs beside the memory traffic it cannot avoid.
//
//   build/tests/bench_nmg_cycle [-problem obstacles] [-n 128] [-rounds 15] [-pc_nmg_cycle w]
//   mpirun -n 2 build/tests/bench_nmg_cycle
//
// Applications of the preconditioner and triads a = b + s c alternate, so that a busy machine slows both; medians are
// compared. The traffic is counted per cell of each level in floats of 4 bytes, K couplings (3 or 13) and every stored
// vector read once and written once, a written line being fetched first: four smoothing or residual passes read K
// couplings each and 9 vectors and write 4 (8 with the fetch); the transfer reads 27 weights a coarse cell both ways and
// reads or writes 5 vectors; the finest level also takes in and gives back vectors in double precision (11). Coarse
// levels count although they stay in cache.
#include "meshes/problems.h"
#include "solvers/krylearn.h"
#include "solvers/linear_system.h"
#include "solvers/pc/nmg.h"
#include <algorithm>

using namespace krylearn;

static double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Megabytes that one cycle moves: V visits every level once, W the levels from the second on twice as often as the one
/// above.
static double Megabytes(PetscInt n, bool w) {
  double floats = 0, visits = 1;
  for (PetscInt level = 0, m = n; m > 4; ++level, m = (m + 1) / 2) {
    const double k = level == 0 ? 3 : 13, cells = double(m) * double(m) * double(m);
    if (level > 0 && w) visits *= 2;
    floats += visits * cells * (4 * k + 9 + 8 + 2 * 27.0 / 8 + 5 + (level == 0 ? 11 : 0));
  }
  return 4e-6 * floats;
}

int main(int argc, char **argv) {
  PetscCall(PetscInitialize(&argc, &argv, nullptr, nullptr));
  PetscCall(KrylearnInitialize());
  PetscInt n = 128, rounds = 15;
  char problem[64] = "obstacles", cycle[8] = "v";
  PetscMPIInt ranks;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-n", &n, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-rounds", &rounds, nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-problem", problem, sizeof problem, nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-pc_nmg_cycle", cycle, sizeof cycle, nullptr));
  LinearSystem system;
  ProblemSpec spec;
  spec.name = problem;
  spec.cells = {n, n, n};
  PetscCall(MakeSystem(PETSC_COMM_WORLD, spec, "", &system));
  PC pc;
  PetscCall(PCCreate(PETSC_COMM_WORLD, &pc));
  PetscCall(PCSetType(pc, PCNMG));
  PetscCall(PCSetOperators(pc, system.A, system.A));
  PetscCall(PCSetDM(pc, system.problem.grid->PressureDM()));
  PetscCall(PCNMGSetCycle(pc, cycle)); // not by trial: the traffic is counted for one kind
  PetscCall(PCSetFromOptions(pc));
  PetscCall(PCSetUp(pc));
  std::vector<double> setups;
  for (PetscInt round = 0; round < std::min<PetscInt>(rounds, 7); ++round) {
    PetscCall(PCReset(pc));
    PetscCall(PCSetOperators(pc, system.A, system.A));
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    const double start = MPI_Wtime();
    PetscCall(PCSetUp(pc));
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    setups.push_back(MPI_Wtime() - start);
  }
  const std::size_t length = std::size_t(40000000 / ranks);
  std::vector<float> a(length, 1), b(length, 2), c(length, 3);
  std::vector<double> applications, triads;
  for (PetscInt round = 0; round < rounds; ++round) {
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    double start = MPI_Wtime();
    PetscCall(PCApply(pc, system.b, system.x));
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    applications.push_back(MPI_Wtime() - start);
    start = MPI_Wtime();
    const float s = float(round);
    for (std::size_t i = 0; i < length; ++i) a[i] = b[i] + s * c[i];
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    triads.push_back(MPI_Wtime() - start);
  }
  // The triad too fetches what it writes.
  const double bandwidth = 16e-9 * double(length) * ranks / Median(triads), application = Median(applications);
  const double megabytes = Megabytes(n, cycle[0] == 'w');
  PetscCall(PetscPrintf(PETSC_COMM_WORLD,
                        "%s %d^3, %d ranks, %s cycle\ntriad: %.1f GB/s (check %g)\nset-up: %.1f ms\napplication: %.2f ms\ntraffic: %.0f "
                        "MB\nratio: %.2f of the time of its traffic\n",
                        problem, int(n), int(ranks), cycle, bandwidth, double(a[length / 2]), 1e3 * Median(setups), 1e3 * application, megabytes,
                        application / (1e-3 * megabytes / bandwidth)));
  PetscCall(PCDestroy(&pc));
  PetscCall(system.Destroy());
  return PetscFinalize();
}
