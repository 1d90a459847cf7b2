/// \file
/// Everything that describes one flow problem: what a case fills in and the command line may override.
#pragma once
#include "meshes/grid.h"
#include "meshes/obstacles.h"
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace krylearn {

/// What holds on one side of the box. Velocities in the unit of the problem.
struct Boundary {
  enum class Kind { kNoSlip, kSlip, kInflow, kOutflow, kPeriodic };
  enum class Profile { kUniform, kParabolic };
  Kind kind = Kind::kNoSlip;
  /// Wall velocity (tangential part only) or inflow velocity; the peak value of a parabolic profile.
  Real3 velocity{};
  Profile profile = Profile::kUniform;
  /// Inflow is multiplied by sin(2π t / period) where this is positive.
  double period = 0;
};
using Boundaries = std::array<std::array<Boundary, 2>, 3>;

/// One transported scalar: temperature, smoke.
struct ScalarConfig {
  std::string name;
  double diffusivity = 0;
  /// Upward acceleration per unit of the scalar, along -gravity: g β for a temperature, negative for heavy smoke.
  double buoyancy = 0;
  std::function<double(const Real3 &)> initial;
  /// Cells where this returns a finite value are held at it (a source); NaN elsewhere.
  std::function<double(const Real3 &)> source;
  /// Per side: value at the boundary, NaN for no flux. Inflow sides without a value bring 0.
  std::array<std::array<double, 2>, 3> boundary_value = NoFlux();

private:
  static std::array<std::array<double, 2>, 3> NoFlux() {
    std::array<std::array<double, 2>, 3> none;
    for (auto &axis : none) axis.fill(std::numeric_limits<double>::quiet_NaN());
    return none;
  }
};

enum class Advection { kCentral, kUpwind };

struct FlowConfig {
  std::string case_name, description;
  GridSpec grid;
  Boundaries boundaries{};
  std::string obstacle_text;
  Obstacles obstacles;
  double viscosity = 1e-2;
  /// Reference length and velocity: define the Reynolds number, force coefficients and scaled divergence.
  double length = 1, velocity = 1;
  Real3 body_force{};
  /// Direction in which gravity pulls (unit vector); only buoyancy uses it.
  Real3 gravity{0, -1, 0};
  std::function<double(int axis, const Real3 &x)> initial_velocity;
  std::vector<ScalarConfig> scalars;

  Advection advection = Advection::kCentral;
  bool crank_nicolson = false;
  double cfl = 1, fixed_dt = 0, dt_max = 0, dt_growth = 1.2;
  double end_time = 1, steady_tolerance = 0;
  PetscInt max_steps = PETSC_MAX_INT;
  /// Matrix type the pressure preconditioner is built from; empty: the system's own.
  std::string pressure_pmat_type;
  std::vector<Real3> probes;
};

} // namespace krylearn
