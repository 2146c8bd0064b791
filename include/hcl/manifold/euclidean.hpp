// hcl/manifold/euclidean.hpp - flat space: the baseline, and the limit c -> 0 of the
// others.
#pragma once

#include <array>

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
    return T(detail::root(diff2<T>(x, y)));
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const { return T(diff2<T>(x, y)); }
  [[nodiscard]] T dist0(Point<T> x) const { return T(detail::length<T>(x)); }

  /// gx += g (x-y)/|x-y|, gy the opposite; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T&) const {
    const W d = detail::root(diff2<T>(x, y));
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

  // GramMetric. d^2 = n_a + n_b - 2g.
  static constexpr int row_size = 1;
  [[nodiscard]] std::array<double, 1> row_stat(double n) const { return {n}; }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_finite_row<T>(where, arg, row, n);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramDist<V> gram_dist(const V& g, const V* a,
                                                 const V* b) const {
    const V sum = a[0] + b[0], d2 = sum - V(T(2)) * g, d = vsqrt(d2);
    const V by_n = V(T(0.5)) / d;
    return {d, V(T(-1)) / d, by_n, by_n, V(T(0)), d2 - V(gram_theta<T>) * sum};
  }

 private:
  static void add_difference(const W& k, Point<T> x, Point<T> y, Grad<T> gx, Grad<T> gy) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u = k * (W(x[i]) - W(y[i]));
      gx[i] = T(W(gx[i]) + u);
      gy[i] = T(W(gy[i]) - u);
    }
  }
};

}  // namespace hcl::inline HCL_ABI
