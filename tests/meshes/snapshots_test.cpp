#include "meshes/files.h"
#include "meshes/hdf5_file.h"
#include "tests/scratch_folder.h"
#include <fstream>
#include <sstream>

using namespace krylearn;
using krylearn_test::OnRank0;
using krylearn_test::Ranks;
using krylearn_test::ScratchFolder;
namespace fs = std::filesystem;

namespace {

struct Box {
  std::shared_ptr<const Grid> grid;
  Field p, u, v, w;
};

Box Make(PetscInt nz, bool stretched = false) {
  GridSpec spec;
  spec.cells = {9, 8, nz};
  spec.lower = {1, 2, 3};
  spec.upper = {4, 5, 6};
  if (stretched) spec.faces[0] = StretchedFaces(9, 1, 4, 3);
  Box box;
  EXPECT_PETSC_OK(Grid::Create(PETSC_COMM_WORLD, spec, &box.grid));
  box.p = box.u = box.v = box.w = box.grid->NewField();
  ForEachCell(box.grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const auto at = box.grid->Cells().At(i, j, k);
    box.p[at] = i + 10 * j + 100 * k;
    box.u[at] = i;
    box.v[at] = j;
    box.w[at] = k;
  });
  return box;
}

std::vector<SnapshotSeries::Item> Items(const Box &box) {
  return {{"p", {&box.p}}, {"velocity", {&box.u, &box.v, box.grid->Dim() == 3 ? &box.w : nullptr}}};
}

std::string Read(const std::string &path) {
  std::string text;
  EXPECT_PETSC_OK(ReadTextFile(PETSC_COMM_WORLD, path, &text));
  return text;
}

using Strings = std::vector<std::string>;

/// Everything in `text` that stands between `before` and the next `after`.
Strings Between(const std::string &text, const std::string &before, const std::string &after) {
  Strings found;
  for (auto at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    at += before.size();
    found.push_back(text.substr(at, text.find(after, at) - at));
  }
  return found;
}

Strings Times(const std::string &xdmf) { return Between(xdmf, "<Time Value=\"", "\""); }

/// Names of the listed snapshots.
Strings Names(const std::string &xdmf) { return Between(xdmf, "<Grid Name=\"run_", "\""); }

std::string First(const Strings &strings) { return strings.empty() ? "" : strings.front(); }

PetscErrorCode TryOpen(const Grid &grid, const std::string &folder, const std::string &name = "run") {
  SnapshotSeries series;
  return series.Open(grid, folder, name);
}

} // namespace

TEST(SnapshotSeries, ListsWhatItsFilesHold) {
  const ScratchFolder folder;
  for (const PetscInt nz : {6, 1})
    for (const bool stretched : {false, true})
      for (const bool doubles : {false, true}) {
        const Box box = Make(nz, stretched);
        SnapshotSeries series;
        ASSERT_PETSC_OK(series.Open(*box.grid, folder / "new/out", "run"));
        if (doubles) series.UseDoubles();
        ASSERT_PETSC_OK(series.Write(0, Items(box)));
        ASSERT_PETSC_OK(series.Write(0.1, Items(box)));
        const std::string xdmf = Read(folder / "new/out/run.xdmf");
        EXPECT_EQ(Times(xdmf), (Strings{"0", "0.10000000000000001"}));
        EXPECT_NE(xdmf.find(nz == 1     ? "\"2DRectMesh\" Dimensions=\"9 10\""
                            : stretched ? "\"3DRectMesh\" Dimensions=\"7 9 10\""
                                        : "\"3DCoRectMesh\" Dimensions=\"7 9 10\""),
                  std::string::npos)
            << xdmf;
        OnRank0([&] {
          // Every data item that is in a file: its shape and precision are those of the dataset.
          int items = 0;
          for (const std::string &item : Between(xdmf, "<DataItem", "</DataItem>")) {
            if (item.find("\"HDF\"") == std::string::npos) continue;
            ++items;
            const std::string place = item.substr(item.find('>') + 1), name = place.substr(place.find(":/") + 2);
            const hid_t file = H5Fopen((folder / ("new/out/" + place.substr(0, place.find(':')))).c_str(),
                                       H5F_ACC_RDONLY, H5P_DEFAULT);
            ASSERT_GE(file, 0) << place;
            const hid_t set = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
            ASSERT_GE(set, 0) << place;
            const hid_t space = H5Dget_space(set), type = H5Dget_type(set);
            std::vector<hsize_t> dims(H5Sget_simple_extent_ndims(space));
            H5Sget_simple_extent_dims(space, dims.data(), nullptr);
            std::ostringstream shape;
            for (std::size_t d = 0; d < dims.size(); ++d) shape << (d ? " " : "") << dims[d];
            EXPECT_EQ(First(Between(item, "Dimensions=\"", "\"")), shape.str()) << place;
            EXPECT_EQ(First(Between(item, "Precision=\"", "\"")), std::to_string(H5Tget_size(type))) << place;
            H5Tclose(type);
            H5Sclose(space);
            H5Dclose(set);
            H5Fclose(file);
          }
          EXPECT_EQ(items, 2 * (2 + (nz == 1 ? 2 : stretched ? 3 : 0)));
        });
      }
}

