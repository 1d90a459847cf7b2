/// \file
/// Geometries of the named problems for training, on one rank each.
#pragma once
#include "meshes/problems.h"
#include "solvers/networks.h"

namespace krylearn {

/// A geometry, and what its arrays do not tell.
struct TrainingGeometry {
  nets::Geometry geometry;
  Boundaries boundaries;
  double unit = 1; ///< what the arrays have been divided by
};

/// Makes the geometry of a named problem on the calling rank alone. Closed pockets are filled, because each is a singular
/// component of its own; mixed boundaries are drawn again where the rest is singular, too.
PetscErrorCode MakeTrainingGeometry(const ProblemSpec &spec, TrainingGeometry *made);

/// Geometries of named problems with the parameters of `spec` (contrast, wall_alpha, mixed_boundaries). Failures become
/// exceptions. The source works on the calling rank alone.
nets::GeometrySource TrainingGeometries(const ProblemSpec &spec);

} // namespace krylearn
