#include "meshes/obstacles.h"
#include "tests/mpi_test.h"
#include <cmath>
#include <limits>
#include <random>

using namespace krylearn;

namespace {

Obstacles Parse(int dim, const std::string &text) {
  Obstacles result;
  EXPECT_PETSC_OK(ParseObstacles(PETSC_COMM_WORLD, dim, text, &result));
  return result;
}

PetscErrorCode TryParse(int dim, const std::string &text) {
  Obstacles result;
  return ParseObstacles(PETSC_COMM_WORLD, dim, text, &result);
}

std::shared_ptr<const Grid> Make(MPI_Comm comm, const Int3 &cells,
                                 std::array<bool, 3> periodic = {false, false, false}) {
  GridSpec spec;
  spec.cells = cells;
  spec.periodic = periodic;
  std::shared_ptr<const Grid> grid;
  EXPECT_PETSC_OK(Grid::Create(comm, spec, &grid));
  return grid;
}

CutCells Cut(const Grid &grid, const Obstacles &obstacles, double sliver = CutCells::kSliver) {
  CutCells cut;
  EXPECT_PETSC_OK(ComputeCutCells(grid, obstacles, &cut, sliver));
  return cut;
}

/// Sums over all ranks: solid volume, surface area, and the surface's area vector.
struct Surface {
  double solid = 0, area = 0;
  Real3 vector{};
};

Surface Measure(const Grid &grid, const CutCells &cut) {
  const Layout &l = grid.Cells();
  double sums[5] = {};
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const auto at = l.At(i, j, k);
    sums[0] += (1 - cut.volume[at]) * grid.Volume(i, j, k);
    double square = 0;
    for (int a = 0; a < grid.Dim(); ++a) {
      const double wall = grid.FaceArea(a, i, j, k) * (cut.aperture[a][at + l.stride[a]] - cut.aperture[a][at]);
      square += wall * wall;
      sums[2 + a] += wall;
    }
    sums[1] += std::sqrt(square);
  });
  MPI_Allreduce(MPI_IN_PLACE, sums, 5, MPI_DOUBLE, MPI_SUM, grid.Comm());
  return {sums[0], sums[1], {sums[2], sums[3], sums[4]}};
}

double Order(double coarse, double fine) { return std::log2(std::abs(coarse) / std::abs(fine)); }

/// Calls body(offset, cell) for all places of the layout, ghosts included.
template <class Body> void ForEachPlace(const Layout &l, Body &&body) {
  for (PetscInt k = l.lo[2] - l.ghosts[2]; k < l.hi[2] + l.ghosts[2]; ++k)
    for (PetscInt j = l.lo[1] - l.ghosts[1]; j < l.hi[1] + l.ghosts[1]; ++j)
      for (PetscInt i = l.lo[0] - l.ghosts[0]; i < l.hi[0] + l.ghosts[0]; ++i) body(l.At(i, j, k), Int3{i, j, k});
}

/// Boxes whose sides lie on grid planes, often touching and overlapping, from one cell thick.
Obstacles AlignedBoxes(const Grid &grid, int count, unsigned seed, std::vector<char> *solid) {
  const Int3 n = grid.Cells().n;
  std::mt19937 random(seed);
  Obstacles result;
  solid->assign(grid.GlobalCells(), 0);
  for (int b = 0; b < count; ++b) {
    Shape box;
    box.kind = Shape::Kind::kBox;
    Int3 first{}, last{};
    for (int a = 0; a < 3; ++a) {
      first[a] = n[a] == 1 ? 0 : PetscInt(random() % n[a]);
      last[a] = std::min<PetscInt>(n[a], first[a] + 1 + PetscInt(random() % 4));
      // The same plane by another formula, so off by a rounding error now and then.
      box.lower[a] = first[a] * (1.0 / n[a]);
      box.upper[a] = last[a] / double(n[a]);
    }
    if (grid.Dim() == 2) box.lower[2] = -1, box.upper[2] = 2;
    for (PetscInt k = first[2]; k < last[2]; ++k)
      for (PetscInt j = first[1]; j < last[1]; ++j)
        for (PetscInt i = first[0]; i < last[0]; ++i) (*solid)[i + n[0] * (j + n[1] * k)] = 1;
    result.shapes.push_back(box);
  }
  return result;
}

} // namespace

