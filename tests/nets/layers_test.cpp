#include "tests/nets/test_operator.h"

using namespace krylearn::nets;
using namespace krylearn_test;

namespace {

const std::vector<std::array<bool, 3>> kSides = {{false, false, false}, {true, false, false}, {true, true, true}};
const std::vector<Index> kSizes = {{13, 10, 1}, {7, 6, 9}, {4, 3, 2}};

/// What a cell of the grid holds, or zero outside it.
double At(const at::Tensor &whole, const Partition &p, Index cell) {
  for (std::size_t a = 0; a < 3; ++a) {
    if (p.periodic[a]) cell[a] = (cell[a] % p.n[a] + p.n[a]) % p.n[a];
    if (cell[a] < 0 || cell[a] >= p.n[a]) return 0;
  }
  return whole.data_ptr<double>()[cell[0] + p.n[0] * (cell[1] + p.n[1] * cell[2])];
}

TEST(Halo, FillsFacesEdgesAndCornersAtAnyDepth) {
  for (const auto &periodic : kSides)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n, periodic))
        for (const Depth &depth :
             {Depth{{{1, 1}, {1, 1}, {1, 1}}}, Depth{{{3, 0}, {0, 2}, {1, 0}}}, Depth{{{9, 14}, {5, 5}, {2, 11}}}}) {
          const at::Tensor whole = Random({2, n[2], n[1], n[0]}, 1);
          const at::Tensor padded = WithHalo(Part(whole, p), p, depth);
          double error = 0;
          for (std::int64_t c = 0; c < 2; ++c) {
            const at::Tensor channel = whole[c].contiguous(), local = padded[c].contiguous();
            const double *value = local.data_ptr<double>();
            for (long k = p.Lo(2) - depth[2][0]; k < p.Hi(2) + depth[2][1]; ++k)
              for (long j = p.Lo(1) - depth[1][0]; j < p.Hi(1) + depth[1][1]; ++j)
                for (long i = p.Lo(0) - depth[0][0]; i < p.Hi(0) + depth[0][1]; ++i)
                  error = std::max(error, std::abs(*value++ - At(channel, p, {i, j, k})));
          }
          EXPECT_EQ(error, 0);
        }
}

TEST(Halo, HasItsExactAdjoint) {
  for (const auto &periodic : kSides)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n, periodic))
        for (const Depth &depth : {Depth{{{1, 1}, {1, 1}, {1, 1}}}, Depth{{{9, 14}, {5, 0}, {2, 11}}}}) {
          const at::Tensor x = Part(Random({3, n[2], n[1], n[0]}, 1), p).requires_grad_();
          const at::Tensor padded = WithHalo(x, p, depth);
          const at::Tensor y = Random(padded.sizes().vec(), 7 + std::uint64_t(Rank()));
          const double left = Sum((padded * y).sum()).item<double>();
          padded.backward(y);
          EXPECT_NEAR(Sum((x * x.grad()).sum()).item<double>(), left, 1e-12 * double(padded.numel() + 1));
          EXPECT_EQ(Largest(x.grad() - HaloAdjoint(y, p, depth)), 0);
        }
}

/// A layer under test: inputs of the whole grid are cut, `shared` ones (kernels) are the same everywhere.
struct Case {
  const char *name;
  std::vector<at::Tensor> divided, shared;
  std::function<at::Tensor(const std::vector<at::Tensor> &, const std::vector<at::Tensor> &, const Partition &)> layer;
  bool coarse_input = false, coarse_output = false;
};

struct Result {
  at::Tensor output;
  std::vector<at::Tensor> gradients;
};

