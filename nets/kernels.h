/// \file
/// Stencils with weights of their own in every cell, on plain arrays: LibTorch's convolutions of one channel run far
/// below what memory allows. Instantiated for float and double.
#pragma once
#include <array>

namespace krylearn {
namespace nets {
namespace kernels {

/// The owned cells of a rank and the arrays around them. Fields come as `batch` arrays one after the other; a padded
/// one has one layer of ghosts on each side of x and y, and of z too where `deep`. Stencils reach all neighbours, those
/// across edges and corners too: 27 weights where `deep`, else 9, ordered with x fastest; weight o of a cell belongs to
/// its neighbour o.
struct Shape {
  long nx = 0, ny = 0, nz = 0, batch = 1;
  bool deep = false;
  bool padded_out = false; ///< what Gather(), Scatter() and Star() write, and the b they read, has ghosts too

  long PaddedX() const { return nx + 2; }
  long PaddedY() const { return ny + 2; }
  long PaddedZ() const { return deep ? nz + 2 : nz; }
  long Cells() const { return nx * ny * nz; }
  long PaddedCells() const { return PaddedX() * PaddedY() * PaddedZ(); }
  int Weights() const { return deep ? 27 : 9; }
};

/// out_i = Σ_o w_o(i) in_(i+o). Weights and `in` are padded, `out` is not.
template <class T> void Gather(const Shape &shape, const T *weights, const T *in, T *out);
/// out_i = Σ_o w_o(i−o) in_(i−o), the transposed stencil; added to what is there if `add`. Weights and `in` are padded,
/// their ghosts valid.
template <class T> void Scatter(const Shape &shape, const T *weights, const T *in, T *out, bool add = false);
/// A symmetric stencil by its later half, 14 or 5 weights, those of a cell itself and of its neighbours after it:
/// out_i = w_0(i) in_i + Σ_{o>0} (w_o(i) in_(i+o) + w_o(i−o) in_(i−o)). Weights and `in` are padded, their ghosts
/// valid.
template <class T> void GatherSymmetric(const Shape &shape, const T *weights, const T *in, T *out);
/// Adjoints of Gather(): `in` adds to its gradients in all the cells it has read.
template <class T> void GatherToInput(const Shape &shape, const T *weights, const T *g, T *in);
template <class T> void GatherToWeights(const Shape &shape, const T *g, const T *in, T *weights);
/// Adjoints of Scatter().
template <class T> void ScatterToInput(const Shape &shape, const T *weights, const T *g, T *in);
template <class T> void ScatterToWeights(const Shape &shape, const T *g, const T *in, T *weights);

/// The symmetric star operator (A x)_i = s_i x_i + Σ c (x_i − x_j) over neighbours j, where c of the face below cell i
/// on axis a is faces[a] at i. `faces` – z only where `deep` – and x are padded, `sums` and `out` are not. Where b is
/// given out = b − A x, else A x.
template <class T>
void Star(const Shape &shape, const T *const faces[3], const T *sums, const T *x, const T *b, T *out);
/// Adjoints of A x: added to the padded gradients of x and faces, and to that of the sums.
template <class T> void StarToInput(const Shape &shape, const T *const faces[3], const T *sums, const T *g, T *x);
template <class T> void StarToCoefficients(const Shape &shape, const T *g, const T *x, T *const faces[3], T *sums);

/// A level and the next coarser one on this rank, both padded.
struct Levels {
  Shape fine, coarse;
  std::array<bool, 3> coarsens{};
  std::array<long, 3> first{}; ///< the owned fine cell, 0 or 1, that the first owned coarse cell begins with
  std::array<bool, 3> alone{}; ///< the last owned coarse cell covers one cell of this axis only
};
/// coarse = sums of the fine cells covered; ghosts of `fine` are valid.
template <class T> void Restrict(const Levels &levels, const T *fine, T *coarse);
/// fine += the value of the coarse cell above; ghosts of `coarse` are valid.
template <class T> void AddProlonged(const Levels &levels, const T *coarse, T *fine);

} // namespace kernels
} // namespace nets
} // namespace krylearn
