// The architecture dcdm.
#include "nets/architecture.h"
#include "tests/nets/test_operator.h"
#include <cmath>

using namespace krylearn::nets;
using namespace krylearn_test;

namespace {

const std::vector<Index> kSizes = {{17, 14, 1}, {9, 8, 7}};

/// The paper's form and those beyond it, small.
const std::vector<Options> kForms = {
    {{"channels", "3"}, {"pre", "2"}, {"coarse", "4"}, {"post", "2"}},
    {{"channels", "3"}, {"pre", "2"}, {"coarse", "4"}, {"post", "2"}, {"levels", "2"}, {"geometry", "1"}},
    {{"channels", "3"}, {"pre", "2"}, {"coarse", "4"}, {"post", "2"}, {"levels", "all"}, {"geometry", "1"}}};

std::unique_ptr<Net> Fresh(const Options &options, int dim) {
  return Dcdm().make(FillOptions(Dcdm(), options), dim, 3);
}

/// One whose every parameter does something.
std::unique_ptr<Net> TestNet(const Options &options, int dim, at::ScalarType type) {
  auto net = Fresh(options, dim);
  for (std::size_t i = 0; i < net->parameters.size(); ++i) {
    at::Tensor &t = net->parameters[i].second;
    t = t + RandomParameter(t.sizes().vec(), 0.1, 11, long(i));
  }
  net->ConvertTo(type);
  return net;
}

/// A residual of norm 1.
at::Tensor Residual(const GridOperator &op, std::int64_t batch) {
  const Partition &p = op.partition;
  const at::Tensor r = Part(Random({batch, p.n[2], p.n[1], p.n[0]}, 1, op.scale.scalar_type()), p) * (op.scale > 0);
  const double norm = std::sqrt(Sum((r * r).sum()).item<double>() / double(batch));
  return r / norm;
}

at::Tensor Gradients(const Net &net) {
  std::vector<at::Tensor> gradients;
  for (const auto &parameter : net.parameters) gradients.push_back(parameter.second.grad().flatten().to(at::kDouble));
  return at::cat(gradients).contiguous();
}

TEST(Dcdm, HasTheParametersOfThePaper) {
  EXPECT_EQ(Fresh({}, 3)->Size(), 97457);
  EXPECT_EQ(Fresh({}, 2)->Size(), 32657);
  EXPECT_EQ(Fresh({{"pre", "6"}, {"coarse", "10"}, {"post", "6"}}, 3)->Size(), 152881);
  EXPECT_FALSE(Dcdm().linear);
}

/// The paper's network once more, from LibTorch's operations on one rank.
at::Tensor PapersNetwork(const Net &net, const at::Tensor &r) {
  std::size_t next = 0;
  const auto convolution = [&](const at::Tensor &x) {
    const at::Tensor kernel = net.parameters[next].second, bias = net.parameters[next + 1].second;
    next += 2;
    if (kernel.size(2) == 1)
      return at::conv2d(x.squeeze(2), kernel.squeeze(2), bias, 1, kernel.size(3) / 2).unsqueeze(2);
    return at::conv3d(x, kernel, bias, 1, 1);
  };
  const auto pairs = [&](at::Tensor x, int count) {
    for (int i = 0; i < count; ++i) x = x + at::relu(convolution(at::relu(convolution(x))));
    return x;
  };
  const bool flat = r.size(1) == 1;
  const at::Tensor fine = pairs(convolution(r.unsqueeze(1)), 2);
  const at::Tensor coarse =
      pairs(2 * at::avg_pool3d(fine, at::IntArrayRef({flat ? 1 : 2, 2, 2})), 3).repeat_interleave(2, 4);
  const at::Tensor up = coarse.repeat_interleave(2, 3).repeat_interleave(flat ? 1 : 2, 2);
  const at::Tensor x = pairs(fine + 2 * up, 2);
  const at::Tensor dense = net.parameters[next].second, bias = net.parameters[next + 1].second;
  return (x * dense.view({1, -1, 1, 1, 1})).sum(1) + bias;
}

TEST(Dcdm, ComputesWhatThePapersNetworkDoes) {
  for (const Index &n : {Index{16, 12, 1}, Index{8, 6, 4}}) {
    const GridOperator op = TestOperator(n, Partition::Whole(n), at::kDouble);
    const auto net = TestNet({}, op.dim, at::kDouble);
    const at::Tensor fluid = (op.scale > 0).to(at::kDouble), r = Residual(op, 2);
    const at::Tensor expected = PapersNetwork(*net, r * std::sqrt(fluid.sum().item<double>())) * fluid;
    EXPECT_LT(Largest(net->Prepare(op)->Apply(r) - expected), 1e-12 * Largest(expected));
  }
}

TEST(Dcdm, GivesTheSameOutputAndGradientsOnAnyNumberOfRanks) {
  for (const Options &form : kForms)
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const double tolerance = type == at::kDouble ? 1e-10 : 1e-4;
      for (const auto &periodic : {std::array<bool, 3>{false, false, false}, std::array<bool, 3>{true, false, false}})
        for (const Index &n : kSizes) {
          const std::int64_t batch = type == at::kDouble ? 2 : 1;
          const auto run = [&](const Partition &p, const at::Tensor &r, at::Tensor *output) {
            const GridOperator op = TestOperator(n, p, type);
            const auto net = TestNet(form, op.dim, type);
            net->RequireGradients(true);
            const at::Tensor q = net->Prepare(op)->Apply(Part(r, p));
            *output = q.detach();
            (q * q).sum().backward();
            return Gradients(*net);
          };
          const Partition all = Partition::Whole(n, periodic);
          const at::Tensor r =
              Random({batch, n[2], n[1], n[0]}, 1, type) * (TestOperator(n, all, type).scale > 0) * 0.05;
          at::Tensor whole, part;
          const at::Tensor expected = run(all, r, &whole);
          for (const Partition &p : Cuts(n, periodic)) {
            const at::Tensor gradients = Sum(run(p, r, &part));
            EXPECT_LT((gradients - expected).norm().item<double>(), tolerance * expected.norm().item<double>());
            EXPECT_LT(Largest(Join(part, p) - whole), tolerance * Largest(whole));
          }
        }
    }
}

