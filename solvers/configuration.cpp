#include "solvers/configuration.h"
#include "meshes/files.h"
#include "meshes/options.h"
#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <sstream>

namespace krylearn {
namespace {

std::string Trimmed(const std::string &text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

bool NameCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.'; }

/// A comment starts at a `#` at the start or after a blank, so that file names may hold one.
std::string WithoutComment(const std::string &line) {
  for (std::size_t i = 0; i < line.size(); ++i)
    if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return line.substr(0, i);
  return line;
}

/// Reads one line; returns what is wrong with it, or nothing.
std::string ParseLine(const std::string &line, Configuration *c) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || line[0] == '-') return "expected 'NAME: -option value ...', got '" + line + "'";
  std::string name = Trimmed(line.substr(0, colon));
  c->candidate = !name.empty() && name[0] == '+';
  if (c->candidate) name = Trimmed(name.substr(1));
  c->name = name;
  c->options = Trimmed(line.substr(colon + 1));
  if (name.empty()) return "a configuration without a name; expected 'NAME: -option value ...'";
  if (!std::all_of(name.begin(), name.end(), NameCharacter) || !std::isalnum(static_cast<unsigned char>(name[0])))
    return "the name '" + name + "' may hold letters, digits, '_', '-' and '.' only";
  if (c->options.empty()) return "configuration " + name + " has no options; give at least -pc_type";
  if (c->options[0] != '-') return "the options of " + name + " must start with a dash: '" + c->options + "'";
  return "";
}

} // namespace

std::string Configuration::Prefix() const {
  std::string prefix = name;
  for (char &c : prefix)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  // PETSc takes -1e… for a negative number, not for an option.
  if (std::isdigit(static_cast<unsigned char>(prefix[0]))) prefix = "c" + prefix;
  return base + prefix + "_";
}

bool Configuration::Owns(const std::string &key) const {
  const auto begins = [&key](const std::string &prefix) { return key.compare(0, prefix.size(), prefix) == 0; };
  return begins(Prefix()) && std::none_of(longer.begin(), longer.end(), begins);
}

