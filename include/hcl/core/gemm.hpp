// hcl/core/gemm.hpp - the register tile behind every matrix product of the losses and
// convolutions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

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
  using T = typename LaneScalar<V>::type;
  static constexpr int width = width_of<V>;
  V acc[std::size_t(R)][std::size_t(C)];

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

  HCL_INLINE static void prefetch([[maybe_unused]] const T* c,
                                  [[maybe_unused]] std::ptrdiff_t c_row) {
#if defined(__GNUC__)
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      __builtin_prefetch(c + i * c_row, 1);
      __builtin_prefetch(c + i * c_row + C * width - 1, 1);
    }
#endif
  }

  HCL_INLINE void add_to(T* c, std::ptrdiff_t c_row) const {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) {
        T* const at = c + i * c_row + j * width;
        vstore(at, vload<V>(at) + acc[i][j]);
      }
  }

  HCL_INLINE void multiply_add(std::ptrdiff_t depth, const T* a, std::ptrdiff_t a_row,
                               std::ptrdiff_t a_k, const T* b, std::ptrdiff_t b_k) {
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
      V bv[std::size_t(C)];
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) {
        bv[j] = vload<V>(b + j * width);
        vhold(bv[j]);
      }
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

/// Columns of a register tile.
template <class T>
inline constexpr std::ptrdiff_t panel_width = 2 * lanes<T>;

namespace detail {

/// Chunks of a sum that are added up before they join the others.
inline constexpr std::ptrdiff_t chunks_at_once = 8;

/// The columns of one register tile, for R rows of C.
template <class V, int R, int C, class T>
void multiply_add_tile(std::ptrdiff_t depth, const T* a, std::ptrdiff_t a_row,
                       std::ptrdiff_t a_k, const T* b, std::ptrdiff_t b_k, T* c,
                       std::ptrdiff_t c_row, bool add, std::ptrdiff_t chunk) {
  RegisterTile<V, R, C> tile;
  // What is added to comes from a farther cache than A and B: asked for now, here in
  // time.
  if (add) tile.prefetch(c, c_row);
  const auto sum = [&](std::ptrdiff_t from, std::ptrdiff_t to, T* out, std::ptrdiff_t row,
                       bool onto) HCL_INLINE_LAMBDA {
    for (std::ptrdiff_t k = from; k == from || k < to; k += chunk) {  // no k: zeros
      tile.zero();
      tile.multiply_add((std::min)(chunk, to - k), a + k * a_k, a_row, a_k, b + k * b_k,
                        b_k);
      if (onto || k > from)
        tile.add_to(out, row);
      else
        tile.store(out, row);
    }
  };
  if (depth / chunks_at_once < chunk) {
    sum(0, depth, c, c_row, add);
    return;
  }
  constexpr std::ptrdiff_t width = C * RegisterTile<V, R, C>::width;
  alignas(64) T part[std::size_t(R * width)] = {};
  const std::ptrdiff_t segment = chunks_at_once * chunk;
  sum(0, segment, c, c_row, add);
  for (std::ptrdiff_t k = segment; k < depth; k += segment) {
    sum(k, (std::min)(k + segment, depth), part, width, false);
    tile.load(part, width);
    tile.add_to(c, c_row);
  }
}

/// The same for all m rows: the columns of B stay in the first-level cache.
template <class V, int C, class T>
void multiply_add_columns(std::ptrdiff_t m, std::ptrdiff_t depth, const T* a,
                          std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b,
                          std::ptrdiff_t b_k, T* c, std::ptrdiff_t c_row, bool add,
                          std::ptrdiff_t chunk) {
  std::ptrdiff_t i = 0;
  const auto rows = [&]<int R>(std::integral_constant<int, R>) {
    for (; i + R <= m; i += R)
      multiply_add_tile<V, R, C>(depth, a + i * a_row, a_row, a_k, b, b_k, c + i * c_row,
                                 c_row, add, chunk);
  };
  rows(std::integral_constant<int, tile_rows>{});
  rows(std::integral_constant<int, 4>{});
  rows(std::integral_constant<int, 1>{});
}

/// B by panels of panel_width columns, b_panel apart.
template <class T>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
                  std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b,
                  std::ptrdiff_t b_k, std::ptrdiff_t b_panel, T* c, std::ptrdiff_t c_row,
                  bool add, std::ptrdiff_t chunk) {
  constexpr std::ptrdiff_t width = lanes<T>;
  std::ptrdiff_t j = 0;
  for (; j + 2 * width <= n; j += 2 * width, b += b_panel)
    multiply_add_columns<Pack<T>, 2>(m, depth, a, a_row, a_k, b, b_k, c + j, c_row, add,
                                     chunk);
  for (; j + width <= n; j += width, b += width)
    multiply_add_columns<Pack<T>, 1>(m, depth, a, a_row, a_k, b, b_k, c + j, c_row, add,
                                     chunk);
  if constexpr (width > 1)
    for (; j < n; ++j, ++b)
      multiply_add_columns<T, 1>(m, depth, a, a_row, a_k, b, b_k, c + j, c_row, add,
                                 chunk);
}

}  // namespace detail

