#include "solvers/compare/merge.h"
#include "meshes/files.h"
#include "solvers/configuration.h"
#include <algorithm>
#include <cmath>
#include <glob.h>
#include <map>
#include <set>
#include <sys/stat.h>
#include <tuple>

namespace krylearn {
namespace {

constexpr std::size_t kEventsShown = 12;

const std::vector<std::string> kLogColumns = {"log",   "ranks",       "stage",     "event",
                                              "count", "seconds",     "seconds_min", "own_share",
                                              "flops", "messages",    "bytes",     "reductions"};

/// The columns of PETSc's log are many; these tell it.
bool IsPetscLog(const Csv &table) {
  return table.Has({"Stage Name", "Event Name", "Rank", "Count", "Time", "Num Messages", "Message Length",
                    "Num Reductions", "FLOP"});
}

bool IsReportTable(const Csv &table) {
  return table.Has({"key", "value"}) || table.Has({"configuration", "rank", "ratio_1"}) ||
         table.Has({"configuration", "efficiency", "speedup"});
}

double Number(const Csv &table, std::size_t row, const char *column) {
  const double value = table.Number(row, column);
  return std::isnan(value) ? 0 : value;
}

/// The logs of several ranks as one row an event. Returns what is wrong, or nothing.
std::string ReadPetscLog(const Csv &table, const std::string &path, LogFile *log) {
  log->name = path;
  // The last column's name is the number of ranks.
  log->ranks = std::atoi(table.header.back().c_str());
  std::map<std::string, std::map<std::string, std::pair<LogRow, int>>> stages;
  std::vector<std::string> order;
  int largest = -1;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::string &stage = table.Cell(i, "Stage Name"), &event = table.Cell(i, "Event Name");
    const double rank = table.Number(i, "Rank"), seconds = table.Number(i, "Time");
    if (stage.empty() || event.empty() || std::isnan(rank) || std::isnan(seconds))
      return "row " + std::to_string(i + 2) + " is damaged";
    largest = std::max(largest, int(rank));
    if (!stages.count(stage)) order.push_back(stage);
    auto &entry = stages[stage][event];
    LogRow &row = entry.first;
    row.stage = stage;
    row.event = event;
    row.count = std::max(row.count, Number(table, i, "Count"));
    row.seconds = std::max(row.seconds, seconds);
    row.seconds_min = entry.second == 0 ? seconds : std::min(row.seconds_min, seconds);
    row.flops += Number(table, i, "FLOP");
    row.messages += Number(table, i, "Num Messages");
    row.bytes += Number(table, i, "Message Length");
    row.reductions = std::max(row.reductions, Number(table, i, "Num Reductions"));
    ++entry.second;
  }
  if (order.empty()) return "it has no rows";
  if (log->ranks < 1) log->ranks = largest + 1;
  if (log->ranks != largest + 1)
    return "it names " + std::to_string(log->ranks) + " ranks but has rows of " + std::to_string(largest + 1);
  for (const auto &stage : stages)
    for (const auto &entry : stage.second)
      if (entry.second.second != log->ranks)
        return "its event " + entry.first + " has rows of " + std::to_string(entry.second.second) + " ranks only";
  for (const std::string &stage : order) {
    std::vector<LogRow> rows;
    for (const auto &entry : stages[stage])
      if (entry.second.first.count > 0 || entry.first == "summary") rows.push_back(entry.second.first);
    std::stable_sort(rows.begin(), rows.end(), [](const LogRow &a, const LogRow &b) {
      if ((a.event == "summary") != (b.event == "summary")) return a.event == "summary";
      return a.seconds > b.seconds;
    });
    if (rows.size() > 1 || rows[0].seconds > 0) log->rows.insert(log->rows.end(), rows.begin(), rows.end());
  }
  return "";
}

/// Rows of a logs.csv of an earlier report.
void ReadLogTable(const Csv &table, std::vector<LogFile> *logs) {
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::string &name = table.Cell(i, "log");
    if (logs->empty() || logs->back().name != name) {
      logs->push_back({name, int(Number(table, i, "ranks")), {}});
    }
    logs->back().rows.push_back({table.Cell(i, "stage"), table.Cell(i, "event"), Number(table, i, "count"),
                                 Number(table, i, "seconds"), Number(table, i, "seconds_min"),
                                 Number(table, i, "flops"), Number(table, i, "messages"), Number(table, i, "bytes"),
                                 Number(table, i, "reductions")});
  }
}

