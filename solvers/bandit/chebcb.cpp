// ChebCB: inverse-gap weighting (SquareCB: Foster & Rakhlin, ICML 2020) on losses that each arm models as a Chebyshev
// series in the context, with the coefficients bounded as a Lipschitz function's are (Khodak et al., ICLR 2024).
#include "meshes/random.h"
#include "solvers/bandit/chebyshev.h"
#include "solvers/bandit/learner.h"
#include <array>
#include <cmath>
#include <limits>

namespace krylearn {
namespace bandit {
namespace {

constexpr std::uint64_t kStream = 302;
constexpr std::size_t kFeatures = 6;
constexpr int kSweeps = 50; ///< at most, of a fit; a warm start takes few

using Features = std::array<double, kFeatures>;

/// Least squares of one arm's losses ℓ − 1, kept as normal equations.
struct Arm {
  std::array<Features, kFeatures> gram{};
  Features moments{}, theta{};
  double squares = 0;

  double Predict(const Features &t) const {
    double sum = 0;
    for (std::size_t j = 0; j < kFeatures; ++j) sum += theta[j] * t[j];
    return sum;
  }

  void Add(const Features &t, double y) {
    for (std::size_t i = 0; i < kFeatures; ++i) {
      moments[i] += t[i] * y;
      for (std::size_t j = 0; j < kFeatures; ++j) gram[i][j] += t[i] * t[j];
    }
    squares += y * y;
  }

  /// θ for losses times `scale`, within ±bounds, by coordinate descent from the last one; returns what is left of the
  /// sum of squares.
  double Fit(double scale, const Features &bounds) {
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      double change = 0;
      for (std::size_t i = 0; i < kFeatures; ++i) {
        if (gram[i][i] <= 0) continue;
        double rest = scale * moments[i];
        for (std::size_t j = 0; j < kFeatures; ++j) rest -= gram[i][j] * theta[j];
        const double next = std::min(bounds[i], std::max(-bounds[i], theta[i] + rest / gram[i][i]));
        change = std::max(change, std::abs(next - theta[i]));
        theta[i] = next;
      }
      if (change <= 1e-9 * bounds[0]) break;
    }
    double left = scale * scale * squares;
    for (std::size_t i = 0; i < kFeatures; ++i) {
      double row = -2 * scale * moments[i];
      for (std::size_t j = 0; j < kFeatures; ++j) row += gram[i][j] * theta[j];
      left += theta[i] * row;
    }
    return std::max(0.0, left);
  }
};

class ChebCBLearner : public Learner {
public:
  explicit ChebCBLearner(const PolicySpec &spec)
      : low_(spec.context_low), high_(spec.context_high), seed_(spec.seed), arms_(std::size_t(spec.arms)) {}

  Choice Choose(double context) override {
    ChebyshevFeatures(context, low_, high_, kFeatures, features_.data());
    const std::vector<double> p = Weigh();
    const int arm = Draw(p, Uniform(seed_, kStream, std::uint64_t(rounds_)));
    return {arm, p[std::size_t(arm)]};
  }

  void Observe(int arm, double loss) override {
    Arm &chosen = arms_[std::size_t(arm)];
    chosen.Add(features_, loss - 1);
    ++rounds_;
    least_ = std::min(least_, loss);
    const double before = unit_;
    if (loss > largest_ || rounds_ == 1 || least_ == loss) {
      largest_ = std::max(largest_, loss);
      const double width = high_ - low_;
      slope_ = (largest_ - least_) / width;
      growth_ = 2 + 4 * width * (slope_ / largest_) * (1 + std::log(double(kFeatures)));
      unit_ = largest_ * growth_;
    }
    const double miss = chosen.Predict(features_) - loss / unit_;
    misses_ += miss * miss;
    if (unit_ == before) left_ = chosen.Fit(1 / unit_, Bounds());
    else
      for (Arm &a : arms_) left_ = a.Fit(1 / unit_, Bounds());
  }

  std::vector<double> Probabilities(double context) override {
    const Features kept = features_;
    ChebyshevFeatures(context, low_, high_, kFeatures, features_.data());
    const std::vector<double> p = Weigh();
    features_ = kept;
    return p;
  }

  void Exchange(Archive *archive) override {
    for (Arm &arm : arms_) {
      for (Features &row : arm.gram)
        for (double &x : row) (*archive)(&x);
      for (double &x : arm.moments) (*archive)(&x);
      for (double &x : arm.theta) (*archive)(&x);
      (*archive)(&arm.squares);
    }
    (*archive)(&rounds_);
    for (double *x : {&largest_, &least_, &slope_, &growth_, &unit_, &misses_, &left_}) (*archive)(x);
  }

private:
  Features Bounds() const {
    Features bounds;
    for (std::size_t j = 0; j < kFeatures; ++j)
      bounds[j] = j == 0 ? 1 / growth_ : 2 * (high_ - low_) * slope_ / (unit_ * double(j));
    return bounds;
  }

  /// The predicted best arm gets what others leave; these get less the worse they look.
  std::vector<double> Weigh() const {
    const double count = double(arms_.size()), t = double(rounds_);
    std::vector<double> p(arms_.size(), 1 / count);
    if (rounds_ == 0) return p;
    std::size_t best = 0;
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      p[i] = arms_[i].Predict(features_);
      if (p[i] < p[best]) best = i;
    }
    const double pi = std::acos(-1.0);
    const double alpha = (pi + 2 / pi * std::log(2 * double(kFeatures) + 1)) * (high_ - low_) * slope_ /
                         (2 * unit_ * double(kFeatures + 1));
    const double regret = std::max(misses_ - left_ + 2 * alpha * alpha * t, std::numeric_limits<double>::min());
    const double rate = 2 * t * std::sqrt(count * t / regret), least = p[best];
    double others = 0;
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      if (i == best) continue;
      p[i] = 1 / (count + rate * (p[i] - least));
      others += p[i];
    }
    p[best] = 1 - others;
    return p;
  }

  double low_, high_;
  std::uint64_t seed_;
  std::vector<Arm> arms_;
  Features features_{}; ///< of the last choice's context
  long rounds_ = 0;
  double largest_ = 0, least_ = std::numeric_limits<double>::max();
  double slope_ = 0, growth_ = 2, unit_ = 1; ///< L, N and K N of the paper
  double misses_ = 0, left_ = 0;             ///< R, and the last fit's residual
};

} // namespace

Policy ChebCB() {
  return {"chebcb", "losses as Chebyshev series in the context, arms by inverse gaps", true,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> { return std::make_unique<ChebCBLearner>(spec); }};
}

} // namespace bandit
} // namespace krylearn
