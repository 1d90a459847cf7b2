// The convolutional network of Kaneda et al., "A Deep Conjugate Direction Method for Iteratively Solving Linear
// Systems", ICML 2023: a U of convolutions that turns the residual, of norm 1, into a search direction. Not linear.
//   1. x = convolution of r, without activation       4. coarse convolutions, once around with more levels below
//   2. `pre` convolutions on the grid                  5. nearest up-sampling, added to what step 2 left
//   3. average pooling to the next coarser grid        6. `post` convolutions, then a weighted sum of the channels
// Convolutions after the first come in pairs, x += ReLU(W ReLU(V x + a) + b). Pooling and up-sampling both have a gain
// of 2, which the weights of the paper's network absorb: so noise keeps its size on coarser grids, and what comes back
// grows with the square of the cell, as solutions of a Poisson equation do.
//
// Beyond the paper: with more than one coarse level all of them share the coarse convolutions, of which the first half
// goes before the next level and the second half after it. With geometry, a pair is x += M W (G ReLU(V x)): M is 1 in
// cells with an unknown, and the gates G are 1 plus a convolution of the geometry's channels, one set for each of pre,
// post and the two halves of coarse. They multiply and there are no biases, so that doubling x doubles the direction:
// on coarse levels residuals have any size. Residual and direction are scaled by D^(-1/2). All that depends on the
// geometry alone is computed once.
#include "nets/architecture.h"
#include <cmath>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

constexpr double kGain = 2;     ///< of pooling, and of up-sampling
constexpr long kSmallest = 3;   ///< cells along the longest axis where "all" levels end
constexpr double kBranch = 0.1; ///< initial size of what a pair adds

struct Layer {
  at::Tensor kernel, bias;
};

/// Convolutions of one place in the U, in pairs.
struct Block {
  std::vector<Layer> layers;
  at::Tensor geometry; ///< kernel from geometry to gates, if wanted
};

struct Level {
  Partition partition;
  at::Tensor mask;                    ///< [1, z, y, x], undefined without geometry
  at::Tensor before_gate, after_gate; ///< [channels, z, y, x] or undefined
};

double GlobalSum(const at::Tensor &x, const Partition &p) {
  double sum = x.sum(at::kDouble).item<double>();
  if (p.Ranks(0) * p.Ranks(1) * p.Ranks(2) > 1) MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, p.comm);
  return sum;
}

/// a + b, in the memory of `a` where no gradients are wanted.
at::Tensor Plus(const at::Tensor &a, const at::Tensor &b) { return at::GradMode::is_enabled() ? a + b : a.add_(b); }
at::Tensor Times(const at::Tensor &a, const at::Tensor &b) { return at::GradMode::is_enabled() ? a * b : a.mul_(b); }
at::Tensor Relu(const at::Tensor &a) { return at::GradMode::is_enabled() ? at::relu(a) : a.relu_(); }

struct Weights {
  int dim;
  Layer lift, dense;
  Block pre, down, up, post; ///< down and up: the halves of the coarse convolutions
};

class DcdmPrepared : public Prepared {
public:
  DcdmPrepared(Weights weights, std::vector<Level> levels, const at::Tensor &before, const at::Tensor &after)
      : w_(std::move(weights)), levels_(std::move(levels)), before_(before), after_(after) {}

  at::Tensor Apply(const at::Tensor &r) const override {
    const Level &level = levels_[0];
    at::Tensor x = Convolution((r * before_).unsqueeze(1), w_.lift.kernel, w_.lift.bias, level.partition, w_.dim);
    if (level.mask.defined()) x = Times(x, level.mask);
    x = Run(w_.pre, level, level.before_gate, x);
    x = Run(w_.post, level, level.after_gate, WithCoarser(0, x));
    at::Tensor q = at::matmul(w_.dense.kernel.view({1, -1}), x.flatten(2)).view(r.sizes());
    if (w_.dense.bias.defined()) q = q + w_.dense.bias;
    return q * after_;
  }

