#include "nets/training/pool.h"
#include "meshes/random.h"
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

enum Stream { kWhite = 101, kLife = 102 };
constexpr double kSolved = 1e-10; ///< of the exact errors
constexpr long kMostIterations = 3000;
constexpr long kShortest = 2, kLongest = 20;

at::Tensor White(const GridOperator &op, long solves, long seed) {
  const Partition &p = op.partition;
  at::Tensor b = at::empty({solves, p.n[2], p.n[1], p.n[0]}, at::kDouble);
  for (std::int64_t i = 0; i < b.numel(); ++i)
    b.data_ptr<double>()[i] = 2 * Uniform(std::uint64_t(seed), kWhite, std::uint64_t(i)) - 1;
  return b * (op.scale > 0);
}

at::Tensor Factor(const at::Tensor &f) { return f.view({-1, 1, 1, 1}); }
at::Tensor Sums(const at::Tensor &a, const at::Tensor &b) { return (a * b).sum({1, 2, 3}); }

} // namespace

LiveGeometry::LiveGeometry(const Geometry &geometry, const Prepared &solver, long solves, long seed)
    : single_(MakeOperator(geometry, at::kFloat)), double_(MakeOperator(geometry, at::kDouble)), seed_(seed) {
  const auto solve = [&](const at::Tensor &b) {
    const ConjugateResult result = SolveConjugate(double_, solver, at::kFloat, b, kSolved, kMostIterations);
    for (const long its : result.iterations)
      if (its > kMostIterations)
        throw std::runtime_error("a training system could not be solved to " + std::to_string(kSolved) +
                                 "; its components may be singular");
    return result.x;
  };
  start_ = solve(White(double_, solves, seed));
  const long smooth = solves * 3 / 10;
  if (smooth > 0) start_.narrow(0, 0, smooth).copy_(solve(start_.narrow(0, 0, smooth).clone()));
  // Starts of residual 1.
  const at::Tensor r = double_.Apply(start_);
  start_ = start_ * Factor(at::rsqrt(Sums(r, r)));
  Restart(seed);
}

void LiveGeometry::Restart(long seed) {
  const long solves = long(start_.size(0));
  seed_ = seed;
  error_ = start_.clone();
  for (at::Tensor *t : {&directions_[0], &directions_[1], &images_[0], &images_[1]})
    *t = at::zeros(start_.sizes(), at::kFloat);
  ages_.assign(std::size_t(solves), 0);
  lives_.assign(std::size_t(solves), 0);
  count_.assign(std::size_t(solves), 0);
  for (long s = 0; s < solves; ++s) RestartOne(s);
}

void LiveGeometry::RestartOne(long s) {
  const std::size_t i = std::size_t(s);
  error_[s].copy_(start_[s]);
  for (at::Tensor *t : {&directions_[0], &directions_[1], &images_[0], &images_[1]}) (*t)[s].zero_();
  ages_[i] = 0;
  const double u = Uniform(std::uint64_t(seed_), kLife, std::uint64_t(s) + (std::uint64_t(count_[i]++) << 32));
  lives_[i] = kShortest + long(u * double(kLongest - kShortest + 1));
}

at::Tensor LiveGeometry::Step(const Prepared &net, const std::vector<long> &chosen) {
  const at::Tensor rows = at::empty({std::int64_t(chosen.size())}, at::kLong);
  std::copy(chosen.begin(), chosen.end(), rows.data_ptr<std::int64_t>());
  at::Tensor e = error_.index_select(0, rows), r = double_.Apply(e);
  const at::Tensor unit = Factor(at::rsqrt(Sums(r, r)));
  e = e * unit;
  r = r * unit;
  const at::Tensor whole = Sums(e, r).to(at::kFloat), residual = r.to(at::kFloat);
  at::Tensor q = net.Apply(residual);
  for (std::size_t w = 0; w < 2; ++w) {
    const at::Tensor d = directions_[w].index_select(0, rows), Ad = images_[w].index_select(0, rows);
    q = q - Factor(Sums(q, Ad)) * d;
  }
  const at::Tensor Aq = single_.Apply(q), length = Sums(q, Aq), slope = Sums(q, residual);
  // A direction of no length would divide by zero.
  const at::Tensor loss = (1 - slope * slope / (length.clamp_min(1e-30) * whole)).mean();

  at::NoGradGuard no_gradients;
  const at::Tensor fine = length > 1e-30;
  const at::Tensor scale = Factor(at::where(fine, at::rsqrt(length), at::zeros_like(length)));
  const at::Tensor direction = q.detach() * scale, image = Aq.detach() * scale;
  // The step is searched along the direction as it is in double precision.
  const at::Tensor exact = direction.to(at::kDouble), image_exact = double_.Apply(exact);
  const at::Tensor step = Sums(exact, r) / Sums(exact, image_exact).clamp_min(1e-30);
  error_.index_copy_(0, rows, e - Factor(step) * exact);
  for (at::Tensor *t : {&directions_[0], &images_[0]}) {
    at::Tensor &newest = t == &directions_[0] ? directions_[1] : images_[1];
    t->index_copy_(0, rows, newest.index_select(0, rows));
    newest.index_copy_(0, rows, t == &directions_[0] ? direction : image);
  }
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::size_t s = std::size_t(chosen[i]);
    const bool broken = !fine[std::int64_t(i)].item<bool>();
    if (++ages_[s] >= lives_[s] || broken) RestartOne(chosen[i]);
  }
  return loss;
}

} // namespace nets
} // namespace krylearn
