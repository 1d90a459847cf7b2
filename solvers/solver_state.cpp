#include "solvers/solver_state.h"

namespace krylearn {
namespace {

using Get = PetscErrorCode (*)(PetscObject, std::string *);
using Set = PetscErrorCode (*)(PetscObject, const std::string &);

/// The KSP or its PC, whichever has a function of this name.
template <class Function>
PetscErrorCode Find(KSP ksp, const char *name, PetscObject *object, Function *function) {
  PC pc;
  PetscFunctionBegin;
  PetscCall(KSPGetPC(ksp, &pc));
  *function = nullptr;
  for (PetscObject candidate : {(PetscObject)ksp, (PetscObject)pc}) {
    if (*function) break;
    void (*found)(void) = nullptr;
    PetscCall(PetscObjectQueryFunction(candidate, name, &found));
    *function = reinterpret_cast<Function>(found);
    *object = candidate;
  }
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode GetLearnt(KSP ksp, std::string *text) {
  PetscObject object = nullptr;
  Get get = nullptr;
  PetscFunctionBegin;
  text->clear();
  PetscCall(Find(ksp, kGetLearnt, &object, &get));
  if (get) PetscCall(get(object, text));
  PetscFunctionReturn(0);
}

PetscErrorCode SetLearnt(KSP ksp, const std::string &text) {
  PetscObject object = nullptr;
  Set set = nullptr;
  PetscFunctionBegin;
  PetscCall(Find(ksp, kSetLearnt, &object, &set));
  if (set) PetscCall(set(object, text));
  PetscFunctionReturn(0);
}

} // namespace krylearn
