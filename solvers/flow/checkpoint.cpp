// Checkpoints: everything that the next step depends on, as doubles, in one HDF5 file that is replaced atomically.
#include "meshes/log.h"
#include "solvers/flow/flow_options.h"
#include "solvers/flow/simulation.h"
#include "solvers/solver_errors.h"
#include "solvers/solver_state.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace {
constexpr const char *kFormat = "krylearn flow checkpoint";
constexpr double kVersion = 3;
const char *const kVelocityNames[3] = {"u", "v", "w"};
constexpr Centring kFaces[3] = {Centring::kFaceX, Centring::kFaceY, Centring::kFaceZ};
const char *const kAxes[3] = {"x", "y", "z"};

std::vector<double> FacesOf(const Grid &grid, int axis) {
  std::vector<double> faces(grid.Cells().n[axis] + 1);
  for (std::size_t i = 0; i < faces.size(); ++i) faces[i] = grid.Face(axis, PetscInt(i));
  return faces;
}

/// The sides of the box in words, "xlo wall, xhi outflow, …".
std::string SidesOf(const FlowConfig &config, int dim) {
  std::string text;
  for (int d = 0; d < dim; ++d)
    for (int side = 0; side < 2; ++side)
      text += std::string(text.empty() ? "" : ", ") + kAxes[d] + (side ? "hi " : "lo ") +
              BoundaryName(config.boundaries[d][side].kind);
  return text;
}

std::string ObstaclesOf(const FlowConfig &config) { return config.obstacles.Empty() ? "none" : config.obstacle_text; }

/// Refuses a checkpoint of another box or other cells.
PetscErrorCode CheckGrid(Hdf5File &file, const Grid &grid, const char *path) {
  PetscFunctionBeginUser;
  PetscCheck(file.Has("z") == (grid.Dim() == 3), grid.Comm(), PETSC_ERR_USER_INPUT,
             "%s holds a %dD flow; restart on the same grid", path, file.Has("z") ? 3 : 2);
  for (int a = 0; a < grid.Dim(); ++a) {
    std::vector<double> stored;
    PetscCall(file.ReadArray(kAxes[a], &stored));
    const std::vector<double> faces = FacesOf(grid, a);
    PetscCheck(stored.size() == faces.size(), grid.Comm(), PETSC_ERR_USER_INPUT,
               "%s has %zu cells along %s, this run %zu; restart with the same -grid", path,
               stored.empty() ? 0 : stored.size() - 1, kAxes[a], faces.size() - 1);
    const double slack = 1e-12 * std::max(std::abs(faces.front()), std::abs(faces.back()));
    PetscCheck(std::abs(stored.front() - faces.front()) <= slack && std::abs(stored.back() - faces.back()) <= slack,
               grid.Comm(), PETSC_ERR_USER_INPUT,
               "%s reaches from %g to %g along %s, this run from %g to %g; restart with the same -domain", path,
               stored.front(), stored.back(), kAxes[a], faces.front(), faces.back());
    for (std::size_t i = 0; i < faces.size(); ++i)
      PetscCheck(std::abs(stored[i] - faces[i]) <= slack, grid.Comm(), PETSC_ERR_USER_INPUT,
                 "%s has other cell widths along %s than this run; restart with the same -stretch", path, kAxes[a]);
  }
  PetscFunctionReturn(0);
}

/// Says so where obstacles or sides have changed: allowed, but seldom meant.
PetscErrorCode CompareText(MPI_Comm comm, Hdf5File &file, const char *path, const char *what, const std::string &now) {
  PetscFunctionBeginUser;
  std::string then;
  PetscCall(file.ReadAttribute(what, &then));
  if (then != now)
    PetscCall(
        PetscPrintf(comm, "notice: %s were \"%s\" in %s and are now \"%s\"\n", what, then.c_str(), path, now.c_str()));
  PetscFunctionReturn(0);
}

