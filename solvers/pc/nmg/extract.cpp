#include "solvers/pc/nmg/extract.h"
#include <cmath>
#include <petscmat.h>
#include <unordered_map>

namespace krylearn {
namespace nmg {
namespace {

constexpr double kSymmetry = 1e-6; ///< relative difference of two couplings that should be one

/// What is wrong with a matrix, by the row that shows it; the smallest row of all ranks is reported.
struct Complaint {
  enum Kind { kNone, kNotAStar, kNotSymmetric, kDiagonal };
  PetscInt row = PETSC_MAX_INT, column = -1;
  Kind kind = kNone;
  void Note(Kind what, PetscInt r, PetscInt c) {
    if (r < row) row = r, column = c, kind = what;
  }
};

PetscErrorCode Report(MPI_Comm comm, DM dm, bool natural, const Layout &l, Complaint mine) {
  PetscFunctionBeginUser;
  PetscInt first = mine.row;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPIU_INT, MPI_MIN, comm));
  if (first == PETSC_MAX_INT) PetscFunctionReturn(0);
  PetscInt facts[2] = {mine.row == first ? mine.column : -1, mine.row == first ? PetscInt(mine.kind) : 0};
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, facts, 2, MPIU_INT, MPI_MAX, comm));
  if (natural) { // the matrix was reordered; the user knows its rows by their natural numbers
    AO order;
    PetscCall(DMDAGetAO(dm, &order));
    PetscCall(AOPetscToApplication(order, 1, &first));
    if (facts[0] >= 0) PetscCall(AOPetscToApplication(order, 1, &facts[0]));
  }
  const char *advice = "use another preconditioner, such as -pc_type gamg or hypre";
  PetscCheck(facts[1] != Complaint::kNotAStar, comm, PETSC_ERR_SUP,
             "PCNMG needs a star stencil (5 points in 2D, 7 in 3D), but row %" PetscInt_FMT " has an entry in column %"
             PetscInt_FMT ", which is not next to it on the grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             " cells; check the grid or %s",
             first, facts[0], l.n[0], l.n[1], l.n[2], advice);
  PetscCheck(facts[1] != Complaint::kNotSymmetric, comm, PETSC_ERR_SUP,
             "PCNMG needs a symmetric matrix, but row %" PetscInt_FMT " differs from its column; %s", first, advice);
  SETERRQ(comm, PETSC_ERR_SUP, "PCNMG needs positive diagonals, but row %" PetscInt_FMT " has none (or an entry that is no number); %s", first, advice);
}

/// The parts of an AIJ matrix on this rank: rows × own columns, rows × others' columns.
struct LocalPart {
  Mat matrix = nullptr;
  const PetscInt *rows = nullptr, *columns = nullptr;
  const PetscScalar *values = nullptr;
  PetscInt count = 0;
  PetscErrorCode Open(Mat m) {
    PetscFunctionBeginUser;
    PetscBool done;
    matrix = m;
    PetscCall(MatGetRowIJ(m, 0, PETSC_FALSE, PETSC_FALSE, &count, &rows, &columns, &done));
    PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The matrix gives no access to its rows");
    PetscCall(MatSeqAIJGetArrayRead(m, &values));
    PetscFunctionReturn(0);
  }
  PetscErrorCode Close() {
    PetscFunctionBeginUser;
    PetscBool done;
    PetscCall(MatSeqAIJRestoreArrayRead(matrix, &values));
    PetscCall(MatRestoreRowIJ(matrix, 0, PETSC_FALSE, PETSC_FALSE, &count, &rows, &columns, &done));
    PetscFunctionReturn(0);
  }
};

