// examples/cnn/linear.hpp - the fully connected layer.
#pragma once

#include "hcl/core/gemm.hpp"
#include "tensor.hpp"

namespace cnn {

namespace detail {
inline constexpr Index linear_rows = 24;  // rows of a product for one thread at a time

/// C (m x n) = or += A B, rows in parallel.
template <class T>
void parallel_gemm(Index m, Index n, Index depth, const T* a, Index a_row, Index a_k,
                   const T* b, Index b_k, T* c, bool add) {
  hcl::parallel_for((m + linear_rows - 1) / linear_rows, [&](Index t) {
    const Index i = t * linear_rows;
    hcl::gemm(std::min(linear_rows, m - i), n, depth, a + i * a_row, a_row, a_k, b, b_k,
              c + i * n, n, add);
  });
}
}  // namespace detail

/// y = x w + bias. x: n x in, w: in x out, bias: out or null, y: n x out, overwritten.
template <class T>
void linear_forward(Index n, Index in, Index out, const T* x, const T* w, const T* bias,
                    T* y) {
  if (bias != nullptr)
    for (Index i = 0; i < n; ++i) std::copy_n(bias, out, y + i * out);
  detail::parallel_gemm(n, out, in, x, in, Index{1}, w, out, y, bias != nullptr);
}

/// gx = gy w^T, overwritten.
template <class T>
void linear_backward_input(Index n, Index in, Index out, const T* gy, const T* w, T* gx,
                           Scratch<T>& scratch) {
  scratch.ensure(0, in * out);
  T* const transposed =
      scratch.whole();  // out x in: the tile reads its right factor by rows
  for (Index i = 0; i < in; ++i)
    for (Index o = 0; o < out; ++o) transposed[o * in + i] = w[i * out + o];
  detail::parallel_gemm(n, in, out, gy, out, Index{1}, transposed, in, gx, false);
}

/// gw += x^T gy, gbias += column sums of gy (null: no bias).
template <class T>
void linear_backward_weights(Index n, Index in, Index out, const T* x, const T* gy, T* gw,
                             T* gbias) {
  detail::parallel_gemm(in, out, n, x, Index{1}, in, gy, out, gw, true);
  if (gbias != nullptr)
    for (Index i = 0; i < n; ++i)
      for (Index o = 0; o < out; ++o) gbias[o] += gy[i * out + o];
}

}  // namespace cnn
