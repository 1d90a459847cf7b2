#include "solvers/flow/solver.h"
#include "solvers/flow/diagnostics.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

/// Decaying Taylor-Green vortices with the exact solution, drifting with a mean flow so that advection is no gradient.
constexpr double kNu = 0.02, kDriftX = 0.7, kDriftY = 0.4;

double TaylorGreen(int axis, const Real3 &x, double t) {
  const double a = x[0] - kDriftX * t, b = x[1] - kDriftY * t, decay = std::exp(-2 * kNu * t);
  if (axis == 0) return kDriftX + std::sin(a) * std::cos(b) * decay;
  if (axis == 1) return kDriftY - std::cos(a) * std::sin(b) * decay;
  return 0.25 * (std::cos(2 * a) + std::cos(2 * b)) * decay * decay;
}

void TaylorGreenErrors(PetscInt n, double dt, bool crank_nicolson, double *velocity, double *pressure) {
  FlowConfig config = Box({n, n, 1}, Kind::kPeriodic);
  config.grid.upper = {2 * M_PI, 2 * M_PI, 1};
  config.viscosity = kNu;
  config.crank_nicolson = crank_nicolson;
  config.initial_velocity = [](int axis, const Real3 &x) { return TaylorGreen(axis, x, 0); };
  FlowSolver flow;
  ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  ASSERT_PETSC_OK(flow.Initialise());
  Advance(&flow, dt, int(std::lround(1 / dt)));
  ASSERT_PETSC_OK(ExactErrors(flow, TaylorGreen, velocity, pressure));
}

/// Largest error on the finest of three grids and smallest orders between them.
struct Convergence {
  double velocity_error, velocity_order, pressure_order;
};

Convergence Refine(bool crank_nicolson) {
  double u[3], p[3];
  for (int n = 0; n < 3; ++n) TaylorGreenErrors(16 << n, 0.1 / (1 << n), crank_nicolson, &u[n], &p[n]);
  return {u[2], std::min(Order(u[0], u[1]), Order(u[1], u[2])), std::min(Order(p[0], p[1]), Order(p[1], p[2]))};
}

TEST(Flow, DriftingVorticesConvergeInSpaceAndTime) {
  const Convergence result = Refine(false);
  EXPECT_LT(result.velocity_error, 1e-3);
  EXPECT_GT(result.velocity_order, 1.9);
  EXPECT_GT(result.pressure_order, 1.5);
}

TEST(Flow, DriftingVorticesConvergeWithCrankNicolsonToo) {
  const Convergence result = Refine(true);
  EXPECT_LT(result.velocity_error, 1e-3);
  EXPECT_GT(result.velocity_order, 1.9);
  EXPECT_GT(result.pressure_order, 1.5);
}

/// A vortex in a box, at rest at its walls, until t = 0.4.
FlowConfig Vortex(bool crank_nicolson) {
  FlowConfig config = Box({16, 16, 1}, Kind::kNoSlip);
  config.viscosity = 0.02;
  config.crank_nicolson = crank_nicolson;
  config.initial_velocity = [](int axis, const Real3 &x) {
    const double along = M_PI * x[axis], across = M_PI * x[1 - axis];
    return (axis == 0 ? 2 : -2) * std::pow(std::sin(along), 2) * std::sin(2 * across);
  };
  return config;
}

/// Orders in time of velocity and pressure: changes between 32, 64 and 128 steps on one grid. The ranks share the runs.
std::pair<double, double> TemporalOrders(const FlowConfig &config) {
  ScopedOption pressure("-pressure_ksp_rtol", "1e-11"), viscous("-velocity_ksp_rtol", "1e-12");
  constexpr std::size_t kCells = 16 * 16;
  std::vector<double> values(3 * 3 * kCells, 0.0);
  for (int n = Rank() % 3; n < 3; n += Ranks()) {
    if (Rank() >= 3) break;
    FlowSolver flow;
    EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_SELF, config));
    EXPECT_PETSC_OK(flow.Initialise());
    Advance(&flow, 0.4 / (32 << n), 32 << n);
    double *at = &values[n * 3 * kCells], mean = 0;
    const Layout &l = flow.GetGrid()->Cells();
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { mean += flow.Pressure()[l.At(i, j, k)] / kCells; });
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t q = l.At(i, j, k);
      for (double value : {flow.Velocity()[0][q], flow.Velocity()[1][q], flow.Pressure()[q] - mean}) *at++ = value;
    });
  }
  MPI_Allreduce(MPI_IN_PLACE, values.data(), int(values.size()), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  double change[2][2] = {}; // velocity, pressure; coarse, fine
  for (int n = 0; n < 2; ++n)
    for (std::size_t v = 0; v < 3 * kCells; ++v)
      change[v % 3 == 2][n] += std::pow(values[n * 3 * kCells + v] - values[(n + 1) * 3 * kCells + v], 2);
  return {0.5 * Order(change[0][0], change[0][1]), 0.5 * Order(change[1][0], change[1][1])};
}

