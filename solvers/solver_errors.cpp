#include "solvers/solver_errors.h"
#include <chrono>
#include <dlfcn.h>
#include <thread>

namespace krylearn {

std::string Shortened(std::string text, PetscErrorCode code) {
  if (text.empty()) {
    const char *general = nullptr;
    PetscErrorMessage(code, &general, nullptr);
    text = general ? general : "error " + std::to_string(code);
  }
  text = text.substr(0, text.find('\n'));
  if (text.size() > 160) text = text.substr(0, 157) + "...";
  return text;
}

void ForgetHypreErrors() {
  using Clear = int (*)();
  static const Clear clear = reinterpret_cast<Clear>(dlsym(RTLD_DEFAULT, "HYPRE_ClearAllErrors"));
  if (clear) clear();
}

PetscErrorCode AnyRankFailed(MPI_Comm comm, const std::string &configuration, const std::string &message, bool failed,
                             bool *any) {
  PetscFunctionBeginUser;
  int mine = failed, all = 0, done = 0;
  MPI_Request request;
  PetscCallMPI(MPI_Iallreduce(&mine, &all, 1, MPI_INT, MPI_MAX, comm, &request));
  const auto start = std::chrono::steady_clock::now();
  while (failed && !done) {
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) break;
    // The communicator of one rank makes the program treat this as an error that only this rank has met.
    PetscCheck(std::chrono::steady_clock::now() - start < std::chrono::seconds(60), PETSC_COMM_SELF,
               PETSC_ERR_CONV_FAILED, "configuration %s failed on some ranks only, and the others wait: %s. Leave it out",
               configuration.c_str(), message.c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!done) PetscCallMPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
  *any = all != 0;
  PetscFunctionReturn(0);
}

} // namespace krylearn
