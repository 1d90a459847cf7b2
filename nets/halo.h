/// \file
/// Ghost cells of tensors that are divided over ranks.
#pragma once
#include "nets/partition.h"
#include "nets/torch.h"

namespace krylearn {
namespace nets {

/// Surrounds the owned cells of a tensor [.., z, y, x] with `depth` layers of its neighbours', whatever precedes the
/// last three dimensions. Across faces, edges and corners; across periodic sides; any depth, also beyond the next rank.
/// Cells outside the grid are zero. Differentiable: backward is the exact adjoint, which adds what ghosts have received
/// to the cells they are copies of. So the same on N ranks as on one. Collective, forward and backward.
at::Tensor WithHalo(const at::Tensor &x, const Partition &partition, const Depth &depth);

/// Fills the ghosts of a padded tensor where it is; those outside the grid are left alone. Not differentiable.
/// Collective.
void FillHalo(const at::Tensor &padded, const Partition &partition, const Depth &depth);

/// The adjoint on its own: [.., z, y, x] with ghosts to owned cells. Not differentiable. Collective.
at::Tensor HaloAdjoint(const at::Tensor &padded, const Partition &partition, const Depth &depth);

} // namespace nets
} // namespace krylearn
