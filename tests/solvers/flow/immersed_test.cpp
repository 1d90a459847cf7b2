#include "solvers/flow/immersed.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

/// Steps of the largest stable size, or of `dt`, until `end`.
double March(FlowSolver *flow, double end, double dt = 0) {
  double stable;
  EXPECT_PETSC_OK(flow->StableStep(&stable));
  if (dt == 0) dt = stable;
  const int steps = int(std::ceil(end / dt));
  for (int n = 0; n < steps; ++n)
    if (flow->Step(end / steps)) {
      ADD_FAILURE() << TakePetscError();
      break;
    }
  return end / steps;
}

FlowConfig Periodic(Int3 cells, double viscosity) {
  FlowConfig config = Box(cells, Kind::kPeriodic);
  config.viscosity = viscosity;
  return config;
}

// Plane Poiseuille flow between two boxes, driven by a body force.
constexpr double kForce = 0.8, kViscosity = 0.1;

FlowConfig Plates(double lower, double upper, bool crank_nicolson) {
  FlowConfig config = Periodic({4, 16, 1}, kViscosity);
  SetSides(&config, 1, Kind::kNoSlip, Kind::kNoSlip);
  config.grid.upper = {0.25, 1, 1};
  config.body_force = {kForce, 0, 0};
  config.crank_nicolson = crank_nicolson;
  SetObstacle(&config, "box:-1,-1,2," + std::to_string(lower) + "; box:-1," + std::to_string(upper) + ",2,2");
  return config;
}

/// Lets the flow between the plates come to its steady state, which is exact in the middle of every open face.
void ExpectPoiseuilleFlow(MPI_Comm comm, double lower, double upper, bool crank_nicolson) {
  SCOPED_TRACE(testing::Message() << lower << " to " << upper << ", Crank-Nicolson " << crank_nicolson);
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(comm, Plates(lower, upper, crank_nicolson)));
  ASSERT_PETSC_OK(flow.Initialise());
  const Grid &grid = *flow.GetGrid();
  const double dt = March(&flow, 12);
  const double peak = kForce * (upper - lower) * (upper - lower) / (8 * kViscosity);
  double error = 0, across = 0, open = 0;
  ForEachFace(grid, 0, [&](std::ptrdiff_t q, const Int3 &c) {
    double y = grid.Centre(1, c[1]);
    // The value of a face whose centre is covered belongs to the middle of its open part.
    if (y < lower || y > upper)
      y = 0.5 * (std::max(grid.Face(1, c[1]), lower) + std::min(grid.Face(1, c[1] + 1), upper));
    const bool closed = flow.Cut().aperture[0][q] == 0;
    const double exact = closed ? 0 : kForce / (2 * kViscosity) * (y - lower) * (upper - y);
    open += !closed;
    error = std::max(error, std::abs(flow.Velocity()[0][q] - exact));
  });
  ForEachFace(grid, 1,
              [&](std::ptrdiff_t q, const Int3 &) { across = std::max(across, std::abs(flow.Velocity()[1][q])); });
  EXPECT_EQ(Sum(open, comm), 4 * 12);
  EXPECT_LT(Largest(error, comm), 1e-9 * peak);
  EXPECT_LT(Largest(across, comm), 1e-9 * peak);
  // The body force acts as the gradient of a pressure would, on the volume of the obstacles too.
  Real3 force;
  ASSERT_PETSC_OK(flow.Immersed().Force(dt, &force));
  EXPECT_NEAR(force[0], kForce * 0.25, 1e-9);
  EXPECT_NEAR(force[1], 0, 1e-9);
}

TEST(Immersed, PlanePoiseuilleFlowBetweenCuttingPlatesIsExact) {
  // The plates leave of the cells they cut 60 % and 60 %, 26 % and 17 %, 74 % and 94 %, 5 % and 97 %.
  const std::pair<double, double> positions[] = {{0.15, 0.85}, {0.171, 0.823}, {0.141, 0.871}, {0.1844, 0.8732}};
  for (int n = Rank(); n < 8; n += Ranks())
    ExpectPoiseuilleFlow(PETSC_COMM_SELF, positions[n / 2].first, positions[n / 2].second, n % 2);
  ExpectPoiseuilleFlow(PETSC_COMM_WORLD, positions[1].first, positions[1].second, true);
}

/// Mean velocity along x over the whole box, solids included.
double Flux(const FlowSolver &flow) {
  const Grid &grid = *flow.GetGrid();
  double sum = 0;
  ForEachFace(grid, 0,
              [&](std::ptrdiff_t q, const Int3 &) { sum += flow.Cut().aperture[0][q] * flow.Velocity()[0][q]; });
  return Sum(sum, grid.Comm()) / grid.GlobalCells();
}

