#include "solvers/pc/nmg/dense.h"
#include <algorithm>
#include <cmath>
#include <petscblaslapack.h>

namespace krylearn {
namespace nmg {
namespace {

/// Replaces a symmetric positive definite matrix by its inverse, by Cholesky factors. False if it is not definite.
bool InvertDefinite(std::size_t n, std::vector<double> *matrix) {
  if (n == 0) return true;
  const PetscBLASInt size = PetscBLASInt(n);
  PetscBLASInt info = 0;
  double *a = matrix->data();
  LAPACKpotrf_("U", &size, a, &size, &info);
  if (info == 0) LAPACKpotri_("U", &size, a, &size, &info);
  if (info != 0) return false;
  // LAPACK counts by columns and leaves the other triangle alone.
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < j; ++i) a[i * n + j] = a[j * n + i];
  return true;
}

} // namespace

bool DenseInverse::SetUp(const Box &box, const Stencil &stencil) {
  const Layout &l = box.layout;
  cells_.clear();
  std::vector<int> number(l.size, -1);
  for (PetscInt k = 0; k < l.n[2]; ++k)
    for (PetscInt j = 0; j < l.n[1]; ++j)
      for (PetscInt i = 0; i < l.n[0]; ++i) {
        const std::ptrdiff_t at = l.At(i, j, k);
        if (!(stencil.diagonal[std::size_t(at)] > 0)) continue;
        number[std::size_t(at)] = int(cells_.size());
        cells_.push_back(at);
      }
  const std::size_t n = cells_.size();
  std::vector<double> matrix(n * n, 0.0);
  std::vector<std::size_t> component(n);
  for (std::size_t i = 0; i < n; ++i) component[i] = i;
  const auto root = [&component](std::size_t i) {
    while (component[i] != i) i = component[i] = component[component[i]];
    return i;
  };
  const auto scale = [&stencil](std::ptrdiff_t at) { return 1 / std::sqrt(double(stencil.diagonal[std::size_t(at)])); };
  for (PetscInt k = 0; k < l.n[2]; ++k)
    for (PetscInt j = 0; j < l.n[1]; ++j)
      for (PetscInt i = 0; i < l.n[0]; ++i) {
        const std::ptrdiff_t at = l.At(i, j, k);
        const int row = number[std::size_t(at)];
        if (row < 0) continue;
        matrix[std::size_t(row) * n + std::size_t(row)] += 1;
        for (std::size_t c = 0; c < stencil.lower.size(); ++c) {
          const Int3 &d = stencil.lower[c];
          Int3 q{i + d[0], j + d[1], k + d[2]};
          bool there = true;
          for (std::size_t a = 0; a < 3; ++a) {
            there = there && box.Inside(int(a), q[a]);
            q[a] = (q[a] + l.n[a]) % l.n[a];
          }
          if (!there) continue;
          const std::ptrdiff_t other = l.At(q[0], q[1], q[2]);
          const int column = number[std::size_t(other)];
          const double value = stencil.coupling[c][std::size_t(at)];
          if (column < 0 || value == 0) continue;
          matrix[std::size_t(row) * n + std::size_t(column)] -= value * scale(at) * scale(other);
          matrix[std::size_t(column) * n + std::size_t(row)] -= value * scale(at) * scale(other);
          component[root(std::size_t(row))] = root(std::size_t(column));
        }
      }
  std::vector<double> anchored(n, 0.0), mass(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    anchored[root(i)] += std::fabs(stencil.row_sum[std::size_t(cells_[i])]);
    mass[root(i)] += stencil.diagonal[std::size_t(cells_[i])];
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      if (root(i) == root(j) && anchored[root(i)] <= 1e-7 * mass[root(i)])
        matrix[i * n + j] += 1 / (scale(cells_[i]) * scale(cells_[j]) * mass[root(i)]);
  // Single precision upstream may leave it indefinite by rounding; a little more diagonal mends that.
  std::vector<double> inverse = matrix;
  for (double shift = 1e-7; !InvertDefinite(n, &inverse); shift *= 10) {
    if (shift >= 1) return false;
    inverse = matrix;
    for (std::size_t i = 0; i < n; ++i) inverse[i * n + i] += shift;
  }
  inverse_.assign(inverse.begin(), inverse.end());
  packed_.assign(n, 0);
  solution_.assign(n, 0);
  return true;
}

void DenseInverse::Apply(const Array &b, Array *x) const {
  const std::size_t n = cells_.size();
  for (std::size_t i = 0; i < n; ++i) packed_[i] = b[std::size_t(cells_[i])];
  // By rows of the symmetric inverse: sums over columns would not vectorise.
  std::fill(solution_.begin(), solution_.end(), 0.0f);
  float *__restrict y = solution_.data();
  for (std::size_t j = 0; j < n; ++j) {
    const float *__restrict row = inverse_.data() + j * n;
    const float p = packed_[j];
    for (std::size_t i = 0; i < n; ++i) y[i] += row[i] * p;
  }
  for (std::size_t i = 0; i < n; ++i) (*x)[std::size_t(cells_[i])] = y[i];
}

} // namespace nmg
} // namespace krylearn
