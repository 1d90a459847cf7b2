#include "solvers/pc/nmg/transfer.h"
#include <algorithm>

namespace krylearn {
namespace nmg {

void Transfer::SetUp(std::shared_ptr<Box> fine, std::shared_ptr<Box> coarse, const Int3 &factor) {
  fine_ = std::move(fine);
  coarse_ = std::move(coarse);
  factor_ = factor;
  links_.clear();
  const Int3 &f = factor_;
  for (PetscInt s2 = 0; s2 < f[2]; ++s2)
    for (PetscInt s1 = 0; s1 < f[1]; ++s1)
      for (PetscInt s0 = 0; s0 < f[0]; ++s0)
        for (PetscInt b2 = 0; b2 <= s2; ++b2)
          for (PetscInt b1 = 0; b1 <= s1; ++b1)
            for (PetscInt b0 = 0; b0 <= s0; ++b0) links_.push_back({{s0, s1, s2}, {b0, b1, b2}});
  number_.fill(-1);
  for (std::size_t n = 0; n < links_.size(); ++n) number_[std::size_t(Code(links_[n].s) * 8 + Code(links_[n].b))] = int(n);
  weights.assign(links_.size(), coarse_->NewArray());
  const std::size_t row = std::size_t(coarse_->layout.hi[0] - coarse_->layout.lo[0] + 4);
  even_.assign(row, 0);
  odd_.assign(row, 0);
}

void Transfer::Restrict(const Array &fine, Array *coarse) const {
  const Layout &c = coarse_->layout, &l = fine_->layout;
  const PetscInt count = c.hi[0] - c.lo[0];
  // Row (J, K) of the coarse level gathers from the fine rows of coarse rows (J - b1, K - b2).
  for (PetscInt K = c.lo[2]; K < c.hi[2]; ++K)
    for (PetscInt J = c.lo[1]; J < c.hi[1]; ++J) {
      float *__restrict out = coarse->data() + c.At(c.lo[0], J, K);
      std::fill_n(out, count, 0.0f);
      for (PetscInt s2 = 0; s2 < factor_[2]; ++s2)
        for (PetscInt b2 = 0; b2 <= s2; ++b2)
          for (PetscInt s1 = 0; s1 < factor_[1]; ++s1)
            for (PetscInt b1 = 0; b1 <= s1; ++b1) {
              const PetscInt J0 = J - b1, K0 = K - b2;
              if (!coarse_->Inside(1, J0) || !coarse_->Inside(2, K0)) continue;
              const std::ptrdiff_t at = c.At(c.lo[0], J0, K0);
              const auto weight = [&](PetscInt s0, PetscInt b0) {
                return weights[std::size_t(Find({s0, s1, s2}, {b0, b1, b2}))].data() + at;
              };
              const PetscInt j = factor_[1] * J0 + s1, k = factor_[2] * K0 + s2;
              if (factor_[0] == 1) {
                const float *__restrict from = fine.data() + l.At(c.lo[0], j, k), *__restrict w = weight(0, 0);
                for (PetscInt i = 0; i < count; ++i) out[i] += w[i] * from[i];
                continue;
              }
              // odd_[0] belongs to the coarse cell before the first; it is a ghost unless the first fine cell is odd.
              const float *from = fine.data() + l.At(2 * c.lo[0], j, k);
              float *__restrict even = even_.data(), *__restrict odd = odd_.data();
              odd[0] = from[-1];
              for (PetscInt i = 0; i < count; ++i) even[i] = from[2 * i], odd[i + 1] = from[2 * i + 1];
              const float *__restrict w00 = weight(0, 0), *__restrict w10 = weight(1, 0), *__restrict w11 = weight(1, 1);
              for (PetscInt i = 0; i < count; ++i)
                out[i] += w00[i] * even[i] + w10[i] * odd[i + 1] + w11[i - 1] * odd[i];
            }
    }
}

void Transfer::AddProlonged(const Array &coarse, Array *fine) const {
  const Layout &c = coarse_->layout, &l = fine_->layout;
  // Fine rows j, k belong to coarse rows J, K; the first fine cell of this rank may belong to a coarse cell of another.
  const auto parent = [](PetscInt i, PetscInt f) { return f == 2 ? i >> 1 : i; };
  const PetscInt first = parent(l.lo[0], factor_[0]), count = parent(l.hi[0] - 1, factor_[0]) + 1 - first;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      const PetscInt J = parent(j, factor_[1]), K = parent(k, factor_[2]);
      const PetscInt s1 = j - factor_[1] * J, s2 = k - factor_[2] * K;
      float *__restrict even = even_.data(), *__restrict odd = odd_.data();
      std::fill_n(even, count, 0.0f);
      std::fill_n(odd, count, 0.0f);
      const std::ptrdiff_t at = c.At(first, J, K);
      for (PetscInt b2 = 0; b2 <= s2; ++b2)
        for (PetscInt b1 = 0; b1 <= s1; ++b1) {
          const float *__restrict x = coarse.data() + c.At(first, J + b1, K + b2);
          const auto weight = [&](PetscInt s0, PetscInt b0) {
            return weights[std::size_t(Find({s0, s1, s2}, {b0, b1, b2}))].data() + at;
          };
          const float *__restrict w00 = weight(0, 0);
          if (factor_[0] == 1) {
            for (PetscInt i = 0; i < count; ++i) even[i] += w00[i] * x[i];
            continue;
          }
          const float *__restrict w10 = weight(1, 0), *__restrict w11 = weight(1, 1);
          for (PetscInt i = 0; i < count; ++i) {
            even[i] += w00[i] * x[i];
            odd[i] += w10[i] * x[i] + w11[i] * x[i + 1];
          }
        }
      float *__restrict out = fine->data() + l.At(l.lo[0], j, k);
      const PetscInt cells = l.hi[0] - l.lo[0];
      if (factor_[0] == 1) {
        for (PetscInt i = 0; i < cells; ++i) out[i] += even[i];
        continue;
      }
      const PetscInt shift = l.lo[0] - 2 * first; // 1 where the first fine cell is odd
      PetscInt i = 0;
      if (shift) out[i++] += odd[0];
      const PetscInt pairs = (cells - i) / 2, start = shift;
      for (PetscInt p = 0; p < pairs; ++p) {
        out[i + 2 * p] += even[p + start];
        out[i + 2 * p + 1] += odd[p + start];
      }
      if ((cells - i) % 2) out[cells - 1] += even[count - 1];
    }
}

} // namespace nmg
} // namespace krylearn
