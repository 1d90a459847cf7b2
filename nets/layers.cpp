#include "nets/layers.h"
#include "nets/kernels.h"
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kernels::Shape ShapeOf(const at::Tensor &padded, bool deep) {
  kernels::Shape shape;
  shape.deep = deep;
  shape.nx = long(padded.size(-1)) - 2;
  shape.ny = long(padded.size(-2)) - 2;
  shape.nz = long(padded.size(-3)) - (deep ? 2 : 0);
  shape.batch = padded.dim() > 3 ? long(padded.size(0)) : 1;
  return shape;
}

/// A field of the owned cells that belongs to a padded one.
at::Tensor Owned(const kernels::Shape &s, const at::Tensor &like) {
  return at::empty({s.batch, s.nz, s.ny, s.nx}, like.options());
}

/// Calls a kernel for float or double.
#define KRYLEARN_CALL(tensor, ...)                                                                                     \
  if (!(tensor).is_cpu()) throw std::logic_error("stencils are for tensors in host memory");                           \
  if ((tensor).scalar_type() == at::kFloat) {                                                                          \
    using T = float;                                                                                                   \
    __VA_ARGS__                                                                                                        \
  } else if ((tensor).scalar_type() == at::kDouble) {                                                                  \
    using T = double;                                                                                                  \
    __VA_ARGS__                                                                                                        \
  } else {                                                                                                             \
    throw std::logic_error("stencils are for float and double tensors");                                               \
  }

/// The local part of Stencil() and StencilAdjoint(): ghosts are there already.
template <bool kAdjoint> at::Tensor ApplyStencil(const at::Tensor &weights, const at::Tensor &x) {
  const kernels::Shape s = ShapeOf(x, weights.size(0) == 27);
  at::Tensor y = Owned(s, x);
  KRYLEARN_CALL(x, {
    const T *w = weights.data_ptr<T>(), *in = x.data_ptr<T>();
    if (kAdjoint) kernels::Scatter(s, w, in, y.data_ptr<T>());
    else kernels::Gather(s, w, in, y.data_ptr<T>());
  })
  return y;
}

template <bool kAdjoint> struct StencilFunction : torch::autograd::Function<StencilFunction<kAdjoint>> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &weights, const at::Tensor &x) {
    ctx->save_for_backward({weights, x});
    return ApplyStencil<kAdjoint>(weights, x);
  }
  static variable_list backward(AutogradContext *ctx, const variable_list &gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &weights = saved[0], &x = saved[1], g = gradients[0].contiguous();
    const kernels::Shape s = ShapeOf(x, weights.size(0) == 27);
    at::Tensor to_weights, to_x;
    if (ctx->needs_input_grad(0)) {
      to_weights = at::zeros_like(weights);
      KRYLEARN_CALL(x, {
        const T *gp = g.data_ptr<T>(), *in = x.data_ptr<T>();
        if (kAdjoint) kernels::ScatterToWeights(s, gp, in, to_weights.data_ptr<T>());
        else kernels::GatherToWeights(s, gp, in, to_weights.data_ptr<T>());
      })
    }
    if (ctx->needs_input_grad(1)) {
      to_x = at::zeros_like(x);
      KRYLEARN_CALL(x, {
        const T *w = weights.data_ptr<T>(), *gp = g.data_ptr<T>();
        if (kAdjoint) kernels::ScatterToInput(s, w, gp, to_x.data_ptr<T>());
        else kernels::GatherToInput(s, w, gp, to_x.data_ptr<T>());
      })
    }
    return {to_weights, to_x};
  }
};

template <class T> void Axes(const at::Tensor &faces, const T *axis[3]) {
  for (std::int64_t a = 0; a < 3; ++a) axis[a] = a < faces.size(0) ? faces[a].template data_ptr<T>() : nullptr;
}

