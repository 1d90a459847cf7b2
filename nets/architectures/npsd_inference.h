/// \file
/// The network of npsd.cpp without gradients: the same numbers to rounding, in memory that is allocated once.
#pragma once
#include "nets/architectures/cycle_work.h"

namespace krylearn {
namespace nets {

struct NpsdLevel {
  Partition partition;
  at::Tensor local;   ///< half of a symmetric stencil, padded; undefined on the last level, as is the next
  at::Tensor filter;  ///< a stencil, padded
  at::Tensor inverse; ///< of the last level's only cell, [z, y, x]
};

class NpsdInference {
public:
  /// For `batch` right-hand sides at a time. `levels` have to outlive it.
  NpsdInference(const std::vector<NpsdLevel> &levels, int dim, long batch);
  long Batch() const { return batch_; }
  /// [batch, z, y, x] to the same. Collective.
  at::Tensor Apply(const at::Tensor &r);

private:
  template <class T> void Cycle(std::size_t number);

  const std::vector<NpsdLevel> &levels_;
  std::vector<CycleWork> work_;
  int dim_;
  long batch_;
};

} // namespace nets
} // namespace krylearn