/// Slow flow through a square array of cylinders that take `fraction` of the volume.
FlowConfig Array(PetscInt cells, double fraction, double x, double y) {
  FlowConfig config = Periodic({cells, cells, 1}, 1);
  config.velocity = 0.02;
  config.body_force = {1, 0, 0};
  const double radius = std::sqrt(fraction / M_PI);
  SetObstacle(&config, "cylinder:" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(radius));
  return config;
}

/// Steady resistance 1/U, U being the mean velocity over the box, and the force on the cylinder.
struct Steady {
  double resistance = 0, force[2] = {};
};

/// Explicit viscosity where dt is 0, else Crank-Nicolson.
Steady Settle(FlowConfig config, double dt) {
  ScopedOption tight("-pressure_ksp_rtol", "1e-8");
  config.crank_nicolson = dt > 0;
  FlowSolver flow;
  EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_SELF, config));
  EXPECT_PETSC_OK(flow.Initialise());
  dt = March(&flow, 0.5, dt);
  Real3 force;
  EXPECT_PETSC_OK(flow.Immersed().Force(dt, &force));
  return {1 / Flux(flow), {force[0], force[1]}};
}

/// Shares `count` runs out over the ranks and hands all ranks all results, each being `Numbers` of doubles.
template <class Result> std::vector<Result> ShareOut(int count, const std::function<Result(int)> &run) {
  constexpr int kNumbers = sizeof(Result) / sizeof(double);
  std::vector<Result> results(count);
  for (int n = Rank(); n < count; n += Ranks()) results[n] = run(n);
  MPI_Allreduce(MPI_IN_PLACE, results.data(), kNumbers * count, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return results;
}

/// Sangani & Acrivos, Int. J. Multiphase Flow 8 (1982): drag 51.53 at a volume fraction of 0.2.
TEST(Immersed, CylinderArraysResistAsTheyShouldWithSecondOrder) {
  const std::vector<Steady> runs =
      ShareOut<Steady>(4, [](int n) { return Settle(Array(n < 2 ? 32 : 16, 0.2, n % 2 ? 0.513 : 0.5, 0.5), 2e-3); });
  for (int n = 0; n < 2; ++n) {
    const double fine = std::abs(runs[n].resistance / 51.53 - 1), coarse = std::abs(runs[n + 2].resistance / 51.53 - 1);
    EXPECT_LT(coarse, 0.02);
    EXPECT_LT(fine, 0.004);
    EXPECT_GT(Order(coarse, fine), 1.8);
  }
  for (const Steady &run : runs) {
    EXPECT_NEAR(run.force[0], 1, 1e-5);
    EXPECT_NEAR(run.force[1], 0, 1e-5);
  }
}

TEST(Immersed, ExplicitAndCrankNicolsonViscosityAgreeInTheSteadyState) {
  const std::vector<Steady> runs =
      ShareOut<Steady>(2, [](int n) { return Settle(Array(16, 0.2, 0.513, 0.481), n * 2e-3); });
  EXPECT_NEAR(runs[1].resistance / runs[0].resistance, 1, 2e-6);
  for (int d = 0; d < 2; ++d) EXPECT_NEAR(runs[1].force[d], runs[0].force[d], 2e-5);
}

/// Drag and lift on a cylinder, and the largest velocity, a while after a start from uniform flow at
/// Reynolds number 50 (not at once: the start itself is singular). In a
/// periodic box none of them may depend on where between the grid lines the cylinder is.
struct Start {
  double drag = 0, lift = 0, fastest = 0;
};

Start StartFrom(MPI_Comm comm, PetscInt cells, double shift, bool crank_nicolson) {
  FlowConfig config = Periodic({cells, cells, 1}, 0.01);
  const double x = 0.5 + shift / cells, y = 0.5 + 0.37 * shift / cells;
  SetObstacle(&config, "cylinder:" + std::to_string(x) + "," + std::to_string(y) + ",0.251");
  config.initial_velocity = [](int axis, const Real3 &) { return axis == 0 ? 1.0 : 0.0; };
  config.crank_nicolson = crank_nicolson;
  FlowSolver flow;
  EXPECT_PETSC_OK(flow.SetUp(comm, config));
  EXPECT_PETSC_OK(flow.Initialise());
  double dt;
  EXPECT_PETSC_OK(flow.StableStep(&dt));
  dt = March(&flow, 0.4, dt);
  Real3 force;
  EXPECT_PETSC_OK(flow.Immersed().Force(dt, &force));
  return {force[0], force[1], LargestVelocity(*flow.GetGrid(), flow.Velocity())};
}

/// Range of the drag, and its largest change from one position to the next, over the mean drag.
std::pair<double, double> Unsteadiness(const std::vector<Start> &starts) {
  double lowest = 1e300, highest = -1e300, jump = 0;
  for (std::size_t p = 0; p < starts.size(); ++p) {
    lowest = std::min(lowest, starts[p].drag), highest = std::max(highest, starts[p].drag);
    if (p > 0) jump = std::max(jump, std::abs(starts[p].drag - starts[p - 1].drag));
  }
  const double mean = 0.5 * (lowest + highest);
  return {(highest - lowest) / mean, jump / mean};
}

TEST(Immersed, ForceVariesSmoothlyAsACylinderMovesThroughACell) {
  for (bool crank_nicolson : {false, true}) {
    SCOPED_TRACE(crank_nicolson);
    const auto sweep = [&](PetscInt cells) {
      return ShareOut<Start>(20, [&](int n) { return StartFrom(PETSC_COMM_SELF, cells, n / 20.0, crank_nicolson); });
    };
    const std::vector<Start> coarse = sweep(16), fine = sweep(32);
    for (const Start &start : fine) {
      EXPECT_LT(start.fastest, 1.4); // no sliver accelerates its fluid
      EXPECT_NEAR(start.drag, 0.2665, 0.002);
      EXPECT_NEAR(start.lift, 0, 0.005);
    }
    const auto [range, jump] = Unsteadiness(fine);
    EXPECT_LT(range, 0.01);
    EXPECT_LT(jump, 0.005);
    EXPECT_LT(range, Unsteadiness(coarse).first / 3);
  }
}

TEST(Immersed, SliversAroundASphereDoNotDisturbTheFlow) {
  const std::vector<Start> starts = ShareOut<Start>(8, [](int n) {
    FlowConfig config = Periodic({12, 12, 12}, 0.01);
    std::string centre;
    for (double factor : {1.0, 0.37, 0.71}) centre += std::to_string(0.5 + factor * n / 8 / 12) + ",";
    SetObstacle(&config, "sphere:" + centre + "0.301");
    config.initial_velocity = [](int axis, const Real3 &) { return axis == 0 ? 1.0 : 0.0; };
    FlowSolver flow;
    EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_SELF, config));
    EXPECT_PETSC_OK(flow.Initialise());
    const double dt = March(&flow, 0.4);
    Real3 force;
    EXPECT_PETSC_OK(flow.Immersed().Force(dt, &force));
    return Start{force[0], std::hypot(force[1], force[2]), LargestVelocity(*flow.GetGrid(), flow.Velocity())};
  });
  for (const Start &start : starts) EXPECT_LT(start.fastest, 1.4);
  EXPECT_LT(Unsteadiness(starts).first, 0.03);
}

