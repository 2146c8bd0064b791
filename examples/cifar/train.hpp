// examples/cifar/train.hpp - the training loop: augment, attack, forward, loss, backward,
// step.
#pragma once

#include <cmath>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

#include "attack.hpp"
#include "evaluate.hpp"

namespace cifar {

enum class Task { self_supervised, supervised, cross_entropy };

struct TrainOptions {
  Task task = Task::self_supervised;
  Geometry geometry;
  bool learn_c = false;
  Index epochs = 10,
        batch = 256;  ///< samples a step; the contrastive tasks see two views of each
  std::string optimizer = "sgd";  ///< sgd, adamw, lars
  float lr = 0.2F, momentum = 0.9F, weight_decay = 5e-4F, smoothing = 0.1F;
  std::string schedule = "cosine";  ///< cosine; triangle from 0.2 lr by lr to 0.07 lr
  double warm_up = 1;               ///< epochs
  bool lookahead = false;
  /// simclr; crop: up to 4 pixels, flips; translate: up to 2, flips alternate; auto is
  /// crop for cross-entropy, else simclr.
  std::string augment = "auto";
  bool robust = false;
  Attack attack{.steps = 3};
  std::uint64_t seed = 1;
};

inline volatile std::sig_atomic_t interrupted = 0;

/// Everything that a step changes, under one roof: the network, the optimiser, c, the
/// place.
class Trainer {
 public:
  Trainer(Model& model, const cnn::Dataset& data, const TrainOptions& o)
      : model_{model},
        data_{data},
        o_{o},
        steps_an_epoch_{data.size() / o.batch},
        optimizer_{make_optimizer()} {
    hcl::expect(o.augment == "auto" || o.augment == "simclr" || o.augment == "crop" ||
                    o.augment == "translate",
                "augment '", o.augment, "': known are auto, simclr, crop, translate");
    hcl::expect(o.schedule == "cosine" || o.schedule == "triangle", "schedule '",
                o.schedule, "': known are cosine, triangle");
    hcl::expect(steps_an_epoch_ > 0, "train: batch ", o.batch, " is larger than the ",
                data.size(), " training images");
    const Index most = rows();
    model_.plan(most);
    x_.ensure(most * model_.pixels());
    grad_.resize(most, model_.outputs());
    if (contrastive() && o.robust)
      for (Matrix* m : {&other_grad_, &attack_outputs_})
        m->resize(2 * o.batch, model_.outputs());
    losses_.resize(std::size_t(most));
    if (contrastive()) objective_ = make_objective(o_.geometry);
    if (o.lookahead) lookahead_ = std::make_unique<cnn::Lookahead>(model_.state());
    if (o.augment == "translate")
      supervised_ = {.pad = 2, .reflect = true, .alternate = !contrastive()};
  }

  [[nodiscard]] Index step() const { return step_; }
  [[nodiscard]] Index steps() const { return o_.epochs * steps_an_epoch_; }
  [[nodiscard]] Index steps_an_epoch() const { return steps_an_epoch_; }
  [[nodiscard]] const Geometry& geometry() const { return o_.geometry; }
  [[nodiscard]] const Objective* objective() const { return objective_.get(); }
  [[nodiscard]] double mean_loss() const { return loss_sum_ / double(loss_count_); }
  void start_epoch() { loss_sum_ = 0, loss_count_ = 0; }

  /// One step. @throws std::runtime_error naming the step if the loss is not finite;
  /// parameters are those of the step before then.
  void run_step() {
    const Index epoch = step_ / steps_an_epoch_, at = step_ % steps_an_epoch_;
    if (at == 0 || order_.empty()) shuffle(epoch);
    const std::span<const Index> samples(order_.data() + at * o_.batch,
                                         std::size_t(o_.batch));
    draw_views(samples, epoch);
    const double loss = contrastive() ? contrastive_step() : cross_entropy_step();
    if (!std::isfinite(loss))
      throw std::runtime_error("train: step " + std::to_string(step_) + ": the loss is " +
                               std::to_string(loss));
    optimizer_->step(rate());
    loss_sum_ += loss, ++loss_count_, ++step_;
    if (lookahead_ && step_ % 5 == 0)  // as K. Jordan 2024, arXiv:2404.00498
      lookahead_->update(
          float(std::pow(0.95, 5) * std::pow(double(step_) / double(steps()), 3)));
    if (lookahead_ && step_ == steps()) lookahead_->update(1);
  }

