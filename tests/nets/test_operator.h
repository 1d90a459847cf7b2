/// \file
/// An operator with everything in it, for the tests of networks.
#pragma once
#include "nets/grid_operator.h"
#include "tests/nets/parts.h"

namespace krylearn_test {

namespace nets = krylearn::nets;

inline int Dim(const Index &n) { return n[2] > 1 ? 3 : 2; }

/// An operator with random couplings, some solid cells and a Dirichlet side, cut by `p`.
inline nets::GridOperator TestOperator(const Index &n, const Partition &p, at::ScalarType type) {
  const int dim = Dim(n);
  const at::Tensor solid = (Random({1, n[2], n[1], n[0]}, 5) < -0.7).squeeze(0);
  at::Tensor faces = Random({dim, n[2], n[1], n[0]}, 6) + 1.1, sums = at::zeros({n[2], n[1], n[0]}, at::kDouble);
  for (std::int64_t a = 0; a < dim; ++a) {
    faces[a].select(-1 - a, 0).zero_();
    const at::Tensor behind = solid.roll(1, -1 - a);
    faces[a].masked_fill_(at::logical_or(solid, behind), 0);
  }
  sums.select(1, n[1] - 1).fill_(2);
  sums.masked_fill_(solid, 0);
  return nets::GridOperator::Make(p, dim, Part(faces, p), Part(sums.unsqueeze(0), p).squeeze(0)).To(type);
}

} // namespace krylearn_test
