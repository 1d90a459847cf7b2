/// \file
/// Chebyshev polynomials as features of a number on an interval.
#pragma once
#include <algorithm>
#include <vector>

namespace krylearn {
namespace bandit {

/// T_0(u) … T_{count−1}(u), where u in [−1, 1] is x's place in [low, high]; x beyond them counts as the end.
inline void ChebyshevFeatures(double x, double low, double high, std::size_t count, double *features) {
  const double u = std::min(1.0, std::max(-1.0, 2 * (x - low) / (high - low) - 1));
  for (std::size_t j = 0; j < count; ++j)
    features[j] = j == 0 ? 1 : j == 1 ? u : 2 * u * features[j - 1] - features[j - 2];
}

} // namespace bandit
} // namespace krylearn
