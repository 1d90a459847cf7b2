// Thompson sampling on the logarithm of the cost: each arm's is taken as normal with unknown mean and variance.
#include "meshes/random.h"
#include "solvers/bandit/learner.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace krylearn {
namespace bandit {
namespace {

enum Stream : std::uint64_t { kChoice = 303, kLook = 304 };
constexpr double kDeviation = 0.3; ///< of a log cost, guessed before an arm is known, worth one observation
constexpr int kLooks = 200;        ///< draws that Probabilities() counts

struct Arm {
  long count = 0;
  double mean = 0, squares = 0; ///< of log costs; squared distances from their mean
};

class ThompsonLearner : public Learner {
public:
  ThompsonLearner(int arms, std::uint64_t seed) : seed_(seed), arms_(std::size_t(arms)), allowed_(std::size_t(arms), 1) {}

  Choice Choose(double) override {
    const std::size_t arm = Best(kChoice, std::uint64_t(rounds_));
    return {int(arm), 1}; // the chance is of no use to this learner
  }

  void Observe(int arm, double loss) override {
    ++rounds_;
    Arm &a = arms_[std::size_t(arm)];
    const double y = std::log(loss), before = y - a.mean;
    a.mean += before / double(++a.count);
    a.squares += before * (y - a.mean);
  }

  std::vector<double> Probabilities(double) override {
    std::vector<double> p(arms_.size(), 0);
    for (int look = 0; look < kLooks; ++look) p[Best(kLook, std::uint64_t(look))] += 1.0 / kLooks;
    return p;
  }

  void Exchange(Archive *archive) override {
    (*archive)(&rounds_);
    for (Arm &a : arms_) {
      (*archive)(&a.count);
      (*archive)(&a.mean);
      (*archive)(&a.squares);
    }
  }

  bool Restrict(const std::vector<char> &allowed) override {
    allowed_ = allowed;
    return true;
  }

private:
  /// The least of one draw of each arm's mean; arms never tried come first.
  std::size_t Best(Stream stream, std::uint64_t draw) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      const Arm &a = arms_[i];
      if (!allowed_[i]) continue;
      if (a.count == 0) return i;
      const double variance = (kDeviation * kDeviation + a.squares) / double(a.count);
      const double sample =
          a.mean + std::sqrt(variance / double(a.count)) * Normal(seed_, stream, draw * arms_.size() + i);
      if (sample < least) least = sample, best = i;
    }
    return best;
  }

  std::uint64_t seed_;
  std::vector<Arm> arms_;
  std::vector<char> allowed_;
  long rounds_ = 0;
};

} // namespace

Policy Thompson() {
  return {"thompson", "Thompson sampling on log costs, for losses of little noise in any unit", false,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> {
            return std::make_unique<ThompsonLearner>(spec.arms, spec.seed);
          }};
}

} // namespace bandit
} // namespace krylearn
