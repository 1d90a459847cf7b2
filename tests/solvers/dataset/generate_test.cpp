// What data sets hold, on any number of ranks and after interruptions.
#include "solvers/dataset/make_sample.h"
#include "solvers/dataset/unknowns.h"
#include "solvers/training_geometry.h"
#include "tests/solvers/dataset/dataset_test.h"
#include <cmath>
#include <set>

using namespace krylearn;
using namespace krylearn_test;

namespace {

/// A x by the definition of nets::Geometry.
std::vector<double> Apply(const nets::Geometry &g, const double *x) {
  const auto &n = g.partition.n;
  const long stride[3] = {1, n[0], n[0] * n[1]};
  std::vector<double> b(std::size_t(n[0] * n[1] * n[2]));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = double(g.sums[i]) * x[i];
  for (std::size_t a = 0; a < std::size_t(g.Dim()); ++a)
    for (std::size_t i = 0; i < b.size(); ++i) {
      const long at = long(i) / stride[a] % n[a];
      const std::size_t below = std::size_t(at > 0 ? long(i) - stride[a] : long(i) + (n[a] - 1) * stride[a]);
      const double flux = double(g.faces[a][i]) * (x[i] - x[below]);
      b[i] += flux;
      b[below] -= flux;
    }
  return b;
}

double Norm(const std::vector<double> &v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

TEST(DataSets, AreTheSameOnAnyNumberOfRanks) {
  ScratchFolder folder;
  const DataPlan plan = Plan(SmallSpec());
  EXPECT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, folder / "all.h5"));
  OnRank0([&] { EXPECT_PETSC_OK(Generate(PETSC_COMM_SELF, plan, folder / "one.h5")); });
  EXPECT_GT(BytesOf(folder / "all.h5").size(), 10000u);
  EXPECT_TRUE(BytesOf(folder / "all.h5") == BytesOf(folder / "one.h5"));
}

TEST(DataSets, HoldSolutionsThatFitTheirOperators) {
  ScratchFolder folder;
  const DataPlan plan = Plan(SmallSpec());
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, folder / "d.h5"));
  std::unique_ptr<DataSet> set;
  ASSERT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, folder / "d.h5", &set));
  ASSERT_EQ(set->Samples().size(), 8u);
  std::set<std::vector<std::int8_t>> mixes;
  for (std::size_t i = 0; i < set->Samples().size(); ++i) {
    const DataSet::Entry &entry = set->Samples()[i];
    const DataGroup &group = set->Groups()[entry.group];
    DataSample sample;
    ASSERT_PETSC_OK(set->Read(i, &sample));
    EXPECT_FALSE(entry.singular);
    EXPECT_EQ(group.right_sides, 2);
    mixes.insert(sample.boundaries);
    const nets::Geometry g = GeometryOf(group, sample);
    for (long r = 0; r < group.right_sides; ++r) {
      const double *b = sample.right_sides.data() + r * group.Cells();
      const double size = Norm(std::vector<double>(b, b + group.Cells()));
      std::vector<double> residual = Apply(g, sample.solutions.data() + r * group.Cells());
      for (std::size_t c = 0; c < residual.size(); ++c) residual[c] -= b[c];
      EXPECT_GT(size, 1);
      EXPECT_LE(Norm(residual), 1e-12 * size) << i;
    }
  }
  EXPECT_GT(mixes.size(), 2u);
}

TEST(DataSets, HoldTheGeometriesThatTrainingMakes) {
  ScratchFolder folder;
  DataSpec spec = SmallSpec();
  spec.solutions = 0;
  spec.problems = {"contrast"};
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, Plan(spec), folder / "d.h5"));
  std::unique_ptr<DataSet> set;
  ASSERT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, folder / "d.h5", &set));
  const nets::GeometrySource source = TrainingGeometries(spec.parameters);
  for (std::size_t i = 0; i < set->Samples().size(); ++i) {
    const DataSet::Entry &entry = set->Samples()[i];
    EXPECT_GE(entry.seed, nets::kFirstTrainingSeed);
    const nets::Geometry made = source({entry.family, set->Groups()[entry.group].n, entry.seed, 0});
    nets::Geometry read;
    ASSERT_PETSC_OK(set->ReadGeometry(i, &read));
    EXPECT_EQ(read.faces, made.faces);
    EXPECT_EQ(read.sums, made.sums);
    EXPECT_EQ(read.partition.periodic, made.partition.periodic);
    EXPECT_EQ(read.partition.n, made.partition.n);
  }
}

TEST(DataSets, HoldLowestEigenvectors) {
  DataSpec spec = SmallSpec();
  spec.modes = 4;
  DataPlan plan;
  if (PlanDataSet(PETSC_COMM_WORLD, spec, &plan)) {
    EXPECT_NE(TakePetscError().find("no SLEPc"), std::string::npos);
    GTEST_SKIP() << "no SLEPc";
  }
  ScratchFolder folder;
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, folder / "all.h5"));
  OnRank0([&] { EXPECT_PETSC_OK(Generate(PETSC_COMM_SELF, plan, folder / "one.h5")); });
  EXPECT_TRUE(BytesOf(folder / "all.h5") == BytesOf(folder / "one.h5"));
  std::unique_ptr<DataSet> set;
  ASSERT_PETSC_OK(DataSet::Open(PETSC_COMM_WORLD, folder / "all.h5", &set));
  for (std::size_t i = 0; i < set->Samples().size(); ++i) {
    const DataGroup &group = set->Groups()[set->Samples()[i].group];
    ASSERT_EQ(group.modes, 4);
    DataSample sample;
    ASSERT_PETSC_OK(set->Read(i, &sample));
    const nets::Geometry g = GeometryOf(group, sample);
    for (long m = 0; m < group.modes; ++m) {
      const float *mode = sample.modes.data() + m * group.Cells();
      const std::vector<double> v(mode, mode + group.Cells());
      std::vector<double> residual = Apply(g, v.data());
      for (std::size_t c = 0; c < v.size(); ++c) residual[c] -= sample.mode_values[std::size_t(m)] * v[c];
      EXPECT_NEAR(Norm(v), 1, 1e-6);
      EXPECT_LE(Norm(residual), 1e-6);
      EXPECT_GT(sample.mode_values[std::size_t(m)], m == 0 ? 0 : sample.mode_values[std::size_t(m) - 1] * (1 - 1e-9));
    }
  }
}

