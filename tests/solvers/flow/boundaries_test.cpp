#include "solvers/flow/boundaries.h"
#include "tests/solvers/flow/flow_test.h"

using namespace krylearn_test;

namespace {

struct Domain {
  std::shared_ptr<const Grid> grid;
  BoundaryConditions boundaries;
};

PetscErrorCode Make(MPI_Comm comm, const FlowConfig &config, Domain *domain) {
  PetscFunctionBeginUser;
  PetscCall(Grid::Create(comm, config.grid, &domain->grid));
  PetscCall(domain->boundaries.SetUp(domain->grid, config.boundaries));
  PetscFunctionReturn(0);
}

Domain Make(const FlowConfig &config, MPI_Comm comm = PETSC_COMM_WORLD) {
  Domain domain;
  EXPECT_PETSC_OK(Make(comm, config, &domain));
  return domain;
}

/// Every kind of side at once: a duct with inflow, outflow, a moving wall and slip; `nz` = 1 for 2D.
FlowConfig Duct(PetscInt nz) {
  FlowConfig config = Box({11, 9, nz}, Kind::kSlip);
  config.grid.upper = {2, 1, 1};
  SetSides(&config, 0, Kind::kInflow, Kind::kOutflow);
  SetSides(&config, 1, Kind::kNoSlip, Kind::kSlip);
  config.boundaries[0][0].velocity = {0.8, 0.3, -0.2};
  config.boundaries[0][0].profile = Boundary::Profile::kParabolic;
  config.boundaries[1][0].velocity = {0.5, 7, 0.25};
  if (nz > 1) SetSides(&config, 2, Kind::kPeriodic, Kind::kPeriodic);
  return config;
}

/// Calls body(cell) for owned cells at a side.
template <class Body> void AtSide(const Grid &grid, int d, int side, Body &&body) {
  if (!grid.AtBoundary(d, side)) return;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const Int3 c{i, j, k};
    if (c[d] == (side == 0 ? 0 : grid.Cells().n[d] - 1)) body(c);
  });
}

/// Mean of ghost `m` (1 or 2) outside the side and its mirror image, at cell c next to the side.
double MeanAcross(const Grid &grid, const Field &f, int d, int side, const Int3 &c, int m) {
  const std::ptrdiff_t inward = side == 0 ? grid.Cells().stride[d] : -grid.Cells().stride[d];
  const std::ptrdiff_t q = grid.Cells().At(c[0], c[1], c[2]);
  return 0.5 * (f[q - m * inward] + f[q + (m - 1) * inward]);
}

double JumpAcross(const Grid &grid, const Field &f, int d, int side, const Int3 &c, int m) {
  const std::ptrdiff_t inward = side == 0 ? grid.Cells().stride[d] : -grid.Cells().stride[d];
  const std::ptrdiff_t q = grid.Cells().At(c[0], c[1], c[2]);
  return f[q - m * inward] - f[q + (m - 1) * inward];
}

TEST(Boundaries, WallsCarryTheirTangentialVelocityAndNoFlow) {
  for (PetscInt nz : {1, 8}) {
    FlowConfig config = Box({9, 10, nz}, Kind::kNoSlip);
    config.boundaries[0][0].velocity = {3, 0.5, -0.5}; // the normal part of a wall velocity means nothing
    config.boundaries[1][1].velocity = {1, 4, 2};
    const Domain domain = Make(config);
    const Grid &grid = *domain.grid;
    const FaceFields u = RandomVelocity(grid, domain.boundaries);
    for (int d = 0; d < grid.Dim(); ++d)
      for (int side = 0; side < 2; ++side) {
        EXPECT_TRUE(domain.boundaries.NormalGiven(d, side));
        AtSide(grid, d, side, [&](const Int3 &c) {
          Int3 face = c;
          face[d] += side;
          EXPECT_EQ(u[d][grid.Cells().At(face[0], face[1], face[2])], 0);
          for (int a = 0; a < grid.Dim(); ++a) {
            // The lowest faces of a component lie on a boundary of their own.
            if (a == d || (c[a] == 0 && grid.AtBoundary(a, 0))) continue;
            for (int m = 1; m <= 2; ++m)
              EXPECT_NEAR(MeanAcross(grid, u[a], d, side, c, m), config.boundaries[d][side].velocity[a], 1e-15);
          }
        });
      }
  }
}

