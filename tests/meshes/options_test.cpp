#include "meshes/options.h"
#include "tests/mpi_test.h"
#include <cmath>

using namespace krylearn;

namespace {

/// Sets options for one test and takes them back afterwards.
class Options : public testing::Test {
protected:
  void Set(const char *key, const char *value) {
    ASSERT_PETSC_OK(PetscOptionsSetValue(nullptr, key, value));
    keys_.push_back(key);
  }
  void TearDown() override {
    for (const auto &key : keys_) EXPECT_PETSC_OK(PetscOptionsClearValue(nullptr, key.c_str()));
  }
  OptionReader reader_{PETSC_COMM_WORLD, "Test"};

private:
  std::vector<std::string> keys_;
};

TEST_F(Options, ReadsEveryKind) {
  Set("-t_int", "-12");
  Set("-t_real", "2.5e-3");
  Set("-t_bool", nullptr);
  Set("-t_text", "a b");
  Set("-t_name", "two");
  Set("-t_ints", "4, 5,6");
  Set("-t_reals", "1,-2.5");
  PetscInt whole = 0, wholes[4] = {0, 0, 0, 9}, count = 4;
  double real = 0, reals[2] = {0, 0};
  bool yes = false, given = false;
  std::string text, name = "one";
  EXPECT_PETSC_OK(reader_.Int("t_int", "m", &whole));
  EXPECT_PETSC_OK(reader_.Real("t_real", "m", "s", &real, &given));
  EXPECT_PETSC_OK(reader_.Bool("t_bool", "m", &yes));
  EXPECT_PETSC_OK(reader_.String("t_text", "m", &text));
  EXPECT_PETSC_OK(reader_.Choice("t_name", "m", {"one", "two"}, &name));
  EXPECT_PETSC_OK(reader_.Ints("t_ints", "m", wholes, &count));
  EXPECT_EQ(whole, -12);
  EXPECT_EQ(real, 2.5e-3);
  EXPECT_TRUE(given);
  EXPECT_TRUE(yes);
  EXPECT_EQ(text, "a b");
  EXPECT_EQ(name, "two");
  EXPECT_EQ(count, 3);
  EXPECT_EQ(wholes[2], 6);
  EXPECT_EQ(wholes[3], 9);
  count = 2;
  EXPECT_PETSC_OK(reader_.Reals("t_reals", "m", "1", reals, &count));
  EXPECT_EQ(count, 2);
  EXPECT_EQ(reals[1], -2.5);
}

TEST_F(Options, LeavesValuesAloneWhenAbsent) {
  PetscInt whole = 7, wholes[2] = {1, 2}, count = 2;
  double real = 3;
  bool yes = true, given = true;
  EXPECT_PETSC_OK(reader_.Int("absent_int", "m", &whole));
  EXPECT_PETSC_OK(reader_.Real("absent_real", "m", "s", &real, &given));
  EXPECT_PETSC_OK(reader_.Bool("absent_bool", "m", &yes));
  EXPECT_PETSC_OK(reader_.Ints("absent_ints", "m", wholes, &count));
  EXPECT_EQ(whole, 7);
  EXPECT_EQ(real, 3);
  EXPECT_FALSE(given);
  EXPECT_TRUE(yes);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(wholes[1], 2);
}

TEST_F(Options, RefusesGarbageNamingTheKey) {
  Set("-t_real", "abc");
  Set("-t_real2", "1.5x");
  Set("-t_real3", "nan");
  Set("-t_real4", nullptr);
  Set("-t_bool", "maybe");
  double real = 1;
  bool yes = true;
  EXPECT_REFUSED(reader_.Real("t_real", "m", "s", &real), "-t_real: 'abc' is not a number");
  EXPECT_REFUSED(reader_.Real("t_real2", "m", "s", &real), "-t_real2: '1.5x' is not a number");
  EXPECT_REFUSED(reader_.Real("t_real3", "m", "s", &real), "finite");
  EXPECT_REFUSED(reader_.Real("t_real4", "m", "s", &real), "-t_real4 needs a value");
  EXPECT_REFUSED(reader_.Bool("t_bool", "m", &yes), "-t_bool: 'maybe' is neither yes nor no");
  EXPECT_EQ(real, 1);
}

TEST_F(Options, RefusesWholeNumbersInOtherForms) {
  Set("-t_int", "1e3");
  Set("-t_int2", "2.5");
  Set("-t_int3", "99999999999999999999");
  Set("-t_ints", "8,,8");
  Set("-t_ints2", "1,2,3");
  PetscInt whole = 1, wholes[4], count = 4;
  EXPECT_REFUSED(reader_.Int("t_int", "m", &whole), "-t_int: write the whole number 1e3 as 1000");
  EXPECT_REFUSED(reader_.Int("t_int2", "m", &whole), "-t_int2: '2.5' is not a whole number");
  EXPECT_REFUSED(reader_.Int("t_int3", "m", &whole), "too large");
  EXPECT_REFUSED(reader_.Ints("t_ints", "m", wholes, &count), "-t_ints: '' is not a whole number");
  count = 2;
  EXPECT_REFUSED(reader_.Ints("t_ints2", "m", wholes, &count), "at most 2");
}

TEST_F(Options, SuggestsTheNearestChoice) {
  Set("-t_name", "cavty");
  std::string name = "channel";
  EXPECT_REFUSED(reader_.Choice("t_name", "m", {"cavity", "channel"}, &name), "did you mean cavity?");
  EXPECT_EQ(name, "channel");
}

TEST_F(Options, MisspeltKeysAreRefused) {
  PetscInt whole = 0;
  EXPECT_PETSC_OK(reader_.Int("t_horizon", "m", &whole));
  EXPECT_PETSC_OK(RefuseMisspeltOptions(PETSC_COMM_WORLD));
  Set("-t_hroizon", "3");
  EXPECT_REFUSED(RefuseMisspeltOptions(PETSC_COMM_WORLD), "unknown option -t_hroizon; did you mean -t_horizon?");
}

TEST_F(Options, ForeignKeysAreLeftToPetsc) {
  PetscInt whole = 0;
  EXPECT_PETSC_OK(reader_.Int("nu", "m", &whole));
  EXPECT_PETSC_OK(reader_.Int("t_horizon", "m", &whole));
  Set("-mu", "1");
  Set("-ksp_pipelined_something", "1");
  EXPECT_PETSC_OK(RefuseMisspeltOptions(PETSC_COMM_WORLD));
}

TEST_F(Options, FamilyMembersAreRefusedHoweverFarOff) {
  AddOptionFamily("t_family_");
  Set("-t_family_of_something_else", "1");
  EXPECT_REFUSED(RefuseMisspeltOptions(PETSC_COMM_WORLD), "unknown option -t_family_of_something_else");
}

TEST(NearestName, IsNoneWhereNothingIsNear) {
  const std::vector<std::string> names = {"sor", "ilu", "jacobi", "obstacles"};
  EXPECT_EQ(NearestName("jakobi", names), "jacobi");
  EXPECT_EQ(NearestName("osbtaclse", names), "obstacles");
  EXPECT_EQ(NearestName("sr", names), "sor");
  EXPECT_EQ(NearestName("lu", names), "ilu");
  EXPECT_EQ(NearestName("ssr", names), "sor");
  EXPECT_EQ(NearestName("gmg", names), ""); // short words are near to any other
  EXPECT_EQ(NearestName("multigrid", names), "");
}

TEST(EditDistance, CountsSwapsAsOne) {
  EXPECT_EQ(EditDistance("grid", "grid"), 0);
  EXPECT_EQ(EditDistance("gird", "grid"), 1);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

} // namespace
