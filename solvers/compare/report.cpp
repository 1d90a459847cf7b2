#include "solvers/compare/report.h"
#include "meshes/files.h"
#include "solvers/compare/environment.h"
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace krylearn {
namespace {

PetscErrorCode WriteTable(MPI_Comm comm, const std::string &folder, const char *name, const Csv &table) {
  PetscFunctionBeginUser;
  const std::string path = folder + "/" + name;
  if (!table.rows.empty()) {
    PetscCall(WriteTextFile(comm, path, table.Text()));
    PetscFunctionReturn(0);
  }
  // What an earlier comparison left in this folder would look like a part of this one.
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) unlink(path.c_str());
  PetscFunctionReturn(0);
}

/// Beside the program, where the build and the installation put it.
std::string ScriptPath() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return FolderOf(length > 0 ? path.data() : ".") + "/report.py";
}

std::string Quoted(const std::string &text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// Runs a shell command; returns its exit status and what it printed.
int Run(const std::string &command, std::string *output) {
  output->clear();
  std::FILE *pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  if (!pipe) return -1;
  std::array<char, 256> piece;
  while (std::fgets(piece.data(), piece.size(), pipe)) *output += piece.data();
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Draw(const std::string &folder) {
  const std::string script = ScriptPath();
  if (access(script.c_str(), R_OK)) return "no page drawn: " + script + " is missing";
  // The first Python that has matplotlib; else the first that runs, which writes a page without plots.
  std::string chosen, output;
  for (const char *python : {"python3", "/usr/bin/python3"}) {
    if (Run(std::string(python) + " -c 'import sys'", &output) != 0) continue;
    const bool plots = Run(std::string(python) + " -c 'import matplotlib'", &output) == 0;
    if (plots || chosen.empty()) chosen = python;
    if (plots) break;
  }
  if (chosen.empty()) return "no page drawn: it takes Python 3 (Debian packages python3 and python3-matplotlib)";
  if (Run(chosen + " " + Quoted(script) + " " + Quoted(folder), &output) != 0) return "no page drawn: " + output;
  return output;
}

} // namespace

PetscErrorCode WriteReport(MPI_Comm comm, const std::string &folder, const Records &records,
                           const std::vector<LogFile> &logs) {
  PetscFunctionBeginUser;
  const std::vector<Summary> summaries = Summarise(records.visits);
  Csv environment;
  PetscCall(DescribeEnvironment(comm, &environment));
  PetscCall(WriteTable(comm, folder, "visits.csv", VisitTable(records.visits)));
  PetscCall(WriteTable(comm, folder, "summary.csv", SummaryTable(summaries)));
  PetscCall(WriteTable(comm, folder, "events.csv", EventTable(records.events)));
  PetscCall(WriteTable(comm, folder, "history.csv", HistoryTable(records.history)));
  PetscCall(WriteTable(comm, folder, "sequence.csv", StepTable(records.steps)));
  PetscCall(WriteTable(comm, folder, "scaling.csv", ScalingTable(summaries)));
  PetscCall(WriteTable(comm, folder, "logs.csv", LogTable(logs)));
  PetscCall(WriteTable(comm, folder, "environment.csv", environment));
  PetscFunctionReturn(0);
}

PetscErrorCode DrawReport(MPI_Comm comm, const std::string &folder, std::string *notice) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) *notice = Draw(folder);
  PetscCall(BroadcastText(comm, 0, notice));
  while (!notice->empty() && notice->back() == '\n') notice->pop_back();
  PetscFunctionReturn(0);
}

} // namespace krylearn