TEST(DataSets, GoOnWhereAnInterruptedRunStopped) {
  ScratchFolder folder;
  const DataPlan plan = Plan(SmallSpec());
  const std::string path = folder / "d.h5";
  {
    DataWriter writer;
    ASSERT_PETSC_OK(writer.Open(PETSC_COMM_WORLD, path, plan, ""));
    for (const std::size_t number : {std::size_t(1), std::size_t(6), std::size_t(7)}) {
      DataSample sample;
      ASSERT_PETSC_OK(MakeSample(plan, number, &sample));
      if (Rank() == int(number) % Ranks()) {
        EXPECT_PETSC_OK(writer.Write(number, &sample));
      }
    }
    ASSERT_PETSC_OK(writer.Close());
  }
  std::unique_ptr<DataSet> set;
  EXPECT_REFUSED(DataSet::Open(PETSC_COMM_WORLD, path + ".part", &set), "it is unfinished");
  DataSpec other = SmallSpec();
  other.seed = 2;
  EXPECT_REFUSED(Generate(PETSC_COMM_WORLD, Plan(other), path), "is an unfinished data set of other options");
  // A sample whose last values a crash of the machine has lost is made again.
  OnRank0([&] {
    std::string bytes = BytesOf(path + ".part");
    DataSample sample;
    EXPECT_PETSC_OK(MakeSample(plan, 6, &sample));
    const std::string solution(reinterpret_cast<const char *>(sample.solutions.data()), 64);
    const std::size_t at = bytes.find(solution);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, 64, 64, '\0');
    WriteBytes(path + ".part", bytes);
  });
  DataReport report;
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, path, &report));
  EXPECT_EQ(report.made, 6);
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, folder / "at_once.h5"));
  EXPECT_TRUE(BytesOf(path) == BytesOf(folder / "at_once.h5"));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
  ASSERT_PETSC_OK(Generate(PETSC_COMM_WORLD, plan, path, &report));
  EXPECT_TRUE(report.complete);
  EXPECT_REFUSED(Generate(PETSC_COMM_WORLD, Plan(other), path), "is a data set of other options");
}

TEST(DataSets, OfDifferentSplitsAndSeedsShareNoGeometry) {
  std::set<long> seeds;
  std::size_t count = 0;
  for (const char *split : {"training", "validation", "test"})
    for (const long seed : {0, 1, 98}) {
      DataSpec spec = SmallSpec();
      spec.split = split;
      spec.seed = seed;
      spec.count = 250; // as many as fit a block of validation
      for (const PlannedSample &sample : Plan(spec).samples) seeds.insert(sample.seed), ++count;
    }
  EXPECT_EQ(seeds.size(), count);
}

TEST(DataSets, RefuseWhatCannotBeMade) {
  DataPlan plan;
  const auto refuse = [&](void (*change)(DataSpec *), const char *message) {
    DataSpec spec = SmallSpec();
    change(&spec);
    EXPECT_REFUSED(PlanDataSet(PETSC_COMM_WORLD, spec, &plan), message);
  };
  refuse([](DataSpec *s) { s->split = "tests"; }, "-split tests: give training, validation or test");
  refuse([](DataSpec *s) { s->count = 0; }, "-count 0: give at least one");
  refuse([](DataSpec *s) { s->split = "validation", s->count = 251; }, "1000 seeds a data set");
  refuse([](DataSpec *s) { s->seed = 10000; }, "-seed 10000: give 0 to 9999");
  refuse([](DataSpec *s) { s->modes = 101; }, "-ritz 101: give 0 to 100");
  refuse([](DataSpec *s) { s->problems = {"obstakles"}; }, "did you mean 'obstacles'");
  refuse([](DataSpec *s) { s->problems = {"mms"}; }, "problem mms has boundaries of its own");
  refuse([](DataSpec *s) { s->grids = {{3, 8, 1}}; }, "3x8 has fewer than 4 cells");
  refuse([](DataSpec *s) { s->small_cells = 10; }, "-solutions: no grid has at most");
  refuse([](DataSpec *s) { s->captured = {"/nowhere"}; }, "No captured systems in /nowhere");
  ScratchFolder folder;
  plan = Plan(SmallSpec());
  DataOutput output;
  DataReport report;
  output.path = folder / "d.h5";
  output.max_megabytes = 0.01;
  EXPECT_REFUSED(GenerateDataSet(PETSC_COMM_WORLD, plan, output, &report), "more than -max_size 0.01");
  EXPECT_REFUSED(Generate(PETSC_COMM_WORLD, plan, folder / "none/d.h5"), "none' does not exist");
  EXPECT_REFUSED(Generate(PETSC_COMM_WORLD, plan, folder.Path()), "there is a folder of that name");
  OnRank0([&] { EXPECT_TRUE(std::filesystem::is_empty(folder.Path())); });
}

} // namespace
