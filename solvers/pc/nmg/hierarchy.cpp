#include "solvers/pc/nmg/hierarchy.h"
#include "solvers/pc/nmg/spectrum.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nmg {
namespace {

/// How a level is smoothed: sweeps before and after, and the share of the spectrum's end from which on they work.
struct Smoothing {
  PetscInt sweeps;
  double low;
};
constexpr Smoothing kIsotropic{2, 0.25};
/// Where most cells couple much more along one axis than along another, coarsening all axes leaves rough errors that
/// only a longer polynomial reaches: 47 iterations with 2 sweeps at problem stretched (64³), 20 with 6, in less time.
constexpr Smoothing kAnisotropic{6, 0.05};
constexpr double kStrongerAxis = 8, kAnisotropicShare = 0.3;
/// A coarsest level of more cells – odd circles cannot be coarsened – is smoothed this often instead of solved exactly.
constexpr PetscInt64 kExactCells = 800;
constexpr PetscInt kCoarsestSweeps = 16;
constexpr double kCoarsestPart = 0.02;
/// The largest level that is tried out to see whether one visit a cycle does – small, or small beside the finest – and
/// the smallest Ritz value that says so. It is 0.6 to 0.9 where coarse levels represent the system well, 0.03 to 0.25
/// at jumps and behind walls.
constexpr PetscInt64 kTrialCells = 40000, kTrialShare = 60;
constexpr int kTrialSteps = 4;
constexpr double kGoodSolver = 0.5;

/// An axis that is periodic with an odd number of cells: between its last and its first coarse cell there would be no
/// room for a fine one.
bool OddCircle(const Box &box, std::size_t axis) {
  return box.periodic[axis] && box.layout.n[axis] > 2 && box.layout.n[axis] % 2 != 0;
}

PetscInt64 CellCount(const Int3 &n) { return PetscInt64(n[0]) * n[1] * n[2]; }

/// Owned cells that every rank has left on an axis of the next level, if it is coarsened by `factor`.
PetscErrorCode FewestCells(const Box &box, const Int3 &factor, PetscInt *fewest) {
  PetscFunctionBeginUser;
  const Layout &l = box.layout;
  *fewest = PETSC_MAX_INT;
  for (int d = 0; d < 3; ++d) {
    const PetscInt lo = (l.lo[d] + factor[d] - 1) / factor[d], hi = (l.hi[d] + factor[d] - 1) / factor[d];
    // An axis that one rank holds whole has no ghosts of others.
    if (l.lo[d] > 0 || l.hi[d] < l.n[d]) *fewest = std::min(*fewest, hi - lo);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, fewest, 1, MPIU_INT, MPI_MIN, box.comm));
  PetscFunctionReturn(0);
}

/// Replaces a stencil by the one on the whole grid, without ghosts.
PetscErrorCode GatherStencil(Replica *replica, Stencil *stencil) {
  PetscFunctionBeginUser;
  const Box &whole = *replica->Whole();
  Stencil all;
  PetscCall(Together(whole.messages->Comm(), [&] {
    all.lower = stencil->lower;
    all.Allocate(whole);
    return 0;
  }));
  const ArrayList from = stencil->Arrays(), to = all.Arrays();
  for (std::size_t i = 0; i < from.size(); ++i) PetscCall(replica->Gather(*from[i], to[i]));
  *stencil = std::move(all);
  PetscFunctionReturn(0);
}

