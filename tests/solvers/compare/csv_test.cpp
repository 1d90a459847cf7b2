#include "solvers/compare/csv.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace krylearn;

namespace {

TEST(Csv, ReadsBackWhatItWrites) {
  const Csv written{{"name", "value"}, {{"a,b", "1"}, {"say \"hi\"\nthere", ""}, {"", "x"}}};
  const Csv read = Csv::Parse(written.Text());
  EXPECT_EQ(read.header, written.header);
  EXPECT_EQ(read.rows, written.rows);
}

TEST(Csv, FillsShortRowsAndIgnoresEmptyLinesAndCarriageReturns) {
  const Csv read = Csv::Parse("a,b,c\r\n1,2\r\n\r\n3,4,5");
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.Cell(0, "c"), "");
  EXPECT_DOUBLE_EQ(read.Number(1, "c"), 5);
  EXPECT_TRUE(std::isnan(read.Number(0, "c")));
  EXPECT_TRUE(std::isnan(read.Number(0, "nosuch")));
  EXPECT_TRUE(read.Has({"a", "c"}));
  EXPECT_FALSE(read.Has({"a", "d"}));
}

TEST(Csv, SurvivesTextThatIsNoTable) {
  EXPECT_TRUE(Csv::Parse("").header.empty());
  EXPECT_TRUE(Csv::Parse("\n\n").header.empty());
  EXPECT_EQ(Csv::Parse("\"never closed, 1\n2").header.size(), 1u);
}

TEST(Csv, PrintsNumbersForFilesAndForPeople) {
  EXPECT_EQ(NumberText(0.1), "0.1");
  EXPECT_EQ(NumberText(1234567), "1234567");
  EXPECT_EQ(NumberText(NAN), "");
  EXPECT_EQ(Short(0.012345), "0.0123");
  EXPECT_EQ(Short(4.567), "4.57");
  EXPECT_EQ(Short(9.999), "10.0");
  EXPECT_EQ(Short(99.96), "100");
  EXPECT_EQ(Short(12345), "12345");
  EXPECT_EQ(Short(1.234e-5), "1.23e-05");
  EXPECT_EQ(Short(0), "0");
  EXPECT_EQ(Short(NAN), "-");
}

TEST(Csv, AlignsColumnsByWhatIsPrintedNotByBytes) {
  const Csv table{{"name", "s", "note"}, {{"a", "1 ±2%", "x"}, {"long", "10", "yy"}}};
  EXPECT_EQ(AlignedTable("T", table, {"note"}), "T\nname      s  note\na     1 ±2%  x\nlong     10  yy\n");
}

} // namespace
