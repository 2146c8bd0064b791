// hcl/manifold/chord.hpp - d = 2 sqrt(Q) F(cQ), the one distance of all hyperbolic
// models, and the radial maps z = f(sqrt(c)|v|) v that their exponential and logarithm at
// the origin are.
//
// F(w) = asinh(sqrt w)/sqrt w. asinh passes the relative error of Q on undiminished but
// never amplified; arcosh(1+2w) would lose half of the digits at w near 0.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

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

/// d = 2 sqrt(Q) F(cQ); all derivatives are 0 at Q = 0.
template <class W>
[[nodiscard]] OfChord<W> chord_dist(const W& q, const W& c) {
  using std::sqrt;
  if (!(q > W(0))) return {W(0), W(0), W(0)};
  const W r = sqrt(q), w = c * q, s = sqrt(w);
  return {W(2) * r * asinhc(s), W(1) / (r * sqrt(W(1) + w)), r * q * asinhc_slope(s)};
}

/// d^2 = 4 Q F(cQ)^2, smooth at Q = 0.
template <class W>
[[nodiscard]] OfChord<W> chord_dist2(const W& q, const W& c) {
  using std::sqrt;
  const W w = c * q, s = root(w), f = asinhc(s);
  return {W(4) * q * f * f, W(4) * f / sqrt(W(1) + w),
          W(4) * q * q * f * asinhc_slope(s)};
}

/// chord_dist on lanes V of T: the same three numbers, NaN or inf at Q <= 0.
template <class T, class V>
[[nodiscard]] HCL_INLINE OfChord<V> chord_dist_lanes(const V& q, const T& c) {
  constexpr T cut = sizeof(T) <= sizeof(float) ? T(0.1) : T(0.01);
  const V one = V(T(1));
  const T root_c = vsqrt(c);
  const V w = q * V(c), r = vsqrt(w), h = vsqrt(one + w);
  const V d = V(T(2) / root_c) * vlog1p(r + w / (one + h));
  const V q_root = r * V(T(1) / root_c);
  // 2 sqrt(Q) Q F'(w), F' = (1/h - F)/(2w) with F = d/(2 sqrt Q), or its series.
  const V near = V(T(2)) * q_root * q * asinhc_slope_near0<T>(w);
  const V far = (q_root / h - V(T(0.5)) * d) * V(T(1) / c);
  return {d, one / (q_root * h), vselect(w < V(cut), near, far)};
}

/// |x|.
template <class T>
[[nodiscard]] Wide<T> length(Point<T> x) {
  return root(norm2<T>(x));
}

/// Coordinate of b x - a y, a = |x|, b = |y|, from sum = a + b and gap = a - b =
/// <x-y,x+y>/(a+b): the two products themselves would cancel for close points.
template <class W>
[[nodiscard]] W turn(const W& x, const W& y, const W& sum, const W& gap) {
  return (sum * (x - y) - gap * (x + y)) / W(2);
}

/// <x-y, x+y> = |x|^2 - |y|^2.
template <class T>
[[nodiscard]] Wide<T> norm2_gap(Point<T> x, Point<T> y) {
  using W = Wide<T>;
  W s(0);
  for (std::size_t i = 0; i < x.size(); ++i)
    s += (W(x[i]) - W(y[i])) * (W(x[i]) + W(y[i]));
  return s;
}

/// out = a x.
template <class T>
void scale(const Wide<T>& a, Point<T> x, Grad<T> out) {
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = T(a * Wide<T>(x[i]));
}

/// out = a x + b y.
template <class T>
void combine(const Wide<T>& a, Point<T> x, const Wide<T>& b, Point<T> y, Grad<T> out) {
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = T(a * Wide<T>(x[i]) + b * Wide<T>(y[i]));
}

/// out = x.
template <class T>
void copy(Point<T> x, Grad<T> out) {
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = x[i];
}

/// Backward of z = f(s) v, s = sqrt(c)|v|, from f(s) and slope = f'(s)/s:
/// gv += f g + c slope <g,v> v, gc += slope <g,v> |v|^2 / 2.
template <class T>
void radial_vjp(Point<T> v, Point<T> g, const Wide<T>& f, const Wide<T>& slope,
                const Wide<T>& c, Grad<T> gv, T& gc) {
  using W = Wide<T>;
  const W k = slope * dot<T>(g, v), n = norm2<T>(v);
  for (std::size_t i = 0; i < v.size(); ++i)
    gv[i] = T(W(gv[i]) + f * W(g[i]) + c * k * W(v[i]));
  gc = T(W(gc) + k * n / W(2));
}

/// All coordinates finite: the part of is_on_manifold that every geometry shares.
template <class T>
[[nodiscard]] OnManifold all_finite(Point<T> x) {
  for (const T& v : x)
    if (!is_finite(v)) return {false, "not finite", static_cast<double>(v)};
  return {};
}

/// Throws unless n = |x|^2 of a row is a finite T.
template <class T>
void check_finite_row(const char* where, const char* arg, Index row, double n) {
  expect(is_finite(n), where, ": ", arg, " row ", row, ": |x|^2 = ", n, " is not finite");
  expect(is_finite(static_cast<T>(n)), where, ": ", arg, " row ", row, ": |x|^2 = ", n,
         " overflows the scalar type");
}

/// @throws std::invalid_argument unless c is finite and > 0.
template <class T>
[[nodiscard]] T checked_curvature(const char* where, const T& c) {
  expect(is_finite(c) && c > T(0), where, ": c = ", static_cast<double>(c),
         ", must be finite and > 0");
  return c;
}

}  // namespace hcl::inline HCL_ABI::detail
