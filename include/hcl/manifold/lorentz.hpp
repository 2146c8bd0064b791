// hcl/manifold/lorentz.hpp - hyperbolic space of curvature -c as the hyperboloid, in the
// chart of its spatial coordinates.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The hyperboloid t^2 - |x|^2 = 1/c (Nickel, Kiela, Learning Continuous Hierarchies in
/// the Lorentz Model, 2018). Points and tangent vectors are their D spatial coordinates,
/// t_x = sqrt(1/c+|x|^2) and v_t = <x,v>/t_x follow, so every finite row is a point and
/// gradients are by what is stored. d(0, expmap0(v)) = |v|. Q = (|x-y|^2 - (t_x-t_y)^2)/4
/// = sinh^2(sqrt(c) d/2)/c.
template <class T>
class Lorentz {
 public:
  using Scalar = T;
  using W = Wide<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit Lorentz(T c = T(1)) : c_{detail::checked_curvature("Lorentz", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(1); }
  /// t_x = sqrt(1/c + |x|^2).
  [[nodiscard]] T time(Point<T> x) const { return T(time_of(norm2<T>(x))); }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist(Pair(*this, x, y).q, W(c_)).value);
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist2(Pair(*this, x, y).q, W(c_)).value);
  }
  /// asinh(sqrt(c)|x|)/sqrt(c).
  [[nodiscard]] T dist0(Point<T> x) const {
    const W a = detail::length<T>(x);
    return T(a * asinhc(W(root_c() * a)));
  }

  /// Adds g dd/dx, g dd/dy, g dd/dc; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const Pair p(*this, x, y);
    pair_vjp(p, detail::chord_dist(p.q, W(c_)), x, y, W(g), gx, gy, gc);
  }
  /// The same for d^2, smooth everywhere.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const Pair p(*this, x, y);
    pair_vjp(p, detail::chord_dist2(p.q, W(c_)), x, y, W(g), gx, gy, gc);
  }

  /// cosh(r) x + sinh(r)/r v, r = sqrt(c)|v|_x.
  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    using std::cosh;
    const W r = root_c() * detail::root(inner_wide(x, v, v));
    detail::combine<T>(cosh(r), x, sinhc(r), v, out);
  }
  /// F(w)/sqrt(1+w) ((y-x) - 2w x), w = cQ: theta/sinh(theta) (y - cosh(theta) x).
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    using std::sqrt;
    const W w = W(c_) * Pair(*this, x, y).q;
    const W k = asinhc(detail::root(w)) / sqrt(W(1) + w);
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(k * ((W(y[i]) - W(x[i])) - W(2) * w * W(x[i])));
  }
  /// sinh(s)/s v, s = sqrt(c)|v|. Beyond s = log(largest T)/2 (44 in float, 354 in
  /// double), where |z|^2 would overflow, z stays at that radius.
  void expmap0(Point<T> v, Grad<T> out) const {
    detail::scale<T>(radial(root_c() * detail::length<T>(v)), v, out);
  }
  /// asinh(s)/s z, s = sqrt(c)|z|.
  void logmap0(Point<T> z, Grad<T> out) const {
    detail::scale<T>(asinhc(W(root_c() * detail::length<T>(z))), z, out);
  }
  /// gv += J^T gz, gc += <gz, dz/dc> for z = expmap0(v).
  void expmap0_vjp(Point<T> v, Point<T> gz, Grad<T> gv, T& gc) const {
    const W s = root_c() * detail::length<T>(v), f = radial(s);
    const W slope = s < farthest() ? sinhc_slope(s) : W(-f / (s * s));
    detail::radial_vjp<T>(v, gz, f, slope, W(c_), gv, gc);
  }
  /// gz += J^T gv, gc += <gv, dv/dc> for v = logmap0(z).
  void logmap0_vjp(Point<T> z, Point<T> gv, Grad<T> gz, T& gc) const {
    const W s = root_c() * detail::length<T>(z);
    detail::radial_vjp<T>(z, gv, asinhc(s), asinhc_slope(s), W(c_), gz, gc);
  }

  /// <u,v> - <x,u><x,v>/t_x^2.
  [[nodiscard]] T inner(Point<T> x, Point<T> u, Point<T> v) const {
    return T(inner_wide(x, u, v));
  }
  [[nodiscard]] T norm(Point<T> x, Point<T> v) const {
    return T(detail::root(inner_wide(x, v, v)));
  }
  /// v + c <y,v>_L/(2(1+w)) (x+y), <y,v>_L = <y - (t_y/t_x) x, v> the Lorentz product.
  void parallel_transport(Point<T> x, Point<T> y, Point<T> v, Grad<T> out) const {
    const Pair p(*this, x, y);
    W m(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      m -= W(2) * p.by_x(W(x[i]), W(y[i])) * W(v[i]);
    const W k = W(c_) * m / (W(2) * (W(1) + W(c_) * p.q));
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(W(v[i]) + k * (W(x[i]) + W(y[i])));
  }
  /// g + c <x,g> x: the inverse metric of the chart.
  void egrad2rgrad(Point<T> x, Point<T> g, Grad<T> out) const {
    detail::combine<T>(W(1), g, W(c_) * dot<T>(x, g), x, out);
  }
  void project(Point<T> x, Grad<T> out) const { detail::copy<T>(x, out); }
  void project_tangent(Point<T>, Point<T> v, Grad<T> out) const {
    detail::copy<T>(v, out);
  }
  /// x + v in the chart.
  void retract(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1), x, W(1), v, out);
  }
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    return detail::all_finite<T>(x);
  }

  // GramMetric. Q = (n_a + n_b - 2g - (t_a-t_b)^2)/4.
  static constexpr int row_size = 2;
  /// {n, t}.
  [[nodiscard]] std::array<double, 2> row_stat(double n) const {
    return {n, std::sqrt(1 / static_cast<double>(c_) + n)};
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> gram_dist(const V& g, const V* a,
                                                 const V* b) const {
    const V sum = a[0] + b[0], dt = (a[0] - b[0]) / (a[1] + b[1]), dt2 = dt * dt;
    const V q4 = sum - V(T(2)) * g - dt2;
    const auto [d, by_q, by_c] = detail::chord_dist_lanes<T>(V(V(T(0.25)) * q4), c_);
    // dQ/dn_a = (1 - (t_a-t_b)/t_a)/4 = t_b/(4 t_a); dQ/dc = -(t_a-t_b)^2/(4 c^2 t_a
    // t_b).
    const V quarter = V(T(0.25)) * by_q;
    return {d,
            V(T(-0.5)) * by_q,
            quarter * (b[1] / a[1]),
            quarter * (a[1] / b[1]),
            by_c - quarter * V(T(1) / (c_ * c_)) * dt2 / (a[1] * b[1]),
            q4 - V(gram_theta<T>) * sum};
  }

 private:
  [[nodiscard]] W root_c() const {
    using std::sqrt;
    return sqrt(W(c_));
  }
  [[nodiscard]] W time_of(const W& n) const {
    using std::sqrt;
    return sqrt(W(1) / W(c_) + n);
  }
  [[nodiscard]] static W farthest() {
    using std::log;
    return log(W(std::numeric_limits<T>::max())) / W(2);
  }
  [[nodiscard]] static W radial(const W& s) {
    using std::sinh;
    const W end = farthest();
    return s < end ? sinhc(s) : W(sinh(end) / s);
  }
  /// Split along x: |v|^2 - <x,v>^2/t^2 as it stands cancels for radial v far from the
  /// origin.
  [[nodiscard]] W inner_wide(Point<T> x, Point<T> u, Point<T> v) const {
    const W n = norm2<T>(x);
    if (n == W(0)) return dot<T>(u, v);
    const W pu = dot<T>(x, u) / n, pv = dot<T>(x, v) / n;
    W s(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      s += (W(u[i]) - pu * W(x[i])) * (W(v[i]) - pv * W(x[i]));
    return s + pu * pv * n / (W(1) + W(c_) * n);
  }

  /// Q by its radial and its angular part, both >= 0: with a = |x|, b = |y|
  /// Q = (a-b)^2/(2(c t_x t_y + c a b + 1)) + |b x - a y|^2/(4 a b).
  struct Pair {
    W a, b, tx, ty, gap, q, k;
    Pair(const Lorentz& m, Point<T> x, Point<T> y)
        : a{detail::length<T>(x)},
          b{detail::length<T>(y)},
          tx{m.time_of(a * a)},
          ty{m.time_of(b * b)},
          gap(0),
          q(0),
          k(0) {
      HCL_ASSERT(x.size() == y.size());
      if (a == W(0) && b == W(0)) return;
      const W c(m.c_), radial = detail::norm2_gap<T>(x, y);
      gap = radial / (a + b);
      q = gap * gap / (W(2) * (c * (tx * ty + a * b) + W(1)));
      if (a == W(0) || b == W(0)) return;
      W angular(0);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const W e = detail::turn<W>(W(x[i]), W(y[i]), a + b, gap);
        angular += e * e;
      }
      q += angular / (W(4) * a * b);
      k = radial / (c * (b * tx + a * ty));
    }
    /// dQ/dx_i = ((t_y/t_x) x_i - y_i)/2, split in the same way.
    [[nodiscard]] W by_x(const W& x, const W& y) const {
      if (a == W(0) || b == W(0)) return (ty / tx * x - y) / W(2);
      return (detail::turn<W>(x, y, a + b, gap) + k / tx * x) / (W(2) * a);
    }
    [[nodiscard]] W by_y(const W& x, const W& y) const {
      if (a == W(0) || b == W(0)) return (tx / ty * y - x) / W(2);
      return -(detail::turn<W>(x, y, a + b, gap) + k / ty * y) / (W(2) * b);
    }
  };

  /// At fixed x, y: dQ/dc = -(t_x-t_y)^2/(4 c^2 t_x t_y).
  void pair_vjp(const Pair& p, const detail::OfChord<W>& f, Point<T> x, Point<T> y,
                const W& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const W k = g * f.by_q, c(c_);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u(x[i]), v(y[i]);
      gx[i] = T(W(gx[i]) + k * p.by_x(u, v));
      gy[i] = T(W(gy[i]) + k * p.by_y(u, v));
    }
    const W dt = p.gap * (p.a + p.b) / (p.tx + p.ty);
    gc = T(W(gc) + g * f.by_c - k * dt * dt / (W(4) * c * c * p.tx * p.ty));
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
