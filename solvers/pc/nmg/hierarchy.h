/// \file
/// The multigrid cycle: levels from a stencil on a box down to a handful of cells, and one linear, symmetric, positive
/// definite operation on them.
///
/// 1. Smooth from a zero guess with Chebyshev–Jacobi sweeps in the scaled unknowns D^(1/2) u.
/// 2. Restrict the residual with Pᵀ, solve there by this same cycle – once (V), twice (W), or as a trial of the level
///    tells – and add P times the result.
/// 3. Smooth with the same sweeps in reverse order.
/// The coarse operators are Galerkin products Pᵀ A P, so each coarse correction lowers the energy and the whole is
/// positive definite whatever the weights. The coarsest level is solved exactly. Levels below a given size are held
/// whole by every rank.
///
/// What is not there: line smoothers and semicoarsening for strong anisotropy, which takes more sweeps instead; axes
/// that are periodic with an odd number of cells are not coarsened.
#pragma once
#include "solvers/pc/nmg/coarsen.h"
#include "solvers/pc/nmg/dense.h"

namespace krylearn {
namespace nmg {

enum class Weights { kConstant, kBlackBox };
enum class Cycle { kV, kW, kAuto };

struct Options {
  Weights weights = Weights::kBlackBox;
  Cycle cycle = Cycle::kAuto;
  PetscInt sweeps = 0;        ///< smoothing sweeps before and after; 0: 2, or 6 where most cells are anisotropic
  PetscInt replicate = 32768; ///< levels of at most so many cells are held whole by every rank
  PetscInt coarsest = 100;    ///< stop coarsening at so many cells
};

class Hierarchy {
public:
  /// Builds all levels below a stencil, whose owned values are given and which is consumed. Collective.
  PetscErrorCode SetUp(std::shared_ptr<Box> box, Stencil *stencil, const Options &options);
  /// x = B b in scaled unknowns; ghosts are of no concern. b is used as work space. Collective.
  PetscErrorCode Apply(Array *b, Array *x);

  struct LevelInfo {
    Int3 cells;
    bool replicated, exact;
    std::size_t couplings;
    double largest_eigenvalue;
    PetscInt visits; ///< in one cycle
    std::array<bool, 3> odd_circle; ///< axes that cannot be coarsened
  };
  std::vector<LevelInfo> Info() const;
  PetscInt Sweeps() const { return sweeps_; }
  /// Coefficients of all levels over those of the finest.
  double OperatorComplexity() const;

private:
  struct Level {
    std::shared_ptr<Box> box;
    ScaledStencil stencil;
    double largest = 2;
    std::vector<float> weights; ///< of the sweeps before; after, they come in reverse order
    int visits = 1;             ///< each time the level above is visited
    Array b, x, t, sum;         ///< right-hand side, solution, work, sum of the solutions of two visits
    // To the next level:
    Transfer transfer;
    std::shared_ptr<Box> coarse; ///< distributed as this level
    std::unique_ptr<Replica> replica;
    Array coarse_b, coarse_x; ///< on `coarse` where the next level is held whole
    double flops = 0;         ///< of one visit, this rank's
  };
  PetscErrorCode AddLevel(std::shared_ptr<Box> box, const Stencil &stencil);
  PetscErrorCode Coarsen(Stencil *stencil, bool *done);
  PetscErrorCode ChooseVisits(bool anisotropic);
  PetscErrorCode RunCycle(std::size_t l, Array *b, Array *x);
  PetscErrorCode SolveCoarse(std::size_t l);
  PetscErrorCode SolveLevel(std::size_t l);

  Options options_;
  PetscInt sweeps_ = 2;           ///< those that are made
  double low_ = 0.25;             ///< they work from this share of the largest eigenvalue on
  std::unique_ptr<Replica> root_; ///< where even the finest level is too thin to share
  std::vector<std::unique_ptr<Level>> levels_;
  DenseInverse coarsest_;
  bool exact_ = true; ///< the coarsest level is small enough for an inverse
};

} // namespace nmg
} // namespace krylearn
