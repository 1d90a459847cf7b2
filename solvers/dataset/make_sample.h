/// \file
/// Makes a planned sample, on the calling rank alone: so it does not depend on the number of ranks.
#pragma once
#include "solvers/dataset/sample.h"

namespace krylearn {

PetscErrorCode MakeSample(const DataPlan &plan, std::size_t number, DataSample *sample);

} // namespace krylearn
