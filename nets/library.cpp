// What stands behind the door: nets.h.
#include "nets/device.h"
#include "nets/model_file.h"
#include "nets/torchscript/archive.h"
#include "nets/torchscript/network.h"
#include "nets/training/trainer.h"
#include <ATen/Parallel.h>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

class LoadedNetwork : public Network {
public:
  LoadedNetwork(MPI_Comm comm, const Model &model, const std::string &path)
      : comm_(comm), net_(NetOf(model, path)), architecture_(FindArchitecture(model.architecture)), dim_(model.dim),
        path_(path) {}

  void ChooseDevice(const std::string &device) override {
    device_ = FindDevice(comm_, device, architecture_.any_device, architecture_.name);
    net_->MoveTo(device_);
  }
  std::string Device() const override { return device_.str(); }

  void SetUp(const Geometry &geometry) override {
    CheckDimension(path_, dim_, geometry.Dim());
    at::NoGradGuard no_gradients;
    prepared_ = net_->Prepare(MakeOperator(geometry, at::kFloat).To(device_));
    const Partition &p = geometry.partition;
    shape_ = {1, p.Owned(2), p.Owned(1), p.Owned(0)};
  }

  void Apply(const float *r, float *q) override {
    at::NoGradGuard no_gradients;
    const at::Tensor in = at::from_blob(const_cast<float *>(r), shape_, at::kFloat); // only read
    const at::Tensor out = prepared_->Apply(in.to(device_)).to(at::kCPU).contiguous();
    std::copy(out.data_ptr<float>(), out.data_ptr<float>() + out.numel(), q);
  }

  bool Linear() const override { return architecture_.linear; }
  bool Symmetric() const override { return architecture_.symmetric; }
  int Dim() const override { return dim_; }
  long Parameters() const override { return net_->Size(); }
  double Flops() const override { return prepared_ ? prepared_->Flops() : 0; }
  std::string Architecture() const override { return architecture_.name; }

private:
  MPI_Comm comm_;
  at::Device device_{at::kCPU};
  std::unique_ptr<Net> net_;
  const nets::Architecture &architecture_;
  int dim_;
  std::string path_;
  std::unique_ptr<Prepared> prepared_;
  std::vector<std::int64_t> shape_;
};

class TheLibrary : public Library {
public:
  TheLibrary() {
    SetThreads(1); // two threads inside a rank are slower than one where ranks fill the cores
  }
  std::unique_ptr<Network> Load(MPI_Comm comm, const std::string &path) override {
    const std::string bytes = ReadBytes(comm, path);
    if (IsArchive(bytes)) return LoadTorchScript(comm, bytes, path);
    return std::make_unique<LoadedNetwork>(comm, ParseModel(bytes, path), path);
  }
  void SetThreads(int threads) override {
    if (at::get_num_threads() != threads) at::set_num_threads(threads);
  }
  ModelInfo Info(MPI_Comm comm, const std::string &path) override {
    const std::string bytes = ReadBytes(comm, path);
    if (IsArchive(bytes)) return TorchScriptInfo(comm, bytes, path);
    const Model model = ParseModel(bytes, path);
    ModelInfo info;
    info.architecture = model.architecture;
    info.dim = model.dim;
    info.options = model.options;
    info.about = model.about;
    for (const auto &t : model.tensors) info.parameters += long(t.second.numel());
    return info;
  }
  std::vector<std::pair<std::string, std::string>> ArchitectureList() override {
    std::vector<std::pair<std::string, std::string>> list;
    for (const auto &a : Architectures()) list.push_back({a.name, a.summary});
    return list;
  }
  TrainingReport Train(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source) override {
    return nets::Train(comm, spec, source);
  }
};

} // namespace
} // namespace nets
} // namespace krylearn

extern "C" krylearn::nets::Library *krylearn_nets_library(int door_version) {
  static krylearn::nets::TheLibrary library;
  return door_version == krylearn::nets::kDoorVersion ? &library : nullptr;
}
