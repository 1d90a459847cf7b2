#include "solvers/pc/pc_grid.h"
#include "solvers/pc/nmg/extract.h"
#include <cmath>
#include <petsc/private/pcimpl.h>

namespace krylearn {
namespace {

/// Ranks along each axis with the least surface between them, every rank with a cell at least; zeros if there is no
/// way.
Int3 DivideRanks(int size, const Int3 &n) {
  double best = -1;
  Int3 ranks{0, 0, 0};
  for (PetscInt z = 1; z <= size; ++z)
    for (PetscInt y = 1; y * z <= size; ++y) {
      const Int3 p{size / (y * z), y, z};
      if (p[0] * y * z != size || p[0] > n[0] || y > n[1] || z > n[2]) continue;
      double surface = 0;
      for (std::size_t a = 0; a < 3; ++a)
        surface += double(p[a] - 1) * double(n[(a + 1) % 3]) * double(n[(a + 2) % 3]) * (1 + 1e-3 * double(2 - a));
      if (best >= 0 && surface >= best) continue;
      best = surface;
      ranks = p;
    }
  return ranks;
}

} // namespace

PetscErrorCode ResidualScale::Look(Vec r) {
  PetscFunctionBegin;
  if (solving_ && known_) PetscFunctionReturn(0);
  PetscReal largest;
  PetscCall(VecNorm(r, NORM_INFINITY, &largest));
  factor = largest > 0 && std::isfinite(largest) ? std::ldexp(1.0, -std::ilogb(largest)) : 1;
  if (!std::isfinite(factor)) factor = 1;
  known_ = largest > 0;
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::Reset() {
  PetscFunctionBegin;
  PetscCall(DMDestroy(&dm_));
  PetscCall(ISDestroy(&rows_));
  PetscCall(VecScatterDestroy(&to_box_));
  PetscCall(VecDestroy(&in_));
  PetscCall(VecDestroy(&out_));
  PetscCall(MatDestroy(&reordered_));
  box_.reset();
  PetscFunctionReturn(0);
}

/// The DMDA that the PC or its matrix knows, or null.
PetscErrorCode PCGrid::FindDMDA(PC pc, DM *dm) const {
  PetscFunctionBegin;
  *dm = pc->dm;
  if (!*dm) PetscCall(MatGetDM(pc->pmat, dm));
  PetscBool structured = PETSC_FALSE;
  if (*dm) PetscCall(PetscObjectTypeCompare((PetscObject)*dm, DMDA, &structured));
  if (!structured) *dm = nullptr;
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::SetUpNatural(PC pc) {
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  const Int3 &n = natural;
  PetscFunctionBegin;
  PetscInt rows;
  PetscMPIInt size;
  const PetscInt64 cells = PetscInt64(n[0]) * n[1] * n[2];
  PetscCall(MatGetSize(pc->pmat, &rows, nullptr));
  PetscCheck(rows == cells, comm, PETSC_ERR_ARG_SIZ,
             "-%s %" PetscInt_FMT ",%" PetscInt_FMT ",%" PetscInt_FMT " has %" PetscInt64_FMT
             " cells, but the matrix has %" PetscInt_FMT " rows",
             key_.c_str(), n[0], n[1], n[2], cells, rows);
  PetscCallMPI(MPI_Comm_size(comm, &size));
  DM known;
  PetscCall(FindDMDA(pc, &known));
  const char *prefix = ((PetscObject)pc)->prefix;
  PetscCall(nmg::Together(comm, [&] {
    const std::string option = std::string("-") + (prefix ? prefix : "") + key_;
    advice_ = option + " is for natural ordering (x fastest on the whole grid, whatever the ranks); ";
    if (known) advice_ += "leave it out, since the matrix has a DMDA, which numbers rank by rank,";
    else advice_ += "give other numbers, or where rows are numbered rank by rank set the DMDA with KSPSetDM() instead,";
    return 0;
  }));
  const Int3 ranks = DivideRanks(size, n);
  PetscCheck(ranks[0] > 0, comm, PETSC_ERR_SUP,
             "%s cannot divide a grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             " cells over %d ranks; use fewer ranks",
             type_.c_str(), n[0], n[1], n[2], int(size));
  PetscCall(DMDACreate3d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n[0], n[1],
                         n[2], ranks[0], ranks[1], ranks[2], 1, 1, nullptr, nullptr, nullptr, &dm_));
  PetscCall(DMSetUp(dm_));
  PetscCall(nmg::BoxOfDMDA(dm_, &box_));
  const Layout &l = box_->layout;
  std::vector<PetscInt> numbers;
  PetscCall(nmg::Together(comm, [&] {
    numbers.reserve(std::size_t(l.OwnedCells()));
    return 0;
  }));
  nmg::ForOwned(l,
                [&](PetscInt i, PetscInt j, PetscInt k, std::size_t) { numbers.push_back(i + n[0] * (j + n[1] * k)); });
  PetscCall(ISCreateGeneral(comm, PetscInt(numbers.size()), numbers.data(), PETSC_COPY_VALUES, &rows_));
  Vec vec;
  PetscCall(MatCreateVecs(pc->pmat, nullptr, &vec));
  PetscCall(VecCreateMPI(comm, l.OwnedCells(), PETSC_DECIDE, &in_));
  PetscCall(VecDuplicate(in_, &out_));
  PetscCall(VecScatterCreate(vec, rows_, in_, nullptr, &to_box_));
  PetscCall(VecDestroy(&vec));
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::SetUp(PC pc) {
  PetscFunctionBegin;
  if (natural[0] > 0) {
    if (to_box_) PetscFunctionReturn(0);
    PetscCall(Reset()); // what an attempt that failed may have left
    PetscCall(SetUpNatural(pc));
    PetscFunctionReturn(0);
  }
  DM dm;
  PetscCall(FindDMDA(pc, &dm));
  if (box_ && (!dm || dm == dm_)) PetscFunctionReturn(0);
  PetscCall(Reset());
  const char *prefix = ((PetscObject)pc)->prefix;
  PetscCheck(
      dm, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE,
      "%s needs to know the grid: give -%s%s nx,ny[,nz] for a matrix in natural ordering (x fastest), or set a DMDA "
      "with KSPSetDM() or DMCreateMatrix()",
      type_.c_str(), prefix ? prefix : "", key_.c_str());
  PetscCall(nmg::BoxOfDMDA(dm, &box_));
  PetscCall(PetscObjectReference((PetscObject)dm));
  dm_ = dm;
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::Matrix(PC pc, Mat *matrix) {
  PetscFunctionBegin;
  *matrix = pc->pmat;
  if (!rows_) PetscFunctionReturn(0);
  if (pc->flag == DIFFERENT_NONZERO_PATTERN) PetscCall(MatDestroy(&reordered_));
  PetscCall(
      MatCreateSubMatrix(pc->pmat, rows_, rows_, reordered_ ? MAT_REUSE_MATRIX : MAT_INITIAL_MATRIX, &reordered_));
  *matrix = reordered_;
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::Enter(Vec r, Vec z, const PetscScalar **in, PetscScalar **out) {
  PetscFunctionBegin;
  if (to_box_) {
    PetscCall(VecScatterBegin(to_box_, r, in_, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecScatterEnd(to_box_, r, in_, INSERT_VALUES, SCATTER_FORWARD));
  }
  PetscCall(VecGetArrayRead(to_box_ ? in_ : r, in));
  PetscCall(VecGetArrayWrite(to_box_ ? out_ : z, out));
  PetscFunctionReturn(0);
}

PetscErrorCode PCGrid::Leave(Vec r, Vec z, const PetscScalar **in, PetscScalar **out) {
  PetscFunctionBegin;
  PetscCall(VecRestoreArrayWrite(to_box_ ? out_ : z, out));
  PetscCall(VecRestoreArrayRead(to_box_ ? in_ : r, in));
  if (to_box_) {
    PetscCall(VecScatterBegin(to_box_, out_, z, INSERT_VALUES, SCATTER_REVERSE));
    PetscCall(VecScatterEnd(to_box_, out_, z, INSERT_VALUES, SCATTER_REVERSE));
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
