/// \file
/// What goes wrong on one rank ends a set-up on all of them.
#pragma once
#include <exception>
#include <new>
#include <petscsys.h>

namespace krylearn {
namespace nmg {

/// Runs `local`, which returns a PETSc error code, may throw and sends no messages. Where it fails on any rank, all
/// return the same error; otherwise the others would wait for that rank in their next message for ever. Everything that
/// asks for memory during a set-up therefore runs inside. Collective.
template <class Local> PetscErrorCode Together(MPI_Comm comm, Local &&local) {
  PetscFunctionBeginUser;
  int code = 0;
  try {
    code = int(local());
  } catch (const std::bad_alloc &) {
    code = int(PETSC_ERR_MEM);
  } catch (const std::exception &) { code = int(PETSC_ERR_LIB); }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, comm));
  PetscCheck(code != int(PETSC_ERR_MEM), comm, PETSC_ERR_MEM,
             "Out of memory in the set-up of a structured preconditioner; use more ranks or a smaller grid");
  PetscCheck(code == 0, comm, PetscErrorCode(code), "The set-up of a structured preconditioner failed on some rank");
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
