// hcl/manifold/batch.hpp - the pointwise operations by rows, lifted once over any
// manifold.
//
// Points are rows of N x D views. Every call checks shapes, finiteness and that points
// lie on the manifold, and throws std::invalid_argument naming argument, row and value
// before any output is written. `_vjp` calls accumulate into their gradients, which
// share no numbers with what they read. Nothing is allocated; the bits depend neither on
// the number of threads nor, for rows, on how a batch is split. The output of a map may
// be the very view of an input.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>

#include "hcl/core/parallel.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// Number of row blocks of a reduction: fixed, so that the order of a sum is too.
inline constexpr Index kRowBlocks = 64;

/// f(block, first row, last row) for contiguous blocks of n rows.
template <class F>
void for_row_blocks(Index n, const F& f) {
  const Index step = (n + kRowBlocks - 1) / kRowBlocks;
  if (n > 0)
    parallel_for((n + step - 1) / step,
                 [&](Index b) { f(b, b * step, (std::min)(n, (b + 1) * step)); });
}

/// The same from the last block to the first: after a pass of checks the last blocks are
/// what the cache still holds.
template <class F>
void for_row_blocks_back(Index n, const F& f) {
  const Index step = (n + kRowBlocks - 1) / kRowBlocks;
  for_row_blocks(n, [&](Index b, Index, Index) {
    const Index back = (n + step - 1) / step - 1 - b;
    f(back, back * step, (std::min)(n, (back + 1) * step));
  });
}

/// f(i) for every row, in that order of blocks.
template <class F>
void for_rows(Index n, const F& f) {
  for_row_blocks_back(n, [&](Index, Index first, Index last) {
    for (Index i = first; i < last; ++i) f(i);
  });
}

/// total += sum_i of what f(i, s) adds to s = 0: within a block by rows, then by blocks.
template <class T, class F>
void sum_rows(Index n, const F& f, T& total) {
  std::array<Wide<T>, kRowBlocks> part;
  part.fill(Wide<T>(0));
  for_row_blocks_back(n, [&](Index b, Index first, Index last) {
    Wide<T> sum(0);
    for (Index i = first; i < last; ++i) {
      T s(0);
      f(i, s);
      sum += Wide<T>(s);
    }
    part[std::size_t(b)] = sum;
  });
  Wide<T> sum(0);
  for (const auto& p : part) sum += p;
  total = T(Wide<T>(total) + sum);
}

/// A batch and the OnManifold test(row) that its rows must pass.
template <class T, class Test>
struct RowTest {
  const char* arg;
  BatchView<const T> x;
  Test test;
};

/// Throws for the first row of the first batch that fails its test. The batches, of
/// equally many rows, are read side by side: the pass after this one finds the last rows
/// of all of them in the cache.
template <class... T, class... Test>
void check_rows(const char* where, const RowTest<T, Test>&... batch) {
  std::array<std::array<Index, kRowBlocks>, sizeof...(batch)> bad;
  for (auto& of_batch : bad) of_batch.fill(-1);
  for_row_blocks((std::max)({batch.x.rows()...}), [&](Index b, Index first, Index last) {
    const auto scan = [&](const auto& one, Index& hit) {
      for (Index i = first; i < last && hit < 0; ++i)
        if (!one.test(one.x.row(i))) hit = i;
    };
    std::size_t k = 0;
    (scan(batch, bad[k++][std::size_t(b)]), ...);
  });
  const auto report = [&](const auto& one, const std::array<Index, kRowBlocks>& hits) {
    const auto hit =
        std::find_if(hits.begin(), hits.end(), [](Index i) { return i >= 0; });
    if (hit == hits.end()) return;
    const OnManifold why = one.test(one.x.row(*hit));
    fail(where, ": ", one.arg, " row ", *hit, ": ", why.reason, ", value ", why.value);
  };
  std::size_t k = 0;
  (report(batch, bad[k++]), ...);
}
template <class T, class Test>
void check_rows(const char* where, const char* arg, const BatchView<const T>& x,
                const Test& test) {
  check_rows(where, RowTest<T, Test>{arg, x, test});
}