  double Flops() const override {
    double flops = 0;
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const auto add = [&](const Block &block) {
        for (const Layer &layer : block.layers) flops += Cells(l) * (2 * double(layer.kernel.numel()) + 4 * Channels());
      };
      if (l == 0) add(w_.pre), add(w_.post), flops += Cells(l) * 2 * double(w_.lift.kernel.numel() + Channels());
      else add(w_.down), add(w_.up);
    }
    return flops;
  }

private:
  double Cells(std::size_t l) const { return double(levels_[l].partition.OwnedCells()); }
  double Channels() const { return double(w_.lift.kernel.size(0)); }

  at::Tensor Run(const Block &block, const Level &level, const at::Tensor &gate, at::Tensor x) const {
    for (std::size_t i = 0; i < block.layers.size(); i += 2) {
      at::Tensor y = Relu(Convolution(x, block.layers[i].kernel, block.layers[i].bias, level.partition, w_.dim));
      if (gate.defined()) y = Times(y, gate);
      y = Convolution(y, block.layers[i + 1].kernel, block.layers[i + 1].bias, level.partition, w_.dim);
      x = Plus(x, level.mask.defined() ? Times(y, level.mask) : Relu(y));
    }
    return x;
  }

  /// x on level l and what the coarser ones add to it.
  at::Tensor WithCoarser(std::size_t l, const at::Tensor &x) const {
    if (l + 1 == levels_.size()) return x;
    const Level &level = levels_[l + 1];
    at::Tensor y = AveragePool(x, levels_[l].partition) * kGain;
    y = Run(w_.down, level, level.before_gate, y);
    y = Run(w_.up, level, level.after_gate, WithCoarser(l + 1, y));
    y = Prolong(y, levels_[l].partition) * kGain;
    if (levels_[l].mask.defined()) y = Times(y, levels_[l].mask);
    return Plus(x, y);
  }

  const Weights w_;
  const std::vector<Level> levels_;
  const at::Tensor before_, after_; ///< factors of residual and direction
};

class DcdmNet : public Net {
public:
  DcdmNet(const Options &options, int dim, long seed)
      : dim_(dim), seed_(seed), channels_(WholeNumber(options, "channels", 1, 256)),
        geometry_(WholeNumber(options, "geometry", 0, 1) == 1),
        levels_(options.at("levels") == "all" ? 0 : WholeNumber(options, "levels", 1, 30)),
        pre_(WholeNumber(options, "pre", 2, 40)), coarse_(WholeNumber(options, "coarse", 2, 40)),
        post_(WholeNumber(options, "post", 2, 40)) {
    for (const char *place : {"pre", "coarse", "post"})
      if (std::stol(options.at(place)) % 2)
        throw std::invalid_argument("option " + std::string(place) + " is " + options.at(place) +
                                    "; convolutions come in pairs, so give an even number");
    const std::int64_t deep = dim == 3 ? 3 : 1;
    // At first the network is lift, pooling, up-sampling and sum, hardly more: what lift spreads over the channels, the
    // sum collects again, so that directions are ones of descent from the start.
    const at::Tensor signs = at::sign(RandomParameter({channels_}, 1, seed, stream_++));
    at::Tensor lift = RandomParameter({channels_, 1, deep, 3, 3}, 0.1, seed, stream_++);
    lift.select(2, deep / 2).select(2, 1).select(2, 1).add_(signs.unsqueeze(1));
    Add("lift", lift);
    AddLayers("pre", pre_);
    AddLayers("coarse", coarse_);
    AddLayers("post", post_);
    Add("dense", signs.view({1, channels_, 1, 1, 1}) / double(channels_));
    if (geometry_)
      for (const char *place : {"pre", "down", "up", "post"})
        parameters.push_back(
            {std::string(place) + ".geometry",
             RandomParameter({channels_, dim + 2, deep, 3, 3}, 0.5 / std::sqrt(double(9 * deep)), seed, stream_++)});
  }

