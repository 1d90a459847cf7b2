#include "meshes/grid.h"
#include "tests/mpi_test.h"
#include <cmath>
#include <limits>

using namespace krylearn;
using krylearn_test::Ranks;

namespace {

PetscErrorCode Make(const GridSpec &spec) {
  std::shared_ptr<const Grid> grid;
  return Grid::Create(PETSC_COMM_WORLD, spec, &grid);
}

GridSpec Box(PetscInt nx, PetscInt ny, PetscInt nz) {
  GridSpec spec;
  spec.cells = {nx, ny, nz};
  return spec;
}

} // namespace

TEST(Grid, CoversEveryCellOnce) {
  for (const Int3 n : {Int3{8, 9, 1}, Int3{13, 8, 10}, Int3{9, 2, 2}}) {
    std::shared_ptr<const Grid> grid;
    ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, Box(n[0], n[1], n[2]), &grid));
    std::vector<int> owners(grid->GlobalCells(), 0);
    ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) { owners[i + n[0] * (j + n[1] * k)]++; });
    MPI_Allreduce(MPI_IN_PLACE, owners.data(), int(owners.size()), MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
    for (int count : owners) EXPECT_EQ(count, 1);
    EXPECT_EQ(grid->Dim(), n[2] == 1 ? 2 : 3);
  }
}

TEST(Grid, UniformCoordinatesMatchTheFormula) {
  GridSpec spec = Box(10, 8, 4);
  spec.lower = {-1, 2, 0};
  spec.upper = {1, 6, 0.4};
  std::shared_ptr<const Grid> grid;
  ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &grid));
  EXPECT_TRUE(grid->Uniform());
  for (int a = 0; a < 3; ++a) {
    const double h = (spec.upper[a] - spec.lower[a]) / spec.cells[a];
    for (PetscInt i = -Grid::kGhosts; i < spec.cells[a] + Grid::kGhosts; ++i) {
      EXPECT_NEAR(grid->Face(a, i), spec.lower[a] + i * h, 1e-14);
      EXPECT_NEAR(grid->Centre(a, i), spec.lower[a] + (i + 0.5) * h, 1e-14);
      EXPECT_DOUBLE_EQ(grid->Width(a, i), h);
      EXPECT_DOUBLE_EQ(grid->Distance(a, i), h);
      EXPECT_DOUBLE_EQ(grid->InverseWidth(a)[i] * h, 1);
      EXPECT_DOUBLE_EQ(grid->InverseDistance(a)[i] * h, 1);
    }
    EXPECT_EQ(grid->Face(a, spec.cells[a]), spec.upper[a]);
  }
  EXPECT_NEAR(grid->Volume(0, 0, 0), 0.2 * 0.5 * 0.1, 1e-15);
  EXPECT_NEAR(grid->FaceArea(1, 0, 0, 0), 0.2 * 0.1, 1e-15);
}

TEST(Grid, GhostWidthsMirrorAtWallsAndRepeatOnPeriodicAxes) {
  GridSpec spec = Box(8, 8, 1);
  const std::vector<double> faces{0, 1, 3, 6, 10, 15, 21, 28, 36}; // widths 1 to 8
  spec.faces = {faces, faces, {}};
  spec.periodic = {true, false, false};
  std::shared_ptr<const Grid> grid;
  ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &grid));
  EXPECT_FALSE(grid->Uniform());
  EXPECT_EQ(grid->Spec().upper[0], 36);
  const double x_expected[] = {7, 8, 1, 2}, y_expected[] = {2, 1, 1, 2}, x_above[] = {8, 1, 2}, y_above[] = {8, 8, 7};
  for (int s = 0; s < 4; ++s) {
    EXPECT_EQ(grid->Width(0, s - 2), x_expected[s]);
    EXPECT_EQ(grid->Width(1, s - 2), y_expected[s]);
  }
  for (int s = 0; s < 3; ++s) {
    EXPECT_EQ(grid->Width(0, 7 + s), x_above[s]);
    EXPECT_EQ(grid->Width(1, 7 + s), y_above[s]);
  }
  EXPECT_EQ(grid->Distance(0, 0), 4.5);
  EXPECT_EQ(grid->Distance(0, 8), 4.5);
  EXPECT_EQ(grid->Distance(1, 0), 1);
  EXPECT_EQ(grid->Face(0, -1), -8);
  EXPECT_EQ(grid->Face(1, 9), 44);
}

