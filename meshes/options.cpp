#include "meshes/options.h"
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>

namespace krylearn {
namespace {

/// Keys read so far, topics and keys printed under -help, and prefixes that belong to the project.
struct Registry {
  std::set<std::string> keys, printed;
  std::vector<std::string> families{"boundary_", "obstacle_", "krylearn_"};
};

Registry &TheRegistry() {
  static Registry registry;
  return registry;
}

std::string Trim(const std::string &text) {
  const char *blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> Split(const std::string &text) {
  std::vector<std::string> parts;
  for (std::size_t start = 0;;) {
    const auto comma = text.find(',', start);
    parts.push_back(Trim(text.substr(start, comma - start)));
    if (comma == std::string::npos) return parts;
    start = comma + 1;
  }
}

std::string Format(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

PetscErrorCode ParseReal(MPI_Comm comm, const char *key, const std::string &text, double *value) {
  PetscFunctionBeginUser;
  char *end = nullptr;
  const double parsed = std::strtod(text.c_str(), &end);
  PetscCheck(!text.empty() && *end == '\0', comm, PETSC_ERR_USER_INPUT, "-%s: '%s' is not a number", key, text.c_str());
  PetscCheck(std::isfinite(parsed), comm, PETSC_ERR_USER_INPUT, "-%s: %s is not a finite number", key, text.c_str());
  *value = parsed;
  PetscFunctionReturn(0);
}

PetscErrorCode ParseInt(MPI_Comm comm, const char *key, const std::string &text, PetscInt *value) {
  PetscFunctionBeginUser;
  char *end = nullptr;
  errno = 0;
  const long long parsed = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') {
    const double real = std::strtod(text.c_str(), &end);
    const bool whole = !text.empty() && *end == '\0' && real == std::floor(real) && std::fabs(real) < 1e9;
    PetscCheck(!whole, comm, PETSC_ERR_USER_INPUT, "-%s: write the whole number %s as %.0f", key, text.c_str(), real);
    SETERRQ(comm, PETSC_ERR_USER_INPUT, "-%s: '%s' is not a whole number", key, text.c_str());
  }
  PetscCheck(errno == 0 && parsed <= std::numeric_limits<PetscInt>::max() &&
                 parsed >= std::numeric_limits<PetscInt>::min(),
             comm, PETSC_ERR_USER_INPUT, "-%s: %s is too large", key, text.c_str());
  *value = static_cast<PetscInt>(parsed);
  PetscFunctionReturn(0);
}

template <class T, class Parse>
PetscErrorCode ParseList(MPI_Comm comm, const char *key, const std::string &text, PetscInt room, T *values,
                         PetscInt *count, Parse parse) {
  PetscFunctionBeginUser;
  const std::vector<std::string> parts = Split(text);
  PetscCheck(static_cast<PetscInt>(parts.size()) <= room, comm, PETSC_ERR_USER_INPUT,
             "-%s: '%s' has %d numbers, at most %" PetscInt_FMT " are expected", key, text.c_str(),
             static_cast<int>(parts.size()), room);
  for (std::size_t i = 0; i < parts.size(); ++i) PetscCall(parse(comm, key, parts[i], &values[i]));
  *count = static_cast<PetscInt>(parts.size());
  PetscFunctionReturn(0);
}

/// How many typing errors still suggest that a word of this length was meant.
int Tolerance(std::size_t length) { return length < 3 ? 0 : length < 6 ? 1 : 2; }

bool InFamily(const std::string &name) {
  const auto &families = TheRegistry().families;
  return std::any_of(families.begin(), families.end(), [&](const std::string &f) { return name.rfind(f, 0) == 0; });
}

std::string Joined(const std::vector<std::string> &names) {
  std::string text;
  for (const auto &name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

} // namespace

std::vector<std::string> SplitList(const std::string &text, char separator) {
  std::vector<std::string> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    const std::string word = Trim(text.substr(start, end - start));
    if (!word.empty()) words.push_back(word);
    start = end + 1;
  }
  return words;
}

int EditDistance(const std::string &a, const std::string &b) {
  const std::size_t n = b.size();
  std::vector<int> before(n + 1), above(n + 1), row(n + 1);
  for (std::size_t j = 0; j <= n; ++j) above[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= n; ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[n];
}

std::string NearestName(const std::string &word, const std::vector<std::string> &names) {
  std::string nearest;
  int least = std::max(word.size() < 4 ? 1 : 2, static_cast<int>(word.size()) / 3) + 1;
  for (const auto &name : names) {
    const int distance = EditDistance(word, name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

void AddOptionFamily(const std::string &prefix) {
  auto &families = TheRegistry().families;
  if (std::find(families.begin(), families.end(), prefix) == families.end()) families.push_back(prefix);
}

PetscErrorCode OptionReader::Announce(const char *key, const char *type, const std::string &fallback,
                                      const char *meaning, const char *unit) {
  PetscFunctionBeginUser;
  TheRegistry().keys.insert(key);
  PetscBool help;
  PetscCall(PetscOptionsHasHelp(nullptr, &help));
  if (!help || !TheRegistry().printed.insert(topic_ + "/" + key).second) PetscFunctionReturn(0);
  if (!header_printed_ && TheRegistry().printed.insert(topic_ + "/").second)
    PetscCall(PetscPrintf(comm_, "\n%s\n", topic_.c_str()));
  header_printed_ = true;
  const bool has_unit = unit && *unit && std::string(unit) != "1";
  const std::string left = std::string("  -") + key + " <" + type + ">";
  std::string right = meaning;
  if (has_unit) right += std::string(" [") + unit + "]";
  if (!fallback.empty()) right += " (default " + fallback + ")";
  PetscCall(PetscPrintf(comm_, "%-34s %s\n", left.c_str(), right.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Find(const char *key, const char *expected, std::string *text, bool *given) {
  PetscFunctionBeginUser;
  const char *value = nullptr;
  PetscBool found;
  PetscCall(PetscOptionsFindPair(nullptr, nullptr, (std::string("-") + key).c_str(), &value, &found));
  *given = found == PETSC_TRUE;
  if (!*given) PetscFunctionReturn(0);
  *text = Trim(value ? value : "");
  PetscCheck(!text->empty() || !expected, comm_, PETSC_ERR_USER_INPUT, "-%s needs a value: %s", key, expected);
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Int(const char *key, const char *meaning, PetscInt *value) {
  PetscFunctionBeginUser;
  std::string text;
  bool given;
  PetscCall(Announce(key, "int", std::to_string(*value), meaning, ""));
  PetscCall(Find(key, "a whole number", &text, &given));
  if (given) PetscCall(ParseInt(comm_, key, text, value));
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Real(const char *key, const char *meaning, const char *unit, double *value, bool *given) {
  PetscFunctionBeginUser;
  std::string text;
  bool found;
  PetscCall(Announce(key, "real", Format(*value), meaning, unit));
  PetscCall(Find(key, "a number", &text, &found));
  if (found) PetscCall(ParseReal(comm_, key, text, value));
  if (given) *given = found;
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Bool(const char *key, const char *meaning, bool *value) {
  PetscFunctionBeginUser;
  std::string text;
  bool given;
  PetscCall(Announce(key, "yes|no", *value ? "yes" : "no", meaning, ""));
  PetscCall(Find(key, nullptr, &text, &given));
  if (!given) PetscFunctionReturn(0);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool yes = text.empty() || text == "yes" || text == "true" || text == "on" || text == "1";
  const bool no = text == "no" || text == "false" || text == "off" || text == "0";
  PetscCheck(yes || no, comm_, PETSC_ERR_USER_INPUT, "-%s: '%s' is neither yes nor no", key, text.c_str());
  *value = yes;
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::String(const char *key, const char *meaning, std::string *value, bool *given) {
  PetscFunctionBeginUser;
  std::string text;
  bool found;
  PetscCall(Announce(key, "text", *value, meaning, ""));
  PetscCall(Find(key, "a text", &text, &found));
  if (found) *value = text;
  if (given) *given = found;
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Choice(const char *key, const char *meaning, const std::vector<std::string> &choices,
                                    std::string *value) {
  PetscFunctionBeginUser;
  std::string text;
  bool given;
  PetscCall(Announce(key, "name", *value, (std::string(meaning) + ": " + Joined(choices)).c_str(), ""));
  PetscCall(Find(key, ("one of " + Joined(choices)).c_str(), &text, &given));
  if (!given) PetscFunctionReturn(0);
  if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
    const std::string nearest = NearestName(text, choices);
    const std::string advice = nearest.empty() ? "" : "; did you mean " + nearest + "?";
    SETERRQ(comm_, PETSC_ERR_USER_INPUT, "-%s: unknown name '%s', expected one of %s%s", key, text.c_str(),
            Joined(choices).c_str(), advice.c_str());
  }
  *value = text;
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Ints(const char *key, const char *meaning, PetscInt *values, PetscInt *count) {
  PetscFunctionBeginUser;
  std::string text;
  bool given;
  const PetscInt room = *count;
  *count = 0;
  PetscCall(Announce(key, "ints", "", meaning, ""));
  PetscCall(Find(key, "whole numbers separated by commas", &text, &given));
  if (given) PetscCall(ParseList(comm_, key, text, room, values, count, ParseInt));
  PetscFunctionReturn(0);
}

PetscErrorCode OptionReader::Reals(const char *key, const char *meaning, const char *unit, double *values,
                                   PetscInt *count) {
  PetscFunctionBeginUser;
  std::string text;
  bool given;
  const PetscInt room = *count;
  *count = 0;
  PetscCall(Announce(key, "reals", "", meaning, unit));
  PetscCall(Find(key, "numbers separated by commas", &text, &given));
  if (given) PetscCall(ParseList(comm_, key, text, room, values, count, ParseReal));
  PetscFunctionReturn(0);
}

PetscErrorCode RefuseMisspeltOptions(MPI_Comm comm) {
  PetscFunctionBeginUser;
  PetscInt count;
  char **names = nullptr, **values = nullptr;
  PetscCall(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  const auto &known = TheRegistry().keys;
  const std::vector<std::string> keys(known.begin(), known.end());
  std::string culprit, nearest;
  for (PetscInt i = 0; i < count && culprit.empty(); ++i) {
    const std::string name = names[i];
    if (known.count(name)) continue;
    nearest = NearestName(name, keys);
    const bool close = !nearest.empty() && EditDistance(name, nearest) <= Tolerance(name.size());
    if (close || InFamily(name)) culprit = name;
  }
  PetscCall(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  // Objects that only some ranks hold read their options there alone, so ranks may differ in what is left.
  int mine = culprit.empty() ? 0 : 1, all = 0;
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm));
  if (!all) PetscFunctionReturn(0);
  const std::string advice = nearest.empty() ? "see -help" : "did you mean -" + nearest + "?";
  SETERRQ(comm, PETSC_ERR_USER_INPUT, "unknown option -%s; %s", culprit.c_str(), advice.c_str());
}

} // namespace krylearn