TEST(Obstacles, DistancesAreExact) {
  const auto sphere = Parse(3, "sphere:1,2,3,0.5");
  EXPECT_DOUBLE_EQ(sphere.Distance({4, 6, 3}), 4.5);
  EXPECT_DOUBLE_EQ(sphere.Distance({1, 2, 3}), -0.5);
  EXPECT_DOUBLE_EQ(Parse(3, "cylinder:1,2,0.5").Distance({4, 6, 99}), 4.5);
  EXPECT_DOUBLE_EQ(Parse(3, "cylinder:1,2,0.5,x").Distance({99, 4, 6}), 4.5);
  EXPECT_DOUBLE_EQ(Parse(3, "cylinder:1,2,0.5,y").Distance({4, 99, 6}), 4.5);
  const auto box = Parse(3, "box:0,0,0,1,2,3");
  EXPECT_DOUBLE_EQ(box.Distance({0.5, 1, 0.25}), -0.25);
  EXPECT_DOUBLE_EQ(box.Distance({4, 6, 3}), 5);
  EXPECT_DOUBLE_EQ(box.Distance({0.5, -2, 1}), 2);
  EXPECT_DOUBLE_EQ(Parse(2, "box:0,0,1,2").Distance({4, 6, 1e6}), 5);
  const auto both = Parse(3, "sphere:0,0,0,1; box:2,-1,-1,3,1,1");
  EXPECT_DOUBLE_EQ(both.Distance({1.75, 0, 0}), 0.25);
  EXPECT_TRUE(std::isinf(Obstacles().Distance({0, 0, 0})));
}

TEST(Obstacles, ParsesAllForms) {
  EXPECT_TRUE(Parse(3, "").Empty());
  EXPECT_EQ(Parse(3, " sphere : 1, 2 ,3, 4 ;\n box:0,0,0,1,1,1; ").shapes.size(), 2u);
  const auto disks = Parse(2, "cylinder:1,2,0.5; sphere:1,2,0.5; sphere:1,2,0,0.5");
  EXPECT_EQ(disks.shapes[0].kind, Shape::Kind::kCylinder);
  EXPECT_EQ(disks.shapes[1].kind, Shape::Kind::kCylinder);
  EXPECT_EQ(disks.shapes[2].kind, Shape::Kind::kSphere);
  EXPECT_EQ(Parse(2, "box:0,0,-1,1,1,1").shapes[0].upper[2], 1);
}

TEST(Obstacles, RefusesMistakesByName) {
  EXPECT_REFUSED(TryParse(3, "box:0,0,0,1,1,1; spere:1,2,3,4"), "'spere:1,2,3,4': unknown shape 'spere'");
  EXPECT_REFUSED(TryParse(3, "sphere:1,2,3"), "takes 4 numbers, not 3. Accepted: sphere:x,y,z,r");
  EXPECT_REFUSED(TryParse(3, "sphere:1,2,3,-4"), "radius is -4; it must be positive");
  EXPECT_REFUSED(TryParse(3, "sphere:1,2,3,0"), "must be positive");
  EXPECT_REFUSED(TryParse(3, "sphere:1,two,3,4"), "'two' is not a number");
  EXPECT_REFUSED(TryParse(3, "sphere:1,,3,4"), "'' is not a number");
  EXPECT_REFUSED(TryParse(3, "sphere:1,2,3,nan"), "not a finite number");
  EXPECT_REFUSED(TryParse(3, "sphere"), "no numbers after 'sphere'");
  EXPECT_REFUSED(TryParse(3, "cylinder:1,2,3,w"), "'w' is not an axis");
  EXPECT_REFUSED(TryParse(3, "cylinder:1,2"), "takes 3 numbers");
  EXPECT_REFUSED(TryParse(3, "box:0,0,0,1,-1,1"), "not above its lower corner along y");
  EXPECT_REFUSED(TryParse(3, "box:0,0,1,1"), "a box takes 6 numbers, not 4");
  EXPECT_REFUSED(TryParse(2, "box:0,0,1"), "a box takes 4 (or 6) numbers, not 3");
}

