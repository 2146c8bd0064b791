// examples/tests/test_verdict.cpp - an image's verdict under attack is its own: the same
// in any batch and at any place.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "cifar/attack.hpp"
#include "cnn/generate.hpp"

TEST_CASE("an image's verdict is the same in any batch and at any place") {
  const auto images = cnn::generate_images({.seed = 3}, 0, 48);
  const cifar::Index n = images.size();
  cifar::Model model({.net = "tiny", .outputs = 5, .projection = false}, 2);
  const cifar::Index pixels = model.pixels();
  std::vector<float> x(std::size_t(n * pixels));
  cifar::each_batch(images, [&](cifar::Index first, cifar::Index m, const float* from) {
    std::copy_n(from, m * pixels, x.data() + first * pixels);
  });
  // Labels that the network gives, but for a few: some are broken from the start.
  std::vector<std::int32_t> labels;
  const auto logits = cifar::encode_all(model, images, true);
  for (cifar::Index i = 0; i < n; ++i)
    labels.push_back(
        std::int32_t((cifar::largest(logits.row(i).data(), 5) + (i % 9 == 0)) % 5));

  std::vector<std::size_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto verdicts = [&](const cifar::Attack& a, std::size_t batch) {
    std::vector<std::uint8_t> all(order.size());
    for (std::size_t first = 0; first < order.size(); first += batch) {
      const std::size_t m = std::min(batch, order.size() - first);
      std::vector<float> y;
      std::vector<std::int32_t> of;
      for (std::size_t k = first; k < first + m; ++k) {
        const auto at = x.begin() + std::ptrdiff_t(order[k]) * pixels;
        y.insert(y.end(), at, at + pixels), of.push_back(labels[order[k]]);
      }
      std::vector<std::uint8_t> broken(m, 0);
      cifar::Classifier{model}.attack(a, y.data(), cifar::Index(m), of, 1, broken);
      for (std::size_t k = 0; k < m; ++k) all[order[first + k]] = broken[k];
    }
    return all;
  };
  std::vector<std::ptrdiff_t> counts;
  for (const float epsilon : {0.0F, 16.0F, 32.0F}) {
    const cifar::Attack a{.epsilon = epsilon / 255, .steps = 4};
    const auto whole = verdicts(a, order.size());
    counts.push_back(std::ranges::count(whole, std::uint8_t{1}));
    std::shuffle(order.begin(), order.end(), std::mt19937{5});
    for (const std::size_t batch : {1UL, 7UL, 48UL}) CHECK(verdicts(a, batch) == whole);
    std::ranges::sort(order);
  }
  CHECK(counts.front() == 6);
  CHECK(counts.back() > counts.front());
}
