/// \file
/// What training lowers.
#pragma once
#include "nets/training/sampler.h"

namespace krylearn {
namespace nets {

struct Loss {
  const char *name, *summary;
  /// Of the network's directions q = f(r): a mean over the batch, with its graph. `op` in single precision.
  at::Tensor (*of)(const GridOperator &op, const Batch &batch, const at::Tensor &q);
};

const std::vector<Loss> &Losses();
/// std::invalid_argument names the loss and those there are.
const Loss &FindLoss(const std::string &name);

} // namespace nets
} // namespace krylearn