TEST(Obstacles, AxisCutFindsTheFirstSurface) {
  const auto all = Parse(3, "sphere:0.5,0.5,0.5,0.2; cylinder:0.1,0.1,0.05,y; box:0.8,0,0,0.9,1,1");
  std::mt19937 random(7);
  std::uniform_real_distribution<double> u(-0.1, 1.1);
  int hits = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const Real3 x{u(random), u(random), u(random)};
    const int axis = trial % 3;
    const double step = 0.2 * (u(random) - 0.5);
    if (all.Distance(x) <= 1e-9 || step == 0) continue;
    const double t = all.AxisCut(x, axis, step);
    auto distance = [&](double part) {
      Real3 y = x;
      y[axis] += part * step;
      return all.Distance(y);
    };
    ASSERT_GE(t, 0);
    ASSERT_LE(t, 1);
    if (t < 1) {
      ++hits;
      EXPECT_NEAR(distance(t), 0, 1e-13);
    } else {
      EXPECT_GE(distance(1), -1e-13);
    }
    for (int s = 1; s < 20; ++s) EXPECT_GE(distance(t * s / 20), -1e-13); // nothing before it
  }
  EXPECT_GT(hits, 300);
}

TEST(Obstacles, AxisCutHandlesSpecialPositions) {
  const auto plate = Parse(3, "box:0.5,0,0,0.51,1,1");
  EXPECT_DOUBLE_EQ(plate.AxisCut({0.4, 0.5, 0.5}, 0, 0.2), 0.5); // thinner than the step
  EXPECT_DOUBLE_EQ(plate.AxisCut({0.61, 0.5, 0.5}, 0, -0.2), 0.5);
  EXPECT_EQ(plate.AxisCut({0.4, 0.5, 0.5}, 0, -0.2), 1);
  EXPECT_DOUBLE_EQ(plate.AxisCut({0.4, 0.5, 0.5}, 0, 0.1), 1); // reached just at the end
  EXPECT_EQ(plate.AxisCut({0.505, 0.5, 0.5}, 0, 0.1), 0);      // starts inside
  EXPECT_EQ(plate.AxisCut({0.505, 2, 0.5}, 0, 0.1), 1);
  EXPECT_EQ(Obstacles().AxisCut({0, 0, 0}, 0, 1), 1);
  const auto tube = Parse(3, "cylinder:0,0,1");
  EXPECT_EQ(tube.AxisCut({2, 0, 0}, 2, 5), 1); // along its axis, outside
  EXPECT_DOUBLE_EQ(tube.AxisCut({2, 0, 0}, 0, -2), 0.5);
  EXPECT_EQ(tube.AxisCut({2, 1, 0}, 0, -1), 1);
}

TEST(CutCells, AreOpenWithoutObstacles) {
  const auto grid = Make(PETSC_COMM_WORLD, {8, 9, 10});
  const CutCells cut = Cut(*grid, {});
  for (int a = 0; a < 3; ++a)
    for (double open : cut.aperture[a]) EXPECT_EQ(open, 1);
  for (double volume : cut.volume) EXPECT_EQ(volume, 1);
  EXPECT_TRUE(Cut(*Make(PETSC_COMM_WORLD, {8, 9, 1}), {}).aperture[2].empty());
}

