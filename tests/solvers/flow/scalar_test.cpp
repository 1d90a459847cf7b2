#include "solvers/flow/scalar_transport.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

/// Smallest and largest value in the fluid.
std::pair<double, double> Range(const FlowSolver &flow, std::size_t n) {
  const Grid &grid = *flow.GetGrid();
  double low = 1e300, high = -1e300;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = grid.Cells().At(i, j, k);
    if (flow.Solid()[q] != 0) return;
    low = std::min(low, flow.Scalar(n)[q]), high = std::max(high, flow.Scalar(n)[q]);
  });
  return {-Largest(-low, grid.Comm()), Largest(high, grid.Comm())};
}

double Total(const FlowSolver &flow, std::size_t n) {
  double total = 0;
  EXPECT_PETSC_OK(flow.Transport(n).Total(flow.Scalar(n), &total));
  return total;
}

/// Mean |difference| to an exact solution.
double MeanError(const FlowSolver &flow, const std::function<double(const Real3 &)> &exact) {
  const Grid &grid = *flow.GetGrid();
  double sum = 0, volume = 0;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const Real3 x{grid.Centre(0, i), grid.Centre(1, j), grid.Centre(2, k)};
    sum += std::abs(flow.Scalar(0)[grid.Cells().At(i, j, k)] - exact(x)) * grid.Volume(i, j, k);
    volume += grid.Volume(i, j, k);
  });
  return Sum(sum, grid.Comm()) / Sum(volume, grid.Comm());
}

/// A closed box with a sphere (2D: disk) inside, stirred, that holds sharp-edged scalars between 0 and 1.
FlowConfig Stirred(Int3 cells, bool crank_nicolson) {
  FlowConfig config = Box(cells, Kind::kNoSlip);
  config.viscosity = 0.002;
  config.cfl = 0.5;
  config.crank_nicolson = crank_nicolson;
  SetObstacle(&config, cells[2] == 1 ? "cylinder:0.53,0.46,0.2" : "sphere:0.53,0.46,0.52,0.2");
  config.initial_velocity = [](int axis, const Real3 &x) {
    const double turn = axis == 0 ? 0.5 - x[1] : axis == 1 ? x[0] - 0.5 : 0.4 * std::sin(6 * x[0] + 2 * x[1]);
    return 2 * turn;
  };
  config.scalars = {Scalar("smoke", 0), Scalar("temperature", 0.01)};
  config.scalars[0].initial = [](const Real3 &x) { return x[0] > 0.3 && x[0] < 0.8 && x[1] < 0.5 ? 1.0 : 0.0; };
  config.scalars[1].initial = config.scalars[0].initial;
  return config;
}

TEST(Scalar, TotalInAClosedBoxIsConservedAndValuesStayBounded) {
  for (const Int3 &cells : {Int3{24, 22, 1}, Int3{13, 12, 14}})
    for (bool crank_nicolson : {false, true}) {
      SCOPED_TRACE(testing::Message() << cells[2] << " cells high, Crank-Nicolson " << crank_nicolson);
      // What divergence is left compresses the scalar: bounds hold as closely as it vanishes.
      ScopedOption tight("-scalar_ksp_rtol", "1e-13"), divergence("-pressure_ksp_rtol", "1e-9");
      FlowSolver flow;
      ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, Stirred(cells, crank_nicolson)));
      ASSERT_PETSC_OK(flow.Initialise());
      const double start[2] = {Total(flow, 0), Total(flow, 1)};
      ASSERT_GT(start[0], 0.1);
      for (int n = 0; n < 20; ++n) {
        double dt;
        ASSERT_PETSC_OK(flow.StableStep(&dt));
        ASSERT_PETSC_OK(flow.Step(dt));
        for (std::size_t s = 0; s < 2; ++s) {
          const auto [low, high] = Range(flow, s);
          EXPECT_GE(low, -1e-7);
          EXPECT_LE(high, 1 + 1e-7);
        }
      }
      EXPECT_NEAR(Total(flow, 0), start[0], 1e-13 * start[0]);
      EXPECT_NEAR(Total(flow, 1), start[1], (crank_nicolson ? 1e-11 : 1e-13) * start[1]);
      // It did move, and the one that diffuses has smoother extremes.
      EXPECT_LT(Range(flow, 1).second, 0.999);
      EXPECT_GT(flow.Time(), 0.2);
    }
}

