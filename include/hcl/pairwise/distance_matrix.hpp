// hcl/pairwise/distance_matrix.hpp - all distances of two batches, or of one against
// itself, and their backward.
#pragma once

#include "hcl/manifold/batch.hpp"
#include "hcl/pairwise/gram_tiles.hpp"
#include "hcl/similarity/accuracy.hpp"
#include "hcl/similarity/neg_dist.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

template <class D>
void check_distances(const char* where, const D& minus, BatchIn<typename D::Scalar> x,
                     BatchIn<typename D::Scalar> y, bool self) {
  expect(x.cols() == y.cols(), where, ": x has ", x.cols(), " columns, y ", y.cols());
  GramRows<D>::check_points(minus, where, "x", x);
  if (!self) GramRows<D>::check_points(minus, where, "y", y);
}

/// f(tiles) with the tiles of -(-d) = d. Without a centre: a distance is to depend on its
/// two rows only.
template <class D, class F>
void with_tiles(const D& minus, BatchIn<typename D::Scalar> x,
                BatchIn<typename D::Scalar> y, bool self, bool keep, Workspace& ws,
                const F& f) {
  using T = typename D::Scalar;
  ws.reset();
  const GramRows<D> rows(minus, x, nullptr, ws);
  if (self) {
    GramTiles<D> tiles(minus, T(-1), rows, rows, keep, ws);
    f(tiles);
  } else {
    const GramRows<D> others(minus, y, nullptr, ws);
    GramTiles<D> tiles(minus, T(-1), rows, others, keep, ws);
    f(tiles);
  }
}

template <Similarity D>
void dense_distances(const char* where, const D& minus, BatchIn<typename D::Scalar> x,
                     BatchIn<typename D::Scalar> y, bool self,
                     BatchOut<typename D::Scalar> out, Workspace& ws) {
  using T = typename D::Scalar;
  expect_shape(where, "out", out, x.rows(), y.rows());
  check_distances(where, minus, x, y, self);
  const auto write = [&](const Tile<T>& t) {
    for (Index i = 0; i < t.rows; ++i) {
      T* const row = t.l + i * tile_size;
      if (t.diagonal) row[i] = T(0);
      for (Index j = 0; j < t.cols; ++j) row[j] += T(0);  // -0 becomes 0
      std::copy_n(row, t.cols, &out(t.i0 + i, t.j0));
    }
    if (!self || t.diagonal) return;
    for (Index j = 0; j < t.cols; ++j)  // the mirror, row by row of out
      for (Index i = 0; i < t.rows; ++i) out(t.j0 + j, t.i0 + i) = t.l[i * tile_size + j];
  };
  with_tiles(minus, x, y, self, false, ws, [&](auto& tiles) { tiles.forward(write); });
}

/// w = the part of g that belongs to a tile, of a batch against itself with its mirror
/// added; 0 beyond the columns.
template <class T>
void copy_upstream(const Tile<T>& t, BatchIn<T> g, bool self, T* w) {
  for (Index i = 0; i < t.rows; ++i) {
    std::copy_n(&g(t.i0 + i, t.j0), t.cols, w + i * tile_size);
    std::fill(w + i * tile_size + t.cols, w + i * tile_size + t.width(), T(0));
  }
  if (!self) return;
  constexpr Index strip = 16;  // rows of w that stay in the cache while its columns pass
  for (Index i0 = 0; i0 < t.rows; i0 += strip)
    for (Index j = 0; j < t.cols; ++j) {
      const T* const mirror = &g(t.j0 + j, t.i0);
      for (Index i = i0; i < (std::min)(i0 + strip, t.rows); ++i)
        w[i * tile_size + j] += mirror[i];
    }
}

/// g is the upstream gradient; of a batch against itself row and column of a pair add up.
template <Similarity D>
void dense_distances_vjp(const char* where, const D& minus, BatchIn<typename D::Scalar> x,
                         BatchIn<typename D::Scalar> y, bool self,
                         BatchIn<typename D::Scalar> g, BatchOut<typename D::Scalar> gx,
                         BatchOut<typename D::Scalar> gy, typename D::Scalar& gc,
                         Workspace& ws) {
  using T = typename D::Scalar;
  using V = Pack<T>;
  expect_shape(where, "g", g, x.rows(), y.rows());
  expect_shape(where, "gx", gx, x.rows(), x.cols());
  expect_shape(where, "gy", gy, y.rows(), y.cols());
  const auto apart = [&](const char* name, BatchIn<T> out) {
    expect_apart<T>(where, name, out, "x", x);
    expect_apart<T>(where, name, out, "y", y);
    expect_apart<T>(where, name, out, "g", g);
  };
  apart("gx", gx), apart("gy", gy);
  if (!self) expect_apart<T>(where, "gy", gy, "gx", gx);
  check_distances(where, minus, x, y, self);
  check_finite<T>(where, "g", g);
  constexpr Index area = tile_size * tile_size;
  with_tiles(minus, x, y, self, true, ws, [&](auto& tiles) {
    T* const scratch = ws.take<T>(static_cast<std::size_t>(max_threads() * area));
    const auto upstream = [&](const Tile<T>& t, int thread) {
      T* const w = scratch + thread * area;
      copy_upstream(t, g, self, w);
      return [w](Index i) {
        return [row = w + i * tile_size](const V&, Index j) { return vload<V>(row + j); };
      };
    };
    gc += T(tiles.backward(upstream, gx, gy).by_c);
  });
}

}  // namespace detail

