/// \file
/// What networks are told of a matrix.
#pragma once
#include "solvers/networks.h"
#include "solvers/pc/nmg/extract.h"

namespace krylearn {

/// The geometry behind an AIJ matrix on a DMDA, as PCNMG reads it: see nmg::ExtractStencil(), which refuses what is no
/// symmetric star and fills `isolated` and `unit`. Ranks exchange halos on `comm`. Collective.
PetscErrorCode GeometryOfMatrix(Mat matrix, DM dm, const char *natural, const nmg::Box &box, MPI_Comm comm,
                                nets::Geometry *geometry, std::vector<nmg::IsolatedRow> *isolated, double *unit);

} // namespace krylearn
