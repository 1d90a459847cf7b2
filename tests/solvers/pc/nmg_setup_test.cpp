// What a set-up of PCNMG takes, and what it leaves behind.
#include "tests/solvers/pc/nmg_model.h"
#include <atomic>
#include <cstdlib>
#include <new>
#include <unistd.h>

namespace {
/// Requests for memory through C++ since it was set to zero, and the one that fails.
std::atomic<long> requests{0}, failing{-1};
} // namespace

void *operator new(std::size_t size) {
  void *memory = ++requests == failing ? nullptr : std::malloc(size > 0 ? size : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}
// GCC sees the free() of a replaced operator delete, but not the malloc() of operator new.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

using namespace krylearn_test;

namespace {

/// A set-up in which request number `at` for memory fails on this rank; none for -1.
PetscErrorCode SetUpWithout(long at, KSP ksp) {
  PetscFunctionBeginUser;
  requests = 0;
  failing = at;
  const PetscErrorCode code = KSPSetUp(ksp);
  failing = -1;
  PetscFunctionReturn(code);
}

/// Counts duplicates of a communicator, and of those, that are made and freed.
class Duplicates {
public:
  explicit Duplicates(MPI_Comm comm) : comm_(comm) {
    MPI_Comm_create_keyval(Copy, Delete, &key_, this);
    MPI_Comm_set_attr(comm_, key_, this);
  }
  Duplicates(const Duplicates &) = delete;
  ~Duplicates() {
    MPI_Comm_delete_attr(comm_, key_);
    MPI_Comm_free_keyval(&key_);
  }
  int made = 0, freed = 0;

private:
  static int Copy(MPI_Comm, int, void *self, void *value, void *copy, int *kept) {
    ++static_cast<Duplicates *>(self)->made;
    *static_cast<void **>(copy) = value;
    *kept = 1;
    return MPI_SUCCESS;
  }
  static int Delete(MPI_Comm, int, void *, void *self) {
    ++static_cast<Duplicates *>(self)->freed;
    return MPI_SUCCESS;
  }
  MPI_Comm comm_;
  int key_ = MPI_KEYVAL_INVALID;
};

TEST(NmgSetUp, AllLevelsShareOneCommunicator) {
  for (const Cell &n : {Cell{64, 48, 1}, Cell{16, 16, 16}}) {
    Model m;
    MakeModel(PETSC_COMM_WORLD, Dirichlet(n), &m);
    Duplicates seen(PetscObjectComm((PetscObject)m.dm));
    {
      Solver solver(m.A);
      ASSERT_PETSC_OK(PCNMGSetReplicate(solver.pc, 1));
      solver.Solve(m.b, m.x);
      EXPECT_EQ(seen.made, 1);
      // New values keep it.
      ASSERT_PETSC_OK(MatScale(m.A, 2));
      ASSERT_PETSC_OK(KSPSetOperators(solver.ksp, m.A, m.A));
      solver.Solve(m.b, m.x);
      EXPECT_EQ(seen.made, 1);
      EXPECT_EQ(seen.freed, 0);
    }
    EXPECT_EQ(seen.freed, 1);
  }
}

TEST(NmgSetUp, ThousandsOfSetUpsLeaveNoCommunicatorBehind) {
  // More ranks than processors pass messages slowly.
  const int times = Ranks() <= 2 ? 3000 : 100;
  Model m;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({10, 8, 1}), &m);
  Duplicates seen(PetscObjectComm((PetscObject)m.dm));
  Solver solver(m.A);
  for (int n = 0; n < times; ++n) {
    ASSERT_PETSC_OK(PCReset(solver.pc));
    ASSERT_PETSC_OK(PCSetOperators(solver.pc, m.A, m.A));
    ASSERT_PETSC_OK(PCSetUp(solver.pc));
  }
  EXPECT_EQ(seen.made, times);
  EXPECT_EQ(seen.freed, times - 1);
}

/// Lets requests for memory fail one by one, on one rank at a time.
void ExpectAgreement(const Model &m, const Cell &natural, PetscInt replicate) {
  const auto prepare = [&](const Solver &solver) {
    ASSERT_PETSC_OK(PCNMGSetReplicate(solver.pc, replicate));
    if (natural[0] > 0) { ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, natural[0], natural[1], natural[2])); }
  };
  long mine = 0;
  for (int n = 0; n < 2; ++n) { // the first set-up of all asks for more
    Solver solver(m.A);
    prepare(solver);
    ASSERT_PETSC_OK(SetUpWithout(-1, solver.ksp));
    mine = requests;
  }
  std::vector<long> counts(std::size_t(Ranks()), 0);
  MPI_Allgather(&mine, 1, MPI_LONG, counts.data(), 1, MPI_LONG, PETSC_COMM_WORLD);
  EXPECT_GT(counts[0], 30); // the library does ask this program's operator new
  // More ranks than processors pass messages slowly, so fewer requests are tried there.
  const long step = counts[0] / (Ranks() <= 2 ? 120 : 24) + 1;
  for (long at = 1, round = 0; at <= counts[0]; at += step, ++round) {
    const int rank = int(round % Ranks());
    Solver solver(m.A);
    prepare(solver);
    const PetscErrorCode code = SetUpWithout(rank == Rank() ? at : -1, solver.ksp);
    if (counts[std::size_t(rank)] < at) EXPECT_PETSC_OK(code) << at;
    else EXPECT_REFUSED(code, "Out of memory in the set-up") << "request " << at << " on rank " << rank;
    if (code == 0) continue;
    EXPECT_EQ(int(code), int(PETSC_ERR_MEM));
    // With memory again, the same object works.
    ASSERT_PETSC_OK(SetUpWithout(-1, solver.ksp));
  }
}

