#include "meshes/poisson.h"
#include "meshes/random.h"
#include "tests/mpi_test.h"
#include <algorithm>
#include <cmath>
#include <petscksp.h>
#include <queue>

using namespace krylearn;
using krylearn_test::Ranks;

namespace {

using GridPointer = std::shared_ptr<const Grid>;

/// Splits n cells over the ranks so that every rank but the last has two.
std::vector<PetscInt> Uneven(PetscInt n) {
  std::vector<PetscInt> cells(Ranks(), 2);
  cells.back() = n - 2 * (Ranks() - 1);
  return cells;
}

GridPointer MakeGrid(const Int3 &cells, std::array<bool, 3> periodic = {false, false, false}, int uneven_axis = -1) {
  GridSpec spec;
  spec.cells = cells;
  spec.periodic = periodic;
  if (uneven_axis >= 0) {
    for (int d = 0; d < 3; ++d) spec.ownership[d] = {cells[d]};
    spec.ownership[uneven_axis] = Uneven(cells[uneven_axis]);
  }
  GridPointer grid;
  EXPECT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &grid));
  return grid;
}

/// A mask and face values that every rank can evaluate anywhere: what a serial check needs.
struct GlobalMask {
  Int3 n;
  std::array<bool, 3> periodic;
  std::vector<char> solid;
  std::array<std::vector<char>, 3> open; ///< lower face of each cell
  Sides sides{};

  std::size_t Index(const Int3 &c) const { return c[0] + n[0] * (c[1] + std::size_t(n[1]) * c[2]); }
  int Dim() const { return n[2] == 1 ? 2 : 3; }
  /// The neighbour behind the lower (side 0) or upper face, if an open face leads to a fluid cell.
  bool Neighbour(const Int3 &cell, int axis, int side, Int3 *other) const {
    *other = cell;
    (*other)[axis] += side == 0 ? -1 : 1;
    if ((*other)[axis] < 0 || (*other)[axis] >= n[axis]) {
      if (!periodic[axis]) return false;
      (*other)[axis] = ((*other)[axis] + n[axis]) % n[axis];
    }
    return open[axis][Index(side == 0 ? cell : *other)] && !solid[Index(*other)];
  }
  bool TouchesDirichlet(const Int3 &cell) const {
    for (int d = 0; d < Dim(); ++d)
      for (int side = 0; side < 2; ++side)
        if (!periodic[d] && cell[d] == (side == 0 ? 0 : n[d] - 1) && sides[d][side] == Side::kDirichlet) return true;
    return false;
  }
};

/// Random solids and random closed faces.
GlobalMask RandomMask(const Int3 &n, std::array<bool, 3> periodic, double solid, double closed, int seed) {
  GlobalMask mask;
  mask.n = n;
  mask.periodic = periodic;
  const std::size_t size = std::size_t(n[0]) * n[1] * n[2];
  for (std::size_t i = 0; i < size; ++i) mask.solid.push_back(Uniform(seed, 100, i) < solid);
  for (int d = 0; d < mask.Dim(); ++d)
    for (std::size_t i = 0; i < size; ++i) mask.open[d].push_back(Uniform(seed, 101 + d, i) >= closed);
  return mask;
}

/// One corridor that winds through the whole box: the worst case for labels that travel from rank to rank.
GlobalMask Serpentine(const Int3 &n, int across) {
  GlobalMask mask = RandomMask(n, {false, false, false}, 0, 0, 1);
  Int3 c;
  for (c[1] = 0; c[1] < n[1]; ++c[1])
    for (c[0] = 0; c[0] < n[0]; ++c[0]) {
      const PetscInt wall = c[1 - across], along = c[across], end = wall % 4 == 1 ? n[across] - 1 : 0;
      c[2] = 0;
      if (wall % 2 == 1 && along != end) mask.solid[mask.Index(c)] = 1;
    }
  return mask;
}

