#include "solvers/flow/projection.h"
#include "meshes/files.h"
#include "meshes/log.h"
#include "solvers/ksp/dcdm.h"
#include "solvers/ksp/tuner.h"
#include "solvers/pc/nmg.h"
#include "solvers/poisson_preconditioner.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <petscviewer.h>

namespace krylearn {
namespace {
/// Iterations beyond which PCNMG has met a grid that it serves badly (stretched a thousandfold, say): from here
/// BoomerAMG, whose iterations cost two to five times as much, is the faster one.
constexpr PetscInt kStructuredLimit = 25;

/// Writes a matrix or vector in PETSc's binary format under its final name only once it is complete, without the .info
/// file beside it.
PetscErrorCode WriteBinary(MPI_Comm comm, const std::string &path, PetscObject object) {
  PetscFunctionBeginUser;
  PetscViewer viewer;
  PetscCall(PetscViewerCreate(comm, &viewer));
  PetscCall(PetscViewerSetType(viewer, PETSCVIEWERBINARY));
  PetscCall(PetscViewerFileSetMode(viewer, FILE_MODE_WRITE));
  PetscCall(PetscViewerBinarySetSkipInfo(viewer, PETSC_TRUE));
  const std::string temporary = path + ".part";
  PetscCall(PetscViewerFileSetName(viewer, temporary.c_str()));
  PetscCall(PetscObjectView(object, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(
      AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, "Cannot write " + path, rank == 0 ? Publish(temporary, path) : ""));
  PetscFunctionReturn(0);
}
} // namespace

Projection::~Projection() {
  PetscBool finalized = PETSC_FALSE;
  PetscFinalized(&finalized);
  if (finalized) return;
  KSPDestroy(&ksp_);
  MatDestroy(&matrix_);
  MatDestroy(&preconditioner_matrix_);
  VecDestroy(&rhs_);
  VecDestroy(&solution_);
}

PetscErrorCode Projection::SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                                 PoissonCoefficients coefficients, bool cut, double reference_velocity,
                                 const std::string &pmat_type) {
  PetscFunctionBeginUser;
  grid_ = grid;
  boundaries_ = boundaries;
  coefficients_ = std::move(coefficients);
  cut_ = cut;
  for (int d = 0; d < grid->Dim(); ++d)
    for (int side = 0; side < 2; ++side)
      has_inflow_ = has_inflow_ || boundaries->At(d, side).kind == Boundary::Kind::kInflow;
  reference_velocity_ = reference_velocity;
  PetscCall(FindSingularComponents(*grid, coefficients_, &components_));
  PetscCall(CheckComponentsBalance());
  PetscCall(DMSetMatType(grid->PressureDM(), MATAIJ));
  PetscCall(AssemblePoisson(*grid, coefficients_, &matrix_));
  // Options for hypre's algebraic multigrid choose it too.
  char *options;
  PetscCall(PetscOptionsGetAll(nullptr, &options));
  const bool chosen = strstr(options, "-pressure_pc_type") || strstr(options, "-pressure_pc_hypre");
  PetscCall(PetscFree(options));
  structured_ = pmat_type.empty() && !chosen;
  if (!pmat_type.empty()) {
    PetscCall(DMSetMatType(grid->PressureDM(), pmat_type.c_str()));
    PetscCall(AssemblePoisson(*grid, coefficients_, &preconditioner_matrix_));
    PetscCall(DMSetMatType(grid->PressureDM(), MATAIJ)); // what other matrices on this grid are made of
  }
  PetscCall(MatCreateVecs(matrix_, &solution_, &rhs_));

  double local[3] = {0, 0, 0}, global[3]; // fluid cells, their volume, open outflow area
  ForEachCell(grid->Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    if (coefficients_.solid[grid->Cells().At(i, j, k)] != 0) return;
    local[0] += 1;
    local[1] += grid->Volume(i, j, k);
  });
  for (int d = 0; d < grid->Dim(); ++d)
    for (int side = 0; side < 2; ++side)
      if (!boundaries->NormalGiven(d, side))
        ForBoundaryCells(*grid, d, side, [&](const Int3 &c, std::ptrdiff_t, std::ptrdiff_t face) {
          local[2] += grid->FaceArea(d, c[0], c[1], c[2]) * coefficients_.alpha[d][face];
        });
  PetscCallMPI(MPI_Allreduce(local, global, 3, MPI_DOUBLE, MPI_SUM, grid->Comm()));
  PetscCheck(global[0] > 0, grid->Comm(), PETSC_ERR_USER_INPUT, "The obstacles leave no fluid; make them smaller");
  fluid_cells_ = PetscInt64(global[0]);
  cell_volume_ = global[1] / global[0];
  outflow_area_ = global[2];
  width_ = grid->SmallestWidth(0);
  for (int d = 1; d < grid->Dim(); ++d) width_ = std::min(width_, grid->SmallestWidth(d));
  PetscCall(ConfigureSolver());
  PetscFunctionReturn(0);
}