double StageSeconds(const LogFile &log, const std::string &stage) {
  for (const LogRow &row : log.rows)
    if (row.stage == stage && row.event == "summary") return row.seconds;
  return 0;
}

std::vector<std::string> Stages(const LogFile &log) {
  std::vector<std::string> stages;
  for (const LogRow &row : log.rows)
    if (stages.empty() || stages.back() != row.stage) stages.push_back(row.stage);
  return stages;
}

/// Sorted paths that match the patterns; complains of a pattern that none matches.
std::string Expand(const std::string &patterns, std::vector<std::string> *paths) {
  std::string spaced = patterns;
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  for (const std::string &pattern : SplitList(spaced, ' ')) {
    glob_t found{};
    const int code = glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
    for (std::size_t i = 0; code == 0 && i < found.gl_pathc; ++i) paths->push_back(found.gl_pathv[i]);
    globfree(&found);
    if (code) return "no file matches " + pattern;
  }
  std::sort(paths->begin(), paths->end());
  paths->erase(std::unique(paths->begin(), paths->end()), paths->end());
  for (const std::string &path : *paths) {
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return path + " is a folder; give '" + path + "/*.csv'";
  }
  return paths->empty() ? "give the files to merge, such as 'logs/*.csv'" : "";
}

/// Rounds of different runs are never compared with each other.
constexpr PetscInt kRoundsOfARun = 1000000;

/// Makes visits of the n-th run rounds of their own, and a name that stands for other options elsewhere a name of its own.
void KeepRunsApart(std::size_t first, PetscInt run, Records *records) {
  std::map<std::string, std::string> options;
  for (std::size_t i = 0; i < first; ++i) options[records->visits[i].configuration] = records->visits[i].options;
  for (std::size_t i = first; i < records->visits.size(); ++i) {
    VisitRow &v = records->visits[i];
    v.repeat = v.repeat % kRoundsOfARun + run * kRoundsOfARun;
    const auto found = options.find(v.configuration);
    if (found != options.end() && found->second != v.options)
      v.configuration += " (run " + std::to_string(run + 1) + ")";
  }
}

/// Events of the same configuration in several runs become their mean.
void AverageEvents(std::vector<EventRow> *events) {
  using Key = std::tuple<std::string, std::string, std::string, int, int, std::string, std::string>;
  std::map<Key, std::pair<std::size_t, double>> place;
  std::vector<EventRow> means;
  for (const EventRow &e : *events) {
    const Key key{e.workload, e.grid, e.configuration, e.ranks, int(e.cost.phase), e.cost.event, e.cost.category};
    const auto found = place.find(key);
    if (found == place.end()) {
      place[key] = {means.size(), 1};
      means.push_back(e);
      continue;
    }
    const double n = ++found->second.second;
    EventCost &mean = means[found->second.first].cost;
    for (double EventCost::*part : {&EventCost::count, &EventCost::seconds, &EventCost::own_seconds, &EventCost::flops,
                                    &EventCost::messages, &EventCost::bytes, &EventCost::reductions})
      mean.*part += (e.cost.*part - mean.*part) / n;
  }
  *events = means;
}

} // namespace

PetscErrorCode ReadForMerge(MPI_Comm comm, const std::string &pattern, Records *records, std::vector<LogFile> *logs,
                            std::vector<std::string> *sources) {
  PetscFunctionBeginUser;
  // Rank 0 looks at the folder; the list travels as lines.
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::string complaint, list;
  if (rank == 0) {
    std::vector<std::string> paths;
    complaint = Expand(pattern, &paths);
    for (const std::string &path : paths) list += path + "\n";
  }
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, "-merge", complaint));
  PetscCall(BroadcastText(comm, 0, &list));
  PetscInt runs = 0;
  sources->clear();
  for (const std::string &path : SplitList(list, '\n')) {
    sources->push_back(path);
    std::string text;
    PetscCall(ReadTextFile(comm, path, &text));
    const Csv table = Csv::Parse(text);
    LogFile log;
    std::string wrong;
    if (text.empty()) wrong = "it is empty";
    else if (IsPetscLog(table)) {
      wrong = ReadPetscLog(table, path, &log);
      if (wrong.empty()) logs->push_back(log);
    } else if (table.Has(kLogColumns)) {
      ReadLogTable(table, logs);
    } else {
      const std::size_t first = records->visits.size();
      bool recognised;
      wrong = ReadRecords(table, records, &recognised);
      if (records->visits.size() > first) KeepRunsApart(first, runs++, records);
      if (!recognised && !IsReportTable(table))
      wrong = "it is neither a table of a compare report nor a PETSc log (-log_view :FILE:ascii_csv)";
    }
    PetscCheck(wrong.empty(), comm, PETSC_ERR_FILE_UNEXPECTED, "-merge: cannot use %s: %s", path.c_str(),
               wrong.c_str());
  }
  AverageEvents(&records->events);
  PetscCheck(!records->visits.empty() || !logs->empty(), comm, PETSC_ERR_FILE_UNEXPECTED,
             "-merge %s: the files hold neither visits of a comparison nor a PETSc log", pattern.c_str());
  PetscFunctionReturn(0);
}

