// Checkpoints: everything that the next step depends on, as doubles, in one HDF5 file that is replaced atomically.
#include "meshes/log.h"
#include "solvers/flow/simulation.h"

namespace krylearn {
namespace {
constexpr const char *kFormat = "krylearn flow checkpoint";
constexpr double kVersion = 1;
const char *const kVelocityNames[3] = {"u", "v", "w"};
constexpr Centring kFaces[3] = {Centring::kFaceX, Centring::kFaceY, Centring::kFaceZ};
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
  PetscCall(file.Commit());
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
  PetscCall(file.Close());
  flow_.SetTime(time, PetscInt(step));
  flow_.GetProjection().SetTightening(tightening);
  if (structured == 0 && flow_.GetProjection().Structured()) PetscCall(flow_.GetProjection().UseAlgebraicMultigrid());
  PetscCall(flow_.Refresh());
  PetscFunctionReturn(0);
}

} // namespace krylearn
