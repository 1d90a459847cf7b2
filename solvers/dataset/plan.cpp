#include "solvers/dataset/plan.h"
#include "meshes/checksum.h"
#include "solvers/dataset/sample.h"
#include <algorithm>
#include <cstdio>

namespace krylearn {
namespace {

/// The seeds of a split, in blocks: one a data set.
struct SeedRange {
  const char *name;
  long first, block, blocks;
};

constexpr SeedRange kSplits[] = {{"training", nets::kFirstTrainingSeed, 100000, 10000},
                                 {"validation", nets::kFirstValidationSeed, 1000, 99},
                                 {"test", 1, 1000, 900}};

std::string GroupName(const Int3 &n) {
  std::string name = std::to_string(n[0]) + "x" + std::to_string(n[1]);
  return n[2] > 1 ? name + "x" + std::to_string(n[2]) : name;
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

PetscErrorCode CheckNumbers(MPI_Comm comm, const DataSpec &spec, const SeedRange **range) {
  PetscFunctionBeginUser;
  *range = nullptr;
  for (const SeedRange &r : kSplits)
    if (spec.split == r.name) *range = &r;
  PetscCheck(*range, comm, PETSC_ERR_USER_INPUT, "-split %s: give training, validation or test", spec.split.c_str());
  PetscCheck(spec.count >= 1, comm, PETSC_ERR_USER_INPUT,
             "-count %ld: give at least one sample of each problem and grid", spec.count);
  PetscCheck(spec.seed >= 0 && spec.seed < (*range)->blocks, comm, PETSC_ERR_USER_INPUT,
             "-seed %ld: give 0 to %ld for -split %s", spec.seed, (*range)->blocks - 1, spec.split.c_str());
  PetscCheck(spec.solutions >= 0 && spec.solutions <= 1000, comm, PETSC_ERR_USER_INPUT,
             "-solutions %ld: give 0 to 1000 a sample", spec.solutions);
  PetscCheck(spec.modes >= 0 && spec.modes <= 100, comm, PETSC_ERR_USER_INPUT, "-ritz %ld: give 0 to 100 a sample",
             spec.modes);
  PetscCheck(spec.captured_most >= 1, comm, PETSC_ERR_USER_INPUT, "-capture_systems %ld: give at least 1",
             spec.captured_most);
  const double total = double(spec.count) * double(spec.problems.size()) * double(spec.grids.size());
  PetscCheck(total <= double((*range)->block), comm, PETSC_ERR_USER_INPUT,
             "-count %ld of %d problems on %d grids are %.0f geometries, but -split %s has %ld seeds a data set; give "
             "a smaller -count, and make several with other values of -seed",
             spec.count, int(spec.problems.size()), int(spec.grids.size()), total, spec.split.c_str(),
             (*range)->block);
#if !KRYLEARN_HAVE_SLEPC
  PetscCheck(spec.modes == 0, comm, PETSC_ERR_USER_INPUT,
             "-ritz: this build has no SLEPc; install it (Debian: slepc-dev) and build again");
#endif
  PetscFunctionReturn(0);
}

PetscErrorCode CheckLists(MPI_Comm comm, const DataSpec &spec) {
  PetscFunctionBeginUser;
  PetscCall(CheckProblemNames(comm, spec.problems));
  for (const std::string &name : spec.problems) {
    PetscCheck(name.size() < kFamilyLength, comm, PETSC_ERR_USER_INPUT, "-problem: the name '%s' is too long",
               name.c_str());
    PetscCheck(std::count(spec.problems.begin(), spec.problems.end(), name) == 1, comm, PETSC_ERR_USER_INPUT,
               "-problem: %s is there twice", name.c_str());
    PetscCheck(!spec.parameters.mixed_boundaries || name != "mms", comm, PETSC_ERR_USER_INPUT,
               "-boundaries mixed: problem mms has boundaries of its own");
  }
  bool small = spec.grids.empty(); // captured systems tell their size later
  for (const Int3 &n : spec.grids) {
    const double cells = double(n[0]) * double(n[1]) * double(n[2]);
    PetscCheck(std::count(spec.grids.begin(), spec.grids.end(), n) == 1, comm, PETSC_ERR_USER_INPUT,
               "-grid: %s is there twice", GroupName(n).c_str());
    PetscCheck(std::min(n[0], n[1]) >= 4 && (n[2] == 1 || n[2] >= 4), comm, PETSC_ERR_USER_INPUT,
               "-grid: %s has fewer than 4 cells along an axis", GroupName(n).c_str());
    PetscCheck(cells < 2e8, comm, PETSC_ERR_USER_INPUT, "-grid: %s is too large; each sample is made by one rank",
               GroupName(n).c_str());
    small = small || cells <= double(spec.small_cells);
  }
  PetscCheck(small || spec.solutions + spec.modes == 0, comm, PETSC_ERR_USER_INPUT,
             "%s: no grid has at most -small_cells %ld cells; give a smaller grid, or raise -small_cells, which takes "
             "memory for sparse factors",
             spec.solutions > 0 ? "-solutions" : "-ritz", spec.small_cells);
  PetscFunctionReturn(0);
}

PetscErrorCode PlanCaptured(MPI_Comm comm, DataPlan *plan) {
  PetscFunctionBeginUser;
  const DataSpec &spec = plan->spec;
  for (std::size_t i = 0; i < spec.captured.size(); ++i) {
    CapturedSystems list;
    PetscCall(ListCapturedSystems(comm, spec.captured[i], PetscInt(spec.captured_most), &list));
    PetscCheck(list.gridded, comm, PETSC_ERR_FILE_UNEXPECTED,
               "%s/sequence.txt does not tell its grid; capture it again", spec.captured[i].c_str());
    DataGroup group;
    group.name = "captured" + std::to_string(i);
    for (std::size_t a = 0; a < 3; ++a) group.n[a] = list.grid.cells[a];
    group.samples = 1;
    group.right_sides = long(list.systems.size());
    const bool small = group.Cells() <= spec.small_cells;
    group.solved = small && spec.solutions > 0;
    group.modes = small ? spec.modes : 0;
    plan->samples.push_back({plan->groups.size(), 0, "pressure", long(i), int(i)});
    plan->groups.push_back(group);
    plan->options += "; captured " + std::to_string(group.right_sides) + " systems " +
                     std::to_string(Crc32(list.text.data(), list.text.size()));
    plan->captured.push_back(std::move(list));
  }
  PetscFunctionReturn(0);
}

} // namespace

double DataPlan::Bytes() const {
  double bytes = 0;
  for (const DataGroup &group : groups) {
    DataSample sample;
    bytes += 16384; // HDF5's own tables
    for (const ArrayView &array : ArraysOf(group, &sample, false))
      bytes += double(array.Bytes()) * double(group.samples);
  }
  return bytes;
}

PetscErrorCode PlanDataSet(MPI_Comm comm, const DataSpec &spec, DataPlan *plan) {
  PetscFunctionBeginUser;
  const SeedRange *range;
  PetscCall(CheckNumbers(comm, spec, &range));
  PetscCall(CheckLists(comm, spec));
  *plan = DataPlan();
  plan->spec = spec;
  long seed = range->first + range->block * spec.seed;
  std::string problems, grids;
  for (const Int3 &n : spec.problems.empty() ? std::vector<Int3>{} : spec.grids) {
    DataGroup group;
    group.name = GroupName(n);
    for (std::size_t a = 0; a < 3; ++a) group.n[a] = n[a];
    group.samples = spec.count * long(spec.problems.size());
    const bool small = group.Cells() <= spec.small_cells;
    group.right_sides = small ? spec.solutions : 0;
    group.solved = group.right_sides > 0;
    group.modes = small ? spec.modes : 0;
    long row = 0;
    for (const std::string &name : spec.problems)
      for (long i = 0; i < spec.count; ++i) plan->samples.push_back({plan->groups.size(), row++, name, seed++});
    plan->groups.push_back(group);
    grids += (grids.empty() ? "" : ":") + group.name;
  }
  for (const std::string &name : spec.problems) problems += (problems.empty() ? "" : ",") + name;
  plan->options = "problem " + problems + "; grid " + grids + "; count " + std::to_string(spec.count) + "; seed " +
                  std::to_string(spec.seed) + "; split " + spec.split + "; boundaries " +
                  (spec.parameters.mixed_boundaries ? "mixed" : "named") + "; contrast " +
                  Number(spec.parameters.contrast) + "; wall_alpha " + Number(spec.parameters.wall_alpha) +
                  "; solutions " + std::to_string(spec.solutions) + "; ritz " + std::to_string(spec.modes) +
                  "; small_cells " + std::to_string(spec.small_cells);
  PetscCall(PlanCaptured(comm, plan));
  PetscCheck(!plan->samples.empty(), comm, PETSC_ERR_USER_INPUT,
             "Nothing to do: give -problem NAMES and -grid nx,ny[,nz], or -capture FOLDER");
  PetscFunctionReturn(0);
}

} // namespace krylearn
