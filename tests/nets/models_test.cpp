// Architectures and model files.
#include "nets/model_file.h"
#include "nets/training/conjugate.h"
#include "solvers/ksp/dcdm.h"
#include "solvers/linear_system.h"
#include "solvers/pc/neural.h"
#include "solvers/pc/neural/geometry.h"
#include "tests/nets/test_operator.h"
#include "tests/scratch_folder.h"
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

using namespace krylearn::nets;
using namespace krylearn_test;

namespace {

const std::vector<Index> kSizes = {{17, 14, 1}, {9, 8, 7}};

/// Architectures that are multigrid cycles, or look like it.
const std::vector<std::string> kCycles = {"vcycle", "npsd"};

/// One whose networks do something.
std::unique_ptr<Net> TestNet(int dim, at::ScalarType type, const std::string &name = "vcycle") {
  const Architecture &architecture = FindArchitecture(name);
  auto net = architecture.make(FillOptions(architecture, {{"channels", "4"}, {"layers", "2"}}), dim, 3);
  for (std::size_t i = 0; i < net->parameters.size(); ++i) {
    at::Tensor &t = net->parameters[i].second;
    t = t + RandomParameter(t.sizes().vec(), 0.02, 11, long(i));
  }
  net->ConvertTo(type);
  return net;
}

TEST(Cycles, AreSymmetricAndLinear) {
  for (const std::string &name : kCycles)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n)) {
        const GridOperator op = TestOperator(n, p, at::kDouble);
        const auto net = TestNet(op.dim, at::kDouble, name);
        at::NoGradGuard no_gradients;
        const auto prepared = net->Prepare(op);
        const at::Tensor fluid = (op.scale > 0).to(at::kDouble);
        const at::Tensor x = Part(Random({1, n[2], n[1], n[0]}, 1), p) * fluid,
                         y = Part(Random({1, n[2], n[1], n[0]}, 2), p) * fluid;
        const at::Tensor Bx = prepared->Apply(x), By = prepared->Apply(y);
        const double there = Dot(Bx, y, p).item<double>(), back = Dot(x, By, p).item<double>();
        EXPECT_NEAR(there, back, 1e-12 * std::abs(Dot(Bx, x, p).item<double>())) << name;
        EXPECT_GT(Dot(Bx, x, p).item<double>(), 0) << name;
        EXPECT_LT(Largest(prepared->Apply(2 * x - 3 * y) - (2 * Bx - 3 * By)), 1e-12) << name;
        EXPECT_EQ(Largest(Bx * (1 - fluid)), 0) << name;
      }
}

TEST(Cycles, GiveTheSameOutputAndGradientsOnAnyNumberOfRanks) {
  for (const std::string &name : kCycles)
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const double tolerance = type == at::kDouble ? 1e-10 : 1e-4;
      for (const Index &n : kSizes) {
        const auto run = [&](const Partition &p, at::Tensor *output) {
          const GridOperator op = TestOperator(n, p, type);
          const auto net = TestNet(op.dim, type, name);
          net->RequireGradients(true);
          const at::Tensor r = Part(Random({2, n[2], n[1], n[0]}, 1, type), p) * (op.scale > 0);
          const at::Tensor q = net->Prepare(op)->Apply(r);
          *output = q.detach();
          (q * q).sum().backward();
          std::vector<at::Tensor> gradients;
          for (const auto &parameter : net->parameters)
            gradients.push_back(parameter.second.grad().flatten().to(at::kDouble));
          return at::cat(gradients).contiguous();
        };
        at::Tensor whole, part;
        const at::Tensor expected = run(Partition::Whole(n), &whole);
        for (const Partition &p : Cuts(n)) {
          const at::Tensor gradients = Sum(run(p, &part));
          EXPECT_LT((gradients - expected).norm().item<double>(), tolerance * expected.norm().item<double>()) << name;
          EXPECT_LT(Largest(Join(part, p) - whole), tolerance * Largest(whole)) << name;
        }
      }
    }
}

