#include "nets/kernels.h"
#include <algorithm>

namespace krylearn {
namespace nets {
namespace kernels {
namespace {

/// Calls body(cell, padded): offsets of the first cell of each row, in fields without and with ghosts.
template <class Body> inline void ForRows(const Shape &s, Body &&body) {
  for (long k = 0; k < s.nz; ++k)
    for (long j = 0; j < s.ny; ++j)
      body(s.nx * (j + s.ny * k), 1 + s.PaddedX() * (1 + j + s.PaddedY() * (s.deep ? k + 1 : k)));
}

/// Calls body(o, offset) for the rows of a stencil: the number of the first of three weights, and how far its cell is.
template <class Body> inline void ForStencilRows(const Shape &s, Body &&body) {
  int o = 0;
  for (long dz = s.deep ? -1 : 0; dz <= (s.deep ? 1 : 0); ++dz)
    for (long dy = -1; dy <= 1; ++dy, o += 3) body(o, s.PaddedX() * (dy + s.PaddedY() * dz));
}

/// The row of a result that has ghosts or not.
template <class T> inline T *Row(const Shape &s, T *field, long batch, long cell, long at) {
  return s.padded_out ? field + batch * s.PaddedCells() + at : field + batch * s.Cells() + cell;
}

} // namespace

template <class T> void Gather(const Shape &s, const T *weights, const T *in, T *out) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      T *__restrict y = Row(s, out, b, cell, at);
      std::fill(y, y + n, T(0));
      ForStencilRows(s, [&](int o, long offset) {
        const T *__restrict w0 = weights + o * padded_cells + at, *__restrict w1 = w0 + padded_cells,
                            *__restrict w2 = w1 + padded_cells;
        const T *__restrict x = in + b * padded_cells + at + offset;
        for (long i = 0; i < n; ++i) y[i] += w0[i] * x[i - 1] + w1[i] * x[i] + w2[i] * x[i + 1];
      });
    });
}

template <class T> void Scatter(const Shape &s, const T *weights, const T *in, T *out, bool add) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      T *__restrict y = Row(s, out, b, cell, at);
      if (!add) std::fill(y, y + n, T(0));
      ForStencilRows(s, [&](int o, long offset) {
        const T *__restrict w0 = weights + o * padded_cells + at - offset, *__restrict w1 = w0 + padded_cells,
                            *__restrict w2 = w1 + padded_cells;
        const T *__restrict x = in + b * padded_cells + at - offset;
        for (long i = 0; i < n; ++i) y[i] += w0[i + 1] * x[i + 1] + w1[i] * x[i] + w2[i - 1] * x[i - 1];
      });
    });
}

template <class T> void GatherSymmetric(const Shape &s, const T *weights, const T *in, T *out) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      T *__restrict y = Row(s, out, b, cell, at);
      const T *__restrict self = weights + at, *__restrict next = self + padded_cells;
      const T *__restrict x = in + b * padded_cells + at;
      for (long i = 0; i < n; ++i) y[i] = self[i] * x[i] + (next[i] * x[i + 1] + next[i - 1] * x[i - 1]);
      ForStencilRows(s, [&](int o, long offset) {
        const int later = o - s.Weights() / 2; // of the row's first weight, in the half
        if (later < 2) return;
        const T *__restrict w0 = weights + later * padded_cells + at, *__restrict w1 = w0 + padded_cells,
                            *__restrict w2 = w1 + padded_cells;
        const T *__restrict v0 = w0 - offset, *__restrict v1 = w1 - offset, *__restrict v2 = w2 - offset;
        const T *__restrict up = x + offset, *__restrict down = x - offset;
        for (long i = 0; i < n; ++i)
          y[i] += (w0[i] * up[i - 1] + w1[i] * up[i] + w2[i] * up[i + 1]) +
                  (v0[i + 1] * down[i + 1] + v1[i] * down[i] + v2[i - 1] * down[i - 1]);
      });
    });
}

template <class T> void GatherToInput(const Shape &s, const T *weights, const T *g, T *in) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      const T *__restrict y = g + b * s.Cells() + cell;
      ForStencilRows(s, [&](int o, long offset) {
        for (int e = 0; e < 3; ++e) {
          const T *__restrict w = weights + (o + e) * padded_cells + at;
          T *__restrict x = in + b * padded_cells + at + offset + e - 1;
          for (long i = 0; i < n; ++i) x[i] += w[i] * y[i];
        }
      });
    });
}

