// hcl/manifold/geodesic.hpp - points along a geodesic. The `_vjp` accumulate.
#pragma once

#include <array>
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

/// c d(x,y)^2, not rounded to T.
template <class M, class T>
[[nodiscard]] Wide<T> theta2(const M& m, Point<T> x, Point<T> y) {
  using W = Wide<T>;
  if constexpr (std::same_as<M, Euclidean<T>>) {
    return W(0);
  } else if constexpr (std::same_as<M, Sphere<T>>) {
    const W angle = m.angle(x, y);
    return angle * angle;
  } else {
    const W w = W(m.c()) * m.chord(x, y), f = asinhc_of_square(w);
    return W(4) * w * f * f;
  }
}

/// Backward of out = on_x x + on_y y, weights(|x|^2, |y|^2, z, t, c), z = c d(x,y)^2.
template <class M, class T, class Weights>
void two_point_vjp(const M& m, Point<T> x, Point<T> y, const T& t, const Weights& weights,
                   Point<T> g, Grad<T> gx, Grad<T> gy, T& gt, T& gc) {
  using W = Wide<T>;
  const W d2 = W(m.dist2(x, y)), c0 = W(m.c());
  const auto [nx, ny, z, s, c] =
      variables<W>(norm2<T>(x), norm2<T>(y), theta2(m, x, y), t, c0);
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

// Outside [0,1] what is left of a far end on the other side of a near one is a small
// difference. It is taken in the width of sums, from the end p nearer the origin:
// gamma = on_p p + on_step (q - p).
template <class S>
struct OnExtension {
  S on_p, on_step;
};
/// cosh(s) p + sinh(s)/sinh(theta) (q - cosh(theta) p), theta = sqrt(c) d(p,q), s =
/// t theta, from w = c Q = sinh^2(theta/2).
template <class S>
[[nodiscard]] OnExtension<S> lorentz_extension(const S& w, const S& t) {
  using std::sqrt;
  const S f = asinhc_of_square(w), z = S(4) * w * t * t * f * f;
  const S on_step = t * f * sinhc_of_square(z) / sqrt(S(S(1) + w));
  return {cosh_of_square(z) - S(2) * w * on_step, on_step};
}
/// p (+) u for u along (-p) (+) q, sqrt(c)|u| = tanh(t theta/2), from np = |p|^2, pd =
/// <p, q-p>, d2 = |q-p|^2: u = k ((1-c|p|^2)(q-p) - c d2 p).
template <class S>
[[nodiscard]] OnExtension<S> ball_extension(const S& np, const S& pd, const S& d2,
                                            const S& t, const S& c) {
  using std::sqrt;
  const S a = S(1) - c * np, ab = a * (a - c * (S(2) * pd + d2)), w = c * d2 / ab;
  const S f = asinhc_of_square(w), z = t * t * w * f * f, th = tanhc_of_square(z);
  const S k = t * f * th / (ab * sqrt(S(S(1) + w))), nu = z * th * th;  // c|u|^2
  const S pu = k * (a * pd - c * d2 * np);
  const S step = a / (S(1) + S(2) * c * pu + c * np * nu);
  return {S(1) + step * (nu - k * c * d2), step * k * a};
}
/// The first three arguments of ball_extension.
template <class T>
[[nodiscard]] std::array<Sum<T>, 3> ball_numbers(Point<T> p, Point<T> q) {
  return sums_of<3, Sum<T>>(p.size(), [&]<class V>(std::array<V, 3>& s, std::size_t k) {
    const V u = load_sum<V>(&p[k]), d = load_sum<V>(&q[k]) - u;
    s[0] = add_product(s[0], u, u), s[1] = add_product(s[1], u, d);
    s[2] = add_product(s[2], d, d);
  });
}

/// The ends of a geodesic and t as seen from p.
template <class T>
struct Extension {
  bool from_y;
  Point<T> p, q;
  Sum<T> t;
  Extension(Point<T> x, Point<T> y, const T& at)
      : from_y{norm2<T>(y) < norm2<T>(x)},
        p{from_y ? y : x},
        q{from_y ? x : y},
        t{from_y ? Sum<T>(1) - Sum<T>(at) : Sum<T>(at)} {}
};
template <class T>
void put_extension(const OnExtension<Sum<T>>& k, const Extension<T>& e, Grad<T> out) {
  using S = Sum<T>;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = T(k.on_p * S(e.p[i]) + k.on_step * (S(e.q[i]) - S(e.p[i])));
}
template <class T>
void extend(const PoincareBall<T>& m, const Extension<T>& e, Grad<T> out) {
  using S = Sum<T>;
  const auto [np, pd, d2] = ball_numbers<T>(e.p, e.q);
  put_extension(ball_extension<S>(np, pd, d2, e.t, S(m.c())), e, out);
  m.project(out, out);
}
/// A step longer than farthest() ends there, as that of expmap does.
template <class T>
void extend(const Lorentz<T>& m, const Extension<T>& e, Grad<T> out) {
  using W = Wide<T>;
  using S = Sum<T>;
  const S w = S(m.c()) * m.chord_sum(e.p, e.q);
  const W s = W(e.t) * root(theta2(m, e.p, e.q)), size = s < W(0) ? W(-s) : s;
  const W end = m.farthest();
  put_extension(lorentz_extension<S>(w, size < end ? e.t : S(e.t * S(end / size))), e,
                out);
  m.project(out, out);
}

/// <g, q - p> and <g, p>.
template <class T>
[[nodiscard]] std::array<Sum<T>, 2> pulls(const Extension<T>& e, Point<T> g) {
  using S = Sum<T>;
  std::array<S, 2> r{S(0), S(0)};
  for (std::size_t i = 0; i < g.size(); ++i) {
    r[0] += S(g[i]) * (S(e.q[i]) - S(e.p[i]));
    r[1] += S(g[i]) * S(e.p[i]);
  }
  return r;
}
template <class T>
void extend_vjp(const PoincareBall<T>& m, const Extension<T>& e, Point<T> g, Grad<T> gp,
                Grad<T> gq, T& gt, T& gc) {
  using W = Wide<T>;
  using S = Sum<T>;
  const auto of = ball_numbers<T>(e.p, e.q);
  const auto [np, pd, d2, t, c] = variables<S>(of[0], of[1], of[2], e.t, m.c());
  const auto k = ball_extension(np, pd, d2, t, c);
  const auto [along_step, along_p] = pulls(e, g);
  const auto by = (along_p * k.on_p + along_step * k.on_step).d;
  const S two(2);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const S u = S(e.p[i]), gi = S(g[i]), d = S(e.q[i]) - u;
    const S step = k.on_step.v * gi + by[1] * u + two * by[2] * d;
    gp[i] = T(S(gp[i]) + k.on_p.v * gi + two * by[0] * u + by[1] * d - step);
    gq[i] = T(S(gq[i]) + step);
  }
  gt = T(W(gt) + (e.from_y ? W(-by[3]) : W(by[3])));
  gc = T(W(gc) + W(by[4]));
}
template <class T>
void extend_vjp(const Lorentz<T>& m, const Extension<T>& e, Point<T> g, Grad<T> gp,
                Grad<T> gq, T& gt, T& gc) {
  using W = Wide<T>;
  using S = Sum<T>;
  const auto [q, t, c] = variables<S>(m.chord_sum(e.p, e.q), e.t, m.c());
  const auto k = lorentz_extension(c * q, t);
  const auto [along_step, along_p] = pulls(e, g);
  const auto by = (along_p * k.on_p + along_step * k.on_step).d;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const S step = k.on_step.v * S(g[i]);
    gp[i] = T(S(gp[i]) + k.on_p.v * S(g[i]) - step);
    gq[i] = T(S(gq[i]) + step);
  }
  m.chord_vjp(e.p, e.q, W(by[0]), gp, gq, gc);
  gt = T(W(gt) + (e.from_y ? W(-by[1]) : W(by[1])));
  gc = T(W(gc) + W(by[2]));
}

