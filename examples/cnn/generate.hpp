// examples/cnn/generate.hpp - drawn images with a two-level class hierarchy, for machines
// without data.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>

#include "data.hpp"
#include "hcl/core/error.hpp"
#include "hcl/core/parallel.hpp"
#include "random.hpp"

namespace cnn {

/// A class is a shape (superclass) with a texture (subclass): label = shape * textures +
/// texture. Colours, position, size, turn, background, a distractor and noise tell
/// nothing about it.
struct GeneratorOptions {
  std::ptrdiff_t train = 10000, test = 2000;
  int shapes = 4;       ///< 1 .. 5: disk, square, triangle, cross, ring.
  int textures = 3;     ///< 1 .. 4: plain, stripes, checks, dots.
  float noise = 0.05f;  ///< Standard deviation of each byte, in units of 255.
  std::uint64_t seed = 1;
};

namespace detail {

using Colour = std::array<float, 3>;

/// Standard normal, by Box and Muller.
inline float normal(Random& rng) {
  const float u = 1 - rng.uniform();  // in (0, 1]
  const float turn = 2 * std::numbers::pi_v<float> * rng.uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(turn);
}

/// Signed distance to the border of a shape of radius about 1, negative inside.
inline float shape_distance(int shape, float u, float v) {
  const float a = std::abs(u), b = std::abs(v), r = std::sqrt(u * u + v * v);
  switch (shape) {
    case 0:
      return r - 0.9f;
    case 1:
      return std::max(a, b) - 0.8f;
    case 2:
      return std::max(0.8660254f * a + 0.5f * v, -v) - 0.55f;
    case 3:
      return std::max(std::min(a, b) - 0.3f, std::max(a, b) - 1.0f);
    default:
      return std::abs(r - 0.75f) - 0.25f;
  }
}

/// Share of the second colour of a texture whose period is one unit of u and v.
inline float texture_value(int texture, float u, float v) {
  constexpr float turn = 2 * std::numbers::pi_v<float>;
  const auto edge = [](float x) { return std::clamp(0.5f + 1.5f * x, 0.0f, 1.0f); };
  switch (texture) {
    case 0:
      return 0;
    case 1:
      return edge(std::sin(turn * u));
    case 2:
      return edge(std::sin(turn * u) * std::sin(turn * v) * 1.5f);
    default:
      return edge(std::cos(turn * u) + std::cos(turn * v) - 0.6f);
  }
}

/// A grey in [low, high] with some colour.
inline Colour random_colour(Random& rng, float low, float high) {
  const float grey = rng.uniform(low, high);
  Colour colour;
  for (float& c : colour) c = grey + rng.uniform(-0.2f, 0.2f);
  return colour;
}

inline void draw_image(int shape, int texture, float noise, Random rng,
                       std::uint8_t* to) {
  constexpr int side = 32;
  const auto turn = [&rng](float most) {
    const float angle = rng.uniform(-most, most);
    return std::array<float, 2>{std::cos(angle), std::sin(angle)};
  };
  const float radius = rng.uniform(8, 14);
  const float x0 = rng.uniform(radius - 2, side - radius + 2);
  const float y0 = rng.uniform(radius - 2, side - radius + 2);
  const auto tilt = turn(0.5f);  // a square must not become a diamond
  const auto grain = turn(std::numbers::pi_v<float>);
  const float period = rng.uniform(4.5f, 7.5f), phase_u = rng.uniform(),
              phase_v = rng.uniform();
  // Bright on dark or dark on bright, and a texture of two shades of the same side.
  const bool bright = rng.chance(0.5f);
  const auto front = [&] {
    return bright ? random_colour(rng, 0.75f, 0.95f) : random_colour(rng, 0.05f, 0.25f);
  };
  const auto middle = [&] { return random_colour(rng, 0.4f, 0.6f); };
  const auto back = [&] {
    return bright ? random_colour(rng, 0.05f, 0.35f) : random_colour(rng, 0.65f, 0.95f);
  };
  const Colour first = front(), second = middle(), left = back(), right = back(),
               spot = middle();
  const auto slope = turn(std::numbers::pi_v<float>);
  const float spot_x = rng.uniform(0, side), spot_y = rng.uniform(0, side);
  const float spot_radius = rng.uniform(2, 5);

  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x, to += 3) {
      const float dx = static_cast<float>(x) + 0.5f - x0,
                  dy = static_cast<float>(y) + 0.5f - y0;
      const float u = (tilt[0] * dx + tilt[1] * dy) / radius;
      const float v = (tilt[0] * dy - tilt[1] * dx) / radius;
      const float inside =
          std::clamp(0.5f - shape_distance(shape, u, v) * radius, 0.0f, 1.0f);
      const float share =
          texture_value(texture, (grain[0] * dx + grain[1] * dy) / period + phase_u,
                        (grain[0] * dy - grain[1] * dx) / period + phase_v);
      const float across =
          std::clamp(0.5f + (slope[0] * dx + slope[1] * dy) / side, 0.0f, 1.0f);
      const float sx = static_cast<float>(x) + 0.5f - spot_x;
      const float sy = static_cast<float>(y) + 0.5f - spot_y;
      const float in_spot =
          std::clamp(spot_radius - std::sqrt(sx * sx + sy * sy), 0.0f, 1.0f);
      for (std::size_t c = 0; c < 3; ++c) {
        float ground = left[c] + across * (right[c] - left[c]);
        ground += in_spot * (spot[c] - ground);  // behind the shape
        const float figure = first[c] + share * (second[c] - first[c]);
        const float value = ground + inside * (figure - ground) + noise * normal(rng);
        to[c] =
            static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
      }
    }
  }
}

}  // namespace detail

