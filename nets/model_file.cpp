#include "nets/model_file.h"
#include "meshes/checksum.h"
#include "nets/atomic_file.h"
#include "nets/torchscript/archive.h"
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

constexpr char kMagic[] = "KRYLMODL";
constexpr std::uint32_t kVersion = 1;

template <class T> void Put(std::string *bytes, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) *bytes += char(value >> (8 * i) & 255);
}
template <class T> T Take(const std::string &bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value |= T(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

std::string OneLine(std::string text) {
  for (char &c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

std::string Shape(const at::Tensor &t) {
  std::string text = "[";
  for (const std::int64_t size : t.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

} // namespace

void RefuseModel(const std::string &path, const std::string &why) {
  throw FileError("model file '" + path + "' " + why);
}

void CheckDimension(const std::string &path, int dim, int grid_dim) {
  if (dim != grid_dim)
    throw std::invalid_argument("model file '" + path + "' is for " + std::to_string(dim) +
                                "D grids, but this one is " + std::to_string(grid_dim) + "D");
}

Model ModelOf(const Net &net, const std::string &architecture, int dim, const Options &options) {
  Model model;
  model.architecture = architecture;
  model.dim = dim;
  model.options = options;
  for (const auto &p : net.parameters) model.tensors.push_back({p.first, p.second.detach().clone()});
  return model;
}

std::unique_ptr<Net> NetOf(const Model &model, const std::string &path) {
  std::unique_ptr<Net> net;
  try {
    const Architecture &architecture = FindArchitecture(model.architecture);
    if (model.dim != 2 && model.dim != 3)
      throw std::invalid_argument("a model of " + std::to_string(model.dim) + " dimensions");
    net = architecture.make(FillOptions(architecture, model.options), model.dim, 0);
  } catch (const std::invalid_argument &e) { RefuseModel(path, std::string("cannot be used: ") + e.what()); }
  if (net->parameters.size() != model.tensors.size())
    RefuseModel(path, "has " + std::to_string(model.tensors.size()) + " tensors, expected " +
                          std::to_string(net->parameters.size()) + " for architecture " + model.architecture);
  for (std::size_t i = 0; i < net->parameters.size(); ++i) {
    auto &mine = net->parameters[i];
    const auto &its = model.tensors[i];
    if (mine.first != its.first || mine.second.sizes() != its.second.sizes())
      RefuseModel(path, "has tensor " + its.first + " " + Shape(its.second) + ", expected " + mine.first + " " +
                            Shape(mine.second) + " for architecture " + model.architecture);
    mine.second = its.second.clone();
  }
  return net;
}

std::string ModelBytes(const Model &model) {
  std::string text = "architecture " + model.architecture + "\ndimension " + std::to_string(model.dim) + "\n", data;
  for (const auto &o : model.options) text += "option " + o.first + " " + OneLine(o.second) + "\n";
  for (const auto &o : model.about) text += "about " + o.first + " " + OneLine(o.second) + "\n";
  for (const auto &t : model.tensors) {
    text += "tensor " + t.first;
    for (const std::int64_t size : t.second.sizes()) text += " " + std::to_string(size);
    text += "\n";
    const at::Tensor values = t.second.detach().to(at::kFloat).contiguous();
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, values.data_ptr<float>() + i, sizeof bits);
      Put(&data, bits);
    }
  }
  std::string rest;
  Put(&rest, std::uint64_t(text.size() + 1 + data.size()));
  rest += text + "\n" + data;
  std::string all = kMagic;
  Put(&all, kVersion);
  Put(&all, Crc32(rest.data(), rest.size()));
  return all + rest;
}

std::uint64_t LengthInModelHead(const std::string &head) { return Take<std::uint64_t>(head, 16); }

void WriteModel(const std::string &path, const Model &model) {
  const std::string bytes = ModelBytes(model);
  AtomicFile file(path);
  file.Write(bytes.data(), bytes.size());
  file.Publish("model file");
}

Model ParseModel(const std::string &bytes, const std::string &path) {
  if (IsArchive(bytes)) RefuseModel(path, "is a zip archive, as of TorchScript: it can be applied, but not trained");
  if (bytes.compare(0, sizeof kCheckpointMagic - 1, kCheckpointMagic) == 0)
    RefuseModel(path, "is a checkpoint of a training, not a model; train -checkpoint FILE -resume goes on with it");
  if (bytes.size() < 8 || bytes.compare(0, 8, kMagic) != 0)
    RefuseModel(path, "is no model of Krylearn (expected it to start with " + std::string(kMagic) + ")");
  if (bytes.size() < kModelHead) RefuseModel(path, "is cut off in its first bytes");
  const auto version = Take<std::uint32_t>(bytes, 8);
  if (version != kVersion)
    RefuseModel(path,
                "has format version " + std::to_string(version) + ", expected " + std::to_string(kVersion) +
                    (version > kVersion ? "; it was written by a newer Krylearn, or is damaged" : "; it is damaged"));
  const auto length = Take<std::uint64_t>(bytes, 16);
  if (bytes.size() - kModelHead < length)
    RefuseModel(path, "is cut off or damaged: expected " + std::to_string(length) + " bytes after its head, found " +
                          std::to_string(bytes.size() - kModelHead));
  if (bytes.size() - kModelHead > length ||
      Crc32(bytes.data() + 16, bytes.size() - 16) != Take<std::uint32_t>(bytes, 12))
    RefuseModel(path, "is damaged: its checksum does not match");

  Model model;
  std::istringstream text(bytes.substr(kModelHead));
  std::string line;
  std::size_t at = kModelHead;
  std::vector<std::vector<std::int64_t>> shapes;
  while (std::getline(text, line) && !line.empty()) {
    at += line.size() + 1;
    std::istringstream words(line);
    std::string key, name;
    words >> key;
    if (key == "architecture") words >> model.architecture;
    else if (key == "dimension") words >> model.dim;
    else if (key == "option" || key == "about") {
      words >> name;
      std::string value;
      std::getline(words >> std::ws, value);
      (key == "option" ? model.options : model.about)[name] = value;
    } else if (key == "tensor") {
      words >> name;
      shapes.emplace_back();
      for (std::int64_t size; words >> size;) shapes.back().push_back(size);
      model.tensors.push_back({name, {}});
    }
  }
  ++at;
  for (std::size_t t = 0; t < shapes.size(); ++t) {
    const at::Tensor values = at::empty(shapes[t], at::kFloat);
    if (at + 4 * std::size_t(values.numel()) > bytes.size()) RefuseModel(path, "holds less than its tensors need");
    for (std::int64_t i = 0; i < values.numel(); ++i, at += 4) {
      const auto bits = Take<std::uint32_t>(bytes, at);
      std::memcpy(values.data_ptr<float>() + i, &bits, sizeof bits);
    }
    model.tensors[t].second = values;
  }
  return model;
}

std::string ReadBytes(MPI_Comm comm, const std::string &path) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  std::string bytes, error;
  long facts[2] = {-1, 0};
  if (rank == 0) {
    errno = 0;
    std::FILE *file = std::fopen(path.c_str(), "rb");
    char buffer[65536];
    for (std::size_t got; file && (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.append(buffer, got);
    if (!file || std::ferror(file)) facts[1] = errno ? errno : EIO;
    else facts[0] = long(bytes.size());
    if (file) std::fclose(file);
    if (facts[0] > 2147483647L) facts[0] = -1, facts[1] = EFBIG;
  }
  MPI_Bcast(facts, 2, MPI_LONG, 0, comm);
  if (facts[0] < 0) RefuseModel(path, std::string("cannot be read: ") + std::strerror(int(facts[1])));
  bytes.resize(std::size_t(facts[0]));
  MPI_Bcast(&bytes[0], int(bytes.size()), MPI_CHAR, 0, comm);
  return bytes;
}

Model ReadModel(MPI_Comm comm, const std::string &path) {
  return ParseModel(ReadBytes(comm, path), path); // the same on all ranks
}

} // namespace nets
} // namespace krylearn
