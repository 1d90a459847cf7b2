#include "meshes/log.h"
#include "solvers/krylearn.h"
#include "solvers/ksp/dcdm.h"
#include "solvers/ksp/tuner.h"
#include "solvers/pc/neural.h"
#include "solvers/pc/nmg.h"
#include "solvers/pc/sorbandit.h"
#include <cstring>

namespace {

/// Types read PETSc's private structures, whose layout depends on the minor release, the scalar type and the size of
/// integers. With -dll_append these calls reach the program's PETSc, whichever it is.
PetscErrorCode RefuseOtherPetsc() {
  // PETSc writes its own PetscInt: 4 or 8 bytes of these 8, and the pattern shows which.
  PetscInt64 major, minor, subminor, release;
  std::memset(&major, 0x5a, sizeof major);
  std::memset(&minor, 0x5a, sizeof minor);
  PetscFunctionBeginUser;
  PetscCall(PetscGetVersionNumber(reinterpret_cast<PetscInt *>(&major), reinterpret_cast<PetscInt *>(&minor),
                                  reinterpret_cast<PetscInt *>(&subminor), reinterpret_cast<PetscInt *>(&release)));
  unsigned char bytes[8];
  std::memcpy(bytes, &major, 8);
  const std::size_t int_size = bytes[7] == 0x5a || bytes[0] == 0x5a ? 4 : 8;
  PetscCheck(int_size == sizeof(PetscInt), PETSC_COMM_SELF, PETSC_ERR_SUP,
             "libkrylearn was compiled for a PETSc with %d-bit integers but this program's has %d; compile libkrylearn "
             "again with the program's PETSc",
             static_cast<int>(8 * sizeof(PetscInt)), static_cast<int>(8 * int_size));
  PetscInt release_major, release_minor;
  std::memcpy(&release_major, &major, sizeof(PetscInt));
  std::memcpy(&release_minor, &minor, sizeof(PetscInt));
  PetscCheck(release_major == PETSC_VERSION_MAJOR && release_minor == PETSC_VERSION_MINOR, PETSC_COMM_SELF,
             PETSC_ERR_SUP,
             "libkrylearn was compiled for PETSc %d.%d but this program runs PETSc %" PetscInt_FMT ".%" PetscInt_FMT
             "; compile libkrylearn again with the program's PETSc",
             PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, release_major, release_minor);
  PetscDataType scalar;
  PetscBool found;
  PetscCall(PetscDataTypeFromString("Scalar", &scalar, &found));
  PetscCheck(!found || scalar == PETSC_DOUBLE, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "libkrylearn needs a PETSc of real double precision, but this program's has %s scalars",
             scalar == PETSC_COMPLEX ? "complex" : "other");
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode KrylearnInitialize(void) {
  PetscFunctionBeginUser;
  PetscCall(RefuseOtherPetsc());
  PetscCall(krylearn::KrylearnRegisterEvents());
  PetscCall(KSPRegister(KSPDCDM, KSPCreate_DCDM));
  PetscCall(KSPRegister(KSPTUNER, KSPCreate_Tuner));
  PetscCall(PCRegister(PCNMG, PCCreate_NMG));
  PetscCall(PCRegister(PCNEURAL, PCCreate_Neural));
  PetscCall(PCRegister(PCSORBANDIT, PCCreate_SORBandit));
  PetscFunctionReturn(0);
}

PetscErrorCode PetscDLLibraryRegister_krylearn(void) {
  PetscFunctionBeginUser;
  PetscCall(KrylearnInitialize());
  PetscFunctionReturn(0);
}
