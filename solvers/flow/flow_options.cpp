#include "solvers/flow/flow_options.h"
#include "meshes/options.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace krylearn {
namespace {
using Kind = Boundary::Kind;

const std::vector<std::pair<std::string, Kind>> kKinds = {{"wall", Kind::kNoSlip},
                                                          {"slip", Kind::kSlip},
                                                          {"inflow", Kind::kInflow},
                                                          {"outflow", Kind::kOutflow},
                                                          {"periodic", Kind::kPeriodic}};

/// "meaning (default 1,2,3)" for options that hold several numbers.
template <class Number> std::string WithDefault(const char *meaning, const std::vector<Number> &values) {
  std::ostringstream text;
  text << meaning << " (default ";
  for (std::size_t n = 0; n < values.size(); ++n) text << (n ? "," : "") << values[n];
  text << ")";
  return text.str();
}

PetscErrorCode ReadGrid(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Grid");
  PetscInt cells[3] = {config->grid.cells[0], config->grid.cells[1], config->grid.cells[2]}, count = 3;
  std::string meaning = WithDefault<PetscInt>("cells along x, y and, in 3D, z", {cells, cells + 3});
  PetscCall(options.Ints("grid", meaning.c_str(), cells, &count));
  PetscCheck(count != 1, comm, PETSC_ERR_USER_INPUT, "-grid needs two numbers (2D) or three (3D), such as -grid 64,64");
  if (count) config->grid.cells = {cells[0], cells[1], count == 3 ? cells[2] : 1};
  const int dim = config->grid.cells[2] == 1 ? 2 : 3;

  double box[6] = {};
  PetscInt numbers = 6;
  for (int d = 0; d < dim; ++d) box[d] = config->grid.lower[d], box[dim + d] = config->grid.upper[d];
  meaning = WithDefault<double>("box: lower corner, then upper corner; 2D: 4 numbers, 3D: 6", {box, box + 2 * dim});
  PetscCall(options.Reals("domain", meaning.c_str(), "length", box, &numbers));
  PetscCheck(numbers == 0 || numbers == 2 * dim, comm, PETSC_ERR_USER_INPUT,
             "-domain needs %d numbers for a %dD grid: lower corner, then upper corner", 2 * dim, dim);
  if (numbers)
    for (int d = 0; d < dim; ++d) config->grid.lower[d] = box[d], config->grid.upper[d] = box[dim + d];

  double ratio[3] = {1, 1, 1};
  PetscInt ratios = 3;
  PetscCall(options.Reals("stretch",
                          "widest over narrowest cell along each axis, clustered at both ends (default 1,1,1)", "1",
                          ratio, &ratios));
  for (int d = 0; d < ratios; ++d) {
    PetscCheck(ratio[d] >= 1 && ratio[d] <= 1000, comm, PETSC_ERR_USER_INPUT, "-stretch %g must lie between 1 and 1000",
               ratio[d]);
    if (ratio[d] > 1)
      config->grid.faces[d] =
          StretchedFaces(config->grid.cells[d], config->grid.lower[d], config->grid.upper[d], ratio[d]);
  }
  PetscCall(options.String("obstacle", "shapes, as in \"sphere:x,y,z,r; cylinder:x,y,r[,axis]; box:x0,y0,z0,x1,y1,z1\"",
                           &config->obstacle_text));
  PetscCall(ParseObstacles(comm, dim, config->obstacle_text, &config->obstacles));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadFluid(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Fluid");
  bool has_viscosity = false, has_reynolds = false;
  PetscCall(options.Real("reference_length", "length in Re, force coefficients and Strouhal number", "length",
                         &config->length));
  PetscCall(options.Real("reference_velocity", "velocity in the same and in the scaled divergence", "length/time",
                         &config->velocity));
  PetscCall(options.Real("viscosity", "kinematic viscosity", "length^2/time", &config->viscosity, &has_viscosity));
  double reynolds = config->viscosity > 0 ? config->velocity * config->length / config->viscosity : 0;
  PetscCall(options.Real("reynolds", "Reynolds number; sets the viscosity", "1", &reynolds, &has_reynolds));
  PetscCheck(!has_viscosity || !has_reynolds, comm, PETSC_ERR_USER_INPUT,
             "Give either -viscosity or -reynolds, not both");
  PetscCheck(!has_reynolds || reynolds > 0, comm, PETSC_ERR_USER_INPUT, "-reynolds %g must be positive", reynolds);
  if (has_reynolds) config->viscosity = config->velocity * config->length / reynolds;
  PetscCall(options.String("pressure_pmat_type",
                           "matrix type for the pressure preconditioner (hyprestruct: pfmg, smg); empty: the system's own",
                           &config->pressure_pmat_type));
  double force[3] = {config->body_force[0], config->body_force[1], config->body_force[2]};
  PetscInt count = 3;
  const std::string meaning = WithDefault<double>("constant acceleration", {force, force + 3});
  PetscCall(options.Reals("body_force", meaning.c_str(), "length/time^2", force, &count));
  if (count) config->body_force = {force[0], count > 1 ? force[1] : 0, count > 2 ? force[2] : 0};
  std::string advection = config->advection == Advection::kUpwind ? "upwind" : "central";
  PetscCall(options.Choice("advection", "central conserves kinetic energy, upwind is bounded (van Leer)",
                           {"central", "upwind"}, &advection));
  config->advection = advection == "upwind" ? Advection::kUpwind : Advection::kCentral;
  std::string viscous = config->crank_nicolson ? "crank_nicolson" : "explicit";
  PetscCall(options.Choice("viscous", "time integration of viscosity and diffusion", {"explicit", "crank_nicolson"},
                           &viscous));
  config->crank_nicolson = viscous == "crank_nicolson";
  for (ScalarConfig &scalar : config->scalars) {
    PetscCall(options.Real((scalar.name + "_diffusivity").c_str(), "diffusivity of this scalar", "length^2/time",
                           &scalar.diffusivity));
    PetscCall(options.Real((scalar.name + "_buoyancy").c_str(), "upward acceleration per unit of this scalar",
                           "length/time^2", &scalar.buoyancy));
    PetscCheck(scalar.diffusivity >= 0, comm, PETSC_ERR_USER_INPUT, "-%s_diffusivity %g is negative",
               scalar.name.c_str(), scalar.diffusivity);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ReadBoundaries(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  AddOptionFamily("boundary_");
  OptionReader options(comm, "Boundaries (xlo, xhi, ylo, yhi, zlo, zhi)");
  // The list of all options, without a case, shows all sides.
  const int dim = config->grid.cells[2] == 1 && !config->case_name.empty() ? 2 : 3;
  std::vector<std::string> names;
  for (const auto &kind : kKinds) names.push_back(kind.first);
  for (int d = 0; d < dim; ++d) {
    for (int side = 0; side < 2; ++side) {
      Boundary &b = config->boundaries[d][side];
      const std::string key = std::string("boundary_") + "xyz"[d] + (side ? "hi" : "lo");
      std::string kind = BoundaryName(b.kind);
      PetscCall(options.Choice(key.c_str(), "what holds on this side", names, &kind));
      for (const auto &k : kKinds)
        if (k.first == kind) b.kind = k.second;
      double velocity[3] = {b.velocity[0], b.velocity[1], b.velocity[2]};
      PetscInt count = 3;
      const std::string meaning =
          WithDefault<double>("of a moving wall or an inflow (peak of a profile)", {velocity, velocity + 3});
      PetscCall(options.Reals((key + "_velocity").c_str(), meaning.c_str(), "length/time", velocity, &count));
      if (count) b.velocity = {velocity[0], count > 1 ? velocity[1] : 0, count > 2 ? velocity[2] : 0};
      std::string profile = b.profile == Boundary::Profile::kParabolic ? "parabolic" : "uniform";
      PetscCall(options.Choice((key + "_profile").c_str(), "shape of an inflow", {"uniform", "parabolic"}, &profile));
      b.profile = profile == "parabolic" ? Boundary::Profile::kParabolic : Boundary::Profile::kUniform;
      PetscCall(options.Real((key + "_period").c_str(), "an inflow is multiplied by sin(2 pi t/period); 0: steady",
                             "time", &b.period));
      PetscCheck(b.period >= 0, comm, PETSC_ERR_USER_INPUT, "-%s_period %g must not be negative; 0 means steady",
                 key.c_str(), b.period);
      PetscCheck(b.kind != Kind::kInflow || b.velocity[0] != 0 || b.velocity[1] != 0 || b.velocity[2] != 0, comm,
                 PETSC_ERR_USER_INPUT, "-%s inflow brings nothing in: its velocity is zero; add -%s_velocity u,v,w",
                 key.c_str(), key.c_str());
    }
    const bool periodic = config->boundaries[d][0].kind == Kind::kPeriodic;
    config->grid.periodic[d] = periodic || config->boundaries[d][1].kind == Kind::kPeriodic;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ReadTime(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Time");
  PetscCall(options.Real("end_time", "when to stop", "time", &config->end_time));
  PetscCall(options.Int("max_steps", "stop after this many steps in all", &config->max_steps));
  PetscCall(options.Real("steady_tol", "stop when no velocity changes by this share of U within L/U; 0: never", "1",
                         &config->steady_tolerance));
  PetscCall(options.Real("cfl", "Courant number, sum over axes of |u| dt/h", "1", &config->cfl));
  PetscCall(options.Real("dt", "fixed time step; 0: from the Courant number", "time", &config->fixed_dt));
  PetscCall(options.Real("dt_max", "largest time step; 0: no limit", "time", &config->dt_max));
  PetscCall(options.Real("dt_growth", "largest growth from step to step", "1", &config->dt_growth));
  PetscCheck(config->cfl > 0 && config->dt_growth > 1 && config->fixed_dt >= 0 && config->dt_max >= 0, comm,
             PETSC_ERR_USER_INPUT, "-cfl must be positive, -dt_growth above 1, -dt and -dt_max not negative");
  PetscCheck(config->steady_tolerance >= 0, comm, PETSC_ERR_USER_INPUT,
             "-steady_tol %g must not be negative; 0 turns it off", config->steady_tolerance);
  PetscCheck(config->end_time >= 0 && config->max_steps >= 0, comm, PETSC_ERR_USER_INPUT,
             "-end_time and -max_steps must not be negative");
  PetscFunctionReturn(0);
}

/// Adds the user's points to the case's own, whose columns its report looks for.
PetscErrorCode ReadProbes(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Time");
  std::string text;
  PetscCall(options.String("probes",
                           "points \"x,y[,z]; ...\" whose velocity and pressure go into the history, after those of "
                           "the case",
                           &text));
  const int dim = config->grid.cells[2] == 1 ? 2 : 3;
  std::stringstream points(text);
  for (std::string point; std::getline(points, point, ';');) {
    if (point.find_first_not_of(" \t") == std::string::npos) continue; // a trailing semicolon is no mistake
    Real3 x{0.5, 0.5, 0.5};
    if (dim == 3) x[2] = 0.5 * (config->grid.lower[2] + config->grid.upper[2]);
    int n = 0;
    char *end = &point[0];
    bool good = true;
    while (good && n < 3) {
      char *next;
      x[n] = std::strtod(end, &next);
      good = next != end;
      n += good;
      end = next;
      while (*end == ' ') ++end;
      if (*end != ',') break;
      ++end;
    }
    PetscCheck(good && *end == 0 && n >= 2, comm, PETSC_ERR_USER_INPUT,
               "-probes: \"%s\" is no point; write x,y or x,y,z and separate points by ';'", point.c_str());
    for (int d = 0; d < dim; ++d)
      PetscCheck(x[d] >= config->grid.lower[d] && x[d] <= config->grid.upper[d], comm, PETSC_ERR_USER_INPUT,
                 "-probes: \"%s\" lies outside the domain, which reaches from %g to %g along %c", point.c_str(),
                 config->grid.lower[d], config->grid.upper[d], "xyz"[d]);
    config->probes.push_back(x);
  }
  PetscFunctionReturn(0);
}

/// Options of the linear solvers are PETSc's; -help names their prefixes.
PetscErrorCode ExplainSolvers(MPI_Comm comm) {
  PetscFunctionBeginUser;
  PetscBool help;
  PetscCall(PetscOptionsHasHelp(nullptr, &help));
  if (!help) PetscFunctionReturn(0);
  PetscCall(PetscPrintf(
      comm, "\nSolvers (any KSP and PC option of PETSc with a prefix; all of them: -help petsc)\n"
            "  -pressure_ksp_rtol <real>          divergence left behind, scaled by h/U; no cell exceeds ten times it "
            "h/U (default 1e-6)\n"
            "  -pressure_...                      pressure projection: CG with nmg (BoomerAMG where that is slow) "
            "unless -pressure_pc_type says otherwise\n"
            "  -velocity_...                      viscosity under -viscous crank_nicolson\n"
            "  -scalar_...                        diffusion of scalars under -viscous crank_nicolson\n"));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode WantedDimension(int fallback, int *dim) {
  PetscFunctionBeginUser;
  // Mistakes in the text are met by ReadFlowOptions().
  char text[128] = "";
  PetscBool given;
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-grid", text, sizeof text, &given));
  *dim = fallback;
  if (!given) PetscFunctionReturn(0);
  const char *first = std::strchr(text, ','), *second = first ? std::strchr(first + 1, ',') : nullptr;
  *dim = second && std::atol(second + 1) != 1 ? 3 : 2;
  PetscFunctionReturn(0);
}

const char *BoundaryName(Kind kind) {
  for (const auto &k : kKinds)
    if (k.second == kind) return k.first.c_str();
  return "";
}

PetscErrorCode ReadFlowOptions(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  PetscCall(ReadGrid(comm, config));
  PetscCall(ReadFluid(comm, config));
  PetscCall(ReadBoundaries(comm, config));
  PetscCall(ReadTime(comm, config));
  PetscCall(ReadProbes(comm, config));
  PetscCall(ExplainSolvers(comm));
  PetscFunctionReturn(0);
}

} // namespace krylearn