TEST(CutCells, PlanesAreCutExactly) {
  // A half space x > 0.53 (by a box), cells 0.1 wide: cell 5 keeps 0.3 of its volume.
  for (const PetscInt nz : {10, 1}) {
    const auto grid = Make(PETSC_COMM_WORLD, {10, 10, nz});
    const CutCells cut = Cut(*grid, Parse(3, "box:0.53,-5,-5,9,9,9"));
    const Layout &l = grid->Cells();
    ForEachPlace(l, [&](std::ptrdiff_t at, const Int3 &c) {
      const double expected = c[0] < 5 ? 1 : c[0] == 5 ? 0.3 : 0;
      EXPECT_NEAR(cut.volume[at], expected, 1e-13);
      EXPECT_EQ(cut.aperture[0][at], c[0] < 6 ? 1 : 0);
      for (int a = 1; a < grid->Dim(); ++a) EXPECT_NEAR(cut.aperture[a][at], expected, 1e-13);
    });
  }
}

TEST(CutCells, SliversAreClosedAndOpened) {
  const auto grid = Make(PETSC_COMM_WORLD, {10, 10, 1});
  const Layout &l = grid->Cells();
  auto expect = [&](double surface, double aperture, double volume, double face) {
    const CutCells cut = Cut(*grid, Parse(2, "box:" + std::to_string(surface) + ",-5,9,9"));
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      if (i != 5) return;
      EXPECT_NEAR(cut.aperture[1][l.At(i, j, k)], aperture, 1e-12);
      EXPECT_NEAR(cut.volume[l.At(i, j, k)], volume, 1e-12);
      EXPECT_EQ(cut.aperture[0][l.At(i, j, k)], face);
    });
  };
  expect(0.501, 0, 0, 0);       // a hundredth of the cell: the cell and the face into it close
  expect(0.503, 0.03, 0.03, 1); // above the threshold: kept
  expect(0.599, 1, 0.99, 1);
}

TEST(CutCells, SphereConvergesWithSecondOrder) {
  const double r = 0.3137, pi = 3.14159265358979323846;
  double area[3];
  for (int level = 0; level < 3; ++level) {
    const PetscInt n = 12 << level;
    const auto grid = Make(PETSC_COMM_WORLD, {n, n, n});
    const Surface s = Measure(*grid, Cut(*grid, Parse(3, "sphere:0.4837,0.513,0.4711,0.3137"), 0));
    EXPECT_NEAR(s.solid / (4. / 3 * pi * r * r * r), 1, 1e-4 / (1 << 2 * level)); // far below: 1e-6
    area[level] = s.area / (4 * pi * r * r) - 1;
    for (int a = 0; a < 3; ++a) EXPECT_NEAR(s.vector[a], 0, 1e-13);
  }
  EXPECT_LT(std::abs(area[0]), 1e-2);
  EXPECT_GT(Order(area[0], area[2]) / 2, 1.9);
}

TEST(CutCells, CylinderConvergesWithSecondOrder) {
  const double r = 0.3137, pi = 3.14159265358979323846;
  for (const int axis : {0, 1, 2}) {
    double area[2];
    for (int level = 0; level < 2; ++level) {
      Int3 n{16 << level, 16 << level, 16 << level};
      n[axis] = 8;
      const auto grid = Make(PETSC_COMM_WORLD, n);
      const Surface s =
          Measure(*grid, Cut(*grid, Parse(3, std::string("cylinder:0.4837,0.513,0.3137,") + "xyz"[axis]), 0));
      area[level] = s.area / (2 * pi * r) - 1;
      EXPECT_NEAR(s.solid / (pi * r * r), 1, 5e-4);
    }
    EXPECT_GT(Order(area[0], area[1]), 1.9);
  }
}

