/// \file
/// What solver configurations are compared on: one system with a few right-hand sides, or a sequence of related systems
/// solved one after the other as a simulation would.
#pragma once
#include "solvers/linear_system.h"
#include <memory>

namespace krylearn {

/// The systems A x = b of a workload, one at a time. Every configuration gets the same ones.
class Workload {
public:
  virtual ~Workload() = default;
  /// How many solves one visit of a configuration makes.
  virtual PetscInt Steps() const = 0;
  /// Makes A and b those of `step` (0, 1, …; 0 starts over, with x = 0). `new_matrix` tells whether the values of A have
  /// changed since the last call. x holds the solution of the step before where the workload is a sequence. Collective.
  virtual PetscErrorCode Prepare(PetscInt step, bool *new_matrix) = 0;
  /// Residual norm to reach, where the workload asks for an absolute one; 0: the relative tolerance counts.
  virtual double AbsoluteTolerance(PetscInt) const { return 0; }
  /// A copy of A for hypre's structured solvers; the caller destroys it. Null where there is no grid. Collective.
  PetscErrorCode StructuredMatrix(Mat *copy) const;
  /// Frees everything. Collective.
  virtual PetscErrorCode Destroy() { return system.Destroy(); }

  LinearSystem system; ///< A, b, x of the current step; a grid where there is one
  std::string name;    ///< "obstacles", "heat", …
  std::string grid;    ///< "128 x 128 x 128", or "" where there is none
  PetscInt seed = 0;
  bool sequence = false; ///< related systems, reported step by step
};

/// A named problem (meshes/problems.h), solved for `solves` right-hand sides of seed, seed + 1, … Collective.
PetscErrorCode MakeProblemWorkload(MPI_Comm comm, const ProblemSpec &spec, PetscInt solves,
                                   std::unique_ptr<Workload> *workload);

/// A system from files in PETSc's binary format. Collective.
PetscErrorCode MakeFileWorkload(MPI_Comm comm, const std::string &matrix, const std::string &rhs,
                                std::unique_ptr<Workload> *workload);

/// The pressure systems that `fluid -capture FOLDER` wrote, in order, at most `steps` of them (0: all), each to the
/// residual that the simulation asked for; `relative` asks for the relative tolerance instead. Folders that hold none
/// and damaged ones are refused (PETSC_ERR_FILE_OPEN, PETSC_ERR_FILE_UNEXPECTED). Collective.
PetscErrorCode MakeCapturedWorkload(MPI_Comm comm, const std::string &folder, PetscInt steps, bool relative,
                                    std::unique_ptr<Workload> *workload);

/// The heat experiment of Khodak et al. (arXiv 2310.02246): Crank–Nicolson for u_t = κ(t) Δu + f on the unit square, u =
/// 0 around it, (nx - 1)² unknowns, time step 1e-3, κ(t) = max(0.1 sin 2πt, −10 sin 2πt), f = 32 × a bump of radius 1/8
/// that circles round the centre, u(0) a bump of radius 1/4. The matrix changes with every step. Collective.
PetscErrorCode MakeHeatWorkload(MPI_Comm comm, PetscInt nx, PetscInt steps, std::unique_ptr<Workload> *workload);

} // namespace krylearn
