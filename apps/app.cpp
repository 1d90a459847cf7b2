#include "apps/app.h"
#include "solvers/krylearn.h"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace krylearn {
namespace {

/// The first error raised on this rank since the last success.
struct Failure {
  PetscErrorCode code = 0;
  std::string message, function;
  bool own = false;   ///< raised on PETSC_COMM_SELF: other ranks may know nothing of it
  bool users = false; ///< raised where values of options arrive: by this project, or a KSP or PC of PETSc
} failure;

bool traceback = false;

/// Keeps the message where PETSc's default handler would print a call stack from every rank.
PetscErrorCode KeepMessage(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code,
                           PetscErrorType type, const char *message, void *) {
  if (type == PETSC_ERROR_INITIAL) {
    int size = 1;
    if (comm != MPI_COMM_NULL) MPI_Comm_size(comm, &size);
    const std::string place = function ? function : "";
    const bool solver = place.rfind("KSP", 0) == 0 || place.rfind("PC", 0) == 0;
    const bool ours = file && (std::strstr(file, "solvers/") || std::strstr(file, "meshes/"));
    failure = {code, message ? message : "", place, size == 1, ours || solver};
  }
  if (traceback || code == PETSC_ERR_SIG)
    return PetscTraceBackErrorHandler(comm, line, function, file, code, type, message, nullptr);
  return code;
}

/// PETSc's own handler prints and aborts, for which it allocates memory; with a broken heap that may hang, so an alarm
/// ends the process after a while.
PetscErrorCode OnSignal(int signal, void *context) {
  std::signal(SIGALRM, SIG_DFL);
  alarm(10);
  return PetscSignalHandlerDefault(signal, context);
}

PetscErrorCode Fail(PetscErrorCode code, const std::string &message) {
  failure = {code, message, "", true, true};
  return code;
}

/// Runs `body` and turns exceptions into error codes.
PetscErrorCode Guarded(PetscErrorCode (*body)(MPI_Comm)) {
  try {
    const PetscErrorCode code = KrylearnInitialize();
    return code ? code : body(PETSC_COMM_WORLD);
  } catch (const std::bad_alloc &) {
    return Fail(PETSC_ERR_MEM, "out of memory; use a smaller grid or more nodes");
  } catch (const std::exception &e) {
    return Fail(PETSC_ERR_LIB, std::string("unexpected exception: ") + e.what());
  } catch (...) { return Fail(PETSC_ERR_LIB, "unexpected exception of unknown type"); }
}

/// Setters refuse values of options with PETSC_ERR_ARG_OUTOFRANGE; but matrices and vectors mean an index by it, which
/// is nobody's option.
bool IsBadInput(PetscErrorCode code) {
  return code == PETSC_ERR_USER_INPUT || code == PETSC_ERR_ARG_UNKNOWN_TYPE ||
         (code == PETSC_ERR_ARG_OUTOFRANGE && failure.users);
}

int ExitStatus(PetscErrorCode code) { return code == 0 ? 0 : IsBadInput(code) ? 2 : 1; }

std::string OneLine(const std::string &name, PetscErrorCode code, bool show_rank) {
  std::string text = failure.message;
  if (text.empty()) {
    const char *general = nullptr;
    if (PetscErrorMessage(code, &general, nullptr) == 0 && general) text = general;
    if (text.empty()) text = "error code " + std::to_string(code);
  }
  // The user's own mistakes need no place in the code; others are reported with it.
  const bool users = IsBadInput(code) || code == PETSC_ERR_FILE_OPEN || code == PETSC_ERR_FILE_UNEXPECTED ||
                     code == PETSC_ERR_FILE_WRITE || code == PETSC_ERR_MEM;
  if (!users && !failure.function.empty()) text += " (in " + failure.function + ")";
  if (show_rank) {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    text += " [rank " + std::to_string(rank) + "]";
  }
  std::string line = name + ": error: ";
  for (const char c : text) {
    const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!space) line += c;
    else if (line.back() != ' ') line += ' ';
  }
  while (line.back() == ' ') line.pop_back();
  return line + "\n";
}

