#include "solvers/pc/nmg/box.h"
#include <algorithm>

namespace krylearn {
namespace nmg {

Messages::~Messages() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (comm_ != MPI_COMM_NULL && !finalized) MPI_Comm_free(&comm_);
}

PetscErrorCode Messages::SetUp(MPI_Comm comm) {
  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_dup(comm, &comm_));
  PetscFunctionReturn(0);
}

PetscErrorCode Box::Exchange(Array *array) const {
  PetscFunctionBeginUser;
  void *data = array->data();
  PetscCall(vector_halo_.Exchange(&data, 1));
  PetscFunctionReturn(0);
}

PetscErrorCode Box::ExchangeDeep(const ArrayList &arrays) const {
  PetscFunctionBeginUser;
  std::array<void *, ArrayList::kRoom> data;
  for (std::size_t i = 0; i < arrays.size(); ++i) data[i] = arrays[i]->data();
  for (std::size_t first = 0; first < arrays.size(); first += 8)
    PetscCall(coefficient_halo_.Exchange(&data[first], int(std::min<std::size_t>(8, arrays.size() - first))));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeBox(MPI_Comm comm, const std::shared_ptr<const Messages> &messages, const Int3 &n, const Int3 &lo,
                       const Int3 &hi, const std::array<bool, 3> &periodic, const HaloExchange::Neighbours &neighbours,
                       std::shared_ptr<Box> *box) {
  PetscFunctionBeginUser;
  *box = std::make_shared<Box>();
  Box &b = **box;
  b.comm = comm;
  b.messages = messages;
  b.periodic = periodic;
  b.neighbours = neighbours;
  b.layout.n = n;
  b.layout.lo = lo;
  b.layout.hi = hi;
  PetscCall(b.SetUp(1));
  PetscFunctionReturn(0);
}

PetscErrorCode Box::SetUp(PetscInt side_by_side) {
  PetscFunctionBeginUser;
  Layout &l = layout;
  std::ptrdiff_t length = 1;
  for (std::size_t d = 0; d < 3; ++d) {
    if (l.n[d] == 1) periodic[d] = false;
    l.ghosts[d] = l.n[d] > 1 ? kGhosts : 0;
    l.stride[d] = length;
    length *= l.hi[d] - l.lo[d] + 2 * l.ghosts[d];
    if (d == 0) length = (length + 15) / 16 * 16 * side_by_side; // rows start on cache lines
  }
  l.size = std::size_t(length);
  PetscCall(vector_halo_.SetUpOn(messages->Comm(), l, neighbours, MPI_FLOAT, 1));
  PetscCall(coefficient_halo_.SetUpOn(messages->Comm(), l, neighbours, MPI_FLOAT, -1));
  PetscFunctionReturn(0);
}

PetscErrorCode WorkBox::SetUp(const Box &like, std::size_t count) {
  PetscFunctionBeginUser;
  box_.comm = like.comm;
  box_.messages = like.messages;
  box_.layout = like.layout;
  box_.periodic = like.periodic;
  box_.neighbours = like.neighbours;
  PetscCall(box_.SetUp(PetscInt(count)));
  const std::size_t row = std::size_t(box_.layout.stride[1]) / count;
  arrays_ = Array::MakeSideBySide(count, row, box_.layout.size / (row * count));
  PetscFunctionReturn(0);
}

std::vector<Array> WorkBox::Take(std::size_t count) {
  std::vector<Array> taken;
  for (; count > 0; --count) taken.push_back(std::move(arrays_.at(taken_++)));
  return taken;
}

PetscErrorCode Replica::SetUp(std::shared_ptr<Box> distributed) {
  PetscFunctionBeginUser;
  part_ = std::move(distributed);
  const Layout &l = part_->layout;
  int size, rank;
  PetscCallMPI(MPI_Comm_size(part_->comm, &size));
  PetscCallMPI(MPI_Comm_rank(part_->comm, &rank));
  PetscCall(Together(part_->comm, [&] {
    for (auto *corners : {&lo_, &hi_}) corners->resize(std::size_t(size));
    receive_.resize(std::size_t(l.n[0] * l.n[1] * l.n[2]));
    send_.resize(std::size_t(l.OwnedCells()));
    for (auto *numbers : {&counts_, &starts_}) numbers->resize(std::size_t(size));
    return 0;
  }));
  PetscCallMPI(MPI_Allgather(l.lo.data(), 3, MPIU_INT, lo_.data(), 3, MPIU_INT, part_->comm));
  PetscCallMPI(MPI_Allgather(l.hi.data(), 3, MPIU_INT, hi_.data(), 3, MPIU_INT, part_->comm));
  int total = 0;
  for (std::size_t r = 0; r < lo_.size(); ++r) {
    const Int3 &lo = lo_[r], &hi = hi_[r];
    counts_[r] = int((hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]));
    starts_[r] = total;
    total += counts_[r];
  }
  HaloExchange::Neighbours neighbours; // its own, around circles
  for (std::size_t d = 0; d < 3; ++d) {
    const int neighbour = part_->periodic[d] && l.n[d] > 1 ? rank : MPI_PROC_NULL;
    neighbours[d] = {neighbour, neighbour};
  }
  PetscCall(Together(part_->comm, [&] {
    return MakeBox(MPI_COMM_SELF, part_->messages, l.n, {0, 0, 0}, l.n, part_->periodic, neighbours, &whole_);
  }));
  PetscFunctionReturn(0);
}

