#include "nets/training/adam.h"
#include <cmath>

namespace krylearn {
namespace nets {
namespace {
constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kEpsilon = 1e-8, kClip = 1, kFlat = 0.3;
constexpr long kWarmUp = 50;
} // namespace

double Adam::Rate(long step) const {
  const double warm = std::min(1.0, double(step + 1) / double(kWarmUp)), flat = kFlat * double(steps_);
  if (double(step) <= flat) return rate_ * warm;
  const double part = std::min(1.0, (double(step) - flat) / std::max(1.0, double(steps_) - flat));
  return rate_ * warm * 0.5 * (1 + std::cos(3.141592653589793 * part));
}

void Adam::Step(long step, const at::Tensor &gradient, Net *net) {
  at::NoGradGuard no_gradients;
  const double norm = gradient.norm().item<double>();
  const at::Tensor g = (gradient * std::min(1.0, kClip / std::max(norm, 1e-300))).to(at::kFloat);
  m.mul_(kBeta1).add_(g, 1 - kBeta1);
  v.mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
  const double unbias1 = 1 - std::pow(kBeta1, double(step + 1)), unbias2 = 1 - std::pow(kBeta2, double(step + 1));
  const at::Tensor change = m / ((v / unbias2).sqrt() + kEpsilon) * (-Rate(step) / unbias1);
  std::int64_t at = 0;
  for (auto &p : net->parameters) {
    p.second.add_(change.narrow(0, at, p.second.numel()).view(p.second.sizes()));
    at += p.second.numel();
  }
}

at::Tensor FlatGradient(const Net &net) {
  std::vector<at::Tensor> parts;
  for (const auto &p : net.parameters)
    parts.push_back(p.second.grad().defined() ? p.second.grad().flatten().to(at::kDouble)
                                              : at::zeros({p.second.numel()}, at::kDouble));
  return at::cat(parts).contiguous();
}

void ClearGradients(Net *net) {
  for (auto &p : net->parameters) p.second.mutable_grad() = at::Tensor();
}

} // namespace nets
} // namespace krylearn