at::Tensor ApplyStar(const at::Tensor &faces, const at::Tensor &sums, const at::Tensor &x, const at::Tensor &b) {
  const kernels::Shape s = ShapeOf(x, faces.size(0) == 3);
  at::Tensor y = Owned(s, x);
  KRYLEARN_CALL(x, {
    const T *c[3];
    Axes(faces, c);
    kernels::Star(s, c, sums.data_ptr<T>(), x.data_ptr<T>(), b.defined() ? b.data_ptr<T>() : nullptr, y.data_ptr<T>());
  })
  return y;
}

struct StarFunction : torch::autograd::Function<StarFunction> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &faces, const at::Tensor &sums,
                            const at::Tensor &x) {
    ctx->save_for_backward({faces, sums, x});
    return ApplyStar(faces, sums, x, at::Tensor());
  }
  static variable_list backward(AutogradContext *ctx, const variable_list &gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &faces = saved[0], &sums = saved[1], &x = saved[2], g = gradients[0].contiguous();
    const kernels::Shape s = ShapeOf(x, faces.size(0) == 3);
    at::Tensor to_faces, to_sums, to_x;
    if (ctx->needs_input_grad(0) || ctx->needs_input_grad(1)) {
      to_faces = at::zeros_like(faces);
      to_sums = at::zeros_like(sums);
      KRYLEARN_CALL(x, {
        T *c[3];
        for (std::int64_t a = 0; a < 3; ++a) c[a] = a < faces.size(0) ? to_faces[a].data_ptr<T>() : nullptr;
        kernels::StarToCoefficients(s, g.data_ptr<T>(), x.data_ptr<T>(), c, to_sums.data_ptr<T>());
      })
    }
    if (ctx->needs_input_grad(2)) {
      to_x = at::zeros_like(x);
      KRYLEARN_CALL(x, {
        const T *c[3];
        Axes(faces, c);
        kernels::StarToInput(s, c, sums.data_ptr<T>(), g.data_ptr<T>(), to_x.data_ptr<T>());
      })
    }
    return {to_faces, to_sums, to_x};
  }
};

bool Wanted(std::initializer_list<at::Tensor> tensors) {
  bool wanted = false;
  for (const at::Tensor &t : tensors) wanted = wanted || t.requires_grad();
  return wanted && at::GradMode::is_enabled();
}

std::int64_t Dimension(std::size_t axis) { return -1 - std::int64_t(axis); }

/// Ghosts on one side of the axes that coarsen.
Depth OneSide(const Partition &p, std::size_t side) {
  Depth depth{};
  for (std::size_t a = 0; a < 3; ++a) depth[a][side] = p.Coarsens(a);
  return depth;
}

constexpr std::int64_t kSlabCells = 65536;

/// A convolution of [batch, in, z, y, x] by LibTorch, which pads the last `dim` axes with zeros where asked.
at::Tensor Convolve(const at::Tensor &x, const at::Tensor &kernel, const at::Tensor &bias, bool zeros) {
  const std::int64_t pad = zeros;
  if (kernel.size(2) == 1) return at::conv2d(x.squeeze(2), kernel.squeeze(2), bias, 1, pad).unsqueeze(2);
  return at::conv3d(x, kernel, bias, 1, pad);
}

/// The same without padding. LibTorch 1.13 hands a single small or flat field to a path that is ten times slower than
/// oneDNN, two fields not; so a single field is computed in two overlapping halves.
at::Tensor ConvolveInHalves(const at::Tensor &padded, const at::Tensor &kernel, const at::Tensor &bias,
                            std::int64_t axis) {
  if (padded.size(0) > 1) return Convolve(padded, kernel, bias, false);
  const std::int64_t reach = kernel.size(axis) - 1, length = padded.size(axis) - reach, half = (length + 1) / 2;
  const at::Tensor halves =
      at::cat({padded.narrow(axis, 0, half + reach), padded.narrow(axis, length - half, half + reach)});
  const at::Tensor out = Convolve(halves, kernel, bias, false);
  return at::cat({out.narrow(0, 0, 1), out.narrow(0, 1, 1).narrow(axis, 2 * half - length, length - half)}, axis);
}

/// Whether all that surrounds this rank's cells is the outside of the grid.
bool IsAlone(const Partition &p, int dim) {
  bool alone = true;
  for (std::size_t a = 0; a < std::size_t(dim); ++a) alone = alone && p.Ranks(a) == 1 && !p.periodic[a];
  return alone;
}

} // namespace

