// PCNEURAL, with a model that this test trains for a few steps.
#include "solvers/ksp/dcdm.h"
#include "solvers/linear_system.h"
#include "solvers/pc/neural.h"
#include "solvers/pc/neural/suitable.h"
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
    // Of every architecture, hardly trained.
    for (const auto &architecture : library->ArchitectureList()) {
      nets::TrainingSpec spec;
      spec.architecture = architecture.first;
      spec.grids = {{24, 24, 1}};
      spec.geometries = spec.batch_geometries = Ranks();
      spec.right_sides = spec.batch_right_sides = 1;
      spec.steps = spec.validate_every = spec.validation_geometries = 1;
      spec.output = Path(architecture.first);
      library->Train(PETSC_COMM_WORLD, spec, TrainingGeometries({}));
      architectures_.push_back(architecture.first);
    }
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
    architectures_.clear();
  }
  void SetUp() override {
    if (!folder_) GTEST_SKIP() << "no LibTorch";
  }
  static std::string Path(int dim) { return *folder_ / ("model" + std::to_string(dim) + ".pt"); }
  static std::string Path(const std::string &architecture) { return *folder_ / (architecture + ".pt"); }
  static ScratchFolder *folder_;
  static std::vector<std::string> architectures_;
};
ScratchFolder *NeuralTest::folder_ = nullptr;
std::vector<std::string> NeuralTest::architectures_;

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

/// To 1e-6 in the true residual, however slowly.
void ExpectConverged(Solver *solver, const LinearSystem &system) {
  KSPConvergedReason reason;
  double norm;
  PetscReal scale;
  ASSERT_PETSC_OK(KSPSetTolerances(solver->ksp, 1e-6, 1e-300, 1e5, 20000));
  ASSERT_PETSC_OK(KSPSolve(solver->ksp, system.b, system.x));
  ASSERT_PETSC_OK(KSPGetConvergedReason(solver->ksp, &reason));
  EXPECT_GT(reason, 0) << KSPConvergedReasons[reason];
  ASSERT_PETSC_OK(TrueResidual(system.A, system.b, system.x, &norm));
  ASSERT_PETSC_OK(VecNorm(system.b, NORM_2, &scale));
  EXPECT_LE(norm, 1.01e-6 * scale);
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
               // Weights of the smoother are −0.8 in place of 0.8: the sign of the direction flips, or nearly so.
               {"sign flipped", [](std::size_t i) { return i == 1537 - 5 ? -1.6f : 0.f; }},
               {"random", [](std::size_t i) { return float(RandomEntry(PetscInt(i))); }},
               {"huge", [](std::size_t i) { return 1e30f * float(RandomEntry(PetscInt(i))); }}};
  for (const auto &row : table) {
    SCOPED_TRACE(row.name);
    const std::string path = *folder_ / "hostile.pt";
    Tamper(Path(2), path, row.weight);
    Solver solver(system.A);
    ASSERT_PETSC_OK(KSPSetType(solver.ksp, KSPDCDM));
    UseNeural(&solver, path);
    ExpectConverged(&solver, system);
  }
  ASSERT_PETSC_OK(system.Destroy());
}

TEST_F(NeuralTest, ConvergesWithDcdmOnGeometriesThatItHasNotBeenTrainedFor) {
  const auto converges = [](const char *problem, const std::string &path) {
    SCOPED_TRACE(std::string(problem) + " " + path);
    LinearSystem system;
    Make(problem, {32, 28, 1}, &system);
    Solver solver(system.A);
    ASSERT_PETSC_OK(KSPSetType(solver.ksp, KSPDCDM));
    UseNeural(&solver, path);
    ExpectConverged(&solver, system);
    ASSERT_PETSC_OK(system.Destroy());
  };
  for (const char *problem : {"contrast", "walls", "stretched"}) converges(problem, Path(2));
  for (const std::string &architecture : architectures_) converges("mixed", Path(architecture));
}

/// Pages of memory that this process holds.
long ResidentPages() {
  std::ifstream file("/proc/self/statm");
  long size = 0, resident = 0;
  file >> size >> resident;
  return resident;
}

