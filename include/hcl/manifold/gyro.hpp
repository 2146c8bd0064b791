// hcl/manifold/gyro.hpp - the gyrovector space of the Poincare ball: Moebius addition,
// scalar and matrix multiplication, gyration (Ungar, Analytic Hyperbolic Geometry, 2005;
// Ganea, Becigneul, Hofmann, Hyperbolic Neural Networks, 2018, sections 2.3 and 3.2).
//
// Results are rounded to the inside as PoincareBall::project does; the `_vjp` are of the
// formula itself, also where its value was rounded: beyond the rim hardly anything along
// the ray, where that of PoincareBall::expmap0 goes on. They accumulate. By rows:
// gyro_batch.hpp.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/jet.hpp"
#include "hcl/manifold/poincare_ball.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// x (+) y = on_x x + on_sum (x+y) from a = 1 - c|x|^2, b = 1 - c|y|^2, q = |x+y|^2.
template <class S>
struct MobiusSum {
  S on_x, on_sum;
};
template <class S>
[[nodiscard]] MobiusSum<S> mobius_sum(const S& a, const S& b, const S& q, const S& c) {
  const S below = a * b + c * q;
  return {c * q / below, a / below};
}

/// tanh(r sigma)/(r s) from stretch = r^2, with s^2 = c n, sigma = artanh s = asinh(sqrt
/// w), w = c n/(1 - c n): r (x) x is r times this times x, and M (x) x is M x times this
/// for r = |M x|/|x|. Called with stretch = r^2 n, which has no case for n = 0.
template <class S>
[[nodiscard]] S mobius_scale(const S& stretch, const S& n, const S& c) {
  using std::sqrt;
  const S a = S(1) - c * n, h = asinhc_of_square(S(c * n / a));
  return tanhc_of_square(S(stretch * c * h * h / a)) * h / sqrt(a);
}

/// gyr[x,y]v = v + on_x x + on_t t. t = y where <x,y> >= 0, else t = x+y, in which
/// nothing cancels for y near -x.
template <class S>
struct Gyration {
  S on_x, on_t;
  /// By z = <x,y>, tv = <y,v>.
  static Gyration plain(const S& nx, const S& ny, const S& z, const S& xv, const S& tv,
                        const S& c) {
    const S k = S(2) * c / (S(1) + S(2) * c * z + c * c * nx * ny);
    return {k * ((S(1) + S(2) * c * z) * tv - c * xv * ny), -k * (c * tv * nx + xv)};
  }
  /// By z = |x+y|^2, tv = <x+y,v>.
  static Gyration opposed(const S& nx, const S& ny, const S& z, const S& xv, const S& tv,
                          const S& c) {
    const S a = S(1) - c * nx, b = S(1) - c * ny, k = S(2) * c / (a * b + c * z);
    return {k * ((b + c * z) * tv - c * z * xv), -k * (c * nx * tv + a * xv)};
  }
};

/// m = M x as W, |M x|^2; row i of M is an output coordinate.
template <class T>
[[nodiscard]] Wide<T> multiply(const BatchView<const T>& matrix, Point<T> x,
                               std::span<Wide<T>> m) {
  using W = Wide<T>;
  W n(0);
  for (Index i = 0; i < matrix.rows(); ++i) {
    const W u = dot<T>(matrix.row(i), x);
    m[std::size_t(i)] = u;
    n += u * u;
  }
  return n;
}

/// m = M x becomes dL/dm; gc grows; the result times x is what x gets not through m.
template <class T>
[[nodiscard]] Wide<T> matvec_pull(const PoincareBall<T>& ball, Point<T> x,
                                  const Wide<T>& m2, std::span<Wide<T>> m, Point<T> g,
                                  T& gc) {
  using W = Wide<T>;
  const auto [mm, n, c] = variables<W>(m2, norm2<T>(x), ball.c());
  const auto f = mobius_scale(mm, n, c);
  W k(0);
  for (std::size_t i = 0; i < m.size(); ++i) k += W(g[i]) * m[i];
  for (std::size_t i = 0; i < m.size(); ++i)
    m[i] = f.v * W(g[i]) + W(2) * k * f.d[0] * m[i];
  gc = T(W(gc) + k * f.d[2]);
  return W(2) * k * f.d[1];
}

