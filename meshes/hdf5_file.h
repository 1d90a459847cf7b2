/// \file
/// Parallel HDF5: whole-grid datasets written and read collectively, files that appear only when complete.
#pragma once
#include "meshes/grid.h"
#include <hdf5.h>
#include <string>
#include <vector>

namespace krylearn {

/// Where the values of a dataset live: cells, or the lower faces of an axis (n + 1 along that axis unless periodic).
enum class Centring { kCell, kFaceX, kFaceY, kFaceZ };

/// An HDF5 file opened by all ranks of a grid, which must outlive it. Datasets are chunked, [nz][ny][nx] (2D:
/// [ny][nx]), and transferred collectively straight from and to the fields. A file being written carries a temporary
/// name beside its final one until Commit(), so a program killed at any moment leaves the previous file as it was.
/// Every failure is agreed upon by all ranks before the next collective step.
class Hdf5File {
public:
  Hdf5File() = default;
  ~Hdf5File();
  Hdf5File(const Hdf5File &) = delete;
  Hdf5File &operator=(const Hdf5File &) = delete;

  /// Starts `path`.part; all ranks agree on failure (PETSC_ERR_FILE_OPEN names path and reason). Collective.
  PetscErrorCode Create(const Grid &grid, const std::string &path);
  /// Opens for reading; missing (PETSC_ERR_FILE_OPEN), truncated and foreign files (PETSC_ERR_FILE_UNEXPECTED) are
  /// refused with one clear message. Collective.
  PetscErrorCode Open(const Grid &grid, const std::string &path);
  /// Flushes to the disk, closes, and renames to the final name. Collective.
  PetscErrorCode Commit();
  /// Closes without renaming; an uncommitted file is removed. The destructor does the same. Collective.
  PetscErrorCode Close();

  /// Writes or reads the owned part of a field. Reading checks shape and type and leaves ghosts alone. `single` stores
  /// 4-byte floats. Collective.
  PetscErrorCode WriteField(const std::string &name, Centring centring, const Field &field, bool single = false);
  PetscErrorCode ReadField(const std::string &name, Centring centring, Field *field);
  /// Cell-centred vectors, [nz][ny][nx][3] as ParaView wants them; null components are written as 0. Collective.
  PetscErrorCode WriteVectors(const std::string &name, const std::array<const Field *, 3> &components, bool single);
  /// Small arrays that all ranks hold (coordinates, histories). Collective.
  PetscErrorCode WriteArray(const std::string &name, const std::vector<double> &values);
  PetscErrorCode ReadArray(const std::string &name, std::vector<double> *values);
  /// Attributes of the root group. Collective; missing ones are PETSC_ERR_FILE_UNEXPECTED naming file and attribute.
  PetscErrorCode WriteAttribute(const std::string &name, double value);
  PetscErrorCode WriteAttribute(const std::string &name, const std::string &value);
  PetscErrorCode ReadAttribute(const std::string &name, double *value);
  PetscErrorCode ReadAttribute(const std::string &name, std::string *value);
  /// Whether a dataset or root attribute of that name exists. Collective.
  bool Has(const std::string &name) const;

private:
  PetscErrorCode CheckUse(const std::string &name, bool writing) const;
  PetscErrorCode CheckField(const std::string &what, Centring centring, const Field &field) const;
  PetscErrorCode WriteRawAttribute(const std::string &name, hid_t type, hid_t memory_type, const void *data);

  const Grid *grid_ = nullptr;
  std::string path_, temporary_;
  hid_t file_ = -1;
  bool writing_ = false;
  unsigned long long reserved_ = 0;
};

/// A series of snapshots: FOLDER/NAME_000000.h5, …, and FOLDER/NAME.xdmf, which ParaView opens as an animation.
///
/// Each snapshot also holds the face coordinates x, y, z and the attribute `time`, so that it can be read without the
/// .xdmf. Files of an earlier run with the same name are overwritten one by one as snapshots with their numbers appear;
/// the .xdmf lists only this run's (and, resumed, the ones before `resume_time`), so later files of an earlier run stay
/// on the disk but are no longer shown.
class SnapshotSeries {
public:
  struct Item {
    std::string name;                      ///< letters, digits, _ and -
    std::array<const Field *, 3> fields{}; ///< one field (scalar) or Dim() of them (vector), cell-centred
    bool IsVector() const { return fields[1] != nullptr; }
  };
  /// Creates the folder if needed and checks that it is a writable folder, on rank 0; all ranks agree. `resume_time`:
  /// snapshots later than it are dropped from the list (a restarted run rewrites them); pass -1 to start anew. Nothing
  /// is overwritten before the first Write(). The grid must outlive the series. Collective.
  PetscErrorCode Open(const Grid &grid, const std::string &folder, const std::string &name, double resume_time = -1);
  /// Stores 8-byte numbers instead of 4-byte ones from now on.
  void UseDoubles() { single_ = false; }
  /// Writes one snapshot and rewrites the .xdmf, both atomically. Listed snapshots that are not earlier than `time` are
  /// dropped from the list. Collective.
  PetscErrorCode Write(double time, const std::vector<Item> &items);

private:
  struct Entry {
    double time;
    int number;
    std::string text; ///< the snapshot's <Grid> element
  };
  std::string FileName(int number) const;
  std::string Describe(double time, int number, const std::vector<Item> &items) const;
  PetscErrorCode ReadList(double resume_time);
  PetscErrorCode WriteList() const;

  const Grid *grid_ = nullptr;
  std::string folder_, name_;
  bool single_ = true;
  std::vector<Entry> entries_;
};

} // namespace krylearn