TEST(Cycles, DoTheSameWithoutGradients) {
  for (const std::string &name : kCycles)
    for (const auto &periodic : {std::array<bool, 3>{false, false, false}, std::array<bool, 3>{true, true, true}})
      for (const Index &n : {Index{17, 14, 1}, Index{5, 12, 1}, Index{9, 8, 7}})
        for (const Partition &p : Cuts(n, periodic))
          for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
            const GridOperator op = TestOperator(n, p, type);
            const auto net = TestNet(op.dim, type, name);
            const auto with_graph = net->Prepare(op);
            std::unique_ptr<Prepared> prepared;
            {
              at::NoGradGuard no_gradients;
              prepared = net->Prepare(op);
            }
            for (const std::int64_t batch : {1, 3}) {
              const at::Tensor r = Part(Random({batch, n[2], n[1], n[0]}, 1, type), p) * (op.scale > 0);
              const at::Tensor q = with_graph->Apply(r);
              at::NoGradGuard no_gradients;
              for (int twice = 0; twice < 2; ++twice) // nothing stays behind
                EXPECT_LT(Largest(prepared->Apply(r) - q), (type == at::kDouble ? 1e-12 : 2e-5)) << name;
            }
          }
}

TEST(Cycles, DoTheSameInSlabs) {
  for (const std::string &name : kCycles)
    for (const Index &n : {Index{301, 290, 1}, Index{43, 40, 45}}) {
      const GridOperator op = TestOperator(n, Partition::Whole(n), at::kFloat);
      const auto net = TestNet(op.dim, at::kFloat, name);
      const at::Tensor r = Random({1, n[2], n[1], n[0]}, 1, at::kFloat) * (op.scale > 0);
      const at::Tensor q = net->Prepare(op)->Apply(r);
      at::NoGradGuard no_gradients;
      EXPECT_LT(Largest(net->Prepare(op)->Apply(r) - q), 1e-4 * Largest(q)) << name;
    }
}

TEST(Cycles, DoNotDependOnUnits) {
  const Index n = kSizes[0];
  const Partition p = Partition::Whole(n);
  const GridOperator op = TestOperator(n, p, at::kDouble);
  const GridOperator scaled =
      GridOperator::Make(p, 2, op.faces.narrow(1, 0, 1).narrow(2, 1, n[1]).narrow(3, 1, n[0]) * 1000, op.sums * 1000);
  at::NoGradGuard no_gradients;
  for (const std::string &name : kCycles) {
    const auto net = TestNet(2, at::kDouble, name);
    const at::Tensor r = Random({1, n[2], n[1], n[0]}, 1) * (op.scale > 0), q = net->Prepare(op)->Apply(r);
    EXPECT_LT(Largest(net->Prepare(scaled)->Apply(r) * 1000 - q), 1e-12 * Largest(q)) << name;
  }
}

TEST(Npsd, BeginsAsACycleWithJacobiSmoothing) {
  for (const auto &periodic : {std::array<bool, 3>{false, false, false}, std::array<bool, 3>{true, true, true}})
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n, periodic)) {
        const GridOperator op = TestOperator(n, p, at::kDouble);
        at::NoGradGuard no_gradients;
        const auto fresh = [&](const Architecture &architecture) {
          auto net = architecture.make(architecture.defaults, op.dim, 1);
          net->ConvertTo(at::kDouble);
          return net->Prepare(op)->Apply(Part(Random({1, n[2], n[1], n[0]}, 1), p) * (op.scale > 0));
        };
        const at::Tensor expected = fresh(VCycle());
        EXPECT_LT(Largest(fresh(Npsd()) - expected), 1e-12);
      }
}