TEST(Dcdm, HasTheGradientsOfWhatItComputes) {
  for (const Options &form : kForms)
    for (const Index &n : kSizes) {
      const GridOperator op = TestOperator(n, Partition::Whole(n), at::kDouble);
      const auto net = TestNet(form, op.dim, at::kDouble);
      const at::Tensor r = Residual(op, 2), weights = Random(r.sizes().vec(), 99);
      const auto value = [&](double step) {
        const auto moved = TestNet(form, op.dim, at::kDouble);
        for (std::size_t i = 0; i < moved->parameters.size(); ++i) {
          at::Tensor &t = moved->parameters[i].second;
          t = t + step * Random(t.sizes().vec(), 500 + i);
        }
        return (moved->Prepare(op)->Apply(r) * weights).sum().item<double>();
      };
      net->RequireGradients(true);
      (net->Prepare(op)->Apply(r) * weights).sum().backward();
      double slope = 0;
      for (std::size_t i = 0; i < net->parameters.size(); ++i) {
        const at::Tensor &t = net->parameters[i].second;
        EXPECT_GT(Largest(t.grad()), 0) << net->parameters[i].first;
        slope += (t.grad() * Random(t.sizes().vec(), 500 + i)).sum().item<double>();
      }
      const double step = 1e-7;
      EXPECT_NEAR((value(step) - value(-step)) / (2 * step), slope, 1e-5 * std::abs(slope));
    }
}

TEST(Dcdm, DoesTheSameWithoutGradients) {
  for (const Options &form : kForms)
    for (const auto &periodic : {std::array<bool, 3>{false, false, false}, std::array<bool, 3>{true, true, true}})
      for (const Index &n : {Index{5, 12, 1}, Index{9, 8, 7}})
        for (const Partition &p : Cuts(n, periodic)) {
          const GridOperator op = TestOperator(n, p, at::kDouble);
          const auto net = TestNet(form, op.dim, at::kDouble);
          const auto with_graph = net->Prepare(op);
          std::unique_ptr<Prepared> prepared;
          {
            at::NoGradGuard no_gradients;
            prepared = net->Prepare(op);
          }
          for (const std::int64_t batch : {1, 3}) {
            const at::Tensor r = Residual(op, batch), q = with_graph->Apply(r);
            at::NoGradGuard no_gradients;
            for (int twice = 0; twice < 2; ++twice) // nothing stays behind
              EXPECT_LT(Largest(prepared->Apply(r) - q), 1e-12 * std::max(1.0, Largest(q)));
          }
        }
}

