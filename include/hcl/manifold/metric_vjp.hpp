// hcl/manifold/metric_vjp.hpp - the backward of dist0, inner and egrad2rgrad: what
// regularises radii, and what differentiates through the step of an optimiser. All
// accumulate.
#pragma once

#include <type_traits>

#include "hcl/manifold/maps_vjp.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// Backward of a function of length = |x| and c from its derivatives; 0 at x = 0.
template <class T>
void radius_vjp(Point<T> x, const Wide<T>& length, const Wide<T>& by_length,
                const Wide<T>& by_c, const T& g, Grad<T> gx, T& gc) {
  using W = Wide<T>;
  if (!(length > W(0))) return;
  if constexpr (squares_underflow<T>)
    if (is_tiny<T>(length)) {
      add_unit<T>(
          W(g) * by_length, [&](std::size_t k) { return x[k]; }, gx);
      gc = T(W(gc) + W(g) * by_c);
      return;
    }
  const W by_x = W(g) * by_length / length;
  for (std::size_t i = 0; i < x.size(); ++i) gx[i] = T(W(gx[i]) + by_x * W(x[i]));
  gc = T(W(gc) + W(g) * by_c);
}

}  // namespace detail

/// gx += g dd/dx, gc += g dd/dc for d = m.dist0(x); 0 at the origin.
template <class T>
void dist0_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>> x,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  detail::radius_vjp<T>(x, detail::length<T>(x), W(1), W(0), g, gx, gc);
}
/// d = 2|x| artanh(s)/s.
template <class T>
void dist0_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               std::type_identity_t<T>& gc) {
  using std::sqrt;
  using W = Wide<T>;
  const W c = W(m.c()), length = detail::length<T>(x), s = sqrt(c) * length,
          f = atanhc(s);
  const W by_length = W(2) / m.gap(x);  // 2/(1 - s^2), from the gap that keeps its digits
  const W by_c = s * s < W(0.25) ? W(length * atanhc_slope(s, f) * length * length)
                                 : W(length * (by_length / W(2) - f) / c);
  detail::radius_vjp<T>(x, length, by_length, by_c, g, gx, gc);
}
/// d = |x| arsinh(s)/s.
template <class T>
void dist0_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               std::type_identity_t<T>& gc) {
  using std::sqrt;
  using W = Wide<T>;
  const W c = W(m.c()), length = detail::length<T>(x), s = sqrt(c) * length, y = s * s;
  const W f = asinhc(s), by_length = W(1) / sqrt(W(1) + y);
  // Far out the slope itself underflows.
  const W slope = y < W(0.25) ? asinhc_slope(s, f) : W(0), n = length * length;
  const W by_c = y < W(0.25) ? slope * n / W(2) : W((by_length - f) / (W(2) * c));
  detail::radius_vjp<T>(x, length, by_length, length * by_c, g, gx, gc);
}
/// d = theta/sqrt(c), theta = atan2(rho, x_0), rho = |(x_1, ...)|; 0 at both poles.
template <class T>
void dist0_vjp(const Sphere<T>& m, Point<std::type_identity_t<T>> x,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               std::type_identity_t<T>& gc) {
  using std::atan2;
  using std::sqrt;
  using W = Wide<T>;
  const W rho = detail::length<T>(x.subspan(1)), x0 = W(x[0]), c = W(m.c()),
          n = norm2<T>(x), k = W(g) / sqrt(c);
  gc = T(W(gc) - k * atan2(rho, x0) / (W(2) * c));
  if (!(rho > W(0))) return;
  bool tiny = false;
  if constexpr (detail::squares_underflow<T>)
    if ((tiny = detail::is_tiny<T>(rho)))
      detail::add_unit<T>(
          k * (x0 / n), [&](std::size_t i) { return x[i + 1]; }, gx.subspan(1));
  for (std::size_t i = tiny ? x.size() : 1; i < x.size(); ++i)
    gx[i] = T(W(gx[i]) + k * (x0 / n) * (W(x[i]) / rho));
  gx[0] = T(W(gx[0]) - k * rho / n);
}

