// examples/cnn/optim.hpp - SGD, AdamW and LARS over a list of parameters, lookahead, and
// schedules of the learning rate.
#pragma once

#include <cmath>
#include <numbers>
#include <ranges>
#include <vector>

#include "tensor.hpp"

namespace cnn {

/// Steps parameters by their gradients. State is zero at first; state() lists it for
/// checkpoints.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// One step of every parameter at learning rate lr times its own lr_scale.
  virtual void step(float lr) = 0;
  [[nodiscard]] const std::vector<NamedBuffer>& state() const { return state_; }

 protected:
  explicit Optimizer(std::vector<Param*> params) : params_{std::move(params)} {}

  std::vector<Buffer<float>> zeros(const std::string& name) {
    std::vector<Buffer<float>> all;
    for (const Param* p : params_) {
      all.emplace_back(p->value.size());
      state_.push_back(
          {p->name + "." + name, {all.back().data(), std::size_t(p->value.size())}});
    }
    return all;
  }
  /// f(parameter, its place), in parallel.
  template <class F>
  void for_params(const F& f) {
    hcl::parallel_for(Index(params_.size()),
                      [&](Index i) { f(*params_[std::size_t(i)], std::size_t(i)); });
  }

  std::vector<Param*> params_;
  std::vector<NamedBuffer> state_;
};

struct SgdOptions {
  float momentum = 0.9F;
  bool nesterov = true;
  float weight_decay = 5e-4F;
  bool decoupled =
      false;  ///< w -= lr weight_decay w, instead of weight_decay w in the gradient.
};

/// v = momentum v + g;  w -= lr (g + momentum v), or lr v without Nesterov.
class Sgd : public Optimizer {
 public:
  Sgd(std::vector<Param*> params, const SgdOptions& options)
      : Optimizer{std::move(params)}, o_{options}, v_{zeros("momentum")} {}
  void step(float lr) override {
    for_params([&](Param& p, std::size_t i) {
      const float rate = lr * p.lr_scale, decay = p.decay * o_.weight_decay;
      const float coupled = o_.decoupled ? 0.0F : decay,
                  shrink = o_.decoupled ? rate * decay : 0.0F;
      float *w = p.value.data(), *v = v_[i].data();
      for (Index k = 0; k < p.value.size(); ++k) {
        const float g = p.grad[k] + coupled * w[k];
        v[k] = o_.momentum * v[k] + g;
        w[k] -= rate * (o_.nesterov ? g + o_.momentum * v[k] : v[k]) + shrink * w[k];
      }
    });
  }

 private:
  SgdOptions o_;
  std::vector<Buffer<float>> v_;
};

struct AdamWOptions {
  float beta1 = 0.9F, beta2 = 0.999F, eps = 1e-8F, weight_decay = 1e-2F;
};

/// Loshchilov and Hutter 2019, algorithm 2: w -= lr (m^ / (sqrt(v^) + eps) + weight_decay
/// w).
class AdamW : public Optimizer {
 public:
  AdamW(std::vector<Param*> params, const AdamWOptions& options)
      : Optimizer{std::move(params)}, o_{options}, m_{zeros("m")}, v_{zeros("v")}, t_(1) {
    state_.push_back({"adamw.steps", {t_.data(), 1}});
  }
  void step(float lr) override {
    t_[0] += 1;
    const auto c1 = float(1 / (1 - std::pow(double(o_.beta1), double(t_[0]))));
    const auto c2 = float(1 / (1 - std::pow(double(o_.beta2), double(t_[0]))));
    for_params([&](Param& p, std::size_t i) {
      const float rate = lr * p.lr_scale, decay = p.decay * o_.weight_decay;
      float *w = p.value.data(), *m = m_[i].data(), *v = v_[i].data();
      for (Index k = 0; k < p.value.size(); ++k) {
        const float g = p.grad[k];
        m[k] = o_.beta1 * m[k] + (1 - o_.beta1) * g;
        v[k] = o_.beta2 * v[k] + (1 - o_.beta2) * g * g;
        w[k] -= rate * (m[k] * c1 / (std::sqrt(v[k] * c2) + o_.eps) + decay * w[k]);
      }
    });
  }

