#include "meshes/grid.h"
#include "tests/mpi_test.h"

using namespace krylearn;
using krylearn_test::Ranks;

namespace {

constexpr double kUnset = -1;

double Value(const Int3 &c) { return 1 + c[0] + 1000. * c[1] + 1000000. * c[2]; }

struct Setting {
  Int3 cells;
  std::array<bool, 3> periodic;
  bool uneven;
};

/// Calls body(index) for all places of the rank's layout.
template <class Body> void ForEachPlace(const Layout &l, Body &&body) {
  for (PetscInt k = l.lo[2] - l.ghosts[2]; k < l.hi[2] + l.ghosts[2]; ++k)
    for (PetscInt j = l.lo[1] - l.ghosts[1]; j < l.hi[1] + l.ghosts[1]; ++j)
      for (PetscInt i = l.lo[0] - l.ghosts[0]; i < l.hi[0] + l.ghosts[0]; ++i) body(Int3{i, j, k});
}

std::vector<Setting> Settings() {
  std::vector<Setting> all;
  for (int bits = 0; bits < 8; ++bits)
    for (const bool uneven : {false, true}) {
      const std::array<bool, 3> periodic{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
      all.push_back({{9, 11, 8}, periodic, uneven});
      if (bits < 4) all.push_back({{10, 9, 1}, periodic, uneven});
    }
  all.push_back({{8, 8, 2}, {true, true, true}, false}); // as thin as the ghosts
  return all;
}

std::shared_ptr<const Grid> Make(const Setting &setting) {
  GridSpec spec;
  spec.cells = setting.cells;
  spec.periodic = setting.periodic;
  if (setting.uneven) {
    std::vector<PetscInt> rows(Ranks(), 2);
    rows.front() = spec.cells[1] - 2 * (Ranks() - 1);
    spec.ownership = {std::vector<PetscInt>{spec.cells[0]}, rows, std::vector<PetscInt>{spec.cells[2]}};
  }
  std::shared_ptr<const Grid> grid;
  EXPECT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &grid));
  return grid;
}

/// The owned place that `c` repeats; false if it lies outside a non-periodic boundary. `end` is one past the last.
bool Wrap(const Setting &setting, const Int3 &end, Int3 *c) {
  for (int a = 0; a < 3; ++a) {
    const PetscInt n = setting.cells[a];
    if (setting.periodic[a]) (*c)[a] = ((*c)[a] % n + n) % n;
    else if ((*c)[a] < 0 || (*c)[a] >= end[a]) return false;
  }
  return true;
}

} // namespace

TEST(Halo, FillsAllCellGhostsWithCorners) {
  for (const Setting &setting : Settings()) {
    const auto grid = Make(setting);
    ASSERT_TRUE(grid);
    const Layout &l = grid->Cells();
    Field field(l.size, kUnset);
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { field[l.At(i, j, k)] = Value({i, j, k}); });
    ASSERT_PETSC_OK(grid->Exchange({&field}));
    ForEachPlace(l, [&](const Int3 &c) {
      Int3 source = c;
      const bool inside = Wrap(setting, setting.cells, &source);
      EXPECT_EQ(field[l.At(c[0], c[1], c[2])], inside ? Value(source) : kUnset) << c[0] << " " << c[1] << " " << c[2];
    });
  }
}

TEST(Halo, FillsAllFaceGhostsIncludingUpperBoundaryFaces) {
  for (const Setting &setting : Settings()) {
    const auto grid = Make(setting);
    ASSERT_TRUE(grid);
    const Layout &l = grid->Cells();
    FaceFields faces = grid->NewFaces();
    for (int a = 0; a < grid->Dim(); ++a) {
      std::fill(faces[a].begin(), faces[a].end(), kUnset);
      Int3 end = l.hi;
      end[a] = l.FaceEnd(a, grid->Periodic(a));
      for (PetscInt k = l.lo[2]; k < end[2]; ++k)
        for (PetscInt j = l.lo[1]; j < end[1]; ++j)
          for (PetscInt i = l.lo[0]; i < end[0]; ++i) faces[a][l.At(i, j, k)] = (a + 1) * Value({i, j, k});
    }
    ASSERT_PETSC_OK(grid->Exchange(faces));
    for (int a = 0; a < grid->Dim(); ++a)
      ForEachPlace(l, [&](const Int3 &c) {
        Int3 source = c, end = setting.cells;
        if (!setting.periodic[a]) ++end[a];
        const bool inside = Wrap(setting, end, &source);
        EXPECT_EQ(faces[a][l.At(c[0], c[1], c[2])], inside ? (a + 1) * Value(source) : kUnset)
            << "axis " << a << ": " << c[0] << " " << c[1] << " " << c[2];
      });
  }
}

TEST(Halo, BoundaryValuesTravelAlongTheBoundary) {
  const Setting setting{{9, 11, 8}, {false, false, false}, false};
  const auto grid = Make(setting);
  ASSERT_TRUE(grid);
  const Layout &l = grid->Cells();
  Field field(l.size, kUnset);
  // Every rank fills its own part of the extended box: cells and what lies straight outside a boundary.
  auto owned = [&](const Int3 &c) {
    for (int a = 0; a < 3; ++a)
      if ((c[a] < l.lo[a] && l.lo[a] > 0) || (c[a] >= l.hi[a] && l.hi[a] < l.n[a])) return false;
    return true;
  };
  ForEachPlace(l, [&](const Int3 &c) {
    if (owned(c)) field[l.At(c[0], c[1], c[2])] = Value(c);
  });
  ASSERT_PETSC_OK(grid->Exchange({&field}));
  ForEachPlace(l, [&](const Int3 &c) { EXPECT_EQ(field[l.At(c[0], c[1], c[2])], Value(c)); });
}

TEST(Halo, ExchangesMoreFieldsThanRequestsFitAtOnceAndSkipsEmptyOnes) {
  const auto grid = Make({{9, 11, 8}, {true, true, true}, false});
  ASSERT_TRUE(grid);
  const Layout &l = grid->Cells();
  std::array<Field, 11> fields;
  for (int f = 0; f < 11; ++f)
    if (f != 4) {
      fields[f] = grid->NewField();
      ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { fields[f][l.At(i, j, k)] = f + i; });
    }
  ASSERT_PETSC_OK(grid->Exchange({&fields[0], &fields[1], &fields[2], &fields[3], &fields[4], &fields[5], &fields[6],
                                  &fields[7], &fields[8], &fields[9], &fields[10]}));
  for (int f = 0; f < 11; ++f) {
    if (f == 4) continue;
    EXPECT_EQ(fields[f][l.At(l.lo[0] - 1, l.lo[1], l.lo[2])], f + (l.lo[0] + 8) % 9);
    EXPECT_EQ(fields[f][l.At(l.hi[0] + 1, l.hi[1] + 1, l.hi[2] + 1)], f + (l.hi[0] + 1) % 9);
  }
}

TEST(Halo, RefusesFieldsOfOtherGrids) {
  const auto grid = Make({{9, 11, 8}, {false, false, false}, false});
  ASSERT_TRUE(grid);
  Field field(grid->Cells().size + 1, 0.);
  EXPECT_REFUSED(grid->Exchange({&field}), "does not belong to this grid");
}