PoissonCoefficients Coefficients(const Grid &grid, const GlobalMask &mask) {
  PoissonCoefficients c;
  c.alpha = grid.NewFaces();
  c.solid = grid.NewField();
  c.sides = mask.sides;
  const Layout &layout = grid.Cells();
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const Int3 cell{i, j, k};
    const std::ptrdiff_t at = layout.At(i, j, k);
    const std::size_t index = mask.Index(cell);
    c.solid[at] = mask.solid[index];
    for (int d = 0; d < grid.Dim(); ++d) {
      // Faces next to solid cells stay as they come: the library has to look at `solid` too.
      c.alpha[d][at] = mask.open[d][index] ? 0.5 + Uniform(7, 200 + d, index) : 0;
      if (grid.AtBoundary(d, 0) && cell[d] == 0) c.alpha[d][at] = 1;
      if (grid.AtBoundary(d, 1) && cell[d] + 1 == layout.n[d]) c.alpha[d][at + layout.stride[d]] = 1;
    }
  });
  EXPECT_PETSC_OK(grid.Exchange(c.alpha));
  EXPECT_PETSC_OK(grid.Exchange({&c.solid}));
  return c;
}

struct SerialComponents {
  std::vector<int> label; ///< per natural index; -1 solid
  std::vector<PetscInt64> cells;
  std::vector<char> dirichlet;
};

SerialComponents FloodFill(const GlobalMask &mask) {
  SerialComponents result;
  result.label.assign(mask.solid.size(), -1);
  Int3 c;
  for (c[2] = 0; c[2] < mask.n[2]; ++c[2])
    for (c[1] = 0; c[1] < mask.n[1]; ++c[1])
      for (c[0] = 0; c[0] < mask.n[0]; ++c[0]) {
        if (mask.solid[mask.Index(c)] || result.label[mask.Index(c)] >= 0) continue;
        const int label = int(result.cells.size());
        result.cells.push_back(0);
        result.dirichlet.push_back(0);
        std::queue<Int3> todo;
        todo.push(c);
        result.label[mask.Index(c)] = label;
        while (!todo.empty()) {
          const Int3 cell = todo.front();
          todo.pop();
          ++result.cells[label];
          if (mask.TouchesDirichlet(cell)) result.dirichlet[label] = 1;
          Int3 other;
          for (int d = 0; d < mask.Dim(); ++d)
            for (int side = 0; side < 2; ++side)
              if (mask.Neighbour(cell, d, side, &other) && result.label[mask.Index(other)] < 0) {
                result.label[mask.Index(other)] = label;
                todo.push(other);
              }
        }
      }
  return result;
}

void CompareWithFloodFill(const Grid &grid, const GlobalMask &mask) {
  const PoissonCoefficients c = Coefficients(grid, mask);
  SingularComponents found;
  ASSERT_PETSC_OK(FindSingularComponents(grid, c, &found));
  const SerialComponents serial = FloodFill(mask);
  std::vector<int> number(serial.cells.size(), -1);
  std::vector<PetscInt64> cells;
  for (std::size_t l = 0; l < serial.cells.size(); ++l)
    if (!serial.dirichlet[l] && serial.cells[l] > 1) {
      number[l] = int(cells.size());
      cells.push_back(serial.cells[l]);
    }
  EXPECT_EQ(found.cells, cells);
  int wrong = 0;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const int label = serial.label[mask.Index({i, j, k})];
    wrong += found.label[grid.Cells().At(i, j, k)] != (label < 0 ? -1 : number[label]);
  });
  EXPECT_EQ(wrong, 0);
}

Mat Assemble(const Grid &grid, const PoissonCoefficients &c) {
  Mat A = nullptr;
  EXPECT_PETSC_OK(AssemblePoisson(grid, c, &A));
  return A;
}

struct Setting {
  Int3 cells;
  std::array<bool, 3> periodic;
  int uneven_axis;
};

std::vector<Setting> Settings() {
  return {{{12, 9, 1}, {false, false, false}, -1}, {{13, 11, 1}, {true, false, false}, 0},
          {{10, 14, 1}, {true, true, false}, 1},   {{9, 8, 10}, {false, false, false}, -1},
          {{8, 9, 11}, {true, false, true}, 2},    {{8, 10, 9}, {true, true, true}, 1},
          {{4, 16, 2}, {false, true, true}, 1},    {{2, 16, 1}, {true, true, false}, 1}};
}

