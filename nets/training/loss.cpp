#include "nets/training/loss.h"
#include "nets/training/conjugate.h"

namespace krylearn {
namespace nets {
namespace {

constexpr double kTiny = 1e-30; ///< directions of no length would divide by zero

at::Tensor Sums(const at::Tensor &a, const at::Tensor &b) { return (a * b).sum({1, 2, 3}); }

/// 1 − (qᵀr)²/(qᵀAq · eᵀr) of q made A-orthogonal to the window: the share of the squared A-norm of the error that a
/// step of conjugate directions leaves.
at::Tensor EnergyLeft(const GridOperator &op, const Batch &batch, const at::Tensor &proposed) {
  const at::Tensor q = Orthogonal(proposed, batch.window);
  const at::Tensor length = Sums(q, op.Apply(q)), slope = Sums(q, batch.residual);
  return (1 - slope * slope / (length.clamp_min(kTiny) * batch.energy)).mean();
}

/// ‖r − A(α q)‖², α = qᵀr / qᵀAq (Kaneda et al., ICML 2023).
at::Tensor ScaledResidual(const GridOperator &op, const Batch &batch, const at::Tensor &q) {
  const at::Tensor Aq = op.Apply(q), step = Sums(q, batch.residual) / Sums(q, Aq).clamp_min(kTiny);
  const at::Tensor left = batch.residual - PerSolve(step) * Aq;
  return Sums(left, left).mean();
}

/// ‖r − A q‖ (Lan et al., ICML 2024).
at::Tensor PlainResidual(const GridOperator &op, const Batch &batch, const at::Tensor &q) {
  const at::Tensor left = batch.residual - op.Apply(q);
  return Sums(left, left).clamp_min(kTiny).sqrt().mean();
}

} // namespace

const std::vector<Loss> &Losses() {
  static const std::vector<Loss> list = {
      {"anorm", "share of the error's squared A-norm that a step leaves", EnergyLeft},
      {"residual", "residual that a step of length 1 leaves, of Lan et al. 2024", PlainResidual},
      {"paper", "squared residual that the best step leaves, of Kaneda et al. 2023", ScaledResidual}};
  return list;
}

const Loss &FindLoss(const std::string &name) { return FindByName(Losses(), "loss", name); }

} // namespace nets
} // namespace krylearn