/// Whether all numbers of the row are finite.
template <class T>
OnManifold finite_row(Point<T> row) {
  if (is_finite(norm2_at_most<T>(row)) || hcl::all_finite<T>(row)) return {};
  for (const T& v : row)
    if (!is_finite(v)) return {false, "not finite", as_double(v)};
  return {};
}
template <class T>
auto finite_rows(const char* arg, const BatchView<const T>& x) {
  return RowTest<T, OnManifold (*)(Point<T>)>{arg, x, finite_row<T>};
}

/// Whether |v|^2 of the row is a finite number, which every map takes of a tangent
/// vector.
template <class T>
OnManifold tangent_row(Point<T> row) {
  if (is_finite(norm2_at_most<T>(row))) return {};
  const Wide<T> n = norm2<T>(row);
  if (is_finite(n)) return {};
  const OnManifold why = finite_row<T>(row);
  return why.ok
             ? OnManifold{false, "|v|^2 is too large for the scalar type", as_double(n)}
             : why;
}

/// The test that rows are points of m, of a geometry that cannot tell (a bare Metric)
/// only that they are finite; if not `on`, that they are tangent vectors.
template <class M>
auto point_rows(const char* arg, const M& m, const BatchView<const ScalarOf<M>>& x,
                bool on = true) {
  using T = ScalarOf<M>;
  if constexpr (requires(Point<T> row) { m.is_on_manifold(row); }) {
    const auto test = [&m, on](Point<T> row) -> OnManifold {
      return on ? m.is_on_manifold(row) : tangent_row<T>(row);
    };
    return RowTest<T, decltype(test)>{arg, x, test};
  } else {
    return finite_rows<T>(arg, x);
  }
}

/// Throws for the first row of v that is not tangent at its row of x, of a geometry that
/// can tell; after the checks of both.
template <class M>
void check_tangents(const char* where, const M& m, BatchIn<ScalarOf<M>> x,
                    BatchIn<ScalarOf<M>> v) {
  if constexpr (requires(Point<ScalarOf<M>> row) { m.is_tangent(row, row); }) {
    std::array<Index, kRowBlocks> bad;
    bad.fill(-1);
    for_row_blocks(x.rows(), [&](Index b, Index first, Index last) {
      for (Index i = first; i < last && bad[std::size_t(b)] < 0; ++i)
        if (!m.is_tangent(x.row(i), v.row(i))) bad[std::size_t(b)] = i;
    });
    for (const Index i : bad) {
      if (i < 0) continue;
      const OnManifold why = m.is_tangent(x.row(i), v.row(i));
      fail(where, ": v row ", i, ": ", why.reason, ", value ", why.value);
    }
  }
}

template <class T>
void check_finite(const char* where, const char* arg, const BatchView<const T>& x) {
  check_rows(where, finite_rows<T>(arg, x));
}

template <class T>
void check_finite(const char* where, const char* arg, std::span<const T> x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    expect(is_finite(x[i]), where, ": ", arg, " row ", i, ": not finite, value ",
           as_double(x[i]));
}

template <class M>
void check_points(const char* where, const char* arg, const M& m,
                  const BatchView<const ScalarOf<M>>& x) {
  check_rows(where, point_rows(arg, m, x));
}

inline void expect_length(const char* where, const char* arg, std::size_t size,
                          Index rows) {
  expect(Index(size) == rows, where, ": ", arg, " has ", size, " numbers, must have ",
         rows);
}

template <class T>
void expect_like(const char* where, const char* arg, const BatchView<T>& v,
                 const BatchView<const std::remove_const_t<T>>& x) {
  expect_shape(where, arg, v, x.rows(), x.cols());
}

