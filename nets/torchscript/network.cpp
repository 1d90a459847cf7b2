// One application: r̂ = D^(-1/2) r, surrounded by as many cells as the module reads; the module on this block, alone;
// its owned cells times D^(-1/2). What the module does at the ends of the block never reaches the owned cells.
#include "nets/torchscript/network.h"
#include "nets/device.h"
#include "nets/model_file.h"
#include "nets/together.h"
#include "nets/torchscript/module.h"
#include <cmath>

namespace krylearn {
namespace nets {
namespace {

constexpr double kMostBytes = 2147483647; ///< of a message

/// A module that keeps what it declares, on all ranks.
ScriptModule Open(MPI_Comm comm, const std::string &bytes, const std::string &path) {
  std::unique_ptr<ScriptModule> module;
  int rank;
  MPI_Comm_rank(comm, &rank);
  Together(comm, [&] { module = std::make_unique<ScriptModule>(bytes, path); });
  Together(comm, [&] {
    if (rank == 0) module->Verify();
  });
  return *module;
}

class TorchScriptNetwork : public Network {
public:
  TorchScriptNetwork(MPI_Comm comm, const std::string &bytes, const std::string &path)
      : comm_(comm), module_(Open(comm, bytes, path)), path_(path) {}

  void ChooseDevice(const std::string &device) override { FindDevice(comm_, device, false, Architecture()); }
  std::string Device() const override { return "cpu"; }

  void SetUp(const Geometry &geometry) override {
    CheckDimension(path_, Dim(), geometry.Dim());
    at::NoGradGuard no_gradients;
    const GridOperator op = MakeOperator(geometry, at::kFloat);
    partition_ = op.partition;
    scale_ = op.scale;
    FindBlock();
    at::Tensor channels = WithHalo(op.Channels(), partition_, depth_);
    Together(partition_.comm, [&] {
      if (partition_.OwnedCells() > 0) prepared_ = module_.Prepare(Block(channels));
    });
    std::vector<std::int64_t> shape = channels.sizes().vec();
    shape[0] = 1;
    padded_ = at::zeros(shape, at::kFloat);
    unknowns_ = SumOverRanks((scale_ > 0).sum().item<double>());
  }

  void Apply(const float *values, float *result) override {
    at::NoGradGuard no_gradients;
    const at::Tensor r = at::from_blob(const_cast<float *>(values), scale_.sizes(), at::kFloat) * scale_; // only read
    const double size = Linear() ? 1 : RootMeanSquare(r);
    Owned(padded_[0]).copy_(size == 1 ? r : r / size);
    FillHalo(padded_, partition_, depth_);
    Together(partition_.comm, [&] {
      if (partition_.OwnedCells() == 0) return;
      at::Tensor q = module_.Forward(Block(padded_), prepared_).reshape(block_shape_);
      for (std::size_t a = 0; a < 3; ++a) q = q.narrow(-1 - std::int64_t(a), first_[a], partition_.Owned(a));
      at::from_blob(result, scale_.sizes(), at::kFloat).copy_(q * scale_ * size);
    });
  }

  bool Linear() const override { return module_.Declared().linear; }
  bool Symmetric() const override { return false; }
  int Dim() const override { return int(module_.Declared().dim); }
  long Parameters() const override { return module_.Parameters(); }
  double Flops() const override {
    double cells = partition_.OwnedCells() > 0 ? 1 : 0;
    for (const std::int64_t size : block_shape_) cells *= double(size);
    return cells * module_.Declared().flops_per_cell;
  }
  std::string Architecture() const override { return "torchscript"; }

private:
  /// The halo, of one depth on all ranks, and the aligned block inside it that the module gets.
  void FindBlock() {
    const long field = module_.Declared().receptive_field, unit = module_.Declared().alignment;
    block_shape_ = {1, 1, 1};
    depth_ = {};
    begin_ = first_ = {0, 0, 0};
    double cells = 1;
    for (std::size_t a = 0; a < std::size_t(Dim()); ++a) {
      const long halo = field + unit - 1, lowest = partition_.Lo(a) - field, highest = partition_.Hi(a) + field;
      const long begin = lowest - Remainder(lowest, unit), end = highest + Remainder(-highest, unit);
      depth_[a] = {halo, halo};
      begin_[a] = begin - (partition_.Lo(a) - halo);
      first_[a] = partition_.Lo(a) - begin;
      block_shape_[2 - a] = end - begin;
      cells *= double(partition_.Owned(a) + 2 * halo);
    }
    Together(partition_.comm, [&] {
      if (4 * cells * double(Dim() + 2) > kMostBytes)
        RefuseModel(path_, "reads " + std::to_string(field) + " cells on each side, which is too much for the " +
                               std::to_string(partition_.OwnedCells()) +
                               " cells of a rank; use more ranks or another model");
    });
  }
  static long Remainder(long number, long unit) { return (number % unit + unit) % unit; }

  /// From padded [channels, z, y, x], what the module takes: [1, channels, (z,) y, x].
  at::Tensor Block(at::Tensor padded) const {
    for (std::size_t a = 0; a < 3; ++a) padded = padded.narrow(-1 - std::int64_t(a), begin_[a], block_shape_[2 - a]);
    if (Dim() == 2) padded = padded.squeeze(1);
    return padded.unsqueeze(0).contiguous();
  }
  at::Tensor Owned(at::Tensor padded) const {
    for (std::size_t a = 0; a < 3; ++a) padded = padded.narrow(-1 - std::int64_t(a), depth_[a][0], partition_.Owned(a));
    return padded;
  }
  double SumOverRanks(double mine) const {
    double all;
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, partition_.comm);
    return all;
  }
  /// Over cells with an unknown; 1 where that is no scale.
  double RootMeanSquare(const at::Tensor &r) const {
    const double square = SumOverRanks(r.to(at::kDouble).square().sum().item<double>());
    const double size = std::sqrt(square / unknowns_);
    return size > 0 && std::isfinite(1 / size) ? size : 1;
  }

  MPI_Comm comm_;
  ScriptModule module_;
  std::string path_;
  Partition partition_;
  Depth depth_{};
  Index begin_{}, first_{};               ///< the block in the padded tensor, the owned cells in the block
  std::vector<std::int64_t> block_shape_; ///< [z, y, x]
  at::Tensor scale_, padded_;             ///< D^(-1/2) [z, y, x]; a residual with halo [1, z, y, x]
  c10::IValue prepared_;                  ///< what forward() is told of the geometry
  double unknowns_ = 0;
};

} // namespace

std::unique_ptr<Network> LoadTorchScript(MPI_Comm comm, const std::string &bytes, const std::string &path) {
  return std::make_unique<TorchScriptNetwork>(comm, bytes, path);
}

ModelInfo TorchScriptInfo(MPI_Comm comm, const std::string &bytes, const std::string &path) {
  const ScriptModule module = Open(comm, bytes, path);
  const Declaration &d = module.Declared();
  ModelInfo info;
  info.architecture = "torchscript";
  info.dim = int(d.dim);
  info.parameters = module.Parameters();
  info.options = {{"receptive_field", std::to_string(d.receptive_field)},
                  {"alignment", std::to_string(d.alignment)},
                  {"linear", d.linear ? "yes" : "no"},
                  {"prepare", module.Prepares() ? "yes" : "no"}};
  if (!d.about.empty()) info.about["about"] = d.about;
  return info;
}

} // namespace nets
} // namespace krylearn
