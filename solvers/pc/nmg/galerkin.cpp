#include "solvers/pc/nmg/coarsen.h"
#include <map>

namespace krylearn {
namespace nmg {
namespace {

using Shifted = std::pair<const float *, std::ptrdiff_t>;

/// One fine coupling seen from coarse cell I: the weight of I in the fine cell, the coupling, and for each product entry
/// it feeds the weight of the other coarse cell in the neighbour.
struct Term {
  Shifted weight, coupling;
  float sign;
  std::vector<std::pair<int, Shifted>> targets;
};

/// Collects the terms of the product row by row; the same list serves all rows.
std::vector<Term> Terms(const SplitStencil &split, const Layout &layout, const Transfer &transfer,
                        const Stencil &product) {
  const auto offset = [&layout](const Int3 &p) { return layout.Offset(p); };
  std::vector<Int3> steps = split.Directions();
  steps.push_back({0, 0, 0});
  std::vector<Term> terms;
  for (const Link &link : transfer.Links()) {
    // The fine cell f = 2 (I - b) + s has the weight `link` in coarse cell I.
    const Int3 home{-link.b[0], -link.b[1], -link.b[2]};
    const int s = split.Number(link.s);
    const Shifted weight{transfer.weights[std::size_t(transfer.Find(link.s, link.b))].data(), offset(home)};
    for (const Int3 &d : steps) {
      Term term;
      term.weight = weight;
      const bool self = d == Int3{0, 0, 0};
      std::ptrdiff_t shift = 0;
      const float *coupling = self ? split.Diagonal(s).data() : split.Coupling(s, d, &shift);
      term.coupling = {coupling, offset(home) + shift};
      term.sign = self ? -1.0f : 1.0f;
      // The neighbour's place and coarse cell, relative to I.
      Int3 q, cell;
      for (std::size_t a = 0; a < 3; ++a) {
        const PetscInt u = link.s[a] + d[a], up = transfer.Factor()[a] == 2 ? u >> 1 : u;
        q[a] = u - transfer.Factor()[a] * up;
        cell[a] = home[a] + up;
      }
      for (const Link &other : transfer.Links()) {
        if (other.s != q) continue;
        const Int3 to{cell[0] + other.b[0], cell[1] + other.b[1], cell[2] + other.b[2]};
        const int entry = product.Find(to);
        if (entry < 0) continue;
        term.targets.push_back(
            {entry, {transfer.weights[std::size_t(transfer.Find(other.s, other.b))].data(), offset(cell)}});
      }
      if (!term.targets.empty()) terms.push_back(std::move(term));
    }
  }
  return terms;
}

double FlopsPerCoarseCell(const std::vector<Term> &terms) {
  std::size_t flops = 0;
  for (const Term &term : terms) flops += 2 + 2 * term.targets.size();
  return double(flops);
}

/// A applied to the sums of weights, by place: what is left of the row sums. Exactly zero where all sums are 1 and no row
/// sum comes in, so singular components stay singular – and whole rows are, which need not be looked at again.
class AppliedSums {
public:
  std::vector<Array> arrays; ///< by place

  explicit AppliedSums(const Layout &layout) : layout_(layout) {}

  void SetUp(const SplitStencil &split, const std::vector<Array> &sums, WorkBox *work) {
    arrays = work->Take(sums.size());
    neighbours_.resize(sums.size());
    for (int s = 0; s < split.Places(); ++s) {
      own_.push_back({sums[std::size_t(s)].data(), split.RowSum(s).data()});
      for (const Int3 &d : split.Directions()) {
        std::ptrdiff_t shift;
        const float *coupling = split.Coupling(s, d, &shift);
        const SplitStencil::Place place = split.Move(s, d);
        neighbours_[std::size_t(s)].push_back({{coupling, shift}, {sums[std::size_t(place.s)].data(), place.shift}});
      }
    }
  }

  double FlopsPerCoarseCell() const {
    std::size_t flops = 0;
    for (const auto &neighbours : neighbours_) flops += 1 + 3 * neighbours.size();
    return double(flops);
  }

  /// The row of coarse cells that starts at `at`.
  void Build(std::ptrdiff_t at) {
    const PetscInt count = layout_.hi[0] - layout_.lo[0];
    for (std::size_t s = 0; s < arrays.size(); ++s) {
      float *__restrict out = arrays[s].data() + at;
      const float *__restrict own = own_[s].first + at, *__restrict row_sum = own_[s].second + at;
      for (PetscInt i = 0; i < count; ++i) out[i] = row_sum[i] * own[i];
      for (const auto &neighbour : neighbours_[s]) {
        const float *__restrict c = neighbour.first.first + at + neighbour.first.second;
        const float *__restrict other = neighbour.second.first + at + neighbour.second.second;
        for (PetscInt i = 0; i < count; ++i) out[i] += c[i] * (own[i] - other[i]);
      }
    }
  }

