#include "solvers/flow/diagnostics.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

/// Gives velocity and pressure linear values everywhere (solids too; nothing may read those).
double Linear(int component, const Real3 &x) {
  return 1 + component + (2 - component) * x[0] - 3 * x[1] + component * x[2];
}

void SetLinear(FlowSolver *flow) {
  const Grid &grid = *flow->GetGrid();
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachFace(grid, a,
                [&](std::ptrdiff_t q, const Int3 &c) { flow->Velocity()[a][q] = Linear(a, FaceCentre(grid, a, c)); });
  ASSERT_PETSC_OK(grid.Exchange(flow->Velocity()));
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = grid.Cells().At(i, j, k);
    flow->Pressure()[q] = Linear(3, {grid.Centre(0, i), grid.Centre(1, j), grid.Centre(2, k)});
    if (flow->Cut().volume[q] == 0)
      for (int a = 0; a < grid.Dim(); ++a) flow->Velocity()[a][q] = flow->Pressure()[q] = 1e6;
  });
}

TEST(Probe, ReproducesLinearFieldsExactly) {
  FlowConfig flat = Box({17, 16, 1}, Kind::kNoSlip), box = Box({9, 8, 10}, Kind::kNoSlip), stretched = flat;
  Stretch(&stretched, 0, 3);
  for (const FlowConfig &config : {flat, stretched, box}) {
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    SetLinear(&flow);
    const int dim = flow.GetGrid()->Dim();
    // Inside, on cell boundaries, next to a wall, in a corner.
    for (Real3 x : {Real3{0.413, 0.377, 0.591}, Real3{0.5, 0.5, 0.5}, Real3{0.001, 0.7, 0.3}, Real3{1, 1, 1}}) {
      if (dim == 2) x[2] = flow.GetGrid()->Centre(2, 0);
      std::array<double, 4> values;
      ASSERT_PETSC_OK(Probe(flow, x, &values));
      for (int a = 0; a < 4; ++a) {
        const double exact = a < dim || a == 3 ? Linear(a, x) : 0;
        EXPECT_NEAR(values[a], exact, 1e-7) << "component " << a << " at " << x[0];
      }
    }
  }
}

TEST(Probe, SeesOnlyTheFluidSideOfAnObstacle) {
  FlowConfig config = Box({40, 40, 1}, Kind::kNoSlip);
  SetObstacle(&config, "cylinder:0.5,0.5,0.2");
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  const Layout &l = flow.GetGrid()->Cells();
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    const Real3 x{flow.GetGrid()->Centre(0, i), flow.GetGrid()->Centre(1, j), 0.5};
    flow.Pressure()[q] = flow.Cut().volume[q] < 0.5 ? 1e6 : Linear(3, x);
  });
  std::array<double, 4> values;
  for (const Real3 &x : {Real3{0.3, 0.5, 0.5}, Real3{0.7, 0.5, 0.5}, Real3{0.5, 0.7, 0.5}}) {
    ASSERT_PETSC_OK(Probe(flow, x, &values));
    EXPECT_NEAR(values[3], Linear(3, x), 1e-6);
  }
  ASSERT_PETSC_OK(Probe(flow, {0.5, 0.5, 0.5}, &values));
  EXPECT_TRUE(std::isnan(values[3]));
}

TEST(Integrals, AreThoseOfTheTaylorGreenVortex) {
  FlowConfig config = Box({32, 32, 32}, Kind::kSlip);
  config.grid.upper = {M_PI, M_PI, M_PI};
  config.initial_velocity = [](int axis, const Real3 &x) {
    if (axis == 0) return std::sin(x[0]) * std::cos(x[1]) * std::cos(x[2]);
    return axis == 1 ? -std::cos(x[0]) * std::sin(x[1]) * std::cos(x[2]) : 0.0;
  };
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  ASSERT_PETSC_OK(flow.Initialise());
  FlowIntegrals integrals;
  ASSERT_PETSC_OK(ComputeIntegrals(flow, &integrals));
  EXPECT_NEAR(integrals.kinetic_energy, 0.125, 1e-6);
  EXPECT_NEAR(integrals.enstrophy, 0.375, 2e-3); // h²/12 of it short
  EXPECT_NEAR(integrals.largest_speed, 1, 0.02);
}

std::vector<double> Times(std::size_t count, double end) {
  std::vector<double> time(count);
  // Steps that vary by half, as adaptive ones do.
  for (std::size_t n = 1; n < count; ++n) time[n] = time[n - 1] + 1 + 0.5 * std::sin(0.01 * n);
  for (double &t : time) t *= end / time.back();
  return time;
}

TEST(OscillationFrequency, FindsItBesideMeanHarmonicsAndStart) {
  const std::vector<double> time = Times(4000, 10);
  std::vector<double> signal;
  for (double t : time) {
    const double phase = 2 * M_PI * 3.01 * t;
    signal.push_back(0.4 + std::sin(phase) + 0.2 * std::cos(2 * phase) + 5 * std::exp(-3 * t));
  }
  EXPECT_NEAR(OscillationFrequency(time, signal), 3.01, 0.003);
}

TEST(OscillationFrequency, IsZeroWithoutAnOscillation) {
  const std::vector<double> time = Times(1000, 10);
  std::vector<double> steady(time.size(), 2.5), growing = time, noisy, slow;
  for (double t : time) {
    noisy.push_back(3 + 1e-6 * std::sin(40 * t));
    slow.push_back(std::sin(2 * M_PI * t / 4)); // one upward crossing in the second half
  }
  EXPECT_EQ(OscillationFrequency(time, steady), 0);
  EXPECT_EQ(OscillationFrequency(time, growing), 0);
  EXPECT_EQ(OscillationFrequency(time, noisy), 0);
  EXPECT_EQ(OscillationFrequency(time, slow), 0);
  EXPECT_EQ(OscillationFrequency({0, 1, 2}, {0, 1, 0}), 0);
  EXPECT_EQ(OscillationFrequency({}, {}), 0);
}

TEST(ExactErrors, AreZeroForTheExactFlowUpToTheLevelOfPressure) {
  for (Kind right : {Kind::kNoSlip, Kind::kOutflow}) {
    FlowConfig config = Box({12, 10, 1}, Kind::kNoSlip);
    config.boundaries[0][1].kind = right;
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    SetLinear(&flow);
    double velocity, pressure;
    ASSERT_PETSC_OK(ExactErrors(
        flow, [](int a, const Real3 &x, double) { return Linear(a, x) + (a == 3 ? 2 : 0.5); }, &velocity, &pressure));
    EXPECT_NEAR(velocity, 0.5 * std::sqrt(2), 1e-12);
    EXPECT_NEAR(pressure, right == Kind::kOutflow ? 2 : 0, 1e-6);
  }
}

} // namespace
