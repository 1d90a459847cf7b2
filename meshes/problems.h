/// \file
/// The named model problems: coefficients, right-hand side and, where known, the exact solution.
///
/// Everything is a function of the problem's name, grid and seed – each random number is U(seed, stream, index) of
/// random.h, each sum is exact – so that a problem is the same, bit for bit, on any number of ranks.
#pragma once
#include "meshes/options.h"
#include "meshes/poisson.h"
#include <string>

namespace krylearn {

/// Which sides of the box are Dirichlet or Neumann, and which axes are periodic.
struct Boundaries {
  Sides sides{};
  std::array<bool, 3> periodic{false, false, false};
};

/// Boundaries drawn by seed: one axis in four is periodic, the other sides are Dirichlet or Neumann with equal chances,
/// and at least one is Dirichlet. `draw` 0, 1, … are different draws.
Boundaries MixedBoundaries(PetscInt seed, PetscInt draw, int dim);

/// What a named problem is made from.
struct ProblemSpec {
  std::string name = "box";
  Int3 cells{64, 64, 64}; ///< 2D: one cell along the last axis
  PetscInt seed = 1;
  double contrast = 1000;        ///< α inside the boxes of `contrast` and `mixed`
  double wall_alpha = 0;         ///< α of the walls of `walls`; 0 makes them solid
  std::string obstacle;          ///< `mms` only: obstacles as ParseObstacles() takes them
  bool mixed_boundaries = false; ///< MixedBoundaries() of `seed` and `boundary_draw`; not for `mms`
  PetscInt boundary_draw = 0;
  /// Cells per rank and axis; empty lets the grid choose.
  std::array<std::vector<PetscInt>, 3> ownership;
};

/// A problem on its grid. Fields have valid ghosts where coefficients do; right-hand side and solution have none.
struct Problem {
  std::shared_ptr<const Grid> grid;
  PoissonCoefficients coefficients;
  SingularComponents singular;
  Field cell_alpha; ///< α per cell, 0 in solids
  Field volume;     ///< fluid volume per cell, 0 in solids
  Field rhs;        ///< integrated over cells, as the matrix is; compatible; 0 in solids
  Field exact;      ///< solution at cell centres; empty where unknown
};

struct ProblemInfo {
  const char *name, *summary;
};

/// Names and one-line descriptions of all problems that CreateProblem() makes.
const std::vector<ProblemInfo> &NamedProblems();

/// Refuses names in the option -problem that are none of these, with the nearest one (PETSC_ERR_USER_INPUT).
PetscErrorCode CheckProblemNames(MPI_Comm comm, const std::vector<std::string> &names);

/// Makes a named problem. Unknown names are refused with the list and the nearest name, bad sizes with advice
/// (PETSC_ERR_USER_INPUT). Collective.
PetscErrorCode CreateProblem(MPI_Comm comm, const ProblemSpec &spec, Problem *problem);

/// The right-hand side of the random problems for any `seed`: volume (2 U(seed, 1, natural index) - 1) in fluid cells,
/// 0 in solid ones, made compatible. Collective.
PetscErrorCode RandomRightHandSide(const Problem &problem, PetscInt seed, Field *rhs);

/// Norms of the error of `solution` (a vector of the pressure DM) against `exact`: root of the volume-weighted mean
/// square, and maximum over fluid cells. Collective.
PetscErrorCode SolutionError(const Problem &problem, Vec solution, double *l2, double *linf);

/// Reads -problem, -grid, -seed, -contrast, -wall_alpha and -obstacle into `spec`. Collective.
PetscErrorCode ReadProblemOptions(MPI_Comm comm, ProblemSpec *spec);

/// Those of them that make one problem differ from another of its name, grid and seed: -contrast, -wall_alpha,
/// -obstacle.
PetscErrorCode ReadProblemParameters(OptionReader *reader, ProblemSpec *spec);

/// What they are, in one line: "contrast 1000, wall_alpha 0".
std::string DescribeProblemParameters(const ProblemSpec &spec);

/// Grids separated by colons, "64,64,64:128,128", for -grid. Collective.
PetscErrorCode ParseGrids(MPI_Comm comm, const std::string &text, std::vector<Int3> *grids);

/// Fills in the manufactured problem (`mms`), whose grid is made already: coefficients, right-hand side, solution.
/// Collective.
PetscErrorCode MakeManufacturedProblem(const ProblemSpec &spec, Problem *problem);

} // namespace krylearn