PetscErrorCode ParseConfigurations(MPI_Comm comm, const std::string &text, const std::string &origin,
                                   std::vector<Configuration> *list, const std::string &base) {
  PetscFunctionBeginUser;
  std::istringstream stream(text);
  int number = 0;
  for (std::string raw; std::getline(stream, raw);) {
    ++number;
    const std::string line = Trimmed(WithoutComment(raw));
    if (line.empty()) continue;
    Configuration c;
    c.base = base;
    std::string complaint = ParseLine(line, &c);
    if (complaint.empty())
      for (const Configuration &other : *list) {
        if (other.name == c.name) complaint = "there are two configurations named " + c.name;
        else if (other.Prefix() == c.Prefix())
          complaint = c.name + " and " + other.name + " would share the options prefix " + c.Prefix();
      }
    PetscCheck(complaint.empty(), comm, PETSC_ERR_USER_INPUT, "%s, line %d: %s", origin.c_str(), number,
               complaint.c_str());
    list->push_back(c);
  }
  for (Configuration &c : *list) {
    c.longer.clear();
    for (const Configuration &other : *list)
      if (other.Prefix().size() > c.Prefix().size() && other.Prefix().compare(0, c.Prefix().size(), c.Prefix()) == 0)
        c.longer.push_back(other.Prefix());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ReadConfigurations(MPI_Comm comm, const std::string &path, std::vector<Configuration> *list,
                                  const std::string &base) {
  PetscFunctionBeginUser;
  std::string text;
  PetscCall(ReadTextFile(comm, path, &text));
  const std::size_t before = list->size();
  PetscCheck(!text.empty(), comm, PETSC_ERR_USER_INPUT, "%s: no such file, or it is empty", path.c_str());
  // Lines that name another file are replaced by its configurations, and leave an empty line to keep the numbers.
  std::istringstream stream(text);
  std::string rest;
  for (std::string line; std::getline(stream, line); rest += line + "\n") {
    const std::string word = Trimmed(WithoutComment(line));
    if (word.empty() || word[0] != '@') continue;
    const std::string other = FolderOf(path) + "/" + Trimmed(word.substr(1));
    PetscCheck(other != path, comm, PETSC_ERR_USER_INPUT, "%s includes itself", path.c_str());
    PetscCall(ReadConfigurations(comm, other, list, base));
    line.clear();
  }
  PetscCall(ParseConfigurations(comm, rest, path, list, base));
  PetscCheck(list->size() > before, comm, PETSC_ERR_USER_INPUT, "%s holds no configuration", path.c_str());
  PetscFunctionReturn(0);
}

PetscErrorCode SelectConfigurations(MPI_Comm comm, const std::string &names, std::vector<Configuration> *list) {
  PetscFunctionBeginUser;
  const std::vector<std::string> wanted = SplitList(names, ',');
  std::vector<std::string> known;
  for (const Configuration &c : *list) known.push_back(c.name);
  for (const std::string &name : wanted) {
    const std::string nearest = NearestName(name, known);
    PetscCheck(std::find(known.begin(), known.end(), name) != known.end(), comm, PETSC_ERR_USER_INPUT,
               "-only: there is no configuration %s%s", name.c_str(),
               nearest.empty() ? "" : ("; did you mean " + nearest + "?").c_str());
  }
  PetscCheck(!wanted.empty(), comm, PETSC_ERR_USER_INPUT, "-only: give names of configurations, separated by commas");
  const auto left_out = [&](const Configuration &c) {
    return std::find(wanted.begin(), wanted.end(), c.name) == wanted.end();
  };
  list->erase(std::remove_if(list->begin(), list->end(), left_out), list->end());
  PetscFunctionReturn(0);
}

namespace {

/// Names whose options would be read by others are refused.
PetscErrorCode CheckPrefixes(MPI_Comm comm, const std::vector<Configuration> &list) {
  PetscFunctionBeginUser;
  for (const Configuration &c : list) {
    for (const char *taken : {"pc_", "ksp_", "mat_", "vec_", "dm_", "log_"})
      PetscCheck(c.Prefix() != c.base + taken, comm, PETSC_ERR_USER_INPUT,
                 "The name %s would make its options look like PETSc's own; choose another", c.name.c_str());
    // Solvers inside solvers read options under longer prefixes.
    for (const Configuration &other : list)
      for (const char *inner : {"sub_", "mg_", "ksp_", "pc_", "fieldsplit_", "redundant_", "telescope_", "gamg_"})
        PetscCheck(other.Prefix().compare(0, c.Prefix().size() + std::strlen(inner), c.Prefix() + inner) != 0, comm,
                   PETSC_ERR_USER_INPUT, "Solvers inside %s would read the options of %s; choose another name",
                   c.name.c_str(), other.name.c_str());
  }
  PetscFunctionReturn(0);
}

/// Calls `body(key, value)` for the options of all configurations, under their prefixes.
template <class Body> PetscErrorCode ForOptions(const std::vector<Configuration> &list, Body &&body) {
  PetscFunctionBeginUser;
  for (const Configuration &c : list) {
    // PETSc cuts the text into keys and values; all of them count as unused, which is how they can be listed.
    PetscOptions own;
    PetscInt count;
    char **names, **values;
    PetscCall(PetscOptionsCreate(&own));
    PetscCall(PetscOptionsInsertString(own, c.options.c_str()));
    PetscCall(PetscOptionsLeftGet(own, &count, &names, &values));
    for (PetscInt i = 0; i < count; ++i)
      PetscCall(body("-" + c.Prefix() + names[i], values[i] ? std::string(values[i]) : std::string()));
    PetscCall(PetscOptionsLeftRestore(own, &count, &names, &values));
    PetscCall(PetscOptionsDestroy(&own));
  }
  PetscFunctionReturn(0);
}

/// Puts an option into the database; `*set`: it was not there already, from the command line, which wins.
PetscErrorCode SetUnlessGiven(const std::string &key, const std::string &value, bool *set) {
  PetscBool given;
  PetscFunctionBeginUser;
  PetscCall(PetscOptionsHasName(nullptr, nullptr, key.c_str(), &given));
  *set = !given;
  if (!given) PetscCall(PetscOptionsSetValue(nullptr, key.c_str(), value.empty() ? nullptr : value.c_str()));
  PetscFunctionReturn(0);
}

/// An option that solvers have put into the database.
struct Inserted {
  std::string value;
  int users;
};

std::map<std::string, Inserted> &AllInserted() {
  static std::map<std::string, Inserted> all;
  return all;
}

} // namespace

PetscErrorCode InsertOptions(MPI_Comm comm, const std::vector<Configuration> &list) {
  PetscFunctionBeginUser;
  PetscCall(CheckPrefixes(comm, list));
  PetscCall(ForOptions(list, [](const std::string &key, const std::string &value) {
    bool set;
    return SetUnlessGiven(key, value, &set);
  }));
  PetscFunctionReturn(0);
}

PetscErrorCode InsertedOptions::Insert(MPI_Comm comm, const std::vector<Configuration> &list) {
  PetscFunctionBeginUser;
  PetscCall(Remove());
  PetscCall(CheckPrefixes(comm, list));
  PetscCall(ForOptions(list, [&](const std::string &key, const std::string &value) -> PetscErrorCode {
    bool set = false;
    PetscFunctionBeginUser;
    const auto place = AllInserted().find(key);
    if (place != AllInserted().end()) {
      PetscCheck(place->second.value == value, comm, PETSC_ERR_USER_INPUT,
                 "Two solvers at a time want %s to be '%s' and '%s'; give one of them another prefix or configurations "
                 "of other names",
                 key.c_str(), place->second.value.c_str(), value.c_str());
      ++place->second.users;
      keys_.push_back(key);
      PetscFunctionReturn(0);
    }
    PetscCall(SetUnlessGiven(key, value, &set));
    if (!set) PetscFunctionReturn(0);
    AllInserted()[key] = {value, 1};
    keys_.push_back(key);
    PetscFunctionReturn(0);
  }));
  PetscFunctionReturn(0);
}

PetscErrorCode InsertedOptions::Remove() {
  PetscFunctionBeginUser;
  for (const std::string &key : keys_) {
    const auto place = AllInserted().find(key);
    if (place == AllInserted().end() || --place->second.users > 0) continue;
    AllInserted().erase(place);
    PetscCall(PetscOptionsClearValue(nullptr, key.c_str()));
  }
  keys_.clear();
  PetscFunctionReturn(0);
}

PetscErrorCode UnreadOptions(const Configuration &configuration, std::string *unread) {
  PetscFunctionBeginUser;
  PetscInt count;
  char **names, **values;
  const std::string prefix = configuration.Prefix();
  unread->clear();
  PetscCall(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  for (PetscInt i = 0; i < count; ++i)
    if (configuration.Owns(names[i]))
      *unread += (unread->empty() ? "-" : " -") + std::string(names[i]).substr(prefix.size());
  PetscCall(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  PetscFunctionReturn(0);
}

PetscErrorCode EffectiveOptions(const Configuration &configuration, std::string *options) {
  PetscFunctionBeginUser;
  char *all;
  const std::string prefix = "-" + configuration.Prefix();
  options->clear();
  PetscCall(PetscOptionsGetAll(nullptr, &all));
  bool mine = false;
  for (const std::string &word : SplitList(all, ' ')) {
    // A key is a dash and a letter; anything else is a value.
    const bool key = word.size() > 1 && word[0] == '-' && std::isalpha(static_cast<unsigned char>(word[1]));
    if (key) mine = configuration.Owns(word.substr(1));
    if (mine) *options += (options->empty() ? "" : " ") + (key ? "-" + word.substr(prefix.size()) : word);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode MarkOptionsUsed(const Configuration &configuration) {
  PetscFunctionBeginUser;
  PetscInt count;
  char **names, **values;
  std::vector<std::string> mine;
  PetscCall(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  for (PetscInt i = 0; i < count; ++i)
    if (configuration.Owns(names[i])) mine.push_back(std::string("-") + names[i]);
  PetscCall(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  for (const std::string &key : mine) PetscCall(PetscOptionsHasName(nullptr, nullptr, key.c_str(), nullptr));
  PetscFunctionReturn(0);
}

} // namespace krylearn
