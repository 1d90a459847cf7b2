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
    error_ = start_.clone();
    for (Direction &w : window_) w = {at::zeros(start_.sizes(), at::kFloat), at::zeros(start_.sizes(), at::kFloat)};
    history_ = at::zeros({start_.size(0), kFigures}, at::kLong);
    for (std::int64_t s = 0; s < start_.size(0); ++s) Restart(s);
  }

  std::vector<at::Tensor> State() const override {
    return {error_, window_[0].d, window_[0].Ad, window_[1].d, window_[1].Ad, history_};
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
      const std::int64_t s = rows_[i].item<std::int64_t>();
      std::int64_t *history = History(s);
      if (++history[kAge] >= history[kLife] || !fine[i].item<bool>()) Restart(s);
    }
  }

private:
  enum Figure { kAge, kLife, kStarts, kFigures }; ///< of a solve: steps so far, steps in all, starts so far

  std::int64_t *History(std::int64_t solve) const { return history_.data_ptr<std::int64_t>() + solve * kFigures; }

  void Restart(std::int64_t s) {
    error_[s].copy_(start_[s]);
    for (const Direction &w : window_) w.d[s].zero_(), w.Ad[s].zero_();
    std::int64_t *history = History(s);
    history[kAge] = 0;
    const double u = Uniform(std::uint64_t(seed_), kLife, std::uint64_t(s) + (std::uint64_t(history[kStarts]++) << 32));
    history[kLife] = kShortest + long(u * double(kLongest - kShortest + 1));
  }

  const GridOperator op_;
  at::Tensor start_, error_; ///< [solve, z, y, x], double
  std::array<Direction, 2> window_;
  at::Tensor history_; ///< [solve, figure], int64
  const long seed_;
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