TEST(CutCells, SliverRuleChangesLittleOfASphere) {
  const auto grid = Make(PETSC_COMM_WORLD, {32, 32, 32});
  const auto sphere = Parse(3, "sphere:0.4837,0.513,0.4711,0.3137");
  const Surface with = Measure(*grid, Cut(*grid, sphere)), without = Measure(*grid, Cut(*grid, sphere, 0));
  EXPECT_NEAR(with.solid / without.solid, 1, 1e-3);
  EXPECT_NEAR(with.area / without.area, 1, 5e-3);
  for (int a = 0; a < 3; ++a) EXPECT_NEAR(with.vector[a], 0, 1e-13);
}

TEST(CutCells, ShapesSmallerThanACellAreSeen) {
  // A disk of a tenth of the cell's width in the middle of a cell, and a rod through the middle of faces.
  const auto plane = Make(PETSC_COMM_WORLD, {10, 10, 1});
  EXPECT_NEAR(Measure(*plane, Cut(*plane, Parse(2, "cylinder:0.55,0.55,0.02"), 0)).solid, 3.14159265 * 4e-4, 2e-5);
  EXPECT_NEAR(Measure(*plane, Cut(*plane, Parse(2, "cylinder:0.533,0.561,0.02"), 0)).solid, 3.14159265 * 4e-4, 2e-5);
  const auto space = Make(PETSC_COMM_WORLD, {10, 10, 10});
  const CutCells cut = Cut(*space, Parse(3, "cylinder:0.533,0.561,0.02,x"), 0);
  const Layout &l = space->Cells();
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const double expected = j == 5 && k == 5 ? 1 - 0.04 * 3.14159265 : 1;
    EXPECT_NEAR(cut.aperture[0][l.At(i, j, k)], expected, 2e-3);
    EXPECT_NEAR(cut.volume[l.At(i, j, k)], expected, 2e-3);
  });
}

TEST(CutCells, AlignedBoxesLeaveWholeCellsOnly) {
  for (const PetscInt nz : {11, 1})
    for (unsigned seed = 0; seed < 8; ++seed) {
      const auto grid = Make(PETSC_COMM_WORLD, {13, 10, nz});
      std::vector<char> solid;
      const CutCells cut = Cut(*grid, AlignedBoxes(*grid, nz == 1 ? 12 : 40, seed, &solid));
      const Layout &l = grid->Cells();
      auto is_solid = [&](Int3 c) { return solid[c[0] + l.n[0] * (c[1] + l.n[1] * c[2])] != 0; };
      ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
        const auto at = l.At(i, j, k);
        const Int3 cell{i, j, k};
        bool open = false;
        for (int a = 0; a < grid->Dim(); ++a) {
          Int3 below = cell;
          --below[a];
          const double expected = is_solid(cell) || (below[a] >= 0 && is_solid(below)) ? 0 : 1;
          EXPECT_EQ(cut.aperture[a][at], expected)
              << "seed " << seed << " axis " << a << ": " << i << " " << j << " " << k;
          open = open || cut.aperture[a][at] > 0 || cut.aperture[a][at + l.stride[a]] > 0;
        }
        EXPECT_EQ(cut.volume[at], is_solid(cell) || !open ? 0 : 1)
            << "seed " << seed << ": " << i << " " << j << " " << k;
      });
    }
}

TEST(CutCells, AreConsistentForRandomShapes) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> u(0, 1);
  for (int trial = 0; trial < 6; ++trial) {
    const auto grid = Make(PETSC_COMM_WORLD, {12, 11, trial % 2 ? 1 : 10});
    Obstacles obstacles;
    for (int s = 0; s < 10; ++s) {
      Shape shape;
      shape.kind = s % 3 == 0 ? Shape::Kind::kSphere : s % 3 == 1 ? Shape::Kind::kCylinder : Shape::Kind::kBox;
      shape.axis = s % 2 ? 2 : 0;
      shape.centre = {u(random), u(random), u(random)};
      shape.radius = 0.15 * u(random);
      for (int a = 0; a < 3; ++a) {
        shape.lower[a] = u(random);
        shape.upper[a] = shape.lower[a] + 0.3 * u(random);
      }
      obstacles.shapes.push_back(shape);
    }
    const CutCells cut = Cut(*grid, obstacles);
    const Layout &l = grid->Cells();
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      const auto at = l.At(i, j, k);
      double most = 0;
      for (int a = 0; a < grid->Dim(); ++a)
        for (const double open : {cut.aperture[a][at], cut.aperture[a][at + l.stride[a]]}) {
          EXPECT_TRUE(open == 0 || open == 1 || (open >= CutCells::kSliver && open <= 1 - CutCells::kSliver)) << open;
          most = std::max(most, open);
        }
      const double volume = cut.volume[at];
      EXPECT_TRUE(volume == 0 || (volume >= CutCells::kSliver && volume <= 1)) << volume;
      EXPECT_EQ(volume == 0, most == 0);
    });
  }
}

