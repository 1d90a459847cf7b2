/// \file
/// Which Krylov methods a network fits.
#pragma once
#include <petscksp.h>

namespace krylearn {

/// What a method takes for granted of its preconditioner.
enum class Assumes { kNothing, kLinear, kLinearAndSymmetric };
Assumes AssumptionOf(KSPType type);

/// Whether a method keeps to the true residual with a preconditioner that rounds to single precision. Others follow the
/// residual by relations of an exactly linear one, and claim what they have not reached: tolerances from this one on
/// are safe with them, too.
bool BearsSinglePrecision(KSPType type);
constexpr PetscReal kReachedByAll = 1e-3;

/// Why a network does not fit a method, in words that follow "the network is", or a null pointer if it does.
const char *WhyNotSuitable(KSPType type, bool linear, bool symmetric);

} // namespace krylearn
