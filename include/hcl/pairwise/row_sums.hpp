// hcl/pairwise/row_sums.hpp - what a row of a gradient gets of the row itself, from a few
// sums over its pairs.
#pragma once

#include <algorithm>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/parallel.hpp"
#include "hcl/pairwise/gram_rows.hpp"

namespace hcl::inline HCL_ABI {

/// Sums over the pairs of a row: of dL/dn, and by differences of h = dL/dg; where the
/// geometry has them, of own h, and of radial h less what g had along the row before.
struct RowSums {
  double by_n = 0, h = 0, own = 0, radial = 0;
};

/// The gradients of rows and their sums; of a batch against itself x and y are one. What
/// comes from products is by the rows that were multiplied: of a scale-free similarity
/// those of length 1.
template <class T>
struct PulledRows {
  BatchOut<T> gx, gy, by_products_x, by_products_y;
  RowSums *x, *y;
};

namespace detail {

/// Whether what a row gets of itself is written as own(a, b) h, not as h - 2 dL/dn.
template <Similarity S>
inline constexpr bool has_own = requires(const S& s, const typename S::Scalar* a) {
  s.own(a, a);
};

/// Whether what of a gradient of floats is along its row is summed by itself.
template <Similarity S>
inline constexpr bool has_radial =
    sizeof(typename S::Scalar) < sizeof(double) &&
    GramSimilarity<S>&& requires(const S& s, const typename S::Scalar* a) {
  s.radial(a, a, a);
  s.trusts_radial(0.0);
};

/// Whether x is nearer to m than to the origin.
template <class T>
[[nodiscard]] bool nearer_to_centre(Point<T> x, Point<T> m) {
  return diff2_sum<T>(x, m) <= dot_sum<T>(x, x);
}

}  // namespace detail

/// Sums of no pairs; g is what all will be added to.
template <Similarity S>
void begin_row_sums(const GramRows<S>& rows, BatchIn<typename S::Scalar> g,
                    RowSums* sums) {
  using T = typename S::Scalar;
  std::fill_n(sums, rows.padded_rows(), RowSums{});
  if constexpr (detail::has_radial<S>) {
    const auto x = rows.rows();
    parallel_for(x.rows(), [&](Index i) {
      sums[i].radial = -double(detail::dot_sum<T>(x.row(i), g.row(i)));
    });
  }
}

/// Adds to a g that has the sums over h_ij (y_j - m), or h_ij y_j, what is the row's own:
/// by differences - sum_j h_ij (x_i - m) + 2 sum_j dna_ij x_i, x_i = (x_i - m) + m;
/// otherwise 2 sum_j dna_ij x_i. With own - sum_j own h_ij (x_i - m) + 2 sum_j dna_ij m;
/// but of a row nearer to the origin than to m these are large and cancel, it gets
/// sum_j h_ij m - sum_j own h_ij x_i. In the end <x_i, g_i> is made minus the sum of
/// radial h, where there is one.
template <Similarity S>
void add_row_sums(const S& s, const GramRows<S>& rows, const RowSums* sums,
                  BatchOut<typename S::Scalar> g) {
  using T = typename S::Scalar;
  const auto x = rows.rows();
  const T* const m = rows.centre();
  if constexpr (detail::scale_free<S>) {  // x_i = (x_i - m) + m, of length 1
    parallel_for(x.rows(), [&](Index i) {
      const double by_m = 2 * sums[i].by_n, k = by_m - sums[i].h;
      const auto u = rows.unit(i);
      for (Index d = 0; d < x.cols(); ++d)
        g(i, d) = T(double(g(i, d)) + k * double(u[std::size_t(d)]) +
                    (m ? by_m * double(m[d]) : 0));
    });
    return;
  }
  parallel_for(x.rows(), [&](Index i) {
    const Point<T> xi = x.row(i);
    const auto add = [&](const auto& by_coordinate) HCL_INLINE_LAMBDA {
      for (Index d = 0; d < x.cols(); ++d)
        g(i, d) = T(double(g(i, d)) + by_coordinate(d));
    };
    const double h = sums[i].h, by_m = 2 * sums[i].by_n;
    const double k = detail::has_own<S> ? -sums[i].own : by_m - h;
    const auto at = [&](Index d) { return double(x(i, d)); };
    if (!m)
      add([&](Index d) { return k * at(d); });
    else if (!detail::has_own<S> || detail::nearer_to_centre<T>(xi, {m, xi.size()}))
      add([&](Index d) { return k * (at(d) - double(m[d])) + by_m * double(m[d]); });
    else
      add([&](Index d) { return k * at(d) + h * double(m[d]); });
    if constexpr (detail::has_radial<S>) {
      const double n = detail::row_norm2<T>(xi);
      if (!s.trusts_radial(n)) return;
      const double off = sums[i].radial + double(detail::dot_sum<T>(xi, g.row(i)));
      add([&](Index d) { return -off / n * at(d); });
    }
  });
}

}  // namespace hcl::inline HCL_ABI
