// hcl/manifold/midpoint.hpp - the weighted midpoint of points, with its backward: one
// point of the space, whatever the model that it is computed in.
//
// A model lifts a point to h x and a height t, both functions of |x|^2 and c, adds up s =
// sum w_i h_i x_i, H = sum w_i t_i, and drops the sum back onto itself as f(H, |s|^2, c)
// s:
//   Lorentz      h = 1,           t = sqrt(1+c|x|^2),   f = 1/sqrt(H^2 - c|s|^2)
//   ball         h = 2/(1-c|x|^2), t = h - 1,           f = 1/(H + sqrt(H^2 - c|s|^2))
//   Klein        h = t = 1/sqrt(1-c|x|^2),              f = 1/H
//   sphere       h = 1/|x|,                             f = 1/(sqrt(c) |s|)
//   Euclidean    h = t = 1,                             f = 1/H
// H^2 - c|s|^2 cancels far from the origin: the sums run in two doubles, in which it has
// the digits of stored points to r = 35, and it is never below (sum w_i)^2, what it is
// for one point (the reverse triangle inequality).
#pragma once

#include <algorithm>
#include <span>
#include <type_traits>

#include "hcl/core/workspace.hpp"
#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/half_space.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/klein.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// What midpoints are summed in.
template <class T>
using MidpointSum = std::conditional_t<std::is_floating_point_v<T>, DoubleDouble, T>;

template <class V>
struct Lift {
  V h, t;
};

/// sqrt(H^2 - c q), H = height, w = sum w_i: w for coincident rows and more for others.
/// Below w it is rounding; as long as that is small the derivatives stand, farther out
/// nothing is left of them.
template <class V>
[[nodiscard]] V lorentz_length(const V& height, const V& q, const V& c, const auto& w) {
  using std::sqrt;
  V n = height * height - c * q;
  const std::remove_cvref_t<decltype(w)> least = w * w;
  if constexpr (std::is_same_v<V, std::remove_cvref_t<decltype(w)>>) {
    if (n < least) n = least;
  } else {
    if (n.v + n.v < least)
      n = V(least);
    else if (n.v < least)
      n.v = least;
  }
  return sqrt(n);
}

// lift(m, n, c) and drop(m, H, q, c, w), n = |x|^2, q = |s|^2, w = sum w_i, for numbers
// and jets.
template <class T, class V>
[[nodiscard]] Lift<V> lift(const Lorentz<T>&, const V& n, const V& c) {
  using std::sqrt;
  return {V(1), sqrt(V(V(1) + c * n))};
}
template <class T, class V>
[[nodiscard]] V drop(const Lorentz<T>&, const V& height, const V& q, const V& c,
                     const auto& w) {
  return V(1) / lorentz_length(height, q, c, w);
}
template <class T, class V>
[[nodiscard]] Lift<V> lift(const PoincareBall<T>&, const V& n, const V& c) {
  const V h = V(2) / (V(1) - c * n);
  return {h, h - V(1)};
}
template <class T, class V>
[[nodiscard]] V drop(const PoincareBall<T>&, const V& height, const V& q, const V& c,
                     const auto& w) {
  return V(1) / (height + lorentz_length(height, q, c, w));
}
template <class T, class V>
[[nodiscard]] Lift<V> lift(const Klein<T>&, const V& n, const V& c) {
  using std::sqrt;
  const V h = V(1) / sqrt(V(V(1) - c * n));
  return {h, h};
}
template <class T, class V>
[[nodiscard]] V drop(const Klein<T>&, const V& height, const V&, const V&, const auto&) {
  return V(1) / height;
}
template <class T, class V>
[[nodiscard]] Lift<V> lift(const Sphere<T>&, const V& n, const V&) {
  using std::sqrt;
  return {V(1) / sqrt(n), V(0)};
}
template <class T, class V>
[[nodiscard]] V drop(const Sphere<T>&, const V&, const V& q, const V& c, const auto&) {
  using std::sqrt;
  return V(1) / sqrt(V(c * q));
}
template <class T, class V>
[[nodiscard]] Lift<V> lift(const Euclidean<T>&, const V&, const V&) {
  return {V(1), V(1)};
}
template <class T, class V>
[[nodiscard]] V drop(const Euclidean<T>&, const V& height, const V&, const V&,
                     const auto&) {
  return V(1) / height;
}

