// hcl/core/diff2.hpp - the register tile of |x_i - y_j|^2 by differences: where rows are
// too close for their inner products.
#pragma once

#include <algorithm>

#include "hcl/core/gemm.hpp"
#include "hcl/core/math.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// R rows against as many columns as a vector holds: eight chains for each, and in the
/// end the bits of diff2_in<double>.
template <int R, class T>
HCL_INLINE void diff2_block(Index depth, const double* x, Index x_row, const T* panel,
                            Index panel_row, double* out, Index out_row) {
  using V = Pack<double>;
  V s[R][8];
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
  for (int i = 0; i < R; ++i) {
    const V* const c = s[i];
    vstore(out + i * out_row,
           V(((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]))));
  }
}

}  // namespace detail

/// out(i, j) = |x_i - y_j|^2, i < m, j < n: rows of x contiguous, those of y in panels of
/// panel_width as gemm_packed() has them. Rows of out are as wide as whole vectors. The
/// bits are those of summing a pair alone.
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
