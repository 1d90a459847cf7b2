#include "solvers/dataset/unknowns.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace krylearn {
namespace {

constexpr double kTolerance = 1e-12;
constexpr PetscInt kMostIterations = 200;

/// The root of a tree of the disjoint sets in `parent`.
std::size_t Find(std::vector<long> *parent, long i) {
  while ((*parent)[std::size_t(i)] != i) {
    auto &up = (*parent)[std::size_t(i)];
    up = (*parent)[std::size_t(up)];
    i = up;
  }
  return std::size_t(i);
}

} // namespace

PetscErrorCode UseCholesky(PC pc, Mat matrix) {
  PetscFunctionBeginUser;
  PetscBool mumps;
  PetscCall(PCSetType(pc, PCCHOLESKY));
  PetscCall(MatGetFactorAvailable(matrix, MATSOLVERMUMPS, MAT_FACTOR_CHOLESKY, &mumps));
  if (!mumps) PetscFunctionReturn(0);
#if defined(PETSC_HAVE_MUMPS)
  Mat factor;
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERMUMPS));
  PetscCall(PCFactorSetUpMatSolverType(pc));
  PetscCall(PCFactorGetMatrix(pc, &factor));
  PetscCall(MatMumpsSetIcntl(factor, 7, 5)); // METIS: other orderings draw numbers that depend on earlier calls
#endif
  PetscFunctionReturn(0);
}

Unknowns::~Unknowns() {
  PetscErrorCode ignored = KSPDestroy(&ksp_);
  for (Vec &v : null_) ignored = VecDestroy(&v);
  ignored = MatDestroy(&shifted_);
  ignored = MatDestroy(&matrix_);
  (void)ignored;
}

