#include "solvers/compare/merge.h"
#include "meshes/files.h"
#include "tests/scratch_folder.h"
#include "tests/mpi_test.h"

using namespace krylearn;

namespace {

const char *kHeader = "Stage Name,Event Name,Rank,Count,Time,Num Messages,Message Length,Num Reductions,FLOP,dof0,e0,";

/// A log as PETSc writes it on two ranks.
std::string TwoRankLog() {
  return std::string(kHeader) + "2\n"
         "Main Stage,summary,0,1,2.0,4.,80.,6.,1e9,0.,-1.\n"
         "Main Stage,MatMult,0,10,0.5,2.,40.,0.,4e8,0.,-1.\n"
         "Main Stage,Unused,0,0,0.,0.,0.,0.,0.,0.,-1.\n"
         "Main Stage,PCApply,0,5,1.0,0.,0.,0.,1e8,0.,-1.\n"
         "Empty,summary,0,1,0.,0.,0.,0.,0.\n"
         "Main Stage,summary,1,1,2.0,4.,80.,6.,1e9,0.,-1.\n"
         "Main Stage,MatMult,1,10,0.75,2.,40.,0.,4e8,0.,-1.\n"
         "Main Stage,Unused,1,0,0.,0.,0.,0.,0.,0.,-1.\n"
         "Main Stage,PCApply,1,5,0.9,0.,0.,0.,1e8,0.,-1.\n"
         "Empty,summary,1,1,0.,0.,0.,0.,0.\n";
}

class MergeTest : public testing::Test {
protected:
  void Write(const std::string &name, const std::string &text) {
    ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / name, text));
  }
  PetscErrorCode Read(const std::string &pattern) {
    records = Records();
    logs.clear();
    return ReadForMerge(PETSC_COMM_WORLD, scratch / pattern, &records, &logs, &sources);
  }
  krylearn_test::ScratchFolder scratch;
  Records records;
  std::vector<LogFile> logs;
  std::vector<std::string> sources;
};

TEST_F(MergeTest, ReadsLogsOfAnyProgramAndReducesThemOverRanks) {
  Write("a.csv", TwoRankLog());
  ASSERT_PETSC_OK(Read("*.csv"));
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_EQ(logs[0].ranks, 2);
  ASSERT_EQ(logs[0].rows.size(), 3u); // neither unused events nor empty stages
  EXPECT_EQ(logs[0].rows[0].event, "summary");
  EXPECT_EQ(logs[0].rows[1].event, "PCApply"); // the costliest first
  const LogRow &mult = logs[0].rows[2];
  EXPECT_DOUBLE_EQ(mult.seconds, 0.75);
  EXPECT_DOUBLE_EQ(mult.seconds_min, 0.5);
  EXPECT_DOUBLE_EQ(mult.flops, 8e8);
  EXPECT_DOUBLE_EQ(mult.messages, 4);
  const std::string text = LogText(logs[0]);
  EXPECT_NE(text.find("stage Main Stage: 2.00 s"), std::string::npos) << text;
  EXPECT_NE(text.find("PCApply"), std::string::npos) << text;
  EXPECT_EQ(LogScalingText(logs), "");
}

TEST_F(MergeTest, ShowsSpeedUpWhereLogsHaveDifferentRanks) {
  Write("two.csv", TwoRankLog());
  Write("one.csv", std::string(kHeader) + "1\nMain Stage,summary,0,1,3.0,0.,0.,0.,1e9\nMain Stage,MatMult,0,10,1.5,0.,0.,0.,1\n");
  ASSERT_PETSC_OK(Read("*.csv"));
  ASSERT_EQ(logs.size(), 2u);
  const std::string text = LogScalingText(logs);
  EXPECT_NE(text.find("Main Stage, MatMult      2     10    0.750      2.00        100%"), std::string::npos) << text;
  EXPECT_NE(text.find("Main Stage, all          2      1     2.00      1.50         75%"), std::string::npos) << text;
}

