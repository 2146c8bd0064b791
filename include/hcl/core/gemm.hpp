// hcl/core/gemm.hpp - the register tile behind every matrix product of the losses and
// convolutions.
#pragma once

#include <array>
#include <cstddef>

#include "hcl/core/simd.hpp"

namespace hcl::inline HCL_ABI {

/// R x C vectors of sums, held in registers:
///   tile(i, j) += sum_k A(i, k) B(k, j),  i < R, j < C * width.
/// A is read one number at a time and broadcast, at a[i * a_row + k * a_k]: a row-major
/// matrix (a_k = 1), its transpose (a_row = 1), or the pixels under one tap of a
/// convolution. B is read by vectors, at b[k * b_k + j]: row-major, or a packed panel. V
/// is Pack<T> or T itself (tails).
template <class V, int R, int C>
struct RegisterTile {
  using T = decltype([] {
    if constexpr (std::floating_point<V>)
      return V{};
    else
      return typename V::value_type{};
  }());
  static constexpr int width = width_of<V>;
  V acc[R][C];

  HCL_INLINE void zero() {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) acc[i][j] = V(T(0));
  }

  HCL_INLINE void load(const T* c, std::ptrdiff_t c_row) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) acc[i][j] = vload<V>(c + i * c_row + j * width);
  }

  HCL_INLINE void store(T* c, std::ptrdiff_t c_row) const {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) vstore(c + i * c_row + j * width, acc[i][j]);
  }

  HCL_INLINE void multiply_add(std::ptrdiff_t depth, const T* a, std::ptrdiff_t a_row,
                               std::ptrdiff_t a_k, const T* b, std::ptrdiff_t b_k) {
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
      V bv[C];
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) bv[j] = vload<V>(b + j * width);
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const V av(a[i * a_row]);
#pragma GCC unroll 4
        for (int j = 0; j < C; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
      }
      a += a_k, b += b_k;
    }
  }
};

/// Rows of a register tile two vectors wide: what the register file of the instruction
/// set holds.
#if defined(__AVX512F__) || defined(__ARM_NEON)
inline constexpr int tile_rows = 12;
#else
inline constexpr int tile_rows = 6;
#endif

namespace detail {

template <class V, int R, int C, class T>
HCL_INLINE void multiply_add_columns(std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
                                     std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b,
                                     std::ptrdiff_t b_k, T* c, std::ptrdiff_t c_row,
                                     bool add, std::ptrdiff_t& j) {
  constexpr std::ptrdiff_t step = C * width_of<V>;
  for (; j + step <= n; j += step) {
    RegisterTile<V, R, C> tile;
    if (add)
      tile.load(c + j, c_row);
    else
      tile.zero();
    tile.multiply_add(depth, a, a_row, a_k, b + j, b_k);
    tile.store(c + j, c_row);
  }
}

template <int R, class T>
void multiply_add_rows(std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
                       std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b,
                       std::ptrdiff_t b_k, T* c, std::ptrdiff_t c_row, bool add) {
  std::ptrdiff_t j = 0;
  multiply_add_columns<Pack<T>, R, 2>(n, depth, a, a_row, a_k, b, b_k, c, c_row, add, j);
  multiply_add_columns<Pack<T>, R, 1>(n, depth, a, a_row, a_k, b, b_k, c, c_row, add, j);
  if constexpr (lanes < T >> 1)
    multiply_add_columns<T, R, 1>(n, depth, a, a_row, a_k, b, b_k, c, c_row, add, j);
}

}  // namespace detail

/// C = A B, or C += A B: m x n sums over depth, C row-major at c[i * c_row + j], A and B
/// addressed as in RegisterTile. Sized for blocks that stay in cache; every sum runs over
/// k in order, so the bits of C(i, j) do not depend on m or n.
template <class T>
void gemm(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
          std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b, std::ptrdiff_t b_k, T* c,
          std::ptrdiff_t c_row, bool add) {
  std::ptrdiff_t i = 0;
  for (; i + tile_rows <= m; i += tile_rows)
    detail::multiply_add_rows<tile_rows>(n, depth, a + i * a_row, a_row, a_k, b, b_k,
                                         c + i * c_row, c_row, add);
  for (; i + 3 <= m; i += 3)
    detail::multiply_add_rows<3>(n, depth, a + i * a_row, a_row, a_k, b, b_k,
                                 c + i * c_row, c_row, add);
  for (; i < m; ++i)
    detail::multiply_add_rows<1>(n, depth, a + i * a_row, a_row, a_k, b, b_k,
                                 c + i * c_row, c_row, add);
}

}  // namespace hcl::inline HCL_ABI
