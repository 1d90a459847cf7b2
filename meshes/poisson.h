/// \file
/// The model problem −∇·(α∇p) = f on a grid: matrix, right-hand side, connected components and null space.
#pragma once
#include "meshes/grid.h"
#include <petscmat.h>
#include <vector>

namespace krylearn {

/// What holds on one side of the box; periodic axes ignore it.
enum class Side { kNeumann, kDirichlet };
using Sides = std::array<std::array<Side, 2>, 3>;

/// Coefficients of the model problem. α lives on faces (aperture included, 0 = closed); the lower face of cell (i,j,k)
/// on axis a is alpha[a] at (i,j,k), the upper boundary face has index n[a]. Ghost faces within one layer are valid.
/// `solid` is 1 in cells that carry no unknown (their row is an identity row) and 0 elsewhere, ghosts included. A cell
/// whose faces are all closed counts as solid whatever `solid` says.
struct PoissonCoefficients {
  FaceFields alpha;
  Field solid;
  Sides sides{};

  /// Is the lower face on `axis` of the cell at offset `at` open between two fluid cells? Inner (or periodic) faces.
  bool Joined(const Layout &layout, int axis, std::ptrdiff_t at) const {
    return alpha[axis][at] > 0 && solid[at] == 0 && solid[at - layout.stride[axis]] == 0;
  }
};

/// Connected fluid components that touch no Dirichlet side: each has a null vector of its own.
struct SingularComponents {
  /// Per cell of the layout: number of its singular component (0, 1, …), or -1 (solid or not singular). Ghosts invalid.
  std::vector<PetscInt> label;
  /// Cells in each singular component, over all ranks.
  std::vector<PetscInt64> cells;
};

/// Labels the singular components; numbering follows the smallest natural cell index and is the same on any rank count.
/// Collective.
PetscErrorCode FindSingularComponents(const Grid &grid, const PoissonCoefficients &coefficients,
                                      SingularComponents *components);

/// Turns fluid cells into solid ones (alpha of their faces 0, solid 1) in every closed pocket – a connected component,
/// singular or not, separated from the rest – of fewer than `min_cells` cells. The largest component is the rest and
/// always stays. Returns how many cells were filled. Ghosts of `coefficients` are updated. Collective.
PetscErrorCode FillPockets(const Grid &grid, PetscInt min_cells, PoissonCoefficients *coefficients, PetscInt64 *filled);

/// Assembles the matrix of the volume-integrated operator (row = −Σ α area/distance (p_neighbour − p)), AIJ by default;
/// `-<prefix>mat_type` and DMSetMatType() of the grid's DM are honoured. Solid rows are identity rows. On Dirichlet
/// faces the neighbour is half a cell away. Symmetric. The null space is attached where the matrix is singular.
/// Collective.
PetscErrorCode AssemblePoisson(const Grid &grid, const PoissonCoefficients &coefficients, Mat *matrix);

/// Refills the values of a matrix made by AssemblePoisson for the same grid, and its null space. Collective.
PetscErrorCode FillPoisson(const Grid &grid, const PoissonCoefficients &coefficients, Mat matrix);

/// The null space of the singular components: normalised indicator vectors (never has_cnst – the constant over identity
/// rows breaks BoomerAMG and PFMG), or labelled sums where there are many. Null pointer if there are none. Collective.
PetscErrorCode CreatePoissonNullSpace(const Grid &grid, const SingularComponents &components, MatNullSpace *nullspace);

/// Subtracts from `rhs` (a vector of the pressure DM) its mean over each singular component. The sums are exact to
/// 2^-58 of the largest entry and the same, bit for bit, on any rank count. Collective.
PetscErrorCode MakeCompatible(const Grid &grid, const SingularComponents &components, Vec rhs);

} // namespace krylearn
