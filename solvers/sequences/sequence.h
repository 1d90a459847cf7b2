/// \file
/// Sequences of related systems, as simulations bring them, and what policies make of them.
#pragma once
#include <memory>
#include <petscksp.h>
#include <string>
#include <vector>

namespace krylearn {

struct SequenceSpec {
  std::string name = "heat"; ///< or "sor"
  PetscInt nx = 0;           ///< intervals along an axis; 0: the sequence's own, 50 for heat, 11 for sor
  PetscInt steps = 5000;
  PetscInt seed = 1;
  double alpha = 2, beta = 6; ///< of the Beta distribution that shifts of "sor" follow
};

/// One sequence, from the start each time it is rewound: the same systems whatever solves them, to the tolerance.
class Sequence {
public:
  virtual ~Sequence() = default;
  /// Matrix, right-hand side and guess of all systems.
  Mat A = nullptr;
  Vec b = nullptr, x = nullptr;
  double context = 0;                       ///< of the present system
  double context_low = 0, context_high = 0; ///< of all
  PetscInt bins = 1;                        ///< that policies split contexts into
  bool symmetric = true;                    ///< conjugate gradients with SSOR; else SOR by itself
  virtual PetscErrorCode Rewind() = 0;
  /// Makes the system of a step; x holds the solution of the one before. Collective.
  virtual PetscErrorCode Make(PetscInt step) = 0;
  virtual PetscErrorCode Destroy();
};

/// −Δ of `nx` intervals along each axis of the unit square without its boundary, times `scale`, over a DMDA.
/// Collective.
PetscErrorCode MakeLaplacian(MPI_Comm comm, PetscInt nx, double scale, Mat *L);

/// Refuses (PETSC_ERR_USER_INPUT) names that there are none of, and numbers that make no sense, and
/// (PETSC_ERR_SUP) "sor" on several ranks. Collective.
PetscErrorCode MakeSequence(MPI_Comm comm, const SequenceSpec &spec, std::unique_ptr<Sequence> *sequence);

/// What a policy did over a sequence.
struct Course {
  std::string policy;
  std::vector<PetscInt> iterations;
  std::vector<double> omega; ///< 0 where none was chosen
  double seconds = 0;        ///< of the solves and choices, 0 where it is worked out from others
  PetscInt64 Total() const;
};

/// Runs policies over a sequence: "cg" (no preconditioner), "fixed:OMEGA", a name of solvers/bandit/, "best_fixed" and
/// "oracle", the best of the relaxation factors that policies choose from for all steps together and for each step,
/// worked out from a run with each. `contexts` gets those of the steps. Collective.
PetscErrorCode RunPolicies(MPI_Comm comm, const SequenceSpec &spec, const std::vector<std::string> &policies,
                           std::vector<Course> *courses, std::vector<double> *contexts);
/// step, context, then iterations and factor of each policy. Collective.
PetscErrorCode WriteCourses(MPI_Comm comm, const std::string &path, const std::vector<Course> &courses,
                            const std::vector<double> &contexts);

} // namespace krylearn
