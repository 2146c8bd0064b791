// hcl/manifold/models.hpp - the isometries between the models of hyperbolic space, their
// differentials (`_jvp`: tangent vectors go along) and backward (`_vjp`: accumulates).
//
// In all of them the first coordinates are scaled alike and the last is by itself: out' =
// k x', out_D = r, with k and r functions of m = |x'|^2, l = x_D and c. Each pair of
// models states k and r once, for numbers and for jets.
#pragma once

#include <type_traits>

#include "hcl/manifold/half_space.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/klein.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// What a rule reads of a point; `exact` has the digits that V may have lost.
template <class V, class W>
struct ChartPoint {
  V m, l, c;
  struct {
    W gap, to_pole;  // 1 - c|x|^2, 1 - sqrt(c) x_D
  } exact;

  [[nodiscard]] V n() const { return m + l * l; }
  [[nodiscard]] V gap() const { return with_value(V(1) - c * n(), exact.gap); }
  /// (1 -+ sqrt(c) l)^2 + c m.
  [[nodiscard]] V to_pole2() const {
    const V e = with_value(V(1) - sqrt(c) * l, exact.to_pole);
    return e * e + c * m;
  }
  [[nodiscard]] V to_other_pole2() const {
    const V e = V(1) + sqrt(c) * l;
    return e * e + c * m;
  }
  /// t - x_D on the hyperboloid; de/dl = -e/t.
  [[nodiscard]] V time_gap() const {
    const V t = sqrt(V(1) / c + n());
    const W lv = value_of(l), e0 = W(1) / value_of(c) + value_of(m);
    const W e = lv > W(0) ? W(e0 / (value_of(t) + lv)) : W(value_of(t) - lv);
    return with_slope(with_value(t - l, e), e, value_of(t));
  }

  [[nodiscard]] static V sqrt(const V& v) {
    using std::sqrt;
    return sqrt(v);
  }
  [[nodiscard]] static W value_of(const V& v) {
    if constexpr (std::is_same_v<V, W>)
      return v;
    else
      return v.v;
  }
  [[nodiscard]] static V with_value(V v, const W& value) {
    if constexpr (std::is_same_v<V, W>)
      v = value;
    else
      v.v = value;
    return v;
  }
  [[nodiscard]] static V with_slope(V v, const W& e, const W& t) {
    if constexpr (!std::is_same_v<V, W>) v.d[1] = -e / t;
    return v;
  }
};

template <class V>
struct Chart {
  V k, r;
};
template <class V>
[[nodiscard]] Chart<V> radial_chart(const V& k, const V& l) {
  return {k, k * l};
}

template <class T, class P>
auto chart(const PoincareBall<T>&, const Lorentz<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(2) / x.gap()), x.l);
}
template <class T, class P>
auto chart(const Lorentz<T>&, const PoincareBall<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(1) / (V(1) + P::sqrt(V(1) + x.c * x.n()))), x.l);
}
template <class T, class P>
auto chart(const PoincareBall<T>&, const Klein<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(2) / (V(1) + x.c * x.n())), x.l);
}
template <class T, class P>
auto chart(const Klein<T>&, const PoincareBall<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(1) / (V(1) + P::sqrt(x.gap()))), x.l);
}
template <class T, class P>
auto chart(const Lorentz<T>&, const Klein<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(1) / P::sqrt(V(1) + x.c * x.n())), x.l);
}
template <class T, class P>
auto chart(const Klein<T>&, const Lorentz<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return radial_chart(V(V(1) / P::sqrt(x.gap())), x.l);
}
template <class T, class P>
auto chart(const PoincareBall<T>&, const HalfSpace<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  const V e = x.to_pole2();
  return Chart<V>{V(2) / e, x.gap() / (P::sqrt(x.c) * e)};
}
template <class T, class P>
auto chart(const HalfSpace<T>&, const PoincareBall<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  const V e = x.to_other_pole2();
  return Chart<V>{V(2) / e, -x.gap() / (P::sqrt(x.c) * e)};
}
template <class T, class P>
auto chart(const Lorentz<T>&, const HalfSpace<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  const V e = x.time_gap();
  return Chart<V>{V(1) / (P::sqrt(x.c) * e), V(1) / (x.c * e)};
}
template <class T, class P>
auto chart(const HalfSpace<T>&, const Lorentz<T>&, const P& x) {
  using V = std::remove_const_t<decltype(x.l)>;
  return Chart<V>{V(1) / (P::sqrt(x.c) * x.l), -x.gap() / (V(2) * x.c * x.l)};
}

