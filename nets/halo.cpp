#include "nets/halo.h"
#include <algorithm>
#include <stdexcept>
#include <string>

namespace krylearn {
namespace nets {
namespace {

/// Part of the ghosts of one rank of a line of ranks, and who owns it. `begin` counts from the receiver's first owned
/// cell, `from` from the owner's.
struct Piece {
  long receiver, owner, begin, from, length;
  int tag;
};

/// What the rank at place `receiver` of `axis` needs, in an order that both ends know.
void AppendPieces(const Partition &p, std::size_t axis, const std::array<long, 2> &depth, long receiver, long owner,
                  std::vector<Piece> *pieces) {
  const std::vector<long> &starts = p.starts[axis];
  const long lo = starts[std::size_t(receiver)], hi = starts[std::size_t(receiver) + 1], n = p.n[axis];
  const long ranges[2][2] = {{lo - depth[0], lo}, {hi, hi + depth[1]}};
  const long images = p.periodic[axis] ? (std::max(depth[0], depth[1]) + n - 1) / n : 0;
  int tag = 0;
  for (const auto &range : ranges)
    for (long image = -images; image <= images; ++image, ++tag) {
      const long first = starts[std::size_t(owner)] + image * n, last = starts[std::size_t(owner) + 1] + image * n;
      const long begin = std::max(first, range[0]), end = std::min(last, range[1]);
      if (begin < end) pieces->push_back({receiver, owner, begin - lo, begin - first, end - begin, tag});
    }
}

/// All messages of this rank along an axis.
struct Plan {
  std::vector<Piece> receive, send;
  Plan(const Partition &p, std::size_t axis, const std::array<long, 2> &depth) {
    if (depth[0] == 0 && depth[1] == 0) return;
    for (long q = 0; q < p.Ranks(axis); ++q) {
      AppendPieces(p, axis, depth, p.place[axis], q, &receive);
      AppendPieces(p, axis, depth, q, p.place[axis], &send);
    }
  }
};

int RankOf(const Partition &p, std::size_t axis, long at) {
  Index place = p.place;
  place[axis] = at;
  return p.RankAt(place);
}

int Bytes(const at::Tensor &slab) {
  const std::int64_t bytes = slab.numel() * std::int64_t(slab.element_size());
  if (bytes > 2147483647) throw std::runtime_error("a halo of more than 2 GiB; use more ranks or fewer channels");
  return int(bytes);
}

at::Tensor Slab(const at::Tensor &padded, std::size_t axis, long below, long begin, long length) {
  return padded.narrow(-1 - std::int64_t(axis), below + begin, length);
}

/// Messages under way: sent slabs are packed, received ones wait to be taken, both in host memory.
class Messages {
public:
  Messages(const Partition &p, std::size_t axis) : partition_(p), axis_(axis) {}
  void Send(const at::Tensor &slab, long to, int tag) {
    packed_.push_back(slab.to(at::kCPU).contiguous());
    const at::Tensor &buffer = packed_.back();
    requests_.emplace_back();
    MPI_Isend(buffer.data_ptr(), Bytes(buffer), MPI_BYTE, RankOf(partition_, axis_, to), tag, partition_.comm,
              &requests_.back());
  }
  void Receive(const at::Tensor &slab, long from, int tag) {
    places_.push_back(slab);
    arrived_.push_back(at::empty(slab.sizes(), slab.options().device(at::kCPU)));
    const at::Tensor &buffer = arrived_.back();
    requests_.emplace_back();
    MPI_Irecv(buffer.data_ptr(), Bytes(buffer), MPI_BYTE, RankOf(partition_, axis_, from), tag, partition_.comm,
              &requests_.back());
  }
  /// Waits, then copies what has arrived to its place, or adds it there.
  void Finish(bool add) {
    MPI_Waitall(int(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
    for (std::size_t i = 0; i < places_.size(); ++i)
      if (add) places_[i].add_(arrived_[i].to(places_[i].device()));
      else places_[i].copy_(arrived_[i]);
  }

private:
  const Partition &partition_;
  std::size_t axis_;
  std::vector<at::Tensor> packed_, places_, arrived_;
  std::vector<MPI_Request> requests_;
};

at::Tensor Interior(const at::Tensor &padded, const Partition &p, const Depth &depth) {
  at::Tensor inside = padded;
  for (std::size_t a = 0; a < 3; ++a) inside = Slab(inside, a, depth[a][0], 0, p.Owned(a));
  return inside;
}

at::Tensor Pad(const at::Tensor &x, const Partition &p, const Depth &depth) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  for (std::size_t a = 0; a < 3; ++a) {
    std::int64_t &size = shape[shape.size() - 1 - a];
    if (size != p.Owned(a))
      throw std::logic_error("a tensor of " + std::to_string(size) + " cells on axis " + std::to_string(a) +
                             ", where this rank owns " + std::to_string(p.Owned(a)));
    size += depth[a][0] + depth[a][1];
  }
  const at::Tensor padded = at::zeros(shape, x.options());
  Interior(padded, p, depth).copy_(x);
  FillHalo(padded, p, depth);
  return padded;
}

/// What the backward pass has to know.
struct Context : torch::CustomClassHolder {
  Partition partition;
  Depth depth;
  Context(const Partition &p, const Depth &d) : partition(p), depth(d) {}
};

struct HaloFunction : torch::autograd::Function<HaloFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext *ctx, const at::Tensor &x, const Partition &p,
                            const Depth &depth) {
    ctx->saved_data["halo"] = c10::IValue::make_capsule(c10::make_intrusive<Context>(p, depth));
    return Pad(x, p, depth);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 const torch::autograd::variable_list &gradients) {
    const auto capsule = ctx->saved_data["halo"].toCapsule();
    const auto &context = static_cast<const Context &>(*capsule);
    return {HaloAdjoint(gradients[0], context.partition, context.depth), at::Tensor(), at::Tensor()};
  }
};

} // namespace

void FillHalo(const at::Tensor &padded, const Partition &p, const Depth &depth) {
  // Axis by axis, each with the ghosts of those before it, which fills edges and corners.
  for (std::size_t a = 0; a < 3; ++a) {
    const Plan plan(p, a, depth[a]);
    const long below = depth[a][0];
    Messages messages(p, a);
    for (const Piece &piece : plan.receive) {
      const at::Tensor ghosts = Slab(padded, a, below, piece.begin, piece.length);
      if (piece.owner == p.place[a]) ghosts.copy_(Slab(padded, a, below, piece.from, piece.length));
      else messages.Receive(ghosts, piece.owner, piece.tag);
    }
    for (const Piece &piece : plan.send)
      if (piece.receiver != p.place[a])
        messages.Send(Slab(padded, a, below, piece.from, piece.length), piece.receiver, piece.tag);
    messages.Finish(false);
  }
}

at::Tensor HaloAdjoint(const at::Tensor &padded, const Partition &p, const Depth &depth) {
  const at::Tensor sums = padded.clone(at::MemoryFormat::Contiguous);
  for (std::size_t a = 3; a-- > 0;) {
    const Plan plan(p, a, depth[a]);
    const long below = depth[a][0];
    Messages messages(p, a);
    for (const Piece &piece : plan.send)
      if (piece.receiver != p.place[a])
        messages.Receive(Slab(sums, a, below, piece.from, piece.length), piece.receiver, piece.tag);
    for (const Piece &piece : plan.receive) {
      const at::Tensor ghosts = Slab(sums, a, below, piece.begin, piece.length);
      if (piece.owner == p.place[a]) Slab(sums, a, below, piece.from, piece.length).add_(ghosts);
      else messages.Send(ghosts, piece.owner, piece.tag);
    }
    messages.Finish(true);
  }
  return Interior(sums, p, depth).contiguous();
}

at::Tensor WithHalo(const at::Tensor &x, const Partition &p, const Depth &depth) {
  if (at::GradMode::is_enabled() && x.requires_grad()) return HaloFunction::apply(x, p, depth);
  return Pad(x, p, depth);
}

} // namespace nets
} // namespace krylearn
