// hcl/manifold/maps_vjp.hpp - the backward of expmap, logmap and parallel_transport. What
// the geometries have as members, here as free functions `f_vjp(m, inputs..., upstream,
// gradients of each input..., gc)`; all of them accumulate.
//
// Each is that of the map's formula, also where its value was rounded back to the inside
// of the ball. Invariants as in jet.hpp; a gap 1 - c|x|^2 keeps the digits of its sum.
// Finite for |x|^2, |v|^2 and these times c up to 1e24, and c from 1e-24 on: products of
// them are taken.
#pragma once

#include <type_traits>

#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/jet.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// each_coordinate in Sum<T>: of doubles one by one in two doubles.
template <class T, class F>
HCL_INLINE void each_sum(std::size_t n, const F& f) {
  if constexpr (std::same_as<Sum<T>, Wide<T>>)
    each_coordinate<T>(n, f);
  else
    for (std::size_t k = 0; k < n; ++k) f(Coordinates<Sum<T>>{k});
}

/// v as the metric of the Lorentz chart lowers it, v - c<x,v>/(1 + c|x|^2) x, split along
/// x: the sum as it stands cancels for radial v far from the origin.
template <class T>
struct Lowered {
  using W = Wide<T>;
  using S = Sum<T>;
  S length, along, kept;  // |x|, <x,v>/|x|^2, that over 1 + c|x|^2
  W by_time;              // c<x,v>/(1 + c|x|^2)
  W length2;              // |v|^2 - c<x,v>^2/(1 + c|x|^2)
  Lowered(const W& c, Point<T> x, Point<T> v)
      : length(0), along(0), kept(0), by_time(0), length2(0) {
    const S n = dot_sum<T>(x, x), xv = dot_sum<T>(x, v);
    length = root(n);
    if (n > S(0)) {
      const S t2 = S(1) + S(c) * n;
      along = xv / n, kept = along / t2, by_time = c * W(xv / t2);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W across(S(v[i]) - along * S(x[i]));
      length2 += across * across;
    }
    length2 += W(along * kept * n);
  }
  [[nodiscard]] S operator()(const T& x, const T& v) const {
    return (S(v) - along * S(x)) + kept * S(x);
  }
};

/// logmap = on_x x + on_y y, z = c d(x,y)^2.
template <class T, class S>
[[nodiscard]] OnGeodesic<S> on_logmap(const Sphere<T>&, const S& nx, const S& ny,
                                      const S& z, const S& c) {
  using std::sqrt;
  const S k = S(1) / sinc_of_square(z);
  return {-k * cos_of_square(z) / sqrt(S(c * nx)), k / sqrt(S(c * ny))};
}

/// r(z) = sinh(r)/r at r = sqrt z, cosh(r), by z: of the Lorentz map, which stays at
/// radius `end` beyond it.
template <class S, class W>
[[nodiscard]] OnGeodesic<S> lorentz_step(const S& z, const W& end) {
  using std::cosh;
  using std::sinh;
  using std::sqrt;
  if (z.v < end * end) return {cosh_of_square(z), sinhc_of_square(z)};
  return {S(cosh(end)), S(sinh(end)) / sqrt(z)};
}

}  // namespace detail

