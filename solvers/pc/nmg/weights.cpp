#include "solvers/pc/nmg/coarsen.h"
#include <map>

namespace krylearn {
namespace nmg {
namespace {

int Odd(const Int3 &s) { return int(s[0] + s[1] + s[2]); }

/// Couplings of a place that share a direction once lumped onto the line or plane of its parents.
struct Group {
  Int3 direction;                                             ///< along odd axes only
  SplitStencil::Place target;                                 ///< where it leads
  std::vector<std::pair<const float *, std::ptrdiff_t>> parts; ///< couplings and their shifts
  std::vector<std::pair<int, int>> links;                     ///< own link, the target's link that feeds it
};

/// All groups of a place, with the links of the target expressed as the place's own.
std::vector<Group> Groups(const SplitStencil &split, const Transfer &transfer, int s) {
  const Int3 p = split.Position(s);
  std::map<Int3, Group> groups;
  for (const Int3 &d : split.Directions()) {
    const Int3 lumped{d[0] * p[0], d[1] * p[1], d[2] * p[2]};
    if (lumped == Int3{0, 0, 0}) continue;
    Group &g = groups[lumped];
    std::ptrdiff_t shift;
    const float *coupling = split.Coupling(s, d, &shift);
    g.parts.push_back({coupling, shift});
    if (!g.links.empty()) continue;
    g.direction = lumped;
    g.target = split.Move(s, lumped);
    const Int3 q = split.Position(g.target.s);
    for (const Link &link : transfer.Links()) {
      if (link.s != q) continue;
      // The target's coarse cell is ours, plus one where the step leads up.
      Int3 b = link.b;
      for (std::size_t a = 0; a < 3; ++a) b[a] += lumped[a] > 0 ? 1 : 0;
      g.links.push_back({transfer.Find(p, b), transfer.Find(q, link.b)});
    }
  }
  std::vector<Group> list;
  for (auto &entry : groups) list.push_back(std::move(entry.second));
  return list;
}

/// The weights of one place on one row of coarse cells.
class RowWeights {
public:
  RowWeights(const SplitStencil &split, const Box &coarse, Transfer *transfer, std::vector<Array> *sums, int s)
      : split_(split), coarse_(coarse), transfer_(*transfer), sums_(*sums), s_(s), place_(split.Position(s)),
        groups_(Groups(split, *transfer, s)) {
    for (const Link &link : transfer_.Links())
      if (link.s == place_) own_.push_back(transfer_.Find(link.s, link.b));
    const std::size_t count = std::size_t(coarse.layout.hi[0] - coarse.layout.lo[0]);
    weight_.resize(count);
    total_.resize(count);
    reached_.resize(count);
    sum_.resize(count);
  }

  /// Of a cell: for each group its couplings lumped, three for the sums, two for each link; at the end two denominators,
  /// two divisions, and the normalisation.
  double FlopsPerCell() const {
    std::size_t flops = 4 + own_.size();
    for (const Group &g : groups_) flops += g.parts.size() + 3 + 2 * g.links.size();
    return double(flops);
  }

  void Build(PetscInt J, PetscInt K) {
    const Layout &l = coarse_.layout;
    const std::ptrdiff_t at = l.At(l.lo[0], J, K);
    const std::size_t count = weight_.size();
    const float *diagonal = split_.Diagonal(s_).data() + at, *row_sum = split_.RowSum(s_).data() + at;
    std::fill(total_.begin(), total_.end(), 0.0f);
    std::fill(reached_.begin(), reached_.end(), 0.0f);
    std::fill(sum_.begin(), sum_.end(), 0.0f);
    for (const Group &g : groups_) {
      const float *target_sum = sums_[std::size_t(g.target.s)].data() + at + g.target.shift;
      std::fill(weight_.begin(), weight_.end(), 0.0f);
      for (const auto &part : g.parts) {
        const float *c = part.first + at + part.second;
        for (std::size_t i = 0; i < count; ++i) weight_[i] += c[i];
      }
      for (std::size_t i = 0; i < count; ++i) {
        // Galerkin products may couple the wrong way; an average takes what is left at zero.
        weight_[i] = target_sum[i] > 0 && weight_[i] > 0 && diagonal[i] > 0 ? weight_[i] : 0;
        reached_[i] += weight_[i];
        sum_[i] += weight_[i] * target_sum[i];
      }
      for (const auto &link : g.links) {
        float *to = transfer_.weights[std::size_t(link.first)].data() + at;
        const float *from = transfer_.weights[std::size_t(link.second)].data() + at + g.target.shift;
        for (std::size_t i = 0; i < count; ++i) to[i] += weight_[i] * from[i];
      }
    }
    float *sum = sums_[std::size_t(s_)].data() + at;
    for (std::size_t i = 0; i < count; ++i) {
      // The same expression above and below the line gives exactly 1 where no row sum comes in.
      total_[i] = reached_[i] > 0 ? 1 / (reached_[i] + std::max(row_sum[i], 0.0f)) : 0;
      sum[i] = reached_[i] > 0 ? sum_[i] / (reached_[i] + std::max(row_sum[i], 0.0f)) : 0;
    }
    for (const int link : own_) {
      float *to = transfer_.weights[std::size_t(link)].data() + at;
      for (std::size_t i = 0; i < count; ++i) to[i] *= total_[i];
    }
    for (std::size_t i = 0; i < count; ++i)
      if (diagonal[i] > 0 && !(sum[i] > 0)) Lend(PetscInt(i) + l.lo[0], J, K, at + std::ptrdiff_t(i));
  }

private:
  /// Gives a cell without reachable parents to one of them that has no unknown at its own place.
  void Lend(PetscInt I, PetscInt J, PetscInt K, std::ptrdiff_t at) {
    for (const int n : own_) {
      const Int3 b = transfer_.Links()[std::size_t(n)].b;
      // A parent beyond the end of the grid does not exist.
      const Int3 parent{I + b[0], J + b[1], K + b[2]};
      bool there = true;
      for (int a = 0; a < 3; ++a) there = there && coarse_.Inside(a, parent[std::size_t(a)]);
      const std::ptrdiff_t q = at + coarse_.layout.Offset(b);
      if (!there || split_.Diagonal(0)[std::size_t(q)] > 0) continue;
      transfer_.weights[std::size_t(n)][std::size_t(at)] = 1;
      sums_[std::size_t(s_)][std::size_t(at)] = 1;
      return;
    }
  }

