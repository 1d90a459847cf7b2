/// \file
/// TorchScript modules for tests, from their source.
#pragma once
#include <string>
#include <torch/csrc/jit/api/module.h>

namespace krylearn_test {

/// A module with the declarations of the contract and `methods`; those of fields that tests vary may be changed before
/// it is saved.
inline torch::jit::Module Declared(int dim, int field, bool linear, const std::string &methods, int alignment = 1) {
  torch::jit::Module module("user");
  const auto declare = [&](const char *name, const c10::IValue &value) {
    module.register_attribute(name, value.type(), value);
  };
  declare("krylearn_contract", std::int64_t(1));
  declare("krylearn_dim", std::int64_t(dim));
  declare("krylearn_receptive_field", std::int64_t(field));
  declare("krylearn_alignment", std::int64_t(alignment));
  declare("krylearn_linear", linear);
  module.define(methods);
  return module;
}

/// 1.7 I - 0.7 Â, a polynomial of the scaled operator, from the channels alone: linear and symmetric, reads two cells.
inline const char *kPolynomial = R"(
def times(self, g, x):
    y = x
    dim = g.size(1) - 2
    for a in range(dim):
        c = g[:, a:a + 1] / (2 * dim)
        y = y - c * torch.roll(x, [1], [-1 - a]) - torch.roll(c * x, [-1], [-1 - a])
    return y
def forward(self, r, g):
    return 1.7 * r - 0.7 * self.times(g, r)
)";

/// Two levels, not linear, with strides: reads a coarse cell and its neighbours.
inline const char *kTwoLevels = R"(
def prepare(self, g):
    return torch.exp(-g[:, 0:1] - g[:, -1:])
def forward(self, r, g):
    if r.dim() == 5:
        c = torch.tanh(torch.avg_pool3d(r * g, 4))
        c = c + 0.5 * torch.roll(c, [1], [-1]) + 0.2 * torch.roll(c, [-1], [-3])
        return r + torch.repeat_interleave(torch.repeat_interleave(torch.repeat_interleave(c, 4, 2), 4, 3), 4, 4)
    c = torch.tanh(torch.avg_pool2d(r * g, 4))
    c = c + 0.5 * torch.roll(c, [1], [-1]) + 0.2 * torch.roll(c, [-1], [-2])
    return r + torch.repeat_interleave(torch.repeat_interleave(c, 4, 2), 4, 3)
)";

} // namespace krylearn_test