/// Sorts matrix entries into the couplings of a stencil.
class Reader {
public:
  Reader(const Box &box, Stencil *stencil) : box_(box), l_(box.layout), stencil_(*stencil) {
    stencil_.lower = LowerNeighbours(l_.n, false);
    stencil_.coupling.assign(stencil_.lower.size(), box.NewArray());
    stencil_.diagonal = box.NewArray();
    stencil_.row_sum = box.NewArray();
    upper.assign(stencil_.lower.size(), box.NewArray());
    int next = 0;
    for (int a = 2; a >= 0; --a) number_[std::size_t(a)] = l_.n[std::size_t(a)] > 1 ? next++ : -1;
  }

  /// An entry between a cell and another at distance `d`; false where that is no neighbour.
  bool Take(std::size_t at, Int3 d, double value) {
    int axis = -1;
    for (int a = 0; a < 3; ++a) {
      PetscInt &step = d[std::size_t(a)];
      const PetscInt n = l_.n[std::size_t(a)];
      if (box_.periodic[std::size_t(a)] && n > 2 && (step == n - 1 || step == 1 - n)) step = step > 0 ? -1 : 1;
      if (step == 0) continue;
      if (axis >= 0 || step > 1 || step < -1) return false;
      axis = a;
    }
    if (axis < 0) return false;
    std::vector<Array> &into = d[std::size_t(axis)] < 0 ? stencil_.coupling : upper;
    into[std::size_t(number_[std::size_t(axis)])][at] = float(-value);
    return true;
  }

  std::vector<Array> upper; ///< couplings as the lower cell's row has them

private:
  const Box &box_;
  const Layout &l_;
  Stencil &stencil_;
  std::array<int, 3> number_{}; ///< of the lower neighbour along each axis
};

