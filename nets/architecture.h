/// \file
/// Architectures: what networks compute, and the registry of them.
#pragma once
#include "nets/grid_operator.h"
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace krylearn {
namespace nets {

/// A network that knows its geometry. Everything that depends on the geometry alone has been computed.
class Prepared {
public:
  virtual ~Prepared() = default;
  /// Residuals [batch, z, y, x] to directions. Differentiable to the parameters. Collective.
  virtual at::Tensor Apply(const at::Tensor &r) const = 0;
  /// Floating-point operations of Apply() a right-hand side, on this rank.
  virtual double Flops() const = 0;
};

/// A network: parameters, and what they mean.
class Net {
public:
  virtual ~Net() = default;
  virtual std::unique_ptr<Prepared> Prepare(const GridOperator &op) const = 0;
  /// Leaf tensors by name, float32 unless asked otherwise; the order is that of the file.
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  long Size() const;
  void RequireGradients(bool wanted);
  void ConvertTo(at::ScalarType type);
  void MoveTo(const at::Device &device);
};

struct Architecture {
  const char *name, *summary;
  bool linear;    ///< in the residual
  bool symmetric; ///< and positive definite, so that plain conjugate gradients may use it if it is linear too
  Options defaults;
  /// Fresh parameters from `seed`. std::invalid_argument where an option's value makes no sense.
  std::unique_ptr<Net> (*make)(const Options &options, int dim, long seed);
  /// Computes with LibTorch's operations and the layers that are made of them alone (no stencils, no star operator,
  /// which are for host memory), so that its tensors may lie on another device.
  bool any_device = false;
};

/// The entry of a registry by its name; std::invalid_argument names those there are. `what` is the kind of entry.
template <class Entry>
const Entry &FindByName(const std::vector<Entry> &list, const std::string &what, const std::string &name) {
  std::string known;
  for (const Entry &entry : list) {
    if (name == entry.name) return entry;
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw std::invalid_argument("unknown " + what + " '" + name + "'; known are: " + known);
}

const std::vector<Architecture> &Architectures();
/// std::invalid_argument names the architecture and those there are.
const Architecture &FindArchitecture(const std::string &name);
/// Defaults overridden by `given`; std::invalid_argument names a key that the architecture does not know.
Options FillOptions(const Architecture &architecture, const Options &given);
/// An option as a whole number within limits; std::invalid_argument names key, value and limits.
long WholeNumber(const Options &options, const std::string &key, long least, long most);
/// Uniform numbers in ±bound from a seed and a stream; the same everywhere.
at::Tensor RandomParameter(const std::vector<std::int64_t> &shape, double bound, long seed, long stream);

// One file each in architectures/:
Architecture VCycle();
Architecture Npsd();
Architecture Dcdm();

} // namespace nets
} // namespace krylearn
