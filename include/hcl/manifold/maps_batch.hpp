// hcl/manifold/maps_batch.hpp - geodesics, transport and the backward of expmap and
// logmap by rows.
//
// Checks, errors and determinism are those of batch.hpp.
#pragma once

#include <type_traits>

#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/maps_vjp.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// Backward of map_pairs: gx, gu row i += ..., gc += the sum of what f adds to its last
/// argument.
template <class M, class F>
void pull_pairs(const char* where, const char* u_arg, bool u_on, const M& m,
                BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> u, BatchIn<ScalarOf<M>> g,
                BatchOut<ScalarOf<M>> gx, BatchOut<ScalarOf<M>> gu, ScalarOf<M>& gc,
                const F& f) {
  using T = ScalarOf<M>;
  expect_like(where, u_arg, u, x);
  expect_like(where, "g", g, x);
  expect_gradient<T>(where, "gradient of x", gx, x, u, g);
  expect_gradient<T>(where, "gradient of the second argument", gu, x, u, g);
  check_rows(where, point_rows("x", m, x), point_rows(u_arg, m, u, u_on),
             finite_rows<T>("g", g));
  if (!u_on) check_tangents(where, m, x, u);
  sum_rows<T>(
      x.rows(),
      [&](Index i, T& s) { f(i, x.row(i), u.row(i), g.row(i), gx.row(i), gu.row(i), s); },
      gc);
}

}  // namespace detail

/// gx, gv += the backward of expmap by rows, gc += its sum.
template <TrainableManifold M>
void expmap_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> v,
                BatchIn<ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                BatchOut<ScalarOf<M>> gv, ScalarOf<M>& gc) {
  detail::pull_pairs("expmap_vjp", "v", false, m, x, v, g, gx, gv, gc,
                     [&](Index, auto a, auto b, auto e, auto ga, auto gb, auto& s) {
                       expmap_vjp(m, a, b, e, ga, gb, s);
                     });
}

/// gx, gy += the backward of logmap by rows, gc += its sum.
template <TrainableManifold M>
void logmap_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                BatchIn<ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                BatchOut<ScalarOf<M>> gy, ScalarOf<M>& gc) {
  detail::pull_pairs("logmap_vjp", "y", true, m, x, y, g, gx, gy, gc,
                     [&](Index, auto a, auto b, auto e, auto ga, auto gb, auto& s) {
                       logmap_vjp(m, a, b, e, ga, gb, s);
                     });
}

/// out row i = geodesic(x row i, y row i, t), any finite t.
template <Manifold M>
void geodesic(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
              const std::type_identity_t<ScalarOf<M>>& t, BatchOut<ScalarOf<M>> out) {
  expect(is_finite(t), "geodesic: t = ", as_double(t), ", must be finite");
  detail::map_pairs("geodesic", "y", true, m, x, y, out, [&](auto a, auto b, auto o) {
    geodesic(m, Point<ScalarOf<M>>(a), Point<ScalarOf<M>>(b), t, Grad<ScalarOf<M>>(o));
  });
}

/// out row i = v row i, taken from x row i to y row i. On the sphere v must be tangent at
/// x.
template <Manifold M>
void parallel_transport(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                        BatchIn<ScalarOf<M>> v, BatchOut<ScalarOf<M>> out) {
  const char* const where = "parallel_transport";
  detail::expect_like(where, "y", y, x);
  detail::expect_like(where, "v", v, x);
  detail::expect_like(where, "out", out, x);
  detail::check_rows(where, detail::point_rows("x", m, x), detail::point_rows("y", m, y),
                     detail::point_rows("v", m, v, false));
  detail::check_tangents(where, m, x, v);
  detail::for_rows(x.rows(), [&](Index i) {
    m.parallel_transport(x.row(i), y.row(i), v.row(i), out.row(i));
  });
}

/// gx, gy, gv += the backward of parallel_transport by rows, gc += its sum.
template <TrainableManifold M>
void parallel_transport_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                            BatchIn<ScalarOf<M>> v, BatchIn<ScalarOf<M>> g,
                            BatchOut<ScalarOf<M>> gx, BatchOut<ScalarOf<M>> gy,
                            BatchOut<ScalarOf<M>> gv, ScalarOf<M>& gc) {
  const char* const where = "parallel_transport_vjp";
  detail::expect_like(where, "v", v, x);
  detail::expect_gradient<ScalarOf<M>>(where, "gradient of v", gv, x, y, v, g);
  expect_apart<ScalarOf<M>>(where, "gradient of x", gx, "v", v);
  expect_apart<ScalarOf<M>>(where, "gradient of y", gy, "v", v);
  detail::check_rows(where, detail::point_rows("x", m, x),
                     detail::point_rows("v", m, v, false));
  detail::check_tangents(where, m, x, v);
  detail::pull_pairs(where, "y", true, m, x, y, g, gx, gy, gc,
                     [&](Index i, auto a, auto b, auto e, auto ga, auto gb, auto& s) {
                       parallel_transport_vjp(m, a, b, v.row(i), e, ga, gb, gv.row(i), s);
                     });
}

}  // namespace hcl::inline HCL_ABI