/// Global number -> cell, for the ghosts of a DMDA.
PetscErrorCode GhostCells(DM dm, const Layout &l, std::unordered_map<PetscInt, Int3> *cells) {
  PetscFunctionBeginUser;
  ISLocalToGlobalMapping map;
  const PetscInt *global;
  Int3 start, count;
  PetscCall(DMGetLocalToGlobalMapping(dm, &map));
  PetscCall(ISLocalToGlobalMappingGetIndices(map, &global));
  PetscCall(DMDAGetGhostCorners(dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  for (PetscInt k = 0; k < count[2]; ++k)
    for (PetscInt j = 0; j < count[1]; ++j)
      for (PetscInt i = 0; i < count[0]; ++i) {
        Int3 cell{start[0] + i, start[1] + j, start[2] + k};
        // Ghosts across faces only; those across corners may be images of the same cells.
        int outside = 0;
        for (std::size_t a = 0; a < 3; ++a) outside += cell[a] < l.lo[a] || cell[a] >= l.hi[a];
        const PetscInt number = global[i + count[0] * (j + count[1] * k)];
        if (outside != 1 || number < 0) continue;
        // Around a circle of two cells the neighbour on both sides is the same cell.
        for (std::size_t a = 0; a < 3; ++a)
          if (l.n[a] == 2) cell[a] = (cell[a] + 2) % 2;
        (*cells)[number] = cell;
      }
  PetscCall(ISLocalToGlobalMappingRestoreIndices(map, &global));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode BoxOfDMDA(DM dm, std::shared_ptr<Box> *box) {
  PetscFunctionBeginUser;
  PetscInt dim, dof, width;
  Int3 n, ranks, lo, size;
  DMBoundaryType kind[3];
  PetscCall(DMDAGetInfo(dm, &dim, &n[0], &n[1], &n[2], &ranks[0], &ranks[1], &ranks[2], &dof, &width, &kind[0],
                        &kind[1], &kind[2], nullptr));
  PetscCheck(dof == 1, PetscObjectComm((PetscObject)dm), PETSC_ERR_SUP,
             "PCNMG needs one unknown a cell, but the DMDA has %" PetscInt_FMT
             "; use it for single fields, for instance inside -pc_type fieldsplit", dof);
  PetscCall(DMDAGetCorners(dm, &lo[0], &lo[1], &lo[2], &size[0], &size[1], &size[2]));
  Int3 hi;
  std::array<bool, 3> periodic{};
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(PetscObjectComm((PetscObject)dm), &rank));
  const Int3 place{rank % ranks[0], rank / ranks[0] % ranks[1], rank / (ranks[0] * ranks[1])};
  std::array<std::array<int, 2>, 3> neighbours;
  for (std::size_t a = 0; a < 3; ++a) {
    hi[a] = lo[a] + size[a];
    periodic[a] = PetscInt(a) < dim && kind[a] == DM_BOUNDARY_PERIODIC && n[a] > 1;
    for (std::size_t side = 0; side < 2; ++side) {
      Int3 q = place;
      q[a] += side == 0 ? -1 : 1;
      const bool outside = q[a] < 0 || q[a] >= ranks[a];
      q[a] = (q[a] + ranks[a]) % ranks[a];
      neighbours[a][side] =
          outside && !periodic[a] ? MPI_PROC_NULL : int(q[0] + ranks[0] * (q[1] + ranks[1] * q[2]));
    }
  }
  PetscCall(MakeBox(PetscObjectComm((PetscObject)dm), n, lo, hi, periodic, neighbours, box));
  PetscFunctionReturn(0);
}

PetscErrorCode ExtractStencil(Mat matrix, DM dm, bool natural, const Box &box, Stencil *stencil,
                              std::vector<IsolatedRow> *isolated, double *unit) {
  PetscFunctionBeginUser;
  const Layout &l = box.layout;
  MPI_Comm comm = PetscObjectComm((PetscObject)matrix);
  PetscInt first, rows, all;
  PetscCall(MatGetOwnershipRange(matrix, &first, nullptr));
  PetscCall(MatGetLocalSize(matrix, &rows, nullptr));
  PetscCall(MatGetSize(matrix, &all, nullptr));
  const PetscInt64 cells = PetscInt64(l.n[0]) * l.n[1] * l.n[2];
  int fits = all == cells && rows == l.OwnedCells(), everywhere;
  PetscCallMPI(MPI_Allreduce(&fits, &everywhere, 1, MPI_INT, MPI_MIN, comm));
  PetscCheck(everywhere, comm, PETSC_ERR_ARG_SIZ,
             "The matrix has %" PetscInt_FMT " rows, the grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             " has %" PetscInt64_FMT " cells, or they are divided over the ranks in another way; give the right "
             "-pc_nmg_grid nx,ny,nz", all, l.n[0], l.n[1], l.n[2], cells);

  Mat diagonal_part = matrix, other_part = nullptr;
  const PetscInt *other_columns = nullptr;
  PetscBool parallel;
  PetscCall(PetscObjectTypeCompare((PetscObject)matrix, MATMPIAIJ, &parallel));
  if (parallel) PetscCall(MatMPIAIJGetSeqAIJ(matrix, &diagonal_part, &other_part, &other_columns));
  LocalPart own, other;
  std::unordered_map<PetscInt, Int3> ghosts;
  PetscCall(own.Open(diagonal_part));
  if (other_part) {
    PetscCall(other.Open(other_part));
    PetscCall(GhostCells(dm, l, &ghosts));
  }

  // Single precision has room for 38 decimal places only: the matrix is taken in units of its largest diagonal.
  *unit = 0;
  for (PetscInt r = 0; r < rows; ++r)
    for (PetscInt e = own.rows[r]; e < own.rows[r + 1]; ++e)
      if (own.columns[e] == r && std::isfinite(PetscRealPart(own.values[e])))
        *unit = std::max(*unit, PetscRealPart(own.values[e]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, unit, 1, MPI_DOUBLE, MPI_MAX, comm));
  if (!(*unit > 0)) *unit = 1;
  const double inverse_unit = 1 / *unit;
  Reader reader(box, stencil);
  Complaint complaint;
  isolated->clear();
  Array alone = box.NewArray();
  std::vector<double> diagonals(std::size_t(rows), 0.0), sums(std::size_t(rows), 0.0); // sums of whole rows
  const Int3 size{l.hi[0] - l.lo[0], l.hi[1] - l.lo[1], l.hi[2] - l.lo[2]};
  PetscInt row = 0;
  ForOwned(l, [&](PetscInt i, PetscInt j, PetscInt k, std::size_t at) {
    bool coupled = false;
    for (PetscInt e = own.rows[row]; e < own.rows[row + 1]; ++e) {
      const PetscInt column = own.columns[e], step = column - row;
      const double value = PetscRealPart(own.values[e]) * inverse_unit;
      sums[std::size_t(row)] += value;
      if (step == 0) {
        diagonals[std::size_t(row)] = value;
        continue;
      }
      if (value == 0) continue;
      coupled = true;
      const Int3 cell{column % size[0], column / size[0] % size[1], column / (size[0] * size[1])};
      if (!reader.Take(at, {cell[0] + l.lo[0] - i, cell[1] + l.lo[1] - j, cell[2] + l.lo[2] - k}, value))
        complaint.Note(Complaint::kNotAStar, first + row, first + column);
    }
    for (PetscInt e = other_part ? other.rows[row] : 0; other_part && e < other.rows[row + 1]; ++e) {
      const double value = PetscRealPart(other.values[e]) * inverse_unit;
      sums[std::size_t(row)] += value;
      if (value == 0) continue;
      coupled = true;
      const PetscInt column = other_columns[other.columns[e]];
      const auto found = ghosts.find(column);
      if (found == ghosts.end() ||
          !reader.Take(at, {found->second[0] - i, found->second[1] - j, found->second[2] - k}, value))
        complaint.Note(Complaint::kNotAStar, first + row, column);
    }
    const double diagonal = diagonals[std::size_t(row)];
    if (!(diagonal > 0) || !std::isfinite(sums[std::size_t(row)])) complaint.Note(Complaint::kDiagonal, first + row, first + row);
    if (!coupled) {
      alone[at] = 1;
      isolated->push_back({row, inverse_unit / diagonal});
    }
    ++row;
  });
  PetscCall(own.Close());
  if (other_part) PetscCall(other.Close());
  PetscCall(Report(comm, dm, natural, l, complaint));

  // Couplings to isolated rows go; the others must be the same from both sides.
  std::vector<Array *> arrays = {&alone};
  for (Array &u : reader.upper) arrays.push_back(&u);
  for (Array *array : arrays) PetscCall(box.Exchange(array));
  for (std::size_t c = 0; c < stencil->lower.size(); ++c) {
    const std::ptrdiff_t o = l.Offset(stencil->lower[c]);
    Array &lower = stencil->coupling[c], &upper = reader.upper[c];
    row = 0;
    ForOwned(l, [&](PetscInt, PetscInt, PetscInt, std::size_t at) {
      const std::size_t below = at + std::size_t(o);
      const std::size_t above = at - std::size_t(o);
      // What a row gives to an isolated one stays in its diagonal.
      if (alone[below] > 0) sums[std::size_t(row)] += lower[at];
      if (alone[above] > 0) sums[std::size_t(row)] += upper[at];
      if (alone[at] > 0 || alone[below] > 0) {
        lower[at] = 0;
      } else if (std::fabs(lower[at] - upper[below]) > kSymmetry * diagonals[std::size_t(row)]) {
        complaint.Note(Complaint::kNotSymmetric, first + row, -1);
      }
      ++row;
    });
  }
  PetscCall(Report(comm, dm, natural, l, complaint));
  row = 0;
  ForOwned(l, [&](PetscInt, PetscInt, PetscInt, std::size_t at) {
    if (alone[at] == 0) {
      const double diagonal = diagonals[std::size_t(row)], rest = sums[std::size_t(row)];
      stencil->diagonal[at] = float(diagonal);
      stencil->row_sum[at] = std::fabs(rest) > 1e-12 * diagonal ? float(rest) : 0;
    }
    ++row;
  });
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
