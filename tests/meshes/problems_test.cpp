#include "meshes/problems.h"
#include "meshes/random.h"
#include "tests/mpi_test.h"
#include <cmath>
#include <petscksp.h>

using namespace krylearn;
using krylearn_test::Ranks;

namespace {

ProblemSpec Spec(const std::string &name, const Int3 &cells, PetscInt seed = 1) {
  ProblemSpec spec;
  spec.name = name;
  spec.cells = cells;
  spec.seed = seed;
  return spec;
}

/// How many owned values differ, bit for bit, between a problem of all ranks and one that this rank has for itself.
int Differences(const Grid &mine, const Field &a, const Grid &whole, const Field &b) {
  int count = 0;
  EXPECT_EQ(a.empty(), b.empty());
  if (a.empty() || b.empty()) return 0;
  ForEachCell(mine.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    count += a[mine.Cells().At(i, j, k)] != b[whole.Cells().At(i, j, k)];
  });
  return count;
}

void CompareWithOneRank(const ProblemSpec &spec) {
  Problem shared, own;
  ProblemSpec alone = spec;
  alone.ownership = {};
  ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, spec, &shared));
  ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_SELF, alone, &own));
  const Grid &g = *shared.grid, &w = *own.grid;
  EXPECT_EQ(Differences(g, shared.cell_alpha, w, own.cell_alpha), 0);
  EXPECT_EQ(Differences(g, shared.coefficients.solid, w, own.coefficients.solid), 0);
  EXPECT_EQ(Differences(g, shared.volume, w, own.volume), 0);
  EXPECT_EQ(Differences(g, shared.rhs, w, own.rhs), 0);
  EXPECT_EQ(Differences(g, shared.exact, w, own.exact), 0);
  EXPECT_EQ(shared.singular.cells, own.singular.cells);
  for (int d = 0; d < g.Dim(); ++d) {
    EXPECT_EQ(Differences(g, shared.coefficients.alpha[d], w, own.coefficients.alpha[d]), 0);
    // Upper faces too: ghosts and the upper side.
    int count = 0;
    ForEachCell(g.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      count += shared.coefficients.alpha[d][g.Cells().At(i, j, k) + g.Cells().stride[d]] !=
               own.coefficients.alpha[d][w.Cells().At(i, j, k) + w.Cells().stride[d]];
    });
    EXPECT_EQ(count, 0);
  }
}

/// L2 and maximum error of the manufactured problem, solved to rounding.
std::array<double, 2> ManufacturedError(const Int3 &cells, const std::string &obstacle) {
  std::array<double, 2> error{-1, -1};
  ProblemSpec spec = Spec("mms", cells);
  spec.obstacle = obstacle;
  Problem problem;
  EXPECT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, spec, &problem));
  Mat A;
  Vec b, x;
  KSP ksp;
  PC pc;
  EXPECT_PETSC_OK(AssemblePoisson(*problem.grid, problem.coefficients, &A));
  EXPECT_PETSC_OK(DMCreateGlobalVector(problem.grid->PressureDM(), &b));
  EXPECT_PETSC_OK(VecDuplicate(b, &x));
  EXPECT_PETSC_OK(problem.grid->ToVec(problem.rhs, b));
  EXPECT_PETSC_OK(KSPCreate(PETSC_COMM_WORLD, &ksp));
  EXPECT_PETSC_OK(KSPSetOperators(ksp, A, A));
  EXPECT_PETSC_OK(KSPSetType(ksp, KSPCG));
  EXPECT_PETSC_OK(KSPGetPC(ksp, &pc));
  EXPECT_PETSC_OK(PCSetType(pc, PCGAMG));
  EXPECT_PETSC_OK(KSPSetTolerances(ksp, 1e-10, PETSC_DEFAULT, PETSC_DEFAULT, 200));
  EXPECT_PETSC_OK(KSPSolve(ksp, b, x));
  KSPConvergedReason reason;
  EXPECT_PETSC_OK(KSPGetConvergedReason(ksp, &reason));
  EXPECT_GT(reason, 0);
  EXPECT_PETSC_OK(SolutionError(problem, x, &error[0], &error[1]));
  EXPECT_PETSC_OK(KSPDestroy(&ksp));
  EXPECT_PETSC_OK(VecDestroy(&b));
  EXPECT_PETSC_OK(VecDestroy(&x));
  EXPECT_PETSC_OK(MatDestroy(&A));
  return error;
}

