#include "solvers/linear_system.h"
#include "solvers/ksp/tuner.h"
#include "solvers/poisson_preconditioner.h"
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <petscviewer.h>

namespace krylearn {
namespace {

std::int32_t BigEndian(const unsigned char *bytes) {
  return std::int32_t((std::uint32_t(bytes[0]) << 24) | (std::uint32_t(bytes[1]) << 16) |
                      (std::uint32_t(bytes[2]) << 8) | std::uint32_t(bytes[3]));
}

/// A PETSc integer as it lies in files; of long ones the low half comes last.
PetscInt64 FileInteger(const unsigned char *bytes) {
  const PetscInt64 value = BigEndian(bytes);
  return sizeof(PetscInt) == 8 ? value * 4294967296 + std::uint32_t(BigEndian(bytes + 4)) : value;
}

/// Whether the lengths of the rows, where `file` stands, add up to the number of entries, and the columns of these,
/// which follow, are there: PETSc trusts both.
bool IndicesFit(std::FILE *file, PetscInt64 rows, PetscInt64 columns, PetscInt64 entries) {
  constexpr PetscInt64 kBlock = 65536;
  std::vector<unsigned char> buffer(std::size_t(kBlock) * sizeof(PetscInt));
  PetscInt64 sum = 0;
  bool fine = true;
  const auto each = [&](PetscInt64 count, PetscInt64 most) {
    for (PetscInt64 at = 0; fine && at < count; at += kBlock) {
      const auto block = std::size_t(std::min(kBlock, count - at));
      fine = std::fread(buffer.data(), sizeof(PetscInt), block, file) == block;
      for (std::size_t i = 0; fine && i < block; ++i) {
        const PetscInt64 value = FileInteger(&buffer[i * sizeof(PetscInt)]);
        fine = value >= 0 && value <= most;
        sum += value;
      }
    }
  };
  each(rows, columns);
  fine = fine && sum == entries;
  each(entries, columns - 1);
  return fine;
}

/// Looks at a PETSc binary file on rank 0, because reading a wrong one fails obscurely or on some ranks only. `what` is
/// "matrix" or "vector"; `rows` and `columns` return its size. Collective.
PetscErrorCode InspectFile(MPI_Comm comm, const std::string &path, const char *what, PetscInt64 *rows,
                           PetscInt64 *columns) {
  PetscFunctionBeginUser;
  enum { kFine, kUnopened, kForeign, kTruncated, kDamaged };
  PetscInt64 answer[4] = {kFine, 0, 0, 0};
  const bool is_matrix = !std::strcmp(what, "matrix");
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    errno = 0;
    std::FILE *file = std::fopen(path.c_str(), "rb");
    if (!file) {
      answer[0] = kUnopened;
      answer[1] = errno;
    } else {
      constexpr int kWord = sizeof(PetscInt);
      // The first word names the kind; the sizes follow as PETSc integers.
      unsigned char head[4 + 3 * kWord] = {};
      const std::size_t wanted = is_matrix ? sizeof head : 4 + kWord, got = std::fread(head, 1, wanted, file);
      const auto word = [&](int i) { return FileInteger(head + 4 + i * kWord); };
      const bool directory = got == 0 && std::ferror(file);
      std::fseek(file, 0, SEEK_END);
      const PetscInt64 length = directory ? 0 : std::ftell(file);
      if (directory || got < wanted || BigEndian(head) != (is_matrix ? MAT_FILE_CLASSID : VEC_FILE_CLASSID))
        answer[0] = kForeign;
      else {
        answer[2] = word(0);
        answer[3] = is_matrix ? word(1) : 1;
        const PetscInt64 entries = is_matrix ? word(2) : answer[2];
        const PetscInt64 indices = is_matrix ? answer[2] + entries : 0;
        const bool dense = is_matrix && entries < 0;
        if (answer[2] < 0 || answer[3] < 0) answer[0] = kForeign;
        else if (!dense && length < PetscInt64(wanted) + kWord * indices + PetscInt64(sizeof(PetscScalar)) * entries)
          answer[0] = kTruncated;
        else if (is_matrix && !dense) {
          std::fseek(file, long(wanted), SEEK_SET);
          if (!IndicesFit(file, answer[2], answer[3], entries)) answer[0] = kDamaged;
        }
      }
      std::fclose(file);
    }
  }
  PetscCallMPI(MPI_Bcast(answer, 4, MPIU_INT64, 0, comm));
  PetscCheck(answer[0] != kUnopened, comm, PETSC_ERR_FILE_OPEN, "Cannot open %s: %s", path.c_str(),
             std::strerror(int(answer[1])));
  PetscCheck(answer[0] != kForeign, comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s is not a %s in PETSc's binary format (%d-bit integers); write one with -%s binary:FILE", path.c_str(),
             what, int(8 * sizeof(PetscInt)), is_matrix ? "ksp_view_mat" : "ksp_view_rhs");
  PetscCheck(answer[0] != kTruncated, comm, PETSC_ERR_FILE_UNEXPECTED, "%s is cut off: its %s is not complete",
             path.c_str(), what);
  PetscCheck(answer[0] != kDamaged, comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s is damaged: lengths of rows, or columns, do not fit its size", path.c_str());
  *rows = answer[2];
  *columns = answer[3];
  PetscFunctionReturn(0);
}

/// Attaches the indicator of the rows with off-diagonal entries as null space, if it is one.
PetscErrorCode DetectNullSpace(Mat A) {
  PetscFunctionBeginUser;
  Vec indicator, product;
  PetscInt first, last;
  PetscCall(MatCreateVecs(A, &indicator, &product));
  PetscCall(MatGetOwnershipRange(A, &first, &last));
  for (PetscInt row = first; row < last; ++row) {
    PetscInt count;
    const PetscInt *columns;
    const PetscScalar *values;
    PetscCall(MatGetRow(A, row, &count, &columns, &values));
    bool coupled = false;
    for (PetscInt c = 0; c < count; ++c) coupled = coupled || (columns[c] != row && values[c] != 0);
    PetscCall(MatRestoreRow(A, row, &count, &columns, &values));
    PetscCall(VecSetValue(indicator, row, coupled ? 1 : 0, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(indicator));
  PetscCall(VecAssemblyEnd(indicator));
  PetscReal norm, residual, scale;
  PetscCall(VecNormalize(indicator, &norm));
  PetscCall(MatMult(A, indicator, product));
  PetscCall(VecNorm(product, NORM_2, &residual));
  PetscCall(MatGetDiagonal(A, product));
  PetscCall(VecPointwiseMult(product, product, indicator));
  PetscCall(VecNorm(product, NORM_2, &scale));
  if (norm > 0 && residual <= 1e-12 * scale) {
    MatNullSpace nullspace;
    PetscCall(MatNullSpaceCreate(PetscObjectComm((PetscObject)A), PETSC_FALSE, 1, &indicator, &nullspace));
    PetscCall(MatSetNullSpace(A, nullspace));
    PetscCall(MatSetTransposeNullSpace(A, nullspace));
    PetscCall(MatNullSpaceDestroy(&nullspace));
  }
  PetscCall(VecDestroy(&indicator));
  PetscCall(VecDestroy(&product));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode Slowest(MPI_Comm comm, double *seconds) {
  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 1, MPI_DOUBLE, MPI_MAX, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode CheckVectorFile(MPI_Comm comm, const std::string &path, Vec like) {
  PetscFunctionBeginUser;
  PetscInt64 length, one;
  PetscInt wanted;
  PetscCall(InspectFile(comm, path, "vector", &length, &one));
  PetscCall(VecGetSize(like, &wanted));
  PetscCheck(length == wanted, comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s has %" PetscInt64_FMT " entries, expected %" PetscInt_FMT, path.c_str(), length, wanted);
  PetscFunctionReturn(0);
}

PetscErrorCode TrueResidual(Mat A, Vec b, Vec x, double *norm) {
  PetscFunctionBeginUser;
  Vec residual;
  PetscReal value;
  PetscCall(VecDuplicate(b, &residual));
  PetscCall(MatMult(A, x, residual));
  PetscCall(VecAYPX(residual, -1, b));
  PetscCall(VecNorm(residual, NORM_2, &value));
  PetscCall(VecDestroy(&residual));
  *norm = value;
  PetscFunctionReturn(0);
}

PetscErrorCode SolverName(KSP ksp, std::string *name) {
  PetscFunctionBeginUser;
  PC pc;
  KSPType ksp_type;
  PCType pc_type;
  PetscCall(KSPGetType(ksp, &ksp_type));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCGetType(pc, &pc_type));
  if (ksp_type && !std::strcmp(ksp_type, KSPTUNER)) {
    *name = ksp_type; // its configurations have preconditioners
    PetscFunctionReturn(0);
  }
  *name = std::string(ksp_type ? ksp_type : "no method") + " with " + (pc_type ? pc_type : "no preconditioner");
#if defined(PETSC_HAVE_HYPRE)
  if (pc_type && !std::strcmp(pc_type, PCHYPRE)) {
    const char *kind;
    PetscCall(PCHYPREGetType(pc, &kind));
    if (kind) *name += std::string(" ") + kind;
  }
#endif
  PetscFunctionReturn(0);
}

PetscErrorCode SetSystem(KSP ksp, const LinearSystem &system) {
  PetscFunctionBeginUser;
  PetscCall(KSPSetOperators(ksp, system.A, system.P));
  if (system.problem.grid) {
    PetscCall(KSPSetDM(ksp, system.problem.grid->PressureDM()));
    PetscCall(KSPSetDMActive(ksp, PETSC_FALSE)); // the matrix is there already
  }
  PetscFunctionReturn(0);
}

std::string GridSize(const Int3 &cells) {
  std::string text = std::to_string(cells[0]) + " x " + std::to_string(cells[1]);
  return cells[2] == 1 ? text : text + " x " + std::to_string(cells[2]);
}

PetscErrorCode LinearSystem::Destroy() {
  PetscFunctionBeginUser;
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&P));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  problem = Problem();
  PetscFunctionReturn(0);
}

PetscErrorCode MakeSystem(MPI_Comm comm, const ProblemSpec &spec, const std::string &pmat_type, LinearSystem *system) {
  PetscFunctionBeginUser;
  PetscCall(CreateProblem(comm, spec, &system->problem));
  const Grid &grid = *system->problem.grid;
  const PoissonCoefficients &coefficients = system->problem.coefficients;
  const DM dm = grid.PressureDM();
  PetscCallMPI(MPI_Barrier(comm));
  const double start = MPI_Wtime();
  PetscCall(AssemblePoisson(grid, coefficients, &system->A));
  if (pmat_type.empty()) {
    PetscCall(PetscObjectReference((PetscObject)system->A));
    system->P = system->A;
  } else {
    MatType usual;
    PetscCall(DMGetMatType(dm, &usual));
    const std::string restore = usual;
    PetscCall(DMSetMatType(dm, pmat_type.c_str()));
    PetscCall(AssemblePoisson(grid, coefficients, &system->P));
    PetscCall(DMSetMatType(dm, restore.c_str()));
  }
  system->assembly_seconds = MPI_Wtime() - start;
  PetscCall(Slowest(comm, &system->assembly_seconds));
  PetscCall(DMCreateGlobalVector(dm, &system->b));
  PetscCall(VecDuplicate(system->b, &system->x));
  PetscCall(grid.ToVec(system->problem.rhs, system->b));
  system->description = spec.name + " " + GridSize(grid.Cells().n);
  const std::size_t singular = system->problem.singular.cells.size();
  if (singular)
    system->description += ", " + std::to_string(singular) + " enclosed component" + (singular > 1 ? "s" : "");
  PetscFunctionReturn(0);
}

PetscErrorCode ReadSystem(MPI_Comm comm, const std::string &matrix, const std::string &rhs, LinearSystem *system,
                          std::shared_ptr<const Grid> grid) {
  PetscFunctionBeginUser;
  PetscInt64 rows, columns, length, one;
  PetscCall(InspectFile(comm, matrix, "matrix", &rows, &columns));
  PetscCall(InspectFile(comm, rhs, "vector", &length, &one));
  PetscCheck(rows == columns, comm, PETSC_ERR_FILE_UNEXPECTED,
             "The matrix in %s is not square: %" PetscInt64_FMT " rows, %" PetscInt64_FMT " columns", matrix.c_str(),
             rows, columns);
  PetscCheck(rows == length, comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s has %" PetscInt64_FMT " rows but %s has %" PetscInt64_FMT " entries; they do not belong together",
             matrix.c_str(), rows, rhs.c_str(), length);
  PetscCheck(!grid || rows == grid->GlobalCells(), comm, PETSC_ERR_FILE_UNEXPECTED,
             "%s has %" PetscInt64_FMT " rows, but its grid %s has %" PetscInt64_FMT " cells", matrix.c_str(), rows,
             GridSize(grid->Cells().n).c_str(), grid->GlobalCells());
  PetscViewer viewer;
  const double start = MPI_Wtime();
  PetscCall(PetscViewerBinaryOpen(comm, matrix.c_str(), FILE_MODE_READ, &viewer));
  if (grid) {
    // Matrices and vectors of a DMDA are read in natural ordering.
    PetscCall(DMCreateMatrix(grid->PressureDM(), &system->A));
    PetscCall(DMCreateGlobalVector(grid->PressureDM(), &system->b));
    PetscCall(VecDuplicate(system->b, &system->x));
    PetscCall(MatLoad(system->A, viewer));
    // Loading replaces the matrix and forgets how cells of the box are numbered.
    ISLocalToGlobalMapping map;
    PetscCall(DMGetLocalToGlobalMapping(grid->PressureDM(), &map));
    PetscCall(MatSetLocalToGlobalMapping(system->A, map, map));
  } else {
    PetscCall(MatCreate(comm, &system->A));
    PetscCall(MatSetType(system->A, MATAIJ));
    PetscCall(MatSetFromOptions(system->A));
    PetscCall(MatLoad(system->A, viewer));
    PetscCall(MatCreateVecs(system->A, &system->x, &system->b));
  }
  PetscCall(PetscViewerDestroy(&viewer));
  system->problem.grid = grid;
  PetscCall(PetscViewerBinaryOpen(comm, rhs.c_str(), FILE_MODE_READ, &viewer));
  PetscCall(VecLoad(system->b, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscCall(DetectNullSpace(system->A));
  system->assembly_seconds = MPI_Wtime() - start;
  PetscCall(Slowest(comm, &system->assembly_seconds));
  PetscCall(PetscObjectReference((PetscObject)system->A));
  system->P = system->A;
  system->description = matrix;
  PetscFunctionReturn(0);
}

PetscErrorCode CreateSolver(const LinearSystem &system, KSP *ksp) {
  PetscFunctionBeginUser;
  PC pc;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)system.A), ksp));
  PetscCall(SetSystem(*ksp, system));
  PetscCall(KSPSetType(*ksp, KSPCG));
  PetscCall(KSPSetTolerances(*ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(SetPoissonPreconditioner(pc));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(StopOnTrueResidual(*ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode SolveSystem(LinearSystem *system, PetscInt repeat, PetscInt seed, SolveReport *report) {
  PetscFunctionBeginUser;
  MPI_Comm comm = PetscObjectComm((PetscObject)system->A);
  KSP ksp;
  *report = SolveReport();
  PetscCall(CreateSolver(*system, &ksp));
  PetscCallMPI(MPI_Barrier(comm));
  double start = MPI_Wtime();
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPSetUpOnBlocks(ksp));
  report->setup_seconds = MPI_Wtime() - start;
  PetscCall(Slowest(comm, &report->setup_seconds));

  report->reason = KSP_CONVERGED_ITERATING;
  for (PetscInt solve = 0; solve < repeat; ++solve) {
    if (solve > 0 && system->problem.grid && system->problem.exact.empty()) {
      PetscCall(RandomRightHandSide(system->problem, seed + solve, &system->problem.rhs));
      PetscCall(system->problem.grid->ToVec(system->problem.rhs, system->b));
    }
    PetscCall(VecZeroEntries(system->x));
    PetscCallMPI(MPI_Barrier(comm));
    start = MPI_Wtime();
    PetscCall(KSPSolve(ksp, system->b, system->x));
    double seconds = MPI_Wtime() - start;
    PetscCall(Slowest(comm, &seconds));
    report->solve_seconds += seconds / double(repeat);

    PetscInt iterations;
    KSPConvergedReason reason;
    double norm;
    PetscReal scale;
    PetscCall(KSPGetIterationNumber(ksp, &iterations));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(TrueResidual(system->A, system->b, system->x, &norm));
    PetscCall(VecNorm(system->b, NORM_2, &scale));
    report->iterations = std::max(report->iterations, iterations);
    if (solve == 0 || report->reason > 0) report->reason = reason;
    const double relative = scale > 0 ? norm / scale : norm;
    if (!(relative <= report->true_residual)) report->true_residual = relative; // NaN too
  }
  PetscCall(KSPGetTolerances(ksp, &report->rtol, nullptr, nullptr, nullptr));

  if (system->problem.grid && !system->problem.exact.empty()) {
    report->error_known = true;
    PetscCall(SolutionError(system->problem, system->x, &report->error_l2, &report->error_max));
  }
  PetscCall(SolverName(ksp, &report->solver));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn(0);
}

} // namespace krylearn
