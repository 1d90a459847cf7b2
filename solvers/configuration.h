/// \file
/// Solver configurations: a name and the PETSc options that make it, from lists that people write.
///
/// One configuration a line, `NAME: -option value …`; `#` starts a comment, and a `+` before the name marks a candidate,
/// which is measured against the others (the baselines) but never serves as the yardstick itself:
///
///     # algebraic multigrid as it comes
///     gamg: -ksp_type cg -pc_type gamg
///     + mine: -ksp_type cg -pc_type shell_of_mine
#pragma once
#include "meshes/options.h"
#include <string>
#include <vector>

namespace krylearn {

struct Configuration {
  std::string name;    ///< letters, digits, `_`, `-`, `.`; unique in a list
  std::string options; ///< as written, without prefix
  bool candidate = false;
  std::string base; ///< what its prefix begins with, or nothing
  /// Prefix of its options in the database: the base, the name, with `_` for what options cannot hold, and `_` behind.
  std::string Prefix() const;
  /// Prefixes of others in its list that begin with its own: `gamg_tuned_` where this is `gamg_`.
  std::vector<std::string> longer;
  /// Whether a key, without its dash, is one of its options.
  bool Owns(const std::string &key) const;
};

/// Adds the configurations in `text`, lines as above, to `list`. Lines without a name or options, names that are taken
/// (also where only the prefixes collide) and options without a dash are refused, naming `origin` and the line
/// (PETSC_ERR_USER_INPUT). Collective.
PetscErrorCode ParseConfigurations(MPI_Comm comm, const std::string &text, const std::string &origin,
                                   std::vector<Configuration> *list, const std::string &base = "");

/// The same for a file, in which a line `@FILE` stands for the configurations of another, beside it. Collective.
PetscErrorCode ReadConfigurations(MPI_Comm comm, const std::string &path, std::vector<Configuration> *list,
                                  const std::string &base = "");

/// Keeps those named in `names` (comma-separated), in their order in the list; unknown names are refused with the
/// nearest one. Collective.
PetscErrorCode SelectConfigurations(MPI_Comm comm, const std::string &names, std::vector<Configuration> *list);

/// Puts the options into the database under the configurations' prefixes; what is there already – from the command line
/// – wins. Names whose inner solvers would read the options of another (x and x_sub) are refused. Collective.
PetscErrorCode InsertOptions(MPI_Comm comm, const std::vector<Configuration> &list);

/// Marks all options of the configuration as used, so that nobody is warned of those that a failed solver never read.
PetscErrorCode MarkOptionsUsed(const Configuration &configuration);

/// Those of its options that nothing has read, "-pc_typ -x", or nothing.
PetscErrorCode UnreadOptions(const Configuration &configuration, std::string *unread);

/// The options that hold for it, command line included, in the order of the database.
PetscErrorCode EffectiveOptions(const Configuration &configuration, std::string *options);

} // namespace krylearn
