/// \file
/// The part of a multigrid level that a rank owns, its ghost exchange, and the step from distributed to replicated.
#pragma once
#include "meshes/halo.h"
#include "solvers/pc/nmg/array.h"
#include "solvers/pc/nmg/together.h"
#include <memory>

namespace krylearn {
namespace nmg {

/// A duplicate of a communicator, so that messages of ours never meet those of the calling program. All levels share
/// one, because MPI has room for a few thousand only; it goes with its last owner.
class Messages {
public:
  Messages() = default;
  Messages(const Messages &) = delete;
  ~Messages();
  /// Collective on `comm`.
  PetscErrorCode SetUp(MPI_Comm comm);
  MPI_Comm Comm() const { return comm_; }

private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

/// Arrays whose ghosts are exchanged together. It needs no memory of its own: lists are made right before messages,
/// where no rank may fail alone.
class ArrayList {
public:
  static constexpr std::size_t kRoom = 16; ///< a stencil of 27 points has 15 arrays
  void Add(Array *array) { arrays_[size_++] = array; }
  std::size_t size() const { return size_; }
  Array *operator[](std::size_t i) const { return arrays_[i]; }

private:
  std::array<Array *, kRoom> arrays_{};
  std::size_t size_ = 0;
};

/// The cells of a level that this rank owns. Axes of one cell have no ghosts, the others two layers: couplings are
/// needed two deep during the set-up, vectors one deep.
struct Box {
  static constexpr PetscInt kGhosts = 2;
  MPI_Comm comm = MPI_COMM_SELF; ///< of the ranks that share the level
  std::shared_ptr<const Messages> messages;
  Layout layout;
  std::array<bool, 3> periodic{};
  HaloExchange::Neighbours neighbours{}; ///< ranks of `messages`

  std::vector<Array> NewArrays(std::size_t count) const { return Array::Make(count, layout.size); }
  Array NewArray() const { return std::move(NewArrays(1)[0]); }
  /// One layer of a vector; both layers of several arrays. Collective.
  PetscErrorCode Exchange(Array *array) const;
  PetscErrorCode ExchangeDeep(const ArrayList &arrays) const;
  /// True for cells that exist: inside the grid, or anywhere along a periodic axis.
  bool Inside(int axis, PetscInt i) const { return periodic[axis] || (i >= 0 && i < layout.n[axis]); }

private:
  friend PetscErrorCode MakeBox(MPI_Comm, const std::shared_ptr<const Messages> &, const Int3 &, const Int3 &,
                                const Int3 &, const std::array<bool, 3> &, const HaloExchange::Neighbours &,
                                std::shared_ptr<Box> *);
  friend class WorkBox;
  PetscErrorCode SetUp(PetscInt side_by_side);
  HaloExchange vector_halo_, coefficient_halo_;
};

/// Calls `body(i, j, k, place)` for all owned cells, the first index fastest.
template <class Body> void ForOwned(const Layout &l, Body &&body) {
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) {
      std::size_t at = std::size_t(l.At(l.lo[0], j, k));
      for (PetscInt i = l.lo[0]; i < l.hi[0]; ++i, ++at) body(i, j, k, at);
    }
}

/// Calls `body(place)` for the first owned cell of each row of owned cells along the first axis.
template <class Body> void ForRows(const Layout &l, Body &&body) {
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j) body(std::size_t(l.At(l.lo[0], j, k)));
}

/// A box of cells [lo, hi) in a grid of n cells that the ranks of `comm` share. Sends no messages.
PetscErrorCode MakeBox(MPI_Comm comm, const std::shared_ptr<const Messages> &messages, const Int3 &n, const Int3 &lo,
                       const Int3 &hi, const std::array<bool, 3> &periodic, const HaloExchange::Neighbours &neighbours,
                       std::shared_ptr<Box> *box);

/// A box with arrays whose rows lie side by side. Building a level reads a hundred arrays at once, in rows of a few cache
/// lines; apart from each other, as many streams are more than a processor follows.
class WorkBox {
public:
  /// Room for `count` arrays on the cells of `like`. Sends no messages.
  PetscErrorCode SetUp(const Box &like, std::size_t count);
  /// The next `count` of them. All together no more than there is room for.
  std::vector<Array> Take(std::size_t count);
  const Box &Cells() const { return box_; }
  const Layout &layout() const { return box_.layout; }

private:
  Box box_;
  std::vector<Array> arrays_;
  std::size_t taken_ = 0;
};

/// Copies a level from the ranks that share it to one box that every rank holds whole, and back. Coarse levels are so
/// small that all ranks compute them faster than they would talk about them.
class Replica {
public:
  /// Makes the whole box. Collective.
  PetscErrorCode SetUp(std::shared_ptr<Box> distributed);
  const std::shared_ptr<Box> &Whole() const { return whole_; }
  /// Fills `whole` – ghosts across periodic sides not – from the owned cells of all ranks. Collective.
  PetscErrorCode Gather(const Array &part, Array *whole);
  /// Copies owned cells and one layer of ghosts of this rank's part.
  void Take(const Array &whole, Array *part) const;

private:
  std::shared_ptr<Box> part_, whole_;
  std::vector<int> counts_, starts_;
  std::vector<Int3> lo_, hi_;
  std::vector<float> send_, receive_;
};

} // namespace nmg
} // namespace krylearn
