#include "nets/training/checkpoint.h"
#include "meshes/checksum.h"
#include "nets/atomic_file.h"
#include "nets/together.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace krylearn {
namespace nets {
namespace {

constexpr std::size_t kMagic = sizeof kCheckpointMagic - 1;
constexpr std::int64_t kPiece = 1 << 20;    ///< bytes that move at once
constexpr char kPoolBytes[] = "pool_bytes"; ///< what a checkpoint's model says of what follows it
constexpr std::uint64_t kLargestModel = 1 << 30;
constexpr int kTag = 301;

int RankIn(MPI_Comm comm) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

/// A tensor of a sampler's state.
struct Part {
  int owner;
  char *data; ///< on its owner
  std::int64_t bytes;
};

/// All of them, on all ranks, in the order of the file.
std::vector<Part> PartsOf(MPI_Comm comm, const std::vector<PoolMember> &pool) {
  std::vector<std::vector<at::Tensor>> states(pool.size());
  std::size_t each = 0; // samplers of one kind have states of equally many tensors
  for (std::size_t m = 0; m < pool.size(); ++m)
    if (pool[m].sampler) each = std::max(each, (states[m] = pool[m].sampler->State()).size());
  std::vector<Part> parts;
  std::vector<std::int64_t> bytes(pool.size() * each, 0);
  for (std::size_t m = 0; m < pool.size(); ++m)
    for (std::size_t t = 0; t < each; ++t) {
      const at::Tensor *tensor = pool[m].sampler ? &states[m].at(t) : nullptr;
      parts.push_back({pool[m].owner, tensor ? static_cast<char *>(tensor->data_ptr()) : nullptr, 0});
      if (tensor) bytes[parts.size() - 1] = std::int64_t(tensor->nbytes());
    }
  MPI_Allreduce(MPI_IN_PLACE, bytes.data(), int(bytes.size()), MPI_INT64_T, MPI_SUM, comm);
  for (std::size_t p = 0; p < parts.size(); ++p) parts[p].bytes = bytes[p];
  return parts;
}

/// In a file, with their checksums.
std::int64_t BytesOf(const std::vector<Part> &parts) {
  std::int64_t sum = 0;
  for (const Part &part : parts) sum += part.bytes + std::int64_t(sizeof(std::uint32_t));
  return sum;
}

/// Calls `use(data, bytes)` on rank 0 for each piece of a part. With `to_owner` the owner gets the pieces that `use`
/// has filled; otherwise `use` gets the owner's. `buffer` has room for a piece.
template <class Use> void Move(MPI_Comm comm, const Part &part, bool to_owner, std::vector<char> *buffer, Use &&use) {
  const int rank = RankIn(comm);
  if (rank != 0 && rank != part.owner) return;
  for (std::int64_t at = 0; at < part.bytes; at += kPiece) {
    const int count = int(std::min(kPiece, part.bytes - at));
    if (part.owner == 0) {
      use(part.data + at, count);
    } else if (rank == part.owner) {
      if (to_owner) MPI_Recv(part.data + at, count, MPI_BYTE, 0, kTag, comm, MPI_STATUS_IGNORE);
      else MPI_Send(part.data + at, count, MPI_BYTE, 0, kTag, comm);
    } else {
      if (!to_owner) MPI_Recv(buffer->data(), count, MPI_BYTE, part.owner, kTag, comm, MPI_STATUS_IGNORE);
      use(buffer->data(), count);
      if (to_owner) MPI_Send(buffer->data(), count, MPI_BYTE, part.owner, kTag, comm);
    }
  }
}

[[noreturn]] void Refuse(const std::string &path, const std::string &why) {
  throw FileError("checkpoint '" + path + "' " + why);
}

struct CloseFile {
  void operator()(std::FILE *file) const { std::fclose(file); }
};

/// A checkpoint on the rank that reads it.
struct Reader {
  std::unique_ptr<std::FILE, CloseFile> file;
  std::int64_t length = 0, model_bytes = 0; ///< of all, of the model in it