Result Evaluate(const Case &c, const Partition &p, at::ScalarType type, bool whole) {
  const Partition coarse = p.Coarsened();
  const auto leaf = [&](const at::Tensor &x) { return x.to(type).detach().clone().requires_grad_(); };
  std::vector<at::Tensor> divided, shared;
  for (const at::Tensor &x : c.divided) divided.push_back(leaf(Part(x, c.coarse_input ? coarse : p)));
  for (const at::Tensor &x : c.shared) shared.push_back(leaf(x));
  const at::Tensor y = c.layer(divided, shared, p);
  const Partition &out = c.coarse_output ? coarse : p;
  std::vector<std::int64_t> shape = y.sizes().vec();
  for (std::size_t a = 0; a < 3; ++a) shape[shape.size() - 1 - a] = out.n[a];
  y.backward(Part(Random(shape, 99), out).to(type));
  Result result;
  const auto join = [&](const at::Tensor &x, const Partition &q) {
    return whole ? x.detach().to(at::kDouble) : Join(x, q);
  };
  result.output = join(y, out);
  for (const at::Tensor &x : divided)
    result.gradients.push_back(join(x.grad().defined() ? x.grad() : at::zeros_like(x), c.coarse_input ? coarse : p));
  for (const at::Tensor &x : shared) {
    const at::Tensor g = x.grad().defined() ? x.grad() : at::zeros_like(x);
    result.gradients.push_back(whole ? g.to(at::kDouble) : Sum(g));
  }
  return result;
}

std::vector<Case> Cases(const Index &n) {
  const int dim = Dim(n);
  const long weights = dim == 3 ? 27 : 9;
  const auto field = [&](std::int64_t channels, std::uint64_t seed) {
    return Random({channels, n[2], n[1], n[0]}, seed);
  };
  const Partition coarse = Partition::Whole(n).Coarsened();
  const at::Tensor coarse_field = Random({2, coarse.n[2], coarse.n[1], coarse.n[0]}, 4);
  using Tensors = std::vector<at::Tensor>;
  std::vector<Case> cases;
  cases.push_back({"convolution",
                   {field(3, 1)},
                   {Random({4, 3, dim == 3 ? 3 : 1, 3, 3}, 2), Random({4}, 3)},
                   [dim](const Tensors &x, const Tensors &w, const Partition &p) {
                     return Convolution(x[0], w[0], w[1], p, dim);
                   }});
  cases.push_back({"convolution of a batch",
                   {Random({2, 3, n[2], n[1], n[0]}, 1)},
                   {Random({4, 3, dim == 3 ? 3 : 1, 3, 3}, 2), Random({4}, 3)},
                   [dim](const Tensors &x, const Tensors &w, const Partition &p) {
                     return Convolution(x[0], w[0], w[1], p, dim);
                   }});
  cases.push_back(
      {"stencil", {field(weights, 1), field(2, 2)}, {}, [dim](const Tensors &x, const Tensors &, const Partition &p) {
         return Stencil(WithHalo(x[0], p, OneLayer(dim)), x[1], p, dim);
       }});
  cases.push_back({"adjoint stencil",
                   {field(weights, 1), field(2, 2)},
                   {},
                   [dim](const Tensors &x, const Tensors &, const Partition &p) {
                     return StencilAdjoint(WithHalo(x[0], p, OneLayer(dim)), x[1], p, dim);
                   }});
  cases.push_back({"symmetric stencil",
                   {field(weights / 2 + 1, 1), field(2, 2)},
                   {},
                   [dim](const Tensors &x, const Tensors &, const Partition &p) {
                     return SymmetricStencil(WithHalo(x[0], p, OneLayer(dim)), x[1], p, dim);
                   }});
  const auto star = [dim](const Tensors &x, const Partition &p, bool residual) {
    const at::Tensor faces = WithHalo(x[0], p, OneLayer(dim));
    return residual ? StarResidual(faces, x[1].squeeze(0), x[3], x[2], p, dim)
                    : Star(faces, x[1].squeeze(0), x[2], p, dim);
  };
  cases.push_back({"star",
                   {field(dim, 1), field(1, 2), field(2, 3)},
                   {},
                   [star](const Tensors &x, const Tensors &, const Partition &p) { return star(x, p, false); }});
  cases.push_back({"residual of a star",
                   {field(dim, 1), field(1, 2), field(2, 3), field(2, 4)},
                   {},
                   [star](const Tensors &x, const Tensors &, const Partition &p) { return star(x, p, true); }});
  cases.push_back({"restriction",
                   {field(2, 1)},
                   {},
                   [](const Tensors &x, const Tensors &, const Partition &p) { return Restrict(x[0], p); },
                   false,
                   true});
  cases.push_back({"average pooling",
                   {field(2, 1)},
                   {},
                   [](const Tensors &x, const Tensors &, const Partition &p) { return AveragePool(x[0], p); },
                   false,
                   true});
  cases.push_back({"prolongation",
                   {coarse_field},
                   {},
                   [](const Tensors &x, const Tensors &, const Partition &p) { return Prolong(x[0], p); },
                   true,
                   false});
  cases.push_back({"prolongation of a batch",
                   {Random({2, 3, coarse.n[2], coarse.n[1], coarse.n[0]}, 4)},
                   {},
                   [](const Tensors &x, const Tensors &, const Partition &p) { return Prolong(x[0], p); },
                   true,
                   false});
  return cases;
}

