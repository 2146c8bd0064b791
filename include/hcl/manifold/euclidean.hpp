// hcl/manifold/euclidean.hpp - flat space: the baseline, and the limit c -> 0 of the
// others.
#pragma once

#include <array>
#include <cmath>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// R^D with d = |x - y|. c() is 0 and gradients by c are never touched.
template <class T>
class Euclidean {
 public:
  using Scalar = T;
  using W = Wide<T>;

  [[nodiscard]] T c() const { return T(0); }
  /// dist0(expmap0(v)) = origin_scale() |v|.
  [[nodiscard]] T origin_scale() const { return T(1); }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    const auto n = detail::diff2_sum<T>(x, y);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(n))
        return T(W(detail::enlarged_length<T>(x.size(), detail::difference<T>(x, y))) /
                 W(detail::enlarged));
    return T(detail::root(n));
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const { return T(diff2<T>(x, y)); }
  [[nodiscard]] T dist0(Point<T> x) const { return T(detail::length<T>(x)); }

  /// gx += g (x-y)/|x-y|, gy the opposite; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T&) const {
    const W n = diff2<T>(x, y), d = detail::root(n);
    if constexpr (detail::squares_underflow<T>)
      if (detail::underflows<T>(n)) {
        detail::add_unit<T>(W(g), detail::difference<T>(x, y), gx);
        return detail::add_unit<T>(W(g), detail::difference<T>(y, x), gy);
      }
    if (d > W(0)) add_difference(W(g) / d, x, y, gx, gy);
  }
  /// gx += 2 g (x-y), gy the opposite.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T&) const {
    add_difference(W(2) * W(g), x, y, gx, gy);
  }

  void expmap(Point<T> x, Point<T> v, Grad<T> out) const {
    detail::combine<T>(W(1), x, W(1), v, out);
  }
  void logmap(Point<T> x, Point<T> y, Grad<T> out) const {
    detail::combine<T>(W(-1), x, W(1), y, out);
  }
  void expmap0(Point<T> v, Grad<T> out) const { detail::copy<T>(v, out); }
  void logmap0(Point<T> z, Grad<T> out) const { detail::copy<T>(z, out); }
  void expmap0_vjp(Point<T>, Point<T> gz, Grad<T> gv, T&) const {
    for (std::size_t i = 0; i < gz.size(); ++i) gv[i] += gz[i];
  }
  void logmap0_vjp(Point<T>, Point<T> gv, Grad<T> gz, T&) const {
    for (std::size_t i = 0; i < gv.size(); ++i) gz[i] += gv[i];
  }

  [[nodiscard]] T inner(Point<T>, Point<T> u, Point<T> v) const {
    return T(dot<T>(u, v));
  }
  [[nodiscard]] T norm(Point<T>, Point<T> v) const { return T(detail::length<T>(v)); }
  void parallel_transport(Point<T>, Point<T>, Point<T> v, Grad<T> out) const {
    detail::copy<T>(v, out);
  }
  void egrad2rgrad(Point<T>, Point<T> g, Grad<T> out) const { detail::copy<T>(g, out); }
  void project(Point<T> x, Grad<T> out) const { detail::copy<T>(x, out); }
  void project_tangent(Point<T>, Point<T> v, Grad<T> out) const {
    detail::copy<T>(v, out);
  }
  void retract(Point<T> x, Point<T> v, Grad<T> out) const { expmap(x, v, out); }
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    return detail::all_finite<T>(x);
  }

  // GramMetric. Q = |x-y|^2/4.
  static constexpr int row_size = 2;
  static constexpr bool sharp_differences = true;
  /// {n, its rest}, n = |x-m|^2.
  [[nodiscard]] std::array<double, 2> row_stat(const RowNorms& r) const {
    return detail::two_parts<T>(r.from_centre);
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
  }
  [[nodiscard]] double largest_dist(double na, double nb) const {
    return std::sqrt(na) + std::sqrt(nb);
  }
  [[nodiscard]] Euclidean<W> wide() const { return {}; }
  [[nodiscard]] W chord(Point<T> x, Point<T> y) const { return diff2<T>(x, y) / W(4); }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_chord(const V& g, const V* a, const V* b) const {
    return V(T(0.25)) * detail::gram_diff2(g, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V& q, const V* a, const V* b) const {
    return q - V(gram_theta<T> / T(4)) * (a[0] + b[0]);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_chord(const V& d2, const V*, const V*) const {
    return V(T(0.25)) * d2;
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V&, const V*, const V*) const {
    return V(T(1));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> dist_at(const V& q, const V*, const V*,
                                               const V& k = V(T(1))) const {
    const V r = vsqrt(q);
    V dd2 = V(T(0.25)) * k / r;
    const V zero(T(0));
    if constexpr (sizeof(T) > sizeof(float)) dd2 = vselect(q > zero, dd2, zero);
    return {V(T(2)) * k * r, dd2, zero, zero, zero};
  }

 private:
  static void add_difference(const W& k, Point<T> x, Point<T> y, Grad<T> gx, Grad<T> gy) {
    detail::each_coordinate<T>(detail::shared_size(x, y, gx, gy),
                               [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                                 const V u = k * (at(x) - at(y));
                                 at.add(gx, u);
                                 at.add(gy, V(-u));
                               });
  }
};

}  // namespace hcl::inline HCL_ABI
