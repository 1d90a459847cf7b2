/// \file
/// Errors of solvers, caught so that a comparison or a tuner goes on.
#pragma once
#include <new>
#include <petscsys.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace krylearn {

/// Keeps the first message of an error where PETSc's handler would print it and the program's would end it.
class QuietErrors {
public:
  QuietErrors() { PetscPushErrorHandler(Keep, this); }
  ~QuietErrors() { PetscPopErrorHandler(); }
  std::string message;

private:
  static PetscErrorCode Keep(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type,
                             const char *text, void *context) {
    QuietErrors *self = static_cast<QuietErrors *>(context);
    if (type == PETSC_ERROR_INITIAL && self->message.empty()) self->message = text ? text : "";
    return code;
  }
};

/// Runs `call`, turning exceptions into error codes.
template <class Call> PetscErrorCode Guarded(Call &&call, std::string *message) {
  try {
    return call();
  } catch (const std::bad_alloc &) {
    *message = "out of memory";
    return PETSC_ERR_MEM;
  } catch (const std::exception &e) {
    *message = e.what();
    return PETSC_ERR_LIB;
  }
}

/// Runs `call` at the boundary to PETSc: an exception, the same on all ranks, becomes the error "what: message" of a
/// user's input.
template <class Call> PetscErrorCode RefuseExceptions(MPI_Comm comm, const std::string &what, Call &&call) {
  PetscFunctionBegin;
  try {
    call();
  } catch (const std::exception &e) {
    SETERRQ(comm, PETSC_ERR_USER_INPUT, "%s: %s", what.c_str(), e.what());
  }
  PetscFunctionReturn(0);
}

/// PETSc's log, as it was before a call that may fail: events that an error has left open are closed by Restore(), or
/// the log would count nothing of their kind any more.
class OpenEvents {
public:
  void Note();
  PetscErrorCode Restore() const;

private:
  std::vector<int> depths_; ///< of all events of the present stage; empty where nothing is logged
};

/// One line, and a short one: the message, or PETSc's general one for the code.
std::string Shortened(std::string text, PetscErrorCode code);

/// hypre keeps its last error and returns it from every later call; this clears it.
void ForgetHypreErrors();

/// Whether any rank has failed. A rank that failed alone must not wait for ever for those that communicate inside the
/// solver, so after a while it ends the job, naming the configuration. Collective.
PetscErrorCode AnyRankFailed(MPI_Comm comm, const std::string &configuration, const std::string &message, bool failed,
                             bool *any);

} // namespace krylearn
