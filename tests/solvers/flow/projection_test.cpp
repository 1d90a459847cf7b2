#include "solvers/flow/projection.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

constexpr double kTolerance = 1e-6; // of -pressure_ksp_rtol, the default

FlowConfig Duct(Int3 cells) {
  FlowConfig config = Box(cells, Kind::kNoSlip);
  SetSides(&config, 0, Kind::kInflow, Kind::kOutflow);
  config.boundaries[0][0].velocity = {1, 0, 0};
  return config;
}

std::vector<std::pair<const char *, FlowConfig>> Flows() {
  std::vector<std::pair<const char *, FlowConfig>> flows = {{"2D walls", Box({22, 19, 1}, Kind::kNoSlip)},
                                                            {"2D periodic", Box({22, 19, 1}, Kind::kPeriodic)},
                                                            {"2D stretched", Box({20, 21, 1}, Kind::kNoSlip)},
                                                            {"2D duct", Duct({24, 17, 1})},
                                                            {"2D obstacle", Duct({24, 17, 1})},
                                                            {"3D walls", Box({11, 12, 13}, Kind::kNoSlip)},
                                                            {"3D sphere", Box({12, 12, 13}, Kind::kNoSlip)},
                                                            {"3D sphere in a duct", Duct({14, 12, 12})}};
  Stretch(&flows[2].second, 0, 6);
  Stretch(&flows[2].second, 1, 3);
  SetObstacle(&flows[4].second, "cylinder:0.43,0.51,0.17");
  SetObstacle(&flows[6].second, "sphere:0.52,0.47,0.5,0.26");
  SetObstacle(&flows[7].second, "sphere:0.52,0.47,0.5,0.26");
  return flows;
}

PetscErrorCode Project(FlowSolver *flow, double step, FaceFields *u, Field *phi) {
  PetscFunctionBeginUser;
  PetscCall(flow->GetProjection().Apply(step, true, u, phi, nullptr, 0));
  flow->Immersed().ZeroClosed(u);
  PetscFunctionReturn(0);
}

double Width(const Grid &grid) {
  double h = 1e300;
  for (int d = 0; d < grid.Dim(); ++d) h = std::min(h, grid.SmallestWidth(d));
  return h;
}

double LargestDifference(const Grid &grid, const FaceFields &u, const FaceFields &v) {
  FaceFields difference = u;
  for (int a = 0; a < grid.Dim(); ++a)
    for (std::size_t q = 0; q < u[a].size(); ++q) difference[a][q] -= v[a][q];
  return LargestVelocity(grid, difference);
}

TEST(Projection, MakesRandomVelocitiesDivergenceFreeInEveryCell) {
  for (const auto &[name, config] : Flows()) {
    SCOPED_TRACE(name);
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    FaceFields u = RandomVelocity(grid, flow.GetBoundaries());
    flow.Immersed().ZeroClosed(&u);
    Field phi = grid.NewField();
    const double before = LargestDivergence(grid, u, flow.Cut().aperture) * Width(grid);
    ASSERT_PETSC_OK(Project(&flow, 0.37, &u, &phi));
    const double after = LargestDivergence(grid, u, flow.Cut().aperture) * Width(grid);
    EXPECT_GT(before, 1);
    EXPECT_LE(after, 10 * kTolerance);
    EXPECT_NEAR(after, flow.GetProjection().ScaledDivergence(), 1e-12);
    EXPECT_GT(LargestVelocity(grid, u), 0.1);
  }
}

