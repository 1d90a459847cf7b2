#include "solvers/flow/scalar_transport.h"
#include "meshes/log.h"
#include <algorithm>
#include <cmath>

namespace krylearn {

PetscErrorCode ScalarTransport::SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries,
                                      const ScalarConfig &config, const CutCells &cut, bool crank_nicolson) {
  PetscFunctionBeginUser;
  grid_ = grid;
  boundaries_ = boundaries;
  config_ = config;
  const Layout &l = grid->Cells();
  double cut_cells = 0, any;
  capacity_ = grid->NewField();
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    double open = 0;
    for (int d = 0; d < grid->Dim(); ++d) open = std::max({open, cut.aperture[d][q], cut.aperture[d][q + l.stride[d]]});
    capacity_[q] = open == 0 ? 0 : std::max(open, cut.volume[q]);
    if (capacity_[q] != 1 || open != 1) cut_cells = 1;
    for (int d = 0; d < grid->Dim(); ++d)
      if (cut.aperture[d][q] != 1 || cut.aperture[d][q + l.stride[d]] != 1) cut_cells = 1;
    if (config_.source && capacity_[q] > 0) {
      const double value = config_.source({grid->Centre(0, i), grid->Centre(1, j), grid->Centre(2, k)});
      if (!std::isnan(value)) sources_.push_back({q, value});
    }
  });
  PetscCallMPI(MPI_Allreduce(&cut_cells, &any, 1, MPI_DOUBLE, MPI_MAX, grid->Comm()));
  if (any > 0) aperture_ = &cut.aperture;
  if (crank_nicolson && config.diffusivity > 0) {
    implicit_ = std::make_unique<ImplicitDiffusion>();
    delta_ = grid->NewField();
    PetscCall(implicit_->SetUpScalar(grid, *boundaries, config, cut.aperture, capacity_));
  }
  PetscFunctionReturn(0);
}

void ScalarTransport::Initialise(Field *c) const {
  const Layout &l = grid_->Cells();
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    const Real3 x{grid_->Centre(0, i), grid_->Centre(1, j), grid_->Centre(2, k)};
    (*c)[q] = capacity_[q] > 0 && config_.initial ? config_.initial(x) : 0;
  });
  HoldSources(c);
}

void ScalarTransport::HoldSources(Field *c) const {
  for (const auto &source : sources_) (*c)[source.first] = source.second;
}

PetscErrorCode ScalarTransport::UpdateGhosts(const FaceFields &u, Field *c) const {
  PetscFunctionBeginUser;
  PetscCall(grid_->Exchange({c}));
  boundaries_->FillScalar(*c, config_, u);
  PetscFunctionReturn(0);
}

template <int dim, bool cut>
void ScalarTransport::Sweep(const Stage &stage, double dt, double diffusivity, const FaceFields &u, const Field &field,
                            const Field &field_old, Field *field_out) const {
  const Layout &l = grid_->Cells();
  const double *c = field.data(), *old = field_old.data();
  double *out = field_out->data();
  const double keep = stage.old, euler = stage.euler;
  const double *v[3] = {u[0].data(), u[1].data(), dim == 3 ? u[2].data() : nullptr};
  const double *open[3] = {nullptr, nullptr, nullptr};
  if (cut)
    for (int d = 0; d < dim; ++d) open[d] = (*aperture_)[d].data();
  const double *capacity = capacity_.data();
  const double *x_inv_width = grid_->InverseWidth(0), *x_inv_distance = grid_->InverseDistance(0);
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      const std::ptrdiff_t row = l.At(0, j, k);
      const Int3 at{0, j, k};
      double scale[3] = {}, above[3] = {}, below[3] = {};
      for (int d = 1; d < dim; ++d) {
        scale[d] = grid_->InverseWidth(d)[at[d]];
        above[d] = diffusivity * grid_->InverseDistance(d)[at[d] + 1];
        below[d] = diffusivity * grid_->InverseDistance(d)[at[d]];
      }
      const auto along = [&](auto axis, const PetscInt i, const std::ptrdiff_t q) -> double {
        constexpr int d = decltype(axis)::value;
        const std::ptrdiff_t s = d == 0 ? 1 : l.stride[d];
        double flux_hi = v[d][q + s], flux_lo = v[d][q];
        double f = scale[d], up = above[d], down = below[d];
        if constexpr (d == 0)
          f = x_inv_width[i], up = diffusivity * x_inv_distance[i + 1], down = diffusivity * x_inv_distance[i];
        if constexpr (cut) {
          flux_hi *= open[d][q + s], flux_lo *= open[d][q];
          up *= open[d][q + s], down *= open[d][q];
        }
        const double x = c[q], hi = c[q + s], lo = c[q - s];
        const double slope = LimitedSlope(x - lo, hi - x);
        const double slope_hi = LimitedSlope(hi - x, c[q + 2 * s] - hi);
        const double slope_lo = LimitedSlope(lo - c[q - 2 * s], x - lo);
        const double face_hi = flux_hi > 0 ? x + 0.5 * slope : hi - 0.5 * slope_hi;
        const double face_lo = flux_lo > 0 ? lo + 0.5 * slope_lo : x - 0.5 * slope;
        return f * ((hi - x) * up - (x - lo) * down - (flux_hi * face_hi - flux_lo * face_lo));
      };
      const PetscInt begin = l.lo[0], end = l.hi[0];
#pragma GCC ivdep
      for (PetscInt i = begin; i < end; ++i) {
        const std::ptrdiff_t q = row + i;
        double rate = along(std::integral_constant<int, 0>(), i, q) + along(std::integral_constant<int, 1>(), i, q);
        if constexpr (dim == 3) rate += along(std::integral_constant<int, 2>(), i, q);
        if constexpr (cut) rate = capacity[q] > 0 ? rate / capacity[q] : 0;
        out[q] = keep * old[q] + euler * (c[q] + dt * rate);
      }
    }
}

