#include "solvers/compare/environment.h"
#include "revision.h"
#include <ctime>
#include <dlfcn.h>
#include <fstream>
#include <hdf5.h>
#include <petscmachineinfo.h>
#include <sstream>
#include <unistd.h>

namespace krylearn {
namespace {

/// What follows `key` in the first line of `text` that has it, up to the end of the line.
std::string After(const std::string &text, const std::string &key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const std::size_t start = at + key.size();
  return text.substr(start, text.find('\n', start) - start);
}

/// Compiler flags without the folders that a package was built in.
std::string WithoutPaths(const std::string &flags) {
  std::istringstream words(flags);
  std::string kept;
  for (std::string word; words >> word;)
    if (word.compare(0, 8, "-ffile-p") && word.compare(0, 8, "-fdebug-")) kept += (kept.empty() ? "" : " ") + word;
  return kept;
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, 10, "model name") == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string Memory() {
  const double pages = double(sysconf(_SC_PHYS_PAGES)), size = double(sysconf(_SC_PAGE_SIZE));
  char text[40];
  std::snprintf(text, sizeof text, "%.0f GiB", pages * size / 1073741824);
  return text;
}

std::string Command() {
  int count;
  char **words;
  std::string text;
  if (PetscGetArgs(&count, &words)) return "";
  for (int i = 0; i < count; ++i) {
    std::string word = words[i];
    if (i == 0) word.erase(0, word.rfind('/') + 1);
    const bool plain = !word.empty() && word.find_first_of(" '\"*;&|<>$") == std::string::npos;
    text += (i ? " " : "") + (plain ? word : "'" + word + "'");
  }
  return text;
}

std::string HypreVersion() {
  using Version = int (*)(char **);
  const Version version = reinterpret_cast<Version>(dlsym(RTLD_DEFAULT, "HYPRE_Version"));
  char *text = nullptr;
  if (!version) return "not there";
  if (version(&text) || !text) return "unknown";
  const std::string copy = text;
  std::free(text);
  return copy.substr(0, copy.find('\n'));
}

std::string MpiVersion() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  MPI_Get_library_version(text, &length);
  const std::string all(text, std::size_t(length));
  return all.substr(0, all.find_first_of(",\n"));
}

} // namespace

PetscErrorCode DescribeEnvironment(MPI_Comm comm, Csv *table) {
  PetscFunctionBeginUser;
  int ranks;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  char petsc[256], date[40];
  PetscCall(PetscGetVersion(petsc, sizeof petsc));
  const std::time_t now = std::time(nullptr);
  std::tm utc;
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
  unsigned major, minor, release;
  PetscCheck(H5get_libversion(&major, &minor, &release) >= 0, comm, PETSC_ERR_LIB, "HDF5 does not tell its version");
  const std::string hdf5 = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  table->header = {"key", "value"};
  table->rows = {
      {"program", "Krylearn compare " KRYLEARN_VERSION},
      {"revision", KRYLEARN_REVISION},
      {"date", date},
      {"command", Command()},
      {"processor", Processor()},
      {"cores", std::to_string(cores)},
      {"memory", Memory()},
      {"ranks", std::to_string(ranks)},
      {"Krylearn compiler flags", KRYLEARN_COMPILE_FLAGS},
      {"compiler", "g++-compatible " __VERSION__},
      {"PETSc", petsc},
      {"PETSc compiler and flags", WithoutPaths(After(petsccompilerinfo, "Using C compiler: "))},
      {"hypre", HypreVersion() + "; compiler flags not recorded by the library"},
      {"MPI", MpiVersion() + "; compiler flags not recorded by the library"},
      {"HDF5", hdf5},
  };
  (void)petscmachineinfo;
  (void)petsccompilerflagsinfo;
  (void)petsclinkerinfo;
  PetscFunctionReturn(0);
}

} // namespace krylearn
