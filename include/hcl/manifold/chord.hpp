// hcl/manifold/chord.hpp - d = 2 sqrt(Q) F(cQ), the one distance of all hyperbolic
// models, and the radial maps z = f(sqrt(c)|v|) v that their exponential and logarithm at
// the origin are.
//
// F(w) = asinh(sqrt w)/sqrt w. asinh passes the relative error of Q on undiminished but
// never amplified; arcosh(1+2w) would lose half of the digits at w near 0.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/error.hpp"
#include "hcl/core/math.hpp"
#include "hcl/core/simd.hpp"
#include "hcl/core/view.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI::detail {

/// A function of (Q, c): its value, its derivative by Q, and by c at fixed Q.
template <class W>
struct OfChord {
  W value, by_q, by_c;
};

/// 2 Q F'(cQ) = Q (1/sqrt(1+w) - F)/w, from s = sqrt(w), f = F, h = sqrt(1+w); Q/w is 1/c
/// where the series is not needed, so that no power of a large Q is taken.
template <class T>
[[nodiscard]] Wide<T> chord_slope(const Sum<T>& q, const T& c, const Wide<T>& s,
                                  const Sum<T>& f, const Sum<T>& h) {
  using W = Wide<T>;
  if (s < W(0.5)) return W(q) * asinhc_slope(s);
  return W((Sum<T>(1) / h - f) / Sum<T>(c));
}

/// d = 2 sqrt(Q) F(cQ); all derivatives are 0 at Q = 0.
template <class T>
[[nodiscard]] OfChord<Wide<T>> chord_dist(const Sum<T>& q, const T& c) {
  using std::sqrt;
  using W = Wide<T>;
  using S = Sum<T>;
  if (q <= S(0)) return {W(0), W(0), W(0)};
  const S r = sqrt(q), w = S(c) * q, s = sqrt(w);
  const S f = asinhc(s), h = sqrt(S(1) + w);
  return {W(S(2) * r * f), W(S(1) / (r * h)), W(r) * chord_slope<T>(q, c, W(s), f, h)};
}

/// d^2 = 4 Q F(cQ)^2, smooth at Q = 0.
template <class T>
[[nodiscard]] OfChord<Wide<T>> chord_dist2(const Sum<T>& q, const T& c) {
  using std::sqrt;
  using W = Wide<T>;
  using S = Sum<T>;
  const S w = S(c) * q, s = root(w), f = asinhc(s), h = sqrt(S(1) + w);
  return {W(S(4) * q * f * f), W(S(4) * f / h),
          W(S(4) * q * f) * chord_slope<T>(q, c, W(s), f, h)};
}

/// m = sqrt(w(1+w)) = sinh(sqrt(c) d)/2, w = cQ, on lanes V of T.
template <class T, class V>
[[nodiscard]] HCL_INLINE V chord_root_lanes(const V& q, const T& c) {
  const V w = q * V(c);
  return vselect(w < V(sizeof(T) <= sizeof(float) ? T(0x1p30) : T(0x1p60)),
                 vsqrt(vfma(w, w, w)), w);
}

/// k times chord_dist on lanes V of T, the same three numbers, from m = chord_root_lanes.
/// In float the last two are inf or NaN at Q <= 0, where no lane of float is used.
template <class T, class V>
[[nodiscard]] HCL_INLINE OfChord<V> chord_dist_lanes(const V& q, const V& m, const T& c,
                                                     const V& k) {
  constexpr bool narrow = sizeof(T) <= sizeof(float);
  constexpr T cut = narrow ? T(0.1) : T(0.01);
  // On lanes also what depends on c and k alone: so it leaves the loop over them.
  const V one = V(T(1)), root_c = vsqrt(V(c));
  // e^(2 asinh(sqrt w)) = 1 + 2w + 2m: one root serves d and its slope.
  const V w = q * V(c);
  const V d = k / root_c * vlog1p((w + m) + (w + m));
  V by_q = k * root_c / m;
  if constexpr (!narrow) by_q = vselect(q > V(T(0)), by_q, V(T(0)));
  // 2 sqrt(Q) Q F'(w), F' = (1/h - F)/(2w) with F = d/(2 sqrt Q), or its series.
  V by_c = (q * by_q - V(T(0.5)) * d) * (one / V(c));
  if (const auto nearby = w < V(cut); vany(nearby))
    by_c = vselect(nearby, V(V(T(2)) * k) * vsqrt(q) * q * asinhc_slope_near0(w), by_c);
  return {vcopy(d), vcopy(by_q), vcopy(by_c)};
}