/// The gradient g, named arg, of a backward over x is of its shape, and shares no numbers
/// with what is read.
template <class T, class... Read>
void expect_gradient(const char* where, const char* arg, BatchOut<T> g,
                     std::type_identity_t<BatchIn<T>> x, const Read&... read) {
  expect_like<T>(where, arg, g, x);
  expect_apart<T>(where, arg, g, "an input", x);
  (expect_apart<T>(where, arg, g, "an input", read), ...);
}

/// out row i = f(x row i, out row i), x points or, if not `on`, tangent vectors at the
/// origin.
template <class M, class F>
void map_rows(const char* where, const char* arg, bool on, const M& m,
              BatchIn<ScalarOf<M>> x, BatchOut<ScalarOf<M>> out, const F& f) {
  expect_like(where, "out", out, x);
  check_rows(where, point_rows(arg, m, x, on));
  for_rows(x.rows(), [&](Index i) { f(x.row(i), out.row(i)); });
}

/// out row i = f(x row i, u row i, out row i), u points if u_on.
template <class M, class F>
void map_pairs(const char* where, const char* u_arg, bool u_on, const M& m,
               BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> u, BatchOut<ScalarOf<M>> out,
               const F& f) {
  expect_like(where, u_arg, u, x);
  expect_like(where, "out", out, x);
  check_rows(where, point_rows("x", m, x), point_rows(u_arg, m, u, u_on));
  for_rows(x.rows(), [&](Index i) { f(x.row(i), u.row(i), out.row(i)); });
}

/// out row i = f(x row i, v row i, out row i), v tangent vectors at x.
template <class M, class F>
void map_tangents(const char* where, const M& m, BatchIn<ScalarOf<M>> x,
                  BatchIn<ScalarOf<M>> v, BatchOut<ScalarOf<M>> out, const F& f) {
  expect_like(where, "v", v, x);
  expect_like(where, "out", out, x);
  check_rows(where, point_rows("x", m, x), point_rows("v", m, v, false));
  check_tangents(where, m, x, v);
  for_rows(x.rows(), [&](Index i) { f(x.row(i), v.row(i), out.row(i)); });
}

/// Backward of a map at the origin: gx row i += J^T g row i, gc += <g, dz/dc>.
template <class M, class F>
void pull_rows(const char* where, const char* arg, bool on, const M& m,
               BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
               ScalarOf<M>& gc, const F& f) {
  using T = ScalarOf<M>;
  expect_like(where, "upstream gradient", g, x);
  expect_gradient<T>(where, "gradient", gx, x, g);
  check_rows(where, point_rows(arg, m, x, on), finite_rows<T>("upstream gradient", g));
  sum_rows<T>(
      x.rows(), [&](Index i, T& s) { f(x.row(i), g.row(i), gx.row(i), s); }, gc);
}

}  // namespace detail

/// out[i] = d(x row i, y row i); x and y are N x D.
template <Metric M>
void dist(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
          std::span<ScalarOf<M>> out) {
  detail::expect_like("dist", "y", y, x);
  detail::expect_length("dist", "out", out.size(), x.rows());
  detail::check_rows("dist", detail::point_rows("x", m, x),
                     detail::point_rows("y", m, y));
  detail::for_rows(x.rows(),
                   [&](Index i) { out[std::size_t(i)] = m.dist(x.row(i), y.row(i)); });
}