TEST(Boundaries, SlipSidesMirrorTangentialVelocityAndNormalVelocityOddly) {
  const Domain domain = Make(Box({9, 10, 7}, Kind::kSlip));
  const Grid &grid = *domain.grid;
  const FaceFields u = RandomVelocity(grid, domain.boundaries);
  for (int d = 0; d < 3; ++d)
    for (int side = 0; side < 2; ++side)
      AtSide(grid, d, side, [&](const Int3 &c) {
        for (int a = 0; a < 3; ++a)
          for (int m = 1; a != d && m <= 2; ++m) EXPECT_EQ(JumpAcross(grid, u[a], d, side, c, m), 0);
        Int3 face = c;
        face[d] += side;
        const std::ptrdiff_t q = grid.Cells().At(face[0], face[1], face[2]), s = grid.Cells().stride[d];
        EXPECT_EQ(u[d][q], 0);
        EXPECT_EQ(u[d][q + s], -u[d][q - s]);
      });
}

TEST(Boundaries, InflowHasTheParabolicProfileOnItsFaces) {
  const FlowConfig config = Duct(1);
  const Domain domain = Make(config);
  const Grid &grid = *domain.grid;
  const FaceFields u = RandomVelocity(grid, domain.boundaries);
  double flow = 0;
  AtSide(grid, 0, 0, [&](const Int3 &c) {
    const double y = grid.Centre(1, c[1]);
    const double value = u[0][grid.Cells().At(0, c[1], 0)];
    EXPECT_NEAR(value, 0.8 * 4 * y * (1 - y), 1e-15);
    flow += value * grid.Width(1, c[1]);
    const double edge = grid.Face(1, c[1]);
    if (c[1] == 0) return;
    EXPECT_NEAR(MeanAcross(grid, u[1], 0, 0, c, 1), 0.3 * 4 * edge * (1 - edge), 1e-15);
  });
  // The midpoint rule over the parabola: 2/3 + h²/3 of the peak.
  EXPECT_NEAR(Sum(flow, grid.Comm()), 0.8 * (2.0 / 3 + 1.0 / (3 * 9 * 9)), 1e-14);
}

TEST(Boundaries, ParabolicInflowOfADuctIsTheProductOfParabolas) {
  FlowConfig config = Duct(8);
  SetSides(&config, 2, Kind::kNoSlip, Kind::kNoSlip);
  const Domain domain = Make(config);
  EXPECT_NEAR(domain.boundaries.Value(0, 0, 0, {0, 0.5, 0.5}, 0), 0.8, 1e-15);
  EXPECT_NEAR(domain.boundaries.Value(0, 0, 0, {0, 0.25, 0.5}, 0), 0.8 * 0.75, 1e-15);
  EXPECT_NEAR(domain.boundaries.Value(0, 0, 0, {0, 0.25, 0.25}, 0), 0.8 * 0.75 * 0.75, 1e-15);
  EXPECT_EQ(domain.boundaries.Value(0, 0, 0, {0, 1.5, 0.5}, 0), 0) << "outside the opening";
}

TEST(Boundaries, InflowFollowsASineInTime) {
  FlowConfig config = Duct(1);
  config.boundaries[0][0].profile = Boundary::Profile::kUniform;
  config.boundaries[0][0].period = 16;
  const Domain domain = Make(config);
  const Grid &grid = *domain.grid;
  FaceFields u = grid.NewFaces();
  for (double t : {0.0, 1.0, 4.0, 8.0, 12.0}) {
    Complete(grid, domain.boundaries, &u, t);
    AtSide(grid, 0, 0,
           [&](const Int3 &c) { EXPECT_NEAR(u[0][grid.Cells().At(0, c[1], 0)], 0.8 * std::sin(M_PI * t / 8), 1e-15); });
  }
}

