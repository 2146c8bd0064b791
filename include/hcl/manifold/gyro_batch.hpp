// hcl/manifold/gyro_batch.hpp - Moebius addition and matrix multiplication by rows.
//
// Checks, errors and determinism are those of batch.hpp.
#pragma once

#include <algorithm>
#include <span>

#include "hcl/core/workspace.hpp"
#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/gyro.hpp"

namespace hcl::inline HCL_ABI {

/// out row i = x row i (+) y row i; all N x D.
template <class T>
void mobius_add(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> x,
                std::type_identity_t<BatchIn<T>> y,
                std::type_identity_t<BatchOut<T>> out) {
  detail::map_pairs("mobius_add", "y", true, ball, x, y, out,
                    [&](auto a, auto b, auto o) {
                      mobius_add(ball, Point<T>(a), Point<T>(b), Grad<T>(o));
                    });
}

/// gx, gy += the backward by rows, gc += its sum.
template <class T>
void mobius_add_vjp(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> x,
                    std::type_identity_t<BatchIn<T>> y,
                    std::type_identity_t<BatchIn<T>> g,
                    std::type_identity_t<BatchOut<T>> gx,
                    std::type_identity_t<BatchOut<T>> gy, std::type_identity_t<T>& gc) {
  const char* const where = "mobius_add_vjp";
  detail::expect_like(where, "y", y, x);
  detail::expect_like(where, "g", g, x);
  detail::expect_gradient<T>(where, "gx", gx, x, y, g);
  detail::expect_gradient<T>(where, "gy", gy, x, y, g);
  detail::check_rows(where, detail::point_rows("x", ball, x),
                     detail::point_rows("y", ball, y), detail::finite_rows<T>("g", g));
  detail::sum_rows<T>(
      x.rows(),
      [&](Index i, T& s) {
        mobius_add_vjp(ball, Point<T>(x.row(i)), Point<T>(y.row(i)), Point<T>(g.row(i)),
                       gx.row(i), gy.row(i), s);
      },
      gc);
}

namespace detail {

template <class T>
void check_matvec(const char* where, const PoincareBall<T>& ball, BatchIn<T> matrix,
                  BatchIn<T> x) {
  expect(matrix.cols() == x.cols(), where, ": matrix is ", matrix.rows(), " x ",
         matrix.cols(), ", must have as many columns as x, ", x.cols());
  check_finite<T>(where, "matrix", matrix);
  check_points(where, "x", ball, x);
}

}  // namespace detail

/// out row i = M (x) x row i; M is M x D, x is N x D, out is N x M and overlaps neither.
template <class T>
void mobius_matvec(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> matrix,
                   std::type_identity_t<BatchIn<T>> x,
                   std::type_identity_t<BatchOut<T>> out, Workspace& workspace) {
  detail::check_matvec<T>("mobius_matvec", ball, matrix, x);
  expect_shape("mobius_matvec", "out", out, x.rows(), matrix.rows());
  workspace.reset();
  const auto width = static_cast<std::size_t>(matrix.rows());
  auto* const m = workspace.take<Wide<T>>(std::size_t(x.rows()) * width);
  parallel_for(x.rows(), [&](Index i) {
    mobius_matvec(ball, matrix, Point<T>(x.row(i)), out.row(i),
                  std::span(m + std::size_t(i) * width, width));
  });
}
template <class T>
void mobius_matvec(const PoincareBall<T>& ball, std::type_identity_t<BatchIn<T>> matrix,
                   std::type_identity_t<BatchIn<T>> x,
                   std::type_identity_t<BatchOut<T>> out) {
  Workspace workspace;
  mobius_matvec(ball, matrix, x, out, workspace);
}

/// gmatrix, gx, gc += the backward, summed over the rows.
template <class T>
void mobius_matvec_vjp(const PoincareBall<T>& ball,
                       std::type_identity_t<BatchIn<T>> matrix,
                       std::type_identity_t<BatchIn<T>> x,
                       std::type_identity_t<BatchIn<T>> g,
                       std::type_identity_t<BatchOut<T>> gmatrix,
                       std::type_identity_t<BatchOut<T>> gx, std::type_identity_t<T>& gc,
                       Workspace& workspace) {
  using W = Wide<T>;
  const char* const where = "mobius_matvec_vjp";
  detail::check_matvec<T>(where, ball, matrix, x);
  expect_shape(where, "g", g, x.rows(), matrix.rows());
  expect_shape(where, "gmatrix", gmatrix, matrix.rows(), matrix.cols());
  detail::expect_gradient<T>(where, "gx", gx, x, matrix, g);
  detail::check_finite<T>(where, "g", g);
  workspace.reset();
  const auto n = std::size_t(x.rows()), d = std::size_t(x.cols()),
             width = std::size_t(matrix.rows());
  W* const gm = workspace.take<W>(n * width);
  W* const sums = workspace.take<W>((std::max)(n, width) * d);
  detail::sum_rows<T>(
      x.rows(),
      [&](Index i, T& s) {
        const std::span<W> m(gm + std::size_t(i) * width, width);
        const W m2 = detail::multiply<T>(matrix, x.row(i), m);
        const W on_x = detail::matvec_pull<T>(ball, x.row(i), m2, m, g.row(i), s);
        detail::matvec_back<T>(matrix, x.row(i), on_x, m,
                               std::span(sums + std::size_t(i) * d, d), gx.row(i));
      },
      gc);
  parallel_for(matrix.rows(), [&](Index k) {
    const std::span<W> sum(sums + std::size_t(k) * d, d);
    for (W& e : sum) e = W(0);
    for (std::size_t i = 0; i < n; ++i) {
      const W u = gm[i * width + std::size_t(k)];
      const Point<T> row = x.row(Index(i));
      for (std::size_t j = 0; j < d; ++j) sum[j] += u * W(row[j]);
    }
    const Grad<T> out = gmatrix.row(k);
    for (std::size_t j = 0; j < d; ++j) out[j] = T(W(out[j]) + sum[j]);
  });
}
template <class T>
void mobius_matvec_vjp(const PoincareBall<T>& ball,
                       std::type_identity_t<BatchIn<T>> matrix,
                       std::type_identity_t<BatchIn<T>> x,
                       std::type_identity_t<BatchIn<T>> g,
                       std::type_identity_t<BatchOut<T>> gmatrix,
                       std::type_identity_t<BatchOut<T>> gx,
                       std::type_identity_t<T>& gc) {
  Workspace workspace;
  mobius_matvec_vjp(ball, matrix, x, g, gmatrix, gx, gc, workspace);
}

}  // namespace hcl::inline HCL_ABI
