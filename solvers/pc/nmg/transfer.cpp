#include "solvers/pc/nmg/transfer.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nmg {
namespace {

/// Asks for the cache lines of the row of weights that the next coarse row will read: rows are too short for the
/// processor to see the stream by itself, and without this half of the time goes into waiting.
void FetchAhead(const float *weights, PetscInt count) {
  for (PetscInt i = 0; i < count; i += 16) __builtin_prefetch(weights + i);
}

/// even and odd cells of a fine row from P coarse rows x and their weights towards it.
template <int P>
void ProlongRow(PetscInt count, PetscInt length, const float *const *x_rows, const float *const *w_rows, float *__restrict even,
                float *__restrict odd) {
  const float *x[P], *below[P], *at_place[P], *above[P];
  for (int p = 0; p < P; ++p) {
    x[p] = x_rows[p];
    below[p] = w_rows[p];
    at_place[p] = below[p] + length;
    above[p] = at_place[p] + length;
  }
#pragma GCC ivdep
  for (PetscInt i = 0; i < count; ++i) {
    float e = 0, o = 0;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      e += at_place[p][i] * x[p][i];
      o += above[p][i] * x[p][i] + below[p][i + 1] * x[p][i + 1];
    }
    even[i] = e;
    odd[i] = o;
  }
}

} // namespace

void Transfer::SetUp(std::shared_ptr<Box> fine, std::shared_ptr<Box> coarse, const Int3 &factor) {
  fine_ = std::move(fine);
  coarse_ = std::move(coarse);
  factor_ = factor;
  links_.clear();
  number_.fill(-1);
  for (PetscInt k = LowestStep(2); k <= HighestStep(2); ++k)
    for (PetscInt j = LowestStep(1); j <= HighestStep(1); ++j)
      for (PetscInt i = LowestStep(0); i <= HighestStep(0); ++i) {
        // A cell one below the coarse cell's place is the odd one of the coarse cell before it.
        const Link link{{i & 1, j & 1, k & 1}, {i < 0, j < 0, k < 0}};
        number_[std::size_t(Code(link.s) * 8 + Code(link.b))] = int(links_.size());
        links_.push_back(link);
      }
  const Layout &c = coarse_->layout;
  for (std::size_t d = 0; d < 3; ++d) {
    const PetscInt ghost = c.ghosts[d] > 0 ? 1 : 0;
    first_[d] = c.lo[d] - ghost;
    last_[d] = c.hi[d] + ghost;
  }
  const std::size_t row = std::size_t(Length() + 2);
  even_.assign(row, 0);
  odd_.assign(row, 0);
}

void Transfer::Pack(const WorkBox &work, const std::vector<const Array *> &fine_diagonal,
                    const Array &coarse_diagonal) {
  const Layout &c = coarse_->layout;
  const PetscInt length = Length();
  packed_ = std::move(Array::Make(1, links_.size() * std::size_t(length * (last_[1] - first_[1]) * (last_[2] - first_[2])))[0]);
  for (PetscInt K = first_[2]; K < last_[2]; ++K)
    for (PetscInt J = first_[1]; J < last_[1]; ++J)
      for (std::size_t n = 0; n < links_.size(); ++n) {
        const Int3 &s = links_[n].s, &b = links_[n].b;
        const PetscInt step0 = s[0] - 2 * b[0] - LowestStep(0);
        const std::ptrdiff_t at = work.layout().At(first_[0], J, K) - work.layout().Offset(b);
        const float *__restrict to = coarse_diagonal.data() + c.At(first_[0], J, K);
        const float *__restrict w = weights[n].data() + at, *__restrict from = fine_diagonal[n]->data() + at;
        float *__restrict out =
            packed_.data() + RowStart(J, K, s[1] - 2 * b[1], s[2] - 2 * b[2]) + std::size_t(step0 * length);
        for (PetscInt i = 0; i < length; ++i) out[i] = to[i] > 0 ? w[i] * std::sqrt(from[i] / to[i]) : 0;
      }
  weights.clear();
}