/// Do most cells couple kStrongerAxis times more along one axis than along another? Both sides of a cell count, so that
/// jumps do not look like it. Collective.
PetscErrorCode IsAnisotropic(const Box &box, const Stencil &stencil, bool *anisotropic) {
  PetscFunctionBeginUser;
  const Layout &l = box.layout;
  PetscInt64 counts[2] = {0, 0}; // such cells, all cells
  ForOwned(l, [&](PetscInt i, PetscInt j, PetscInt k, std::size_t at) {
    if ((i + j + k) % 4 != 0) return; // every fourth cell tells enough
    float strongest = 0, weakest = 1e38f;
    for (std::size_t c = 0; c < stencil.lower.size(); ++c) {
      const std::ptrdiff_t o = l.Offset(stencil.lower[c]);
      const float below = stencil.coupling[c][at], above = stencil.coupling[c][at - std::size_t(o)];
      if (!(below > 0) || !(above > 0)) return; // at a side or a solid
      strongest = std::max(strongest, std::min(below, above));
      weakest = std::min(weakest, std::max(below, above));
    }
    ++counts[1];
    if (strongest > kStrongerAxis * weakest) ++counts[0];
  });
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPIU_INT64, MPI_SUM, box.comm));
  *anisotropic = double(counts[0]) > kAnisotropicShare * double(counts[1]);
  PetscFunctionReturn(0);
}

/// Steps of Chebyshev iteration. Short and long ones alternate, from the ends inwards: in order of their size, what one
/// step rounds the later ones would magnify a thousandfold and more.
void ChebyshevWeights(double largest, double part, std::vector<float> *weights) {
  const PetscInt sweeps = PetscInt(weights->size());
  std::fill(weights->begin(), weights->end(), 0.0f);
  if (!(largest > 0)) return; // a level without unknowns
  const double low = part * largest, centre = (largest + low) / 2, radius = (largest - low) / 2;
  for (PetscInt k = 0; k < sweeps; ++k) {
    const PetscInt root = k % 2 == 0 ? k / 2 : sweeps - 1 - k / 2;
    (*weights)[std::size_t(k)] =
        float(1 / (centre + radius * std::cos(PETSC_PI * (2 * double(root) + 1) / (2 * double(sweeps)))));
  }
}

} // namespace

PetscErrorCode Hierarchy::SetUp(std::shared_ptr<Box> box, Stencil *stencil, const Options &options) {
  PetscFunctionBeginUser;
  options_ = options;
  levels_.clear();
  root_.reset();
  PetscInt fewest;
  PetscCall(FewestCells(*box, {2, 2, 2}, &fewest));
  if (fewest < Box::kGhosts) {
    PetscCall(Together(box->comm, [&] {
      root_.reset(new Replica);
      return 0;
    }));
    PetscCall(root_->SetUp(box));
    PetscCall(GatherStencil(root_.get(), stencil));
    box = root_->Whole();
  }
  PetscCall(box->ExchangeDeep(stencil->Arrays()));
  bool anisotropic = false;
  PetscCall(IsAnisotropic(*box, *stencil, &anisotropic));
  const Smoothing smoothing = anisotropic ? kAnisotropic : kIsotropic;
  low_ = smoothing.low;
  sweeps_ = options.sweeps > 0 ? options.sweeps : smoothing.sweeps;
  PetscCall(AddLevel(std::move(box), *stencil));
  for (bool done = false; !done;) PetscCall(Coarsen(stencil, &done));
  Level &last = *levels_.back();
  exact_ = CellCount(last.box->layout.n) <= kExactCells;
  // Every rank solves it, and all have to come to the same verdict.
  MPI_Comm comm = last.box->messages->Comm();
  int definite = 1;
  PetscCall(Together(comm, [&] {
    if (exact_) definite = coarsest_.SetUp(*last.box, *stencil);
    else last.weights.resize(std::size_t(kCoarsestSweeps));
    return 0;
  }));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &definite, 1, MPI_INT, MPI_MIN, comm));
  PetscCheck(definite, comm, PETSC_ERR_MAT_CH_ZRPVT,
             "The matrix is not positive definite, even on the coarsest level of the multigrid; PCNMG serves symmetric "
             "positive (semi-)definite matrices only");
  if (exact_) PetscCall(PetscLogFlops(coarsest_.SetUpFlops()));
  else ChebyshevWeights(last.largest, kCoarsestPart, &last.weights);
  PetscCall(ChooseVisits(anisotropic));
  PetscFunctionReturn(0);
}

