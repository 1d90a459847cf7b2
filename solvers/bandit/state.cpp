#include "solvers/bandit/state.h"
#include "meshes/checksum.h"
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace krylearn {
namespace bandit {
namespace {

const char kHead[] = "krylearn bandit, format ";
const char kFormat[] = "1";
const char kChecksum[] = "checksum ";

std::string Sum(const std::string &text) {
  char sum[20];
  std::snprintf(sum, sizeof sum, "%08lx", static_cast<unsigned long>(Crc32(text.data(), text.size())));
  return kChecksum + std::string(sum) + "\n";
}

/// The beginning of what sets a description apart from another.
std::string From(const std::string &description, const std::string &other) {
  std::size_t at = 0;
  while (at < description.size() && at < other.size() && description[at] == other[at]) ++at;
  const std::size_t part = at > 0 ? description.find_last_of(",;", at - 1) : std::string::npos;
  at = part == std::string::npos ? 0 : description.find_first_not_of(",; ", part);
  if (at == std::string::npos) return "no more";
  return description.size() - at > 60 ? description.substr(at, 57) + "..." : description.substr(at);
}

} // namespace

std::string WriteState(const std::string &description, const std::vector<double> &numbers) {
  std::string text = std::string(kHead) + kFormat + "\n" + description + "\n";
  for (const double x : numbers) {
    char number[40];
    std::snprintf(number, sizeof number, "%.17g\n", x);
    text += number;
  }
  return text + Sum(text);
}

std::vector<double> ReadState(const std::string &text, const std::string &description, std::size_t count) {
  const auto fail = [](const std::string &why) { throw std::runtime_error(why); };
  std::istringstream lines(text);
  std::string head, found;
  std::getline(lines, head);
  if (head.compare(0, sizeof kHead - 1, kHead) != 0) fail("it is no state of a bandit");
  if (head != std::string(kHead) + kFormat)
    fail("it has format " + head.substr(sizeof kHead - 1) + ", expected " + kFormat);
  const std::size_t end = text.rfind(kChecksum);
  if (end == std::string::npos || text.substr(end) != Sum(text.substr(0, end))) fail("it is cut off or damaged");
  std::getline(lines, found);
  if (found != description) fail("it belongs to: " + From(found, description) + "; expected: " + From(description, found));
  std::vector<double> numbers;
  for (std::string line; std::getline(lines, line) && line.compare(0, sizeof kChecksum - 1, kChecksum) != 0;)
    numbers.push_back(std::stod(line));
  if (numbers.size() != count) fail("it holds another number of values than expected");
  return numbers;
}

} // namespace bandit
} // namespace krylearn
