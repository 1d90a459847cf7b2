// PCNEURAL, with a model that this test trains for a few steps.
#include "solvers/ksp/dcdm.h"
#include "solvers/linear_system.h"
#include "solvers/pc/neural.h"
#include "solvers/training_geometry.h"
#include "tests/scratch_folder.h"
#include "tests/solvers/pc/nmg_model.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

using namespace krylearn;
using namespace krylearn_test;

namespace {

/// A model file for each dimension; none where there is no LibTorch.
class NeuralTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    nets::Library *library = nullptr;
    if (OpenNetworks(PETSC_COMM_WORLD, &library)) {
      TakePetscError();
      return;
    }
    folder_ = new ScratchFolder;
    for (const bool deep : {false, true}) {
      nets::TrainingSpec spec;
      spec.grids = {deep ? nets::Index{8, 8, 8} : nets::Index{24, 24, 1}};
      spec.geometries = spec.batch_geometries = 4;
      spec.right_sides = spec.batch_right_sides = 4;
      spec.steps = deep ? 5 : 60;
      spec.rate = 5e-3;
      spec.validate_every = spec.steps;
      spec.validation_geometries = 1;
      spec.output = Path(deep ? 3 : 2);
      library->Train(PETSC_COMM_WORLD, spec, TrainingGeometries({}));
    }
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override {
    if (!folder_) GTEST_SKIP() << "no LibTorch";
  }
  static std::string Path(int dim) { return *folder_ / ("model" + std::to_string(dim) + ".pt"); }
  static ScratchFolder *folder_;
};
ScratchFolder *NeuralTest::folder_ = nullptr;

void UseNeural(Solver *solver, const std::string &path) {
  ASSERT_PETSC_OK(PCSetType(solver->pc, PCNEURAL));
  ASSERT_PETSC_OK(PCNeuralSetModel(solver->pc, path.c_str()));
}

void Make(const char *name, const Int3 &cells, LinearSystem *system) {
  ProblemSpec spec;
  spec.name = name;
  spec.cells = cells;
  ASSERT_PETSC_OK(MakeSystem(PETSC_COMM_WORLD, spec, "", system));
}

TEST_F(NeuralTest, TakesTheSameFewIterationsOnAnyNumberOfRanks) {
  const struct {
    const char *problem;
    Int3 cells;
    PetscInt iterations;
  } table[] = {{"obstacles", {64, 64, 1}, 12}, {"obstacles", {51, 38, 1}, 13}, {"obstacles", {20, 18, 17}, 17}};
  for (const auto &row : table)
    for (const char *type : {KSPCG, KSPDCDM}) {
      SCOPED_TRACE(std::string(row.problem) + " " + GridSize(row.cells) + " " + type);
      LinearSystem system;
      Make(row.problem, row.cells, &system);
      Solver solver(system.A);
      ASSERT_PETSC_OK(KSPSetType(solver.ksp, type));
      UseNeural(&solver, Path(row.cells[2] > 1 ? 3 : 2));
      EXPECT_NEAR(double(solver.Solve(system.b, system.x)), double(row.iterations), 1);
      solver.Solve(system.b, system.x, 1e-12); // single precision inside does not limit what is reached outside
      ASSERT_PETSC_OK(system.Destroy());
    }
}

TEST_F(NeuralTest, IsSymmetric) {
  LinearSystem system;
  Make("mixed", {33, 29, 1}, &system);
  Solver solver(system.A);
  UseNeural(&solver, Path(2));
  ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
  DM dm;
  Vec x[2], y[2];
  ASSERT_PETSC_OK(MatGetDM(system.A, &dm));
  for (int i = 0; i < 2; ++i) {
    ASSERT_PETSC_OK(VecDuplicate(system.b, &x[i]));
    ASSERT_PETSC_OK(VecDuplicate(system.b, &y[i]));
    Fill(dm, x[i], [&](const Cell &c) { return RandomEntry(c[0] + 100 * c[1] + 10000 * i); });
    ASSERT_PETSC_OK(PCApply(solver.pc, x[i], y[i]));
  }
  PetscScalar there, back, own;
  ASSERT_PETSC_OK(VecDot(y[0], x[1], &there));
  ASSERT_PETSC_OK(VecDot(x[0], y[1], &back));
  ASSERT_PETSC_OK(VecDot(x[0], y[0], &own));
  EXPECT_GT(own, 0);
  EXPECT_NEAR(there, back, 1e-4 * own);
  for (int i = 0; i < 2; ++i) {
    ASSERT_PETSC_OK(VecDestroy(&x[i]));
    ASSERT_PETSC_OK(VecDestroy(&y[i]));
  }
  ASSERT_PETSC_OK(system.Destroy());
}

