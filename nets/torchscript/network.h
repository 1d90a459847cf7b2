/// \file
/// TorchScript modules behind the door: the same on any number of ranks by one deep halo.
#pragma once
#include "nets/nets.h"

namespace krylearn {
namespace nets {

/// From the bytes of a file, the same on all ranks. std::runtime_error, on all ranks alike, names the file and what
/// the contract (README.md) expects. Collective.
std::unique_ptr<Network> LoadTorchScript(MPI_Comm comm, const std::string &bytes, const std::string &path);
ModelInfo TorchScriptInfo(MPI_Comm comm, const std::string &bytes, const std::string &path);

} // namespace nets
} // namespace krylearn
