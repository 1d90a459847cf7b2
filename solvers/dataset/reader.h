/// \file
/// Reads data sets.
#pragma once
#include "solvers/dataset/sample.h"
#include <memory>

namespace krylearn {

/// A finished data set, open for reading by every rank for itself.
class DataSet {
public:
  struct Entry {
    std::size_t group;
    long row;
    std::string family;
    long seed;
    bool singular;
  };

  /// Checks the whole file before HDF5 sees it: missing, foreign, unfinished, cut off and damaged files and those of
  /// another version are refused with one clear message. Collective.
  static PetscErrorCode Open(MPI_Comm comm, const std::string &path, std::unique_ptr<DataSet> *set);
  ~DataSet();
  DataSet(const DataSet &) = delete;
  DataSet &operator=(const DataSet &) = delete;

  const std::string &Path() const { return path_; }
  const std::string &Split() const { return split_; }
  const std::string &Options() const { return options_; }
  const std::string &Revision() const { return revision_; }
  /// Checksum of the contents, by which models name it.
  std::string Identity() const;
  const std::vector<DataGroup> &Groups() const { return groups_; }
  const std::vector<Entry> &Samples() const { return samples_; }

  /// Everything of a sample: operator, right-hand sides, solutions and eigenvectors (Ritz bases), where it has them.
  /// This rank alone.
  PetscErrorCode Read(std::size_t number, DataSample *sample) const;
  /// Its operator alone.
  PetscErrorCode ReadGeometry(std::size_t number, nets::Geometry *geometry) const;

private:
  DataSet() = default;
  std::string List();
  PetscErrorCode ReadArrays(std::size_t number, bool geometry_only, DataSample *sample) const;

  std::string path_, split_, options_, revision_;
  std::uint32_t identity_ = 0;
  hid_t file_ = -1;
  std::vector<DataGroup> groups_;
  std::vector<Entry> samples_;
};

} // namespace krylearn