TEST_F(MergeTest, ReadsItsOwnTablesBack) {
  Write("a.csv", TwoRankLog());
  ASSERT_PETSC_OK(Read("a.csv"));
  const Csv first = LogTable(logs);
  Write("logs.csv", first.Text());
  ASSERT_PETSC_OK(Read("logs.csv"));
  EXPECT_EQ(LogTable(logs).rows, first.rows);
  VisitRow visit;
  visit.configuration = "a";
  visit.status = "diverged";
  Write("visits.csv", VisitTable({visit}).Text());
  Write("environment.csv", "key,value\nranks,2\n");
  ASSERT_PETSC_OK(Read("[ve]*.csv"));
  EXPECT_EQ(records.visits.size(), 1u);
}

TEST_F(MergeTest, RefusesForeignDamagedAndMissingFiles) {
  EXPECT_REFUSED(Read("*.csv"), "no file matches");
  Write("foreign.csv", "name,age\nx,1\n");
  EXPECT_REFUSED(Read("foreign.csv"), "foreign.csv: it is neither a table of a compare report nor a PETSc log");
  Write("binary.csv", std::string("\0\1\2\3", 4));
  EXPECT_REFUSED(Read("binary.csv"), "binary.csv");
  Write("cut.csv", TwoRankLog().substr(0, 380));
  EXPECT_REFUSED(Read("cut.csv"), "cut.csv");
  Write("short.csv", TwoRankLog().substr(0, TwoRankLog().size() - 34));
  EXPECT_REFUSED(Read("short.csv"), "has rows of 1 ranks only");
  Write("damaged.csv", std::string(kHeader) + "1\nMain Stage,MatMult,zero,1,0.5\n");
  EXPECT_REFUSED(Read("damaged.csv"), "row 2 is damaged");
  Write("environment.csv", "key,value\nranks,2\n");
  EXPECT_REFUSED(Read("environment.csv"), "neither visits of a comparison nor a PETSc log");
  EXPECT_REFUSED(ReadForMerge(PETSC_COMM_WORLD, " ", &records, &logs, &sources), "give the files to merge");
}

TEST_F(MergeTest, NeverComparesRoundsOfDifferentRuns) {
  VisitRow a, b;
  a.configuration = "a";
  b.configuration = "b";
  a.status = b.status = "ok";
  a.options = b.options = "-x";
  a.steps = b.steps = 1;
  a.setup_seconds = b.setup_seconds = 0;
  a.first_seconds = a.solve_seconds = 1;
  b.first_seconds = b.solve_seconds = 2;
  Write("first_visits.csv", VisitTable({a, b}).Text());
  // The second run is ten times slower, and has another solver under the name b.
  a.first_seconds = a.solve_seconds = 10;
  b.first_seconds = b.solve_seconds = 30;
  b.options = "-y";
  Write("second_visits.csv", VisitTable({a, b}).Text());
  ASSERT_PETSC_OK(Read("*_visits.csv"));
  ASSERT_EQ(records.visits.size(), 4u);
  EXPECT_EQ(records.visits[0].repeat, records.visits[1].repeat);
  EXPECT_NE(records.visits[0].repeat, records.visits[2].repeat);
  EXPECT_EQ(records.visits[2].configuration, "a");
  EXPECT_EQ(records.visits[3].configuration, "b (run 2)");
}

TEST_F(MergeTest, AveragesTheEventsOfSeveralRuns) {
  EventRow row;
  row.configuration = "a";
  row.cost.event = "MatMult";
  row.cost.own_seconds = 1;
  Write("one_events.csv", EventTable({row}).Text());
  row.cost.own_seconds = 3;
  Write("two_events.csv", EventTable({row}).Text());
  VisitRow visit;
  visit.configuration = "a";
  visit.status = "diverged";
  Write("visits.csv", VisitTable({visit}).Text());
  ASSERT_PETSC_OK(Read("*.csv"));
  ASSERT_EQ(records.events.size(), 1u);
  EXPECT_DOUBLE_EQ(records.events[0].cost.own_seconds, 2);
}

} // namespace
