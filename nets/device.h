/// \file
/// Where networks compute.
#pragma once
#include "nets/torch.h"
#include <mpi.h>
#include <string>

namespace krylearn {
namespace nets {

/// The device for "cpu", "cuda" or "auto" – CUDA where every rank finds it and `any_device`, the network's ability, is
/// given. Ranks of one machine take its devices in turn. std::invalid_argument where "cuda" cannot be had, naming the
/// `architecture` if that is the reason, and for other words. Collective.
at::Device FindDevice(MPI_Comm comm, const std::string &wanted, bool any_device, const std::string &architecture);

} // namespace nets
} // namespace krylearn
