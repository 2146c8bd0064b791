// hcl/attack/threat.hpp - what an attacker may do, what it maximises, what it reports.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/error.hpp"
#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

enum class Norm { linf, l2 };

/// The inputs within epsilon of a row x, in the box [lo, hi]; the box may be infinite.
template <class T>
struct Threat {
  Norm norm = Norm::linf;
  T epsilon = T(8) / T(255);
  T lo = T(0), hi = T(1);
};

namespace detail {

template <class F, class T>
concept GivesLoss = std::invocable<const F&, BatchIn<T>, BatchOut<T>, std::span<T>>;
template <class F, class T>
concept GivesLossAndBroken = std::invocable<const F&, BatchIn<T>, BatchOut<T>,
                                            std::span<T>, std::span<std::uint8_t>>;
template <class F, class T>
concept TakesAnyRows = std::invocable<const F&, BatchIn<T>, BatchOut<T>, std::span<T>,
                                      std::span<std::uint8_t>, std::span<const Index>>;

}  // namespace detail

/// What an attack maximises: f(x, grad, loss), f(x, grad, loss, broken) or f(x, grad,
/// loss, broken, rows) for a batch x (n x d, contiguous, as is grad). It writes n losses,
/// the gradient of their sum by x, and 1 to the flags, all 0 before, of the rows where
/// the attack has succeeded. With `rows` it is given only the rows that are still whole,
/// row k of x being the iterate of row rows[k] of the batch, in ascending order: its
/// labels are those of rows[k]. The other two forms always see the whole batch. A loss
/// that couples the rows, a contrastive one, goes with Keep::batch, or gives every row
/// the same value: one iterate is then kept for the whole batch. Any positive factor of
/// the gradient is as good.
template <class F, class T>
concept AttackObjective = detail::TakesAnyRows<F, T> ||
    detail::GivesLossAndBroken<F, T> || detail::GivesLoss<F, T>;

/// What is the best iterate: that of every row by its own loss, or that of the batch by
/// the sum.
enum class Keep { row, batch };

/// What happened. A row of only zeros among the gradients makes an attack powerless
/// there: many of them say that the accuracy measured is no robust accuracy (Carlini et
/// al. 2019, arXiv:1902.06705, on gradient masking). So does an attack whose steps are
/// too few or too short to cross the ball.
struct AttackReport {
  Index gradients = 0;            ///< calls of the objective
  Index rows = 0;                 ///< row gradients in all calls
  Index zero_gradients = 0;       ///< of these, all 0
  Index nonfinite_gradients = 0;  ///< of these, with an entry that is NaN or infinite
  double step_size = 0;           ///< of every step
  /// The steps of one start together are as long as the way may be: 2 epsilon from a
  /// random start, epsilon from the row itself, and no more than the box is wide.
  bool crosses = true;

  /// At most 1 % of the row gradients were of no use, and the steps cross the ball.
  [[nodiscard]] bool reliable() const {
    return crosses && 100 * (zero_gradients + nonfinite_gradients) <= rows;
  }
};

namespace detail {

/// What a row's gradient is worth.
enum class Fate : std::uint8_t { usable, zero, nonfinite };

}  // namespace detail

/// Buffers of an attack; reused, it allocates only when a batch is larger than any
/// before. best_loss holds, after a call, the losses of the rows that it returned; -inf
/// where no loss was a number.
template <class T>
struct AttackWorkspace {
  std::vector<T> now, best, grad, loss, best_loss;
  std::vector<std::uint8_t> hit, broken;
  std::vector<detail::Fate> fate;
  std::vector<Index> rows;

  void ensure(Index n, Index d) {
    const auto count = static_cast<std::size_t>(n),
               all = count * static_cast<std::size_t>(d);
    for (auto* v : {&now, &best, &grad})
      if (v->size() < all) v->resize(all);
    for (auto* v : {&loss, &best_loss})
      if (v->size() < count) v->resize(count);
    for (auto* v : {&hit, &broken})
      if (v->size() < count) v->resize(count);
    if (fate.size() < count) fate.resize(count);
    if (rows.size() < count) rows.resize(count);
  }
};

namespace detail {

template <class T>
void check_threat(const char* where, const Threat<T>& t) {
  expect(is_finite(t.epsilon) && t.epsilon >= T(0), where, ": epsilon ", t.epsilon,
         " must be finite and >= 0");
  expect(t.lo <= t.hi, where, ": box [", t.lo, ", ", t.hi, "] is empty");
}

template <class T>
void check_inputs(const char* where, const Threat<T>& t, BatchIn<T> x) {
  for (Index i = 0; i < x.rows(); ++i)
    for (Index k = 0; k < x.cols(); ++k)
      expect(is_finite(x(i, k)) && x(i, k) >= t.lo && x(i, k) <= t.hi, where, ": x, row ",
             i, ", column ", k, ": ", x(i, k), " is not in [", t.lo, ", ", t.hi, "]");
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