  /// Parameters, statistics and optimiser state, by name.
  std::vector<cnn::NamedBuffer> state() {
    auto all = model_.state();
    std::size_t i = 0;
    for (const auto& b : optimizer_->state())
      all.push_back({"optimizer." + std::to_string(i++) + "." + b.name, b.value});
    if (lookahead_)
      all.insert(all.end(), lookahead_->state().begin(), lookahead_->state().end());
    all.push_back({"objective.c", {&o_.geometry.c, 1}});
    return all;
  }
  nlohmann::json place() const {
    return {{"step", step_}, {"loss_sum", loss_sum_}, {"loss_count", loss_count_}};
  }
  void restore(const nlohmann::json& place) {
    step_ = place.at("step"), loss_sum_ = place.at("loss_sum");
    loss_count_ = place.at("loss_count");
    if (step_ % steps_an_epoch_ != 0) shuffle(step_ / steps_an_epoch_);
    if (contrastive()) objective_ = make_objective(o_.geometry);
  }

 private:
  [[nodiscard]] bool contrastive() const { return o_.task != Task::cross_entropy; }
  [[nodiscard]] float rate() const {
    const auto warm_up = Index(o_.warm_up * double(steps_an_epoch_));
    if (o_.schedule == "triangle")
      return cnn::TriangleSchedule{o_.lr, 0.2F * o_.lr, 0.07F * o_.lr, warm_up,
                                   steps()}(step_);
    return cnn::CosineSchedule{
        .peak = o_.lr, .warm_up = warm_up, .total = steps()}(step_);
  }
  [[nodiscard]] Index rows() const {
    return contrastive() ? o_.batch * (o_.robust ? 3 : 2) : o_.batch;
  }
  std::unique_ptr<cnn::Optimizer> make_optimizer() const {
    if (o_.optimizer == "sgd")
      return std::make_unique<cnn::Sgd>(
          model_.params(),
          cnn::SgdOptions{.momentum = o_.momentum, .weight_decay = o_.weight_decay});
    if (o_.optimizer == "adamw")
      return std::make_unique<cnn::AdamW>(
          model_.params(), cnn::AdamWOptions{.weight_decay = o_.weight_decay});
    if (o_.optimizer == "lars")
      return std::make_unique<cnn::Lars>(
          model_.params(), cnn::LarsOptions{.weight_decay = o_.weight_decay});
    hcl::fail("optimizer '", o_.optimizer, "': known are sgd, adamw, lars");
  }

  /// The order of an epoch depends on (seed, epoch) alone, so a resumed run has it again.
  void shuffle(Index epoch) {
    order_.resize(std::size_t(data_.size()));
    std::iota(order_.begin(), order_.end(), Index{0});
    std::mt19937_64 rng{o_.seed * 1000003 + std::uint64_t(epoch)};
    for (Index i = data_.size() - 1; i > 0; --i)
      std::swap(order_[std::size_t(i)], order_[rng() % std::uint64_t(i + 1)]);
  }

  void draw_views(std::span<const Index> samples, Index epoch) {
    labels_.clear();
    for (const Index i : samples) labels_.push_back(data_.labels[std::size_t(i)]);
    const auto e = std::uint64_t(epoch);
    const auto draw = [&](std::uint64_t stream, float* x) {
      if (strong_)
        simclr_(data_, samples, o_.seed, stream, x);
      else
        supervised_(data_, samples, o_.seed, stream, x);
    };
    if (!contrastive()) {
      draw(e, x_.data());
      return;
    }
    draw(2 * e, x_.data());
    draw(2 * e + 1, x_.data() + o_.batch * model_.pixels());
    for (Index copies = 1; copies * o_.batch < rows(); ++copies)
      for (Index i = 0; i < o_.batch; ++i) labels_.push_back(labels_[std::size_t(i)]);
  }

  double cross_entropy_step() {
    const Index n = o_.batch;
    if (o_.robust)
      attack_classifier(model_, o_.attack, x_.data(), n, labels_,
                        o_.seed + std::uint64_t(step_), grad_, attack_ws_);
    const float* const y = model_.forward(x_.data(), n, cnn::Mode::train);
    const double loss = cnn::cross_entropy(n, model_.outputs(), y, labels_, o_.smoothing,
                                           losses_.data(), grad_.data());
    model_.zero_grad();
    model_.backward(grad_.data(), nullptr, n, true);
    return loss;
  }