TEST(CutCells, AreTheSameBitsOnAnyRankCountGhostsIncluded) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> u(0, 1);
  Obstacles obstacles = Parse(3, "sphere:0.02,0.5,0.9,0.22; cylinder:0.7,0.3,0.11,y; box:0.31,0.41,-1,0.62,0.73,0.55");
  for (int s = 0; s < 12; ++s) {
    Shape shape;
    shape.centre = {u(random), u(random), u(random)};
    shape.radius = 0.12 * u(random) + 0.01;
    obstacles.shapes.push_back(shape);
  }
  for (int bits = 0; bits < 8; ++bits)
    for (const PetscInt nz : {14, 1}) {
      const std::array<bool, 3> periodic{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
      const auto grid = Make(PETSC_COMM_WORLD, {16, 13, nz}, periodic);
      const auto whole = Make(PETSC_COMM_SELF, {16, 13, nz}, periodic);
      const CutCells cut = Cut(*grid, obstacles), reference = Cut(*whole, obstacles);
      ForEachPlace(grid->Cells(), [&](std::ptrdiff_t at, const Int3 &c) {
        const auto other = whole->Cells().At(c[0], c[1], c[2]);
        for (int a = 0; a < grid->Dim(); ++a)
          EXPECT_EQ(cut.aperture[a][at], reference.aperture[a][other])
              << a << ": " << c[0] << " " << c[1] << " " << c[2];
        EXPECT_EQ(cut.volume[at], reference.volume[other]) << c[0] << " " << c[1] << " " << c[2];
      });
    }
}

TEST(CutCells, ShapesRepeatAcrossPeriodicBoundaries) {
  const auto grid = Make(PETSC_COMM_WORLD, {20, 20, 1}, {true, true, false});
  const auto corner = Parse(2, "cylinder:0.03,0.98,0.2");
  const Surface s = Measure(*grid, Cut(*grid, corner, 0));
  EXPECT_NEAR(s.solid, 3.14159265 * 0.04, 1e-4);
  const Obstacles images = corner.WithImages(*grid);
  EXPECT_EQ(images.WithImages(*grid).shapes.size(), images.shapes.size());
  EXPECT_LT(images.Distance({0.98, 0.03, 0.5}), 0);
}

TEST(CutCells, TellHowMuchOfASideIsOpen) {
  const auto grid = Make(PETSC_COMM_WORLD, {10, 10, 10});
  const CutCells cut = Cut(*grid, Parse(3, "box:-1,-1,-1,0.2,2,2; box:0.5,0,0,9,0.3,9"));
  double open = -1;
  ASSERT_PETSC_OK(OpenFractionOfSide(*grid, cut, 0, 0, &open));
  EXPECT_EQ(open, 0);
  ASSERT_PETSC_OK(OpenFractionOfSide(*grid, cut, 0, 1, &open));
  EXPECT_NEAR(open, 0.7, 1e-12);
  ASSERT_PETSC_OK(OpenFractionOfSide(*grid, cut, 1, 1, &open));
  EXPECT_NEAR(open, 0.8, 1e-12);
  EXPECT_REFUSED(OpenFractionOfSide(*grid, cut, 3, 0, &open), "has no side");
}
