#include "solvers/pc/nmg/extract.h"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <petscmat.h>
#include <unordered_map>

namespace krylearn {
namespace nmg {
namespace {

constexpr float kSymmetry = 1e-6f; ///< relative difference of two couplings that should be one
/// The same, relative to the smaller of the diagonals: what their assembly may have lost to rounding.
constexpr float kSymmetryOfDiagonal = 1e-12f;
constexpr double kRounding = 1e-12; ///< row sums of this share of the diagonal are none

/// What is wrong with a matrix, by the row that shows it; the smallest row of all ranks is reported.
struct Complaint {
  enum Kind { kNone, kNotAStar, kNotSymmetric, kRange, kDiagonal };
  PetscInt row = PETSC_MAX_INT, column = -1; ///< where entries differ, the column is a cell's natural number
  Kind kind = kNone;
  std::array<double, 2> entries{}; ///< that differ: of this row, of the other
  void Note(Kind what, PetscInt r, PetscInt c, const std::array<double, 2> &both = {}) {
    if (r < row) row = r, column = c, kind = what, entries = both;
  }
};

PetscErrorCode Report(const char *who, MPI_Comm comm, DM dm, const char *natural, const Layout &l, Complaint mine) {
  PetscFunctionBeginUser;
  PetscInt first = mine.row;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPIU_INT, MPI_MIN, comm));
  if (first == PETSC_MAX_INT) PetscFunctionReturn(0);
  PetscInt facts[2] = {mine.row == first ? mine.column : -1, mine.row == first ? PetscInt(mine.kind) : 0};
  std::array<double, 2> entries = mine.row == first ? mine.entries : std::array<double, 2>{};
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, facts, 2, MPIU_INT, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, entries.data(), 2, MPI_DOUBLE, MPI_SUM, comm));
  // Users know the rows of a matrix that was reordered by their natural numbers.
  const bool natural_column = facts[1] == Complaint::kNotSymmetric;
  AO order;
  PetscCall(DMDAGetAO(dm, &order));
  if (natural) PetscCall(AOPetscToApplication(order, 1, &first));
  if (natural && !natural_column) PetscCall(AOPetscToApplication(order, 1, &facts[0]));
  if (!natural && natural_column) PetscCall(AOApplicationToPetsc(order, 1, &facts[0]));
  const char *advice = "use another preconditioner, such as -pc_type gamg or hypre";
  PetscCheck(facts[1] != Complaint::kNotAStar, comm, PETSC_ERR_SUP,
             "%s needs a star stencil (5 points in 2D, 7 in 3D), but row %" PetscInt_FMT " has an entry in column %"
             PetscInt_FMT ", which is not next to it on the grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             " cells; check the grid%s%s or %s",
             who, first, facts[0], l.n[0], l.n[1], l.n[2], natural ? ": " : "", natural ? natural : "", advice);
  PetscCheck(facts[1] != Complaint::kNotSymmetric, comm, PETSC_ERR_SUP,
             "%s needs a symmetric matrix, but entry (%" PetscInt_FMT ",%" PetscInt_FMT ") is %.7g and entry (%"
             PetscInt_FMT ",%" PetscInt_FMT ") is %.7g; %s",
             who, first, facts[0], entries[0], facts[0], first, entries[1], advice);
  PetscCheck(facts[1] != Complaint::kRange, comm, PETSC_ERR_SUP,
             "%s works in single precision, but the entries of row %" PetscInt_FMT
             " are more than 1e37 times larger or smaller than those of others; scale the system or %s",
             who, first, advice);
  SETERRQ(comm, PETSC_ERR_SUP,
          "%s needs positive diagonals, but row %" PetscInt_FMT " has none (or an entry that is no number); %s", who,
          first, advice);
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

/// Single precision holds the entries of a row, the diagonal and the sum of the others' sizes given.
bool InRange(double diagonal, double coupled) { return (diagonal >= FLT_MIN) & (diagonal + coupled <= FLT_MAX); }

/// Two couplings that should be one, and the diagonals of the cells.
bool Differ(float lower, float upper, float diagonal, float other) {
  const float size = std::max(std::fabs(lower), std::fabs(upper));
  return std::fabs(lower - upper) > kSymmetry * size + kSymmetryOfDiagonal * std::min(diagonal, other);
}

/// Sorts matrix entries into the couplings of a stencil.
class Reader {
public:
  Reader(const Box &box, Stencil *stencil) : box_(box), l_(box.layout), stencil_(*stencil) {}

