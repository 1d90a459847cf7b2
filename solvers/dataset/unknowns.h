/// \file
/// A geometry as a sparse matrix of its unknowns alone, on one rank: for exact solutions and eigenvectors.
#pragma once
#include "nets/nets.h"
#include <petscksp.h>

namespace krylearn {

/// The unknowns of a geometry: cells with couplings or a row sum. In double precision, from the numbers as they are
/// stored.
class Unknowns {
public:
  Unknowns() = default;
  ~Unknowns();
  Unknowns(const Unknowns &) = delete;
  Unknowns &operator=(const Unknowns &) = delete;

  PetscErrorCode SetUp(const nets::Geometry &geometry);
  PetscInt Count() const { return PetscInt(cell_.size()); }
  long Cell(PetscInt unknown) const { return cell_[std::size_t(unknown)]; }
  /// The normalised indicators of components that are singular.
  const std::vector<Vec> &NullVectors() const { return null_; }
  /// Solves A x = b to 1e-12, both given on all cells. `b` is then replaced by A x, evaluated with differences of
  /// neighbours, so that the pair fits to rounding. PETSC_ERR_NOT_CONVERGED where that fails.
  PetscErrorCode Solve(double *b, double *x);
  /// Sets a right-hand side to 0 where there is no unknown.
  void Restrict(double *b) const;
  /// Up to `count` eigenvectors of the lowest eigenvalues that are not zero, of norm 1, and their values; the largest
  /// entry is positive. Values of missing ones are NaN. Needs SLEPc.
  PetscErrorCode LowestModes(long count, double *values, float *vectors) const;

private:
  struct Face {
    long below, above;
    double coupling;
  };
  PetscErrorCode FindNullVectors(const std::vector<double> &degree);
  PetscErrorCode MakeSolver();
  void Apply(const double *x, double *b) const;

  std::vector<long> cell_;
  std::vector<PetscInt> unknown_; ///< of each cell, or -1
  std::vector<Face> faces_;
  std::vector<double> sums_;
  Mat matrix_ = nullptr, shifted_ = nullptr;
  std::vector<Vec> null_;
  KSP ksp_ = nullptr;
};

/// Makes a PC a sparse Cholesky factorisation whose result depends on nothing but the matrix; MUMPS where there is one.
PetscErrorCode UseCholesky(PC pc, Mat matrix);
/// Starts SLEPc where the build has it. Before the first LowestModes(). Collective on PETSC_COMM_WORLD.
PetscErrorCode PrepareModes();
/// A shift, relative to a largest diagonal near 1, that makes every geometry's matrix positive definite.
constexpr double kModeShift = 1e-7;

} // namespace krylearn
