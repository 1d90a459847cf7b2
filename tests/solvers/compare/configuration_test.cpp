#include "solvers/compare/configuration.h"
#include "tests/mpi_test.h"
#include <petscoptions.h>

using namespace krylearn;

namespace {

std::vector<Configuration> Parsed(const std::string &text) {
  std::vector<Configuration> list;
  EXPECT_PETSC_OK(ParseConfigurations(PETSC_COMM_WORLD, text, "list.cfg", &list));
  return list;
}

PetscErrorCode Parse(const std::string &text) {
  std::vector<Configuration> list;
  return ParseConfigurations(PETSC_COMM_WORLD, text, "list.cfg", &list);
}

TEST(Configuration, ReadsNamesOptionsCommentsAndCandidates) {
  const auto list = Parsed("# a comment\n\n gamg:  -pc_type gamg   # tuned\n+ my-own.1: -pc_type file#1 -x\r\n");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "gamg");
  EXPECT_EQ(list[0].options, "-pc_type gamg");
  EXPECT_FALSE(list[0].candidate);
  EXPECT_EQ(list[1].name, "my-own.1");
  EXPECT_EQ(list[1].options, "-pc_type file#1 -x");
  EXPECT_TRUE(list[1].candidate);
  EXPECT_EQ(list[1].Prefix(), "my_own_1_");
}

TEST(Configuration, RefusesWhatIsNoConfigurationWithItsLine) {
  EXPECT_REFUSED(Parse("a: -pc_type mg\n-pc_type gamg"), "list.cfg, line 2: expected 'NAME:");
  EXPECT_REFUSED(Parse("gamg"), "expected 'NAME:");
  EXPECT_REFUSED(Parse(": -pc_type mg"), "without a name");
  EXPECT_REFUSED(Parse("a:"), "a has no options");
  EXPECT_REFUSED(Parse("a: pc_type mg"), "must start with a dash");
  EXPECT_REFUSED(Parse("a b: -pc_type mg"), "the name 'a b'");
  EXPECT_REFUSED(Parse("a: -x\nb: -y\na: -z"), "line 3: there are two configurations named a");
  EXPECT_REFUSED(Parse("a-b: -x\na_b: -y"), "share the options prefix a_b_");
}

TEST(Configuration, RefusesMissingAndEmptyFiles) {
  std::vector<Configuration> list;
  EXPECT_REFUSED(ReadConfigurations(PETSC_COMM_WORLD, "/nonexistent/list.cfg", &list), "no such file");
}

TEST(Configuration, SelectsByNameInTheOrderOfTheList) {
  auto list = Parsed("a: -x\nb: -y\nc: -z");
  EXPECT_PETSC_OK(SelectConfigurations(PETSC_COMM_WORLD, "c,a", &list));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[1].name, "c");
  list = Parsed("gamg: -x");
  EXPECT_REFUSED(SelectConfigurations(PETSC_COMM_WORLD, "gagm", &list), "did you mean gamg?");
  EXPECT_REFUSED(SelectConfigurations(PETSC_COMM_WORLD, " , ", &list), "-only");
}

TEST(Configuration, PutsOptionsUnderItsPrefixWhereTheCommandLineWins) {
  const auto list = Parsed("t1: -pc_type mg -ksp_rtol 1e-3 -flag -shift -2.5");
  EXPECT_PETSC_OK(PetscOptionsSetValue(nullptr, "-t1_pc_type", "ilu"));
  EXPECT_PETSC_OK(InsertOptions(list[0]));
  char type[40];
  PetscReal rtol = 0, shift = 0;
  PetscBool set, flag;
  EXPECT_PETSC_OK(PetscOptionsGetString(nullptr, "t1_", "-pc_type", type, sizeof type, &set));
  EXPECT_STREQ(type, "ilu");
  EXPECT_PETSC_OK(PetscOptionsGetReal(nullptr, "t1_", "-ksp_rtol", &rtol, &set));
  EXPECT_DOUBLE_EQ(rtol, 1e-3);
  EXPECT_PETSC_OK(PetscOptionsHasName(nullptr, "t1_", "-flag", &flag));
  EXPECT_TRUE(flag);
  EXPECT_PETSC_OK(PetscOptionsGetReal(nullptr, "t1_", "-shift", &shift, &set));
  EXPECT_DOUBLE_EQ(shift, -2.5);
  for (const char *key : {"-t1_pc_type", "-t1_ksp_rtol", "-t1_flag", "-t1_shift"})
    EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

TEST(Configuration, MarksItsOptionsAsUsed) {
  const auto list = Parsed("t2: -never_read 1\nt20: -never_read 1");
  for (const Configuration &c : list) EXPECT_PETSC_OK(InsertOptions(c));
  EXPECT_PETSC_OK(MarkOptionsUsed(list[0]));
  PetscBool used;
  EXPECT_PETSC_OK(PetscOptionsUsed(nullptr, "t2_never_read", &used));
  EXPECT_TRUE(used);
  EXPECT_PETSC_OK(PetscOptionsUsed(nullptr, "t20_never_read", &used));
  EXPECT_FALSE(used);
  for (const char *key : {"-t2_never_read", "-t20_never_read"})
    EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

} // namespace
