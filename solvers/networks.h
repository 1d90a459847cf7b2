/// \file
/// Networks behind their door: libkrylearn_nn.so is opened from beside this library the first time one is asked for, so
/// that nothing else pays for LibTorch.
#pragma once
#include "nets/nets.h"
#include <petscdmda.h>
#include <petscmat.h>

namespace krylearn {

/// The library of networks. PETSC_ERR_SUP with advice where it is not there or is of another build. Collective on
/// `comm`.
PetscErrorCode OpenNetworks(MPI_Comm comm, nets::Library **library);

/// Runs `call`; exceptions, of LibTorch's too, become PETSc errors on `comm` that begin with `what`: of users' wishes
/// PETSC_ERR_USER_INPUT, of files PETSC_ERR_FILE_UNEXPECTED, others PETSC_ERR_LIB.
template <class Call> PetscErrorCode GuardedNetworkCall(MPI_Comm comm, const char *what, Call &&call) {
  try {
    call();
  } catch (const std::bad_alloc &) {
    SETERRQ(comm, PETSC_ERR_MEM, "%s ran out of memory; use more ranks or a smaller grid", what);
  } catch (const std::invalid_argument &e) {
    SETERRQ(comm, PETSC_ERR_USER_INPUT, "%s: %s", what, e.what());
  } catch (const nets::FileError &e) {
    SETERRQ(comm, PETSC_ERR_FILE_UNEXPECTED, "%s: %s", what, e.what());
  } catch (const std::exception &e) {
    // What follows the first line of LibTorch's messages is its own call stack.
    const std::string text = e.what();
    SETERRQ(comm, PETSC_ERR_LIB, "%s: %s", what, text.substr(0, text.find('\n')).c_str());
  }
  return 0;
}

} // namespace krylearn
