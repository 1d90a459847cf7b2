#include "solvers/compare/summary.h"
#include <algorithm>
#include <map>
#include <set>

namespace krylearn {
namespace {

constexpr double kSolves[kMeasures] = {0, 1, 10, 100};

double Value(const VisitRow &v, int measure) {
  return measure == kSolveAlone ? v.solve_seconds : v.Total(kSolves[measure]);
}

using Round = std::pair<PetscInt, PetscInt>;
Round RoundOf(const VisitRow &v) { return {v.seed, v.repeat}; }

/// The visits of one configuration.
using Visits = std::vector<const VisitRow *>;

SummaryRow SummariseOne(const Visits &visits) {
  SummaryRow row;
  row.first = *visits[0];
  row.visits = int(visits.size());
  int bad = 0;
  std::vector<double> iterations, setup, solve, peak, rate, structured;
  for (const VisitRow *v : visits) {
    if (v->status != "ok") {
      ++bad;
      if (row.status == "ok") {
        row.status = v->status;
        row.message = v->message;
      }
    }
    if (row.first.solver.empty()) row.first.solver = v->solver;
    if (!(v->true_residual <= row.true_residual)) row.true_residual = v->true_residual; // NaN too
    if (v->steps == 0) continue;
    iterations.push_back(v->ShownIterations());
    setup.push_back(v->setup_seconds);
    solve.push_back(v->solve_seconds);
    if (v->peak_mb > 0) peak.push_back(v->peak_mb);
    rate.push_back(v->gflop / (v->setup_seconds + v->AllSolves()));
    structured.push_back(v->structured_seconds);
  }
  if (bad && bad < row.visits)
    row.message += " (" + std::to_string(bad) + " of " + std::to_string(row.visits) + " visits)";
  row.iterations = SpreadOf(iterations);
  row.setup = SpreadOf(setup);
  row.solve = SpreadOf(solve);
  row.peak_mb = SpreadOf(peak);
  row.gflops = SpreadOf(rate).median;
  row.structured = SpreadOf(structured).median;
  if (row.first.sequence && row.first.steps < row.first.steps_wanted)
    row.message += " (after " + std::to_string(row.first.steps) + " of " + std::to_string(row.first.steps_wanted) +
                   " systems)";
  for (int m = 0; m < kMeasures; ++m) {
    std::vector<double> totals;
    for (const VisitRow *v : visits) totals.push_back(Value(*v, m));
    if (row.status == "ok") row.total[m] = SpreadOf(totals).median;
  }
  return row;
}

/// Times of each configuration over the geometric mean of all in the same round, and the median of that: what is slow
/// because the machine was does not count.
void FormScores(const std::vector<Visits> &visits, Summary *summary) {
  for (int m = 0; m < kMeasures; ++m) {
    std::map<Round, std::pair<double, int>> logs;
    for (std::size_t i = 0; i < visits.size(); ++i)
      for (const VisitRow *v : visits[i])
        if (summary->rows[i].status == "ok" && Value(*v, m) > 0) {
          auto &sum = logs[RoundOf(*v)];
          sum.first += std::log(Value(*v, m));
          ++sum.second;
        }
    for (std::size_t i = 0; i < visits.size(); ++i) {
      std::vector<double> relative;
      for (const VisitRow *v : visits[i]) {
        const auto &sum = logs[RoundOf(*v)];
        if (sum.second > 0) relative.push_back(Value(*v, m) / std::exp(sum.first / sum.second));
      }
      if (summary->rows[i].status == "ok") summary->rows[i].score[m] = SpreadOf(relative).median;
    }
  }
}

/// Ratios of each configuration to the best baseline, round by round.
void FormRatios(const std::vector<Visits> &visits, Summary *summary) {
  for (int m = 0; m < kMeasures; ++m) {
    const SummaryRow *best = nullptr;
    std::size_t at = 0;
    const auto better = [&](const SummaryRow &row) {
      if (row.status != "ok" || std::isnan(row.score[m])) return false;
      if (!best) return true;
      if (row.first.candidate != best->first.candidate) return !row.first.candidate;
      return row.score[m] < best->score[m];
    };
    for (std::size_t i = 0; i < summary->rows.size(); ++i)
      if (better(summary->rows[i])) {
        best = &summary->rows[i];
        at = i;
      }
    if (!best) continue;
    summary->best[m] = best->first.configuration;
    std::map<Round, double> reference;
    for (const VisitRow *v : visits[at]) reference[RoundOf(*v)] = Value(*v, m);
    for (std::size_t i = 0; i < summary->rows.size(); ++i) {
      std::vector<double> ratios;
      for (const VisitRow *v : visits[i]) {
        const auto found = reference.find(RoundOf(*v));
        if (found != reference.end() && found->second > 0) ratios.push_back(Value(*v, m) / found->second);
      }
      if (summary->rows[i].status == "ok") summary->rows[i].ratio[m] = SpreadOf(ratios);
    }
  }
}

Summary SummariseGroup(const std::vector<const VisitRow *> &group) {
  Summary summary;
  std::vector<std::string> names;
  std::map<std::string, Visits> by_name;
  std::set<PetscInt> seeds;
  std::set<Round> rounds;
  for (const VisitRow *v : group) {
    if (!by_name.count(v->configuration)) names.push_back(v->configuration);
    by_name[v->configuration].push_back(v);
    seeds.insert(v->seed);
    rounds.insert(RoundOf(*v));
  }
  std::vector<Visits> visits;
  for (const std::string &name : names) {
    visits.push_back(by_name[name]);
    summary.rows.push_back(SummariseOne(visits.back()));
  }
  summary.seeds.assign(seeds.begin(), seeds.end());
  summary.repeats = int((rounds.size() + seeds.size() - 1) / seeds.size());
  FormScores(visits, &summary);
  FormRatios(visits, &summary);
  std::stable_sort(summary.rows.begin(), summary.rows.end(), [](const SummaryRow &a, const SummaryRow &b) {
    if ((a.status == "ok") != (b.status == "ok")) return a.status == "ok";
    return a.status == "ok" && a.score[kWithSetup1] < b.score[kWithSetup1];
  });
  int rank = 0;
  for (SummaryRow &row : summary.rows)
    if (row.status == "ok") row.rank = ++rank;
  return summary;
}

std::string WithSpread(const Spread &s) {
  if (std::isnan(s.median)) return "-";
  const double relative = 100 * s.Relative();
  if (s.low == s.high) return Short(s.median);
  char text[60];
  std::snprintf(text, sizeof text, "%s ±%.0f%%", Short(s.median).c_str(), relative);
  return text;
}

std::string RatioText(const Spread &s) {
  if (std::isnan(s.median)) return "-";
  char text[60];
  if (s.low == s.high) std::snprintf(text, sizeof text, "%.2f", s.median);
  else std::snprintf(text, sizeof text, "%.2f [%.2f, %.2f]", s.median, s.low, s.high);
  return text;
}

std::string IterationText(const Spread &s) {
  if (std::isnan(s.median)) return "-";
  char text[60];
  if (s.low == s.high) std::snprintf(text, sizeof text, "%.6g", s.median);
  else std::snprintf(text, sizeof text, "%.6g [%.6g, %.6g]", s.median, s.low, s.high);
  return text;
}

std::string Title(const Summary &s) {
  const VisitRow &key = s.Key();
  std::string text = key.workload + (key.grid.empty() ? "" : " " + key.grid) + ", " + std::to_string(key.ranks) +
                     (key.ranks == 1 ? " rank" : " ranks");
  char number[40];
  std::snprintf(number, sizeof number, "%.3g", key.rtol);
  if (key.rtol > 0) text += std::string(", true relative residual ") + number;
  else text += ", to the residual that the simulation asked for";
  if (!key.sequence) {
    text += s.seeds.size() == 1 ? ", seed" : ", seeds";
    for (const PetscInt seed : s.seeds) text += " " + std::to_string(seed);
  } else {
    text += ", " + std::to_string(key.steps_wanted) + " systems";
  }
  return text + ", " + std::to_string(s.repeats) + (s.repeats == 1 ? " round" : " rounds");
}

} // namespace

Spread SpreadOf(std::vector<double> values) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }), values.end());
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  const double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<Summary> Summarise(const std::vector<VisitRow> &visits) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const VisitRow *>> groups;
  for (const VisitRow &v : visits) {
    const std::string key =
        v.workload + "\n" + v.grid + "\n" + std::to_string(v.ranks) + "\n" + NumberText(v.rtol);
    if (!groups.count(key)) order.push_back(key);
    groups[key].push_back(&v);
  }
  std::vector<Summary> summaries;
  for (const std::string &key : order) summaries.push_back(SummariseGroup(groups[key]));
  return summaries;
}

