/// \file
/// A symmetric stencil operator on a box, and the smoother that works on its scaled form.
#pragma once
#include "solvers/pc/nmg/box.h"

namespace krylearn {
namespace nmg {

/// A cell's neighbours that come before it, in lexicographic order, on a grid of n cells: across faces (2 in 2D, 3 in
/// 3D), or with edges and corners too (4, 13). Each coupling is stored once, with the later cell.
std::vector<Int3> LowerNeighbours(const Int3 &n, bool corners);

/// A symmetric operator: (A u)_i = diagonal_i u_i - sum of couplings × neighbours. Row sums are kept on their own, so that
/// singular components stay exactly singular. Ghosts are valid two deep. Cells without an unknown have diagonal 0.
struct Stencil {
  std::vector<Int3> lower;      ///< directions of `coupling`
  std::vector<Array> coupling;  ///< −A between a cell and its lower neighbour
  Array diagonal, row_sum;
  /// Number of a lower direction, -1 if it is none.
  int Find(const Int3 &direction) const;
  ArrayList Arrays();
  /// Makes all arrays, zero, for the directions in `lower`.
  void Allocate(const Box &box);
  /// D^(-1/2), 0 in cells without an unknown.
  Array Scale() const;
};

/// The operator D^(-1/2) A D^(-1/2) of a level, whose diagonal is 1 and need not be stored. All vectors are in its scaled
/// unknowns D^(1/2) u.
class ScaledStencil {
public:
  void SetUp(const Box &box, const Stencil &stencil);
  /// What a set-up takes: D^(-1/2), and two multiplications a coupling.
  double SetUpFlopsPerCell() const { return 2.0 * double(couplings_) + 2; }
  /// x = the result of the two Jacobi sweeps w1, w2 from a zero guess. Ghosts of b are needed.
  void FirstSweeps(const Box &box, float w1, float w2, const Array &b, Array *x) const;
  /// out = x + w (b - A x). Ghosts of x are needed.
  void Sweep(const Box &box, float w, const Array &b, const Array &x, Array *out) const;
  /// r = b - A x. Ghosts of x are needed.
  void Residual(const Box &box, const Array &b, const Array &x, Array *r) const;
  double FlopsPerCell() const { return 4.0 * double(couplings_) + 3; }
  std::size_t Couplings() const { return std::size_t(couplings_); }

private:
  friend class Passes;
  /// Couplings towards one neighbouring row: the one cell across from each (and for the row itself the one before), or
  /// the three cells around that. Three are stored by groups of 8 cells, one group after the other, so that a pass reads
  /// few long streams: as 13 arrays of 27-point levels they were 26 short ones, and half of a cycle went into waiting.
  struct RowCouplings {
    Array values;
    int count;              ///< couplings a cell, 1 or 3
    std::ptrdiff_t offset;  ///< to the neighbouring row's cell across, or to the cell before
    std::ptrdiff_t rows;    ///< how many rows before it comes
  };
  std::vector<RowCouplings> threes_, ones_;
  mutable std::vector<float> before_, after_, sums_; ///< work space of a row
  PetscInt couplings_ = 0;
  PetscInt length_ = 0;   ///< cells a row, rounded up to whole groups
  Int3 first_{}, last_{}; ///< cells whose couplings are kept: owned ones and a layer around
  std::ptrdiff_t Row(PetscInt j, PetscInt k) const {
    return (k - first_[2]) * (last_[1] - first_[1]) + j - first_[1];
  }
};

} // namespace nmg
} // namespace krylearn
