// The bookkeeping of a tuner on costs that are known.
#include "meshes/random.h"
#include "solvers/bandit/tuning.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace krylearn::bandit;
using Outcome = Tuning::Outcome;

namespace {

PolicySpec Spec(int arms, const std::string &policy = "thompson") {
  PolicySpec spec;
  spec.name = policy;
  spec.arms = arms;
  spec.seed = 3;
  return spec;
}

/// What a solve costs by an arm that takes `usual`, give or take a quarter.
double Cost(double usual, long solve) { return usual * std::exp(0.25 * krylearn::Normal(11, 1, std::uint64_t(solve))); }

TEST(Tuning, SpendsLittleMoreThanTheCheapestArmAlone) {
  const std::vector<double> usual{4, 7, 1, 2, 3, 9, 5, 1.5};
  for (const char *policy : {"thompson", "tsallis_rv"}) {
    Tuning tuning(Spec(8, policy), "test", 0, 2);
    double spent = 0, best = 0;
    for (long solve = 0; solve < 3000; ++solve) {
      const int arm = tuning.Choose(false);
      const double limit = tuning.Limit(arm), whole = Cost(usual[std::size_t(arm)], solve);
      // Stopped solves are finished by the safe arm.
      const double cost = whole > limit ? limit + Cost(usual[0], solve) / 2 : whole;
      tuning.Observe(arm, cost, whole > limit ? Outcome::kStopped : Outcome::kSolved);
      spent += cost;
      best += Cost(1, solve);
    }
    EXPECT_EQ(tuning.Cheapest(), 2) << policy;
    EXPECT_LT(spent, (policy == std::string("thompson") ? 1.08 : 1.35) * best) << policy;
  }
}

TEST(Tuning, TakesTheSafeArmFirst) {
  for (const int safe : {0, 3}) {
    Tuning tuning(Spec(5), "test", safe, 2);
    EXPECT_EQ(tuning.Choose(false), safe);
    EXPECT_TRUE(std::isinf(tuning.Limit(1)));
    tuning.Observe(safe, 10, Outcome::kSolved);
    EXPECT_EQ(tuning.Limit(1), 20);
    EXPECT_TRUE(std::isinf(tuning.Limit(safe)));
    tuning.Observe(1, 4, Outcome::kSolved);
    EXPECT_EQ(tuning.Limit(1), 20); // the cheapest may take what the safe one takes, and no more
    EXPECT_EQ(tuning.Limit(2), 8);
  }
}

TEST(Tuning, DoesNotLoseTheBestArmForASlowFirstSolve) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    PolicySpec spec = Spec(3);
    spec.seed = seed;
    Tuning tuning(spec, "test", 0, 2);
    const double usual[] = {1.3, 1.0, 2.5};
    for (long solve = 0; solve < 1000; ++solve) {
      const int arm = tuning.Choose(false);
      const bool first = tuning.Arms()[std::size_t(arm)].solves == 0;
      tuning.Observe(arm, (first ? 3 : 1) * Cost(usual[arm], solve), Outcome::kSolved);
    }
    EXPECT_EQ(tuning.Cheapest(), 1) << seed;
    EXPECT_GT(tuning.Arms()[1].solves, 850) << seed;
  }
}

TEST(Tuning, FollowsAFlowInWhichAnotherArmBecomesTheBest) {
  Tuning tuning(Spec(3), "test", 0, 2);
  long right = 0;
  for (long solve = 0; solve < 4000; ++solve) {
    const bool late = solve >= 1000;
    const double usual[] = {2, late ? 3.0 : 1.0, late ? 1.0 : 1.5};
    const int arm = tuning.Choose(false);
    tuning.Observe(arm, Cost(usual[arm], solve), Outcome::kSolved);
    right += solve >= 2500 && arm == 2;
  }
  EXPECT_GT(right, 1400);
}

TEST(Tuning, ForgivesAnArmThatHasWorkedASingleFailure) {
  Tuning tuning(Spec(2), "test", 0, 2);
  tuning.Observe(1, 1, Outcome::kSolved);
  tuning.Observe(1, 1, Outcome::kFailed);
  EXPECT_FALSE(tuning.Arms()[1].dropped);
  tuning.Observe(1, 1, Outcome::kSolved);
  for (long failure = 1; failure <= Tuning::kPatience; ++failure) {
    EXPECT_FALSE(tuning.Arms()[1].dropped);
    tuning.Observe(1, 1, Outcome::kFailed);
  }
  EXPECT_TRUE(tuning.Arms()[1].dropped);
}

TEST(Tuning, BlamesNoArmForSystemsThatNobodySolves) {
  Tuning tuning(Spec(3), "test", 0, 2);
  for (int solve = 0; solve < 60; ++solve) tuning.Observe(tuning.Choose(false), 1, Outcome::kUnsolved);
  for (const auto &arm : tuning.Arms()) EXPECT_FALSE(arm.dropped);
}

