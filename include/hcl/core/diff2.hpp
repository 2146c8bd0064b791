// hcl/core/diff2.hpp - the register tile of |x_i - y_j|^2 by differences: where rows are
// too close for their inner products.
#pragma once

#include <algorithm>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/gemm.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// (c0 + c4) + (c2 + c6) and so on: the order in which eight chains end.
template <class V>
[[nodiscard]] HCL_INLINE V sum_of_eight(const V* c) {
  return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
}

/// |x - y|^2 of one pair, with the bits that diff2_tile gives it: coordinate k in chain
/// k % 8.
template <class T>
[[nodiscard]] double diff2_pair(Point<T> x, Point<T> y) {
  using V = Pack<double>;
  constexpr std::size_t width = std::size_t(lanes<double>), packs = 8 / width;
  V s[packs];
  for (auto& e : s) e = V(0.0);
  const auto add = [&](const T* a, const T* b) HCL_INLINE_LAMBDA {
#pragma GCC unroll 8
    for (std::size_t p = 0; p < packs; ++p) {
      const V u = vload_wide<V>(a + p * width) - vload_wide<V>(b + p * width);
      s[p] = vfma(u, u, s[p]);
    }
  };
  std::size_t k = 0;
  for (; k + 8 <= x.size(); k += 8) add(&x[k], &y[k]);
  if (k < x.size()) {  // the rest beside zeros, which change no sum
    T a[8] = {}, b[8] = {};
    std::copy(x.begin() + std::ptrdiff_t(k), x.end(), a);
    std::copy(y.begin() + std::ptrdiff_t(k), y.end(), b);
    add(a, b);
  }
  double chain[8];
  for (std::size_t p = 0; p < packs; ++p) vstore(chain + p * width, s[p]);
  return sum_of_eight(chain);
}

/// R rows against as many columns as a vector holds: eight chains for each.
template <int R, class T>
HCL_INLINE void diff2_block(Index depth, const double* x, Index x_row, const T* panel,
                            Index panel_row, double* out, Index out_row) {
  using V = Pack<double>;
  V s[std::size_t(R)][8];
  for (auto& row : s)
    for (auto& e : row) e = V(0.0);
  const auto add = [&](Index k, Index chain) HCL_INLINE_LAMBDA {
    const V y = vload_wide<V>(panel + k * panel_row);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const V u = V(x[i * x_row + k]) - y;
      s[i][chain] = vfma(u, u, s[i][chain]);
    }
  };
  Index k = 0;
  for (; k + 8 <= depth; k += 8)
#pragma GCC unroll 8
    for (Index l = 0; l < 8; ++l) add(k + l, l);
#pragma GCC unroll 8
  for (Index l = 0; l < 7; ++l)
    if (k + l < depth) add(k + l, l);
  for (int i = 0; i < R; ++i) vstore(out + i * out_row, sum_of_eight<V>(s[i]));
}

}  // namespace detail

/// out(i, j) = |x_i - y_j|^2, i < m, j < n: rows of x contiguous, those of y in panels of
/// panel_width as gemm_packed() has them. Rows of out are as wide as whole vectors. The
/// bits are those of diff2_pair.
template <class T>
void diff2_tile(Index m, Index n, Index depth, const double* x, const T* panels,
                double* out, Index out_row) {
  constexpr Index width = panel_width<T>;
  constexpr int rows = lanes<double> == 8 ? 3 : 1;
  for (Index j = 0; j < n; j += lanes<double>) {
    const T* const panel = panels + j / width * width * depth + j % width;
    Index i = 0;
    for (; i + rows <= m; i += rows)
      detail::diff2_block<rows>(depth, x + i * depth, depth, panel, width,
                                out + i * out_row + j, out_row);
    for (; i < m; ++i)
      detail::diff2_block<1>(depth, x + i * depth, depth, panel, width,
                             out + i * out_row + j, out_row);
  }
}

}  // namespace hcl::inline HCL_ABI
