/// \file
/// The memory a piece of work needs at its peak, where the system tells it (Linux).
#pragma once
#include <petscsys.h>

namespace krylearn {

/// Measures from its construction on. Linux keeps the peak of the resident memory and lets a process reset it.
class PeakMemory {
public:
  PeakMemory();
  /// Peak above the memory in use at the start, summed over the ranks; 0 where the system does not tell. Collective.
  PetscErrorCode Megabytes(MPI_Comm comm, double *megabytes) const;

private:
  double before_ = -1; ///< kB; negative: unknown
};

} // namespace krylearn
