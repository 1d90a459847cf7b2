// Files that are no data sets, captured systems, and training on data sets.
#include "meshes/files.h"
#include "meshes/random.h"
#include "solvers/dataset/seal.h"
#include "solvers/dataset/training.h"
#include "solvers/linear_system.h"
#include "tests/solvers/dataset/dataset_test.h"
#include <cmath>

using namespace krylearn;
using namespace krylearn_test;

namespace {

TEST(DataReader, RefusesDamagedFiles) {
  ScratchFolder folder;
  DataSpec spec;
  spec.grids = {{8, 8, 1}};
  spec.count = 2;
  const std::string path = folder / "d.h5", broken = folder / "broken.h5";
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, Plan(spec), path));
  const std::string bytes = BytesOf(path);
  std::unique_ptr<DataSet> set;
  const auto refuse = [&](const std::string &changed, const char *message) {
    OnRank0([&] { WriteBytes(broken, changed); });
    EXPECT_REFUSED(DataSet::Open(PETSC_COMM_WORLD, broken, &set), message);
  };
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::string changed = bytes;
    const std::size_t at = std::size_t(Uniform(1, 1, i) * double(bytes.size()));
    changed[at] = char(changed[at] ^ (1 << int(Uniform(1, 2, i) * 8)));
    refuse(changed, "Cannot read");
  }
  for (std::size_t at = 0; at < 32; ++at) { // the seal itself, all of its bytes
    std::string changed = bytes;
    changed[at] = char(changed[at] ^ 0x40);
    refuse(changed, "Cannot read");
  }
  for (const std::size_t length : {std::size_t(20), kSealBytes, bytes.size() / 2, bytes.size() - 1})
    refuse(bytes.substr(0, length), "it is cut off");
  refuse(bytes + "x", "it is damaged");
  refuse("", "it is no data set");
  refuse(bytes.substr(kSealBytes), "it is no data set"); // an HDF5 file of somebody else
  std::string future = bytes;
  future[8] = 2;
  refuse(future, "it has format version 2, expected 1; it was written by a newer Krylearn");
  EXPECT_REFUSED(DataSet::Open(PETSC_COMM_WORLD, folder / "none.h5", &set), "No such file or directory");
  EXPECT_REFUSED(DataSet::Open(PETSC_COMM_WORLD, folder.Path(), &set), "it is not a file");
  EXPECT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, path, &set));
}

PetscErrorCode View(const std::string &path, PetscObject object) {
  PetscFunctionBeginUser;
  PetscViewer viewer;
  PetscCall(PetscViewerBinaryOpen(PETSC_COMM_WORLD, path.c_str(), FILE_MODE_WRITE, &viewer));
  PetscCall(PetscObjectView(object, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscFunctionReturn(0);
}

/// What `fluid -capture` would write for a closed box of 8 x 9 cells: pure Neumann.
void CaptureClosedBox(const ScratchFolder &folder) {
  GridSpec box;
  box.cells = {8, 9, 1};
  std::shared_ptr<const Grid> grid;
  ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, box, &grid));
  PoissonCoefficients c;
  c.alpha = grid->NewFaces();
  c.solid = grid->NewField();
  for (int a = 0; a < 2; ++a) std::fill(c.alpha[a].begin(), c.alpha[a].end(), 0.5);
  Mat matrix;
  Vec b;
  ASSERT_PETSC_OK(AssemblePoisson(*grid, c, &matrix));
  ASSERT_PETSC_OK(DMCreateGlobalVector(grid->PressureDM(), &b));
  Field field = grid->NewField();
  ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    field[grid->Cells().At(i, j, k)] = std::cos(M_PI * (double(i) + 0.5) / 8);
  });
  ASSERT_PETSC_OK(grid->ToVec(field, b));
  ASSERT_PETSC_OK(View(folder / "matrix.bin", (PetscObject)matrix));
  ASSERT_PETSC_OK(View(folder / "rhs.bin", (PetscObject)b));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder / "sequence.txt",
                                "grid 8 9 1 periodic 0 0 0\nmatrix.bin rhs.bin step 0.1 residual 1e-3\n"));
  ASSERT_PETSC_OK(MatDestroy(&matrix));
  ASSERT_PETSC_OK(VecDestroy(&b));
}