Depth OneLayer(int dim) { return {{{1, 1}, {1, 1}, {dim == 3, dim == 3}}}; }

at::Tensor Convolution(const at::Tensor &x, const at::Tensor &kernel, const at::Tensor &bias, const Partition &p,
                       int dim) {
  if (kernel.size(2) != (dim == 3 ? 3 : 1)) throw std::logic_error("a convolution's kernel of the other dimension");
  const bool gradients = at::GradMode::is_enabled();
  if (gradients && x.dim() == 5 && x.size(0) > 1 && IsAlone(p, dim)) return Convolve(x, kernel, bias, true);
  const at::Tensor padded = WithHalo(x, p, OneLayer(dim));
  if (p.OwnedCells() == 0) { // nothing to compute, but the graph has to be that of the other ranks
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape[shape.size() - 4] = kernel.size(0);
    if (!gradients) return at::empty(shape, x.options());
    at::Tensor nothing = padded.sum() + kernel.sum();
    if (bias.defined()) nothing = nothing + bias.sum();
    return nothing.expand(shape);
  }
  return ConvolvePadded(padded, kernel, bias);
}

at::Tensor ConvolvePadded(const at::Tensor &padded, const at::Tensor &kernel, const at::Tensor &bias) {
  if (padded.dim() == 4) return ConvolvePadded(padded.unsqueeze(0), kernel, bias).squeeze(0);
  if (!padded.is_cpu()) return Convolve(padded, kernel, bias, false); // all that follows is for host memory
  const std::int64_t axis = kernel.size(2) == 3 ? 2 : 3;              // z, or y in 2D
  const std::int64_t reach = kernel.size(axis) - 1, length = padded.size(axis) - reach;
  // Without gradients a few planes at a time, which saves memory.
  const std::int64_t slab = std::max<std::int64_t>(2, kSlabCells * length * padded.size(1) / padded.numel());
  if (at::GradMode::is_enabled() || slab >= length) return ConvolveInHalves(padded, kernel, bias, axis);
  std::vector<std::int64_t> shape = padded.sizes().vec();
  shape[1] = kernel.size(0);
  for (std::int64_t d = 2; d < 5; ++d) shape[std::size_t(d)] -= kernel.size(d) - 1;
  const at::Tensor out = at::empty(shape, padded.options());
  for (std::int64_t first = 0; first < length; first += slab) {
    const std::int64_t planes = std::min(slab, length - first);
    out.narrow(axis, first, planes)
        .copy_(ConvolveInHalves(padded.narrow(axis, first, planes + reach), kernel, bias, axis));
  }
  return out;
}

at::Tensor Stencil(const at::Tensor &weights, const at::Tensor &x, const Partition &p, int dim) {
  const at::Tensor padded = WithHalo(x, p, OneLayer(dim));
  if (Wanted({weights, padded})) return StencilFunction<false>::apply(weights, padded);
  return ApplyStencil<false>(weights, padded);
}

at::Tensor StencilAdjoint(const at::Tensor &weights, const at::Tensor &x, const Partition &p, int dim) {
  const at::Tensor padded = WithHalo(x, p, OneLayer(dim));
  if (Wanted({weights, padded})) return StencilFunction<true>::apply(weights, padded);
  return ApplyStencil<true>(weights, padded);
}

at::Tensor SymmetricStencil(const at::Tensor &weights, const at::Tensor &x, const Partition &p, int dim) {
  const at::Tensor padded = WithHalo(x, p, OneLayer(dim));
  const kernels::Shape s = ShapeOf(padded, dim == 3);
  if (!Wanted({weights, padded})) {
    at::Tensor y = Owned(s, padded);
    KRYLEARN_CALL(padded,
                  { kernels::GatherSymmetric(s, weights.data_ptr<T>(), padded.data_ptr<T>(), y.data_ptr<T>()); })
    return y;
  }
  // The whole stencil, whose ghosts nobody reads.
  const std::int64_t self = weights.size(0) - 1, deep = dim == 3;
  std::vector<at::Tensor> whole;
  for (std::int64_t o = 0; o <= 2 * self; ++o) {
    const std::int64_t at = std::min(o, self); // the cell that holds weight o
    whole.push_back(weights[std::abs(o - self)]
                        .narrow(-1, at % 3, s.nx)
                        .narrow(-2, at / 3 % 3, s.ny)
                        .narrow(-3, deep ? at / 9 : 0, s.nz));
  }
  return StencilFunction<false>::apply(at::constant_pad_nd(at::stack(whole), {1, 1, 1, 1, deep, deep}), padded);
}