/// The rule of a pair of models at x; V is Wide<T> or a jet by (m, l, c).
template <class V, class From, class To, class T = ScalarOf<From>>
[[nodiscard]] Chart<V> chart_at(const From& from, const To& to, Point<T> x) {
  using std::sqrt;
  using W = Wide<T>;
  using S = Sum<T>;
  HCL_ASSERT(!x.empty());
  const S c = S(from.c());
  ChartPoint<V, W> p{V(W(0)), V(W(0)), V(W(0)), {}};
  const W m = norm2<T>(x.first(x.size() - 1)), l = W(x.back());
  if constexpr (std::is_same_v<V, W>) {
    p.m = m, p.l = l, p.c = W(c);
  } else {
    const auto v = variables<W>(m, l, W(c));
    p.m = v[0], p.l = v[1], p.c = v[2];
  }
  p.exact = {W(S(1) - c * dot_sum<T>(x, x)), W(S(1) - sqrt(c) * S(x.back()))};
  return chart(from, to, p);
}
template <class T>
using ChartJet = Jet<Wide<T>, 3>;

template <class From, class To, class T = ScalarOf<From>>
void change_model(const From& from, const To& to, Point<T> x, Grad<T> out) {
  using W = Wide<T>;
  const auto f = chart_at<W>(from, to, x);
  for (std::size_t i = 0; i + 1 < x.size(); ++i) out[i] = T(f.k * W(x[i]));
  out.back() = T(f.r);
  if constexpr (requires { to.project(out, out); }) to.project(out, out);
}
template <class From, class To, class T = ScalarOf<From>>
void change_model_jvp(const From& from, const To& to, Point<T> x, Point<T> v,
                      Grad<T> out) {
  using W = Wide<T>;
  const auto f = chart_at<ChartJet<T>>(from, to, x);
  const std::size_t last = shared_size(x, v, out) - 1;
  const W dm = W(2) * dot<T>(x.first(last), v.first(last)), dl = W(v[last]);
  const W dk = f.k.d[0] * dm + f.k.d[1] * dl;
  for (std::size_t i = 0; i < last; ++i) out[i] = T(f.k.v * W(v[i]) + dk * W(x[i]));
  out[last] = T(f.r.d[0] * dm + f.r.d[1] * dl);
}
template <class From, class To, class T = ScalarOf<From>>
void change_model_vjp(const From& from, const To& to, Point<T> x, Point<T> g, Grad<T> gx,
                      T& gc) {
  using W = Wide<T>;
  const auto f = chart_at<ChartJet<T>>(from, to, x);
  const std::size_t last = shared_size(x, g, gx) - 1;
  const W xg = dot<T>(x.first(last), g.first(last));
  const auto by = (xg * f.k + W(g[last]) * f.r).d;
  for (std::size_t i = 0; i < last; ++i)
    gx[i] = T(W(gx[i]) + f.k.v * W(g[i]) + W(2) * by[0] * W(x[i]));
  gx[last] = T(W(gx[last]) + by[1]);
  gc = T(W(gc) + by[2]);
}

}  // namespace detail

// The same curvature c in all models, so all distances are kept. out may be x, and in a
// `_jvp` v.

