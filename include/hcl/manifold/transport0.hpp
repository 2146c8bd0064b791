// hcl/manifold/transport0.hpp - parallel transport from and to the origin. The `_vjp`
// accumulate.
#pragma once

#include <cmath>
#include <type_traits>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// Transport from the origin of Lorentz space is v + k<y,v> y with this k, back with the
/// next.
template <class S>
[[nodiscard]] S lorentz_lift(const S& n, const S& c) {
  using std::sqrt;
  return c / (S(1) + sqrt(S(S(1) + c * n)));
}
template <class S>
[[nodiscard]] S lorentz_drop(const S& n, const S& c) {
  using std::sqrt;
  const S q = sqrt(S(S(1) + c * n));
  return -c / (q * (S(1) + q));
}

/// Backward of out = v + k(|y|^2, c) <y,v> y.
template <class T, class F>
void rank_one_vjp(const F& k_of, const T& c, Point<T> y, Point<T> v, Point<T> g,
                  Grad<T> gy, Grad<T> gv, T& gc) {
  using W = Wide<T>;
  HCL_ASSERT(y.size() == v.size() && y.size() == g.size());
  const auto [n, kc] = variables<W>(norm2<T>(y), c);
  const auto k = k_of(n, kc);
  const W yv = dot<T>(y, v), yg = dot<T>(y, g), both = yv * yg;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const W yi = W(y[i]), vi = W(v[i]), gi = W(g[i]);
    gy[i] = T(W(gy[i]) + k.v * (yv * gi + yg * vi) + W(2) * k.d[0] * both * yi);
    gv[i] = T(W(gv[i]) + gi + k.v * yg * yi);
  }
  gc = T(W(gc) + k.d[1] * both);
}

}  // namespace detail

// transport0 is parallel_transport from the origin to y, v a tangent vector there;
// transport0_back is its inverse. out may be y or v.

/// (1 - c|y|^2) v (Ganea, Becigneul, Hofmann, Hyperbolic Neural Networks, 2018).
template <class T>
void transport0(const PoincareBall<T>& m, Point<std::type_identity_t<T>> y,
                Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  HCL_ASSERT(y.size() == v.size() && y.size() == out.size());
  detail::scale<T>(m.gap(y), v, out);
}
/// v/(1 - c|y|^2).
template <class T>
void transport0_back(const PoincareBall<T>& m, Point<std::type_identity_t<T>> y,
                     Point<std::type_identity_t<T>> v,
                     Grad<std::type_identity_t<T>> out) {
  HCL_ASSERT(y.size() == v.size() && y.size() == out.size());
  detail::scale<T>(Wide<T>(1) / m.gap(y), v, out);
}
/// gy, gv, gc += the backward.
template <class T>
void transport0_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> y,
                    Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                    Grad<std::type_identity_t<T>> gy, Grad<std::type_identity_t<T>> gv,
                    std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(y.size() == v.size() && y.size() == g.size());
  const W n = norm2<T>(y), c = W(m.c()), a = m.gap(y), vg = dot<T>(v, g);
  for (std::size_t i = 0; i < y.size(); ++i) {
    gy[i] = T(W(gy[i]) - W(2) * c * vg * W(y[i]));
    gv[i] = T(W(gv[i]) + a * W(g[i]));
  }
  gc = T(W(gc) - n * vg);
}
template <class T>
void transport0_back_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> y,
                         Point<std::type_identity_t<T>> v,
                         Point<std::type_identity_t<T>> g,
                         Grad<std::type_identity_t<T>> gy,
                         Grad<std::type_identity_t<T>> gv, std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(y.size() == v.size() && y.size() == g.size());
  const W n = norm2<T>(y), c = W(m.c()), f = W(1) / m.gap(y), k = f * f * dot<T>(v, g);
  for (std::size_t i = 0; i < y.size(); ++i) {
    gy[i] = T(W(gy[i]) + W(2) * c * k * W(y[i]));
    gv[i] = T(W(gv[i]) + f * W(g[i]));
  }
  gc = T(W(gc) + n * k);
}

