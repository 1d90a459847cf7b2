/// \file
/// Random numbers that depend on nothing but their name: the same on any rank count, in any order of evaluation.
#pragma once
#include <cmath>
#include <cstdint>

namespace krylearn {

/// One step of splitmix64 (Steele, Lea & Flood, OOPSLA 2014): a bijection of 64-bit numbers with good mixing.
inline std::uint64_t SplitMix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// U(seed, stream, index): uniform on [0,1), a multiple of 2^-53.
inline double Uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const std::uint64_t bits = SplitMix64(SplitMix64(SplitMix64(seed) ^ stream) ^ index);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// Standard normal number (Box–Muller) from the uniform numbers 2 index and 2 index + 1 of the stream.
inline double Normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const double radius = std::sqrt(-2 * std::log1p(-Uniform(seed, stream, 2 * index)));
  return radius * std::cos(6.283185307179586 * Uniform(seed, stream, 2 * index + 1));
}

} // namespace krylearn
