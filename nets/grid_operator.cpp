#include "nets/grid_operator.h"

namespace krylearn {
namespace nets {
namespace {

/// A padded field moved by one cell, as a view of the owned cells' shape.
at::Tensor Shifted(const at::Tensor &padded, const Partition &p, int dim, const Index &by) {
  at::Tensor view = padded;
  for (std::size_t a = 0; a < 3; ++a)
    view = view.narrow(-1 - std::int64_t(a), (a < 2 || dim == 3 ? 1 : 0) + by[a], p.Owned(a));
  return view;
}

Index Unit(std::size_t axis) {
  Index unit{0, 0, 0};
  unit[axis] = 1;
  return unit;
}

/// Between the centres of a cell and the one before it, over the usual distance.
double Distance(const GridOperator &op, std::size_t axis, long cell) {
  const bool last = cell == op.partition.n[axis] - 1 || cell == 0; // cell 0: around a periodic axis
  return last ? (1 + op.last_width[axis]) / 2 : 1;
}

/// Multiplies the owned cells' values by a function of their place along an axis.
template <class Function>
at::Tensor TimesAlong(const at::Tensor &x, const Partition &p, std::size_t axis, Function &&f) {
  at::Tensor factors = at::empty({p.Owned(axis)}, at::kDouble);
  for (long i = 0; i < p.Owned(axis); ++i) factors.data_ptr<double>()[i] = f(p.Lo(axis) + i);
  std::vector<std::int64_t> shape(3, 1);
  shape[2 - axis] = p.Owned(axis);
  return x * factors.to(x.options()).view(shape);
}

} // namespace

GridOperator GridOperator::Make(const Partition &p, int dim, const at::Tensor &faces, const at::Tensor &sums) {
  GridOperator op;
  op.partition = p;
  op.dim = dim;
  op.faces = WithHalo(faces, p, OneLayer(dim));
  op.sums = sums.contiguous();
  at::Tensor diagonal = op.sums;
  for (std::int64_t a = 0; a < dim; ++a)
    diagonal = diagonal + Shifted(op.faces[a], p, dim, {0, 0, 0}) + Shifted(op.faces[a], p, dim, Unit(std::size_t(a)));
  op.scale = at::where(diagonal > 0, at::rsqrt(diagonal), at::zeros_like(diagonal));
  return op;
}

GridOperator GridOperator::Coarsened() const {
  const Partition coarse = partition.Coarsened();
  std::vector<at::Tensor> axes;
  for (std::int64_t a = 0; a < dim; ++a) {
    // Faces below the first cell of a pair are coarse faces; those inside pairs vanish.
    at::Tensor outer = Shifted(faces[a], partition, dim, {0, 0, 0}).clone();
    const std::size_t axis = std::size_t(a);
    const std::int64_t first = partition.Lo(axis) % 2 ? 0 : 1;
    if (coarse.n[axis] == 1) outer.zero_();
    else if (first < outer.size(-1 - a)) outer.slice(-1 - a, first, outer.size(-1 - a), 2).zero_();
    axes.push_back(outer);
  }
  const at::Tensor sum = Restrict(at::cat({at::stack(axes), sums.unsqueeze(0)}), partition);
  GridOperator measures; // of the coarse grid
  measures.partition = coarse;
  at::Tensor share = at::full({coarse.Owned(2), coarse.Owned(1), coarse.Owned(0)}, 0.5, sums.options());
  for (std::size_t a = 0; a < std::size_t(dim); ++a) {
    const long n = partition.n[a];
    measures.last_width[a] = n == 1 ? last_width[a] : (n % 2 ? last_width[a] : 1 + last_width[a]) / 2;
    axes[a] = TimesAlong(sum[std::int64_t(a)], coarse, a, [&](long i) {
      return n == 1 ? 0 : 0.5 * Distance(*this, a, 2 * i) / Distance(measures, a, i);
    });
    // A Dirichlet side behind a narrow cell is as near as before.
    const double end = n == 1 ? 1 : last_width[a] / measures.last_width[a];
    share = at::maximum(share, TimesAlong(at::full_like(share, 0.5), coarse, a,
                                          [&](long i) { return i == coarse.n[a] - 1 ? end : 1.0; }));
  }
  GridOperator op = Make(coarse, dim, at::stack(axes), sum[dim] * share);
  op.last_width = measures.last_width;
  return op;
}

GridOperator GridOperator::To(const at::TensorOptions &options) const {
  GridOperator op = *this;
  op.faces = faces.to(options);
  op.sums = sums.to(options);
  op.scale = scale.to(options);
  return op;
}

at::Tensor GridOperator::Channels() const {
  const at::Tensor padded = PaddedScale();
  std::vector<at::Tensor> channels;
  for (std::int64_t a = 0; a < dim; ++a) {
    Index below{0, 0, 0};
    below[std::size_t(a)] = -1;
    channels.push_back(Shifted(faces[a], partition, dim, {0, 0, 0}) * scale * Shifted(padded, partition, dim, below) *
                       (2 * dim));
  }
  channels.push_back(sums * scale * scale);
  channels.push_back((scale == 0).to(scale.scalar_type()));
  return at::stack(channels);
}

at::Tensor GridOperator::PaddedScale() const {
  return WithHalo(scale.unsqueeze(0), partition, OneLayer(dim)).squeeze(0);
}

at::Tensor GridOperator::Coupling(const Index &by) const {
  for (std::size_t a = 0; a < std::size_t(dim); ++a) {
    if (by == Unit(a)) return Shifted(faces[std::int64_t(a)], partition, dim, by);
    Index back = by;
    back[a] += 1;
    if (back == Index{0, 0, 0}) return Shifted(faces[std::int64_t(a)], partition, dim, back);
  }
  return {};
}

at::Tensor GridOperator::Neighbour(const at::Tensor &padded, const Index &by) const {
  return Shifted(padded, partition, dim, by);
}

GridOperator MakeOperator(const Geometry &g, at::ScalarType type) {
  const Partition &p = g.partition;
  const std::vector<std::int64_t> shape = {p.Owned(2), p.Owned(1), p.Owned(0)};
  const auto tensor = [&](const std::vector<float> &values) {
    at::Tensor t = at::empty(shape, at::kFloat);
    std::copy(values.begin(), values.end(), t.data_ptr<float>());
    return t.to(type);
  };
  std::vector<at::Tensor> faces;
  for (int a = 0; a < g.Dim(); ++a) faces.push_back(tensor(g.faces[std::size_t(a)]));
  return GridOperator::Make(p, g.Dim(), at::stack(faces), tensor(g.sums));
}

} // namespace nets
} // namespace krylearn
