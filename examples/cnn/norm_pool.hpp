// examples/cnn/norm_pool.hpp - batch norm, ReLU and max pooling in one: the normalised
// image, the largest array of many networks, is never written.
//
//   y(oy, ox) = max over the k x k window of relu(scale * x^ + shift),
//   x^ = (x - mean) * rstd
//
// Backward finds each window's first maximum again from x.
#pragma once

#include "norm.hpp"

namespace cnn {

namespace detail {

/// Windows of k x k in images of a shape.
struct Windows {
  Shape s;
  Index k;
  [[nodiscard]] Index oh() const { return s.h / k; }
  [[nodiscard]] Index ow() const { return s.w / k; }
  /// The first number of the first pixel of window (line, ox); line counts all images.
  [[nodiscard]] Index first(Index line, Index ox) const {
    return ((line / oh() * s.h + line % oh() * k) * s.w + ox * k) * s.c;
  }
  /// From there to pixel (a, b).
  [[nodiscard]] Index pixel(Index a, Index b) const { return (a * s.w + b) * s.c; }
};

template <class V, class T>
struct Normalise {
  V scale, shift, mean, rstd;
  HCL_INLINE Normalise(const NormChannels<T>& p, Index j)
      : scale{hcl::vload<V>(p.scale + j)},
        shift{hcl::vload<V>(p.shift + j)},
        mean{hcl::vload<V>(p.mean + j)},
        rstd{hcl::vload<V>(p.rstd + j)} {}
  HCL_INLINE V x_hat(const T* x) const { return (hcl::vload<V>(x) - mean) * rstd; }
  HCL_INLINE V z(const V& hat) const { return hcl::vfma(hat, scale, shift); }
};

/// f<V>(window's first number, its output's, channel) for the windows of a chunk of
/// lines.
template <class T, class F>
HCL_INLINE void over_windows(const Windows& w, Index line, const F& f) {
  over_channels<T>(w.s.c, [&]<class V>(Index j) {
    for (Index ox = 0; ox < w.ow(); ++ox)
      f.template operator()<V>(w.first(line, ox) + j, (line * w.ow() + ox) * w.s.c + j,
                               j);
  });
}

}  // namespace detail

/// y: n x (h / k) x (w / k) x c, overwritten.
template <class T>
void norm_pool_forward(const Shape& s, Index k, const NormChannels<T>& p, const T* x,
                       T* y) {
  using namespace detail;
  const Windows w{s, k};
  hcl::parallel_for(s.n * w.oh(), [&](Index line) {
    over_windows<T>(w, line, [&]<class V>(Index at, Index o, Index j) {
      const Normalise<V, T> norm(p, j);
      V best(T(0));
      for (Index a = 0; a < k; ++a)
        for (Index b = 0; b < k; ++b)
          best = hcl::vmax(norm.z(norm.x_hat(x + at + w.pixel(a, b))), best);
      hcl::vstore(y + o, best);
    });
  });
}

/// As norm_backward with g = gy at the first maximum of each window if y > 0 there, 0
/// elsewhere. y: of the forward. gx, if not null, is overwritten.
template <class T>
void norm_pool_backward(const Shape& s, Index k, bool fixed, const NormChannels<T>& p,
                        const T* x, const T* y, const T* gy, T* gx, NormGrads<T> grads,
                        Scratch<T>& scratch) {
  using namespace detail;
  const Windows w{s, k};
  const Index c = s.c, lines = s.n * w.oh();
  scratch.ensure(0, (lines + 1) * 2 * c);
  T* const mean_g = scratch.whole() + lines * 2 * c;  // then mean(g x^)
  std::fill_n(mean_g, 2 * c, T(0));
  if (!fixed || grads.scale != nullptr || grads.shift != nullptr) {
    hcl::parallel_for(lines, [&](Index line) {
      T* const part = scratch.whole() + line * 2 * c;
      std::fill_n(part, 2 * c, T(0));
      over_windows<T>(w, line, [&]<class V>(Index at, Index o, Index j) {
        const Normalise<V, T> norm(p, j);
        const V best = hcl::vload<V>(y + o), none(T(0));
        const V g = hcl::vselect(best > none, hcl::vload<V>(gy + o), none);
        V rest = g, dot(T(0));
        for (Index a = 0; a < k; ++a)
          for (Index b = 0; b < k; ++b) {
            const V hat = norm.x_hat(x + at + w.pixel(a, b));
            const auto is_best = norm.z(hat) == best;
            dot = hcl::vfma(hcl::vselect(is_best, rest, none), hat, dot);
            rest = hcl::vselect(is_best, none, rest);
          }
        hcl::vstore(part + j, hcl::vload<V>(part + j) + g);
        hcl::vstore(part + c + j, hcl::vload<V>(part + c + j) + dot);
      });
    });
    norm_sums(lines, s.n * s.pixels(), c, fixed, scratch.whole(), mean_g, grads);
  }
  if (gx == nullptr) return;
  hcl::parallel_for(lines, [&](Index line) {
    const auto put = [&]<class V>(const Normalise<V, T>& norm, Index at, Index j,
                                  const V& hat, V g) {
      if (!fixed) g = g - hcl::vload<V>(mean_g + j) - hat * hcl::vload<V>(mean_g + c + j);
      hcl::vstore(gx + at, g * (norm.scale * norm.rstd));
    };
    over_windows<T>(w, line, [&]<class V>(Index at, Index o, Index j) {
      const Normalise<V, T> norm(p, j);
      const V best = hcl::vload<V>(y + o), none(T(0));
      V rest = hcl::vselect(best > none, hcl::vload<V>(gy + o), none);
      for (Index a = 0; a < k; ++a)
        for (Index b = 0; b < k; ++b) {
          const Index to = at + w.pixel(a, b);
          const V hat = norm.x_hat(x + to);
          const auto is_best = norm.z(hat) == best;
          put(norm, to, j, hat, hcl::vselect(is_best, rest, none));
          rest = hcl::vselect(is_best, none, rest);
        }
    });
    // Pixels that no window covers.
    const bool last = line % w.oh() + 1 == w.oh();
    const Index rows = last ? s.h - (w.oh() - 1) * k : k;
    for (Index a = 0; a < rows; ++a)
      for (Index b = a < k ? w.ow() * k : 0; b < s.w; ++b)
        over_channels<T>(c, [&]<class V>(Index j) {
          const Normalise<V, T> norm(p, j);
          const Index to = w.first(line, 0) + w.pixel(a, b) + j;
          put(norm, to, j, norm.x_hat(x + to), V(T(0)));
        });
  });
}

}  // namespace cnn
