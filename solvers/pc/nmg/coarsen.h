/// \file
/// Building a coarser level: weights of the transfer, and the Galerkin product Pᵀ A P.
#pragma once
#include "solvers/pc/nmg/stencil.h"
#include "solvers/pc/nmg/transfer.h"

namespace krylearn {
namespace nmg {

/// Arrays that building a level takes: the stencil taken apart, the weights, their sums and A applied to these.
inline std::size_t WorkArrays(const Stencil &stencil, const Transfer &transfer) {
  const std::size_t places = std::size_t(transfer.Factor()[0] * transfer.Factor()[1] * transfer.Factor()[2]);
  return places * (stencil.lower.size() + 2) + transfer.Links().size() + 2 * places;
}

/// A stencil taken apart by the place of the fine cells in their coarse cell: for each s a set of arrays on the coarse
/// cells, so that loops over these read contiguously.
class SplitStencil {
public:
  void SetUp(const Box &fine, const Stencil &stencil, const Int3 &factor, WorkBox *work);

  /// Where fine cell 2I + s + d is: its place s there and the coarse cell I + shift.
  struct Place {
    int s;
    std::ptrdiff_t shift;
  };
  Place Move(int s, const Int3 &d) const;
  int Number(const Int3 &s) const { return int(s[0] + factor_[0] * (s[1] + factor_[1] * s[2])); }
  Int3 Position(int s) const;
  int Places() const { return int(factor_[0] * factor_[1] * factor_[2]); }

  /// Coupling between fine cells 2I + s and 2I + s + d, read at I + the returned shift; null where there is none.
  const float *Coupling(int s, const Int3 &d, std::ptrdiff_t *shift) const;
  const Array &Diagonal(int s) const { return Part(s, 0); }
  const Array &RowSum(int s) const { return Part(s, 1); }
  /// All directions to neighbours, lower and upper.
  const std::vector<Int3> &Directions() const { return directions_; }

private:
  Int3 factor_{};
  std::array<std::ptrdiff_t, 3> stride_{};
  std::vector<Int3> lower_, directions_;
  const Array &Part(int s, std::size_t kind) const { return arrays_[std::size_t(s) * kinds_ + kind]; }
  std::vector<Array> arrays_; ///< by place: diagonal, row sum, couplings
  std::size_t kinds_ = 0;
};

/// Piecewise constant weights: every fine cell takes the value of the coarse cell it sits in.
/// `sums` (by place) returns the sum of a cell's weights, 0 for cells without an unknown. Collective.
PetscErrorCode ConstantWeights(const SplitStencil &split, WorkBox *work, Transfer *transfer, std::vector<Array> *sums);

/// Operator-dependent weights after Dendy, "Black box multigrid", J. Comput. Phys. 48 (1982): a fine cell is the average
/// of those around it that come earlier – first the coarse cells, then cells between two, four and eight of them –
/// weighted with its own couplings, those across the line or plane of its parents lumped onto it. Row sums count in the
/// average, so that weights fall off towards Dirichlet sides.
///
/// One addition: a cell none of whose parents has an unknown (it lies in a gap between solids) lends itself to one of
/// them as its value. Otherwise narrow gaps have no coarse representation at all: 22 iterations become 10 at the
/// obstacles of 48³, 78 become 44 where jumps come in too. Collective.
PetscErrorCode BlackBoxWeights(const SplitStencil &split, WorkBox *work, Transfer *transfer, std::vector<Array> *sums);

/// Pᵀ A P on the coarse box, with edges and corners, ghosts filled; `scale` multiplies it. Collective.
PetscErrorCode GalerkinProduct(const SplitStencil &split, const Box &coarse, const Transfer &transfer,
                               const std::vector<Array> &sums, float scale, WorkBox *work, Stencil *product);

} // namespace nmg
} // namespace krylearn
