#include "solvers/dataset/seal.h"
#include "meshes/checksum.h"
#include "meshes/files.h"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/stat.h>
#include <vector>

namespace krylearn {
namespace {

constexpr char kFinished[] = "KRYLDATA", kUnfinished[] = "KRYLPART", kHdf5[] = "\x89HDF\r\n\x1a\n";
constexpr std::size_t kMagic = 8, kBlock = 1 << 20;
using Head = std::array<unsigned char, kSealBytes>;

struct CloseFile {
  void operator()(std::FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

template <class T> void Put(unsigned char *at, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<unsigned char>(value >> (8 * i));
}
template <class T> T Take(const unsigned char *at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value |= T(at[i]) << (8 * i);
  return value;
}

std::string LastError() { return errno ? std::strerror(errno) : "input or output failed"; }

std::string WriteHead(const std::string &path, const char *magic, std::uint64_t length, std::uint32_t blocks) {
  Head head{};
  std::memcpy(head.data(), magic, kMagic);
  Put(&head[8], kDataVersion);
  Put(&head[16], length);
  Put(&head[24], blocks);
  Put(&head[12], Crc32(&head[16], head.size() - 16));
  errno = 0;
  File file(std::fopen(path.c_str(), "r+b"));
  const bool fine =
      file && std::fwrite(head.data(), 1, head.size(), file.get()) == head.size() && std::fflush(file.get()) == 0;
  return fine ? "" : LastError();
}

std::uint64_t LengthOf(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) ? 0 : std::uint64_t(info.st_size);
}

/// The checksum of what follows the head of a file of `length` bytes. Collective.
PetscErrorCode ChecksumOfBlocks(MPI_Comm comm, const std::string &path, std::uint64_t length, std::uint32_t *sum) {
  PetscFunctionBeginUser;
  int rank, size;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  const std::size_t count = std::size_t((length - kSealBytes + kBlock - 1) / kBlock);
  std::vector<std::uint32_t> crcs(count, 0);
  std::vector<char> buffer(kBlock);
  std::string complaint;
  errno = 0;
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) complaint = LastError();
  for (std::size_t b = std::size_t(rank); b < count && complaint.empty(); b += std::size_t(size)) {
    const std::uint64_t start = kSealBytes + std::uint64_t(b) * kBlock;
    const std::size_t bytes = std::size_t(std::min<std::uint64_t>(kBlock, length - start));
    if (fseeko(file.get(), off_t(start), SEEK_SET) || std::fread(buffer.data(), 1, bytes, file.get()) != bytes)
      complaint = LastError();
    else crcs[b] = Crc32(buffer.data(), bytes);
  }
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_UNEXPECTED, "Cannot read '" + path + "'", complaint));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, crcs.data(), PetscMPIInt(count), MPI_UINT32_T, MPI_BOR, comm));
  std::vector<unsigned char> bytes(4 * count);
  for (std::size_t b = 0; b < count; ++b) Put(&bytes[4 * b], crcs[b]);
  *sum = Crc32(bytes.data(), bytes.size());
  PetscFunctionReturn(0);
}

