#include "meshes/files.h"
#include "meshes/hdf5_file.h"
#include "tests/scratch_folder.h"
#include <fstream>

using namespace krylearn;
using krylearn_test::OnRank0;
using krylearn_test::Rank;
using krylearn_test::Ranks;
using krylearn_test::ScratchFolder;
namespace fs = std::filesystem;

namespace {

constexpr Centring kCentrings[] = {Centring::kCell, Centring::kFaceX, Centring::kFaceY, Centring::kFaceZ};

struct Setting {
  Int3 cells;
  std::array<bool, 3> periodic;
};

const Setting kSettings[] = {{{9, 11, 8}, {false, false, false}},
                             {{9, 11, 8}, {true, false, true}},
                             {{12, 9, 1}, {false, false, false}},
                             {{66, 65, 4}, {false, true, false}}, // several chunks
                             {{600, 9, 1}, {false, true, false}}};

enum class Division { kDefault, kUnevenRows, kSelf };

std::shared_ptr<const Grid> Make(const Setting &setting, Division division = Division::kDefault) {
  GridSpec spec;
  spec.cells = setting.cells;
  spec.periodic = setting.periodic;
  if (division == Division::kUnevenRows) {
    std::vector<PetscInt> rows(Ranks(), 2);
    rows.front() = spec.cells[1] - 2 * (Ranks() - 1);
    spec.ownership = {std::vector<PetscInt>{spec.cells[0]}, rows, std::vector<PetscInt>{spec.cells[2]}};
  }
  std::shared_ptr<const Grid> grid;
  EXPECT_PETSC_OK(Grid::Create(division == Division::kSelf ? PETSC_COMM_SELF : PETSC_COMM_WORLD, spec, &grid));
  return grid;
}

/// Calls body(offset, value) for all owned places of a centring; values are unique and survive 4 bytes.
template <class Body> void ForEachOwned(const Grid &grid, Centring centring, Body &&body) {
  const Layout &l = grid.Cells();
  Int3 end = l.hi;
  if (centring != Centring::kCell) {
    const int axis = static_cast<int>(centring) - 1;
    end[axis] = l.FaceEnd(axis, grid.Periodic(axis));
  }
  for (PetscInt k = l.lo[2]; k < end[2]; ++k)
    for (PetscInt j = l.lo[1]; j < end[1]; ++j)
      for (PetscInt i = l.lo[0]; i < end[0]; ++i)
        body(l.At(i, j, k), 1 + i + double(l.n[0] + 1) * (j + double(l.n[1] + 1) * k) + 0.25 * int(centring));
}

Field Filled(const Grid &grid, Centring centring) {
  Field field = grid.NewField();
  ForEachOwned(grid, centring, [&](std::ptrdiff_t at, double value) { field[at] = value; });
  return field;
}

void WriteAll(const Grid &grid, const std::string &path) {
  Hdf5File file;
  ASSERT_PETSC_OK(file.Create(grid, path));
  for (const Centring c : kCentrings) {
    if (grid.Dim() == 2 && c == Centring::kFaceZ) continue;
    const Field field = Filled(grid, c);
    ASSERT_PETSC_OK(file.WriteField("double" + std::to_string(int(c)), c, field));
    ASSERT_PETSC_OK(file.WriteField("single" + std::to_string(int(c)), c, field, true));
  }
  ASSERT_PETSC_OK(file.WriteArray("array", {1.5, 2.5, 1e-300}));
  ASSERT_PETSC_OK(file.WriteArray("nothing", {}));
  ASSERT_PETSC_OK(file.WriteAttribute("number", 0.1));
  ASSERT_PETSC_OK(file.WriteAttribute("text", std::string("a text with µ")));
  ASSERT_PETSC_OK(file.WriteAttribute("empty", std::string()));
  ASSERT_PETSC_OK(file.Commit());
}

void ReadAll(const Grid &grid, const std::string &path) {
  Hdf5File file;
  ASSERT_PETSC_OK(file.Open(grid, path));
  for (const Centring c : kCentrings) {
    if (grid.Dim() == 2 && c == Centring::kFaceZ) continue;
    for (const std::string name : {"double", "single"}) {
      Field field(grid.Cells().size, -1.);
      ASSERT_PETSC_OK(file.ReadField(name + std::to_string(int(c)), c, &field));
      std::size_t wrong = 0, owned = 0, touched = 0;
      ForEachOwned(grid, c, [&](std::ptrdiff_t at, double value) {
        // 4-byte numbers hold 24 bits of the value.
        wrong += std::abs(field[at] - value) > (name == "single" ? 6e-8 * value : 0);
        ++owned;
      });
      for (double value : field) touched += value != -1;
      EXPECT_EQ(wrong, 0u) << name << int(c);
      EXPECT_EQ(touched, owned) << "ghosts are left alone";
    }
  }
  std::vector<double> array{7};
  ASSERT_PETSC_OK(file.ReadArray("array", &array));
  EXPECT_EQ(array, (std::vector<double>{1.5, 2.5, 1e-300}));
  ASSERT_PETSC_OK(file.ReadArray("nothing", &array));
  EXPECT_TRUE(array.empty());
  double number = 0;
  std::string text;
  ASSERT_PETSC_OK(file.ReadAttribute("number", &number));
  EXPECT_EQ(number, 0.1);
  ASSERT_PETSC_OK(file.ReadAttribute("text", &text));
  EXPECT_EQ(text, "a text with µ");
  ASSERT_PETSC_OK(file.ReadAttribute("empty", &text));
  EXPECT_EQ(text, "");
  EXPECT_TRUE(file.Has("array"));
  EXPECT_TRUE(file.Has("number"));
  EXPECT_FALSE(file.Has("absent"));
  ASSERT_PETSC_OK(file.Close());
}

PetscErrorCode TryOpen(const Grid &grid, const std::string &path) {
  Hdf5File file;
  return file.Open(grid, path);
}

PetscErrorCode TryCreate(const Grid &grid, const std::string &path) {
  Hdf5File file;
  return file.Create(grid, path);
}

} // namespace

