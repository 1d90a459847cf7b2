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

} // namespace krylearn
