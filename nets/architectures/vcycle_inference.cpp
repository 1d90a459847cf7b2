#include "nets/architectures/vcycle_inference.h"

namespace krylearn {
namespace nets {
namespace {

std::vector<CycleWork> WorkFor(const std::vector<VCycleLevel> &levels, long batch) {
  std::vector<Partition> grids;
  for (const VCycleLevel &level : levels) grids.push_back(level.op.partition);
  return MakeCycleWork(grids, levels[0].op.dim, batch, levels[0].op.scale.options());
}

} // namespace

VCycleInference::VCycleInference(const std::vector<VCycleLevel> &levels, long batch)
    : levels_(levels), work_(WorkFor(levels, batch)), batch_(batch) {}

template <class T> void VCycleInference::Cycle(std::size_t number) {
  const VCycleLevel &level = levels_[number];
  CycleWork &work = work_[number];
  const GridOperator &op = level.op;
  const Partition &p = op.partition;
  if (!level.weights.defined()) {
    OwnedCells(work.x, p, op.dim).copy_(OwnedCells(work.r, p, op.dim) * (op.scale * op.scale));
    return;
  }
  const Depth layer = OneLayer(op.dim);
  const T *weights = level.weights.data_ptr<T>(), *sums = op.sums.data_ptr<T>(), *faces[3];
  for (std::int64_t a = 0; a < 3; ++a) faces[a] = a < op.dim ? op.faces[a].data_ptr<T>() : nullptr;
  T *r = work.r.data_ptr<T>(), *x = work.x.data_ptr<T>(), *t = work.t.data_ptr<T>();
  CycleWork &coarse = work_[number + 1];
  FillHalo(work.r, p, layer);
  kernels::Gather(work.shape, weights, r, x);
  FillHalo(work.x, p, layer);
  kernels::Star(work.shape, faces, sums, x, r, t);
  FillHalo(work.t, p, layer);
  kernels::Restrict(work.levels, t, coarse.r.data_ptr<T>());
  Cycle<T>(number + 1);
  FillHalo(coarse.x, levels_[number + 1].op.partition, layer);
  kernels::AddProlonged(work.levels, coarse.x.data_ptr<T>(), x);
  FillHalo(work.x, p, layer);
  kernels::Star(work.shape, faces, sums, x, r, t);
  FillHalo(work.t, p, layer);
  kernels::Scatter(work.shape, weights, t, x, true);
}

at::Tensor VCycleInference::Apply(const at::Tensor &r) {
  const GridOperator &op = levels_[0].op;
  OwnedCells(work_[0].r, op.partition, op.dim).copy_(r);
  if (r.scalar_type() == at::kFloat) Cycle<float>(0);
  else Cycle<double>(0);
  return OwnedCells(work_[0].x, op.partition, op.dim);
}

} // namespace nets
} // namespace krylearn