/// gx += M^T gm + on_x x, summed in `sum`.
template <class T>
void matvec_back(const BatchView<const T>& matrix, Point<T> x, const Wide<T>& on_x,
                 std::span<const Wide<T>> gm, std::span<Wide<T>> sum, Grad<T> gx) {
  using W = Wide<T>;
  for (std::size_t j = 0; j < x.size(); ++j) sum[j] = on_x * W(x[j]);
  for (std::size_t i = 0; i < gm.size(); ++i) {
    const Point<T> row = matrix.row(Index(i));
    for (std::size_t j = 0; j < x.size(); ++j) sum[j] += gm[i] * W(row[j]);
  }
  for (std::size_t j = 0; j < x.size(); ++j) gx[j] = T(W(gx[j]) + sum[j]);
}

}  // namespace detail

/// lambda_x = 2/(1 - c|x|^2), in [2, inf).
template <class T>
[[nodiscard]] T conformal_factor(const PoincareBall<T>& ball,
                                 Point<std::type_identity_t<T>> x) {
  return T(Wide<T>(2) / ball.gap(x));
}

/// gx += g lambda^2 c x, gc += g lambda^2 |x|^2/2.
template <class T>
void conformal_factor_vjp(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
                          const std::type_identity_t<T>& g,
                          Grad<std::type_identity_t<T>> gx, std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(x.size() == gx.size());
  const W n = norm2<T>(x), c = W(ball.c()), l = W(2) / ball.gap(x), k = W(g) * l * l;
  detail::each_coordinate<T>(detail::shared_size(x, gx),
                             [&]<class V>(detail::Coordinates<V> at)
                                 HCL_INLINE_LAMBDA { at.add(gx, V(k * c * at(x))); });
  gc = T(W(gc) + k * n / W(2));
}

/// x (+) y = ((1 + 2c<x,y> + c|y|^2) x + (1 - c|x|^2) y)/(1 + 2c<x,y> + c^2|x|^2|y|^2)
/// (Ganea et al., section 2.3), as (a s + c|s|^2 x)/(a b + c|s|^2) with s = x+y, a =
/// 1-c|x|^2, b = 1-c|y|^2: no term is negative, so y near -x keeps its digits. out may be
/// x or y.
template <class T>
void mobius_add(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
                Point<std::type_identity_t<T>> y, Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  using S = Sum<T>;
  HCL_ASSERT(x.size() == y.size());
  // In the width of sums 0 (+) y is y to the bit.
  const auto [nx, ny, q] = detail::norms_and_square<1, T>(x, y);
  const S c = S(ball.c()), a = ball.gap(nx), b = ball.gap(ny);
  const auto k = detail::mobius_sum<S>(a, b, q, c);
  const W on_x(k.on_x), on_sum(k.on_sum);
  detail::each_coordinate<T>(detail::shared_size(x, y, out),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               at.put(out, V(on_x * at(x) + on_sum * (at(x) + at(y))));
                             });
  ball.inside(W(k.on_sum * b), out);  // 1 - c|out|^2 = a b/(a b + c q)
}

/// gx, gy, gc += the backward of mobius_add.
template <class T>
void mobius_add_vjp(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
                    Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> g,
                    Grad<std::type_identity_t<T>> gx, Grad<std::type_identity_t<T>> gy,
                    std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(x.size() == y.size());
  const auto of = detail::norms_and_square<1, T>(x, y);
  const auto [nx, ny, q, c] =
      detail::variables<W>(W(of[0]), W(of[1]), W(of[2]), ball.c());
  const auto k = detail::mobius_sum(detail::gap_of(W(ball.gap(of[0])), nx, c),
                                    detail::gap_of(W(ball.gap(of[1])), ny, c), q, c);
  const auto by = (dot<T>(g, x) * k.on_x + detail::sum_dot<T>(x, y, g) * k.on_sum).d;
  const W on_x = k.on_x.v, on_sum = k.on_sum.v, by_x = W(2) * by[0], by_y = W(2) * by[1],
          by_sum = W(2) * by[2];
  detail::each_coordinate<T>(detail::shared_size(x, y, g, gx, gy),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               const V u = on_sum * at(g) + by_sum * (at(x) + at(y));
                               at.add(gx, V(u + on_x * at(g) + by_x * at(x)));
                               at.add(gy, V(u + by_y * at(y)));
                             });
  gc = T(W(gc) + by[3]);
}

