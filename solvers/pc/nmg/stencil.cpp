#include "solvers/pc/nmg/stencil.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace krylearn {
namespace nmg {
namespace {

enum class Form { kFirst, kSweep, kResidual };

/// What a pass leaves in a cell, with the sum of couplings times neighbours.
template <Form form> float Result(float w1, float w2, float b, float x, float sum) {
  if (form == Form::kFirst) return w1 * x + w2 * (x - w1 * (x - sum));
  if (form == Form::kSweep) return x + w1 * (b - x + sum);
  return b - x + sum;
}

/// Eight cells; compilers split it where registers are narrower.
using Group = float __attribute__((vector_size(32)));
constexpr PetscInt kGroup = 8;

inline Group Load(const float *from) {
  Group group;
  std::memcpy(&group, from, sizeof group);
  return group;
}
inline void Store(const Group &group, float *to) { std::memcpy(to, &group, sizeof group); }

} // namespace

/// Passes of a scaled stencil over the owned cells.
class Passes {
public:
  Passes(const ScaledStencil &stencil, const Box &box)
      : s_(stencil), l_(box.layout), before_(stencil.before_), after_(stencil.after_), sums_(stencil.sums_) {}

  template <Form form> void Run(float w1, float w2, const Array &b, const Array &x, Array *out) {
    const std::size_t threes = s_.threes_.size(), ones = s_.ones_.size();
    if (threes == 4) Over<4, 1, form>(w1, w2, b, x, out);
    else if (threes == 1) Over<1, 1, form>(w1, w2, b, x, out);
    else if (ones == 4) Over<0, 4, form>(w1, w2, b, x, out);
    else if (ones == 3) Over<0, 3, form>(w1, w2, b, x, out);
    else if (ones == 2) Over<0, 2, form>(w1, w2, b, x, out);
    else Over<0, 1, form>(w1, w2, b, x, out);
  }

private:
  /// Couplings to lower neighbours are a cell's own, those to upper ones belong to the neighbours.
  template <int Threes, int Ones, Form form>
  void Over(float w1, float w2, const Array &b_array, const Array &x_array, Array *out_array) {
    const PetscInt count = l_.hi[0] - l_.lo[0], skip = l_.lo[0] - s_.first_[0];
    for (PetscInt k = l_.lo[2]; k < l_.hi[2]; ++k)
      for (PetscInt j = l_.lo[1]; j < l_.hi[1]; ++j) {
        const std::ptrdiff_t at = l_.At(l_.lo[0], j, k), row = s_.Row(j, k);
        const float *__restrict b = b_array.data() + at, *__restrict x = x_array.data() + at;
        if constexpr (Threes > 0) SumThrees<Threes>(row, x - skip, sums_.data());
        const float *__restrict beside = sums_.data() + skip;
        const float *low[Ones], *up[Ones];
        std::ptrdiff_t o[Ones];
        for (int n = 0; n < Ones; ++n) {
          const ScaledStencil::RowCouplings &c = s_.ones_[std::size_t(n)];
          low[n] = c.values.data() + row * s_.length_ + skip;
          up[n] = c.rows ? low[n] + c.rows * s_.length_ : low[n] - c.offset;
          o[n] = c.offset;
        }
        float *__restrict out = out_array->data() + at;
#pragma GCC ivdep
        for (PetscInt i = 0; i < count; ++i) {
          float sum = Threes ? beside[i] : 0;
#pragma GCC unroll 4
          for (int n = 0; n < Ones; ++n) sum += low[n][i] * x[i + o[n]] + up[n][i] * x[i - o[n]];
          out[i] = Result<form>(w1, w2, b[i], x[i], sum);
        }
      }
  }

  /// sums = couplings times neighbours in all other rows, for a row with its ghosts; those of the ghosts mean nothing.
  /// An upper row's cell counts for the three cells across from it, so that couplings are always read in groups.
  template <int Threes> void SumThrees(std::ptrdiff_t row, const float *x, float *sums) {
    const float *low[Threes], *up[Threes], *x_low[Threes], *x_up[Threes];
    for (int t = 0; t < Threes; ++t) {
      const ScaledStencil::RowCouplings &c = s_.threes_[std::size_t(t)];
      low[t] = c.values.data() + row * 3 * s_.length_;
      up[t] = low[t] + c.rows * 3 * s_.length_;
      x_low[t] = x + c.offset;
      x_up[t] = x - c.offset;
    }
    float *before = before_.data() + 1, *after = after_.data() + 1;
    for (PetscInt i = 0; i < s_.length_; i += kGroup) {
      Group across{}, to_before{}, to_after{};
#pragma GCC unroll 4
      for (int t = 0; t < Threes; ++t) {
        const float *a = low[t] + 3 * i, *u = up[t] + 3 * i;
        const Group above = Load(x_up[t] + i);
        across += Load(a) * Load(x_low[t] + i - 1) + Load(a + kGroup) * Load(x_low[t] + i) +
                  Load(a + 2 * kGroup) * Load(x_low[t] + i + 1) + Load(u + kGroup) * above;
        to_before += Load(u) * above;
        to_after += Load(u + 2 * kGroup) * above;
      }
      Store(across, sums + i);
      Store(to_before, before + i);
      Store(to_after, after + i);
    }
    for (PetscInt i = 0; i < s_.length_; ++i) sums[i] += after[i - 1] + before[i + 1];
  }