PetscErrorCode Replica::Gather(const Array &part, Array *whole) {
  PetscFunctionBeginUser;
  const Layout &l = part_->layout, &w = whole_->layout;
  std::size_t at = 0;
  for (PetscInt k = l.lo[2]; k < l.hi[2]; ++k)
    for (PetscInt j = l.lo[1]; j < l.hi[1]; ++j)
      for (PetscInt i = l.lo[0]; i < l.hi[0]; ++i) send_[at++] = part[std::size_t(l.At(i, j, k))];
  PetscCallMPI(MPI_Allgatherv(send_.data(), int(send_.size()), MPI_FLOAT, receive_.data(), counts_.data(),
                              starts_.data(), MPI_FLOAT, part_->comm));
  for (std::size_t r = 0; r < lo_.size(); ++r) {
    const float *from = receive_.data() + starts_[r];
    for (PetscInt k = lo_[r][2]; k < hi_[r][2]; ++k)
      for (PetscInt j = lo_[r][1]; j < hi_[r][1]; ++j, from += hi_[r][0] - lo_[r][0])
        std::copy_n(from, hi_[r][0] - lo_[r][0], whole->data() + w.At(lo_[r][0], j, k));
  }
  PetscFunctionReturn(0);
}

void Replica::Take(const Array &whole, Array *part) const {
  const Layout &l = part_->layout, &w = whole_->layout;
  Int3 first, last;
  for (int d = 0; d < 3; ++d) {
    const PetscInt ghost = std::min<PetscInt>(1, l.ghosts[d]);
    first[d] = part_->Inside(d, l.lo[d] - ghost) ? l.lo[d] - ghost : l.lo[d];
    last[d] = part_->Inside(d, l.hi[d] + ghost - 1) ? l.hi[d] + ghost : l.hi[d];
  }
  const auto wrap = [&w](int d, PetscInt i) { return (i + w.n[d]) % w.n[d]; };
  for (PetscInt k = first[2]; k < last[2]; ++k)
    for (PetscInt j = first[1]; j < last[1]; ++j)
      for (PetscInt i = first[0]; i < last[0]; ++i)
        (*part)[std::size_t(l.At(i, j, k))] = whole[std::size_t(w.At(wrap(0, i), wrap(1, j), wrap(2, k)))];
}

} // namespace nmg
} // namespace krylearn