TEST(Dcdm, DoesTheSameInSlabs) {
  for (const Index &n : {Index{301, 290, 1}, Index{43, 40, 45}}) {
    const GridOperator op = TestOperator(n, Partition::Whole(n), at::kFloat);
    const auto net = TestNet(kForms[2], op.dim, at::kFloat);
    const at::Tensor r = Residual(op, 1), q = net->Prepare(op)->Apply(r).detach();
    at::NoGradGuard no_gradients;
    EXPECT_LT(Largest(net->Prepare(op)->Apply(r) - q), 1e-4 * Largest(q));
  }
}

TEST(Dcdm, LeavesCellsWithoutAnUnknownAlone) {
  for (const Options &form : kForms)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n)) {
        const GridOperator op = TestOperator(n, p, at::kDouble);
        at::NoGradGuard no_gradients;
        EXPECT_EQ(Largest(TestNet(form, op.dim, at::kDouble)->Prepare(op)->Apply(Residual(op, 1)) * (op.scale == 0)),
                  0);
      }
}

TEST(Dcdm, WithGeometryDoublesADirectionWithItsResidualAndKnowsNoUnits) {
  for (const Index &n : kSizes) {
    const Partition p = Partition::Whole(n);
    const GridOperator op = TestOperator(n, p, at::kDouble);
    at::Tensor faces = op.faces;
    for (std::size_t a = 0; a < std::size_t(op.dim); ++a) faces = faces.narrow(-1 - std::int64_t(a), 1, n[a]);
    const GridOperator scaled = GridOperator::Make(p, op.dim, faces * 1000, op.sums * 1000);
    at::NoGradGuard no_gradients;
    const auto net = TestNet(kForms[2], op.dim, at::kDouble);
    const at::Tensor r = Residual(op, 1), q = net->Prepare(op)->Apply(r);
    EXPECT_LT(Largest(net->Prepare(op)->Apply(2 * r) - 2 * q), 1e-12 * Largest(q));
    EXPECT_GT(Largest(net->Prepare(op)->Apply(-r) + q), 1e-3 * Largest(q)); // yet not linear
    EXPECT_LT(Largest(net->Prepare(scaled)->Apply(r) * std::sqrt(1000) - q), 1e-12 * Largest(q));
  }
}

TEST(Dcdm, BeginsWithDirectionsOfDescent) {
  for (const Options &form : kForms)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n)) {
        const GridOperator op = TestOperator(n, p, at::kDouble);
        auto net = Fresh(form, op.dim);
        net->ConvertTo(at::kDouble);
        at::NoGradGuard no_gradients;
        const at::Tensor r = Residual(op, 1);
        EXPECT_GT(Sum((net->Prepare(op)->Apply(r) * r).sum()).item<double>(), 0);
      }
}

TEST(Dcdm, SharesParametersAmongCoarserLevels) {
  const auto size = [](const char *levels) { return Fresh({{"levels", levels}, {"geometry", "1"}}, 2)->Size(); };
  EXPECT_EQ(size("1"), size("5"));
  EXPECT_EQ(size("1"), size("all"));
}

TEST(Dcdm, RefusesGridsTooSmallForItsLevels) {
  const Index n{17, 14, 1}; // 9, 5, 3, 2, 1
  for (const Partition &p : Cuts(n)) {
    const GridOperator op = TestOperator(n, p, at::kFloat);
    for (const char *geometry : {"0", "1"}) {
      EXPECT_NO_THROW(Fresh({{"levels", "5"}, {"geometry", geometry}}, 2)->Prepare(op));
      EXPECT_THROW(Fresh({{"levels", "6"}, {"geometry", geometry}}, 2)->Prepare(op), std::invalid_argument);
    }
  }
}

TEST(Dcdm, RefusesOptionsThatMakeNoSense) {
  for (const Options &options : {Options{{"pre", "3"}},
                                 {{"coarse", "0"}},
                                 {{"post", "x"}},
                                 {{"levels", "0"}},
                                 {{"levels", "many"}},
                                 {{"geometry", "2"}},
                                 {{"channels", "0"}}})
    EXPECT_THROW(Fresh(options, 2), std::invalid_argument) << options.begin()->first;
}

} // namespace
