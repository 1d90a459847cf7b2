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
    EXPECT_LT(spent, (policy == std::string("thompson") ? 1.06 : 1.6) * best) << policy;
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
  }
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
  EXPECT_LE(arms[2].solves, Tuning::kPatience);
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
}

} // namespace
