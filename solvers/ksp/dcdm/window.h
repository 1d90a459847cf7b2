/// \file
/// The directions that KSPDCDM keeps.
#pragma once
#include <petscvec.h>

namespace krylearn {

/// The last directions d, scaled to dᵀAd = 1, and their images A d.
class ConjugateWindow {
public:
  /// Room for `most` directions like `like` and the next one; vectors are made when they are needed, then kept.
  PetscErrorCode Reserve(Vec like, PetscInt most);
  PetscErrorCode Free();
  /// Forgets all directions; keeps the last `width` of those to come.
  void Start(PetscInt width);
  /// Keeps more of them from now on.
  void Widen(PetscInt width);
  PetscInt Width() const { return width_; }
  /// Vectors for the next direction and its image.
  PetscErrorCode Next(Vec *q, Vec *Aq);
  /// Makes q A-orthogonal to the directions in two passes, and A q with it, which takes no product with A.
  PetscErrorCode Orthogonalise(Vec q, Vec Aq);
  /// Keeps what Next() gave, whose qᵀAq is given; instead of the oldest where the window is full.
  PetscErrorCode Keep(PetscReal qAq);

private:
  // In the first kept_ places; the place behind them is the next one's.
  Vec *directions_ = nullptr, *images_ = nullptr;
  PetscScalar *products_ = nullptr;
  Vec like_ = nullptr;
  PetscInt places_ = 0, width_ = 0, kept_ = 0, oldest_ = 0;
};

} // namespace krylearn
