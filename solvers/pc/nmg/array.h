/// \file
/// The arrays that multigrid works on.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

namespace krylearn {
namespace nmg {

/// Single-precision values on a rank's box, ghosts included; zero when made. Moved, never copied.
///
/// A set-up makes some hundred arrays, and on fresh memory half of its time went into the page faults of 4 KiB pages.
/// Arrays made together therefore share one piece of memory, in pages of 2 MiB where the system has them.
class Array {
public:
  Array() = default;
  Array(Array &&) = default;
  Array &operator=(Array &&) = default;
  /// `count` arrays of `size` values. Throws std::bad_alloc.
  static std::vector<Array> Make(std::size_t count, std::size_t size);
  /// `count` arrays whose rows lie side by side: all first rows, of `row` values each, then all second ones. Throws
  /// std::bad_alloc.
  static std::vector<Array> MakeSideBySide(std::size_t count, std::size_t row, std::size_t rows);

  float *data() { return data_; }
  const float *data() const { return data_; }
  std::size_t size() const { return size_; }
  float *begin() { return data_; }
  float *end() { return data_ + size_; }
  float &operator[](std::size_t i) { return data_[i]; }
  const float &operator[](std::size_t i) const { return data_[i]; }

  /// While one exists, memory of large arrays that go is kept for new ones, which costs a fifth of fresh pages.
  class Recycling {
  public:
    Recycling();
    Recycling(const Recycling &) = delete;
    ~Recycling();
  };

private:
  static std::vector<Array> Place(std::size_t count, std::size_t apart, std::size_t size);
  float *data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<void> memory_;
};

} // namespace nmg
} // namespace krylearn
