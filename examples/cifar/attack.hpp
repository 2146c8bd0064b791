// examples/cifar/attack.hpp - hcl's PGD on a network: a classifier's loss, or any loss of
// a view.
#pragma once

#include <Eigen/Core>
#include <optional>

#include "evaluate.hpp"

namespace cifar {

struct Attack {
  float epsilon = 8.0F / 255;
  Index steps = 20;
  std::optional<float> step_size{};  ///< 2.5 epsilon/steps where not given
  bool fgsm = false;                 ///< one step of length epsilon in place of PGD
};

struct AttackCounts {
  long zero = 0, nonfinite = 0;
  double step_size = 0;  ///< of the last attack
  bool crosses = true;   ///< the steps of each cross its ball
  AttackCounts& operator+=(const AttackCounts& o) {
    zero += o.zero, nonfinite += o.nonfinite;
    step_size = o.step_size, crosses = crosses && o.crosses;
    return *this;
  }
};

/// A model as a classifier of pixels: its own head, or a probe on its features.
/// Statistics of batch norms are frozen, and normalisation is inside, so epsilon is in
/// pixels.
struct Classifier {
  Model& model;
  const Probe* probe = nullptr;

  /// Attacks n images in place; broken says which are misclassified by some iterate, or
  /// were before.
  AttackCounts attack(const Attack& a, float* x, Index n,
                      std::span<const std::int32_t> labels, std::uint64_t seed,
                      std::span<std::uint8_t> broken) const {
    const Index classes = probe != nullptr ? probe->weight.rows() : model.outputs();
    const Index d = model.features();
    Matrix logits, g, gf;
    const auto objective = [&](hcl::BatchIn<float> in, hcl::BatchOut<float> gx,
                               std::span<float> loss, std::span<std::uint8_t> hit,
                               std::span<const Index> rows) {
      const Index m = in.rows();  // images that are still right
      g.resize(m, classes);
      if (probe != nullptr) {
        const float* const f = model.encode(in.data(), m, cnn::Mode::frozen);
        logits = probe->logits(Eigen::Map<const Matrix>(f, m, d));
      } else {
        const float* const y = model.forward(in.data(), m, cnn::Mode::frozen);
        logits = Eigen::Map<const Matrix>(y, m, classes);
      }
      for (Index i = 0; i < m; ++i) {  // each row's own loss, whatever the others
        const auto k = std::size_t(i), at = std::size_t(rows[k]);
        cnn::cross_entropy(1, classes, logits.row(i).data(), labels.subspan(at, 1), 0,
                           &loss[k], g.row(i).data());
        hit[k] = largest(logits.row(i).data(), classes) != labels[at];
      }
      if (probe != nullptr) {
        gf.noalias() = g * probe->weight;
        model.backward_features(gf.data(), gx.data(), m, false);
      } else {
        model.backward(g.data(), gx.data(), m, false);
      }
    };
    std::vector<std::uint8_t> now(std::size_t(n), 0);
    const hcl::Threat<float> threat{.epsilon = a.epsilon};
    const hcl::PgdOptions<float> options{
        .steps = a.steps, .step_size = a.step_size, .seed = seed};
    const hcl::BatchOut<float> images(x, n, model.pixels());
    const auto report = a.fgsm ? hcl::fgsm(objective, threat, images, now)
                               : hcl::pgd(objective, threat, options, images, now);
    for (std::size_t i = 0; i < broken.size(); ++i)
      broken[i] = broken[i] != 0 || now[i] != 0;
    return {long(report.zero_gradients), long(report.nonfinite_gradients),
            report.step_size, report.crosses};
  }
};

/// Attacks n images in place where loss(x, gx) gives one value for all of them.
template <class Loss>
void attack_batch(const Attack& a, float* x, Index n, Index image, std::uint64_t seed,
                  hcl::AttackWorkspace<float>& ws, const Loss& loss) {
  const auto objective = [&](hcl::BatchIn<float> in, hcl::BatchOut<float> gx,
                             std::span<float> values) {
    std::ranges::fill(values, loss(in.data(), gx.data()));
  };
  hcl::pgd(objective, hcl::Threat<float>{.epsilon = a.epsilon},
           hcl::PgdOptions<float>{.steps = a.steps,
                                  .step_size = a.step_size,
                                  .seed = seed,
                                  .keep = hcl::Keep::batch},
           hcl::BatchOut<float>(x, n, image), {}, ws);
}

/// Training-time attack on a classifier by the cross-entropy alone: every row keeps its
/// worst. g is scratch, n x classes.
inline void attack_classifier(Model& model, const Attack& a, float* x, Index n,
                              std::span<const std::int32_t> labels, std::uint64_t seed,
                              Matrix& g, hcl::AttackWorkspace<float>& ws) {
  const Index classes = model.outputs();
  const auto objective = [&](hcl::BatchIn<float> in, hcl::BatchOut<float> gx,
                             std::span<float> loss) {
    const float* const y = model.forward(in.data(), n, cnn::Mode::frozen);
    cnn::cross_entropy(n, classes, y, labels, 0, loss.data(), g.data());
    g *= float(n);
    model.backward(g.data(), gx.data(), n, false);
  };
  hcl::pgd(
      objective, hcl::Threat<float>{.epsilon = a.epsilon},
      hcl::PgdOptions<float>{.steps = a.steps, .step_size = a.step_size, .seed = seed},
      hcl::BatchOut<float>(x, n, model.pixels()), {}, ws);
}

}  // namespace cifar