TEST(PoissonMatrix, IsSymmetricToTheLastBitForRandomCoefficientsAndMasks) {
  int seed = 0;
  for (const Setting &s : Settings())
    for (double solid : {0.0, 0.3}) {
      const GridPointer grid = MakeGrid(s.cells, s.periodic, s.uneven_axis);
      GlobalMask mask = RandomMask(s.cells, s.periodic, solid, 0.2, ++seed);
      mask.sides[0][0] = mask.sides[1][1] = Side::kDirichlet;
      Mat A = Assemble(*grid, Coefficients(*grid, mask)), transposed;
      PetscBool same = PETSC_FALSE;
      ASSERT_PETSC_OK(MatTranspose(A, MAT_INITIAL_MATRIX, &transposed));
      ASSERT_PETSC_OK(MatEqual(A, transposed, &same));
      EXPECT_TRUE(same) << "setting " << seed;
      ASSERT_PETSC_OK(MatDestroy(&A));
      ASSERT_PETSC_OK(MatDestroy(&transposed));
    }
}

TEST(PoissonMatrix, HasTheTextbookRowsForConstantCoefficients) {
  for (const Int3 &n : {Int3{8, 12, 1}, Int3{8, 12, 16}}) {
    const GridPointer grid = MakeGrid(n);
    const int dim = grid->Dim();
    GlobalMask mask = RandomMask(n, {false, false, false}, 0, 0, 1);
    mask.sides[dim - 1][1] = mask.sides[0][0] = Side::kDirichlet;
    PoissonCoefficients c = Coefficients(*grid, mask);
    for (int d = 0; d < dim; ++d) std::fill(c.alpha[d].begin(), c.alpha[d].end(), 3.0);
    Mat A = Assemble(*grid, c);
    PetscInt row, end;
    ASSERT_PETSC_OK(MatGetOwnershipRange(A, &row, &end));
    double coefficient[3];
    for (int d = 0; d < dim; ++d) coefficient[d] = 3 * grid->FaceArea(d, 0, 0, 0) * double(n[d]);
    ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      const Int3 cell{i, j, k};
      double diagonal = 0, others = 0;
      for (int d = 0; d < dim; ++d)
        for (int side = 0; side < 2; ++side) {
          const bool boundary = cell[d] == (side == 0 ? 0 : n[d] - 1);
          if (boundary) diagonal += mask.sides[d][side] == Side::kDirichlet ? 2 * coefficient[d] : 0;
          else {
            diagonal += coefficient[d];
            others -= coefficient[d];
          }
        }
      PetscInt count;
      const PetscInt *columns;
      const PetscScalar *values;
      EXPECT_PETSC_OK(MatGetRow(A, row, &count, &columns, &values));
      double got = 0, rest = 0;
      for (PetscInt e = 0; e < count; ++e) (columns[e] == row ? got : rest) += values[e];
      EXPECT_NEAR(got, diagonal, 1e-13 * diagonal);
      EXPECT_NEAR(rest, others, 1e-13 * diagonal);
      EXPECT_PETSC_OK(MatRestoreRow(A, row, &count, &columns, &values));
      ++row;
    });
    ASSERT_PETSC_OK(MatDestroy(&A));
  }
}

TEST(PoissonMatrix, HasIdentityRowsInSolidsAndInCellsWithoutOpenFaces) {
  const Int3 n{9, 10, 1};
  const GridPointer grid = MakeGrid(n);
  GlobalMask mask = RandomMask(n, {false, false, false}, 0.5, 0.4, 3);
  const PoissonCoefficients c = Coefficients(*grid, mask);
  const SerialComponents serial = FloodFill(mask);
  Mat A = Assemble(*grid, c);
  PetscInt row, end;
  int lonely = 0;
  ASSERT_PETSC_OK(MatGetOwnershipRange(A, &row, &end));
  ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const int label = serial.label[mask.Index({i, j, k})];
    if (label < 0 || serial.cells[label] == 1) {
      lonely += label >= 0;
      PetscInt count;
      const PetscInt *columns;
      const PetscScalar *values;
      EXPECT_PETSC_OK(MatGetRow(A, row, &count, &columns, &values));
      for (PetscInt e = 0; e < count; ++e) EXPECT_EQ(values[e], columns[e] == row ? 1 : 0);
      EXPECT_PETSC_OK(MatRestoreRow(A, row, &count, &columns, &values));
    }
    ++row;
  });
  MPI_Allreduce(MPI_IN_PLACE, &lonely, 1, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
  EXPECT_GT(lonely, 0); // the mask does contain the case
  ASSERT_PETSC_OK(MatDestroy(&A));
}

