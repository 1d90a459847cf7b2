/// \file
/// One sample of a data set in memory, and the arrays that it consists of on disk.
#pragma once
#include "meshes/hdf5_parts.h"
#include "solvers/dataset/plan.h"
#include <cstdint>

namespace krylearn {

constexpr std::size_t kFamilyLength = 16; ///< bytes of a family's name, filled up with zeros

/// What holds on a side of the box, as stored.
enum class StoredSide : std::int8_t { kUnknown = -1, kNeumann = 0, kDirichlet = 1, kPeriodic = 2 };

/// The operator is that of nets::Geometry, divided by `unit`. Right-hand sides and solutions fit it as it is stored:
/// A x = b.
struct DataSample {
  std::array<char, kFamilyLength> family{};
  std::int64_t seed = 0;
  std::int8_t singular = 0;
  double unit = 1;
  std::vector<std::int8_t> boundaries;        ///< [axis][lower, upper]
  std::vector<float> faces, sums;             ///< [axis][z][y][x] and [z][y][x]
  std::vector<double> right_sides, solutions; ///< [number][z][y][x]
  std::vector<double> mode_values;            ///< NaN where there are fewer modes
  std::vector<float> modes;                   ///< [number][z][y][x], of norm 1
};

/// One array of a sample: its dataset is [samples of the group] + shape.
struct ArrayView {
  const char *name;
  hid_t file_type, memory_type;
  std::size_t size; ///< bytes of an element
  std::vector<hsize_t> shape;
  void *data;
  std::size_t Bytes() const {
    std::size_t bytes = size;
    for (const hsize_t d : shape) bytes *= d;
    return bytes;
  }
};

/// The arrays of a sample, in the order of their checksum. With `resize` its vectors get their lengths, zeros at first.
std::vector<ArrayView> ArraysOf(const DataGroup &group, DataSample *sample, bool resize);
/// CRC-32 over all arrays of a sample.
std::uint32_t ChecksumOf(const DataGroup &group, DataSample *sample);

/// A sample's operator for networks, on the calling rank alone, and back.
nets::Geometry GeometryOf(const DataGroup &group, const DataSample &sample);
void StoreGeometry(const nets::Geometry &geometry, DataSample *sample);

} // namespace krylearn