  /// Are any of the cells of a row, which starts at `at`, other than zero?
  bool Counts(std::size_t s, std::ptrdiff_t at) const {
    const float *row = arrays[s].data() + at;
    const PetscInt count = layout_.hi[0] - layout_.lo[0];
    int others = 0;
    for (PetscInt i = 0; i < count; ++i) others += row[i] != 0;
    return others > 0;
  }

private:
  const Layout &layout_;
  std::vector<std::pair<const float *, const float *>> own_;         ///< sums of weights and of rows
  std::vector<std::vector<std::pair<Shifted, Shifted>>> neighbours_; ///< couplings, and the neighbours' sums
};

/// Adds one term to T entries of the product, on a row of coarse cells. The common factor stays in a register.
template <int T>
void AddTerm(PetscInt count, float factor, const float *__restrict w, const float *__restrict a, float *const *out_rows,
             const float *const *v_rows) {
  float *out[T];
  const float *v[T];
  for (int t = 0; t < T; ++t) out[t] = out_rows[t], v[t] = v_rows[t];
#pragma GCC ivdep
  for (PetscInt i = 0; i < count; ++i) {
    const float p = factor * w[i] * a[i];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) out[t][i] += p * v[t][i];
  }
}

using AddTermFunction = void (*)(PetscInt, float, const float *, const float *, float *const *, const float *const *);
constexpr AddTermFunction kAddTerm[] = {AddTerm<1>, AddTerm<2>, AddTerm<3>, AddTerm<4>,
                                        AddTerm<5>, AddTerm<6>, AddTerm<7>, AddTerm<8>};

} // namespace

PetscErrorCode GalerkinProduct(const SplitStencil &split, const Box &coarse, const Transfer &transfer,
                               const std::vector<Array> &sums, float scale, WorkBox *work, Stencil *product) {
  PetscFunctionBeginUser;
  const Layout &l = coarse.layout, &w = work->layout();
  const PetscInt count = l.hi[0] - l.lo[0];
  std::vector<Term> terms;
  AppliedSums applied(w);
  std::vector<double> sum; // of a row
  PetscCall(Together(coarse.messages->Comm(), [&] {
    product->lower = LowerNeighbours(l.n, true);
    product->Allocate(coarse);
    terms = Terms(split, w, transfer, *product);
    applied.SetUp(split, sums, work);
    sum.resize(std::size_t(count));
    return 0;
  }));
  for (PetscInt K = l.lo[2]; K < l.hi[2]; ++K)
    for (PetscInt J = l.lo[1]; J < l.hi[1]; ++J) {
      const std::ptrdiff_t at = w.At(l.lo[0], J, K), to = l.At(l.lo[0], J, K);
      applied.Build(at);
      for (const Term &t : terms) {
        float *out[8];
        const float *v[8];
        for (std::size_t n = 0; n < t.targets.size(); ++n) {
          out[n] = product->coupling[std::size_t(t.targets[n].first)].data() + to;
          v[n] = t.targets[n].second.first + at + t.targets[n].second.second;
        }
        kAddTerm[t.targets.size() - 1](count, t.sign * scale, t.weight.first + at + t.weight.second,
                                       t.coupling.first + at + t.coupling.second, out, v);
      }
    }

  ArrayList residuals;
  for (Array &array : applied.arrays) residuals.Add(&array);
  PetscCall(work->Cells().ExchangeDeep(residuals));
  PetscInt64 weighted = 0; // row sums with a weight
  for (PetscInt K = l.lo[2]; K < l.hi[2]; ++K)
    for (PetscInt J = l.lo[1]; J < l.hi[1]; ++J) {
      const std::ptrdiff_t at = l.At(l.lo[0], J, K);
      float *__restrict out = product->row_sum.data() + at;
      for (const Link &link : transfer.Links()) {
        const std::ptrdiff_t back = w.At(l.lo[0], J, K) - w.Offset(link.b);
        const std::size_t s = std::size_t(split.Number(link.s));
        if (!applied.Counts(s, back)) continue;
        weighted += count;
        const float *__restrict weight = transfer.weights[std::size_t(transfer.Find(link.s, link.b))].data() + back;
        const float *__restrict r = applied.arrays[s].data() + back;
        for (PetscInt i = 0; i < count; ++i) out[i] += scale * weight[i] * r[i];
      }
    }

  ArrayList fresh;
  fresh.Add(&product->row_sum);
  for (Array &c : product->coupling) fresh.Add(&c);
  PetscCall(coarse.ExchangeDeep(fresh));
  // diagonal = row sum + all couplings; the upper ones are the neighbours' lower ones.
  for (PetscInt K = l.lo[2]; K < l.hi[2]; ++K)
    for (PetscInt J = l.lo[1]; J < l.hi[1]; ++J) {
      const std::ptrdiff_t at = l.At(l.lo[0], J, K);
      for (PetscInt i = 0; i < count; ++i) sum[std::size_t(i)] = product->row_sum[std::size_t(at + i)];
      for (std::size_t k = 0; k < product->lower.size(); ++k) {
        const float *below = product->coupling[k].data() + at, *above = below - l.Offset(product->lower[k]);
        for (PetscInt i = 0; i < count; ++i) sum[std::size_t(i)] += double(below[i]) + double(above[i]);
      }
      for (PetscInt i = 0; i < count; ++i)
        product->diagonal[std::size_t(at + i)] = float(std::max(sum[std::size_t(i)], 0.0));
    }
  // Row sums: three a weight, where rows have any. The diagonal: two additions a coupling.
  PetscCall(PetscLogFlops(double(l.OwnedCells()) * (FlopsPerCoarseCell(terms) + applied.FlopsPerCoarseCell() +
                                                    2 * double(product->lower.size())) +
                          3 * double(weighted)));
  ArrayList diagonal;
  diagonal.Add(&product->diagonal);
  PetscCall(coarse.ExchangeDeep(diagonal));
  PetscFunctionReturn(0);
}

} // namespace nmg
} // namespace krylearn
