/// \file
/// Files that appear only when they are complete.
#pragma once
#include <cstddef>
#include <cstdio>
#include <string>

namespace krylearn {
namespace nets {

/// A file written under a temporary name, `path`.part, on one rank. After a failure nothing more is written; Publish()
/// tells of it.
class AtomicFile {
public:
  explicit AtomicFile(const std::string &path);
  ~AtomicFile(); ///< removes what has not been published
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  void Write(const void *data, std::size_t bytes);
  /// Brings the file to the disk and to its name. FileError: "cannot write `what` 'path': reason".
  void Publish(const std::string &what);

private:
  void Keep(bool fine); ///< the reason of a first failure
  const std::string path_, temporary_;
  std::FILE *file_ = nullptr;
  std::string complaint_;
};

} // namespace nets
} // namespace krylearn