TEST(Npsd, SharesTheLastKernelSetAmongCoarserLevels) {
  const Index n = kSizes[0]; // five levels and a single cell
  const GridOperator op = TestOperator(n, Partition::Whole(n), at::kDouble);
  const at::Tensor r = Random({1, n[2], n[1], n[0]}, 1) * (op.scale > 0);
  at::NoGradGuard no_gradients;
  const auto apply = [&](const char *sets, std::size_t changed) {
    auto net = Npsd().make({{"channels", "4"}, {"layers", "2"}, {"sets", sets}}, 2, 3);
    net->ConvertTo(at::kDouble);
    auto &bias = net->parameters.at(4 * changed + 3).second; // the last of that set
    bias.fill_(0.01);
    return net->Prepare(op)->Apply(r);
  };
  EXPECT_GT(Largest(apply("5", 4) - apply("5", 3)), 1e-10); // each has levels of its own
  EXPECT_GT(Largest(apply("3", 2) - apply("5", 2)), 1e-10); // serves more than one level
  EXPECT_EQ(Largest(apply("2", 0) - apply("5", 0)), 0);     // serves the finest only
}

TEST(GridOperator, OfConstantCoefficientsIsDiscretisedAnewOnCoarserGrids) {
  for (const Index &n : {Index{16, 8, 1}, Index{8, 8, 8}}) {
    const int dim = Dim(n);
    at::Tensor faces = at::ones({dim, n[2], n[1], n[0]}, at::kDouble);
    for (std::int64_t a = 0; a < dim; ++a) faces[a].select(-1 - a, 0).zero_();
    for (const Partition &p : Cuts(n)) {
      const GridOperator coarse =
          GridOperator::Make(p, dim, Part(faces, p), at::zeros({p.Owned(2), p.Owned(1), p.Owned(0)}, at::kDouble))
              .Coarsened();
      const Partition &c = coarse.partition;
      const at::Tensor whole = at::ones({1, c.n[2], c.n[1], c.n[0]}, at::kDouble) * (dim == 3 ? 2 : 1);
      for (std::int64_t a = 0; a < dim; ++a) {
        at::Tensor expected = whole.clone();
        expected.select(-1 - a, 0).zero_();
        at::Tensor mine = coarse.faces[a].unsqueeze(0);
        for (std::size_t b = 0; b < std::size_t(dim); ++b) mine = mine.narrow(-1 - std::int64_t(b), 1, c.Owned(b));
        EXPECT_LT(Largest(Join(mine, c) - expected), 1e-14);
      }
    }
  }
}

TEST(Conjugate, SolvesEachRightHandSideToItsTolerance) {
  for (const Index &n : kSizes)
    for (const Partition &p : Cuts(n)) {
      const GridOperator op = TestOperator(n, p, at::kDouble);
      at::NoGradGuard no_gradients;
      const auto net = VCycle().make(VCycle().defaults, op.dim, 0);
      const auto prepared = net->Prepare(op.To(at::kFloat));
      const at::Tensor b = op.Apply(Part(Random({3, n[2], n[1], n[0]}, 1), p));
      const ConjugateResult result = SolveConjugate(op, *prepared, at::kFloat, b, 1e-10, 100);
      const at::Tensor r = b - op.Apply(result.x);
      for (std::int64_t i = 0; i < 3; ++i) {
        EXPECT_LT(result.iterations[std::size_t(i)], 60);
        EXPECT_LT(Dot(r, r, p)[i].item<double>(), 1.1e-20 * Dot(b, b, p)[i].item<double>());
      }
    }
}

Model SomeModel() {
  Model model = ModelOf(*TestNet(2, at::kFloat), "vcycle", 2, {{"channels", "4"}, {"layers", "2"}});
  model.about = {{"seed", "3"}, {"note", "two words\nand a line"}};
  return model;
}

