/// \file
/// Deep conjugate directions on tensors, for training and validation; KSPDCDM is the same for PETSc.
#pragma once
#include "nets/architecture.h"

namespace krylearn {
namespace nets {

/// Sums over all cells, of all ranks, for each right-hand side: [batch]. Not differentiable over ranks. Collective.
at::Tensor Dot(const at::Tensor &a, const at::Tensor &b, const Partition &partition);

/// Numbers of solves, [batch], as factors of fields [batch, z, y, x].
inline at::Tensor PerSolve(const at::Tensor &numbers) { return numbers.view({-1, 1, 1, 1}); }

struct ConjugateResult {
  at::Tensor x;
  std::vector<long> iterations; ///< of each right-hand side, to the tolerance; `most` + 1 where it was not reached
  long replaced = 0;            ///< directions that were replaced, of all right-hand sides
};

/// Solves A x = b, [batch, z, y, x] in double precision, each right-hand side for itself: directions from `net` in
/// precision `type`, A-orthogonal to the last two, exact line search, until ‖r‖ ≤ rtol ‖b‖ or `most` iterations.
/// Directions that are orthogonal to the residual, or no numbers, are replaced by it. Collective.
ConjugateResult SolveConjugate(const GridOperator &op, const Prepared &net, at::ScalarType type, const at::Tensor &b,
                               double rtol, long most);

} // namespace nets
} // namespace krylearn
