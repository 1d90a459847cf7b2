// What a choice costs: microseconds of Choose() and Observe() of every policy, on 20 arms and after as many solves as a
// simulation has. A solve takes milliseconds.
//
//   build/tests/bench_bandit_choice
#include "meshes/random.h"
#include "solvers/bandit/bandit.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

using namespace krylearn;

namespace {

constexpr int kArms = 20, kRounds = 5000, kBatches = 10;

/// As many iterations as SOR might take.
double Loss(int arm, double context, int round) {
  const double distance = 1 + 0.05 * arm - 1.5 - 0.3 * context;
  return std::round(20 + 200 * distance * distance + 3 * Uniform(2, 2, std::uint64_t(round)));
}

} // namespace

int main() {
  std::printf("%-12s %22s\n", "policy", "us a solve (range)");
  for (const bandit::Policy &policy : bandit::Policies()) {
    bandit::PolicySpec spec;
    spec.name = policy.name;
    spec.arms = kArms;
    for (int arm = 0; arm < kArms; ++arm) spec.positions.push_back(1 + 0.05 * arm);
    spec.context_low = 0, spec.context_high = 1;
    bandit::Bandit bandit(spec, "bench");
    std::vector<double> batches;
    for (int batch = 0, round = 0; batch < kBatches; ++batch) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kRounds / kBatches; ++i, ++round) {
        const double context = Uniform(1, 1, std::uint64_t(round));
        bandit.Observe(Loss(bandit.Choose(context), context, round));
      }
      const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
      batches.push_back(spent.count() / (kRounds / kBatches));
    }
    std::sort(batches.begin(), batches.end());
    std::printf("%-12s %8.1f (%.1f to %.1f)\n", policy.name, batches[kBatches / 2], batches.front(), batches.back());
  }
  return 0;
}
