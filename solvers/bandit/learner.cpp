#include "solvers/bandit/learner.h"
#include <stdexcept>

namespace krylearn {
namespace bandit {

void Archive::operator()(double *x) {
  if (!reading_) numbers_.push_back(*x);
  else if (place_ < numbers_.size()) *x = numbers_[place_++];
  else failed_ = true;
}

void Archive::operator()(long *x) {
  double number = double(*x);
  (*this)(&number);
  *x = long(number);
}

void Archive::operator()(std::vector<double> *x) {
  for (double &number : *x) (*this)(&number);
}

int Draw(const std::vector<double> &probabilities, double uniform) {
  const std::size_t last = probabilities.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    uniform -= probabilities[i];
    if (uniform < 0) return int(i);
  }
  return int(last);
}

const std::vector<Policy> &Policies() {
  static const std::vector<Policy> policies = {
      Tsallis(), ReducedVarianceTsallis(), BinnedTsallis(), ChebCB(), Thompson(), Surface(), Fixed()};
  return policies;
}

std::unique_ptr<Learner> MakeLearner(const PolicySpec &spec) {
  std::string names;
  for (const Policy &policy : Policies()) {
    names += (names.empty() ? "" : ", ") + std::string(policy.name);
    if (spec.name != policy.name) continue;
    if (spec.arms < 1) throw std::invalid_argument("a policy needs at least one arm");
    if (policy.contextual && !(spec.context_low < spec.context_high))
      throw std::invalid_argument("policy '" + spec.name + "' needs the range of contexts");
    return policy.make(spec);
  }
  throw std::invalid_argument("there is no policy '" + spec.name + "'; there are " + names);
}

} // namespace bandit
} // namespace krylearn