  std::unique_ptr<Prepared> Prepare(const GridOperator &finest) const override {
    const Weights w = Named();
    std::vector<Level> levels;
    GridOperator op = finest;
    for (;;) {
      const Block &before = levels.empty() ? w.pre : w.down, &after = levels.empty() ? w.post : w.up;
      Level level;
      level.partition = op.partition;
      if (geometry_) {
        const at::Tensor channels = op.Channels();
        level.mask = (op.scale > 0).to(op.scale.scalar_type()).unsqueeze(0);
        level.before_gate = 1 + Convolution(channels, before.geometry, {}, op.partition, dim_);
        level.after_gate = 1 + Convolution(channels, after.geometry, {}, op.partition, dim_);
      }
      levels.push_back(level);
      const Index &n = op.partition.n;
      const long longest = std::max(n[0], std::max(n[1], n[2]));
      if (levels_ ? long(levels.size()) > levels_ : longest <= kSmallest) break;
      if (op.IsOneCell())
        throw std::invalid_argument("the network has " + std::to_string(levels_) +
                                    " coarser levels, too many for a grid that has " + std::to_string(levels.size()) +
                                    " in all; use a larger grid, or train with levels=all");
      if (geometry_) op = op.Coarsened();
      else op.partition = op.partition.Coarsened(); // nothing else is looked at
    }
    // Residuals have norm 1: entries of about 1 are wanted.
    const at::Tensor fluid = (finest.scale > 0).to(finest.scale.scalar_type());
    const at::Tensor after = geometry_ ? finest.scale : fluid;
    const double cells = std::max(1.0, GlobalSum(fluid, finest.partition)),
                 size = std::sqrt(GlobalSum(after * after, finest.partition) / cells);
    return std::make_unique<DcdmPrepared>(w, std::move(levels), after * (std::sqrt(cells) / std::max(size, 1e-30)),
                                          after);
  }

private:
  void AddLayers(const std::string &name, long count) {
    const std::int64_t deep = dim_ == 3 ? 3 : 1;
    for (long l = 0; l < count; ++l) {
      const double branch = l % 2 == 0 ? 1 : geometry_ ? 0 : kBranch; // a pair adds little to x at first
      const double bound = std::sqrt(6.0 / double(9 * deep * channels_)) * branch;
      Add(name + std::to_string(l), RandomParameter({channels_, channels_, deep, 3, 3}, bound, seed_, stream_++));
    }
  }

  void Add(const std::string &layer, const at::Tensor &kernel) {
    parameters.push_back({layer + ".kernel", kernel});
    if (!geometry_) parameters.push_back({layer + ".bias", at::zeros({kernel.size(0)})});
  }

  Weights Named() const {
    std::size_t next = 0;
    const auto take = [&] { return parameters[next++].second; };
    const auto layer = [&] {
      Layer l;
      l.kernel = take();
      if (!geometry_) l.bias = take();
      return l;
    };
    const auto block = [&](long count) {
      Block b;
      for (long i = 0; i < count; ++i) b.layers.push_back(layer());
      return b;
    };
    Weights w;
    w.dim = dim_;
    w.lift = layer();
    w.pre = block(pre_);
    const long first = (coarse_ / 2 + 1) / 2 * 2;
    w.down = block(first);
    w.up = block(coarse_ - first);
    w.post = block(post_);
    w.dense = layer();
    if (geometry_)
      for (Block *b : {&w.pre, &w.down, &w.up, &w.post}) b->geometry = take();
    return w;
  }

  int dim_;
  long seed_, channels_;
  bool geometry_;
  long levels_;              ///< coarser ones; 0: all
  long pre_, coarse_, post_; ///< convolutions
  long stream_ = 0;
};

} // namespace

Architecture Dcdm() {
  return {"dcdm",
          "the convolutional network of the deep conjugate direction method; not linear",
          false,
          false,
          {{"channels", "16"}, {"pre", "4"}, {"coarse", "6"}, {"post", "4"}, {"levels", "1"}, {"geometry", "0"}},
          [](const Options &options, int dim, long seed) -> std::unique_ptr<Net> {
            return std::make_unique<DcdmNet>(options, dim, seed);
          },
          true};
}

} // namespace nets
} // namespace krylearn
