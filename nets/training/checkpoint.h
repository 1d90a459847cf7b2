/// \file
/// Checkpoints of a training: what a run needs to go on as if nothing had happened.
///
///     bytes 0-7   KRYLCHKP
///     8-          a model file (model_file.h): parameters, the best ones, moments of Adam
///     then        the state of each sampler of the pool: its tensors, each followed by its CRC-32, in the byte order
///                 of the machine
#pragma once
#include "nets/model_file.h"
#include "nets/training/sampler.h"

namespace krylearn {
namespace nets {

/// A sampler and the rank that has it; elsewhere a null pointer. All ranks have the same list, and each rank at least
/// one sampler.
struct PoolMember {
  int owner;
  Sampler *sampler;
};

/// Writes under a temporary name and renames. FileError names file and reason, on all ranks. Rank 0 writes, piece by
/// piece, so memory does not grow with the pool. Collective.
void WriteCheckpoint(MPI_Comm comm, const std::string &path, Model model, const std::vector<PoolMember> &pool);
/// The model in a checkpoint. Refuses (FileError) files that are none. Collective.
Model ReadCheckpoint(MPI_Comm comm, const std::string &path);
/// Gives all samplers of a pool the state that a checkpoint has of them. Refuses (FileError) files that are cut off,
/// damaged or of another pool. Collective.
void RestorePool(MPI_Comm comm, const std::string &path, const std::vector<PoolMember> &pool);

} // namespace nets
} // namespace krylearn