Csv SummaryTable(const std::vector<Summary> &summaries) {
  Csv csv;
  csv.header = {"workload",      "grid",        "kind",    "unknowns",       "ranks",          "rtol",
                "configuration", "role",        "options", "solver",         "rank",           "status",
                "message",       "visits",      "steps",   "iterations",     "iterations_min", "iterations_max",
                "setup_seconds", "setup_spread", "solve_seconds", "solve_spread", "total_1", "total_10", "total_100"};
  for (const char *measure : {"solve", "1", "10", "100"})
    for (const char *part : {"", "_min", "_max"}) csv.header.push_back(std::string("ratio_") + measure + part);
  for (const char *last : {"true_residual", "structured_seconds", "peak_mb", "gflops"}) csv.header.push_back(last);
  for (const Summary &s : summaries)
    for (const SummaryRow &r : s.rows) {
      const VisitRow &v = r.first;
      std::vector<std::string> row = {v.workload,
                                      v.grid,
                                      v.sequence ? "sequence" : "problem",
                                      NumberText(v.unknowns),
                                      std::to_string(v.ranks),
                                      NumberText(v.rtol),
                                      v.configuration,
                                      v.candidate ? "candidate" : "baseline",
                                      v.options,
                                      v.solver,
                                      r.rank ? std::to_string(r.rank) : "",
                                      r.status,
                                      r.message,
                                      std::to_string(r.visits),
                                      std::to_string(v.steps),
                                      NumberText(r.iterations.median),
                                      NumberText(r.iterations.low),
                                      NumberText(r.iterations.high),
                                      NumberText(r.setup.median),
                                      NumberText(r.setup.Relative()),
                                      NumberText(r.solve.median),
                                      NumberText(r.solve.Relative()),
                                      NumberText(r.total[kWithSetup1]),
                                      NumberText(v.sequence ? NAN : r.total[kWithSetup10]),
                                      NumberText(v.sequence ? NAN : r.total[kWithSetup100])};
      for (int m = 0; m < kMeasures; ++m) {
        const bool shown = !v.sequence || m <= kWithSetup1;
        for (const double value : {r.ratio[m].median, r.ratio[m].low, r.ratio[m].high})
          row.push_back(NumberText(shown ? value : NAN));
      }
      for (const double value : {r.true_residual, r.structured, r.peak_mb.median, r.gflops}) row.push_back(NumberText(value));
      csv.rows.push_back(row);
    }
  return csv;
}

