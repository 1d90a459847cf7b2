#include "meshes/problems.h"
#include "meshes/exact_text.h"
#include "meshes/random.h"
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace krylearn {
namespace {

/// Streams of random numbers; a new use takes a new one.
enum Stream { kRightHandSide = 1, kBoxes = 2, kWaveNumbers = 3, kPhases = 4, kWalls = 5, kGaps = 6, kSides = 7 };

/// Fills `problem->cell_alpha` in owned cells; 0 means solid.
using FillAlpha = void (*)(const ProblemSpec &, Problem *);

void Constant(const ProblemSpec &, Problem *problem) {
  std::fill(problem->cell_alpha.begin(), problem->cell_alpha.end(), 1.0);
}

/// Sets α in boxes of edge n_min/12: boxes with even number get `even`, the others `odd`; a solid box wins over the
/// rest where they overlap.
void Boxes(const ProblemSpec &spec, double even, double odd, Problem *problem) {
  Constant(spec, problem);
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  const int dim = grid.Dim(), count = dim == 3 ? 400 : 30;
  const PetscInt smallest = *std::min_element(layout.n.begin(), layout.n.begin() + dim);
  const PetscInt edge = std::max<PetscInt>(smallest / 12, 1);
  for (int b = 0; b < count; ++b) {
    Int3 lo{0, 0, 0}, hi{1, 1, 1};
    for (int a = 0; a < dim; ++a) {
      const PetscInt corner = PetscInt(std::floor(Uniform(spec.seed, kBoxes, 3 * b + a) * (layout.n[a] - edge)));
      lo[a] = std::max(corner, layout.lo[a]);
      hi[a] = std::min(corner + edge, layout.hi[a]);
    }
    const double value = b % 2 == 0 ? even : odd;
    for (PetscInt k = lo[2]; k < hi[2]; ++k)
      for (PetscInt j = lo[1]; j < hi[1]; ++j)
        for (PetscInt i = lo[0]; i < hi[0]; ++i) {
          double &alpha = problem->cell_alpha[layout.At(i, j, k)];
          if (alpha != 0) alpha = value;
        }
  }
}

void SolidBoxes(const ProblemSpec &spec, Problem *problem) { Boxes(spec, 0, 0, problem); }
void ContrastBoxes(const ProblemSpec &spec, Problem *problem) { Boxes(spec, spec.contrast, spec.contrast, problem); }
void MixedBoxes(const ProblemSpec &spec, Problem *problem) { Boxes(spec, 0, spec.contrast, problem); }

/// Twelve walls, shared evenly by the axes, one in each of equal strata so that none touches the next. Walls cut the
/// box into rooms; each wall has a slit, one cell wide, in every room it borders (in 3D all along the room), so that
/// the fluid stays connected.
void Walls(const ProblemSpec &spec, Problem *problem) {
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  const int dim = grid.Dim();
  std::array<std::vector<PetscInt>, 3> wall, room;            // per index: number of the wall or room there, or -1
  std::array<std::vector<std::array<PetscInt, 2>>, 3> extent; // of each room
  for (int a = 0; a < dim; ++a) {
    const PetscInt n = layout.n[a], count = std::min<PetscInt>(12 / dim, n / 3);
    wall[a].assign(n, -1);
    room[a].assign(n, -1);
    PetscInt begin = 0;
    for (PetscInt w = 0; w <= count; ++w) {
      PetscInt position = n;
      if (w < count) {
        const PetscInt stratum = w * n / count, length = (w + 1) * n / count - stratum;
        position = stratum + 1 + PetscInt(std::floor(Uniform(spec.seed, kWalls, 3 * w + a) * (length - 2)));
        wall[a][position] = w;
      }
      for (PetscInt i = begin; i < position; ++i) room[a][i] = w;
      extent[a].push_back({begin, position});
      begin = position + 1;
    }
  }
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const Int3 cell{i, j, k};
    bool in_wall = false;
    for (int a = 0; a < dim; ++a) {
      const PetscInt w = wall[a][cell[a]];
      if (w < 0) continue;
      const int t = (a + 1) % dim, s = 3 - a - t; // the slit has its place along t and runs along s
      const PetscInt across = room[t][cell[t]], along = dim == 3 ? room[s][cell[s]] : 0;
      if (across < 0 || along < 0) in_wall = true;
      if (in_wall) break;
      const auto &range = extent[t][across];
      const double u = Uniform(spec.seed, kGaps, ((std::uint64_t(w) * 3 + a) * 16 + across) * 16 + along);
      if (cell[t] != range[0] + PetscInt(std::floor(u * (range[1] - range[0])))) in_wall = true;
    }
    problem->cell_alpha[layout.At(i, j, k)] = in_wall ? spec.wall_alpha : 1;
  });
}