/// Checks the orders over three grids, each twice as fine as the one before, from end to end.
void CheckOrders(Int3 cells, const std::string &obstacle, double l2, double largest) {
  SCOPED_TRACE(obstacle);
  std::vector<std::array<double, 2>> errors;
  for (int level = 0; level < 3; ++level) {
    errors.push_back(ManufacturedError(cells, obstacle));
    for (int d = 0; d < (cells[2] == 1 ? 2 : 3); ++d) cells[d] *= 2;
  }
  EXPECT_GE(std::log2(errors[0][0] / errors[2][0]) / 2, l2);
  EXPECT_GE(std::log2(errors[0][1] / errors[2][1]) / 2, largest);
  for (int level = 0; level < 2; ++level) { // and from each grid to the next
    EXPECT_GE(std::log2(errors[level][0] / errors[level + 1][0]), l2);
    EXPECT_GE(std::log2(errors[level][1] / errors[level + 1][1]), largest);
  }
}

TEST(Random, IsTheReferenceSplitMix64) {
  EXPECT_EQ(SplitMix64(0), 0xe220a8397b1dcdafULL); // first output of the reference generator with state 0
  EXPECT_EQ(SplitMix64(0x9e3779b97f4a7c15ULL), 0x6e789e6aa1b965f4ULL); // and its second
}

TEST(Random, IsUniformAndNormal) {
  double sum = 0, square = 0, normal = 0, normal_square = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = Uniform(3, 1, i), g = Normal(3, 2, i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    square += u * u;
    normal += g;
    normal_square += g * g;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.005);
  EXPECT_NEAR(square / n, 1.0 / 3, 0.005);
  EXPECT_NEAR(normal / n, 0, 0.015);
  EXPECT_NEAR(normal_square / n, 1, 0.02);
}

TEST(NamedProblems, AreTheSameBitsOnAnyNumberOfRanks) {
  for (const ProblemInfo &info : NamedProblems())
    for (const Int3 &cells : {Int3{26, 23, 1}, Int3{14, 13, 15}}) {
      SCOPED_TRACE(info.name);
      CompareWithOneRank(Spec(info.name, cells, 5));
      ProblemSpec uneven = Spec(info.name, cells, 6);
      uneven.ownership[0] = std::vector<PetscInt>(Ranks(), 2);
      uneven.ownership[0].back() = cells[0] - 2 * (Ranks() - 1);
      uneven.ownership[1] = {cells[1]};
      uneven.ownership[2] = {cells[2]};
      if (uneven.name == "mms") uneven.obstacle = cells[2] == 1 ? "cylinder:0.4,0.5,0.2" : "sphere:0.4,0.5,0.5,0.2";
      CompareWithOneRank(uneven);
    }
}

TEST(NamedProblems, HaveCompatibleRightHandSidesAndNoneInSolids) {
  for (const char *name : {"obstacles", "mixed", "walls"}) {
    Problem p;
    ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, Spec(name, {48, 40, 1}, 2), &p));
    std::vector<double> sums(p.singular.cells.size() + 1, 0);
    double in_solids = 0, largest = 0;
    ForEachCell(p.grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t at = p.grid->Cells().At(i, j, k);
      if (p.coefficients.solid[at] != 0) in_solids += std::abs(p.rhs[at]);
      if (p.singular.label[at] >= 0) sums[p.singular.label[at]] += p.rhs[at];
      largest = std::max(largest, std::abs(p.rhs[at]));
    });
    MPI_Allreduce(MPI_IN_PLACE, sums.data(), int(sums.size()), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD);
    EXPECT_GT(largest, 0);
    EXPECT_EQ(in_solids, 0);
    for (double sum : sums) EXPECT_NEAR(sum, 0, 1e-12 * largest);
  }
}

TEST(NamedProblems, ChangeWithTheSeed) {
  for (const char *name : {"obstacles", "contrast", "mixed", "walls", "darcy"}) {
    Problem a, b;
    ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, Spec(name, {24, 24, 1}, 1), &a));
    ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, Spec(name, {24, 24, 1}, 2), &b));
    int differences[2] = {Differences(*a.grid, a.cell_alpha, *b.grid, b.cell_alpha),
                          Differences(*a.grid, a.rhs, *b.grid, b.rhs)};
    MPI_Allreduce(MPI_IN_PLACE, differences, 2, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
    EXPECT_GT(differences[0], 0) << name;
    EXPECT_GT(differences[1], 0) << name;
  }
}

