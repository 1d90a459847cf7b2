/// \file
/// A TorchScript module under the contract of README.md, held against what it declares of itself.
#pragma once
#include <string>
#include <torch/csrc/jit/api/module.h>

namespace krylearn {
namespace nets {

/// What a module declares, as attributes whose names begin with `krylearn_`.
struct Declaration {
  long dim = 2;
  long receptive_field = 0; ///< cells that an output reads on each side, along every axis
  long alignment = 1;       ///< blocks begin and end at multiples of it, counted from the grid's first cell
  bool linear = false;      ///< in the residual
  double flops_per_cell = 0;
  std::string about;
};

/// Failures are std::runtime_error that name file, expected and found. Nothing here is collective.
class ScriptModule {
public:
  /// From the bytes of a file; refuses what is damaged, no TorchScript, or lacks a declaration.
  ScriptModule(const std::string &bytes, const std::string &path);

  const Declaration &Declared() const { return declared_; }
  long Parameters() const;
  /// Whether the module has a method prepare(), for what depends on the geometry alone.
  bool Prepares() const { return module_.find_method("prepare").has_value(); }

  /// What Forward() wants to know of the geometry [1, dim + 2, (z,) y, x].
  c10::IValue Prepare(const at::Tensor &geometry) const;
  /// Residuals [1, 1, (z,) y, x] to directions of that shape.
  at::Tensor Forward(const at::Tensor &r, const c10::IValue &prepared) const;

  /// Tries the module on small blocks of random numbers: it has to give the same at cells whose surroundings within
  /// the receptive field are the same, whatever the block and the place in it, to be finite, to leave its arguments
  /// alone, and to be linear if it says so.
  void Verify() const;

private:
  void ReadDeclaration();
  [[noreturn]] void Refuse(const std::string &why) const;

  std::string path_;
  torch::jit::Module module_;
  Declaration declared_;
};

} // namespace nets
} // namespace krylearn
