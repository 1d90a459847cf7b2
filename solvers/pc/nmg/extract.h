/// \file
/// From a PETSc matrix on a grid to a stencil.
#pragma once
#include "solvers/pc/nmg/stencil.h"
#include <petscdmda.h>

namespace krylearn {
namespace nmg {

/// A row that holds only its diagonal: a solid cell or a Dirichlet value. Its unknown is solved for directly.
struct IsolatedRow {
  PetscInt local;
  double inverse;
};

/// The box of this rank in a DMDA. Collective.
PetscErrorCode BoxOfDMDA(DM dm, std::shared_ptr<Box> *box);

/// Reads an AIJ matrix whose rows are the cells of `dm` (one unknown each) into a stencil on `box`, owned values only.
/// Couplings to isolated rows are left out. Matrices that are not a symmetric star stencil are refused, naming entries
/// that show it (PETSC_ERR_SUP). Where the matrix was reordered from natural ordering, `natural` is advice on that for
/// the message, and rows go by their natural numbers; otherwise it is null. Values are divided by `unit`, the largest
/// diagonal. Messages start with `who`, the preconditioner's name. Collective.
PetscErrorCode ExtractStencil(const char *who, Mat matrix, DM dm, const char *natural, const Box &box,
                              Stencil *stencil, std::vector<IsolatedRow> *isolated, double *unit);

} // namespace nmg
} // namespace krylearn
