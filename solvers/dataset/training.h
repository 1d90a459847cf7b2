/// \file
/// Training on data sets.
#pragma once
#include "nets/nets.h"
#include <petscsys.h>

namespace krylearn {

/// Opens a data set of split `training`, and one of split `validation` where `validation` names one: without, held-out
/// geometries are made on the fly, with the boundaries and parameters of the data set. `spec` gets its families and
/// grids where it has none, the name of the data, and a source of eigenvectors, which fails for geometries without
/// them. Singular samples are left out. Refuses data sets of another split, and families and grids that are not in them
/// (PETSC_ERR_USER_INPUT). Collective; the sources work on the calling rank alone.
PetscErrorCode GeometriesOfData(MPI_Comm comm, const std::string &training, const std::string &validation,
                                nets::TrainingSpec *spec, nets::GeometrySource *source);

} // namespace krylearn
