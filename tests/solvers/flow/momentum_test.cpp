#include "solvers/flow/momentum.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

struct Parts {
  FlowSolver flow;
  Momentum momentum;
  const Grid &TheGrid() const { return *flow.GetGrid(); }
};

void Prepare(Parts *parts, FlowConfig config, Advection advection) {
  config.advection = advection;
  ASSERT_PETSC_OK(parts->flow.SetUp(PETSC_COMM_WORLD, config));
  parts->momentum.SetUp(parts->flow.GetGrid(), &parts->flow.GetBoundaries(), advection);
}

/// What advection does to the kinetic energy of u, and the sum of the magnitudes that cancel in it.
struct Work {
  double net = 0, gross = 0;
};

Work AdvectionWork(const Parts &parts, const FaceFields &u) {
  const Grid &grid = parts.TheGrid();
  FaceFields n = grid.NewFaces();
  EXPECT_PETSC_OK(parts.momentum.Tendency(0, u, &n));
  if (!parts.flow.Immersed().Empty()) parts.flow.Immersed().FixAdvection(u, FaceFields(), &n);
  Work work;
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachUnknown(grid, parts.flow.GetBoundaries(), a, [&](std::ptrdiff_t q, const Int3 &c) {
      const double power = FaceVolume(grid, a, c) * u[a][q] * n[a][q];
      work.net += power;
      work.gross += std::abs(power);
    });
  return {Sum(work.net, grid.Comm()), Sum(work.gross, grid.Comm())};
}

FlowConfig Mixed(Int3 cells) {
  FlowConfig config = Box(cells, Kind::kNoSlip);
  SetSides(&config, 0, Kind::kPeriodic, Kind::kPeriodic);
  SetSides(&config, 1, Kind::kSlip, Kind::kNoSlip);
  return config;
}

std::vector<std::pair<const char *, FlowConfig>> Boxes() {
  std::vector<std::pair<const char *, FlowConfig>> boxes = {
      {"2D periodic", Box({14, 11, 1}, Kind::kPeriodic)},
      {"2D walls", Box({13, 12, 1}, Kind::kNoSlip)},
      {"2D slip", Box({13, 12, 1}, Kind::kSlip)},
      {"2D mixed", Mixed({12, 10, 1})},
      {"3D periodic", Box({9, 8, 7}, Kind::kPeriodic)},
      {"3D walls", Box({8, 9, 7}, Kind::kNoSlip)},
      {"3D mixed", Mixed({8, 9, 10})},
      {"2D stretched walls", Box({13, 12, 1}, Kind::kNoSlip)},
      {"2D stretched periodic", Box({14, 11, 1}, Kind::kPeriodic)},
      {"3D stretched mixed", Mixed({8, 9, 10})}};
  for (auto &box : boxes)
    if (std::string(box.first).find("stretched") != std::string::npos)
      for (int d = 0; d < (box.second.grid.cells[2] == 1 ? 2 : 3); ++d) Stretch(&box.second, d, 3 + 2 * d);
  return boxes;
}

TEST(Momentum, CentralAdvectionNeitherCreatesNorDestroysKineticEnergy) {
  for (const auto &box : Boxes()) {
    SCOPED_TRACE(box.first);
    Parts parts;
    Prepare(&parts, box.second, Advection::kCentral);
    const FaceFields u = SolenoidalVelocity(parts.TheGrid(), parts.flow.GetBoundaries());
    ASSERT_LT(LargestDivergence(parts.TheGrid(), u, parts.flow.Cut().aperture), 1e-11);
    const Work work = AdvectionWork(parts, u);
    EXPECT_GT(work.gross, 0.01);
    EXPECT_LE(std::abs(work.net), 1e-13 * work.gross);
  }
}

TEST(Momentum, CentralAdvectionConservesEnergyAroundObstaclesToo) {
  for (const char *obstacle : {"cylinder:0.52,0.47,0.21", "box:0.313,0.257,0.644,0.809", "cylinder:0.1,0.9,0.3"}) {
    SCOPED_TRACE(obstacle);
    for (Kind kind : {Kind::kPeriodic, Kind::kNoSlip}) {
      FlowConfig config = Box({17, 14, 1}, kind);
      SetObstacle(&config, obstacle);
      Parts parts;
      Prepare(&parts, config, Advection::kCentral);
      const FaceFields &aperture = parts.flow.Cut().aperture;
      const FaceFields u = SolenoidalVelocity(parts.TheGrid(), parts.flow.GetBoundaries(), &aperture);
      ASSERT_GT(Sum(parts.flow.Immersed().IrregularFaces(), PETSC_COMM_WORLD), 10);
      ASSERT_LT(LargestDivergence(parts.TheGrid(), u, aperture), 1e-11);
      const Work work = AdvectionWork(parts, u);
      EXPECT_GT(work.gross, 0.01);
      EXPECT_LE(std::abs(work.net), 1e-13 * work.gross);
    }
  }
}