/// Log-normal permeability with Gaussian covariance, drawn as a sum of K plane waves.
void Darcy(const ProblemSpec &spec, Problem *problem) {
  constexpr int kWaves = 256;
  constexpr double kSigma = 1.5, kLength = 0.05, kTwoPi = 6.283185307179586;
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  // cos(2π k·x + φ) factors over the axes as the real part of a product, which leaves two multiplications a cell and
  // wave. wave[a] holds (cos, sin) of 2π k_a x_a for each wave and owned index.
  struct Factor {
    std::vector<double> re, im;
  };
  std::array<std::vector<Factor>, 3> wave;
  for (int a = 0; a < 3; ++a) {
    wave[a].resize(kWaves);
    for (int w = 0; w < kWaves; ++w) {
      const double k = a < grid.Dim() ? Normal(spec.seed, kWaveNumbers, 3 * w + a) / (kTwoPi * kLength) : 0;
      const double phase = a == 2 ? kTwoPi * Uniform(spec.seed, kPhases, w) : 0;
      for (PetscInt i = layout.lo[a]; i < layout.hi[a]; ++i) {
        const double angle = kTwoPi * k * grid.Centre(a, i) + phase;
        wave[a][w].re.push_back(std::cos(angle));
        wave[a][w].im.push_back(std::sin(angle));
      }
    }
  }
  const PetscInt row = layout.hi[0] - layout.lo[0];
  std::vector<double> g(row);
  for (PetscInt k = layout.lo[2]; k < layout.hi[2]; ++k)
    for (PetscInt j = layout.lo[1]; j < layout.hi[1]; ++j) {
      std::fill(g.begin(), g.end(), 0.0);
      for (int w = 0; w < kWaves; ++w) {
        const double yr = wave[1][w].re[j - layout.lo[1]], yi = wave[1][w].im[j - layout.lo[1]];
        const double zr = wave[2][w].re[k - layout.lo[2]], zi = wave[2][w].im[k - layout.lo[2]];
        const double re = yr * zr - yi * zi, im = yr * zi + yi * zr;
        const double *xr = wave[0][w].re.data(), *xi = wave[0][w].im.data();
        for (PetscInt i = 0; i < row; ++i) g[i] += xr[i] * re - xi[i] * im;
      }
      double *alpha = problem->cell_alpha.data() + layout.At(layout.lo[0], j, k);
      for (PetscInt i = 0; i < row; ++i) alpha[i] = std::exp(kSigma * std::sqrt(2.0 / kWaves) * g[i]);
    }
}

struct Entry {
  ProblemInfo info;
  FillAlpha fill; ///< null: the problem makes itself
  bool stretched;
};

const std::vector<Entry> &Registry() {
  static const std::vector<Entry> registry = {
      {{"box", "alpha = 1 in the unit box"}, Constant, false},
      {{"obstacles", "solid boxes at random places, alpha = 1 between them"}, SolidBoxes, false},
      {{"contrast", "boxes at random places with alpha = -contrast inside"}, ContrastBoxes, false},
      {{"mixed", "boxes at random places, every other one solid, the rest with alpha = -contrast"}, MixedBoxes, false},
      {{"walls", "12 thin walls with one-cell slits; solid, or of alpha = -wall_alpha"}, Walls, false},
      {{"darcy", "log-normal random permeability, correlated over a twentieth of the box"}, Darcy, false},
      {{"stretched", "alpha = 1 on a grid clustered at the sides, cell aspect ratios 1 to 20"}, Constant, true},
      {{"mms", "smooth manufactured solution and alpha, mixed boundary data; takes -obstacle"}, nullptr, false},
  };
  return registry;
}

