// hcl/manifold/geodesic.hpp - points along a geodesic. The `_vjp` accumulate.
#pragma once

#include <cmath>
#include <concepts>
#include <type_traits>

#include "hcl/manifold/concept.hpp"
#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

// f(s t)/f(s) t for f = sinh or sin, by z = s^2: the weight of y at t, of x at 1-t.
template <class S>
[[nodiscard]] S hyperbolic_weight(const S& t, const S& z) {
  return t * sinhc_of_square(S(t * t * z)) / sinhc_of_square(z);
}
template <class S>
[[nodiscard]] S spherical_weight(const S& t, const S& z) {
  return t * sinc_of_square(S(t * t * z)) / sinc_of_square(z);
}

// gamma(t) = on_x x + on_y y, z = c d(x,y)^2.
template <class S>
struct OnGeodesic {
  S on_x, on_y;
};
template <class T, class S>
[[nodiscard]] OnGeodesic<S> on_geodesic(const Lorentz<T>&, const S&, const S&, const S& z,
                                        const S& t, const S&) {
  return {hyperbolic_weight(S(S(1) - t), z), hyperbolic_weight(t, z)};
}
/// The Lorentz geodesic of lambda x and time (lambda-1)/sqrt(c), taken back by X/(1 +
/// sqrt(c) t_X).
template <class T, class S>
[[nodiscard]] OnGeodesic<S> on_geodesic(const PoincareBall<T>&, const S& nx, const S& ny,
                                        const S& z, const S& t, const S& c) {
  const S a = S(1) - c * nx, b = S(1) - c * ny;
  const S u = hyperbolic_weight(S(S(1) - t), z), v = hyperbolic_weight(t, z);
  const S below = a * b + u * b * (S(1) + c * nx) + v * a * (S(1) + c * ny);
  return {S(2) * u * b / below, S(2) * v * a / below};
}
template <class T, class S>
[[nodiscard]] OnGeodesic<S> on_geodesic(const Sphere<T>&, const S& nx, const S& ny,
                                        const S& z, const S& t, const S& c) {
  using std::sqrt;
  return {spherical_weight(S(S(1) - t), z) / sqrt(S(c * nx)),
          spherical_weight(t, z) / sqrt(S(c * ny))};
}
template <class T, class S>
[[nodiscard]] OnGeodesic<S> on_geodesic(const Euclidean<T>&, const S&, const S&, const S&,
                                        const S& t, const S&) {
  return {S(1) - t, t};
}

/// Backward of out = on_x x + on_y y, weights(|x|^2, |y|^2, z, t, c), z = c d(x,y)^2.
template <class M, class T, class Weights>
void two_point_vjp(const M& m, Point<T> x, Point<T> y, const T& t, const Weights& weights,
                   Point<T> g, Grad<T> gx, Grad<T> gy, T& gt, T& gc) {
  using W = Wide<T>;
  const W d2 = W(m.dist2(x, y)), c0 = W(m.c());
  const auto [nx, ny, z, s, c] = variables<W>(norm2<T>(x), norm2<T>(y), c0 * d2, t, c0);
  const auto k = weights(nx, ny, z, s, c);
  const auto by = (dot<T>(g, x) * k.on_x + dot<T>(g, y) * k.on_y).d;
  each_coordinate<T>(shared_size(x, y, g, gx, gy),
                     [&]<class V>(Coordinates<V> at) HCL_INLINE_LAMBDA {
                       at.add(gx, V(k.on_x.v * at(g) + W(2) * by[0] * at(x)));
                       at.add(gy, V(k.on_y.v * at(g) + W(2) * by[1] * at(y)));
                     });
  gt = T(W(gt) + by[3]);
  if constexpr (!std::same_as<M, Euclidean<T>>) {
    m.dist2_vjp(x, y, T(c0 * by[2]), gx, gy, gc);
    gc = T(W(gc) + by[4] + by[2] * d2);
  }
}

}  // namespace detail

/// gamma(t), the geodesic with gamma(0) = x, gamma(1) = y, = expmap(x, t logmap(x,y)),
/// any finite t. With s = sqrt(c) d(x,y), on the hyperboloid (sinh((1-t)s) x + sinh(ts)
/// y)/sinh s, on the sphere the same with sin; the ball by its hyperboloid: for t in
/// [0,1] no term is negative, and there is no case for x = y. Not defined at antipodes.
/// On the ball rounded to the inside. out may be x or y.
template <Manifold M>
void geodesic(const M& m, Point<ScalarOf<M>> x, Point<ScalarOf<M>> y,
              const std::type_identity_t<ScalarOf<M>>& t, Grad<ScalarOf<M>> out) {
  using T = ScalarOf<M>;
  using W = Wide<T>;
  const W c = W(m.c());
  const auto k = detail::on_geodesic(m, W(norm2<T>(x)), W(norm2<T>(y)),
                                     W(c * W(m.dist2(x, y))), W(t), c);
  detail::combine<T>(k.on_x, x, k.on_y, y, out);
  if constexpr (std::same_as<M, PoincareBall<T>>) m.project(out, out);
}

/// gx, gy, gt, gc += the backward of geodesic; on the sphere by the raw rows.
template <TrainableManifold M>
void geodesic_vjp(const M& m, Point<ScalarOf<M>> x, Point<ScalarOf<M>> y,
                  const std::type_identity_t<ScalarOf<M>>& t, Point<ScalarOf<M>> g,
                  Grad<ScalarOf<M>> gx, Grad<ScalarOf<M>> gy, ScalarOf<M>& gt,
                  ScalarOf<M>& gc) {
  detail::two_point_vjp(
      m, x, y, t, [&m](const auto&... v) { return detail::on_geodesic(m, v...); }, g, gx,
      gy, gt, gc);
}

}  // namespace hcl::inline HCL_ABI