TEST(Layers, GiveTheSameOutputAndGradientsOnAnyNumberOfRanks) {
  for (const auto &periodic : kSides)
    for (const Index &n : kSizes)
      for (const Case &c : Cases(n)) {
        SCOPED_TRACE(std::string(c.name) + " " + std::to_string(n[0]) + " x " + std::to_string(n[1]) + " x " +
                     std::to_string(n[2]));
        const Result one = Evaluate(c, Partition::Whole(n, periodic), at::kDouble, true);
        for (const Partition &p : Cuts(n, periodic))
          for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
            const double tolerance = type == at::kDouble ? 1e-10 : 1e-4;
            const Result many = Evaluate(c, p, type, false);
            EXPECT_LT(Largest(many.output - one.output), tolerance);
            for (std::size_t i = 0; i < one.gradients.size(); ++i)
              EXPECT_LT(Largest(many.gradients[i] - one.gradients[i]), tolerance) << "gradient " << i;
          }
      }
}

/// Gradients against differences: every layer is linear in each of its inputs, so these are exact.
TEST(Layers, HaveTheGradientsOfWhatTheyCompute) {
  for (const auto &periodic : kSides)
    for (const Index &n : kSizes)
      for (const Case &c : Cases(n)) {
        SCOPED_TRACE(c.name);
        const Partition p = Partition::Whole(n, periodic);
        const Result at_x = Evaluate(c, p, at::kDouble, true);
        const at::Tensor g = Random(at_x.output.sizes().vec(), 99);
        for (std::size_t i = 0; i < at_x.gradients.size(); ++i) {
          Case moved = c;
          at::Tensor &input = i < c.divided.size() ? moved.divided[i] : moved.shared[i - c.divided.size()];
          const at::Tensor step = Random(input.sizes().vec(), 55 + i);
          input = input + step;
          const double change = ((Evaluate(moved, p, at::kDouble, true).output - at_x.output) * g).sum().item<double>();
          EXPECT_NEAR((at_x.gradients[i] * step).sum().item<double>(), change, 1e-10) << "input " << i;
        }
      }
}

TEST(Layers, DoTheSameWithoutGradients) {
  for (const Index &n : kSizes)
    for (const Case &c : Cases(n)) {
      SCOPED_TRACE(c.name);
      const Partition p = Partition::Whole(n);
      const Result with = Evaluate(c, p, at::kDouble, true);
      at::NoGradGuard guard;
      EXPECT_LT(Largest(c.layer(c.divided, c.shared, p) - with.output), 1e-13);
    }
}

TEST(Layers, ConvolveAsLibTorchDoesWithZeroPadding) {
  const at::Tensor x = Random({2, 3, 5, 6, 7}, 1), kernel = Random({4, 3, 3, 3, 3}, 2), bias = Random({4}, 3);
  const at::Tensor expected = at::conv3d(x, kernel, bias, 1, 1);
  for (const Partition &p : Cuts({7, 6, 5})) {
    EXPECT_LT(Largest(Join(Convolution(Part(x, p), kernel, bias, p, 3), p) - expected), 1e-12);
    EXPECT_LT(Largest(Join(Convolution(Part(x[1], p), kernel, bias, p, 3), p) - expected[1]), 1e-12);
  }
}

TEST(Layers, StencilsAndTheirAdjointsBelongTogether) {
  const Index n{9, 6, 5};
  const at::Tensor w = Random({27, 5, 6, 9}, 1), x = Random({1, 5, 6, 9}, 2), y = Random({1, 5, 6, 9}, 3);
  for (const Partition &p : Cuts(n)) {
    const at::Tensor weights = WithHalo(Part(w, p), p, OneLayer(3));
    const double left = Sum((Stencil(weights, Part(x, p), p, 3) * Part(y, p)).sum()).item<double>();
    const double right = Sum((StencilAdjoint(weights, Part(y, p), p, 3) * Part(x, p)).sum()).item<double>();
    EXPECT_NEAR(left, right, 1e-12);
  }
}

