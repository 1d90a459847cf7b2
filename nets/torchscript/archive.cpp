// Zip archives as in PKWARE's APPNOTE.TXT 6.3, sections 4.3.6 to 4.3.16; LibTorch stores entries uncompressed.
#include "nets/torchscript/archive.h"
#include "meshes/checksum.h"
#include <cstdint>

namespace krylearn {
namespace nets {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kMostComment = 65535;

/// Little-endian numbers of `count` bytes; everything beyond the end is zero.
std::uint32_t Number(const std::string &bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i)
    value |= std::uint32_t(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

} // namespace

bool IsArchive(const std::string &bytes) { return Number(bytes, 0, 4) == kLocalHeader; }

std::string WhyDamaged(const std::string &bytes) {
  std::size_t end = bytes.size() < kEndSize ? 0 : bytes.size() - kEndSize;
  const std::size_t least = end > kMostComment ? end - kMostComment : 0;
  while (end > least && Number(bytes, end, 4) != kEnd) --end;
  if (Number(bytes, end, 4) != kEnd) return "is cut off: its list of contents is missing";
  std::size_t at = Number(bytes, end + 16, 4);
  for (std::uint32_t entries = Number(bytes, end + 10, 2); entries > 0; --entries) {
    if (at + kCentralSize > end || Number(bytes, at, 4) != kCentralHeader)
      return "is damaged: its list of contents is not what it should be";
    const std::uint32_t method = Number(bytes, at + 10, 2), checksum = Number(bytes, at + 16, 4);
    const std::size_t stored = Number(bytes, at + 20, 4), name = Number(bytes, at + 28, 2);
    const std::size_t local = Number(bytes, at + 42, 4);
    const std::string what = "is damaged: its entry '" + bytes.substr(at + kCentralSize, name) + "' ";
    if (local + kLocalSize > bytes.size() || Number(bytes, local, 4) != kLocalHeader)
      return what + "is not where it should be";
    const std::size_t data = local + kLocalSize + Number(bytes, local + 26, 2) + Number(bytes, local + 28, 2);
    if (data > bytes.size() || stored > bytes.size() - data) return what + "is cut off";
    if (method == 0 && Crc32(bytes.data() + data, stored) != checksum) return what + "does not match its checksum";
    at += kCentralSize + name + Number(bytes, at + 30, 2) + Number(bytes, at + 32, 2);
  }
  return "";
}

} // namespace nets
} // namespace krylearn
