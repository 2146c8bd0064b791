// examples/cnn/net.hpp - a network as a short declaration, and the named ones.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

#include "layers.hpp"

namespace cnn {

/// Layers one after the other, those of a Sequential among them in its place. Gradients
/// alternate between two buffers, or stay in one where a layer can work in place. A layer
/// that can take over the max pooling after it does: it is skipped then, and keeps its
/// number.
class Sequential : public Layer {
 public:
  explicit Sequential(std::vector<LayerPtr> layers) : layers_{std::move(layers)} {
    hcl::expect(!layers_.empty(), "Sequential: no layers");
    for (const auto& layer : layers_) {
      const Index window = layer->window();
      learns_ = learns_ || layer->learns();
      if (window == 0 || active_.empty() || !active_.back()->absorb_pool(window))
        layer->flatten(active_);
    }
  }
  Shape plan(const Shape& in, Shared& shared) override {
    Shared::Depth depth(shared);
    shared_ = &shared, depth_ = depth.number();
    Shape s = in;
    Index most = 0;
    for (Layer* layer : active_) {
      if (layer != active_.front()) most = std::max(most, s.size());
      s = layer->plan(s, shared);
    }
    for (const std::size_t k : {0U, 1U}) depth.ensure(k, most);
    return s;
  }
  const float* forward(const float* x, Index n, Mode mode) override {
    for (Layer* layer : active_) x = layer->forward(x, n, mode);
    return x;
  }
  void backward(const float* gy, float* gx, bool weights) override {
    if (gx == nullptr && !(weights && learns_)) return;
    int mine = -1;  // the buffer gy is in; -1: the caller's, not to be written to
    // Without gx the first that learns ends it.
    std::size_t last = 0;
    while (gx == nullptr && !active_[last]->learns()) ++last;
    for (std::size_t i = active_.size(); i-- > last;) {
      if (i == last) {
        active_[i]->backward(gy, gx, weights);
        return;
      }
      if (mine < 0 || !active_[i]->in_place()) mine = mine == 0 ? 1 : 0;
      float* const to = shared_->gradient(depth_, std::size_t(mine));
      active_[i]->backward(gy, to, weights);
      gy = to;
    }
  }
  [[nodiscard]] double multiply_adds() const override {
    double sum = 0;
    for (const Layer* layer : active_) sum += layer->multiply_adds();
    return sum;
  }
  [[nodiscard]] bool learns() const override { return learns_; }
  void flatten(std::vector<Layer*>& steps) override {
    steps.insert(steps.end(), active_.begin(), active_.end());
  }
  void collect(const std::string& at, std::vector<Param*>& params,
               std::vector<NamedBuffer>& buffers) override {
    for (std::size_t i = 0; i < layers_.size(); ++i)
      layers_[i]->collect(at + std::to_string(i) + ".", params, buffers);
  }

 private:
  std::vector<LayerPtr> layers_;
  std::vector<Layer*> active_;  // those that no other does the work of
  bool learns_ = false;
  const Shared* shared_ = nullptr;
  std::size_t depth_ = 0;
};

/// y = x + branch(x), or relu(shortcut(x) + branch(x)).
class Residual : public Layer {
 public:
  Residual(LayerPtr branch, LayerPtr shortcut, bool relu)
      : branch_{std::move(branch)}, shortcut_{std::move(shortcut)}, relu_{relu} {}
  Shape plan(const Shape& in, Shared& shared) override {
    Shared::Depth depth(shared);
    shared_ = &shared, depth_ = depth.number();
    in_ = in;
    y_.resize(branch_->plan(in, shared));
    const Shape other = shortcut_ ? shortcut_->plan(in, shared) : in;
    hcl::expect(other == y_.shape, "Residual: branch gives ", y_.shape.h, " x ",
                y_.shape.w, " x ", y_.shape.c, ", shortcut ", other.h, " x ", other.w,
                " x ", other.c);
    if (relu_) depth.ensure(0, y_.shape.size());
    if (shortcut_) depth.ensure(1, in.size());
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode mode) override {
    n_ = n;
    const float* const b = branch_->forward(x, n, mode);
    const float* const a = shortcut_ ? shortcut_->forward(x, n, mode) : x;
    add(n * y_.shape.image(), a, b, y_.data.data(), relu_);
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool weights) override {
    float* const masked = shared_->gradient(depth_, 0);
    float* const other = gx != nullptr ? shared_->gradient(depth_, 1) : nullptr;
    if (relu_) {
      activation_backward(Activation::relu, n_ * y_.shape.image(), y_.data.data(), gy,
                          masked);
      gy = masked;
    }
    branch_->backward(gy, gx, weights);
    if (shortcut_) shortcut_->backward(gy, other, weights);
    if (gx != nullptr) add(n_ * in_.image(), gx, shortcut_ ? other : gy, gx);
  }
  void collect(const std::string& at, std::vector<Param*>& params,
               std::vector<NamedBuffer>& buffers) override {
    branch_->collect(at + "branch.", params, buffers);
    if (shortcut_) shortcut_->collect(at + "shortcut.", params, buffers);
  }
  [[nodiscard]] double multiply_adds() const override {
    return branch_->multiply_adds() + (shortcut_ ? shortcut_->multiply_adds() : 0);
  }
  [[nodiscard]] bool learns() const override {
    return branch_->learns() || (shortcut_ && shortcut_->learns());
  }