/// To spatial coordinates: from the ball 2x/(1 - c|x|^2), from Klein x/sqrt(1 - c|x|^2),
/// from the half-space (x'/(sqrt(c) h), (|x|^2 - 1/c)/(2h)).
template <class From, class T = ScalarOf<From>>
void to_lorentz(const From& m, Point<std::type_identity_t<T>> x,
                Grad<std::type_identity_t<T>> out) {
  detail::change_model(m, Lorentz<T>(m.c()), x, out);
}
template <class From, class T = ScalarOf<From>>
void to_lorentz_jvp(const From& m, Point<std::type_identity_t<T>> x,
                    Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  detail::change_model_jvp(m, Lorentz<T>(m.c()), x, v, out);
}
template <class From, class T = ScalarOf<From>>
void to_lorentz_vjp(const From& m, Point<std::type_identity_t<T>> x,
                    Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gx,
                    std::type_identity_t<T>& gc) {
  detail::change_model_vjp(m, Lorentz<T>(m.c()), x, g, gx, gc);
}

/// To the Poincare ball: from Lorentz x/(1 + sqrt(1 + c|x|^2)), from Klein x/(1 + sqrt(1
/// - c|x|^2)), from the half-space (2x', |x|^2 sqrt(c) - 1/sqrt(c))/((1 + sqrt(c) h)^2 +
/// c|x'|^2); rounded to the inside as PoincareBall::project does.
template <class From, class T = ScalarOf<From>>
void to_ball(const From& m, Point<std::type_identity_t<T>> x,
             Grad<std::type_identity_t<T>> out) {
  detail::change_model(m, PoincareBall<T>(m.c()), x, out);
}
template <class From, class T = ScalarOf<From>>
void to_ball_jvp(const From& m, Point<std::type_identity_t<T>> x,
                 Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  detail::change_model_jvp(m, PoincareBall<T>(m.c()), x, v, out);
}
template <class From, class T = ScalarOf<From>>
void to_ball_vjp(const From& m, Point<std::type_identity_t<T>> x,
                 Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gx,
                 std::type_identity_t<T>& gc) {
  detail::change_model_vjp(m, PoincareBall<T>(m.c()), x, g, gx, gc);
}

/// To the Klein ball: from Poincare's 2x/(1 + c|x|^2), from Lorentz x/sqrt(1 + c|x|^2);
/// rounded to the inside as Klein::project does.
template <class From, class T = ScalarOf<From>>
void to_klein(const From& m, Point<std::type_identity_t<T>> x,
              Grad<std::type_identity_t<T>> out) {
  detail::change_model(m, Klein<T>(m.c()), x, out);
}
template <class From, class T = ScalarOf<From>>
void to_klein_jvp(const From& m, Point<std::type_identity_t<T>> x,
                  Point<std::type_identity_t<T>> v, Grad<std::type_identity_t<T>> out) {
  detail::change_model_jvp(m, Klein<T>(m.c()), x, v, out);
}
template <class From, class T = ScalarOf<From>>
void to_klein_vjp(const From& m, Point<std::type_identity_t<T>> x,
                  Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gx,
                  std::type_identity_t<T>& gc) {
  detail::change_model_vjp(m, Klein<T>(m.c()), x, g, gx, gc);
}

/// To the half-space: from the ball (2x', (1 - c|x|^2)/sqrt(c))/((1 - sqrt(c) x_D)^2 +
/// c|x'|^2), from Lorentz (x'/sqrt(c), 1/c)/(t - x_D). out is on the boundary, h = 0,
/// where h is too small for the scalar.
template <class From, class T = ScalarOf<From>>
void to_half_space(const From& m, Point<std::type_identity_t<T>> x,
                   Grad<std::type_identity_t<T>> out) {
  detail::change_model(m, HalfSpace<T>(m.c()), x, out);
}
template <class From, class T = ScalarOf<From>>
void to_half_space_jvp(const From& m, Point<std::type_identity_t<T>> x,
                       Point<std::type_identity_t<T>> v,
                       Grad<std::type_identity_t<T>> out) {
  detail::change_model_jvp(m, HalfSpace<T>(m.c()), x, v, out);
}
template <class From, class T = ScalarOf<From>>
void to_half_space_vjp(const From& m, Point<std::type_identity_t<T>> x,
                       Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gx,
                       std::type_identity_t<T>& gc) {
  detail::change_model_vjp(m, HalfSpace<T>(m.c()), x, g, gx, gc);
}

}  // namespace hcl::inline HCL_ABI
