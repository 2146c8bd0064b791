// hcl/core/view.hpp - points, and batches of points over the caller's own memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>

#include "hcl/core/error.hpp"

namespace hcl::inline HCL_ABI {

using Index = std::ptrdiff_t;

/// A point or tangent vector: its coordinates, contiguous.
template <class T>
using Point = std::span<const T>;
/// Coordinates that a function writes or adds to.
template <class T>
using Grad = std::span<T>;

namespace detail {

/// How an object with Eigen's interface fits a BatchView.
enum class Fit { none, well, scalar, expression, columns, strided, read_only, temporary };

/// E as in BatchView(E&&): one that is no reference is a temporary.
template <class E, class T>
constexpr Fit fit_of() {
  using X = std::remove_cvref_t<E>;
  if constexpr (requires(const X& x) {
                  typename X::Scalar;
                  x.derived();
                  X::IsRowMajor;
                  X::InnerStrideAtCompileTime;
                }) {
    if (!std::same_as<typename X::Scalar, std::remove_const_t<T>>) return Fit::scalar;
    if (X::InnerStrideAtCompileTime == 0) return Fit::expression;  // not in memory
    if (!X::IsRowMajor) return Fit::columns;
    if (X::InnerStrideAtCompileTime != 1) return Fit::strided;
    if constexpr (!std::is_const_v<T>) {
      if (!requires(E & e, T * p) { p = e.data(); }) return Fit::read_only;
      // What owns its numbers is what can keep them while it changes its size.
      if (!std::is_reference_v<E> && requires(X & x) { x.conservativeResize(1, 1); })
        return Fit::temporary;
    }
    return Fit::well;
  } else {
    return Fit::none;
  }
}
template <class E, class T, Fit fit>
concept Fits = (fit_of<E, T>() == fit);

}  // namespace detail

// The reason stands in the line that compilers quote; from C++26 on they say it as well.
#if __cpp_deleted_function >= 202403L && __cplusplus > 202302L
#define HCL_REFUSE(reason) = delete (reason)
#else
#define HCL_REFUSE(reason) = delete
#endif

/// Row-major rows x cols numbers with any row stride: one point a row. T is const for
/// inputs. A view never copies; an Eigen object converts only if its rows are contiguous
/// and, for an output, if it outlives the call; what else does not compile says why.
template <class T>
class BatchView {
 public:
  BatchView(T* data, Index rows, Index cols) : BatchView(data, rows, cols, cols) {}
  /// @param stride  distance of two rows, in numbers, >= cols.
  /// @throws std::invalid_argument if a size is negative or the stride is smaller than
  /// cols.
  BatchView(T* data, Index rows, Index cols, Index stride)
      : data_{data}, rows_{rows}, cols_{cols}, stride_{stride} {
    expect(rows >= 0 && cols >= 0 && stride >= cols, "BatchView: rows ", rows, ", cols ",
           cols, ", stride ", stride, ": sizes must be >= 0 and stride >= cols");
  }
  template <detail::Fits<T, detail::Fit::well> E>
  BatchView(E&& e) : BatchView(e.data(), e.rows(), e.cols(), outer(e)) {}
  // clang-format off
  template <detail::Fits<T, detail::Fit::scalar> E>
  BatchView(E&&) HCL_REFUSE("hcl: a matrix of another scalar than the geometry's; write x.cast<double>().eval() or <float>");
  template <detail::Fits<T, detail::Fit::expression> E>
  BatchView(E&&) HCL_REFUSE("hcl: an expression is not in memory; write (x + y).eval()");
  template <detail::Fits<T, detail::Fit::columns> E>
  BatchView(E&&) HCL_REFUSE("hcl: a column-major matrix; declare it with Eigen::RowMajor");
  template <detail::Fits<T, detail::Fit::strided> E>
  BatchView(E&&) HCL_REFUSE("hcl: the coordinates of a row are not side by side; copy them into a matrix that is row-major");
  template <detail::Fits<T, detail::Fit::read_only> E>
  BatchView(E&&) HCL_REFUSE("hcl: an output that is const; give one that can be written");
  template <detail::Fits<T, detail::Fit::temporary> E>
  BatchView(E&&) HCL_REFUSE("hcl: an output that is a temporary, and lost with it; give it a name first");
  // clang-format on
  template <class U>
    requires std::same_as<const U, T> BatchView(const BatchView<U>& other)
        : BatchView(other.data(), other.rows(), other.cols(), other.stride()) {}

    [[nodiscard]] T* data() const { return data_; }
    [[nodiscard]] Index rows() const { return rows_; }
    [[nodiscard]] Index cols() const { return cols_; }
    [[nodiscard]] Index stride() const { return stride_; }
    [[nodiscard]] std::span<T> row(Index i) const {
      return {data_ + i * stride_, static_cast<std::size_t>(cols_)};
    }
    T& operator()(Index i, Index j) const { return data_[i * stride_ + j]; }

   private:
    // A matrix of one row may report any outer stride; nothing is read past that row.
    static Index outer(const auto& e) {
      return e.rows() > 1 ? e.outerStride() : e.cols();
    }
    T* data_;
    Index rows_, cols_, stride_;
};

template <class T>
using BatchIn = BatchView<const T>;
template <class T>
using BatchOut = BatchView<T>;

/// @throws std::invalid_argument unless the view has this shape.
template <class T>
void expect_shape(const char* where, const char* name, const BatchView<T>& v, Index rows,
                  Index cols) {
  expect(v.rows() == rows && v.cols() == cols, where, ": ", name, " is ", v.rows(), " x ",
         v.cols(), ", must be ", rows, " x ", cols);
}

/// @throws std::invalid_argument if a, which is written, shares numbers with b. Columns
/// of one matrix beside each other do not.
template <class T>
void expect_apart(const char* where, const char* name, BatchIn<T> a, const char* other,
                  BatchIn<T> b) {
  if (a.rows() == 0 || b.rows() == 0) return;
  const auto end = [](const BatchIn<T>& v) {
    return v.data() + (v.rows() - 1) * v.stride() + v.cols();
  };
  const std::less<const T*> before;
  if (!before(a.data(), end(b)) || !before(b.data(), end(a))) return;
  const Index stride = a.stride(), step = (a.data() - b.data()) % stride;
  const Index first = step < 0 ? step + stride : step;
  expect(stride == b.stride() && first >= b.cols() && first + a.cols() <= stride, where,
         ": ", name, " overlaps ", other);
}

}  // namespace hcl::inline HCL_ABI