TEST(PoissonMatrix, RefilledEqualsAssembledAfresh) {
  const Int3 n{10, 9, 8};
  const GridPointer grid = MakeGrid(n, {false, true, false});
  GlobalMask first = RandomMask(n, {false, true, false}, 0.2, 0.1, 4), second = RandomMask(n, {false, true, false}, 0.4, 0.3, 5);
  first.sides[0][0] = Side::kDirichlet;
  const PoissonCoefficients c = Coefficients(*grid, second);
  Mat A = Assemble(*grid, Coefficients(*grid, first)), B = Assemble(*grid, c);
  ASSERT_PETSC_OK(FillPoisson(*grid, c, A));
  PetscBool same;
  ASSERT_PETSC_OK(MatEqual(A, B, &same));
  EXPECT_TRUE(same);
  MatNullSpace nullspace;
  ASSERT_PETSC_OK(MatGetNullSpace(A, &nullspace));
  EXPECT_NE(nullspace, nullptr);
  ASSERT_PETSC_OK(MatDestroy(&A));
  ASSERT_PETSC_OK(MatDestroy(&B));
}

#if defined(PETSC_HAVE_HYPRE)
TEST(PoissonMatrix, MultipliesAlikeAsHypreStruct) {
  for (const Setting &s : {Setting{{10, 9, 1}, {false, false, false}, -1}, Setting{{8, 9, 10}, {false, false, false}, 1}}) {
    const GridPointer grid = MakeGrid(s.cells, s.periodic, s.uneven_axis);
    GlobalMask mask = RandomMask(s.cells, s.periodic, 0.3, 0.2, 6);
    mask.sides[1][0] = Side::kDirichlet;
    const PoissonCoefficients c = Coefficients(*grid, mask);
    Mat A = Assemble(*grid, c);
    ASSERT_PETSC_OK(DMSetMatType(grid->PressureDM(), MATHYPRESTRUCT));
    Mat S = Assemble(*grid, c);
    Vec x, y, z;
    PetscReal norm;
    ASSERT_PETSC_OK(DMCreateGlobalVector(grid->PressureDM(), &x));
    ASSERT_PETSC_OK(VecDuplicate(x, &y));
    ASSERT_PETSC_OK(VecDuplicate(x, &z));
    ASSERT_PETSC_OK(VecSetRandom(x, nullptr));
    ASSERT_PETSC_OK(MatMult(A, x, y));
    ASSERT_PETSC_OK(MatMult(S, x, z));
    ASSERT_PETSC_OK(VecAXPY(y, -1, z));
    ASSERT_PETSC_OK(VecNorm(y, NORM_INFINITY, &norm));
    EXPECT_LT(norm, 1e-12);
    for (Vec *v : {&x, &y, &z}) ASSERT_PETSC_OK(VecDestroy(v));
    ASSERT_PETSC_OK(MatDestroy(&A));
    ASSERT_PETSC_OK(MatDestroy(&S));
  }
}
#endif

TEST(SingularComponents, AgreeWithASerialFloodFillOnRandomMasks) {
  int seed = 10;
  for (const Setting &s : Settings())
    for (double solid : {0.0, 0.35, 0.6})
      for (bool dirichlet : {false, true}) {
        SCOPED_TRACE(++seed);
        const GridPointer grid = MakeGrid(s.cells, s.periodic, s.uneven_axis);
        GlobalMask mask = RandomMask(s.cells, s.periodic, solid, 0.1, seed);
        if (dirichlet) mask.sides[0][1] = mask.sides[1][0] = Side::kDirichlet;
        CompareWithFloodFill(*grid, mask);
      }
}

TEST(SingularComponents, FollowACorridorThatCrossesRanksManyTimes) {
  const Int3 n{23, 24, 1};
  for (int across : {0, 1})
    for (int uneven : {-1, 0, 1}) {
      const GridPointer grid = MakeGrid(n, {false, false, false}, uneven);
      GlobalMask mask = Serpentine(n, across);
      CompareWithFloodFill(*grid, mask);
      mask.sides[1 - across][1] = Side::kDirichlet; // at the far end of the corridor, or all along it
      CompareWithFloodFill(*grid, mask);
    }
}

