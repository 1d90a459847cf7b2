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

/// The files of a report, by name. The environment is filled in when it is written.
std::vector<std::pair<std::string, Csv>> Tables(const Records &records, const std::vector<LogFile> &logs) {
  const std::vector<Summary> summaries = Summarise(records.visits);
  return {{"visits.csv", VisitTable(records.visits)},    {"summary.csv", SummaryTable(summaries)},
          {"events.csv", EventTable(records.events)},    {"history.csv", HistoryTable(records.history)},
          {"sequence.csv", StepTable(records.steps)},    {"scaling.csv", ScalingTable(summaries)},
          {"logs.csv", LogTable(logs)},                  {"environment.csv", Csv{{"key", "value"}, {}}}};
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

PetscErrorCode PrepareReport(MPI_Comm comm, const std::string &folder) {
  PetscFunctionBeginUser;
  PetscCall(PrepareFolder(comm, folder));
  for (const auto &table : Tables(Records(), {})) {
    std::string text;
    const std::string path = folder + "/" + table.first;
    PetscCall(ReadTextFile(comm, path, &text));
    const Csv there = Csv::Parse(text);
    PetscCheck(text.empty() || there.Column(table.second.header[0]) == 0, comm, PETSC_ERR_FILE_UNEXPECTED,
               "-report %s: %s is not a table of a report and would be overwritten; choose another folder",
               folder.c_str(), path.c_str());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WriteReport(MPI_Comm comm, const std::string &folder, const Records &records,
                           const std::vector<LogFile> &logs, const std::vector<std::string> &sources) {
  PetscFunctionBeginUser;
  Csv environment;
  PetscCall(DescribeEnvironment(comm, &environment));
  for (const std::string &source : sources) {
    std::string text;
    PetscCall(ReadTextFile(comm, FolderOf(source) + "/environment.csv", &text));
    const Csv theirs = Csv::Parse(text);
    for (std::size_t i = 0; theirs.Has({"key", "value"}) && i < theirs.rows.size(); ++i)
      environment.rows.push_back({source + ": " + theirs.Cell(i, "key"), theirs.Cell(i, "value")});
  }
  for (const auto &table : Tables(records, logs)) {
    const bool own = table.first == "environment.csv";
    PetscCall(WriteTable(comm, folder, table.first.c_str(), own ? environment : table.second));
  }
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