/// Forgets what -pressure_ksp_guess_type has learnt from earlier solves: the file does not hold it, and the run that
/// goes on must do as the one that restarts.
PetscErrorCode ForgetGuesses(KSP ksp) {
  PetscFunctionBeginUser;
  const char *prefix;
  PetscBool used;
  PetscCall(KSPGetOptionsPrefix(ksp, &prefix));
  PetscCall(PetscOptionsHasName(nullptr, prefix, "-ksp_guess_type", &used));
  if (!used) PetscFunctionReturn(0); // asking for the guess would create one
  // PETSc offers no way to reset a guess, so a fresh one takes its place.
  KSPGuess old, fresh;
  KSPGuessType type;
  PetscCall(KSPGetGuess(ksp, &old));
  PetscCall(KSPGuessGetType(old, &type));
  PetscCall(KSPGuessCreate(PetscObjectComm((PetscObject)ksp), &fresh));
  PetscCall(PetscObjectSetOptionsPrefix((PetscObject)fresh, prefix));
  PetscCall(KSPGuessSetType(fresh, type));
  PetscCall(KSPSetGuess(ksp, fresh));
  PetscCall(KSPGuessSetFromOptions(fresh));
  PetscCall(KSPGuessDestroy(&fresh)); // the solver keeps it
  PetscFunctionReturn(0);
}

/// What the solvers have learnt, so that tuners go on where they were.
PetscErrorCode WriteLearnt(Hdf5File &file, const FlowSolver &flow) {
  PetscFunctionBeginUser;
  for (const auto &solver : flow.Solvers()) {
    std::string learnt;
    PetscCall(GetLearnt(solver.second, &learnt));
    PetscCall(file.WriteAttribute("learnt_" + solver.first, learnt));
  }
  PetscFunctionReturn(0);
}

/// Solvers that learn, and have other arms or settings now, start afresh: allowed, but said.
PetscErrorCode ReadLearnt(MPI_Comm comm, Hdf5File &file, const char *path, const FlowSolver &flow) {
  PetscFunctionBeginUser;
  for (const auto &solver : flow.Solvers()) {
    std::string learnt;
    PetscCall(file.ReadAttribute("learnt_" + solver.first, &learnt));
    if (learnt.empty()) continue;
    QuietErrors errors;
    if (SetLearnt(solver.second, learnt) == 0) continue;
    PetscCall(PetscPrintf(comm, "notice: the %s solver starts without what %s holds of it: %s\n",
                          solver.first.c_str(), path, Shortened(errors.message, PETSC_ERR_USER_INPUT).c_str()));
  }
  PetscFunctionReturn(0);
}
} // namespace

