// examples/cnn/winograd_conv.hpp - convolution in all directions by winograd.hpp.
#pragma once

#include "winograd.hpp"

namespace cnn {

namespace detail {

inline constexpr Index points = 36, outputs = 4;  // numbers, and side of a tile's outputs

/// The tiles of n images of h x w pixels, one after the other.
struct Tiling {
  Index n, h, w, down = (h + outputs - 1) / outputs, across = (w + outputs - 1) / outputs;
  [[nodiscard]] Index count() const { return n * down * across; }

  /// The N x N pixels from `before` the outputs of tile t on; those outside are `none`.
  template <int N, class T>
  void locate(Index t, Index before, T* image, Index c, T* none, T* (&at)[N][N]) const {
    const Index i = t / (down * across), y0 = t / across % down * outputs - before,
                x0 = t % across * outputs - before;
    for (Index r = 0; r < N; ++r)
      for (Index k = 0; k < N; ++k) {
        const Index y = y0 + r, x = x0 + k;
        const bool inside = y >= 0 && y < h && x >= 0 && x < w;
        at[r][k] = inside ? image + ((i * h + y) * w + x) * c : none;
      }
  }
};

/// Numbers from one of the 36 matrices to the next: a line more than its size, lest all
/// 36 fall into one set of the cache.
template <class T>
constexpr Index apart(Index size) {
  return size + Index(64 / sizeof(T));
}

/// f(j, panel): the first column and the place of each vector of c columns in panels, two
/// vectors wide, of `rows` rows; width: numbers from row to row.
template <class T, class F>
HCL_INLINE void over_panels(Index rows, Index c, const F& f) {
  constexpr Index lanes = hcl::lanes<T>, wide = 2 * lanes;
  for (Index j = 0; j < c; j += lanes) {
    const Index start = j / wide * wide;
    f(j, rows * start + j - start, std::min(wide, c - start));
  }
}

/// Transformed weights, 36 matrices of depth x cols in panels. weight(tap, k, j): the
/// vector of columns j.. under a tap.
template <class T, class F>
void winograd_weights(Index depth, Index cols, T* u, const F& weight) {
  using V = hcl::Pack<T>;
  using W = Winograd<V, T>;
  hcl::parallel_for(depth, [&](Index k) {
    over_panels<T>(depth, cols, [&](Index j, Index panel, Index width) {
      W::template square<3, 6>(
          W::weights, [&](int r, int c) { return weight(3 * r + c, k, j); },
          [&](int r, int c, const V& v) {
            hcl::vstore(u + (6 * r + c) * apart<T>(depth * cols) + panel + k * width, v);
          });
    });
  });
}

/// y(n, h, w, co) = x(n, h, w, ci) * w with transformed weights u, tiles in parallel.
template <class T>
void winograd_correlate(const Tiling& tiles, Index ci, Index co, const T* x, const T* u,
                        T* y, Index block, Scratch<T>& scratch) {
  using V = hcl::Pack<T>;
  using W = Winograd<V, T>;
  constexpr Index lanes = hcl::lanes<T>, wide = 2 * lanes;
  const Index v_point = apart<T>(block * ci), m_point = apart<T>(block * co);
  const Index blocks = (tiles.count() + block - 1) / block;
  hcl::parallel_for(blocks, [&](Index b, int thread) {
    T* const v = scratch.thread(thread);
    T* const m = v + points * v_point;
    T* const none = m + points * m_point;
    std::fill_n(none, ci, T(0));
    const Index t0 = b * block, n = std::min(block, tiles.count() - t0);
    for (Index i = 0; i < n; ++i) {
      const T* at[6][6];
      tiles.locate<6, const T>(t0 + i, 1, x, ci, none, at);
      for (Index j = 0; j < ci; j += lanes)
        W::template square<6, 6>(
            W::input, [&](int r, int c) { return hcl::vload<V>(at[r][c] + j); },
            [&](int r, int c, const V& z) {
              hcl::vstore(v + (6 * r + c) * v_point + i * ci + j, z);
            });
    }
    for (Index p = 0; p < points; ++p)
      for (Index j = 0; j < co; j += wide) {
        const Index width = std::min(wide, co - j);
        hcl::gemm(n, width, ci, v + p * v_point, ci, Index{1},
                  u + p * apart<T>(ci * co) + ci * j, width, m + p * m_point + j, co,
                  false);
      }
    for (Index i = 0; i < n; ++i) {
      T* at[4][4];
      tiles.locate<4, T>(t0 + i, 0, y, co, none, at);
      for (Index j = 0; j < co; j += lanes)
        W::template square<6, 4>(
            W::output,
            [&](int r, int c) {
              return hcl::vload<V>(m + (6 * r + c) * m_point + i * co + j);
            },
            [&](int r, int c, const V& z) {
              if (at[r][c] != none) hcl::vstore(at[r][c] + j, z);
            });
    }
  });
}

/// Tiles in a block of winograd_correlate: two transformed blocks in the second-level
/// cache, but enough rows for each panel of weights; shares of threads alike.
inline Index forward_block(Index tiles, Index ci, Index co) {
  const Index fits = (Index{1} << 18) / (points * (ci + co));
  const Index rows = std::clamp<Index>(fits, 24, 96) / hcl::tile_rows * hcl::tile_rows;
  const Index shares = hcl::max_threads();
  const Index rounds = (tiles + rows * shares - 1) / (rows * shares);
  const Index even = (tiles + rounds * shares - 1) / (rounds * shares);
  return (even + hcl::tile_rows - 1) / hcl::tile_rows * hcl::tile_rows;
}

template <class T>
void winograd_run(const Tiling& tiles, Index ci, Index co, const T* x, T* y,
                  Scratch<T>& scratch, const auto& weight) {
  const Index block = forward_block(tiles.count(), ci, co);
  scratch.ensure(
      points * (apart<T>(block * ci) + apart<T>(block * co)) + std::max(ci, co),
      points * apart<T>(ci * co));
  winograd_weights<T>(ci, co, scratch.whole(), weight);
  winograd_correlate<T>(tiles, ci, co, x, scratch.whole(), y, block, scratch);
}

}  // namespace detail

/// Whether the functions below take this convolution: 3 x 3, stride 1, whole vectors of
/// channels, and tiles filled well enough to pay.
template <class T>
bool winograd_fits(const ConvShape& s) {
  const detail::Tiling t{s.n, s.h, s.w};
  return s.k == 3 && s.stride == 1 && s.ci % hcl::lanes<T> == 0 &&
         s.co % hcl::lanes<T> == 0 && s.ci >= 16 && s.co >= 16 &&
         2 * detail::points * t.down * t.across <= 9 * s.h * s.w;
}

/// As conv_forward.
template <class T>
void winograd_forward(const ConvShape& s, const T* x, const T* w, T* y,
                      Scratch<T>& scratch) {
  using V = hcl::Pack<T>;
  detail::winograd_run<T>({s.n, s.h, s.w}, s.ci, s.co, x, y, scratch,
                          [&](Index tap, Index k, Index j) {
                            return hcl::vload<V>(w + (tap * s.ci + k) * s.co + j);
                          });
}

/// As conv_backward_input: the same with the taps reversed and the channels exchanged.
template <class T>
void winograd_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx,
                             Scratch<T>& scratch) {
  using V = hcl::Pack<T>;
  detail::winograd_run<T>({s.n, s.h, s.w}, s.co, s.ci, gy, gx, scratch,
                          [&](Index tap, Index k, Index j) {
                            T column[hcl::lanes<T>];
                            for (Index l = 0; l < hcl::lanes<T>; ++l)
                              column[l] = w[((8 - tap) * s.ci + j + l) * s.co + k];
                            return hcl::vload<V>(column);
                          });
}

}  // namespace cnn
