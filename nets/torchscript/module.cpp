#include "nets/torchscript/module.h"
#include "nets/architecture.h"
#include "nets/model_file.h"
#include "nets/torchscript/archive.h"
#include <set>
#include <sstream>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

namespace krylearn {
namespace nets {
namespace {

constexpr long kContract = 1;
constexpr long kMostField2D = 1024, kMostField3D = 128, kMostAlignment = 256;
constexpr double kSameOutput = 1e-4, kLinear = 1e-3; ///< of the largest output, in single precision

/// What matters of an exception of LibTorch: the error at the end of TorchScript's call stack, or the first line.
std::string Reason(const std::exception &e) {
  const auto *own = dynamic_cast<const c10::Error *>(&e);
  std::istringstream text(own ? own->what_without_backtrace() : e.what());
  std::string line, first, last;
  while (std::getline(text, line)) {
    if (first.empty()) first = line;
    const auto colon = line.find(": ");
    if (line.empty() || line[0] == ' ' || colon == std::string::npos) continue;
    const std::string head = line.substr(0, colon);
    if (head.find(' ') == std::string::npos &&
        (head.find("Error") != std::string::npos || head.find("Exception") != std::string::npos))
      last = line.substr(colon + 2);
  }
  return last.empty() ? first : last;
}

std::string Describe(const at::Tensor &t) {
  std::string text = std::string(c10::toString(t.scalar_type())) + " [";
  for (const std::int64_t size : t.sizes()) text += (text.back() == '[' ? "" : ", ") + std::to_string(size);
  return text + "]";
}

std::string Describe(const c10::IValue &value) {
  return value.isTensor() ? Describe(value.toTensor()) : "a " + value.type()->repr_str();
}

long RoundUp(long number, long unit) { return (number + unit - 1) / unit * unit; }

} // namespace

void ScriptModule::Refuse(const std::string &why) const { RefuseModel(path_, why); }

ScriptModule::ScriptModule(const std::string &bytes, const std::string &path) : path_(path) {
  const std::string damage = WhyDamaged(bytes);
  if (!damage.empty()) Refuse(damage);
  std::istringstream stream(bytes);
  try {
    module_ = torch::jit::load(stream, at::kCPU);
    module_.eval();
  } catch (const std::exception &e) {
    Refuse("is a zip archive, but no TorchScript module that this LibTorch can read; write it with "
           "torch.jit.script(module).save(FILE) (" +
           Reason(e) + ")");
  }
  ReadDeclaration();
}

void ScriptModule::ReadDeclaration() {
  std::set<std::string> known;
  const auto value = [&](const char *name, const char *type, const char *example) {
    known.insert(name);
    if (!module_.hasattr(name))
      Refuse(std::string("declares no ") + name + "; say self." + name + " = " + example +
             " in its __init__() (see nets/torchscript/README.md)");
    const c10::IValue found = module_.attr(name);
    if (found.type()->repr_str() != type)
      Refuse(std::string("declares ") + name + " as " + found.type()->repr_str() + ", expected " + type);
    return found;
  };
  const auto whole = [&](const char *name, const char *example, long least, long most) {
    const long number = long(value(name, "int", example).toInt());
    if (number < least || number > most)
      Refuse(std::string("declares ") + name + " = " + std::to_string(number) + ", expected " + std::to_string(least) +
             " to " + std::to_string(most));
    return number;
  };
  const auto optional = [&](const char *name) {
    known.insert(name);
    return module_.hasattr(name);
  };
  const long contract = long(value("krylearn_contract", "int", "1").toInt());
  if (contract != kContract)
    Refuse("is written for version " + std::to_string(contract) + " of the contract, expected " +
           std::to_string(kContract));
  declared_.dim = whole("krylearn_dim", "2", 2, 3);
  declared_.receptive_field =
      whole("krylearn_receptive_field", "8", 0, declared_.dim == 2 ? kMostField2D : kMostField3D);
  declared_.linear = value("krylearn_linear", "bool", "False").toBool();
  if (optional("krylearn_alignment")) declared_.alignment = whole("krylearn_alignment", "1", 1, kMostAlignment);
  if (optional("krylearn_flops_per_cell"))
    declared_.flops_per_cell = value("krylearn_flops_per_cell", "float", "1e3").toDouble();
  if (optional("krylearn_about")) declared_.about = value("krylearn_about", "str", "''").toStringRef();
  std::vector<std::string> names;
  const auto type = module_.type();
  for (std::size_t i = 0; i < type->numAttributes(); ++i) names.push_back(type->getAttributeName(i));
  for (std::size_t i = 0; i < type->numConstants(); ++i) names.push_back(type->getConstantName(i));
  for (const std::string &name : names)
    if (name.rfind("krylearn_", 0) == 0 && !known.count(name)) {
      std::string list;
      for (const std::string &k : known) list += (list.empty() ? "" : ", ") + k;
      Refuse("declares " + name + ", which nobody knows; known are: " + list);
    }
}

long ScriptModule::Parameters() const {
  long count = 0;
  for (const at::Tensor &p : module_.parameters()) count += long(p.numel());
  return count;
}

c10::IValue ScriptModule::Prepare(const at::Tensor &geometry) const {
  const auto method = module_.find_method("prepare");
  if (!method) return geometry;
  const torch::jit::GraphOptimizerEnabledGuard as_written(false);
  try {
    return (*method)(std::vector<c10::IValue>{geometry});
  } catch (const std::bad_alloc &) { throw; } catch (const std::exception &e) {
    Refuse("fails in prepare() of a geometry " + Describe(geometry) + ": " + Reason(e));
  }
}

at::Tensor ScriptModule::Forward(const at::Tensor &r, const c10::IValue &prepared) const {
  // Without the optimiser, which would compile the module again for every size of block, and fuse differently in each.
  const torch::jit::GraphOptimizerEnabledGuard as_written(false);
  c10::IValue result;
  try {
    result = module_.get_method("forward")(std::vector<c10::IValue>{r, prepared});
  } catch (const std::bad_alloc &) { throw; } catch (const std::exception &e) {
    Refuse("fails in forward() of a residual " + Describe(r) + ": " + Reason(e));
  }
  if (!result.isTensor() || !result.toTensor().defined() || result.toTensor().scalar_type() != r.scalar_type() ||
      result.toTensor().sizes() != r.sizes() || !result.toTensor().device().is_cpu())
    Refuse("returns " + Describe(result) + " from forward() of a residual " + Describe(r) +
           ", expected the same shape and precision");
  return result.toTensor();
}

void ScriptModule::Verify() const {
  at::NoGradGuard no_gradients;
  const long field = declared_.receptive_field, unit = declared_.alignment, below = RoundUp(field, unit);
  const auto cube = [&](long channels, long edge) {
    std::vector<std::int64_t> shape(std::size_t(declared_.dim + 2), edge);
    shape[0] = 1, shape[1] = channels;
    return shape;
  };
  const auto residual = [&](long edge, long seed) { return RandomParameter(cube(1, edge), 1.7, seed, 1); };
  // Couplings and s as they are in problems, and a tenth of the cells solid.
  const auto geometry = [&](long edge, long seed) {
    at::Tensor channels = RandomParameter(cube(declared_.dim + 2, edge), 1, seed, 2).abs_();
    channels.select(1, declared_.dim).mul_(0.1);
    at::Tensor solid = channels.select(1, declared_.dim + 1);
    solid.copy_((solid < 0.1).to(at::kFloat));
    return channels;
  };
  // `from` on the cells from `at` on, along every axis of `into`.
  const auto place = [&](at::Tensor into, const at::Tensor &from, long at, bool fetch) {
    at::Tensor part = into;
    for (std::int64_t a = 2; a < into.dim(); ++a) part = part.narrow(a, at, from.size(a));
    if (!fetch) part.copy_(from);
    return part;
  };

  // A group of `unit` cells with its surroundings, in two blocks that are different everywhere else.
  const long window = unit + 2 * field;
  at::Tensor outputs[2], r[2];
  c10::IValue prepared;
  for (int block = 0; block < 2; ++block) {
    const long first = below + block * unit, edge = first + unit + below + 2 * block * unit;
    r[0] = residual(edge, 10 + block);
    at::Tensor g = geometry(edge, 10 + block);
    place(r[0], residual(window, 1), first - field, false);
    place(g, geometry(window, 1), first - field, false);
    const at::Tensor g_before = g.clone(), r_before = r[0].clone();
    prepared = Prepare(g);
    const at::Tensor whole = Forward(r[0], prepared);
    if (!g.equal(g_before) || !r[0].equal(r_before))
      Refuse("changes its arguments in place; work on copies in forward() and prepare()");
    outputs[block] = place(whole, at::empty(cube(1, unit)), first, true).clone();
    if (!at::isfinite(whole).all().item<bool>())
      Refuse("gives numbers that are not finite for a random residual and geometry");
  }
  const double largest = outputs[0].abs().max().item<double>();
  const double difference = (outputs[0] - outputs[1]).abs().max().item<double>();
  if (!(difference <= kSameOutput * largest))
    Refuse(
        "gives a cell different values in two blocks that are the same within krylearn_receptive_field = " +
        std::to_string(field) + " cells of it (krylearn_alignment = " + std::to_string(unit) +
        "); declare all that it reads, and use no global pooling, normalisation over the block, positions or chance");
  if (!declared_.linear) return;
  r[1] = residual(r[0].size(-1), 20);
  const at::Tensor expected = Forward(r[0], prepared) - 2 * Forward(r[1], prepared);
  const at::Tensor error = Forward(r[0] - 2 * r[1], prepared) - expected;
  if (!(error.abs().max().item<double>() <= kLinear * expected.abs().max().item<double>()))
    Refuse("declares krylearn_linear = True, but is not linear in the residual");
}

} // namespace nets
} // namespace krylearn
