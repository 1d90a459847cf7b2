#include "meshes/grid.h"
#include "meshes/log.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace {

/// Widths of a tanh-clustered axis for clustering strength `beta`, as (faces of the unit interval).
std::vector<double> TanhFaces(PetscInt cells, double beta) {
  std::vector<double> faces(cells + 1);
  for (PetscInt i = 0; i <= cells; ++i)
    faces[i] = beta < 1e-8 ? double(i) / cells : 0.5 * (1 + std::tanh(beta * (2.0 * i / cells - 1)) / std::tanh(beta));
  return faces;
}

double WidthRatio(const std::vector<double> &faces) {
  double narrow = 1e300, wide = 0;
  for (std::size_t i = 0; i + 1 < faces.size(); ++i) {
    narrow = std::min(narrow, faces[i + 1] - faces[i]);
    wide = std::max(wide, faces[i + 1] - faces[i]);
  }
  return wide / narrow;
}

} // namespace

std::vector<double> StretchedFaces(PetscInt cells, double lower, double upper, double ratio) {
  if (cells < 1) return {}; // Grid::Create() has the words for it
  double beta = 0, high = 12;
  if (ratio > 1 && cells > 2)
    for (int step = 0; step < 60; ++step) {
      const double mid = 0.5 * (beta + high);
      (WidthRatio(TanhFaces(cells, mid)) < ratio ? beta : high) = mid;
    }
  std::vector<double> faces = TanhFaces(cells, beta);
  for (double &x : faces) x = lower + (upper - lower) * x;
  faces.front() = lower;
  faces.back() = upper;
  return faces;
}

PetscErrorCode Grid::Create(MPI_Comm comm, const GridSpec &spec, std::shared_ptr<const Grid> *grid) {
  PetscFunctionBeginUser;
  PetscCall(KrylearnRegisterEvents());
  for (int d = 0; d < 3; ++d) {
    PetscCheck(spec.cells[d] >= 1, comm, PETSC_ERR_USER_INPUT,
               "The grid has %" PetscInt_FMT " cells along axis %c; give at least 1 (-grid nx,ny[,nz])", spec.cells[d],
               "xyz"[d]);
    PetscCheck(std::isfinite(spec.lower[d]) && std::isfinite(spec.upper[d]), comm, PETSC_ERR_USER_INPUT,
               "The domain from %g to %g along axis %c is not finite", spec.lower[d], spec.upper[d], "xyz"[d]);
    PetscCheck(spec.upper[d] > spec.lower[d], comm, PETSC_ERR_USER_INPUT,
               "The domain is empty along axis %c: upper end %g is not above lower end %g", "xyz"[d], spec.upper[d],
               spec.lower[d]);
    const auto &f = spec.faces[d];
    PetscCheck(f.empty() || PetscInt(f.size()) == spec.cells[d] + 1, comm, PETSC_ERR_USER_INPUT,
               "Axis %c has %" PetscInt_FMT " cells and %zu face coordinates; give cells + 1", "xyz"[d], spec.cells[d],
               f.size());
    for (std::size_t i = 0; i + 1 < f.size(); ++i)
      PetscCheck(f[i + 1] > f[i] && std::isfinite(f[i + 1] - f[i]), comm, PETSC_ERR_USER_INPUT,
                 "Face coordinates of axis %c do not increase at face %zu", "xyz"[d], i);
  }
  PetscCheck(spec.cells[0] > 1 && spec.cells[1] > 1, comm, PETSC_ERR_USER_INPUT,
             "A 2D grid has its single cell along z: give -grid nx,ny with nx and ny at least 2");
  const double total = double(spec.cells[0]) * double(spec.cells[1]) * double(spec.cells[2]);
  PetscCheck(total <= double(PETSC_MAX_INT), comm, PETSC_ERR_USER_INPUT,
             "A grid of %.3g cells needs more row numbers than this PETSc has (%.3g); configure PETSc with 64-bit "
             "indices or choose a coarser grid",
             total, double(PETSC_MAX_INT));
  auto result = std::shared_ptr<Grid>(new Grid());
  result->comm_ = comm;
  result->spec_ = spec;
  result->layout_.n = spec.cells;
  PetscCall(result->SetCoordinates());
  PetscCall(result->Distribute());
  *grid = result;
  PetscFunctionReturn(0);
}

Grid::~Grid() {
  PetscBool finalized = PETSC_FALSE;
  PetscFinalized(&finalized);
  if (dm_ && !finalized) DMDestroy(&dm_);
}

