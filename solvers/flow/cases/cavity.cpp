// Lid-driven cavity: a unit square whose upper wall moves with unit speed.
// Reference: Ghia, Ghia & Shin, J. Comput. Phys. 48 (1982); Botella & Peyret, Comput. Fluids 27 (1998).
#include "meshes/options.h"
#include "solvers/flow/cases.h"
#include "solvers/flow/diagnostics.h"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace krylearn {
namespace {

std::string reference_folder = "data/reference"; // set by Configure(), used by Report()

PetscErrorCode Configure(MPI_Comm comm, FlowConfig *config) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Cavity");
  PetscCall(options.String("cavity_reference", "folder of ghia1982_u.csv and ghia1982_v.csv", &reference_folder));
  config->grid.cells = {128, 128, 1};
  config->boundaries[1][1].velocity = {1, 0, 0};
  config->viscosity = 1e-3;
  config->end_time = 200;
  config->steady_tolerance = 5e-5;
  PetscFunctionReturn(0);
}

/// Velocity component `axis` on the centreline across it: (coordinate, value) along the other axis, walls included.
PetscErrorCode Centreline(FlowSolver &flow, int axis, std::vector<double> *x, std::vector<double> *value) {
  PetscFunctionBeginUser;
  const Grid &grid = *flow.GetGrid();
  const Layout &l = grid.Cells();
  const int along = 1 - axis;
  const double middle = 0.5 * (grid.Spec().lower[axis] + grid.Spec().upper[axis]);
  // The centreline lies on a face where the number of cells is even, else between two.
  PetscInt face = 0;
  while (face < l.n[axis] && grid.Face(axis, face + 1) <= middle + 1e-12) ++face;
  const double share = (middle - grid.Face(axis, face)) / grid.Width(axis, face);
  std::vector<double> local(l.n[along], 0.0), global(l.n[along]);
  ForEachCell(l, [&](PetscInt i, PetscInt j, PetscInt k) {
    const Int3 c{i, j, k};
    const double u = flow.Velocity()[axis][l.At(i, j, k)];
    if (k != 0) return;
    if (c[axis] == face) local[c[along]] += (1 - share) * u;
    if (c[axis] == face + 1) local[c[along]] += share * u;
  });
  PetscCallMPI(MPI_Allreduce(local.data(), global.data(), PetscMPIInt(l.n[along]), MPI_DOUBLE, MPI_SUM, grid.Comm()));
  const auto wall = [&](int side) { return flow.Config().boundaries[along][side].velocity[axis]; };
  *x = {grid.Spec().lower[along]};
  *value = {wall(0)};
  for (PetscInt n = 0; n < l.n[along]; ++n) {
    x->push_back(grid.Centre(along, n));
    value->push_back(global[n]);
  }
  x->push_back(grid.Spec().upper[along]);
  value->push_back(wall(1));
  PetscFunctionReturn(0);
}

/// Cubic Lagrange interpolation in a table with increasing abscissae.
double Interpolate(const std::vector<double> &x, const std::vector<double> &y, double at) {
  std::size_t n = std::upper_bound(x.begin(), x.end(), at) - x.begin();
  const std::size_t first = std::min(n < 2 ? 0 : n - 2, x.size() - 4);
  double sum = 0;
  for (std::size_t a = first; a < first + 4; ++a) {
    double weight = 1;
    for (std::size_t b = first; b < first + 4; ++b)
      if (b != a) weight *= (at - x[b]) / (x[a] - x[b]);
    sum += weight * y[a];
  }
  return sum;
}

/// Extremum of sign·y by sampling the interpolant finely away from the walls.
void Extremum(const std::vector<double> &x, const std::vector<double> &y, double sign, double *at, double *value) {
  *value = -1e300;
  for (int n = 100; n <= 9500; ++n) {
    const double s = x.front() + (x.back() - x.front()) * n / 1e4, v = sign * Interpolate(x, y, s);
    if (v > *value) *value = v, *at = s;
  }
  *value *= sign;
}

/// Largest distance of the tabulated values (column re<Re> of a file in data/reference) from the computed ones, or -1
/// where the file or the Reynolds number is missing.
double Deviation(const std::string &file, int reynolds, const std::vector<double> &x, const std::vector<double> &y) {
  std::ifstream in(file);
  std::string line;
  const std::string wanted = "re" + std::to_string(reynolds);
  int column = -1;
  double largest = -1;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> cells;
    std::stringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    if (column < 0) {
      for (std::size_t c = 1; c < cells.size(); ++c)
        if (cells[c] == wanted) column = int(c);
      if (column < 0) return -1;
      continue;
    }
    if (int(cells.size()) <= column || cells[column].empty()) continue;
    largest = std::max(largest, std::abs(Interpolate(x, y, std::stod(cells[0])) - std::stod(cells[column])));
  }
  return largest;
}

PetscErrorCode Report(FlowSolver &flow, const History &) {
  PetscFunctionBeginUser;
  MPI_Comm comm = flow.GetGrid()->Comm();
  if (flow.GetGrid()->Dim() == 3) PetscFunctionReturn(0);
  const double lid = flow.Config().boundaries[1][1].velocity[0];
  std::vector<double> y, u, x, v;
  PetscCall(Centreline(flow, 0, &y, &u));
  PetscCall(Centreline(flow, 1, &x, &v));
  double at = 0, value = 0;
  Extremum(y, u, -1, &at, &value);
  PetscCall(PetscPrintf(comm, "u_min: %.6f at y = %.4f (x = 1/2)\n", value, at));
  Extremum(x, v, 1, &at, &value);
  PetscCall(PetscPrintf(comm, "v_max: %.6f at x = %.4f (y = 1/2)\n", value, at));
  Extremum(x, v, -1, &at, &value);
  PetscCall(PetscPrintf(comm, "v_min: %.6f at x = %.4f (y = 1/2)\n", value, at));
  const int reynolds = int(std::lround(lid / flow.Config().viscosity));
  const double du = Deviation(reference_folder + "/ghia1982_u.csv", reynolds, y, u);
  const double dv = Deviation(reference_folder + "/ghia1982_v.csv", reynolds, x, v);
  // The published values hold for the square without obstacles.
  const GridSpec &box = flow.Config().grid;
  const bool square = std::abs(box.upper[0] - box.lower[0] - (box.upper[1] - box.lower[1])) < 1e-12;
  if (du >= 0 && dv >= 0 && square && flow.Immersed().Empty())
    PetscCall(PetscPrintf(comm, "ghia_deviation: %.5f of the lid speed (largest over both centrelines, Re %d)\n",
                          std::max(du, dv) / lid, reynolds));
  PetscFunctionReturn(0);
}

} // namespace

const FlowCase kCavity = {"cavity", "lid-driven cavity, Re 1000 (2D; -reynolds 100, 400, 1000 have reference values)",
                          Configure, Report};

} // namespace krylearn
