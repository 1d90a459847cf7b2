/// \file
/// What has been learnt, as text: a few lines that are read back on any machine, bit for bit.
#pragma once
#include <string>
#include <vector>

namespace krylearn {
namespace bandit {

/// `description`, one line, says whose state it is: policy, seed, arms.
std::string WriteState(const std::string &description, const std::vector<double> &numbers);

/// The numbers, `count` of them. std::runtime_error where the text is damaged, of another version or description.
std::vector<double> ReadState(const std::string &text, const std::string &description, std::size_t count);

} // namespace bandit
} // namespace krylearn
