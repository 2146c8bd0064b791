// examples/cnn/conv_weights.hpp - the gradient of a convolution by its weights.
#pragma once

#include "conv.hpp"

namespace cnn {

/// The batch is cut into this many groups, whatever the number of threads: the bits stay
/// the same.
inline constexpr Index weight_groups = 8;

namespace detail {

/// A block of images for one group: padded inputs, and output gradients in panels of
/// columns.
template <class T>
struct WeightBlock {
  const ConvShape& s;
  Index images, pw, padded;
  const T *x, *gy;
};

/// Rows m .. of (kx, ci) by C vectors of co, for tap row ky, summed over all pixels of
/// the block.
template <int R, int C, class T>
void weight_tiles(const WeightBlock<T>& b, Index ky, Index m, const T* gy, bool add,
                  T* out) {
  constexpr Index wide = C * hcl::lanes<T>;
  const Index oh = b.s.oh(), ow = b.s.ow(), step = b.s.stride * b.s.ci;
  for (; m + R <= b.s.k * b.s.ci; m += R) {
    hcl::RegisterTile<hcl::Pack<T>, R, C> tile;
    if (add)
      tile.load(out + m * wide, wide);
    else
      tile.zero();
    for (Index i = 0; i < b.images; ++i)
      for (Index y = 0; y < oh; ++y)
        tile.multiply_add(ow,
                          b.x + i * b.padded + (y * b.s.stride + ky) * b.pw * b.s.ci + m,
                          1, step, gy + (i * oh + y) * ow * wide, wide);
    tile.store(out + m * wide, wide);
  }
  if constexpr (R > 1) {
    if (m < b.s.k * b.s.ci) weight_tiles<(R > 3 ? R / 2 : 1), C>(b, ky, m, gy, add, out);
  }
}

template <class T>
void weight_block(const WeightBlock<T>& b, bool add, T* out) {
  const Index wide = 2 * hcl::lanes<T>, depth = b.s.k * b.s.ci;
  const Index pixels = b.images * b.s.oh() * b.s.ow();
  for (Index j = 0; j < b.s.co; j += wide)
    for (Index ky = 0; ky < b.s.k; ++ky) {
      const Index width = std::min(wide, round_up<T>(b.s.co - j));
      T* const to = out + b.s.k * depth * j + ky * depth * width;
      if (width == wide)
        weight_tiles<hcl::tile_rows, 2>(b, ky, 0, b.gy + pixels * j, add, to);
      else
        weight_tiles<hcl::tile_rows, 1>(b, ky, 0, b.gy + pixels * j, add, to);
    }
}

/// As pack_panels, of one thread: rows x cols numbers into panels of two vectors.
template <class T>
void pack_rows(const T* from, Index row0, Index rows, Index all_rows, Index cols,
               T* panels) {
  const Index wide = 2 * hcl::lanes<T>;
  for (Index j = 0; j < cols; j += wide) {
    const Index width = std::min(wide, round_up<T>(cols - j)),
                n = std::min(width, cols - j);
    T* p = panels + all_rows * j + row0 * width;
    for (Index r = 0; r < rows; ++r, p += width) {
      std::copy_n(from + r * cols + j, n, p);
      std::fill_n(p + n, width - n, T(0));
    }
  }
}

}  // namespace detail

/// gw += the gradient by the weights, k x k x ci x co, given x and gy.
template <class T>
void conv_backward_weights(const ConvShape& s, const T* x, const T* gy, T* gw,
                           Scratch<T>& scratch) {
  using namespace detail;
  const Index ph = s.h + 2 * s.pad(), pw = s.w + 2 * s.pad(), padded = ph * pw * s.ci;
  const Index pixels = s.oh() * s.ow(), cols = round_up<T>(s.co),
              depth = s.k * s.k * s.ci;
  const Index group = (s.n + weight_groups - 1) / weight_groups;
  const Index groups = (s.n + group - 1) / group;
  const Index block = std::min(group, images_per_block(pixels, 256, padded));
  const Index size = depth * cols, in_image = s.h * s.w * s.ci;
  scratch.ensure(block * (padded + pixels * cols), groups * size);
  hcl::parallel_for(groups, [&](Index g, int thread) {
    T* const copy = scratch.thread(thread);
    T* const panels = copy + block * padded;
    const Index end = std::min(s.n, (g + 1) * group);
    for (Index i0 = g * group; i0 < end; i0 += block) {
      const Index images = std::min(block, end - i0);
      for (Index i = 0; i < images; ++i) {
        if (s.pad() > 0)
          pad_image(x + (i0 + i) * in_image, s.h, s.w, s.ci, s.pad(), copy + i * padded);
        pack_rows(gy + (i0 + i) * pixels * s.co, i * pixels, pixels, images * pixels,
                  s.co, panels);
      }
      const T* const from = s.pad() > 0 ? copy : x + i0 * in_image;
      weight_block<T>({s, images, pw, padded, from, panels}, i0 > g * group,
                      scratch.whole() + g * size);
    }
  });
  // The groups in order, back from panels to rows of co.
  const Index wide = 2 * hcl::lanes<T>;
  hcl::parallel_for((s.co + wide - 1) / wide, [&](Index b) {
    const Index j0 = b * wide, width = std::min(wide, cols - j0),
                n = std::min(wide, s.co - j0);
    for (Index k = 0; k < depth; ++k) {
      const T* const from = scratch.whole() + depth * j0 + k * width;
      for (Index j = 0; j < n; ++j) {
        T sum = from[j];
        for (Index g = 1; g < groups; ++g) sum += from[g * size + j];
        gw[k * s.co + j0 + j] += sum;
      }
    }
  });
}

}  // namespace cnn
