/// \file
/// What a data set shall hold, worked out before anything is made: so sizes are known and refusals come at once.
#pragma once
#include "meshes/problems.h"
#include "nets/nets.h"
#include "solvers/captured_systems.h"

namespace krylearn {

/// What a data set is asked to hold.
struct DataSpec {
  std::vector<std::string> problems{"obstacles"};
  std::vector<Int3> grids{{64, 64, 1}};
  long count = 32;                ///< samples of each problem on each grid
  long seed = 1;                  ///< block of seeds within the split
  std::string split = "training"; ///< or validation, test
  ProblemSpec parameters;         ///< contrast, wall_alpha, mixed_boundaries
  long solutions = 0, modes = 0;  ///< of each sample, on grids of at most `small_cells` cells
  long small_cells = 65536;
  std::vector<std::string> captured; ///< folders
  long captured_most = 8;            ///< right-hand sides of each
};

/// Samples of one shape, which lie in one HDF5 group.
struct DataGroup {
  std::string name;
  nets::Index n{1, 1, 1};
  long samples = 0, right_sides = 0, modes = 0;
  bool solved = false; ///< the right-hand sides have solutions
  int Dim() const { return n[2] > 1 ? 3 : 2; }
  long Cells() const { return n[0] * n[1] * n[2]; }
};

struct PlannedSample {
  std::size_t group;
  long row; ///< in the group
  std::string family;
  long seed;
  int captured = -1; ///< number of the folder
};

struct DataPlan {
  DataSpec spec;
  std::vector<DataGroup> groups;
  std::vector<PlannedSample> samples;
  std::vector<CapturedSystems> captured;
  std::string options; ///< everything that the contents depend on
  double Bytes() const;
};

/// Refuses what cannot be made (PETSC_ERR_USER_INPUT), naming the option. Collective.
PetscErrorCode PlanDataSet(MPI_Comm comm, const DataSpec &spec, DataPlan *plan);

} // namespace krylearn
