/// \file
/// The operator −∇·(α∇·) on a divided grid, with its coarser versions, as networks see and use it.
#pragma once
#include "nets/layers.h"
#include "nets/nets.h"

namespace krylearn {
namespace nets {

/// (A x)_i = s_i x_i + Σ c (x_i − x_j) over neighbours j across faces. A cell without an unknown (solid, Dirichlet
/// value) has no couplings and s = 0. Neumann sides have c = 0, Dirichlet sides are part of s.
struct GridOperator {
  Partition partition;
  int dim = 2;
  /// Width of the last cell on each axis over that of the others: where an odd number of cells is coarsened, the last
  /// covers one only.
  std::array<double, 3> last_width{1, 1, 1};
  at::Tensor faces; ///< c of the face below each cell on each axis: WithHalo([dim, z, y, x], OneLayer(dim))
  at::Tensor sums;  ///< s, [z, y, x]
  at::Tensor scale; ///< 1/√(diagonal), 0 in cells without an unknown, [z, y, x]

  /// From owned cells: faces [dim, z, y, x] and sums [z, y, x]. Collective.
  static GridOperator Make(const Partition &partition, int dim, const at::Tensor &faces, const at::Tensor &sums);
  /// On the next coarser grid: a face has half the sum of the fine ones in it, because the centres lie twice as far
  /// apart – less far at the end of an axis whose last cell is narrow –, and so has s. For α ≡ 1 that is the operator
  /// discretised anew; it stays a star, symmetric and semidefinite whatever α. Collective.
  GridOperator Coarsened() const;
  /// The same in another precision, or on another device.
  GridOperator To(at::ScalarType type) const { return To(faces.options().dtype(type)); }
  GridOperator To(const at::Device &device) const { return To(faces.options().device(device)); }
  GridOperator To(const at::TensorOptions &options) const;
  bool IsOneCell() const { return partition.n == Index{1, 1, 1}; }

  at::Tensor Apply(const at::Tensor &x) const { return Star(faces, sums, x, partition, dim); }
  at::Tensor Residual(const at::Tensor &b, const at::Tensor &x) const {
    return StarResidual(faces, sums, b, x, partition, dim);
  }
  /// What a network may know of the geometry, [dim + 2, z, y, x], free of units: couplings across the lower faces over
  /// the roots of both diagonals (1 where α ≡ 1, inside), s over the diagonal, 1 in cells without an unknown.
  /// Collective.
  at::Tensor Channels() const;
  /// `scale` with ghosts, [z, y, x]. Collective.
  at::Tensor PaddedScale() const;
  /// c between every cell and its neighbour at a distance, [z, y, x]; undefined where only an edge or a corner is
  /// between them.
  at::Tensor Coupling(const Index &neighbour) const;
  /// An owned cell's neighbour at a distance, as a view of a field padded by OneLayer().
  at::Tensor Neighbour(const at::Tensor &padded, const Index &by) const;
};

GridOperator MakeOperator(const Geometry &geometry, at::ScalarType type);

} // namespace nets
} // namespace krylearn
