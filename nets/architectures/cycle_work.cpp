#include "nets/architectures/cycle_work.h"

namespace krylearn {
namespace nets {

std::vector<CycleWork> MakeCycleWork(const std::vector<Partition> &grids, int dim, long batch,
                                     const at::TensorOptions &type) {
  std::vector<CycleWork> levels;
  for (const Partition &p : grids) {
    const Partition coarse = p.Coarsened();
    CycleWork work;
    kernels::Shape &s = work.shape;
    s.nx = p.Owned(0), s.ny = p.Owned(1), s.nz = p.Owned(2), s.batch = batch;
    s.deep = dim == 3;
    s.padded_out = true;
    for (at::Tensor *t : {&work.r, &work.x, &work.t})
      *t = at::zeros({batch, s.PaddedZ(), s.PaddedY(), s.PaddedX()}, type);
    work.levels.fine = s;
    for (std::size_t a = 0; a < 3; ++a) {
      work.levels.coarsens[a] = p.Coarsens(a);
      work.levels.first[a] = 2 * coarse.Lo(a) - p.Lo(a);
      work.levels.alone[a] = coarse.Owned(a) > 0 && 2 * coarse.Hi(a) > p.n[a];
    }
    levels.push_back(work);
  }
  for (std::size_t l = 0; l + 1 < levels.size(); ++l) levels[l].levels.coarse = levels[l + 1].shape;
  return levels;
}

at::Tensor OwnedCells(const at::Tensor &padded, const Partition &p, int dim) {
  at::Tensor view = padded;
  for (std::size_t a = 0; a < 3; ++a) view = view.narrow(-1 - std::int64_t(a), a < 2 || dim == 3 ? 1 : 0, p.Owned(a));
  return view;
}

} // namespace nets
} // namespace krylearn