TEST_F(NeuralTest, ServesPeriodicSingularScaledAndNaturallyOrderedSystems) {
  ModelSpec spec = Dirichlet({40, 33, 1});
  Model plain, scaled, natural, singular, ring;
  MakeModel(PETSC_COMM_WORLD, spec, &plain);
  MakeModel(PETSC_COMM_WORLD, spec, &scaled);
  ASSERT_PETSC_OK(MatScale(scaled.A, 1e30));
  ASSERT_PETSC_OK(VecScale(scaled.b, 1e-20));
  MakeNaturalModel(spec, &natural);
  PetscInt usual = 0;
  for (Model *m : {&plain, &scaled, &natural}) {
    Solver solver(m->A);
    UseNeural(&solver, Path(2));
    if (m == &natural) { ASSERT_PETSC_OK(PCNeuralSetGrid(solver.pc, 40, 33, 1)); }
    const PetscInt iterations = solver.Solve(m->b, m->x);
    if (m == &plain) usual = iterations;
    EXPECT_NEAR(double(iterations), double(usual), 1);
  }
  spec = ModelSpec();
  spec.n = {32, 24, 1};
  MakeModel(PETSC_COMM_WORLD, spec, &singular, true);
  spec.periodic = {true, true, false};
  MakeModel(PETSC_COMM_WORLD, spec, &ring, true);
  for (Model *m : {&singular, &ring}) {
    Solver solver(m->A);
    UseNeural(&solver, Path(2));
    EXPECT_LE(solver.Solve(m->b, m->x), 25);
  }
}

TEST_F(NeuralTest, FollowsNewValuesAndWorksAgainAfterAReset) {
  ModelSpec spec = Dirichlet({40, 33, 1});
  Model m;
  MakeModel(PETSC_COMM_WORLD, spec, &m);
  Solver solver(m.A);
  UseNeural(&solver, Path(2));
  const PetscInt usual = solver.Solve(m.b, m.x);
  const auto alpha = spec.alpha;
  spec.alpha = [](int, const Cell &c) { return c[0] < 20 ? 50.0 : 1.0; };
  FillMatrix(spec, m.dm, m.A);
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_LE(solver.Solve(m.b, m.x), usual + 10);
  spec.alpha = alpha;
  FillMatrix(spec, m.dm, m.A);
  ASSERT_PETSC_OK(KSPReset(solver.ksp));
  ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
}

