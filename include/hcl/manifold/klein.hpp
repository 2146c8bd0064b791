// hcl/manifold/klein.hpp - hyperbolic space of curvature -c as the Klein ball |x| <
// 1/sqrt(c), in which geodesics are straight.
#pragma once

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/poincare_ball.hpp"

namespace hcl::inline HCL_ABI {

/// The Beltrami-Klein model: cosh(sqrt(c) d) = (1 - c<x,y>)/sqrt((1-c|x|^2)(1-c|y|^2))
/// (Ungar, Analytic Hyperbolic Geometry, 2005), so d -> |x-y| as c -> 0. A Metric, and
/// the points that models.hpp and midpoint.hpp speak of. With a = 1-c|x|^2, b = 1-c|y|^2,
/// D = |x-y|^2 it is computed from
///   Q = (D (a+b)/2 + c D^2/4 + c (|x|^2-|y|^2)^2/4)/(2 sqrt(ab) ((a+b)/2 + c D/2 +
///   sqrt(ab))),
/// in which nothing cancels. A point at sqrt(c) d(0,x) = r has 1-c|x|^2 = 1/cosh^2 r, so
/// the rounding of the coordinates moves it by u cosh^2 r: r = 7.3 in float, 17.4 in
/// double, is the farthest that project leaves (Poincare ball: twice that).
template <class T>
class Klein {
 public:
  using Scalar = T;
  using W = Wide<T>;
  using S = Sum<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit Klein(T c = T(1)) : c_{detail::checked_curvature("Klein", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// d -> origin_scale() |x-y| near the origin.
  [[nodiscard]] T origin_scale() const { return T(1); }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    const S q = chord_sum(x, y);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(q)) {
        const auto nearby = close(x, y);
        return T(W(2) * detail::root(nearby.v) / W(detail::enlarged));
      }
    return T(detail::chord_dist<T>(q, c_).value);
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist2<T>(chord_sum(x, y), c_).value);
  }
  /// Adds g dd/dx, g dd/dy, g dd/dc; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const S q = chord_sum(x, y);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(q)) return close_vjp(close(x, y), x, y, W(g), gx, gy, gc);
    pair_vjp(detail::chord_dist<T>(q, c_), x, y, W(g), gx, gy, gc);
  }
  /// The same for d^2, smooth everywhere.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    pair_vjp(detail::chord_dist2<T>(chord_sum(x, y), c_), x, y, W(g), gx, gy, gc);
  }
  /// Moves a point that is outside, or within 8 epsilon of the rim, radially onto that
  /// radius.
  void project(Point<T> x, Grad<T> out) const { PoincareBall<T>(c_).project(x, out); }
  /// Finite and c|x|^2 < 1.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    return PoincareBall<T>(c_).is_on_manifold(x);
  }

 private:
  [[nodiscard]] S gap(Point<T> x) const {
    return S(1) - S(c_) * detail::dot_sum<T>(x, x);
  }
  /// Q, step = |x|^2 - |y|^2.
  template <class V>
  [[nodiscard]] static V chord_of(const V& a, const V& b, const V& d2, const V& step,
                                  const V& c) {
    using std::sqrt;
    const V half(0.5), quarter(0.25), m = half * (a + b), ab = sqrt(V(a * b));
    const V above = d2 * (m + quarter * c * d2) + quarter * c * step * step;
    return half * above / (ab * (m + half * c * d2 + ab));
  }
  [[nodiscard]] S chord_sum(Point<T> x, Point<T> y) const {
    HCL_ASSERT(x.size() == y.size());
    return chord_of<S>(gap(x), gap(y), detail::diff2_sum<T>(x, y),
                       detail::norm2_gap<T>(x, y), S(c_));
  }
  /// enlarged^2 Q where |x-y|^2 underflows, as a function of enlarged^2 |x-y|^2,
  /// `enlarged` (|x|^2-|y|^2) and c.
  [[nodiscard]] detail::Jet<W, 5> close(Point<T> x, Point<T> y) const {
    using std::sqrt;
    const S e(detail::enlarged);
    const S d = detail::enlarged_length<T>(x.size(), detail::difference<T>(x, y));
    S rise(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      rise += e * (S(x[i]) - S(y[i])) * (S(x[i]) + S(y[i]));
    const auto [d2, step, nx, ny, c] =
        detail::variables<W>(W(d * d), W(rise), norm2<T>(x), norm2<T>(y), c_);
    const auto a = detail::gap_of(W(gap(x)), nx, c), b = detail::gap_of(W(gap(y)), ny, c);
    using V = detail::Jet<W, 5>;
    const V half(0.5), quarter(0.25), m = half * (a + b), ab = sqrt(V(a * b));
    return half * (d2 * m + quarter * c * step * step) / (ab * (m + ab));
  }
  /// d = 2 sqrt(Q) there.
  void close_vjp(const detail::Jet<W, 5>& q, Point<T> x, Point<T> y, const W& g,
                 Grad<T> gx, Grad<T> gy, T& gc) const {
    const W r = detail::root(q.v), e(detail::enlarged);
    if (!(r > W(0))) return;
    const W k = W(2) * g / r, by_step = q.d[1];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u = q.d[0] * (e * (W(x[i]) - W(y[i])));
      gx[i] = T(W(gx[i]) + k * (by_step * W(x[i]) + u));
      gy[i] = T(W(gy[i]) - k * (by_step * W(y[i]) + u));
    }
    gc = T(W(gc) + g / r * q.d[4] / e);
  }
  void pair_vjp(const detail::OfChord<W>& f, Point<T> x, Point<T> y, const W& g,
                Grad<T> gx, Grad<T> gy, T& gc) const {
    const auto [nx, ny, d2, c] =
        detail::variables<W>(norm2<T>(x), norm2<T>(y), diff2<T>(x, y), c_);
    auto step = nx - ny;
    step.v = W(detail::norm2_gap<T>(x, y));
    const auto by = chord_of(detail::gap_of(W(gap(x)), nx, c),
                             detail::gap_of(W(gap(y)), ny, c), d2, step, c)
                        .d;
    const W k = g * f.by_q;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u = by[2] * (W(x[i]) - W(y[i]));
      gx[i] = T(W(gx[i]) + W(2) * k * (by[0] * W(x[i]) + u));
      gy[i] = T(W(gy[i]) + W(2) * k * (by[1] * W(y[i]) - u));
    }
    gc = T(W(gc) + g * f.by_c + k * by[3]);
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
