// hcl/manifold/sphere.hpp - the sphere of curvature c (radius 1/sqrt(c)), by normalised
// rows.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The sphere in R^D. A row x != 0 stands for the point x/(sqrt(c)|x|), so that raw
/// encoder rows can be compared directly; gradients are by the raw row, and hence
/// tangent. A zero row is an error. d = theta/sqrt(c), theta = 2 atan2(|x^-y^|, |x^+y^|),
/// accurate from 0 to pi. At antipodes, where no geodesic is singled out, gradients are 0
/// and logmap is 0/0.
template <class T>
class Sphere {
 public:
  using Scalar = T;
  using W = Wide<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit Sphere(T c = T(1)) : c_{detail::checked_curvature("Sphere", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(1); }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    return T(Pair(x, y).angle / root_c());
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    const W t = Pair(x, y).angle;
    return T(t * t / W(c_));
  }
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
    if (p.sin_angle > W(0)) pair_vjp(p, k / p.sin_angle, x, y, gx, gy);
    gc = T(W(gc) - k * p.angle / (W(2) * W(c_)));
  }
  /// The same for d^2, smooth except at antipodes.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const Pair p(x, y);
    const W k = W(g) / W(c_);
    if (p.sum > W(0)) pair_vjp(p, W(2) * k * p.angle_by_sin(), x, y, gx, gy);
    gc = T(W(gc) - k * p.angle * p.angle / W(c_));
  }

  /// cos(r) x + sin(r)/r v, r = sqrt(c)|v|, for v tangent at x.
  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    using std::cos;
    const W r = root_c() * detail::length<T>(v);
    detail::combine<T>(cos(r) / (root_c() * detail::length<T>(x)), x, sinc(r), v, out);
  }
  /// theta/sin(theta) (y^ - cos(theta) x^)/sqrt(c).
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    const Pair p(x, y);
    const W k = p.angle_by_sin() / root_c();
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(k * p.towards_y(W(x[i]), W(y[i])));
  }
  /// At the pole, whose tangent vectors have v[0] = 0: the coordinate v[0] is not read.
  void expmap0(Point<T> v, Grad<T> out) const {
    using std::cos;
    const W r = root_c() * equatorial(v);
    detail::scale<T>(sinc(r), v, out);
    out[0] = T(cos(r) / root_c());
  }
  /// theta/(sqrt(c) rho) (0, z_1, ...), rho = |(z_1, ...)|, theta = atan2(rho, z_0).
  void logmap0(Point<T> z, Grad<T> out) const {
    detail::scale<T>(angle_by_rho(z) / root_c(), z, out);
    out[0] = T(0);
  }
  /// gv += J^T gz, gc += <gz, dz/dc> for z = expmap0(v).
  void expmap0_vjp(Point<T> v, Point<T> gz, Grad<T> gv, T& gc) const {
    using std::cos;
    const W c(c_), rho = equatorial(v), r = root_c() * rho, f = sinc(r),
                   slope = sinc_slope(r);
    const W g0(gz[0]), k = slope * tail_dot(gz, v);
    // z_0 = cos(r)/sqrt(c): dz_0/dv = -sin(r) v/rho, dz_0/dc = -sin(r) rho/(2c) -
    // z_0/(2c).
    for (std::size_t i = 1; i < v.size(); ++i)
      gv[i] = T(W(gv[i]) + f * W(gz[i]) + (c * k - g0 * root_c() * f) * W(v[i]));
    const W dz0 = -(r * f * rho + cos(r) / root_c()) / (W(2) * c);
    gc = T(W(gc) + k * rho * rho / W(2) + g0 * dz0);
  }
  /// gz += J^T gv, gc += <gv, dv/dc> for v = logmap0(z), by the raw row z.
  void logmap0_vjp(Point<T> z, Point<T> gv, Grad<T> gz, T& gc) const {
    const W rho = equatorial(z), z0(z[0]), n = z0 * z0 + rho * rho;
    const W f = angle_by_rho(z) / root_c(), g = tail_dot(gv, z);
    // (1/rho) d/drho of theta/rho: by t = rho/z_0 while that is small.
    const W slope = W(2) * rho < z0 ? atanc_slope(W(rho / z0)) / (z0 * z0 * z0)
                                    : (z0 / n - angle_by_rho(z)) / (rho * rho);
    for (std::size_t i = 1; i < z.size(); ++i)
      gz[i] = T(W(gz[i]) + f * W(gv[i]) + g * slope / root_c() * W(z[i]));
    gz[0] = T(W(gz[0]) - g / (n * root_c()));
    gc = T(W(gc) - f * g / (W(2) * W(c_)));
  }

  /// <u,v>.
  [[nodiscard]] T inner(Point<T>, Point<T> u, Point<T> v) const {
    return T(dot<T>(u, v));
  }
  [[nodiscard]] T norm(Point<T>, Point<T> v) const { return T(detail::length<T>(v)); }
  /// v - <y^,v>/(1 + cos theta) (x^ + y^), for v tangent at x and y != -x.
  void parallel_transport(Point<T> x, Point<T> y, Point<T> v, Grad<T> out) const {
    const Pair p(x, y);
    // <y^,v> as <y^ - x^, v>, which does not cancel for close points.
    W yv(0);
    for (std::size_t i = 0; i < x.size(); ++i) yv -= p.apart(W(x[i]), W(y[i])) * W(v[i]);
    const W k = W(2) * yv / (p.sum * p.sum);
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(W(v[i]) - k * p.together(W(x[i]), W(y[i])));
  }
  /// g - <x^,g> x^.
  void egrad2rgrad(Point<T> x, Point<T> g, Grad<T> out) const {
    project_tangent(x, g, out);
  }
  /// x/(sqrt(c)|x|).
  void project(Point<T> x, Grad<T> out) const {
    detail::scale<T>(W(1) / (root_c() * detail::length<T>(x)), x, out);
  }
  /// v - <x^,v> x^.
  void project_tangent(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1), v, -dot<T>(x, v) / norm2<T>(x), x, out);
  }
  /// project(x + v).
  void retract(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1) / (root_c() * detail::length<T>(x)), x, W(1), v, out);
    project(out, out);
  }
  /// Finite and not 0: any such row stands for a point.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    if (const auto finite = detail::all_finite<T>(x); !finite) return finite;
    if (norm2<T>(x) > W(0)) return {};
    return {false, "a zero row has no direction on the sphere", 0};
  }

  // GramMetric. cos(theta) = g/(|x_a||x_b|).
  static constexpr int row_size = 2;
  /// {n, 1/sqrt(n)}.
  [[nodiscard]] std::array<double, 2> row_stat(double n) const {
    return {n, 1 / std::sqrt(n)};
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
    expect(static_cast<T>(n) > T(0), where, ": ", arg, " row ", row, ": |x|^2 = ", n,
           ", a zero row has no direction on the sphere");
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> gram_dist(const V& g, const V* a,
                                                 const V* b) const {
    const V one = V(T(1)), s = a[1] * b[1], cosine = g * s;
    const T inv = T(1) / vsqrt(c_);
    const V d = V(inv) * vacos(cosine);
    const V by_cos = V(-inv) / vsqrt((one - cosine) * (one + cosine));
    const V by_n = V(T(-0.5)) * by_cos * cosine;
    return {d,
            by_cos * s,
            by_n * a[1] * a[1],
            by_n * b[1] * b[1],
            d * V(T(-0.5) / c_),
            vmin(one - cosine, one + cosine) - V(gram_theta<T>)};
  }

 private:
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
  [[nodiscard]] static W angle_by_rho(Point<T> z) {
    using std::atan2;
    const W rho = equatorial(z), z0(z[0]);
    return rho == W(0) ? W(1) / z0 : W(atan2(rho, z0) / rho);
  }

  /// The two directions by their difference and sum, which keep the digits that acos
  /// loses.
  struct Pair {
    W a, b, gap, diff, sum, angle, sin_angle;
    Pair(Point<T> x, Point<T> y)
        : a{detail::length<T>(x)},
          b{detail::length<T>(y)},
          gap{detail::norm2_gap<T>(x, y) / (a + b)},
          diff(0),
          sum(0),
          angle(0),
          sin_angle(0) {
      using std::atan2;
      HCL_ASSERT(x.size() == y.size() && a > W(0) && b > W(0));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const W u = apart(W(x[i]), W(y[i])), v = together(W(x[i]), W(y[i]));
        diff += u * u;
        sum += v * v;
      }
      diff = detail::root(diff);
      sum = detail::root(sum);
      // Parallel rows differ by rounding, in a direction of no meaning.
      if (diff <= W(4) * W(std::numeric_limits<W>::epsilon())) diff = W(0);
      angle = diff == W(0) ? W(0) : W(W(2) * atan2(diff, sum));
      sin_angle = diff * sum / W(2);
    }
    [[nodiscard]] W angle_by_sin() const {
      return diff > W(0) ? angle / sin_angle : W(1);
    }
    /// Coordinates of x^ - y^ and x^ + y^.
    [[nodiscard]] W apart(const W& x, const W& y) const {
      return detail::turn<W>(x, y, a + b, gap) / (a * b);
    }
    [[nodiscard]] W together(const W& x, const W& y) const {
      return detail::turn<W>(x, -y, a + b, gap) / (a * b);
    }
    /// y^ - cos(theta) x^ = (y^ - x^) + |y^-x^|^2/2 x^, of length sin(theta).
    [[nodiscard]] W towards_y(const W& x, const W& y) const {
      return diff * diff / W(2) * (x / a) - apart(x, y);
    }
    [[nodiscard]] W towards_x(const W& x, const W& y) const {
      return diff * diff / W(2) * (y / b) + apart(x, y);
    }
  };

  /// d theta/dx = -(y^ - cos(theta) x^)/(|x| sin(theta)); k holds 1/sin(theta).
  static void pair_vjp(const Pair& p, const W& k, Point<T> x, Point<T> y, Grad<T> gx,
                       Grad<T> gy) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u(x[i]), v(y[i]);
      gx[i] = T(W(gx[i]) - k / p.a * p.towards_y(u, v));
      gy[i] = T(W(gy[i]) - k / p.b * p.towards_x(u, v));
    }
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