PetscErrorCode Unknowns::SetUp(const nets::Geometry &geometry) {
  PetscFunctionBeginUser;
  const nets::Partition &p = geometry.partition;
  const long stride[3] = {1, p.n[0], p.n[0] * p.n[1]}, cells = stride[2] * p.n[2];
  sums_.assign(geometry.sums.begin(), geometry.sums.end());
  std::vector<double> degree(sums_);
  for (std::size_t a = 0; a < std::size_t(geometry.Dim()); ++a)
    for (long i = 0; i < cells; ++i) {
      const double c = geometry.faces[a][std::size_t(i)];
      if (c == 0) continue;
      const long at = i / stride[a] % p.n[a], below = at > 0 ? i - stride[a] : i + (p.n[a] - 1) * stride[a];
      if (below == i) continue;
      faces_.push_back({below, i, c});
      degree[std::size_t(below)] += c;
      degree[std::size_t(i)] += c;
    }
  unknown_.assign(std::size_t(cells), -1);
  for (long i = 0; i < cells; ++i)
    if (degree[std::size_t(i)] > 0) {
      unknown_[std::size_t(i)] = PetscInt(cell_.size());
      cell_.push_back(i);
    }
  PetscCheck(Count() > 0, PETSC_COMM_SELF, PETSC_ERR_USER_INPUT, "a geometry without an unknown");
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, Count(), Count(), 7, nullptr, &matrix_));
  for (PetscInt u = 0; u < Count(); ++u)
    PetscCall(MatSetValue(matrix_, u, u, degree[std::size_t(Cell(u))], ADD_VALUES));
  for (const Face &face : faces_) {
    const PetscInt i = unknown_[std::size_t(face.below)], j = unknown_[std::size_t(face.above)];
    PetscCall(MatSetValue(matrix_, i, j, -face.coupling, ADD_VALUES));
    PetscCall(MatSetValue(matrix_, j, i, -face.coupling, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(matrix_, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(matrix_, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(matrix_, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(FindNullVectors(degree));
  PetscFunctionReturn(0);
}

PetscErrorCode Unknowns::FindNullVectors(const std::vector<double> &degree) {
  constexpr double kNothing = 1e-10; // of a component's diagonal: row sums that are rounding
  PetscFunctionBeginUser;
  std::vector<long> parent(unknown_.size());
  std::iota(parent.begin(), parent.end(), 0L);
  for (const Face &face : faces_) {
    const std::size_t a = Find(&parent, face.below), b = Find(&parent, face.above);
    parent[std::max(a, b)] = long(std::min(a, b));
  }
  std::vector<double> held(parent.size(), 0), all(parent.size(), 0);
  std::vector<long> size(parent.size(), 0);
  for (const long i : cell_) {
    const std::size_t root = Find(&parent, i);
    held[root] += sums_[std::size_t(i)];
    all[root] += degree[std::size_t(i)];
    ++size[root];
  }
  std::vector<int> number(parent.size(), -1);
  for (const long i : cell_) {
    const std::size_t root = Find(&parent, i);
    if (held[root] > kNothing * all[root]) continue;
    sums_[std::size_t(i)] = 0;
    if (number[root] < 0) {
      number[root] = int(null_.size());
      Vec v;
      PetscCall(MatCreateVecs(matrix_, &v, nullptr));
      PetscCall(VecSet(v, 0));
      null_.push_back(v);
    }
    PetscCall(VecSetValue(null_[std::size_t(number[root])], unknown_[std::size_t(i)],
                          1 / std::sqrt(double(size[root])), INSERT_VALUES));
  }
  if (null_.empty()) PetscFunctionReturn(0);
  for (Vec v : null_) {
    PetscCall(VecAssemblyBegin(v));
    PetscCall(VecAssemblyEnd(v));
  }
  MatNullSpace space;
  PetscCall(MatNullSpaceCreate(PETSC_COMM_SELF, PETSC_FALSE, PetscInt(null_.size()), null_.data(), &space));
  PetscCall(MatSetNullSpace(matrix_, space));
  PetscCall(MatNullSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

void Unknowns::Apply(const double *x, double *b) const {
  for (std::size_t i = 0; i < sums_.size(); ++i) b[i] = unknown_[i] < 0 ? 0 : sums_[i] * x[i];
  for (const Face &face : faces_) {
    const double flux = face.coupling * (x[face.above] - x[face.below]);
    b[face.above] += flux;
    b[face.below] -= flux;
  }
}

void Unknowns::Restrict(double *b) const {
  for (std::size_t i = 0; i < unknown_.size(); ++i)
    if (unknown_[i] < 0) b[i] = 0;
}

PetscErrorCode Unknowns::MakeSolver() {
  PetscFunctionBeginUser;
  PC pc;
  PetscCall(MatDuplicate(matrix_, MAT_COPY_VALUES, &shifted_));
  PetscCall(MatShift(shifted_, kModeShift));
  PetscCall(MatSetOption(shifted_, MAT_SPD, PETSC_TRUE));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp_));
  PetscCall(KSPSetOperators(ksp_, matrix_, shifted_));
  PetscCall(KSPSetType(ksp_, KSPCG));
  PetscCall(KSPSetNormType(ksp_, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(ksp_, kTolerance, 1e-300, PETSC_DEFAULT, kMostIterations));
  PetscCall(KSPGetPC(ksp_, &pc));
  PetscCall(UseCholesky(pc, shifted_));
  PetscFunctionReturn(0);
}

PetscErrorCode Unknowns::Solve(double *b, double *x) {
  constexpr double kAgreement = 1e-8; // of A x with what was given: rounding of x costs more where alpha jumps
  PetscFunctionBeginUser;
  if (!ksp_) PetscCall(MakeSolver());
  Vec right, solution;
  PetscScalar *values;
  PetscCall(MatCreateVecs(matrix_, &solution, &right));
  PetscCall(VecGetArray(right, &values));
  for (PetscInt u = 0; u < Count(); ++u) values[u] = b[Cell(u)];
  PetscCall(VecRestoreArray(right, &values));
  MatNullSpace space;
  PetscCall(MatGetNullSpace(matrix_, &space));
  if (space) PetscCall(MatNullSpaceRemove(space, right));
  PetscReal norm;
  PetscCall(VecNorm(right, NORM_2, &norm));
  PetscCall(KSPSolve(ksp_, right, solution));
  KSPConvergedReason reason;
  PetscCall(KSPGetConvergedReason(ksp_, &reason));
  PetscCheck(reason > 0, PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED,
             "a system could not be solved to %g (%s); give -solutions 0", kTolerance, KSPConvergedReasons[reason]);
  std::fill(x, x + unknown_.size(), 0.0);
  PetscCall(VecGetArray(solution, &values));
  for (PetscInt u = 0; u < Count(); ++u) x[Cell(u)] = values[u];
  PetscCall(VecRestoreArray(solution, &values));
  Apply(x, b);
  double difference = 0;
  PetscCall(VecGetArray(right, &values));
  for (PetscInt u = 0; u < Count(); ++u) difference += std::pow(b[Cell(u)] - values[u], 2);
  PetscCall(VecRestoreArray(right, &values));
  PetscCheck(std::sqrt(difference) <= kAgreement * norm, PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED,
             "a solution leaves a relative residual of %g; give -solutions 0", std::sqrt(difference) / norm);
  PetscCall(VecDestroy(&right));
  PetscCall(VecDestroy(&solution));
  PetscFunctionReturn(0);
}

} // namespace krylearn
