#include "solvers/ksp/dcdm/window.h"
#include <algorithm>
#include <utility>

namespace krylearn {

PetscErrorCode ConjugateWindow::Reserve(Vec like, PetscInt most) {
  PetscFunctionBegin;
  like_ = like;
  if (places_ == most + 1) PetscFunctionReturn(0);
  PetscCall(Free());
  PetscCall(PetscCalloc3(most + 1, &directions_, most + 1, &images_, most + 1, &products_));
  places_ = most + 1;
  PetscFunctionReturn(0);
}

PetscErrorCode ConjugateWindow::Free() {
  PetscFunctionBegin;
  for (PetscInt k = 0; k < places_; ++k) {
    PetscCall(VecDestroy(&directions_[k]));
    PetscCall(VecDestroy(&images_[k]));
  }
  PetscCall(PetscFree3(directions_, images_, products_));
  places_ = kept_ = oldest_ = 0;
  PetscFunctionReturn(0);
}

void ConjugateWindow::Start(PetscInt width) {
  width_ = width;
  kept_ = oldest_ = 0;
}

void ConjugateWindow::Widen(PetscInt width) {
  std::rotate(directions_, directions_ + oldest_, directions_ + kept_);
  std::rotate(images_, images_ + oldest_, images_ + kept_);
  oldest_ = 0;
  width_ = width;
}

PetscErrorCode ConjugateWindow::Next(Vec *q, Vec *Aq) {
  PetscFunctionBegin;
  if (!directions_[kept_]) {
    PetscCall(VecDuplicate(like_, &directions_[kept_]));
    PetscCall(VecDuplicate(like_, &images_[kept_]));
  }
  *q = directions_[kept_];
  *Aq = images_[kept_];
  PetscFunctionReturn(0);
}

PetscErrorCode ConjugateWindow::Orthogonalise(Vec q, Vec Aq) {
  PetscFunctionBegin;
  for (int pass = 0; pass < 2 && kept_ > 0; ++pass) {
    PetscCall(VecMDot(Aq, kept_, directions_, products_));
    for (PetscInt k = 0; k < kept_; ++k) products_[k] = -products_[k];
    PetscCall(VecMAXPY(q, kept_, products_, directions_));
    PetscCall(VecMAXPY(Aq, kept_, products_, images_));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ConjugateWindow::Keep(PetscReal qAq) {
  const PetscReal scale = 1 / PetscSqrtReal(qAq);
  PetscFunctionBegin;
  PetscCall(VecScale(directions_[kept_], scale));
  PetscCall(VecScale(images_[kept_], scale));
  if (kept_ < width_) {
    ++kept_;
    PetscFunctionReturn(0);
  }
  std::swap(directions_[kept_], directions_[oldest_]);
  std::swap(images_[kept_], images_[oldest_]);
  oldest_ = (oldest_ + 1) % width_;
  PetscFunctionReturn(0);
}

} // namespace krylearn