TEST(Projection, SubtractsTheGradientOfThePotentialThatItReturns) {
  for (const auto &[name, config] : Flows()) {
    SCOPED_TRACE(name);
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    FaceFields u = RandomVelocity(grid, flow.GetBoundaries());
    flow.Immersed().ZeroClosed(&u);
    const FaceFields before = u;
    Field phi = grid.NewField();
    const double step = 0.37;
    ASSERT_PETSC_OK(Project(&flow, step, &u, &phi));
    double error = 0;
    for (int a = 0; a < grid.Dim(); ++a)
      ForEachUnknown(grid, flow.GetBoundaries(), a, [&](std::ptrdiff_t q, const Int3 &c) {
        if (flow.Cut().aperture[a][q] == 0) return;
        if (!grid.Periodic(a) && (c[a] == 0 || c[a] == grid.Cells().n[a])) return; // balanced outflow faces
        const double gradient = (phi[q] - phi[q - grid.Cells().stride[a]]) / grid.Distance(a, c[a]);
        error = std::max(error, std::abs(u[a][q] - (before[a][q] - step * gradient)));
      });
    EXPECT_LT(Largest(error, grid.Comm()), 1e-12);
  }
}

TEST(Projection, LeavesNothingOfGradientFields) {
  for (const auto &[name, config] : Flows()) {
    if (config.boundaries[0][0].kind == Kind::kInflow) continue; // the inflow is no gradient
    SCOPED_TRACE(name);
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    Field p = grid.NewField(), phi = grid.NewField();
    const Layout &l = grid.Cells();
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { p[l.At(i, j, k)] = RandomAt(grid, 3, {i, j, k}); });
    ASSERT_PETSC_OK(grid.Exchange({&p}));
    FaceFields u = grid.NewFaces();
    for (int a = 0; a < grid.Dim(); ++a)
      ForEachUnknown(grid, flow.GetBoundaries(), a, [&](std::ptrdiff_t q, const Int3 &c) {
        u[a][q] = (p[q] - p[q - l.stride[a]]) / grid.Distance(a, c[a]) * Width(grid);
      });
    flow.Immersed().ZeroClosed(&u);
    Complete(grid, flow.GetBoundaries(), &u);
    ASSERT_GT(LargestVelocity(grid, u), 1);
    ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
    // A divergence of 10 tolerances in all cells of the box can drive no more than this.
    EXPECT_LT(LargestVelocity(grid, u), 10 * kTolerance / Width(grid));
  }
}

TEST(Projection, ProjectingTwiceChangesNothing) {
  for (const auto &[name, config] : Flows()) {
    SCOPED_TRACE(name);
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    FaceFields u = RandomVelocity(grid, flow.GetBoundaries());
    flow.Immersed().ZeroClosed(&u);
    Field phi = grid.NewField();
    ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
    const FaceFields once = u;
    Complete(grid, flow.GetBoundaries(), &u);
    ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
    EXPECT_LT(LargestDifference(grid, u, once), 10 * kTolerance / Width(grid));
  }
}

TEST(Projection, DoesNotTouchDivergenceFreeVelocities) {
  const FlowConfig config = Box({20, 18, 1}, Kind::kNoSlip);
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  const Grid &grid = *flow.GetGrid();
  FaceFields u = SolenoidalVelocity(grid, flow.GetBoundaries());
  const FaceFields before = u;
  Field phi = grid.NewField();
  ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
  EXPECT_EQ(LargestDifference(grid, u, before), 0);
  EXPECT_EQ(flow.GetProjection().Iterations(), 0);
}

/// Mass is conserved to rounding, however coarse the tolerance of the solver.
TEST(Projection, AsMuchLeavesAsEnters) {
  for (const auto &[name, config] : Flows()) {
    if (config.boundaries[0][1].kind != Kind::kOutflow) continue;
    SCOPED_TRACE(name);
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    const Layout &l = grid.Cells();
    FaceFields u = RandomVelocity(grid, flow.GetBoundaries());
    flow.Immersed().ZeroClosed(&u);
    Field phi = grid.NewField();
    ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
    double entering = 0, leaving = 0;
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      if (i == 0) entering += u[0][l.At(0, j, k)] * grid.FaceArea(0, 0, j, k);
      if (i == l.n[0] - 1) leaving += u[0][l.At(i + 1, j, k)] * grid.FaceArea(0, i + 1, j, k);
    });
    EXPECT_NEAR(Sum(entering, grid.Comm()), 1, 1e-13);
    EXPECT_NEAR(Sum(leaving, grid.Comm()), 1, 1e-12);
  }
}