  /// Makes room for the entries.
  void SetUp() {
    stencil_.lower = LowerNeighbours(l_.n, false);
    stencil_.Allocate(box_);
    upper = box_.NewArrays(stencil_.lower.size());
    int next = 0;
    for (int a = 2; a >= 0; --a) number_[std::size_t(a)] = l_.n[std::size_t(a)] > 1 ? next++ : -1;
    steps_.fill(0);
    const std::size_t axes = stencil_.lower.size();
    for (std::size_t c = 0; c < axes; ++c) {
      const Int3 &d = stencil_.lower[c];
      steps_[c] = d[0] + (l_.hi[0] - l_.lo[0]) * (d[1] + (l_.hi[1] - l_.lo[1]) * d[2]);
      steps_[2 * axes - c] = -steps_[c];
    }
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

  /// The same for a column `step` from the row on this rank, without a division; false where that is no neighbour inside.
  bool TakeBeside(std::size_t at, const Int3 &cell, PetscInt step, double value) {
    for (std::size_t a = 0; a < 3; ++a) {
      if (number_[a] < 0) continue;
      const std::size_t c = std::size_t(number_[a]);
      if (step == steps_[c] && cell[a] > l_.lo[a]) stencil_.coupling[c][at] = float(-value);
      else if (step == -steps_[c] && cell[a] + 1 < l_.hi[a]) upper[c][at] = float(-value);
      else continue;
      return true;
    }
    return false;
  }

  /// `cells` rows one after the other that couple cells inside this rank's box to all their neighbours, in the usual
  /// order: takes them and returns true, or leaves them alone. Cells without a neighbour get diagonal and row sum 0.
  bool TakeLine(std::size_t at, PetscInt row, PetscInt cells, const PetscInt *rows, const PetscInt *columns,
                const PetscScalar *values, double inverse_unit, PetscInt *without, PetscInt *wrong) {
    switch (stencil_.lower.size()) {
    case 1: return TakeLineOf<1>(at, row, cells, rows, columns, values, inverse_unit, without, wrong);
    case 2: return TakeLineOf<2>(at, row, cells, rows, columns, values, inverse_unit, without, wrong);
    default: return TakeLineOf<3>(at, row, cells, rows, columns, values, inverse_unit, without, wrong);
    }
  }

  std::vector<Array> upper; ///< couplings as the lower cell's row has them

private:
  template <int Axes>
  bool TakeLineOf(std::size_t at, PetscInt row, PetscInt cells, const PetscInt *rows, const PetscInt *columns,
                  const PetscScalar *values, double inverse_unit, PetscInt *without, PetscInt *wrong) {
    constexpr int count = 2 * Axes + 1;
    if (rows[row + cells] - rows[row] != cells * count) return false;
    columns += rows[row];
    values += rows[row];
    int other = 0;
    for (PetscInt m = 0; m < cells; ++m)
      for (int e = 0; e < count; ++e) other |= columns[m * count + e] - (row + m) - steps_[e];
    if (other) return false;
    float *low[Axes], *up[Axes];
    for (int c = 0; c < Axes; ++c) low[c] = stencil_.coupling[c].data() + at, up[c] = upper[c].data() + at;
    float *diagonal = stencil_.diagonal.data() + at, *row_sum = stencil_.row_sum.data() + at;
    *without = *wrong = 0;
    for (PetscInt m = 0; m < cells; ++m, values += count) {
      double v[count], sum = 0, coupled = 0;
      for (int e = 0; e < count; ++e) v[e] = PetscRealPart(values[e]) * inverse_unit;
      for (int c = 0; c < Axes; ++c) {
        low[c][m] = float(-v[c]);
        up[c][m] = float(-v[count - 1 - c]);
        coupled += std::fabs(v[c]) + std::fabs(v[count - 1 - c]);
      }
      for (int e = 0; e < count; ++e) sum += v[e];
      *without += coupled == 0;
      *wrong += !(v[Axes] > 0) || !std::isfinite(sum) || (coupled > 0 && !InRange(v[Axes], coupled));
      diagonal[m] = coupled == 0 ? 0 : float(v[Axes]);
      row_sum[m] = coupled == 0 || std::fabs(sum) <= kRounding * v[Axes] ? 0 : float(sum);
    }
    return true;
  }

  std::array<PetscInt, 7> steps_; ///< from a row to its neighbours and itself, in order
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

/// A power of two near the largest diagonal: single precision has room for 38 decimal places only, so the matrix is taken
/// in units of it. Every so many rows are looked at, which is enough for that.
PetscErrorCode Unit(MPI_Comm comm, const LocalPart &own, PetscInt rows, double *unit) {
  PetscFunctionBeginUser;
  double largest = 0;
  for (PetscInt r = 0; r < rows; r += 1 + rows / 16384)
    for (PetscInt e = own.rows[r]; e < own.rows[r + 1]; ++e)
      if (own.columns[e] == r && std::isfinite(PetscRealPart(own.values[e])))
        largest = std::max(largest, PetscRealPart(own.values[e]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, comm));
  *unit = largest > 0 ? std::ldexp(1.0, std::max(-1000, std::min(1000, std::ilogb(largest)))) : 1;
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
             "Structured preconditioners need one unknown a cell, but the DMDA has %" PetscInt_FMT
             "; use it for single fields, for instance inside -pc_type fieldsplit", dof);
  PetscCall(DMDAGetCorners(dm, &lo[0], &lo[1], &lo[2], &size[0], &size[1], &size[2]));
  Int3 hi;
  std::array<bool, 3> periodic{};
  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(PetscObjectComm((PetscObject)dm), &rank));
  const Int3 place{rank % ranks[0], rank / ranks[0] % ranks[1], rank / (ranks[0] * ranks[1])};
  HaloExchange::Neighbours neighbours;
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
  std::shared_ptr<Messages> messages;
  PetscCall(Together(PetscObjectComm((PetscObject)dm), [&] {
    messages = std::make_shared<Messages>();
    return 0;
  }));
  PetscCall(messages->SetUp(PetscObjectComm((PetscObject)dm)));
  PetscCall(Together(messages->Comm(), [&] {
    return MakeBox(messages->Comm(), messages, n, lo, hi, periodic, neighbours, box);
  }));
  PetscFunctionReturn(0);
}