/// gx, gv, gc += the backward of m.expmap(x, v).
template <class T>
void expmap_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                Point<std::type_identity_t<T>>, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gv,
                std::type_identity_t<T>&) {
  for (std::size_t i = 0; i < g.size(); ++i) gx[i] += g[i], gv[i] += g[i];
}
/// As x (+) u = ((a + c q) x + a u)/(a b + c q), q = |x+u|^2, u = s v.
template <class T>
void expmap_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gv,
                std::type_identity_t<T>& gc) {
  using S = Sum<T>;
  const auto of = detail::sums_of<5, Sum<T>>(
      detail::shared_size(x, v, g),
      [&]<class V>(std::array<V, 5>& sum, std::size_t k) HCL_INLINE_LAMBDA {
        const V xk = detail::load_sum<V>(&x[k]), vk = detail::load_sum<V>(&v[k]),
                gk = detail::load_sum<V>(&g[k]);
        sum[0] = detail::add_product(sum[0], xk, xk);
        sum[1] = detail::add_product(sum[1], vk, vk);
        sum[2] = detail::add_product(sum[2], xk, vk);
        sum[3] = detail::add_product(sum[3], gk, xk);
        sum[4] = detail::add_product(sum[4], gk, vk);
      });
  const auto [nx, nv, xv, c] = detail::variables<S>(of[0], of[1], of[2], m.c());
  const auto a = detail::gap_of(m.gap(of[0]), nx, c);
  const auto z = c * nv / (a * a);
  const auto [tanhc_z, b] = detail::tanhc_sech2_of_square(z);
  const auto s = tanhc_z / a;
  auto q = nx + s * (s * nv + xv + xv);
  // q and its half slope by s, from the sums x + u themselves.
  const auto [value, q_s] = detail::sums_of<2, S>(
      detail::shared_size(x, v),
      [&]<class V>(std::array<V, 2>& sum, std::size_t k) HCL_INLINE_LAMBDA {
        const V vk = detail::load_sum<V>(&v[k]),
                e = detail::load_sum<V>(&x[k]) + V(s.v) * vk;
        sum[0] = detail::add_product(sum[0], e, e);
        sum[1] = detail::add_product(sum[1], e, vk);
      });
  for (std::size_t k = 0; k < q.d.size(); ++k)
    q.d[k] = nx.d[k] + s.v * (s.v * nv.d[k] + S(2) * xv.d[k]) + S(2) * q_s * s.d[k];
  q.v = value;
  const auto below = a * b + c * q, on_x = (a + c * q) / below, on_v = a * s / below;
  const auto by = (of[3] * on_x + of[4] * on_v).d;
  const S gx_g = on_x.v, gv_g = on_v.v, by_x = S(2) * by[0], by_v = S(2) * by[1],
          by_xv = by[2];
  detail::each_sum<T>(detail::shared_size(x, v, g, gx, gv),
                      [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                        at.add(gx, V(gx_g * at(g) + by_x * at(x) + by_xv * at(v)));
                        at.add(gv, V(gv_g * at(g) + by_v * at(v) + by_xv * at(x)));
                      });
  gc = T(S(gc) + by[3]);
}
/// z = c(|v|^2 - c<x,v>^2/(1 + c|x|^2)) has dz/dv = 2c w, dz/dx = -2c^2<x,v>/(1 + c|x|^2)
/// w, w the lowered v.
template <class T>
void expmap_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gv,
                std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  using S = Sum<T>;
  const W c = W(m.c());
  const detail::Lowered<T> low(c, x, v);
  const auto [z] = detail::variables<W>(c * low.length2);
  const auto k = detail::lorentz_step(z, m.farthest());
  const W by_z = dot<T>(g, x) * k.on_x.d[0] + dot<T>(g, v) * k.on_y.d[0];
  const W kv = W(2) * c * by_z, kx = -kv * low.by_time;
  const auto add = [&](Grad<T> to, const W& by_g, const W& by_w) {
    detail::add_covector<T>(x, low.length, to, [&](std::size_t i) -> S {
      return S(by_g) * S(g[i]) + S(by_w) * low(x[i], v[i]);
    });
  };
  add(gx, k.on_x.v, kx), add(gv, k.on_y.v, kv);
  gc = T(W(gc) + by_z * (low.length2 - low.by_time * (low.by_time / c)));
}
/// By the raw row x; v as it is, also where it is not tangent.
template <class T>
void expmap_vjp(const Sphere<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> v, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gv,
                std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  const auto [nx, nv, c] = detail::variables<W>(norm2<T>(x), norm2<T>(v), m.c());
  const auto z = c * nv, on_v = detail::sinc_of_square(z),
             on_x = detail::cos_of_square(z) / sqrt(c * nx);
  const auto by = (dot<T>(g, x) * on_x + dot<T>(g, v) * on_v).d;
  detail::each_coordinate<T>(detail::shared_size(x, v, g, gx, gv),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               at.add(gx, V(on_x.v * at(g) + W(2) * by[0] * at(x)));
                               at.add(gv, V(on_v.v * at(g) + W(2) * by[1] * at(v)));
                             });
  gc = T(W(gc) + by[2]);
}

