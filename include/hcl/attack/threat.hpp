// hcl/attack/threat.hpp - what an attacker may do, and what an attack reports.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "hcl/core/error.hpp"
#include "hcl/core/math.hpp"
#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

enum class Norm { linf, l2 };

/// The inputs within epsilon of a row x, in the box [lo, hi].
template <class T>
struct Threat {
  Norm norm = Norm::linf;
  T epsilon = T(8) / T(255);
  T lo = T(0), hi = T(1);
};

/// What an attack maximises: f(x, grad, loss, broken) for a batch x (n x d) writes the
/// gradient of the sum of the n losses by x, the losses, and 1 where the attack has
/// succeeded on the row, 0 where not. A loss that couples the rows, a contrastive one,
/// gives every row the same value: the best iterate is then that of the batch.
template <class F, class T>
concept AttackObjective = requires(const F& f, BatchIn<T> x, BatchOut<T> grad,
                                   std::span<T> loss, std::span<std::uint8_t> broken) {
  f(x, grad, loss, broken);
};

/// What happened. A row of only zeros among the gradients makes an attack powerless
/// there: many of them say that the accuracy measured is no robust accuracy (Carlini et
/// al. 2019, arXiv:1902.06705, on gradient masking).
struct AttackReport {
  Index gradients = 0;            ///< calls of the objective
  Index zero_gradients = 0;       ///< rows, over all calls, whose gradient was 0
  Index nonfinite_gradients = 0;  ///< rows with a gradient entry that is NaN or infinite
};

/// Buffers of an attack; reused, it allocates only when a batch is larger than any
/// before.
template <class T>
struct AttackWorkspace {
  std::vector<T> now, grad, loss, best_loss;
  std::vector<std::uint8_t> broken;
  void ensure(Index n, Index d) {
    const auto rows = static_cast<std::size_t>(n),
               all = rows * static_cast<std::size_t>(d);
    if (now.size() < all) now.resize(all), grad.resize(all);
    if (loss.size() < rows)
      loss.resize(rows), best_loss.resize(rows), broken.resize(rows);
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
      expect(x(i, k) >= t.lo && x(i, k) <= t.hi, where, ": x, row ", i, ", column ", k,
             ": ", x(i, k), " is not in [", t.lo, ", ", t.hi, "]");
}

template <class T>
T row_distance2(Point<T> x, Point<T> y) {
  return static_cast<T>(std::sqrt(diff2<T>(x, y)));
}

/// Moves y into the ball around x and the box; both hold exactly for the rounded numbers.
template <class T>
void project_row(const Threat<T>& t, Point<T> x, Grad<T> y) {
  for (std::size_t k = 0; k < x.size(); ++k) {
    T v = y[k];
    if (t.norm == Norm::linf) {
      v = std::clamp(v, x[k] - t.epsilon, x[k] + t.epsilon);
      // x -+ epsilon is rounded: one number towards x where that went too far.
      while (std::abs(v - x[k]) > t.epsilon) v = std::nextafter(v, x[k]);
    }
    y[k] = std::clamp(v, t.lo, t.hi);
  }
  if (t.norm == Norm::linf) return;
  // The box only shortens a step, so the ball is met last; each round is a hair shorter.
  for (T shrink = T(1); row_distance2<T>(x, y) > t.epsilon;
       shrink *= T(1) - 4 * std::numeric_limits<T>::epsilon()) {
    const T s = shrink * t.epsilon / row_distance2<T>(x, y);
    for (std::size_t k = 0; k < x.size(); ++k) y[k] = x[k] + s * (y[k] - x[k]);
  }
}

/// Counts the gradient of a row; entries that are not finite are set to 0. False: nothing
/// to go by.
template <class T>
bool usable_gradient(Grad<T> g, AttackReport& report) {
  bool finite = true, zero = true;
  for (T& v : g) {
    if (!is_finite(v)) finite = false, v = T(0);
    zero = zero && v == T(0);
  }
  report.nonfinite_gradients += !finite;
  report.zero_gradients += zero && finite;
  return !zero;
}

/// y += step times the steepest direction of the norm: sign(g), or g/|g|.
template <class T>
void ascend(Norm norm, T step, Point<T> g, Grad<T> y) {
  const T scale = norm == Norm::l2 ? step / static_cast<T>(std::sqrt(norm2<T>(g))) : step;
  for (std::size_t k = 0; k < g.size(); ++k)
    y[k] += scale * (norm == Norm::l2 ? g[k] : T((g[k] > T(0)) - (g[k] < T(0))));
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
