/// \file
/// What the tests of the flow solver share: small boxes, reproducible random fields, sums over faces.
#pragma once
#include "meshes/random.h"
#include "solvers/flow/solver.h"
#include "tests/mpi_test.h"
#include <cmath>
#include <string>

namespace krylearn_test {
using namespace krylearn;
using Kind = Boundary::Kind;

/// A PETSc option that holds as long as the object lives.
class ScopedOption {
public:
  ScopedOption(const char *name, const char *value) : name_(name) { PetscOptionsSetValue(nullptr, name, value); }
  ~ScopedOption() { PetscOptionsClearValue(nullptr, name_.c_str()); }
  ScopedOption(const ScopedOption &) = delete;
  ScopedOption &operator=(const ScopedOption &) = delete;

private:
  std::string name_;
};

inline void SetSides(FlowConfig *config, int axis, Kind lower, Kind upper) {
  config->boundaries[axis][0].kind = lower;
  config->boundaries[axis][1].kind = upper;
  config->grid.periodic[axis] = lower == Kind::kPeriodic;
}

/// A unit box with the same kind of boundary all round.
inline FlowConfig Box(const Int3 &cells, Kind kind) {
  FlowConfig config;
  config.grid.cells = cells;
  for (int d = 0; d < (cells[2] == 1 ? 2 : 3); ++d) SetSides(&config, d, kind, kind);
  return config;
}

inline void Stretch(FlowConfig *config, int axis, double ratio) {
  const GridSpec &g = config->grid;
  config->grid.faces[axis] = StretchedFaces(g.cells[axis], g.lower[axis], g.upper[axis], ratio);
}

inline void SetObstacle(FlowConfig *config, const std::string &text) {
  config->obstacle_text = text;
  EXPECT_PETSC_OK(ParseObstacles(PETSC_COMM_SELF, config->grid.cells[2] == 1 ? 2 : 3, text, &config->obstacles));
}

inline ScalarConfig Scalar(const std::string &name, double diffusivity) {
  ScalarConfig scalar;
  scalar.name = name;
  scalar.diffusivity = diffusivity;
  return scalar;
}

inline double Sum(double local, MPI_Comm comm) {
  MPI_Allreduce(MPI_IN_PLACE, &local, 1, MPI_DOUBLE, MPI_SUM, comm);
  return local;
}
inline double Largest(double local, MPI_Comm comm) {
  MPI_Allreduce(MPI_IN_PLACE, &local, 1, MPI_DOUBLE, MPI_MAX, comm);
  return local;
}

/// Centre of a face of `axis`.
inline Real3 FaceCentre(const Grid &grid, int axis, const Int3 &c) {
  Real3 x{grid.Centre(0, c[0]), grid.Centre(1, c[1]), grid.Centre(2, c[2])};
  x[axis] = grid.Face(axis, c[axis]);
  return x;
}

/// Calls body(offset, index) for this rank's share of all faces of `axis`, upper boundary faces included.
template <class Body> void ForEachFace(const Grid &grid, int axis, Body &&body) {
  const Layout &l = grid.Cells();
  Int3 last = l.hi, c;
  last[axis] = l.FaceEnd(axis, grid.Periodic(axis));
  for (c[2] = l.lo[2]; c[2] < last[2]; ++c[2])
    for (c[1] = l.lo[1]; c[1] < last[1]; ++c[1])
      for (c[0] = l.lo[0]; c[0] < last[0]; ++c[0]) body(l.At(c[0], c[1], c[2]), c);
}

/// The same for faces whose velocity is an unknown.
template <class Body>
void ForEachUnknown(const Grid &grid, const BoundaryConditions &boundaries, int axis, Body &&body) {
  const Layout &l = grid.Cells();
  Int3 first = l.lo, last = l.hi, c;
  for (int d = 0; d < grid.Dim(); ++d) {
    first[d] = boundaries.FirstFace(axis, d);
    last[d] = boundaries.LastFace(axis, d);
  }
  for (c[2] = first[2]; c[2] < last[2]; ++c[2])
    for (c[1] = first[1]; c[1] < last[1]; ++c[1])
      for (c[0] = first[0]; c[0] < last[0]; ++c[0]) body(l.At(c[0], c[1], c[2]), c);
}

/// Volume of the control volume of a face.
inline double FaceVolume(const Grid &grid, int axis, const Int3 &c) {
  double volume = 1;
  for (int d = 0; d < 3; ++d) volume *= d == axis ? grid.Distance(d, c[d]) : grid.Width(d, c[d]);
  return volume;
}

/// A number in [-1, 1) that belongs to a global index, the same on every rank; periodic axes repeat.
inline double RandomAt(const Grid &grid, int stream, Int3 c) {
  std::uint64_t index = 0;
  for (int d = 0; d < 3; ++d) {
    const PetscInt n = grid.Cells().n[d];
    if (grid.Periodic(d)) c[d] = ((c[d] % n) + n) % n;
    index = index * 4096 + std::uint64_t(c[d] + 8);
  }
  return 2 * Uniform(17, stream, index) - 1;
}

/// Brings boundary faces, halos and ghosts of a velocity up to date.
inline void Complete(const Grid &grid, const BoundaryConditions &boundaries, FaceFields *u, double time = 0) {
  boundaries.FillNormalFaces(*u, time);
  EXPECT_PETSC_OK(grid.Exchange(*u));
  boundaries.FillVelocity(*u, time);
}

/// Independent random values on all faces that are unknowns.
inline FaceFields RandomVelocity(const Grid &grid, const BoundaryConditions &boundaries) {
  FaceFields u = grid.NewFaces();
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachUnknown(grid, boundaries, a, [&](std::ptrdiff_t q, const Int3 &c) { u[a][q] = RandomAt(grid, a, c); });
  Complete(grid, boundaries, &u);
  return u;
}

/// A random velocity that is divergence-free to rounding: the discrete curl of a random potential on edges which
/// vanishes on walls and (2D) on the corners of closed faces, divided by the apertures.
inline FaceFields SolenoidalVelocity(const Grid &grid, const BoundaryConditions &boundaries,
                                     const FaceFields *aperture = nullptr) {
  const Layout &l = grid.Cells();
  const auto potential = [&](int axis, const Int3 &c) {
    for (int d = 0; d < grid.Dim(); ++d)
      if (d != axis && !grid.Periodic(d) && (c[d] == 0 || c[d] == l.n[d])) return 0.0;
    if (aperture) {
      const std::ptrdiff_t q = l.At(c[0], c[1], c[2]);
      for (std::ptrdiff_t s : {std::ptrdiff_t(0), -l.stride[1]})
        if ((*aperture)[0][q + s] == 0) return 0.0;
      for (std::ptrdiff_t s : {std::ptrdiff_t(0), -l.stride[0]})
        if ((*aperture)[1][q + s] == 0) return 0.0;
    }
    return 0.1 * RandomAt(grid, 10 + axis, c);
  };
  FaceFields u = grid.NewFaces();
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachFace(grid, a, [&](std::ptrdiff_t q, const Int3 &c) {
      for (int n = 1; n <= 2; ++n) {
        const int along = (a + n) % 3, of = (a + 3 - n) % 3;
        if (along >= grid.Dim() || (grid.Dim() == 2 && of != 2)) continue;
        Int3 above = c;
        ++above[along];
        u[a][q] += (n == 1 ? 1 : -1) * (potential(of, above) - potential(of, c)) / grid.Width(along, c[along]);
      }
      if (aperture) u[a][q] = (*aperture)[a][q] > 0 ? u[a][q] / (*aperture)[a][q] : 0;
    });
  Complete(grid, boundaries, &u);
  return u;
}

/// Largest |divergence| of the aperture-weighted velocity over all cells.
inline double LargestDivergence(const Grid &grid, const FaceFields &u, const FaceFields &aperture) {
  double largest = 0;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t q = grid.Cells().At(i, j, k);
    double sum = 0;
    for (int d = 0; d < grid.Dim(); ++d) {
      const std::ptrdiff_t s = grid.Cells().stride[d];
      sum += (aperture[d][q + s] * u[d][q + s] - aperture[d][q] * u[d][q]) / grid.Width(d, Int3{i, j, k}[d]);
    }
    largest = std::max(largest, std::abs(sum));
  });
  return Largest(largest, grid.Comm());
}

/// Largest speed component on owned faces.
inline double LargestVelocity(const Grid &grid, const FaceFields &u) {
  double largest = 0;
  for (int a = 0; a < grid.Dim(); ++a)
    ForEachFace(grid, a, [&](std::ptrdiff_t q, const Int3 &) {
      largest = std::isfinite(u[a][q]) ? std::max(largest, std::abs(u[a][q])) : 1e300;
    });
  return Largest(largest, grid.Comm());
}

/// Advances by `steps` steps of dt.
inline void Advance(FlowSolver *flow, double dt, int steps) {
  for (int n = 0; n < steps; ++n) ASSERT_PETSC_OK(flow->Step(dt));
}

inline double Order(double coarse, double fine) { return std::log2(coarse / fine); }

} // namespace krylearn_test