/// What pressure alone can balance moves nothing in the end, in cut cells either, and exerts no force.
TEST(Immersed, BodyForceInAClosedBoxIsBalancedByPressure) {
  for (bool crank_nicolson : {false, true}) {
    FlowConfig config = Box({15, 14, 1}, Kind::kNoSlip);
    config.viscosity = 0.1;
    config.body_force = {0.3, -1, 0};
    config.crank_nicolson = crank_nicolson;
    SetObstacle(&config, "cylinder:0.47,0.52,0.23; box:0.1,0.1,0.27,0.33");
    ScopedOption tight("-pressure_ksp_rtol", "1e-10");
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    ASSERT_PETSC_OK(flow.Initialise());
    // The start is not silent: friction in cut cells acts before the pressure has built up.
    Advance(&flow, 0.01, 75);
    EXPECT_LT(LargestVelocity(*flow.GetGrid(), flow.Velocity()), 1e-7);
    Real3 force;
    ASSERT_PETSC_OK(flow.Immersed().Force(0.01, &force));
    for (int d = 0; d < 2; ++d) EXPECT_NEAR(force[d], 0, 1e-7);
  }
}

TEST(Immersed, RefusesObstaclesOnStretchedGrids) {
  FlowConfig config = Box({12, 12, 1}, Kind::kNoSlip);
  Stretch(&config, 0, 3);
  SetObstacle(&config, "cylinder:0.5,0.5,0.2");
  FlowSolver flow;
  EXPECT_REFUSED(flow.SetUp(PETSC_COMM_WORLD, config), "uniform grid");
}

TEST(Immersed, ThereIsNoForceWithoutObstacles) {
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, Box({8, 8, 1}, Kind::kPeriodic)));
  ASSERT_PETSC_OK(flow.Initialise());
  Advance(&flow, 0.01, 1);
  Real3 force{1, 1, 1};
  ASSERT_PETSC_OK(flow.Immersed().Force(0.01, &force));
  for (double f : force) EXPECT_EQ(f, 0);
  EXPECT_TRUE(flow.Immersed().Empty());
}

} // namespace
