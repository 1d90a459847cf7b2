#include "solvers/misspelt_keys.h"
#include "meshes/options.h"
#include <algorithm>
#include <petsc/private/petscimpl.h>

namespace krylearn {

PetscErrorCode RefuseMisspeltKeys(PetscObject object, const std::string &family, const std::vector<std::string> &keys) {
  PetscFunctionBegin;
  const std::string start = (object->prefix ? object->prefix : "") + family;
  PetscInt count;
  char **names, **values;
  std::string culprit;
  PetscCall(PetscOptionsLeftGet(object->options, &count, &names, &values));
  for (PetscInt i = 0; i < count && culprit.empty(); ++i) {
    const std::string name = names[i];
    if (name.rfind(start, 0) != 0) continue;
    const std::string key = name.substr(start.size());
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) culprit = key;
  }
  PetscCall(PetscOptionsLeftRestore(object->options, &count, &names, &values));
  if (culprit.empty()) PetscFunctionReturn(0);
  const std::string nearest = NearestName(culprit, keys);
  SETERRQ(PetscObjectComm(object), PETSC_ERR_USER_INPUT, "unknown option -%s%s; %s%s%s", start.c_str(),
          culprit.c_str(), nearest.empty() ? "see -help" : ("did you mean -" + start).c_str(), nearest.c_str(),
          nearest.empty() ? "" : "?");
}

} // namespace krylearn