TEST(SnapshotSeries, FilesCanBeReadAlone) {
  const ScratchFolder folder;
  const Box box = Make(6);
  SnapshotSeries series;
  ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run"));
  ASSERT_PETSC_OK(series.Write(0.25, Items(box)));
  Hdf5File file;
  ASSERT_PETSC_OK(file.Open(*box.grid, folder / "run_000000.h5"));
  double time = 0;
  ASSERT_PETSC_OK(file.ReadAttribute("time", &time));
  EXPECT_EQ(time, 0.25);
  std::vector<double> x;
  ASSERT_PETSC_OK(file.ReadArray("x", &x));
  ASSERT_EQ(x.size(), 10u);
  EXPECT_DOUBLE_EQ(x[3], 2);
  Field p = box.grid->NewField();
  ASSERT_PETSC_OK(file.ReadField("p", Centring::kCell, &p));
  EXPECT_EQ(p, box.p);
}

TEST(SnapshotSeries, ResumesBeforeTheRestartTime) {
  const ScratchFolder folder;
  const Box box = Make(1);
  {
    SnapshotSeries series;
    ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run"));
    for (const double t : {0., 0.1, 0.2, 0.3}) ASSERT_PETSC_OK(series.Write(t, Items(box)));
  }
  {
    SnapshotSeries series; // nothing is lost by opening alone
    ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run"));
    EXPECT_EQ(Times(Read(folder / "run.xdmf")).size(), 4u);
  }
  SnapshotSeries series;
  ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run", 0.1));
  ASSERT_PETSC_OK(series.Write(0.15, Items(box)));
  const std::string xdmf = Read(folder / "run.xdmf");
  EXPECT_EQ(Times(xdmf), (Strings{"0", "0.10000000000000001", "0.14999999999999999"}));
  EXPECT_EQ(Names(xdmf), (Strings{"000000", "000001", "000002"}));
  ASSERT_PETSC_OK(series.Write(0.1, Items(box))); // time went back: later ones go
  EXPECT_EQ(Times(Read(folder / "run.xdmf")), (Strings{"0", "0.10000000000000001"}));
}

TEST(SnapshotSeries, ResumesWithoutSnapshotsThatWereRemoved) {
  const ScratchFolder folder;
  const Box box = Make(1);
  {
    SnapshotSeries series;
    ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run"));
    for (const double t : {0., 1., 2.}) ASSERT_PETSC_OK(series.Write(t, Items(box)));
  }
  OnRank0([&] { fs::remove(folder / "run_000001.h5"); });
  SnapshotSeries series;
  ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run", 5));
  ASSERT_PETSC_OK(series.Write(6, Items(box)));
  EXPECT_EQ(Names(Read(folder / "run.xdmf")), (Strings{"000000", "000002", "000003"}));
  OnRank0([&] { std::ofstream(folder / "run.xdmf") << "<Grid> rubbish"; });
  ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run", 5));
  ASSERT_PETSC_OK(series.Write(6, Items(box)));
  EXPECT_EQ(Names(Read(folder / "run.xdmf")), (Strings{"000000"}));
}

TEST(SnapshotSeries, RefusesUnusableFoldersAndNames) {
  const ScratchFolder folder;
  const Box box = Make(1);
  OnRank0([&] { std::ofstream(folder / "file") << "precious"; });
  EXPECT_REFUSED(TryOpen(*box.grid, folder / "file"), "is a file, not a folder");
  EXPECT_REFUSED(TryOpen(*box.grid, folder / "file/out"), "is a file, not a folder");
  EXPECT_REFUSED(TryOpen(*box.grid, "/proc/out"), "'/proc/out'");
  EXPECT_REFUSED(TryOpen(*box.grid, folder.Path(), "a/b"), "letters, digits");
  EXPECT_EQ(Read(folder / "file"), "precious");
  SnapshotSeries series;
  EXPECT_REFUSED(series.Write(0, Items(box)), "Open() the series");
  ASSERT_PETSC_OK(series.Open(*box.grid, folder.Path(), "run"));
  EXPECT_REFUSED(series.Write(0, {{"<p>", {&box.p}}}), "cannot hold '<p>'");
  EXPECT_REFUSED(series.Write(0, {{"p", {}}}), "give its field");
}
