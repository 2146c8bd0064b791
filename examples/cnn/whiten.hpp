// examples/cnn/whiten.hpp - a first convolution whose outputs are uncorrelated, from the
// images themselves (D. Page 2019; K. Jordan 2024, arXiv:2404.00498, section 3.2).
#pragma once

#include <Eigen/Eigenvalues>
#include <span>

#include "data.hpp"
#include "tensor.hpp"

namespace cnn {

/// Weights k x k x c x co: the eigenvectors e of the k x k patches' second moments, of
/// the largest eigenvalues l first, as e / sqrt(l + eps), and then all of them negated.
/// Patches inside the first `images` images, pixels as (x / 255 - mean) / deviation.
/// @throws std::invalid_argument unless co is even and at most 2 k k c, there are as many
/// weights, and an image that holds a patch.
inline void whiten(const Dataset& data, Index images, float mean, float deviation,
                   Index k, Index co, std::span<float> weights, double eps = 5e-4) {
  const Index c = data.channels, n = k * k * c, h = data.height, w = data.width;
  hcl::expect(co % 2 == 0 && co <= 2 * n, "whiten: ", co,
              " channels, must be even and <= ", 2 * n);
  hcl::expect(Index(weights.size()) == n * co, "whiten: ", weights.size(),
              " weights, must be ", n * co);
  images = std::min(images, data.size());
  hcl::expect(images > 0 && h >= k && w >= k, "whiten: ", images, " images of ", h, " x ",
              w);
  Eigen::MatrixXd moments = Eigen::MatrixXd::Zero(n, n);
  Eigen::MatrixXd patches(n, (h - k + 1) * (w - k + 1));
  for (Index i = 0; i < images; ++i) {
    const std::uint8_t* const image = data.image(i);
    Index column = 0;
    for (Index y = 0; y + k <= h; ++y)
      for (Index x = 0; x + k <= w; ++x, ++column)
        for (Index a = 0; a < k; ++a)
          for (Index b = 0; b < k * c; ++b)
            patches(a * k * c + b, column) =
                (double(image[((y + a) * w + x) * c + b]) / 255 - double(mean)) /
                double(deviation);
    moments.selfadjointView<Eigen::Lower>().rankUpdate(patches);
  }
  moments /= double(images) * double(patches.cols());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(moments);
  for (Index o = 0; o < co / 2; ++o) {
    const Index at = n - 1 - o;  // eigenvalues ascend
    const double scale = 1 / std::sqrt(solved.eigenvalues()(at) + eps);
    for (Index i = 0; i < n; ++i) {
      const auto v = float(scale * solved.eigenvectors()(i, at));
      weights[std::size_t(i * co + o)] = v;
      weights[std::size_t(i * co + co / 2 + o)] = -v;
    }
  }
}

}  // namespace cnn
