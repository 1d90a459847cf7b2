#include "solvers/networks.h"
#include <dlfcn.h>
#include <string>

namespace krylearn {
namespace {

/// Where this library lies, with a slash at the end.
std::string OwnFolder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&OpenNetworks), &info) || !info.dli_fname) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.find_last_of('/') + 1);
}

/// Opens the library on this rank; an empty text, or what went wrong.
std::string Open(nets::Library **library) {
  const std::string path = OwnFolder() + "libkrylearn_nn.so";
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    return std::string(reason ? reason : path);
  }
  const auto door = reinterpret_cast<nets::Library *(*)(int)>(dlsym(handle, "krylearn_nets_library"));
  *library = door ? door(nets::kDoorVersion) : nullptr;
  return *library ? "" : path + " is of another build than libkrylearn.so";
}

} // namespace

PetscErrorCode OpenNetworks(MPI_Comm comm, nets::Library **library) {
  static nets::Library *opened = nullptr;
  static std::string failure;
  PetscFunctionBeginUser;
  if (!opened) failure = Open(&opened);
  int mine = opened != nullptr, all;
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm));
  PetscCheck(
      all, comm, PETSC_ERR_SUP,
      "Networks need libkrylearn_nn.so beside libkrylearn.so (%s); install LibTorch (Debian: libtorch-dev) and build "
      "again",
      failure.empty() ? "another rank could not open it" : failure.c_str());
  *library = opened;
  PetscFunctionReturn(0);
}

} // namespace krylearn