TEST(Boundaries, OutflowHasNoGradientAndBackflowBringsNothing) {
  FlowConfig config = Box({9, 10, 7}, Kind::kSlip);
  SetSides(&config, 0, Kind::kSlip, Kind::kOutflow);
  SetSides(&config, 2, Kind::kOutflow, Kind::kSlip);
  const Domain domain = Make(config);
  const Grid &grid = *domain.grid;
  const Layout &l = grid.Cells();
  EXPECT_TRUE(domain.boundaries.HasOutflow());
  EXPECT_FALSE(domain.boundaries.NormalGiven(0, 1));
  EXPECT_TRUE(domain.boundaries.NormalGiven(0, 0));
  const FaceFields u = RandomVelocity(grid, domain.boundaries);
  double leaving = 0, entering = 0;
  const std::pair<int, int> sides[2] = {{0, 1}, {2, 0}};
  for (const auto &[d, side] : sides)
    AtSide(grid, d, side, [&, d = d, side = side](const Int3 &c) {
      const double outward = side == 0 ? -1 : 1;
      Int3 face = c;
      face[d] += side;
      const std::ptrdiff_t q = l.At(face[0], face[1], face[2]), out = side == 0 ? -l.stride[d] : l.stride[d];
      (outward * u[d][q] > 0 ? leaving : entering) += 1;
      EXPECT_EQ(u[d][q + out], outward * u[d][q] >= 0 ? u[d][q] : 0);
      for (int a = 0; a < 3; ++a) {
        if (a == d || (c[a] == 0 && !grid.Periodic(a))) continue;
        const double normal = outward * 0.5 * (u[d][q] + u[d][q - l.stride[a]]);
        const std::ptrdiff_t at = l.At(c[0], c[1], c[2]);
        for (int m = 1; m <= 2; ++m) EXPECT_EQ(u[a][at + m * out], normal >= 0 ? u[a][at] : 0);
      }
    });
  EXPECT_GT(Sum(leaving, grid.Comm()), 5);
  EXPECT_GT(Sum(entering, grid.Comm()), 5);
}

TEST(Boundaries, PressureIsMirroredAndVanishesAtOutflow) {
  const Domain domain = Make(Duct(8));
  const Grid &grid = *domain.grid;
  Field p = grid.NewField();
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    p[grid.Cells().At(i, j, k)] = RandomAt(grid, 5, {i, j, k});
  });
  EXPECT_PETSC_OK(grid.Exchange({&p}));
  domain.boundaries.FillPressure(p);
  for (int d = 0; d < 2; ++d)
    for (int side = 0; side < 2; ++side)
      AtSide(grid, d, side, [&, d = d, side = side](const Int3 &c) {
        for (int m = 1; m <= 2; ++m) {
          const bool outflow = d == 0 && side == 1;
          EXPECT_EQ((outflow ? MeanAcross : JumpAcross)(grid, p, d, side, c, m), 0);
        }
      });
}