template <class T> void GatherToWeights(const Shape &s, const T *g, const T *in, T *weights) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  ForRows(s, [&](long cell, long at) {
    for (long b = 0; b < s.batch; ++b) {
      const T *__restrict y = g + b * s.Cells() + cell;
      ForStencilRows(s, [&](int o, long offset) {
        for (int e = 0; e < 3; ++e) {
          T *__restrict w = weights + (o + e) * padded_cells + at;
          const T *__restrict x = in + b * padded_cells + at + offset + e - 1;
          for (long i = 0; i < n; ++i) w[i] += x[i] * y[i];
        }
      });
    }
  });
}

template <class T> void ScatterToInput(const Shape &s, const T *weights, const T *g, T *in) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      const T *__restrict y = g + b * s.Cells() + cell;
      ForStencilRows(s, [&](int o, long offset) {
        for (int e = 0; e < 3; ++e) {
          const long from = at - offset - (e - 1);
          const T *__restrict w = weights + (o + e) * padded_cells + from;
          T *__restrict x = in + b * padded_cells + from;
          for (long i = 0; i < n; ++i) x[i] += w[i] * y[i];
        }
      });
    });
}

template <class T> void ScatterToWeights(const Shape &s, const T *g, const T *in, T *weights) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  ForRows(s, [&](long cell, long at) {
    for (long b = 0; b < s.batch; ++b) {
      const T *__restrict y = g + b * s.Cells() + cell;
      ForStencilRows(s, [&](int o, long offset) {
        for (int e = 0; e < 3; ++e) {
          const long from = at - offset - (e - 1);
          T *__restrict w = weights + (o + e) * padded_cells + from;
          const T *__restrict x = in + b * padded_cells + from;
          for (long i = 0; i < n; ++i) w[i] += x[i] * y[i];
        }
      });
    }
  });
}

template <class T> void Star(const Shape &s, const T *const faces[3], const T *sums, const T *x, const T *b, T *out) {
  const long padded_cells = s.PaddedCells(), n = s.nx, up = s.PaddedX(), deep = up * s.PaddedY();
  for (long batch = 0; batch < s.batch; ++batch)
    ForRows(s, [&](long cell, long at) {
      const T *__restrict u = x + batch * padded_cells + at, *__restrict sum = sums + cell;
      const T *__restrict cx = faces[0] + at, *__restrict cy = faces[1] + at;
      T *__restrict y = Row(s, out, batch, cell, at);
      if (s.deep) {
        const T *__restrict cz = faces[2] + at;
        for (long i = 0; i < n; ++i)
          y[i] = sum[i] * u[i] + (cx[i] * (u[i] - u[i - 1]) + cx[i + 1] * (u[i] - u[i + 1])) +
                 (cy[i] * (u[i] - u[i - up]) + cy[i + up] * (u[i] - u[i + up])) +
                 (cz[i] * (u[i] - u[i - deep]) + cz[i + deep] * (u[i] - u[i + deep]));
      } else {
        for (long i = 0; i < n; ++i)
          y[i] = sum[i] * u[i] + (cx[i] * (u[i] - u[i - 1]) + cx[i + 1] * (u[i] - u[i + 1])) +
                 (cy[i] * (u[i] - u[i - up]) + cy[i + up] * (u[i] - u[i + up]));
      }
      if (!b) return;
      const T *__restrict right = Row(s, b, batch, cell, at);
      for (long i = 0; i < n; ++i) y[i] = right[i] - y[i];
    });
}

template <class T> void StarToInput(const Shape &s, const T *const faces[3], const T *sums, const T *g, T *x) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  const long step[3] = {1, s.PaddedX(), s.PaddedX() * s.PaddedY()};
  for (long b = 0; b < s.batch; ++b)
    ForRows(s, [&](long cell, long at) {
      const T *__restrict y = g + b * s.Cells() + cell, *__restrict sum = sums + cell;
      T *u = x + b * padded_cells + at;
      for (long i = 0; i < n; ++i) u[i] += sum[i] * y[i];
      for (int a = 0; a < (s.deep ? 3 : 2); ++a) {
        const T *c = faces[a] + at;
        const long o = step[a];
        for (long i = 0; i < n; ++i) u[i] += (c[i] + c[i + o]) * y[i];
        for (long i = 0; i < n; ++i) u[i - o] -= c[i] * y[i];
        for (long i = 0; i < n; ++i) u[i + o] -= c[i + o] * y[i];
      }
    });
}

template <class T> void StarToCoefficients(const Shape &s, const T *g, const T *x, T *const faces[3], T *sums) {
  const long padded_cells = s.PaddedCells(), n = s.nx;
  const long step[3] = {1, s.PaddedX(), s.PaddedX() * s.PaddedY()};
  ForRows(s, [&](long cell, long at) {
    for (long b = 0; b < s.batch; ++b) {
      const T *__restrict u = x + b * padded_cells + at, *__restrict y = g + b * s.Cells() + cell;
      T *__restrict sum = sums + cell;
      for (long i = 0; i < n; ++i) sum[i] += u[i] * y[i];
      for (int a = 0; a < (s.deep ? 3 : 2); ++a) {
        const long o = step[a];
        T *__restrict c = faces[a] + at;
        for (long i = 0; i < n; ++i) c[i] += (u[i] - u[i - o]) * y[i];
        for (long i = 0; i < n; ++i) c[i + o] += (u[i] - u[i + o]) * y[i];
      }
    }
  });
}

