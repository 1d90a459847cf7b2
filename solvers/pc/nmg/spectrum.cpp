#include "solvers/pc/nmg/spectrum.h"
#include "meshes/random.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nmg {
namespace {

constexpr int kLanczosSteps = 8;
constexpr double kLanczosMargin = 1.1;

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
  std::vector<double> diagonal, beside;

  void Reserve(int rows) {
    diagonal.reserve(std::size_t(rows));
    beside.reserve(std::size_t(rows));
  }

  double Radius() const {
    double radius = 0;
    for (std::size_t i = 0; i < diagonal.size(); ++i)
      radius = std::max(radius, std::fabs(diagonal[i]) + (i ? std::fabs(beside[i - 1]) : 0) +
                                    (i + 1 < diagonal.size() ? std::fabs(beside[i]) : 0));
    return radius;
  }

  /// How many eigenvalues lie below x: the negative pivots of T - x (Sturm's sequence).
  int Below(double x) const {
    int count = 0;
    double pivot = 1;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      pivot = diagonal[i] - x - (i ? beside[i - 1] * beside[i - 1] / pivot : 0);
      if (pivot == 0) pivot = -1e-300;
      count += pivot < 0;
    }
    return count;
  }

  /// The eigenvalue number n, from 0, in ascending order.
  double Eigenvalue(int n) const {
    double low = -Radius(), high = Radius();
    for (int step = 0; step < 60; ++step) (Below((low + high) / 2) > n ? high : low) = (low + high) / 2;
    return high;
  }
};

PetscErrorCode Dot(const Box &box, const Array &a, const Array &b, double *product) {
  PetscFunctionBeginUser;
  const PetscInt count = box.layout.hi[0] - box.layout.lo[0];
  double mine = 0;
  ForRows(box.layout, [&](std::size_t row) {
    const float *x = a.data() + row, *y = b.data() + row;
    double part = 0;
#pragma omp simd reduction(+ : part)
    for (PetscInt i = 0; i < count; ++i) part += double(x[i]) * double(y[i]);
    mine += part;
  });
  PetscCallMPI(MPI_Allreduce(&mine, product, 1, MPI_DOUBLE, MPI_SUM, box.comm));
  PetscFunctionReturn(0);
}

/// to = from + factor × to, on owned cells.
void AddTo(const Box &box, const Array &from, float factor, Array *to) {
  const PetscInt count = box.layout.hi[0] - box.layout.lo[0];
  ForRows(box.layout, [&](std::size_t row) {
    const float *__restrict x = from.data() + row;
    float *__restrict y = to->data() + row;
    for (PetscInt i = 0; i < count; ++i) y[i] = x[i] + factor * y[i];
  });
}

/// The same random numbers on any number of ranks.
void FillRandom(const Box &box, Array *array) {
  const Layout &l = box.layout;
  ForOwned(l, [&](PetscInt i, PetscInt j, PetscInt k, std::size_t at) {
    (*array)[at] = float(2 * Uniform(7, 7, std::uint64_t(i + l.n[0] * (j + l.n[1] * k))) - 1);
  });
}

} // namespace

PetscErrorCode GershgorinBound(const Box &box, const Stencil &stencil, double *result) {
  PetscFunctionBeginUser;
  const Layout &l = box.layout;
  float bound = 0;
  const PetscInt count = l.hi[0] - l.lo[0];
  std::vector<float> sum;
  PetscCall(Together(box.messages->Comm(), [&] {
    sum.resize(std::size_t(count));
    return 0;
  }));
  ForRows(l, [&](std::size_t row) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (std::size_t c = 0; c < stencil.lower.size(); ++c) {
      const float *below = stencil.coupling[c].data() + row, *above = below - l.Offset(stencil.lower[c]);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += std::fabs(below[i]) + std::fabs(above[i]);
    }
    const float *diagonal = stencil.diagonal.data() + row;
#pragma omp simd reduction(max : bound)
    for (PetscInt i = 0; i < count; ++i) bound = std::max(bound, diagonal[i] > 0 ? 1 + sum[std::size_t(i)] / diagonal[i] : 0);
  });
  PetscCall(PetscLogFlops(double(l.OwnedCells()) * (2 * double(stencil.lower.size()) + 2)));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &bound, 1, MPI_FLOAT, MPI_MAX, box.comm));
  *result = bound;
  PetscFunctionReturn(0);
}

