/// \file
/// PCNEURAL for programs that set it up in code; option keys match. The manual block stands above PCCreate_Neural in
/// neural.cpp.
#pragma once
#include "solvers/krylearn.h"
#include <petscpc.h>

#define PCNEURAL "neural"

extern "C" {
/// The file of the trained model. Key -pc_neural_model.
KRYLEARN_EXPORT PetscErrorCode PCNeuralSetModel(PC pc, const char *path);
/// The grid of a matrix in natural ordering, x fastest; 2D: nz = 1. Key -pc_neural_grid.
KRYLEARN_EXPORT PetscErrorCode PCNeuralSetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz);
KRYLEARN_EXPORT PetscErrorCode PCCreate_Neural(PC pc);
}
