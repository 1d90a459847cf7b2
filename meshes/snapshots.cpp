#include "meshes/files.h"
#include "meshes/hdf5_file.h"
#include "meshes/log.h"
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <sys/stat.h>

namespace krylearn {
namespace {

// The list is read back line by line, so these are written and searched for in exactly this form.
constexpr const char *kHead = "<?xml version=\"1.0\" ?>\n<Xdmf Version=\"3.0\">\n  <Domain>\n"
                              "    <Grid Name=\"Snapshots\" GridType=\"Collection\" CollectionType=\"Temporal\">\n";
constexpr const char *kTail = "    </Grid>\n  </Domain>\n</Xdmf>\n";
constexpr const char *kEntryBegin = "      <Grid Name=\"", *kEntryEnd = "      </Grid>\n",
                     *kTime = "        <Time Value=\"";

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// Numbers of the grid's axes, slowest first, as XDMF wants them.
template <class Value> std::string Reversed(int dim, Value &&value) {
  std::ostringstream text;
  for (int a = dim - 1; a >= 0; --a) text << value(a) << (a ? " " : "");
  return text.str();
}

bool GoodName(const std::string &name) {
  for (unsigned char c : name)
    if (!std::isalnum(c) && c != '_' && c != '-') return false;
  return !name.empty();
}

} // namespace

std::string SnapshotSeries::FileName(int number) const {
  char digits[16];
  std::snprintf(digits, sizeof digits, "_%06d", number);
  return name_ + digits + ".h5";
}

PetscErrorCode SnapshotSeries::Open(const Grid &grid, const std::string &folder, const std::string &name,
                                    double resume_time) {
  PetscFunctionBeginUser;
  PetscCheck(GoodName(name), grid.Comm(), PETSC_ERR_ARG_WRONG,
             "A series of snapshots cannot be called '%s'; use letters, digits, _ and -", name.c_str());
  PetscCall(PrepareFolder(grid.Comm(), folder));
  grid_ = &grid;
  folder_ = folder;
  name_ = name;
  entries_.clear();
  if (resume_time >= 0) PetscCall(ReadList(resume_time));
  PetscFunctionReturn(0);
}

PetscErrorCode SnapshotSeries::ReadList(double resume_time) {
  PetscFunctionBeginUser;
  std::string list;
  PetscCall(ReadTextFile(grid_->Comm(), folder_ + "/" + name_ + ".xdmf", &list));
  const std::string begin = kEntryBegin + name_ + "_", end = kEntryEnd;
  const double latest = resume_time + 1e-12 * std::abs(resume_time); // it went through text
  for (std::size_t at = list.find(begin); at != std::string::npos; at = list.find(begin, at)) {
    const std::size_t past = list.find(end, at);
    if (past == std::string::npos) break;
    Entry entry;
    entry.text = list.substr(at, past + end.size() - at);
    entry.number = std::atoi(list.c_str() + at + begin.size());
    at = past;
    const std::size_t time = entry.text.find(kTime);
    if (time == std::string::npos) continue;
    entry.time = std::strtod(entry.text.c_str() + time + std::string(kTime).size(), nullptr);
    if (entry.time <= latest) entries_.push_back(entry);
  }
  // Snapshots that were removed since then are not listed any more; rank 0 looks.
  std::vector<int> present(entries_.size() + 1, 1);
  struct stat info;
  for (std::size_t e = 0; e < entries_.size(); ++e)
    present[e] = stat((folder_ + "/" + FileName(entries_[e].number)).c_str(), &info) == 0;
  PetscCallMPI(MPI_Bcast(present.data(), static_cast<int>(present.size()), MPI_INT, 0, grid_->Comm()));
  std::vector<Entry> kept;
  for (std::size_t e = 0; e < entries_.size(); ++e)
    if (present[e]) kept.push_back(entries_[e]);
  entries_.swap(kept);
  PetscFunctionReturn(0);
}

std::string SnapshotSeries::Describe(double time, int number, const std::vector<Item> &items) const {
  const Grid &grid = *grid_;
  const int dim = grid.Dim();
  const std::string file = FileName(number), precision = single_ ? "4" : "8";
  auto corners = [&](int a) { return grid.Cells().n[a] + 1; };
  auto cells = [&](int a) { return grid.Cells().n[a]; };
  auto data = [&](const std::string &name, const std::string &dimensions, const std::string &bytes) {
    return "<DataItem Dimensions=\"" + dimensions + "\" NumberType=\"Float\" Precision=\"" + bytes +
           "\" Format=\"HDF\">" + file + ":/" + name + "</DataItem>\n";
  };
  std::ostringstream text;
  text << kEntryBegin << file.substr(0, file.size() - 3) << "\" GridType=\"Uniform\">\n"
       << kTime << Number(time) << "\"/>\n";
  // ParaView lays 2DCoRectMesh into the y-z plane; 2DRectMesh it understands.
  const bool spacing_only = grid.Uniform() && dim == 3;
  const std::string mesh = std::to_string(dim) + (spacing_only ? "DCoRectMesh" : "DRectMesh");
  text << "        <Topology TopologyType=\"" << mesh << "\" Dimensions=\"" << Reversed(dim, corners) << "\"/>\n";
  if (spacing_only) {
    auto origin = [&](int a) { return Number(grid.Spec().lower[a]); };
    auto spacing = [&](int a) { return Number(grid.Width(a, 0)); };
    const std::string item =
        "          <DataItem Dimensions=\"3\" NumberType=\"Float\" Precision=\"8\" Format=\"XML\">";
    text << "        <Geometry GeometryType=\"ORIGIN_DXDYDZ\">\n"
         << item << Reversed(dim, origin) << "</DataItem>\n"
         << item << Reversed(dim, spacing) << "</DataItem>\n";
  } else {
    text << "        <Geometry GeometryType=\"" << (dim == 2 ? "VXVY" : "VXVYVZ") << "\">\n";
    for (int a = 0; a < dim; ++a)
      text << "          " << data(std::string(1, "xyz"[a]), std::to_string(corners(a)), "8");
  }
  text << "        </Geometry>\n";
  for (const Item &item : items)
    text << "        <Attribute Name=\"" << item.name << "\" AttributeType=\""
         << (item.IsVector() ? "Vector" : "Scalar") << "\" Center=\"Cell\">\n          "
         << data(item.name, Reversed(dim, cells) + (item.IsVector() ? " 3" : ""), precision)
         << "        </Attribute>\n";
  text << kEntryEnd;
  return text.str();
}

PetscErrorCode SnapshotSeries::Write(double time, const std::vector<Item> &items) {
  PetscFunctionBeginUser;
  PetscCheck(grid_, PETSC_COMM_SELF, PETSC_ERR_ORDER, "Open() the series of snapshots before writing to it");
  PetscCall(PetscLogEventBegin(Log().output, 0, 0, 0, 0));
  for (const Item &item : items)
    PetscCheck(GoodName(item.name) && item.fields[0], grid_->Comm(), PETSC_ERR_ARG_WRONG,
               "A snapshot cannot hold '%s': name it with letters, digits, _ and -, and give its field",
               item.name.c_str());
  while (!entries_.empty() && entries_.back().time >= time) entries_.pop_back();
  const int number = entries_.empty() ? 0 : entries_.back().number + 1;
  Hdf5File file;
  PetscCall(file.Create(*grid_, folder_ + "/" + FileName(number)));
  PetscCall(file.WriteAttribute("time", time));
  for (int a = 0; a < grid_->Dim(); ++a) {
    std::vector<double> faces(grid_->Cells().n[a] + 1);
    for (std::size_t i = 0; i < faces.size(); ++i) faces[i] = grid_->Face(a, static_cast<PetscInt>(i));
    PetscCall(file.WriteArray(std::string(1, "xyz"[a]), faces));
  }
  for (const Item &item : items) {
    if (item.IsVector()) PetscCall(file.WriteVectors(item.name, item.fields, single_));
    else PetscCall(file.WriteField(item.name, Centring::kCell, *item.fields[0], single_));
  }
  PetscCall(file.Commit());
  entries_.push_back({time, number, Describe(time, number, items)});
  PetscCall(WriteList());
  PetscCall(PetscLogEventEnd(Log().output, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode SnapshotSeries::WriteList() const {
  PetscFunctionBeginUser;
  std::string text = kHead;
  for (const Entry &entry : entries_) text += entry.text;
  PetscCall(WriteTextFile(grid_->Comm(), folder_ + "/" + name_ + ".xdmf", text + kTail));
  PetscFunctionReturn(0);
}

} // namespace krylearn