/// The tensors' operator and loop beside PETSc's, on one system: products to single precision, iterations to one.
TEST(Conjugate, AgreesWithPetsc) {
  ScratchFolder folder;
  // As it is before training, definite: over the hundreds of iterations of an indefinite one rounding parts the two.
  const Model model = ModelOf(*VCycle().make(VCycle().defaults, 2, 3), "vcycle", 2, {});
  for (const char *problem : {"obstacles", "contrast"}) {
    SCOPED_TRACE(problem);
    krylearn::ProblemSpec spec;
    spec.name = problem;
    spec.cells = {37, 32, 1};
    krylearn::LinearSystem system;
    ASSERT_PETSC_OK(krylearn::MakeSystem(PETSC_COMM_WORLD, spec, "", &system));
    DM dm = system.problem.grid->PressureDM();
    std::shared_ptr<krylearn::nmg::Box> box;
    std::vector<krylearn::nmg::IsolatedRow> isolated;
    Geometry geometry;
    double unit;
    ASSERT_PETSC_OK(krylearn::nmg::BoxOfDMDA(dm, &box));
    ASSERT_PETSC_OK(
        krylearn::GeometryOfMatrix(system.A, dm, nullptr, *box, PETSC_COMM_WORLD, &geometry, &isolated, &unit));
    const GridOperator op = MakeOperator(geometry, at::kDouble);
    const Partition &p = op.partition;
    const auto tensor = [&](Vec v) {
      const PetscScalar *values;
      const at::Tensor t = at::empty({1, p.Owned(2), p.Owned(1), p.Owned(0)}, at::kDouble);
      EXPECT_PETSC_OK(VecGetArrayRead(v, &values));
      std::copy(values, values + t.numel(), t.data_ptr<double>());
      EXPECT_PETSC_OK(VecRestoreArrayRead(v, &values));
      return t;
    };
    const at::Tensor b = tensor(system.b);
    ASSERT_PETSC_OK(MatMult(system.A, system.b, system.x));
    const at::Tensor expected = tensor(system.x);
    EXPECT_LT(Largest((op.Apply(b) * unit - expected) * (op.scale > 0)), 1e-5 * Largest(Sum(expected.abs().max())));

    OnRank0([&] { WriteModel(folder / "m.pt", model); });
    KSP ksp;
    PC pc;
    PetscInt iterations;
    ASSERT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
    ASSERT_PETSC_OK(krylearn::SetSystem(ksp, system));
    ASSERT_PETSC_OK(KSPSetType(ksp, KSPDCDM));
    // The loop on tensors knows no remedy but the residual.
    PC fallback;
    ASSERT_PETSC_OK(KSPDCDMSetStall(ksp, 0));
    ASSERT_PETSC_OK(KSPDCDMGetFallbackPC(ksp, &fallback));
    ASSERT_PETSC_OK(PCSetType(fallback, PCNONE));
    ASSERT_PETSC_OK(KSPGetPC(ksp, &pc));
    ASSERT_PETSC_OK(PCSetType(pc, PCNEURAL));
    ASSERT_PETSC_OK(PCNeuralSetModel(pc, (folder / "m.pt").c_str()));
    ASSERT_PETSC_OK(KSPSetTolerances(ksp, 1e-6, PETSC_DEFAULT, PETSC_DEFAULT, 500));
    ASSERT_PETSC_OK(KSPSolve(ksp, system.b, system.x));
    ASSERT_PETSC_OK(KSPGetIterationNumber(ksp, &iterations));
    const auto prepared = NetOf(model, "")->Prepare(MakeOperator(geometry, at::kFloat));
    at::NoGradGuard no_gradients;
    EXPECT_LT(iterations, 200);
    EXPECT_NEAR(double(SolveConjugate(op, *prepared, at::kFloat, b, 1e-6, 500).iterations[0]), double(iterations), 1);
    ASSERT_PETSC_OK(KSPDestroy(&ksp));
    ASSERT_PETSC_OK(system.Destroy());
  }
}

std::string FileBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void PutBytes(const std::string &path, const std::string &bytes) {
  OnRank0([&] { std::ofstream(path, std::ios::binary) << bytes; });
}

/// What reading a file as a model complains about; "" if it does not.
std::string Complaint(const std::string &path) {
  try {
    const Model model = ReadModel(PETSC_COMM_WORLD, path);
    NetOf(model, path);
    return "";
  } catch (const std::runtime_error &e) { return e.what(); }
}

