// examples/cnn/layers.hpp - the layers as objects: shape, parameters, and what backward
// needs.
#pragma once

#include <memory>
#include <vector>

#include "linear.hpp"
#include "norm_pool.hpp"
#include "pool.hpp"
#include "winograd_weights.hpp"

namespace cnn {

/// One step of a network. plan() once, then forward() of up to the planned batch, then
/// backward() of that forward. x must stay as it was in between; pointers returned stay
/// valid until replanned.
class Layer {
 public:
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer() = default;

  /// Allocates for inputs of this shape; returns that of the output.
  virtual Shape plan(const Shape& in, Shared& shared) = 0;
  /// y of the first n images of x.
  virtual const float* forward(const float* x, Index n, Mode mode) = 0;
  /// gx = gradient by x (skipped if null), weight gradients += (if wanted).
  virtual void backward(const float* gy, float* gx, bool weights) = 0;
  /// The steps it is made of: itself, or those inside.
  virtual void flatten(std::vector<Layer*>& steps) { steps.push_back(this); }
  /// Multiply-adds of convolutions and linear layers for an image, by their definition.
  [[nodiscard]] virtual double multiply_adds() const { return 0; }
  /// Whether it has parameters to train.
  [[nodiscard]] virtual bool learns() const { return false; }
  /// True if gx may be gy.
  [[nodiscard]] virtual bool in_place() const { return false; }
  /// Side of the windows if this is a max pooling, else 0.
  [[nodiscard]] virtual Index window() const { return 0; }
  /// Takes over the pooling that follows, before plan(); false if it cannot.
  virtual bool absorb_pool(Index /*window*/) { return false; }
  virtual void collect(const std::string&, std::vector<Param*>&,
                       std::vector<NamedBuffer>&) {}
};
using LayerPtr = std::unique_ptr<Layer>;

/// How a convolution starts: normal, of variance 2 / (k k ci) (He et al. 2015); dirac, of
/// variance 1 / (3 k k ci), but that the first ci channels pass their input on; fixed:
/// normal, and never trained.
enum class Start { normal, dirac, fixed };

/// k x k convolution without a bias (a batch norm follows), zero padding k / 2; by
/// Winograd's products where they fit, else direct.
class Conv : public Layer {
 public:
  Conv(Index ci, Index co, Index k, Index stride, Start start = Start::normal)
      : s_{0, 0, 0, ci, co, k, stride},
        w_{"weight", k * k * ci * co, 0,
           std::sqrt((start == Start::dirac ? 1.0F / 3 : 2.0F) / float(k * k * ci)),
           true} {
    hcl::expect(ci > 0 && co > 0 && k > 0 && k % 2 == 1 && stride > 0, "Conv: ", ci,
                " -> ", co, " channels, kernel ", k, ", stride ", stride,
                ": kernels must be odd");
    w_.trained = start != Start::fixed;
    if (start == Start::dirac)
      w_.adjust = [=](Buffer<float>& w) {
        for (Index o = 0; o < std::min(ci, co); ++o)
          for (Index tap = 0; tap < k * k; ++tap)
            for (Index i = 0; i < ci; ++i)
              w[(tap * ci + i) * co + o] = tap == k * k / 2 && i == o ? 1.0F : 0.0F;
      };
  }
  Shape plan(const Shape& in, Shared& shared) override {
    hcl::expect(in.c == s_.ci, "Conv: input has ", in.c, " channels, must be ", s_.ci);
    s_.n = in.n, s_.h = in.h, s_.w = in.w;
    scratch_ = &shared.scratch;
    y_.resize({in.n, s_.oh(), s_.ow(), s_.co});
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode) override {
    x_ = x, s_.n = n;
    if (winograd_fits<float>(s_))
      winograd_forward(s_, x, w_.value.data(), y_.data.data(), *scratch_);
    else
      conv_forward(s_, x, w_.value.data(), y_.data.data(), *scratch_);
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool weights) override {
    const float* const w = w_.value.data();
    weights = weights && learns();
    if (winograd_fits<float>(s_)) {
      if (weights) winograd_backward_weights(s_, x_, gy, w_.grad.data(), *scratch_);
      if (gx != nullptr) winograd_backward_input(s_, gy, w, gx, *scratch_);
    } else {
      if (weights) conv_backward_weights(s_, x_, gy, w_.grad.data(), *scratch_);
      if (gx != nullptr) conv_backward_input(s_, gy, w, gx, *scratch_);
    }
  }
  void collect(const std::string& at, std::vector<Param*>& params,
               std::vector<NamedBuffer>&) override {
    w_.name = at + "conv.weight";
    params.push_back(&w_);
  }
  [[nodiscard]] double multiply_adds() const override {
    return double(s_.oh() * s_.ow()) * double(s_.weights());
  }
  [[nodiscard]] bool learns() const override { return w_.trained; }

