#include "solvers/flow/diagnostics.h"
#include "meshes/log.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace krylearn {

PetscErrorCode ComputeIntegrals(const FlowSolver &flow, FlowIntegrals *integrals) {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().diagnostics, 0, 0, 0, 0));
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  const FaceFields &u = flow.Velocity();
  const Field &solid = flow.Solid();
  const int dim = grid.Dim();
  double energy = 0, enstrophy = 0, volume = 0, speed = 0;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      const std::ptrdiff_t row = l.At(0, j, k);
      const double *x_width = grid.Widths(0), *x_inv_distance = grid.InverseDistance(0);
      const double wyz = grid.Width(1, j) * grid.Width(2, k);
      const double iy = grid.InverseDistance(1)[j], iz = grid.InverseDistance(2)[k];
      const std::ptrdiff_t s1 = l.stride[1], s2 = l.stride[2];
      const double *a = u[0].data() + row, *b = u[1].data() + row, *c = dim == 3 ? u[2].data() + row : nullptr;
      const double *wall = solid.data() + row;
      double row_energy = 0, row_enstrophy = 0, row_volume = 0, row_speed = 0;
      for (PetscInt i = l.lo[0]; i < l.hi[0]; ++i) {
        const double w = wall[i] != 0 ? 0 : x_width[i] * wyz;
        double squares = a[i] * a[i] + a[i + 1] * a[i + 1] + b[i] * b[i] + b[i + s1] * b[i + s1];
        // Vorticity lives on cell edges; each cell takes its lower edge, which sums to the trapezoidal rule.
        const double wz = (b[i] - b[i - 1]) * x_inv_distance[i] - (a[i] - a[i - s1]) * iy;
        double curl = wz * wz;
        if (c) {
          squares += c[i] * c[i] + c[i + s2] * c[i + s2];
          const double wx = (c[i] - c[i - s1]) * iy - (b[i] - b[i - s2]) * iz;
          const double wy = (a[i] - a[i - s2]) * iz - (c[i] - c[i - 1]) * x_inv_distance[i];
          curl += wx * wx + wy * wy;
        }
        row_energy += w * 0.25 * squares;
        row_enstrophy += w * 0.5 * curl;
        row_volume += w;
        row_speed = std::max(row_speed, 0.5 * squares);
      }
      energy += row_energy, enstrophy += row_enstrophy, volume += row_volume;
      speed = std::max(speed, row_speed);
    }
  double local[3] = {energy, enstrophy, volume}, global[3];
  PetscCallMPI(MPI_Allreduce(local, global, 3, MPI_DOUBLE, MPI_SUM, grid.Comm()));
  PetscCallMPI(MPI_Allreduce(&speed, &integrals->largest_speed, 1, MPI_DOUBLE, MPI_MAX, grid.Comm()));
  integrals->kinetic_energy = global[0] / global[2];
  integrals->enstrophy = global[1] / global[2];
  // std::max() passes NaN by, the sum of the energy does not.
  integrals->largest_speed =
      std::isfinite(global[0]) ? std::sqrt(integrals->largest_speed) : std::numeric_limits<double>::quiet_NaN();
  PetscCall(PetscLogFlops((dim == 2 ? 22.0 : 40.0) * l.OwnedCells()));
  PetscCall(PetscLogEventEnd(Log().diagnostics, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode Probe(const FlowSolver &flow, const Real3 &point, std::array<double, 4> *values) {
  PetscFunctionBeginUser;
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  const int dim = grid.Dim(), size = dim + 1;
  // Normal equations of value ≈ c0 + c·(x − point), weighted towards the point, summed over ranks.
  double local[16 + 16] = {}, global[16 + 16];
  Int3 first = l.lo, last = l.hi;
  Real3 h{1, 1, 1};
  for (int d = 0; d < dim; ++d) {
    PetscInt near = 0;
    while (near + 1 < l.n[d] && grid.Face(d, near + 1) < point[d]) ++near;
    h[d] = grid.Width(d, near);
    first[d] = std::max(l.lo[d], near - 2);
    last[d] = std::min(l.hi[d], near + 3);
  }
  for (PetscInt k = first[2]; k < last[2]; ++k)
    for (PetscInt j = first[1]; j < last[1]; ++j)
      for (PetscInt i = first[0]; i < last[0]; ++i) {
        const std::ptrdiff_t q = l.At(i, j, k);
        if (flow.Cut().volume[q] < 0.5) continue;
        double basis[4] = {1, 0, 0, 0}, distance = 0;
        for (int d = 0; d < dim; ++d) {
          basis[d + 1] = (grid.Centre(d, Int3{i, j, k}[d]) - point[d]) / h[d];
          distance += basis[d + 1] * basis[d + 1];
        }
        if (distance > 2.1 * 2.1) continue;
        const double weight = 1 / (0.05 + distance * distance);
        for (int r = 0; r < size; ++r) {
          for (int c = 0; c < size; ++c) local[4 * r + c] += weight * basis[r] * basis[c];
          for (int a = 0; a < dim; ++a)
            local[16 + 4 * r + a] +=
                weight * basis[r] * 0.5 * (flow.Velocity()[a][q] + flow.Velocity()[a][q + l.stride[a]]);
          local[16 + 4 * r + 3] += weight * basis[r] * flow.Pressure()[q];
        }
      }
  PetscCallMPI(MPI_Allreduce(local, global, 32, MPI_DOUBLE, MPI_SUM, grid.Comm()));
  // Gaussian elimination with a small shift; where all cells lie in one plane the missing slope becomes zero.
  double m[4][8];
  for (int r = 0; r < size; ++r)
    for (int c = 0; c < size; ++c) m[r][c] = global[4 * r + c] + (r == c ? 1e-9 * global[0] : 0), m[r][4 + c] = 0;
  for (int r = 0; r < size; ++r)
    for (int c = 0; c < 4; ++c) m[r][4 + c] = global[16 + 4 * r + c];
  values->fill(std::nan(""));
  if (global[0] == 0) PetscFunctionReturn(0);
  for (int p = 0; p < size; ++p)
    for (int r = 0; r < size; ++r) {
      if (r == p) continue;
      const double factor = m[r][p] / m[p][p];
      for (int c = 0; c < size; ++c) m[r][c] -= factor * m[p][c];
      for (int c = 4; c < 8; ++c) m[r][c] -= factor * m[p][c];
    }
  for (int c = 0; c < 4; ++c) (*values)[c] = m[0][4 + c] / m[0][0];
  if (dim == 2) (*values)[2] = 0;
  PetscFunctionReturn(0);
}

double OscillationFrequency(const std::vector<double> &time, const std::vector<double> &signal) {
  if (time.size() < 8) return 0;
  const double half = 0.5 * (time.front() + time.back());
  double mean = 0, span = 0;
  for (std::size_t n = 1; n < time.size(); ++n)
    if (time[n] > half) {
      mean += 0.5 * (signal[n] + signal[n - 1]) * (time[n] - time[n - 1]);
      span += time[n] - time[n - 1];
    }
  mean /= span;
  double lowest = 1e300, highest = -1e300, largest = 0;
  for (std::size_t n = 1; n < time.size(); ++n)
    if (time[n] > half) {
      lowest = std::min(lowest, signal[n]), highest = std::max(highest, signal[n]);
      largest = std::max(largest, std::abs(signal[n]));
    }
  if (highest - lowest < 0.05 * largest) return 0; // the last of a transient, or solver noise on a steady value
  double first = 0, last = 0;
  int crossings = 0;
  for (std::size_t n = 1; n < time.size(); ++n) {
    if (time[n] <= half || signal[n - 1] >= mean || signal[n] < mean) continue;
    last = time[n - 1] + (time[n] - time[n - 1]) * (mean - signal[n - 1]) / (signal[n] - signal[n - 1]);
    if (crossings++ == 0) first = last;
  }
  return crossings >= 3 ? (crossings - 1) / (last - first) : 0;
}

PetscErrorCode ExactErrors(const FlowSolver &flow, const ExactFlow &exact, double *velocity, double *pressure) {
  PetscFunctionBeginUser;
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  const double t = flow.Time();
  const bool floating = !flow.GetBoundaries().HasOutflow();
  // Sums: velocity error², weight, pressure error, pressure error², weight.
  double local[5] = {}, global[5];
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = l.At(i, j, k);
    if (flow.Solid()[q] != 0) return;
    const Real3 centre{grid.Centre(0, i), grid.Centre(1, j), grid.Centre(2, k)};
    const double w = grid.Volume(i, j, k);
    for (int a = 0; a < grid.Dim(); ++a) {
      Real3 x = centre;
      x[a] = grid.Face(a, Int3{i, j, k}[a]);
      const double e = flow.Velocity()[a][q] - exact(a, x, t);
      if (flow.Cut().aperture[a][q] == 1) local[0] += w * e * e;
    }
    local[1] += w;
    const double e = flow.Pressure()[q] - exact(3, centre, t);
    local[2] += w * e;
    local[3] += w * e * e;
    local[4] += w;
  });
  PetscCallMPI(MPI_Allreduce(local, global, 5, MPI_DOUBLE, MPI_SUM, grid.Comm()));
  *velocity = std::sqrt(global[0] / global[1]);
  const double mean = floating ? global[2] / global[4] : 0;
  *pressure = std::sqrt(std::max(0.0, global[3] / global[4] - mean * mean));
  PetscFunctionReturn(0);
}

