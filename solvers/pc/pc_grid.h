/// \file
/// The grid of a preconditioner's matrix: that of its DMDA, or one that the user names for a matrix in natural
/// ordering.
#pragma once
#include "meshes/layout.h"
#include "solvers/pc/nmg/box.h"
#include <petscdmda.h>
#include <petscpc.h>
#include <string>

namespace krylearn {

/// What residuals are multiplied by, a power of two, so that single precision has room for them: the first residual of
/// a solve becomes of order 1 and later ones shrink from there. Outside of solves every residual is looked at.
class ResidualScale {
public:
  double factor = 1;
  /// From the PC's presolve and postsolve operations.
  void Begin() { solving_ = true, known_ = false; }
  void End() { solving_ = known_ = false; }
  /// Sets the factor, where it is not that of this solve already. Collective.
  PetscErrorCode Look(Vec r);

private:
  bool solving_ = false, known_ = false;
};

/// Brings vectors and matrices of a PC into the order of a DMDA.
class PCGrid {
public:
  /// `type` and `key` name the preconditioner and its option in messages: "PCNEURAL", "pc_neural_grid".
  PCGrid(const char *type, const char *key) : type_(type), key_(key) {}
  PCGrid(const PCGrid &) = delete;

  Int3 natural{0, 0, 0}; ///< the user's grid; 0: the DMDA's

  /// Finds the grid; does nothing where it is known. Refuses (PETSC_ERR_ARG_WRONGSTATE, _ARG_SIZ, _SUP) matrices
  /// without one, with advice. Collective.
  PetscErrorCode SetUp(PC pc);
  /// The PC's matrix in the order of the grid; it stays this object's. Collective.
  PetscErrorCode Matrix(PC pc, Mat *matrix);
  PetscErrorCode Reset();

  DM GridDM() const { return dm_; }
  /// Advice on natural ordering for messages where the matrix is reordered from there, otherwise null.
  const char *Reordered() const { return rows_ ? advice_.c_str() : nullptr; }
  const std::shared_ptr<nmg::Box> &Box() const { return box_; }

  /// A vector's owned values in the order of the grid, to read; and space for the result. Collective, in pairs.
  PetscErrorCode Enter(Vec r, Vec z, const PetscScalar **in, PetscScalar **out);
  PetscErrorCode Leave(Vec r, Vec z, const PetscScalar **in, PetscScalar **out);

private:
  PetscErrorCode SetUpNatural(PC pc);
  PetscErrorCode FindDMDA(PC pc, DM *dm) const;
  std::string type_, key_, advice_;
  DM dm_ = nullptr;
  std::shared_ptr<nmg::Box> box_;
  IS rows_ = nullptr; ///< of this rank's cells in a matrix in natural ordering
  VecScatter to_box_ = nullptr;
  Vec in_ = nullptr, out_ = nullptr;
  Mat reordered_ = nullptr;
};

} // namespace krylearn