// The squares of doubles may underflow where their root does not: below least_square a
// sum of them has lost digits. Its coordinates, then below its root, are taken once more,
// `enlarged` times.
template <class T>
inline constexpr bool squares_underflow = std::same_as<T, double>;
inline constexpr double least_square = 0x1p-900, least_length = 0x1p-450,
                        enlarged = 0x1p900, risen = 0x1p500;

template <class T, class S>
[[nodiscard]] bool underflows(const S& square) {
  if constexpr (squares_underflow<T>)
    return square < S(least_square);
  else
    return false;
}
template <class T, class S>
[[nodiscard]] bool is_tiny(const S& length) {
  if constexpr (squares_underflow<T>)
    return length < S(least_length);
  else
    return false;
}
/// `enlarged` |x| for by x_k = at(k), k < n, where the squares of x underflow.
template <class T, class At>
[[nodiscard]] Sum<T> enlarged_length(std::size_t n, const At& at, double by = 1) {
  using S = Sum<T>;
  return root(sum_of<S>(n, [&]<class V>(const V& s, std::size_t k) {
    const V u(V(at(k)) * V(enlarged / by));
    return add_product(s, u, u);
  }));
}
/// g += k x/|x| for that x; 0 at x = 0.
template <class T, class At>
void add_unit(const Wide<T>& k, const At& at, Grad<T> g, double by = 1) {
  using W = Wide<T>;
  const W length(enlarged_length<T>(g.size(), at, by));
  if (!(length > W(0))) return;
  for (std::size_t i = 0; i < g.size(); ++i)
    g[i] = T(W(g[i]) + k / length * (W(at(i)) * W(enlarged / by)));
}

/// |x|, in the width of sums and in Wide<T>.
template <class T>
[[nodiscard]] Sum<T> length_sum(Point<T> x) {
  using S = Sum<T>;
  const S n = dot_sum<T>(x, x);
  if constexpr (squares_underflow<T>)
    if (underflows<T>(n))
      return enlarged_length<T>(x.size(), [&](std::size_t k) { return x[k]; }) *
             S(1 / enlarged);
  return root(n);
}
template <class T>
[[nodiscard]] Wide<T> length(Point<T> x) {
  return Wide<T>(length_sum<T>(x));
}
/// x_k - y_k.
template <class T>
[[nodiscard]] auto difference(Point<T> x, Point<T> y) {
  return [=](std::size_t k) { return T(x[k] - y[k]); };
}
/// |x| - |y| = (|x|^2 - |y|^2)/(a + b), a = |x|, b = |y|.
template <class T>
[[nodiscard]] Sum<T> length_gap(Point<T> x, Point<T> y, const Sum<T>& a,
                                const Sum<T>& b) {
  using S = Sum<T>;
  if constexpr (squares_underflow<T>)
    if (const S both = a + b; is_tiny<T>(both) && both > S(0)) {
      S sum(0);
      for (std::size_t k = 0; k < x.size(); ++k)
        sum += (S(x[k]) - S(y[k])) * S(enlarged) * ((S(x[k]) + S(y[k])) / both);
      return sum * S(1 / enlarged);
    }
  return norm2_gap<T>(x, y) / (a + b);
}