template <class M>
void check_midpoint(const char* where, const M& m, BatchIn<ScalarOf<M>> x,
                    std::span<const ScalarOf<M>> w) {
  using T = ScalarOf<M>;
  expect(x.rows() > 0, where, ": x has no rows, must have at least one");
  check_points(where, "x", m, x);
  if (w.empty()) return;
  expect_length(where, "w", w.size(), x.rows());
  bool any = false;
  for (std::size_t i = 0; i < w.size(); ++i) {
    expect(is_finite(w[i]) && w[i] >= T(0), where, ": w[", i, "] = ", as_double(w[i]),
           ", must be finite and >= 0");
    any = any || w[i] > T(0);
  }
  expect(any, where, ": all weights are 0");
}

template <class T>
void check_midpoint_gradients(const char* where, BatchIn<T> x, std::span<const T> g,
                              BatchOut<T> gx, std::span<T> gw) {
  expect_length(where, "g", g.size(), x.cols());
  check_finite<T>(where, "g", g);
  expect_gradient<T>(where, "gx", gx, x);
  if (!gw.empty()) expect_length(where, "gw", gw.size(), x.rows());
}

/// |x|^2.
template <class S, class T>
[[nodiscard]] S midpoint_norm2(Point<T> x) {
  S n(0);
  for (const T& e : x) n += S(e) * S(e);
  return n;
}

/// The sum of the lifted points: s into the D numbers at `s`.
template <class M, class S = MidpointSum<ScalarOf<M>>>
struct Lifted {
  S height, q, weight;
  Lifted(const char* where, const M& m, BatchIn<ScalarOf<M>> x,
         std::span<const ScalarOf<M>> w, S* s)
      : height(0), q(0), weight(0) {
    using T = ScalarOf<M>;
    const std::size_t d = std::size_t(x.cols());
    std::fill(s, s + d, S(0));
    for (Index i = 0; i < x.rows(); ++i) {
      const Point<T> row = x.row(i);
      const Lift<S> l = lift(m, midpoint_norm2<S>(row), S(m.c()));
      const S wi = w.empty() ? S(1) : S(w[std::size_t(i)]), wh = wi * l.h;
      for (std::size_t k = 0; k < d; ++k) s[k] += wh * S(row[k]);
      height += wi * l.t, weight += wi;
    }
    for (std::size_t k = 0; k < d; ++k) q += s[k] * s[k];
    if constexpr (std::same_as<M, Sphere<T>>)
      expect(q > S(0), where, ": the directions of x cancel, they have no mean");
  }
};

}  // namespace detail