/// Overwrites the weights of a model file and its checksum (CRC-32, see nets/model_file.h).
void Tamper(const std::string &from, const std::string &to, const std::function<float(std::size_t)> &weight) {
  OnRank0([&] {
    std::ifstream file(from, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    std::string bytes = all.str();
    const std::size_t first = bytes.find("\n\n") + 2;
    for (std::size_t i = 0; first + 4 * i < bytes.size(); ++i) {
      const float value = weight(i);
      std::memcpy(&bytes[first + 4 * i], &value, 4);
    }
    std::uint32_t crc = ~0u;
    for (std::size_t i = 16; i < bytes.size(); ++i) {
      crc ^= static_cast<unsigned char>(bytes[i]);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    crc = ~crc;
    std::memcpy(&bytes[12], &crc, 4);
    std::ofstream(to, std::ios::binary) << bytes;
  });
}

TEST_F(NeuralTest, ConvergesWithDcdmWhateverTheWeights) {
  LinearSystem system;
  Make("obstacles", {24, 20, 1}, &system);
  const struct {
    const char *name;
    std::function<float(std::size_t)> weight;
  } table[] = {{"NaN", [](std::size_t) { return std::numeric_limits<float>::quiet_NaN(); }},
               {"one NaN", [](std::size_t i) { return i == 77 ? std::numeric_limits<float>::quiet_NaN() : 0.1f; }},
               {"zero", [](std::size_t) { return 0.f; }},
               {"constant", [](std::size_t) { return -1.f; }},
               {"random", [](std::size_t i) { return float(RandomEntry(PetscInt(i))); }},
               {"huge", [](std::size_t i) { return 1e30f * float(RandomEntry(PetscInt(i))); }}};
  for (const auto &row : table) {
    SCOPED_TRACE(row.name);
    const std::string path = *folder_ / "hostile.pt";
    Tamper(Path(2), path, row.weight);
    Solver solver(system.A);
    ASSERT_PETSC_OK(KSPSetType(solver.ksp, KSPDCDM));
    UseNeural(&solver, path);
    KSPConvergedReason reason;
    double norm;
    PetscReal scale;
    ASSERT_PETSC_OK(KSPSetTolerances(solver.ksp, 1e-6, 1e-300, 1e5, 2000));
    ASSERT_PETSC_OK(KSPSolve(solver.ksp, system.b, system.x));
    ASSERT_PETSC_OK(KSPGetConvergedReason(solver.ksp, &reason));
    EXPECT_GT(reason, 0) << KSPConvergedReasons[reason];
    ASSERT_PETSC_OK(TrueResidual(system.A, system.b, system.x, &norm));
    ASSERT_PETSC_OK(VecNorm(system.b, NORM_2, &scale));
    EXPECT_LE(norm, 1.01e-6 * scale);
  }
  ASSERT_PETSC_OK(system.Destroy());
}

TEST_F(NeuralTest, RefusesWhatItCannotUse) {
  Model m, deep, bare;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 1}), &m);
  MakeModel(PETSC_COMM_WORLD, Dirichlet({12, 10, 8}), &deep);
  MakeNaturalModel(Dirichlet({20, 17, 1}), &bare);
  const auto refused = [](Mat A, const std::string &path, const char *message) {
    Solver solver(A);
    UseNeural(&solver, path);
    EXPECT_REFUSED(KSPSetUp(solver.ksp), message);
  };
  refused(m.A, "", "needs a trained model: give -pc_neural_model FILE");
  refused(m.A, *folder_ / "missing.pt", "cannot be read: No such file");
  refused(m.A, Path(3), "is for 3D grids, but this one is 2D");
  refused(deep.A, Path(2), "is for 2D grids, but this one is 3D");
  refused(bare.A, Path(2), "give -pc_neural_grid nx,ny[,nz]");
  Solver solver(bare.A);
  UseNeural(&solver, Path(2));
  EXPECT_REFUSED(PCNeuralSetGrid(solver.pc, 0, 1, 1), "has none");
  ASSERT_PETSC_OK(PCNeuralSetGrid(solver.pc, 20, 18, 1));
  EXPECT_REFUSED(KSPSetUp(solver.ksp), "-pc_neural_grid 20,18,1 has 360 cells, but the matrix has 340 rows");
  ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, "-pc_neural_grid", "8"));
  EXPECT_REFUSED(PCSetFromOptions(solver.pc), "two numbers (2D) or three (3D)");
  ASSERT_PETSC_OK(PetscOptionsClearValue(nullptr, "-pc_neural_grid"));
}

TEST_F(NeuralTest, ViewTellsTheModel) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 1}), &m);
  Solver solver(m.A);
  UseNeural(&solver, Path(2));
  ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
  char *buffer = nullptr;
  std::size_t length = 0;
  FILE *memory = open_memstream(&buffer, &length);
  PetscViewer viewer;
  ASSERT_PETSC_OK(PetscViewerASCIIOpenWithFILE(PETSC_COMM_WORLD, memory, &viewer));
  ASSERT_PETSC_OK(PCView(solver.pc, viewer));
  ASSERT_PETSC_OK(PetscViewerDestroy(&viewer));
  std::fclose(memory);
  const std::string seen(buffer, length);
  std::free(buffer);
  if (Rank() > 0) return;
  EXPECT_NE(seen.find("architecture vcycle, 2D, 1537 parameters, linear"), std::string::npos) << seen;
  EXPECT_NE(seen.find(Path(2)), std::string::npos) << seen;
}

} // namespace
