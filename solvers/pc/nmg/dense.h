/// \file
/// The coarsest level, solved exactly.
#pragma once
#include "solvers/pc/nmg/stencil.h"

namespace krylearn {
namespace nmg {

/// Inverse of the scaled operator of a whole (undistributed) level of a few hundred cells. Singular components – no row
/// sum anywhere – are regularised along their null vector.
class DenseInverse {
public:
  /// False where the level is not positive definite.
  bool SetUp(const Box &box, const Stencil &stencil);
  void Apply(const Array &b, Array *x) const;
  /// Cholesky factors and the inverse made of them.
  double SetUpFlops() const { return double(cells_.size()) * double(cells_.size()) * double(cells_.size()); }
  double Flops() const { return 2.0 * double(cells_.size()) * double(cells_.size()); }

private:
  std::vector<std::ptrdiff_t> cells_; ///< places of the unknowns in the arrays
  std::vector<float> inverse_;
  mutable std::vector<float> packed_, solution_;
};

} // namespace nmg
} // namespace krylearn