TEST(ModelFile, ComesBackAsItWas) {
  ScratchFolder folder;
  const Model model = SomeModel();
  OnRank0([&] { WriteModel(folder / "m.pt", model); });
  const Model back = ReadModel(PETSC_COMM_WORLD, folder / "m.pt");
  EXPECT_EQ(back.architecture, "vcycle");
  EXPECT_EQ(back.dim, 2);
  EXPECT_EQ(back.options, model.options);
  EXPECT_EQ(back.about.at("note"), "two words and a line");
  const auto net = NetOf(back, "m.pt");
  ASSERT_EQ(net->parameters.size(), model.tensors.size());
  for (std::size_t i = 0; i < model.tensors.size(); ++i)
    EXPECT_EQ(Largest(net->parameters[i].second - model.tensors[i].second), 0);
}

TEST(ModelFile, IsRefusedWhereItIsNotWhatItShouldBe) {
  ScratchFolder folder;
  OnRank0([&] { WriteModel(folder / "m.pt", SomeModel()); });
  const std::string bytes = FileBytes(folder / "m.pt"), path = folder / "bad.pt";
  const auto complains = [&](const std::string &content, const std::string &about) {
    PutBytes(path, content);
    EXPECT_NE(Complaint(path).find(about), std::string::npos) << Complaint(path);
    EXPECT_NE(Complaint(path).find(path), std::string::npos);
    MPI_Barrier(PETSC_COMM_WORLD);
  };
  EXPECT_NE(Complaint(folder / "missing.pt").find("cannot be read: No such file"), std::string::npos);
  EXPECT_NE(Complaint(folder.Path()).find("cannot be read"), std::string::npos);
  complains("", "is no model of Krylearn");
  complains(std::string(5000, 'x'), "is no model of Krylearn");
  for (const std::size_t length : {std::size_t(8), std::size_t(20), bytes.size() / 2, bytes.size() - 1})
    complains(bytes.substr(0, length), "is cut off");
  complains(bytes + "x", "is damaged");
  std::string newer = bytes;
  newer[8] = 2;
  complains(newer, "has format version 2, expected 1; it was written by a newer Krylearn");
  Model other = SomeModel();
  other.architecture = "nosuch";
  OnRank0([&] { WriteModel(path, other); });
  EXPECT_NE(Complaint(path).find("unknown architecture 'nosuch'; known are: vcycle"), std::string::npos);
  other = SomeModel();
  other.options["channels"] = "5";
  MPI_Barrier(PETSC_COMM_WORLD);
  OnRank0([&] { WriteModel(path, other); });
  EXPECT_NE(Complaint(path).find("has tensor kernel0 [4, 4, 1, 3, 3], expected kernel0 [5, 4, 1, 3, 3]"),
            std::string::npos)
      << Complaint(path);
  MPI_Barrier(PETSC_COMM_WORLD);
}

TEST(ModelFile, IsRefusedAfterAnyFlipOfAByte) {
  ScratchFolder folder;
  OnRank0([&] { WriteModel(folder / "m.pt", SomeModel()); });
  const std::string bytes = FileBytes(folder / "m.pt");
  for (std::uint64_t flip = 0; flip < 500; ++flip) {
    std::string damaged = bytes;
    const auto at = std::size_t(krylearn::Uniform(1, 1, flip) * double(bytes.size()));
    damaged[flip < 24 ? std::size_t(flip) : at] ^= char(1 + int(krylearn::Uniform(1, 2, flip) * 255));
    PutBytes(folder / "m.pt", damaged);
    EXPECT_NE(Complaint(folder / "m.pt"), "") << flip;
    MPI_Barrier(PETSC_COMM_WORLD);
  }
}

TEST(Architecture, RefusesOptionsThatMakeNoSense) {
  const Architecture &v = FindArchitecture("vcycle");
  EXPECT_THROW(FindArchitecture("vcicle"), std::invalid_argument);
  EXPECT_THROW(FillOptions(v, {{"chanels", "8"}}), std::invalid_argument);
  for (const char *value : {"", "0", "x", "8x", "1e9", "-3"})
    EXPECT_THROW(v.make(FillOptions(v, {{"channels", value}}), 2, 1), std::invalid_argument) << value;
}

} // namespace
