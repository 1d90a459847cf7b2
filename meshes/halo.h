/// \file
/// Ghost-layer exchange between the ranks of a grid.
#pragma once
#include "meshes/layout.h"
#include <initializer_list>
#include <mpi.h>

namespace krylearn {

/// Fills ghost layers from neighbouring ranks (and across periodic boundaries), corners included.
///
/// The axes are exchanged one after the other, each message carrying the ghosts received before it; that way six
/// messages also bring the edges and corners. Ghosts straight outside a non-periodic boundary belong to the rank at
/// that boundary: they are left alone there, and its neighbours along the boundary receive them (so upper boundary
/// faces and boundary values set before the exchange are valid in all ghosts).
class HaloExchange {
public:
  HaloExchange() = default;
  ~HaloExchange();
  HaloExchange(const HaloExchange &) = delete;
  HaloExchange &operator=(const HaloExchange &) = delete;

  using Neighbours = std::array<std::array<int, 2>, 3>;
  /// `neighbours[axis][side]` are ranks of `comm` (duplicated), MPI_PROC_NULL outside the domain. `layers` of the
  /// layout's ghosts are exchanged (-1: all) of arrays of `element`s. Once. Collective.
  PetscErrorCode SetUp(MPI_Comm comm, const Layout &layout, const Neighbours &neighbours,
                       MPI_Datatype element = MPI_DOUBLE, PetscInt layers = -1);
  /// The same over a communicator that several exchanges share, one after the other on all ranks, and that outlives
  /// them. Sends no messages.
  PetscErrorCode SetUpOn(MPI_Comm shared, const Layout &layout, const Neighbours &neighbours, MPI_Datatype element,
                         PetscInt layers);
  /// Exchanges the layers of each field. Collective; empty fields are skipped.
  PetscErrorCode Exchange(std::initializer_list<Field *> fields) const;
  /// The same for `count` arrays of the layout's size and the element type.
  PetscErrorCode Exchange(void *const *arrays, int count) const;

private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  bool owned_ = false; ///< the communicator
  Layout layout_;
  Neighbours neighbours_{};
  // send_[axis][side] is the owned slab next to that side, receive_[axis][side] the ghost slab beyond it.
  std::array<std::array<MPI_Datatype, 2>, 3> send_{}, receive_{};
};

} // namespace krylearn