TEST(Scalar, TranslatesSmoothProfilesWithSecondOrder) {
  const auto profile = [](double x, double y) { return std::sin(2 * M_PI * x) * std::cos(2 * M_PI * y); };
  const auto error = [&](PetscInt n) {
    FlowConfig config = Box({n, n, 1}, Kind::kPeriodic);
    config.viscosity = 0;
    config.initial_velocity = [](int axis, const Real3 &) { return axis == 0 ? 1.0 : 0.5; };
    config.scalars = {Scalar("smoke", 0)};
    config.scalars[0].initial = [&](const Real3 &x) { return profile(x[0], x[1]); };
    FlowSolver flow;
    EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    EXPECT_PETSC_OK(flow.Initialise());
    const double end = 0.3;
    Advance(&flow, end / n, n);
    return MeanError(flow, [&](const Real3 &x) { return profile(x[0] - end, x[1] - 0.5 * end); });
  };
  const double coarse = error(32), fine = error(64);
  EXPECT_LT(fine, 0.005);
  EXPECT_GT(Order(coarse, fine), 1.8);
}

/// Diffusion of a cosine in a box without flux, whose decay is known.
double DiffusionError(MPI_Comm comm, PetscInt n, double dt, bool crank_nicolson, double stretch) {
  const double diffusivity = 0.05, end = 0.4;
  FlowConfig config = Box({n, n, 1}, Kind::kNoSlip);
  if (stretch > 1) Stretch(&config, 0, stretch);
  config.crank_nicolson = crank_nicolson;
  const auto mode = [](const Real3 &x) { return std::cos(M_PI * x[0]) * std::cos(2 * M_PI * x[1]); };
  config.scalars = {Scalar("temperature", diffusivity)};
  config.scalars[0].initial = mode;
  FlowSolver flow;
  EXPECT_PETSC_OK(flow.SetUp(comm, config));
  EXPECT_PETSC_OK(flow.Initialise());
  Advance(&flow, dt, int(std::lround(end / dt)));
  const double decay = std::exp(-5 * M_PI * M_PI * diffusivity * end);
  return MeanError(flow, [&](const Real3 &x) { return decay * mode(x); });
}

TEST(Scalar, CosinesDecayAsTheyShouldWithSecondOrder) {
  // The ranks share the four cases; what several ranks do together is the same, below.
  for (int n = Rank(); n < 4; n += Ranks()) {
    const bool crank_nicolson = n % 2;
    const double stretch = n / 2 ? 3 : 1;
    SCOPED_TRACE(testing::Message() << "stretching " << stretch << ", Crank-Nicolson " << crank_nicolson);
    const double coarse = DiffusionError(PETSC_COMM_SELF, 16, 0.02, crank_nicolson, stretch);
    const double fine = DiffusionError(PETSC_COMM_SELF, 32, crank_nicolson ? 0.01 : 0.002, crank_nicolson, stretch);
    EXPECT_LT(fine, 5e-4);
    EXPECT_GT(Order(coarse, fine), 1.9);
  }
  for (bool crank_nicolson : {false, true}) {
    const double alone = DiffusionError(PETSC_COMM_SELF, 16, 0.02, crank_nicolson, 3);
    EXPECT_NEAR(DiffusionError(PETSC_COMM_WORLD, 16, 0.02, crank_nicolson, 3), alone, 1e-7);
  }
}

TEST(Scalar, CrankNicolsonDiffusionIsSecondOrderInTime) {
  // The difference between time steps on one grid; the error of the grid drops out.
  const double dt = 0.05;
  const auto solve = [&](int refine) {
    FlowConfig config = Box({16, 16, 1}, Kind::kNoSlip);
    config.crank_nicolson = true;
    config.scalars = {Scalar("temperature", 0.05)};
    config.scalars[0].initial = [](const Real3 &x) { return std::cos(M_PI * x[0]) * std::cos(3 * M_PI * x[1]); };
    FlowSolver flow;
    EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    EXPECT_PETSC_OK(flow.Initialise());
    Advance(&flow, dt / refine, 8 * refine);
    return MeanError(flow, [](const Real3 &) { return 0.0; });
  };
  const double a = solve(1), b = solve(2), c = solve(4);
  EXPECT_NEAR(Order(std::abs(a - b), std::abs(b - c)), 2, 0.1);
}

