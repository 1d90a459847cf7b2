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

/// 1. SetUp lists the links; a provider of weights makes and fills `weights`. 2. Pack takes them over in the order in which
/// cycles read them. 3. Restrict and AddProlonged apply them.
class Transfer {
public:
  /// `factor` is 2 along coarsened axes, 1 along others. Collective (makes no messages).
  void SetUp(std::shared_ptr<Box> fine, std::shared_ptr<Box> coarse, const Int3 &factor);
  const std::vector<Link> &Links() const { return links_; }
  int Find(const Int3 &s, const Int3 &b) const { return number_[std::size_t(Code(s) * 8 + Code(b))]; }
  const Int3 &Factor() const { return factor_; }
  /// Weights by link, between unscaled unknowns, on the work box of the coarse cells with ghosts valid. Empty after Pack.
  std::vector<Array> weights;
  /// Turns weights w into those between scaled unknowns, sqrt(d_fine) w / sqrt(d_coarse), with the diagonals of the fine
  /// cells by link (on the work box) and of the coarse level, ghosts valid; 0 where either is 0.
  void Pack(const WorkBox &work, const std::vector<const Array *> &fine_diagonal, const Array &coarse_diagonal);

  /// coarse = Pᵀ fine. Ghosts of fine are needed.
  void Restrict(const Array &fine, Array *coarse) const;
  /// fine += P coarse. Ghosts of coarse are needed.
  void AddProlonged(const Array &coarse, Array *fine) const;
  /// What Pack takes: a division, a root and a multiplication a weight.
  double PackFlopsPerCoarseCell() const { return 3.0 * double(links_.size()); }
  double FlopsPerCoarseCell() const { return 2.0 * double(links_.size()); }

private:
  static PetscInt Code(const Int3 &p) { return p[0] + 2 * p[1] + 4 * p[2]; }
  /// Steps from a coarse cell's place to the fine cells that it is a parent of, along an axis.
  PetscInt LowestStep(std::size_t axis) const { return factor_[axis] == 2 ? -1 : 0; }
  PetscInt HighestStep(std::size_t axis) const { return factor_[axis] == 2 ? 1 : 0; }
  PetscInt Steps(std::size_t axis) const { return factor_[axis] == 2 ? 3 : 1; }
  /// Packed weights of coarse row (J, K) towards the fine rows `step1`, `step2` from it: a row of `Length` values for each
  /// step along the first axis.
  std::size_t RowStart(PetscInt J, PetscInt K, PetscInt step1, PetscInt step2) const {
    const PetscInt plane = (K - first_[2]) * Steps(2) + step2 - LowestStep(2);
    const PetscInt row = (plane * (last_[1] - first_[1]) + J - first_[1]) * Steps(1) + step1 - LowestStep(1);
    return std::size_t(row) * std::size_t(Steps(0) * Length());
  }
  PetscInt Length() const { return last_[0] - first_[0]; }

  std::array<int, 64> number_{};
  std::shared_ptr<Box> fine_, coarse_;
  Int3 factor_{}, first_{}, last_{}; ///< coarse cells whose weights are kept: owned ones and a layer around
  std::vector<Link> links_;
  /// Weights, each at its parent, in the order in which both directions come by: they are read as one to three streams
  /// instead of 27.
  Array packed_;
  mutable std::vector<float> even_, odd_; ///< one row of the fine level, taken apart
};

} // namespace nmg
} // namespace krylearn