TEST(PoissonNullSpace, IsAnnihilatedByTheMatrix) {
  for (const Setting &s : Settings()) {
    const GridPointer grid = MakeGrid(s.cells, s.periodic, s.uneven_axis);
    const GlobalMask mask = RandomMask(s.cells, s.periodic, 0.4, 0.1, 31);
    const PoissonCoefficients c = Coefficients(*grid, mask);
    SingularComponents components;
    ASSERT_PETSC_OK(FindSingularComponents(*grid, c, &components));
    Mat A = Assemble(*grid, c);
    Vec x, y;
    ASSERT_PETSC_OK(DMCreateGlobalVector(grid->PressureDM(), &x));
    ASSERT_PETSC_OK(VecDuplicate(x, &y));
    Field weights = grid->NewField(); // an arbitrary combination of the indicators
    ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t at = grid->Cells().At(i, j, k);
      if (components.label[at] >= 0) weights[at] = 1 + Uniform(1, 2, components.label[at]);
    });
    ASSERT_PETSC_OK(grid->ToVec(weights, x));
    ASSERT_PETSC_OK(MatMult(A, x, y));
    PetscReal norm;
    ASSERT_PETSC_OK(VecNorm(y, NORM_INFINITY, &norm));
    EXPECT_LT(norm, 1e-12);
    ASSERT_PETSC_OK(VecDestroy(&x));
    ASSERT_PETSC_OK(VecDestroy(&y));
    ASSERT_PETSC_OK(MatDestroy(&A));
  }
}

TEST(PoissonNullSpace, RemovesTheMeanOfFewAndOfManyComponents) {
  for (double solid : {0.0, 0.5}) {
    const Int3 n{14, 13, 1};
    const GridPointer grid = MakeGrid(n);
    const GlobalMask mask = RandomMask(n, {false, false, false}, solid, 0, 32);
    const PoissonCoefficients c = Coefficients(*grid, mask);
    SingularComponents components;
    ASSERT_PETSC_OK(FindSingularComponents(*grid, c, &components));
    if (solid == 0) EXPECT_EQ(components.cells.size(), 1u);
    else EXPECT_GT(components.cells.size(), 4u);
    MatNullSpace nullspace;
    ASSERT_PETSC_OK(CreatePoissonNullSpace(*grid, components, &nullspace));
    Field x = grid->NewField();
    ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      x[grid->Cells().At(i, j, k)] = Uniform(1, 3, mask.Index({i, j, k}));
    });
    // The expected answer, by serial sums over the whole box.
    const SerialComponents serial = FloodFill(mask);
    std::vector<double> sum(serial.cells.size(), 0);
    for (std::size_t index = 0; index < serial.label.size(); ++index)
      if (serial.label[index] >= 0) sum[serial.label[index]] += Uniform(1, 3, index);
    for (int method = 0; method < 2; ++method) { // MakeCompatible is the same projection
      Vec v;
      ASSERT_PETSC_OK(DMCreateGlobalVector(grid->PressureDM(), &v));
      ASSERT_PETSC_OK(grid->ToVec(x, v));
      if (method == 0) ASSERT_PETSC_OK(MatNullSpaceRemove(nullspace, v));
      else ASSERT_PETSC_OK(MakeCompatible(*grid, components, v));
      Field got = grid->NewField();
      ASSERT_PETSC_OK(grid->FromVec(v, &got));
      ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
        const std::size_t index = mask.Index({i, j, k});
        const int l = serial.label[index];
        const double mean = l < 0 || serial.cells[l] == 1 ? 0 : sum[l] / double(serial.cells[l]);
        EXPECT_NEAR(got[grid->Cells().At(i, j, k)], Uniform(1, 3, index) - mean, 1e-14);
      });
      ASSERT_PETSC_OK(VecDestroy(&v));
    }
    ASSERT_PETSC_OK(MatNullSpaceDestroy(&nullspace));
  }
}