  /// Rows are [view 1, view 2] or, robust, [view 1, view 2, attacked view 1]: the attack
  /// drives view 1 away from view 2, and the loss pulls (1, 2) and (2, attacked)
  /// together.
  double contrastive_step() {
    const Index n = rows(), b = o_.batch, d = model_.outputs();
    if (o_.robust) attack_view();
    const float* const y = model_.forward(x_.data(), n, cnn::Mode::train);
    const auto out = loss_and_grad({y, n, d}, {grad_.data(), n, d}, b);
    model_.zero_grad();
    model_.backward(grad_.data(), nullptr, n, true);
    if (o_.learn_c) {  // a step in log c, kept within a factor of ten of its start
      float& c = o_.geometry.c;
      c *= std::exp(-0.1F * rate() * std::clamp(c * out.grad_c, -1.0F, 1.0F));
      c = std::clamp(c, first_c_ / 10, first_c_ * 10);
      objective_ = make_objective(o_.geometry);
    }
    return double(out.value);
  }

  Objective::Result loss_and_grad(hcl::BatchIn<float> v, hcl::BatchOut<float> g,
                                  Index b) {
    if (o_.task == Task::supervised) return objective_->value_and_grad(v, labels_, g);
    const Index d = v.cols();
    const auto part = [d](auto view, Index first, Index n) {
      return decltype(view)(view.data() + first * view.stride(), n, d);
    };
    auto out = objective_->value_and_grad(part(v, 0, 2 * b), {}, part(g, 0, 2 * b));
    if (!o_.robust) return out;
    // Half of each pair's loss; rows b .. 2b take part in both.
    hcl::BatchOut<float> other(other_grad_.data(), 2 * b, d);
    const auto second = objective_->value_and_grad(part(v, b, 2 * b), {}, other);
    std::fill_n(g.data() + 2 * b * d, b * d, 0.0F);
    for (Index k = 0; k < 2 * b * d; ++k) g.data()[k] *= 0.5F;
    for (Index k = 0; k < 2 * b * d; ++k) g.data()[b * d + k] += 0.5F * other.data()[k];
    return {(out.value + second.value) / 2,
            (out.grad_temperature + second.grad_temperature) / 2,
            (out.grad_c + second.grad_c) / 2};
  }

  /// Third view: view 1 moved to where this same loss, against a fixed view 2, is
  /// largest.
  void attack_view() {
    const Index b = o_.batch, d = model_.outputs(), view = b * model_.pixels();
    float* const attacked = x_.data() + 2 * view;
    std::copy_n(x_.data(), view, attacked);
    Matrix &z = attack_outputs_, &g = other_grad_;
    const float* const other = model_.forward(x_.data() + view, b, cnn::Mode::frozen);
    std::copy_n(other, b * d, z.data() + b * d);
    const std::span<const int> labels(labels_.data(), std::size_t(2 * b));
    attack_batch(o_.attack, attacked, b, model_.pixels(), o_.seed + std::uint64_t(step_),
                 attack_ws_, [&](const float* x, float* gx) {
                   const float* const y = model_.forward(x, b, cnn::Mode::frozen);
                   std::copy_n(y, b * d, z.data());
                   const auto out = objective_->value_and_grad(
                       z, o_.task == Task::supervised ? labels : std::span<const int>{},
                       g);
                   model_.backward(g.data(), gx, b, false);
                   return out.value;
                 });
  }

  Model& model_;
  const cnn::Dataset& data_;
  TrainOptions o_;
  Index steps_an_epoch_;
  std::unique_ptr<cnn::Optimizer> optimizer_;
  cnn::SimclrAugment simclr_;
  cnn::SupervisedAugment supervised_;
  bool strong_ = o_.augment == "simclr" || (o_.augment == "auto" && contrastive());
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<cnn::Lookahead> lookahead_;
  cnn::Buffer<float> x_;
  Matrix grad_, other_grad_, attack_outputs_;
  hcl::AttackWorkspace<float> attack_ws_;
  std::vector<float> losses_;
  std::vector<std::int32_t> labels_;
  std::vector<Index> order_;
  float first_c_ = o_.geometry.c;
  Index step_ = 0, loss_count_ = 0;
  double loss_sum_ = 0;
};

}  // namespace cifar
