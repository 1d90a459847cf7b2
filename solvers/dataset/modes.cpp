// Eigenvectors of the lowest eigenvalues, by SLEPc: Krylov-Schur on the shifted and inverted matrix.
#include "meshes/random.h"
#include "solvers/dataset/unknowns.h"
#include <algorithm>
#include <cmath>
#include <limits>
#if KRYLEARN_HAVE_SLEPC
#include <slepceps.h>
#endif

namespace krylearn {

PetscErrorCode PrepareModes() {
  PetscFunctionBeginUser;
#if KRYLEARN_HAVE_SLEPC
  if (!SlepcInitializeCalled) PetscCall(SlepcInitializeNoArguments());
#endif
  PetscFunctionReturn(0);
}

#if KRYLEARN_HAVE_SLEPC
PetscErrorCode Unknowns::LowestModes(long count, double *values, float *vectors) const {
  constexpr std::uint64_t kStart = 401; // stream of the first vector
  PetscFunctionBeginUser;
  PetscCall(PrepareModes());
  const std::size_t cells = unknown_.size();
  const PetscInt wanted = std::min(PetscInt(count), Count() - PetscInt(null_.size()));
  std::fill(values, values + count, std::numeric_limits<double>::quiet_NaN());
  std::fill(vectors, vectors + std::size_t(count) * cells, 0.0f);
  if (wanted < 1) PetscFunctionReturn(0);
  EPS eps;
  ST st;
  KSP ksp;
  PC pc;
  Vec v;
  Mat shifted;
  PetscCall(MatCreateVecs(matrix_, &v, nullptr));
  PetscCall(EPSCreate(PETSC_COMM_SELF, &eps));
  PetscCall(EPSSetOperators(eps, matrix_, nullptr));
  PetscCall(EPSSetProblemType(eps, EPS_HEP));
  PetscCall(EPSSetType(eps, EPSKRYLOVSCHUR));
  PetscCall(EPSSetDimensions(eps, wanted, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(EPSSetTarget(eps, -kModeShift));
  PetscCall(EPSSetWhichEigenpairs(eps, EPS_TARGET_MAGNITUDE));
  PetscCall(EPSSetTolerances(eps, 1e-10, 1000));
  PetscCall(EPSGetST(eps, &st));
  PetscCall(STSetType(st, STSINVERT));
  PetscCall(STSetShift(st, -kModeShift));
  PetscCall(STGetKSP(st, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(MatDuplicate(matrix_, MAT_COPY_VALUES, &shifted));
  PetscCall(MatShift(shifted, kModeShift));
  PetscCall(MatSetOption(shifted, MAT_SPD, PETSC_TRUE));
  PetscCall(KSPSetOperators(ksp, shifted, shifted));
  PetscCall(UseCholesky(pc, shifted));
  std::vector<Vec> zero = null_;
  if (!zero.empty()) PetscCall(EPSSetDeflationSpace(eps, PetscInt(zero.size()), zero.data()));
  PetscScalar *x;
  PetscCall(VecGetArray(v, &x));
  for (PetscInt u = 0; u < Count(); ++u) x[u] = 2 * Uniform(1, kStart, std::uint64_t(u)) - 1;
  PetscCall(VecRestoreArray(v, &x));
  PetscCall(EPSSetInitialSpace(eps, 1, &v));
  PetscCall(EPSSolve(eps));
  PetscInt found;
  PetscCall(EPSGetConverged(eps, &found));
  PetscCheck(found >= wanted, PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED,
             "SLEPc found %" PetscInt_FMT " of %" PetscInt_FMT " eigenvectors; give a smaller -ritz", found, wanted);
  for (PetscInt m = 0; m < wanted; ++m) {
    PetscScalar value;
    PetscCall(EPSGetEigenpair(eps, m, &value, nullptr, v, nullptr));
    values[m] = PetscRealPart(value);
    PetscCall(VecGetArray(v, &x));
    const PetscScalar *largest =
        std::max_element(x, x + Count(), [](double a, double b) { return std::abs(a) < std::abs(b); });
    const double sign = *largest < 0 ? -1 : 1;
    for (PetscInt u = 0; u < Count(); ++u) vectors[std::size_t(m) * cells + std::size_t(Cell(u))] = float(sign * x[u]);
    PetscCall(VecRestoreArray(v, &x));
  }
  PetscCall(VecDestroy(&v));
  PetscCall(MatDestroy(&shifted));
  PetscCall(EPSDestroy(&eps));
  PetscFunctionReturn(0);
}
#else
PetscErrorCode Unknowns::LowestModes(long, double *, float *) const {
  PetscFunctionBeginUser;
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_SUP, "This build has no SLEPc; install it (Debian: slepc-dev) and build again");
}
#endif

} // namespace krylearn
