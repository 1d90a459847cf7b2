/* A plain PETSc program that knows nothing of Krylearn: shows that `-dll_append libkrylearn.so` brings the library in.
   With PRETEND_... it interposes functions of PETSc and so claims to be another one, which the library must refuse. */
#include <petscksp.h>

#if defined(PRETEND_VERSION)
PetscErrorCode PetscGetVersionNumber(PetscInt *major, PetscInt *minor, PetscInt *subminor, PetscInt *release)
{
  *major = 3;
  *minor = PRETEND_VERSION;
  if (subminor) *subminor = 0;
  if (release) *release = 1;
  return 0;
}
#elif defined(PRETEND_64BIT)
PetscErrorCode PetscGetVersionNumber(PetscInt *major, PetscInt *minor, PetscInt *subminor, PetscInt *release)
{
  *(PetscInt64 *)major    = PETSC_VERSION_MAJOR;
  *(PetscInt64 *)minor    = PETSC_VERSION_MINOR;
  *(PetscInt64 *)subminor = PETSC_VERSION_SUBMINOR;
  *(PetscInt64 *)release  = 1;
  return 0;
}
#elif defined(PRETEND_COMPLEX)
PetscErrorCode PetscDataTypeFromString(const char *name, PetscDataType *type, PetscBool *found)
{
  (void)name;
  *type  = PETSC_COMPLEX;
  *found = PETSC_TRUE;
  return 0;
}
#endif

int main(int argc, char **argv)
{
  PetscLogEvent event  = -1;
  PetscBool     wanted = PETSC_TRUE;
  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 3;
  PetscCall(PetscLogEventGetId("krylearn_halo", &event));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-expect_krylearn", &wanted, NULL));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, event >= 0 ? "krylearn is loaded\n" : "krylearn is not loaded\n"));
  PetscCall(PetscFinalize());
  return (event >= 0) == (wanted == PETSC_TRUE) ? 0 : 1;
}