/// Floating-point operations of a set-up, of this rank.
double SetUpFlops(MPI_Comm comm, const ModelSpec &spec) {
  Model m;
  MakeModel(comm, spec, &m);
  Solver solver(m.A);
  PetscLogDouble before = 0, after = 0;
  EXPECT_PETSC_OK(PCNMGSetReplicate(solver.pc, 1));
  EXPECT_PETSC_OK(PetscGetFlops(&before));
  EXPECT_PETSC_OK(KSPSetUp(solver.ksp));
  EXPECT_PETSC_OK(PetscGetFlops(&after));
  return after - before;
}

TEST(NmgSetUp, FlopsAreThoseOfTheGridOnAnyNumberOfRanks) {
  for (const Cell &n : {Cell{128, 128, 1}, Cell{32, 32, 32}}) {
    const double alone = SetUpFlops(PETSC_COMM_SELF, Dirichlet(n));
    double all = SetUpFlops(PETSC_COMM_WORLD, Dirichlet(n));
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    // Every rank computes the coarsest levels, which start at larger ones where ranks have less.
    EXPECT_NEAR(all, alone, (Ranks() <= 2 ? 0.02 : 0.25) * alone);
    const double cells = double(n[0] * n[1] * n[2]);
    EXPECT_GT(alone, 100 * cells);
    EXPECT_LT(alone, 2000 * cells);
  }
}

TEST(NmgSetUp, RanksAgreeWhereTheCoarsestLevelIsIndefinite) {
  Model m;
  MakeNaturalModel(Dirichlet({30, 24, 1}), &m, [](PetscInt, Row *entries) { entries->back().second -= 0.1; });
  Solver solver(m.A);
  ASSERT_PETSC_OK(PCNMGSetGrid(solver.pc, 30, 24, 1));
  EXPECT_REFUSED(KSPSetUp(solver.ksp), "The matrix is not positive definite");
  EXPECT_REFUSED(PCApply(solver.pc, m.b, m.x), "The matrix is not positive definite"); // tries again
}

TEST(NmgSetUp, RanksAgreeWhereOneIsOutOfMemory) {
  alarm(100); // should they wait for each other
  Model grid, thin, natural;
  MakeModel(PETSC_COMM_WORLD, Dirichlet({20, 18, 12}), &grid);
  MakeModel(PETSC_COMM_WORLD, Dirichlet({5, 5, 1}), &thin);
  MakeNaturalModel(Dirichlet({30, 24, 1}), &natural);
  ExpectAgreement(grid, {0, 0, 0}, 1);
  ExpectAgreement(grid, {0, 0, 0}, 1000);
  ExpectAgreement(thin, {0, 0, 0}, 32768);
  ExpectAgreement(natural, {30, 24, 1}, 100);
  alarm(0);
}

} // namespace
