#include "solvers/compare/summary.h"
#include "solvers/compare/tables.h"
#include <gtest/gtest.h>

using namespace krylearn;

namespace {

VisitRow Row(const std::string &name, PetscInt seed, PetscInt repeat, double setup, double solve) {
  VisitRow v;
  v.workload = "box";
  v.grid = "8 x 8";
  v.ranks = 2;
  v.rtol = 1e-8;
  v.configuration = name;
  v.seed = seed;
  v.repeat = repeat;
  v.status = "ok";
  v.steps = 1;
  v.iterations = 10;
  v.setup_seconds = setup;
  v.first_seconds = v.solve_seconds = solve;
  v.true_residual = 1e-9;
  return v;
}

const SummaryRow &Find(const Summary &s, const std::string &name) {
  for (const SummaryRow &r : s.rows)
    if (r.first.configuration == name) return r;
  throw std::runtime_error("no row " + name);
}

TEST(Summary, TakesMediansAndExtremes) {
  const Spread s = SpreadOf({3, 1, NAN, 2, 10});
  EXPECT_DOUBLE_EQ(s.median, 2.5);
  EXPECT_DOUBLE_EQ(s.low, 1);
  EXPECT_DOUBLE_EQ(s.high, 10);
  EXPECT_DOUBLE_EQ(SpreadOf({90, 110, 100}).Relative(), 0.1);
  EXPECT_TRUE(std::isnan(SpreadOf({}).median));
}

TEST(Summary, FormsRatiosRoundByRoundSoThatDriftCancels) {
  // The machine is three times slower in the second round; b takes twice as long as a in both.
  std::vector<VisitRow> visits;
  for (int round = 0; round < 3; ++round) {
    const double slow = round == 1 ? 3 : 1;
    visits.push_back(Row("a", 1, round, 0, slow));
    visits.push_back(Row("b", 1, round, 0, 2 * slow));
  }
  const auto summaries = Summarise(visits);
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].best[kSolveAlone], "a");
  const Spread &ratio = Find(summaries[0], "b").ratio[kSolveAlone];
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 2);
  EXPECT_DOUBLE_EQ(Find(summaries[0], "a").ratio[kSolveAlone].median, 1);
}

TEST(Summary, RanksBySetUpAndOneSolveButComparesEachMeasureWithItsBest) {
  const auto s = Summarise({Row("quick", 1, 0, 0, 2), Row("thorough", 1, 0, 10, 1)})[0];
  EXPECT_EQ(s.rows[0].first.configuration, "quick");
  EXPECT_EQ(s.rows[0].rank, 1);
  EXPECT_EQ(s.best[kWithSetup1], "quick");
  EXPECT_EQ(s.best[kSolveAlone], "thorough");
  EXPECT_EQ(s.best[kWithSetup100], "thorough");
  EXPECT_DOUBLE_EQ(Find(s, "quick").ratio[kSolveAlone].median, 2);
  EXPECT_DOUBLE_EQ(Find(s, "thorough").total[kWithSetup10], 20);
}

TEST(Summary, NeverRanksWhatMissedTheToleranceEvenOnce) {
  std::vector<VisitRow> visits = {Row("honest", 1, 0, 0, 2), Row("honest", 2, 0, 0, 2), Row("cheat", 1, 0, 0, 0.1),
                                  Row("cheat", 2, 0, 0, 0.1)};
  visits[3].status = "missed";
  visits[3].message = "true residual";
  const auto s = Summarise(visits)[0];
  const SummaryRow &cheat = Find(s, "cheat");
  EXPECT_EQ(cheat.rank, 0);
  EXPECT_EQ(cheat.status, "missed");
  EXPECT_NE(cheat.message.find("1 of 2 visits"), std::string::npos);
  EXPECT_TRUE(std::isnan(cheat.ratio[kSolveAlone].median));
  EXPECT_EQ(s.best[kSolveAlone], "honest");
  EXPECT_NE(ResultText(s).find("NOT RANKED"), std::string::npos);
}