/// gx, gy, gc += the backward of m.logmap(x, y); not at antipodes.
template <class T>
void logmap_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                Point<std::type_identity_t<T>>, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gy,
                std::type_identity_t<T>&) {
  for (std::size_t i = 0; i < g.size(); ++i) gx[i] -= g[i], gy[i] += g[i];
}
template <class T>
void logmap_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gy,
                std::type_identity_t<T>& gc) {
  using S = Sum<T>;
  const auto of = detail::norms_and_square<-1, T>(x, y);
  const auto [nx, ny, q, c] = detail::variables<S>(of[0], of[1], of[2], m.c());
  const auto a = detail::gap_of(m.gap(of[0]), nx, c);
  const auto b = detail::gap_of(m.gap(of[1]), ny, c);
  const auto w = c * q / (a * b);
  const auto k = detail::asinhc_of_square(w) / (b * sqrt(S(1) + w));
  const auto on_gap = k * a, on_x = -k * c * q;
  const S gap_g = detail::diff_dot_sum<T>(y, x, g);  // <y-x, g>
  const auto by = (gap_g * on_gap + detail::dot_sum<T>(g, x) * on_x).d;
  const S gx_g = on_x.v - on_gap.v, gy_g = on_gap.v, by_x = S(2) * by[0],
          by_y = S(2) * by[1], by_q = S(2) * by[2];
  detail::each_sum<T>(detail::shared_size(x, y, g, gx, gy),
                      [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                        const V by_gap = by_q * (at(y) - at(x));
                        at.add(gx, V(gx_g * at(g) + by_x * at(x) - by_gap));
                        at.add(gy, V(gy_g * at(g) + by_y * at(y) + by_gap));
                      });
  gc = T(S(gc) + by[3]);
}
/// Of k ((y - x) - 2w x), k = F(w)/sqrt(1 + w), w = cQ.
template <class T>
void logmap_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gy,
                std::type_identity_t<T>& gc) {
  using std::sqrt;
  using S = Sum<T>;
  const S nx = detail::dot_sum<T>(x, x), ny = detail::dot_sum<T>(y, y), c = S(m.c()),
          one(1), two(2), tx = sqrt(one / c + nx), ty = sqrt(one / c + ny), r = ty / tx;
  const S q(m.chord(x, y)), w = c * q, s = detail::root(w), h = sqrt(one + w);
  const S f = asinhc(s), k = f / h,
          k_w = asinhc_slope(s, f) / (two * h) - f / (two * h * h * h);
  const S g_x = detail::dot_sum<T>(g, x), g_gap = detail::diff_dot_sum<T>(y, x, g);
  const S by_w = k_w * (g_gap - two * w * g_x) - two * k * g_x, half = c * by_w / two;
  detail::add_covector<T>(x, detail::root(nx), gx, [&](std::size_t i) -> S {
    return half * (r * S(x[i]) - S(y[i])) - k * (one + two * w) * S(g[i]);
  });
  detail::add_covector<T>(y, detail::root(ny), gy, [&](std::size_t i) -> S {
    return half * (S(y[i]) / r - S(x[i])) + k * S(g[i]);
  });
  const S dt = detail::norm2_gap<T>(y, x) / (tx + ty);  // t_y - t_x
  gc = T(S(gc) + by_w * (q - dt / (two * c * tx) * (dt / (two * ty))));
}
/// By the raw rows. c only scales, by 1/sqrt(c).
template <class T>
void logmap_vjp(const Sphere<T>& m, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> g,
                Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gy,
                std::type_identity_t<T>& gc) {
  using std::sqrt;
  using W = Wide<T>;
  const auto weights = [&](const auto& nx, const auto& ny, const auto& z, const auto&,
                           const auto& c) { return detail::on_logmap(m, nx, ny, z, c); };
  T unused(0);
  detail::two_point_vjp<Sphere<T>, T>(m, x, y, T(0), weights, g, gx, gy, unused, unused);
  const W lx = detail::length<T>(x), ly = detail::length<T>(y), c = W(m.c()),
          z = c * W(m.dist2(x, y)), half = detail::sinc_of_square(W(z / W(4)));
  W gap_g(0);  // <y^ - x^, g>: the two terms of the logarithm cancel for close points
  for (std::size_t i = 0; i < x.size(); ++i)
    gap_g += (W(y[i]) / ly - W(x[i]) / lx) * W(g[i]);
  const W log_g = (gap_g + z / W(2) * half * half * dot<T>(x, g) / lx) /
                  (detail::sinc_of_square(z) * sqrt(c));
  gc = T(W(gc) - log_g / (W(2) * c));
}

