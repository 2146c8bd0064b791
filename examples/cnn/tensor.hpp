// examples/cnn/tensor.hpp - what the layers work on: shapes, aligned buffers, parameters,
// scratch.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "hcl/core/error.hpp"
#include "hcl/core/parallel.hpp"

namespace cnn {

using Index = std::ptrdiff_t;

namespace detail {

/// A large buffer starts on a page of 2 MiB, and asks the system for such pages: walks
/// through transformed tiles touch hundreds of the small ones.
inline constexpr std::size_t cache_line = 64, huge_page = std::size_t{1} << 21;
inline std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes < huge_page ? cache_line : huge_page};
}
inline void* allocate(std::size_t bytes) {
  void* const p = ::operator new(bytes, alignment(bytes));
#if defined(__linux__)
  if (bytes >= huge_page) ::madvise(p, bytes, MADV_HUGEPAGE);  // may say no
#endif
  return p;
}

}  // namespace detail

/// n images of h x w pixels of c channels, stored in this order (NHWC): channels are
/// contiguous.
struct Shape {
  Index n = 0, h = 1, w = 1, c = 1;
  [[nodiscard]] Index pixels() const { return h * w; }
  [[nodiscard]] Index image() const { return h * w * c; }
  [[nodiscard]] Index size() const { return n * h * w * c; }
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// Numbers on a 64-byte boundary or better. ensure() only ever grows, and forgets what
/// was there if it does.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index size) { ensure(size); }
  void ensure(Index size) {
    if (size > capacity_) {
      const auto bytes = static_cast<std::size_t>(size) * sizeof(T);
      data_ = {static_cast<T*>(detail::allocate(bytes)), {detail::alignment(bytes)}};
      std::fill_n(data_.get(), size, T(0));
      capacity_ = size;
    }
    size_ = size;
  }
  [[nodiscard]] T* data() const { return data_.get(); }
  [[nodiscard]] Index size() const { return size_; }
  T& operator[](Index i) const { return data_.get()[i]; }
  [[nodiscard]] T* begin() const { return data(); }
  [[nodiscard]] T* end() const { return data() + size_; }

 private:
  struct Free {
    std::align_val_t alignment{detail::cache_line};
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T, Free> data_{nullptr, {}};
  Index size_ = 0, capacity_ = 0;
};

/// A buffer with a shape.
struct Tensor {
  Shape shape;
  Buffer<float> data;
  void resize(const Shape& s) {
    shape = s;
    data.ensure(s.size());
  }
};

/// What an optimiser trains: values, gradients of the same shape, how to start and how to
/// step.
struct Param {
  std::string name;
  Buffer<float> value, grad;
  float init_mean = 0,
        init_std = 0;  ///< Starts normal; a standard deviation of 0 is a constant.
  float lr_scale = 1;  ///< Times the learning rate.
  float decay = 1;  ///< Times the weight decay; 0 for biases and scales of a batch norm.
  bool trained = true;  ///< False: kept in checkpoints, but no optimiser's.
  std::function<void(Buffer<float>&)> adjust;  ///< Last change to the starting values.

  Param(std::string name_, Index size, float mean, float std, bool decay_)
      : name{std::move(name_)},
        value(size),
        grad(size),
        init_mean{mean},
        init_std{std},
        decay{decay_ ? 1.0F : 0.0F} {}
};

/// Numbers that belong to a checkpoint but are not trained, such as running statistics.
struct NamedBuffer {
  std::string name;
  std::span<float> value;
};

/// Memory that all layers of a network share: a piece a thread, and one for the whole
/// call.
template <class T>
class Scratch {
 public:
  /// To be called outside parallel regions; allocates only when a call needs more than
  /// any before.
  void ensure(Index a_thread, Index whole) {
    stride_ =
        std::max(stride_, (a_thread + 127) / 64 * 64);  // a line apart, no false sharing
    threads_.ensure(std::max(stride_ * hcl::max_threads(), threads_.size()));
    whole_.ensure(std::max(whole, whole_.size()));
  }
  [[nodiscard]] T* thread(int i) const { return threads_.data() + i * stride_; }
  [[nodiscard]] T* whole() const { return whole_.data(); }

 private:
  Buffer<T> threads_, whole_;
  Index stride_ = 0;
};

/// What the layers of a network share: scratch, and the gradients on their way back, two
/// buffers for each depth of nesting. A layer's two are free again when its backward
/// returns, so layers beside each other have the same.
class Shared {
 public:
  Scratch<float> scratch;

  /// While a layer plans its inner layers; nested as they are.
  class Depth {
   public:
    explicit Depth(Shared& s) : shared_{s}, number_{s.depth_++} {
      if (number_ == s.gradients_.size()) s.gradients_.emplace_back();
    }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    ~Depth() { --shared_.depth_; }
    /// Buffer k of this depth will hold as many numbers.
    void ensure(std::size_t k, Index size) {
      auto& g = shared_.gradients_[number_][k];
      g.ensure(std::max(size, g.size()));
    }
    [[nodiscard]] std::size_t number() const { return number_; }

   private:
    Shared& shared_;
    std::size_t number_;
  };
  /// Valid until the next plan.
  [[nodiscard]] float* gradient(std::size_t depth, std::size_t k) const {
    return gradients_[depth][k].data();
  }

 private:
  std::vector<std::array<Buffer<float>, 2>> gradients_;
  std::size_t depth_ = 0;
};

/// train: batch statistics, running ones are updated. eval: running statistics. frozen:
/// as eval, to be followed by backward through the fixed statistics (attacks on the
/// input).
enum class Mode { train, eval, frozen };

}  // namespace cnn
