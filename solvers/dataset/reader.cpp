#include "solvers/dataset/reader.h"
#include "meshes/files.h"
#include "solvers/dataset/seal.h"
#include "solvers/dataset/writer.h"
#include <algorithm>
#include <cstdio>
#include <cstring>

namespace krylearn {

using namespace hdf5;

namespace {

std::vector<hsize_t> ShapeOf(hid_t group, const char *name) {
  if (H5Lexists(group, name, H5P_DEFAULT) <= 0) return {};
  Handle set(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose);
  if (set < 0) return {};
  Handle space(H5Dget_space(set), H5Sclose);
  std::vector<hsize_t> shape(std::size_t(std::max(0, H5Sget_simple_extent_ndims(space))));
  H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

bool Describe(hid_t place, DataGroup *group) {
  const std::vector<hsize_t> faces = ShapeOf(place, "faces"), right = ShapeOf(place, "right_sides"),
                             modes = ShapeOf(place, "ritz_values");
  if (faces.size() != 4 && faces.size() != 5) return false;
  group->samples = long(faces[0]);
  for (std::size_t a = 0; a < faces.size() - 2; ++a) group->n[a] = long(faces[faces.size() - 1 - a]);
  group->right_sides = right.size() > 1 ? long(right[1]) : 0;
  group->solved = !ShapeOf(place, "solutions").empty();
  group->modes = modes.size() > 1 ? long(modes[1]) : 0;
  return group->Dim() == int(faces[1]);
}

} // namespace

DataSet::~DataSet() {
  if (file_ >= 0) H5Fclose(file_);
}

std::string DataSet::Identity() const {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", unsigned(identity_));
  return text;
}

PetscErrorCode DataSet::Open(MPI_Comm comm, const std::string &path, std::unique_ptr<DataSet> *result) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  std::unique_ptr<DataSet> set(new DataSet);
  set->path_ = path;
  PetscCall(CheckSeal(comm, path, &set->identity_));
  set->file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const std::string complaint = set->file_ < 0 ? Reason() : set->List();
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, "Cannot read '" + path + "'", complaint));
  *result = std::move(set);
  PetscFunctionReturn(0);
}

std::string DataSet::List() {
  split_ = TextAttribute(file_, "split");
  options_ = TextAttribute(file_, "options");
  revision_ = TextAttribute(file_, "revision");
  H5G_info_t info;
  if (H5Gget_info(file_, &info) < 0) return Reason();
  for (hsize_t g = 0; g < info.nlinks; ++g) {
    char name[256] = {};
    if (H5Lget_name_by_idx(file_, "/", H5_INDEX_NAME, H5_ITER_INC, g, name, sizeof name, H5P_DEFAULT) < 0)
      return Reason();
    DataGroup group;
    group.name = name;
    Handle place(H5Gopen2(file_, name, H5P_DEFAULT), H5Gclose);
    if (place < 0 || !Describe(place, &group)) return "its group '" + group.name + "' holds no samples";
    groups_.push_back(group);
    for (long row = 0; row < group.samples; ++row) {
      DataSample sample;
      std::int64_t sum = -1;
      bool fine = TransferRow(file_, group, row, ChecksumArray(&sum), false);
      for (const ArrayView &array : ArraysOf(group, &sample, false))
        if (array.shape.empty()) fine = fine && TransferRow(file_, group, row, array, false);
      if (!fine || sum < 0) return "its group '" + group.name + "' is incomplete";
      const char *family = sample.family.data();
      samples_.push_back({groups_.size() - 1, row, std::string(family, strnlen(family, kFamilyLength)),
                          long(sample.seed), sample.singular != 0});
    }
  }
  return samples_.empty() ? "it holds no samples" : "";
}

PetscErrorCode DataSet::ReadArrays(std::size_t number, bool geometry_only, DataSample *sample) const {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  const Entry &entry = samples_.at(number);
  DataGroup group = groups_[entry.group];
  if (geometry_only) group.right_sides = group.modes = 0;
  for (const ArrayView &array : ArraysOf(group, sample, true))
    if (!TransferRow(file_, group, entry.row, array, false)) {
      const std::string reason = Reason();
      SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "Cannot read %s of sample %d of '%s': %s", array.name,
              int(number), path_.c_str(), reason.c_str());
    }
  PetscFunctionReturn(0);
}

PetscErrorCode DataSet::Read(std::size_t number, DataSample *sample) const {
  PetscFunctionBeginUser;
  *sample = DataSample();
  PetscCall(ReadArrays(number, false, sample));
  PetscFunctionReturn(0);
}

PetscErrorCode DataSet::ReadGeometry(std::size_t number, nets::Geometry *geometry) const {
  PetscFunctionBeginUser;
  DataSample sample;
  PetscCall(ReadArrays(number, true, &sample));
  *geometry = GeometryOf(groups_[samples_[number].group], sample);
  PetscFunctionReturn(0);
}

} // namespace krylearn
