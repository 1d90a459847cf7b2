#include "solvers/flow/cases.h"
#include "meshes/options.h"

namespace krylearn {

const std::vector<FlowCase> &FlowCases() {
  static const std::vector<FlowCase> cases = {kCavity,        kChannel,    kCylinder,     kTaylorGreen2D,
                                              kTaylorGreen3D, kSmokePlume, kSmokeObstacle};
  return cases;
}

PetscErrorCode FindFlowCase(MPI_Comm comm, const std::string &name, const FlowCase **found) {
  PetscFunctionBeginUser;
  *found = nullptr;
  std::vector<std::string> names;
  std::string list;
  for (const FlowCase &c : FlowCases()) {
    if (name == c.name) *found = &c;
    names.push_back(c.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  const std::string nearest = NearestName(name, names);
  PetscCheck(*found, comm, PETSC_ERR_USER_INPUT, "Unknown case \"%s\"%s%s%s; the cases are %s", name.c_str(),
             nearest.empty() ? "" : " (did you mean ", nearest.c_str(), nearest.empty() ? "" : "?)", list.c_str());
  PetscFunctionReturn(0);
}

} // namespace krylearn
