// Bandits on losses that are known.
#include "meshes/random.h"
#include "solvers/bandit/bandit.h"
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace krylearn::bandit;

namespace {

constexpr int kArms = 12;

PolicySpec Spec(const std::string &name) {
  PolicySpec spec;
  spec.name = name;
  spec.arms = kArms;
  spec.seed = 5;
  for (int arm = 0; arm < kArms; ++arm) spec.positions.push_back(1 + 0.08 * arm);
  spec.context_low = -1, spec.context_high = 3;
  return spec;
}

double ContextOf(int round) { return -1 + 4 * krylearn::Uniform(9, 1, std::uint64_t(round)); }

/// Least at an arm that moves with the context, as iterations of SOR do.
double Loss(int arm, double context) {
  const double best = 3 + 1.5 * context, distance = arm - best;
  return 10 + 0.6 * distance * distance;
}

/// Mean loss over the last `count` of `rounds`, without the least that there was.
double Regret(Bandit *bandit, int rounds, int count) {
  double regret = 0;
  for (int round = 0; round < rounds; ++round) {
    const double context = ContextOf(round);
    const int arm = bandit->Choose(context);
    double least = Loss(0, context);
    for (int other = 1; other < kArms; ++other) least = std::min(least, Loss(other, context));
    if (round >= rounds - count) regret += (Loss(arm, context) - least) / count;
    bandit->Observe(Loss(arm, context));
  }
  return regret;
}

TEST(Bandit, GivesChancesThatAddUpToOne) {
  for (const Policy &policy : Policies()) {
    Bandit bandit(Spec(policy.name), "test");
    for (int round = 0; round < 200; ++round) {
      const std::vector<double> p = bandit.Probabilities(ContextOf(round));
      ASSERT_EQ(p.size(), std::size_t(kArms)) << policy.name;
      EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-9) << policy.name;
      for (const double q : p) EXPECT_GE(q, 0) << policy.name;
      bandit.Observe(Loss(bandit.Choose(ContextOf(round)), ContextOf(round)));
    }
  }
}

TEST(Bandit, LearnsWhichArmsAreGood) {
  // Any arm at random loses 8.9 a round, the best fixed one 2.2.
  const struct {
    const char *name;
    double most;
  } table[] = {{"tsallis", 3.2}, {"tsallis_rv", 3.2}, {"tsallis_cb", 1.9},
               {"chebcb", 0.5},  {"thompson", 3.2},   {"surface", 0.15}};
  for (const auto &row : table) {
    Bandit bandit(Spec(row.name), "test");
    EXPECT_LT(Regret(&bandit, 3000, 1000), row.most) << row.name;
  }
}

TEST(Bandit, ChoosesTheSameFromTheSameSeedAndOtherwiseFromAnother) {
  for (const Policy &policy : Policies()) {
    PolicySpec other = Spec(policy.name);
    other.seed = 6;
    Bandit one(Spec(policy.name), "test"), two(Spec(policy.name), "test"), three(other, "test");
    int different = 0;
    for (int round = 0; round < 300; ++round) {
      const double context = ContextOf(round);
      const int arm = one.Choose(context);
      ASSERT_EQ(two.Choose(context), arm) << policy.name << ", round " << round;
      const int third = three.Choose(context);
      different += third != arm;
      one.Observe(Loss(arm, context));
      two.Observe(Loss(arm, context));
      three.Observe(Loss(third, context));
    }
    EXPECT_EQ(different == 0, policy.name == std::string("fixed")) << policy.name;
  }
}

TEST(Bandit, GoesOnFromAStateBitForBit) {
  for (const Policy &policy : Policies()) {
    Bandit whole(Spec(policy.name), "test"), second(Spec(policy.name), "test");
    Regret(&whole, 150, 1);
    second.SetState(whole.State());
    for (int round = 150; round < 300; ++round) {
      const double context = ContextOf(round);
      const int arm = whole.Choose(context);
      ASSERT_EQ(second.Choose(context), arm) << policy.name << ", round " << round;
      whole.Observe(Loss(arm, context));
      second.Observe(Loss(arm, context));
    }
    EXPECT_EQ(second.State(), whole.State()) << policy.name;
  }
}

/// What SetState() says to a text.
std::string Complaint(Bandit *bandit, const std::string &text) {
  try {
    bandit->SetState(text);
  } catch (const std::exception &e) { return e.what(); }
  return "";
}

TEST(Bandit, RefusesStatesThatAreDamagedOrOfAnother) {
  Bandit bandit(Spec("chebcb"), "twelve"), other(Spec("chebcb"), "eleven");
  Regret(&bandit, 50, 1);
  const std::string state = bandit.State();
  EXPECT_NE(Complaint(&other, state).find("arms twelve; expected"), std::string::npos) << Complaint(&other, state);
  EXPECT_EQ(Complaint(&other, "hello"), "it is no state of a bandit");
  EXPECT_EQ(Complaint(&other, "krylearn bandit, format 7\n"), "it has format 7, expected 1");
  EXPECT_EQ(Complaint(&bandit, state.substr(0, state.size() / 2)), "it is cut off or damaged");
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::string flipped = state;
    flipped[std::size_t(krylearn::Uniform(3, 1, i) * double(state.size()))] ^=
        char(1 << int(8 * krylearn::Uniform(3, 2, i)));
    EXPECT_NE(Complaint(&bandit, flipped), "") << i;
  }
  EXPECT_EQ(bandit.State(), state);
}

TEST(Bandit, LeavesOutLossesThatAreNoNumbers) {
  for (const Policy &policy : Policies()) {
    Bandit bandit(Spec(policy.name), "test");
    Regret(&bandit, 20, 1);
    const std::string state = bandit.State();
    for (const double loss : {std::nan(""), HUGE_VAL, 0.0, -3.0}) bandit.Observe(loss);
    EXPECT_EQ(bandit.State(), state) << policy.name;
  }
}

TEST(Bandit, RefusesPoliciesThatItCannotMake) {
  const auto refuse = [](const PolicySpec &spec) -> std::string {
    try {
      MakeLearner(spec);
    } catch (const std::exception &e) { return e.what(); }
    return "";
  };
  EXPECT_NE(refuse(Spec("greedy")).find("there is no policy 'greedy'; there are tsallis"), std::string::npos);
  PolicySpec blind = Spec("chebcb");
  blind.context_high = blind.context_low;
  EXPECT_EQ(refuse(blind), "policy 'chebcb' needs the range of contexts");
  PolicySpec none = Spec("tsallis");
  none.arms = 0;
  EXPECT_EQ(refuse(none), "a policy needs at least one arm");
}

} // namespace
