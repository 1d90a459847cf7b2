#include "nets/training/sampler.h"
#include "meshes/random.h"
#include "nets/training/conjugate.h"
#include <stdexcept>

namespace krylearn {
namespace nets {

at::Tensor Orthogonal(at::Tensor q, const std::vector<Direction> &window) {
  for (const Direction &w : window) q = q - PerSolve((q * w.Ad).sum({1, 2, 3})) * w.d;
  return q;
}

const std::vector<Sampling> &Samplings() {
  static const std::vector<Sampling> list = {LiveSolves(), RitzMixtures(), WhiteMixtures()};
  return list;
}

const Sampling &FindSampling(const std::string &name) { return FindByName(Samplings(), "sampling", name); }

at::Tensor WhiteRightSides(const GridOperator &op, long solves, long seed) {
  constexpr std::uint64_t kWhite = 101; // stream of random numbers
  const Index &n = op.partition.n;
  at::Tensor b = at::empty({solves, n[2], n[1], n[0]}, at::kDouble);
  for (std::int64_t i = 0; i < b.numel(); ++i)
    b.data_ptr<double>()[i] = 2 * Uniform(std::uint64_t(seed), kWhite, std::uint64_t(i)) - 1;
  return b * (op.scale > 0);
}

at::Tensor SolveExactly(const GridOperator &op, const Prepared &solver, const at::Tensor &b) {
  constexpr double kSolved = 1e-10;
  constexpr long kMostIterations = 3000;
  const ConjugateResult result = SolveConjugate(op, solver, at::kFloat, b, kSolved, kMostIterations);
  for (const long its : result.iterations)
    if (its > kMostIterations)
      throw std::runtime_error("a training system could not be solved to 1e-10; its components may be singular");
  return result.x;
}

} // namespace nets
} // namespace krylearn
