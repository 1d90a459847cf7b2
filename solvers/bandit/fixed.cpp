#include "solvers/bandit/learner.h"
#include <stdexcept>

namespace krylearn {
namespace bandit {
namespace {

class FixedLearner : public Learner {
public:
  FixedLearner(int arms, int arm) : arms_(arms), arm_(arm) {}
  Choice Choose(double) override { return {arm_, 1}; }
  void Observe(int, double) override {}
  std::vector<double> Probabilities(double) override {
    std::vector<double> all(std::size_t(arms_), 0);
    all[std::size_t(arm_)] = 1;
    return all;
  }
  void Exchange(Archive *) override {}
  bool Restrict(const std::vector<char> &allowed) override { return allowed[std::size_t(arm_)] != 0; }

private:
  int arms_, arm_;
};

} // namespace

Policy Fixed() {
  return {"fixed", "always the same arm, to compare with", false,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> {
            if (spec.fixed_arm < 0 || spec.fixed_arm >= spec.arms)
              throw std::invalid_argument("there is no arm " + std::to_string(spec.fixed_arm) + " among " +
                                          std::to_string(spec.arms));
            return std::make_unique<FixedLearner>(spec.arms, spec.fixed_arm);
          }};
}

} // namespace bandit
} // namespace krylearn