  explicit Reader(const std::string &path) {
    file.reset(std::fopen(path.c_str(), "rb"));
    char head[kMagic + kModelHead];
    if (!file || fseeko(file.get(), 0, SEEK_END)) Refuse(path, std::string("cannot be read: ") + std::strerror(errno));
    length = std::int64_t(ftello(file.get()));
    rewind(file.get());
    const std::size_t got = std::fread(head, 1, sizeof head, file.get());
    if (got < kMagic || std::memcmp(head, kCheckpointMagic, kMagic))
      Refuse(path, "is none of this version (expected it to start with " + std::string(kCheckpointMagic) +
                       "); to start from a model, give it with -init");
    if (got < sizeof head) Refuse(path, "is cut off in its first bytes");
    const std::uint64_t rest = LengthInModelHead(std::string(head + kMagic, kModelHead));
    if (rest > std::uint64_t(length) - sizeof head || rest > kLargestModel) Refuse(path, "is cut off or damaged");
    model_bytes = std::int64_t(kModelHead + rest);
    fseeko(file.get(), off_t(kMagic), SEEK_SET);
  }

  /// Refuses a file that does not hold so many bytes behind its model, which is where reading goes on.
  void SeekPool(const std::string &path, std::int64_t bytes) {
    const std::int64_t start = std::int64_t(kMagic) + model_bytes, expected = start + bytes;
    if (length != expected)
      Refuse(path, std::string(length < expected ? "is cut off" : "is damaged") + ": expected " +
                       std::to_string(expected) + " bytes, found " + std::to_string(length));
    fseeko(file.get(), off_t(start), SEEK_SET);
  }
};

} // namespace

void WriteCheckpoint(MPI_Comm comm, const std::string &path, Model model, const std::vector<PoolMember> &pool) {
  const std::vector<Part> parts = PartsOf(comm, pool);
  model.about[kPoolBytes] = std::to_string(BytesOf(parts));
  std::unique_ptr<AtomicFile> file;
  std::vector<char> buffer;
  Together(comm, [&] { // all that may run out of memory, before anyone waits for rank 0
    if (RankIn(comm) != 0) return;
    file = std::make_unique<AtomicFile>(path);
    const std::string bytes = kCheckpointMagic + ModelBytes(model);
    file->Write(bytes.data(), bytes.size());
    buffer.resize(std::size_t(kPiece));
  });
  for (const Part &part : parts) {
    std::uint32_t sum = 0;
    Move(comm, part, false, &buffer, [&](const char *data, int count) {
      sum = Crc32(data, std::size_t(count), sum);
      file->Write(data, std::size_t(count));
    });
    if (file) file->Write(&sum, sizeof sum);
  }
  Together(comm, [&] {
    if (file) file->Publish("checkpoint");
  });
}

Model ReadCheckpoint(MPI_Comm comm, const std::string &path) {
  std::string bytes;
  Together(comm, [&] {
    if (RankIn(comm) != 0) return;
    Reader reader(path);
    bytes.resize(std::size_t(reader.model_bytes));
    if (std::fread(&bytes[0], 1, bytes.size(), reader.file.get()) != bytes.size()) Refuse(path, "cannot be read");
    Model model = ParseModel(bytes, path);
    if (!model.about.count(kPoolBytes)) Refuse(path, "is of an older version");
    reader.SeekPool(path, std::atoll(model.about[kPoolBytes].c_str()));
  });
  long size = long(bytes.size());
  MPI_Bcast(&size, 1, MPI_LONG, 0, comm);
  bytes.resize(std::size_t(size));
  MPI_Bcast(&bytes[0], int(size), MPI_CHAR, 0, comm);
  return ParseModel(bytes, path);
}

void RestorePool(MPI_Comm comm, const std::string &path, const std::vector<PoolMember> &pool) {
  const std::vector<Part> parts = PartsOf(comm, pool);
  std::unique_ptr<Reader> reader;
  std::vector<char> buffer;
  Together(comm, [&] {
    if (RankIn(comm) != 0) return;
    buffer.resize(std::size_t(kPiece));
    reader = std::make_unique<Reader>(path);
    reader->SeekPool(path, BytesOf(parts));
  });
  bool fine = true;
  for (const Part &part : parts) {
    std::uint32_t sum = 0, stored = 0;
    Move(comm, part, true, &buffer, [&](char *data, int count) {
      fine = std::fread(data, 1, std::size_t(count), reader->file.get()) == std::size_t(count) && fine;
      sum = Crc32(data, std::size_t(count), sum);
    });
    if (reader) fine = std::fread(&stored, sizeof stored, 1, reader->file.get()) == 1 && stored == sum && fine;
  }
  Together(comm, [&] {
    if (!fine) Refuse(path, "is damaged: a checksum does not match");
  });
}

} // namespace nets
} // namespace krylearn
