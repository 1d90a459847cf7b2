// Residuals of live solves, which training itself carries on: each has a known error e; a step takes the residual r = A
// e and the network's direction, and steps along it. So the network meets the residuals that it causes.
#include "meshes/random.h"
#include "nets/training/conjugate.h"
#include "nets/training/sampler.h"

namespace krylearn {
namespace nets {
namespace {

enum Stream { kLife = 102, kFirst = 103 };
constexpr long kShortest = 2, kLongest = 20; ///< steps of a solve before it starts again
constexpr double kNoLength = 1e-30;          ///< of the squared A-norm of a direction

at::Tensor Sums(const at::Tensor &a, const at::Tensor &b) { return (a * b).sum({1, 2, 3}); }

class Live : public Sampler {
public:
  /// Seven solves of ten start with a white right-hand side, the others with errors one inverse iteration smoother.
  explicit Live(const SamplerInput &input) : op_(input.op), seed_(input.seed) {
    start_ = SolveExactly(op_, input.solver, WhiteRightSides(op_, input.solves, seed_));
    const long smooth = input.solves * 3 / 10;
    if (smooth > 0) {
      const at::Tensor some = start_.narrow(0, 0, smooth);
      some.copy_(SolveExactly(op_, input.solver, some.clone()));
    }
    const at::Tensor r = op_.Apply(start_);
    start_ = start_ * PerSolve(at::rsqrt(Sums(r, r)));
    Restart(seed_);
  }

  void Restart(long seed) override {
    seed_ = seed;
    error_ = start_.clone();
    for (Direction &w : window_) w = {at::zeros(start_.sizes(), at::kFloat), at::zeros(start_.sizes(), at::kFloat)};
    const auto solves = std::size_t(start_.size(0));
    ages_.assign(solves, 0);
    lives_.assign(solves, 0);
    starts_.assign(solves, 0);
    for (std::size_t s = 0; s < solves; ++s) RestartOne(s);
  }

  /// Neighbours in the pool, whose restarts are scattered all the same.
  Batch Draw(long solves, std::uint64_t place) override {
    at::NoGradGuard no_gradients;
    const std::int64_t all = start_.size(0);
    rows_ = at::arange(solves, at::kLong) + std::int64_t(Uniform(std::uint64_t(seed_), kFirst, place) * double(all));
    rows_ = rows_.remainder(all);
    const at::Tensor e = error_.index_select(0, rows_), r = op_.Apply(e), unit = PerSolve(at::rsqrt(Sums(r, r)));
    drawn_error_ = e * unit;
    drawn_residual_ = r * unit;
    Batch batch;
    batch.residual = drawn_residual_.to(at::kFloat);
    batch.energy = Sums(drawn_error_, drawn_residual_).to(at::kFloat);
    for (const Direction &w : window_)
      batch.window.push_back({w.d.index_select(0, rows_), w.Ad.index_select(0, rows_)});
    drawn_window_ = batch.window;
    return batch;
  }

  /// A step of deep conjugate directions in double precision.
  void Advance(const at::Tensor &q) override {
    at::NoGradGuard no_gradients;
    const at::Tensor d = Orthogonal(q.detach(), drawn_window_).to(at::kDouble), Ad = op_.Apply(d), length = Sums(d, Ad);
    const at::Tensor fine = length > kNoLength; // false for NaN too
    const at::Tensor scale = PerSolve(at::where(fine, at::rsqrt(length), at::zeros_like(length)));
    const at::Tensor direction = d * scale, image = Ad * scale;
    error_.index_copy_(0, rows_, drawn_error_ - PerSolve(Sums(direction, drawn_residual_)) * direction);
    window_[0].d.index_copy_(0, rows_, drawn_window_[1].d);
    window_[0].Ad.index_copy_(0, rows_, drawn_window_[1].Ad);
    window_[1].d.index_copy_(0, rows_, direction.to(at::kFloat));
    window_[1].Ad.index_copy_(0, rows_, image.to(at::kFloat));
    for (std::int64_t i = 0; i < rows_.numel(); ++i) {
      const auto s = std::size_t(rows_[i].item<std::int64_t>());
      if (++ages_[s] >= lives_[s] || !fine[i].item<bool>()) RestartOne(s);
    }
  }

private:
  void RestartOne(std::size_t s) {
    const auto row = std::int64_t(s);
    error_[row].copy_(start_[row]);
    for (const Direction &w : window_) w.d[row].zero_(), w.Ad[row].zero_();
    ages_[s] = 0;
    const double u = Uniform(std::uint64_t(seed_), kLife, std::uint64_t(s) + (std::uint64_t(starts_[s]++) << 32));
    lives_[s] = kShortest + long(u * double(kLongest - kShortest + 1));
  }

  const GridOperator op_;
  at::Tensor start_, error_; ///< [solve, z, y, x], double
  std::array<Direction, 2> window_;
  std::vector<long> ages_, lives_, starts_; ///< steps so far, steps in all, starts so far
  long seed_;
  // Of the last draw:
  at::Tensor rows_, drawn_error_, drawn_residual_;
  std::vector<Direction> drawn_window_;
};

} // namespace

Sampling LiveSolves() {
  return {"krylov", "residuals of solves that training carries on with the network's own directions", false,
          [](const SamplerInput &input) -> std::unique_ptr<Sampler> { return std::make_unique<Live>(input); }};
}

} // namespace nets
} // namespace krylearn
