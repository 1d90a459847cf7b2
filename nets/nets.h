/// \file
/// The door to this folder for the rest of the project: networks as preconditioners, models on disk, training. No type
/// of LibTorch appears, so including it costs nothing; what stands behind it is found through OpenNetworks() of
/// solvers/.
///
/// Failures are exceptions derived from std::exception, the same on all ranks where a call is collective:
/// std::invalid_argument where the caller has asked for what cannot be, FileError where a file is at fault.
#pragma once
#include "nets/partition.h"
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace krylearn {
namespace nets {

/// A file that cannot be read, written or used.
class FileError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Options of an architecture by name, as they are stored with a model.
using Options = std::map<std::string, std::string>;

/// The operator (A x)_i = s_i x_i + Σ c (x_i − x_j) over neighbours j across faces, as plain arrays over this rank's
/// cells, x fastest: c of the face below each cell on each axis, and s. Cells without an unknown (solids, Dirichlet
/// values) have no couplings and s = 0. Any unit; single precision has to hold it.
struct Geometry {
  Partition partition;
  std::array<std::vector<float>, 3> faces; ///< the third empty in 2D
  std::vector<float> sums;
  int Dim() const { return partition.n[2] > 1 ? 3 : 2; } ///< also where a rank owns nothing
};

/// A trained network.
class Network {
public:
  virtual ~Network() = default;
  /// Where to compute: "cpu", "cuda", or "auto", which is CUDA where LibTorch finds it and the network can use it.
  /// std::invalid_argument where it cannot be had. Before SetUp(). Collective.
  virtual void ChooseDevice(const std::string &device) = 0;
  virtual std::string Device() const = 0; ///< "cpu", "cuda:0" …
  /// Everything that depends on the geometry alone; std::invalid_argument where the model does not fit it. Collective.
  virtual void SetUp(const Geometry &geometry) = 0;
  /// A residual to a direction, values of this rank's cells, x fastest. Collective.
  virtual void Apply(const float *r, float *q) = 0;
  virtual bool Linear() const = 0;
  virtual bool Symmetric() const = 0; ///< and positive definite, up to rounding
  virtual int Dim() const = 0;
  virtual long Parameters() const = 0;
  virtual double Flops() const = 0; ///< of an application, this rank's
  virtual std::string Architecture() const = 0;
};

/// What a model file says about itself.
struct ModelInfo {
  std::string architecture;
  int dim = 2;
  long parameters = 0;
  Options options, about;
};

/// A named problem to make a geometry of.
struct GeometryRequest {
  std::string family;
  Index n{64, 64, 1};
  long seed = 1;
  long number = 0; ///< how many of this family and size the training asks for before it, counted over all ranks
};
/// Makes one, on the calling rank alone (a Partition::Whole()).
using GeometrySource = std::function<Geometry(const GeometryRequest &)>;

/// Eigenvectors of the lowest eigenvalues of a geometry, upwards; NaN and zeros where there are fewer.
struct Modes {
  std::vector<double> values;
  std::vector<float> vectors; ///< [number][z][y][x]
};
using ModeSource = std::function<Modes(const GeometryRequest &)>;

struct TrainingSpec {
  std::string architecture = "vcycle";
  Options options;
  std::vector<std::string> families{"obstacles"};
  std::vector<Index> grids{{64, 64, 1}};
  std::string loss = "anorm", sampling = "krylov"; ///< anorm|residual|paper and krylov|ritz|white
  ModeSource modes;                                ///< for a sampling that takes them; empty where there are none
  long seed = 1;
  long steps = 1500;
  long geometries = 32, right_sides = 24;           ///< of the pool: geometries, and live solves of each
  long batch_geometries = 4, batch_right_sides = 4; ///< of a step, over all ranks
  double rate = 2e-3;                               ///< the largest learning rate
  long validate_every = 250, validation_geometries = 8;
  long patience = 0;                   ///< validations without gain after which training ends; 0: never before `steps`
  bool keep_last = false;              ///< the model is that of the last step, not the best that validations have seen
  std::string output, log, checkpoint; ///< files; log and checkpoint may be empty
  double checkpoint_seconds = 600;
  bool resume = false; ///< go on from `checkpoint`
  std::string init;    ///< a model to start from
  std::string data;    ///< what `source` takes geometries from, in words: parameters, data sets; the same to resume
  Options about;       ///< what the model shall say of itself
  const volatile std::sig_atomic_t *signal = nullptr; ///< checkpoint at the next step when it changes
  std::function<void(const std::string &)> say;       ///< receives lines of progress, on the first rank
};

/// Seeds that networks never train on are those a user would type: below this.
constexpr long kFirstTrainingSeed = 1000000;
/// Seeds of held-out geometries: below kFirstTrainingSeed, above what users take.
constexpr long kFirstValidationSeed = 900001;

struct TrainingReport {
  struct Row {
    std::string family;
    Index n;
    double median = 0, worst = 0; ///< iterations to 1e-6 on the held-out geometries
  };
  std::vector<Row> rows;
  long steps = 0;
  double seconds = 0, samples_per_second = 0; ///< of this run
};

class Library {
public:
  virtual ~Library() = default;
  /// Reads a model on rank 0 for all. Collective.
  virtual std::unique_ptr<Network> Load(MPI_Comm comm, const std::string &path) = 0;
  /// Threads of LibTorch's operations in this process, 1 at first; the project's own kernels take one.
  virtual void SetThreads(int threads) = 0;
  virtual ModelInfo Info(MPI_Comm comm, const std::string &path) = 0;
  /// Names and summaries.
  virtual std::vector<std::pair<std::string, std::string>> ArchitectureList() = 0;
  /// Trains, validates and writes the best model. Collective.
  virtual TrainingReport Train(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source) = 0;
};

/// Counts changes of this header: both sides of the door have to be of one build.
constexpr int kDoorVersion = 3;

} // namespace nets
} // namespace krylearn

extern "C" {
/// The library, or a null pointer for another kDoorVersion. What libkrylearn_nn.so exports.
__attribute__((visibility("default"))) krylearn::nets::Library *krylearn_nets_library(int door_version);
}
