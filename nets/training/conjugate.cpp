#include "nets/training/conjugate.h"

namespace krylearn {
namespace nets {

at::Tensor Dot(const at::Tensor &a, const at::Tensor &b, const Partition &p) {
  at::Tensor sums = (a * b).sum({1, 2, 3});
  if (p.Ranks(0) * p.Ranks(1) * p.Ranks(2) > 1) {
    sums = sums.detach().to(at::kDouble).contiguous().clone();
    MPI_Allreduce(MPI_IN_PLACE, sums.data_ptr<double>(), int(sums.numel()), MPI_DOUBLE, MPI_SUM, p.comm);
  }
  return sums;
}

ConjugateResult SolveConjugate(const GridOperator &op, const Prepared &net, at::ScalarType type, const at::Tensor &b,
                               double rtol, long most) {
  at::NoGradGuard no_gradients;
  const Partition &p = op.partition;
  at::Tensor x = at::zeros_like(b), r = b.clone();
  std::vector<std::pair<at::Tensor, at::Tensor>> window; // (d, A d), dᵀAd = 1
  const at::Tensor wanted = rtol * rtol * Dot(b, b, p);
  ConjugateResult result;
  result.iterations.assign(std::size_t(b.size(0)), most + 1);
  for (long it = 0;; ++it) {
    const at::Tensor rr = Dot(r, r, p), reached = rr <= wanted;
    bool all = true;
    for (std::int64_t i = 0; i < b.size(0); ++i) {
      const bool done = reached[i].item<bool>();
      all = all && done;
      if (done) result.iterations[std::size_t(i)] = std::min(result.iterations[std::size_t(i)], it);
    }
    if (all || it == most) break;
    const at::Tensor unit = at::rsqrt(at::clamp_min(rr, 1e-300));
    at::Tensor q = net.Apply((r * PerSolve(unit)).to(type)).to(at::kDouble);
    const at::Tensor slope = Dot(q, r, p), usable = at::logical_and(at::isfinite(slope), slope != 0);
    q = at::where(PerSolve(usable), q, r);
    result.replaced += long((~usable & ~reached).sum().item<std::int64_t>());
    at::Tensor Aq = op.Apply(q);
    for (int pass = 0; pass < 2; ++pass)
      for (const auto &d : window) {
        const at::Tensor along = PerSolve(Dot(q, d.second, p));
        q = q - along * d.first;
        Aq = Aq - along * d.second;
      }
    const at::Tensor length = Dot(q, Aq, p);
    const at::Tensor scale = at::where(length > 0, at::rsqrt(length), at::zeros_like(length));
    q = q * PerSolve(scale);
    Aq = Aq * PerSolve(scale);
    const at::Tensor step = PerSolve(Dot(q, r, p));
    x = x + step * q;
    r = r - step * Aq;
    window.push_back({q, Aq});
    if (window.size() > 2) window.erase(window.begin());
  }
  result.x = x;
  return result;
}

} // namespace nets
} // namespace krylearn