/// r (x) x = tanh(r artanh(sqrt(c)|x|)) x/(sqrt(c)|x|) (Ganea et al., section 2.3), 0 at
/// x = 0. Any finite r; sqrt(c) d(0, r (x) x) = |r| sqrt(c) d(0,x). out may be x.
template <class T>
void mobius_scalar_mul(const PoincareBall<T>& ball, const std::type_identity_t<T>& r,
                       Point<std::type_identity_t<T>> x,
                       Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  const W n = norm2<T>(x), f = detail::mobius_scale<W>(W(r) * W(r) * n, n, W(ball.c()));
  detail::scale<T>(W(r) * f, x, out);
  ball.project(out, out);
}

/// gr, gx, gc += the backward of mobius_scalar_mul.
template <class T>
void mobius_scalar_mul_vjp(const PoincareBall<T>& ball, const std::type_identity_t<T>& r,
                           Point<std::type_identity_t<T>> x,
                           Point<std::type_identity_t<T>> g, std::type_identity_t<T>& gr,
                           Grad<std::type_identity_t<T>> gx,
                           std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  const auto [s, n, c] = detail::variables<W>(r, norm2<T>(x), ball.c());
  const auto f = s * detail::mobius_scale(s * s * n, n, c);
  const W k = dot<T>(g, x);
  const W on_g = f.v, on_x = W(2) * k * f.d[1];
  detail::each_coordinate<T>(detail::shared_size(x, g, gx),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               at.add(gx, V(on_g * at(g) + on_x * at(x)));
                             });
  gr = T(W(gr) + k * f.d[0]);
  gc = T(W(gc) + k * f.d[2]);
}

