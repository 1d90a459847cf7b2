/// \file
/// The door to the library for programs that link it; `-dll_append libkrylearn.so` does the same for those that do not.
#pragma once
#include <petscsys.h>

#define KRYLEARN_EXPORT __attribute__((visibility("default")))

extern "C" {
/// Registers the project's types and log events with PETSc. Call it after PetscInitialize(); calling it again does
/// nothing. Refuses (PETSC_ERR_SUP) to run with another PETSc version than the one it was compiled for, because the
/// private headers that types are built on carry no promise of compatibility. Collective on PETSC_COMM_WORLD.
KRYLEARN_EXPORT PetscErrorCode KrylearnInitialize(void);

/// What PETSc calls after loading the library for `-dll_append`.
KRYLEARN_EXPORT PetscErrorCode PetscDLLibraryRegister_krylearn(void);
}
