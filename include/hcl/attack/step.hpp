// hcl/attack/step.hpp - an attack's moves of one row: start, ascend, project.
#pragma once

#include <cmath>
#include <numbers>

#include "hcl/attack/threat.hpp"

namespace hcl::inline HCL_ABI {
namespace detail {

/// Number k in [0, 1) of a row's start: splitmix64 of (seed, restart, row, k), so that a
/// start depends on nothing else, threads and batch size least of all.
[[nodiscard]] inline double start_uniform(std::uint64_t seed, Index restart, Index row,
                                          std::size_t k) {
  std::uint64_t z = seed;
  for (const auto part : {static_cast<std::uint64_t>(restart),
                          static_cast<std::uint64_t>(row), std::uint64_t{k}}) {
    z += 0x9E3779B97F4A7C15U * (part + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    z ^= z >> 31;
  }
  return double(z >> 11) * 0x1p-53;
}

/// y = x + a point drawn uniformly from the ball; not projected.
template <class T>
void random_start(const Threat<T>& t, std::uint64_t seed, Index restart, Index row,
                  Point<T> x, Grad<T> y) {
  const std::size_t d = x.size();
  const auto uniform = [&](std::size_t k) {
    return start_uniform(seed, restart, row, k);
  };
  if (t.norm == Norm::linf) {
    for (std::size_t k = 0; k < d; ++k)
      y[k] = x[k] + t.epsilon * static_cast<T>(2 * uniform(k) - 1);
    return;
  }
  for (std::size_t k = 0; k < d; ++k)  // a normal vector has a uniform direction
    y[k] = static_cast<T>(std::sqrt(-2 * std::log(1 - uniform(2 * k))) *
                          std::cos(2 * std::numbers::pi * uniform(2 * k + 1)));
  const Wide<T> length = std::sqrt(norm2<T>(y));
  const Wide<T> radius =
      Wide<T>(t.epsilon) * Wide<T>(std::pow(uniform(2 * d), 1 / double(d)));
  const Wide<T> s = length > 0 ? radius / length : Wide<T>(0);
  for (std::size_t k = 0; k < d; ++k)
    y[k] = static_cast<T>(Wide<T>(x[k]) + s * Wide<T>(y[k]));
}

/// Judges the gradient of a row; entries that are not finite become 0, the others stand.
template <class T>
[[nodiscard]] Fate sift_gradient(Grad<T> g) {
  bool finite = true, zero = true;
  for (T& v : g) {
    if (!is_finite(v)) finite = false, v = T(0);
    zero = zero && v == T(0);
  }
  return !finite ? Fate::nonfinite : zero ? Fate::zero : Fate::usable;
}

/// y += step times the steepest direction of the norm: sign(g), or g/|g|; stays for g
/// = 0.
template <class T>
void ascend(Norm norm, T step, Point<T> g, Grad<T> y) {
  if (norm == Norm::linf) {
    for (std::size_t k = 0; k < g.size(); ++k)
      y[k] += step * T((g[k] > T(0)) - (g[k] < T(0)));
    return;
  }
  // Over the largest entry first: squares of tiny or huge gradients leave the range of T.
  T largest(0);
  for (const T v : g) largest = std::max(largest, std::abs(v));
  if (largest == T(0)) return;
  Wide<T> sum(0);
  for (const T v : g) {
    const Wide<T> u = Wide<T>(v) / Wide<T>(largest);
    sum += u * u;
  }
  const Wide<T> scale = Wide<T>(step) / std::sqrt(sum);
  for (std::size_t k = 0; k < g.size(); ++k)
    y[k] = static_cast<T>(Wide<T>(y[k]) + scale * (Wide<T>(g[k]) / Wide<T>(largest)));
}

/// Moves y into the box and the ball around x. Both hold for the rounded numbers: the
/// distance is that of y as stored, for float computed in double.
template <class T>
void project_row(const Threat<T>& t, Point<T> x, Grad<T> y) {
  using W = Wide<T>;
  // The box first: x lies in it, so that moves towards x never leave it again.
  constexpr T most = std::numeric_limits<T>::max();
  const T lo = std::max(t.lo, -most), hi = std::min(t.hi, most);
  for (T& v : y) v = std::clamp(v, lo, hi);
  if (t.norm == Norm::linf) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      T v = std::clamp(y[k], x[k] - t.epsilon, x[k] + t.epsilon);
      // x -+ epsilon is rounded: one number towards x where that went too far.
      while (std::abs(W(v) - W(x[k])) > W(t.epsilon)) v = std::nextafter(v, x[k]);
      y[k] = v;
    }
    return;
  }
  // Scaled to a hair less than epsilon, entries rounded towards x: once is enough but for
  // the rounding of the sum, which the next hair covers.
  const W bound = W(t.epsilon) * W(t.epsilon);
  W hair = 4 * std::numeric_limits<W>::epsilon();
  for (W far = diff2<T>(x, y); !(far <= bound); far = diff2<T>(x, y), hair *= 2) {
    const W s = W(t.epsilon) / std::sqrt(far) * (W(1) - hair);
    if (!(s > W(0))) {
      std::copy(x.begin(), x.end(), y.begin());
      return;
    }
    for (std::size_t k = 0; k < x.size(); ++k) {
      const W u = s * (W(y[k]) - W(x[k]));
      T v = static_cast<T>(W(x[k]) + u);
      if (std::abs(W(v) - W(x[k])) > std::abs(u)) v = std::nextafter(v, x[k]);
      y[k] = v;
    }
  }
}

}  // namespace detail
}  // namespace hcl::inline HCL_ABI
