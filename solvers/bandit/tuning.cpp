#include "solvers/bandit/tuning.h"
#include "solvers/bandit/state.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace krylearn {
namespace bandit {
namespace {

/// Weight of a new cost in the running mean, once there are enough of them.
constexpr double kMemory = 0.05;
/// A dropped arm that a learner asks for again is said to have cost so many times the dearest arm.
constexpr double kPenalty = 10;
constexpr int kMostPenalties = 100;

} // namespace

Tuning::Tuning(const PolicySpec &spec, const std::string &arms, int safe, double limit)
    : description_("tuner, policy " + spec.name + ", seed " + std::to_string(spec.seed) + "; arms " + arms),
      learner_(MakeLearner(spec)), arms_(std::size_t(spec.arms)), safe_(safe), limit_(limit) {}

int Tuning::Choose(bool new_matrix) {
  if (new_matrix && stretch_ > 0) {
    ++matrices_;
    past_solves_ += stretch_;
    stretch_ = 0;
  }
  ++stretch_;
  ++solves_;
  double dearest = 0;
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) dearest = std::max(dearest, Cost(int(arm)));
  for (int penalty = 0; penalty < kMostPenalties; ++penalty) {
    const int arm = learner_->Choose(0).arm;
    if (arms_[std::size_t(safe_)].solves == 0) return safe_;
    if (!arms_[std::size_t(arm)].dropped) return arm;
    learner_->Observe(arm, kPenalty * dearest);
  }
  return safe_;
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
