// examples/cifar/model.hpp - pixels in [0, 1] to features to outputs, and back to the
// pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cnn/models.hpp"
#include "cnn/whiten.hpp"

namespace cifar {

using Index = std::ptrdiff_t;

struct Architecture {
  std::string net = "small";
  Index width = 0;  ///< 0: the network's own
  Index channels = 3, side = 32;
  Index outputs = 128;     ///< embedding dimension, or classes
  bool projection = true;  ///< projection head; else one linear layer
  bool logit_bias = true;  ///< of the linear layer
  float logit_scale = 1;   ///< of its outputs
};

/// Normalisation, encoder and head. Normalisation is inside, so attacks act on pixels.
class Model {
 public:
  Model(const Architecture& a, std::uint64_t seed)
      : arch_{a},
        encoder_{cnn::make_net(a.net, a.channels, a.width)},
        features_{encoder_.plan({1, a.side, a.side, a.channels}).image()},
        head_{a.projection
                  ? cnn::projection_head(features_, features_, a.outputs)
                  : cnn::linear_head(features_, a.outputs, a.logit_bias, a.logit_scale)} {
    encoder_.init(seed);
    head_.init(seed + 1);
  }

  /// Sets the convolution that is not trained, if there is one, from the first training
  /// images: it is the first, 3 x 3.
  void whiten(const cnn::Dataset& train) {
    for (cnn::Param* p : encoder_.all_params())
      if (!p->trained)
        cnn::whiten(train, 5000, mean, deviation, 3,
                    p->value.size() / (9 * arch_.channels),
                    {p->value.data(), std::size_t(p->value.size())});
  }

  [[nodiscard]] const Architecture& architecture() const { return arch_; }
  [[nodiscard]] Index features() const { return features_; }
  [[nodiscard]] Index outputs() const { return arch_.outputs; }
  [[nodiscard]] Index pixels() const { return arch_.side * arch_.side * arch_.channels; }
  [[nodiscard]] Index size() const { return encoder_.size() + head_.size(); }

  /// Allocates for batches of up to n images.
  void plan(Index n) {
    if (n <= planned_) return;
    planned_ = n;
    encoder_.plan({n, arch_.side, arch_.side, arch_.channels});
    head_.plan({n, 1, 1, features_});
    input_.ensure(n * pixels());
    grad_features_.ensure(n * features_);
  }

  /// Features of n images, n x features().
  const float* encode(const float* x, Index n, cnn::Mode mode) {
    plan(n);
    const Index image = pixels();
    hcl::parallel_for(n, [&](Index i) {
      for (Index k = i * image; k < (i + 1) * image; ++k)
        input_[k] = (x[k] - mean) / deviation;
    });
    return encoder_.forward(input_.data(), mode, n);
  }
  /// Outputs of n images, n x outputs().
  const float* forward(const float* x, Index n, cnn::Mode mode) {
    return head_.forward(encode(x, n, mode), mode, n);
  }
  /// From the gradient of the outputs, or of the features, of the last n images.
  void backward(const float* g, float* gx, Index n, bool weights) {
    head_.backward(g, grad_features_.data(), weights);
    backward_features(grad_features_.data(), gx, n, weights);
  }
  void backward_features(const float* g, float* gx, Index n, bool weights) {
    encoder_.backward(g, gx, weights);
    if (gx == nullptr) return;
    hcl::parallel_for(n, [&](Index i) {
      for (Index k = i * pixels(); k < (i + 1) * pixels(); ++k) gx[k] /= deviation;
    });
  }
  void zero_grad() { encoder_.zero_grad(), head_.zero_grad(); }

  [[nodiscard]] std::vector<cnn::Param*> params() const {
    auto all = encoder_.params();
    all.insert(all.end(), head_.params().begin(), head_.params().end());
    return all;
  }
  /// Everything a checkpoint keeps, by name.
  [[nodiscard]] std::vector<cnn::NamedBuffer> state() const {
    std::vector<cnn::NamedBuffer> all;
    const auto add = [&](const std::string& part, const cnn::Net& net) {
      for (cnn::Param* p : net.params())
        all.push_back({part + p->name, {p->value.data(), std::size_t(p->value.size())}});
      for (const auto& b : net.buffers()) all.push_back({part + b.name, b.value});
    };
    add("encoder.", encoder_);
    add("head.", head_);
    return all;
  }

 private:
  static constexpr float mean = 0.47F, deviation = 0.25F;
  Architecture arch_;
  cnn::Net encoder_;
  Index features_;
  cnn::Net head_;
  Index planned_ = 0;
  cnn::Buffer<float> input_, grad_features_;
};

}  // namespace cifar