/// α of faces from that of cells: the harmonic mean, weighted by widths; on the sides of the box the cell's own value.
PetscErrorCode AverageToFaces(Problem *problem) {
  PetscFunctionBeginUser;
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  const Field &cell_alpha = problem->cell_alpha;
  PetscCall(grid.Exchange({&problem->cell_alpha}));
  for (int d = 0; d < grid.Dim(); ++d) {
    Field &alpha = problem->coefficients.alpha[d];
    const std::ptrdiff_t step = layout.stride[d];
    ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t at = layout.At(i, j, k);
      const PetscInt face = Int3{i, j, k}[d];
      const double here = cell_alpha[at];
      if (grid.AtBoundary(d, 1) && face + 1 == layout.n[d]) alpha[at + step] = here;
      if (grid.AtBoundary(d, 0) && face == 0) {
        alpha[at] = here;
        return;
      }
      const double below = cell_alpha[at - step], w = grid.Width(d, face), w_below = grid.Width(d, face - 1);
      if (here == 0 || below == 0) alpha[at] = 0;
      else alpha[at] = here == below ? here : (w + w_below) / (w / here + w_below / below);
    });
  }
  PetscCall(grid.Exchange(problem->coefficients.alpha));
  PetscFunctionReturn(0);
}

/// Cells of α = 0 become solid, and so do cells without an open face.
PetscErrorCode MarkSolids(Problem *problem) {
  PetscFunctionBeginUser;
  const Grid &grid = *problem->grid;
  const Layout &layout = grid.Cells();
  PoissonCoefficients &c = problem->coefficients;
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    const Int3 cell{i, j, k};
    bool open = false;
    for (int d = 0; d < grid.Dim(); ++d)
      for (int side = 0; side < 2; ++side) {
        const bool boundary = grid.AtBoundary(d, side) && cell[d] == (side == 0 ? 0 : layout.n[d] - 1);
        const bool passes = !boundary || c.sides[d][side] == Side::kDirichlet;
        open = open || (passes && c.alpha[d][at + side * layout.stride[d]] > 0);
      }
    const bool solid = problem->cell_alpha[at] == 0 || !open;
    c.solid[at] = solid;
    if (solid) problem->cell_alpha[at] = 0;
    problem->volume[at] = solid ? 0 : grid.Volume(i, j, k);
  });
  PetscCall(grid.Exchange({&c.solid, &problem->cell_alpha}));
  PetscFunctionReturn(0);
}

