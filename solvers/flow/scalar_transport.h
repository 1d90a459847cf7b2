/// \file
/// Advection and diffusion of one scalar through the fluid around obstacles.
#pragma once
#include "solvers/flow/implicit_diffusion.h"

namespace krylearn {

/// Transports a cell-centred scalar in conservative form with limited upwind fluxes (TVD, van Leer): bounded for
/// Courant numbers up to 1/2, second order where smooth. Fluxes pass through face apertures; a cut cell has the
/// capacity max(volume fraction, largest aperture), so that slivers do not limit the time step. Walls and obstacles let
/// nothing through unless a boundary value is given.
class ScalarTransport {
public:
  PetscErrorCode SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                       const ScalarConfig &config, const CutCells &cut, bool crank_nicolson);

  const ScalarConfig &Config() const { return config_; }
  /// Sets the initial values on owned cells, 0 in solids.
  void Initialise(Field *c) const;
  /// One Runge–Kutta stage with the velocity at its start (halos and ghosts valid); `out` gets halos and ghosts too.
  PetscErrorCode AdvanceStage(const Stage &stage, double dt, const FaceFields &u, const Field &c, const Field &c_old,
                              Field *out) const;
  /// Half a time step of implicit diffusion (Strang splitting, one half before the advection, one after); does nothing
  /// for explicit diffusion. `c` keeps valid halos and ghosts. Collective.
  PetscErrorCode DiffuseHalfStep(double dt, const FaceFields &u, Field *c);
  /// Adds the lift of this scalar, interpolated to faces, to `acceleration` (allocated where gravity has a component).
  void AddBuoyancy(const Real3 &gravity, const Field &c, FaceFields *acceleration) const;
  /// Σ capacity · value · volume over fluid cells: conserved to rounding in a closed box. Collective.
  PetscErrorCode Total(const Field &c, double *total) const;
  PetscErrorCode UpdateGhosts(const FaceFields &u, Field *c) const;
  /// The solver of implicit diffusion, or null.
  KSP Solver() const { return implicit_ ? implicit_->Solver() : nullptr; }
  PetscInt Iterations() const { return implicit_ ? implicit_->Iterations() : 0; }
  void ResetIterations() {
    if (implicit_) implicit_->ResetIterations();
  }

private:
  template <int dim, bool cut>
  void Sweep(const Stage &stage, double dt, double diffusivity, const FaceFields &u, const Field &c, const Field &c_old,
             Field *out) const;
  void HoldSources(Field *c) const;
  std::shared_ptr<const Grid> grid_;
  const BoundaryConditions *boundaries_ = nullptr;
  ScalarConfig config_;
  /// Null where everything is open; owned by the caller.
  const FaceFields *aperture_ = nullptr;
  Field capacity_, delta_;
  std::vector<std::pair<std::ptrdiff_t, double>> sources_;
  std::unique_ptr<ImplicitDiffusion> implicit_;
};

} // namespace krylearn
