// hcl/manifold/sphere.hpp - the sphere of curvature c (radius 1/sqrt(c)), by normalised
// rows.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The sphere in R^D. A row x != 0 stands for the point x/(sqrt(c)|x|), so that raw
/// encoder rows can be compared directly; gradients are by the raw row, and hence
/// tangent. A zero row is an error. d = theta/sqrt(c), theta = 2 atan2(|x^-y^|, |x^+y^|),
/// accurate from 0 to pi. At antipodes, where no geodesic is singled out, gradients and
/// logmap are 0 and transport changes nothing.
template <class T>
class Sphere {
 public:
  using Scalar = T;
  using W = Wide<T>;
  using S = Sum<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit Sphere(T c = T(1)) : c_{detail::checked_curvature("Sphere", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(1); }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    using std::sqrt;
    return T(Pair(x, y).angle / sqrt(S(c_)));
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    const S t = Pair(x, y).angle;
    return T(t * t / S(c_));
  }
  /// theta, not rounded to T.
  [[nodiscard]] W angle(Point<T> x, Point<T> y) const { return W(Pair(x, y).angle); }
  /// From the pole (1/sqrt(c), 0, ..., 0).
  [[nodiscard]] T dist0(Point<T> x) const {
    using std::atan2;
    return T(atan2(equatorial(x), W(x[0])) / root_c());
  }

