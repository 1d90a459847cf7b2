/* A plain PETSc program that knows nothing of Krylearn: shows that `-dll_append libkrylearn.so` brings the library in.
   With PRETEND_VERSION it claims to be another PETSc, which the library must refuse. */
#include <petscksp.h>

#ifdef PRETEND_VERSION
/* Interposes PETSc's own function, as another release of libpetsc would. */
PetscErrorCode PetscGetVersionNumber(PetscInt *major, PetscInt *minor, PetscInt *subminor, PetscInt *release)
{
  *major = 3;
  *minor = PRETEND_VERSION;
  if (subminor) *subminor = 0;
  if (release) *release = 1;
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
