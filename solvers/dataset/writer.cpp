#include "solvers/dataset/writer.h"
#include "meshes/files.h"
#include "solvers/dataset/seal.h"
#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <unistd.h>

namespace krylearn {

using namespace hdf5;

namespace {

constexpr char kFormatName[] = "Krylearn data set";
constexpr std::size_t kMostAxes = 6; ///< of a dataset

bool PutText(hid_t file, const char *name, const std::string &text) {
  Handle type(StringType(text.size()), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
  Handle attribute(H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute >= 0 && H5Awrite(attribute, type, text.empty() ? " " : text.data()) >= 0;
}

bool MakeDataset(hid_t group, const ArrayView &array, long samples, const std::int64_t *fill) {
  std::array<hsize_t, kMostAxes> shape{hsize_t(samples)};
  std::copy(array.shape.begin(), array.shape.end(), shape.begin() + 1);
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(list, H5D_CONTIGUOUS);
  H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(list, fill ? H5D_FILL_TIME_ALLOC : H5D_FILL_TIME_NEVER);
  if (fill) H5Pset_fill_value(list, H5T_NATIVE_INT64, fill);
  H5Pset_obj_track_times(list, false);
  Handle space(H5Screate_simple(int(array.shape.size()) + 1, shape.data(), nullptr), H5Sclose);
  Handle set(H5Dcreate2(group, array.name, array.file_type, space, H5P_DEFAULT, list, H5P_DEFAULT), H5Dclose);
  return set >= 0;
}

hid_t ParallelAccess(MPI_Comm comm) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_mpio(list, comm, MPI_INFO_NULL);
  return list;
}

std::uint64_t BytesOf(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) ? 0 : std::uint64_t(info.st_size);
}

} // namespace

ArrayView ChecksumArray(std::int64_t *value) {
  return {"checksum", H5T_STD_I64LE, H5T_NATIVE_INT64, sizeof *value, {}, value};
}

std::string TextAttribute(hid_t file, const char *name) {
  Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose);
  if (attribute < 0) return "";
  Handle type(H5Aget_type(attribute), H5Tclose);
  if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0) return "";
  std::string text(H5Tget_size(type), '\0');
  return H5Aread(attribute, type, &text[0]) < 0 ? "" : text;
}

bool TransferRow(hid_t file, const DataGroup &group, long row, const ArrayView &array, bool write) {
  Handle set(H5Dopen2(file, ("/" + group.name + "/" + array.name).c_str(), H5P_DEFAULT), H5Dclose);
  if (set < 0) return false;
  Handle space(H5Dget_space(set), H5Sclose);
  const std::size_t axes = array.shape.size() + 1;
  std::array<hsize_t, kMostAxes> dims{}, start{hsize_t(row)}, count{1};
  if (axes > dims.size() || H5Sget_simple_extent_ndims(space) != int(axes)) return false;
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  std::copy(array.shape.begin(), array.shape.end(), count.begin() + 1);
  if (!std::equal(array.shape.begin(), array.shape.end(), dims.begin() + 1) || start[0] >= dims[0]) return false;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  Handle memory(H5Screate_simple(int(axes), count.data(), nullptr), H5Sclose);
  return (write ? H5Dwrite(set, array.memory_type, memory, space, H5P_DEFAULT, array.data)
                : H5Dread(set, array.memory_type, memory, space, H5P_DEFAULT, array.data)) >= 0;
}

