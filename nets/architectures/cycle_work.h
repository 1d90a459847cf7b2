/// \file
/// Memory of the cycles without gradients, allocated once, and what the kernels want to know of each level.
#pragma once
#include "nets/kernels.h"
#include "nets/layers.h"

namespace krylearn {
namespace nets {

/// A level of a cycle on this rank.
struct CycleWork {
  at::Tensor r, x, t; ///< right-hand side, solution, one more: [batch, z, y, x] with a layer of ghosts
  kernels::Shape shape;
  kernels::Levels levels; ///< this and the next coarser one
};

/// For grids each of which is the Coarsened() of the one before, and `batch` right-hand sides at a time.
std::vector<CycleWork> MakeCycleWork(const std::vector<Partition> &grids, int dim, long batch,
                                     const at::TensorOptions &type);

/// The owned cells of a padded field, as a view.
at::Tensor OwnedCells(const at::Tensor &padded, const Partition &partition, int dim);

} // namespace nets
} // namespace krylearn
