#include "meshes/files.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace krylearn {
namespace {

bool Exists(const std::string &path, bool *folder) {
  struct stat info;
  if (stat(path.c_str(), &info)) return false;
  *folder = S_ISDIR(info.st_mode);
  return true;
}

std::string MakeFolders(const std::string &path) {
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end < path.size() && path[end] != '/') continue;
    const std::string part = path.substr(0, end);
    bool folder = false;
    if (Exists(part, &folder)) {
      if (!folder) return "'" + part + "' is a file, not a folder; remove it or choose another folder";
    } else if (mkdir(part.c_str(), 0777) && errno != EEXIST) {
      return "cannot create folder '" + part + "' (" + std::strerror(errno) + "); choose another folder";
    }
  }
  return "";
}

std::string WriteAtomically(const std::string &path, const std::string &text) {
  const std::string unwritable = WhyNotWritable(path);
  if (!unwritable.empty()) return unwritable;
  const std::string temporary = path + ".part";
  std::FILE *file = std::fopen(temporary.c_str(), "w");
  if (!file) return std::strerror(errno);
  bool failed = std::fwrite(text.data(), 1, text.size(), file) != text.size();
  failed = std::fclose(file) != 0 || failed;
  if (failed) {
    const std::string reason = std::strerror(errno);
    unlink(temporary.c_str());
    return reason + "; is the disk full?";
  }
  return Publish(temporary, path);
}

} // namespace

PetscErrorCode BroadcastText(MPI_Comm comm, int root, std::string *text) {
  PetscFunctionBeginUser;
  int length = static_cast<int>(text->size());
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT, root, comm));
  text->resize(length);
  PetscCallMPI(MPI_Bcast(&(*text)[0], length, MPI_CHAR, root, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode AgreeOnComplaint(MPI_Comm comm, PetscErrorCode code, const std::string &what,
                                const std::string &complaint) {
  PetscFunctionBeginUser;
  int rank, size, first;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  const int mine = complaint.empty() ? size : rank;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) PetscFunctionReturn(0);
  std::string text = complaint;
  PetscCall(BroadcastText(comm, first, &text));
  SETERRQ(comm, code, "%s: %s", what.c_str(), text.c_str());
}

std::string WhyNotWritable(const std::string &path) {
  const std::string folder = FolderOf(path);
  bool is_folder = false;
  if (path.empty() || path.back() == '/') return "the name of the file is missing";
  if (!Exists(folder, &is_folder)) {
    if (errno != ENOENT) return "folder '" + folder + "' cannot be used (" + std::strerror(errno) + ")";
    return "folder '" + folder + "' does not exist; create it or choose another";
  }
  if (!is_folder) return "'" + folder + "' is a file, not a folder";
  if (Exists(path, &is_folder) && is_folder) return "there is a folder of that name";
  // What a folder allows (read-only mounts, quotas) is known for sure only by trying.
  const std::string probe = path + ".probe";
  const int file = open(probe.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0666);
  if (file < 0) return std::string(std::strerror(errno)) + " in folder '" + folder + "'";
  close(file);
  unlink(probe.c_str());
  return "";
}

std::string ReserveSpace(const std::string &path, unsigned long long bytes) {
#ifdef __linux__
  const int file = open(path.c_str(), O_WRONLY);
  if (file < 0) return std::strerror(errno);
  const bool full =
      fallocate(file, 0, 0, static_cast<off_t>(bytes)) != 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
  const std::string reason = full ? std::string(std::strerror(errno)) + "; free some or choose another folder" : "";
  close(file);
  return reason;
#else
  (void)path, (void)bytes;
  return "";
#endif
}

PetscErrorCode PrepareFolder(MPI_Comm comm, const std::string &folder) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::string complaint;
  if (rank == 0) {
    complaint = folder.empty() ? "its name is empty; give a folder" : MakeFolders(folder);
    if (complaint.empty()) complaint = WhyNotWritable(folder + "/.krylearn");
  }
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, "Cannot write to output folder '" + folder + "'", complaint));
  PetscFunctionReturn(0);
}

PetscErrorCode WriteTextFile(MPI_Comm comm, const std::string &path, const std::string &text) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  const std::string complaint = rank == 0 ? WriteAtomically(path, text) : "";
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, "Cannot write '" + path + "'", complaint));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadTextFile(MPI_Comm comm, const std::string &path, std::string *text) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  text->clear();
  if (rank == 0) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream all;
    if (file) all << file.rdbuf();
    *text = all.str();
  }
  PetscCall(BroadcastText(comm, 0, text));
  PetscFunctionReturn(0);
}

} // namespace krylearn