  const SplitStencil &split_;
  const Box &coarse_;
  Transfer &transfer_;
  std::vector<Array> &sums_;
  int s_;
  Int3 place_;
  std::vector<Group> groups_;
  std::vector<int> own_;
  std::vector<float> weight_, total_, reached_, sum_;
};

/// Cells with an unknown weigh 1 in the coarse cell at or below them.
void Inject(const SplitStencil &split, const Layout &l, int s, Transfer *transfer, std::vector<Array> *sums) {
  Array &weights = transfer->weights[std::size_t(transfer->Find(split.Position(s), {0, 0, 0}))];
  const PetscInt count = l.hi[0] - l.lo[0] + 2 * l.ghosts[0];
  for (PetscInt K = l.lo[2] - l.ghosts[2]; K < l.hi[2] + l.ghosts[2]; ++K)
    for (PetscInt J = l.lo[1] - l.ghosts[1]; J < l.hi[1] + l.ghosts[1]; ++J) {
      const std::ptrdiff_t at = l.At(l.lo[0] - l.ghosts[0], J, K);
      float *__restrict weight = weights.data() + at, *__restrict sum = (*sums)[std::size_t(s)].data() + at;
      const float *__restrict diagonal = split.Diagonal(s).data() + at;
      for (PetscInt i = 0; i < count; ++i) weight[i] = sum[i] = diagonal[i] > 0 ? 1 : 0;
    }
}

/// Room for weights and sums. Collective.
PetscErrorCode Make(const SplitStencil &split, WorkBox *work, Transfer *transfer, std::vector<Array> *sums) {
  PetscFunctionBeginUser;
  PetscCall(Together(work->Cells().messages->Comm(), [&] {
    transfer->weights = work->Take(transfer->Links().size());
    *sums = work->Take(std::size_t(split.Places()));
    return 0;
  }));
  PetscFunctionReturn(0);
}

/// The weights of all fine cells whose place is odd along so many axes.
PetscErrorCode BuildOdd(int odd, const SplitStencil &split, const Box &cells, Transfer *transfer,
                        std::vector<Array> *sums) {
  PetscFunctionBeginUser;
  const Layout &l = cells.layout;
  std::vector<RowWeights> rows;
  for (int s = 0; s < split.Places(); ++s)
    if (Odd(split.Position(s)) == odd) rows.emplace_back(split, cells, transfer, sums, s);
  for (PetscInt K = l.lo[2]; K < l.hi[2]; ++K)
    for (PetscInt J = l.lo[1]; J < l.hi[1]; ++J)
      for (RowWeights &row : rows) row.Build(J, K);
  for (const RowWeights &row : rows) PetscCall(PetscLogFlops(double(l.OwnedCells()) * row.FlopsPerCell()));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode ConstantWeights(const SplitStencil &split, WorkBox *work, Transfer *transfer,
                               std::vector<Array> *sums) {
  PetscFunctionBeginUser;
  PetscCall(Make(split, work, transfer, sums));
  for (int s = 0; s < split.Places(); ++s) Inject(split, work->layout(), s, transfer, sums);
  PetscFunctionReturn(0);
}

PetscErrorCode BlackBoxWeights(const SplitStencil &split, WorkBox *work, Transfer *transfer,
                               std::vector<Array> *sums) {
  PetscFunctionBeginUser;
  PetscCall(Make(split, work, transfer, sums));
  Inject(split, work->layout(), 0, transfer, sums);
  const Box &cells = work->Cells();
  for (int odd = 1; odd <= 3; ++odd) {
    PetscCall(Together(cells.messages->Comm(), [&] { return BuildOdd(odd, split, cells, transfer, sums); }));
    // Cells between more parents read those between fewer, across the boundaries of ranks too.
    ArrayList fresh;
    for (int s = 0; s < split.Places(); ++s)
      if (Odd(split.Position(s)) == odd) fresh.Add(&(*sums)[std::size_t(s)]);
    for (std::size_t n = 0; n < transfer->Links().size(); ++n)
      if (Odd(transfer->Links()[n].s) == odd) fresh.Add(&transfer->weights[n]);
    PetscCall(cells.ExchangeDeep(fresh));
  }
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