PetscErrorCode DataWriter::Open(MPI_Comm comm, const std::string &path, const DataPlan &plan,
                                const std::string &revision) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  comm_ = comm;
  plan_ = &plan;
  path_ = path;
  temporary_ = path + ".part";
  done_.assign(plan.samples.size(), false);
  int rank, resume = 0;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  const std::string what = "Cannot write '" + path + "'";
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, what, rank == 0 ? WhyNotWritable(path) : ""));
  const PartFile there = rank == 0 ? FindPartFile(temporary_) : PartFile::kNothing;
  const bool usable = there == PartFile::kNothing || there == PartFile::kUnfinished;
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what,
                             usable ? ""
                                    : "'" + temporary_ +
                                          "' is in the way: it is no unfinished data set; remove it, or choose "
                                          "another name"));
  resume = there == PartFile::kUnfinished;
  PetscCallMPI(MPI_Bcast(&resume, 1, MPI_INT, 0, comm));
  if (!resume) PetscCall(Create(revision));
  Handle access(ParallelAccess(comm), H5Pclose);
  file_ = H5Fopen(temporary_.c_str(), H5F_ACC_RDWR, access);
  const std::string reason = file_ < 0 ? Reason() : "";
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, "Cannot go on with '" + temporary_ + "'",
                             reason.empty() ? "" : reason + "; remove it to start anew"));
  if (resume) {
    PetscCall(CheckOptions());
    PetscCall(FindDone());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::Create(const std::string &revision) {
  PetscFunctionBeginUser;
  constexpr std::int64_t kAbsent = -1;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm_, &rank));
  const std::string what = "Cannot write '" + path_ + "'";
  std::string complaint;
  Handle access(ParallelAccess(comm_), H5Pclose), creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  Handle untimed(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_userblock(creation, kSealBytes);
  H5Pset_obj_track_times(creation, false);
  H5Pset_obj_track_times(untimed, false);
  const hid_t file = H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, creation, access);
  if (file < 0) complaint = Reason();
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_OPEN, what, complaint));
  bool fine = PutText(file, "format", kFormatName) && PutText(file, "format_version", std::to_string(kDataVersion)) &&
              PutText(file, "revision", revision) && PutText(file, "split", plan_->spec.split) &&
              PutText(file, "options", plan_->options);
  for (const DataGroup &group : plan_->groups) {
    if (!fine) break;
    Handle place(H5Gcreate2(file, group.name.c_str(), H5P_DEFAULT, untimed, H5P_DEFAULT), H5Gclose);
    DataSample none;
    std::int64_t sum;
    fine = place >= 0 && MakeDataset(place, ChecksumArray(&sum), group.samples, &kAbsent);
    for (const ArrayView &array : ArraysOf(group, &none, false))
      fine = fine && MakeDataset(place, array, group.samples, nullptr);
  }
  if (!fine) complaint = Reason();
  fine = H5Fclose(file) >= 0;
  if (!fine && complaint.empty()) complaint = Reason();
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, what, complaint));
  if (rank == 0) {
    complaint = ReserveSpace(temporary_, BytesOf(temporary_));
    if (complaint.empty()) complaint = MarkUnfinished(temporary_);
    else unlink(temporary_.c_str());
  }
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, what, complaint));
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::CheckOptions() {
  PetscFunctionBeginUser;
  const std::string its = TextAttribute(file_, "options"), version = TextAttribute(file_, "format_version");
  const bool same = its == plan_->options && version == std::to_string(kDataVersion);
  if (!same) PetscCall(Close());
  PetscCheck(same, comm_, PETSC_ERR_USER_INPUT,
             "'%s' is an unfinished data set of other options (%s); finish it with those, or remove it",
             temporary_.c_str(), its.c_str());
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::FindDone() {
  PetscFunctionBeginUser;
  int rank, size;
  PetscCallMPI(MPI_Comm_rank(comm_, &rank));
  PetscCallMPI(MPI_Comm_size(comm_, &size));
  done_.assign(done_.size(), false);
  for (std::size_t i = std::size_t(rank); i < done_.size(); i += std::size_t(size)) {
    const PlannedSample &planned = plan_->samples[i];
    const DataGroup &group = plan_->groups[planned.group];
    std::int64_t sum = -1;
    if (!TransferRow(file_, group, planned.row, ChecksumArray(&sum), false) || sum < 0) continue;
    // A machine that went down may have lost what was written before this mark.
    DataSample sample;
    bool fine = true;
    for (const ArrayView &array : ArraysOf(group, &sample, true))
      fine = fine && TransferRow(file_, group, planned.row, array, false);
    done_[i] = fine && sum == std::int64_t(ChecksumOf(group, &sample));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, done_.data(), PetscMPIInt(done_.size()), MPI_SIGNED_CHAR, MPI_BOR, comm_));
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::Write(std::size_t number, DataSample *sample) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  const PlannedSample &planned = plan_->samples[number];
  const DataGroup &group = plan_->groups[planned.group];
  std::vector<ArrayView> arrays = ArraysOf(group, sample, false);
  std::int64_t sum = std::int64_t(ChecksumOf(group, sample));
  arrays.push_back(ChecksumArray(&sum)); // last: it says that the others are there
  for (const ArrayView &array : arrays)
    if (!TransferRow(file_, group, planned.row, array, true)) {
      const std::string reason = Reason();
      SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "Cannot write %s of sample %d into '%s': %s; is the disk full?",
              array.name, int(number), temporary_.c_str(), reason.c_str());
    }
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::Close() {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  const bool fine = file_ < 0 || H5Fclose(file_) >= 0;
  file_ = -1;
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, "Cannot write '" + path_ + "'", fine ? "" : Reason()));
  PetscFunctionReturn(0);
}

PetscErrorCode DataWriter::Finish() {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  // All samples are written; MPI promises them to other ranks between two flushes only.
  std::string complaint;
  for (int flush = 0; flush < 2; ++flush) {
    if (H5Fflush(file_, H5F_SCOPE_GLOBAL) < 0 && complaint.empty()) complaint = Reason();
    PetscCallMPI(MPI_Barrier(comm_));
  }
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, "Cannot write '" + temporary_ + "'", complaint));
  PetscCall(FindDone());
  const auto missing = std::find(done_.begin(), done_.end(), 0);
  PetscCheck(missing == done_.end(), comm_, PETSC_ERR_FILE_WRITE,
             "Sample %d of '%s' is not there or damaged; run again to complete it", int(missing - done_.begin()),
             temporary_.c_str());
  PetscCall(Close());
  PetscCall(Seal(comm_, temporary_));
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm_, &rank));
  PetscCall(AgreeOnComplaint(comm_, PETSC_ERR_FILE_WRITE, "Cannot write '" + path_ + "'",
                             rank == 0 ? Publish(temporary_, path_) : ""));
  PetscFunctionReturn(0);
}

} // namespace krylearn
