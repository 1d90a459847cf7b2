#include "meshes/hdf5_file.h"
#include "meshes/files.h"
#include "meshes/hdf5_parts.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace krylearn {

using namespace hdf5;

namespace {

constexpr const char *kFormatAttribute = "krylearn_format";
constexpr double kFormat = 1;

std::string Sizes(const std::vector<hsize_t> &dims) {
  std::string text;
  for (hsize_t d : dims) text += (text.empty() ? "" : " x ") + std::to_string(d);
  return text;
}

/// A field's place in a dataset and in the rank's memory. Slowest axis first; 2D datasets lack z.
struct Slab {
  std::vector<hsize_t> dims, start, count, memory_dims, memory_start, chunk;

  Slab(const Grid &grid, Centring centring) {
    const Layout &l = grid.Cells();
    // Chunks of 1 to 2 MiB: large enough for parallel file systems, small enough to read a part.
    const hsize_t edge = grid.Dim() == 2 ? 512 : 64;
    const std::ptrdiff_t allocated[3] = {l.stride[1], l.stride[2] / l.stride[1], std::ptrdiff_t(l.size) / l.stride[2]};
    for (int a = grid.Dim() - 1; a >= 0; --a) {
      const bool faces = static_cast<int>(centring) == a + 1;
      const PetscInt end = faces ? l.FaceEnd(a, grid.Periodic(a)) : l.hi[a];
      dims.push_back(l.n[a] + (faces && !grid.Periodic(a) ? 1 : 0));
      start.push_back(l.lo[a]);
      count.push_back(end - l.lo[a]);
      memory_dims.push_back(allocated[a]);
      memory_start.push_back(l.ghosts[a]);
      chunk.push_back(std::min<hsize_t>(dims.back(), edge));
    }
  }
  std::size_t Count() const {
    std::size_t product = 1;
    for (hsize_t c : count) product *= c;
    return product;
  }
  hid_t FileSpace() const { return Select(dims, start, count); }
  hid_t MemorySpace() const { return Select(memory_dims, memory_start, count); }
  /// Appends an axis of `components` values.
  void AddComponents(hsize_t components) {
    dims.push_back(components);
    start.push_back(0);
    count.push_back(components);
    chunk.push_back(components);
  }

private:
  static hid_t Select(const std::vector<hsize_t> &dims, const std::vector<hsize_t> &start,
                      const std::vector<hsize_t> &count) {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    return space;
  }
};

hid_t CollectiveTransfer() {
  const hid_t list = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_dxpl_mpio(list, H5FD_MPIO_COLLECTIVE);
  return list;
}

hid_t ParallelAccess(MPI_Comm comm) {
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_mpio(list, comm, MPI_INFO_NULL);
  H5Pset_all_coll_metadata_ops(list, true); // one rank reads metadata for all
  return list;
}

/// `complaint` says what went wrong: closing the lists would make HDF5 forget it.
hid_t CreateChunked(hid_t file, const std::string &name, hid_t type, const Slab &slab, std::string *complaint) {
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(list, static_cast<int>(slab.chunk.size()), slab.chunk.data());
  H5Pset_fill_time(list, H5D_FILL_TIME_NEVER); // every value is written
  Handle space(H5Screate_simple(static_cast<int>(slab.dims.size()), slab.dims.data(), nullptr), H5Sclose);
  const hid_t set = H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  if (set < 0) *complaint = Reason();
  return set;
}

/// Where a dataset goes, and how messages begin.
struct Destination {
  MPI_Comm comm;
  hid_t file;
  std::string temporary, name, what;
  unsigned long long *reserved; ///< bytes of the file that have been claimed so far
};

/// Rank 0 makes sure that a new dataset finds room on the disk, with an allowance for HDF5's own tables.
std::string Reserve(const Destination &to, hid_t set) {
  const hsize_t bytes = H5Dget_storage_size(set);
  *to.reserved += bytes + bytes / 512 + 65536;
  int rank;
  MPI_Comm_rank(to.comm, &rank);
  return rank == 0 ? ReserveSpace(to.temporary, *to.reserved) : "";
}

/// Creates a dataset and writes one contiguous block a rank; type conversion would make HDF5 give up collective
/// transfers, so `data` comes in the type of the file. The ranks agree on either step before the next.
PetscErrorCode WriteDataset(const Destination &to, bool single, const Slab &slab, hid_t memory_space,
                            const void *data) {
  PetscFunctionBeginUser;
  std::string complaint;
  Handle set(CreateChunked(to.file, to.name, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, slab, &complaint), H5Dclose);
  if (complaint.empty()) complaint = Reserve(to, set);
  PetscCall(AgreeOnComplaint(to.comm, PETSC_ERR_FILE_WRITE, to.what, complaint));
  Handle space(slab.FileSpace(), H5Sclose), transfer(CollectiveTransfer(), H5Pclose);
  const hid_t type = single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
  const herr_t failed = H5Dwrite(set, type, memory_space, space, transfer, data);
  PetscCall(AgreeOnComplaint(to.comm, PETSC_ERR_FILE_WRITE, to.what, failed < 0 ? Reason() : ""));
  PetscFunctionReturn(0);
}

/// Owned values of a field, x fastest, every `stride`-th place of `out`.
template <class T> void Pack(const Grid &grid, const Slab &slab, const Field &field, std::size_t stride, T *out) {
  const Layout &l = grid.Cells();
  const int dim = grid.Dim();
  const PetscInt nx = slab.count[dim - 1], ny = slab.count[dim - 2], nz = dim == 3 ? slab.count[0] : 1;
  for (PetscInt k = 0; k < nz; ++k)
    for (PetscInt j = 0; j < ny; ++j) {
      const double *in = field.data() + l.At(l.lo[0], l.lo[1] + j, l.lo[2] + k);
      for (PetscInt i = 0; i < nx; ++i, out += stride) *out = static_cast<T>(in[i]);
    }
}

std::string WhyNotReadable(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info)) return std::string(std::strerror(errno)) + "; check the name";
  if (!S_ISREG(info.st_mode)) return "it is not a file; give the name of an HDF5 file";
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) return std::strerror(errno);
  unsigned char head[8] = {};
  const std::size_t got = std::fread(head, 1, 8, file);
  std::fclose(file);
  if (got < 8 || std::memcmp(head, "\211HDF\r\n\032\n", 8)) return "it is not an HDF5 file";
  return "";
}

} // namespace

