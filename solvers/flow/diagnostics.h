/// \file
/// Numbers that describe a flow: energies, probes, oscillation frequencies, errors against exact solutions.
#pragma once
#include "solvers/flow/solver.h"

namespace krylearn {

/// Integrals over the fluid, per unit volume of fluid (so that a Taylor–Green vortex of unit amplitude starts at 1/8).
struct FlowIntegrals {
  double kinetic_energy = 0; ///< mean of |u|²/2
  double enstrophy = 0;      ///< mean of |∇×u|²/2
  double largest_speed = 0;  ///< NaN where the energy is not finite
};

/// Collective.
PetscErrorCode ComputeIntegrals(const FlowSolver &flow, FlowIntegrals *integrals);

/// Values at a point from a linear least-squares fit to the fluid cells around it (so that points on an obstacle's
/// surface see the fluid side only): velocity components, then pressure. NaN in the middle of a solid. Collective.
PetscErrorCode Probe(const FlowSolver &flow, const Real3 &point, std::array<double, 4> *values);

/// Frequency of an oscillating signal: upward crossings of its mean over the second half of the record, linearly
/// interpolated. 0 where fewer than three crossings are found, or where the signal varies by less than 5 % of its size.
double OscillationFrequency(const std::vector<double> &time, const std::vector<double> &signal);

/// Value of component `axis` (3: pressure) at x and t.
using ExactFlow = std::function<double(int axis, const Real3 &x, double t)>;
/// Volume-weighted L2 norms of the difference to `exact` at the current time: velocity (all components) and pressure
/// (up to a constant where the pressure has one). Collective.
PetscErrorCode ExactErrors(const FlowSolver &flow, const ExactFlow &exact, double *velocity, double *pressure);

/// Cell-centred copies for output: velocity components averaged from faces.
void CentreVelocity(const FlowSolver &flow, const FaceFields &faces, std::array<Field, 3> *centred);
/// Cell-centred vorticity from the centred velocity (halos of `centred` are exchanged): the z component in 2D, the
/// magnitude in 3D. Collective.
PetscErrorCode Vorticity(const FlowSolver &flow, std::array<Field, 3> *centred, Field *vorticity);

} // namespace krylearn
