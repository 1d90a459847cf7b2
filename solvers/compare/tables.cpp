#include "solvers/compare/tables.h"
#include <algorithm>
#include <map>
#include <set>

namespace krylearn {
namespace {

std::string WithSpread(const Spread &s) {
  if (std::isnan(s.median)) return "-";
  const double relative = 100 * s.Relative();
  if (s.low == s.high) return Short(s.median);
  char text[60];
  std::snprintf(text, sizeof text, "%s ±%.0f%%", Short(s.median).c_str(), relative);
  return text;
}

/// "median [low, high]", or one number where they agree.
std::string WithRange(const Spread &s, const char *format) {
  if (std::isnan(s.median)) return "-";
  const auto number = [format](double value) {
    char text[40];
    std::snprintf(text, sizeof text, format, value);
    return std::string(text);
  };
  if (s.low == s.high) return number(s.median);
  return number(s.median) + " [" + number(s.low) + ", " + number(s.high) + "]";
}

std::string RatioText(const Spread &s) { return WithRange(s, "%.2f"); }
std::string IterationText(const Spread &s) { return WithRange(s, "%.6g"); }

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