/// v + c<y,v>/(1 + sqrt(1 + c|y|^2)) y.
template <class T>
void transport0(const Lorentz<T>& m, Point<std::type_identity_t<T>> y,
                Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  HCL_ASSERT(y.size() == v.size() && y.size() == out.size());
  const W k = detail::lorentz_lift(W(norm2<T>(y)), W(m.c()));
  detail::combine<T>(W(1), v, k * dot<T>(y, v), y, out);
}
/// v - c<y,v>/(q(1 + q)) y, q = sqrt(1 + c|y|^2): the part of v along y divided by q, as
/// which it is computed; what is left of the part beside it is rounding, and far out too
/// large to be left in W.
template <class T>
void transport0_back(const Lorentz<T>& m, Point<std::type_identity_t<T>> y,
                     Point<std::type_identity_t<T>> v,
                     Grad<std::type_identity_t<T>> out) {
  using std::sqrt;
  using S = Sum<T>;
  HCL_ASSERT(y.size() == v.size() && y.size() == out.size());
  const S n = detail::dot_sum<T>(y, y), q = sqrt(S(1) + S(m.c()) * n);
  const S along = n == S(0) ? S(0) : S(detail::dot_sum<T>(y, v) / n), kept = along / q;
  for (std::size_t i = 0; i < y.size(); ++i)
    out[i] = T((S(v[i]) - along * S(y[i])) + kept * S(y[i]));
}
/// gy, gv, gc += the backward.
template <class T>
void transport0_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> y,
                    Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                    Grad<std::type_identity_t<T>> gy, Grad<std::type_identity_t<T>> gv,
                    std::type_identity_t<T>& gc) {
  detail::rank_one_vjp<T>(
      [](const auto& n, const auto& c) { return detail::lorentz_lift(n, c); }, m.c(), y,
      v, g, gy, gv, gc);
}
template <class T>
void transport0_back_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> y,
                         Point<std::type_identity_t<T>> v,
                         Point<std::type_identity_t<T>> g,
                         Grad<std::type_identity_t<T>> gy,
                         Grad<std::type_identity_t<T>> gv, std::type_identity_t<T>& gc) {
  detail::rank_one_vjp<T>(
      [](const auto& n, const auto& c) { return detail::lorentz_drop(n, c); }, m.c(), y,
      v, g, gy, gv, gc);
}

namespace detail {

/// 1/(1 + y^_0), the digits kept towards the antipode of the pole.
template <class T>
[[nodiscard]] Wide<T> pole_factor(Point<T> y) {
  using W = Wide<T>;
  const W n = norm2<T>(y.subspan(1)), y0 = W(y[0]), l = root(W(n + y0 * y0));
  if (n == W(0) && y0 < W(0)) return W(0);  // the antipode: nothing is changed
  return y0 < W(0) ? W(l * (l - y0) / n) : W(l / (l + y0));
}

}  // namespace detail

/// v - <y^,v>/(1 + y^_0) (e_0 + y^), for v tangent at the pole, v_0 = 0, which is not
/// read. v itself at its antipode, where no geodesic is singled out.
template <class T>
void transport0(const Sphere<T>&, Point<std::type_identity_t<T>> y,
                Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  const W l = detail::length<T>(y);
  const W k = detail::pole_factor<T>(y) * dot<T>(y.subspan(1), v.subspan(1)) / l;
  const W first = -k * (W(1) + W(y[0]) / l);
  for (std::size_t i = 1; i < y.size(); ++i) out[i] = T(W(v[i]) - k * W(y[i]) / l);
  out[0] = T(first);
}
/// v - v_0/(1 + y^_0) (e_0 + y^), for v tangent at y: tangent at the pole, coordinate 0
/// is 0.
template <class T>
void transport0_back(const Sphere<T>&, Point<std::type_identity_t<T>> y,
                     Point<std::type_identity_t<T>> v,
                     Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  const W k = detail::pole_factor<T>(y) * W(v[0]) / detail::length<T>(y);
  detail::combine<T>(W(1), v, -k, y, out);
  out[0] = T(0);
}

