#include "solvers/dataset/sample.h"
#include "meshes/checksum.h"
#include <algorithm>

namespace krylearn {
namespace {

hid_t FamilyType() {
  const hid_t type = hdf5::StringType(kFamilyLength);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

} // namespace

std::vector<ArrayView> ArraysOf(const DataGroup &group, DataSample *s, bool resize) {
  static const hid_t family = FamilyType(); // lives as long as the library
  const hsize_t dim = hsize_t(group.Dim());
  std::vector<hsize_t> cells;
  for (std::size_t a = std::size_t(dim); a-- > 0;) cells.push_back(hsize_t(group.n[a]));
  const auto shaped = [&](hsize_t leading) {
    std::vector<hsize_t> shape{leading};
    shape.insert(shape.end(), cells.begin(), cells.end());
    return shape;
  };
  std::vector<ArrayView> arrays;
  const auto scalar = [&](const char *name, hid_t file, hid_t memory, std::size_t size, void *data) {
    arrays.push_back({name, file, memory, size, {}, data});
  };
  const auto add = [&](const char *name, hid_t file, hid_t memory, const std::vector<hsize_t> &shape, auto *values) {
    std::size_t count = 1;
    for (const hsize_t d : shape) count *= d;
    if (resize) values->assign(count, 0);
    arrays.push_back({name, file, memory, sizeof values->front(), shape, values->data()});
  };
  scalar("family", family, family, kFamilyLength, s->family.data());
  scalar("seed", H5T_STD_I64LE, H5T_NATIVE_INT64, sizeof s->seed, &s->seed);
  scalar("singular", H5T_STD_I8LE, H5T_NATIVE_INT8, sizeof s->singular, &s->singular);
  scalar("unit", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, sizeof s->unit, &s->unit);
  add("boundaries", H5T_STD_I8LE, H5T_NATIVE_INT8, {dim, 2}, &s->boundaries);
  add("faces", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shaped(dim), &s->faces);
  add("sums", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, cells, &s->sums);
  if (group.right_sides > 0) {
    const auto shape = shaped(hsize_t(group.right_sides));
    add("right_sides", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, shape, &s->right_sides);
    if (group.solved) add("solutions", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, shape, &s->solutions);
  }
  if (group.modes > 0) {
    add("ritz_values", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {hsize_t(group.modes)}, &s->mode_values);
    add("ritz_vectors", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shaped(hsize_t(group.modes)), &s->modes);
  }
  return arrays;
}

std::uint32_t ChecksumOf(const DataGroup &group, DataSample *sample) {
  std::uint32_t crc = 0;
  for (const ArrayView &array : ArraysOf(group, sample, false)) crc = Crc32(array.data, array.Bytes(), crc);
  return crc;
}

nets::Geometry GeometryOf(const DataGroup &group, const DataSample &sample) {
  nets::Geometry geometry;
  nets::Partition &p = geometry.partition;
  p.n = group.n;
  const std::size_t dim = std::size_t(group.Dim()), cells = std::size_t(group.Cells());
  for (std::size_t a = 0; a < 3; ++a) {
    p.starts[a] = {0, p.n[a]};
    if (a >= dim) continue;
    p.periodic[a] = sample.boundaries[2 * a] == std::int8_t(StoredSide::kPeriodic);
    const auto first = sample.faces.begin() + std::ptrdiff_t(a * cells);
    geometry.faces[a].assign(first, first + std::ptrdiff_t(cells));
  }
  geometry.sums = sample.sums;
  return geometry;
}

void StoreGeometry(const nets::Geometry &geometry, DataSample *sample) {
  auto next = sample->faces.begin();
  for (int a = 0; a < geometry.Dim(); ++a) {
    const auto &faces = geometry.faces[std::size_t(a)];
    next = std::copy(faces.begin(), faces.end(), next);
  }
  sample->sums = geometry.sums;
}

} // namespace krylearn
