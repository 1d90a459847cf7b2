/// \file
/// Transfer between a level and the next coarser one, with a weight of its own for every pair of cells.
///
/// Along a coarsened axis coarse cell I sits at fine cell 2I; fine cell 2I + 1 lies between coarse cells I and I + 1.
/// A fine cell 2I + s (s = 0, 1 along each coarsened axis) thus has the parents I + b with b ≤ s: 1, 2, 4 or 8 of them, 27
/// weights a coarse cell in 3D.
#pragma once
#include "solvers/pc/nmg/box.h"

namespace krylearn {
namespace nmg {

/// Which fine cell of a coarse one, and which parent.
struct Link {
  Int3 s, b;
};

class Transfer {
public:
  /// `factor` is 2 along coarsened axes, 1 along others. Collective (makes no messages).
  void SetUp(std::shared_ptr<Box> fine, std::shared_ptr<Box> coarse, const Int3 &factor);
  const std::vector<Link> &Links() const { return links_; }
  int Find(const Int3 &s, const Int3 &b) const { return number_[std::size_t(Code(s) * 8 + Code(b))]; }
  const Int3 &Factor() const { return factor_; }
  /// Weights by link, on the coarse box with one layer of ghosts valid.
  std::vector<Array> weights;

  /// coarse = Pᵀ fine. Ghosts of fine are needed.
  void Restrict(const Array &fine, Array *coarse) const;
  /// fine += P coarse. Ghosts of coarse are needed.
  void AddProlonged(const Array &coarse, Array *fine) const;
  double FlopsPerCoarseCell() const { return 2.0 * double(links_.size()); }

private:
  static PetscInt Code(const Int3 &p) { return p[0] + 2 * p[1] + 4 * p[2]; }
  std::array<int, 64> number_{};
  std::shared_ptr<Box> fine_, coarse_;
  Int3 factor_{};
  std::vector<Link> links_;
  mutable std::vector<float> even_, odd_; ///< one row of the fine level, taken apart
};

} // namespace nmg
} // namespace krylearn