Csv LogTable(const std::vector<LogFile> &logs) {
  Csv csv{kLogColumns, {}};
  for (const LogFile &log : logs)
    for (const LogRow &row : log.rows) {
      const double stage = StageSeconds(log, row.stage);
      csv.rows.push_back({log.name, std::to_string(log.ranks), row.stage, row.event, NumberText(row.count),
                          NumberText(row.seconds), NumberText(row.seconds_min),
                          NumberText(stage > 0 ? row.seconds / stage : NAN), NumberText(row.flops),
                          NumberText(row.messages), NumberText(row.bytes), NumberText(row.reductions)});
    }
  return csv;
}

std::string LogText(const LogFile &log) {
  std::string text;
  for (const std::string &stage : Stages(log)) {
    Csv table;
    table.header = {"event", "count", "seconds", "of stage", "imbalance", "Gflop/s", "messages", "reductions"};
    const double total = StageSeconds(log, stage);
    for (const LogRow &row : log.rows) {
      if (row.stage != stage || row.event == "summary" || table.rows.size() >= kEventsShown) continue;
      char share[40];
      std::snprintf(share, sizeof share, "%.0f%%", total > 0 ? 100 * row.seconds / total : 0.0);
      table.rows.push_back({row.event, NumberText(row.count), Short(row.seconds), share,
                            row.seconds_min > 0 ? Short(row.seconds / row.seconds_min) : "-",
                            row.seconds > 0 ? Short(row.flops / row.seconds / 1e9) : "-", NumberText(row.messages),
                            NumberText(row.reductions)});
    }
    if (!text.empty()) text += "\n";
    text += AlignedTable(log.name + ", " + std::to_string(log.ranks) + (log.ranks == 1 ? " rank" : " ranks") +
                             ", stage " + stage + ": " + Short(total) +
                             " s (events include those inside them; imbalance: slowest / fastest rank)",
                         table);
  }
  return text;
}

std::string LogScalingText(const std::vector<LogFile> &logs) {
  std::map<int, const LogFile *> by_ranks;
  for (const LogFile &log : logs) by_ranks[log.ranks] = &log;
  if (by_ranks.size() < 2) return "";
  const LogFile &base = *by_ranks.begin()->second;
  Csv table;
  table.header = {"stage, event", "ranks", "count", "seconds", "speed-up", "efficiency"};
  for (const std::string &stage : Stages(base)) {
    std::size_t shown = 0;
    for (const LogRow &row : base.rows) {
      if (row.stage != stage || row.seconds <= 0 || shown++ >= kEventsShown) continue;
      for (const auto &entry : by_ranks)
        for (const LogRow &other : entry.second->rows) {
          if (other.stage != stage || other.event != row.event || other.seconds <= 0) continue;
          const double speedup = row.seconds / other.seconds;
          char efficiency[40];
          std::snprintf(efficiency, sizeof efficiency, "%.0f%%", 100 * speedup * base.ranks / entry.first);
          table.rows.push_back({stage + ", " + (row.event == "summary" ? "all" : row.event),
                                std::to_string(entry.first), NumberText(other.count), Short(other.seconds),
                                Short(speedup), efficiency});
        }
    }
  }
  return AlignedTable("Rank scaling of the logs (where several have the same rank count, the last)", table);
}

} // namespace krylearn
