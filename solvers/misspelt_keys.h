/// \file
/// Misspelt options of the project's own types, found also in programs that know nothing of the project.
#pragma once
#include <petscsys.h>
#include <string>
#include <vector>

namespace krylearn {

/// Refuses (PETSC_ERR_USER_INPUT) an option that nothing has read and that begins with the object's prefix and `family`
/// ("pc_nmg_"), but ends in none of `keys`; names the nearest one. Collective.
PetscErrorCode RefuseMisspeltKeys(PetscObject object, const std::string &family, const std::vector<std::string> &keys);

} // namespace krylearn
