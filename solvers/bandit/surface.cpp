// A learner of this project's own for arms that lie on a line, such as values of a relaxation factor. Neighbouring arms
// and neighbouring contexts cost nearly the same, so one smooth surface, log cost over (arm, context), is learnt from
// all losses together: Bayesian linear regression on products of Chebyshev polynomials. A draw from its posterior picks
// the arm (Thompson sampling; linear: Agrawal & Goyal, ICML 2013). Tens of coefficients take tens of solves to know,
// where separate arms take hundreds.
#include "meshes/random.h"
#include "solvers/bandit/chebyshev.h"
#include "solvers/bandit/learner.h"
#include <cmath>
#include <stdexcept>

namespace krylearn {
namespace bandit {
namespace {

constexpr std::uint64_t kStream = 305;
constexpr std::size_t kAlongArms = 4, kAlongContexts = 6;
constexpr double kDeviation = 0.1; ///< of a log cost from the surface, guessed before it is known
constexpr double kGuesses = 10;    ///< how many losses that guess is worth
/// What a loss counts for after one more has come. A surface of so few coefficients fits all arms badly; with a memory
/// of some hundred losses, most of them from good arms, it fits these, and it never becomes so sure that it stops
/// looking.
constexpr double kMemory = 0.995;
constexpr double kPrior = 1e-3;       ///< precision of coefficient (0, 0), in that of a loss; grows with the degrees
constexpr std::uint64_t kLooks = 200; ///< draws that Probabilities() counts

class SurfaceLearner : public Learner {
public:
  explicit SurfaceLearner(const PolicySpec &spec)
      : seed_(spec.seed), low_(spec.context_low), high_(spec.context_high),
        contexts_(spec.context_low < spec.context_high ? kAlongContexts : 1), size_(kAlongArms * contexts_),
        precision_(size_ * size_, 0), moments_(size_, 0), row_(contexts_), factor_(precision_), theta_(size_) {
    const double first = spec.positions.front(), last = spec.positions.back();
    for (const double position : spec.positions) {
      arms_.emplace_back(kAlongArms);
      if (first < last) ChebyshevFeatures(position, first, last, kAlongArms, arms_.back().data());
      else arms_.back() = {1, 0, 0, 0};
    }
    for (std::size_t k = 0; k < size_; ++k) precision_[k * size_ + k] = Prior(k);
  }

  Choice Choose(double context) override {
    Describe(context, &row_);
    return {Best(row_, std::uint64_t(rounds_)), 1}; // the chance is of no use to this learner
  }

  void Observe(int arm, double loss) override {
    ++rounds_;
    const double y = std::log(loss);
    std::vector<double> features(size_);
    for (std::size_t k = 0; k < size_; ++k) features[k] = arms_[std::size_t(arm)][k / contexts_] * row_[k % contexts_];
    squares_ = kMemory * squares_ + y * y;
    for (std::size_t i = 0; i < size_; ++i) {
      moments_[i] = kMemory * moments_[i] + features[i] * y;
      for (std::size_t j = 0; j <= i; ++j)
        precision_[i * size_ + j] = kMemory * precision_[i * size_ + j] + features[i] * features[j];
      precision_[i * size_ + i] += (1 - kMemory) * Prior(i);
    }
  }

  std::vector<double> Probabilities(double context) override {
    std::vector<double> p(arms_.size(), 0), row(contexts_);
    Describe(context, &row);
    for (std::uint64_t look = 0; look < kLooks; ++look)
      p[std::size_t(Best(row, (std::uint64_t(1) << 40) + look))] += 1.0 / double(kLooks);
    return p;
  }

  void Exchange(Archive *archive) override {
    (*archive)(&rounds_);
    (*archive)(&precision_);
    (*archive)(&moments_);
    (*archive)(&squares_);
  }

private:
  /// Precision that coefficient k has before any loss.
  double Prior(std::size_t k) const {
    const double degree = double(1 + k / contexts_ + k % contexts_);
    return kPrior * degree * degree;
  }

  void Describe(double context, std::vector<double> *row) const {
    if (contexts_ == 1) (*row)[0] = 1;
    else ChebyshevFeatures(context, low_, high_, contexts_, row->data());
  }

  /// The arm where a draw of the surface from the posterior is lowest.
  int Best(const std::vector<double> &row, std::uint64_t draw) {
    Sample(draw);
    std::vector<double> along(kAlongArms, 0);
    for (std::size_t k = 0; k < size_; ++k) along[k / contexts_] += theta_[k] * row[k % contexts_];
    int best = 0;
    double least = 0;
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      double height = 0;
      for (std::size_t j = 0; j < kAlongArms; ++j) height += arms_[i][j] * along[j];
      if (i == 0 || height < least) least = height, best = int(i);
    }
    return best;
  }

  /// θ from N(P⁻¹ m, σ² P⁻¹): with P = L Lᵀ, θ = L⁻ᵀ (L⁻¹ m + σ z). Of the sum of squared losses |L⁻¹ m|² is explained;
  /// σ² follows from the rest.
  void Sample(std::uint64_t draw) {
    std::vector<double> &L = factor_;
    const std::size_t n = size_;
    L = precision_;
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = j; i < n; ++i) {
        double sum = L[i * n + j];
        for (std::size_t k = 0; k < j; ++k) sum -= L[i * n + k] * L[j * n + k];
        L[i * n + j] = i == j ? std::sqrt(sum) : sum / L[j * n + j];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      double sum = moments_[i];
      for (std::size_t k = 0; k < i; ++k) sum -= L[i * n + k] * theta_[k];
      theta_[i] = sum / L[i * n + i];
    }
    double left = squares_;
    for (const double t : theta_) left -= t * t;
    // Divided by the number of all losses, forgotten ones too: draws come closer together as solves go on.
    const double deviation =
        std::sqrt((kGuesses * kDeviation * kDeviation + std::max(0.0, left)) / (kGuesses + double(rounds_)));
    for (std::size_t i = 0; i < n; ++i) theta_[i] += deviation * Normal(seed_, kStream, draw * n + i);
    for (std::size_t i = n; i-- > 0;) {
      double sum = theta_[i];
      for (std::size_t k = i + 1; k < n; ++k) sum -= L[k * n + i] * theta_[k];
      theta_[i] = sum / L[i * n + i];
    }
  }

  std::uint64_t seed_;
  double low_, high_;
  std::size_t contexts_, size_;
  std::vector<std::vector<double>> arms_;   ///< features of each
  std::vector<double> precision_, moments_; ///< lower triangle
  std::vector<double> row_;                 ///< features of the last choice's context
  std::vector<double> factor_, theta_;
  double squares_ = 0; ///< of log costs
  long rounds_ = 0;
};

} // namespace

Policy Surface() {
  return {"surface", "one smooth surface of log costs over arms and contexts, arms by Thompson sampling", false,
          [](const PolicySpec &spec) -> std::unique_ptr<Learner> {
            if (long(spec.positions.size()) != spec.arms)
              throw std::invalid_argument("policy 'surface' needs arms that lie on a line");
            return std::make_unique<SurfaceLearner>(spec);
          }};
}

} // namespace bandit
} // namespace krylearn