/// gx, gy += g[i] dd/dx, g[i] dd/dy by rows, gc += sum_i g[i] dd/dc.
template <Metric M>
void dist_vjp(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
              std::span<const ScalarOf<M>> g, BatchOut<ScalarOf<M>> gx,
              BatchOut<ScalarOf<M>> gy, ScalarOf<M>& gc) {
  using T = ScalarOf<M>;
  const char* const where = "dist_vjp";
  detail::expect_like(where, "y", y, x);
  detail::expect_length(where, "g", g.size(), x.rows());
  detail::expect_gradient<T>(where, "gx", gx, x, y);
  detail::expect_gradient<T>(where, "gy", gy, x, y);
  detail::check_rows(where, detail::point_rows("x", m, x), detail::point_rows("y", m, y));
  detail::check_finite<T>(where, "g", g);
  detail::sum_rows<T>(
      x.rows(),
      [&](Index i, T& s) {
        m.dist_vjp(x.row(i), y.row(i), g[std::size_t(i)], gx.row(i), gy.row(i), s);
      },
      gc);
}

/// z row i = expmap0(v row i).
template <Manifold M>
void expmap0(const M& m, BatchIn<ScalarOf<M>> v, BatchOut<ScalarOf<M>> z) {
  detail::map_rows("expmap0", "v", false, m, v, z,
                   [&](auto a, auto o) { m.expmap0(a, o); });
}

/// gv += J^T gz by rows, gc += <gz, dz/dc>.
template <TrainableManifold M>
void expmap0_vjp(const M& m, BatchIn<ScalarOf<M>> v, BatchIn<ScalarOf<M>> gz,
                 BatchOut<ScalarOf<M>> gv, ScalarOf<M>& gc) {
  detail::pull_rows("expmap0_vjp", "v", false, m, v, gz, gv, gc,
                    [&](auto a, auto g, auto o, auto& s) { m.expmap0_vjp(a, g, o, s); });
}

/// v row i = logmap0(z row i).
template <Manifold M>
void logmap0(const M& m, BatchIn<ScalarOf<M>> z, BatchOut<ScalarOf<M>> v) {
  detail::map_rows("logmap0", "z", true, m, z, v,
                   [&](auto a, auto o) { m.logmap0(a, o); });
}

/// gz += J^T gv by rows, gc += <gv, dv/dc>.
template <TrainableManifold M>
void logmap0_vjp(const M& m, BatchIn<ScalarOf<M>> z, BatchIn<ScalarOf<M>> gv,
                 BatchOut<ScalarOf<M>> gz, ScalarOf<M>& gc) {
  detail::pull_rows("logmap0_vjp", "z", true, m, z, gv, gz, gc,
                    [&](auto a, auto g, auto o, auto& s) { m.logmap0_vjp(a, g, o, s); });
}

/// out row i = expmap(x row i, v row i). On the sphere v must be tangent at x.
template <Manifold M>
void expmap(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> v,
            BatchOut<ScalarOf<M>> out) {
  detail::map_tangents("expmap", m, x, v, out,
                       [&](auto a, auto b, auto o) { m.expmap(a, b, o); });
}

/// out row i = logmap(x row i, y row i).
template <Manifold M>
void logmap(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> y,
            BatchOut<ScalarOf<M>> out) {
  detail::map_pairs("logmap", "y", true, m, x, y, out,
                    [&](auto a, auto b, auto o) { m.logmap(a, b, o); });
}

/// out row i = egrad2rgrad(x row i, g row i).
template <Manifold M>
void egrad2rgrad(const M& m, BatchIn<ScalarOf<M>> x, BatchIn<ScalarOf<M>> g,
                 BatchOut<ScalarOf<M>> out) {
  detail::map_pairs("egrad2rgrad", "g", false, m, x, g, out,
                    [&](auto a, auto b, auto o) { m.egrad2rgrad(a, b, o); });
}

/// out row i = project(x row i); rows may be off the manifold, but finite.
template <Manifold M>
void project(const M& m, BatchIn<ScalarOf<M>> x, BatchOut<ScalarOf<M>> out) {
  detail::expect_like("project", "out", out, x);
  detail::check_finite<ScalarOf<M>>("project", "x", x);
  detail::for_rows(x.rows(), [&](Index i) { m.project(x.row(i), out.row(i)); });
}

}  // namespace hcl::inline HCL_ABI
