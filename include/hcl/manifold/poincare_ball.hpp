// hcl/manifold/poincare_ball.hpp - hyperbolic space of curvature -c as the ball |x| <
// 1/sqrt(c).
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The Poincare ball with the metric factor lambda_x = 2/(1 - c|x|^2) (Ganea, Becigneul,
/// Hofmann, Hyperbolic Neural Networks, 2018), so d(0, expmap0(v)) = 2|v| and d -> 2|x-y|
/// as c -> 0. Q = |x-y|^2/((1-c|x|^2)(1-c|y|^2)). Points lie strictly inside. expmap,
/// expmap0 and project round what would reach the rim to 1 - c|x|^2 = 8 epsilon: sqrt(c)
/// d(0,x) = 15.2 in float, 35.3 in double, the farthest that any point they give can lie.
template <class T>
class PoincareBall {
 public:
  using Scalar = T;
  using W = Wide<T>;
  using S = Sum<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit PoincareBall(T c = T(1)) : c_{detail::checked_curvature("PoincareBall", c)} {}
  [[nodiscard]] T c() const { return c_; }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(2); }
  /// 1 - c|x|^2 = 2/lambda_x with the digits of its sum.
  [[nodiscard]] W gap(Point<T> x) const { return W(gap(detail::dot_sum<T>(x, x))); }
  /// The same from |x|^2: the one place where the digits are lost near the rim.
  [[nodiscard]] S gap(const S& n) const { return S(1) - S(c_) * n; }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    const Pair p(*this, x, y);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(p.diff)) return T(close_dist(p, x, y));
    return T(detail::chord_dist<T>(p.q, c_).value);
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist2<T>(Pair(*this, x, y).q, c_).value);
  }
  [[nodiscard]] T dist0(Point<T> x) const {
    const S n = detail::dot_sum<T>(x, x);
    if (detail::underflows<T>(n)) return T(W(2) * detail::length<T>(x));
    return T(detail::chord_dist<T>(n / gap(n), c_).value);
  }

  /// Adds g dd/dx, g dd/dy, g dd/dc; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const Pair p(*this, x, y);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(p.diff)) {
        const W k = W(2) * W(g) * close_scale(p);
        detail::add_unit<T>(k, detail::difference<T>(x, y), gx);
        detail::add_unit<T>(k, detail::difference<T>(y, x), gy);
        gc = T(W(gc) + W(g) * close_dist(p, x, y) * (p.nx / p.a + p.ny / p.b) / W(2));
        return;
      }
    pair_vjp(p, detail::chord_dist<T>(p.q, c_), x, y, W(g), gx, gy, gc);
  }
  /// The same for d^2, smooth everywhere.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const Pair p(*this, x, y);
    pair_vjp(p, detail::chord_dist2<T>(p.q, c_), x, y, W(g), gx, gy, gc);
  }

  /// x (+) u with u = tanh(sqrt(c) lambda_x |v|/2) v/(sqrt(c)|v|), written as a step from
  /// x: x + (1-c|x|^2)(u + c|u|^2 x)/(1 + 2c<x,u> + c^2|x|^2|u|^2).
  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    using std::sqrt;
    // A step across the ball ends in small differences of large terms.
    const S c = S(c_);
    const auto [nx, nv, xv] = detail::gram_sums<T>(x, v);
    const W a(gap(nx));
    const S s(tanhc(W(sqrt(W(c_)) * detail::root(W(nv)) / a)) / a), nu = s * s * nv;
    const S xu = s * xv;
    const S k = gap(nx) / (S(1) + S(2) * c * xu + c * c * nx * nu);
    const S by_x = S(1) + k * c * nu, by_v = k * s;
    if constexpr (std::same_as<S, W>)
      detail::combine<T>(by_x, x, by_v, v, out);
    else
      for (std::size_t i = 0; i < x.size(); ++i)
        out[i] = T(by_x * S(x[i]) + by_v * S(v[i]));
    project(out, out);
  }
  /// ((1-c|x|^2)(y-x) - c|y-x|^2 x) F(w)/((1-c|y|^2) sqrt(1+w)), w = cQ: 2 artanh(...) of
  /// (-x) (+) y without its cancellation, and without a case for y = x.
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    using std::sqrt;
    const Pair p(*this, x, y);
    const W c = W(c_), w = c * W(p.q);
    const W k = asinhc(detail::root(w)) / (p.b * sqrt(W(1) + w));
    const W ky = k * p.a, kx = k * c * p.diff;
    detail::each_coordinate<T>(detail::shared_size(x, y, out),
                               [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                                 at.put(out, V(ky * (at(y) - at(x)) - kx * at(x)));
                               });
  }
  /// tanh(sqrt(c)|v|) v/(sqrt(c)|v|).
  void expmap0(Point<T> v, Grad<T> out) const {
    using std::sqrt;
    const W s = sqrt(W(c_)) * detail::length<T>(v), f = tanhc(s);
    detail::scale<T>(f, v, out);
    inside(W(1) - f * s * (f * s), out);
  }
  /// artanh(sqrt(c)|z|) z/(sqrt(c)|z|), as asinh of |z|/sqrt(1-c|z|^2).
  void logmap0(Point<T> z, Grad<T> out) const {
    using std::sqrt;
    const W n = norm2<T>(z), a = gap(z);
    detail::scale<T>(asinhc(detail::root(W(W(c_) * n / a))) / sqrt(a), z, out);
  }
  /// gv += J^T gz, gc += <gz, dz/dc> for z = expmap0(v). Near the rim and beyond it,
  /// where z is rounded back, J is taken at the z that is stored, so that with any metric
  /// taken there dist0(z) = 2|v|: a loss still pulls v inwards.
  void expmap0_vjp(Point<T> v, Point<T> gz, Grad<T> gv, T& gc) const {
    using std::sqrt;
    using std::tanh;
    const auto [n, along] = detail::norm2_and_dot<T>(v, gz);
    const W s = sqrt(W(c_)) * W(detail::root(n)), t = tanh(s);
    // There the rounding of z is less than sqrt(eps)/8 of its gap.
    const W rim(W(8) * sqrt(W(std::numeric_limits<T>::epsilon())));
    if ((W(1) - t) * (W(1) + t) < rim)
      return expmap0_rim_vjp(v, n, tanhc(s), gz, along, gv, gc);
    detail::radial_vjp<T>(v, W(n), gz, W(along), s == W(0) ? W(1) : W(t / s),
                          tanhc_slope(s, t), W(c_), gv, gc);
  }
  /// gz += J^T gv, gc += <gv, dv/dc> for v = logmap0(z).
  void logmap0_vjp(Point<T> z, Point<T> gv, Grad<T> gz, T& gc) const {
    using std::sqrt;
    const auto [n, along] = detail::norm2_and_dot<T>(z, gv);
    const W s = sqrt(W(c_)) * W(detail::root(n)), f = atanhc(s);
    detail::radial_vjp<T>(z, W(n), gv, W(along), f, atanhc_slope(s, f), W(c_), gz, gc);
  }

  /// lambda_x^2 <u,v>.
  [[nodiscard]] T inner(Point<T> x, Point<T> u, Point<T> v) const {
    const W l = W(2) / gap(x);
    return T(l * l * dot<T>(u, v));
  }
  [[nodiscard]] T norm(Point<T> x, Point<T> v) const {
    return T(W(2) / gap(x) * detail::length<T>(v));
  }
  /// (lambda_x/lambda_y) gyr[y,-x] v (Ungar; Ganea et al. 2018, eq. 12), with the
  /// gyration as v + 2(A (y-x) + B x)/((1-c|x|^2)(1-c|y|^2)(1+w)), which is v itself at y
  /// = x.
  void parallel_transport(Point<T> x, Point<T> y, Point<T> v, Grad<T> out) const {
    const Pair p(*this, x, y);
    const W c = W(c_), xv = dot<T>(x, v);
    const W dv = detail::diff_dot<T>(y, x, v);
    const W cd = c * p.diff, a_coef = -c * (c * p.nx * dv + (p.b + cd) * xv);
    const W b_coef = c * (p.a * dv - cd * xv), k = W(2) / (p.a * p.b + cd), l = p.b / p.a;
    detail::each_coordinate<T>(detail::shared_size(x, y, v, out),
                               [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                                 const V step = a_coef * (at(y) - at(x)) + b_coef * at(x);
                                 at.put(out, V(l * (at(v) + k * step)));
                               });
  }
  /// g/lambda_x^2.
  void egrad2rgrad(Point<T> x, Point<T> g, Grad<T> out) const {
    const W h = gap(x) / W(2);
    detail::scale<T>(h * h, g, out);
  }
  /// Moves a point that is outside, or within 8 epsilon of the rim, radially onto that
  /// radius.
  void project(Point<T> x, Grad<T> out) const {
    using std::sqrt;
    const W n = W(c_) * norm2<T>(x), k = inward(n);
    if (k == W(1))
      detail::copy<T>(x, out);
    else if (is_finite(n))
      detail::scale<T>(k, x, out);
    else
      detail::set_length<T>(inward(W(1)) / sqrt(W(c_)), x, out);
  }
  /// project(out, out) of a point whose formula says that 1 - c|out|^2 is `left`: nothing
  /// to do where its rounding cannot matter.
  void inside(const W& left, Grad<T> out) const {
    if (!(left > W(32) * W(std::numeric_limits<T>::epsilon()))) project(out, out);
  }
  void project_tangent(Point<T>, Point<T> v, Grad<T> out) const {
    detail::copy<T>(v, out);
  }
  /// project(x + v).
  void retract(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1), x, W(1), v, out);
    project(out, out);
  }
  /// Finite and c|x|^2 < 1.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    if (W(c_) * W(detail::norm2_at_most<T>(x)) < W(1 - 0x1p-50)) return {};
    const S n = S(c_) * detail::dot_sum<T>(x, x);
    if (n < S(1)) return {};  // and so is finite
    if (const auto finite = detail::all_finite<T>(x); !finite) return finite;
    return {false, "outside the ball, c|x|^2 must be < 1", as_double(n)};
  }

  // GramMetric. Q = |x-y|^2/((1-c n_a)(1-c n_b)).
  static constexpr int row_size = 4;
  static constexpr bool sharp_differences = true;
  /// {|x-m|^2, its rest, 1/(1-c n), n/(1-c n)}.
  [[nodiscard]] std::array<double, 4> row_stat(const RowNorms& r) const {
    const auto [whole, rest] = detail::two_parts<T>(r.from_centre);
    // In two doubles, of which at the rim of doubles the second is left.
    const double inv =
        1 / double(DoubleDouble(1.0) -
                   DoubleDouble(static_cast<double>(c_)) * DoubleDouble(r.n, r.rest));
    return {whole, rest, inv, r.n * inv};
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
    const double cn = static_cast<double>(c_) * n;
    // n is rounded; 2^-51 below 1 the exact c|x|^2 is below 1 too.
    expect(cn < (sizeof(T) < sizeof(double) ? 1 : 1 - 0x1p-51), where, ": ", arg, " row ",
           row, " is outside the ball: c|x|^2 = ", cn, ", must be < 1");
  }
  /// By the largest chord; infinity if T cannot hold it.
  [[nodiscard]] double largest_dist(double na, double nb) const {
    const double c = static_cast<double>(c_), apart = std::sqrt(na) + std::sqrt(nb);
    const double q = (apart / (1 - c * na)) * (apart / (1 - c * nb));
    const double most = static_cast<double>((std::numeric_limits<T>::max)()) / 8;
    if (!(q <= most && c * q <= most)) return std::numeric_limits<double>::infinity();
    return 2 * std::asinh(std::sqrt(c * q)) / std::sqrt(c);
  }
  [[nodiscard]] PoincareBall<W> wide() const { return PoincareBall<W>(W(c_)); }
  [[nodiscard]] W chord(Point<T> x, Point<T> y) const { return W(Pair(*this, x, y).q); }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_chord(const V& g, const V* a, const V* b) const {
    return detail::gram_diff2(g, a, b) * (a[2] * b[2]);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V& q, const V* a, const V* b) const {
    return q - V(gram_theta<T>) * (a[0] + b[0]) * (a[2] * b[2]);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_chord(const V& d2, const V* a, const V* b) const {
    return d2 * (a[2] * b[2]);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V&, const V*, const V*) const {
    return V(T(1));
  }
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
    // dQ/dn_a = c Q/(1-c n_a), dQ/dc = Q (n_a/(1-c n_a) + n_b/(1-c n_b)).
    const V slope = q * by_q, by_n = V(c_) * slope;
    return {vcopy(d), a[2] * b[2] * by_q, by_n * a[2], by_n * b[2],
            vfma(slope, V(a[3] + b[3]), by_c)};
  }

 private:
  struct Pair {
    S q;
    W nx, ny, a, b, diff;
    Pair(const PoincareBall& m, Point<T> x, Point<T> y)
        : Pair(m, detail::norms_and_square<-1, T>(x, y)) {
      HCL_ASSERT(x.size() == y.size());
    }

   private:
    Pair(const PoincareBall& m, const std::array<S, 3>& s)
        : q{s[2] / (m.gap(s[0]) * m.gap(s[1]))},
          nx(s[0]),
          ny(s[1]),
          a(m.gap(s[0])),
          b(m.gap(s[1])),
          diff(s[2]) {
      HCL_ASSERT(a > W(0) && b > W(0));
    }
  };

  /// Where |x-y|^2 underflows d = 2|x-y|/sqrt(ab).
  [[nodiscard]] static W close_scale(const Pair& p) {
    using std::sqrt;
    return W(1) / (sqrt(p.a) * sqrt(p.b));
  }
  [[nodiscard]] static W close_dist(const Pair& p, Point<T> x, Point<T> y) {
    const W d(detail::enlarged_length<T>(x.size(), detail::difference<T>(x, y)));
    return W(2) * d * close_scale(p) / W(detail::enlarged);
  }
  /// What project scales a point with c|x|^2 = n by.
  [[nodiscard]] static W inward(const W& n) {
    using std::sqrt;
    const W eps = W(std::numeric_limits<T>::epsilon());
    const W limit = W(1) - W(8) * eps;
    // One epsilon further in than the limit, so that rounding cannot bring it back out.
    return n <= limit ? W(1) : W(sqrt((limit - W(2) * eps) / n));
  }
  /// expmap0_vjp from n = |v|^2, f = |z|/|v| before rounding, along = <gz, v>, with the z
  /// that expmap0 gives and a = 1 - c|z|^2: d|z|/d|v| = a, across it |z|/|v|, and
  /// d|z|/dc = (a |logmap0(z)| - |z|)/(2c), as dist0(z) does not depend on c. In the
  /// width of sums, since <gz, v> is the larger by 1/a.
  void expmap0_rim_vjp(Point<T> v, const S& n, const W& f, Point<T> gz, const S& along,
                       Grad<T> gv, T& gc) const {
    using std::sqrt;
    const auto once = [&](std::size_t i) { return T(f * W(v[i])); };
    const W k = inward(W(c_) * W(detail::norm2_of<T>(v.size(), once)));
    const S nz =
        detail::norm2_of<T>(v.size(), [&](std::size_t i) { return T(k * W(once(i))); });
    const S a = gap(nz), across = sqrt(nz / n), rest = (a - across) * (along / n);
    for (std::size_t i = 0; i < v.size(); ++i)
      gv[i] = T(S(gv[i]) + across * S(gz[i]) + rest * S(v[i]));
    const W back = sqrt(W(a)) * asinhc(detail::root(W(S(c_) * nz / a)));
    gc = T(W(gc) + W(along * across) * (back - W(1)) / (W(2) * W(c_)));
  }

  /// dQ/dx = 2(x-y)/(ab) + 2cQ x/a, dQ/dc = Q (|x|^2/a + |y|^2/b).
  void pair_vjp(const Pair& p, const detail::OfChord<W>& f, Point<T> x, Point<T> y,
                const W& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const W k = g * f.by_q, q(p.q);
    const W kd = W(2) * k / (p.a * p.b), cq = W(2) * W(c_) * q * k;
    const W kx = cq / p.a, ky = cq / p.b;
    detail::each_coordinate<T>(detail::shared_size(x, y, gx, gy),
                               [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                                 const V u = kd * (at(x) - at(y));
                                 at.add(gx, V(u + kx * at(x)));
                                 at.add(gy, V(ky * at(y) - u));
                               });
    gc = T(W(gc) + g * f.by_c + k * q * (p.nx / p.a + p.ny / p.b));
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