  /// Adds g dd/dx, g dd/dy by the raw rows, g dd/dc; 0 at coincident points and
  /// antipodes.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const Pair p(x, y);
    const W k = W(g) / root_c();
    if (detail::is_tiny<T>(p.sin_angle) && p.sin_angle > S(0)) {
      if constexpr (detail::squares_underflow<T>) close_vjp(p, k, x, y, gx, gy);
    } else if (p.sin_angle > S(0)) {
      pair_vjp(p, k / W(p.sin_angle), x, y, gx, gy);
    }
    gc = T(W(gc) - k * W(p.angle) / (W(2) * W(c_)));
  }
  /// The same for d^2, smooth except at antipodes.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const Pair p(x, y);
    const W k = W(g) / W(c_);
    if (p.sum > S(0)) pair_vjp(p, W(2) * k * p.angle_by_sin(), x, y, gx, gy);
    gc = T(W(gc) - k * W(p.angle * p.angle) / W(c_));
  }

  /// Adds g dcos(theta)/dx = g (y^ - cos(theta) x^)/|x| and the same by y, from the
  /// differences of the directions.
  void cosine_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy) const {
    pair_vjp(Pair(x, y), -W(g), x, y, gx, gy);
  }

  /// cos(r) x + sin(r)/r v, r = sqrt(c)|v|, for v tangent at x: by rows that is checked.
  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    using std::cos;
    const W r = root_c() * detail::length<T>(v);
    detail::combine<T>(cos(r) / (root_c() * detail::length<T>(x)), x, sinc(r), v, out);
  }
  /// theta/sin(theta) (y^ - cos(theta) x^)/sqrt(c).
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    const Pair p(x, y);
    const W k = p.sum > S(0) ? W(p.angle_by_sin() / root_c()) : W(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(k * W(p.towards_y(S(x[i]), S(y[i]))));
  }
  /// At the pole, whose tangent vectors have v[0] = 0: the coordinate v[0] is not read.
  void expmap0(Point<T> v, Grad<T> out) const {
    using std::cos;
    const W r = root_c() * equatorial(v);
    detail::scale<T>(sinc(r), v, out);
    out[0] = T(cos(r) / root_c());
  }
  /// theta/(sqrt(c) rho) (0, z_1, ...), rho = |(z_1, ...)|, theta = atan2(rho, z_0); 0 at
  /// the other pole.
  void logmap0(Point<T> z, Grad<T> out) const {
    const Polar p(z);
    detail::scale<T>(p.angle_by_rho / (root_c() * p.length), z, out);
    out[0] = T(0);
  }
  /// gv += J^T gz, gc += <gz, dz/dc> for z = expmap0(v).
  void expmap0_vjp(Point<T> v, Point<T> gz, Grad<T> gv, T& gc) const {
    using std::cos;
    const W c = W(c_), rho = equatorial(v), r = root_c() * rho, f = sinc(r),
            slope = sinc_slope(r);
    const W g0 = W(gz[0]), k = slope * tail_dot(gz, v);
    // z_0 = cos(r)/sqrt(c): dz_0/dv = -sin(r) v/rho, dz_0/dc = -sin(r) rho/(2c) -
    // z_0/(2c).
    for (std::size_t i = 1; i < v.size(); ++i)
      gv[i] = T(W(gv[i]) + f * W(gz[i]) + (c * k - g0 * root_c() * f) * W(v[i]));
    const W dz0 = -(r * f * rho + cos(r) / root_c()) / (W(2) * c);
    gc = T(W(gc) + k * rho * rho / W(2) + g0 * dz0);
  }
  /// gz += J^T gv, gc += <gv, dv/dc> for v = logmap0(z), by the raw row z.
  void logmap0_vjp(Point<T> z, Point<T> gv, Grad<T> gz, T& gc) const {
    const Polar p(z);
    const W by_length = W(1) / (root_c() * p.length), f = p.angle_by_rho * by_length;
    const W g = tail_dot(gv, z) / p.length;  // <gv, z>/|z|
    for (std::size_t i = 1; i < z.size(); ++i)
      gz[i] = T(W(gz[i]) + f * W(gv[i]) + g * p.slope * by_length * (W(z[i]) / p.length));
    gz[0] = T(W(gz[0]) - (p.other_pole ? W(0) : g * by_length));
    gc = T(W(gc) - f * tail_dot(gv, z) / (W(2) * W(c_)));
  }

  /// <u,v>.
  [[nodiscard]] T inner(Point<T>, Point<T> u, Point<T> v) const {
    return T(dot<T>(u, v));
  }
  [[nodiscard]] T norm(Point<T>, Point<T> v) const { return T(detail::length<T>(v)); }
  /// v - <y^,v>/(1 + cos theta) (x^ + y^), for v tangent at x and y != -x. As <x^,v> is
  /// 0, <y^,v> is <y^ - x^, v>, which does not cancel for close points; it is <x^ + y^,
  /// v> too, in which what v has along x by rounding vanishes towards the antipode.
  void parallel_transport(Point<T> x, Point<T> y, Point<T> v, Grad<T> out) const {
    const Pair p(x, y);
    const bool close = p.diff < p.sum;
    S yv(0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const S xi = S(x[i]), yi = S(y[i]);
      yv += (close ? S(-p.apart(xi, yi)) : p.together(xi, yi)) * S(v[i]);
    }
    const S r = p.sum > S(0) ? S(S(1) / (p.m * p.sum)) : S(0), k = S(2) * yv * r * r;
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(S(v[i]) - k * p.together(S(x[i]), S(y[i])));
  }
  /// g - <x^,g> x^.
  void egrad2rgrad(Point<T> x, Point<T> g, Grad<T> out) const {
    project_tangent(x, g, out);
  }
  /// x/(sqrt(c)|x|).
  void project(Point<T> x, Grad<T> out) const {
    const W length = detail::length<T>(x);
    if (is_finite(length) && !detail::is_tiny<T>(length))
      detail::scale<T>(W(1) / (root_c() * length), x, out);
    else
      detail::set_length<T>(W(1) / root_c(), x, out);
  }
  /// v - <x^,v> x^.
  void project_tangent(Point<T> x, Point<T> v, Grad<T> out) const {
    const W length = detail::length<T>(x);
    detail::combine<T>(W(1), v, -dot<T>(x, v) / length / length, x, out);
  }
  /// project(x + v).
  void retract(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1) / (root_c() * detail::length<T>(x)), x, W(1), v, out);
    project(out, out);
  }
  /// Finite and of a length that is not 0 or subnormal: any such row stands for a point.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    if (const auto finite = detail::all_finite<T>(x); !finite) return finite;
    const W length = detail::length<T>(x);
    const bool subnormal = std::floating_point<W> && length < W(0x1p-1022);
    if (length > W(0) && !subnormal) return {};
    return {false, "a zero row or nearly one has no direction on the sphere",
            as_double(length)};
  }

  /// <x^,v> is 0 up to the rounding of v: at most 1000 epsilon |v|.
  [[nodiscard]] OnManifold is_tangent(Point<T> x, Point<T> v) const {
    const W radial = dot<T>(x, v) / detail::length<T>(x), size = detail::length<T>(v),
            most = W(1000) * W(std::numeric_limits<T>::epsilon()) * size;
    if (-most <= radial && radial <= most) return {};
    return {false, "not tangent at x (project_tangent makes it so), <x,v>/(|x||v|)",
            static_cast<double>(W(radial / size))};
  }

  // GramMetric. The chord is Q = sin^2(theta/2) = (|x-y|^2 - (|x|-|y|)^2)/(4|x||y|) up to
  // 1/2, and Q - 1 = -cos^2(theta/2) beyond: the small one of the two keeps its digits.
  // Beyond 1/2 it is at most -opposite, whatever cancels, so that its sign stays.
  static constexpr double opposite = 0x1p-126;
  /// Distances, and all that is made of them, are those of the directions.
  static constexpr bool scale_free = true;
  static constexpr int row_size = 5;
  /// {|x-m|^2, its rest, |x|, its rest, 1/|x|}.
  [[nodiscard]] std::array<double, 5> row_stat(const RowNorms& r) const {
    const auto [n, n_rest] = detail::two_parts<T>(r.from_centre);
    const auto [length, rest] = detail::two_parts<T>(std::sqrt(r.n));
    return {n, n_rest, length, rest, 1 / length};
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
    expect(static_cast<T>(n) > T(0), where, ": ", arg, " row ", row, ": |x|^2 = ", n,
           ", a zero row or nearly one has no direction on the sphere");
  }
  [[nodiscard]] double largest_dist(double, double) const {
    return 3.141592653589793238 / std::sqrt(static_cast<double>(c_));
  }
  [[nodiscard]] Sphere<W> wide() const { return Sphere<W>(W(c_)); }
  [[nodiscard]] W chord(Point<T> x, Point<T> y) const {
    const Pair p(x, y);
    const S q = p.diff * p.diff / S(4), rest = p.sum * p.sum / S(4);
    return rest < q ? W(S(0) - (rest > S(opposite) ? rest : S(opposite))) : W(q);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_chord(const V& g, const V* a, const V* b) const {
    return diff_chord(detail::gram_diff2(g, a, b), a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V& q, const V* a, const V* b) const {
    return size(q) - V(gram_theta<T> / T(4)) * (a[0] + b[0]) * (a[4] * b[4]);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_chord(const V& d2, const V* a, const V* b) const {
    const V gap = detail::gram_gap(a + 2, b + 2);
    const V q = V(T(0.25)) * (d2 - gap * gap) * (a[4] * b[4]);
    return vselect(q > V(T(0.5)), vmin(V(q - V(T(1))), V(T(-opposite))), q);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V& q, const V* a, const V* b) const {
    const V gap = detail::gram_gap(a + 2, b + 2) * (a[4] + b[4]),
            beyond = V(T(1.0 / (1 << 20)));
    const V floor = V(T(1.0 / (1 << 26))) * size(gap);
    return size(q) - vselect(q < V(T(0)), vmax(beyond, floor), floor);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> dist_at(const V& q, const V* a, const V* b,
                                               const V& k = V(T(1))) const {
    const V zero = V(T(0)), one = V(T(1)), p = vmin(size(q), one);
    const V inv = k / vsqrt(V(c_));
    const V half = V(T(2)) * inv * vatan(vsqrt(p / (one - p)));  // asin(sqrt(p))
    const V d = vselect(q < zero, V(V(T(3.141592653589793238)) * inv - half), half);
    V by_q = inv / vsqrt(p * (one - p));
    if constexpr (sizeof(T) > sizeof(float))
      by_q = vselect(q > zero || q < V(T(-opposite)), by_q, zero);
    const auto [dd2, dna, dnb] = by_numbers(by_q, q, a, b);
    return {vcopy(d), vcopy(dd2), vcopy(dna), vcopy(dnb), d * V(T(-0.5) / c_)};
  }
  /// The derivatives by |x-y|^2, n_a and n_b of what has the derivative by_q by Q. With
  /// a = |x|, b = |y|: dQ/dn_a = -((a-b)/(2b) + Q)/(2a^2).
  template <class V>
  [[nodiscard]] static HCL_INLINE std::array<V, 3> by_numbers(const V& by_q, const V& q,
                                                              const V* a, const V* b) {
    const V half_by = V(T(-0.5)) * by_q;
    const V whole = vselect(q < V(T(0)), V(V(T(1)) + q), q);
    const V gap = V(T(0.5)) * detail::gram_gap(a + 2, b + 2);
    return {V(T(0.25)) * by_q * (a[4] * b[4]),
            half_by * (whole + gap * b[4]) * (a[4] * a[4]),
            half_by * (whole - gap * a[4]) * (b[4] * b[4])};
  }

 private:
  template <class V>
  [[nodiscard]] static HCL_INLINE V size(const V& v) {
    return vmax(v, V(V(T(0)) - v));
  }
  [[nodiscard]] W root_c() const {
    using std::sqrt;
    return sqrt(W(c_));
  }
  [[nodiscard]] static W equatorial(Point<T> x) {
    return detail::length<T>(x.subspan(1));
  }
  [[nodiscard]] static W tail_dot(Point<T> x, Point<T> y) {
    return dot<T>(x.subspan(1), y.subspan(1));
  }
  /// A row as seen from the pole, by its direction z/|z|: theta/rho and its derivative
  /// (1/rho) d/drho at fixed z_0, by rho/z_0 while that is small.
  struct Polar {
    W length, angle_by_rho, slope;
    bool other_pole;
    explicit Polar(Point<T> z)
        : length{detail::length<T>(z)}, angle_by_rho(0), slope(0), other_pole{false} {
      using std::atan2;
      const W rho = equatorial(z) / length, z0 = W(z[0]) / length;
      other_pole = z0 < W(0) && rho <= W(4) * W(std::numeric_limits<W>::epsilon());
      if (other_pole) return;
      angle_by_rho = rho == W(0) ? W(W(1) / z0) : W(atan2(rho, z0) / rho);
      slope = W(2) * rho < z0 ? W(atanc_slope(W(rho / z0)) / (z0 * z0 * z0))
                              : W((z0 - angle_by_rho) / (rho * rho));
    }
  };

  /// The two directions by their difference and sum, which keep the digits that acos
  /// loses.
  struct Pair : detail::Directions<S> {
    S diff, sum, angle, sin_angle;
    Pair(Point<T> x, Point<T> y)
        : detail::Directions<S>(x, y), diff(0), sum(0), angle(0), sin_angle(0) {
      using std::atan2;
      HCL_ASSERT(x.size() == y.size() && this->a > S(0) && this->b > S(0));
      diff = this->apart_length(x, y) / this->m;
      sum = this->together_length(x, y) / this->m;
      // Parallel and opposite rows of unequal lengths differ by rounding, in a direction
      // of no meaning.
      const S by_longer = this->gap_by_m * this->shorter_by_m,
              unequal = by_longer < S(0) ? S(-by_longer) : by_longer;
      const S least = S(4) * S(std::numeric_limits<S>::epsilon()) * unequal;
      if (diff <= least) diff = S(0);
      if (sum <= least) sum = S(0);
      // What is left of the sum of opposite rows must have an inverse.
      if (detail::squares_underflow<T> && sum < S(0x1p-1020)) sum = S(0);
      angle = diff == S(0) ? S(0) : S(S(2) * atan2(diff, sum));
      sin_angle = diff * sum / S(2);
    }
    [[nodiscard]] W angle_by_sin() const {
      return diff > S(0) ? W(angle / sin_angle) : W(1);
    }
    /// y^ - cos(theta) x^ = (y^ - x^) + |y^-x^|^2/2 x^, of length sin(theta).
    [[nodiscard]] S towards_y(const S& x, const S& y) const {
      return diff * diff / S(2) * (x / this->a) - this->apart(x, y) / this->m;
    }
    [[nodiscard]] S towards_x(const S& x, const S& y) const {
      return diff * diff / S(2) * (y / this->b) + this->apart(x, y) / this->m;
    }
  };

  /// d theta/dx = -(y^ - cos(theta) x^)/(|x| sin(theta)); k holds 1/sin(theta).
  static void pair_vjp(const Pair& p, const W& k, Point<T> x, Point<T> y, Grad<T> gx,
                       Grad<T> gy) {
    const W kx = k / W(p.a), ky = k / W(p.b);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const S u = S(x[i]), v = S(y[i]);
      gx[i] = T(W(gx[i]) - kx * W(p.towards_y(u, v)));
      gy[i] = T(W(gy[i]) - ky * W(p.towards_x(u, v)));
    }
  }
  /// k dtheta where sin(theta) is so small that x^ and y^ are one axis: along x^ - y^ for
  /// close rows, along x^ + y^ for opposite ones.
  static void close_vjp(const Pair& p, const W& k, Point<T> x, Point<T> y, Grad<T> gx,
                        Grad<T> gy) {
    const bool close = p.diff < p.sum;
    const S length = close ? p.apart_enlarged(x, y) : p.together_enlarged(x, y);
    const W n = k / W(length), kx = n / W(p.a),
            ky = close ? W(-n / W(p.b)) : W(n / W(p.b));
    const S up(detail::enlarged / detail::risen);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u(up * (close ? p.apart_risen(x[i], y[i]) : -p.together_risen(x[i], y[i])));
      gx[i] = T(W(gx[i]) + kx * u);
      gy[i] = T(W(gy[i]) + ky * u);
    }
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
