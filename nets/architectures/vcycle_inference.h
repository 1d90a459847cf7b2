/// \file
/// The cycle of vcycle.cpp without gradients: the same numbers to rounding, in memory that is allocated once.
#pragma once
#include "nets/architectures/cycle_work.h"
#include "nets/grid_operator.h"

namespace krylearn {
namespace nets {

struct VCycleLevel {
  GridOperator op;
  at::Tensor weights; ///< of the smoother, padded; undefined on the last level
};

class VCycleInference {
public:
  /// For `batch` right-hand sides at a time. `levels` have to outlive it.
  VCycleInference(const std::vector<VCycleLevel> &levels, long batch);
  long Batch() const { return batch_; }
  /// [batch, z, y, x] to the same. Collective.
  at::Tensor Apply(const at::Tensor &r);

private:
  template <class T> void Cycle(std::size_t number);

  const std::vector<VCycleLevel> &levels_;
  std::vector<CycleWork> work_;
  long batch_;
};

} // namespace nets
} // namespace krylearn