/// What flows into a component without outflow must flow out of it again.
PetscErrorCode Projection::CheckComponentsBalance() const {
  PetscFunctionBeginUser;
  if (!has_inflow_ || components_.cells.empty()) PetscFunctionReturn(0);
  const std::size_t count = components_.cells.size();
  std::vector<double> local(2 * count, 0.0), global(2 * count); // net and gross inflow of each component
  for (int d = 0; d < grid_->Dim(); ++d)
    for (int side = 0; side < 2; ++side) {
      const Boundary &b = boundaries_->At(d, side);
      if (b.kind != Boundary::Kind::kInflow) continue;
      ForBoundaryCells(*grid_, d, side, [&](const Int3 &c, std::ptrdiff_t q, std::ptrdiff_t face) {
        if (components_.label[q] < 0) return;
        Real3 x{grid_->Centre(0, c[0]), grid_->Centre(1, c[1]), grid_->Centre(2, c[2])};
        x[d] = grid_->Face(d, side == 0 ? 0 : grid_->Cells().n[d]);
        const double flux = boundaries_->Value(d, side, d, x, b.period / 4) * grid_->FaceArea(d, c[0], c[1], c[2]) *
                            coefficients_.alpha[d][face];
        local[2 * components_.label[q]] += side == 0 ? flux : -flux;
        local[2 * components_.label[q] + 1] += std::abs(flux);
      });
    }
  PetscCallMPI(MPI_Allreduce(local.data(), global.data(), PetscMPIInt(2 * count), MPI_DOUBLE, MPI_SUM, grid_->Comm()));
  for (std::size_t n = 0; n < count; ++n)
    PetscCheck(std::abs(global[2 * n]) <= 1e-10 * global[2 * n + 1], grid_->Comm(), PETSC_ERR_USER_INPUT,
               "A net inflow of %g enters a part of the domain that obstacles separate from every outflow; leave a gap",
               global[2 * n]);
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::UseAlgebraicMultigrid() {
  PetscFunctionBeginUser;
  structured_ = false;
  PC pc;
  PetscCall(KSPGetPC(ksp_, &pc));
  PetscCall(SetPoissonPreconditioner(pc));
  PetscCall(PCSetFromOptions(pc));
  PetscCall(KSPSetUp(ksp_));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::ConfigureSolver() {
  PetscFunctionBeginUser;
  PetscCall(KSPCreate(grid_->Comm(), &ksp_));
  PetscCall(KSPSetOptionsPrefix(ksp_, "pressure_"));
  PetscCall(KSPSetDM(ksp_, grid_->PressureDM()));
  PetscCall(KSPSetDMActive(ksp_, PETSC_FALSE)); // the operators are ours; the DM serves geometric multigrid
  PetscCall(KSPSetType(ksp_, KSPCG));
  PetscCall(KSPSetNormType(ksp_, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(ksp_, tolerance_, PETSC_DEFAULT, PETSC_DEFAULT, 1000));
  PetscCall(KSPSetErrorIfNotConverged(ksp_, PETSC_FALSE));
  PetscCall(KSPSetOperators(ksp_, matrix_, preconditioner_matrix_ ? preconditioner_matrix_ : matrix_));
  PC pc;
  PetscCall(KSPGetPC(ksp_, &pc));
  if (structured_) PetscCall(PCSetType(pc, PCNMG));
  else PetscCall(SetPoissonPreconditioner(pc));
  PetscCall(KSPSetFromOptions(ksp_));
  PetscCall(StopOnTrueResidual(ksp_));
  PetscBool bears, tuned; // a preconditioner in single precision; or its own ones
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp_, &bears, KSPCG, KSPFCG, KSPFGMRES, KSPDCDM, ""));
  PetscCall(PetscObjectTypeCompare((PetscObject)ksp_, KSPTUNER, &tuned));
  if (tuned) structured_ = false;
  if (structured_ && !bears) PetscCall(UseAlgebraicMultigrid());
  PetscCall(KSPGetTolerances(ksp_, &tolerance_, nullptr, nullptr, nullptr));
  PetscCheck(tolerance_ > 1e-13 && tolerance_ < 0.1, grid_->Comm(), PETSC_ERR_USER_INPUT,
             "-pressure_ksp_rtol %g is no tolerance for the scaled divergence; choose 1e-12 to 1e-2", tolerance_);
  PetscCall(KSPSetUp(ksp_));
  PetscFunctionReturn(0);
}

void Projection::DivergenceRow(const FaceFields &u, PetscInt j, PetscInt k, double scale, double *out) const {
  const Layout &l = grid_->Cells();
  const std::ptrdiff_t s1 = l.stride[1], s2 = l.stride[2], row = l.At(l.lo[0], j, k);
  const bool three = grid_->Dim() == 3;
  const PetscInt count = l.hi[0] - l.lo[0];
  const double *wx = grid_->Widths(0) + l.lo[0];
  const double wy = grid_->Width(1, j), wz = grid_->Width(2, k);
  const double ax = scale * wy * wz, ay = scale * wz, az = scale * wy;
  const double *u0 = u[0].data() + row, *u1 = u[1].data() + row, *u2 = three ? u[2].data() + row : nullptr;
  if (!cut_ && three) {
#pragma GCC ivdep
    for (PetscInt i = 0; i < count; ++i)
      out[i] = ax * (u0[i + 1] - u0[i]) + wx[i] * (ay * (u1[i + s1] - u1[i]) + az * (u2[i + s2] - u2[i]));
  } else if (!cut_) {
#pragma GCC ivdep
    for (PetscInt i = 0; i < count; ++i) out[i] = ax * (u0[i + 1] - u0[i]) + wx[i] * (ay * (u1[i + s1] - u1[i]));
  } else {
    const double *a0 = coefficients_.alpha[0].data() + row, *a1 = coefficients_.alpha[1].data() + row;
    const double *a2 = three ? coefficients_.alpha[2].data() + row : nullptr;
#pragma GCC ivdep
    for (PetscInt i = 0; i < count; ++i)
      out[i] = ax * (a0[i + 1] * u0[i + 1] - a0[i] * u0[i]) + wx[i] * (ay * (a1[i + s1] * u1[i + s1] - a1[i] * u1[i]));
    if (three) {
#pragma GCC ivdep
      for (PetscInt i = 0; i < count; ++i) out[i] += wx[i] * az * (a2[i + s2] * u2[i + s2] - a2[i] * u2[i]);
    }
  }
}

PetscErrorCode Projection::Divergence(const FaceFields &u, double scale, Vec out) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().divergence, 0, 0, 0, 0));
  const Layout &l = grid_->Cells();
  PetscScalar *b;
  PetscCall(VecGetArrayWrite(out, &b));
  PetscScalar *row = b;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j, row += l.hi[0] - l.lo[0]) DivergenceRow(u, j, k, scale, row);
  PetscCall(VecRestoreArrayWrite(out, &b));
  PetscCall(PetscLogFlops((cut_ ? 6.0 : 4.0) * grid_->Dim() * l.OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().divergence, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::LargestDivergence(const FaceFields &u, double *largest) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().divergence, 0, 0, 0, 0));
  const Layout &l = grid_->Cells();
  const PetscInt count = l.hi[0] - l.lo[0];
  const double *inverse_width = grid_->InverseWidth(0) + l.lo[0];
  std::vector<double> row(count);
  // Eight running maxima keep the comparison off the critical path; "not below" lets NaN through.
  double best[8] = {};
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      DivergenceRow(u, j, k, grid_->InverseWidth(1)[j] * grid_->InverseWidth(2)[k], row.data());
      for (PetscInt i = 0; i < count; ++i) {
        const double d = std::abs(row[i]) * inverse_width[i];
        best[i % 8] = d <= best[i % 8] ? best[i % 8] : d;
      }
    }
  double local = 0;
  for (double b : best) local = b <= local ? local : b;
  if (std::isnan(local)) local = std::numeric_limits<double>::infinity(); // MPI_MAX may drop a NaN
  PetscCallMPI(MPI_Allreduce(&local, largest, 1, MPI_DOUBLE, MPI_MAX, grid_->Comm()));
  PetscCall(PetscLogFlops((cut_ ? 6.0 : 4.0) * grid_->Dim() * l.OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().divergence, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::Correct(double step, const Field &phi, FaceFields *u) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().correct, 0, 0, 0, 0));
  const Layout &l = grid_->Cells();
  // One ghost layer is corrected along with the owned cells, which saves exchanging three velocities.
  const PetscInt gz = l.ghosts[2] ? 1 : 0;
  const double *p = phi.data();
  for (int a = 0; a < grid_->Dim(); ++a) {
    const std::ptrdiff_t s = l.stride[a];
    const double *spacing = grid_->InverseDistance(a);
    // Faces with a given normal velocity keep it: their mirrored pressures differ by exactly zero.
    for (PetscInt k = l.lo[2] - gz; k < l.hi[2] + gz; ++k)
      for (PetscInt j = l.lo[1] - 1; j < l.hi[1] + 1; ++j) {
        const std::ptrdiff_t row = l.At(0, j, k);
        double *v = (*u)[a].data();
        const double factor = a == 0 ? 0 : step * spacing[a == 1 ? j : k];
        const PetscInt first = l.lo[0] - 1, last = l.hi[0] + 1;
        if (a == 0) {
#pragma GCC ivdep
          for (PetscInt i = first; i < last; ++i) v[row + i] -= step * spacing[i] * (p[row + i] - p[row + i - s]);
        } else {
#pragma GCC ivdep
          for (PetscInt i = first; i < last; ++i) v[row + i] -= factor * (p[row + i] - p[row + i - s]);
        }
      }
  }
  PetscCall(PetscLogFlops(4.0 * grid_->Dim() * l.OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().correct, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::Solve(double step) {
  PetscFunctionBeginUser;
  // Without inflow the fluxes of a closed component cancel face by face, and so do the right-hand sides.
  if (has_inflow_ && !components_.cells.empty()) PetscCall(MakeCompatible(*grid_, components_, rhs_));
  const double residual =
      tightening_ * tolerance_ * reference_velocity_ / width_ * cell_volume_ / step * std::sqrt(double(fluid_cells_));
  PetscCall(KSPSetTolerances(ksp_, 1e-15, residual, PETSC_DEFAULT, PETSC_DEFAULT));
  if (!capture_.empty()) PetscCall(Capture(step));
  PetscInt its;
  KSPConvergedReason reason;
  const auto solve = [&]() -> PetscErrorCode {
    PetscFunctionBeginUser;
    PetscCall(KSPSolve(ksp_, rhs_, solution_));
    PetscCall(KSPGetIterationNumber(ksp_, &its));
    PetscCall(KSPGetConvergedReason(ksp_, &reason));
    iterations_ += its;
    PetscFunctionReturn(0);
  };
  PetscCall(solve());
  if (structured_ && (reason < 0 || its > kStructuredLimit)) {
    PetscCall(PetscInfo(ksp_, "PCNMG took %" PetscInt_FMT " iterations (%s); BoomerAMG takes over\n", its,
                        KSPConvergedReasons[reason]));
    PetscCall(UseAlgebraicMultigrid());
    if (reason < 0) PetscCall(solve());
  }
  // A residual at rounding level is as good as it gets, whatever the reason says.
  PetscReal norm;
  PetscCall(KSPGetResidualNorm(ksp_, &norm));
  PetscCheck(reason > 0 || norm <= 100 * residual, grid_->Comm(), PETSC_ERR_NOT_CONVERGED,
             "The pressure solve did not converge (%s after %" PetscInt_FMT
             " iterations); try another -pressure_pc_type or a larger -pressure_ksp_rtol",
             KSPConvergedReasons[reason], its);
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::Apply(double step, bool strict, FaceFields *u, Field *phi, ImmersedBoundary *immersed,
                                 int stage) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().project, 0, 0, 0, 0));
  const int attempts = strict ? 5 : 1;
  Field previous;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (attempt > 0) previous = *phi;
    PetscCall(Divergence(*u, -1 / step, rhs_));
    PetscCall(Solve(step));
    PetscCall(grid_->FromVec(solution_, phi));
    PetscCall(grid_->Exchange({phi}));
    boundaries_->FillPressure(*phi);
    PetscCall(Correct(step, *phi, u));
    if (immersed) PetscCall(immersed->CloseFaces(stage, step, *phi, u));
    if (attempt > 0)
      for (std::size_t q = 0; q < phi->size(); ++q) (*phi)[q] += previous[q];
    if (!strict) break;
    PetscCall(BalanceOutflow(u));
    double largest;
    PetscCall(LargestDivergence(*u, &largest));
    scaled_divergence_ = largest * width_ / reference_velocity_;
    PetscCheck(std::isfinite(scaled_divergence_), grid_->Comm(), PETSC_ERR_FP,
               "The flow has blown up (velocity is not finite); use a smaller -cfl or a finer grid");
    if (scaled_divergence_ <= 10 * tolerance_) {
      tightening_ = std::min(1.0, 1.01 * tightening_); // a hard start need not burden the whole run
      break;
    }
    PetscCheck(
        attempt + 1 < attempts, grid_->Comm(), PETSC_ERR_NOT_CONVERGED,
        "The divergence stays at %.1e, above ten times the tolerance %.0e: the flow blows up (smaller -cfl or -dt), or "
        "the solver is too weak (another -pressure_pc_type, a larger -pressure_ksp_rtol)",
        scaled_divergence_, tolerance_);
    // The root-mean-square test let single cells through; from now on stop lower.
    tightening_ = std::max(1e-6, tightening_ * std::max(0.05, 5 * tolerance_ / scaled_divergence_));
  }
  PetscCall(PetscLogEventEnd(Log().project, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::BalanceOutflow(FaceFields *u) const {
  PetscFunctionBeginUser;
  if (outflow_area_ <= 0) PetscFunctionReturn(0);
  const Layout &l = grid_->Cells();
  const auto for_boundary = [&](bool outflow_only, auto &&body) {
    for (int d = 0; d < grid_->Dim(); ++d)
      for (int side = 0; side < 2; ++side) {
        if (!grid_->AtBoundary(d, side) || (outflow_only && boundaries_->NormalGiven(d, side))) continue;
        Int3 first = l.lo, last = l.hi;
        if (outflow_only) // the copies of these faces that neighbouring ranks hold follow suit
          for (int e = 0; e < grid_->Dim(); ++e) --first[e], ++last[e];
        first[d] = side == 0 ? 0 : l.n[d] - 1;
        last[d] = first[d] + 1;
        for (PetscInt k = first[2]; k < last[2]; ++k)
          for (PetscInt j = first[1]; j < last[1]; ++j)
            for (PetscInt i = first[0]; i < last[0]; ++i) {
              const std::ptrdiff_t q = l.At(i, j, k) + (side == 0 ? 0 : l.stride[d]);
              body((*u)[d][q], coefficients_.alpha[d][q] * grid_->FaceArea(d, i, j, k), side == 0 ? -1.0 : 1.0);
            }
      }
  };
  double local = 0, net;
  for_boundary(false, [&](double v, double area, double outward) { local += outward * area * v; });
  PetscCallMPI(MPI_Allreduce(&local, &net, 1, MPI_DOUBLE, MPI_SUM, grid_->Comm()));
  for_boundary(true, [&](double &v, double area, double outward) {
    if (area > 0) v -= outward * net / outflow_area_;
  });
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::CaptureTo(const std::string &folder) {
  PetscFunctionBeginUser;
  capture_ = folder;
  if (folder.empty()) PetscFunctionReturn(0);
  PetscCall(WriteBinary(grid_->Comm(), folder + "/matrix.bin", (PetscObject)matrix_));
  PetscFunctionReturn(0);
}

PetscErrorCode Projection::Capture(double step) {
  PetscFunctionBeginUser;
  char name[PETSC_MAX_PATH_LEN];
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s/rhs_%06" PetscInt_FMT ".bin", capture_.c_str(), captured_));
  PetscCall(WriteBinary(grid_->Comm(), name, (PetscObject)rhs_));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s/sequence.txt", capture_.c_str()));
  FILE *file;
  PetscCall(PetscFOpen(grid_->Comm(), name, captured_ == 0 ? "w" : "a", &file));
  PetscReal atol;
  PetscCall(KSPGetTolerances(ksp_, nullptr, &atol, nullptr, nullptr));
  const Int3 &n = grid_->Cells().n;
  if (captured_ == 0)
    PetscCall(PetscFPrintf(grid_->Comm(), file,
                           "grid %" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT " periodic %d %d %d\n", n[0], n[1],
                           n[2], grid_->Periodic(0), grid_->Periodic(1), grid_->Periodic(2)));
  PetscCall(PetscFPrintf(grid_->Comm(), file, "matrix.bin rhs_%06" PetscInt_FMT ".bin step %.17g residual %.17g\n",
                         captured_, step, double(atol)));
  PetscCall(PetscFClose(grid_->Comm(), file));
  ++captured_;
  PetscFunctionReturn(0);
}

} // namespace krylearn
