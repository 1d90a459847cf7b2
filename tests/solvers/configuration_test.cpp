#include "solvers/configuration.h"
#include "meshes/files.h"
#include "tests/mpi_test.h"
#include "tests/scratch_folder.h"
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

TEST(Configuration, ReadsFilesThatIncludeOthers) {
  krylearn_test::ScratchFolder scratch;
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / "base.cfg", "a: -x\n"));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / "all.cfg", "@base.cfg # the others\n+ b: -y\n"));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / "self.cfg", "@self.cfg\n"));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / "wrong.cfg", "@base.cfg\nb\n"));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, scratch / "empty.cfg", "# nothing\n"));
  std::vector<Configuration> list;
  ASSERT_PETSC_OK(ReadConfigurations(PETSC_COMM_WORLD, scratch / "all.cfg", &list));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_TRUE(list[1].candidate);
  EXPECT_REFUSED(ReadConfigurations(PETSC_COMM_WORLD, scratch / "all.cfg", &list), "two configurations named a");
  list.clear();
  EXPECT_REFUSED(ReadConfigurations(PETSC_COMM_WORLD, scratch / "self.cfg", &list), "includes itself");
  EXPECT_REFUSED(ReadConfigurations(PETSC_COMM_WORLD, scratch / "wrong.cfg", &list), "wrong.cfg, line 2");
  EXPECT_REFUSED(ReadConfigurations(PETSC_COMM_WORLD, scratch / "empty.cfg", &list), "holds no configuration");
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
  EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, list));
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
  EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, list));
  EXPECT_PETSC_OK(MarkOptionsUsed(list[0]));
  PetscBool used;
  EXPECT_PETSC_OK(PetscOptionsUsed(nullptr, "t2_never_read", &used));
  EXPECT_TRUE(used);
  EXPECT_PETSC_OK(PetscOptionsUsed(nullptr, "t20_never_read", &used));
  EXPECT_FALSE(used);
  for (const char *key : {"-t2_never_read", "-t20_never_read"})
    EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

TEST(Configuration, RefusesPrefixesThatReadEachOthersOptions) {
  EXPECT_REFUSED(InsertOptions(PETSC_COMM_WORLD, Parsed("x: -pc_type bjacobi\nx_sub: -pc_type gamg")),
                 "Solvers inside x would read the options of x_sub");
  EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, Parsed("t4: -x\nt4_tuned: -x")));
  EXPECT_REFUSED(InsertOptions(PETSC_COMM_WORLD, Parsed("pc: -pc_type mg")), "look like PETSc's own");
  for (const char *key : {"-t4_x", "-t4_tuned_x"}) EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

TEST(Configuration, TellsWhichOptionsHoldAndWhichNobodyRead) {
  const auto list = Parsed("t3: -pc_typ mg -shift -2.5 -x a");
  EXPECT_PETSC_OK(PetscOptionsSetValue(nullptr, "-t3_x", "b"));
  EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, list));
  PetscReal shift;
  EXPECT_PETSC_OK(PetscOptionsGetReal(nullptr, "t3_", "-shift", &shift, nullptr));
  std::string unread, effective;
  EXPECT_PETSC_OK(UnreadOptions(list[0], &unread));
  EXPECT_NE(unread.find("-pc_typ"), std::string::npos) << unread;
  EXPECT_EQ(unread.find("-shift"), std::string::npos) << unread;
  EXPECT_PETSC_OK(EffectiveOptions(list[0], &effective));
  for (const char *part : {"-pc_typ mg", "-shift -2.5", "-x b"})
    EXPECT_NE(effective.find(part), std::string::npos) << effective;
  for (const char *key : {"-t3_pc_typ", "-t3_shift", "-t3_x"}) EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

TEST(Configuration, LeavesTheOptionsOfLongerNamesToThem) {
  const auto list = Parsed("t5: -a 1\nt5_tuned: -b 2");
  EXPECT_PETSC_OK(InsertOptions(PETSC_COMM_WORLD, list));
  std::string effective, unread;
  EXPECT_PETSC_OK(EffectiveOptions(list[0], &effective));
  EXPECT_EQ(effective, "-a 1");
  EXPECT_PETSC_OK(EffectiveOptions(list[1], &effective));
  EXPECT_EQ(effective, "-b 2");
  EXPECT_PETSC_OK(UnreadOptions(list[0], &unread));
  EXPECT_EQ(unread.find("tuned"), std::string::npos) << unread;
  for (const char *key : {"-t5_a", "-t5_tuned_b"}) EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key));
}

} // namespace