void Transfer::Restrict(const Array &fine, Array *coarse) const {
  const Layout &c = coarse_->layout, &l = fine_->layout;
  const PetscInt count = c.hi[0] - c.lo[0], skip = c.lo[0] - first_[0], length = Length();
  const PetscInt next = Steps(1) * Steps(0) * length; // from one coarse row's weights to the next one's
  for (PetscInt K = c.lo[2]; K < c.hi[2]; ++K)
    for (PetscInt J = c.lo[1]; J < c.hi[1]; ++J) {
      float *__restrict out = coarse->data() + c.At(c.lo[0], J, K);
      std::fill_n(out, count, 0.0f);
      for (PetscInt step2 = LowestStep(2); step2 <= HighestStep(2); ++step2)
        for (PetscInt step1 = LowestStep(1); step1 <= HighestStep(1); ++step1) {
          const float *__restrict below = packed_.data() + RowStart(J, K, step1, step2) + skip;
          const float *__restrict from =
              fine.data() + l.At(factor_[0] * c.lo[0], factor_[1] * J + step1, factor_[2] * K + step2);
          if (factor_[0] == 1) {
            for (PetscInt i = 0; i < count; ++i) out[i] += below[i] * from[i];
            continue;
          }
          const float *__restrict at_place = below + length, *__restrict above = at_place + length;
          FetchAhead(below + next, 3 * length);
          FetchAhead(from + 2 * l.stride[1], 2 * count);
          for (PetscInt i = 0; i < count; ++i)
            out[i] += below[i] * from[2 * i - 1] + at_place[i] * from[2 * i] + above[i] * from[2 * i + 1];
        }
    }
}

void Transfer::AddProlonged(const Array &coarse, Array *fine) const {
  const Layout &c = coarse_->layout, &l = fine_->layout;
  // The first fine cell of this rank may belong to a coarse cell of another.
  const PetscInt first = factor_[0] == 2 ? l.lo[0] >> 1 : l.lo[0], end = factor_[0] == 2 ? (l.hi[0] + 1) >> 1 : l.hi[0];
  const PetscInt count = end - first, skip = first - first_[0], length = Length();
  const PetscInt next = Steps(1) * Steps(0) * length;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      float *__restrict even = even_.data(), *__restrict odd = odd_.data();
      // Odd rows lie above one coarse row and below the next.
      const PetscInt odd1 = factor_[1] == 2 && j % 2 != 0, odd2 = factor_[2] == 2 && k % 2 != 0;
      const float *x[4], *w[4];
      int parents = 0;
      for (PetscInt step2 = odd2; step2 >= -odd2; step2 -= 2)
        for (PetscInt step1 = odd1; step1 >= -odd1; step1 -= 2) {
          const PetscInt J = (j - step1) / factor_[1], K = (k - step2) / factor_[2];
          x[parents] = coarse.data() + c.At(first, J, K);
          w[parents] = packed_.data() + RowStart(J, K, step1, step2) + skip;
          FetchAhead(w[parents++] + next, Steps(0) * length);
        }
      if (factor_[0] == 1) {
        std::fill_n(even, count, 0.0f);
        for (int p = 0; p < parents; ++p)
          for (PetscInt i = 0; i < count; ++i) even[i] += w[p][i] * x[p][i];
      } else if (parents == 1) {
        ProlongRow<1>(count, length, x, w, even, odd);
      } else if (parents == 2) {
        ProlongRow<2>(count, length, x, w, even, odd);
      } else {
        ProlongRow<4>(count, length, x, w, even, odd);
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
      const PetscInt pairs = (cells - i) / 2;
      for (PetscInt p = 0; p < pairs; ++p) {
        out[i + 2 * p] += even[p + shift];
        out[i + 2 * p + 1] += odd[p + shift];
      }
      if ((cells - i) % 2) out[cells - 1] += even[count - 1];
    }
}

} // namespace nmg
} // namespace krylearn