std::string ResultText(const Summary &s) {
  const bool sequence = s.Key().sequence;
  Csv table;
  table.header = {"configuration", "its", "set-up s", "solve s"};
  if (sequence) table.header.insert(table.header.end(), {"total s", "total / best", "solve / best"});
  else table.header.insert(table.header.end(), {"1 solve s", "10 s", "100 s", "1 solve / best", "solve / best"});
  table.header.insert(table.header.end(), {"MB", "residual", "verdict"});
  for (const SummaryRow &r : s.rows) {
    std::vector<std::string> row = {(r.first.candidate ? "+ " : "") + r.first.configuration,
                                    IterationText(r.iterations), WithSpread(r.setup), WithSpread(r.solve),
                                    Short(r.total[kWithSetup1])};
    if (!sequence) {
      row.push_back(Short(r.total[kWithSetup10]));
      row.push_back(Short(r.total[kWithSetup100]));
    }
    row.push_back(RatioText(r.ratio[kWithSetup1]));
    row.push_back(RatioText(r.ratio[kSolveAlone]));
    row.push_back(Short(r.peak_mb.median));
    char residual[40] = "-";
    if (r.first.steps > 0) std::snprintf(residual, sizeof residual, "%.1e", r.true_residual);
    row.push_back(residual);
    std::string verdict = r.rank ? "#" + std::to_string(r.rank) : "NOT RANKED, " + r.status + ":";
    if (r.status == "missed") verdict = "NOT RANKED, misses the tolerance:";
    if (!r.message.empty()) verdict += (r.rank ? ", " : " ") + r.message;
    if (r.structured > 0) verdict += ", second matrix " + Short(r.structured) + " s not counted";
    row.push_back(verdict);
    table.rows.push_back(row);
  }
  std::string text = AlignedTable(Title(s), table, {"verdict"});
  if (!s.best[kWithSetup1].empty()) {
    const bool candidate = std::any_of(s.rows.begin(), s.rows.end(), [&s](const SummaryRow &r) {
      return r.first.candidate && r.first.configuration == s.best[kWithSetup1];
    });
    text += (candidate ? "no baseline is ranked; best of all: " : "best baseline: ") + s.best[kWithSetup1] + " (" + (sequence ? "total" : "set-up + 1 solve");
    if (s.best[kSolveAlone] != s.best[kWithSetup1]) text += "), " + s.best[kSolveAlone] + " (solve alone";
    text += "). ± is half the range, [ ] the range of ratios within a round.\n";
  } else {
    text += "No configuration met the tolerance.\n";
  }
  return text;
}