TEST(Scalar, ConductionBetweenWallsOfGivenValuesIsLinear) {
  FlowConfig config = Box({9, 12, 1}, Kind::kNoSlip);
  Stretch(&config, 1, 3);
  config.crank_nicolson = true;
  ScopedOption tight("-scalar_ksp_rtol", "1e-12");
  config.scalars = {Scalar("temperature", 1)};
  config.scalars[0].boundary_value[1] = {1, 3};
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  ASSERT_PETSC_OK(flow.Initialise());
  Advance(&flow, 0.02, 120);
  EXPECT_LT(MeanError(flow, [](const Real3 &x) { return 1 + 2 * x[1]; }), 1e-9);
}

TEST(Scalar, SourcesAreHeld) {
  for (bool crank_nicolson : {false, true}) {
    FlowConfig config = Stirred({16, 15, 1}, crank_nicolson);
    for (ScalarConfig &scalar : config.scalars) {
      scalar.initial = nullptr;
      scalar.source = [](const Real3 &x) { return std::hypot(x[0] - 0.2, x[1] - 0.2) < 0.12 ? 0.75 : std::nan(""); };
    }
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    ASSERT_PETSC_OK(flow.Initialise());
    const Grid &grid = *flow.GetGrid();
    const double start = Total(flow, 0);
    for (int n = 0; n < 10; ++n) {
      double dt;
      ASSERT_PETSC_OK(flow.StableStep(&dt));
      ASSERT_PETSC_OK(flow.Step(dt));
      double held = 0;
      ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
        if (std::hypot(grid.Centre(0, i) - 0.2, grid.Centre(1, j) - 0.2) >= 0.12) return;
        held += 1;
        for (std::size_t s = 0; s < 2; ++s) EXPECT_EQ(flow.Scalar(s)[grid.Cells().At(i, j, k)], 0.75);
      });
      EXPECT_GT(Sum(held, grid.Comm()), 5);
    }
    EXPECT_GT(Total(flow, 0), 1.2 * start) << "nothing flows out of the source";
    EXPECT_LE(Range(flow, 0).second, 0.75 + 1e-6);
  }
}

TEST(Scalar, WarmFluidRisesAndColdFluidFalls) {
  for (double sign : {1.0, -1.0}) {
    FlowConfig config = Box({16, 20, 1}, Kind::kNoSlip);
    config.viscosity = 0.01;
    config.scalars = {Scalar("temperature", 0)};
    config.scalars[0].buoyancy = 2;
    config.scalars[0].initial = [sign](const Real3 &x) {
      return sign * std::exp(-50 * (std::pow(x[0] - 0.5, 2) + std::pow(x[1] - 0.5, 2)));
    };
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    ASSERT_PETSC_OK(flow.Initialise());
    Advance(&flow, 0.01, 10);
    const Grid &grid = *flow.GetGrid();
    double lift = 0, height = 0;
    ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t q = grid.Cells().At(i, j, k);
      lift += flow.Velocity()[1][q] * flow.Scalar(0)[q] * grid.Volume(i, j, k);
      height += (grid.Centre(1, j) - 0.5) * flow.Scalar(0)[q] * grid.Volume(i, j, k);
    });
    EXPECT_GT(Sum(lift, grid.Comm()), 1e-4); // warm (positive) goes up, cold (negative) down
    EXPECT_GT(Sum(height, grid.Comm()), 1e-5);
  }
}

TEST(Scalar, LevelStratificationStaysAtRest) {
  FlowConfig config = Box({12, 14, 1}, Kind::kNoSlip);
  config.scalars = {Scalar("temperature", 0)};
  config.scalars[0].buoyancy = 3;
  config.scalars[0].initial = [](const Real3 &x) { return x[1] * x[1]; };
  ScopedOption tight("-pressure_ksp_rtol", "1e-10");
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  ASSERT_PETSC_OK(flow.Initialise());
  Advance(&flow, 0.05, 4);
  EXPECT_LT(LargestVelocity(*flow.GetGrid(), flow.Velocity()), 1e-8);
}

} // namespace
