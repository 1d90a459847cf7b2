#include "solvers/dataset/training.h"
#include "solvers/dataset/reader.h"
#include "solvers/training_geometry.h"
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace krylearn {
namespace {

using Numbers = std::vector<std::size_t>;

std::string SizeText(const nets::Index &n) {
  return std::to_string(n[0]) + " x " + std::to_string(n[1]) + (n[2] > 1 ? " x " + std::to_string(n[2]) : "");
}

/// The samples of a family and grid that can be trained on.
Numbers Find(const DataSet &set, const std::string &family, const nets::Index &n) {
  Numbers found;
  for (std::size_t i = 0; i < set.Samples().size(); ++i) {
    const DataSet::Entry &entry = set.Samples()[i];
    if (entry.family == family && set.Groups()[entry.group].n == n && !entry.singular) found.push_back(i);
  }
  return found;
}

/// The value behind `key` in a data set's options.
std::string OptionOf(const DataSet &set, const std::string &key) {
  for (const std::string &option : SplitList(set.Options(), ';'))
    if (option.compare(0, key.size() + 1, key + " ") == 0) return option.substr(key.size() + 1);
  return "";
}

/// The number of a sample in the data set.
std::size_t Locate(const DataSet &set, const nets::GeometryRequest &request) {
  const Numbers all = Find(set, request.family, request.n);
  if (request.number >= long(all.size()))
    throw std::invalid_argument("data set '" + set.Path() + "' has " + std::to_string(all.size()) +
                                " geometries, singular ones aside, of " + request.family + " " + SizeText(request.n) +
                                ", but more than " + std::to_string(request.number) + " are asked for; lower -" +
                                (request.seed < nets::kFirstTrainingSeed ? "validation" : "pool") +
                                "_geometries or make a larger one");
  return all[std::size_t(request.number)];
}

nets::Geometry TakeGeometry(const DataSet &set, const nets::GeometryRequest &request) {
  nets::Geometry geometry;
  if (set.ReadGeometry(Locate(set, request), &geometry))
    throw nets::FileError("data set '" + set.Path() + "' could not be read");
  return geometry;
}

nets::Modes TakeModes(const DataSet &set, const nets::GeometryRequest &request) {
  DataSample sample;
  if (set.Read(Locate(set, request), &sample)) throw nets::FileError("data set '" + set.Path() + "' could not be read");
  if (sample.mode_values.empty())
    throw std::invalid_argument("data set '" + set.Path() + "' has no eigenvectors on grid " + SizeText(request.n) +
                                "; make it with -ritz 100, and with -small_cells for grids this large");
  return {sample.mode_values, sample.modes};
}

PetscErrorCode OpenSplit(MPI_Comm comm, const char *key, const char *split, const std::string &path,
                         std::shared_ptr<DataSet> *set) {
  PetscFunctionBeginUser;
  std::unique_ptr<DataSet> opened;
  PetscCall(DataSet::Open(comm, path, &opened));
  PetscCheck(opened->Split() == split, comm, PETSC_ERR_USER_INPUT, "-%s: '%s' holds %s geometries, expected %s ones",
             key, path.c_str(), opened->Split().c_str(), split);
  *set = std::move(opened);
  PetscFunctionReturn(0);
}

template <class T> void AddNew(const T &value, std::vector<T> *list) {
  if (std::find(list->begin(), list->end(), value) == list->end()) list->push_back(value);
}

} // namespace

PetscErrorCode GeometriesOfData(MPI_Comm comm, const std::string &training, const std::string &validation,
                                nets::TrainingSpec *spec, nets::GeometrySource *source) {
  PetscFunctionBeginUser;
  std::shared_ptr<DataSet> set, held_out;
  PetscCall(OpenSplit(comm, "data", "training", training, &set));
  if (!validation.empty()) PetscCall(OpenSplit(comm, "validation_data", "validation", validation, &held_out));
  const bool all_families = spec->families.empty(), all_grids = spec->grids.empty();
  for (const DataSet::Entry &entry : set->Samples()) {
    if (all_families) AddNew(entry.family, &spec->families);
    if (all_grids) AddNew(set->Groups()[entry.group].n, &spec->grids);
  }
  for (const std::string &family : spec->families)
    for (const nets::Index &n : spec->grids) {
      PetscCheck(!Find(*set, family, n).empty(), comm, PETSC_ERR_USER_INPUT,
                 "-data: '%s' has no geometry, singular ones aside, of problem %s on grid %s; choose with -problem and "
                 "-grid",
                 training.c_str(), family.c_str(), SizeText(n).c_str());
      PetscCheck(held_out || family != "pressure", comm, PETSC_ERR_USER_INPUT,
                 "-data: held-out geometries of captured systems cannot be made on the fly; give -validation_data");
    }
  spec->data = "data set " + set->Identity();
  if (held_out) spec->data += ", held-out geometries of data set " + held_out->Identity();
  ProblemSpec parameters;
  parameters.mixed_boundaries = OptionOf(*set, "boundaries") == "mixed";
  parameters.contrast = std::atof(OptionOf(*set, "contrast").c_str());
  parameters.wall_alpha = std::atof(OptionOf(*set, "wall_alpha").c_str());
  const nets::GeometrySource made = TrainingGeometries(parameters);
  *source = [set, held_out, made](const nets::GeometryRequest &request) {
    if (request.seed >= nets::kFirstTrainingSeed) return TakeGeometry(*set, request);
    return held_out ? TakeGeometry(*held_out, request) : made(request);
  };
  spec->modes = [set](const nets::GeometryRequest &request) { return TakeModes(*set, request); };
  PetscFunctionReturn(0);
}

} // namespace krylearn
