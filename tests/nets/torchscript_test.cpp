// TorchScript modules as networks: the contract of nets/torchscript/README.md.
#include "nets/torchscript/archive.h"
#include "nets/torchscript/network.h"
#include "nets/model_file.h"
#include "tests/nets/parts.h"
#include "tests/nets/torchscript_modules.h"
#include "tests/scratch_folder.h"
#include <sstream>

using namespace krylearn::nets;
using namespace krylearn_test;

namespace {

std::string Bytes(const torch::jit::Module &module) {
  std::ostringstream bytes;
  module.save(bytes);
  return bytes.str();
}

std::unique_ptr<Network> Load(const std::string &bytes) { return LoadTorchScript(PETSC_COMM_WORLD, bytes, "user.pt"); }

/// Random couplings and some solid cells; every rank makes the whole grid and keeps its part.
Geometry SomeGeometry(const Partition &p) {
  const Index &n = p.n;
  Geometry g;
  g.partition = p;
  const int dim = n[2] > 1 ? 3 : 2;
  const at::Tensor solid = Random({n[2], n[1], n[0]}, 5) < -0.7;
  const auto keep = [&](const at::Tensor &whole) {
    const at::Tensor mine = Part(whole, p).to(at::kFloat).contiguous();
    return std::vector<float>(mine.data_ptr<float>(), mine.data_ptr<float>() + mine.numel());
  };
  for (std::int64_t a = 0; a < dim; ++a) {
    at::Tensor c = Random({n[2], n[1], n[0]}, 6 + std::uint64_t(a)) + 1.1;
    c.masked_fill_(at::logical_or(solid, solid.roll(1, -1 - a)), 0);
    if (!p.periodic[std::size_t(a)]) c.select(-1 - a, 0).zero_();
    g.faces[std::size_t(a)] = keep(c);
  }
  at::Tensor sums = at::zeros({n[2], n[1], n[0]}, at::kDouble);
  sums.select(1, n[1] - 1).fill_(2);
  g.sums = keep(sums.masked_fill_(solid, 0));
  return g;
}

at::Tensor Applied(Network *network, const Geometry &g, double factor = 1) {
  const Partition &p = g.partition;
  const at::Tensor r = (Part(Random({p.n[2], p.n[1], p.n[0]}, 3), p) * factor).to(at::kFloat).contiguous();
  const at::Tensor q = at::zeros_like(r);
  network->Apply(r.data_ptr<float>(), q.data_ptr<float>());
  return q.to(at::kDouble);
}

TEST(TorchScript, GivesTheSameOnAnyNumberOfRanks) {
  const struct {
    const char *source;
    int field, alignment;
    bool linear;
  } modules[] = {{kPolynomial, 2, 1, true}, {kPolynomial, 19, 1, true}, {kTwoLevels, 7, 4, false}};
  for (const Index &n : {Index{17, 14, 1}, Index{9, 8, 7}})
    for (const auto &m : modules)
      for (const auto &periodic : {std::array<bool, 3>{false, false, false}, std::array<bool, 3>{true, true, false}}) {
        const std::string bytes = Bytes(Declared(n[2] > 1 ? 3 : 2, m.field, m.linear, m.source, m.alignment));
        const auto alone = LoadTorchScript(MPI_COMM_SELF, bytes, "user.pt"), divided = Load(bytes);
        const Geometry whole = SomeGeometry(Partition::Whole(n, periodic));
        alone->SetUp(whole);
        const at::Tensor expected = Applied(alone.get(), whole);
        EXPECT_GT(Largest(expected), 0.1);
        for (const Partition &p : Cuts(n, periodic)) {
          const Geometry part = SomeGeometry(p);
          divided->SetUp(part);
          for (int twice = 0; twice < 2; ++twice)
            EXPECT_LT(Largest(Join(Applied(divided.get(), part), p) - expected), 2e-6 * Largest(expected));
        }
      }
}

TEST(TorchScript, SeesTheScaledOperatorInTheChannels) {
  const Partition p = Partition::Whole({17, 14, 1});
  const Geometry g = SomeGeometry(p);
  const GridOperator op = MakeOperator(g, at::kDouble);
  const auto network = LoadTorchScript(MPI_COMM_SELF, Bytes(Declared(2, 1, true, kPolynomial)), "user.pt");
  network->SetUp(g);
  const at::Tensor r = Random({1, 14, 17}, 3), x = r * op.scale * op.scale;
  EXPECT_LT(Largest(Applied(network.get(), g) - (1.7 * x - 0.7 * op.scale * op.scale * op.Apply(x)).squeeze(0)), 1e-5);
}

TEST(TorchScript, ScalesNonlinearModulesWithTheResidual) {
  const Partition p = Cuts({17, 14, 1})[0];
  const Geometry g = SomeGeometry(p);
  const auto network = Load(Bytes(Declared(2, 7, false, kTwoLevels, 4)));
  network->SetUp(g);
  const at::Tensor q = Applied(network.get(), g);
  EXPECT_LT(Largest(Applied(network.get(), g, 1e-6) * 1e6 - q), 1e-5);
  EXPECT_EQ(Largest(Applied(network.get(), g, 0)), 0);
}

TEST(TorchScript, TellsWhatItDeclares) {
  const ModelInfo info = TorchScriptInfo(PETSC_COMM_WORLD, Bytes(Declared(3, 7, false, kTwoLevels, 4)), "user.pt");
  EXPECT_EQ(info.architecture, "torchscript");
  EXPECT_EQ(info.dim, 3);
  EXPECT_EQ(info.options,
            (Options{{"receptive_field", "7"}, {"alignment", "4"}, {"linear", "no"}, {"prepare", "yes"}}));
}

/// What loading complains about; "" if it does not. The same on all ranks.
std::string Complaint(const std::string &bytes) {
  try {
    Load(bytes);
    return "";
  } catch (const std::runtime_error &e) { return e.what(); }
}

TEST(TorchScript, IsRefusedWhereItBreaksTheContract) {
  const struct {
    const char *source, *about;
    int field;
    bool linear;
  } table[] = {
      {"def forward(self, r, g):\n    return r - r.mean()\n", "gives a cell different values", 5, true},
      {"def forward(self, r, g):\n    return torch.roll(r, [3], [-1])\n", "krylearn_receptive_field = 2", 2, true},
      {"def forward(self, r, g):\n    return r + torch.rand_like(r)\n", "or chance", 2, false},
      {"def forward(self, r, g):\n    return r * torch.sigmoid(r)\n", "is not linear in the residual", 0, true},
      {"def forward(self, r, g):\n    return r / 0\n", "not finite", 0, true},
      {"def forward(self, r, g):\n    return r.mul_(2)\n", "changes its arguments in place", 0, true},
      {"def forward(self, r, g):\n    return r.double()\n", "returns Double [1, 1, 1, 1] from forward()", 0, true},
      {"def forward(self, r, g):\n    return g\n", "returns Float [1, 4, 1, 1] from forward()", 0, true},
      {"def forward(self, r, g):\n    return [r]\n", "returns a List[Tensor] from forward()", 0, true},
      {"def forward(self, r, g):\n    return r + torch.ones([3])[5]\n", "fails in forward() of a residual Float", 0,
       true},
      {"def forward(self, r, g):\n    assert False, 'no such luck'\n    return r\n", "no such luck", 0, true},
      {"def forward(self, r):\n    return r\n", "fails in forward()", 0, true},
      {"def backward(self, r):\n    return r\n", "'forward' is not defined", 0, true}};
  for (const auto &row : table) {
    const std::string complaint = Complaint(Bytes(Declared(2, row.field, row.linear, row.source)));
    EXPECT_NE(complaint.find(row.about), std::string::npos) << row.source << complaint;
    EXPECT_EQ(complaint.find("model file 'user.pt' "), 0u) << complaint;
    EXPECT_EQ(complaint.find('\n'), std::string::npos) << complaint;
  }
}

TEST(TorchScript, IsRefusedWhereADeclarationIsMissingOrMakesNoSense) {
  const auto complains = [](const char *name, const c10::IValue &value, const std::string &about) {
    torch::jit::Module module("user");
    for (const char *other : {"krylearn_contract", "krylearn_dim", "krylearn_receptive_field", "krylearn_linear"}) {
      c10::IValue usual = std::int64_t(std::string(other) == "krylearn_dim" ? 2 : 1);
      if (std::string(other) == "krylearn_linear") usual = true;
      if (std::string(other) == name) usual = value;
      if (!usual.isNone()) module.register_attribute(other, usual.type(), usual);
    }
    if (std::string(name).find("align") != std::string::npos || std::string(name).find("aling") != std::string::npos)
      module.register_attribute(name, value.type(), value);
    module.define("def forward(self, r, g):\n    return r\n");
    const std::string complaint = Complaint(Bytes(module));
    EXPECT_NE(complaint.find(about), std::string::npos) << name << ": " << complaint;
  };
  complains("krylearn_dim", {}, "declares no krylearn_dim; say self.krylearn_dim = 2");
  complains("krylearn_contract", {}, "declares no krylearn_contract");
  complains("krylearn_contract", std::int64_t(2), "version 2 of the contract, expected 1");
  complains("krylearn_dim", std::int64_t(4), "krylearn_dim = 4, expected 2 to 3");
  complains("krylearn_dim", 2.0, "krylearn_dim as float, expected int");
  complains("krylearn_receptive_field", std::int64_t(-1), "krylearn_receptive_field = -1, expected 0 to 1024");
  complains("krylearn_linear", std::int64_t(1), "krylearn_linear as int, expected bool");
  complains("krylearn_alignment", std::int64_t(0), "krylearn_alignment = 0, expected 1 to 256");
  complains("krylearn_alingment", std::int64_t(2), "declares krylearn_alingment, which nobody knows");
}

TEST(TorchScript, FailsOnAllRanksWhereItFailsOnOne) {
  const Partition p = Cuts({17, 14, 1})[0];
  const char *source = "def forward(self, r, g):\n"
                       "    if bool((g[0, 2] > 0.9).any()):\n        assert False, 'too bright'\n    return r\n";
  const auto network = Load(Bytes(Declared(2, 0, true, source)));
  Geometry g = SomeGeometry(p);
  for (std::vector<float> &faces : g.faces) std::fill(faces.begin(), faces.end(), 1.f); // s is small beside them
  if (g.faces[2].size()) g.faces[2].clear();
  std::fill(g.sums.begin(), g.sums.end(), Rank() == Ranks() - 1 ? 100.f : 0.f);
  network->SetUp(g);
  try {
    Applied(network.get(), g);
    ADD_FAILURE() << "no rank failed";
  } catch (const std::runtime_error &e) {
    EXPECT_NE(std::string(e.what()).find("too bright"), std::string::npos) << e.what();
  }
}

TEST(TorchScript, RefusesGridsOfTheOtherDimension) {
  const auto network = Load(Bytes(Declared(3, 2, true, kPolynomial)));
  EXPECT_THROW(network->SetUp(SomeGeometry(Cuts({17, 14, 1})[0])), std::invalid_argument);
}

TEST(TorchScript, IsRefusedOrUnharmedAfterAnyFlipOfAByte) {
  const std::string bytes = Bytes(Declared(2, 2, true, kPolynomial));
  EXPECT_EQ(WhyDamaged(bytes), "");
  const auto unharmed = LoadTorchScript(MPI_COMM_SELF, bytes, "user.pt");
  const Geometry g = SomeGeometry(Partition::Whole({9, 8, 1}));
  unharmed->SetUp(g);
  const at::Tensor expected = Applied(unharmed.get(), g);
  int refused = 0;
  for (std::uint64_t flip = std::uint64_t(Rank()); flip < 500; flip += std::uint64_t(Ranks())) {
    std::string damaged = bytes;
    damaged[std::size_t(krylearn::Uniform(1, 1, flip) * double(bytes.size()))] ^=
        char(1 + int(krylearn::Uniform(1, 2, flip) * 255));
    try {
      const auto network = LoadTorchScript(MPI_COMM_SELF, damaged, "user.pt");
      network->SetUp(g);
      EXPECT_EQ(Largest(Applied(network.get(), g) - expected), 0) << flip;
    } catch (const std::exception &) { ++refused; }
  }
  EXPECT_GT(refused, 0);
  for (const std::size_t length : {std::size_t(4), std::size_t(100), bytes.size() / 2, bytes.size() - 1})
    EXPECT_NE(Complaint(bytes.substr(0, length)).find("is cut off"), std::string::npos) << length;
  EXPECT_FALSE(IsArchive("KRYLMODL"));
  EXPECT_THROW(ParseModel(bytes, "user.pt"), std::runtime_error); // train does not go on from it
}

} // namespace
