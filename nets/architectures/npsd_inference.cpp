#include "nets/architectures/npsd_inference.h"

namespace krylearn {
namespace nets {
namespace {

std::vector<CycleWork> WorkFor(const std::vector<NpsdLevel> &levels, int dim, long batch) {
  std::vector<Partition> grids;
  for (const NpsdLevel &level : levels) grids.push_back(level.partition);
  return MakeCycleWork(grids, dim, batch, levels.back().inverse.options());
}

} // namespace

NpsdInference::NpsdInference(const std::vector<NpsdLevel> &levels, int dim, long batch)
    : levels_(levels), work_(WorkFor(levels, dim, batch)), dim_(dim), batch_(batch) {}

template <class T> void NpsdInference::Cycle(std::size_t number) {
  const NpsdLevel &level = levels_[number];
  CycleWork &work = work_[number];
  const Partition &p = level.partition;
  if (level.inverse.defined()) {
    at::Tensor x = OwnedCells(work.x, p, dim_);
    at::mul_out(x, OwnedCells(work.r, p, dim_), level.inverse);
    return;
  }
  const Depth layer = OneLayer(dim_);
  const T *local = level.local.data_ptr<T>(), *filter = level.filter.data_ptr<T>();
  T *r = work.r.data_ptr<T>(), *x = work.x.data_ptr<T>(), *t = work.t.data_ptr<T>();
  CycleWork &coarse = work_[number + 1];
  FillHalo(work.r, p, layer);
  kernels::Gather(work.shape, filter, r, t);
  FillHalo(work.t, p, layer);
  kernels::Restrict(work.levels, t, coarse.r.data_ptr<T>());
  Cycle<T>(number + 1);
  FillHalo(coarse.x, levels_[number + 1].partition, layer);
  OwnedCells(work.t, p, dim_).zero_();
  kernels::AddProlonged(work.levels, coarse.x.data_ptr<T>(), t);
  FillHalo(work.t, p, layer);
  kernels::GatherSymmetric(work.shape, local, r, x);
  kernels::Scatter(work.shape, filter, t, x, true);
}

at::Tensor NpsdInference::Apply(const at::Tensor &r) {
  const Partition &p = levels_[0].partition;
  OwnedCells(work_[0].r, p, dim_).copy_(r);
  if (r.scalar_type() == at::kFloat) Cycle<float>(0);
  else Cycle<double>(0);
  return OwnedCells(work_[0].x, p, dim_).clone();
}

} // namespace nets
} // namespace krylearn
