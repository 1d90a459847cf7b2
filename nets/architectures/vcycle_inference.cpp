#include "nets/architectures/vcycle_inference.h"

namespace krylearn {
namespace nets {
namespace {

at::Tensor Inside(const at::Tensor &padded, const Partition &p, int dim) {
  at::Tensor view = padded;
  for (std::size_t a = 0; a < 3; ++a) view = view.narrow(-1 - std::int64_t(a), a < 2 || dim == 3 ? 1 : 0, p.Owned(a));
  return view;
}

} // namespace

VCycleInference::VCycleInference(const std::vector<VCycleLevel> &levels, long batch) : levels_(levels), batch_(batch) {
  for (const VCycleLevel &level : levels) {
    const Partition &p = level.op.partition, coarse = p.Coarsened();
    const bool deep = level.op.dim == 3;
    Work work;
    kernels::Shape &s = work.shape;
    s.nx = p.Owned(0), s.ny = p.Owned(1), s.nz = p.Owned(2), s.batch = batch;
    s.deep = deep;
    s.padded_out = true;
    for (at::Tensor *t : {&work.r, &work.x, &work.t})
      *t = at::zeros({batch, s.PaddedZ(), s.PaddedY(), s.PaddedX()}, level.op.scale.options());
    work.levels.fine = s;
    for (std::size_t a = 0; a < 3; ++a) {
      work.levels.coarsens[a] = p.Coarsens(a);
      work.levels.first[a] = 2 * coarse.Lo(a) - p.Lo(a);
      work.levels.alone[a] = coarse.Owned(a) > 0 && 2 * coarse.Hi(a) > p.n[a];
    }
    work_.push_back(work);
  }
  for (std::size_t l = 0; l + 1 < work_.size(); ++l) work_[l].levels.coarse = work_[l + 1].shape;
}

template <class T> void VCycleInference::Cycle(std::size_t number) {
  const VCycleLevel &level = levels_[number];
  Work &work = work_[number];
  const GridOperator &op = level.op;
  const Partition &p = op.partition;
  if (!level.weights.defined()) {
    Inside(work.x, p, op.dim).copy_(Inside(work.r, p, op.dim) * (op.scale * op.scale));
    return;
  }
  const Depth layer = OneLayer(op.dim);
  const T *weights = level.weights.data_ptr<T>(), *sums = op.sums.data_ptr<T>(), *faces[3];
  for (std::int64_t a = 0; a < 3; ++a) faces[a] = a < op.dim ? op.faces[a].data_ptr<T>() : nullptr;
  T *r = work.r.data_ptr<T>(), *x = work.x.data_ptr<T>(), *t = work.t.data_ptr<T>();
  Work &coarse = work_[number + 1];
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
  Inside(work_[0].r, op.partition, op.dim).copy_(r);
  if (r.scalar_type() == at::kFloat) Cycle<float>(0);
  else Cycle<double>(0);
  return Inside(work_[0].x, op.partition, op.dim);
}

} // namespace nets
} // namespace krylearn
