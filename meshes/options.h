/// \file
/// Command-line options with units, -help text and spelling checks, on top of PETSc's options database.
#pragma once
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

/// Reads the options of one topic. Each call looks the key up, prints it under -help with its default and unit, and
/// remembers the name, so that misspelt keys can be told from foreign ones. Keys are given without the dash.
///
///     OptionReader options(comm, "Time stepping");
///     PetscCall(options.Real("cfl", "largest Courant number", "1", &cfl));
class OptionReader {
public:
  OptionReader(MPI_Comm comm, const std::string &topic) : comm_(comm), topic_(topic) {}
  PetscErrorCode Int(const char *key, const char *meaning, PetscInt *value);
  PetscErrorCode Real(const char *key, const char *meaning, const char *unit, double *value, bool *given = nullptr);
  PetscErrorCode Bool(const char *key, const char *meaning, bool *value);
  PetscErrorCode String(const char *key, const char *meaning, std::string *value, bool *given = nullptr);
  /// One of `choices`; anything else is refused with the list.
  PetscErrorCode Choice(const char *key, const char *meaning, const std::vector<std::string> &choices,
                        std::string *value);
  /// Comma-separated numbers; `count` in: room, out: how many were given (0: option absent, values untouched).
  PetscErrorCode Ints(const char *key, const char *meaning, PetscInt *values, PetscInt *count);
  PetscErrorCode Reals(const char *key, const char *meaning, const char *unit, double *values, PetscInt *count);

private:
  PetscErrorCode Announce(const char *key, const char *type, const std::string &fallback, const char *meaning,
                          const char *unit);
  MPI_Comm comm_;
  std::string topic_;
  bool header_printed_ = false;
};

/// Refuses unused options that look like a misspelt key read through OptionReader (edit distance at most 2, or
/// starting with one of the project's families such as "boundary_"), naming the nearest key. Call once all objects have
/// read their options; what remains unused is left to PETSc's own warning at the end. Collective.
PetscErrorCode RefuseMisspeltOptions(MPI_Comm comm);

} // namespace krylearn