TEST_F(NeuralTest, TakesNoMoreMemoryAfterTheSecondApplication) {
  if (ResidentPages() == 0) GTEST_SKIP() << "/proc is not there";
  LinearSystem system;
  Make("obstacles", {192, 192, 1}, &system);
  for (const std::string &architecture : architectures_) {
    SCOPED_TRACE(architecture);
    Solver solver(system.A);
    UseNeural(&solver, Path(architecture));
    ASSERT_PETSC_OK(KSPSetUp(solver.ksp));
    for (int i = 0; i < 2; ++i) ASSERT_PETSC_OK(PCApply(solver.pc, system.b, system.x));
    const long before = ResidentPages();
    for (int i = 0; i < 50; ++i) ASSERT_PETSC_OK(PCApply(solver.pc, system.b, system.x));
    // A field of this size is 72 pages, over the ranks: half of what one left behind in each application would be.
    // LibTorch's pools of memory come and go by less.
    EXPECT_LE(ResidentPages() - before, 50 * 36) << "of 50 applications";
  }
  ASSERT_PETSC_OK(system.Destroy());
}

/// What `body` prints on PETSc's error stream, on rank 0.
template <class Body> std::string ErrorStreamOf(Body &&body) {
  char *buffer = nullptr;
  std::size_t length = 0;
  FILE *usual = PETSC_STDERR;
  PETSC_STDERR = open_memstream(&buffer, &length);
  body();
  std::fclose(PETSC_STDERR);
  PETSC_STDERR = usual;
  const std::string seen(buffer, length);
  std::free(buffer);
  return seen;
}

TEST_F(NeuralTest, WarnsOnceWhereAMethodTakesMoreForGrantedThanTheNetworkHas) {
  LinearSystem system;
  Make("obstacles", {24, 20, 1}, &system);
  nets::Library *library;
  ASSERT_PETSC_OK(OpenNetworks(PETSC_COMM_WORLD, &library));
  for (const std::string &architecture : architectures_) {
    const auto network = library->Load(PETSC_COMM_WORLD, Path(architecture));
    for (const char *type : {KSPCG, KSPMINRES, KSPGMRES, KSPFCG, KSPDCDM, KSPFGMRES}) {
      SCOPED_TRACE(architecture + " " + type);
      const std::string seen = ErrorStreamOf([&] {
        Solver solver(system.A);
        ASSERT_PETSC_OK(KSPSetType(solver.ksp, type));
        ASSERT_PETSC_OK(KSPSetNormType(solver.ksp, KSP_NORM_DEFAULT));
        ASSERT_PETSC_OK(KSPSetTolerances(solver.ksp, 1e-2, 1e-300, 1e5, 5));
        UseNeural(&solver, Path(architecture));
        for (int twice = 0; twice < 2; ++twice) ASSERT_PETSC_OK(KSPSolve(solver.ksp, system.b, system.x));
      });
      const char *why = WhyNotSuitable(type, network->Linear(), network->Symmetric());
      if (!why || Rank() > 0) {
        EXPECT_EQ(seen, "");
        continue;
      }
      EXPECT_EQ(seen.find("PCNEURAL warning: "), 0u) << seen;
      EXPECT_EQ(seen.find('\n'), seen.size() - 1) << seen;
      EXPECT_NE(seen.find("is " + std::string(why)), std::string::npos) << seen;
      EXPECT_NE(seen.find("use -ksp_type dcdm or -ksp_type fcg"), std::string::npos) << seen;
    }
  }
  ASSERT_PETSC_OK(system.Destroy());
}

TEST(Suitable, KnowsWhatMethodsTakeForGranted) {
  for (const char *type : {KSPCG, KSPMINRES, KSPCR, KSPPIPECG, KSPGROPPCG}) {
    EXPECT_STREQ(WhyNotSuitable(type, false, false), "not linear") << type;
    EXPECT_STREQ(WhyNotSuitable(type, true, false), "not symmetric") << type;
    EXPECT_EQ(WhyNotSuitable(type, true, true), nullptr) << type;
  }
  for (const char *type : {KSPGMRES, KSPBCGS, KSPTFQMR}) {
    EXPECT_STREQ(WhyNotSuitable(type, false, false), "not linear") << type;
    EXPECT_EQ(WhyNotSuitable(type, true, false), nullptr) << type;
  }
  for (const char *type : {KSPDCDM, KSPFCG, KSPFGMRES, KSPGCR, KSPRICHARDSON, KSPPREONLY})
    EXPECT_EQ(WhyNotSuitable(type, false, false), nullptr) << type;
}

