/// \file
/// The classical preconditioner that the project's programs use for the model problem unless told otherwise.
#pragma once
#include <petscksp.h>

namespace krylearn {

/// Makes `pc` the fastest robust classical preconditioner measured for −∇·(α∇p): BoomerAMG with one level of aggressive
/// coarsening and a Chebyshev smoother (GAMG where PETSc has no hypre). Its parameters become defaults in the options
/// database under the prefix of `pc`, so that the command line, -help and -ksp_view all see them; nothing is set where
/// the user names a type. Call before PCSetFromOptions().
PetscErrorCode SetPoissonPreconditioner(PC pc);

/// Makes a KSP whose options have been read stop on the unpreconditioned residual, from the left or the right; methods
/// that cannot measure it (minres) keep their own norm, which -info tells. Collective.
PetscErrorCode StopOnTrueResidual(KSP ksp);

/// Lets the types that `-<prefix>ksp_type` and `-<prefix>pc_type` name – `fallback` without the latter – print their
/// options under -help, where they are the project's. Collective.
PetscErrorCode AnnounceSolver(MPI_Comm comm, const char *prefix, const char *fallback);

} // namespace krylearn