TEST(Flow, ExplicitStepsAreSecondOrderInTimeAtLeast) {
  const auto [velocity, pressure] = TemporalOrders(Vortex(false));
  EXPECT_GT(velocity, 1.95); // third, in fact, where viscosity and pressure do not interfere
  EXPECT_GT(pressure, 1.9);
}

/// At walls the pressure of incremental projections is first order (Guermond, Minev & Shen, CMAME 195 (2006)).
TEST(Flow, CrankNicolsonStepsAreSecondOrderInTime) {
  const auto [velocity, pressure] = TemporalOrders(Vortex(true));
  EXPECT_GT(velocity, 1.85);
  EXPECT_GT(pressure, 0.85);
}

/// The friction of cut cells is taken implicitly by a first-order rule, so that slivers do not limit the step.
TEST(Flow, StepsAroundObstaclesAreFirstOrderInTimeAtLeast) {
  for (bool crank_nicolson : {false, true}) {
    FlowConfig config = Vortex(crank_nicolson);
    SetObstacle(&config, "cylinder:0.3,0.6,0.13");
    const auto [velocity, pressure] = TemporalOrders(config);
    EXPECT_GT(velocity, 0.8);
    EXPECT_GT(pressure, 0.8);
  }
}

/// Share of its kinetic energy that an inviscid flow loses until `end` at a Courant number.
double EnergyLoss(const FlowConfig &config, double end, double courant) {
  FlowSolver flow;
  EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
  EXPECT_PETSC_OK(flow.Initialise());
  FlowIntegrals start, now;
  EXPECT_PETSC_OK(ComputeIntegrals(flow, &start));
  double dt;
  EXPECT_PETSC_OK(flow.StableStep(&dt));
  const int steps = int(std::ceil(end / dt * config.cfl / courant));
  Advance(&flow, end / steps, steps);
  EXPECT_PETSC_OK(ComputeIntegrals(flow, &now));
  return 1 - now.kinetic_energy / start.kinetic_energy;
}

TEST(Flow, InviscidFlowKeepsItsKineticEnergyOverATurnover) {
  FlowConfig shear = Box({32, 32, 1}, Kind::kPeriodic), octant = Box({16, 16, 16}, Kind::kSlip);
  shear.grid.upper = {2 * M_PI, 2 * M_PI, 1};
  octant.grid.upper = {M_PI, M_PI, M_PI};
  shear.viscosity = octant.viscosity = 0;
  shear.initial_velocity = [](int axis, const Real3 &x) {
    if (axis == 1) return 0.1 * std::sin(x[0]);
    return x[1] < M_PI ? std::tanh(4 * (x[1] - M_PI / 2)) : std::tanh(4 * (3 * M_PI / 2 - x[1]));
  };
  octant.initial_velocity = [](int axis, const Real3 &x) {
    if (axis == 0) return std::sin(x[0]) * std::cos(x[1]) * std::cos(x[2]);
    return axis == 1 ? -std::cos(x[0]) * std::sin(x[1]) * std::cos(x[2]) : 0.0;
  };
  for (const FlowConfig &config : {shear, octant}) {
    const double loss = EnergyLoss(config, 2 * M_PI, 0.5);
    EXPECT_GT(loss, 1e-6); // else the flow is steady and shows nothing
    EXPECT_LT(loss, 0.003);
    EXPECT_LT(EnergyLoss(config, 2 * M_PI, 0.25), loss / 6);
  }
}

/// Flow past a cylinder, 2D, with a scalar; or a stirred box around a sphere, 3D.
FlowConfig Past(bool three, bool crank_nicolson, Advection advection) {
  FlowConfig config = Box(three ? Int3{13, 12, 11} : Int3{27, 18, 1}, Kind::kNoSlip);
  config.viscosity = 0.01;
  config.crank_nicolson = crank_nicolson;
  config.advection = advection;
  if (three) {
    SetObstacle(&config, "sphere:0.53,0.46,0.52,0.2");
    config.initial_velocity = [](int axis, const Real3 &x) {
      return axis == 0 ? 0.5 - x[1] : axis == 1 ? x[0] - 0.5 : std::sin(5 * x[0]);
    };
  } else {
    config.grid.upper = {1.5, 1, 1};
    SetObstacle(&config, "cylinder:0.45,0.52,0.13");
    SetSides(&config, 0, Kind::kInflow, Kind::kOutflow);
    config.boundaries[0][0].profile = Boundary::Profile::kParabolic;
    config.boundaries[0][0].velocity = {1, 0, 0};
  }
  config.scalars = {Scalar("temperature", 0.002)};
  config.scalars[0].buoyancy = 0.5;
  config.scalars[0].initial = [](const Real3 &x) { return std::exp(-9 * x[0] * x[0]); };
  config.scalars[0].boundary_value[1][0] = 1;
  return config;
}

