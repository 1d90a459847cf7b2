/// \file
/// Writes data sets: parallel HDF5 whose datasets are all made before the first sample, so that a program killed at any
/// moment leaves a file that another run goes on with.
#pragma once
#include "solvers/dataset/sample.h"

namespace krylearn {

class DataWriter {
public:
  DataWriter() = default;
  DataWriter(const DataWriter &) = delete;
  DataWriter &operator=(const DataWriter &) = delete;

  /// Goes on with `path`.part where there is one of the same plan, else makes it. Another plan's is refused, and so is
  /// a place that cannot be written (PETSC_ERR_FILE_OPEN); disk space is claimed at once. The plan must outlive the
  /// writer. Collective.
  PetscErrorCode Open(MPI_Comm comm, const std::string &path, const DataPlan &plan, const std::string &revision);
  /// Whether a sample was complete, and undamaged, when the file was opened.
  bool Done(std::size_t number) const { return done_[number]; }
  /// Writes a sample; not collective. Each sample is written by one rank.
  PetscErrorCode Write(std::size_t number, DataSample *sample);
  /// Closes what is unfinished, for a later run. Collective.
  PetscErrorCode Close();
  /// Seals the file and brings it to its final name; all samples have to be there. Collective.
  PetscErrorCode Finish();

private:
  PetscErrorCode Create(const std::string &revision);
  PetscErrorCode CheckOptions();
  PetscErrorCode FindDone();

  MPI_Comm comm_ = MPI_COMM_NULL;
  const DataPlan *plan_ = nullptr;
  std::string path_, temporary_;
  hid_t file_ = -1;
  std::vector<char> done_;
};

/// Moves one sample's row of a dataset between file and memory, for this rank alone; false where HDF5 failed.
bool TransferRow(hid_t file, const DataGroup &group, long row, const ArrayView &array, bool write);
/// A text attribute of the root group, or nothing.
std::string TextAttribute(hid_t file, const char *name);
/// The dataset of checksums, one a sample: CRC-32 of its arrays, or -1 until it is complete.
ArrayView ChecksumArray(std::int64_t *value);

} // namespace krylearn