Hdf5File::~Hdf5File() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if ((file_ >= 0 || writing_) && !finalized && Close()) file_ = -1; // a destructor has nobody to tell
}

PetscErrorCode Hdf5File::Create(const Grid &grid, const std::string &path) {
  PetscFunctionBeginUser;
  PetscCall(Close());
  QuietHdf5 quiet;
  const MPI_Comm comm = grid.Comm();
  const std::string what = "Cannot write '" + path + "'";
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, what, rank == 0 ? WhyNotWritable(path) : ""));
  grid_ = &grid;
  path_ = path;
  temporary_ = path + ".part";
  Handle access(ParallelAccess(comm), H5Pclose);
  const hid_t file = H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  writing_ = true;
  // Should it open on some ranks only, they keep it open: closing is collective and would wait for the others.
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, what, file < 0 ? Reason() : ""));
  file_ = file;
  reserved_ = 0;
  PetscCall(WriteAttribute(kFormatAttribute, kFormat));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::Open(const Grid &grid, const std::string &path) {
  PetscFunctionBeginUser;
  PetscCall(Close());
  QuietHdf5 quiet;
  const MPI_Comm comm = grid.Comm();
  const std::string what = "Cannot read '" + path + "'";
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, what, rank == 0 ? WhyNotReadable(path) : ""));
  grid_ = &grid;
  path_ = path;
  writing_ = false;
  Handle access(ParallelAccess(comm), H5Pclose);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what,
                             file < 0 ? "it is truncated or damaged (" + Reason() + ")" : ""));
  file_ = file;
  const bool ours = H5Aexists(file_, kFormatAttribute) > 0;
  double format = 0;
  if (ours) PetscCall(ReadAttribute(kFormatAttribute, &format));
  std::string complaint;
  if (!ours) complaint = "it is an HDF5 file that this program did not write";
  else if (format != kFormat)
    complaint =
        "it has format " + std::to_string(int(format)) + ", this program reads format " + std::to_string(int(kFormat));
  if (!complaint.empty()) PetscCall(Close());
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what, complaint));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::Commit() {
  PetscFunctionBeginUser;
  PetscCheck(file_ >= 0 && writing_, PETSC_COMM_SELF, PETSC_ERR_ORDER, "Commit() needs a file made by Create()");
  QuietHdf5 quiet;
  const MPI_Comm comm = grid_->Comm();
  const std::string what = "Cannot write '" + path_ + "'";
  const bool flushed = H5Fflush(file_, H5F_SCOPE_GLOBAL) >= 0;
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, what, flushed ? "" : Reason()));
  const bool closed = H5Fclose(file_) >= 0;
  const std::string reason = closed ? "" : Reason();
  file_ = -1;
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, what, reason));
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, what, rank == 0 ? Publish(temporary_, path_) : ""));
  writing_ = false;
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::Close() {
  PetscFunctionBeginUser;
  if (!grid_) PetscFunctionReturn(0);
  QuietHdf5 quiet;
  const MPI_Comm comm = grid_->Comm();
  if (file_ >= 0) H5Fclose(file_);
  file_ = -1;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (writing_ && rank == 0) unlink(temporary_.c_str());
  writing_ = false;
  grid_ = nullptr;
  PetscCallMPI(MPI_Barrier(comm)); // nobody creates the next file before this one is gone
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteField(const std::string &name, Centring centring, const Field &field, bool single) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, true));
  const std::string what = "Cannot write dataset '" + name + "' of '" + path_ + "'";
  PetscCall(CheckField(what, centring, field));
  const Slab slab(*grid_, centring);
  const Destination to{grid_->Comm(), file_, temporary_, name, what, &reserved_};
  if (single) {
    std::vector<float> values(slab.Count());
    Pack(*grid_, slab, field, 1, values.data());
    Handle memory(H5Screate_simple(static_cast<int>(slab.count.size()), slab.count.data(), nullptr), H5Sclose);
    PetscCall(WriteDataset(to, true, slab, memory, values.data()));
  } else {
    Handle memory(slab.MemorySpace(), H5Sclose);
    PetscCall(WriteDataset(to, false, slab, memory, field.data()));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::ReadField(const std::string &name, Centring centring, Field *field) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, false));
  const MPI_Comm comm = grid_->Comm();
  const std::string what = "Cannot read dataset '" + name + "' of '" + path_ + "'";
  PetscCall(CheckField(what, centring, *field));
  const Slab slab(*grid_, centring);
  Handle set(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what,
                             set < 0 ? "it is missing or damaged (" + Reason() + ")" : ""));
  Handle space(H5Dget_space(set), H5Sclose), type(H5Dget_type(set), H5Tclose);
  std::vector<hsize_t> found(std::max(0, H5Sget_simple_extent_ndims(space)));
  if (!found.empty()) H5Sget_simple_extent_dims(space, found.data(), nullptr);
  std::string complaint;
  if (H5Tget_class(type) != H5T_FLOAT) complaint = "it does not hold floating-point numbers";
  else if (found != slab.dims)
    complaint = "its size is " + Sizes(found) + ", this grid needs " + Sizes(slab.dims) + " (slowest axis first)";
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what, complaint));
  Handle memory(slab.MemorySpace(), H5Sclose), from(slab.FileSpace(), H5Sclose);
  Handle transfer(CollectiveTransfer(), H5Pclose);
  const herr_t failed = H5Dread(set, H5T_NATIVE_DOUBLE, memory, from, transfer, field->data());
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_READ, what, failed < 0 ? Reason() : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteVectors(const std::string &name, const std::array<const Field *, 3> &components,
                                      bool single) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, true));
  const std::string what = "Cannot write dataset '" + name + "' of '" + path_ + "'";
  for (const Field *field : components)
    if (field) PetscCall(CheckField(what, Centring::kCell, *field));
  const Slab cells(*grid_, Centring::kCell);
  Slab slab = cells;
  slab.AddComponents(3);
  const Destination to{grid_->Comm(), file_, temporary_, name, what, &reserved_};
  Handle memory(H5Screate_simple(static_cast<int>(slab.count.size()), slab.count.data(), nullptr), H5Sclose);
  // Components that are not given stay zero.
  if (single) {
    std::vector<float> values(slab.Count(), 0.f);
    for (int c = 0; c < 3; ++c)
      if (components[c]) Pack(*grid_, cells, *components[c], 3, values.data() + c);
    PetscCall(WriteDataset(to, true, slab, memory, values.data()));
  } else {
    std::vector<double> values(slab.Count(), 0.);
    for (int c = 0; c < 3; ++c)
      if (components[c]) Pack(*grid_, cells, *components[c], 3, values.data() + c);
    PetscCall(WriteDataset(to, false, slab, memory, values.data()));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteArray(const std::string &name, const std::vector<double> &values) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, true));
  const MPI_Comm comm = grid_->Comm();
  const std::string what = "Cannot write dataset '" + name + "' of '" + path_ + "'";
  const hsize_t count = values.size();
  Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  Handle set(H5Dcreate2(file_, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  const std::string complaint = set < 0 ? Reason() : Reserve({comm, file_, temporary_, name, what, &reserved_}, set);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, what, complaint));
  if (count == 0) PetscFunctionReturn(0); // HDF5 fails on transfers of nothing to nowhere
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank != 0) H5Sselect_none(space);
  Handle transfer(CollectiveTransfer(), H5Pclose);
  const herr_t failed = H5Dwrite(set, H5T_NATIVE_DOUBLE, space, space, transfer, values.data());
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, what, failed < 0 ? Reason() : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::ReadArray(const std::string &name, std::vector<double> *values) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, false));
  const MPI_Comm comm = grid_->Comm();
  const std::string what = "Cannot read dataset '" + name + "' of '" + path_ + "'";
  Handle set(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what,
                             set < 0 ? "it is missing or damaged (" + Reason() + ")" : ""));
  Handle space(H5Dget_space(set), H5Sclose);
  hsize_t count = 0;
  const bool flat = H5Sget_simple_extent_ndims(space) == 1;
  if (flat) H5Sget_simple_extent_dims(space, &count, nullptr);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, what, flat ? "" : "it is not one-dimensional"));
  values->resize(count);
  if (count == 0) PetscFunctionReturn(0);
  Handle transfer(CollectiveTransfer(), H5Pclose);
  const herr_t failed = H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, transfer, values->data());
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_READ, what, failed < 0 ? Reason() : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteAttribute(const std::string &name, double value) {
  PetscFunctionBeginUser;
  PetscCall(WriteRawAttribute(name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteAttribute(const std::string &name, const std::string &value) {
  PetscFunctionBeginUser;
  Handle type(StringType(value.size()), H5Tclose);
  PetscCall(WriteRawAttribute(name, type, type, value.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::WriteRawAttribute(const std::string &name, hid_t type, hid_t memory_type, const void *data) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, true));
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  Handle attribute(H5Acreate2(file_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const bool failed = attribute < 0 || H5Awrite(attribute, memory_type, data) < 0;
  PetscCall(AgreeOnComplaint(grid_->Comm(), PETSC_ERR_FILE_WRITE,
                             "Cannot write attribute '" + name + "' of '" + path_ + "'", failed ? Reason() : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::ReadAttribute(const std::string &name, double *value) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, false));
  Handle attribute(H5Aopen(file_, name.c_str(), H5P_DEFAULT), H5Aclose);
  std::string complaint;
  if (attribute < 0) complaint = "it is missing";
  else if (H5Aread(attribute, H5T_NATIVE_DOUBLE, value) < 0) complaint = Reason();
  PetscCall(AgreeOnComplaint(grid_->Comm(), PETSC_ERR_FILE_UNEXPECTED,
                             "Cannot read attribute '" + name + "' of '" + path_ + "'", complaint));
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::ReadAttribute(const std::string &name, std::string *value) {
  PetscFunctionBeginUser;
  QuietHdf5 quiet;
  PetscCall(CheckUse(name, false));
  Handle attribute(H5Aopen(file_, name.c_str(), H5P_DEFAULT), H5Aclose);
  std::string complaint;
  if (attribute < 0) {
    complaint = "it is missing";
  } else {
    Handle type(H5Aget_type(attribute), H5Tclose);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0) {
      complaint = "it is not a text of fixed length";
    } else {
      std::string text(H5Tget_size(type), '\0');
      if (H5Aread(attribute, type, &text[0]) < 0) complaint = Reason();
      *value = text.substr(0, text.find('\0'));
    }
  }
  PetscCall(AgreeOnComplaint(grid_->Comm(), PETSC_ERR_FILE_UNEXPECTED,
                             "Cannot read attribute '" + name + "' of '" + path_ + "'", complaint));
  PetscFunctionReturn(0);
}

bool Hdf5File::Has(const std::string &name) const {
  QuietHdf5 quiet;
  return file_ >= 0 && (H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0 || H5Aexists(file_, name.c_str()) > 0);
}

PetscErrorCode Hdf5File::CheckUse(const std::string &name, bool writing) const {
  PetscFunctionBeginUser;
  PetscCheck(file_ >= 0 && writing == writing_, PETSC_COMM_SELF, PETSC_ERR_ORDER, "'%s': no file is open for %s",
             name.c_str(), writing ? "writing" : "reading");
  PetscFunctionReturn(0);
}

PetscErrorCode Hdf5File::CheckField(const std::string &what, Centring centring, const Field &field) const {
  PetscFunctionBeginUser;
  std::string complaint;
  if (field.size() != grid_->Cells().size) complaint = "the field does not belong to this grid";
  if (centring == Centring::kFaceZ && grid_->Dim() == 2) complaint = "a 2D grid has no faces along z";
  PetscCall(AgreeOnComplaint(grid_->Comm(), PETSC_ERR_ARG_WRONG, what, complaint));
  PetscFunctionReturn(0);
}

} // namespace krylearn
