// hcl/manifold/lorentz.hpp - hyperbolic space of curvature -c as the hyperboloid, in the
// chart of its spatial coordinates.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// g += e(i) in Sum<T>, a covector at x, |x| = length. The metric of the Lorentz chart
/// sees <x, g> enlarged by t_x sqrt(c), and with it the rounding of the coordinates. So
/// the smallest coordinate that x can still be moved by takes up what the others lost of
/// <x, g>.
template <class T, class E>
void add_covector(Point<T> x, const Sum<T>& length, Grad<T> g, const E& e) {
  using W = Wide<T>;
  using S = Sum<T>;
  const std::size_t n = x.size();
  const W enough = W(length) * W(length) / W(16.0 * double(n));
  W lost(0), least((std::numeric_limits<W>::max)());
  std::size_t at = n;
  for (std::size_t i = 0; i < n; ++i) {
    const S sum = S(g[i]) + e(i);
    g[i] = T(sum);
    const W u = W(x[i]), size = W(g[i]) < W(0) ? W(-W(g[i])) : W(g[i]);
    lost += u * W(sum - S(g[i]));
    if (u * u > enough && size < least) at = i, least = size;
  }
  if (at < n) g[at] = T(W(g[at]) + lost / W(x[at]));
}

}  // namespace detail

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
  using S = Sum<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit Lorentz(T c = T(1)) : c_{detail::checked_curvature("Lorentz", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(1); }
  /// t_x = sqrt(1/c + |x|^2).
  [[nodiscard]] T time(Point<T> x) const { return T(time_of(detail::dot_sum<T>(x, x))); }

  /// sqrt(c) d(0, x) of the largest |x|^2: where expmap0 and the steps of expmap end.
  [[nodiscard]] W farthest() const {
    using std::sqrt;
    const W most = W(detail::largest_norm2<T>()), c = W(c_);
    return detail::arsinh(c < W(1) ? W(sqrt(c) * sqrt(most)) : W(sqrt(most))) *
           (W(1) - W(1e-6));
  }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    const Pair p(*this, x, y);
    if constexpr (detail::squares_underflow<T>)
      if (p.is_close()) return T(W(2) * p.enlarged_root(c_, x, y) / W(detail::enlarged));
    return T(detail::chord_dist<T>(p.q, c_).value);
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist2<T>(Pair(*this, x, y).q, c_).value);
  }
  /// asinh(sqrt(c)|x|)/sqrt(c).
  [[nodiscard]] T dist0(Point<T> x) const {
    const W a = detail::length<T>(x);
    return T(a * asinhc(W(root_c() * a)));
  }

  /// Adds g dd/dx, g dd/dy, g dd/dc; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const Pair p(*this, x, y);
    if constexpr (detail::squares_underflow<T>)
      if (p.is_close()) return close_vjp(p, x, y, W(g), gx, gy, gc);
    pair_vjp(p, detail::chord_dist<T>(p.q, c_), x, y, W(g), gx, gy, gc);
  }
  /// The same for d^2, smooth everywhere.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const Pair p(*this, x, y);
    pair_vjp(p, detail::chord_dist2<T>(p.q, c_), x, y, W(g), gx, gy, gc);
  }

  /// Q in the width of sums, and its backward: k dQ/dx, k dQ/dy, k dQ/dc are added.
  [[nodiscard]] S chord_sum(Point<T> x, Point<T> y) const { return Pair(*this, x, y).q; }
  void chord_vjp(Point<T> x, Point<T> y, const W& k, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    pair_vjp(Pair(*this, x, y), {W(0), k, W(0)}, x, y, W(1), gx, gy, gc);
  }

  /// cosh(r) x + sinh(r)/r v, r = sqrt(c)|v|_x; a step longer than farthest() ends there,
  /// and so does one to a point farther out.
  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    using std::cosh;
    const W r = root_c() * detail::root(inner_wide(x, v, v)), end = farthest();
    detail::combine<T>(r < end ? cosh(r) : cosh(end), x, radial(r), v, out);
    project(out, out);
  }
  /// F(w)/sqrt(1+w) ((y-x) - 2w x), w = cQ: theta/sinh(theta) (y - cosh(theta) x).
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    using std::sqrt;
    const W w = W(c_) * W(Pair(*this, x, y).q);
    const W k = asinhc(detail::root(w)) / sqrt(W(1) + w);
    detail::each_coordinate<T>(detail::shared_size(x, y, out),
                               [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                                 at.put(out, V(k * ((at(y) - at(x)) - W(2) * w * at(x))));
                               });
  }
  /// sinh(s)/s v, s = sqrt(c)|v|. Where |z|^2 or c|z|^2 would pass
  /// the largest T/2^20 (at c = 1: s = 38 in float, 348 in double), z stays there.
  void expmap0(Point<T> v, Grad<T> out) const {
    detail::scale<T>(radial(root_c() * detail::length<T>(v)), v, out);
  }
  /// asinh(s)/s z, s = sqrt(c)|z|.
  void logmap0(Point<T> z, Grad<T> out) const {
    detail::scale<T>(asinhc(W(root_c() * detail::length<T>(z))), z, out);
  }
  /// gv += J^T gz, gc += <gz, dz/dc> for z = expmap0(v). Where z stays at farthest(), J
  /// goes on from there: d|z|/d|v| = cosh, and dist0(z) does not depend on c.
  void expmap0_vjp(Point<T> v, Point<T> gz, Grad<T> gv, T& gc) const {
    using std::cosh;
    const W s = root_c() * detail::length<T>(v), f = radial(s), end = farthest();
    const W n = norm2<T>(v), along = dot<T>(gz, v), c = W(c_);
    if (s < end)
      return detail::radial_vjp<T>(v, n, gz, along, f, sinhc_slope(s), c, gv, gc);
    T whole(0);
    detail::radial_vjp<T>(v, n, gz, along, f, W((cosh(end) - f) / (s * s)), c, gv, whole);
    gc = T(W(gc) + along * (end / s * cosh(end) - f) / (W(2) * c));
  }
  /// gz += J^T gv, gc += <gv, dv/dc> for v = logmap0(z).
  void logmap0_vjp(Point<T> z, Point<T> gv, Grad<T> gz, T& gc) const {
    const W s = root_c() * detail::length<T>(z), f = asinhc(s);
    detail::radial_vjp<T>(z, norm2<T>(z), gv, dot<T>(gv, z), f, asinhc_slope(s, f), W(c_),
                          gz, gc);
  }

  /// <u,v> - <x,u><x,v>/t_x^2.
  [[nodiscard]] T inner(Point<T> x, Point<T> u, Point<T> v) const {
    return T(inner_wide(x, u, v));
  }
  [[nodiscard]] T norm(Point<T> x, Point<T> v) const {
    const W n = inner_wide(x, v, v);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(n)) return T(tiny_norm(x, v));
    return T(detail::root(n));
  }
  /// v + c <y,v>_L/(2(1+w)) (x+y), <y,v>_L = <y - (t_y/t_x) x, v> the Lorentz product.
  void parallel_transport(Point<T> x, Point<T> y, Point<T> v, Grad<T> out) const {
    const Pair p(*this, x, y);
    W m(0);
    for (std::size_t i = 0; i < x.size(); ++i) m += W(p.by_x(S(x[i]), S(y[i])) * S(v[i]));
    const W k = -W(c_) * m / (W(1) + W(c_) * W(p.q));
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] = T(W(v[i]) + k * (W(x[i]) + W(y[i])));
  }
  /// g + c <x,g> x: the inverse metric of the chart.
  void egrad2rgrad(Point<T> x, Point<T> g, Grad<T> out) const {
    detail::combine<T>(W(1), g, W(c_) * dot<T>(x, g), x, out);
  }
  /// Moves a point beyond farthest() radially there.
  void project(Point<T> x, Grad<T> out) const {
    using std::sqrt;
    const W c = W(c_), n = norm2<T>(x), most = W(detail::largest_norm2<T>());
    if (n <= most && c * n <= most) {
      if (x.data() != out.data()) detail::copy<T>(x, out);
      return;
    }
    const W length = sqrt(c < W(1) ? most : W(most / c)) * (W(1) - W(1e-6));
    detail::set_length<T>(length, x, out);
  }
  void project_tangent(Point<T>, Point<T> v, Grad<T> out) const {
    detail::copy<T>(v, out);
  }
  /// project(x + v), in the chart.
  void retract(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1), x, W(1), v, out);
    project(out, out);
  }
  /// Finite, with |x|^2 and c|x|^2 at most detail::largest_norm2: the largest T/2^20.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    return detail::all_finite<T>(x, W(c_));
  }

  // GramMetric. Q = (|x-y|^2 - (t_a-t_b)^2)/4, and from a Gram matrix about a point m of
  // the hyperboloid, with s = t - t_m and e = |x-m|^2 - s^2 = 4 Q(x, m):
  // 4Q = e_a + e_b - 2 (<x_a-m, x_b-m> - s_a s_b). For a far and a near point that is
  // made of the product of their sizes, not of the larger one's square.
  static constexpr int row_size = 8;
  /// {e, its rest, s, its rest, 1/t, |x-m|, e/2 and what it may be wrong by, t}.
  [[nodiscard]] std::array<double, 8> row_stat(const RowNorms& r) const {
    const double k = 1 / static_cast<double>(c_), t0 = std::sqrt(k);
    const double t = std::sqrt(k + r.n), t_m = std::sqrt(k + r.centre);
    const auto [s, s_rest] = detail::two_parts<T>((r.n - r.centre) / (t + t_m));
    // |x-m|^2 - s^2, or farther out 2 (t t_m - <x,m> - 1/c) with t = 1/sqrt(c) + p: what
    // has the smaller terms, of which rounding may leave too little.
    const double p = r.n / (t + t0), p_m = r.centre / (t_m + t0);
    const double times = p * p_m + t0 * (p + p_m), about_centre = r.from_centre + s * s;
    const double about_origin = times + std::abs(r.along);
    const double whole =
        about_centre < about_origin ? r.from_centre - s * s : 2 * (times - r.along);
    const auto [e, e_rest] = detail::two_parts<T>(whole);
    constexpr double off = 2 * std::numeric_limits<double>::epsilon() /
                           double(std::numeric_limits<T>::epsilon());
    return {e,
            e_rest,
            s,
            s_rest,
            1 / t,
            std::sqrt(r.from_centre),
            0.5 * whole + off * (std::min)(about_centre, about_origin),
            t};
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n, static_cast<double>(c_));
  }
  [[nodiscard]] double largest_dist(double na, double nb) const {
    const double c = static_cast<double>(c_);
    return (std::asinh(std::sqrt(c * na)) + std::asinh(std::sqrt(c * nb))) / std::sqrt(c);
  }
  [[nodiscard]] Lorentz<W> wide() const { return Lorentz<W>(W(c_)); }
  [[nodiscard]] W chord(Point<T> x, Point<T> y) const { return W(Pair(*this, x, y).q); }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_chord(const V& g, const V* a, const V* b) const {
    return vfma(V(T(0.5)), V(a[2] * b[2]), V(V(T(0.25)) * detail::gram_diff2(g, a, b)));
  }
  /// e_a + e_b + 2 |x_a-m| |x_b-m| is |x_a-m|^2 + |x_b-m|^2 in flat space, else less.
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V& q, const V* a, const V* b) const {
    return q - V(gram_theta<T> / T(4)) * vfma(a[5], b[5], V(a[6] + b[6]));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_chord(const V& d2, const V* a, const V* b) const {
    const V dt = detail::gram_gap(a + 2, b + 2);
    return V(T(0.25)) * (d2 - dt * dt);
  }
  /// The rounding of (t_a-t_b)^2 is one of n_a-n_b = (t_a-t_b)(t_a+t_b).
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V& q, const V* a, const V* b) const {
    const V one(T(1)), dt = detail::gram_gap(a + 2, b + 2);
    const V gap = dt * (one / a[4] + one / b[4]);
    return q - V(T(1.0 / (1 << 26))) * vmax(gap, V(T(0)) - gap);
  }
  /// t_b/t_a = 1 - (t_a-t_b)/t_a = 1 + dna/dd2: that difference cancels for a far x_a and
  /// a near x_b.
  template <class V>
  [[nodiscard]] HCL_INLINE V own(const V* a, const V* b) const {
    return b[7] * a[4];
  }
  /// 2Q + (t_a-t_b)/(c t_a) and the same of b: as a sum over coordinates it would lose
  /// cosh r times more.
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 2> radial(const V& q, const V* a,
                                                   const V* b) const {
    const V two(T(2)), dt = detail::gram_gap(a + 2, b + 2), inv = V(T(1) / c_);
    return {vfma(two, q, V(dt * V(inv * a[4]))),
            vfma(two, q, V(dt * V((V(T(0)) - inv) * b[4])))};
  }
  /// cosh r > 2: nearer to the origin the two parts of radial() cancel.
  [[nodiscard]] bool trusts_radial(double n) const { return double(c_) * n > 3; }
  template <class V>
  [[nodiscard]] HCL_INLINE V root_at(const V& q) const {
    return detail::chord_root_lanes<T>(q, c_);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> dist_at(const V& q, const V* a, const V* b,
                                               const V& k = V(T(1))) const {
    return dist_from(root_at(q), q, a, b, k);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> dist_from(const V& m, const V& q, const V* a,
                                                 const V* b, const V& k) const {
    const auto [d, by_q, by_c] = detail::chord_dist_lanes<T>(q, m, c_, k);
    // dQ/dn_a = -(t_a-t_b)/(4 t_a); dQ/dc = -(t_a-t_b)^2/(4 c^2 t_a t_b).
    const V quarter = V(T(0.25)) * by_q, dt = detail::gram_gap(a + 2, b + 2);
    const V ka = dt * a[4], kb = dt * b[4], inv = V(T(1) / c_);
    return {vcopy(d), vcopy(quarter), V(T(0)) - quarter * ka, quarter * kb,
            by_c - quarter * (inv * ka) * (inv * kb)};
  }

 private:
  [[nodiscard]] W root_c() const {
    using std::sqrt;
    return sqrt(W(c_));
  }
  [[nodiscard]] S time_of(const S& n) const {
    using std::sqrt;
    return sqrt(S(1) / S(c_) + n);
  }
  [[nodiscard]] W radial(const W& s) const {
    using std::sinh;
    const W end = farthest();
    return s < end ? sinhc(s) : W(sinh(end) / s);
  }
  /// Split along x: |v|^2 - <x,v>^2/t^2 as it stands cancels for radial v far from the
  /// origin.
  [[nodiscard]] W inner_wide(Point<T> x, Point<T> u, Point<T> v) const {
    const W n = norm2<T>(x);
    if (n == W(0) || detail::underflows<T>(n)) return dot<T>(u, v);
    const W pu = dot<T>(x, u) / n, pv = dot<T>(x, v) / n;
    W s(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      s += (W(u[i]) - pu * W(x[i])) * (W(v[i]) - pv * W(x[i]));
    return s + pu * pv * n / (W(1) + W(c_) * n);
  }

  /// |v|_x where its square underflows.
  [[nodiscard]] W tiny_norm(Point<T> x, Point<T> v) const {
    const W n = norm2<T>(x);
    if (n == W(0) || detail::underflows<T>(n)) return detail::length<T>(v);
    const W e(detail::enlarged), p = e * (dot<T>(x, v) / n);
    W s = p * p * n / (W(1) + W(c_) * n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W across = e * W(v[i]) - p * W(x[i]);
      s += across * across;
    }
    return detail::root(s) / e;
  }

  /// Q by its radial and its angular part, both >= 0: with a = |x|, b = |y|
  /// Q = (a-b)^2/(2(c t_x t_y + c a b + 1)) + |b x - a y|^2/(4 a b).
  struct Pair : detail::Directions<S> {
    using detail::Directions<S>::a, detail::Directions<S>::b, detail::Directions<S>::gap;
    bool flat;       // so near the origin that c|x|^2 = c|y|^2 = 0
    bool at_origin;  // x or y, as seen from the other
    S tx, ty, q, k, by_apart_x, by_apart_y, along_x, along_y;
    Pair(const Lorentz& space, Point<T> x, Point<T> y)
        : detail::Directions<S>(x, y),
          flat{detail::is_tiny<T>(a) && detail::is_tiny<T>(b)},
          at_origin{flat || is_nothing(a, b) || is_nothing(b, a)},
          tx{space.time_of(a * a)},
          ty{space.time_of(b * b)},
          q(0),
          k(0),
          by_apart_x(0),
          by_apart_y(0),
          along_x(0),
          along_y(0) {
      HCL_ASSERT(x.size() == y.size());
      if (at_origin) gap = a - b;
      const S c = S(space.c_);
      if (flat) {
        q = detail::diff2_sum<T>(x, y) / S(4);
        return;
      }
      q = gap * (gap / (S(2) * (c * (tx * ty + a * b) + S(1))));
      if (at_origin) return;
      q += this->apart2(x, y) / S(4);
      k = gap * (a + b) / (c * (b * tx + a * ty));
      by_apart_x = this->m / (S(2) * a), along_x = k / (S(2) * a * tx);
      by_apart_y = this->m / (S(2) * b), along_y = k / (S(2) * b * ty);
    }
    /// a = 0, or too small beside b for what is divided by a.
    [[nodiscard]] static bool is_nothing(const S& smaller, const S& large) {
      if constexpr (detail::squares_underflow<T>)
        return smaller <= large * S(0x1p-200);
      else
        return smaller == S(0);
    }
    /// Q underflows, or has lost digits.
    [[nodiscard]] bool is_close() const {
      return flat || (!at_origin && detail::underflows<T>(q));
    }
    /// Its root, `enlarged` times.
    [[nodiscard]] W enlarged_root(const T& c, Point<T> x, Point<T> y) const {
      if (flat)
        return W(detail::enlarged_length<T>(x.size(), detail::difference<T>(x, y))) /
               W(2);
      const S radial = gap * S(detail::enlarged), across = this->apart_enlarged(x, y);
      const S below = S(2) * (S(c) * (tx * ty + a * b) + S(1));
      return W(detail::root(radial * (radial / below) + across * across / S(4)));
    }
    /// dQ/dx_i = ((t_y/t_x) x_i - y_i)/2, split in the same way.
    [[nodiscard]] S by_x(const S& x, const S& y) const {
      if (at_origin) return (ty / tx * x - y) / S(2);
      return by_apart_x * this->apart(x, y) + along_x * x;
    }
    [[nodiscard]] S by_y(const S& x, const S& y) const {
      if (at_origin) return (tx / ty * y - x) / S(2);
      return S(0) - (by_apart_y * this->apart(x, y) + along_y * y);
    }
  };

  /// dist_vjp where p.is_close(): d = 2 sqrt(Q).
  void close_vjp(const Pair& p, Point<T> x, Point<T> y, const W& g, Grad<T> gx,
                 Grad<T> gy, T& gc) const {
    const W r = p.enlarged_root(c_, x, y), e(detail::enlarged), c(c_);
    if (!(r > W(0))) return;
    const S k(g / r * W(detail::enlarged / detail::risen)), up(detail::risen);
    detail::add_covector<T>(x, p.a, gx, [&](std::size_t i) -> S {
      return k * p.by_x(up * S(x[i]), up * S(y[i]));
    });
    detail::add_covector<T>(y, p.b, gy, [&](std::size_t i) -> S {
      return k * p.by_y(up * S(x[i]), up * S(y[i]));
    });
    const W dt(p.gap * ((p.a + p.b) / (p.tx + p.ty)));
    gc = T(W(gc) - g / W(4) * (dt * e / r / (c * W(p.tx))) * (dt / (c * W(p.ty))));
  }
  /// At fixed x, y: dQ/dc = -(t_x-t_y)^2/(4 c^2 t_x t_y).
  void pair_vjp(const Pair& p, const detail::OfChord<W>& f, Point<T> x, Point<T> y,
                const W& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const W k = g * f.by_q, c = W(c_);
    detail::add_covector<T>(
        x, p.a, gx, [&](std::size_t i) -> S { return S(k) * p.by_x(S(x[i]), S(y[i])); });
    detail::add_covector<T>(
        y, p.b, gy, [&](std::size_t i) -> S { return S(k) * p.by_y(S(x[i]), S(y[i])); });
    const W dt(p.gap * ((p.a + p.b) / (p.tx + p.ty)));
    gc = T(W(gc) + g * f.by_c - k / W(4) * (dt / (c * W(p.tx))) * (dt / (c * W(p.ty))));
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
