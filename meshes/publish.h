/// \file
/// Bringing a finished file to its name. Needs nothing but the system, so that nets/ can use it too.
#pragma once
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace krylearn {

/// Folder part of a path ("." if there is none).
inline std::string FolderOf(const std::string &path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Brings what has been written to the disk; what went wrong, or nothing.
inline std::string SyncToDisk(const std::string &path) {
  const int file = open(path.c_str(), O_RDONLY);
  if (file < 0) return std::strerror(errno);
  // Some file systems cannot sync folders and say EINVAL; there is nothing more to do on those.
  const bool failed = fsync(file) != 0 && errno != EINVAL;
  const std::string reason = failed ? std::strerror(errno) : "";
  close(file);
  return reason;
}

/// Brings a finished temporary file to the disk and to its final name; whoever dies in between leaves the old file.
/// What went wrong, or nothing.
inline std::string Publish(const std::string &temporary, const std::string &path) {
  const std::string reason = SyncToDisk(temporary);
  if (!reason.empty()) return reason;
  if (std::rename(temporary.c_str(), path.c_str())) return std::strerror(errno);
  return SyncToDisk(FolderOf(path));
}

} // namespace krylearn