 private:
  ConvShape s_;
  Param w_;
  Tensor y_;
  const float* x_ = nullptr;
  Scratch<float>* scratch_ = nullptr;
};

/// Running statistics move by momentum (batch - running).
struct NormOptions {
  float momentum = 0.1F, eps = 1e-5F;
  bool scale = true;  ///< Train the scale; it is 1 otherwise.
  /// Of the shift, times the learning rate and times the weight decay.
  float shift_lr = 1, shift_decay = 0;
};

/// Batch normalisation over images and pixels, then the activation, then the max pooling
/// that it took over.
class BatchNorm : public Layer {
 public:
  BatchNorm(Index c, Activation activation, const NormOptions& options = {})
      : c_{c},
        activation_{activation},
        o_{options},
        scale_{"scale", c, 1, 0, false},
        shift_{"shift", c, 0, 0, false},
        run_mean_(c),
        run_var_(c),
        mean_(c),
        rstd_(c) {
    std::fill_n(run_var_.data(), c, 1.0F);
    std::fill_n(scale_.value.data(), c, 1.0F);
    shift_.lr_scale = options.shift_lr, shift_.decay = options.shift_decay;
  }
  Shape plan(const Shape& in, Shared& shared) override {
    hcl::expect(in.c == c_, "BatchNorm: input has ", in.c, " channels, must be ", c_);
    hcl::expect(in.h >= pool_ && in.w >= pool_, "MaxPool: window ", pool_,
                " for an image of ", in.h, " x ", in.w);
    scratch_ = &shared.scratch;
    in_ = in;
    y_.resize({in.n, in.h / pool_, in.w / pool_, in.c});
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode mode) override {
    x_ = x, in_.n = n, rows_ = n * in_.pixels(), fixed_ = mode != Mode::train;
    if (fixed_) {
      std::copy_n(run_mean_.data(), c_, mean_.data());
      std::copy_n(run_var_.data(), c_, rstd_.data());
    } else {
      batch_moments(rows_, c_, x, mean_.data(), rstd_.data(), *scratch_);
      const float unbias = rows_ > 1 ? float(double(rows_) / double(rows_ - 1)) : 1.0F;
      for (Index j = 0; j < c_; ++j) {
        run_mean_[j] += o_.momentum * (mean_[j] - run_mean_[j]);
        run_var_[j] += o_.momentum * (rstd_[j] * unbias - run_var_[j]);
      }
    }
    for (float& v : rstd_) v = 1 / std::sqrt(v + o_.eps);  // held the variance until here
    if (pool_ > 1)
      norm_pool_forward(in_, pool_, channels(), x, y_.data.data());
    else
      norm_forward(rows_, c_, activation_, channels(), x, y_.data.data());
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool weights) override {
    const NormGrads<float> grads{weights && o_.scale ? scale_.grad.data() : nullptr,
                                 weights ? shift_.grad.data() : nullptr};
    if (pool_ > 1)
      norm_pool_backward(in_, pool_, fixed_, channels(), x_, y_.data.data(), gy, gx,
                         grads, *scratch_);
    else
      norm_backward(rows_, c_, activation_, fixed_, channels(), x_, gy, gx, grads,
                    *scratch_);
  }
  [[nodiscard]] bool in_place() const override { return pool_ == 1; }
  bool absorb_pool(Index window) override {
    if (activation_ != Activation::relu || pool_ > 1) return false;
    pool_ = window;
    return true;
  }
  void collect(const std::string& at, std::vector<Param*>& params,
               std::vector<NamedBuffer>& buffers) override {
    scale_.name = at + "bn.scale", shift_.name = at + "bn.shift";
    if (o_.scale) params.push_back(&scale_);
    params.push_back(&shift_);
    const auto size = std::size_t(c_);
    buffers.push_back({at + "bn.mean", {run_mean_.data(), size}});
    buffers.push_back({at + "bn.var", {run_var_.data(), size}});
  }
  [[nodiscard]] bool learns() const override { return true; }

 private:
  [[nodiscard]] NormChannels<float> channels() const {
    return {scale_.value.data(), shift_.value.data(), mean_.data(), rstd_.data()};
  }
  Index c_;
  Activation activation_;
  NormOptions o_;
  Param scale_, shift_;
  Buffer<float> run_mean_, run_var_, mean_, rstd_;
  Index pool_ = 1;
  Shape in_;
  Tensor y_;
  const float* x_ = nullptr;
  Index rows_ = 0;
  bool fixed_ = false;
  Scratch<float>* scratch_ = nullptr;
};

/// y = a(x).
class Activate : public Layer {
 public:
  explicit Activate(Activation a) : a_{a} {}
  Shape plan(const Shape& in, Shared&) override {
    y_.resize(in);
    return in;
  }
  const float* forward(const float* x, Index n, Mode) override {
    x_ = x, n_ = n;
    activation_forward(a_, n * y_.shape.image(), x, y_.data.data());
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool) override {
    if (gx != nullptr) activation_backward(a_, n_ * y_.shape.image(), x_, gy, gx);
  }
  [[nodiscard]] bool in_place() const override { return true; }

