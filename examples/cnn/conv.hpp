// examples/cnn/conv.hpp - convolution as a matrix product that is never written down
// (NHWC).
//
// All three directions run on hcl::RegisterTile. In a zero-padded NHWC image the kw * ci
// numbers under one row of taps are contiguous, so that a k x k convolution is k products
// of depth kw * ci whose rows (output pixels) are stride * ci apart: no matrix of patches
// is formed.
#pragma once

#include <algorithm>
#include <cstring>

#include "hcl/core/gemm.hpp"
#include "tensor.hpp"

namespace cnn {

/// x: n x h x w x ci, weights: k x k x ci x co, y: n x oh x ow x co; k odd, zero padding
/// of k / 2.
struct ConvShape {
  Index n, h, w, ci, co, k, stride;
  [[nodiscard]] Index pad() const { return k / 2; }
  [[nodiscard]] Index oh() const { return (h - 1) / stride + 1; }
  [[nodiscard]] Index ow() const { return (w - 1) / stride + 1; }
  [[nodiscard]] Index weights() const { return k * k * ci * co; }
};

namespace detail {

// 32 registers hold 8 x 2 or 4 x 4 sums and their operands, 16 hold 4 x 2.
inline constexpr bool many_registers = hcl::tile_rows >= 12;
inline constexpr Index max_panel_vectors = many_registers ? 4 : 2;

template <class T>
constexpr Index round_up(Index c) {
  return (c + hcl::lanes<T> - 1) / hcl::lanes<T> * hcl::lanes<T>;
}

/// Vectors of columns in a panel for rows of ow pixels: wide panels for narrow images.
inline Index panel_vectors(Index ow) { return many_registers && ow % 8 != 0 ? 4 : 2; }

/// Images per block, so that a panel of weights read once serves enough pixels; the
/// padded block should stay in the cache of the core.
inline Index images_per_block(Index pixels, Index wanted, Index image) {
  return std::max<Index>(1, std::min(wanted / pixels, (Index{1} << 17) / image));
}

/// Numbers of a (depth x cols) matrix in panels: blocks of `vectors` vectors of columns,
/// the last one as wide as needed, each stored row after row, columns past the end zero.
template <class T, class F>
void pack_panels(Index depth, Index cols, Index vectors, T* panels, const F& value) {
  const Index wide = vectors * hcl::lanes<T>;
  hcl::parallel_for((cols + wide - 1) / wide, [&](Index block) {
    const Index j0 = block * wide, width = std::min(wide, round_up<T>(cols - j0));
    T* p = panels + depth * j0;
    for (Index k = 0; k < depth; ++k)
      for (Index j = 0; j < width; ++j) *p++ = j0 + j < cols ? value(k, j0 + j) : T(0);
  });
}

/// Copies an h x w x c image into the middle of a (h + 2 pad) x (w + 2 pad) x c one.
template <class T>
void pad_image(const T* x, Index h, Index w, Index c, Index pad, T* out) {
  const Index row = (w + 2 * pad) * c, side = pad * c;
  std::fill_n(out, pad * row, T(0));
  for (Index y = 0; y < h; ++y) {
    T* o = out + (y + pad) * row;
    std::fill_n(o, side, T(0));
    std::copy_n(x + y * w * c, w * c, o + side);
    std::fill_n(o + side + w * c, side, T(0));
  }
  std::fill_n(out + (h + pad) * row, pad * row, T(0));
}

/// out(y, x, :) = sum over taps (a, k) of in[y * in_line + a * in_row + x * in_step + k]
/// times row (a * depth + k) of the panels; strides in numbers.
struct Correlation {
  Index taps, depth;               // rows of taps, numbers under each
  Index in_row, in_line, in_step;  // next row of taps, next output row, next output pixel
  Index oh, ow, co;
  Index out_line, out_step;
};

template <int R, int C, class T>
HCL_INLINE void correlate_tile(const Correlation& q, const T* in, const T* panel, T* out,
                               Index cols) {
  constexpr Index wide = C * hcl::lanes<T>;
  hcl::RegisterTile<hcl::Pack<T>, R, C> tile;
  tile.zero();
  for (Index a = 0; a < q.taps; ++a)
    tile.multiply_add(q.depth, in + a * q.in_row, q.in_step, 1,
                      panel + a * q.depth * wide, wide);
  if (cols >= wide) {
    tile.store(out, q.out_step);
  } else {
    T all[R * wide];
    tile.store(all, wide);
    for (Index i = 0; i < R; ++i) std::copy_n(all + i * wide, cols, out + i * q.out_step);
  }
}

template <int R, int C, class T>
void correlate_row(const Correlation& q, const T* in, const T* panel, T* out, Index cols,
                   Index x) {
  for (; x + R <= q.ow; x += R)
    correlate_tile<R, C>(q, in + x * q.in_step, panel, out + x * q.out_step, cols);
  if constexpr (R > 1) {
    if (x < q.ow) correlate_row<R / 2, C>(q, in, panel, out, cols, x);
  }
}

template <int C, class T>
void correlate_block(const Correlation& q, const T* in, const T* panel, T* out,
                     Index cols) {
  constexpr int rows = C <= 2 && many_registers ? 8 : 4;
  for (Index y = 0; y < q.oh; ++y)
    correlate_row<rows, C>(q, in + y * q.in_line, panel, out + y * q.out_line, cols, 0);
}

/// One correlation for `images` images, each panel while it is in cache.
template <class T>
void correlate(const Correlation& q, Index vectors, Index images, const T* in,
               Index in_image, const T* panels, T* out, Index out_image) {
  const Index wide = vectors * hcl::lanes<T>;
  for (Index j = 0; j < q.co; j += wide) {
    const Index cols = std::min(wide, q.co - j);
    const Index c = round_up<T>(cols) / hcl::lanes<T>;
    const T* panel = panels + q.taps * q.depth * j;
    for (Index i = 0; i < images; ++i) {
      const T* from = in + i * in_image;
      T* to = out + i * out_image + j;
      if (c == 1) correlate_block<1>(q, from, panel, to, cols);
      if (c == 2) correlate_block<2>(q, from, panel, to, cols);
      if constexpr (max_panel_vectors > 2) {
        if (c == 3) correlate_block<3>(q, from, panel, to, cols);
        if (c == 4) correlate_block<4>(q, from, panel, to, cols);
      }
    }
  }
}

}  // namespace detail

/// y = x * w. Overwrites y.
template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, T* y, Scratch<T>& scratch) {
  using namespace detail;
  const Index ph = s.h + 2 * s.pad(), pw = s.w + 2 * s.pad(), padded = ph * pw * s.ci;
  const Index oh = s.oh(), ow = s.ow(), vectors = panel_vectors(ow),
              depth = s.k * s.k * s.ci;
  const Index block = images_per_block(oh * ow, 64, padded);
  scratch.ensure(block * padded, depth * round_up<T>(s.co));
  T* const panels = scratch.whole();
  pack_panels(depth, s.co, vectors, panels,
              [&](Index k, Index j) { return w[k * s.co + j]; });
  const Correlation q{
      s.k,  s.k * s.ci, pw * s.ci, s.stride * pw * s.ci, s.stride * s.ci, oh, ow,
      s.co, ow * s.co,  s.co};
  hcl::parallel_for((s.n + block - 1) / block, [&](Index b, int thread) {
    const Index i0 = b * block, images = std::min(block, s.n - i0);
    const Index in_image = s.h * s.w * s.ci;
    const T* from = x + i0 * in_image;
    if (s.pad() > 0) {
      T* const copy = scratch.thread(thread);
      for (Index i = 0; i < images; ++i)
        pad_image(from + i * in_image, s.h, s.w, s.ci, s.pad(), copy + i * padded);
      from = copy;
    }
    correlate(q, vectors, images, from, padded, panels, y + i0 * oh * ow * s.co,
              oh * ow * s.co);
  });
}