TEST_F(NeuralTest, WarnsWhereSinglePrecisionShows) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 1}), &m);
  for (const char *type : {KSPGMRES, KSPBCGS, KSPCG, KSPFGMRES, KSPDCDM})
    for (const double rtol : {1e-8, 1e-2}) {
      const std::string seen = ErrorStreamOf([&] {
        Solver solver(m.A);
        ASSERT_PETSC_OK(KSPSetType(solver.ksp, type));
        ASSERT_PETSC_OK(KSPSetTolerances(solver.ksp, rtol, 1e-300, 1e5, 30));
        UseNeural(&solver, Path(2));
        ASSERT_PETSC_OK(KSPSolve(solver.ksp, m.b, m.x));
      });
      const bool expected = Rank() == 0 && rtol < 1e-3 && !BearsSinglePrecision(type);
      EXPECT_EQ(seen.find("tolerances below 0.001 may be claimed and not reached") != std::string::npos, expected)
          << type << " " << seen;
    }
}

/// The same directions wherever there is a GPU, and a reason where there is none.
TEST_F(NeuralTest, TakesConvolutionsToAGpu) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 1}), &m);
  constexpr double kTolerance = 1e-3;
  Solver solver(m.A, kTolerance);
  ASSERT_PETSC_OK(KSPSetType(solver.ksp, KSPDCDM));
  UseNeural(&solver, Path("dcdm"));
  ASSERT_PETSC_OK(PCNeuralSetDevice(solver.pc, "cpu"));
  const PetscInt usual = solver.Solve(m.b, m.x, kTolerance);
  EXPECT_LT(usual, 200);
  ASSERT_PETSC_OK(PCNeuralSetDevice(solver.pc, "cuda"));
  const PetscErrorCode code = PCSetUp(solver.pc);
  const std::string complaint = TakePetscError();
  if (code) EXPECT_NE(complaint.find("this LibTorch finds none"), std::string::npos) << complaint;
  else EXPECT_NEAR(double(solver.Solve(m.b, m.x, kTolerance)), double(usual), 1);
}

TEST_F(NeuralTest, ComputesWhereItIsTold) {
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 17, 1}), &m);
  Solver solver(m.A);
  UseNeural(&solver, Path(2));
  const PetscInt usual = solver.Solve(m.b, m.x);
  ASSERT_PETSC_OK(PCNeuralSetThreads(solver.pc, 2));
  ASSERT_PETSC_OK(PCNeuralSetDevice(solver.pc, "cpu"));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
  // Its stencils are for host memory, whether there is a GPU or not.
  ASSERT_PETSC_OK(PCNeuralSetDevice(solver.pc, "cuda"));
  EXPECT_REFUSED(PCSetUp(solver.pc), "give auto or cpu");
  EXPECT_REFUSED(PCNeuralSetDevice(solver.pc, "gpu"), "unknown device 'gpu'; give auto, cpu or cuda");
  EXPECT_REFUSED(PCNeuralSetThreads(solver.pc, 0), "0 threads a rank; give 1 to 1024");
  ASSERT_PETSC_OK(PCNeuralSetDevice(solver.pc, "auto"));
  ASSERT_PETSC_OK(PCNeuralSetThreads(solver.pc, 1));
  EXPECT_EQ(solver.Solve(m.b, m.x), usual);
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
  const auto changed = [&](const char *name, const std::function<void(std::string *)> &change) {
    const std::string path = *folder_ / name;
    OnRank0([&] {
      std::ifstream file(Path(2), std::ios::binary);
      std::ostringstream all;
      all << file.rdbuf();
      std::string bytes = all.str();
      change(&bytes);
      std::ofstream(path, std::ios::binary) << bytes;
    });
    return path;
  };
  refused(m.A, changed("short.pt", [](std::string *b) { b->resize(b->size() / 2); }), "short.pt' is cut off");
  refused(m.A, changed("foreign.pt", [](std::string *b) { *b = "PK" + *b; }), "foreign.pt' is no model of Krylearn");
  refused(m.A, changed("newer.pt", [](std::string *b) { ++(*b)[8]; }), "newer.pt' has format version 2, expected 1");
  refused(m.A, changed("bad.pt", [](std::string *b) { (*b)[b->size() - 9] ^= 4; }), "bad.pt' is damaged");
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
  EXPECT_NE(seen.find("on cpu, 1 thread a rank"), std::string::npos) << seen;
  EXPECT_NE(seen.find(Path(2)), std::string::npos) << seen;
}

} // namespace