PetscErrorCode LargestEigenvalue(const Box &box, const Stencil &stencil, const ScaledStencil &scaled,
                                 const std::array<Array *, 3> &work, double *value) {
  PetscFunctionBeginUser;
  Array &v = *work[0], &w = *work[1], &before = *work[2];
  Array zero;
  Tridiagonal t;
  PetscCall(Together(box.messages->Comm(), [&] {
    zero = box.NewArray();
    t.Reserve(kLanczosSteps);
    return 0;
  }));
  FillRandom(box, &v);
  ForOwned(box.layout, [&](PetscInt, PetscInt, PetscInt, std::size_t at) {
    if (!(stencil.diagonal[at] > 0)) v[at] = 0;
  });
  double length;
  PetscCall(Dot(box, v, v, &length));
  length = std::sqrt(length);
  const PetscInt count = box.layout.hi[0] - box.layout.lo[0];
  for (int step = 0; step < kLanczosSteps && length > 1e-20; ++step) {
    const float inverse = float(1 / length);
    ForRows(box.layout, [&](std::size_t row) {
      for (PetscInt i = 0; i < count; ++i) v[row + std::size_t(i)] *= inverse;
    });
    PetscCall(box.Exchange(&v));
    scaled.Residual(box, zero, v, &w); // -A v
    double product;
    PetscCall(Dot(box, v, w, &product));
    const float alpha = float(product), beta = float(step ? t.beside.back() : 0);
    ForRows(box.layout, [&](std::size_t row) {
      float *__restrict next = w.data() + row, *__restrict last = before.data() + row;
      const float *__restrict now = v.data() + row;
      for (PetscInt i = 0; i < count; ++i) {
        next[i] = -next[i] + alpha * now[i] - beta * last[i];
        last[i] = now[i];
      }
    });
    std::swap(v, w);
    t.diagonal.push_back(-product);
    PetscCall(Dot(box, v, v, &length));
    length = std::sqrt(length);
    t.beside.push_back(length);
  }
  // Of a step: the residual, two products of vectors, a scaling and an update.
  PetscCall(PetscLogFlops(double(t.diagonal.size()) * double(box.layout.OwnedCells()) * (scaled.FlopsPerCell() + 10)));
  *value = t.diagonal.empty() ? 0 : kLanczosMargin * t.Eigenvalue(int(t.diagonal.size()) - 1);
  for (Array *array : work) std::fill(array->begin(), array->end(), 0.0f);
  PetscFunctionReturn(0);
}

PetscErrorCode SmallestRitzValue(const Box &box, const ScaledStencil &scaled, int steps,
                                 const std::function<PetscErrorCode(Array *b, Array *x)> &solve, double *value) {
  PetscFunctionBeginUser;
  std::vector<Array> arrays;
  Tridiagonal t; // of the Lanczos process that conjugate gradients imply
  PetscCall(Together(box.messages->Comm(), [&] {
    arrays = box.NewArrays(5);
    t.Reserve(steps);
    return 0;
  }));
  Array &r = arrays[0], &z = arrays[1], &p = arrays[2], &q = arrays[3], &zero = arrays[4];
  // A B times a random vector is nearly that vector, but without a null vector's share.
  FillRandom(box, &q);
  PetscCall(solve(&q, &z));
  PetscCall(box.Exchange(&z));
  scaled.Residual(box, zero, z, &r);
  double product = 0, before = 0, step = 0;
  for (int n = 0; n < steps; ++n) {
    PetscCall(solve(&r, &z));
    PetscCall(Dot(box, r, z, &product));
    const double ratio = n ? product / before : 0;
    AddTo(box, z, float(ratio), &p);
    PetscCall(box.Exchange(&p));
    scaled.Residual(box, zero, p, &q); // -A p
    double energy;
    PetscCall(Dot(box, p, q, &energy));
    if (!(product > 0) || !(energy < 0) || !std::isfinite(product) || !std::isfinite(energy)) break;
    if (n) t.beside.push_back(std::sqrt(ratio) / step);
    const double previous = n ? ratio / step : 0;
    step = product / -energy;
    t.diagonal.push_back(1 / step + previous);
    before = product;
    // r -= step A p
    const PetscInt count = box.layout.hi[0] - box.layout.lo[0];
    ForRows(box.layout, [&](std::size_t row) {
      float *__restrict to = r.data() + row;
      const float *__restrict from = q.data() + row;
      for (PetscInt i = 0; i < count; ++i) to[i] += float(step) * from[i];
    });
  }
  // Beside what `solve` logs: the residual, two products of vectors and two updates a step; one residual before.
  const double cells = double(box.layout.OwnedCells());
  PetscCall(PetscLogFlops(cells * (double(t.diagonal.size()) * (scaled.FlopsPerCell() + 8) + scaled.FlopsPerCell())));
  *value = t.diagonal.empty() ? 1 : t.Eigenvalue(0);
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
