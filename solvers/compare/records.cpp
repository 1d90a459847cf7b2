#include "solvers/compare/records.h"
#include <algorithm>

namespace krylearn {
namespace {

const std::vector<std::string> kVisitColumns = {
    "workload",      "grid",          "kind",          "unknowns",           "ranks",   "rtol",
    "seed",          "repeat",        "configuration", "role",               "options", "solver",
    "status",        "message",       "steps",         "steps_wanted", "iterations",         "setup_seconds",
    "first_seconds", "solve_seconds", "true_residual", "structured_seconds", "peak_mb", "gflop"};
const std::vector<std::string> kEventColumns = {"workload",    "grid",  "ranks",    "configuration", "phase",
                                                "event",       "category", "count", "seconds",       "own_seconds",
                                                "flops",       "messages", "bytes", "reductions"};
const std::vector<std::string> kHistoryColumns = {"workload",  "grid",    "ranks",   "seed", "configuration",
                                                  "iteration", "seconds", "residual"};
const std::vector<std::string> kStepColumns = {"workload",      "grid", "ranks",      "repeat",
                                               "configuration", "step", "iterations", "setup_seconds",
                                               "solve_seconds", "true_residual"};

std::string Text(PetscInt64 value) { return std::to_string(value); }

/// Reads the cells of one row by name.
struct Row {
  const Csv &table;
  std::size_t row;
  std::string S(const char *column) const { return table.Cell(row, column); }
  double D(const char *column) const { return table.Number(row, column); }
  PetscInt I(const char *column) const {
    const double value = D(column);
    return std::isnan(value) ? 0 : PetscInt(value);
  }
};

template <class T> void ReadKey(const Row &row, T *t) {
  t->workload = row.S("workload");
  t->grid = row.S("grid");
  t->configuration = row.S("configuration");
  t->ranks = int(row.I("ranks"));
}

VisitRow ReadVisit(const Row &row) {
  VisitRow v;
  ReadKey(row, &v);
  v.sequence = row.S("kind") == "sequence";
  v.unknowns = row.D("unknowns");
  v.rtol = row.D("rtol");
  v.seed = row.I("seed");
  v.repeat = row.I("repeat");
  v.candidate = row.S("role") == "candidate";
  v.options = row.S("options");
  v.solver = row.S("solver");
  v.status = row.S("status");
  v.message = row.S("message");
  v.steps = row.I("steps");
  v.steps_wanted = row.I("steps_wanted");
  v.iterations = row.I("iterations");
  v.setup_seconds = row.D("setup_seconds");
  v.first_seconds = row.D("first_seconds");
  v.solve_seconds = row.D("solve_seconds");
  v.true_residual = row.D("true_residual");
  v.structured_seconds = row.D("structured_seconds");
  v.peak_mb = row.D("peak_mb");
  v.gflop = row.D("gflop");
  return v;
}

EventRow ReadEvent(const Row &row) {
  EventRow e;
  ReadKey(row, &e);
  e.cost = {row.S("phase") == "setup" ? Phase::kSetup : Phase::kSolve,
            row.S("event"),
            row.S("category"),
            row.D("count"),
            row.D("seconds"),
            row.D("own_seconds"),
            row.D("flops"),
            row.D("messages"),
            row.D("bytes"),
            row.D("reductions")};
  return e;
}

} // namespace

Csv VisitTable(const std::vector<VisitRow> &rows) {
  Csv csv{kVisitColumns, {}};
  for (const VisitRow &v : rows)
    csv.rows.push_back({v.workload,
                        v.grid,
                        v.sequence ? "sequence" : "problem",
                        NumberText(v.unknowns),
                        Text(v.ranks),
                        NumberText(v.rtol),
                        Text(v.seed),
                        Text(v.repeat),
                        v.configuration,
                        v.candidate ? "candidate" : "baseline",
                        v.options,
                        v.solver,
                        v.status,
                        v.message,
                        Text(v.steps),
                        Text(v.steps_wanted),
                        Text(v.iterations),
                        NumberText(v.setup_seconds),
                        NumberText(v.first_seconds),
                        NumberText(v.solve_seconds),
                        NumberText(v.true_residual),
                        NumberText(v.structured_seconds),
                        NumberText(v.peak_mb),
                        NumberText(v.gflop)});
  return csv;
}

Csv EventTable(const std::vector<EventRow> &rows) {
  Csv csv{kEventColumns, {}};
  for (const EventRow &e : rows)
    csv.rows.push_back({e.workload, e.grid, Text(e.ranks), e.configuration,
                        e.cost.phase == Phase::kSetup ? "setup" : "solve", e.cost.event, e.cost.category,
                        NumberText(e.cost.count), NumberText(e.cost.seconds), NumberText(e.cost.own_seconds),
                        NumberText(e.cost.flops), NumberText(e.cost.messages), NumberText(e.cost.bytes),
                        NumberText(e.cost.reductions)});
  return csv;
}

Csv HistoryTable(const std::vector<HistoryRow> &rows) {
  Csv csv{kHistoryColumns, {}};
  for (const HistoryRow &h : rows)
    csv.rows.push_back({h.workload, h.grid, Text(h.ranks), Text(h.seed), h.configuration, Text(h.point.iteration),
                        NumberText(h.point.seconds), NumberText(h.point.residual)});
  return csv;
}

Csv StepTable(const std::vector<StepRow> &rows) {
  Csv csv{kStepColumns, {}};
  for (const StepRow &s : rows)
    csv.rows.push_back({s.workload, s.grid, Text(s.ranks), Text(s.repeat), s.configuration, Text(s.step),
                        Text(s.record.iterations), NumberText(s.record.setup_seconds),
                        NumberText(s.record.solve_seconds), NumberText(s.record.true_residual)});
  return csv;
}

std::string ReadRecords(const Csv &table, Records *records, bool *recognised) {
  const bool visits = table.Has(kVisitColumns), events = table.Has(kEventColumns),
             history = table.Has(kHistoryColumns), steps = table.Has(kStepColumns);
  *recognised = visits || events || history || steps;
  if (!*recognised) return "";
  if (table.short_rows > 0) return "it has rows that are cut off";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Row row{table, i};
    bool sound = row.I("ranks") > 0 && !row.S("configuration").empty();
    if (visits) {
      const VisitRow v = ReadVisit(row);
      const bool timed = v.steps > 0 && std::isfinite(v.setup_seconds) && std::isfinite(v.first_seconds) &&
                         std::isfinite(v.solve_seconds);
      sound = sound && (v.status == "ok" ? timed : v.status == "missed" || v.status == "diverged" ||
                                                       v.status == "failed" || v.status == "time_limit");
      records->visits.push_back(v);
    } else if (events) {
      records->events.push_back(ReadEvent(row));
      sound = sound && std::isfinite(records->events.back().cost.own_seconds);
    } else if (history) {
      HistoryRow h;
      ReadKey(row, &h);
      h.seed = row.I("seed");
      h.point = {row.I("iteration"), row.D("seconds"), row.D("residual")};
      records->history.push_back(h);
    } else {
      StepRow s;
      ReadKey(row, &s);
      s.repeat = row.I("repeat");
      s.step = row.I("step");
      s.record = {row.I("iterations"), row.D("setup_seconds"), row.D("solve_seconds"), row.D("true_residual")};
      records->steps.push_back(s);
    }
    if (!sound) return "row " + std::to_string(i + 2) + " is damaged";
  }
  return "";
}

} // namespace krylearn