at::Tensor Star(const at::Tensor &faces, const at::Tensor &sums, const at::Tensor &x, const Partition &p, int dim) {
  const at::Tensor padded = WithHalo(x, p, OneLayer(dim));
  if (Wanted({faces, sums, padded})) return StarFunction::apply(faces, sums, padded);
  return ApplyStar(faces, sums, padded, at::Tensor());
}

at::Tensor StarResidual(const at::Tensor &faces, const at::Tensor &sums, const at::Tensor &b, const at::Tensor &x,
                        const Partition &p, int dim) {
  if (Wanted({faces, sums, b, x})) return b - Star(faces, sums, x, p, dim);
  return ApplyStar(faces, sums, WithHalo(x, p, OneLayer(dim)), b.contiguous());
}

at::Tensor Restrict(const at::Tensor &fine, const Partition &p) {
  const Partition coarse = p.Coarsened();
  at::Tensor x = WithHalo(fine, p, OneSide(p, 1));
  for (std::size_t a = 0; a < 3; ++a) {
    if (!p.Coarsens(a)) continue;
    const long count = coarse.Owned(a), first = 2 * coarse.Lo(a) - p.Lo(a);
    const std::int64_t d = Dimension(a);
    // Pairs of cells; the last of an odd axis has no partner, though a periodic ghost may stand in its place.
    const bool alone = count > 0 && 2 * (coarse.Hi(a) - 1) + 1 >= p.n[a];
    const long pairs = count - alone;
    at::Tensor sums = x.slice(d, first, first + 2 * pairs, 2) + x.slice(d, first + 1, first + 1 + 2 * pairs, 2);
    if (count == 0) sums = x.narrow(d, 0, 0);
    x = alone ? at::cat({sums, x.narrow(d, first + 2 * pairs, 1)}, d) : sums;
  }
  return x;
}

at::Tensor Prolong(const at::Tensor &coarse, const Partition &p) {
  const Partition c = p.Coarsened();
  at::Tensor x = WithHalo(coarse, c, OneSide(p, 0));
  for (std::size_t a = 0; a < 3; ++a) {
    if (!p.Coarsens(a)) continue;
    // Each cell twice, then those above owned cells: far faster than by index, above all its gradient.
    const std::int64_t d = x.dim() + Dimension(a);
    at::Tensor twice = x.unsqueeze(d + 1);
    std::vector<std::int64_t> shape = twice.sizes().vec();
    shape[std::size_t(d) + 1] = 2;
    x = twice.expand(shape).flatten(d, d + 1).narrow(d, p.Lo(a) - 2 * (c.Lo(a) - 1), p.Owned(a));
  }
  return x;
}

at::Tensor AveragePool(const at::Tensor &fine, const Partition &p) {
  const Partition c = p.Coarsened();
  at::Tensor x = Restrict(fine, p);
  for (std::size_t a = 0; a < 3; ++a) {
    if (!p.Coarsens(a)) continue;
    at::Tensor share = at::full({c.Owned(a)}, 0.5, x.options());
    if (p.n[a] % 2 && c.Hi(a) == c.n[a] && c.Owned(a) > 0) share.narrow(0, c.Owned(a) - 1, 1).fill_(1);
    std::vector<std::int64_t> shape(std::size_t(x.dim()), 1);
    shape[shape.size() - 1 - a] = c.Owned(a);
    x = x * share.view(shape);
  }
  return x;
}

} // namespace nets
} // namespace krylearn
