#include "solvers/pc/nmg/array.h"
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace krylearn {
namespace nmg {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t(2) << 20;

/// Two ghosts in, the first owned cell of a row starts a cache line.
constexpr std::size_t kPerLine = kLine / sizeof(float), kShift = kPerLine - 2;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// A piece of the address space, mapped in whole.
struct Mapping {
  void *start;
  std::size_t size;
};

/// Mappings that have no owner at the moment, while somebody wants them kept.
struct Kept {
  int users = 0;
  std::vector<Mapping> mappings;
};

Kept &Recycled() {
  static Kept kept;
  return kept;
}

/// Keeps a mapping where somebody wants it and there is room to note it down.
void Release(const Mapping &mapping) noexcept {
  Kept &kept = Recycled();
  if (kept.users > 0) try {
      kept.mappings.push_back(mapping);
      return;
    } catch (const std::bad_alloc &) {}
  munmap(mapping.start, mapping.size);
}

/// The smallest kept mapping with room for `size` bytes and not much more; a null start where there is none.
Mapping Reuse(std::size_t size) {
  std::vector<Mapping> &mappings = Recycled().mappings;
  auto best = mappings.end();
  for (auto m = mappings.begin(); m != mappings.end(); ++m)
    if (m->size >= size && m->size <= 2 * size && (best == mappings.end() || m->size < best->size)) best = m;
  if (best == mappings.end()) return {nullptr, 0};
  const Mapping found = *best;
  mappings.erase(best);
  return found;
}

/// Zeroed memory at a cache line.
std::shared_ptr<void> Allocate(std::size_t bytes) {
  if (bytes < kHugePage) {
    const std::size_t whole = RoundUp(bytes, kLine);
    void *memory = std::aligned_alloc(kLine, whole);
    if (!memory) throw std::bad_alloc();
    std::memset(memory, 0, whole);
    return {memory, std::free};
  }
  // Room to start on a huge page. Only whole ones are asked for: the rest takes small pages, and no more than it needs.
  Mapping mapping = Reuse(bytes + kHugePage);
  const bool fresh = !mapping.start;
  if (fresh) {
    mapping = {mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
               bytes + kHugePage};
    if (mapping.start == MAP_FAILED) throw std::bad_alloc();
  }
  const std::shared_ptr<void> owner(mapping.start, [mapping](void *) { Release(mapping); });
  const std::size_t address = reinterpret_cast<std::size_t>(mapping.start);
  char *aligned = static_cast<char *>(mapping.start) + (RoundUp(address, kHugePage) - address);
  if (!fresh) std::memset(aligned, 0, bytes);
#ifdef MADV_HUGEPAGE
  else madvise(aligned, bytes / kHugePage * kHugePage, MADV_HUGEPAGE); // a hint: without it the pages are small
#endif
  return {owner, aligned};
}

} // namespace

Array::Recycling::Recycling() { ++Recycled().users; }

Array::Recycling::~Recycling() {
  Kept &kept = Recycled();
  if (--kept.users > 0) return;
  for (const Mapping &mapping : kept.mappings) munmap(mapping.start, mapping.size);
  kept.mappings.clear();
}

std::vector<Array> Array::Make(std::size_t count, std::size_t size) {
  // Arrays lie an odd number of lines apart, or the same cell of all arrays would compete for one set of the cache.
  const std::size_t apart = (RoundUp(size + kShift, kPerLine) / kPerLine | 1) * kPerLine;
  return Place(count, apart, size);
}

std::vector<Array> Array::MakeSideBySide(std::size_t count, std::size_t row, std::size_t rows) {
  return Place(count, row, count * row * (rows - 1) + row);
}

std::vector<Array> Array::Place(std::size_t count, std::size_t apart, std::size_t size) {
  // Loops may read a vector register or two past the end of the last row.
  const std::size_t last = (count - 1) * apart + kShift + size;
  const std::shared_ptr<void> memory = Allocate((last + 2 * kPerLine) * sizeof(float));
  std::vector<Array> arrays(count);
  for (std::size_t n = 0; n < count; ++n) {
    arrays[n].data_ = static_cast<float *>(memory.get()) + n * apart + kShift;
    arrays[n].size_ = size;
    arrays[n].memory_ = memory;
  }
  return arrays;
}

} // namespace nmg
} // namespace krylearn
