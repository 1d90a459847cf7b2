/// \file
/// The folders that `fluid -capture FOLDER` writes: one matrix and the right-hand sides that it met.
#pragma once
#include "meshes/grid.h"
#include <string>
#include <vector>

namespace krylearn {

struct CapturedSystems {
  struct System {
    std::string rhs;     ///< file
    double residual = 0; ///< absolute norm of the residual that the simulation asked for
  };
  std::string matrix; ///< file
  std::vector<System> systems;
  bool gridded = false; ///< whether `grid` is known: cells and periodic axes
  GridSpec grid;
  std::string text; ///< of the list, as it is
};

/// Reads the list in `folder`, up to `most` systems (0: all). Folders without one and damaged lists are refused
/// (PETSC_ERR_FILE_OPEN, PETSC_ERR_FILE_UNEXPECTED). Collective.
PetscErrorCode ListCapturedSystems(MPI_Comm comm, const std::string &folder, PetscInt most, CapturedSystems *list);

} // namespace krylearn