/// out = the weighted midpoint of the rows of x: on the hyperboloid the Lorentz centroid
/// (Law, Liao, Snell, Zemel, Lorentzian Distance Learning for Hyperbolic Representations,
/// 2019), on the ball the gyro-midpoint, on Klein's the Einstein midpoint (Ungar,
/// Analytic Hyperbolic Geometry, 2005), which are the same point; on the sphere the
/// normalised mean of the directions, in flat space the mean. It commutes with
/// isometries. Of two points with equal weights it is the middle of their geodesic; on
/// curved spaces it is not the Frechet mean of more.
/// @param x  N x D, N >= 1.
/// @param w  N weights, finite, >= 0, not all 0; none at all means equal ones.
/// @param out  D numbers, may be a row of x. On the balls rounded to the inside.
/// @throws std::invalid_argument for a bad shape, row or weight, and on the sphere if the
/// directions cancel.
template <class M>
void midpoint(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
              Grad<ScalarOf<M>> out, Workspace& workspace) {
  using T = ScalarOf<M>;
  using S = detail::MidpointSum<T>;
  static_assert(
      requires(const S& n) { detail::lift(m, n, n); },
      "hcl: midpoint knows Euclidean, Sphere, PoincareBall, Lorentz, Klein and "
      "HalfSpace.");
  const char* const where = "midpoint";
  detail::check_midpoint(where, m, x, w);
  detail::expect_length(where, "out", out.size(), x.cols());
  workspace.reset();
  S* const s = workspace.take<S>(out.size());
  const detail::Lifted<M> sum(where, m, x, w, s);
  const S f = detail::drop(m, sum.height, sum.q, S(m.c()), sum.weight);
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = T(f * s[k]);
  if constexpr (requires { m.project(out, out); }) {
    if constexpr (!std::same_as<M, Sphere<T>>) m.project(out, out);
  }
}
/// gx, gw, gc += the backward of midpoint, for the upstream g of D numbers; gw may have
/// no numbers, then there is none by the weights. On the sphere by the raw rows.
template <class M>
void midpoint_vjp(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
                  std::span<const ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                  std::span<ScalarOf<M>> gw, ScalarOf<M>& gc, Workspace& workspace) {
  using T = ScalarOf<M>;
  using S = detail::MidpointSum<T>;
  const char* const where = "midpoint_vjp";
  detail::check_midpoint(where, m, x, w);
  detail::check_midpoint_gradients<T>(where, x, g, gx, gw);
  workspace.reset();
  const std::size_t d = g.size();
  S* const s = workspace.take<S>(d);
  const detail::Lifted<M> sum(where, m, x, w, s);
  const auto [height, q, c] = detail::variables<S>(sum.height, sum.q, S(m.c()));
  const auto f = detail::drop(m, height, q, c, sum.weight);
  S sg(0);
  for (std::size_t k = 0; k < d; ++k) sg += s[k] * S(g[k]);
  // s becomes dL/ds.
  const S by_q = S(2) * sg * f.d[1], by_height = sg * f.d[0];
  for (std::size_t k = 0; k < d; ++k) s[k] = f.v * S(g[k]) + by_q * s[k];
  S by_c = sg * f.d[2];
  for (Index i = 0; i < x.rows(); ++i) {
    const Point<T> row = x.row(i);
    const auto [n, ci] = detail::variables<S>(detail::midpoint_norm2<S>(row), S(m.c()));
    const auto l = detail::lift(m, n, ci);
    const S wi = w.empty() ? S(1) : S(w[std::size_t(i)]);
    S xs(0);
    for (std::size_t k = 0; k < d; ++k) xs += S(row[k]) * s[k];
    const S along = S(2) * wi * (xs * l.h.d[0] + by_height * l.t.d[0]), wh = wi * l.h.v;
    const Grad<T> out = gx.row(i);
    for (std::size_t k = 0; k < d; ++k)
      out[k] = T(S(out[k]) + wh * s[k] + along * S(row[k]));
    if (!gw.empty()) {
      T& e = gw[std::size_t(i)];
      e = T(S(e) + xs * l.h.v + by_height * l.t.v);
    }
    by_c += wi * (xs * l.h.d[1] + by_height * l.t.d[1]);
  }
  if constexpr (!std::same_as<M, Euclidean<T>>) gc = T(S(gc) + by_c);
}
namespace detail {

/// The midpoint of HalfSpace, of rows (u_i, h_i): a_i = w_i/h_i, A = sum a_i, u = sum a_i
/// u_i/A and h^2 = sum a_i r_i/A with r_i = |u_i - u|^2 + h_i^2, of which nothing
/// cancels. u goes into the numbers at `s`.
template <class T, class S = MidpointSum<T>>
struct HalfSpaceMidpoint {
  BatchIn<T> x;
  std::span<const T> w;
  std::span<S> u;
  S weight, h2;  // A, h^2