/// Two vectors x, y != 0 by their lengths and directions: a = |x|, b = |y|, m = sqrt(ab),
/// gap = a - b. Differences are taken before products, which would cancel for close
/// points; the rest is taken from the shorter vector, whose digits the longer would
/// drown.
template <class S>
struct Directions {
  S a, b, m, gap;
  bool shorter_x;
  S shorter_by_m, gap_by_m;
  template <class T>
  Directions(Point<T> x, Point<T> y)
      : a{length_sum<T>(x)},
        b{length_sum<T>(y)},
        m{root(a) * root(b)},
        gap{length_gap<T>(x, y, a, b)},
        shorter_x{gap < S(0)},
        shorter_by_m{(shorter_x ? a : b) / m},
        gap_by_m{gap / m} {}
  /// A coordinate of m (x^ - y^) = (b x - a y)/m.
  template <class V>
  [[nodiscard]] HCL_INLINE V apart(const V& x, const V& y) const {
    return V(shorter_by_m) * (x - y) - V(gap_by_m) * (shorter_x ? x : y);
  }
  /// A coordinate of m (x^ + y^) = (b x + a y)/m.
  template <class V>
  [[nodiscard]] HCL_INLINE V together(const V& x, const V& y) const {
    const V rest = V(gap_by_m) * (shorter_x ? x : y);
    return V(shorter_by_m) * (x + y) + (shorter_x ? V(V(S(0)) - rest) : rest);
  }
  /// |x^ - y^|^2 and |x^ + y^|^2, times m^2.
  template <class T>
  [[nodiscard]] S apart2(Point<T> x, Point<T> y) const {
    return sum_of<S>(shared_size(x, y), [&]<class V>(const V& s, std::size_t k) {
      const V e = apart(load_sum<V>(&x[k]), load_sum<V>(&y[k]));
      return add_product(s, e, e);
    });
  }
  template <class T>
  [[nodiscard]] S together2(Point<T> x, Point<T> y) const {
    return sum_of<S>(shared_size(x, y), [&]<class V>(const V& s, std::size_t k) {
      const V e = together(load_sum<V>(&x[k]), load_sum<V>(&y[k]));
      return add_product(s, e, e);
    });
  }
  /// A coordinate of either, risen = 2^500 times: also of what is subnormal.
  template <class T>
  [[nodiscard]] S apart_risen(const T& x, const T& y) const {
    return apart(S(x) * S(risen), S(y) * S(risen));
  }
  template <class T>
  [[nodiscard]] S together_risen(const T& x, const T& y) const {
    return together(S(x) * S(risen), S(y) * S(risen));
  }
  /// The roots of apart2 and together2, `enlarged` times, where these underflow.
  template <class T>
  [[nodiscard]] S apart_enlarged(Point<T> x, Point<T> y) const {
    return enlarged_length<T>(
        x.size(), [&](std::size_t k) { return apart_risen(x[k], y[k]); }, risen);
  }
  template <class T>
  [[nodiscard]] S together_enlarged(Point<T> x, Point<T> y) const {
    return enlarged_length<T>(
        x.size(), [&](std::size_t k) { return together_risen(x[k], y[k]); }, risen);
  }
  /// The roots themselves.
  template <class T>
  [[nodiscard]] S apart_length(Point<T> x, Point<T> y) const {
    const S n = apart2(x, y);
    if constexpr (squares_underflow<T>)
      if (underflows<T>(n)) return apart_enlarged(x, y) * S(1 / enlarged);
    return root(n);
  }
  template <class T>
  [[nodiscard]] S together_length(Point<T> x, Point<T> y) const {
    const S n = together2(x, y);
    if constexpr (squares_underflow<T>)
      if (underflows<T>(n)) return together_enlarged(x, y) * S(1 / enlarged);
    return root(n);
  }
};

/// out = a x.
template <class T>
void scale(const Wide<T>& a, Point<T> x, Grad<T> out) {
  each_coordinate<T>(shared_size(x, out),
                     [&]<class V>(Coordinates<V> at)
                         HCL_INLINE_LAMBDA { at.put(out, V(a * at(x))); });
}

/// out = x/|x| times length, for a finite x != 0 whose |x|^2 may overflow.
template <class T>
void set_length(const Wide<T>& length, Point<T> x, Grad<T> out) {
  using std::sqrt;
  using W = Wide<T>;
  W largest(0), s(0);
  for (const T& e : x) {
    const W size = W(e) < W(0) ? W(-W(e)) : W(e);
    if (size > largest) largest = size;
  }
  for (const T& e : x) s += (W(e) / largest) * (W(e) / largest);
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = T(W(x[i]) / largest / sqrt(s) * length);
}

/// out = a x + b y.
template <class T>
void combine(const Wide<T>& a, Point<T> x, const Wide<T>& b, Point<T> y, Grad<T> out) {
  each_coordinate<T>(shared_size(x, y, out),
                     [&]<class V>(Coordinates<V> at)
                         HCL_INLINE_LAMBDA { at.put(out, V(a * at(x) + b * at(y))); });
}

/// |x + y|^2 from the sums themselves.
template <class T>
[[nodiscard]] Sum<T> sum2(Point<T> x, Point<T> y) {
  return sum_of<Sum<T>>(shared_size(x, y), [&]<class V>(const V& s, std::size_t k) {
    const V u = load_sum<V>(&x[k]) + load_sum<V>(&y[k]);
    return add_product(s, u, u);
  });
}

