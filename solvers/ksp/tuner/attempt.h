/// \file
/// One configuration of a tuner: its KSP, and a solve by it under watch.
#pragma once
#include "solvers/configuration.h"
#include <petscksp.h>

namespace krylearn {

/// Whether costs are seconds of the slowest rank, or an estimate of flops of all ranks that is the same in every run.
enum class TunerLoss { kTime, kWork };

struct TunerArm {
  Configuration configuration;
  KSP ksp = nullptr;
  PetscInt64 generation = -1; ///< of the operators that it has been given
  PetscBool reuse = PETSC_FALSE; ///< its own -ksp_reuse_preconditioner
  bool true_residual = false;    ///< its KSP stops on the unpreconditioned norm
  std::string message;           ///< why it is stopped or fails, or which of its options nothing reads
};

/// What came of an attempt.
struct TunerAttempt {
  enum class End { kConverged, kStopped, kDiverged, kError } end = End::kError;
  bool built = false;          ///< a set-up was needed
  double setup = 0, solve = 0; ///< cost
  std::string message; ///< where it has not converged
};

/// What the attempts of a tuner share.
struct TunerRules {
  MPI_Comm comm; ///< for their agreement on failures, apart from the solvers'
  TunerLoss loss;
  PetscInt64 generation; ///< counts the operators, in themselves or in their values
  KSP *running;          ///< receives the KSP that is at work, null between attempts
};

/// r = b − A x of `outer`'s present solution, and its norm. Collective.
PetscErrorCode ComputeResidual(KSP outer, Vec r, PetscReal *norm);

/// Solves, or goes on solving, the system of `outer` by the KSP of `arm`, which is created at its first use. `outer`
/// has tested convergence at iteration 0 already; its test, monitors and history serve the arm's iterations too, and
/// ksp->its, ->rnorm and ->reason are left as after a solve of its own. Convergence is judged by the residual, computed
/// afresh in `work`. Stops where the solve costs more than `limit`, or after the iterations that `outer` allows. PETSc's
/// errors stay inside. Collective.
PetscErrorCode AttemptSolve(KSP outer, TunerArm *arm, const TunerRules &rules, double limit, bool zero_guess, Vec work,
                            TunerAttempt *attempt);

} // namespace krylearn
