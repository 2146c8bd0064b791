// examples/cnn/augment.hpp - random views of images: SimCLR's, and the usual ones of
// supervised training. Every sample draws from its own stream, so views do not depend on
// threads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "data.hpp"
#include "hcl/core/parallel.hpp"
#include "random.hpp"

namespace cnn {

/// Pixel k of a line of n that goes on mirrored at its ends, which are not repeated.
inline int mirrored(int k, int n) { return k < 0 ? -k : k >= n ? 2 * n - 2 - k : k; }

/// Pads, crops at random, flips; pixels to [0, 1].
struct SupervisedAugment {
  int pad = 4;
  float flip = 0.5F;
  bool reflect = false;  ///< What is padded: the image mirrored at its edge, not zeros.
  /// Flip in an odd stream what is not in an even one (K. Jordan 2024, arXiv:2404.00498,
  /// section 3.6).
  bool alternate = false;

  /// out: samples.size() x h x w x c. stream is the epoch, or whatever else makes views
  /// differ.
  void operator()(const Dataset& data, std::span<const std::ptrdiff_t> samples,
                  std::uint64_t seed, std::uint64_t stream, float* out) const {
    hcl::parallel_for(std::ptrdiff_t(samples.size()), [&](std::ptrdiff_t i) {
      const std::ptrdiff_t sample = samples[std::size_t(i)];
      Random rng{seed, stream, std::uint64_t(sample)};
      const int h = data.height, w = data.width, c = data.channels;
      const int dy = rng.below(2 * pad + 1) - pad, dx = rng.below(2 * pad + 1) - pad;
      Random coin{seed, ~std::uint64_t{0}, std::uint64_t(sample)};
      const bool mirror =
          alternate ? coin.chance(flip) != (stream % 2 == 1) : rng.chance(flip);
      const std::uint8_t* const in = data.image(sample);
      float* const to = out + i * data.image_size();
      const auto within = [this](int k, int n) { return reflect ? mirrored(k, n) : k; };
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) {
          const int sy = within(y + dy, h), sx = within((mirror ? w - 1 - x : x) + dx, w);
          const bool inside = sy >= 0 && sy < h && sx >= 0 && sx < w;
          for (int k = 0; k < c; ++k)
            to[(y * w + x) * c + k] =
                inside ? float(in[(sy * w + sx) * c + k]) * (1 / 255.0F) : 0.0F;
        }
    });
  }
};

/// Random resized crop, flip, colour jitter, grayscale (Chen et al. 2020,
/// arXiv:2002.05709, appendix A, without the blur, as there for CIFAR). Gray images get
/// brightness and contrast.
struct SimclrAugment {
  float min_area = 0.2F, max_ratio = 4.0F / 3;
  float flip = 0.5F, jitter = 0.8F, gray = 0.2F;
  float strength =
      0.5F;  ///< brightness, contrast, saturation +-0.8 strength, hue +-0.2 strength

  void operator()(const Dataset& data, std::span<const std::ptrdiff_t> samples,
                  std::uint64_t seed, std::uint64_t stream, float* out) const {
    hcl::parallel_for(std::ptrdiff_t(samples.size()), [&](std::ptrdiff_t i) {
      const std::ptrdiff_t sample = samples[std::size_t(i)];
      Random rng{seed, stream, std::uint64_t(sample)};
      float* const to = out + i * data.image_size();
      crop(data, data.image(sample), rng, to);
      colours(data.height * data.width, data.channels, rng, to);
    });
  }

