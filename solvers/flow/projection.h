/// \file
/// The pressure projection: makes a velocity divergence-free by one Poisson solve.
#pragma once
#include "meshes/poisson.h"
#include "solvers/flow/immersed.h"
#include <petscksp.h>

namespace krylearn {

/// Solves ∇·(A ∇φ) = ∇·(A u)/step and subtracts step ∇φ from u, A being the face apertures.
///
/// The matrix does not change, so the preconditioner is set up once: PCNMG, or what the options say. The KSP carries the prefix `pressure_`; its
/// `-pressure_ksp_rtol` is the tolerance on the divergence left behind, scaled to max|∇·u| h/U: each solve stops at the
/// absolute residual that corresponds to it, however small the right-hand side already is.
class Projection {
public:
  ~Projection();
  /// `coefficients` hold the apertures as alpha, with Dirichlet sides where the flow leaves. `pmat_type`
  /// (MATHYPRESTRUCT) builds the preconditioner from a second matrix of that type; "" from the system itself.
  /// Collective.
  PetscErrorCode SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                       PoissonCoefficients coefficients, bool cut, double reference_velocity,
                       const std::string &pmat_type);

  /// Projects u over an Euler step of `step`; u's halos and normal faces must be up to date, ghosts of one layer stay
  /// so. `phi` receives the pressure increment, with ghosts. `strict` also enforces the bound on the largest cell.
  /// Collective.
  PetscErrorCode Apply(double step, bool strict, FaceFields *u, Field *phi, ImmersedBoundary *immersed, int stage);

  /// Largest |∇·(A u)| over fluid cells times the smallest width over the reference velocity, of the last strict Apply.
  double ScaledDivergence() const { return scaled_divergence_; }
  /// Krylov iterations since ResetIterations().
  PetscInt Iterations() const { return iterations_; }
  void ResetIterations() { iterations_ = 0; }
  double Tolerance() const { return tolerance_; }
  KSP Solver() const { return ksp_; }
  const PoissonCoefficients &Coefficients() const { return coefficients_; }
  /// Adds one small velocity to all outflow faces so that exactly as much leaves as enters. Collective.
  PetscErrorCode BalanceOutflow(FaceFields *u) const;
  /// Largest |∇·(A u)| over fluid cells. Collective.
  PetscErrorCode LargestDivergence(const FaceFields &u, double *largest) const;
  /// Writes each system it solves (matrix once, then right-hand sides) to this folder as PETSc binary files, plus one
  /// line per solve in sequence.txt; empty turns it off. Collective.
  PetscErrorCode CaptureTo(const std::string &folder);
  /// Solver state that a bit-for-bit restart needs.
  double Tightening() const { return tightening_; }
  void SetTightening(double value) { tightening_ = value; }
  /// PCNMG is at work because nothing else was asked for.
  bool Structured() const { return structured_; }
  /// Gives up PCNMG for BoomerAMG, as happens by itself where PCNMG needs many iterations. Collective.
  PetscErrorCode UseAlgebraicMultigrid();

private:
  PetscErrorCode CheckComponentsBalance() const;
  PetscErrorCode ConfigureSolver();
  /// Volume-integrated divergence of A u into `out` (a vector of the pressure DM), over `step`.
  PetscErrorCode Divergence(const FaceFields &u, double scale, Vec out) const;
  void DivergenceRow(const FaceFields &u, PetscInt j, PetscInt k, double scale, double *out) const;
  PetscErrorCode Correct(double step, const Field &phi, FaceFields *u) const;
  PetscErrorCode Solve(double step);
  PetscErrorCode Capture(double step);

  std::shared_ptr<const Grid> grid_;
  const BoundaryConditions *boundaries_ = nullptr;
  PoissonCoefficients coefficients_;
  SingularComponents components_;
  Mat matrix_ = nullptr, preconditioner_matrix_ = nullptr;
  KSP ksp_ = nullptr;
  Vec rhs_ = nullptr, solution_ = nullptr;
  bool cut_ = false, structured_ = false, has_inflow_ = false;
  double reference_velocity_ = 1, tolerance_ = 1e-6, tightening_ = 1, scaled_divergence_ = 0, cell_volume_ = 0,
         width_ = 0, outflow_area_ = 0;
  PetscInt64 fluid_cells_ = 0;
  PetscInt iterations_ = 0;
  std::string capture_;
  PetscInt captured_ = 0;
};

} // namespace krylearn
