#include "solvers/pc/neural/geometry.h"

namespace krylearn {
namespace {

/// The cut of a DMDA over its ranks.
PetscErrorCode PartitionOfDMDA(DM dm, const nmg::Box &box, MPI_Comm comm, nets::Partition *p) {
  const PetscInt *counts[3];
  PetscInt dim, ranks[3];
  PetscMPIInt rank;
  PetscFunctionBegin;
  PetscCall(DMDAGetInfo(dm, &dim, nullptr, nullptr, nullptr, &ranks[0], &ranks[1], &ranks[2], nullptr, nullptr, nullptr,
                        nullptr, nullptr, nullptr));
  PetscCall(DMDAGetOwnershipRanges(dm, &counts[0], &counts[1], &counts[2]));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  p->comm = comm;
  for (std::size_t a = 0; a < 3; ++a) {
    p->n[a] = box.layout.n[a];
    p->periodic[a] = box.periodic[a];
    p->starts[a] = {0};
    const PetscInt parts = PetscInt(a) < dim ? ranks[a] : 1;
    for (PetscInt r = 0; r < parts; ++r)
      p->starts[a].push_back(p->starts[a].back() + (PetscInt(a) < dim ? counts[a][r] : 1));
  }
  p->place = {rank % p->Ranks(0), rank / p->Ranks(0) % p->Ranks(1), rank / (p->Ranks(0) * p->Ranks(1))};
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode GeometryOfMatrix(Mat matrix, DM dm, const char *natural, const nmg::Box &box, MPI_Comm comm,
                                nets::Geometry *geometry, std::vector<nmg::IsolatedRow> *isolated, double *unit) {
  PetscFunctionBegin;
  nmg::Stencil stencil;
  PetscCall(nmg::ExtractStencil("PCNEURAL", matrix, dm, natural, box, &stencil, isolated, unit));
  PetscCall(PartitionOfDMDA(dm, box, comm, &geometry->partition));
  const std::size_t cells = std::size_t(geometry->partition.OwnedCells());
  const auto owned = [&](const nmg::Array *from, std::vector<float> *to) {
    to->assign(cells, 0);
    std::size_t next = 0;
    nmg::ForOwned(box.layout, [&](PetscInt, PetscInt, PetscInt, std::size_t at) {
      const float value = from ? (*from)[at] : 0;
      (*to)[next++] = value;
    });
  };
  for (std::size_t a = 0; a < (box.layout.n[2] > 1 ? 3 : 2); ++a) {
    Int3 below{0, 0, 0};
    below[a] = -1;
    const int number = stencil.Find(below);
    owned(number >= 0 ? &stencil.coupling[std::size_t(number)] : nullptr, &geometry->faces[a]);
  }
  owned(&stencil.row_sum, &geometry->sums);
  PetscFunctionReturn(0);
}

} // namespace krylearn