template <class M>
inline constexpr bool hyperbolic = false;
template <class T>
inline constexpr bool hyperbolic<PoincareBall<T>> = true;
template <class T>
inline constexpr bool hyperbolic<Lorentz<T>> = true;

}  // namespace detail

/// gamma(t), the geodesic with gamma(0) = x, gamma(1) = y, = expmap(x, t logmap(x,y)),
/// any finite t. With s = sqrt(c) d(x,y), on the hyperboloid (sinh((1-t)s) x + sinh(ts)
/// y)/sinh s, on the sphere the same with sin; the ball by its hyperboloid: for t in
/// [0,1] no term is negative, and there is no case for x = y. Beyond, hyperbolic ones are
/// steps from the end nearer the origin. Not defined at antipodes. Rounded to the inside
/// on the ball, to farthest() in Lorentz space. out may be x or y.
template <Manifold M>
void geodesic(const M& m, Point<ScalarOf<M>> x, Point<ScalarOf<M>> y,
              const std::type_identity_t<ScalarOf<M>>& t, Grad<ScalarOf<M>> out) {
  using T = ScalarOf<M>;
  using W = Wide<T>;
  if constexpr (detail::hyperbolic<M>)
    if (t < T(0) || t > T(1))
      return detail::extend<T>(m, detail::Extension<T>(x, y, t), out);
  const W c = W(m.c());
  const auto k = detail::on_geodesic(m, W(norm2<T>(x)), W(norm2<T>(y)),
                                     detail::theta2(m, x, y), W(t), c);
  detail::combine<T>(k.on_x, x, k.on_y, y, out);
  if constexpr (std::same_as<M, PoincareBall<T>>) m.project(out, out);
}

/// gx, gy, gt, gc += the backward of geodesic; on the sphere by the raw rows.
template <TrainableManifold M>
void geodesic_vjp(const M& m, Point<ScalarOf<M>> x, Point<ScalarOf<M>> y,
                  const std::type_identity_t<ScalarOf<M>>& t, Point<ScalarOf<M>> g,
                  Grad<ScalarOf<M>> gx, Grad<ScalarOf<M>> gy, ScalarOf<M>& gt,
                  ScalarOf<M>& gc) {
  using T = ScalarOf<M>;
  if constexpr (detail::hyperbolic<M>)
    if (t < T(0) || t > T(1)) {
      const detail::Extension<T> e(x, y, t);
      return detail::extend_vjp<T>(m, e, g, e.from_y ? gy : gx, e.from_y ? gx : gy, gt,
                                   gc);
    }
  detail::two_point_vjp(
      m, x, y, t, [&m](const auto&... v) { return detail::on_geodesic(m, v...); }, g, gx,
      gy, gt, gc);
}

}  // namespace hcl::inline HCL_ABI
