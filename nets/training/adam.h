/// \file
/// Adam (Kingma & Ba, ICLR 2015) on all parameters as one vector, with clipping, warm-up and a cosine to the end.
#pragma once
#include "nets/architecture.h"

namespace krylearn {
namespace nets {

class Adam {
public:
  Adam(long size, double rate, long steps) : rate_(rate), steps_(steps), m(at::zeros({size})), v(at::zeros({size})) {}
  /// The learning rate of a step, from 0: 50 steps of warm-up, flat to 30 % of all steps, a cosine to nothing.
  double Rate(long step) const;
  /// One step along the gradient, [size], clipped to norm 1.
  void Step(long step, const at::Tensor &gradient, Net *net);

private:
  double rate_;
  long steps_;

public:
  at::Tensor m, v; ///< running means of the gradient and its square
};

/// The gradients of all parameters, one after the other, double precision; zeros where there is none.
at::Tensor FlatGradient(const Net &net);
void ClearGradients(Net *net);

} // namespace nets
} // namespace krylearn