 private:
  AdamWOptions o_;
  std::vector<Buffer<float>> m_, v_;
  Buffer<float>
      t_;  // a float, to be a checkpoint entry like the others; exact up to 2^24
};

struct LarsOptions {
  float momentum = 0.9F, weight_decay = 1e-4F, trust = 1e-3F;
};

/// You et al. 2017: v = momentum v + q (g + weight_decay w), w -= lr v, with
/// q = trust |w| / (|g| + weight_decay |w|) for each decayed parameter of non-zero norms,
/// else 1.
class Lars : public Optimizer {
 public:
  Lars(std::vector<Param*> params, const LarsOptions& options)
      : Optimizer{std::move(params)}, o_{options}, v_{zeros("momentum")} {}
  void step(float lr) override {
    for_params([&](Param& p, std::size_t i) {
      const float rate = lr * p.lr_scale, decay = p.decay * o_.weight_decay;
      float *w = p.value.data(), *v = v_[i].data();
      double ww = 0, gg = 0;
      for (Index k = 0; k < p.value.size(); ++k) {
        ww += double(w[k]) * double(w[k]);
        gg += double(p.grad[k]) * double(p.grad[k]);
      }
      const double size = std::sqrt(ww), slope = std::sqrt(gg);
      const bool adapt = p.decay > 0 && size > 0 && slope > 0;
      const auto q =
          adapt ? float(double(o_.trust) * size / (slope + double(decay) * size)) : 1.0F;
      for (Index k = 0; k < p.value.size(); ++k) {
        v[k] = o_.momentum * v[k] + q * (p.grad[k] + decay * w[k]);
        w[k] -= rate * v[k];
      }
    });
  }

 private:
  LarsOptions o_;
  std::vector<Buffer<float>> v_;
};

/// A slow copy of everything a network keeps, which now and then takes a part of the way
/// to it and hands it back (Zhang et al. 2019, arXiv:1907.08610).
class Lookahead {
 public:
  explicit Lookahead(std::vector<NamedBuffer> fast) : fast_{std::move(fast)} {
    for (const auto& f : fast_) {
      slow_.emplace_back(Index(f.value.size()));
      std::ranges::copy(f.value, slow_.back().begin());
      state_.push_back({"lookahead." + f.name, {slow_.back().data(), f.value.size()}});
    }
  }
  /// slow = keep slow + (1 - keep) fast, then fast = slow.
  void update(float keep) {
    hcl::parallel_for(Index(fast_.size()), [&](Index i) {
      float *fast = fast_[std::size_t(i)].value.data(),
            *slow = slow_[std::size_t(i)].data();
      for (Index k = 0; k < slow_[std::size_t(i)].size(); ++k)
        fast[k] = slow[k] += (1 - keep) * (fast[k] - slow[k]);
    });
  }
  [[nodiscard]] const std::vector<NamedBuffer>& state() const { return state_; }

 private:
  std::vector<NamedBuffer> fast_, state_;
  std::vector<Buffer<float>> slow_;
};

/// Learning rate of step 0 .. total - 1: linear from first up to peak at step warm_up,
/// then linear down to last at step total.
struct TriangleSchedule {
  float peak = 0.1F, first = 0, last = 0;
  Index warm_up = 0, total = 1;
  [[nodiscard]] float operator()(Index step) const {
    const bool rising = step < warm_up;
    const Index begin = rising ? 0 : warm_up, end = rising ? warm_up : total;
    const float done =
        end > begin ? std::min(1.0F, float(step - begin) / float(end - begin)) : 1.0F;
    const float from = rising ? first : peak, to = rising ? peak : last;
    return from + (to - from) * done;
  }
};

/// Learning rate of step 0 .. total - 1: linear from peak / warm_up up to peak within the
/// first warm_up steps, then half a cosine from peak down towards last.
struct CosineSchedule {
  float peak = 0.1F, last = 0;
  Index warm_up = 0, total = 1;
  [[nodiscard]] float operator()(Index step) const {
    if (step < warm_up) return peak * float(step + 1) / float(warm_up);
    const double done =
        total > warm_up ? std::min(1.0, double(step - warm_up) / double(total - warm_up))
                        : 1.0;
    return last + (peak - last) * 0.5F * float(1 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace cnn