 private:
  LayerPtr branch_, shortcut_;
  bool relu_;
  Shape in_;
  Index n_ = 0;
  Tensor y_;
  const Shared* shared_ = nullptr;
  std::size_t depth_ = 0;
};

inline LayerPtr conv3x3(Index ci, Index co, Index stride = 1) {
  return std::make_unique<Conv>(ci, co, 3, stride);
}
inline LayerPtr conv1x1(Index ci, Index co, Index stride = 1) {
  return std::make_unique<Conv>(ci, co, 1, stride);
}
inline LayerPtr bn(Index c) { return std::make_unique<BatchNorm>(c, Activation::none); }
inline LayerPtr bn_relu(Index c) {
  return std::make_unique<BatchNorm>(c, Activation::relu);
}
inline LayerPtr gelu() { return std::make_unique<Activate>(Activation::gelu); }
inline LayerPtr maxpool(Index k) { return std::make_unique<MaxPool>(k); }
inline LayerPtr maxpool2() { return maxpool(2); }
inline LayerPtr global_max() { return maxpool(0); }
inline LayerPtr global_mean() { return std::make_unique<MeanPool>(); }
inline LayerPtr linear(Index in, Index out, bool bias = true) {
  return std::make_unique<Linear>(in, out, bias);
}
template <class... Layers>
LayerPtr sequential(Layers... layers) {
  std::vector<LayerPtr> all;
  (all.push_back(std::move(layers)), ...);
  return std::make_unique<Sequential>(std::move(all));
}
template <class... Layers>
LayerPtr residual(Layers... branch) {
  return std::make_unique<Residual>(sequential(std::move(branch)...), nullptr, false);
}

/// A planned network with its parameters. Movable; one forward/backward at a time.
///
///   Net net{conv3x3(3, 32), bn_relu(32), maxpool2(), residual(conv3x3(32, 32),
///   bn_relu(32))}; net.init(seed); net.plan({256, 32, 32, 3}); const float* y =
///   net.forward(x, Mode::train); net.zero_grad(); net.backward(gy, nullptr, true);
class Net {
 public:
  template <class... Layers>
  explicit Net(LayerPtr first, Layers... rest)
      : body_{sequential(std::move(first), std::move(rest)...)},
        shared_{std::make_unique<Shared>()} {
    body_->collect("", all_, buffers_);
    for (Param* p : all_)
      if (p->trained)
        params_.push_back(p);
      else
        buffers_.push_back({p->name, {p->value.data(), std::size_t(p->value.size())}});
  }

  /// Starting values, each parameter from its own stream of (seed, place).
  void init(std::uint64_t seed) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      Param& p = *all_[i];
      std::mt19937_64 rng{seed * 0x9E3779B97F4A7C15U + i + 1};
      const auto uniform = [&] { return (double(rng() >> 11) + 0.5) * 0x1p-53; };
      for (float& v :
           p.value) {  // Box-Muller: std::normal_distribution differs by library
        const double radius = std::sqrt(-2 * std::log(uniform()));
        const double angle = 2 * std::numbers::pi * uniform();
        v = p.init_mean + p.init_std * float(radius * std::cos(angle));
      }
      if (p.adjust) p.adjust(p.value);
    }
  }

  /// Allocates everything for batches of up to in.n images; returns the output's shape.
  Shape plan(const Shape& in) {
    hcl::expect(in.n > 0 && in.h > 0 && in.w > 0, "Net::plan: ", in.n, " images of ",
                in.h, " x ", in.w);
    in_ = in;
    out_ = body_->plan(in, *shared_);
    return out_;
  }

  /// x: n x h x w x c, n <= the planned batch (0: all of it). The result, n x out, is
  /// valid until the next forward; x must stay until backward is done.
  const float* forward(const float* x, Mode mode, Index n = 0) {
    hcl::expect(n >= 0 && n <= in_.n && in_.n > 0, "Net::forward: ", n,
                " images, planned for ", in_.n);
    return body_->forward(x, n > 0 ? n : in_.n, mode);
  }

  /// Gradients of the last forward: gx overwritten unless null, parameters' += if wanted.
  void backward(const float* gy, float* gx, bool weights) {
    body_->backward(gy, gx, weights);
  }

  void zero_grad() {
    for (Param* p : params_) std::fill(p->grad.begin(), p->grad.end(), 0.0F);
  }
  /// Those that are trained, and all.
  [[nodiscard]] const std::vector<Param*>& params() const { return params_; }
  [[nodiscard]] const std::vector<Param*>& all_params() const { return all_; }
  [[nodiscard]] const std::vector<NamedBuffer>& buffers() const { return buffers_; }
  [[nodiscard]] const Shape& in_shape() const { return in_; }
  [[nodiscard]] const Shape& out_shape() const { return out_; }
  /// Multiply-adds of convolutions and linear layers for an image, after plan().
  [[nodiscard]] double multiply_adds() const { return body_->multiply_adds(); }
  /// Numbers that are trained.
  [[nodiscard]] Index size() const {
    Index sum = 0;
    for (const Param* p : params_) sum += p->value.size();
    return sum;
  }

 private:
  LayerPtr body_;
  std::unique_ptr<Shared> shared_;
  std::vector<Param*> all_, params_;  // the latter are trained
  std::vector<NamedBuffer> buffers_;
  Shape in_, out_;
};

}  // namespace cnn
