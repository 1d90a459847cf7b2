/// \file
/// No-slip on obstacles: what differs from the regular momentum update on faces in and near them.
#pragma once
#include "meshes/obstacles.h"
#include "solvers/flow/momentum.h"
#include <petscmat.h>

namespace krylearn {

/// Faces touched by obstacles, with the stencils that replace the regular ones there.
///
/// * A face with aperture 0 is closed: its velocity is zero.
/// * An open face whose stencil meets an obstacle is irregular. If its centre lies in the fluid, the Laplacian is that
///   of Shortley & Weller (1938), with the wall at its true distance along each axis (as in Ng, Min & Gibou 2009). If
///   its centre lies inside the obstacle, the value belongs to the middle of the open part and balances friction at the
///   wall against the neighbour on the fluid side. Advection uses aperture-weighted mass fluxes, so that it neither
///   creates nor destroys kinetic energy. The viscous diagonal is taken implicitly: arbitrarily thin slivers do not
///   limit the time step.
///
/// The force on the obstacles is the momentum that the irregular update removes compared with the conservative regular
/// one, i.e. the exact discrete momentum balance of the fluid around them. A body force counts inside obstacles as
/// well, as the pressure gradient it stands for would: in a steady periodic flow the force equals body force times the
/// whole box.
///
/// Friction taken implicitly makes the scheme first order in time next to obstacles (second and third elsewhere).
class ImmersedBoundary {
public:
  /// Distances come from `obstacles` (may be empty: then nothing is irregular), apertures from `cut`, which must
  /// outlive this object. Collective.
  PetscErrorCode SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                       const Obstacles &obstacles, const CutCells &cut);
  bool Empty() const { return empty_; }
  std::size_t IrregularFaces() const { return irregular_[0].size() + irregular_[1].size() + irregular_[2].size(); }

  /// Replaces the regular update of ExplicitStage() on irregular faces and zeroes closed ones; books the force.
  /// `implicit_diagonal` false takes all of viscosity explicitly: unstable as a step, exact as a rate of change.
  PetscErrorCode ExplicitStage(int stage, double dt, double nu, const FaceFields &u, const FaceFields &u_old,
                               const Field &p, const Real3 &force, const FaceFields &buoyancy, FaceFields *out,
                               bool implicit_diagonal = true);
  /// Zeroes closed faces after the correction u -= step ∇φ, booking its share of the force (stage < 0: books nothing).
  PetscErrorCode CloseFaces(int stage, double step, const Field &phi, FaceFields *u);
  /// Zeroes closed faces without book-keeping.
  void ZeroClosed(FaceFields *u) const;

  /// Force of the fluid on the obstacles over the last step, per unit density: in 3D length^4/time^2, in 2D
  /// length^3/time^2. Reset by BeginStep(). Collective.
  void BeginStep() { impulse_.fill(0); }
  PetscErrorCode Force(double dt, Real3 *force) const;

  /// Irregular rows of the viscous operator for implicit solves: calls row(axis, q, diagonal, neighbour offsets,
  /// neighbour weights) for each irregular face; L u = Σ weight u_neighbour − diagonal u.
  template <class Row> void ForIrregularRows(Row &&row) const {
    for (int a = 0; a < grid_->Dim(); ++a)
      for (const Face &f : irregular_[a]) row(a, f.q, f.diagonal, f.weight);
  }
  /// Overwrites `out` (advection from Momentum::Tendency with nu = 0, plus buoyancy) on irregular faces; zero on closed
  /// ones.
  void FixAdvection(const FaceFields &u, const FaceFields &buoyancy, FaceFields *out) const;
  /// Overwrites `out` (viscous part only) on irregular faces; zero on closed ones.
  void FixDiffusion(double nu, const FaceFields &u, FaceFields *out) const;
  const std::array<std::vector<std::ptrdiff_t>, 3> &Closed() const { return closed_; }
  /// The same book-keeping for one Crank–Nicolson step: the advection of each stage as it is computed (`share` of it
  /// ends up in the step), then the rest once the step is complete. `n`, `l_old`: regular tendencies, not yet fixed.
  void BookAdvection(double share, double dt, const FaceFields &u, const FaceFields &n);
  void BookImplicitStep(double dt, double nu, const FaceFields &u_old, const FaceFields &u_predicted,
                        const FaceFields &u_new, const Field &p, const Field &phi, const Real3 &force);

private:
  struct Face {
    std::ptrdiff_t q;
    /// Viscous weights of the neighbours (axis 0 below, above, axis 1 below, …) and of the face itself, in 1/length².
    std::array<double, 6> weight;
    double diagonal;
  };
  PetscErrorCode Classify(const Obstacles &obstacles, const CutCells &cut);
  Face Stencil(int a, const Int3 &c, const Obstacles &obstacles, const CutCells &cut) const;
  /// Aperture-weighted advective tendency of a face; `imbalance` receives the conservative form's extra term.
  double Advect(int a, std::ptrdiff_t q, const FaceFields &u, double *imbalance) const;
  /// Σ weight u_neighbour of an irregular face.
  double Diffuse(int a, const Face &face, const FaceFields &u) const;
  /// Regular Laplacian as if there were no obstacle.
  double RegularLaplacian(int a, std::ptrdiff_t q, const FaceFields &u) const;

  std::shared_ptr<const Grid> grid_;
  const BoundaryConditions *boundaries_ = nullptr;
  const CutCells *cut_ = nullptr; ///< the owner's, for aperture-weighted fluxes
  std::array<std::vector<Face>, 3> irregular_;
  std::array<std::vector<std::ptrdiff_t>, 3> closed_, closed_ghosts_;
  Real3 impulse_{};
  bool empty_ = true;
};

} // namespace krylearn
