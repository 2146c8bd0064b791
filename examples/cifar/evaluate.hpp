// examples/cifar/evaluate.hpp - what a trained encoder knows: accuracy, linear probe,
// kNN.
#pragma once

#include <Eigen/Core>
#include <numeric>
#include <span>
#include <vector>

#include "cnn/augment.hpp"
#include "cnn/data.hpp"
#include "cnn/loss_ce.hpp"
#include "cnn/optim.hpp"
#include "model.hpp"
#include "objective.hpp"

namespace cifar {

inline constexpr Index eval_batch = 250;

/// f(first, count, pixels in [0, 1]) for the images of a set, batch by batch.
template <class F>
void each_batch(const cnn::Dataset& data, const F& f) {
  const Index image = Index(data.channels) * data.height * data.width;
  cnn::Buffer<float> x(eval_batch * image);
  for (Index first = 0; first < data.size(); first += eval_batch) {
    const Index n = std::min(eval_batch, data.size() - first);
    hcl::parallel_for(n, [&](Index i) {
      const std::uint8_t* const p = data.image(first + i);
      for (Index k = 0; k < image; ++k) x[i * image + k] = float(p[k]) / 255.0F;
    });
    f(first, n, x.data());
  }
}

/// Encoder features of a whole set, one row an image; or the outputs of the head.
inline Matrix encode_all(Model& model, const cnn::Dataset& data, bool head) {
  const Index d = head ? model.outputs() : model.features();
  Matrix out(data.size(), d);
  each_batch(data, [&](Index first, Index n, const float* x) {
    const float* const y =
        head ? model.forward(x, n, cnn::Mode::eval) : model.encode(x, n, cnn::Mode::eval);
    std::copy_n(y, n * d, out.data() + first * d);
  });
  return out;
}

/// Outputs of the head for the images, averaged over views: as they are and mirrored,
/// half of the weight; the same moved by a pixel down right and up left (edges mirrored),
/// the other half.
inline Matrix encode_views(Model& model, const cnn::Dataset& data) {
  const int h = data.height, w = data.width, c = data.channels;
  const Index image = Index(c) * h * w, d = model.outputs();
  Matrix out = Matrix::Zero(data.size(), d);
  cnn::Buffer<float> view(eval_batch * image);
  each_batch(data, [&](Index first, Index n, const float* x) {
    for (const int move : {0, -1, 1})
      for (const bool mirror : {false, true}) {
        hcl::parallel_for(n, [&](Index i) {
          for (int y = 0; y < h; ++y)
            for (int k = 0; k < w; ++k) {
              const int from = cnn::mirrored((mirror ? w - 1 - k : k) + move, w);
              std::copy_n(x + i * image + (cnn::mirrored(y + move, h) * w + from) * c, c,
                          view.data() + i * image + (y * w + k) * c);
            }
        });
        const float* const logits = model.forward(view.data(), n, cnn::Mode::eval);
        const float weight = move == 0 ? 0.25F : 0.125F;
        for (Index k = 0; k < n * d; ++k) out.data()[first * d + k] += weight * logits[k];
      }
  });
  return out;
}

inline int largest(const float* x, Index n) {
  return int(std::max_element(x, x + n) - x);
}

/// Share of rows whose largest logit is the label's.
inline double accuracy(const Matrix& logits, const std::vector<std::int32_t>& labels) {
  Index right = 0;
  for (Index i = 0; i < logits.rows(); ++i)
    right += largest(logits.data() + i * logits.cols(), logits.cols()) ==
             labels[std::size_t(i)];
  return double(right) / double(logits.rows());
}

/// A linear classifier on features: logits = W f + b.
struct Probe {
  Matrix weight;  ///< classes x features
  Eigen::RowVectorXf bias;
  [[nodiscard]] Matrix logits(const Matrix& features) const {
    return (features * weight.transpose()).rowwise() + bias;
  }
};

/// Softmax regression on standardised features by AdamW, the standardisation folded into
/// the weights afterwards.
inline Probe train_probe(Matrix f, const std::vector<std::int32_t>& labels, Index classes,
                         Index epochs, std::uint64_t seed) {
  const Index n = f.rows(), d = f.cols(), batch = std::min<Index>(256, n);
  const Eigen::RowVectorXf mean = f.colwise().mean();
  f.rowwise() -= mean;
  const Eigen::RowVectorXf scale =
      (f.array().square().colwise().mean().sqrt() + 1e-6F).inverse().matrix();
  f.array().rowwise() *= scale.array();

  cnn::Param w{"weight", classes * d, 0, 0, true}, b{"bias", classes, 0, 0, false};
  cnn::AdamW optimizer{{&w, &b}, {.weight_decay = 1e-4F}};
  const cnn::CosineSchedule rate{.peak = 3e-3F, .total = epochs * (n / batch)};
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::mt19937_64 rng{seed};
  Matrix x(batch, d), logits(batch, classes), g(batch, classes);
  std::vector<int> y(static_cast<std::size_t>(batch));
  std::vector<float> losses(static_cast<std::size_t>(batch));
  const Eigen::Map<Matrix> wm(w.value.data(), classes, d);
  Eigen::Map<Matrix> gw(w.grad.data(), classes, d);
  const Eigen::Map<Eigen::RowVectorXf> bm(b.value.data(), classes);
  Eigen::Map<Eigen::RowVectorXf> gb(b.grad.data(), classes);
  Index step = 0;
  for (Index e = 0; e < epochs; ++e) {
    for (Index i = n - 1; i > 0; --i)
      std::swap(order[std::size_t(i)], order[rng() % std::uint64_t(i + 1)]);
    for (Index first = 0; first + batch <= n; first += batch, ++step) {
      for (Index i = 0; i < batch; ++i) {
        const Index at = order[std::size_t(first + i)];
        x.row(i) = f.row(at);
        y[std::size_t(i)] = labels[std::size_t(at)];
      }
      logits.noalias() = x * wm.transpose();
      logits.rowwise() += bm;
      cnn::cross_entropy(batch, classes, logits.data(), y, 0, losses.data(), g.data());
      gw.noalias() = g.transpose() * x;
      gb = g.colwise().sum();
      optimizer.step(rate(step));
    }
  }
  Probe p{wm, bm};
  p.weight.array().rowwise() *= scale.array();
  p.bias -= mean * p.weight.transpose();
  return p;
}

/// Majority vote of the k nearest training points under the objective's own similarity.
inline double knn_accuracy(const Objective& objective, const Matrix& train,
                           const std::vector<std::int32_t>& train_labels,
                           const Matrix& test,
                           const std::vector<std::int32_t>& test_labels, Index classes,
                           Index k) {
  Matrix zx(train.rows(), train.cols()), zq(test.rows(), test.cols());
  objective.points(train, zx);
  objective.points(test, zq);
  const auto best = objective.nearest(zq, zx, k);
  Index right = 0;
  std::vector<int> votes(static_cast<std::size_t>(classes));
  for (Index i = 0; i < zq.rows(); ++i) {
    std::ranges::fill(votes, 0);
    for (Index n = 0; n < k; ++n)
      ++votes[std::size_t(train_labels[std::size_t(best[std::size_t(i * k + n)])])];
    right += std::max_element(votes.begin(), votes.end()) - votes.begin() ==
             test_labels[std::size_t(i)];
  }
  return double(right) / double(zq.rows());
}

}  // namespace cifar