TEST(DataReader, GivesCapturedSystemsThatAreSingular) {
  ScratchFolder folder;
  CaptureClosedBox(folder);
  DataSpec spec;
  spec.problems.clear();
  spec.grids.clear();
  spec.captured = {folder.Path()};
  spec.solutions = 1;
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, Plan(spec), folder / "d.h5"));
  std::unique_ptr<DataSet> set;
  ASSERT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, folder / "d.h5", &set));
  ASSERT_EQ(set->Samples().size(), 1u);
  EXPECT_EQ(set->Samples()[0].family, "pressure");
  EXPECT_TRUE(set->Samples()[0].singular);
  DataSample sample;
  ASSERT_PETSC_OK(set->Read(0, &sample));
  // The cosine is an eigenvector; faces of unequal length and distance scale its eigenvalue.
  const double value = 2 * 0.5 * (1 - std::cos(M_PI / 8)) * 8 / 9;
  for (long i = 0; i < 72; ++i) {
    const double cosine = std::cos(M_PI * (double(i % 8) + 0.5) / 8);
    EXPECT_NEAR(sample.right_sides[std::size_t(i)] * sample.unit, cosine, 1e-10);
    EXPECT_NEAR(sample.solutions[std::size_t(i)], cosine / value, 1e-5);
  }
  nets::TrainingSpec training;
  nets::GeometrySource source;
  training.families.clear();
  training.grids.clear();
  EXPECT_REFUSED(GeometriesOfData(PETSC_COMM_WORLD, folder / "d.h5", "", &training, &source), "has no geometry");
}

TEST(DataReader, ServesTraining) {
  ScratchFolder folder;
  DataSpec spec = SmallSpec();
  spec.grids = {{12, 12, 1}, {8, 8, 1}};
  spec.solutions = 0;
  const std::string path = folder / "t.h5", held_out = folder / "v.h5";
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, Plan(spec), path));
  spec.split = "validation";
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, Plan(spec), held_out));
  nets::TrainingSpec training;
  nets::GeometrySource source;
  training.families.clear();
  training.grids.clear();
  ASSERT_PETSC_OK(GeometriesOfData(PETSC_COMM_WORLD, path, "", &training, &source));
  EXPECT_EQ(training.families, (std::vector<std::string>{"obstacles", "darcy"}));
  ASSERT_EQ(training.grids.size(), 2u);
  EXPECT_EQ(training.data.rfind("data set ", 0), 0u);
  const nets::GeometryRequest request{"darcy", {8, 8, 1}, nets::kFirstTrainingSeed, 1};
  std::unique_ptr<DataSet> set;
  ASSERT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, path, &set));
  nets::Geometry expected;
  for (std::size_t i = 0; i < set->Samples().size(); ++i) // the last of them is number 1
    if (set->Samples()[i].family == "darcy" && set->Groups()[set->Samples()[i].group].n == request.n) {
      ASSERT_PETSC_OK(set->ReadGeometry(i, &expected));
    }
  EXPECT_EQ(source(request).sums, expected.sums);
  EXPECT_EQ(source(request).faces, expected.faces);
  nets::GeometryRequest beyond = request;
  beyond.number = 2;
  EXPECT_THROW(source(beyond), std::invalid_argument);
  // Held-out geometries: made on the fly, or of the other file.
  const nets::GeometryRequest validation{"darcy", {8, 8, 1}, nets::kFirstValidationSeed, 0};
  EXPECT_EQ(source(validation).sums.size(), 64u);
  ASSERT_PETSC_OK(GeometriesOfData(PETSC_COMM_WORLD, path, held_out, &training, &source));
  EXPECT_EQ(source(validation).sums.size(), 64u);
  EXPECT_REFUSED(GeometriesOfData(PETSC_COMM_WORLD, held_out, "", &training, &source),
                 "holds validation geometries, expected training ones");
  training.families = {"walls"};
  EXPECT_REFUSED(GeometriesOfData(PETSC_COMM_WORLD, path, "", &training, &source), "of problem walls on grid");
}

} // namespace
