#include "solvers/compare/peak_memory.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace krylearn {
namespace {

/// A line such as "VmHWM:  123 kB" of /proc/self/status; -1 where there is none.
double StatusKilobytes(const char *key) {
  std::FILE *file = std::fopen("/proc/self/status", "r");
  if (!file) return -1;
  double value = -1;
  for (char line[256]; std::fgets(line, sizeof line, file);)
    if (!std::strncmp(line, key, std::strlen(key))) value = std::atof(line + std::strlen(key) + 1);
  std::fclose(file);
  return value;
}

} // namespace

PeakMemory::PeakMemory() {
#if defined(__GLIBC__)
  malloc_trim(0); // what earlier work has freed would hide what this one needs
#endif
  std::FILE *file = std::fopen("/proc/self/clear_refs", "w");
  if (!file) return;
  const bool reset = std::fputs("5", file) >= 0;
  if (std::fclose(file) == 0 && reset) before_ = StatusKilobytes("VmRSS");
}

PetscErrorCode PeakMemory::Megabytes(MPI_Comm comm, double *megabytes) const {
  PetscFunctionBeginUser;
  const double peak = before_ < 0 ? -1 : StatusKilobytes("VmHWM");
  double mine[2] = {std::max(0.0, peak - before_) / 1024, peak < 0 ? 1.0 : 0.0};
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, mine, 2, MPI_DOUBLE, MPI_SUM, comm));
  *megabytes = mine[1] > 0 ? 0 : mine[0];
  PetscFunctionReturn(0);
}

} // namespace krylearn