TEST(Layers, ApplyASymmetricStencilTheSameWithAndWithoutGradients) {
  for (const auto &periodic : kSides)
    for (const Index &n : kSizes)
      for (const Partition &p : Cuts(n, periodic)) {
        const int dim = Dim(n);
        const at::Tensor half = Part(Random({dim == 3 ? 14 : 5, n[2], n[1], n[0]}, 1), p).requires_grad_();
        const at::Tensor weights = WithHalo(half, p, OneLayer(dim));
        const at::Tensor x = Part(Random({2, n[2], n[1], n[0]}, 2), p), y = Part(Random({2, n[2], n[1], n[0]}, 3), p);
        const at::Tensor Wx = SymmetricStencil(weights, x, p, dim);
        at::NoGradGuard no_gradients;
        EXPECT_LT(Largest(SymmetricStencil(weights, x, p, dim) - Wx), 1e-13);
        EXPECT_NEAR(Sum((Wx * y).sum()).item<double>(),
                    Sum((SymmetricStencil(weights, y, p, dim) * x).sum()).item<double>(), 1e-11);
      }
}

TEST(Layers, CoarseCellsCoverTheSameCellsWhateverTheCut) {
  const Index n{13, 10, 1};
  const at::Tensor x = at::arange(130, at::kDouble).view({1, 1, 10, 13});
  for (const auto &periodic : kSides)
    for (const Partition &p : Cuts(n, periodic)) {
      const Partition c = p.Coarsened();
      ASSERT_EQ(c.n, (Index{7, 5, 1}));
      const at::Tensor sums = Join(Restrict(Part(x, p), p), c);
      EXPECT_EQ(sums[0][0][0][0].item<double>(), 0 + 1 + 13 + 14);
      EXPECT_EQ(sums[0][0][4][6].item<double>(), (8 * 13 + 12) + (9 * 13 + 12)); // no partner at the upper end
      const at::Tensor means = Join(AveragePool(at::ones_like(Part(x, p)), p), c);
      EXPECT_EQ(Largest(means - 1), 0);
      const at::Tensor constant = Join(Prolong(Part(at::ones({1, 1, 5, 7}, at::kDouble), c), p), p);
      EXPECT_EQ(Largest(constant - 1), 0);
    }
}

TEST(Partition, RefusesCutsThatDoNotFit) {
  EXPECT_THROW(Partition::Even(PETSC_COMM_WORLD, {8, 8, 1}, {Ranks() + 1, 1, 1}), std::invalid_argument);
  Partition p = Partition::Whole({8, 8, 1});
  p.starts[1] = {0, 7};
  EXPECT_THROW(p.SetPlace(), std::invalid_argument);
  EXPECT_THROW(WithHalo(at::zeros({1, 1, 8, 9}), Partition::Whole({8, 8, 1}), OneLayer(2)), std::logic_error);
}

/// Tensors of LibTorch's device "meta" have a shape but no values, and meet no others: as good as a GPU to find what
/// would not run there. (LibTorch 1.13 has neither convolutions nor choices by condition for it.)
TEST(Layers, KeepToTheDeviceOfTheirTensors) {
  for (const Index &n : kSizes) {
    const int dim = Dim(n);
    const Partition p = Partition::Whole(n, {true, false, false});
    const at::Device meta(at::kMeta);
    const GridOperator here = TestOperator(n, p, at::kFloat), there = here.To(meta);
    const auto layers = [&](const GridOperator &op) {
      const at::Tensor x = op.Channels(), y = AveragePool(x, p);
      return std::vector<at::Tensor>{x, WithHalo(x, p, OneLayer(dim)), y, Prolong(y, p)};
    };
    const std::vector<at::Tensor> expected = layers(here), found = layers(there);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found[i].device(), meta);
      EXPECT_EQ(found[i].sizes(), expected[i].sizes());
    }
    EXPECT_THROW(Star(there.faces, there.sums, there.sums.unsqueeze(0), p, dim), std::logic_error);
  }
}

} // namespace
