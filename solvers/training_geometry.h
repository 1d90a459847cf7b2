/// \file
/// Geometries of the named problems for training, on one rank each.
#pragma once
#include "meshes/problems.h"
#include "solvers/networks.h"

namespace krylearn {

/// Geometries of named problems with the parameters of `spec` (contrast, wall_alpha); closed pockets are filled,
/// because each is a singular component of its own. Failures become exceptions. The source works on the calling rank
/// alone.
nets::GeometrySource TrainingGeometries(const ProblemSpec &spec);

} // namespace krylearn