 private:
  Activation a_;
  Index n_ = 0;
  Tensor y_;
  const float* x_ = nullptr;
};

/// Max over k x k windows; k = 0: over the whole image.
class MaxPool : public Layer {
 public:
  explicit MaxPool(Index k) : k_{k} {}
  Shape plan(const Shape& in, Shared&) override {
    hcl::expect(k_ > 0 ? in.h >= k_ && in.w >= k_ : in.h == in.w, "MaxPool: window ", k_,
                " for an image of ", in.h, " x ", in.w);
    in_ = in;
    const Index k = k_ > 0 ? k_ : in.h;
    y_.resize({in.n, in.h / k, in.w / k, in.c});
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode) override {
    x_ = x, in_.n = n;
    max_pool_forward(in_, in_.h / y_.shape.h, x, y_.data.data());
    return y_.data.data();
  }
  [[nodiscard]] Index window() const override { return k_; }
  void backward(const float* gy, float* gx, bool) override {
    if (gx != nullptr)
      max_pool_backward(in_, in_.h / y_.shape.h, x_, y_.data.data(), gy, gx);
  }

 private:
  Index k_;
  Shape in_;
  Tensor y_;
  const float* x_ = nullptr;
};

/// Mean over the pixels.
class MeanPool : public Layer {
 public:
  Shape plan(const Shape& in, Shared&) override {
    in_ = in;
    y_.resize({in.n, 1, 1, in.c});
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode) override {
    in_.n = n;
    mean_pool_forward(in_, x, y_.data.data());
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool) override {
    if (gx != nullptr) mean_pool_backward(in_, gy, gx);
  }

 private:
  Shape in_;
  Tensor y_;
};

/// y = scale (x w + bias) on flattened images.
class Linear : public Layer {
 public:
  Linear(Index in, Index out, bool bias, float scale = 1)
      : in_{in},
        out_{out},
        scale_{scale},
        w_{"weight", in * out, 0, std::sqrt((bias ? 1.0F : 2.0F) / float(in)), true},
        bias_{"bias", bias ? out : 0, 0, 0, false} {}
  Shape plan(const Shape& in, Shared& shared) override {
    hcl::expect(in.image() == in_, "Linear: input has ", in.image(), " numbers, must be ",
                in_);
    scratch_ = &shared.scratch;
    y_.resize({in.n, 1, 1, out_});
    if (scale_ != 1) gy_.ensure(y_.shape.size());
    return y_.shape;
  }
  const float* forward(const float* x, Index n, Mode) override {
    x_ = x, n_ = n;
    linear_forward(n, in_, out_, x, w_.value.data(), bias(bias_.value), y_.data.data());
    if (scale_ != 1) scaled(y_.data.data(), y_.data.data());
    return y_.data.data();
  }
  void backward(const float* gy, float* gx, bool weights) override {
    if (scale_ != 1) gy = scaled(gy, gy_.data());
    if (weights)
      linear_backward_weights(n_, in_, out_, x_, gy, w_.grad.data(), bias(bias_.grad));
    if (gx != nullptr)
      linear_backward_input(n_, in_, out_, gy, w_.value.data(), gx, *scratch_);
  }
  void collect(const std::string& at, std::vector<Param*>& params,
               std::vector<NamedBuffer>&) override {
    w_.name = at + "linear.weight", bias_.name = at + "linear.bias";
    params.push_back(&w_);
    if (bias_.value.size() > 0) params.push_back(&bias_);
  }
  [[nodiscard]] double multiply_adds() const override {
    return double(in_) * double(out_);
  }
  [[nodiscard]] bool learns() const override { return true; }

 private:
  static float* bias(const Buffer<float>& b) { return b.size() > 0 ? b.data() : nullptr; }
  const float* scaled(const float* from, float* to) const {
    for (Index i = 0; i < n_ * out_; ++i) to[i] = scale_ * from[i];
    return to;
  }
  Index in_, out_, n_ = 0;
  float scale_;
  Param w_, bias_;
  Tensor y_;
  Buffer<float> gy_;
  const float* x_ = nullptr;
  Scratch<float>* scratch_ = nullptr;
};

}  // namespace cnn