void Say(const std::string &line) {
  std::fflush(stdout);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

/// Agrees with the other ranks on the outcome, prints the one line and returns the exit status. A failed rank waits a
/// while for the others; when they do not come they are stuck in communication with it, and only aborting ends the job.
int Agree(MPI_Comm comm, const std::string &name, PetscErrorCode code) {
  constexpr auto kPatience = std::chrono::seconds(5);
  int rank, size;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  // Of the ranks that failed, one that met the error by itself knows best what happened; then the lowest.
  const long none = 2L * size;
  const long speaker = code == 0 ? none : (failure.own && size > 1 ? rank : size + rank);
  const long digest = code == 0 ? 0 : static_cast<long>(std::hash<std::string>()(failure.message) >> 1);
  const long mine[3] = {speaker, digest, -digest};
  long all[3];
  MPI_Request request;
  MPI_Iallreduce(mine, all, 3, MPI_LONG, MPI_MIN, comm, &request);
  const auto start = std::chrono::steady_clock::now();
  for (int done = 0;;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done) break;
    if (code && std::chrono::steady_clock::now() - start > kPatience) {
      Say(OneLine(name, code, true));
      MPI_Abort(MPI_COMM_WORLD, ExitStatus(code));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (all[0] == none) return 0;
  const bool same_everywhere = all[1] == -all[2];
  if (speaker == all[0]) Say(OneLine(name, code, !same_everywhere && speaker < size));
  // All ranks exit with the status of the one that speaks.
  int status = ExitStatus(code);
  MPI_Bcast(&status, 1, MPI_INT, static_cast<int>(all[0] % size), comm);
  return status;
}

/// Takes -help out of the arguments, unless PETSc's own list is wanted too.
bool TakeHelp(std::vector<char *> *arguments) {
  bool wanted = false;
  for (std::size_t i = 1; i < arguments->size(); ++i) {
    const char *word = (*arguments)[i];
    if (std::strcmp(word, "-help") && std::strcmp(word, "-h") && std::strcmp(word, "--help")) continue;
    wanted = true;
    const bool petsc = i + 1 < arguments->size() && !std::strcmp((*arguments)[i + 1], "petsc");
    const auto place = arguments->begin() + static_cast<std::ptrdiff_t>(petsc ? i + 1 : i);
    arguments->erase(place);
    if (!petsc) --i;
  }
  return wanted;
}

bool help_wanted = false;

/// An option with its value, or a null pointer where none follows.
using Pair = std::pair<const char *, const char *>;

/// Takes the options `own` out of the arguments.
std::vector<Pair> TakeOwn(const std::vector<const char *> &own, std::vector<char *> *arguments) {
  std::vector<Pair> taken;
  for (std::size_t i = 1; i < arguments->size();) {
    const char *word = (*arguments)[i];
    const auto is_word = [&](const char *name) { return !std::strcmp(name, word); };
    if (std::none_of(own.begin(), own.end(), is_word)) {
      ++i;
      continue;
    }
    const bool valued = i + 1 < arguments->size() && (*arguments)[i + 1][0] != '-';
    taken.push_back({word, valued ? (*arguments)[i + 1] : nullptr});
    const auto place = arguments->begin() + static_cast<std::ptrdiff_t>(i);
    arguments->erase(place, place + (valued ? 2 : 1));
  }
  return taken;
}

/// Options that nothing has asked for, one line each; PETSc itself warns in its debug builds only.
PetscErrorCode WarnOfUnusedOptions(const std::string &name, int rank) {
  PetscFunctionBeginUser;
  PetscBool asked;
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-options_left", &asked));
  if (asked || rank != 0) PetscFunctionReturn(0);
  PetscInt count;
  char **names, **values;
  PetscCall(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  for (PetscInt i = 0; i < count; ++i)
    Say(name + ": warning: option -" + names[i] + (values[i] ? std::string(" ") + values[i] : "") +
        " was not used by anything\n");
  PetscCall(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  PetscFunctionReturn(0);
}

} // namespace

bool HelpWanted() { return help_wanted; }

int RunApp(int argc, char **argv, const char *help, PetscErrorCode (*body)(MPI_Comm),
           const std::vector<const char *> &own) {
  std::string name = argc > 0 ? argv[0] : "krylearn";
  name.erase(0, name.rfind('/') + 1);
  std::vector<char *> arguments(argv, argv + argc);
  help_wanted = TakeHelp(&arguments);
  const std::vector<Pair> taken = TakeOwn(own, &arguments);
  for (int i = 1; i < argc; ++i) traceback |= !std::strcmp(argv[i], "-krylearn_traceback");

  // MPI before PETSc, so that even a failure of PetscInitialize() can be agreed on and printed once.
  int provided;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
  int count = static_cast<int>(arguments.size()), rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm comm; // of its own, so that agreeing on a failure cannot meet a collective call of a rank still at work
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  arguments.push_back(nullptr);
  char **words = arguments.data();
  PetscErrorCode code = PetscPushErrorHandler(KeepMessage, nullptr);
  if (!code) code = PetscInitialize(&count, &words, nullptr, nullptr);
  if (!code) {
    PetscBool silent = PETSC_FALSE;
    code = PetscOptionsHasName(nullptr, nullptr, "-no_signal_handler", &silent);
    if (!code && !silent) code = PetscPushSignalHandler(OnSignal, nullptr);
    std::signal(SIGPIPE, SIG_DFL); // `fluid … | head` ends quietly, not in PETSc's handler
    if (!code) code = PetscOptionsHasName(nullptr, nullptr, "-krylearn_traceback", nullptr);
    for (const Pair &option : taken)
      if (!code) code = PetscOptionsSetValue(nullptr, option.first, option.second);
    if (help_wanted && !code) {
      if (rank == 0) std::fputs(help, stdout);
      code = PetscOptionsSetValue(nullptr, "-help", nullptr);
    }
  }
  if (!code) code = Guarded(body);
  if (!code) code = help_wanted ? PetscOptionsClearValue(nullptr, "-help") : WarnOfUnusedOptions(name, rank);
  for (const char *option : own)
    if (!code) code = PetscOptionsClearValue(nullptr, option); // PetscFinalize() looks once more
  int status = Agree(comm, name, code);
  // After a failure objects are left half-built, and PetscFinalize() would trip over them.
  if (!status) status = Agree(comm, name, PetscFinalize());
  std::fflush(stdout);
  MPI_Comm_free(&comm);
  MPI_Finalize();
  return status;
}

} // namespace krylearn