/// out(i, j) = d(x_i, y_j); x is N x D, y M x D, out N x M. For float rows within
/// sqrt(c) d(0, x) = 6 to 1e-6 of the exact distance of the stored points
/// (docs/accuracy.md), unless rows are closer than 1e-18, whose squares underflow; with
/// Exact{NegDist{m}} in place of m to 4 ulp. A number depends on its two rows only.
/// @throws std::invalid_argument (shapes, rows that are no points), before out is
/// touched.
template <Metric M>
void distance_matrix(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                     BatchOut<ScalarOf<M>> out, Workspace& ws) {
  detail::dense_distances("distance_matrix", NegDist<M>(m), x, y, false, out, ws);
}
/// The same for a batch against itself: symmetric to the bit, 0 on the diagonal, in half
/// of the time.
template <Metric M>
void distance_matrix(const M& m, BatchIn<ScalarOf<M>> x, BatchOut<ScalarOf<M>> out,
                     Workspace& ws) {
  detail::dense_distances("distance_matrix", NegDist<M>(m), x, x, true, out, ws);
}
template <Metric M>
void distance_matrix(const Exact<NegDist<M>>& minus, BatchIn<ScalarOf<M>> x,
                     BatchIn<ScalarOf<M>> y, BatchOut<ScalarOf<M>> out, Workspace& ws) {
  detail::dense_distances("distance_matrix", minus, x, y, false, out, ws);
}
template <Metric M>
void distance_matrix(const Exact<NegDist<M>>& minus, BatchIn<ScalarOf<M>> x,
                     BatchOut<ScalarOf<M>> out, Workspace& ws) {
  detail::dense_distances("distance_matrix", minus, x, x, true, out, ws);
}
/// M a metric or Exact{NegDist{metric}}, with a workspace of their own.
template <class M>
void distance_matrix(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                     BatchOut<ScalarOf<M>> out) {
  Workspace ws;
  distance_matrix(m, x, y, out, ws);
}
template <class M>
void distance_matrix(const M& m, BatchIn<ScalarOf<M>> x, BatchOut<ScalarOf<M>> out) {
  Workspace ws;
  distance_matrix(m, x, out, ws);
}

/// gx, gy += sum_ij g(i, j) dd_ij/dx, dd_ij/dy; gc += sum_ij g(i, j) dd_ij/dc. g is N x
/// M; gx and gy overlap neither each other nor what is read.
/// @throws std::invalid_argument (shapes, overlaps, rows that are no points, a g that is
/// not finite), before any gradient is touched.
template <Metric M>
void distance_matrix_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                         BatchIn<ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                         BatchOut<ScalarOf<M>> gy, ScalarOf<M>& gc, Workspace& ws) {
  detail::dense_distances_vjp("distance_matrix_vjp", NegDist<M>(m), x, y, false, g, gx,
                              gy, gc, ws);
}
/// The same for a batch against itself; g need not be symmetric.
template <Metric M>
void distance_matrix_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> g,
                         BatchOut<ScalarOf<M>> gx, ScalarOf<M>& gc, Workspace& ws) {
  detail::dense_distances_vjp("distance_matrix_vjp", NegDist<M>(m), x, x, true, g, gx, gx,
                              gc, ws);
}
/// Both with a workspace of their own.
template <Metric M>
void distance_matrix_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
                         BatchIn<ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
                         BatchOut<ScalarOf<M>> gy, ScalarOf<M>& gc) {
  Workspace ws;
  distance_matrix_vjp(m, x, y, g, gx, gy, gc, ws);
}
template <Metric M>
void distance_matrix_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> g,
                         BatchOut<ScalarOf<M>> gx, ScalarOf<M>& gc) {
  Workspace ws;
  distance_matrix_vjp(m, x, g, gx, gc, ws);
}

}  // namespace hcl::inline HCL_ABI