/// gx, gy, gv, gc += the backward of m.parallel_transport(x, y, v).
template <class T>
void parallel_transport_vjp(const Euclidean<T>&, Point<std::type_identity_t<T>>,
                            Point<std::type_identity_t<T>>,
                            Point<std::type_identity_t<T>>,
                            Point<std::type_identity_t<T>> g,
                            Grad<std::type_identity_t<T>>, Grad<std::type_identity_t<T>>,
                            Grad<std::type_identity_t<T>> gv, std::type_identity_t<T>&) {
  for (std::size_t i = 0; i < g.size(); ++i) gv[i] += g[i];
}
template <class T>
void parallel_transport_vjp(const PoincareBall<T>& m, Point<std::type_identity_t<T>> x,
                            Point<std::type_identity_t<T>> y,
                            Point<std::type_identity_t<T>> v,
                            Point<std::type_identity_t<T>> g,
                            Grad<std::type_identity_t<T>> gx,
                            Grad<std::type_identity_t<T>> gy,
                            Grad<std::type_identity_t<T>> gv,
                            std::type_identity_t<T>& gc) {
  using S = Sum<T>;
  const auto of = detail::norms_and_square<-1, T>(x, y);
  const S gap_v = detail::diff_dot_sum<T>(y, x, v),
          gap_g = detail::diff_dot_sum<T>(y, x, g);
  const auto [nx, ny, q, xv, ev, c] =
      detail::variables<S>(of[0], of[1], of[2], detail::dot_sum<T>(x, v), gap_v, m.c());
  const auto a = detail::gap_of(m.gap(of[0]), nx, c);
  const auto b = detail::gap_of(m.gap(of[1]), ny, c);
  const auto cq = c * q, l = b / a, below = a * b + cq, k = (l + l) * c / below;
  const auto on_gap = -k * (c * nx * ev + (b + cq) * xv), on_x = k * (a * ev - cq * xv);
  const auto by =
      (detail::dot_sum<T>(g, v) * l + gap_g * on_gap + detail::dot_sum<T>(g, x) * on_x).d;
  const S two(2);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const S xi = S(x[i]), yi = S(y[i]), vi = S(v[i]), gi = S(g[i]), e = yi - xi;
    const S by_gap = on_gap.v * gi + two * by[2] * e + by[4] * vi;
    gx[i] = T(S(gx[i]) + on_x.v * gi + two * by[0] * xi + by[3] * vi - by_gap);
    gy[i] = T(S(gy[i]) + two * by[1] * yi + by_gap);
    gv[i] = T(S(gv[i]) + l.v * gi + by[3] * xi + by[4] * e);
  }
  gc = T(S(gc) + by[5]);
}
/// Of v + k (x+y), k = c p/(2(1 + cQ)), p = <y - (t_y/t_x) x, v>, Q the chord.
template <class T>
void parallel_transport_vjp(const Lorentz<T>& m, Point<std::type_identity_t<T>> x,
                            Point<std::type_identity_t<T>> y,
                            Point<std::type_identity_t<T>> v,
                            Point<std::type_identity_t<T>> g,
                            Grad<std::type_identity_t<T>> gx,
                            Grad<std::type_identity_t<T>> gy,
                            Grad<std::type_identity_t<T>> gv,
                            std::type_identity_t<T>& gc) {
  using std::sqrt;
  using S = Sum<T>;
  const S nx = detail::dot_sum<T>(x, x), ny = detail::dot_sum<T>(y, y),
          over = S(1) / S(m.c()), sx = sqrt(over + nx), sy = sqrt(over + ny),
          sxv = detail::dot_sum<T>(x, v), gap = detail::norm2_gap<T>(y, x);
  // p as <y-x, v> less what the times differ by: close points do not cancel.
  S sp = S(0) - gap / ((sx + sy) * sx) * sxv;
  for (std::size_t i = 0; i < x.size(); ++i) sp += (S(y[i]) - S(x[i])) * S(v[i]);
  const S c = S(m.c()), q = S(m.chord(x, y)), h = S(1) + c * q, two(2);
  const S both = detail::sum_of<S>(
      detail::shared_size(x, y, g), [&]<class V>(const V& sum, std::size_t i) {
        return detail::add_product(
            sum, V(detail::load_sum<V>(&x[i]) + detail::load_sum<V>(&y[i])),
            detail::load_sum<V>(&g[i]));
      });
  // phi = both k; its derivatives by p and by Q, dQ/dx = ((t_y/t_x) x - y)/2.
  const S k = c * sp / (two * h), by_p = both * c / (two * h),
          by_q = S(0) - both * k * c / h, half_q = by_q / two;
  const S r = sy / sx, px = sxv / (sx * sx), py = sxv / (sx * sy);
  detail::add_covector<T>(x, detail::root(nx), gx, [&](std::size_t i) -> S {
    const S xi = S(x[i]);
    return k * S(g[i]) + by_p * r * (px * xi - S(v[i])) + half_q * (r * xi - S(y[i]));
  });
  detail::add_covector<T>(y, detail::root(ny), gy, [&](std::size_t i) -> S {
    const S yi = S(y[i]);
    return k * S(g[i]) + by_p * (S(v[i]) - py * yi) + half_q * (yi / r - S(x[i]));
  });
  detail::add_covector<T>(x, detail::root(nx), gv, [&](std::size_t i) -> S {
    return S(g[i]) + by_p * (S(y[i]) - r * S(x[i]));
  });
  const S dt = gap / (sx + sy);  // t_y - t_x
  const S p_c = S(0) - sxv * (gap / (c * sx * sx)) / (two * c * sx * sy);
  const S q_c = S(0) - (dt / (two * c * sx)) * (dt / (c * sy)) / two;
  gc = T(S(gc) + both * sp / (two * h) - both * k * q / h + by_p * p_c + by_q * q_c);
}
namespace detail {

/// Of v - 2 <s, v>/|s|^2 s, s = x^ + y^, by the raw rows.
template <class T>
void reflection_vjp(const Directions<Sum<T>>& p, Point<T> x, Point<T> y, Point<T> v,
                    Point<T> g, Grad<T> gx, Grad<T> gy, Grad<T> gv) {
  using W = Wide<T>;
  using S = Sum<T>;
  const S length = p.together_length(x, y);
  if (!(length > S(0))) {
    for (std::size_t i = 0; i < x.size(); ++i) gv[i] += g[i];
    return;
  }
  // e = s/|s|, whose part along x^ is |s|/2: rounded lengths leave it an error of 1/|s|
  // units. The derivative by s is -2 (<e,g> v' + <e,v> g')/|s| with what v and g have
  // across e: the parts along it, |s|^-1 times the result, need not cancel.
  const auto rounded = [&](std::size_t i) {
    return p.together(S(x[i]), S(y[i])) / length;
  };
  S along(0);
  for (std::size_t i = 0; i < x.size(); ++i) along += rounded(i) * S(x[i]);
  const S lost = (length / (S(2) * p.m) - along / p.a) / p.a;
  const auto e = [&](std::size_t i) { return rounded(i) + lost * S(x[i]); };
  S ev(0), eg(0);
  for (std::size_t i = 0; i < x.size(); ++i) ev += e(i) * S(v[i]), eg += e(i) * S(g[i]);
  const S k = S(2) * p.m / length;
  const auto by_s = [&](std::size_t i) {
    return -k * (eg * (S(v[i]) - ev * e(i)) + ev * (S(g[i]) - eg * e(i)));
  };
  const auto across = [&](Point<T> of, const S& size, Grad<T> out) {
    S radial(0);
    for (std::size_t i = 0; i < of.size(); ++i) radial += by_s(i) * S(of[i]);
    radial = radial / size / size;
    for (std::size_t i = 0; i < of.size(); ++i)
      out[i] = T(W(out[i]) + W((by_s(i) - radial * S(of[i])) / size));
  };
  across(x, p.a, gx);
  across(y, p.b, gy);
  for (std::size_t i = 0; i < x.size(); ++i)
    gv[i] = T(W(gv[i]) + W(g[i]) - W(S(2) * eg * e(i)));
}

}  // namespace detail