  HalfSpaceMidpoint(BatchIn<T> rows, std::span<const T> weights, S* s)
      : x{rows}, w{weights}, u{s, std::size_t(rows.cols()) - 1}, weight(0), h2(0) {
    std::fill(u.begin(), u.end(), S(0));
    for (Index i = 0; i < x.rows(); ++i) {
      const S a = this->a(i);
      weight += a;
      for (std::size_t k = 0; k < u.size(); ++k) u[k] += a * S(x.row(i)[k]);
    }
    for (S& e : u) e = e / weight;
    for (Index i = 0; i < x.rows(); ++i) h2 += a(i) / weight * r(i);
  }
  [[nodiscard]] S w_of(Index i) const { return w.empty() ? S(1) : S(w[std::size_t(i)]); }
  [[nodiscard]] S a(Index i) const { return w_of(i) / S(x.row(i).back()); }
  [[nodiscard]] S off(Index i, std::size_t k) const { return S(x.row(i)[k]) - u[k]; }
  [[nodiscard]] S r(Index i) const {
    const S h(x.row(i).back());
    S sum = h * h;
    for (std::size_t k = 0; k < u.size(); ++k) sum += off(i, k) * off(i, k);
    return sum;
  }
};

}  // namespace detail

/// The same point in the half-space: from the lift to the hyperboloid with t - l =
/// 1/(ch), t + l = |x|^2/h (models.hpp), whose sum has u = sum a_i u_i/sum a_i, a_i =
/// w_i/h_i.
template <class M>
  requires std::same_as<M, HalfSpace<ScalarOf<M>>>
void midpoint(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
              Grad<ScalarOf<M>> out, Workspace& workspace) {
  using std::sqrt;
  using T = ScalarOf<M>;
  using S = detail::MidpointSum<T>;
  const char* const where = "midpoint";
  detail::check_midpoint(where, m, x, w);
  detail::expect_length(where, "out", out.size(), x.cols());
  workspace.reset();
  const detail::HalfSpaceMidpoint<T> of(x, w, workspace.take<S>(out.size()));
  for (std::size_t k = 0; k < of.u.size(); ++k) out[k] = T(of.u[k]);
  out.back() = T(sqrt(of.h2));
}
/// c has no part in it: the half-space's coordinates carry it.
template <class M>
  requires std::same_as<M, HalfSpace<ScalarOf<M>>>
void midpoint_vjp(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
                  std::span<const ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                  std::span<ScalarOf<M>> gw, ScalarOf<M>&, Workspace& workspace) {
  using std::sqrt;
  using T = ScalarOf<M>;
  using S = detail::MidpointSum<T>;
  const char* const where = "midpoint_vjp";
  detail::check_midpoint(where, m, x, w);
  detail::check_midpoint_gradients<T>(where, x, g, gx, gw);
  workspace.reset();
  const detail::HalfSpaceMidpoint<T> of(x, w, workspace.take<S>(g.size()));
  const S by_h2 = S(g.back()) / (S(2) * sqrt(of.h2));
  for (Index i = 0; i < x.rows(); ++i) {
    const Grad<T> out = gx.row(i);
    const S h(x.row(i).back()), share = of.a(i) / of.weight;
    S by_a = by_h2 * (of.r(i) - of.h2);  // times A
    for (std::size_t k = 0; k < of.u.size(); ++k) by_a += S(g[k]) * of.off(i, k);
    for (std::size_t k = 0; k < of.u.size(); ++k)
      out[k] = T(S(out[k]) + share * (S(g[k]) + S(2) * by_h2 * of.off(i, k)));
    out.back() = T(S(out.back()) + share * (S(2) * by_h2 * h - by_a / h));
    if (!gw.empty()) {
      T& e = gw[std::size_t(i)];
      e = T(S(e) + by_a / (of.weight * h));
    }
  }
}

/// With a workspace of their own.
template <class M>
void midpoint(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
              Grad<ScalarOf<M>> out) {
  Workspace workspace;
  midpoint(m, x, w, out, workspace);
}
template <class M>
void midpoint_vjp(const M& m, BatchIn<ScalarOf<M>> x, std::span<const ScalarOf<M>> w,
                  std::span<const ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                  std::span<ScalarOf<M>> gw, ScalarOf<M>& gc) {
  Workspace workspace;
  midpoint_vjp(m, x, w, g, gx, gw, gc, workspace);
}

}  // namespace hcl::inline HCL_ABI
