/// \file
/// What every program of the project shares: starting up, failing with one clear line, shutting down.
#pragma once
#include <petscsys.h>
#include <vector>

namespace krylearn {

/// Runs `body` inside PETSc and returns the exit status for main(): 0, 2 for bad input (PETSC_ERR_USER_INPUT,
/// PETSC_ERR_ARG_UNKNOWN_TYPE, and PETSC_ERR_ARG_OUTOFRANGE of this project and of PETSc's solvers), 1 for other
/// failures.
///
///     int main(int argc, char **argv) { return krylearn::RunApp(argc, argv, help, Body); }
///
/// A failure prints one line on stderr, `NAME: error: MESSAGE`, where NAME is the program's; PETSc's call stack follows
/// only with `-krylearn_traceback`. C++ exceptions count as failures. Where a failure is not collective – some ranks
/// have not noticed within a few seconds – the rank that has prints its line and aborts the job, so nothing hangs.
/// Signals (segmentation faults and the like) stay with PETSc's own handler.
///
/// `-help` (also -h, --help) prints `help` and then whatever OptionReader announces; `body` should read its options,
/// ask HelpWanted() and return. `-help petsc` prints PETSc's own options too.
///
/// `own`: options of this program, such as "-info", by which PETSc means something else when it starts or ends. On the
/// command line they belong to the program alone.
int RunApp(int argc, char **argv, const char *help, PetscErrorCode (*body)(MPI_Comm),
           const std::vector<const char *> &own = {});

/// True when the user asked for -help: the program lists its options and stops.
bool HelpWanted();

} // namespace krylearn
