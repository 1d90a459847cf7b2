/// \file
/// The ends of spectra: what smoothers damp, and how well a cycle solves a level.
#pragma once
#include "solvers/pc/nmg/stencil.h"
#include <functional>

namespace krylearn {
namespace nmg {

/// Gershgorin's bound on the spectrum of the scaled operator. Ghosts of the stencil are needed. Collective.
PetscErrorCode GershgorinBound(const Box &box, const Stencil &stencil, double *bound);

/// The largest eigenvalue of the scaled operator by a few steps of Lanczos, with a margin since these approach it from
/// below. `work` is overwritten and left zero. Collective.
PetscErrorCode LargestEigenvalue(const Box &box, const Stencil &stencil, const ScaledStencil &scaled,
                                 const std::array<Array *, 3> &work, double *value);

/// The smallest Ritz value of B A after `steps` of conjugate gradients from a random right-hand side, where `solve`
/// applies B, symmetric and positive definite. 1 if A has nothing to solve. Collective.
PetscErrorCode SmallestRitzValue(const Box &box, const ScaledStencil &scaled, int steps,
                                 const std::function<PetscErrorCode(Array *b, Array *x)> &solve, double *value);

} // namespace nmg
} // namespace krylearn