  const ScaledStencil &s_;
  const Layout &l_;
  std::vector<float> &before_, &after_, &sums_; ///< of a row: what its cells add to the one before, after; all sums
};

std::vector<Int3> LowerNeighbours(const Int3 &n, bool corners) {
  std::vector<Int3> lower;
  Int3 reach;
  for (int d = 0; d < 3; ++d) reach[d] = n[d] > 1 ? 1 : 0;
  for (PetscInt k = -reach[2]; k <= 0; ++k)
    for (PetscInt j = -reach[1]; j <= reach[1]; ++j)
      for (PetscInt i = -reach[0]; i <= reach[0]; ++i) {
        const bool before = k < 0 || (k == 0 && (j < 0 || (j == 0 && i < 0)));
        const bool face = (i != 0) + (j != 0) + (k != 0) == 1;
        if (before && (face || corners)) lower.push_back({i, j, k});
      }
  return lower;
}

int Stencil::Find(const Int3 &direction) const {
  for (std::size_t k = 0; k < lower.size(); ++k)
    if (lower[k] == direction) return int(k);
  return -1;
}

void Stencil::Allocate(const Box &box) {
  coupling = box.NewArrays(lower.size() + 2);
  row_sum = std::move(coupling.back());
  coupling.pop_back();
  diagonal = std::move(coupling.back());
  coupling.pop_back();
}

Array Stencil::Scale() const {
  Array scale = std::move(Array::Make(1, diagonal.size())[0]);
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = diagonal[i] > 0 ? 1 / std::sqrt(diagonal[i]) : 0;
  return scale;
}

ArrayList Stencil::Arrays() {
  ArrayList all;
  for (Array *array : {&diagonal, &row_sum}) all.Add(array);
  for (Array &c : coupling) all.Add(&c);
  return all;
}

void ScaledStencil::SetUp(const Box &box, const Stencil &stencil) {
  const Layout &l = box.layout;
  couplings_ = PetscInt(stencil.lower.size());
  // Owned cells and one layer of ghosts, whose couplings reach into the second.
  for (std::size_t d = 0; d < 3; ++d) {
    const PetscInt ghost = l.ghosts[d] > 0 ? 1 : 0;
    first_[d] = l.lo[d] - ghost;
    last_[d] = l.hi[d] + ghost;
  }
  const PetscInt count = last_[0] - first_[0];
  length_ = (count + kGroup - 1) / kGroup * kGroup;
  for (std::vector<float> *row : {&before_, &after_, &sums_}) row->assign(std::size_t(length_ + 2), 0);
  threes_.clear();
  ones_.clear();
  const Array scale = stencil.Scale();
  const std::size_t rows = std::size_t(Row(last_[1] - 1, last_[2] - 1) + 1);
  for (std::size_t c = 0; c < stencil.lower.size();) {
    const Int3 d = stencil.lower[c];
    const bool three = d[0] < 0 && (d[1] != 0 || d[2] != 0);
    RowCouplings group{{}, three ? 3 : 1, l.Offset({three ? 0 : d[0], d[1], d[2]}),
                       -(d[1] + d[2] * std::ptrdiff_t(last_[1] - first_[1]))};
    group.values = std::move(Array::Make(1, rows * std::size_t(group.count * length_))[0]);
    for (int n = 0; n < group.count; ++n, ++c) {
      const std::ptrdiff_t o = l.Offset(stencil.lower[c]);
      for (PetscInt k = first_[2]; k < last_[2]; ++k)
        for (PetscInt j = first_[1]; j < last_[1]; ++j) {
          const std::ptrdiff_t row = l.At(first_[0], j, k);
          const float *from = stencil.coupling[c].data() + row, *s = scale.data() + row;
          float *to = group.values.data() + Row(j, k) * group.count * length_ + n * kGroup;
          for (PetscInt i = 0; i < count; i += kGroup, to += group.count * kGroup)
            for (PetscInt e = 0; e < std::min(kGroup, count - i); ++e) to[e] = from[i + e] * s[i + e] * s[i + e + o];
        }
    }
    (three ? threes_ : ones_).push_back(std::move(group));
  }
}

void ScaledStencil::FirstSweeps(const Box &box, float w1, float w2, const Array &b, Array *x) const {
  Passes(*this, box).Run<Form::kFirst>(w1, w2, b, b, x);
}

void ScaledStencil::Sweep(const Box &box, float w, const Array &b, const Array &x, Array *out) const {
  Passes(*this, box).Run<Form::kSweep>(w, 0, b, x, out);
}

void ScaledStencil::Residual(const Box &box, const Array &b, const Array &x, Array *r) const {
  Passes(*this, box).Run<Form::kResidual>(0, 0, b, x, r);
}

} // namespace nmg
} // namespace krylearn
