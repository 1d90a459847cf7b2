#include "solvers/dataset/make_sample.h"
#include "meshes/random.h"
#include "solvers/dataset/unknowns.h"
#include "solvers/linear_system.h"
#include "solvers/pc/neural/geometry.h"
#include "solvers/training_geometry.h"

namespace krylearn {
namespace {

constexpr std::uint64_t kRightSides = 500; ///< the first of a stream for each

void StoreBoundaries(const Boundaries &b, int dim, DataSample *sample) {
  for (std::size_t a = 0; a < std::size_t(dim); ++a)
    for (std::size_t side = 0; side < 2; ++side) {
      StoredSide stored = b.sides[a][side] == Side::kDirichlet ? StoredSide::kDirichlet : StoredSide::kNeumann;
      if (b.periodic[a]) stored = StoredSide::kPeriodic;
      sample->boundaries[2 * a + side] = std::int8_t(stored);
    }
}

PetscErrorCode MakeNamed(const DataPlan &plan, const PlannedSample &planned, DataSample *sample) {
  PetscFunctionBeginUser;
  const DataGroup &group = plan.groups[planned.group];
  const std::size_t cells = std::size_t(group.Cells());
  ProblemSpec spec = plan.spec.parameters;
  spec.name = planned.family;
  spec.seed = PetscInt(planned.seed);
  for (std::size_t a = 0; a < 3; ++a) spec.cells[a] = PetscInt(group.n[a]);
  TrainingGeometry made;
  PetscCall(MakeTrainingGeometry(spec, &made));
  StoreGeometry(made.geometry, sample);
  StoreBoundaries(made.boundaries, group.Dim(), sample);
  sample->unit = made.unit;
  for (std::size_t i = 0; i < sample->right_sides.size(); ++i)
    sample->right_sides[i] = 2 * Uniform(std::uint64_t(planned.seed), kRightSides + i / cells, i % cells) - 1;
  PetscFunctionReturn(0);
}

/// A vector of the grid, in natural order.
PetscErrorCode CopyRightSide(Vec b, double unit, double *to) {
  PetscFunctionBeginUser;
  PetscInt count;
  const PetscScalar *values;
  PetscCall(VecGetLocalSize(b, &count));
  PetscCall(VecGetArrayRead(b, &values));
  for (PetscInt i = 0; i < count; ++i) to[i] = values[i] / unit;
  PetscCall(VecRestoreArrayRead(b, &values));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeCaptured(const DataPlan &plan, const PlannedSample &planned, DataSample *sample) {
  PetscFunctionBeginUser;
  const DataGroup &group = plan.groups[planned.group];
  const CapturedSystems &list = plan.captured[std::size_t(planned.captured)];
  std::shared_ptr<const Grid> grid;
  LinearSystem system;
  PetscCall(Grid::Create(PETSC_COMM_SELF, list.grid, &grid));
  PetscCall(ReadSystem(PETSC_COMM_SELF, list.matrix, list.systems[0].rhs, &system, grid));
  nets::Geometry geometry;
  std::shared_ptr<nmg::Box> box;
  std::vector<nmg::IsolatedRow> isolated;
  DM dm = grid->PressureDM();
  PetscCall(nmg::BoxOfDMDA(dm, &box));
  PetscCall(GeometryOfMatrix(system.A, dm, nullptr, *box, MPI_COMM_SELF, &geometry, &isolated, &sample->unit));
  StoreGeometry(geometry, sample);
  for (std::size_t i = 0; i < sample->boundaries.size(); ++i)
    sample->boundaries[i] = std::int8_t(list.grid.periodic[i / 2] ? StoredSide::kPeriodic : StoredSide::kUnknown);
  for (long r = 0; r < group.right_sides; ++r) {
    const std::string &file = list.systems[std::size_t(r)].rhs;
    if (r > 0) {
      PetscViewer viewer;
      PetscCall(CheckVectorFile(PETSC_COMM_SELF, file, system.b));
      PetscCall(PetscViewerBinaryOpen(PETSC_COMM_SELF, file.c_str(), FILE_MODE_READ, &viewer));
      PetscCall(VecLoad(system.b, viewer));
      PetscCall(PetscViewerDestroy(&viewer));
    }
    PetscCall(CopyRightSide(system.b, sample->unit, sample->right_sides.data() + r * group.Cells()));
  }
  PetscCall(system.Destroy());
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode MakeSample(const DataPlan &plan, std::size_t number, DataSample *sample) {
  PetscFunctionBeginUser;
  const PlannedSample &planned = plan.samples[number];
  const DataGroup &group = plan.groups[planned.group];
  const std::size_t cells = std::size_t(group.Cells());
  *sample = DataSample();
  ArraysOf(group, sample, true);
  planned.family.copy(sample->family.data(), kFamilyLength - 1);
  sample->seed = planned.seed;
  if (planned.captured >= 0) PetscCall(MakeCaptured(plan, planned, sample));
  else PetscCall(MakeNamed(plan, planned, sample));
  Unknowns unknowns;
  PetscCall(unknowns.SetUp(GeometryOf(group, *sample)));
  sample->singular = !unknowns.NullVectors().empty();
  for (std::size_t r = 0; r < std::size_t(group.right_sides); ++r) {
    double *b = sample->right_sides.data() + r * cells;
    if (group.solved) PetscCall(unknowns.Solve(b, sample->solutions.data() + r * cells));
    else unknowns.Restrict(b);
  }
  if (group.modes > 0)
    PetscCall(unknowns.LowestModes(group.modes, sample->mode_values.data(), sample->modes.data()));
  PetscFunctionReturn(0);
}

} // namespace krylearn