namespace detail {

/// gy += what is across y of by_y, the derivative by y^ = y/|y| (first coordinate by_0,
/// the others a v_i + b g_i), over |y|.
template <class T>
void pull_direction(Point<T> y, const Wide<T>& by_0, const Wide<T>& a, Point<T> v,
                    const Wide<T>& b, Point<T> g, Grad<T> gy) {
  using W = Wide<T>;
  const W l = length<T>(y);
  const auto by = [&](std::size_t i) {
    return i == 0 ? by_0 : W(a * W(v[i]) + b * W(g[i]));
  };
  W radial(0);
  for (std::size_t i = 0; i < y.size(); ++i) radial += by(i) * (W(y[i]) / l);
  for (std::size_t i = 0; i < y.size(); ++i)
    gy[i] = T(W(gy[i]) + (by(i) - radial * (W(y[i]) / l)) / l);
}

}  // namespace detail

/// gy, gv += the backward, by the raw row y. c has no part in it.
template <class T>
void transport0_vjp(const Sphere<T>&, Point<std::type_identity_t<T>> y,
                    Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                    Grad<std::type_identity_t<T>> gy, Grad<std::type_identity_t<T>> gv,
                    std::type_identity_t<T>&) {
  using W = Wide<T>;
  const W l = detail::length<T>(y), f = detail::pole_factor<T>(y), g0 = W(g[0]);
  const W yv = dot<T>(y.subspan(1), v.subspan(1)) / l,
          yg = dot<T>(y.subspan(1), g.subspan(1)) / l;
  const W k = g0 + f * yg;
  detail::pull_direction<T>(y, f * f * yv * yg, -k, v, -f * yv, g, gy);
  for (std::size_t i = 1; i < v.size(); ++i)
    gv[i] = T(W(gv[i]) + W(g[i]) - k * (W(y[i]) / l));
}
template <class T>
void transport0_back_vjp(const Sphere<T>&, Point<std::type_identity_t<T>> y,
                         Point<std::type_identity_t<T>> v,
                         Point<std::type_identity_t<T>> g,
                         Grad<std::type_identity_t<T>> gy,
                         Grad<std::type_identity_t<T>> gv, std::type_identity_t<T>&) {
  using W = Wide<T>;
  const W f = detail::pole_factor<T>(y), v0 = W(v[0]);
  const W yg = dot<T>(y.subspan(1), g.subspan(1)) / detail::length<T>(y);
  detail::pull_direction<T>(y, f * f * v0 * yg, W(0), v, -f * v0, g, gy);
  for (std::size_t i = 1; i < v.size(); ++i) gv[i] = T(W(gv[i]) + W(g[i]));
  gv[0] = T(W(gv[0]) - f * yg);
}

/// v.
template <class T>
void transport0(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  detail::copy<T>(v, out);
}
template <class T>
void transport0_back(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                     Point<std::type_identity_t<T>> v,
                     Grad<std::type_identity_t<T>> out) {
  detail::copy<T>(v, out);
}

template <class T>
void transport0_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                    Point<std::type_identity_t<T>>, Point<std::type_identity_t<T>> g,
                    Grad<std::type_identity_t<T>>, Grad<std::type_identity_t<T>> gv,
                    std::type_identity_t<T>&) {
  for (std::size_t i = 0; i < g.size(); ++i) gv[i] += g[i];
}
template <class T>
void transport0_back_vjp(const Euclidean<T>& m, Point<std::type_identity_t<T>> y,
                         Point<std::type_identity_t<T>> v,
                         Point<std::type_identity_t<T>> g,
                         Grad<std::type_identity_t<T>> gy,
                         Grad<std::type_identity_t<T>> gv, std::type_identity_t<T>& gc) {
  transport0_vjp(m, y, v, g, gy, gv, gc);
}

}  // namespace hcl::inline HCL_ABI