PetscErrorCode ExtractStencil(const char *who, Mat matrix, DM dm, const char *natural, const Box &box,
                              Stencil *stencil, std::vector<IsolatedRow> *isolated, double *unit) {
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
             " has %" PetscInt64_FMT " cells, or they are divided over the ranks in another way; set the DMDA that "
             "belongs to the matrix", all, l.n[0], l.n[1], l.n[2], cells);

  Mat diagonal_part = matrix, other_part = nullptr;
  const PetscInt *other_columns = nullptr;
  PetscBool parallel;
  PetscCall(PetscObjectTypeCompare((PetscObject)matrix, MATMPIAIJ, &parallel));
  if (parallel) PetscCall(MatMPIAIJGetSeqAIJ(matrix, &diagonal_part, &other_part, &other_columns));
  LocalPart own, other;
  std::unordered_map<PetscInt, Int3> ghosts;
  Reader reader(box, stencil);
  Array alone; // 1 in cells of isolated rows
  PetscCall(Together(comm, [&] {
    PetscFunctionBeginUser;
    PetscCall(own.Open(diagonal_part));
    if (other_part) {
      PetscCall(other.Open(other_part));
      PetscCall(GhostCells(dm, l, &ghosts));
    }
    reader.SetUp();
    alone = box.NewArray();
    PetscFunctionReturn(0);
  }));
  PetscCall(Unit(comm, own, rows, unit));
  const double inverse_unit = 1 / *unit;
  Complaint complaint;
  isolated->clear();
  const auto inside = [&l](std::size_t a, PetscInt i) { return l.n[a] == 1 || (i > l.lo[a] && i + 1 < l.hi[a]); };
  const Int3 size{l.hi[0] - l.lo[0], l.hi[1] - l.lo[1], l.hi[2] - l.lo[2]};
  // Any row, entry by entry.
  const auto take = [&](PetscInt row, PetscInt i, PetscInt j, PetscInt k, std::size_t at) {
    double diagonal = 0, sum = 0, coupled = 0; // sum of the whole row; of the sizes of couplings
    for (PetscInt e = own.rows[row]; e < own.rows[row + 1]; ++e) {
      const PetscInt column = own.columns[e], step = column - row;
      const double value = PetscRealPart(own.values[e]) * inverse_unit;
      sum += value;
      if (step == 0) {
        diagonal = value;
        continue;
      }
      if (value == 0) continue;
      coupled += std::fabs(value);
      if (reader.TakeBeside(at, {i, j, k}, step, value)) continue;
      const Int3 cell{column % size[0], column / size[0] % size[1], column / (size[0] * size[1])};
      if (!reader.Take(at, {cell[0] + l.lo[0] - i, cell[1] + l.lo[1] - j, cell[2] + l.lo[2] - k}, value))
        complaint.Note(Complaint::kNotAStar, first + row, first + column);
    }
    for (PetscInt e = other_part ? other.rows[row] : 0; other_part && e < other.rows[row + 1]; ++e) {
      const double value = PetscRealPart(other.values[e]) * inverse_unit;
      sum += value;
      if (value == 0) continue;
      coupled += std::fabs(value);
      const PetscInt column = other_columns[other.columns[e]];
      const auto found = ghosts.find(column);
      if (found == ghosts.end() ||
          !reader.Take(at, {found->second[0] - i, found->second[1] - j, found->second[2] - k}, value))
        complaint.Note(Complaint::kNotAStar, first + row, column);
    }
    if (!(diagonal > 0) || !std::isfinite(sum)) complaint.Note(Complaint::kDiagonal, first + row, first + row);
    else if (coupled > 0 && !InRange(diagonal, coupled)) complaint.Note(Complaint::kRange, first + row, first + row);
    if (coupled == 0) {
      alone[at] = 1;
      isolated->push_back({row, inverse_unit / diagonal});
      diagonal = sum = 0;
    }
    stencil->diagonal[at] = float(diagonal);
    stencil->row_sum[at] = std::fabs(sum) > kRounding * diagonal ? float(sum) : 0;
  };
  // A line of rows along the first axis. Most are alike: they are read together, all but the first and the last.
  const auto take_line = [&](PetscInt row, PetscInt j, PetscInt k) {
    const std::size_t at = std::size_t(l.At(l.lo[0], j, k));
    PetscInt without = 0, wrong = 0;
    const bool own_only = !other_part || other.rows[row + 1] == other.rows[row + size[0] - 1];
    const bool alike = inside(1, j) && inside(2, k) && size[0] > 2 && own_only &&
                       reader.TakeLine(at + 1, row + 1, size[0] - 2, own.rows, own.columns, own.values, inverse_unit,
                                       &without, &wrong);
    for (PetscInt m = 0; m < size[0]; ++m) {
      const bool inner = m > 0 && m + 1 < size[0];
      if (alike && inner && wrong == 0 && without == 0) {
        m = size[0] - 2;
        continue;
      }
      if (!alike || !inner || wrong > 0 || stencil->diagonal[at + std::size_t(m)] == 0)
        take(row + m, l.lo[0] + m, j, k, at + std::size_t(m));
    }
  };
  PetscCall(Together(comm, [&] {
    PetscInt row = 0;
    for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
      for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j, row += size[0]) take_line(row, j, k);
    return 0;
  }));
  PetscCall(own.Close());
  if (other_part) PetscCall(other.Close());
  PetscCall(Report(who, comm, dm, natural, l, complaint));

  // Couplings to isolated rows go; the others must be the same from both sides.
  for (Array *array : {&alone, &stencil->diagonal}) PetscCall(box.Exchange(array));
  for (Array &upper : reader.upper) PetscCall(box.Exchange(&upper));
  // The natural number of a neighbour of a local row's cell.
  const auto natural_number = [&](PetscInt local, const Int3 &step) {
    Int3 cell{local % size[0], local / size[0] % size[1], local / (size[0] * size[1])};
    for (std::size_t a = 0; a < 3; ++a) cell[a] = (cell[a] + l.lo[a] + step[a] + l.n[a]) % l.n[a];
    return cell[0] + l.n[0] * (cell[1] + l.n[1] * cell[2]);
  };
  PetscInt row = 0;
  ForRows(l, [&](std::size_t at) {
    const float *__restrict gone = alone.data() + at, *__restrict diagonal = stencil->diagonal.data() + at;
    float *__restrict sum = stencil->row_sum.data() + at;
    for (std::size_t c = 0; c < stencil->lower.size(); ++c) {
      const std::ptrdiff_t o = l.Offset(stencil->lower[c]);
      float *__restrict lower = stencil->coupling[c].data() + at;
      const float *__restrict upper = reader.upper[c].data() + at;
      int mismatches = 0;
      for (PetscInt i = 0; i < size[0]; ++i) {
        // No short cuts: the loop is to be vectorised.
        const float below = gone[i + o], above = gone[i - o], own = lower[i];
        const bool kept = (gone[i] == 0) & (below == 0);
        // What a row gives to an isolated one stays in its diagonal.
        const float lost = below * own + above * upper[i];
        sum[i] += gone[i] == 0 ? lost : 0.0f;
        mismatches += kept & Differ(own, upper[i + o], diagonal[i], diagonal[i + o]);
        lower[i] = kept ? own : 0.0f;
      }
      for (PetscInt i = 0; mismatches && i < size[0]; ++i)
        if (gone[i] == 0 && gone[i + o] == 0 && Differ(lower[i], upper[i + o], diagonal[i], diagonal[i + o]))
          complaint.Note(Complaint::kNotSymmetric, first + row + i, natural_number(row + i, stencil->lower[c]),
                         {0 - *unit * double(lower[i]), 0 - *unit * double(upper[i + o])});
    }
    row += size[0];
  });
  // Reading: units, sums and sizes of a row's entries. Comparing: 4 for what isolated rows leave, 4 for differences.
  const double axes = double(stencil->lower.size());
  PetscCall(PetscLogFlops(double(l.OwnedCells()) * (3 * (2 * axes + 1) + 8 * axes)));
  PetscCall(Report(who, comm, dm, natural, l, complaint));
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
