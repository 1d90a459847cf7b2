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
  std::vector<Array *> Arrays();
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
  /// x = the result of the two Jacobi sweeps w1, w2 from a zero guess. Ghosts of b are needed.
  void FirstSweeps(const Box &box, float w1, float w2, const Array &b, Array *x) const;
  /// out = x + w (b - A x). Ghosts of x are needed.
  void Sweep(const Box &box, float w, const Array &b, const Array &x, Array *out) const;
  /// r = b - A x. Ghosts of x are needed.
  void Residual(const Box &box, const Array &b, const Array &x, Array *r) const;
  double FlopsPerCell() const { return 4.0 * double(coupling_.size()) + 3; }
  std::size_t Couplings() const { return coupling_.size(); }

private:
  std::vector<std::ptrdiff_t> offset_;
  std::vector<Array> coupling_;
};

} // namespace nmg
} // namespace krylearn
