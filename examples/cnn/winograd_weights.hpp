// examples/cnn/winograd_weights.hpp - the gradient by the weights, by winograd.hpp.
#pragma once

#include "conv_weights.hpp"
#include "winograd_conv.hpp"

namespace cnn {

namespace detail {

/// c += a^T b over n tiles: a panel of rows channels by a panel of C vectors of columns.
template <int C, class T>
void add_panel_product(Index n, Index rows, const T* a, const T* b, T* c, Index c_row,
                       bool first) {
  const auto strip = [&]<int R>(Index i) {
    hcl::RegisterTile<hcl::Pack<T>, R, C> tile;
    tile.zero();
    tile.multiply_add(n, a + i, 1, rows, b, C * hcl::lanes<T>);
    if (first)
      tile.store(c + i * c_row, c_row);
    else
      tile.add_to(c + i * c_row, c_row);
  };
  constexpr int most = hcl::tile_rows;
  Index i = 0;
  for (; i + most <= rows; i += most) strip.template operator()<most>(i);
  for (; i + 4 <= rows; i += 4) strip.template operator()<4>(i);
  for (; i + 2 <= rows; i += 2) strip.template operator()<2>(i);
  for (; i < rows; ++i) strip.template operator()<1>(i);
}

/// The 36 matrices of gradients gU of some tiles, from transformed blocks v of x (in
/// panels of ci) and m of gy (in panels of co).
template <class T>
class WeightProducts {
 public:
  WeightProducts(const ConvShape& s, const T* x, const T* gy, Index block, const T* none)
      : tiles_{s.n, s.h, s.w},
        ci_{s.ci},
        co_{s.co},
        x_{x},
        gy_{gy},
        none_{none},
        v_point_{apart<T>(block * s.ci)},
        m_point_{apart<T>(block * s.co)} {}
  [[nodiscard]] Index size() const { return points * (v_point_ + m_point_); }

  /// Tile t, as number i of a block of n: v = B^T x B, m = A gy A^T.
  void transform(Index t, Index i, Index n, T* v) const {
    T* const m = v + points * v_point_;
    const T *x_at[6][6], *g_at[4][4];
    tiles_.template locate<6, const T>(t, 1, x_, ci_, none_, x_at);
    over_panels<T>(n, ci_, [&](Index j, Index panel, Index width) {
      W::template square<6, 6>(
          W::input, [&](int r, int c) { return hcl::vload<V>(x_at[r][c] + j); },
          [&](int r, int c, const V& z) {
            hcl::vstore(v + (6 * r + c) * v_point_ + panel + i * width, z);
          });
    });
    tiles_.template locate<4, const T>(t, 0, gy_, co_, none_, g_at);
    over_panels<T>(n, co_, [&](Index j, Index panel, Index width) {
      W::template square<4, 6>(
          W::output_gradient, [&](int r, int c) { return hcl::vload<V>(g_at[r][c] + j); },
          [&](int r, int c, const V& z) {
            hcl::vstore(m + (6 * r + c) * m_point_ + panel + i * width, z);
          });
    });
  }

  /// Matrix p of gU += v^T m over the n tiles of a block; = if it is the first.
  void multiply(Index p, Index n, const T* v, T* u, bool first) const {
    constexpr Index wide = 2 * hcl::lanes<T>;
    const T* const m = v + points * v_point_;
    for (Index i = 0; i < ci_; i += wide)
      for (Index j = 0; j < co_; j += wide) {
        const T* const a = v + p * v_point_ + n * i;
        const T* const b = m + p * m_point_ + n * j;
        T* const to = u + p * apart<T>(ci_ * co_) + i * co_ + j;
        const Index rows = std::min(wide, ci_ - i);
        if (co_ - j >= wide)
          add_panel_product<2>(n, rows, a, b, to, co_, first);
        else
          add_panel_product<1>(n, rows, a, b, to, co_, first);
      }
  }

 private:
  using V = hcl::Pack<T>;
  using W = Winograd<V, T>;
  Tiling tiles_;
  Index ci_, co_;
  const T *x_, *gy_, *none_;
  Index v_point_, m_point_;
};

}  // namespace detail

/// As conv_backward_weights: with U the 36 matrices of the forward pass,
/// gU = (B^T x B)^T (A gy A^T), summed over tiles, and gw += G^T gU G.
///
/// Small gU: fixed groups of tiles, each with a gU of its own and blocks that stay in the
/// cache of its core. Large ones (few tiles, many channels): one gU, the 36 products in
/// parallel. Neither depends on the number of threads, so the bits do not either.
template <class T>
void winograd_backward_weights(const ConvShape& s, const T* x, const T* gy, T* gw,
                               Scratch<T>& scratch) {
  using namespace detail;
  using V = hcl::Pack<T>;
  using W = Winograd<V, T>;
  const Index ci = s.ci, co = s.co, tiles = Tiling{s.n, s.h, s.w}.count();
  const Index size = points * apart<T>(ci * co), most = std::max(ci, co);
  const bool grouped = size <= Index{1} << 20;
  const Index group = grouped ? (tiles + weight_groups - 1) / weight_groups : tiles;
  const Index groups = (tiles + group - 1) / group;
  const Index fits = grouped ? (Index{1} << 18) / (points * (ci + co)) : 512;
  const Index block = std::min(std::max<Index>(fits, 32), group);
  const Index blocks = WeightProducts<T>(s, x, gy, block, nullptr).size();
  scratch.ensure(grouped ? blocks : 0, groups * size + most + (grouped ? 0 : blocks));
  T* const u = scratch.whole();
  T* const none = u + groups * size;  // what lies outside the images
  std::fill_n(none, most, T(0));
  const WeightProducts<T> products(s, x, gy, block, none);
  if (grouped) {
    hcl::parallel_for(groups, [&](Index g, int thread) {
      T* const v = scratch.thread(thread);
      const Index begin = g * group, end = std::min(tiles, begin + group);
      for (Index t = begin; t < end; t += block) {
        const Index n = std::min(block, end - t);
        for (Index i = 0; i < n; ++i) products.transform(t + i, i, n, v);
        for (Index p = 0; p < points; ++p)
          products.multiply(p, n, v, u + g * size, t == begin);
      }
    });
  } else {
    T* const v = none + most;
    for (Index t = 0; t < tiles; t += block) {
      const Index n = std::min(block, tiles - t);
      hcl::parallel_for(n, [&](Index i) { products.transform(t + i, i, n, v); });
      hcl::parallel_for(points, [&](Index p) { products.multiply(p, n, v, u, t == 0); });
    }
  }
  hcl::parallel_for(ci, [&](Index k) {
    for (Index j = 0; j < co; j += hcl::lanes<T>)
      W::template square<6, 3>(
          W::weights_gradient,
          [&](int r, int c) {
            const T* const from = u + (6 * r + c) * apart<T>(ci * co) + k * co + j;
            V sum = hcl::vload<V>(from);
            for (Index g = 1; g < groups; ++g) sum = sum + hcl::vload<V>(from + g * size);
            return sum;
          },
          [&](int r, int c, const V& z) {
            T* const to = gw + ((3 * r + c) * ci + k) * co + j;
            hcl::vstore(to, hcl::vload<V>(to) + z);
          });
  });
}

}  // namespace cnn