PetscErrorCode FindProblem(MPI_Comm comm, const std::string &name, const Entry **found) {
  PetscFunctionBeginUser;
  std::vector<std::string> names;
  std::string list;
  for (const Entry &entry : Registry()) {
    if (entry.info.name == name) {
      *found = &entry;
      PetscFunctionReturn(0);
    }
    names.push_back(entry.info.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  PetscCheck(name != "pressure", comm, PETSC_ERR_USER_INPUT,
             "Problem 'pressure' stands for systems captured by fluid -capture; read one with -mat FILE -rhs FILE");
  const std::string nearest = NearestName(name, names);
  SETERRQ(comm, PETSC_ERR_USER_INPUT, "Unknown problem '%s'%s%s%s; known are %s", name.c_str(),
          nearest.empty() ? "" : ", did you mean '", nearest.c_str(), nearest.empty() ? "" : "'?", list.c_str());
}

PetscErrorCode CheckSpec(MPI_Comm comm, const ProblemSpec &spec) {
  PetscFunctionBeginUser;
  double cells = 1;
  for (int d = 0; d < 3; ++d) {
    PetscCheck(spec.cells[d] >= 1, comm, PETSC_ERR_USER_INPUT,
               "The grid has %" PetscInt_FMT " cells along axis %c; give at least 1 (-grid nx,ny[,nz])", spec.cells[d],
               "xyz"[d]);
    cells *= double(spec.cells[d]);
  }
  PetscCheck(cells < double(PETSC_MAX_INT) / 8, comm, PETSC_ERR_USER_INPUT,
             "A grid of %g cells is too large for the %d-bit integers of this PETSc; use a coarser grid, or a PETSc "
             "configured with 64-bit indices",
             cells, int(8 * sizeof(PetscInt)));
  PetscCheck(spec.contrast > 0 && std::isfinite(spec.contrast), comm, PETSC_ERR_USER_INPUT,
             "-contrast %g must be positive", spec.contrast);
  PetscCheck(spec.wall_alpha >= 0 && std::isfinite(spec.wall_alpha), comm, PETSC_ERR_USER_INPUT,
             "-wall_alpha %g must not be negative; 0 makes the walls solid", spec.wall_alpha);
  PetscCheck(spec.obstacle.empty() || spec.name == "mms", comm, PETSC_ERR_USER_INPUT,
             "Only problem mms takes -obstacle, not %s", spec.name.c_str());
  PetscCheck(!spec.mixed_boundaries || spec.name != "mms", comm, PETSC_ERR_USER_INPUT,
             "Problem mms has boundaries of its own, which cannot be mixed");
  PetscFunctionReturn(0);
}

} // namespace

const std::vector<ProblemInfo> &NamedProblems() {
  static const std::vector<ProblemInfo> list = [] {
    std::vector<ProblemInfo> infos;
    for (const Entry &entry : Registry()) infos.push_back(entry.info);
    return infos;
  }();
  return list;
}

PetscErrorCode CheckProblemNames(MPI_Comm comm, const std::vector<std::string> &names) {
  PetscFunctionBeginUser;
  std::vector<std::string> known;
  for (const ProblemInfo &info : NamedProblems()) known.push_back(info.name);
  for (const std::string &name : names) {
    const std::string nearest = NearestName(name, known);
    PetscCheck(std::find(known.begin(), known.end(), name) != known.end(), comm, PETSC_ERR_USER_INPUT,
               "-problem: unknown problem '%s'%s%s%s; poisson lists them", name.c_str(),
               nearest.empty() ? "" : ", did you mean '", nearest.c_str(), nearest.empty() ? "" : "'?");
  }
  PetscFunctionReturn(0);
}

Boundaries MixedBoundaries(PetscInt seed, PetscInt draw, int dim) {
  Boundaries b;
  const auto u = [&](int number) { return Uniform(seed, kSides, 16 * std::uint64_t(draw) + number); };
  bool held = false;
  for (int a = 0; a < dim; ++a) {
    b.periodic[a] = u(3 * a) < 0.25;
    for (int side = 0; side < 2 && !b.periodic[a]; ++side)
      if (u(3 * a + 1 + side) < 0.5) b.sides[a][side] = Side::kDirichlet, held = true;
  }
  if (held) return b;
  const int axis = int(u(9) * dim), side = u(10) < 0.5 ? 0 : 1;
  b.periodic[axis] = false;
  b.sides[axis][side] = Side::kDirichlet;
  return b;
}

PetscErrorCode RandomRightHandSide(const Problem &problem, PetscInt seed, Field *rhs) {
  PetscFunctionBeginUser;
  const Grid &grid = *problem.grid;
  const Layout &layout = grid.Cells();
  rhs->assign(layout.size, 0.0);
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    const std::uint64_t natural = i + std::uint64_t(layout.n[0]) * (j + std::uint64_t(layout.n[1]) * k);
    (*rhs)[at] = problem.volume[at] * (2 * Uniform(seed, kRightHandSide, natural) - 1);
  });
  if (problem.singular.cells.empty()) PetscFunctionReturn(0);
  Vec vec;
  PetscCall(DMGetGlobalVector(grid.PressureDM(), &vec));
  PetscCall(grid.ToVec(*rhs, vec));
  PetscCall(MakeCompatible(grid, problem.singular, vec));
  PetscCall(grid.FromVec(vec, rhs));
  PetscCall(DMRestoreGlobalVector(grid.PressureDM(), &vec));
  PetscFunctionReturn(0);
}

PetscErrorCode CreateProblem(MPI_Comm comm, const ProblemSpec &spec, Problem *problem) {
  PetscFunctionBeginUser;
  const Entry *entry = nullptr;
  PetscCall(FindProblem(comm, spec.name, &entry));
  PetscCall(CheckSpec(comm, spec));
  GridSpec box;
  box.cells = spec.cells;
  box.ownership = spec.ownership;
  const int dim = spec.cells[2] == 1 ? 2 : 3;
  for (int d = 0; entry->stretched && d < dim; ++d) box.faces[d] = StretchedFaces(spec.cells[d], 0, 1, 20);
  Boundaries boundaries;
  boundaries.sides[dim - 1][1] = Side::kDirichlet;
  if (spec.mixed_boundaries) boundaries = MixedBoundaries(spec.seed, spec.boundary_draw, dim);
  box.periodic = boundaries.periodic;
  PetscCall(Grid::Create(comm, box, &problem->grid));
  const Grid &grid = *problem->grid;
  PoissonCoefficients &c = problem->coefficients;
  c.alpha = grid.NewFaces();
  c.solid = grid.NewField();
  c.sides = Sides{};
  problem->cell_alpha = grid.NewField();
  problem->volume = grid.NewField();
  problem->exact.clear();
  if (!entry->fill) {
    PetscCall(MakeManufacturedProblem(spec, problem));
    PetscFunctionReturn(0);
  }
  c.sides = boundaries.sides;
  entry->fill(spec, problem);
  PetscCall(AverageToFaces(problem));
  PetscCall(MarkSolids(problem));
  PetscCall(FindSingularComponents(grid, c, &problem->singular));
  PetscCall(RandomRightHandSide(*problem, spec.seed, &problem->rhs));
  PetscFunctionReturn(0);
}

