// examples/cnn/loss_ce.hpp - softmax cross-entropy with label smoothing.
#pragma once

#include <cmath>
#include <span>

#include "tensor.hpp"

namespace cnn {

/// loss_i = -sum_k q_k log softmax(logits_i)_k with q = (1 - smoothing) onehot(label_i) +
/// smoothing / classes. Writes the n losses, and (unless null) the gradient of their mean
/// by the logits, (softmax - q) / n.
/// @returns the mean loss.
/// @throws std::invalid_argument for a label outside [0, classes), before anything is
/// written.
inline double cross_entropy(Index n, Index classes, const float* logits,
                            std::span<const int> labels, float smoothing, float* losses,
                            float* grad) {
  hcl::expect(Index(labels.size()) == n, "cross_entropy: ", labels.size(), " labels for ",
              n, " rows");
  hcl::expect(smoothing >= 0 && smoothing < 1, "cross_entropy: smoothing ", smoothing,
              " must be in [0, 1)");
  for (Index i = 0; i < n; ++i) {
    const int label = labels[std::size_t(i)];
    hcl::expect(label >= 0 && label < classes, "cross_entropy: row ", i, ": label ",
                label, " must be in [0, ", classes, ")");
  }
  double total = 0;
  for (Index i = 0; i < n; ++i) {
    const float* const z = logits + i * classes;
    const double top = *std::max_element(z, z + classes);
    double sum = 0, mean = 0;
    for (Index k = 0; k < classes; ++k) {
      sum += std::exp(double(z[k]) - top);
      mean += double(z[k]) / double(classes);
    }
    const double log_sum = top + std::log(sum);
    const Index label = labels[std::size_t(i)];
    const double loss =
        log_sum - (1 - double(smoothing)) * double(z[label]) - double(smoothing) * mean;
    losses[i] = float(loss);
    total += loss;
    if (grad != nullptr)
      for (Index k = 0; k < classes; ++k) {
        const double q = double(smoothing) / double(classes) +
                         (k == label ? 1 - double(smoothing) : 0.0);
        grad[i * classes + k] = float((std::exp(double(z[k]) - log_sum) - q) / double(n));
      }
  }
  return total / double(n);
}

}  // namespace cnn