/// n images of 32 x 32 x 3; image i is of class i mod classes, so that every prefix is
/// balanced, and depends on (seed, stream, i) only.
inline Dataset generate_images(const GeneratorOptions& options, std::uint64_t stream,
                               std::ptrdiff_t n) {
  hcl::expect(n >= 1, "generate: images = ", n);
  hcl::expect(options.shapes >= 1 && options.shapes <= 5,
              "generate: shapes = ", options.shapes, " is not in [1, 5]");
  hcl::expect(options.textures >= 1 && options.textures <= 4,
              "generate: textures = ", options.textures, " is not in [1, 4]");
  hcl::expect(options.noise >= 0 && options.noise <= 1,
              "generate: noise = ", options.noise, " is not in [0, 1]");
  const int classes = options.shapes * options.textures;
  Dataset data;
  data.classes = classes;
  data.pixels.resize(static_cast<std::size_t>(n * data.image_size()));
  for (std::ptrdiff_t i = 0; i < n; ++i)
    data.labels.push_back(static_cast<std::int32_t>(i % classes));
  hcl::parallel_for(n, [&](std::ptrdiff_t i) {
    const int label = data.labels[static_cast<std::size_t>(i)];
    detail::draw_image(label / options.textures, label % options.textures, options.noise,
                       Random(options.seed, stream, static_cast<std::uint64_t>(i)),
                       data.pixels.data() + i * data.image_size());
  });
  return data;
}

/// Training and test images, drawn from different streams.
inline Split generate(const GeneratorOptions& options = {}) {
  Split split;
  split.name = "generated";
  split.train = generate_images(options, 0, options.train);
  split.test = generate_images(options, 1, options.test);
  constexpr const char* shapes[] = {"disk", "square", "triangle", "cross", "ring"};
  constexpr const char* textures[] = {"plain", "stripes", "checks", "dots"};
  for (int s = 0; s < options.shapes; ++s)
    for (int t = 0; t < options.textures; ++t)
      split.class_names.push_back(std::string(shapes[s]) + " " + textures[t]);
  return split;
}

}  // namespace cnn
