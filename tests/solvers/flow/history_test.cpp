#include "solvers/flow/history.h"
#include "tests/scratch_folder.h"
#include <fstream>
#include <sstream>

using namespace krylearn;
using namespace krylearn_test;

namespace {

const std::vector<std::string> kColumns = {"time", "energy", "Cd"};
const std::vector<std::vector<double>> kRows = {{0.1, 1.0 / 3, -2e-300}, {0.2, 2.0 / 7, 1e300}, {0.3, M_PI, 5}};

std::string Text(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void Write(const std::string &path) {
  History history;
  ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, path, kColumns, -1));
  for (const auto &row : kRows) ASSERT_PETSC_OK(history.Add(row));
  ASSERT_PETSC_OK(history.Flush());
  MPI_Barrier(PETSC_COMM_WORLD);
}

void ExpectRows(const History &history, std::size_t count) {
  for (std::size_t c = 0; c < kColumns.size(); ++c) {
    ASSERT_EQ(history.Column(kColumns[c]).size(), count);
    for (std::size_t n = 0; n < count; ++n)
      EXPECT_EQ(history.Column(kColumns[c])[n], kRows[n][c]) << "not the same bits";
  }
}

TEST(History, RowsComeBackBitForBitOnAllRanks) {
  ScratchFolder folder;
  Write(folder / "history.csv");
  History history;
  ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, folder / "history.csv", kColumns, 0.3));
  ExpectRows(history, 3);
  EXPECT_TRUE(history.Has("Cd"));
  EXPECT_FALSE(history.Has("Cl"));
}

TEST(History, RowsAfterTheRestartAreDropped) {
  ScratchFolder folder;
  Write(folder / "history.csv");
  History history;
  ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, folder / "history.csv", kColumns, 0.2));
  ExpectRows(history, 2);
  ASSERT_PETSC_OK(history.Add(kRows[2]));
  ExpectRows(history, 3);
}

TEST(History, ARowCutShortByAKillIsComputedAgain) {
  for (int cut = 1; cut < 12; ++cut) {
    ScratchFolder folder;
    const std::string path = folder / "history.csv";
    Write(path);
    const std::string whole = Text(path);
    ASSERT_GT(whole.size(), 40u);
    MPI_Barrier(PETSC_COMM_WORLD);
    // The last row was written after the checkpoint at 0.2, and not completely.
    OnRank0([&] { std::filesystem::resize_file(path, whole.size() - cut); });
    {
      History history;
      ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, path, kColumns, 0.2));
      ExpectRows(history, 2);
      ASSERT_PETSC_OK(history.Add(kRows[2]));
      ASSERT_PETSC_OK(history.Flush());
    }
    MPI_Barrier(PETSC_COMM_WORLD);
    EXPECT_EQ(Text(path), whole);
    MPI_Barrier(PETSC_COMM_WORLD);
  }
}

TEST(History, AForeignFileIsReplacedAndAFreshStartForgetsTheOld) {
  ScratchFolder folder;
  const std::string path = folder / "history.csv";
  Write(path);
  {
    History history;
    ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, path, {"time", "energy"}, 0.3));
    EXPECT_TRUE(history.Column("time").empty()) << "other columns, another run";
  }
  Write(path);
  History history;
  ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, path, kColumns, -1));
  EXPECT_TRUE(history.Column("time").empty());
}

TEST(History, RefusesPlacesThatCannotBeWritten) {
  ScratchFolder folder;
  History history;
  EXPECT_REFUSED(history.Open(PETSC_COMM_WORLD, folder / "missing/history.csv", kColumns, -1), "missing/history.csv");
}

TEST(History, WithoutAFileItIsKeptInMemory) {
  History history;
  ASSERT_PETSC_OK(history.Open(PETSC_COMM_WORLD, "", kColumns, -1));
  for (const auto &row : kRows) ASSERT_PETSC_OK(history.Add(row));
  ExpectRows(history, 3);
  EXPECT_REFUSED(history.Add({1, 2}), "2 numbers for 3 columns");
}

} // namespace