TEST(Boundaries, ScalarsTakeBoundaryValuesNoFluxOrWhatFlowsIn) {
  FlowConfig config = Duct(1);
  const Domain domain = Make(config);
  const Grid &grid = *domain.grid;
  const Layout &l = grid.Cells();
  ScalarConfig scalar = Scalar("temperature", 0);
  scalar.boundary_value[0][1] = 0.25; // what the surroundings hold, where they flow back in
  scalar.boundary_value[1][0] = 2;
  const FaceFields u = RandomVelocity(grid, domain.boundaries);
  Field c = grid.NewField();
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { c[l.At(i, j, k)] = RandomAt(grid, 6, {i, j, k}); });
  EXPECT_PETSC_OK(grid.Exchange({&c}));
  domain.boundaries.FillScalar(c, scalar, u);
  AtSide(grid, 0, 0, [&](const Int3 &at) { EXPECT_EQ(c[l.At(-1, at[1], 0)], 0) << "inflow without a value"; });
  AtSide(grid, 0, 1, [&](const Int3 &at) {
    const std::ptrdiff_t q = l.At(at[0], at[1], 0);
    EXPECT_EQ(c[q + 1], u[0][q + 1] >= 0 ? c[q] : 0.25);
  });
  AtSide(grid, 1, 0, [&](const Int3 &at) { EXPECT_NEAR(MeanAcross(grid, c, 1, 0, at, 1), 2, 1e-15); });
  AtSide(grid, 1, 1, [&](const Int3 &at) { EXPECT_EQ(JumpAcross(grid, c, 1, 1, at, 1), 0); });
}

/// The ghosts of the distributed grid, edges and corners included, are those that one rank alone computes.
TEST(Boundaries, GhostsAtEdgesAndCornersAreTheSameOnAnyNumberOfRanks) {
  for (PetscInt nz : {1, 8}) {
    const FlowConfig config = Duct(nz);
    const Domain shared = Make(config), alone = Make(config, PETSC_COMM_SELF);
    const FaceFields u = RandomVelocity(*shared.grid, shared.boundaries);
    const FaceFields v = RandomVelocity(*alone.grid, alone.boundaries);
    const Layout &l = shared.grid->Cells(), &m = alone.grid->Cells();
    const PetscInt gz = nz > 1 ? 1 : 0;
    // One layer: what momentum and projection read around corners.
    for (int a = 0; a < shared.grid->Dim(); ++a)
      for (PetscInt k = l.lo[2] - gz; k < l.hi[2] + gz; ++k)
        for (PetscInt j = l.lo[1] - 1; j < l.hi[1] + 1; ++j)
          for (PetscInt i = l.lo[0] - 1; i < l.hi[0] + 1; ++i)
            EXPECT_EQ(u[a][l.At(i, j, k)], v[a][m.At(i, j, k)])
                << "component " << a << " at " << i << "," << j << "," << k;
  }
}

TEST(Boundaries, RefusesInflowThatCannotLeave) {
  Domain domain;
  FlowConfig config = Box({8, 8, 1}, Kind::kNoSlip);
  config.boundaries[0][0].kind = Kind::kInflow;
  config.boundaries[0][0].velocity = {1, 0, 0};
  EXPECT_REFUSED(Make(PETSC_COMM_WORLD, config, &domain), "without outflow");
  // Also where it vanishes at the start, being a sine.
  config.boundaries[0][0].period = 2;
  EXPECT_REFUSED(Make(PETSC_COMM_WORLD, config, &domain), "without outflow");
  // As much sucked out as blown in is no net inflow.
  config.boundaries[0][1] = config.boundaries[0][0];
  EXPECT_PETSC_OK(Make(PETSC_COMM_WORLD, config, &domain));
  config.boundaries[0][1].kind = Kind::kOutflow;
  EXPECT_PETSC_OK(Make(PETSC_COMM_WORLD, config, &domain));
}

TEST(Boundaries, RefusesPeriodicSidesThatDoNotMatch) {
  Domain domain;
  FlowConfig config = Box({8, 8, 1}, Kind::kNoSlip);
  config.boundaries[0][0].kind = Kind::kPeriodic;
  EXPECT_REFUSED(Make(PETSC_COMM_WORLD, config, &domain), "xlo");
  config.grid.periodic[0] = true;
  EXPECT_REFUSED(Make(PETSC_COMM_WORLD, config, &domain), "make both sides of an axis periodic");
  config.boundaries[0][1].kind = Kind::kPeriodic;
  EXPECT_PETSC_OK(Make(PETSC_COMM_WORLD, config, &domain));
}

} // namespace