namespace {
/// Where cell (0, j, k) of a padded field is; ghosts have index -1.
inline long RowAt(const Shape &s, long batch, long j, long k) {
  return batch * s.PaddedCells() + 1 + s.PaddedX() * (1 + j + s.PaddedY() * (s.deep ? k + 1 : k));
}
} // namespace

template <class T> void Restrict(const Levels &l, const T *fine, T *coarse) {
  const Shape &c = l.coarse;
  const auto children = [&l](std::size_t a, long i, long count) {
    return !l.coarsens[a] || (l.alone[a] && i == count - 1) ? 1 : 2;
  };
  for (long b = 0; b < c.batch; ++b)
    for (long k = 0; k < c.nz; ++k)
      for (long j = 0; j < c.ny; ++j) {
        T *__restrict out = coarse + RowAt(c, b, j, k);
        std::fill(out, out + c.nx, T(0));
        const long k0 = l.coarsens[2] ? l.first[2] + 2 * k : k, j0 = l.coarsens[1] ? l.first[1] + 2 * j : j;
        for (long dk = 0; dk < children(2, k, c.nz); ++dk)
          for (long dj = 0; dj < children(1, j, c.ny); ++dj) {
            const T *__restrict in = fine + RowAt(l.fine, b, j0 + dj, k0 + dk);
            if (!l.coarsens[0]) {
              for (long i = 0; i < c.nx; ++i) out[i] += in[i];
              continue;
            }
            const long pairs = c.nx - l.alone[0], first = l.first[0];
            for (long i = 0; i < pairs; ++i) out[i] += in[first + 2 * i] + in[first + 2 * i + 1];
            if (l.alone[0]) out[pairs] += in[first + 2 * pairs];
          }
      }
}

template <class T> void AddProlonged(const Levels &l, const T *coarse, T *fine) {
  const Shape &f = l.fine;
  const auto above = [&l](std::size_t a, long i) {
    return !l.coarsens[a] ? i : i < l.first[a] ? -1 : (i - l.first[a]) / 2;
  };
  for (long b = 0; b < f.batch; ++b)
    for (long k = 0; k < f.nz; ++k)
      for (long j = 0; j < f.ny; ++j) {
        T *__restrict out = fine + RowAt(f, b, j, k);
        const T *__restrict in = coarse + RowAt(l.coarse, b, above(1, j), above(2, k));
        if (!l.coarsens[0]) {
          for (long i = 0; i < f.nx; ++i) out[i] += in[i];
          continue;
        }
        const long first = l.first[0], pairs = f.nx > first ? (f.nx - first) / 2 : 0;
        if (first && f.nx > 0) out[0] += in[-1];
        for (long i = 0; i < pairs; ++i) {
          out[first + 2 * i] += in[i];
          out[first + 2 * i + 1] += in[i];
        }
        if (first + 2 * pairs < f.nx) out[first + 2 * pairs] += in[pairs];
      }
}

#define KRYLEARN_INSTANTIATE(T)                                                                                        \
  template void Gather(const Shape &, const T *, const T *, T *);                                                      \
  template void Scatter(const Shape &, const T *, const T *, T *, bool);                                               \
  template void GatherSymmetric(const Shape &, const T *, const T *, T *);                                             \
  template void Restrict(const Levels &, const T *, T *);                                                              \
  template void AddProlonged(const Levels &, const T *, T *);                                                          \
  template void GatherToInput(const Shape &, const T *, const T *, T *);                                               \
  template void GatherToWeights(const Shape &, const T *, const T *, T *);                                             \
  template void ScatterToInput(const Shape &, const T *, const T *, T *);                                              \
  template void ScatterToWeights(const Shape &, const T *, const T *, T *);                                            \
  template void Star(const Shape &, const T *const[3], const T *, const T *, const T *, T *);                          \
  template void StarToInput(const Shape &, const T *const[3], const T *, const T *, T *);                              \
  template void StarToCoefficients(const Shape &, const T *, const T *, T *const[3], T *);
KRYLEARN_INSTANTIATE(float)
KRYLEARN_INSTANTIATE(double)
#undef KRYLEARN_INSTANTIATE

} // namespace kernels
} // namespace nets
} // namespace krylearn
