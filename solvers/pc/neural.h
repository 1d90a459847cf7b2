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
/// Where the network computes: "cpu", "cuda", or "auto", which is CUDA where LibTorch finds it and the model's
/// architecture can use it. Key -pc_neural_device.
KRYLEARN_EXPORT PetscErrorCode PCNeuralSetDevice(PC pc, const char *device);
/// Threads of LibTorch's operations on every rank, 1 by default: with a rank a core, more are slower. LibTorch has one
/// such setting a process, so the network set up last decides. Key -pc_neural_threads.
KRYLEARN_EXPORT PetscErrorCode PCNeuralSetThreads(PC pc, PetscInt threads);
KRYLEARN_EXPORT PetscErrorCode PCCreate_Neural(PC pc);
}