PetscErrorCode SolutionError(const Problem &problem, Vec solution, double *l2, double *linf) {
  PetscFunctionBeginUser;
  const Grid &grid = *problem.grid;
  const Layout &layout = grid.Cells();
  PetscCheck(!problem.exact.empty(), grid.Comm(), PETSC_ERR_ARG_WRONGSTATE,
             "The exact solution of this problem is not known");
  const PetscScalar *x;
  PetscCall(VecGetArrayRead(solution, &x));
  double sums[2] = {0, 0}, largest = 0;
  PetscInt next = 0;
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    const double error = std::abs(x[next++] - problem.exact[at]);
    if (problem.coefficients.solid[at] != 0) return;
    sums[0] += problem.volume[at] * error * error;
    sums[1] += problem.volume[at];
    if (!(error <= largest)) largest = error; // NaN stays visible
  });
  PetscCall(VecRestoreArrayRead(solution, &x));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, grid.Comm()));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, grid.Comm()));
  *l2 = std::sqrt(sums[0] / sums[1]);
  *linf = largest;
  PetscFunctionReturn(0);
}

PetscErrorCode ReadProblemOptions(MPI_Comm comm, ProblemSpec *spec) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Problem");
  PetscCall(options.String("problem", "name of the problem", &spec->name));
  Int3 cells = spec->cells;
  PetscInt count = 3;
  PetscCall(options.Ints("grid", "cells along each axis: nx,ny or nx,ny,nz", cells.data(), &count));
  PetscCheck(count == 0 || count >= 2, comm, PETSC_ERR_USER_INPUT,
             "-grid needs two numbers (2D) or three (3D), such as -grid 128,128 or -grid 64,64,64");
  if (count > 0) spec->cells = {cells[0], cells[1], count == 3 ? cells[2] : 1};
  PetscCall(options.Int("seed", "seed of everything random in the problem", &spec->seed));
  PetscCall(ReadProblemParameters(&options, spec));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadProblemParameters(OptionReader *reader, ProblemSpec *spec) {
  PetscFunctionBeginUser;
  OptionReader &options = *reader;
  PetscCall(options.Real("contrast", "alpha inside the boxes of contrast and mixed", "1", &spec->contrast));
  PetscCall(
      options.Real("wall_alpha", "alpha of the walls of problem walls, 0 makes them solid", "1", &spec->wall_alpha));
  PetscCall(
      options.String("obstacle", "obstacles in problem mms, such as \"sphere:0.5,0.5,0.5,0.2\"", &spec->obstacle));
  PetscFunctionReturn(0);
}

std::string DescribeProblemParameters(const ProblemSpec &spec) {
  std::string text = "contrast " + ExactText(spec.contrast) + ", wall_alpha " + ExactText(spec.wall_alpha);
  return spec.obstacle.empty() ? text : text + ", obstacle " + spec.obstacle;
}

PetscErrorCode ParseGrids(MPI_Comm comm, const std::string &text, std::vector<Int3> *grids) {
  PetscFunctionBeginUser;
  for (const std::string &part : SplitList(text, ':')) {
    Int3 cells{1, 1, 1};
    const std::vector<std::string> words = SplitList(part, ',');
    bool fine = words.size() == 2 || words.size() == 3;
    for (std::size_t a = 0; fine && a < words.size(); ++a) {
      char *end;
      errno = 0;
      const long n = std::strtol(words[a].c_str(), &end, 10);
      fine = !*end && errno == 0 && n > 0 && n < 100000;
      cells[a] = PetscInt(n);
    }
    PetscCheck(fine, comm, PETSC_ERR_USER_INPUT,
               "-grid: '%s' is no grid; give nx,ny or nx,ny,nz, and several with colons between: 64,64,64:128,128,128",
               part.c_str());
    grids->push_back(cells);
  }
  PetscCheck(!grids->empty(), comm, PETSC_ERR_USER_INPUT, "-grid: give nx,ny or nx,ny,nz");
  PetscFunctionReturn(0);
}

} // namespace krylearn
