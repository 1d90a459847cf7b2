/// \file
/// Training: a pool of live solves, gradients added over ranks, Adam, validation by iterations.
#pragma once
#include "nets/nets.h"

namespace krylearn {
namespace nets {

/// See Library::Train(). The pool's geometries form groups; a step takes one geometry of each group, a group belongs to
/// one rank, and gradients are added over all groups. So the result depends on the number of ranks through rounding
/// only.
TrainingReport Train(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source);

} // namespace nets
} // namespace krylearn
