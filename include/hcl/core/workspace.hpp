// hcl/core/workspace.hpp - scratch memory that grows to what a call needs and then stays.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "hcl/core/config.hpp"

namespace hcl::inline HCL_ABI {

/// Scratch for the batch calls. Reused for calls of the same shape it allocates in the
/// first two at most, never after. One workspace serves one call at a time.
class Workspace {
 public:
  /// @param tile_bytes  how much a call may take beside a copy of its rows; what is left
  /// of it keeps Gram tiles between the forward and the backward pass, and tiles beyond
  /// are computed twice.
  explicit Workspace(std::size_t tile_bytes = std::size_t{64} << 20)
      : tile_bytes_{tile_bytes} {}

  [[nodiscard]] std::size_t tile_bytes() const { return tile_bytes_; }

  /// Bytes held now.
  [[nodiscard]] std::size_t capacity() const {
    std::size_t sum = 0;
    for (const auto& c : chunks_) sum += c.size;
    return sum;
  }

  /// Bytes taken since the last reset().
  [[nodiscard]] std::size_t taken() const { return taken_; }

  /// Forgets everything taken. The pieces of a call that had to grow become one.
  void reset() {
    if (chunks_.size() > 1) {
      const std::size_t size = capacity();
      chunks_.clear();
      add_chunk(size);
    }
    used_ = taken_ = 0;
  }

  /// count uninitialised numbers on a 64-byte boundary, valid until reset().
  template <class T>
  [[nodiscard]] T* take(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    if (chunks_.empty() || used_ + bytes > chunks_.back().size) {
      add_chunk(bytes);
      used_ = 0;
    }
    void* const at = chunks_.back().data.get() + used_;
    used_ += bytes, taken_ += bytes;
    return static_cast<T*>(at);
  }

 private:
  static constexpr std::size_t alignment = 64;
  struct Free {
    void operator()(std::byte* p) const {
      ::operator delete (p, std::align_val_t{alignment});
    }
  };
  struct Chunk {
    std::unique_ptr<std::byte, Free> data;
    std::size_t size;
  };
  void add_chunk(std::size_t size) {
    auto* p = static_cast<std::byte*>(::operator new (size, std::align_val_t{alignment}));
    chunks_.push_back({std::unique_ptr<std::byte, Free>{p}, size});
  }

  std::size_t tile_bytes_, used_ = 0, taken_ = 0;
  std::vector<Chunk> chunks_;
};

}  // namespace hcl::inline HCL_ABI