/// Of v + 2 <x^ - y^, v>/|x^ + y^|^2 (x^ + y^), by the raw rows; beyond a quarter turn,
/// as the map itself, of v - 2 <s, v>/|s|^2 s with s = x^ + y^. Not at antipodes.
template <class T>
void parallel_transport_vjp(const Sphere<T>& m, Point<std::type_identity_t<T>> x,
                            Point<std::type_identity_t<T>> y,
                            Point<std::type_identity_t<T>> v,
                            Point<std::type_identity_t<T>> g,
                            Grad<std::type_identity_t<T>> gx,
                            Grad<std::type_identity_t<T>> gy,
                            Grad<std::type_identity_t<T>> gv,
                            std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  using S = Sum<T>;
  const detail::Directions<S> p(x, y);
  if (!(p.apart2(x, y) < p.together2(x, y)))
    return detail::reflection_vjp<T>(p, x, y, v, g, gx, gy, gv);
  const W lx = W(p.a), ly = W(p.b), d2 = W(m.dist2(x, y)), c0 = W(m.c());
  W apart_v(0), both_g(0);  // <x^ - y^, v>, <x^ + y^, g>
  for (std::size_t i = 0; i < x.size(); ++i) {
    const W xi = W(x[i]) / lx, yi = W(y[i]) / ly;
    apart_v += (xi - yi) * W(v[i]), both_g += (xi + yi) * W(g[i]);
  }
  const auto [apart, z] = detail::variables<W>(apart_v, c0 * d2);
  const auto k =
      apart / (W(2) * detail::cos_of_square(z / W(4)) * detail::cos_of_square(z / W(4)));
  const W by_p = both_g * k.d[0];
  // By x^ is k g + by_p v, of which x gets what is across x^; y likewise.
  const auto across = [&](Point<T> of, const W& length, const W& sign, Grad<T> out) {
    const W radial = (k.v * dot<T>(of, g) + sign * by_p * dot<T>(of, v)) / length;
    for (std::size_t i = 0; i < of.size(); ++i)
      out[i] = T(W(out[i]) +
                 (k.v * W(g[i]) + sign * by_p * W(v[i]) - radial * W(of[i]) / length) /
                     length);
  };
  across(x, lx, W(1), gx);
  across(y, ly, W(-1), gy);
  for (std::size_t i = 0; i < x.size(); ++i)
    gv[i] = T(W(gv[i]) + W(g[i]) + by_p * (W(x[i]) / lx - W(y[i]) / ly));
  const W by_z = both_g * k.d[1];
  m.dist2_vjp(x, y, T(by_z * c0), gx, gy, gc);  // z does not depend on c
  gc = T(W(gc) + by_z * d2);
}

}  // namespace hcl::inline HCL_ABI
