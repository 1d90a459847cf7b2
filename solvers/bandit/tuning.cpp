#include "solvers/bandit/tuning.h"
#include "solvers/bandit/state.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace krylearn {
namespace bandit {
namespace {

/// Weight of a new cost in the running mean, once there are enough of them.
constexpr double kMemory = 0.05;
/// Log costs of arms that nobody has tried: how far they scatter, and that they lie around the cheapest arm, which
/// counts as much as one arm tried.
constexpr double kScatter = 0.7;

/// E[max(0, 1 − e^z)] for z normal with this mean and deviation kScatter: the part of its cost that a solve saves.
double ExpectedSaving(double mean) {
  const auto below = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  return below(-mean / kScatter) -
         std::exp(mean + kScatter * kScatter / 2) * below(-mean / kScatter - kScatter);
}

} // namespace

Tuning::Tuning(const PolicySpec &spec, const std::string &arms, int safe, double limit)
    : description_("tuner, policy " + spec.name + ", seed " + std::to_string(spec.seed) + "; arms " + arms),
      learner_(MakeLearner(spec)), arms_(std::size_t(spec.arms)), safe_(safe), limit_(limit) {
  std::vector<char> first(arms_.size(), 0);
  first[std::size_t(safe)] = 1;
  if (!learner_->Restrict(first))
    throw std::invalid_argument("policy '" + spec.name + "' cannot leave arms out, which a tuner needs");
}

int Tuning::Choose(bool new_matrix) {
  if (new_matrix && stretch_ > 0) {
    ++matrices_;
    past_solves_ += stretch_;
    stretch_ = 0;
  }
  ++stretch_;
  ++solves_;
  bool trial = arms_[std::size_t(safe_)].solves > 0 && TrialPays();
  int again = -1; // an arm in the midst of its trial
  std::vector<char> allowed(arms_.size(), 0);
  for (int arm = 0; arm < int(arms_.size()); ++arm) {
    const Arm &a = arms_[std::size_t(arm)];
    const bool untried = a.solves == 0;
    allowed[std::size_t(arm)] = !a.dropped && (!untried || arm == safe_ || trial);
    if (untried && arm != safe_ && allowed[std::size_t(arm)]) trial = false; // one at a time
    if (a.solves == 1 && !a.dropped) again = arm;
  }
  learner_->Restrict(allowed);
  const int drawn = learner_->Choose(0).arm;
  if (arms_[std::size_t(safe_)].solves == 0) return safe_;
  return again >= 0 ? again : drawn;
}

bool Tuning::TrialPays() const {
  const int best = Cheapest();
  if (best < 0) return true;
  double setups = 0, distance = 0;
  int tried = 0;
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) {
    const Arm &a = arms_[arm];
    if (a.solves == 0) continue;
    ++tried;
    setups += a.setup;
    distance += a.dropped ? std::log(limit_) : std::log(Cost(int(arm)) / Cost(best));
  }
  // The set-up, and a solve that may be stopped at the limit.
  const double price = setups / tried + (limit_ - 1) * Cost(best);
  return ExpectedSaving(distance / tried) * Cost(best) * double(solves_) > price;
}

double Tuning::Reuse() const {
  const double usual = matrices_ > 0 ? double(past_solves_) / double(matrices_) : kPresumedReuse;
  return std::max(usual, double(stretch_));
}

double Tuning::Cost(int arm) const {
  const Arm &a = arms_[std::size_t(arm)];
  return a.solves > 0 ? a.recent + a.setup / Reuse() : 0;
}

int Tuning::Cheapest() const {
  int best = -1;
  for (int arm = 0; arm < int(arms_.size()); ++arm) {
    const Arm &a = arms_[std::size_t(arm)];
    if (a.solved > 0 && !a.dropped && (best < 0 || Cost(arm) < Cost(best))) best = arm;
  }
  return best;
}

double Tuning::Total() const {
  double total = 0;
  for (const Arm &a : arms_) total += a.total;
  return total;
}

double Tuning::Limit(int arm) const {
  const int best = Cheapest();
  if (best < 0 || arm == safe_) return std::numeric_limits<double>::infinity();
  // None is known to be better than the cheapest, but it need not take for ever.
  const double yardstick = arm == best ? Cost(safe_) : Cost(best);
  return std::max(limit_ * yardstick - arms_[std::size_t(arm)].setup / Reuse(), 0.0);
}

void Tuning::SetUp(int arm, double cost) {
  Arm &a = arms_[std::size_t(arm)];
  ++a.setups;
  a.setup = cost;
  a.total += cost;
}

void Tuning::Observe(int arm, double cost, Outcome outcome) {
  if (!(cost > 0) || !std::isfinite(cost)) return;
  Arm &a = arms_[std::size_t(arm)];
  ++a.solves;
  a.solved += outcome == Outcome::kSolved;
  a.stopped += outcome == Outcome::kStopped;
  a.failures = outcome == Outcome::kFailed ? a.failures + 1 : 0;
  a.total += cost;
  if (a.solves <= 2) a.recent = a.solves == 1 ? cost : std::min(a.recent, cost);
  else a.recent += (cost - a.recent) * std::max(kMemory, 1 / double(a.solves - 1));
  if (a.solves > 1) learner_->Observe(arm, (a.solves == 2 ? a.recent : cost) + a.setup / Reuse());
  const bool hopeless = a.solved == 0 ? outcome == Outcome::kFailed || a.stopped >= kPatience : a.failures >= kPatience;
  if (arm != safe_ && hopeless) a.dropped = true;
}

void Tuning::Exchange(Archive *archive) {
  for (long *number : {&solves_, &stretch_, &matrices_, &past_solves_}) (*archive)(number);
  for (Arm &a : arms_) {
    for (long *number : {&a.solves, &a.solved, &a.stopped, &a.setups, &a.failures}) (*archive)(number);
    for (double *number : {&a.recent, &a.setup, &a.total}) (*archive)(number);
    long dropped = a.dropped;
    (*archive)(&dropped);
    a.dropped = dropped != 0;
  }
  learner_->Exchange(archive);
}

std::string Tuning::State() {
  Archive archive;
  Exchange(&archive);
  return WriteState(description_, archive.Numbers());
}

void Tuning::SetState(const std::string &text) {
  Archive count;
  Exchange(&count);
  Archive archive(ReadState(text, description_, count.Numbers().size()));
  Exchange(&archive);
}

} // namespace bandit
} // namespace krylearn
