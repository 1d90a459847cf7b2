#include "solvers/pc/nmg/hierarchy.h"
#include "meshes/log.h"
#include "meshes/random.h"
#include <algorithm>
#include <cmath>

namespace krylearn {
namespace nmg {
namespace {

/// Smoothers work on the upper part of the spectrum from this share of its end.
constexpr double kSmoothedPart = 0.25;
constexpr int kPowerSteps = 10;
/// A power iteration stays below the end of the spectrum by up to a tenth.
constexpr double kPowerMargin = 1.1;

PetscInt CellCount(const Int3 &n) { return n[0] * n[1] * n[2]; }

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
  all.lower = stencil->lower;
  all.coupling.assign(stencil->coupling.size(), whole.NewArray());
  all.diagonal = whole.NewArray();
  all.row_sum = whole.NewArray();
  const std::vector<Array *> from = stencil->Arrays(), to = all.Arrays();
  for (std::size_t i = 0; i < from.size(); ++i) PetscCall(replica->Gather(*from[i], to[i]));
  *stencil = std::move(all);
  PetscFunctionReturn(0);
}

std::vector<float> ChebyshevWeights(double largest, PetscInt sweeps) {
  const double low = kSmoothedPart * largest, centre = (largest + low) / 2, radius = (largest - low) / 2;
  std::vector<float> weights;
  for (PetscInt k = 0; k < sweeps; ++k)
    weights.push_back(float(1 / (centre + radius * std::cos(PETSC_PI * (2 * double(k) + 1) / (2 * double(sweeps))))));
  return weights;
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
    root_.reset(new Replica);
    PetscCall(root_->SetUp(box));
    PetscCall(GatherStencil(root_.get(), stencil));
    box = root_->Whole();
  }
  PetscCall(box->ExchangeDeep(stencil->Arrays()));
  PetscCall(AddLevel(std::move(box), *stencil));
  for (bool done = false; !done;) PetscCall(Coarsen(stencil, &done));
  PetscCall(coarsest_.SetUp(*levels_.back()->box, *stencil));
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::AddLevel(std::shared_ptr<Box> box, const Stencil &stencil) {
  PetscFunctionBeginUser;
  levels_.emplace_back(new Level);
  Level &level = *levels_.back();
  level.box = std::move(box);
  level.stencil.SetUp(*level.box, stencil);
  level.t = level.box->NewArray();
  // The finest level works in the caller's arrays.
  if (levels_.size() > 1 || root_)
    for (Array *array : {&level.b, &level.x}) *array = level.box->NewArray();
  if (levels_.size() > 1 && options_.cycle == Cycle::kW) level.sum = level.box->NewArray();
  PetscCall(EstimateLargest(&level));
  level.weights = ChebyshevWeights(level.largest, options_.sweeps);
  PetscFunctionReturn(0);
}

PetscErrorCode Hierarchy::EstimateLargest(Level *level) {
  PetscFunctionBeginUser;
  // Five and seven points with couplings of one sign: the spectrum ends at 2 at the latest.
  level->largest = 2;
  if (levels_.size() == 1) PetscFunctionReturn(0);
  const Layout &l = level->box->layout;
  Array &x = level->x, &y = level->t, &zero = level->b;
  ForOwned(l, [&](PetscInt i, PetscInt j, PetscInt k, std::size_t at) {
    x[at] = float(2 * Uniform(7, 7, std::uint64_t(i + l.n[0] * (j + l.n[1] * k))) - 1);
  });
  double norm = 0, last = 1;
  for (int step = 0; step <= kPowerSteps; ++step) {
    PetscCall(level->box->Exchange(&x));
    level->stencil.Residual(*level->box, zero, x, &y);
    norm = 0;
    ForOwned(l, [&](PetscInt, PetscInt, PetscInt, std::size_t at) { norm += double(y[at]) * y[at]; });
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &norm, 1, MPI_DOUBLE, MPI_SUM, level->box->comm));
    norm = std::sqrt(norm);
    if (norm == 0) break;
    if (step > 0) last = norm;
    const float inverse = float(1 / norm);
    ForOwned(l, [&](PetscInt, PetscInt, PetscInt, std::size_t at) { x[at] = -inverse * y[at]; });
  }
  level->largest = std::max(1.0, kPowerMargin * last);
  std::fill(x.begin(), x.end(), 0.0f);
  std::fill(y.begin(), y.end(), 0.0f);
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
    const bool odd_circle = level.box->periodic[d] && l.n[d] % 2 != 0;
    factor[d] = l.n[d] > 2 && !odd_circle ? 2 : 1;
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
  PetscCall(MakeBox(level.box->comm, n, lo, hi, level.box->periodic, level.box->neighbours, &level.coarse));
  level.transfer.SetUp(level.box, level.coarse, factor);
  SplitStencil split;
  split.SetUp(*level.box, *stencil, *level.coarse, factor);
  std::vector<Array> sums;
  Stencil coarse;
  // Piecewise constants make the coarse operator twice too stiff along a coarsened axis.
  const bool constant = options_.weights == Weights::kConstant;
  if (constant) ConstantWeights(split, *level.coarse, &level.transfer, &sums);
  else PetscCall(BlackBoxWeights(split, *level.coarse, &level.transfer, &sums));
  PetscCall(GalerkinProduct(split, *level.coarse, level.transfer, sums, constant ? 0.5f : 1.0f, &coarse));

  // Weights between scaled unknowns: sqrt(d_fine) w / sqrt(d_coarse).
  const Layout &c = level.coarse->layout;
  for (const Link &link : level.transfer.Links()) {
    Array &w = level.transfer.weights[std::size_t(level.transfer.Find(link.s, link.b))];
    const Array &fine = split.Diagonal(split.Number(link.s));
    const std::ptrdiff_t up = link.b[0] * c.stride[0] + link.b[1] * c.stride[1] + link.b[2] * c.stride[2];
    for (std::size_t i = 0; i < w.size(); ++i) {
      const std::size_t parent = i + std::size_t(up);
      if (w[i] == 0 || parent >= coarse.diagonal.size()) continue;
      const float d = coarse.diagonal[parent];
      w[i] = d > 0 && fine[i] > 0 ? w[i] * std::sqrt(fine[i] / d) : 0;
    }
  }

  const bool replicate = ranks > 1 && (CellCount(n) <= options_.replicate || fewest < 2 * Box::kGhosts);
  if (!replicate) {
    *stencil = std::move(coarse);
    PetscCall(AddLevel(level.coarse, *stencil));
    PetscFunctionReturn(0);
  }
  level.replica.reset(new Replica);
  PetscCall(level.replica->SetUp(level.coarse));
  level.coarse_b = level.coarse->NewArray();
  level.coarse_x = level.coarse->NewArray();
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
  if (l + 1 == levels_.size()) {
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
  if (options_.cycle == Cycle::kV || l + 1 == levels_.size()) PetscFunctionReturn(0);
  // The second cycle of a W works on what the first has left.
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
    if (l > 0 && options_.cycle == Cycle::kW && l + 1 < levels_.size()) visits *= 2;
    info.push_back({level.box->layout.n, replicated, level.stencil.Couplings(), level.largest, visits});
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
