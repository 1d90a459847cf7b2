/// \file
/// Models on disk: weights, what they belong to and where they come from, in one checked file.
///
///     bytes 0-7    KRYLMODL
///     8-11, 12-15  format version; CRC-32 of everything after it (both little-endian, 32 bits)
///     16-23        length of what follows
///     24-          text: lines `key value`, first architecture, dimension, `option KEY VALUE`, `about KEY VALUE`, then
///                  `tensor NAME SIZE SIZE …`; an empty line; the tensors, float32, one after the other
#pragma once
#include "nets/architecture.h"

namespace krylearn {
namespace nets {

struct Model {
  std::string architecture;
  int dim = 2;
  Options options;
  Options about; ///< provenance: data, seed, steps, final metric, wall time, revision of the code
  std::vector<std::pair<std::string, at::Tensor>> tensors;
};

/// A net's parameters as a model, and a net from a model: FileError where the parameters are not those of the
/// architecture, naming file, expected and found.
Model ModelOf(const Net &net, const std::string &architecture, int dim, const Options &options);
std::unique_ptr<Net> NetOf(const Model &model, const std::string &path);

/// How files begin that hold a model and more (training/checkpoint.h).
constexpr char kCheckpointMagic[] = "KRYLCHKP";
/// Bytes of a model file before its text, and the length that they give what follows.
constexpr std::size_t kModelHead = 24;
std::uint64_t LengthInModelHead(const std::string &head);
/// A model file's bytes.
std::string ModelBytes(const Model &model);
/// Writes under a temporary name and renames. FileError names file and reason. One rank.
void WriteModel(const std::string &path, const Model &model);
/// The bytes of a file, read on rank 0. FileError names file and reason. Collective.
std::string ReadBytes(MPI_Comm comm, const std::string &path);
/// A model from the bytes of a file. Refuses (FileError) what is foreign, cut off, damaged or of another
/// format version, naming file, expected and found.
Model ParseModel(const std::string &bytes, const std::string &path);
/// Both. All ranks get the model or the error. Collective.
Model ReadModel(MPI_Comm comm, const std::string &path);
/// Throws FileError: "model file 'path' why".
[[noreturn]] void RefuseModel(const std::string &path, const std::string &why);
/// std::invalid_argument where a model of `dim` dimensions meets a grid of `grid_dim`.
void CheckDimension(const std::string &path, int dim, int grid_dim);

} // namespace nets
} // namespace krylearn
