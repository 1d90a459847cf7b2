#include "nets/atomic_file.h"
#include "meshes/publish.h"
#include "nets/nets.h"

namespace krylearn {
namespace nets {

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
  if (!fine && complaint_.empty()) complaint_ = std::strerror(errno ? errno : EIO);
}

void AtomicFile::Write(const void *data, std::size_t bytes) {
  if (complaint_.empty()) Keep(std::fwrite(data, 1, bytes, file_) == bytes);
}

void AtomicFile::Publish(const std::string &what) {
  const bool opened = file_;
  if (opened) Keep(std::fclose(file_) == 0);
  file_ = nullptr;
  if (complaint_.empty()) complaint_ = krylearn::Publish(temporary_, path_);
  if (complaint_.empty()) return;
  if (opened) unlink(temporary_.c_str());
  throw FileError("cannot write " + what + " '" + path_ + "': " + complaint_);
}

} // namespace nets
} // namespace krylearn