TEST(Hdf5File, RoundTripsBetweenAnyDistributions) {
  const ScratchFolder folder;
  for (const Setting &setting : kSettings) {
    const auto grid = Make(setting), uneven = Make(setting, Division::kUnevenRows);
    const auto self = Make(setting, Division::kSelf);
    WriteAll(*grid, folder / "world.h5");
    WriteAll(*uneven, folder / "uneven.h5");
    WriteAll(*self, folder / ("self" + std::to_string(Rank()) + ".h5"));
    MPI_Barrier(PETSC_COMM_WORLD);
    for (const char *name : {"world.h5", "uneven.h5", "self0.h5"})
      for (const auto &reader : {grid, uneven, self}) ReadAll(*reader, folder / name);
  }
}

TEST(Hdf5File, WritesVectorsComponentByComponent) {
  const ScratchFolder folder;
  const auto grid = Make(kSettings[0]);
  const Field x = Filled(*grid, Centring::kCell);
  for (const bool single : {false, true}) {
    Hdf5File file;
    ASSERT_PETSC_OK(file.Create(*grid, folder / "v.h5"));
    ASSERT_PETSC_OK(file.WriteVectors("v", {&x, nullptr, &x}, single));
    ASSERT_PETSC_OK(file.Commit());
    OnRank0([&] {
      const hid_t id = H5Fopen((folder / "v.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
      const hid_t set = H5Dopen2(id, "v", H5P_DEFAULT);
      std::vector<double> values(9 * 11 * 8 * 3, -1);
      EXPECT_GE(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
      std::size_t at = 0;
      for (int k = 0; k < 8; ++k)
        for (int j = 0; j < 11; ++j)
          for (int i = 0; i < 9; ++i, at += 3) {
            const double value = 1 + i + 10. * (j + 12. * k);
            ASSERT_EQ(values[at], value);
            ASSERT_EQ(values[at + 1], 0);
            ASSERT_EQ(values[at + 2], value);
          }
      H5Dclose(set);
      H5Fclose(id);
    });
  }
}

TEST(Hdf5File, AppearsOnlyWhenCommitted) {
  const ScratchFolder folder;
  const auto grid = Make(kSettings[2]);
  const std::string path = folder / "a.h5";
  {
    Hdf5File file;
    ASSERT_PETSC_OK(file.Create(*grid, path));
    ASSERT_PETSC_OK(file.WriteField("p", Centring::kCell, Filled(*grid, Centring::kCell)));
    EXPECT_FALSE(fs::exists(path));
    MPI_Barrier(PETSC_COMM_WORLD);
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".part")) << "an abandoned file is removed";
  MPI_Barrier(PETSC_COMM_WORLD);
  WriteAll(*grid, path);
  MPI_Barrier(PETSC_COMM_WORLD);
  EXPECT_FALSE(fs::exists(path + ".part"));
  MPI_Barrier(PETSC_COMM_WORLD);
  {
    Hdf5File file;
    ASSERT_PETSC_OK(file.Create(*grid, path));
    ASSERT_PETSC_OK(file.WriteAttribute("number", 2.0));
  }
  ReadAll(*grid, path); // the old one is untouched
  WriteAll(*grid, path);
  ReadAll(*grid, path);
}

TEST(Hdf5File, RefusesMissingForeignAndTruncatedFiles) {
  const ScratchFolder folder;
  const auto grid = Make(kSettings[0]);
  WriteAll(*grid, folder / "good.h5");
  OnRank0([&] {
    std::ofstream(folder / "text.h5") << "this is not HDF5 at all\n";
    std::ofstream(folder / "empty.h5");
    fs::create_directory(folder / "folder.h5");
    const hid_t foreign = H5Fcreate((folder / "foreign.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(foreign);
  });
  EXPECT_REFUSED(TryOpen(*grid, folder / "absent.h5"), "No such file");
  EXPECT_REFUSED(TryOpen(*grid, folder / "text.h5"), "not an HDF5 file");
  EXPECT_REFUSED(TryOpen(*grid, folder / "empty.h5"), "not an HDF5 file");
  EXPECT_REFUSED(TryOpen(*grid, folder / "folder.h5"), "not a file");
  EXPECT_REFUSED(TryOpen(*grid, folder / "foreign.h5"), "did not write");
  const auto size = fs::file_size(folder / "good.h5");
  for (const double part : {0.0001, 0.01, 0.3, 0.7, 0.95, 0.9999}) {
    const auto length = static_cast<std::uintmax_t>(part * double(size));
    OnRank0([&] {
      fs::copy_file(folder / "good.h5", folder / "cut.h5", fs::copy_options::overwrite_existing);
      fs::resize_file(folder / "cut.h5", length);
    });
    EXPECT_REFUSED(TryOpen(*grid, folder / "cut.h5"), length < 8 ? "not an HDF5 file" : "truncated or damaged");
  }
  ReadAll(*grid, folder / "good.h5");
}

TEST(Hdf5File, RefusesFilesOfOtherGridsAndMissingData) {
  const ScratchFolder folder;
  const auto grid = Make(kSettings[0]), periodic = Make(kSettings[1]), plane = Make(kSettings[2]);
  WriteAll(*grid, folder / "a.h5");
  Hdf5File file;
  Field field = periodic->NewField();
  ASSERT_PETSC_OK(file.Open(*periodic, folder / "a.h5"));
  EXPECT_REFUSED(file.ReadField("double1", Centring::kFaceX, &field), "8 x 11 x 10, this grid needs 8 x 11 x 9");
  EXPECT_REFUSED(file.ReadField("absent", Centring::kCell, &field), "'absent'");
  EXPECT_REFUSED(file.ReadField("array", Centring::kCell, &field), "its size is 3");
  double number;
  std::string text;
  EXPECT_REFUSED(file.ReadAttribute("absent", &number), "attribute 'absent'");
  EXPECT_REFUSED(file.ReadAttribute("number", &text), "not a text");
  std::vector<double> array;
  EXPECT_REFUSED(file.ReadArray("double0", &array), "not one-dimensional");
  ASSERT_PETSC_OK(file.ReadField("double0", Centring::kCell, &field)); // still usable
  EXPECT_REFUSED(file.WriteAttribute("number", 1.0), "open for writing");
  field.resize(3);
  EXPECT_REFUSED(file.ReadField("double0", Centring::kCell, &field), "does not belong to this grid");
  ASSERT_PETSC_OK(file.Create(*plane, folder / "b.h5")); // closes the other
  field = plane->NewField();
  EXPECT_REFUSED(file.WriteField("w", Centring::kFaceZ, field), "no faces along z");
  EXPECT_REFUSED(file.ReadField("w", Centring::kCell, &field), "open for reading");
  ASSERT_PETSC_OK(file.WriteField("w", Centring::kCell, field));
  EXPECT_REFUSED(file.WriteField("w", Centring::kCell, field), "exists");
  ASSERT_PETSC_OK(file.Close());
  EXPECT_REFUSED(file.Commit(), "Create()");
}

TEST(Hdf5File, RefusesUnusablePlaces) {
  const ScratchFolder folder;
  const auto grid = Make(kSettings[2]);
  OnRank0([&] {
    std::ofstream(folder / "file") << "x";
    fs::create_directory(folder / "taken.h5");
  });
  EXPECT_REFUSED(TryCreate(*grid, folder / "nowhere/a.h5"), "does not exist");
  EXPECT_REFUSED(TryCreate(*grid, folder / "file/a.h5"), "is a file, not a folder");
  EXPECT_REFUSED(TryCreate(*grid, folder / "taken.h5"), "a folder of that name");
  EXPECT_REFUSED(TryCreate(*grid, folder.Path() + "/"), "name of the file is missing");
  EXPECT_REFUSED(TryCreate(*grid, "/proc/a.h5"), "Cannot write '/proc/a.h5'");
}

TEST(Hdf5File, OneFailingRankFailsAll) {
  const auto grid = Make(kSettings[2]);
  const std::string mine = Rank() == Ranks() - 1 ? "the disk is full" : "";
  EXPECT_REFUSED(AgreeOnComplaint(PETSC_COMM_WORLD, PETSC_ERR_FILE_WRITE, "Cannot write", mine), "the disk is full");
  EXPECT_PETSC_OK(AgreeOnComplaint(PETSC_COMM_WORLD, PETSC_ERR_FILE_WRITE, "Cannot write", ""));
}

TEST(Hdf5File, LeavesHdf5ErrorReportingAsItWas) {
  const auto grid = Make(kSettings[2]);
  H5E_auto2_t before = nullptr, after = nullptr;
  void *data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  EXPECT_REFUSED(TryOpen(*grid, "/absent.h5"), "No such file");
  H5Eget_auto2(H5E_DEFAULT, &after, &data);
  EXPECT_EQ(before, after);
  EXPECT_NE(after, nullptr);
}

TEST(Files, PrepareFolderCreatesAndChecks) {
  const ScratchFolder folder;
  ASSERT_PETSC_OK(PrepareFolder(PETSC_COMM_WORLD, folder / "a/b//c/"));
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  EXPECT_TRUE(fs::is_empty(folder / "a/b/c"));
  ASSERT_PETSC_OK(PrepareFolder(PETSC_COMM_WORLD, folder / "a"));
  OnRank0([&] { std::ofstream(folder / "file") << "x"; });
  EXPECT_REFUSED(PrepareFolder(PETSC_COMM_WORLD, folder / "file"), "is a file, not a folder");
  EXPECT_REFUSED(PrepareFolder(PETSC_COMM_WORLD, folder / "file/below"), "is a file, not a folder");
  EXPECT_REFUSED(PrepareFolder(PETSC_COMM_WORLD, ""), "give a folder");
  EXPECT_REFUSED(PrepareFolder(PETSC_COMM_WORLD, "/proc/krylearn"), "'/proc/krylearn'");
}

TEST(Files, TextFilesAreReplacedWhole) {
  const ScratchFolder folder;
  std::string text = "old";
  ASSERT_PETSC_OK(ReadTextFile(PETSC_COMM_WORLD, folder / "a.txt", &text));
  EXPECT_EQ(text, "");
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder / "a.txt", "one\n"));
  ASSERT_PETSC_OK(WriteTextFile(PETSC_COMM_WORLD, folder / "a.txt", "two\n"));
  ASSERT_PETSC_OK(ReadTextFile(PETSC_COMM_WORLD, folder / "a.txt", &text));
  EXPECT_EQ(text, "two\n");
  EXPECT_FALSE(fs::exists(folder / "a.txt.part"));
  EXPECT_REFUSED(WriteTextFile(PETSC_COMM_WORLD, folder / "b/a.txt", "x"), "does not exist");
}
