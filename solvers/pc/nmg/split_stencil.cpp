#include "solvers/pc/nmg/coarsen.h"

namespace krylearn {
namespace nmg {

void SplitStencil::SetUp(const Box &fine, const Stencil &stencil, const Int3 &factor, WorkBox *work) {
  factor_ = factor;
  stride_ = work->layout().stride;
  lower_ = stencil.lower;
  directions_ = lower_;
  for (const Int3 &d : lower_) directions_.push_back({-d[0], -d[1], -d[2]});
  std::vector<const Array *> sources = {&stencil.diagonal, &stencil.row_sum};
  for (const Array &c : stencil.coupling) sources.push_back(&c);
  kinds_ = sources.size();
  arrays_ = work->Take(std::size_t(Places()) * kinds_);
  const Layout &l = fine.layout, &c = work->layout();
  // Coarse cells with one layer of ghosts, as far as the fine box reaches.
  Int3 first, last;
  for (int d = 0; d < 3; ++d) {
    const PetscInt ghost = c.ghosts[d] > 0 ? 1 : 0;
    first[d] = c.lo[d] - ghost;
    last[d] = c.hi[d] + ghost;
  }
  // All places of a coarse row together, while its fine rows are in cache.
  for (PetscInt K = first[2]; K < last[2]; ++K)
    for (PetscInt J = first[1]; J < last[1]; ++J)
      for (int s = 0; s < Places(); ++s) {
        const Int3 p = Position(s);
        const PetscInt j = factor[1] * J + p[1], k = factor[2] * K + p[2];
        if (j < l.lo[1] - l.ghosts[1] || j >= l.hi[1] + l.ghosts[1]) continue;
        if (k < l.lo[2] - l.ghosts[2] || k >= l.hi[2] + l.ghosts[2]) continue;
        PetscInt begin = first[0], end = last[0];
        while (factor[0] * begin + p[0] < l.lo[0] - l.ghosts[0]) ++begin;
        while (factor[0] * (end - 1) + p[0] >= l.hi[0] + l.ghosts[0]) --end;
        const std::ptrdiff_t to_row = c.At(begin, J, K), from_row = l.At(factor[0] * begin + p[0], j, k);
        const PetscInt step = factor[0], count = end - begin;
        for (std::size_t n = 0; n < sources.size(); ++n) {
          float *__restrict to = arrays_[std::size_t(s) * kinds_ + n].data() + to_row;
          const float *__restrict from = sources[n]->data() + from_row;
          if (step == 2)
            for (PetscInt i = 0; i < count; ++i) to[i] = from[2 * i];
          else
            for (PetscInt i = 0; i < count; ++i) to[i] = from[i];
        }
      }
}

Int3 SplitStencil::Position(int s) const {
  return {s % factor_[0], s / factor_[0] % factor_[1], s / (factor_[0] * factor_[1])};
}

SplitStencil::Place SplitStencil::Move(int s, const Int3 &d) const {
  Int3 p = Position(s);
  std::ptrdiff_t shift = 0;
  for (std::size_t a = 0; a < 3; ++a) {
    const PetscInt u = p[a] + d[a], cell = factor_[a] == 2 ? u >> 1 : u;
    p[a] = u - factor_[a] * cell;
    shift += cell * stride_[a];
  }
  return {Number(p), shift};
}

const float *SplitStencil::Coupling(int s, const Int3 &d, std::ptrdiff_t *shift) const {
  for (std::size_t k = 0; k < lower_.size(); ++k) {
    if (lower_[k] == d) {
      *shift = 0;
      return Part(s, 2 + k).data();
    }
    if (lower_[k] == Int3{-d[0], -d[1], -d[2]}) {
      const Place place = Move(s, d);
      *shift = place.shift;
      return Part(place.s, 2 + k).data();
    }
  }
  return nullptr;
}

} // namespace nmg
} // namespace krylearn
