#include "solvers/flow/momentum.h"
#include "meshes/log.h"
#include <algorithm>
#include <type_traits>

namespace krylearn {
namespace {
/// Rows that go together through all planes: three planes of three velocities then stay in the second-level cache.
constexpr PetscInt kBlock = 16;
} // namespace

void Momentum::SetUp(std::shared_ptr<const Grid> grid, const BoundaryConditions *boundaries, Advection advection) {
  grid_ = grid;
  boundaries_ = boundaries;
  flux_ = advection == Advection::kUpwind ? Flux::kUpwind : Flux::kCentral;
  constexpr PetscInt g = Grid::kGhosts;
  for (int d = 0; d < 3; ++d) {
    const PetscInt n = grid->Cells().n[d];
    share_lower_[d].assign(n + 2 * g, 0.5);
    share_upper_[d].assign(n + 2 * g, 0.5);
    for (PetscInt i = 1 - g; i < n + g; ++i) {
      share_lower_[d][i + g] = 0.5 * grid->Width(d, i - 1) / grid->Distance(d, i);
      share_upper_[d][i + g] = 0.5 * grid->Width(d, i) / grid->Distance(d, i);
    }
  }
}

/// One row of unknown faces of component `a`: out = store(q, tendency, inverse_distance) for each face offset q, where
/// inverse_distance is the reciprocal distance of the two pressure cells that the face separates.
template <int dim, int a, Momentum::Flux flux, class Store>
void Momentum::Row(const RowRange &range, double nu, const FaceFields &u, double *out, const Store &store) const {
  const PetscInt j = range.j, k = range.k, begin = range.begin, end = range.end;
  constexpr PetscInt g = Grid::kGhosts;
  const Layout &l = grid_->Cells();
  const std::ptrdiff_t s1 = l.stride[1], s2 = l.stride[2], row = l.At(0, j, k);
  const double *const field[3] = {u[0].data(), u[1].data(), dim == 3 ? u[2].data() : nullptr};
  const double *const x_inv_width = grid_->InverseWidth(0), *const x_inv_distance = grid_->InverseDistance(0);
  const double *const x_lower = share_lower_[0].data() + g, *const x_upper = share_upper_[0].data() + g;
  const Int3 at{0, j, k};
  // Metric factors that do not change along the row.
  double scale[3] = {}, above[3] = {}, below[3] = {};
  for (int d = 1; d < dim; ++d) {
    const double *w = grid_->InverseWidth(d), *t = grid_->InverseDistance(d);
    scale[d] = d == a ? t[at[d]] : w[at[d]];
    above[d] = nu * (d == a ? w[at[d]] : t[at[d] + 1]);
    below[d] = nu * (d == a ? w[at[d] - 1] : t[at[d]]);
  }
  const double row_lower = a == 0 ? 0 : share_lower_[a][at[a] + g];
  const double row_upper = a == 0 ? 0 : share_upper_[a][at[a] + g];
  const auto along = [&](auto axis, const PetscInt i, const std::ptrdiff_t q) -> double {
    constexpr int d = decltype(axis)::value;
    const std::ptrdiff_t s = d == 0 ? 1 : d == 1 ? s1 : s2, sa = a == 0 ? 1 : a == 1 ? s1 : s2;
    const double *ua = field[a], *ud = field[d];
    const double c = ua[q], hi = ua[q + s], lo = ua[q - s];
    double flux_hi, flux_lo;
    if constexpr (d == a) {
      flux_hi = 0.5 * (c + hi);
      flux_lo = 0.5 * (lo + c);
    } else {
      const double wl = a == 0 ? x_lower[i] : row_lower, wu = a == 0 ? x_upper[i] : row_upper;
      flux_hi = wl * ud[q + s - sa] + wu * ud[q + s];
      flux_lo = wl * ud[q - sa] + wu * ud[q];
    }
    double f, up, down;
    if constexpr (d == 0) {
      f = d == a ? x_inv_distance[i] : x_inv_width[i];
      up = nu * (d == a ? x_inv_width[i] : x_inv_distance[i + 1]);
      down = nu * (d == a ? x_inv_width[i - 1] : x_inv_distance[i]);
    } else {
      f = scale[d], up = above[d], down = below[d];
    }
    if constexpr (flux == Flux::kNone) {
      return f * ((hi - c) * up - (c - lo) * down);
    } else if constexpr (flux == Flux::kUpwind) {
      const double slope = LimitedSlope(c - lo, hi - c);
      const double slope_hi = LimitedSlope(hi - c, ua[q + 2 * s] - hi);
      const double slope_lo = LimitedSlope(lo - ua[q - 2 * s], c - lo);
      const double face_hi = flux_hi > 0 ? 0.5 * slope : hi - c - 0.5 * slope_hi;
      const double face_lo = flux_lo > 0 ? lo - c + 0.5 * slope_lo : -0.5 * slope;
      return f * ((hi - c) * up - (c - lo) * down - (flux_hi * face_hi - flux_lo * face_lo));
    } else {
      return f * ((hi - c) * (up - 0.5 * flux_hi) - (c - lo) * (down + 0.5 * flux_lo));
    }
  };
#pragma GCC ivdep
  for (PetscInt i = begin; i < end; ++i) {
    const std::ptrdiff_t q = row + i;
    double t = along(std::integral_constant<int, 0>(), i, q) + along(std::integral_constant<int, 1>(), i, q);
    if constexpr (dim == 3) t += along(std::integral_constant<int, 2>(), i, q);
    out[q] = store(q, t, a == 0 ? x_inv_distance[i] : scale[a]);
  }
}

/// Calls visit(dim, component, flux, range), the first three as compile-time constants, for all rows of unknown faces.
/// The components take turns row by row, so that the velocities they share come from the cache. Upper outflow faces,
/// beyond which there is one ghost layer only, are always treated centrally; nothing is advected in through them
/// anyway.
template <class Visit> void Momentum::ForRows(Flux flux, Visit &&visit) const {
  const Layout &l = grid_->Cells();
  std::array<Int3, 3> first, last;
  for (int a = 0; a < grid_->Dim(); ++a)
    for (int d = 1; d < 3; ++d) {
      first[a][d] = d < grid_->Dim() ? boundaries_->FirstFace(a, d) : l.lo[d];
      last[a][d] = d < grid_->Dim() ? boundaries_->LastFace(a, d) : l.hi[d];
    }
  const auto rows = [&](auto dim, auto kind) {
    for (PetscInt block = l.lo[1]; block <= l.hi[1]; block += kBlock)
      for (PetscInt k = l.lo[2]; k <= l.hi[2]; ++k)
        for (PetscInt j = block; j < std::min(block + kBlock, l.hi[1] + 1); ++j) {
          const auto component = [&](auto index) {
            constexpr int a = decltype(index)::value;
            if (j < first[a][1] || j >= last[a][1] || k < first[a][2] || k >= last[a][2]) return;
            const RowRange range{j, k, boundaries_->FirstFace(a, 0), boundaries_->LastFace(a, 0)};
            if constexpr (decltype(kind)::value == Flux::kUpwind) {
              const std::integral_constant<Flux, Flux::kCentral> central;
              const PetscInt at = a == 1 ? j : k, beyond = grid_->Periodic(a) ? -1 : l.n[a];
              if (a > 0 && at == beyond) return visit(dim, index, central, range);
              if (a == 0 && range.end == beyond + 1) {
                visit(dim, index, kind, RowRange{j, k, range.begin, range.end - 1});
                return visit(dim, index, central, RowRange{j, k, range.end - 1, range.end});
              }
            }
            visit(dim, index, kind, range);
          };
          component(std::integral_constant<int, 0>());
          component(std::integral_constant<int, 1>());
          if constexpr (decltype(dim)::value == 3) component(std::integral_constant<int, 2>());
        }
  };
  const auto dimensions = [&](auto kind) {
    if (grid_->Dim() == 2) rows(std::integral_constant<int, 2>(), kind);
    else rows(std::integral_constant<int, 3>(), kind);
  };
  switch (flux) {
  case Flux::kCentral:
    return dimensions(std::integral_constant<Flux, Flux::kCentral>());
  case Flux::kUpwind:
    return dimensions(std::integral_constant<Flux, Flux::kUpwind>());
  case Flux::kNone:
    return dimensions(std::integral_constant<Flux, Flux::kNone>());
  }
}

double Momentum::FlopsPerCell() const {
  const double per_axis = flux_ == Flux::kUpwind ? 36 : 16;
  return grid_->Dim() * (grid_->Dim() * per_axis + 9);
}

PetscErrorCode Momentum::ExplicitStage(const Stage &stage, double dt, double nu, const FaceFields &u,
                                       const FaceFields &u_old, const Field &p, const Real3 &force,
                                       const FaceFields &buoyancy, FaceFields *out) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().momentum, 0, 0, 0, 0));
  const double keep = stage.old, euler = stage.euler, step = dt * euler;
  const double *const pressure = p.data();
  ForRows(flux_, [&](auto dim, auto component, auto flux, const RowRange &range) {
    constexpr int a = decltype(component)::value;
    const std::ptrdiff_t s = grid_->Cells().stride[a];
    const double *old = u_old[a].data(), *now = u[a].data();
    const double g = force[a];
    const double *lift = buoyancy[a].empty() ? nullptr : buoyancy[a].data();
    const auto run = [&](auto with_lift, auto first) {
      Row<decltype(dim)::value, a, decltype(flux)::value>(
          range, nu, u, (*out)[a].data(), [=](std::ptrdiff_t q, double t, double inverse_distance) {
            double rate = t - (pressure[q] - pressure[q - s]) * inverse_distance + g;
            if constexpr (decltype(with_lift)::value) rate += lift[q];
            if constexpr (decltype(first)::value) return now[q] + step * rate;
            else return keep * old[q] + euler * now[q] + step * rate;
          });
    };
    if (lift) {
      if (keep == 0) run(std::true_type(), std::true_type());
      else run(std::true_type(), std::false_type());
    } else {
      if (keep == 0) run(std::false_type(), std::true_type());
      else run(std::false_type(), std::false_type());
    }
  });
  PetscCall(PetscLogFlops(FlopsPerCell() * grid_->Cells().OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().momentum, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Momentum::Raw(Flux flux, double nu, double flops, const FaceFields &u, FaceFields *out) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().momentum, 0, 0, 0, 0));
  ForRows(flux, [&](auto dim, auto component, auto kind, const RowRange &range) {
    constexpr int a = decltype(component)::value;
    Row<decltype(dim)::value, a, decltype(kind)::value>(range, nu, u, (*out)[a].data(),
                                                        [](std::ptrdiff_t, double t, double) { return t; });
  });
  PetscCall(PetscLogFlops(flops * grid_->Cells().OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().momentum, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Momentum::Tendency(double nu, const FaceFields &u, FaceFields *out) const {
  PetscFunctionBeginUser;
  PetscCall(Raw(flux_, nu, FlopsPerCell(), u, out));
  PetscFunctionReturn(0);
}

PetscErrorCode Momentum::Laplacian(double nu, const FaceFields &u, FaceFields *out) const {
  PetscFunctionBeginUser;
  PetscCall(Raw(Flux::kNone, nu, 7.0 * grid_->Dim() * grid_->Dim(), u, out));
  PetscFunctionReturn(0);
}

} // namespace krylearn
