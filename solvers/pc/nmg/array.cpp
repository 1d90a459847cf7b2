#include "solvers/pc/nmg/array.h"
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace krylearn {
namespace nmg {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t(2) << 20;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

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
  const std::size_t mapped = bytes + kHugePage;
  void *start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  const std::shared_ptr<void> owner(start, [mapped](void *p) { munmap(p, mapped); });
  const std::size_t skip = RoundUp(reinterpret_cast<std::size_t>(start), kHugePage) - reinterpret_cast<std::size_t>(start);
  char *aligned = static_cast<char *>(start) + skip;
#ifdef MADV_HUGEPAGE
  madvise(aligned, bytes / kHugePage * kHugePage, MADV_HUGEPAGE); // a hint: without it the pages are small
#endif
  return {owner, aligned};
}

} // namespace

std::vector<Array> Array::Make(std::size_t count, std::size_t size) {
  // Two ghosts in, the first owned cell of a row starts a cache line. Arrays lie an odd number of lines apart, or the
  // same cell of all arrays would compete for one set of the cache.
  constexpr std::size_t kPerLine = kLine / sizeof(float), kShift = kPerLine - 2;
  const std::size_t apart = (RoundUp(size + kShift, kPerLine) / kPerLine | 1) * kPerLine;
  const std::shared_ptr<void> memory = Allocate(count * apart * sizeof(float));
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
