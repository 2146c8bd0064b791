// examples/cnn/pool.hpp - max pooling of windows, global max and mean, and the residual
// sum (NHWC).
#pragma once

#include "norm.hpp"

namespace cnn {

/// y(oy, ox) = max over the k x k window at (k oy, k ox); rows and columns left over are
/// dropped. y: n x (h / k) x (w / k) x c, overwritten.
template <class T>
void max_pool_forward(const Shape& s, Index k, const T* x, T* y) {
  const Index oh = s.h / k, ow = s.w / k;
  hcl::parallel_for(s.n * oh, [&](Index line) {
    const Index i = line / oh, oy = line % oh;
    for (Index ox = 0; ox < ow; ++ox) {
      const T* const from = x + ((i * s.h + oy * k) * s.w + ox * k) * s.c;
      T* const to = y + (line * ow + ox) * s.c;
      detail::over_channels<T>(s.c, [&]<class V>(Index j) {
        V best = hcl::vload<V>(from + j);
        for (Index a = 0; a < k; ++a)
          for (Index b = 0; b < k; ++b)
            best = hcl::vmax(hcl::vload<V>(from + (a * s.w + b) * s.c + j), best);
        hcl::vstore(to + j, best);
      });
    }
  });
}

/// gx = gy at the first maximum of each window in reading order, 0 elsewhere. Overwrites
/// gx.
template <class T>
void max_pool_backward(const Shape& s, Index k, const T* x, const T* y, const T* gy,
                       T* gx) {
  const Index oh = s.h / k, ow = s.w / k;
  hcl::parallel_for(s.n * oh, [&](Index line) {
    const Index i = line / oh, oy = line % oh;
    if (ow * k < s.w || (oh * k < s.h && oy + 1 == oh)) {
      const Index last = oy + 1 == oh ? s.h : (oy + 1) * k;
      std::fill_n(gx + (i * s.h + oy * k) * s.w * s.c, (last - oy * k) * s.w * s.c, T(0));
    }
    for (Index ox = 0; ox < ow; ++ox) {
      const Index at = ((i * s.h + oy * k) * s.w + ox * k) * s.c,
                  o = (line * ow + ox) * s.c;
      detail::over_channels<T>(s.c, [&]<class V>(Index j) {
        const V best = hcl::vload<V>(y + o + j), none(T(0));
        V rest = hcl::vload<V>(gy + o + j);  // what no earlier pixel has taken
        for (Index a = 0; a < k; ++a)
          for (Index b = 0; b < k; ++b) {
            const Index p = at + (a * s.w + b) * s.c + j;
            const auto is_best = hcl::vload<V>(x + p) == best;
            hcl::vstore(gx + p, hcl::vselect(is_best, rest, none));
            rest = hcl::vselect(is_best, none, rest);
          }
      });
    }
  });
}

/// y(j) = mean over the pixels of x(., j). y: n x c, overwritten.
template <class T>
void mean_pool_forward(const Shape& s, const T* x, T* y) {
  hcl::parallel_for(s.n, [&](Index i) {
    detail::over_channels<T>(s.c, [&]<class V>(Index j) {
      V sum(T(0));
      for (Index p = 0; p < s.pixels(); ++p)
        sum = sum + hcl::vload<V>(x + i * s.image() + p * s.c + j);
      hcl::vstore(y + i * s.c + j, sum * V(T(1) / T(s.pixels())));
    });
  });
}

/// gx = gy / pixels everywhere. Overwrites gx.
template <class T>
void mean_pool_backward(const Shape& s, const T* gy, T* gx) {
  hcl::parallel_for(s.n, [&](Index i) {
    for (Index p = 0; p < s.pixels(); ++p)
      for (Index j = 0; j < s.c; ++j)
        gx[i * s.image() + p * s.c + j] = gy[i * s.c + j] / T(s.pixels());
  });
}

/// y = a + b, or max(a + b, 0). y may be a or b. The backward of the sum is the same
/// call: ga = gb = gy.
template <class T>
void add(Index size, const T* a, const T* b, T* y, bool relu = false) {
  detail::over_numbers<T>(size, [&]<class V>(Index j) {
    const V sum = hcl::vload<V>(a + j) + hcl::vload<V>(b + j);
    hcl::vstore(y + j, relu ? hcl::vmax(sum, V(T(0))) : sum);
  });
}

}  // namespace cnn
