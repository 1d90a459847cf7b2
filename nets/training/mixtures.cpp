// Right-hand sides that no solve has touched: Gaussian mixtures of a few vectors whose errors are known, new ones in
// each draw. Of eigenvectors of the lowest eigenvalues, those of the lower half nine times as strong, as Kaneda et al.
// (ICML 2023) mix Ritz vectors; or of white vectors, which makes white ones again.
#include "meshes/random.h"
#include "nets/training/conjugate.h"
#include "nets/training/sampler.h"
#include <cmath>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

enum Stream { kFirstUniform = 104, kSecondUniform = 105 };

class Mixtures : public Sampler {
public:
  /// A errors = residuals, [vector, z, y, x], double; weights [vector].
  Mixtures(const at::Tensor &residuals, const at::Tensor &errors, at::Tensor weights, long seed)
      : residuals_(residuals.flatten(1)), errors_(errors.flatten(1)), weights_(std::move(weights)),
        shape_(residuals.sizes().vec()), seed_(seed) {}

  Batch Draw(long solves, std::uint64_t place) override {
    at::NoGradGuard no_gradients;
    const std::int64_t count = weights_.numel();
    const at::Tensor factors = at::empty({solves, count}, at::kDouble);
    for (std::int64_t i = 0; i < factors.numel(); ++i) {
      // Box and Muller's normal numbers.
      const std::uint64_t number = place * std::uint64_t(factors.numel()) + std::uint64_t(i);
      const double u = Uniform(std::uint64_t(seed_), kFirstUniform, number),
                   v = Uniform(std::uint64_t(seed_), kSecondUniform, number);
      factors.data_ptr<double>()[i] = std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * M_PI * v);
    }
    const at::Tensor mix = factors * weights_;
    const at::Tensor r = at::matmul(mix, residuals_), unit = at::rsqrt((r * r).sum(1, true));
    std::vector<std::int64_t> shape = shape_;
    shape[0] = solves;
    Batch batch;
    batch.residual = (r * unit).to(at::kFloat).view(shape);
    batch.energy = ((r * at::matmul(mix, errors_)).sum(1, true) * unit * unit).squeeze(1).to(at::kFloat);
    return batch;
  }

private:
  const at::Tensor residuals_, errors_, weights_;
  const std::vector<std::int64_t> shape_;
  const long seed_;
};

std::unique_ptr<Sampler> MakeRitz(const SamplerInput &input) {
  constexpr double kLowerHalf = 9;
  const Index &n = input.op.partition.n;
  std::int64_t count = 0;
  while (std::size_t(count) < input.modes.values.size() && std::isfinite(input.modes.values[std::size_t(count)]))
    ++count;
  if (count < 2) throw std::runtime_error("a geometry has no eigenvectors to mix; make the data set with -ritz 100");
  const at::Tensor vectors = at::empty({count, n[2], n[1], n[0]}, at::kDouble),
                   values = at::empty({count}, at::kDouble);
  std::copy(input.modes.vectors.begin(), input.modes.vectors.begin() + vectors.numel(), vectors.data_ptr<double>());
  std::copy(input.modes.values.begin(), input.modes.values.begin() + count, values.data_ptr<double>());
  const at::Tensor weights = at::ones({count}, at::kDouble);
  weights.narrow(0, 0, count / 2).fill_(kLowerHalf);
  return std::make_unique<Mixtures>(vectors, vectors / PerSolve(values), weights, input.seed);
}

std::unique_ptr<Sampler> MakeWhite(const SamplerInput &input) {
  const at::Tensor b = WhiteRightSides(input.op, input.solves, input.seed);
  return std::make_unique<Mixtures>(b, SolveExactly(input.op, input.solver, b), at::ones({b.size(0)}, at::kDouble),
                                    input.seed);
}

} // namespace

Sampling RitzMixtures() {
  return {"ritz", "mixtures of eigenvectors of the lowest eigenvalues, from a data set", true, MakeRitz};
}

Sampling WhiteMixtures() { return {"white", "white right-hand sides, which no solve has touched", false, MakeWhite}; }

} // namespace nets
} // namespace krylearn