std::string BreakdownText(const Summary &s, const std::vector<EventRow> &events) {
  const VisitRow &key = s.Key();
  std::map<std::string, std::map<std::string, double>> seconds; // configuration, category
  std::set<std::string> used;
  for (const EventRow &e : events)
    if (e.workload == key.workload && e.grid == key.grid && e.ranks == key.ranks) {
      seconds[e.configuration][e.cost.category] += e.cost.own_seconds;
      if (e.cost.own_seconds > 0) used.insert(e.cost.category);
    }
  if (seconds.empty()) return "";
  Csv table;
  table.header = {"configuration"};
  for (const std::string &category : EventCategories())
    if (used.count(category)) table.header.push_back(category);
  table.header.push_back("Gflop/s");
  for (const SummaryRow &r : s.rows) {
    std::vector<std::string> row = {r.first.configuration};
    for (std::size_t c = 1; c + 1 < table.header.size(); ++c) {
      const auto &mine = seconds[r.first.configuration];
      const auto found = mine.find(table.header[c]);
      row.push_back(found == mine.end() || found->second == 0 ? "-" : Short(found->second));
    }
    row.push_back(Short(r.gflops));
    table.rows.push_back(row);
  }
  return AlignedTable("Seconds a visit, mean over ranks, each event without those inside it (smoother to factor solve: "
                      "within PCApply; preconditioner: the rest of PCApply)",
                      table);
}

Csv ScalingTable(const std::vector<Summary> &summaries) {
  Csv csv;
  csv.header = {"workload",      "grid",          "configuration", "ranks",     "iterations",
                "setup_seconds", "solve_seconds", "speedup",       "efficiency"};
  std::map<std::string, std::map<int, const SummaryRow *>> by_ranks;
  std::vector<std::string> order;
  for (const Summary &s : summaries)
    for (const SummaryRow &r : s.rows) {
      if (r.status != "ok") continue;
      const VisitRow &v = r.first;
      const std::string key = v.workload + "\n" + v.grid + "\n" + NumberText(v.rtol) + "\n" + v.configuration;
      if (!by_ranks.count(key)) order.push_back(key);
      by_ranks[key][v.ranks] = &r;
    }
  for (const std::string &key : order) {
    const auto &rows = by_ranks[key];
    if (rows.size() < 2) continue;
    const SummaryRow &base = *rows.begin()->second;
    for (const auto &entry : rows) {
      const SummaryRow &r = *entry.second;
      const double speedup = base.total[kWithSetup1] / r.total[kWithSetup1];
      csv.rows.push_back({r.first.workload, r.first.grid, r.first.configuration, std::to_string(entry.first),
                          NumberText(r.iterations.median), NumberText(r.setup.median), NumberText(r.solve.median),
                          NumberText(speedup), NumberText(speedup * base.first.ranks / entry.first)});
    }
  }
  return csv;
}

std::string ScalingText(const Csv &scaling) {
  if (scaling.rows.empty()) return "";
  Csv table;
  table.header = {"configuration", "workload", "ranks", "its", "set-up s", "solve s", "speed-up", "efficiency"};
  for (std::size_t i = 0; i < scaling.rows.size(); ++i) {
    char efficiency[40];
    std::snprintf(efficiency, sizeof efficiency, "%.0f%%", 100 * scaling.Number(i, "efficiency"));
    table.rows.push_back({scaling.Cell(i, "configuration"), scaling.Cell(i, "workload") + " " + scaling.Cell(i, "grid"),
                          scaling.Cell(i, "ranks"), scaling.Cell(i, "iterations"),
                          Short(scaling.Number(i, "setup_seconds")), Short(scaling.Number(i, "solve_seconds")),
                          Short(scaling.Number(i, "speedup")), efficiency});
  }
  return AlignedTable("Rank scaling (set-up + one solve)", table, {"workload"});
}

} // namespace krylearn
