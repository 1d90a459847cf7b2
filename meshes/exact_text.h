/// \file
/// Numbers as text that loses nothing.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>

namespace krylearn {

/// The fewest digits, up to 17, that read back as exactly this number: 0.002, not 0.0020000000000000000416.
inline std::string ExactText(double value) {
  constexpr int kAlwaysEnough = 17;
  char text[40] = "";
  for (int digits = 6; digits <= kAlwaysEnough; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  return text;
}

} // namespace krylearn
