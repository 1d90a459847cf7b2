#include "meshes/log.h"
#include "solvers/krylearn.h"

namespace {

/// Types read PETSc's private structures, whose layout may change between minor releases.
PetscErrorCode RefuseOtherPetsc() {
  PetscInt major, minor, subminor, release;
  PetscFunctionBeginUser;
  PetscCall(PetscGetVersionNumber(&major, &minor, &subminor, &release));
  PetscCheck(major == PETSC_VERSION_MAJOR && minor == PETSC_VERSION_MINOR, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "libkrylearn was compiled for PETSc %d.%d but this program runs PETSc %" PetscInt_FMT ".%" PetscInt_FMT
             "; compile libkrylearn again with the program's PETSc",
             PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, major, minor);
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode KrylearnInitialize(void) {
  PetscFunctionBeginUser;
  PetscCall(RefuseOtherPetsc());
  PetscCall(krylearn::KrylearnRegisterEvents());
  PetscFunctionReturn(0);
}

PetscErrorCode PetscDLLibraryRegister_krylearn(void) {
  PetscFunctionBeginUser;
  PetscCall(KrylearnInitialize());
  PetscFunctionReturn(0);
}