/// Reads the head; what is wrong with it, or nothing.
std::string ReadHead(const std::string &path, Head *head, PetscErrorCode *code) {
  struct stat info;
  *code = PETSC_ERR_FILE_OPEN;
  if (stat(path.c_str(), &info)) return std::string(std::strerror(errno)) + "; check the name";
  if (!S_ISREG(info.st_mode)) return "it is not a file; give the name of a data set";
  errno = 0;
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) return LastError();
  const std::size_t got = std::fread(head->data(), 1, head->size(), file.get());
  *code = PETSC_ERR_FILE_UNEXPECTED;
  if (got >= kMagic && !std::memcmp(head->data(), kUnfinished, kMagic))
    return "it is unfinished; run dataset with the same options again, which goes on with it";
  if (got < kMagic || std::memcmp(head->data(), kFinished, kMagic)) return "it is no data set of Krylearn";
  if (got < head->size()) return "it is cut off in its first bytes";
  const auto version = Take<std::uint32_t>(&(*head)[8]);
  if (version != kDataVersion)
    return "it has format version " + std::to_string(version) + ", expected " + std::to_string(kDataVersion) +
           (version > kDataVersion ? "; it was written by a newer Krylearn, or is damaged" : "; it is damaged");
  if (Take<std::uint32_t>(&(*head)[12]) != Crc32(&(*head)[16], head->size() - 16))
    return "it is damaged: the checksum of its first bytes does not match";
  const std::uint64_t length = Take<std::uint64_t>(&(*head)[16]), found = std::uint64_t(info.st_size);
  if (found != length)
    return (found < length ? "it is cut off: expected " : "it is damaged: expected ") + std::to_string(length) +
           " bytes, found " + std::to_string(found);
  if (length <= kSealBytes) return "it is damaged: it holds nothing";
  return "";
}

} // namespace

std::string MarkUnfinished(const std::string &path) { return WriteHead(path, kUnfinished, 0, 0); }

PartFile FindPartFile(const std::string &path) {
  struct stat info;
  if (lstat(path.c_str(), &info)) return PartFile::kNothing; // a link to nowhere is something
  File file(S_ISREG(info.st_mode) ? std::fopen(path.c_str(), "rb") : nullptr);
  if (!file) return PartFile::kForeign;
  std::array<unsigned char, kSealBytes + sizeof kHdf5 - 1> bytes;
  const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get()), head = std::min(got, kSealBytes);
  if (got >= kMagic && !std::memcmp(bytes.data(), kUnfinished, kMagic)) return PartFile::kUnfinished;
  if (got >= kMagic && !std::memcmp(bytes.data(), kFinished, kMagic)) return PartFile::kSealed;
  // HDF5 leaves the room of the mark empty and begins behind it.
  const bool empty =
      std::all_of(bytes.begin(), bytes.begin() + std::ptrdiff_t(head), [](unsigned char c) { return c == 0; });
  return empty && !std::memcmp(&bytes[head], kHdf5, got - head) ? PartFile::kNothing : PartFile::kForeign;
}

PetscErrorCode Seal(MPI_Comm comm, const std::string &path) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::uint64_t length = rank == 0 ? LengthOf(path) : 0;
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_UINT64_T, 0, comm));
  PetscCheck(length > kSealBytes, comm, PETSC_ERR_FILE_WRITE, "'%s' has vanished", path.c_str());
  std::uint32_t sum;
  PetscCall(ChecksumOfBlocks(comm, path, length, &sum));
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, "Cannot write '" + path + "'",
                             rank == 0 ? WriteHead(path, kFinished, length, sum) : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode CheckSeal(MPI_Comm comm, const std::string &path, std::uint32_t *identity) {
  PetscFunctionBeginUser;
  int rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  Head head{};
  PetscErrorCode kind = 0;
  const std::string complaint = rank == 0 ? ReadHead(path, &head, &kind) : "", what = "Cannot read '" + path + "'";
  const bool part = path.size() > 5 && path.compare(path.size() - 5, 5, ".part") == 0;
  int code = int(kind);
  PetscCallMPI(MPI_Bcast(&code, 1, MPI_INT, 0, comm));
  PetscCall(AgreeOnComplaint(comm, PetscErrorCode(code), what, complaint));
  PetscCallMPI(MPI_Bcast(head.data(), PetscMPIInt(head.size()), MPI_UNSIGNED_CHAR, 0, comm));
  PetscCall(ChecksumOfBlocks(comm, path, Take<std::uint64_t>(&head[16]), identity));
  PetscCheck(*identity == Take<std::uint32_t>(&head[24]), comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s: it is damaged: its checksum does not match%s", what.c_str(), part ? "; remove it to start anew" : "");
  PetscFunctionReturn(0);
}

} // namespace krylearn