/// How often cycles visit each level: coarse ones twice, which costs little. Large ones too where a cycle on its own
/// solves them badly, which the largest level that is cheap enough tells for all above: at jumps and behind walls that
/// halves the iterations. Where cells are anisotropic it is the smoother that leaves errors behind, at the finest level
/// as well, and more visits below bring nothing.
PetscErrorCode Hierarchy::ChooseVisits(bool anisotropic) {
  PetscFunctionBeginUser;
  const std::size_t count = levels_.size();
  PetscCall(Together(levels_[0]->box->messages->Comm(), [&] {
    for (std::size_t l = 1; l + 1 < count && options_.cycle != Cycle::kV; ++l) {
      levels_[l]->visits = 2;
      levels_[l]->sum = levels_[l]->box->NewArray();
    }
    return 0;
  }));
  if (options_.cycle != Cycle::kAuto) PetscFunctionReturn(0);
  std::size_t tried = 1;
  const PetscInt64 most = std::max(kTrialCells, CellCount(levels_[0]->box->layout.n) / kTrialShare);
  while (tried < count && CellCount(levels_[tried]->box->layout.n) > most) ++tried;
  if (tried + 1 >= count) PetscFunctionReturn(0);
  double smallest = 1;
  if (!anisotropic)
    PetscCall(SmallestRitzValue(
        *levels_[tried]->box, levels_[tried]->stencil, kTrialSteps,
        [&](Array *b, Array *x) { return RunCycle(tried, b, x); }, &smallest));
  if (smallest < kGoodSolver) PetscFunctionReturn(0);
  for (std::size_t l = 1; l <= tried; ++l) {
    levels_[l]->visits = 1;
    levels_[l]->sum = Array();
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::AddLevel(std::shared_ptr<Box> box, const Stencil &stencil) {
  PetscFunctionBeginUser;
  const bool finest = levels_.empty();
  PetscCall(Together(box->messages->Comm(), [&] {
    levels_.emplace_back(new Level);
    Level &level = *levels_.back();
    level.box = box;
    level.weights.resize(std::size_t(sweeps_));
    level.stencil.SetUp(*box, stencil);
    level.t = box->NewArray();
    // The finest level works in the caller's arrays.
    if (!finest || root_)
      for (Array *array : {&level.b, &level.x}) *array = box->NewArray();
    return 0;
  }));
  Level &level = *levels_.back();
  PetscCall(PetscLogFlops(double(level.box->layout.OwnedCells()) * level.stencil.SetUpFlopsPerCell()));
  PetscCall(GershgorinBound(*level.box, stencil, &level.largest));
  // The finest level gets close to its bound of 2.
  if (!finest && level.largest > 0) {
    double estimate;
    PetscCall(LargestEigenvalue(*level.box, stencil, level.stencil, {&level.x, &level.t, &level.b}, &estimate));
    level.largest = std::min(level.largest, estimate);
  }
  ChebyshevWeights(level.largest, low_, &level.weights);
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::Coarsen(Stencil *stencil, bool *done) {
  PetscFunctionBeginUser;
  Level &level = *levels_.back();
  const Layout &l = level.box->layout;
  int ranks;
  PetscCallMPI(MPI_Comm_size(level.box->comm, &ranks));
  Int3 factor, n, lo, hi;
  for (std::size_t d = 0; d < 3; ++d) {
    factor[d] = l.n[d] > 2 && !OddCircle(*level.box, d) ? 2 : 1;
    n[d] = (l.n[d] + factor[d] - 1) / factor[d];
    lo[d] = (l.lo[d] + factor[d] - 1) / factor[d];
    hi[d] = (l.hi[d] + factor[d] - 1) / factor[d];
  }
  const bool small = CellCount(l.n) <= options_.coarsest, stuck = CellCount(n) == CellCount(l.n);
  *done = ranks == 1 && (small || stuck);
  if (*done) PetscFunctionReturn(0);

  PetscInt fewest;
  PetscCall(FewestCells(*level.box, factor, &fewest));
  PetscCheck(fewest >= Box::kGhosts || ranks == 1, level.box->comm, PETSC_ERR_SUP,
             "PCNMG needs at least %" PetscInt_FMT " cells a rank and axis; use fewer ranks for this grid",
             2 * Box::kGhosts);
  // Ranks that hold a level whole may still fail alone.
  MPI_Comm comm = level.box->messages->Comm();
  WorkBox work;
  SplitStencil split;
  PetscCall(Together(comm, [&] {
    PetscFunctionBeginUser;
    PetscCall(
        MakeBox(level.box->comm, level.box->messages, n, lo, hi, level.box->periodic, level.box->neighbours,
                &level.coarse));
    level.transfer.SetUp(level.box, level.coarse, factor);
    PetscCall(work.SetUp(*level.coarse, WorkArrays(*stencil, level.transfer)));
    split.SetUp(*level.box, *stencil, factor, &work);
    PetscFunctionReturn(0);
  }));
  std::vector<Array> sums;
  Stencil coarse;
  // Piecewise constants make the coarse operator twice too stiff along a coarsened axis.
  const bool constant = options_.weights == Weights::kConstant;
  if (constant) PetscCall(ConstantWeights(split, &work, &level.transfer, &sums));
  else PetscCall(BlackBoxWeights(split, &work, &level.transfer, &sums));
  PetscCall(GalerkinProduct(split, *level.coarse, level.transfer, sums, constant ? 0.5f : 1.0f, &work, &coarse));

  PetscCall(Together(comm, [&] {
    std::vector<const Array *> diagonals;
    for (const Link &link : level.transfer.Links()) diagonals.push_back(&split.Diagonal(split.Number(link.s)));
    level.transfer.Pack(work, diagonals, coarse.diagonal);
    return 0;
  }));
  PetscCall(PetscLogFlops(double(level.coarse->layout.OwnedCells()) * level.transfer.PackFlopsPerCoarseCell()));

  const bool replicate = ranks > 1 && (stuck || CellCount(n) <= options_.replicate || fewest < 2 * Box::kGhosts);
  if (!replicate) {
    *stencil = std::move(coarse);
    PetscCall(AddLevel(level.coarse, *stencil));
    PetscFunctionReturn(0);
  }
  PetscCall(Together(comm, [&] {
    level.replica.reset(new Replica);
    level.coarse_b = level.coarse->NewArray();
    level.coarse_x = level.coarse->NewArray();
    return 0;
  }));
  PetscCall(level.replica->SetUp(level.coarse));
  *stencil = std::move(coarse);
  PetscCall(GatherStencil(level.replica.get(), stencil));
  const std::shared_ptr<Box> &whole = level.replica->Whole();
  PetscCall(whole->ExchangeDeep(stencil->Arrays()));
  PetscCall(AddLevel(whole, *stencil));
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::RunCycle(std::size_t l, Array *b, Array *x) {
  PetscFunctionBeginUser;
  Level &level = *levels_[l];
  const Box &box = *level.box;
  const bool last = l + 1 == levels_.size();
  if (last && exact_) {
    coarsest_.Apply(*b, x);
    PetscCall(PetscLogFlops(coarsest_.Flops()));
    PetscFunctionReturn(0);
  }
  const std::size_t sweeps = level.weights.size();
  PetscCall(box.Exchange(b));
  level.stencil.FirstSweeps(box, level.weights[0], sweeps > 1 ? level.weights[1] : 0, *b, x);
  for (std::size_t s = 2; s < sweeps; ++s) {
    PetscCall(box.Exchange(x));
    level.stencil.Sweep(box, level.weights[s], *b, *x, &level.t);
    std::swap(*x, level.t);
  }
  if (last) {
    PetscCall(PetscLogFlops(double(sweeps) * double(box.layout.OwnedCells()) * level.stencil.FlopsPerCell()));
    PetscFunctionReturn(0);
  }
  PetscCall(box.Exchange(x));
  level.stencil.Residual(box, *b, *x, &level.t);
  PetscCall(box.Exchange(&level.t));
  Array &coarse_b = level.replica ? level.coarse_b : levels_[l + 1]->b;
  level.transfer.Restrict(level.t, &coarse_b);
  PetscCall(SolveCoarse(l));
  level.transfer.AddProlonged(level.replica ? level.coarse_x : levels_[l + 1]->x, x);
  for (std::size_t s = sweeps; s-- > 0;) {
    PetscCall(box.Exchange(x));
    level.stencil.Sweep(box, level.weights[s], *b, *x, &level.t);
    std::swap(*x, level.t);
  }
  const double cells = double(box.layout.OwnedCells()), passes = 2 * double(sweeps);
  PetscCall(PetscLogFlops(passes * cells * level.stencil.FlopsPerCell() +
                          2 * level.transfer.FlopsPerCoarseCell() * double(level.coarse->layout.OwnedCells())));
  PetscFunctionReturn(0);
}

/// Solves on the level below level l, between its right-hand side and its solution with ghosts.
PetscErrorCode Hierarchy::SolveCoarse(std::size_t l) {
  PetscFunctionBeginUser;
  Level &level = *levels_[l], &next = *levels_[l + 1];
  if (!level.replica) {
    PetscCall(SolveLevel(l + 1));
    PetscCall(next.box->Exchange(&next.x));
    PetscFunctionReturn(0);
  }
  PetscCall(level.replica->Gather(level.coarse_b, &next.b));
  PetscCall(SolveLevel(l + 1));
  level.replica->Take(next.x, &level.coarse_x);
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::SolveLevel(std::size_t l) {
  PetscFunctionBeginUser;
  Level &level = *levels_[l];
  PetscCall(RunCycle(l, &level.b, &level.x));
  if (level.visits == 1) PetscFunctionReturn(0);
  // The second visit works on what the first has left.
  std::swap(level.x, level.sum);
  PetscCall(level.box->Exchange(&level.sum));
  level.stencil.Residual(*level.box, level.b, level.sum, &level.x);
  std::swap(level.x, level.b);
  PetscCall(RunCycle(l, &level.b, &level.x));
  for (std::size_t i = 0; i < level.x.size(); ++i) level.x[i] += level.sum[i];
  PetscCall(PetscLogFlops((level.stencil.FlopsPerCell() + 1) * double(level.box->layout.OwnedCells())));
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::Apply(Array *b, Array *x) {
  PetscFunctionBeginUser;
  if (!root_) {
    PetscCall(RunCycle(0, b, x));
    PetscFunctionReturn(0);
  }
  Level &finest = *levels_[0];
  PetscCall(root_->Gather(*b, &finest.b));
  PetscCall(RunCycle(0, &finest.b, &finest.x));
  root_->Take(finest.x, x);
  PetscFunctionReturn(0);
}

std::vector<Hierarchy::LevelInfo> Hierarchy::Info() const {
  std::vector<LevelInfo> info;
  PetscInt visits = 1;
  bool replicated = root_ != nullptr;
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    const Level &level = *levels_[l];
    if (l > 0 && levels_[l - 1]->replica) replicated = true;
    visits *= level.visits;
    const bool exact = exact_ && l + 1 == levels_.size();
    info.push_back({level.box->layout.n, replicated, exact, level.stencil.Couplings(), level.largest, visits, {}});
    for (std::size_t d = 0; d < 3 && !exact; ++d) info.back().odd_circle[d] = OddCircle(*level.box, d);
  }
  return info;
}

double Hierarchy::OperatorComplexity() const {
  double all = 0, finest = 0;
  for (const auto &level : levels_) {
    const Int3 &n = level->box->layout.n;
    const double mine = double(CellCount(n)) * double(level->stencil.Couplings() + 1);
    if (finest == 0) finest = mine;
    all += mine;
  }
  return all / finest;
}

} // namespace nmg
} // namespace krylearn
