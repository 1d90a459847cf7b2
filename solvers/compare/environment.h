/// \file
/// What a measurement depends on besides the code: machine, libraries and how they were compiled.
#pragma once
#include "solvers/compare/csv.h"
#include <petscsys.h>

namespace krylearn {

/// Rows `key,value`: program and revision, date, command line, processor, ranks, versions and compiler flags. Libraries
/// that do not record their flags say so. Collective.
PetscErrorCode DescribeEnvironment(MPI_Comm comm, Csv *table);

} // namespace krylearn