PetscErrorCode Simulation::WriteCheckpoint() {
  PetscFunctionBeginUser;
  if (options_.output.empty()) PetscFunctionReturn(0);
  PetscCall(PetscLogEventBegin(Log().checkpoint, 0, 0, 0, 0));
  PetscCall(history_.Flush());
  const Grid &grid = *flow_.GetGrid();
  Hdf5File file;
  PetscCall(file.Create(grid, options_.output + "/checkpoint.h5"));
  PetscCall(file.WriteAttribute("format", kFormat));
  PetscCall(file.WriteAttribute("version", kVersion));
  PetscCall(file.WriteAttribute("case", flow_.Config().case_name));
  PetscCall(file.WriteAttribute("time", flow_.Time()));
  PetscCall(file.WriteAttribute("step", double(flow_.StepNumber())));
  PetscCall(file.WriteAttribute("dt", natural_dt_));
  PetscCall(file.WriteAttribute("tightening", flow_.GetProjection().Tightening()));
  PetscCall(file.WriteAttribute("structured", double(flow_.GetProjection().Structured())));
  PetscCall(file.WriteAttribute("averaged", averaged_));
  PetscCall(file.WriteAttribute("steady_time", steady_time_));
  PetscCall(file.WriteAttribute("obstacles", ObstaclesOf(flow_.Config())));
  PetscCall(file.WriteAttribute("sides", SidesOf(flow_.Config(), grid.Dim())));
  for (int a = 0; a < grid.Dim(); ++a) PetscCall(file.WriteArray(kAxes[a], FacesOf(grid, a)));
  for (int a = 0; a < grid.Dim(); ++a) PetscCall(file.WriteField(kVelocityNames[a], kFaces[a], flow_.Velocity()[a]));
  PetscCall(file.WriteField("p", Centring::kCell, flow_.Pressure()));
  for (std::size_t n = 0; n < flow_.Scalars(); ++n)
    PetscCall(file.WriteField("scalar_" + flow_.Transport(n).Config().name, Centring::kCell, flow_.Scalar(n)));
  if (averaged_ > 0) {
    for (int a = 0; a < grid.Dim(); ++a)
      PetscCall(file.WriteField(std::string("mean_") + kVelocityNames[a], kFaces[a], mean_velocity_[a]));
    PetscCall(file.WriteField("mean_p", Centring::kCell, mean_pressure_));
  }
  if (steady_time_ >= 0)
    for (int a = 0; a < grid.Dim(); ++a)
      PetscCall(file.WriteField(std::string("steady_") + kVelocityNames[a], kFaces[a], steady_velocity_[a]));
  PetscCall(WriteLearnt(file, flow_));
  PetscCall(file.Commit());
  PetscCall(ForgetGuesses(flow_.GetProjection().Solver()));
  last_checkpoint_ = MPI_Wtime();
  PetscCall(PetscLogEventEnd(Log().checkpoint, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Simulation::ReadCheckpoint() {
  PetscFunctionBeginUser;
  const Grid &grid = *flow_.GetGrid();
  const char *path = options_.restart.c_str();
  Hdf5File file;
  PetscCall(file.Open(grid, options_.restart));
  std::string format, name;
  double version, time, step, tightening, structured;
  PetscCall(file.ReadAttribute("format", &format));
  PetscCheck(format == kFormat, comm_, PETSC_ERR_USER_INPUT, "%s is no flow checkpoint (format \"%s\")", path,
             format.c_str());
  PetscCall(file.ReadAttribute("version", &version));
  PetscCheck(version == kVersion, comm_, PETSC_ERR_USER_INPUT,
             "%s has checkpoint version %g, this program reads version %g", path, version, kVersion);
  PetscCall(file.ReadAttribute("case", &name));
  PetscCheck(name == flow_.Config().case_name, comm_, PETSC_ERR_USER_INPUT,
             "%s was written by case \"%s\"; restart with -case %s", path, name.c_str(), name.c_str());
  PetscCall(CheckGrid(file, grid, path));
  PetscCall(CompareText(comm_, file, path, "obstacles", ObstaclesOf(flow_.Config())));
  PetscCall(CompareText(comm_, file, path, "sides", SidesOf(flow_.Config(), grid.Dim())));
  for (std::size_t n = 0; n < flow_.Scalars(); ++n) {
    const std::string scalar = "scalar_" + flow_.Transport(n).Config().name;
    PetscCheck(file.Has(scalar), comm_, PETSC_ERR_USER_INPUT, "%s has no field %s; it belongs to another case", path,
               scalar.c_str());
  }
  PetscCall(file.ReadAttribute("time", &time));
  PetscCall(file.ReadAttribute("step", &step));
  PetscCall(file.ReadAttribute("dt", &natural_dt_));
  PetscCall(file.ReadAttribute("tightening", &tightening));
  PetscCall(file.ReadAttribute("structured", &structured));
  PetscCall(file.ReadAttribute("averaged", &averaged_));
  PetscCall(file.ReadAttribute("steady_time", &steady_time_));
  for (int a = 0; a < grid.Dim(); ++a) PetscCall(file.ReadField(kVelocityNames[a], kFaces[a], &flow_.Velocity()[a]));
  PetscCall(file.ReadField("p", Centring::kCell, &flow_.Pressure()));
  for (std::size_t n = 0; n < flow_.Scalars(); ++n)
    PetscCall(file.ReadField("scalar_" + flow_.Transport(n).Config().name, Centring::kCell, &flow_.Scalar(n)));
  if (options_.average_from < 0) averaged_ = 0;
  if (averaged_ > 0) {
    for (int a = 0; a < grid.Dim(); ++a)
      PetscCall(file.ReadField(std::string("mean_") + kVelocityNames[a], kFaces[a], &mean_velocity_[a]));
    PetscCall(file.ReadField("mean_p", Centring::kCell, &mean_pressure_));
  }
  if (steady_time_ >= 0) {
    steady_velocity_ = grid.NewFaces();
    for (int a = 0; a < grid.Dim(); ++a)
      PetscCall(file.ReadField(std::string("steady_") + kVelocityNames[a], kFaces[a], &steady_velocity_[a]));
  }
  PetscCall(ReadLearnt(comm_, file, path, flow_));
  PetscCall(file.Close());
  flow_.SetTime(time, PetscInt(step));
  flow_.GetProjection().SetTightening(tightening);
  if (structured == 0 && flow_.GetProjection().Structured()) PetscCall(flow_.GetProjection().UseAlgebraicMultigrid());
  PetscCall(flow_.Refresh());
  PetscCall(ForgetGuesses(flow_.GetProjection().Solver()));
  PetscFunctionReturn(0);
}

} // namespace krylearn