TEST(NamedProblems, ContainWhatTheirNamesSay) {
  struct Count {
    double solid = 0, high = 0, all = 0, log_mean = 0, log_square = 0;
  };
  const auto count = [](const ProblemSpec &spec) {
    Problem p;
    Count c;
    EXPECT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, spec, &p));
    ForEachCell(p.grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      const double alpha = p.cell_alpha[p.grid->Cells().At(i, j, k)];
      c.all += 1;
      c.solid += alpha == 0;
      c.high += alpha == 1000;
      if (alpha > 0) c.log_mean += std::log(alpha), c.log_square += std::log(alpha) * std::log(alpha);
    });
    MPI_Allreduce(MPI_IN_PLACE, &c, 5, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    return c;
  };
  for (const Int3 &n : {Int3{60, 72, 1}, Int3{36, 24, 30}}) {
    Count c = count(Spec("box", n));
    EXPECT_EQ(c.solid, 0);
    c = count(Spec("obstacles", n));
    EXPECT_GT(c.solid / c.all, 0.08);
    EXPECT_LT(c.solid / c.all, 0.25);
    const double boxes = c.solid;
    c = count(Spec("contrast", n));
    EXPECT_EQ(c.solid, 0);
    EXPECT_NEAR(c.high, boxes, 0.05 * boxes); // enclosed cells count as solid there
    c = count(Spec("mixed", n));
    EXPECT_GT(c.solid, 0.3 * boxes);
    EXPECT_GT(c.high, 0.3 * boxes);
    c = count(Spec("walls", n));
    EXPECT_GT(c.solid / c.all, 0.1);
    c = count(Spec("darcy", n, 4));
    EXPECT_NEAR(c.log_mean / c.all, 0, 0.3);
    EXPECT_NEAR(std::sqrt(c.log_square / c.all), 1.5, 0.25);
  }
}

TEST(NamedProblems, WallsLeaveTheFluidConnected) {
  for (const Int3 &n : {Int3{40, 37, 1}, Int3{8, 64, 1}, Int3{20, 24, 22}})
    for (PetscInt seed = 1; seed <= 5; ++seed) {
      Problem p;
      ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, Spec("walls", n, seed), &p));
      EXPECT_EQ(p.singular.cells.size(), 0u) << "seed " << seed;
    }
}

TEST(NamedProblems, StretchedReachesAnAspectRatioOfTwenty) {
  Problem p;
  ASSERT_PETSC_OK(CreateProblem(PETSC_COMM_WORLD, Spec("stretched", {64, 48, 1}), &p));
  double narrow = 1, wide = 0;
  for (PetscInt i = 0; i < 64; ++i) {
    narrow = std::min(narrow, p.grid->Width(0, i));
    wide = std::max(wide, p.grid->Width(0, i));
  }
  EXPECT_NEAR(wide / narrow, 20, 0.5);
}

TEST(NamedProblems, RefuseWhatMakesNoSense) {
  Problem p;
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("obstacle", {8, 8, 1}), &p), "did you mean 'obstacles'?");
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("zebra", {8, 8, 1}), &p), "known are box, obstacles");
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("pressure", {8, 8, 1}), &p), "-mat FILE -rhs FILE");
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("box", {0, 8, 1}), &p), "0 cells along axis x");
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("box", {8, -3, 1}), &p), "-3 cells along axis y");
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, Spec("box", {4000, 4000, 4000}), &p), "too large");
  ProblemSpec spec = Spec("box", {16, 16, 1});
  spec.obstacle = "cylinder:0.5,0.5,0.2";
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, spec, &p), "Only problem mms");
  spec = Spec("contrast", {16, 16, 1});
  spec.contrast = -1;
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, spec, &p), "-contrast -1");
}

TEST(ManufacturedProblem, ConvergesWithSecondOrder) {
  CheckOrders({24, 24, 1}, "", 1.95, 1.95);
  CheckOrders({20, 28, 1}, "", 1.95, 1.9);
  CheckOrders({8, 8, 8}, "", 1.95, 1.9);
}

TEST(ManufacturedProblem, ConvergesWithSecondOrderAroundObstacles) {
  CheckOrders({32, 32, 1}, "cylinder:0.5,0.5,0.2", 1.8, 1);
  CheckOrders({32, 32, 1}, "cylinder:0.47,0.56,0.23", 1.8, 1);
  CheckOrders({12, 12, 12}, "sphere:0.48,0.53,0.5,0.25", 1.8, 1);
}

TEST(Problems, MixedBoundariesAreTheSameOnAnyNumberOfRanksAndNeverWithoutDirichletSide) {
  int periodic = 0, neumann = 0, dirichlet = 0;
  for (PetscInt seed = 1; seed <= 50; ++seed) {
    const Boundaries b = MixedBoundaries(seed, 0, 3);
    int held = 0;
    for (int a = 0; a < 3; ++a) {
      periodic += b.periodic[a];
      for (int side = 0; side < 2 && !b.periodic[a]; ++side)
        (b.sides[a][side] == Side::kDirichlet ? held : neumann) += 1;
    }
    EXPECT_GE(held, 1) << seed;
    dirichlet += held;
  }
  EXPECT_GT(periodic, 20);
  EXPECT_GT(neumann, 60);
  EXPECT_GT(dirichlet, 60);
  for (const PetscInt seed : {3, 4, 5, 6}) {
    ProblemSpec spec = Spec("darcy", {12, 13, 11}, seed);
    spec.mixed_boundaries = true;
    CompareWithOneRank(spec);
  }
  Problem problem;
  ProblemSpec spec = Spec("mms", {8, 8, 8});
  spec.mixed_boundaries = true;
  EXPECT_REFUSED(CreateProblem(PETSC_COMM_WORLD, spec, &problem), "boundaries of its own");
}

} // namespace