TEST(Summary, MeasuresCandidatesAgainstTheBestBaseline) {
  VisitRow mine = Row("mine", 1, 0, 0, 1);
  mine.candidate = true;
  const auto s = Summarise({mine, Row("slow", 1, 0, 0, 8), Row("fast", 1, 0, 0, 4)})[0];
  EXPECT_EQ(s.best[kSolveAlone], "fast");
  EXPECT_EQ(s.rows[0].first.configuration, "mine");
  EXPECT_DOUBLE_EQ(s.rows[0].ratio[kSolveAlone].median, 0.25);
}

TEST(Summary, KeepsWorkloadsGridsAndRanksApartAndShowsScaling) {
  std::vector<VisitRow> visits = {Row("a", 1, 0, 1, 3), Row("a", 1, 0, 1, 1), Row("a", 1, 0, 1, 1)};
  visits[1].ranks = 4;
  visits[2].workload = "walls";
  const auto summaries = Summarise(visits);
  ASSERT_EQ(summaries.size(), 3u);
  const Csv scaling = ScalingTable(summaries);
  ASSERT_EQ(scaling.rows.size(), 2u);
  EXPECT_DOUBLE_EQ(scaling.Number(1, "speedup"), 2);
  EXPECT_DOUBLE_EQ(scaling.Number(1, "efficiency"), 1);
}

TEST(Summary, ReportsFailuresWithoutNumbers) {
  VisitRow failed = Row("broken", 1, 0, NAN, NAN);
  failed.status = "failed";
  failed.message = "Unable to find requested PC type nosuch";
  failed.steps = 0;
  const auto s = Summarise({failed})[0];
  EXPECT_TRUE(s.best[kWithSetup1].empty());
  EXPECT_NE(ResultText(s).find("failed: Unable to find"), std::string::npos);
  EXPECT_NE(ResultText(s).find("No configuration met the tolerance"), std::string::npos);
}

TEST(Records, AreReadBackFromTheirTables) {
  Records written, read;
  written.visits = {Row("a, \"b\"", 3, 1, 0.5, 0.25)};
  written.visits[0].candidate = true;
  written.events = {{"box", "8 x 8", "a", 2, {Phase::kSetup, "PCSetUp", "set-up", 1, 2, 3, 4, 5, 6, 7}}};
  written.history = {{"box", "8 x 8", "a", 2, 3, {7, 0.125, 1e-9}}};
  written.steps = {{"heat", "8 x 8", "a", 2, 1, 5, {9, 0.5, 0.25, 1e-9}}};
  for (const Csv &table : {VisitTable(written.visits), EventTable(written.events), HistoryTable(written.history),
                           StepTable(written.steps)})
{
    bool recognised;
    EXPECT_EQ(ReadRecords(Csv::Parse(table.Text()), &read, &recognised), "");
    EXPECT_TRUE(recognised);
  }
  EXPECT_EQ(VisitTable(read.visits).rows, VisitTable(written.visits).rows);
  EXPECT_EQ(EventTable(read.events).rows, EventTable(written.events).rows);
  EXPECT_EQ(HistoryTable(read.history).rows, HistoryTable(written.history).rows);
  EXPECT_EQ(StepTable(read.steps).rows, StepTable(written.steps).rows);
  bool recognised;
  EXPECT_EQ(ReadRecords(Csv::Parse("a,b\n1,2\n"), &read, &recognised), "");
  EXPECT_FALSE(recognised);
  const std::string text = VisitTable(written.visits).Text();
  EXPECT_NE(ReadRecords(Csv::Parse(text.substr(0, text.size() - 30)), &read, &recognised), "");
  written.visits[0].setup_seconds = NAN;
  EXPECT_NE(ReadRecords(VisitTable(written.visits), &read, &recognised), "");
}

} // namespace
