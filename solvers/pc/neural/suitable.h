/// \file
/// Which Krylov methods a network fits.
#pragma once
#include <petscksp.h>

namespace krylearn {

/// What a method takes for granted of its preconditioner.
enum class Assumes { kNothing, kLinear, kLinearAndSymmetric };
Assumes AssumptionOf(KSPType type);

/// Why a network does not fit a method, in words that follow "the network is", or a null pointer if it does.
const char *WhyNotSuitable(KSPType type, bool linear, bool symmetric);

} // namespace krylearn