 private:
  /// A box of random area and ratio, scaled to the full size by bilinear interpolation.
  void crop(const Dataset& d, const std::uint8_t* in, Random& rng, float* out) const {
    const int h = d.height, w = d.width, c = d.channels;
    const float area = rng.uniform(min_area, 1), log_ratio = std::log(max_ratio);
    const float ratio = std::exp(rng.uniform(-log_ratio, log_ratio));
    const float bw = std::min(1.0F, std::sqrt(area * ratio)) * float(w);
    const float bh = std::min(1.0F, std::sqrt(area / ratio)) * float(h);
    const float x0 = rng.uniform(0, float(w) - bw), y0 = rng.uniform(0, float(h) - bh);
    const bool mirror = rng.chance(flip);
    for (int y = 0; y < h; ++y) {
      const auto [ya, yb, fy] = between(y0 + (float(y) + 0.5F) * bh / float(h), h);
      for (int x = 0; x < w; ++x) {
        const int column = mirror ? w - 1 - x : x;
        const auto [xa, xb, fx] = between(x0 + (float(column) + 0.5F) * bw / float(w), w);
        const std::uint8_t *p = in + (ya * w + xa) * c, *q = in + (ya * w + xb) * c,
                           *r = in + (yb * w + xa) * c, *s = in + (yb * w + xb) * c;
        const float a = (1 - fy) * (1 - fx) / 255, b = (1 - fy) * fx / 255,
                    e = fy * (1 - fx) / 255, f = fy * fx / 255;
        float* const o = out + (y * w + x) * c;
        for (int k = 0; k < c; ++k)
          o[k] = std::min(  // the four weights may sum to 1 and a last bit
              1.0F,
              a * float(p[k]) + b * float(q[k]) + e * float(r[k]) + f * float(s[k]));
      }
    }
  }
  struct Between {
    int a, b;
    float f;
  };
  /// The pixels around a position, whose centres are at k + 0.5.
  static Between between(float at, int n) {
    at = std::clamp(at - 0.5F, 0.0F, float(n - 1));
    const int a = int(at);
    return {a, std::min(a + 1, n - 1), at - float(a)};
  }

  static float luma(const float* p) {
    return 0.299F * p[0] + 0.587F * p[1] + 0.114F * p[2];
  }

  void colours(int n, int c, Random& rng, float* x) const {
    if (rng.chance(jitter)) {
      const float s = 0.8F * strength, hue = 0.2F * strength;
      const float bright = rng.uniform(1 - s, 1 + s),
                  contrast = rng.uniform(1 - s, 1 + s);
      const float saturation = rng.uniform(1 - s, 1 + s), turn = rng.uniform(-hue, hue);
      float mean = 0;
      for (int i = 0; i < n; ++i) mean += c == 3 ? luma(x + 3 * i) : x[i];
      mean *= bright / float(n);
      // Brightness and contrast are one affine map, clamped once.
      const float a = bright * contrast, b = (1 - contrast) * mean;
      for (int i = 0; i < n * c; ++i) x[i] = std::clamp(a * x[i] + b, 0.0F, 1.0F);
      if (c == 3) turn_hue(n, saturation, turn, x);
    }
    if (c == 3 && rng.chance(gray))
      for (int i = 0; i < n; ++i) {
        const float l = luma(x + 3 * i);
        x[3 * i] = x[3 * i + 1] = x[3 * i + 2] = l;
      }
  }

  /// Saturation and hue as one linear map: in the YIQ plane a scaling and a rotation.
  static void turn_hue(int n, float saturation, float turns, float* x) {
    const float t = turns * 6.2831853F, u = saturation * std::cos(t),
                v = saturation * std::sin(t);
    const std::array<float, 9> m = {
        0.299F + 0.701F * u + 0.168F * v, 0.587F - 0.587F * u + 0.330F * v,
        0.114F - 0.114F * u - 0.497F * v, 0.299F - 0.299F * u - 0.328F * v,
        0.587F + 0.413F * u + 0.035F * v, 0.114F - 0.114F * u + 0.292F * v,
        0.299F - 0.300F * u + 1.250F * v, 0.587F - 0.588F * u - 1.050F * v,
        0.114F + 0.886F * u - 0.203F * v};
    for (int i = 0; i < n; ++i) {
      float* const p = x + 3 * i;
      const float r = p[0], g = p[1], b = p[2];
      p[0] = std::clamp(m[0] * r + m[1] * g + m[2] * b, 0.0F, 1.0F);
      p[1] = std::clamp(m[3] * r + m[4] * g + m[5] * b, 0.0F, 1.0F);
      p[2] = std::clamp(m[6] * r + m[7] * g + m[8] * b, 0.0F, 1.0F);
    }
  }
};

}  // namespace cnn