/// C = A B, or C += A B: m x n sums over depth, C row-major at c[i * c_row + j], A and B
/// addressed as in RegisterTile. Sized for blocks that stay in cache; every sum runs over
/// k in order, so the bits of C(i, j) do not depend on m or n. With a chunk the sum is
/// one of sums over that many k, eight of which are added up first: shorter chains,
/// smaller errors.
template <class T>
void gemm(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
          std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* b, std::ptrdiff_t b_k, T* c,
          std::ptrdiff_t c_row, bool add,
          std::ptrdiff_t chunk = (std::numeric_limits<std::ptrdiff_t>::max)()) {
  detail::multiply_add(m, n, depth, a, a_row, a_k, b, b_k, panel_width<T>, c, c_row, add,
                       chunk);
}

/// The same of a B that pack_panels() copied.
template <class T>
void gemm_packed(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t depth, const T* a,
                 std::ptrdiff_t a_row, std::ptrdiff_t a_k, const T* panels, T* c,
                 std::ptrdiff_t c_row, bool add,
                 std::ptrdiff_t chunk = (std::numeric_limits<std::ptrdiff_t>::max)()) {
  detail::multiply_add(m, n, depth, a, a_row, a_k, panels, panel_width<T>,
                       depth * panel_width<T>, c, c_row, add, chunk);
}

/// B, depth x n at b[k * b_k + j], as panels of panel_width columns that lie together: a
/// row distance of a power of two would map a column of B to few lines of the cache.
/// `panels` has room for depth times n rounded up to panel_width. Of every row of B the
/// row `less` is taken off, if there is one.
template <class T>
void pack_panels(std::ptrdiff_t depth, std::ptrdiff_t n, const T* b, std::ptrdiff_t b_k,
                 const T* less, T* panels) {
  constexpr std::ptrdiff_t width = panel_width<T>;
  using V = Pack<T>;
  for (std::ptrdiff_t k = 0; k < depth; ++k)
    for (std::ptrdiff_t j = 0; j < n; j += width) {
      const T* const from = b + k * b_k + j;
      T* const to = panels + (j * depth + k * width);
      if (j + width <= n) {
        V u = vload<V>(from), v = vload<V>(from + lanes<T>);
        if (less) u = u - vload<V>(less + j), v = v - vload<V>(less + j + lanes<T>);
        vstore(to, u), vstore(to + lanes<T>, v);
      } else {
        for (std::ptrdiff_t l = 0; l < n - j; ++l)
          to[l] = less ? from[l] - less[j + l] : from[l];
      }
    }
}

}  // namespace hcl::inline HCL_ABI
