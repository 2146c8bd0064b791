// hcl/loss/loss_rows.hpp - which rows of a batch take part in a loss, and what is asked
// of them before.
#pragma once

#include <algorithm>
#include <limits>

#include "hcl/core/parallel.hpp"
#include "hcl/pairwise/gram_rows.hpp"
#include "hcl/similarity/accuracy.hpp"

namespace hcl::inline HCL_ABI {

/// What a loss makes of rows of which every coordinate is 0, as a dead ReLU leaves them.
enum class ZeroRows {
  keep,  ///< rows like any other: a point of the ball, an error on the sphere
  skip   ///< no part in the loss, neither as anchor nor as candidate; their gradient is 0
};

namespace detail {

template <class T>
void set_zero(BatchOut<T> g) {
  parallel_for(g.rows(), [&](Index i) {
    const auto row = g.row(i);
    std::fill(row.begin(), row.end(), T(0));
  });
}

/// The rows of a batch that take part in a loss: all, or copies of those that are not
/// skipped.
template <Similarity S>
class LossRows {
 public:
  using T = typename S::Scalar;

  /// @throws std::invalid_argument, naming argument, row and value, if a row is no valid
  /// point.
  LossRows(const S& s, const char* where, const char* arg, BatchIn<T> x, ZeroRows zeros)
      : where_{where},
        arg_{arg},
        all_{x},
        rows_{x},
        checked_{GramRows<S>::check_points(s, where, arg, x, zeros == ZeroRows::skip)} {}

  /// The copies, if there are any to be made, and room for their gradients.
  void gather(bool gradients, Workspace& ws) {
    if (skipped() == 0) return;
    const Index n = all_.rows() - skipped(), d = all_.cols();
    const auto size = static_cast<std::size_t>(n * d);
    T* const x = ws.take<T>(size);
    at_ = ws.take<Index>(static_cast<std::size_t>(n));
    if (gradients) gradient_ = ws.take<T>(size);
    for (Index k = 0, i = 0; k < all_.rows(); ++k)
      if (has(k)) std::copy_n(all_.row(k).data(), d, x + i * d), at_[i++] = k;
    rows_ = BatchIn<T>(x, n, d);
  }

  [[nodiscard]] BatchIn<T> rows() const { return rows_; }
  [[nodiscard]] Index count() const { return rows_.rows(); }
  [[nodiscard]] Index skipped() const { return checked_.zeros; }
  /// The number of row i in the whole batch.
  [[nodiscard]] Index operator[](Index i) const { return at_ ? at_[i] : i; }
  /// Whether row k of the whole batch takes part.
  [[nodiscard]] bool has(Index k) const {
    return skipped() == 0 || !is_zero_row<T>(all_.row(k));
  }
  [[nodiscard]] double largest_norm2() const { return checked_.most; }
  [[nodiscard]] const char* where() const { return where_; }

  /// Throws with the name of row i and the parts.
  template <class... Parts>
  [[noreturn]] void refuse(Index i, const Parts&... parts) const {
    fail(where_, ": ", arg_, " row ", (*this)[i], ": ", parts...);
  }
  template <class... Parts>
  [[noreturn]] void refuse_longest(const Parts&... parts) const {
    fail(where_, ": ", arg_, " row ", checked_.at, ": |x|^2 = ", checked_.most, ": ",
         parts...);
  }

  /// Where the gradient is to be summed up, all 0: g itself unless rows are skipped.
  [[nodiscard]] BatchOut<T> gradient(BatchOut<T> g) const {
    const BatchOut<T> sum = at_ ? BatchOut<T>(gradient_, rows_.rows(), rows_.cols()) : g;
    set_zero(sum);
    return sum;
  }
  /// g of the whole batch from that sum. @throws std::invalid_argument if it is not
  /// finite.
  void put(const char* name, BatchIn<T> sum, BatchOut<T> g) const {
    if constexpr (!IsUnchecked<S>)
      for (Index i = 0; i < sum.rows(); ++i) {
        if (is_finite(norm2_at_most<T>(sum.row(i)))) continue;
        for (const T& e : sum.row(i))
          expect(is_finite(e), where_, ": ", name, " row ", (*this)[i], ": ", e,
                 ", a gradient that is too large for the scalar type");
      }
    if (!at_) return;
    set_zero(g);
    for (Index i = 0; i < sum.rows(); ++i)
      std::copy_n(sum.row(i).data(), sum.cols(), g.row(at_[i]).data());
  }

 private:
  const char *where_, *arg_;
  BatchIn<T> all_, rows_;
  CheckedRows checked_;
  Index* at_ = nullptr;
  T* gradient_ = nullptr;
};

/// The largest |l| of n rows at temperature tau: so that sums over rows, differences and
/// the derivative by tau are in the range of T too.
template <class T>
[[nodiscard]] double largest_logit(T tau, Index n) {
  return double((std::numeric_limits<T>::max)()) / 4 /
         (std::max)(double(n), 1 / double(tau));
}

/// @throws std::invalid_argument if logits may be larger, as the lengths of the rows
/// tell.
template <Similarity S>
void check_logits(const S& s, typename S::Scalar tau, const LossRows<S>& x,
                  const LossRows<S>& y) {
  if constexpr (BoundedSimilarity<S>) {
    const double most = s.largest(x.largest_norm2(), y.largest_norm2()) / double(tau);
    if (most <= largest_logit(tau, x.count() + y.count())) return;
    (x.largest_norm2() < y.largest_norm2() ? y : x)
        .refuse_longest("logits of up to ", most, " at temperature ", tau,
                        " are too large for the scalar type");
  }
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