/// <x + y, v> and <x - y, v>, from the sums and the differences themselves.
template <class T>
[[nodiscard]] Wide<T> sum_dot(Point<T> x, Point<T> y, Point<T> v) {
  return sum_of<Wide<T>>(shared_size(x, y, v), [&]<class V>(const V& s, std::size_t k) {
    return add_product(s, V(load_sum<V>(&x[k]) + load_sum<V>(&y[k])), load_sum<V>(&v[k]));
  });
}
template <class T>
[[nodiscard]] Sum<T> diff_dot_sum(Point<T> x, Point<T> y, Point<T> v) {
  return sum_of<Sum<T>>(shared_size(x, y, v), [&]<class V>(const V& s, std::size_t k) {
    return add_product(s, V(load_sum<V>(&x[k]) - load_sum<V>(&y[k])), load_sum<V>(&v[k]));
  });
}
template <class T>
[[nodiscard]] Wide<T> diff_dot(Point<T> x, Point<T> y, Point<T> v) {
  return Wide<T>(diff_dot_sum<T>(x, y, v));
}

/// out = x.
template <class T>
void copy(Point<T> x, Grad<T> out) {
  if (x.data() != out.data()) std::copy(x.begin(), x.end(), out.begin());
}

/// Backward of z = f(s) v, s = sqrt(c)|v|, from f(s) and slope = f'(s)/s:
/// gv += f g + c slope a v, gc += slope a n / 2, n = |v|^2, a = <g,v>.
template <class T>
void radial_vjp(Point<T> v, const Wide<T>& n, Point<T> g, const Wide<T>& a,
                const Wide<T>& f, const Wide<T>& slope, const Wide<T>& c, Grad<T> gv,
                T& gc) {
  using W = Wide<T>;
  const W k = slope * a, ck = c * k;
  each_coordinate<T>(shared_size(v, g, gv),
                     [&]<class V>(Coordinates<V> at)
                         HCL_INLINE_LAMBDA { at.add(gv, V(f * at(g) + ck * at(v))); });
  gc = T(W(gc) + k * n / W(2));
}

/// The largest |x|^2 of a point: room for the products that a distance is made of.
template <class T>
[[nodiscard]] T largest_norm2() {
  return (std::numeric_limits<T>::max)() * T(0x1p-20);
}

/// All coordinates finite and |x|^2 at most largest_norm2: the part of is_on_manifold
/// that every geometry shares. factor |x|^2 is held to the same.
template <class T>
[[nodiscard]] OnManifold all_finite(Point<T> x, const Wide<T>& factor = Wide<T>(1)) {
  const Wide<T> most = Wide<T>(largest_norm2<T>());
  const auto within = [&](const Wide<T>& n) { return n <= most && factor * n <= most; };
  if (within(Wide<T>(norm2_at_most<T>(x)))) return {};
  const Wide<T> n = norm2<T>(x);
  if (within(n)) return {};  // which no sum with a NaN is
  for (const T& v : x)
    if (!is_finite(v)) return {false, "not finite", as_double(v)};
  return {false, "|x|^2 is too large for the scalar type", as_double(n)};
}

/// A number of a row and what it loses by rounding to T.
template <class T>
[[nodiscard]] std::array<double, 2> two_parts(double n) {
  return {n, n - static_cast<double>(static_cast<T>(n))};
}

/// n_a - n_b of numbers in two parts, with the digits of both.
template <class V>
[[nodiscard]] HCL_INLINE V gram_gap(const V* a, const V* b) {
  return (a[0] - b[0]) + (a[1] - b[1]);
}

/// n_a + n_b - 2g of numbers in two parts: the large ones cancel before the small count.
template <class V>
[[nodiscard]] HCL_INLINE V gram_diff2(const V& g, const V* a, const V* b) {
  return ((a[0] - g) + (b[0] - g)) + (a[1] + b[1]);
}

/// Throws unless n = |x|^2 of a row is a finite number, and n and factor n not too large.
template <class T>
void check_finite_row(const char* where, const char* arg, Index row, double n,
                      double factor = 1) {
  expect(is_finite(n), where, ": ", arg, " row ", row, ": |x|^2 = ", n, " is not finite");
  const double most = static_cast<double>(largest_norm2<T>());
  expect(n <= most && factor * n <= most, where, ": ", arg, " row ", row, ": |x|^2 = ", n,
         " is too large for the scalar type");
}

/// @throws std::invalid_argument unless c is finite and > 0, and c^2 and 1/c^2 are too.
template <class T>
[[nodiscard]] T checked_curvature(const char* where, const T& c) {
  expect(is_finite(c) && c > T(0), where, ": c = ", as_double(c),
         ", must be finite and > 0");
  expect(is_finite(T(c * c)) && is_finite(T(T(1) / (c * c))), where,
         ": c = ", as_double(c), ", c^2 must be neither 0 nor infinite");
  return c;
}

}  // namespace hcl::inline HCL_ABI::detail
