// hcl/manifold/head.hpp - what stands between an encoder and a geometry: the feature clip
// and the normalisation. (expmap0 is the geometry's own.)
#pragma once

#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// v min(1, r/|v|), r > 0 in units of |v| (Guo et al., Clipped Hyperbolic Classifiers Are
/// Super-Hyperbolic Classifiers, 2022, eq. 9). out may be v.
template <class T>
void clip(Point<std::type_identity_t<T>> v, const T& r,
          Grad<std::type_identity_t<T>> out) {
  const Wide<T> a = detail::length<T>(v);
  if (a > Wide<T>(r))
    detail::scale<T>(Wide<T>(r) / a, v, out);
  else
    detail::copy<T>(v, out);
}

/// gv += J^T g, gr += <g, dout/dr>. Inside J is 1; outside J = (r/|v|)(1 - v^ v^T) and
/// dout/dr = v^. At |v| = r the inside holds.
template <class T>
void clip_vjp(Point<std::type_identity_t<T>> v, const T& r,
              Point<std::type_identity_t<T>> g, Grad<std::type_identity_t<T>> gv, T& gr) {
  using W = Wide<T>;
  const W n = norm2<T>(v), a = detail::root(n);
  const bool outside = a > W(r);
  const W s = outside ? W(W(r) / a) : W(1), vg = outside ? dot<T>(v, g) : W(0);
  const W k = outside ? W(vg / n) : W(0);
  detail::each_coordinate<T>(detail::shared_size(v, g, gv),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               at.add(gv, V(s * (at(g) - k * at(v))));
                             });
  if (outside) gr = T(W(gr) + vg / a);
}

/// The clip r in units of |v| whose images lie within the geodesic radius rho of the
/// origin: rho/2 on the ball, rho elsewhere. Compare geometries at equal rho, not at
/// equal r.
template <Manifold M>
[[nodiscard]] ScalarOf<M> clip_of_radius(const M& m,
                                         const std::type_identity_t<ScalarOf<M>>& rho) {
  return rho / m.origin_scale();
}

/// v/|v|, v != 0. out may be v.
template <class T>
void normalize(Point<T> v, Grad<T> out) {
  detail::scale<T>(Wide<T>(1) / detail::length<T>(v), v, out);
}

/// gv += (g - v^<v^,g>)/|v|.
template <class T>
void normalize_vjp(Point<T> v, Point<T> g, Grad<T> gv) {
  using W = Wide<T>;
  const W n = norm2<T>(v), s = W(1) / detail::root(n), k = dot<T>(v, g) / n;
  detail::each_coordinate<T>(detail::shared_size(v, g, gv),
                             [&]<class V>(detail::Coordinates<V> at) HCL_INLINE_LAMBDA {
                               at.add(gv, V(s * (at(g) - k * at(v))));
                             });
}

namespace detail {

template <class T>
void expect_clip(const char* where, const T& r) {
  expect(is_finite(r) && r > T(0), where, ": r = ", as_double(r),
         ", must be finite and > 0");
}

template <class T>
void expect_directions(const char* where, const char* arg, BatchIn<T> v) {
  check_rows(where, arg, v, [](Point<T> row) -> OnManifold {
    if (const auto finite = all_finite<T>(row); !finite) return finite;
    if (norm2<T>(row) > Wide<T>(0)) return {};
    return {false, "a zero row has no direction", 0};
  });
}

}  // namespace detail

/// clip by rows: v and out are N x D. @throws std::invalid_argument (shape, r, non-finite
/// row).
template <class T>
void clip_rows(std::type_identity_t<BatchIn<T>> v, const T& r,
               std::type_identity_t<BatchOut<T>> out) {
  expect_shape("clip_rows", "out", out, v.rows(), v.cols());
  detail::expect_clip("clip_rows", r);
  detail::check_finite<T>("clip_rows", "v", v);
  detail::for_rows(v.rows(), [&](Index i) { clip<T>(v.row(i), r, out.row(i)); });
}

/// clip_vjp by rows: accumulates into gv (N x D) and gr.
template <class T>
void clip_rows_vjp(std::type_identity_t<BatchIn<T>> v, const T& r,
                   std::type_identity_t<BatchIn<T>> g,
                   std::type_identity_t<BatchOut<T>> gv, T& gr) {
  const char* const where = "clip_rows_vjp";
  expect_shape(where, "g", g, v.rows(), v.cols());
  detail::expect_gradient<T>(where, "gv", gv, v, g);
  detail::expect_clip(where, r);
  detail::check_rows(where, detail::finite_rows<T>("v", v),
                     detail::finite_rows<T>("g", g));
  detail::sum_rows<T>(
      v.rows(), [&](Index i, T& s) { clip_vjp<T>(v.row(i), r, g.row(i), gv.row(i), s); },
      gr);
}

/// normalize by rows. @throws std::invalid_argument (shape, non-finite or zero row).
template <class T>
void normalize_rows(std::type_identity_t<BatchIn<T>> v, BatchOut<T> out) {
  expect_shape("normalize_rows", "out", out, v.rows(), v.cols());
  detail::expect_directions<T>("normalize_rows", "v", v);
  parallel_for(v.rows(), [&](Index i) { normalize<T>(v.row(i), out.row(i)); });
}

/// normalize_vjp by rows: accumulates into gv.
template <class T>
void normalize_rows_vjp(std::type_identity_t<BatchIn<T>> v,
                        std::type_identity_t<BatchIn<T>> g, BatchOut<T> gv) {
  const char* const where = "normalize_rows_vjp";
  expect_shape(where, "g", g, v.rows(), v.cols());
  detail::expect_gradient<T>(where, "gv", gv, v, g);
  detail::expect_directions<T>(where, "v", v);
  detail::check_finite<T>(where, "g", g);
  parallel_for(v.rows(),
               [&](Index i) { normalize_vjp<T>(v.row(i), g.row(i), gv.row(i)); });
}

}  // namespace hcl::inline HCL_ABI