/// M (x) x = tanh(|Mx|/|x| artanh(sqrt(c)|x|)) Mx/(sqrt(c)|Mx|) = expmap0(M logmap0(x))
/// (Ganea et al., section 3.2), 0 where M x = 0.
/// @param matrix  M by D: out has M numbers, x has D. out must not overlap x.
/// @param scratch  M numbers; the overload without it allocates them.
template <class T>
void mobius_matvec(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> matrix,
                   Point<std::type_identity_t<T>> x, Grad<std::type_identity_t<T>> out,
                   std::type_identity_t<std::span<Wide<T>>> scratch) {
  HCL_ASSERT(std::size_t(matrix.cols()) == x.size() &&
             std::size_t(matrix.rows()) == out.size() && scratch.size() == out.size());
  using W = Wide<T>;
  const W m2 = detail::multiply<T>(matrix, x, scratch);
  const W f = detail::mobius_scale<W>(m2, norm2<T>(x), W(ball.c()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = T(f * scratch[i]);
  ball.project(out, out);
}
template <class T>
void mobius_matvec(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> matrix,
                   Point<std::type_identity_t<T>> x, Grad<std::type_identity_t<T>> out) {
  std::vector<Wide<T>> scratch(out.size());
  mobius_matvec(ball, matrix, x, out, scratch);
}

/// gmatrix, gx, gc += the backward of mobius_matvec. Allocates; mobius_matvec_vjp by rows
/// takes a Workspace.
template <class T>
void mobius_matvec_vjp(const PoincareBall<T>& ball,
                       std::type_identity_t<BatchIn<T>> matrix,
                       Point<std::type_identity_t<T>> x, Point<std::type_identity_t<T>> g,
                       std::type_identity_t<BatchOut<T>> gmatrix,
                       Grad<std::type_identity_t<T>> gx, std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(std::size_t(matrix.cols()) == x.size() &&
             std::size_t(matrix.rows()) == g.size());
  std::vector<W> gm(g.size()), sum(x.size());
  const W m2 = detail::multiply<T>(matrix, x, gm);
  const W on_x = detail::matvec_pull<T>(ball, x, m2, gm, g, gc);
  detail::matvec_back<T>(matrix, x, on_x, gm, sum, gx);
  for (Index i = 0; i < matrix.rows(); ++i)
    for (Index j = 0; j < matrix.cols(); ++j) {
      T& out = gmatrix(i, j);
      out = T(W(out) + gm[std::size_t(i)] * W(x[std::size_t(j)]));
    }
}

/// gyr[x,y]v = -(x (+) y) (+) (x (+) (y (+) v)), an isometry of v (Ungar 2005), in the
/// closed form v + 2(A x + B y)/(1 + 2c<x,y> + c^2|x|^2|y|^2), A = c<y,v> +
/// 2c^2<x,y><y,v>
/// - c^2<x,v>|y|^2, B = -c<x,v> - c^2<y,v>|x|^2: v itself at x = 0 and y = 0. v is any
/// vector. out may be any of the inputs.
template <class T>
void gyration(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
              Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> v,
              Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  using Form = detail::Gyration<W>;
  HCL_ASSERT(x.size() == y.size() && x.size() == v.size());
  const W c = W(ball.c()), nx = norm2<T>(x), ny = norm2<T>(y), xy = dot<T>(x, y),
          xv = dot<T>(x, v);
  const bool plain = xy >= W(0);
  const Form k = plain ? Form::plain(nx, ny, xy, xv, dot<T>(y, v), c)
                       : Form::opposed(nx, ny, W(detail::sum2<T>(x, y)), xv,
                                       detail::sum_dot<T>(x, y, v), c);
  detail::each_coordinate<T>(detail::shared_size(x, y, v, out),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               const V t = plain ? V(at(y)) : V(at(x) + at(y));
                               at.put(out, V(at(v) + (k.on_x * at(x) + k.on_t * t)));
                             });
}

/// gx, gy, gv, gc += the backward of gyration.
template <class T>
void gyration_vjp(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
                  Point<std::type_identity_t<T>> y, Point<std::type_identity_t<T>> v,
                  Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gx,
                  Grad<std::type_identity_t<T>> gy, Grad<std::type_identity_t<T>> gv,
                  std::type_identity_t<T>& gc) {
  using W = Wide<T>;
  HCL_ASSERT(x.size() == y.size() && x.size() == v.size() && x.size() == g.size());
  const W xy = dot<T>(x, y);
  const bool plain = xy >= W(0);
  const auto [nx, ny, z, xv, tv, c] = detail::variables<W>(
      norm2<T>(x), norm2<T>(y), plain ? xy : W(detail::sum2<T>(x, y)), dot<T>(x, v),
      plain ? dot<T>(y, v) : detail::sum_dot<T>(x, y, v), ball.c());
  using Form = detail::Gyration<std::remove_cvref_t<decltype(z)>>;
  const Form k =
      plain ? Form::plain(nx, ny, z, xv, tv, c) : Form::opposed(nx, ny, z, xv, tv, c);
  const W gt = plain ? dot<T>(g, y) : detail::sum_dot<T>(x, y, g);
  const auto by = (dot<T>(g, x) * k.on_x + gt * k.on_t).d;
  const W one(plain ? 0 : 1);  // dt/dx; dt/dy is 1
  for (std::size_t i = 0; i < x.size(); ++i) {
    const W xi = W(x[i]), yi = W(y[i]), vi = W(v[i]), gi = W(g[i]), t = yi + one * xi;
    const W by_t = k.on_t.v * gi + by[4] * vi;
    const W by_zx = plain ? yi : W(W(2) * t), by_zy = plain ? xi : W(W(2) * t);
    gx[i] = T(W(gx[i]) + k.on_x.v * gi + by[3] * vi + one * by_t + W(2) * by[0] * xi +
              by[2] * by_zx);
    gy[i] = T(W(gy[i]) + by_t + W(2) * by[1] * yi + by[2] * by_zy);
    gv[i] = T(W(gv[i]) + gi + by[3] * xi + by[4] * t);
  }
  gc = T(W(gc) + by[5]);
}

}  // namespace hcl::inline HCL_ABI