/// gx, gu, gv, gc += the backward of m.inner(x, u, v).
template <class T>
void inner_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
               Point<std::type_identity_t<T>> u, Point<std::type_identity_t<T>> v,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>>,
               Grad<std::type_identity_t<T>> gu, Grad<std::type_identity_t<T>> gv,
               std::type_identity_t<T>&) {
  using W = Wide<T>;
  for (std::size_t i = 0; i < u.size(); ++i) {
    gu[i] = T(W(gu[i]) + W(g) * W(v[i]));
    gv[i] = T(W(gv[i]) + W(g) * W(u[i]));
  }
}
/// The sphere's too.
template <class T>
void inner_vjp(const Sphere<T>&, Point<std::type_identity_t<T>> x,
               Point<std::type_identity_t<T>> u, Point<std::type_identity_t<T>> v,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               Grad<std::type_identity_t<T>> gu, Grad<std::type_identity_t<T>> gv,
               std::type_identity_t<T>& gc) {
  inner_vjp(Euclidean<T>(), x, u, v, g, gx, gu, gv, gc);
}
/// lambda^2 <u,v>: dlambda/dx = lambda^2 c x, dlambda/dc = lambda^2 |x|^2/2.
template <class T>
void inner_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
               Point<std::type_identity_t<T>> u, Point<std::type_identity_t<T>> v,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               Grad<std::type_identity_t<T>> gu, Grad<std::type_identity_t<T>> gv,
               std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  const W l = W(2) / m.gap(x), k = W(g) * l * l;
  const W by_x = W(2) * k * l * dot<T>(u, v);
  for (std::size_t i = 0; i < u.size(); ++i) {
    gx[i] = T(W(gx[i]) + by_x * W(m.c()) * W(x[i]));
    gu[i] = T(W(gu[i]) + k * W(v[i]));
    gv[i] = T(W(gv[i]) + k * W(u[i]));
  }
  gc = T(W(gc) + by_x * norm2<T>(x) / W(2));
}
/// <u,v> - c<x,u><x,v>/(1 + c|x|^2).
template <class T>
void inner_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
               Point<std::type_identity_t<T>> u, Point<std::type_identity_t<T>> v,
               const std::type_identity_t<T>& g, Grad<std::type_identity_t<T>> gx,
               Grad<std::type_identity_t<T>> gu, Grad<std::type_identity_t<T>> gv,
               std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  using S = Sum<T>;
  const W c = W(m.c()), k = W(g);
  const detail::Lowered<T> lu(c, x, u), lv(c, x, v);
  const auto wu = [&](std::size_t i) -> S { return lu(x[i], u[i]); };
  const auto wv = [&](std::size_t i) -> S { return lv(x[i], v[i]); };
  const auto add = [&](Grad<T> to, const auto& e) {
    detail::add_covector<T>(x, lu.length, to, e);
  };
  add(gx, [&](std::size_t i) -> S {
    return S(0) - S(k) * (S(lv.by_time) * wu(i) + S(lu.by_time) * wv(i));
  });
  add(gu, [&](std::size_t i) -> S { return S(k) * wv(i); });
  add(gv, [&](std::size_t i) -> S { return S(k) * wu(i); });
  gc = T(W(gc) - k * (lu.by_time / c) * (lv.by_time / c));
}

/// gx, ge, gc += the backward of m.egrad2rgrad(x, e), for the upstream g.
template <class T>
void egrad2rgrad_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                     Point<std::type_identity_t<T>>, Point<std::type_identity_t<T>> g,
                     Grad<std::type_identity_t<T>>, Grad<std::type_identity_t<T>> ge,
                     std::type_identity_t<T>&) {
  for (std::size_t i = 0; i < g.size(); ++i) ge[i] += g[i];
}
/// h^2 e, h = (1 - c|x|^2)/2.
template <class T>
void egrad2rgrad_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
                     Point<std::type_identity_t<T>> e, Point<std::type_identity_t<T>> g,
                     Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> ge,
                     std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  const W h = m.gap(x) / W(2), k = h * dot<T>(e, g);
  for (std::size_t i = 0; i < x.size(); ++i) {
    gx[i] = T(W(gx[i]) - W(2) * k * W(m.c()) * W(x[i]));
    ge[i] = T(W(ge[i]) + h * h * W(g[i]));
  }
  gc = T(W(gc) - k * norm2<T>(x));
}
/// e + c<x,e> x.
template <class T>
void egrad2rgrad_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
                     Point<std::type_identity_t<T>> e, Point<std::type_identity_t<T>> g,
                     Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> ge,
                     std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  const W c = W(m.c()), xe = dot<T>(x, e), xg = dot<T>(x, g);
  for (std::size_t i = 0; i < x.size(); ++i) {
    gx[i] = T(W(gx[i]) + c * (xg * W(e[i]) + xe * W(g[i])));
    ge[i] = T(W(ge[i]) + W(g[i]) + c * xg * W(x[i]));
  }
  gc = T(W(gc) + xe * xg);
}
/// e - <x^,e> x^, by the raw row.
template <class T>
void egrad2rgrad_vjp(const Sphere<T>&, Point<std::type_identity_t<T>> x,
                     Point<std::type_identity_t<T>> e, Point<std::type_identity_t<T>> g,
                     Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> ge,
                     std::type_identity_t<T>&) {
  using W = Wide<T>;
  const W n = norm2<T>(x), xe = dot<T>(x, e) / n, xg = dot<T>(x, g) / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const W across_e = W(e[i]) - xe * W(x[i]), across_g = W(g[i]) - xg * W(x[i]);
    gx[i] = T(W(gx[i]) - xg * across_e - xe * across_g);
    ge[i] = T(W(ge[i]) + across_g);
  }
}

}  // namespace hcl::inline HCL_ABI
