// Tsallis-INF: Zimmert & Seldin, JMLR 2021; with what losses of iterations take, Khodak et al., ICLR 2024. No arm is
// ever ruled out, and the regret against the best fixed one is O(√(arms · rounds)) whatever the losses.
#include "meshes/random.h"
#include "solvers/bandit/learner.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace krylearn {
namespace bandit {
namespace {

constexpr std::uint64_t kStream = 301;

/// The distribution p_i = 4 / (rate (sums_i − x))² with x below all sums such that Σ p = 1; 0 where a sum is infinite.
void FollowTheLeader(const std::vector<double> &sums, double rate, std::vector<double> *p) {
  const double least = *std::min_element(sums.begin(), sums.end());
  // Σ p is convex and grows with x. Where the least sum alone has p = 1, it is at least 1: Newton's steps from there
  // fall towards the solution and never pass it.
  double x = -2 / rate;
  for (int step = 0; step < 60; ++step) {
    double total = 0, slope = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double root = 2 / (rate * (sums[i] - least - x));
      (*p)[i] = root * root;
      total += root * root;
      slope += root * root * root;
    }
    if (total - 1 <= 1e-14 * double(sums.size())) break;
    x -= (total - 1) / (rate * slope);
  }
  double total = 0;
  for (const double q : *p) total += q;
  for (double &q : *p) q /= total;
}

class TsallisLearner : public Learner {
public:
  TsallisLearner(int arms, std::uint64_t seed) : seed_(seed), sums_(std::size_t(arms), 0), p_(sums_) {}

  Choice Choose(double) override {
    Update();
    const int arm = Draw(p_, Uniform(seed_, kStream, std::uint64_t(rounds_)));
    return {arm, p_[std::size_t(arm)]};
  }

  /// Sums of (loss − 1)/p, because no solve takes less than one iteration; measured in the mean loss.
  void Observe(int arm, double loss) override {
    ++rounds_;
    total_ += loss;
    sums_[std::size_t(arm)] += (loss - 1) / p_[std::size_t(arm)];
  }

  std::vector<double> Probabilities(double) override {
    Update();
    return p_;
  }

  void Exchange(Archive *archive) override {
    (*archive)(&rounds_);
    (*archive)(&total_);
    (*archive)(&sums_);
  }

private:
  void Update() {
    const double mean = rounds_ > 0 ? total_ / double(rounds_) - 1 : 1, unit = mean > 0 ? mean : 1;
    std::vector<double> scaled = sums_;
    for (double &s : scaled) s /= unit;
    FollowTheLeader(scaled, 2 / std::sqrt(double(rounds_ + 1)), &p_);
  }

  std::uint64_t seed_;
  long rounds_ = 0;
  double total_ = 0;
  std::vector<double> sums_, p_;
};

/// Losses of any unit. Subtracting half a loss from what is observed, and adding it to every arm, keeps the estimates'
/// mean and takes most of their variance (Khodak et al. 2025, arXiv 2509.08765).
class ReducedVarianceLearner : public Learner {
public:
  ReducedVarianceLearner(int arms, std::uint64_t seed)
      : seed_(seed), sums_(std::size_t(arms), 0), shifts_(sums_), p_(sums_), allowed_(std::size_t(arms), 1) {}

  Choice Choose(double) override {
    Update();
    const int arm = Draw(p_, Uniform(seed_, kStream, std::uint64_t(rounds_)));
    return {arm, p_[std::size_t(arm)]};
  }

  void Observe(int arm, double loss) override {
    ++rounds_;
    total_ += loss;
    sums_[std::size_t(arm)] += loss / p_[std::size_t(arm)];
    if (rounds_ < kFirst) return;
    for (std::size_t i = 0; i < p_.size(); ++i)
      if (allowed_[i] && double(rounds_) * p_[i] >= kFirst) shifts_[i] += 0.5 - (int(i) == arm ? 0.5 / p_[i] : 0);
  }

  std::vector<double> Probabilities(double) override {
    Update();
    return p_;
  }

  void Exchange(Archive *archive) override {
    (*archive)(&rounds_);
    (*archive)(&total_);
    (*archive)(&sums_);
    (*archive)(&shifts_);
  }

  bool Restrict(const std::vector<char> &allowed) override {
    allowed_ = allowed;
    return true;
  }

private:
  static constexpr long kFirst = 16; ///< rounds, and expected choices of an arm, before its estimate is shifted

  /// In units in which the mean loss is ½, what the shift supposes.
  void Update() {
    const double unit = rounds_ > 0 && total_ > 0 ? 2 * total_ / double(rounds_) : 1;
    std::vector<double> scaled = sums_;
    for (std::size_t i = 0; i < scaled.size(); ++i)
      scaled[i] = allowed_[i] ? scaled[i] / unit + shifts_[i] : std::numeric_limits<double>::infinity();
    FollowTheLeader(scaled, 4 / std::sqrt(double(rounds_ + 1)), &p_);
  }

  std::uint64_t seed_;
  long rounds_ = 0;
  double total_ = 0;
  std::vector<double> sums_, shifts_, p_;
  std::vector<char> allowed_;
};

/// A learner for each of a number of equal parts of the range of contexts.
class BinnedLearner : public Learner {
public:
  explicit BinnedLearner(const PolicySpec &spec)
      : low_(spec.context_low), width_((spec.context_high - spec.context_low) / double(spec.bins)) {
    for (long bin = 0; bin < spec.bins; ++bin)
      bins_.push_back(std::make_unique<TsallisLearner>(spec.arms, SplitMix64(spec.seed) + std::uint64_t(bin)));
  }
  Choice Choose(double context) override {
    chosen_ = Bin(context);
    return bins_[chosen_]->Choose(context);
  }
  void Observe(int arm, double loss) override { bins_[chosen_]->Observe(arm, loss); }
  std::vector<double> Probabilities(double context) override { return bins_[Bin(context)]->Probabilities(context); }
  void Exchange(Archive *archive) override {
    for (const auto &bin : bins_) bin->Exchange(archive);
  }

private:
  std::size_t Bin(double context) const {
    const double bin = (context - low_) / width_;
    return std::size_t(std::min(std::max(bin, 0.0), double(bins_.size() - 1)));
  }

  double low_, width_;
  std::vector<std::unique_ptr<TsallisLearner>> bins_;
  std::size_t chosen_ = 0;
};

} // namespace

Policy Tsallis() {
  return {"tsallis", "Tsallis-INF: nearly as good as the best fixed arm, whatever happens", false,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> {
            return std::make_unique<TsallisLearner>(spec.arms, spec.seed);
          }};
}

Policy ReducedVarianceTsallis() {
  return {"tsallis_rv", "the same with estimates of less variance, for losses of any unit", false,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> {
            return std::make_unique<ReducedVarianceLearner>(spec.arms, spec.seed);
          }};
}

Policy BinnedTsallis() {
  return {"tsallis_cb", "a Tsallis-INF for each part of the range of contexts", true,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> { return std::make_unique<BinnedLearner>(spec); }};
}

} // namespace bandit
} // namespace krylearn
