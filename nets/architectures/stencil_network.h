/// \file
/// A small network of convolutions that turns the geometry around each cell into the weights of stencils there.
#pragma once
#include "nets/architecture.h"
#include <functional>

namespace krylearn {
namespace nets {

/// Symmetric stencils have their later half only, as SymmetricStencil() takes it.
enum class StencilKind { kGeneral, kSymmetric };

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
  StencilNetwork(int dim, long channels, long layers, std::vector<StencilKind> stencils)
      : dim_(dim), channels_(channels), layers_(layers), stencils_(std::move(stencils)) {}

  /// Appends fresh parameters, their names after a prefix. Networks of one model take different streams.
  void AddParameters(const std::string &prefix, long seed, long stream,
                     std::vector<std::pair<std::string, at::Tensor>> *parameters) const;
  /// How many tensors that appends.
  std::size_t Count() const { return std::size_t(2 * layers_); }
  /// The weights of the stencils in their forms, ordered as in kernels.h, with valid ghosts. `parameters` points to the
  /// first of Count(). Without gradients they are held once and little else is. Collective.
  std::vector<at::Tensor> Weights(const std::pair<std::string, at::Tensor> *parameters, const GridOperator &op,
                                  const std::vector<StencilForm> &forms) const;

private:
  struct Weight {
    std::size_t stencil;
    std::int64_t place; ///< in the stencil's tensor
    Index neighbour;
  };
  /// What the last convolution's channels are.
  std::vector<Weight> Outputs() const;
  std::vector<at::Tensor> WeightsInSlabs(at::Tensor x, const at::Tensor &kernel, const at::Tensor &bias,
                                         const GridOperator &op, const std::vector<StencilForm> &forms) const;

  int dim_;
  long channels_, layers_;
  std::vector<StencilKind> stencils_;
};

} // namespace nets
} // namespace krylearn
