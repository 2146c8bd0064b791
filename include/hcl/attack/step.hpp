// hcl/attack/step.hpp - an attack's moves of one row: start, ascend, project.
#pragma once

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "hcl/attack/threat.hpp"

namespace hcl::inline HCL_ABI {
namespace detail {

/// The farthest that two points of the box are from each other.
template <class T>
[[nodiscard]] Wide<T> box_size(const Threat<T>& t, Index d) {
  const Wide<T> side = Wide<T>(t.hi) - Wide<T>(t.lo);
  return t.norm == Norm::linf ? side : side * std::sqrt(Wide<T>(d));
}

/// 2.5 epsilon/steps; in a box that is smaller than epsilon, its size in place of it.
template <class T>
[[nodiscard]] T default_step(const Threat<T>& t, Index steps, Index d) {
  using W = Wide<T>;
  if (steps == 0) return T(0);
  const W way = (std::min)(W(t.epsilon), box_size(t, d));
  return static_cast<T>(
      (std::min)(W(2.5) / W(steps) * way, W((std::numeric_limits<T>::max)())));
}

/// Whether the steps together are as long as the way may be, but for rounding.
template <class T>
[[nodiscard]] bool crosses(const Threat<T>& t, T step, Index steps, bool random_start,
                           Index d) {
  using W = Wide<T>;
  const W way = (std::min)(W(random_start ? 2 : 1) * W(t.epsilon), box_size(t, d));
  return W(step) * W(steps) >= way * (W(1) - W(4 * std::numeric_limits<T>::epsilon()));
}

/// A step of splitmix64 that takes in one more number.
[[nodiscard]] inline std::uint64_t mix(std::uint64_t z, std::uint64_t part) {
  z += 0x9E3779B97F4A7C15U * (part + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// The key of a row's start, made of its numbers alone: its verdict is then the same in
/// any batch and at any place.
template <class T>
[[nodiscard]] std::uint64_t row_key(Point<T> x) {
  std::uint64_t z = 0;
  for (const T v : x) z = mix(z, std::bit_cast<std::uint64_t>(double(v) + 0.0));
  return z;
}

/// Number k in [0, 1) of a row's start, a hash of (seed, restart, key, k).
[[nodiscard]] inline double start_uniform(std::uint64_t seed, Index restart,
                                          std::uint64_t key, std::size_t k) {
  const std::uint64_t z =
      mix(mix(mix(seed, static_cast<std::uint64_t>(restart)), key), std::uint64_t{k});
  return double(z >> 11) * 0x1p-53;
}

/// y = x + a point drawn uniformly from the ball; not projected.
template <class T>
void random_start(const Threat<T>& t, std::uint64_t seed, Index restart,
                  std::uint64_t key, Point<T> x, Grad<T> y) {
  const std::size_t d = x.size();
  const auto uniform = [&](std::size_t k) {
    return start_uniform(seed, restart, key, k);
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

/// The box in finite numbers.
template <class T>
[[nodiscard]] std::pair<T, T> box(const Threat<T>& t) {
  constexpr T most = (std::numeric_limits<T>::max)();
  return {(std::max)(t.lo, -most), (std::min)(t.hi, most)};
}

/// Moves y into the box and the ball around x. Both hold for the rounded numbers: the
/// distance is that of y as stored, for float computed in double.
template <class T>
void project_row(const Threat<T>& t, Point<T> x, Grad<T> y) {
  using W = Wide<T>;
  // The box first: x lies in it, so that moves towards x never leave it again.
  const auto [lo, hi] = box(t);
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
  for (W gap = diff2<T>(x, y); !(gap <= bound); gap = diff2<T>(x, y), hair *= 2) {
    const W s = W(t.epsilon) / std::sqrt(gap) * (W(1) - hair);
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

/// A positive factor s, kept as scale/unit: s v stays in the range whatever the size of
/// both. 0 is none yet.
template <class W>
struct Factor {
  W scale = W(0), unit = W(1);
  W operator()(W v) const { return scale > W(0) ? scale * (v / unit) : W(0); }
};

/// The s for which the vector of entries min(s |v_k|, room_k) has this length > 0, or the
/// least s that fills every room if they are too small for it. Newton's method from
/// below: entries that fill their room stay at it, the others share the rest.
template <class W, class V, class R>
[[nodiscard]] Factor<W> factor_to(W length, std::size_t d, const V& v, const R& room) {
  Factor<W> s;
  for (Index before = -1;;) {
    Index full = 0;
    W filled(0), unit(0), sum(0);
    for (std::size_t k = 0; k < d; ++k) {
      const W a = std::abs(v(k)), r = room(k);
      if (s(a) >= r)
        ++full, filled += (r / length) * (r / length);
      else
        unit = (std::max)(unit, a);
    }
    if (unit == W(0) || full <= before || !(filled < W(1))) return s;
    before = full;
    // Over the largest entry: squares of tiny or huge ones leave the range.
    for (std::size_t k = 0; k < d; ++k) {
      const W a = std::abs(v(k));
      if (!(s(a) >= room(k))) sum += (a / unit) * (a / unit);
    }
    s = {length * std::sqrt((W(1) - filled) / sum), unit};
  }
}

/// y <- P(y + s g) for y in ball and box; P gives their nearest point, x + q u clamped to
/// the box for u = y + s g - x and a q <= 1. s is such that the row moves by the step: no
/// length is spent on what box or ball holds. It is that of the steepest step within the
/// box; where the ball then cuts the move short it is raised once, in proportion, which
/// is never too much: |P(y + s g) - y|/s does not grow with s (Bertsekas 1999, Nonlinear
/// Programming, lemma 2.3.1).
template <class T>
void ascend_l2(const Threat<T>& t, T step, Point<T> x, Point<T> g, Grad<T> y) {
  using W = Wide<T>;
  constexpr W most = (std::numeric_limits<W>::max)();
  const std::size_t d = x.size();
  const auto walls = box(t);
  const auto room = [lo = W(walls.first), hi = W(walls.second)](T from, W along) {
    return along > W(0) ? hi - W(from) : W(from) - lo;
  };
  Factor<W> s = factor_to(
      W(step), d, [&](std::size_t k) { return W(g[k]); },
      [&](std::size_t k) { return room(y[k], W(g[k])); });
  if (!(s.scale > W(0))) return;  // nowhere to go
  const auto u = [&](std::size_t k) {
    return std::clamp(W(y[k]) - W(x[k]) + s(W(g[k])), -most, most);
  };
  const auto room_of_u = [&](std::size_t k) { return room(x[k], u(k)); };
  const auto length = [d](W unit, const auto& v) {
    W sum(0);
    for (std::size_t k = 0; k < d; ++k) sum += (v(k) / unit) * (v(k) / unit);
    return std::sqrt(sum);
  };
  const auto epsilon = W(t.epsilon);
  // The rounding of sums: less than epsilon by it, so that project_row has nothing to do.
  const W hair = W(d + 4) * std::numeric_limits<W>::epsilon();
  const bool cut = length(epsilon, [&](std::size_t k) {
                     return (std::min)(std::abs(u(k)), room_of_u(k));
                   }) > W(1) - hair;
  Factor<W> q{W(1), W(1)};
  if (cut) {
    const auto project = [&] { q = factor_to(epsilon * (W(1) - hair), d, u, room_of_u); };
    project();
    const W moved = length(W(step), [&](std::size_t k) {
      const W v = q(u(k)), r = room_of_u(k);
      return std::clamp(v, -r, r) - (W(y[k]) - W(x[k]));
    });
    // Below a thousandth the row is at rest.
    if (moved > W(1e-3) && moved < W(1)) s.scale /= moved, project();
  }
  for (std::size_t k = 0; k < d; ++k) {
    const W v = q(u(k));
    if (std::abs(v) >= room_of_u(k)) {
      y[k] = u(k) > W(0) ? walls.second : walls.first;
      continue;
    }
    y[k] = static_cast<T>(W(x[k]) + v);
    if (cut && std::abs(W(y[k]) - W(x[k])) > std::abs(v))  // rounded towards x
      y[k] = std::nextafter(y[k], x[k]);
  }
}

/// One step up, into ball and box: y + step sign(g), in L2 as above. Stays for g = 0.
template <class T>
void ascend(const Threat<T>& t, T step, Point<T> x, Point<T> g, Grad<T> y) {
  if (t.norm == Norm::linf)
    for (std::size_t k = 0; k < g.size(); ++k)
      y[k] += step * T((g[k] > T(0)) - (g[k] < T(0)));
  else if (step > T(0))
    ascend_l2<T>(t, step, x, g, y);
  project_row<T>(t, x, y);
}

}  // namespace detail
}  // namespace hcl::inline HCL_ABI