/// gx = the gradient by x, given gy by y. Overwrites gx.
///
/// Pixel iy = stride * j + p of x meets tap t of output o = (iy + pad - t) / stride where
/// that is whole: the pixels of one remainder p form a correlation of stride 1 with every
/// stride-th tap, read backwards. Remainders without a tap (1 x 1, stride 2) get zero.
template <class T>
void conv_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx,
                         Scratch<T>& scratch) {
  using namespace detail;
  const Index oh = s.oh(), ow = s.ow(), halo = s.pad(), pw = ow + 2 * halo;
  const Index padded = (oh + 2 * halo) * pw * s.co;
  const Index block = images_per_block(s.h * s.w, 64, padded),
              in_image = s.h * s.w * s.ci;
  scratch.ensure(block * padded, s.k * s.k * s.co * round_up<T>(s.ci));
  struct Axis {
    Index last, taps, start;  // largest tap, how many, output pixel it meets at j = 0
  };
  const auto axis = [&](Index p) {
    const Index first = (p + s.pad()) % s.stride;
    const Index taps = first < s.k ? (s.k - 1 - first) / s.stride + 1 : 0;
    const Index last = first + (taps - 1) * s.stride;
    return Axis{last, taps, taps > 0 ? (p + s.pad() - last) / s.stride : 0};
  };
  const auto vectors_of = [&](Index px) {
    return panel_vectors((s.w - px - 1) / s.stride + 1);
  };
  const auto for_remainders = [&](const auto& f) {
    Index offset = 0;
    for (Index py = 0; py < std::min(s.stride, s.h); ++py)
      for (Index px = 0; px < std::min(s.stride, s.w); ++px) {
        const Axis y = axis(py), x = axis(px);
        if (y.taps > 0 && x.taps > 0) f(py, px, y, x, offset);
        offset += y.taps * x.taps * s.co * round_up<T>(s.ci);
      }
  };
  T* const panels = scratch.whole();
  for_remainders([&](Index, Index px, const Axis& y, const Axis& x, Index offset) {
    const Index row = x.taps * s.co;
    pack_panels(y.taps * row, s.ci, vectors_of(px), panels + offset,
                [&](Index k, Index j) {
                  const Index ky = y.last - k / row * s.stride,
                              kx = x.last - k % row / s.co * s.stride;
                  return w[((ky * s.k + kx) * s.ci + j) * s.co + k % s.co];
                });
  });
  hcl::parallel_for((s.n + block - 1) / block, [&](Index b, int thread) {
    const Index i0 = b * block, images = std::min(block, s.n - i0);
    const T* from = gy + i0 * oh * ow * s.co;
    T* const to = gx + i0 * in_image;
    if (halo > 0) {
      T* const copy = scratch.thread(thread);
      for (Index i = 0; i < images; ++i)
        pad_image(from + i * oh * ow * s.co, oh, ow, s.co, halo, copy + i * padded);
      from = copy;
    }
    if (s.stride > s.k) std::fill_n(to, images * in_image, T(0));
    for_remainders([&](Index py, Index px, const Axis& y, const Axis& x, Index offset) {
      const Correlation q{y.taps,
                          x.taps * s.co,
                          pw * s.co,
                          pw * s.co,
                          s.co,
                          (s.h - py - 1) / s.stride + 1,
                          (s.w - px - 1) / s.stride + 1,
                          s.ci,
                          s.stride * s.w * s.ci,
                          s.stride * s.ci};
      correlate(q, vectors_of(px), images,
                from + ((y.start + halo) * pw + x.start + halo) * s.co, padded,
                panels + offset, to + (py * s.w + px) * s.ci, in_image);
    });
  });
}

}  // namespace cnn
