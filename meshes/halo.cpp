#include "meshes/halo.h"
#include "meshes/log.h"
#include <algorithm>

namespace krylearn {

HaloExchange::~HaloExchange() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (comm_ == MPI_COMM_NULL || finalized) return;
  for (int axis = 0; axis < 3; ++axis)
    for (int side = 0; side < 2; ++side) {
      if (send_[axis][side] == MPI_DATATYPE_NULL) continue;
      MPI_Type_free(&send_[axis][side]);
      MPI_Type_free(&receive_[axis][side]);
    }
  if (owned_) MPI_Comm_free(&comm_);
}

PetscErrorCode HaloExchange::SetUp(MPI_Comm comm, const Layout &layout, const Neighbours &neighbours,
                                   MPI_Datatype element, PetscInt layers) {
  PetscFunctionBeginUser;
  PetscCheck(comm_ == MPI_COMM_NULL, comm, PETSC_ERR_ORDER, "A halo exchange is set up once");
  MPI_Comm own; // messages of ours never meet those of the calling program
  PetscCallMPI(MPI_Comm_dup(comm, &own));
  PetscCall(SetUpOn(own, layout, neighbours, element, layers));
  owned_ = true;
  PetscFunctionReturn(0);
}

PetscErrorCode HaloExchange::SetUpOn(MPI_Comm shared, const Layout &layout, const Neighbours &neighbours,
                                     MPI_Datatype element, PetscInt layers) {
  PetscFunctionBeginUser;
  PetscCheck(comm_ == MPI_COMM_NULL, shared, PETSC_ERR_ORDER, "A halo exchange is set up once");
  comm_ = shared;
  layout_ = layout;
  neighbours_ = neighbours;
  int full[3];
  for (int d = 0; d < 3; ++d) full[2 - d] = static_cast<int>(layout.hi[d] - layout.lo[d] + 2 * layout.ghosts[d]);
  // The padded row length is what separates rows in memory.
  full[2] = static_cast<int>(layout.stride[1]);
  if (layout.stride[2]) full[1] = static_cast<int>(layout.stride[2] / layout.stride[1]);
  for (int axis = 0; axis < 3; ++axis)
    for (int side = 0; side < 2; ++side) {
      send_[axis][side] = receive_[axis][side] = MPI_DATATYPE_NULL;
      const int ghosts = static_cast<int>(layout.ghosts[axis]);
      if (ghosts == 0) continue;
      const int g = layers < 0 ? ghosts : std::min(ghosts, static_cast<int>(layers));
      int extent[3], start[3];
      for (int d = 0; d < 3; ++d) {
        const int owned = static_cast<int>(layout.hi[d] - layout.lo[d]), gd = static_cast<int>(layout.ghosts[d]);
        // Axes already exchanged travel with their ghosts; later ones with those outside a boundary, where the upper
        // boundary face lives. Neighbours along `axis` touch the same boundaries, so the messages fit.
        const int reach = layers < 0 ? gd : std::min(gd, static_cast<int>(layers));
        const int below = d < axis || neighbours[d][0] == MPI_PROC_NULL ? reach : 0;
        const int above = d < axis || neighbours[d][1] == MPI_PROC_NULL ? reach : 0;
        extent[2 - d] = below + owned + above;
        start[2 - d] = gd - below;
      }
      const int owned = static_cast<int>(layout.hi[axis] - layout.lo[axis]);
      extent[2 - axis] = g;
      start[2 - axis] = side == 0 ? ghosts : ghosts + owned - g;
      PetscCallMPI(MPI_Type_create_subarray(3, full, extent, start, MPI_ORDER_C, element, &send_[axis][side]));
      start[2 - axis] = side == 0 ? ghosts - g : ghosts + owned;
      PetscCallMPI(MPI_Type_create_subarray(3, full, extent, start, MPI_ORDER_C, element, &receive_[axis][side]));
      PetscCallMPI(MPI_Type_commit(&send_[axis][side]));
      PetscCallMPI(MPI_Type_commit(&receive_[axis][side]));
    }
  PetscFunctionReturn(0);
}

PetscErrorCode HaloExchange::Exchange(std::initializer_list<Field *> fields) const {
  PetscFunctionBeginUser;
  for (Field *field : fields)
    PetscCheck(field->empty() || field->size() == layout_.size, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ,
               "A field of %zu values does not belong to this grid, whose fields have %zu", field->size(),
               layout_.size);
  // Eight fields at a time: more never travel together.
  void *arrays[8];
  int used = 0;
  for (Field *field : fields) {
    if (field->empty()) continue;
    arrays[used++] = field->data();
    if (used < 8) continue;
    PetscCall(Exchange(arrays, used));
    used = 0;
  }
  if (used > 0) PetscCall(Exchange(arrays, used));
  PetscFunctionReturn(0);
}

PetscErrorCode HaloExchange::Exchange(void *const *arrays, int number) const {
  PetscFunctionBeginUser;
  PetscCall(PetscLogEventBegin(Log().halo, 0, 0, 0, 0));
  for (int axis = 0; axis < 3; ++axis) {
    if (layout_.ghosts[axis] == 0) continue;
    // Four requests a field; eight fields at a time keep the array small and fixed.
    MPI_Request requests[32];
    int count = 0;
    for (int tag = 0; tag < number; ++tag) {
      void *data = arrays[tag];
      if (count == 32) {
        PetscCallMPI(MPI_Waitall(count, requests, MPI_STATUSES_IGNORE));
        count = 0;
      }
      for (int side = 0; side < 2; ++side) {
        const int peer = neighbours_[axis][side];
        if (peer == MPI_PROC_NULL) continue;
        PetscCallMPI(MPI_Irecv(data, 1, receive_[axis][side], peer, 2 * tag + side, comm_, &requests[count++]));
      }
      for (int side = 0; side < 2; ++side) {
        const int peer = neighbours_[axis][side];
        if (peer == MPI_PROC_NULL) continue;
        // What leaves through my upper side arrives in the neighbour's lower ghosts.
        PetscCallMPI(MPI_Isend(data, 1, send_[axis][side], peer, 2 * tag + 1 - side, comm_, &requests[count++]));
      }
    }
    PetscCallMPI(MPI_Waitall(count, requests, MPI_STATUSES_IGNORE));
  }
  PetscCall(PetscLogEventEnd(Log().halo, 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

} // namespace krylearn