void CentreVelocity(const FlowSolver &flow, const FaceFields &faces, std::array<Field, 3> *centred) {
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  for (int a = 0; a < grid.Dim(); ++a) {
    if ((*centred)[a].empty()) (*centred)[a] = grid.NewField();
    ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t q = l.At(i, j, k);
      (*centred)[a][q] = 0.5 * (faces[a][q] + faces[a][q + l.stride[a]]);
    });
  }
}

PetscErrorCode Vorticity(const FlowSolver &flow, std::array<Field, 3> *centred, Field *vorticity) {
  PetscFunctionBeginUser;
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  auto &u = *centred;
  PetscCall(grid.Exchange({&u[0], &u[1], &u[2]}));
  if (vorticity->empty()) *vorticity = grid.NewField();
  // Central differences; one-sided at non-periodic boundaries, whose ghosts hold nothing.
  const auto slope = [&](int a, int d, const Int3 &c, std::ptrdiff_t q) {
    const bool low = c[d] == 0 && !grid.Periodic(d), high = c[d] == l.n[d] - 1 && !grid.Periodic(d);
    const std::ptrdiff_t s = l.stride[d];
    const double rise = u[a][high ? q : q + s] - u[a][low ? q : q - s];
    const double run = (high ? 0 : grid.Distance(d, c[d] + 1)) + (low ? 0 : grid.Distance(d, c[d]));
    return rise / run;
  };
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const Int3 c{i, j, k};
    const std::ptrdiff_t q = l.At(i, j, k);
    const double z = slope(1, 0, c, q) - slope(0, 1, c, q);
    if (grid.Dim() == 2) {
      (*vorticity)[q] = z;
    } else {
      const double x = slope(2, 1, c, q) - slope(1, 2, c, q), y = slope(0, 2, c, q) - slope(2, 0, c, q);
      (*vorticity)[q] = std::sqrt(x * x + y * y + z * z);
    }
    if (flow.Solid()[q] != 0) (*vorticity)[q] = 0;
  });
  PetscFunctionReturn(0);
}

} // namespace krylearn
