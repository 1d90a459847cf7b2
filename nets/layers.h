/// \file
/// Layers on tensors that are divided over ranks: the same output and gradients on any number of them.
///
/// Tensors are [batch or channels, z, y, x], owned cells only, float or double. Where a layer reads neighbours' cells
/// it exchanges halos, forward and backward, so all of these are collective. Differentiable to everything that requires
/// it.
#pragma once
#include "nets/halo.h"

namespace krylearn {
namespace nets {

/// Layers of ghosts around every cell: one along each axis that the dimension has.
Depth OneLayer(int dim);

/// Convolution with a kernel of [out, in, 1 or 3, 3, 3] and a bias of [out] (or undefined); x is [in, z, y, x] or
/// [batch, in, z, y, x]. Zero outside the grid.
at::Tensor Convolution(const at::Tensor &x, const at::Tensor &kernel, const at::Tensor &bias,
                       const Partition &partition, int dim);

/// The local part of Convolution(): `padded` by OneLayer(), not empty. Not collective.
at::Tensor ConvolvePadded(const at::Tensor &padded, const at::Tensor &kernel, const at::Tensor &bias);

/// Stencils whose weights differ from cell to cell. `weights` is WithHalo([9 or 27, z, y, x], OneLayer(dim)), ordered
/// as in kernels.h: kept in this form because it serves many applications. x is [batch, z, y, x].
at::Tensor Stencil(const at::Tensor &weights, const at::Tensor &x, const Partition &partition, int dim);
/// The adjoint of Stencil() in x.
at::Tensor StencilAdjoint(const at::Tensor &weights, const at::Tensor &x, const Partition &partition, int dim);

/// A symmetric stencil by its later half: `weights` is WithHalo([5 or 14, z, y, x], OneLayer(dim)), ordered as in
/// kernels.h from a cell itself on; those before it are its neighbours'.
at::Tensor SymmetricStencil(const at::Tensor &weights, const at::Tensor &x, const Partition &partition, int dim);

/// The star operator of kernels.h. `faces` is WithHalo([dim, z, y, x], OneLayer(dim)), `sums` [z, y, x].
at::Tensor Star(const at::Tensor &faces, const at::Tensor &sums, const at::Tensor &x, const Partition &partition,
                int dim);
/// b − A x, in one pass where no gradients are wanted.
at::Tensor StarResidual(const at::Tensor &faces, const at::Tensor &sums, const at::Tensor &b, const at::Tensor &x,
                        const Partition &partition, int dim);

// Between a partition and its Coarsened():
/// Sums of the cells that a coarse cell covers.
at::Tensor Restrict(const at::Tensor &fine, const Partition &partition);
/// The value of the coarse cell that covers a cell: the adjoint of Restrict(), and nearest-neighbour up-sampling.
at::Tensor Prolong(const at::Tensor &coarse, const Partition &partition);
/// Means of the cells that a coarse cell covers, which are fewer at the upper end of an odd axis.
at::Tensor AveragePool(const at::Tensor &fine, const Partition &partition);

} // namespace nets
} // namespace krylearn
