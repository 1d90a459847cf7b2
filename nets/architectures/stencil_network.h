/// \file
/// A small network of convolutions that turns the geometry around each cell into the weights of stencils there.
#pragma once
#include "nets/architecture.h"
#include <functional>

namespace krylearn {
namespace nets {

/// What the network's output becomes: weight o of cell i is output · left(i) · right(i + o) + base(o)(i).
struct StencilForm {
  at::Tensor left;  ///< [z, y, x]
  at::Tensor right; ///< the same with ghosts, as of GridOperator::PaddedScale()
  /// What there is without the network, [z, y, x] for a neighbour; undefined where that is zero.
  std::function<at::Tensor(const Index &neighbour)> base;
};

/// Convolutions of 3×3(×3) with exponential linear units between them, from GridOperator::Channels() to the weights of
/// one or more stencils in every cell. The last one starts at zero, so that training begins with the bases.
class StencilNetwork {
public:
  StencilNetwork(int dim, long channels, long layers, long stencils)
      : dim_(dim), channels_(channels), layers_(layers), stencils_(stencils) {}

  /// Appends fresh parameters, their names after a prefix. Networks of one model take different streams.
  void AddParameters(const std::string &prefix, long seed, long stream,
                     std::vector<std::pair<std::string, at::Tensor>> *parameters) const;
  /// How many tensors that appends.
  std::size_t Count() const { return std::size_t(2 * layers_); }
  /// For each form a stencil's weights, [9 or 27, z, y, x], ordered as in kernels.h, with valid ghosts. `parameters`
  /// points to the first of Count(). Without gradients they are held once and little else is. Collective.
  std::vector<at::Tensor> Weights(const std::pair<std::string, at::Tensor> *parameters, const GridOperator &op,
                                  const std::vector<StencilForm> &forms) const;

private:
  std::vector<at::Tensor> WeightsInSlabs(const at::Tensor &x, const at::Tensor &kernel, const at::Tensor &bias,
                                         const GridOperator &op, const std::vector<StencilForm> &forms) const;
  std::int64_t Size() const { return dim_ == 3 ? 27 : 9; }

  int dim_;
  long channels_, layers_, stencils_;
};

/// The neighbour that weight o of a stencil belongs to.
Index StencilNeighbour(std::int64_t o, int dim);

/// (W + Wᵀ) / 2 of a stencil with weights as of Weights(). Without gradients it replaces W, whose ghosts are then no
/// longer valid: good for Stencil(), not for StencilAdjoint(), which would be the same. Collective.
at::Tensor SymmetricStencil(const at::Tensor &weights, const GridOperator &op);

} // namespace nets
} // namespace krylearn
