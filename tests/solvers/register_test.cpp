#include "meshes/log.h"
#include "solvers/krylearn.h"
#include "tests/mpi_test.h"

TEST(Register, TwiceDoesNothing) {
  const PetscClassId before = krylearn::Log().classid;
  EXPECT_NE(before, 0);
  EXPECT_PETSC_OK(KrylearnInitialize());
  EXPECT_PETSC_OK(PetscDLLibraryRegister_krylearn());
  EXPECT_EQ(krylearn::Log().classid, before);
}

TEST(Register, EventsHaveNames) {
  PetscLogEvent id = -1;
  EXPECT_PETSC_OK(PetscLogEventGetId("krylearn_halo", &id));
  EXPECT_EQ(id, krylearn::Log().halo);
}
