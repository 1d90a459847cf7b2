#include "nets/architecture.h"
#include "meshes/random.h"
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

namespace krylearn {
namespace nets {

long Net::Size() const {
  long size = 0;
  for (const auto &p : parameters) size += long(p.second.numel());
  return size;
}

void Net::RequireGradients(bool wanted) {
  for (auto &p : parameters) p.second.requires_grad_(wanted);
}

void Net::ConvertTo(at::ScalarType type) {
  for (auto &p : parameters) p.second = p.second.detach().to(type);
}

void Net::MoveTo(const at::Device &device) {
  for (auto &p : parameters) p.second = p.second.detach().to(device);
}

const std::vector<Architecture> &Architectures() {
  static const std::vector<Architecture> list = {VCycle(), Npsd(), Dcdm()};
  return list;
}

const Architecture &FindArchitecture(const std::string &name) {
  if (name == "torchscript")
    throw std::invalid_argument("architecture torchscript is trained in Python; apps/train_torchscript.py shows how");
  return FindByName(Architectures(), "architecture", name);
}

Options FillOptions(const Architecture &architecture, const Options &given) {
  Options options = architecture.defaults;
  std::string known;
  for (const auto &option : options) known += (known.empty() ? "" : ", ") + option.first;
  for (const auto &option : given) {
    if (!options.count(option.first))
      throw std::invalid_argument("architecture " + std::string(architecture.name) + " has no option '" + option.first +
                                  "'; it has: " + known);
    options[option.first] = option.second;
  }
  return options;
}

long WholeNumber(const Options &options, const std::string &key, long least, long most) {
  const std::string &text = options.at(key);
  char *end = nullptr;
  errno = 0;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || errno || value < least || value > most)
    throw std::invalid_argument("option " + key + " is '" + text + "'; give a whole number from " +
                                std::to_string(least) + " to " + std::to_string(most));
  return value;
}

at::Tensor RandomParameter(const std::vector<std::int64_t> &shape, double bound, long seed, long stream) {
  at::Tensor values = at::empty(shape, at::kFloat);
  for (std::int64_t i = 0; i < values.numel(); ++i)
    values.data_ptr<float>()[i] =
        float(bound * (2 * Uniform(std::uint64_t(seed), std::uint64_t(stream), std::uint64_t(i)) - 1));
  return values;
}

} // namespace nets
} // namespace krylearn