TEST(Grid, StretchedFacesReachTheRatioAndAreSymmetric) {
  for (const double ratio : {1., 3., 20., 1000.}) {
    const auto f = StretchedFaces(32, -1, 3, ratio);
    ASSERT_EQ(f.size(), 33u);
    EXPECT_EQ(f.front(), -1);
    EXPECT_EQ(f.back(), 3);
    double narrow = 10, wide = 0;
    for (int i = 0; i < 32; ++i) {
      narrow = std::min(narrow, f[i + 1] - f[i]);
      wide = std::max(wide, f[i + 1] - f[i]);
      EXPECT_NEAR(f[i] + f[32 - i], 2, 1e-14);
    }
    EXPECT_NEAR(wide / narrow, ratio, 1e-6 * ratio);
  }
  EXPECT_TRUE(StretchedFaces(0, 0, 1, 2).empty());
  EXPECT_TRUE(StretchedFaces(-3, 0, 1, 2).empty());
  EXPECT_EQ(StretchedFaces(1, 0, 1, 5).size(), 2u);
}

TEST(Grid, VectorsHoldOwnedCellsInPetscOrder) {
  std::shared_ptr<const Grid> grid;
  ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, Box(9, 8, 5), &grid));
  Field field = grid->NewField(), back = grid->NewField();
  ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    field[grid->Cells().At(i, j, k)] = i + 100 * j + 10000 * k;
  });
  Vec vec;
  ASSERT_PETSC_OK(DMCreateGlobalVector(grid->PressureDM(), &vec));
  ASSERT_PETSC_OK(grid->ToVec(field, vec));
  PetscScalar ***array;
  ASSERT_PETSC_OK(DMDAVecGetArrayRead(grid->PressureDM(), vec, &array));
  ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    EXPECT_EQ(array[k][j][i], i + 100 * j + 10000 * k);
  });
  ASSERT_PETSC_OK(DMDAVecRestoreArrayRead(grid->PressureDM(), vec, &array));
  ASSERT_PETSC_OK(grid->FromVec(vec, &back));
  EXPECT_EQ(field, back);
  ASSERT_PETSC_OK(VecDestroy(&vec));
}

TEST(Grid, FollowsTheGivenOwnership) {
  GridSpec spec = Box(12, 30, 6);
  std::vector<PetscInt> rows(Ranks(), 2);
  rows.back() = 30 - 2 * (Ranks() - 1);
  spec.ownership = {std::vector<PetscInt>{12}, rows, std::vector<PetscInt>{6}};
  std::shared_ptr<const Grid> grid;
  ASSERT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &grid));
  EXPECT_EQ(grid->Cells().lo[1], 2 * krylearn_test::Rank());
  EXPECT_EQ(grid->Cells().hi[1] - grid->Cells().lo[1], rows[krylearn_test::Rank()]);
  EXPECT_EQ(grid->AtBoundary(1, 0), krylearn_test::Rank() == 0);
  EXPECT_EQ(grid->AtBoundary(1, 1), krylearn_test::Rank() == Ranks() - 1);
  EXPECT_TRUE(grid->AtBoundary(0, 0));
}

TEST(Grid, RefusesBadInputWithAdvice) {
  EXPECT_REFUSED(Make(Box(0, 8, 1)), "0 cells along axis x");
  EXPECT_REFUSED(Make(Box(8, -3, 1)), "-3 cells along axis y");
  EXPECT_REFUSED(Make(Box(8, 1, 8)), "single cell along z");
  if (sizeof(PetscInt) == 4) {
    EXPECT_REFUSED(Make(Box(100000, 100000, 100000)), "64-bit indices");
  }
  GridSpec spec = Box(8, 8, 1);
  spec.upper[1] = -1;
  EXPECT_REFUSED(Make(spec), "empty along axis y");
  spec.upper[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_REFUSED(Make(spec), "not finite");
  spec = Box(8, 8, 1);
  spec.faces[0] = {0, 1, 2};
  EXPECT_REFUSED(Make(spec), "8 cells and 3 face coordinates");
  spec.faces[0] = {0, 1, 2, 3, 3, 4, 5, 6, 7};
  EXPECT_REFUSED(Make(spec), "do not increase at face 3");
  spec = Box(8, 8, 1);
  spec.ownership[0] = {3, 4};
  EXPECT_REFUSED(Make(spec), "add up to 7");
  spec.ownership[0] = {1, 7};
  EXPECT_REFUSED(Make(spec), "at least 2");
  if (Ranks() == 3) {
    spec.ownership[0] = {4, 4};
    EXPECT_REFUSED(Make(spec), "do not make a grid of 3 ranks");
    EXPECT_REFUSED(Make(Box(3, 5, 1)), "use fewer ranks");
  }
}
