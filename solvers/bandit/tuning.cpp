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
  if (!learner_->Restrict(std::vector<char>(arms_.size(), 1)))
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
  if (arms_[std::size_t(safe_)].solves == 0) {
    learner_->Choose(0);
    return safe_;
  }
  bool trial = TrialPays();
  std::vector<char> allowed(arms_.size(), 0);
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) {
    const bool untried = arms_[arm].solves == 0;
    allowed[arm] = !arms_[arm].dropped && (!untried || trial);
    if (untried && allowed[arm]) trial = false; // one at a time
  }
  learner_->Restrict(allowed);
  return learner_->Choose(0).arm;
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
    if (!a.dropped) distance += std::log(Cost(int(arm)) / Cost(best));
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

double Tuning::Limit(int arm) const {
  const int best = Cheapest();
  if (best < 0 || arm == best || arm == safe_) return std::numeric_limits<double>::infinity();
  return std::max(limit_ * Cost(best) - arms_[std::size_t(arm)].setup / Reuse(), 0.0);
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
  a.recent += (cost - a.recent) * std::max(kMemory, 1 / double(a.solves));
  a.total += cost;
  learner_->Observe(arm, cost + a.setup / Reuse());
  const bool hopeless = a.solved == 0 && a.stopped >= kPatience;
  if (arm != safe_ && (outcome == Outcome::kFailed || hopeless)) a.dropped = true;
}

void Tuning::Exchange(Archive *archive) {
  for (long *number : {&solves_, &stretch_, &matrices_, &past_solves_}) (*archive)(number);
  for (Arm &a : arms_) {
    for (long *number : {&a.solves, &a.solved, &a.stopped, &a.setups}) (*archive)(number);
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
