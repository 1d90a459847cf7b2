/// \file
/// Command-line options with units, -help text and spelling checks, on top of PETSc's options database.
#pragma once
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

/// Reads the options of one topic. Each call looks the key up, prints it under -help with its default and unit, and
/// remembers the name, so that misspelt keys can be told from foreign ones. Keys are given without the dash. Values are
/// read strictly – `-cfl abc`, `-grid 1e3,8` and a missing value are refused with PETSC_ERR_USER_INPUT naming the key –
/// and stay untouched when the option is absent. All calls are collective.
///
///     OptionReader options(comm, "Time stepping");
///     PetscCall(options.Real("cfl", "largest Courant number", "1", &cfl));
class OptionReader {
public:
  OptionReader(MPI_Comm comm, const std::string &topic) : comm_(comm), topic_(topic) {}
  PetscErrorCode Int(const char *key, const char *meaning, PetscInt *value);
  /// `unit` "1" means dimensionless.
  PetscErrorCode Real(const char *key, const char *meaning, const char *unit, double *value, bool *given = nullptr);
  /// `-key` alone means yes; else yes/no, true/false, on/off, 1/0.
  PetscErrorCode Bool(const char *key, const char *meaning, bool *value);
  PetscErrorCode String(const char *key, const char *meaning, std::string *value, bool *given = nullptr);
  /// One of `choices`; anything else is refused with the list and the nearest choice.
  PetscErrorCode Choice(const char *key, const char *meaning, const std::vector<std::string> &choices,
                        std::string *value);
  /// Comma-separated numbers; `count` in: room, out: how many were given (0: option absent, values untouched).
  PetscErrorCode Ints(const char *key, const char *meaning, PetscInt *values, PetscInt *count);
  PetscErrorCode Reals(const char *key, const char *meaning, const char *unit, double *values, PetscInt *count);

private:
  PetscErrorCode Announce(const char *key, const char *type, const std::string &fallback, const char *meaning,
                          const char *unit);
  PetscErrorCode Find(const char *key, const char *expected, std::string *text, bool *given);
  MPI_Comm comm_;
  std::string topic_;
  bool header_printed_ = false;
};

/// Adds a family: every option that starts with `prefix` (such as "boundary_") belongs to the project, so that an unused
/// one is an error whatever its distance from a known key.
void AddOptionFamily(const std::string &prefix);

/// Refuses unused options that look like a misspelt key read through OptionReader (edit distance at most 2 and small
/// beside the length, or a member of a family), naming the nearest key. Call once all objects have read their options;
/// what remains unused is left to PETSc's own warning at the end. Collective.
PetscErrorCode RefuseMisspeltOptions(MPI_Comm comm);

/// The words of a text between `separator`s, without blanks around them; empty ones are left out.
std::vector<std::string> SplitList(const std::string &text, char separator);

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (Damerau–Levenshtein distance,
/// each place edited once).
int EditDistance(const std::string &a, const std::string &b);

/// The nearest of `names` to a misspelt `word`, or "" where none is near enough to be worth a suggestion.
std::string NearestName(const std::string &word, const std::vector<std::string> &names);

} // namespace krylearn
