#include "solvers/pc/nmg/stencil.h"
#include <cmath>

namespace krylearn {
namespace nmg {
namespace {

enum class Form { kFirst, kSweep, kResidual };

/// One pass over the owned cells. C holds K couplings to lower neighbours; those to upper ones are the neighbours' own.
template <int K, Form form>
void Pass(const Layout &l, const std::vector<Array> &coupling, const std::vector<std::ptrdiff_t> &offset, float w1,
          float w2, const Array &b_array, const Array &x_array, Array *out_array) {
  const PetscInt count = l.hi[0] - l.lo[0];
  std::ptrdiff_t o[K];
  const float *base[K];
  for (int k = 0; k < K; ++k) o[k] = offset[std::size_t(k)], base[k] = coupling[std::size_t(k)].data();
  for (PetscInt kk = l.lo[2]; kk < l.hi[2]; ++kk)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      const std::ptrdiff_t row = l.At(l.lo[0], j, kk);
      const float *__restrict b = b_array.data() + row, *__restrict x = x_array.data() + row;
      float *__restrict out = out_array->data() + row;
      const float *c[K];
      for (int k = 0; k < K; ++k) c[k] = base[k] + row;
#pragma GCC ivdep
      for (PetscInt i = 0; i < count; ++i) {
        float sum = 0;
#pragma GCC unroll 13
        for (int k = 0; k < K; ++k) sum += c[k][i] * x[i + o[k]] + c[k][i - o[k]] * x[i - o[k]];
        const float residual = b[i] - x[i] + sum;
        if (form == Form::kFirst) out[i] = w1 * x[i] + w2 * (x[i] - w1 * (x[i] - sum));
        else if (form == Form::kSweep) out[i] = x[i] + w1 * residual;
        else out[i] = residual;
      }
    }
}

template <Form form>
void Dispatch(const Layout &l, const std::vector<Array> &coupling, const std::vector<std::ptrdiff_t> &offset, float w1,
              float w2, const Array &b, const Array &x, Array *out) {
  switch (coupling.size()) {
  case 1: Pass<1, form>(l, coupling, offset, w1, w2, b, x, out); break;
  case 2: Pass<2, form>(l, coupling, offset, w1, w2, b, x, out); break;
  case 3: Pass<3, form>(l, coupling, offset, w1, w2, b, x, out); break;
  case 4: Pass<4, form>(l, coupling, offset, w1, w2, b, x, out); break;
  default: Pass<13, form>(l, coupling, offset, w1, w2, b, x, out); break;
  }
}

} // namespace

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

std::vector<Array *> Stencil::Arrays() {
  std::vector<Array *> all = {&diagonal, &row_sum};
  for (Array &c : coupling) all.push_back(&c);
  return all;
}

void ScaledStencil::SetUp(const Box &box, const Stencil &stencil) {
  const Layout &l = box.layout;
  offset_.clear();
  for (const Int3 &d : stencil.lower) offset_.push_back(l.Offset(d));
  coupling_ = box.NewArrays(stencil.coupling.size());
  const Array scale = stencil.Scale();
  // Owned cells and one layer of ghosts, whose couplings reach into the second.
  Int3 first, last;
  for (int d = 0; d < 3; ++d) {
    const PetscInt ghost = l.ghosts[d] > 0 ? 1 : 0;
    first[d] = l.lo[d] - ghost;
    last[d] = l.hi[d] + ghost;
  }
  for (std::size_t c = 0; c < coupling_.size(); ++c)
    for (PetscInt k = first[2]; k < last[2]; ++k)
      for (PetscInt j = first[1]; j < last[1]; ++j) {
        const std::ptrdiff_t row = l.At(first[0], j, k);
        const float *from = stencil.coupling[c].data() + row, *s = scale.data() + row;
        float *to = coupling_[c].data() + row;
        const std::ptrdiff_t o = offset_[c];
        for (PetscInt i = 0; i < last[0] - first[0]; ++i) to[i] = from[i] * s[i] * s[i + o];
      }
}

void ScaledStencil::FirstSweeps(const Box &box, float w1, float w2, const Array &b, Array *x) const {
  Dispatch<Form::kFirst>(box.layout, coupling_, offset_, w1, w2, b, b, x);
}

void ScaledStencil::Sweep(const Box &box, float w, const Array &b, const Array &x, Array *out) const {
  Dispatch<Form::kSweep>(box.layout, coupling_, offset_, w, 0, b, x, out);
}

void ScaledStencil::Residual(const Box &box, const Array &b, const Array &x, Array *r) const {
  Dispatch<Form::kResidual>(box.layout, coupling_, offset_, 0, 0, b, x, r);
}

} // namespace nmg
} // namespace krylearn
