/// \file
/// One linear system, made from a named problem or read from files, and its timed solution.
#pragma once
#include "meshes/problems.h"
#include <petscksp.h>
#include <string>

namespace krylearn {

/// A x = b, with P to build the preconditioner from (A itself unless asked otherwise).
struct LinearSystem {
  Mat A = nullptr, P = nullptr;
  Vec b = nullptr, x = nullptr;
  Problem problem; ///< its grid is null for systems read from files
  std::string description;
  double assembly_seconds = 0;

  /// Frees matrices and vectors. Collective.
  PetscErrorCode Destroy();
};

struct SolveReport {
  std::string solver; ///< KSP and PC types
  PetscInt iterations = 0;
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
  double setup_seconds = 0, solve_seconds = 0; ///< the slowest rank's
  double rtol = 0;                             ///< what the solver was to reach
  double true_residual = 0;                    ///< ‖b − A x‖₂ / ‖b‖₂, computed afresh
  bool error_known = false;
  double error_l2 = 0, error_max = 0;
};

/// "64 x 64 x 64", or "64 x 64" in 2D.
std::string GridSize(const Int3 &cells);

/// Assembles a named problem. `pmat_type` (MATHYPRESTRUCT, …) makes P a second matrix of that type; "" shares A.
/// Collective.
PetscErrorCode MakeSystem(MPI_Comm comm, const ProblemSpec &spec, const std::string &pmat_type, LinearSystem *system);

/// Reads a square matrix and its right-hand side in PETSc's binary format. Missing, truncated, foreign or mismatching
/// files are refused with one clear message (PETSC_ERR_FILE_OPEN, PETSC_ERR_FILE_UNEXPECTED). Where the indicator of
/// the rows that have off-diagonal entries is a null vector, it is attached as the matrix' null space. With `grid` the
/// system is one of the cells of this grid, in natural ordering in the files, and lives on its DM. Collective.
PetscErrorCode ReadSystem(MPI_Comm comm, const std::string &matrix, const std::string &rhs, LinearSystem *system,
                          std::shared_ptr<const Grid> grid = nullptr);

/// Refuses a file that does not hold a complete vector in PETSc's binary format as long as `like`. Collective.
PetscErrorCode CheckVectorFile(MPI_Comm comm, const std::string &path, Vec like);

/// ‖b − A x‖₂, computed afresh. Collective.
PetscErrorCode TrueResidual(Mat A, Vec b, Vec x, double *norm);

/// The largest of the ranks' values. Collective.
PetscErrorCode Slowest(MPI_Comm comm, double *seconds);

/// "cg with hypre boomeramg": what a KSP whose options have been read is made of. Collective.
PetscErrorCode SolverName(KSP ksp, std::string *name);

/// Gives a KSP the system's operators and, where there is one, its grid for PCMG. Collective.
PetscErrorCode SetSystem(KSP ksp, const LinearSystem &system);

/// A KSP for the system: conjugate gradients to 1e-8 in the true residual with BoomerAMG tuned for this operator, all
/// of which the options database overrides. PCMG finds the grid's DM. Collective.
PetscErrorCode CreateSolver(const LinearSystem &system, KSP *ksp);

/// Sets up and solves from a zero guess, `repeat` times with one set-up: the first time with b, then, for problems with
/// a random right-hand side, with those of seed + 1, seed + 2, … Reports the mean solve time, the largest iteration
/// count and residual, and the first reason that is not convergence. Errors are those of the last solution. Collective.
PetscErrorCode SolveSystem(LinearSystem *system, PetscInt repeat, PetscInt seed, SolveReport *report);

} // namespace krylearn