PetscErrorCode ScalarTransport::AdvanceStage(const Stage &stage, double dt, const FaceFields &u, const Field &c,
                                             const Field &c_old, Field *out) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().scalar, 0, 0, 0, 0));
  const double diffusivity = implicit_ ? 0 : config_.diffusivity;
  if (grid_->Dim() == 2) {
    if (aperture_) Sweep<2, true>(stage, dt, diffusivity, u, c, c_old, out);
    else Sweep<2, false>(stage, dt, diffusivity, u, c, c_old, out);
  } else {
    if (aperture_) Sweep<3, true>(stage, dt, diffusivity, u, c, c_old, out);
    else Sweep<3, false>(stage, dt, diffusivity, u, c, c_old, out);
  }
  HoldSources(out);
  PetscCall(PetscLogFlops((30.0 * grid_->Dim() + 4) * grid_->Cells().OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().scalar, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode ScalarTransport::DiffuseHalfStep(double dt, const FaceFields &u, Field *c) {
  PetscFunctionBeginUser;
  if (!implicit_) PetscFunctionReturn(0);
  const Layout &l = grid_->Cells();
  PetscCall(PetscLogEventBegin(Log().scalar, 0, 0, 0, 0));
  const double step = 0.5 * dt * config_.diffusivity;
  // Increment form: (I − step/2 L) δ = step L c; boundary values stay in c's ghosts, δ has homogeneous ones.
  std::fill(delta_.begin(), delta_.end(), 0);
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    const Int3 at{i, j, k};
    if (capacity_[q] == 0) return;
    double sum = 0;
    for (int d = 0; d < grid_->Dim(); ++d) {
      const std::ptrdiff_t s = l.stride[d];
      const double hi = aperture_ ? (*aperture_)[d][q + s] : 1, lo = aperture_ ? (*aperture_)[d][q] : 1;
      const double *inverse = grid_->InverseDistance(d) + at[d];
      sum += grid_->InverseWidth(d)[at[d]] *
             (hi * inverse[1] * ((*c)[q + s] - (*c)[q]) - lo * inverse[0] * ((*c)[q] - (*c)[q - s]));
    }
    delta_[q] = step * sum / capacity_[q];
  });
  PetscCall(implicit_->Solve(step, &delta_));
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) { (*c)[l.At(i, j, k)] += delta_[l.At(i, j, k)]; });
  HoldSources(c);
  PetscCall(PetscLogFlops(9.0 * grid_->Dim() * l.OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().scalar, 0, 0, 0, 0));
  PetscCall(UpdateGhosts(u, c));
  PetscFunctionReturn(0);
}

void ScalarTransport::AddBuoyancy(const Real3 &gravity, const Field &c, FaceFields *acceleration) const {
  const Layout &l = grid_->Cells();
  for (int a = 0; a < grid_->Dim(); ++a) {
    const double lift = -0.5 * gravity[a] * config_.buoyancy;
    if (lift == 0) continue;
    const std::ptrdiff_t s = l.stride[a];
    double *out = (*acceleration)[a].data();
    const double *value = c.data();
    Int3 last = l.hi;
    last[a] = l.FaceEnd(a, grid_->Periodic(a));
    for (PetscInt k = l.lo[2]; k < last[2]; ++k)
      for (PetscInt j = l.lo[1]; j < last[1]; ++j) {
        const std::ptrdiff_t row = l.At(0, j, k);
#pragma GCC ivdep
        for (PetscInt i = l.lo[0]; i < last[0]; ++i) out[row + i] += lift * (value[row + i] + value[row + i - s]);
      }
  }
}

PetscErrorCode ScalarTransport::Total(const Field &c, double *total) const {
  PetscFunctionBeginUser;
  const Layout &l = grid_->Cells();
  double local = 0;
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    local += capacity_[q] * c[q] * grid_->Volume(i, j, k);
  });
  PetscCallMPI(MPI_Allreduce(&local, total, 1, MPI_DOUBLE, MPI_SUM, grid_->Comm()));
  PetscFunctionReturn(0);
}

} // namespace krylearn
