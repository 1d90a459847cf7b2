/// \file
/// CRC-32 as in ISO 3309 (zlib's): finds every change within 32 neighbouring bits.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace krylearn {

/// The checksum of `count` bytes; `before` is that of what precedes them. Eight bytes a step, as tables of the checksums
/// of a byte with 0 to 7 zero bytes behind it allow.
inline std::uint32_t Crc32(const void *data, std::size_t count, std::uint32_t before = 0) {
  using Tables = std::array<std::array<std::uint32_t, 256>, 8>;
  static const Tables tables = [] {
    Tables t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[0][i] = i;
      for (int bit = 0; bit < 8; ++bit) t[0][i] = (t[0][i] >> 1) ^ (t[0][i] & 1 ? 0xedb88320u : 0);
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
    return t;
  }();
  const auto *bytes = static_cast<const unsigned char *>(data);
  std::uint32_t crc = ~before;
  for (; count >= 8; count -= 8, bytes += 8) {
    crc ^= std::uint32_t(bytes[0]) | std::uint32_t(bytes[1]) << 8 | std::uint32_t(bytes[2]) << 16 |
           std::uint32_t(bytes[3]) << 24;
    crc = tables[7][crc & 255] ^ tables[6][crc >> 8 & 255] ^ tables[5][crc >> 16 & 255] ^ tables[4][crc >> 24] ^
          tables[3][bytes[4]] ^ tables[2][bytes[5]] ^ tables[1][bytes[6]] ^ tables[0][bytes[7]];
  }
  for (; count > 0; --count, ++bytes) crc = tables[0][(crc ^ *bytes) & 255] ^ (crc >> 8);
  return ~crc;
}

} // namespace krylearn