PetscErrorCode Grid::SetCoordinates() {
  PetscFunctionBeginUser;
  for (int d = 0; d < 3; ++d) {
    const PetscInt n = layout_.n[d], g = kGhosts;
    auto &f = spec_.faces[d];
    const bool given = !f.empty();
    if (!given) {
      f.resize(n + 1);
      for (PetscInt i = 0; i <= n; ++i) f[i] = spec_.lower[d] + (spec_.upper[d] - spec_.lower[d]) * i / n;
      f[n] = spec_.upper[d];
    } else {
      spec_.lower[d] = f.front();
      spec_.upper[d] = f.back();
    }
    const double h = (spec_.upper[d] - spec_.lower[d]) / n;
    std::vector<double> w(n + 2 * g);
    for (PetscInt i = 0; i < n; ++i) {
      const double exact = f[i + 1] - f[i];
      if (given && std::abs(exact - h) > 1e-12 * h * n) uniform_ = false;
      w[i + g] = given ? exact : h; // the same number everywhere keeps uniform grids bitwise symmetric
    }
    for (PetscInt s = 1; s <= g; ++s) {
      const PetscInt below = spec_.periodic[d] ? ((n - s) % n + n) % n : std::min(s - 1, n - 1);
      const PetscInt above = spec_.periodic[d] ? (s - 1) % n : std::max<PetscInt>(n - s, 0);
      w[g - s] = w[g + below];
      w[g + n + s - 1] = w[g + above];
    }
    width_[d] = w;
    face_[d].assign(n + 1 + 2 * g, 0);
    for (PetscInt i = 0; i <= n; ++i) face_[d][i + g] = f[i];
    for (PetscInt s = 1; s <= g; ++s) {
      face_[d][g - s] = face_[d][g - s + 1] - w[g - s];
      face_[d][g + n + s] = face_[d][g + n + s - 1] + w[g + n + s - 1];
    }
    centre_[d].resize(n + 2 * g);
    for (PetscInt i = 0; i < n + 2 * g; ++i) centre_[d][i] = 0.5 * (face_[d][i] + face_[d][i + 1]);
    distance_[d].assign(n + 2 * g + 1, h);
    for (PetscInt i = 1; i < n + 2 * g; ++i) distance_[d][i] = 0.5 * (w[i - 1] + w[i]);
    distance_[d].front() = w.front();
    distance_[d].back() = w.back();
    inverse_width_[d].resize(w.size());
    inverse_distance_[d].resize(distance_[d].size());
    for (std::size_t i = 0; i < w.size(); ++i) inverse_width_[d][i] = 1 / w[i];
    for (std::size_t i = 0; i < distance_[d].size(); ++i) inverse_distance_[d][i] = 1 / distance_[d][i];
    smallest_[d] = *std::min_element(w.begin() + g, w.begin() + g + n);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Grid::Distribute() {
  PetscFunctionBeginUser;
  PetscMPIInt size;
  PetscCallMPI(MPI_Comm_size(comm_, &size));
  Int3 ranks{0, 0, 0};
  bool given = false;
  for (int d = 0; d < 3; ++d) {
    if (spec_.ownership[d].empty()) continue;
    ranks[d] = spec_.ownership[d].size();
    given = true;
    PetscInt sum = 0;
    for (PetscInt c : spec_.ownership[d]) {
      PetscCheck(c >= std::min(kGhosts, layout_.n[d]), comm_, PETSC_ERR_USER_INPUT,
                 "A rank would own %" PetscInt_FMT " cells along axis %c; at least %" PetscInt_FMT " are needed", c,
                 "xyz"[d], std::min(kGhosts, layout_.n[d]));
      sum += c;
    }
    PetscCheck(sum == layout_.n[d], comm_, PETSC_ERR_USER_INPUT,
               "Cells per rank along axis %c add up to %" PetscInt_FMT ", the grid has %" PetscInt_FMT, "xyz"[d], sum,
               layout_.n[d]);
  }
  // Among all ways to divide the ranks, the one whose cuts have the least area; ties go to cutting the last axis, whose
  // slabs are contiguous in memory.
  double best = 1e300;
  Int3 choice{0, 0, 0};
  for (PetscInt pz = 1; pz <= size; ++pz)
    for (PetscInt py = 1; pz * py <= size; ++py) {
      if (size % (pz * py)) continue;
      const Int3 p{size / (pz * py), py, pz};
      bool fits = true;
      double area = 0;
      for (int d = 0; d < 3; ++d) {
        fits = fits && (ranks[d] ? p[d] == ranks[d] : (p[d] == 1 || layout_.n[d] / p[d] >= kGhosts));
        area += double(p[d] - 1) * layout_.n[(d + 1) % 3] * layout_.n[(d + 2) % 3] * (1 + 1e-3 * (2 - d));
      }
      if (fits && area < best) best = area, choice = p;
    }
  PetscCheck(best < 1e300 || !given, comm_, PETSC_ERR_USER_INPUT,
             "The given numbers of ranks per axis (%" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             ", 0 = free) do not make a grid of %d ranks",
             ranks[0], ranks[1], ranks[2], size);
  PetscCheck(best < 1e300, comm_, PETSC_ERR_USER_INPUT,
             "A grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
             " cells cannot be divided over %d ranks with at least %" PetscInt_FMT
             " cells each way; use fewer ranks or a finer grid",
             layout_.n[0], layout_.n[1], layout_.n[2], size, kGhosts);

  DMBoundaryType kind[3];
  for (int d = 0; d < 3; ++d) kind[d] = spec_.periodic[d] && layout_.n[d] > 1 ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  const PetscInt *own[3];
  for (int d = 0; d < 3; ++d) own[d] = spec_.ownership[d].empty() ? nullptr : spec_.ownership[d].data();
  PetscCall(DMDACreate3d(comm_, kind[0], kind[1], kind[2], DMDA_STENCIL_STAR, layout_.n[0], layout_.n[1], layout_.n[2],
                         choice[0], choice[1], choice[2], 1, 1, own[0], own[1], own[2], &dm_));
  PetscCall(PetscObjectSetName((PetscObject)dm_, "krylearn_grid"));
  if (Dim() == 2) PetscCall(DMDASetRefinementFactor(dm_, 2, 2, 1));
  PetscCall(DMDASetInterpolationType(dm_, DMDA_Q0)); // cell-centred unknowns
  PetscCall(DMSetUp(dm_));
  // Only here does PETSc take a DMDA's coarsening factors over from its refinement factors; in 2D, z has one cell to keep.
  PetscCall(DMSetFromOptions(dm_));

  PetscInt start[3], count[3];
  PetscCall(DMDAGetCorners(dm_, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  std::ptrdiff_t length = 1;
  for (int d = 0; d < 3; ++d) {
    layout_.lo[d] = start[d];
    layout_.hi[d] = start[d] + count[d];
    layout_.ghosts[d] = layout_.n[d] > 1 ? kGhosts : 0;
    layout_.stride[d] = length;
    length *= count[d] + 2 * layout_.ghosts[d];
    if (d == 0) length = (length + 7) / 8 * 8; // rows start on cache lines
  }
  layout_.size = length;

  PetscMPIInt rank;
  PetscCallMPI(MPI_Comm_rank(comm_, &rank));
  const Int3 place{rank % choice[0], rank / choice[0] % choice[1], rank / (choice[0] * choice[1])};
  std::array<std::array<int, 2>, 3> neighbours;
  for (int d = 0; d < 3; ++d)
    for (int side = 0; side < 2; ++side) {
      Int3 q = place;
      q[d] += side == 0 ? -1 : 1;
      const bool outside = q[d] < 0 || q[d] >= choice[d];
      q[d] = (q[d] + choice[d]) % choice[d];
      neighbours[d][side] = outside && !(spec_.periodic[d] && layout_.n[d] > 1)
                                ? MPI_PROC_NULL
                                : int(q[0] + choice[0] * (q[1] + choice[1] * q[2]));
    }
  PetscCall(halo_.SetUp(comm_, layout_, neighbours));
  PetscFunctionReturn(0);
}

double Grid::FaceArea(int axis, PetscInt i, PetscInt j, PetscInt k) const {
  switch (axis) {
  case 0: return Width(1, j) * Width(2, k);
  case 1: return Width(0, i) * Width(2, k);
  default: return Width(0, i) * Width(1, j);
  }
}

FaceFields Grid::NewFaces() const {
  FaceFields faces;
  for (int d = 0; d < Dim(); ++d) faces[d] = NewField();
  return faces;
}

PetscErrorCode Grid::ToVec(const Field &field, Vec vec) const {
  PetscFunctionBeginUser;
  PetscScalar *out;
  PetscCall(VecGetArrayWrite(vec, &out));
  const PetscInt row = layout_.hi[0] - layout_.lo[0];
  for (PetscInt k = layout_.lo[2]; k < layout_.hi[2]; ++k)
    for (PetscInt j = layout_.lo[1]; j < layout_.hi[1]; ++j, out += row)
      std::copy_n(field.data() + layout_.At(layout_.lo[0], j, k), row, out);
  out -= layout_.OwnedCells();
  PetscCall(VecRestoreArrayWrite(vec, &out));
  PetscFunctionReturn(0);
}

PetscErrorCode Grid::FromVec(Vec vec, Field *field) const {
  PetscFunctionBeginUser;
  const PetscScalar *in;
  PetscCall(VecGetArrayRead(vec, &in));
  const PetscScalar *from = in;
  const PetscInt row = layout_.hi[0] - layout_.lo[0];
  for (PetscInt k = layout_.lo[2]; k < layout_.hi[2]; ++k)
    for (PetscInt j = layout_.lo[1]; j < layout_.hi[1]; ++j, from += row)
      std::copy_n(from, row, field->data() + layout_.At(layout_.lo[0], j, k));
  PetscCall(VecRestoreArrayRead(vec, &in));
  PetscFunctionReturn(0);
}

} // namespace krylearn