TEST(Projection, ToleranceOnTheCommandLineBoundsTheDivergence) {
  for (const char *rtol : {"1e-4", "1e-9"}) {
    ScopedOption option("-pressure_ksp_rtol", rtol);
    FlowConfig config = Box({22, 19, 1}, Kind::kNoSlip);
    SetObstacle(&config, "cylinder:0.43,0.51,0.17");
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    const Grid &grid = *flow.GetGrid();
    EXPECT_EQ(flow.GetProjection().Tolerance(), std::stod(rtol));
    FaceFields u = RandomVelocity(grid, flow.GetBoundaries());
    flow.Immersed().ZeroClosed(&u);
    Field phi = grid.NewField();
    ASSERT_PETSC_OK(Project(&flow, 1, &u, &phi));
    EXPECT_LE(LargestDivergence(grid, u, flow.Cut().aperture) * Width(grid), 10 * std::stod(rtol));
  }
}

/// Type of the preconditioner after projecting a random velocity.
std::string PreconditionerAfterASolve(const FlowConfig &config) {
  FlowSolver flow;
  EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  FaceFields u = RandomVelocity(*flow.GetGrid(), flow.GetBoundaries());
  flow.Immersed().ZeroClosed(&u);
  Field phi = flow.GetGrid()->NewField();
  EXPECT_PETSC_OK(Project(&flow, 1, &u, &phi));
  EXPECT_LE(flow.GetProjection().ScaledDivergence(), 10 * flow.GetProjection().Tolerance());
  PC pc;
  PCType type;
  EXPECT_PETSC_OK(KSPGetPC(flow.GetProjection().Solver(), &pc));
  EXPECT_PETSC_OK(PCGetType(pc, &type));
  return type;
}

TEST(Projection, NmgServesAllFlows) {
  for (const auto &[name, config] : Flows()) EXPECT_EQ(PreconditionerAfterASolve(config), "nmg") << name;
}

TEST(Projection, AlgebraicMultigridTakesOverWhereNmgIsSlow) {
  ScopedOption weights("-pressure_pc_nmg_weights", "constant"), cycle("-pressure_pc_nmg_cycle", "v"),
      sweeps("-pressure_pc_nmg_sweeps", "1");
  FlowConfig config = Box({100, 90, 1}, Kind::kNoSlip);
  Stretch(&config, 0, 100);
  EXPECT_NE(PreconditionerAfterASolve(config), "nmg");
}

TEST(Projection, OptionsChooseAnotherPreconditioner) {
  const FlowConfig config = Duct({24, 17, 1});
  {
    ScopedOption type("-pressure_pc_type", "jacobi");
    EXPECT_EQ(PreconditionerAfterASolve(config), "jacobi");
  }
  { // one that bears no single precision within
    ScopedOption type("-pressure_ksp_type", "bcgs");
    EXPECT_NE(PreconditionerAfterASolve(config), "nmg");
  }
  FlowConfig duct = Duct({16, 12, 8});
  duct.pressure_pmat_type = MATHYPRESTRUCT;
  ScopedOption type("-pressure_pc_type", "pfmg");
  EXPECT_EQ(PreconditionerAfterASolve(duct), "pfmg");
}

TEST(Projection, RefusesTolerancesThatAreNone) {
  for (const char *rtol : {"0.5", "1e-15"}) {
    ScopedOption option("-pressure_ksp_rtol", rtol);
    FlowSolver flow;
    EXPECT_REFUSED(flow.SetUp(PETSC_COMM_WORLD, Box({8, 8, 1}, Kind::kNoSlip)), "no tolerance");
  }
}

TEST(Projection, RefusesABoxWithoutFluid) {
  FlowConfig config = Box({8, 8, 1}, Kind::kNoSlip);
  SetObstacle(&config, "box:-1,-1,2,2");
  FlowSolver flow;
  EXPECT_REFUSED(flow.SetUp(PETSC_COMM_WORLD, config), "leave no fluid");
}

} // namespace
