// What a set-up of PCNMG takes, and what it leaves behind.
#include "tests/solvers/pc/nmg_model.h"

using namespace krylearn_test;

namespace {

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

} // namespace
