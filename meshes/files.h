/// \file
/// Files seen by all ranks: rank 0 deals with the file system, and all ranks learn what came of it.
///
/// Functions that return a string return what went wrong, or nothing; they are not collective.
#pragma once
#include "meshes/publish.h"
#include <mpi.h>
#include <petscsys.h>
#include <string>

namespace krylearn {

/// Gives all ranks the text of `root`. Collective.
PetscErrorCode BroadcastText(MPI_Comm comm, int root, std::string *text);
/// Fails on all ranks with `code` and "<what>: <complaint>" if any rank has a complaint (the lowest such rank's is
/// given). Collective.
PetscErrorCode AgreeOnComplaint(MPI_Comm comm, PetscErrorCode code, const std::string &what,
                                const std::string &complaint);

/// Why no file can be written at `path`: no such folder, a folder in its place, no permission, … Leaves nothing behind,
/// and `path` and `path`.part as they are.
std::string WhyNotWritable(const std::string &path);
/// Claims disk space for the first `bytes` of a file, so that a full disk is noticed before ranks write together:
/// MPI-IO may hang when one of them fails. Does nothing on file systems that cannot do it.
std::string ReserveSpace(const std::string &path, unsigned long long bytes);

/// Creates `folder` (and those above it) if needed and checks that files can be written there; PETSC_ERR_FILE_OPEN
/// names folder and reason. Collective.
PetscErrorCode PrepareFolder(MPI_Comm comm, const std::string &folder);
/// Writes a small text file from rank 0, atomically. Collective.
PetscErrorCode WriteTextFile(MPI_Comm comm, const std::string &path, const std::string &text);
/// Reads a small text file on rank 0 for all; an absent file reads as an empty text. Collective.
PetscErrorCode ReadTextFile(MPI_Comm comm, const std::string &path, std::string *text);

} // namespace krylearn