TEST(Flow, IsTheSameOnOneRankAndOnMany) {
  ScopedOption pressure("-pressure_ksp_rtol", "1e-10"), viscous("-velocity_ksp_rtol", "1e-11"),
      diffusive("-scalar_ksp_rtol", "1e-11");
  for (bool three : {false, true})
    for (bool crank_nicolson : {false, true})
      for (Advection advection : {Advection::kCentral, Advection::kUpwind}) {
        SCOPED_TRACE(testing::Message() << (three ? "3D" : "2D") << ", Crank-Nicolson " << crank_nicolson);
        const FlowConfig config = Past(three, crank_nicolson, advection);
        FlowSolver shared, alone;
        Real3 force[2];
        for (FlowSolver *flow : {&shared, &alone}) {
          ASSERT_PETSC_OK(flow->SetUp(flow == &shared ? PETSC_COMM_WORLD : PETSC_COMM_SELF, config));
          ASSERT_PETSC_OK(flow->Initialise());
          Advance(flow, 0.02, 5);
          ASSERT_PETSC_OK(flow->Immersed().Force(0.02, &force[flow == &alone]));
        }
        const Layout &l = shared.GetGrid()->Cells(), &m = alone.GetGrid()->Cells();
        double u = 0, p = 0, c = 0, level = NAN;
        ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
          const std::ptrdiff_t q = l.At(i, j, k), r = m.At(i, j, k);
          for (int a = 0; a < (three ? 3 : 2); ++a)
            u = std::max(u, std::abs(shared.Velocity()[a][q] - alone.Velocity()[a][r]));
          c = std::max(c, std::abs(shared.Scalar(0)[q] - alone.Scalar(0)[r]));
          if (shared.Solid()[q] != 0) return;
          // The level of the pressure in a closed box is arbitrary.
          const double e = shared.Pressure()[q] - alone.Pressure()[r];
          if (std::isnan(level)) level = three ? e : 0;
          p = std::max(p, std::abs(e - level));
        });
        EXPECT_LT(u, 1e-7);
        EXPECT_LT(c, 1e-7);
        EXPECT_LT(p, 1e-5);
        for (int d = 0; d < (three ? 3 : 2); ++d) EXPECT_NEAR(force[0][d], force[1][d], 1e-6);
        EXPECT_GT(LargestVelocity(*shared.GetGrid(), shared.Velocity()), 0.3);
      }
}

TEST(Flow, PoiseuilleFlowOnStretchedGridsIsSecondOrder) {
  const auto error = [](PetscInt n) {
    FlowConfig config = Box({8, n, 1}, Kind::kNoSlip);
    SetSides(&config, 0, Kind::kPeriodic, Kind::kPeriodic);
    Stretch(&config, 1, 5);
    config.viscosity = 0.5;
    config.body_force = {4, 0, 0}; // peak velocity 1
    config.crank_nicolson = true;
    FlowSolver flow;
    EXPECT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, config));
    EXPECT_PETSC_OK(flow.Initialise());
    Advance(&flow, 0.05, 60);
    double velocity, pressure;
    EXPECT_PETSC_OK(ExactErrors(
        flow, [](int axis, const Real3 &x, double) { return axis == 0 ? 4 * x[1] * (1 - x[1]) : 0.0; }, &velocity,
        &pressure));
    return velocity;
  };
  const double coarse = error(10), fine = error(20);
  EXPECT_LT(fine, 0.01);
  EXPECT_GT(Order(coarse, fine), 1.9);
}

TEST(Flow, DivergenceStaysWithinTenTolerancesAtEveryStep) {
  for (bool crank_nicolson : {false, true}) {
    FlowSolver flow;
    ASSERT_PETSC_OK(flow.SetUp(PETSC_COMM_WORLD, Past(false, crank_nicolson, Advection::kCentral)));
    ASSERT_PETSC_OK(flow.Initialise());
    for (int n = 0; n < 20; ++n) {
      double dt;
      ASSERT_PETSC_OK(flow.StableStep(&dt));
      ASSERT_PETSC_OK(flow.Step(dt));
      const double divergence = LargestDivergence(*flow.GetGrid(), flow.Velocity(), flow.Cut().aperture);
      EXPECT_LE(divergence / 18, 1e-5); // h = 1/18, U = 1, tolerance 1e-6
    }
  }
}

TEST(Flow, RefusesImpossibleViscosities) {
  for (double viscosity : {-1.0, double(NAN)}) {
    FlowConfig config = Box({8, 8, 1}, Kind::kNoSlip);
    config.viscosity = viscosity;
    FlowSolver flow;
    EXPECT_REFUSED(flow.SetUp(PETSC_COMM_WORLD, config), "not possible");
  }
}

TEST(Flow, RefusesObstaclesInTheInflow) {
  FlowConfig config = Past(false, false, Advection::kCentral);
  SetObstacle(&config, "cylinder:0.05,0.5,0.13");
  FlowSolver flow;
  EXPECT_REFUSED(flow.SetUp(PETSC_COMM_WORLD, config), "inflow side xlo");
}

} // namespace