TEST(Tuning, DropsArmsThatFailOrNeverFinishButNotTheSafeOne) {
  Tuning tuning(Spec(4), "test", 0, 2);
  for (int solve = 0; solve < 500; ++solve) {
    const int arm = tuning.Choose(false);
    const Outcome outcomes[] = {Outcome::kSolved, Outcome::kFailed, Outcome::kStopped, Outcome::kSolved};
    tuning.Observe(arm, arm == 3 ? 2 : 3, outcomes[arm]);
  }
  const auto &arms = tuning.Arms();
  EXPECT_TRUE(arms[1].dropped);
  EXPECT_EQ(arms[1].solves, 1);
  EXPECT_EQ(arms[2].solves, Tuning::kPatience);
  EXPECT_FALSE(arms[0].dropped);
  EXPECT_EQ(tuning.Cheapest(), 3);
  tuning.Observe(0, 3, Outcome::kFailed);
  EXPECT_FALSE(tuning.Arms()[0].dropped);
}

TEST(Tuning, ComesBackToTheSafeArmWhereAllOthersAreDropped) {
  for (const char *policy : {"thompson", "tsallis_rv", "fixed"}) {
    Tuning tuning(Spec(3, policy), "test", 0, 2);
    for (int solve = 0; solve < 200; ++solve) {
      const int arm = tuning.Choose(false);
      tuning.Observe(arm, 1, arm == 0 ? Outcome::kSolved : Outcome::kFailed);
    }
    EXPECT_EQ(tuning.Choose(false), 0) << policy;
    EXPECT_GE(tuning.Arms()[0].solves, 198) << policy;
  }
}

TEST(Tuning, SharesASetUpAmongTheSolvesThatAMatrixHas) {
  Tuning tuning(Spec(2), "test", 0, 2);
  EXPECT_EQ(tuning.Choose(false), 0);
  EXPECT_EQ(tuning.Reuse(), Tuning::kPresumedReuse);
  tuning.SetUp(0, 50);
  tuning.Observe(0, 1, Outcome::kSolved);
  EXPECT_DOUBLE_EQ(tuning.Cost(0), 1.5);
  for (int solve = 1; solve < 4; ++solve) tuning.Choose(false);
  tuning.Choose(true);
  EXPECT_DOUBLE_EQ(tuning.Reuse(), 4);
  EXPECT_DOUBLE_EQ(tuning.Cost(0), 1 + 50. / 4);
  tuning.Choose(true);
  tuning.Choose(true);
  EXPECT_DOUBLE_EQ(tuning.Reuse(), 2); // 4, 1 and 1 solves
  for (int solve = 0; solve < 9; ++solve) tuning.Choose(false);
  EXPECT_DOUBLE_EQ(tuning.Reuse(), 10); // the present one lasts longer than any before
}

TEST(Tuning, PrefersCheapSetUpsWhereMatricesChange) {
  const double solve_cost[] = {10, 1}, setup_cost[] = {1, 40};
  for (const bool changes : {true, false}) {
    Tuning tuning(Spec(2), "test", 0, 2);
    bool built[2] = {};
    for (int solve = 0; solve < 300; ++solve) {
      const int arm = tuning.Choose(changes && solve > 0);
      if (changes || !built[arm]) tuning.SetUp(arm, setup_cost[arm]);
      built[arm] = true;
      tuning.Observe(arm, solve_cost[arm], Outcome::kSolved);
    }
    EXPECT_EQ(tuning.Cheapest(), changes ? 0 : 1);
    EXPECT_GT(tuning.Arms()[changes ? 0 : 1].solves, 280);
  }
}

TEST(Tuning, GoesOnFromItsStateBitForBit) {
  Tuning one(Spec(4, "tsallis_rv"), "test", 0, 2), two(Spec(4, "tsallis_rv"), "test", 0, 2);
  const auto step = [](Tuning *tuning, long solve) {
    const int arm = tuning->Choose(solve % 7 == 0);
    tuning->SetUp(arm, 1 + arm);
    tuning->Observe(arm, Cost(4 - arm, solve), arm == 2 && solve > 20 ? Outcome::kFailed : Outcome::kSolved);
    return arm;
  };
  for (long solve = 0; solve < 40; ++solve) step(&one, solve);
  two.SetState(one.State());
  for (long solve = 40; solve < 120; ++solve) EXPECT_EQ(step(&one, solve), step(&two, solve)) << solve;
  EXPECT_EQ(one.State(), two.State());
}

TEST(Tuning, RefusesAStateThatIsNotItsOwn) {
  Tuning tuning(Spec(3), "a, b, c", 0, 2), other(Spec(3), "a, b, d", 0, 2);
  std::string text = tuning.State();
  EXPECT_THROW(other.SetState(text), std::runtime_error);
  EXPECT_THROW(tuning.SetState(text.substr(0, text.size() / 2)), std::runtime_error);
  text[text.size() / 2] ^= 1;
  EXPECT_THROW(tuning.SetState(text), std::runtime_error);
  EXPECT_THROW(tuning.SetState(""), std::runtime_error);
  const std::string whole = tuning.State();
  for (long flip = 0; flip < 500; ++flip) {
    std::string damaged = whole;
    const std::size_t at = std::size_t(krylearn::Uniform(1, 1, std::uint64_t(flip)) * double(whole.size()));
    damaged[at] = char(damaged[at] ^ (1 << (flip % 8)));
    EXPECT_THROW(tuning.SetState(damaged), std::runtime_error) << at;
  }
  EXPECT_EQ(tuning.State(), whole);
}

} // namespace