TEST(PoissonNullSpace, LetsConjugateGradientsSolveManyClosedRooms) {
  const Int3 n{16, 15, 1};
  const GridPointer grid = MakeGrid(n);
  const GlobalMask mask = RandomMask(n, {false, false, false}, 0.4, 0.2, 33);
  const PoissonCoefficients c = Coefficients(*grid, mask);
  SingularComponents components;
  ASSERT_PETSC_OK(FindSingularComponents(*grid, c, &components));
  ASSERT_GT(components.cells.size(), 4u);
  Mat A = Assemble(*grid, c);
  Vec b, x;
  ASSERT_PETSC_OK(MatCreateVecs(A, &x, &b));
  ASSERT_PETSC_OK(VecSetRandom(b, nullptr));
  ASSERT_PETSC_OK(MakeCompatible(*grid, components, b));
  KSP ksp;
  PC pc;
  ASSERT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
  ASSERT_PETSC_OK(KSPSetOperators(ksp, A, A));
  ASSERT_PETSC_OK(KSPSetType(ksp, KSPCG));
  ASSERT_PETSC_OK(KSPGetPC(ksp, &pc));
  ASSERT_PETSC_OK(PCSetType(pc, PCJACOBI));
  ASSERT_PETSC_OK(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  ASSERT_PETSC_OK(KSPSetTolerances(ksp, 1e-10, PETSC_DEFAULT, PETSC_DEFAULT, 500));
  ASSERT_PETSC_OK(KSPSolve(ksp, b, x));
  KSPConvergedReason reason;
  ASSERT_PETSC_OK(KSPGetConvergedReason(ksp, &reason));
  EXPECT_GT(reason, 0);
  Vec r;
  PetscReal norm, scale;
  ASSERT_PETSC_OK(VecDuplicate(b, &r));
  ASSERT_PETSC_OK(MatMult(A, x, r));
  ASSERT_PETSC_OK(VecAXPY(r, -1, b));
  ASSERT_PETSC_OK(VecNorm(r, NORM_2, &norm));
  ASSERT_PETSC_OK(VecNorm(b, NORM_2, &scale));
  EXPECT_LT(norm, 2e-10 * scale);
  ASSERT_PETSC_OK(VecDestroy(&r));
  ASSERT_PETSC_OK(KSPDestroy(&ksp));
  ASSERT_PETSC_OK(VecDestroy(&b));
  ASSERT_PETSC_OK(VecDestroy(&x));
  ASSERT_PETSC_OK(MatDestroy(&A));
}

TEST(Pockets, AreFilledExactlyWhereASerialFloodFillFindsThem) {
  int seed = 40;
  for (const Setting &s : Settings())
    for (double solid : {0.0, 0.3, 0.55}) {
      SCOPED_TRACE(++seed);
      const GridPointer grid = MakeGrid(s.cells, s.periodic, s.uneven_axis);
      const GlobalMask mask = RandomMask(s.cells, s.periodic, solid, 0.1, seed);
      PoissonCoefficients c = Coefficients(*grid, mask);
      PetscInt64 filled, expected = 0;
      ASSERT_PETSC_OK(FillPockets(*grid, 12, &c, &filled));
      const SerialComponents serial = FloodFill(mask);
      const auto largest = std::max_element(serial.cells.begin(), serial.cells.end()) - serial.cells.begin();
      const auto is_pocket = [&](int label) { return label >= 0 && label != largest && serial.cells[label] < 12; };
      for (int label : serial.label) expected += is_pocket(label);
      EXPECT_EQ(filled, expected);
      int wrong = 0, open = 0;
      const Layout &layout = grid->Cells();
      ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
        const std::size_t index = mask.Index({i, j, k});
        const std::ptrdiff_t at = layout.At(i, j, k);
        const bool pocket = is_pocket(serial.label[index]);
        wrong += (c.solid[at] != 0) != (mask.solid[index] || pocket);
        for (int d = 0; pocket && d < grid->Dim(); ++d)
          open += c.alpha[d][at] != 0 || c.alpha[d][at + layout.stride[d]] != 0;
      });
      EXPECT_EQ(wrong, 0);
      EXPECT_EQ(open, 0);
      PetscInt64 again;
      ASSERT_PETSC_OK(FillPockets(*grid, 12, &c, &again));
      EXPECT_EQ(again, 0);
    }
}

TEST(Pockets, LeaveTheOnlyComponentHoweverSmall) {
  const Int3 n{8, 8, 1};
  const GridPointer grid = MakeGrid(n);
  PoissonCoefficients c = Coefficients(*grid, RandomMask(n, {false, false, false}, 0, 0, 1));
  PetscInt64 filled;
  ASSERT_PETSC_OK(FillPockets(*grid, 1000, &c, &filled));
  EXPECT_EQ(filled, 0);
}

} // namespace
