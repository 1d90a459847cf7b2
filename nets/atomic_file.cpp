#include "nets/atomic_file.h"
#include "nets/nets.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace krylearn {
namespace nets {
namespace {

std::string FolderOf(const std::string &path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// Brings what has been written to the disk; some file systems cannot do so for folders, and say EINVAL.
bool Sync(const std::string &path) {
  const int file = open(path.c_str(), O_RDONLY);
  if (file < 0) return false;
  const bool fine = fsync(file) == 0 || errno == EINVAL;
  close(file);
  return fine;
}

} // namespace

AtomicFile::AtomicFile(const std::string &path) : path_(path), temporary_(path + ".part") {
  errno = 0;
  file_ = std::fopen(temporary_.c_str(), "wb");
  Keep(file_);
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  std::fclose(file_);
  unlink(temporary_.c_str());
}

void AtomicFile::Keep(bool fine) {
  if (!fine && !error_) error_ = errno ? errno : EIO;
}

void AtomicFile::Write(const void *data, std::size_t bytes) {
  if (!error_) Keep(std::fwrite(data, 1, bytes, file_) == bytes);
}

void AtomicFile::Publish(const std::string &what) {
  const bool opened = file_;
  if (opened) Keep(std::fclose(file_) == 0);
  file_ = nullptr;
  if (!error_)
    Keep(Sync(temporary_) && std::rename(temporary_.c_str(), path_.c_str()) == 0 && Sync(FolderOf(path_)));
  if (!error_) return;
  if (opened) unlink(temporary_.c_str());
  throw FileError("cannot write " + what + " '" + path_ + "': " + std::strerror(error_));
}

} // namespace nets
} // namespace krylearn