TEST(Momentum, UpwindAdvectionDissipates) {
  for (const auto &box : Boxes()) {
    SCOPED_TRACE(box.first);
    Parts parts;
    Prepare(&parts, box.second, Advection::kUpwind);
    const FaceFields u = SolenoidalVelocity(parts.TheGrid(), parts.flow.GetBoundaries());
    const Work work = AdvectionWork(parts, u);
    EXPECT_LT(work.net, -1e-3 * work.gross);
  }
}

TEST(Momentum, UniformFlowHasNoTendency) {
  for (Advection advection : {Advection::kCentral, Advection::kUpwind})
    for (double stretch : {1.0, 4.0})
      for (PetscInt nz : {1, 8}) {
        FlowConfig config = Box({10, 9, nz}, Kind::kPeriodic);
        if (stretch > 1)
          for (int d = 0; d < (nz == 1 ? 2 : 3); ++d) Stretch(&config, d, stretch);
        Parts parts;
        Prepare(&parts, config, advection);
        const Grid &grid = parts.TheGrid();
        FaceFields u = grid.NewFaces(), n = grid.NewFaces();
        for (int a = 0; a < grid.Dim(); ++a) std::fill(u[a].begin(), u[a].end(), 0.7 - a);
        Complete(grid, parts.flow.GetBoundaries(), &u);
        ASSERT_PETSC_OK(parts.momentum.Tendency(0.3, u, &n));
        EXPECT_LT(LargestVelocity(grid, n), 1e-13);
      }
}

/// Largest error of the discrete Laplacian of u_a = x_d² (all components alike) on faces at least two cells away from
/// the ends, the operands being exact there.
double QuadraticError(const FlowConfig &config, int component, int direction) {
  Parts parts;
  Prepare(&parts, config, Advection::kCentral);
  const Grid &grid = parts.TheGrid();
  const Layout &l = grid.Cells();
  FaceFields u = grid.NewFaces(), n = grid.NewFaces();
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachFace(grid, a, [&](std::ptrdiff_t q, const Int3 &c) {
      const Real3 x = FaceCentre(grid, a, c);
      u[a][q] = x[direction] * x[direction] + 3 * x[0] - 2 * x[1] + 1;
    });
  Complete(grid, parts.flow.GetBoundaries(), &u);
  EXPECT_PETSC_OK(parts.momentum.Laplacian(0.5, u, &n));
  double error = 0;
  ForEachUnknown(grid, parts.flow.GetBoundaries(), component, [&](std::ptrdiff_t q, const Int3 &c) {
    for (int d = 0; d < grid.Dim(); ++d)
      if (c[d] < 2 || c[d] > l.n[d] - 2) return;
    error = std::max(error, std::abs(n[component][q] - 0.5 * 2));
  });
  return Largest(error, grid.Comm());
}

TEST(Momentum, LaplacianIsExactForQuadraticsOnUniformGrids) {
  for (PetscInt nz : {1, 9})
    for (int a = 0; a < (nz == 1 ? 2 : 3); ++a)
      for (int d = 0; d < (nz == 1 ? 2 : 3); ++d)
        EXPECT_LT(QuadraticError(Box({12, 11, nz}, Kind::kNoSlip), a, d), 1e-10) << a << " along " << d;
}

TEST(Momentum, LaplacianOnStretchedGridsIsExactAlongAComponentAndSecondOrderAcross) {
  const auto error = [](PetscInt cells, int a, int d) {
    FlowConfig config = Box({cells, cells, 1}, Kind::kNoSlip);
    Stretch(&config, 0, 5);
    Stretch(&config, 1, 3);
    return QuadraticError(config, a, d);
  };
  for (int a = 0; a < 2; ++a) {
    EXPECT_LT(error(16, a, a), 1e-10);
    // Between cell centres the symmetric (energy-stable) form is not exact; its error falls with smooth stretching.
    const double coarse = error(16, a, 1 - a), fine = error(32, a, 1 - a);
    EXPECT_GT(coarse, 1e-4);
    EXPECT_GT(Order(coarse, fine), 1.8);
  }
}

/// A wall that moves with the linear flow next to it exerts no net viscous force on the cells at it.
TEST(Momentum, LaplacianOfLinearShearVanishesUpToTheWalls) {
  FlowConfig config = Box({10, 9, 1}, Kind::kNoSlip);
  SetSides(&config, 0, Kind::kPeriodic, Kind::kPeriodic);
  config.boundaries[1][1].velocity = {1, 0, 0};
  for (double ratio : {1.0, 4.0}) {
    if (ratio > 1) Stretch(&config, 1, ratio);
    Parts parts;
    Prepare(&parts, config, Advection::kCentral);
    const Grid &grid = parts.TheGrid();
    FaceFields u = grid.NewFaces(), n = grid.NewFaces();
    ForEachFace(grid, 0, [&](std::ptrdiff_t q, const Int3 &c) { u[0][q] = grid.Centre(1, c[1]); });
    Complete(grid, parts.flow.GetBoundaries(), &u);
    ASSERT_PETSC_OK(parts.momentum.Tendency(1, u, &n));
    EXPECT_LT(LargestVelocity(grid, n), 1e-11);
  }
}

} // namespace
