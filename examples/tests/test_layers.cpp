// Layers against loops written from their definition (in double), and trained on a toy
// problem.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>

#include "cnn/loss_ce.hpp"
#include "cnn/models.hpp"
#include "cnn/optim.hpp"

namespace {

using cnn::Activation;
using cnn::Buffer;
using cnn::ConvShape;
using cnn::Index;
using cnn::Mode;
using cnn::Net;
using cnn::Shape;

constexpr std::uint64_t seed = 20240607;

template <class T = double>
Buffer<T> noise(Index size, std::uint64_t stream, double scale = 1) {
  std::mt19937_64 rng{seed + stream};
  Buffer<T> b(size);
  for (T& v : b) v = T(scale * (double(rng() >> 11) * 0x1p-52 - 1));
  return b;
}

template <class T>
Buffer<T> copy_of(const Buffer<T>& b) {
  Buffer<T> out(b.size());
  std::copy(b.begin(), b.end(), out.begin());
  return out;
}

template <class T>
double dot(const Buffer<T>& a, const T* b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

// d/dx of f at every stride-th number of x, against grad.
void check_gradient(Buffer<double>& x, const Buffer<double>& grad, Index stride,
                    const std::function<double()>& f) {
  constexpr double h = 1e-5;
  for (Index i = 0; i < x.size(); i += stride) {
    const double old = x[i];
    x[i] = old + h;
    const double up = f();
    x[i] = old - h;
    const double down = f();
    x[i] = old;
    CAPTURE(i);
    CHECK(grad[i] == doctest::Approx((up - down) / (2 * h)).epsilon(1e-6).scale(1));
  }
}

double activated(Activation a, double z) {
  constexpr double k = 0.79788456080286536;  // sqrt(2 / pi)
  if (a == Activation::relu) return std::max(z, 0.0);
  if (a == Activation::gelu)
    return 0.5 * z * (1 + std::tanh(k * (z + 0.044715 * z * z * z)));
  return z;
}

// Calls f(x index, w index, y index) for every product of the convolution.
template <class F>
void for_products(const ConvShape& s, const F& f) {
  for (Index i = 0; i < s.n; ++i)
    for (Index oy = 0; oy < s.oh(); ++oy)
      for (Index ox = 0; ox < s.ow(); ++ox)
        for (Index ky = 0; ky < s.k; ++ky)
          for (Index kx = 0; kx < s.k; ++kx) {
            const Index y = oy * s.stride + ky - s.pad(),
                        x = ox * s.stride + kx - s.pad();
            if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
            for (Index ci = 0; ci < s.ci; ++ci)
              for (Index co = 0; co < s.co; ++co)
                f(((i * s.h + y) * s.w + x) * s.ci + ci,
                  ((ky * s.k + kx) * s.ci + ci) * s.co + co,
                  ((i * s.oh() + oy) * s.ow() + ox) * s.co + co);
          }
}

template <class T>
void check_close(const Buffer<T>& got, const Buffer<T>& want, double tolerance) {
  double worst = 0;
  for (Index i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(double(got[i]) - double(want[i])));
  CHECK(worst <= tolerance);
}

template <class T>
void check_conv(const ConvShape& s, double tolerance) {
  CAPTURE(s.h);
  CAPTURE(s.w);
  CAPTURE(s.ci);
  CAPTURE(s.co);
  CAPTURE(s.k);
  CAPTURE(s.stride);
  const auto x = noise<T>(s.n * s.h * s.w * s.ci, 1), w = noise<T>(s.weights(), 2);
  const Index out = s.n * s.oh() * s.ow() * s.co;
  const auto gy = noise<T>(out, 3);
  auto gw = noise<T>(s.weights(), 4);
  auto want_gw = copy_of(gw);
  Buffer<T> y(out), want_y(out), gx(x.size()), want_gx(x.size());
  std::fill(gx.begin(), gx.end(), T(7));  // must be overwritten
  for_products(s, [&](Index a, Index b, Index o) {
    want_y[o] += x[a] * w[b];
    want_gx[a] += gy[o] * w[b];
    want_gw[b] += gy[o] * x[a];
  });
  cnn::Scratch<T> scratch;
  cnn::conv_forward(s, x.data(), w.data(), y.data(), scratch);
  cnn::conv_backward_input(s, gy.data(), w.data(), gx.data(), scratch);
  cnn::conv_backward_weights(s, x.data(), gy.data(), gw.data(), scratch);
  check_close(y, want_y, tolerance);
  check_close(gx, want_gx, tolerance);
  check_close(gw, want_gw, tolerance);
}

}  // namespace

TEST_CASE("convolution in all directions is its definition") {
  MESSAGE("all cases draw from seed " << seed);
  const ConvShape shapes[] = {
      {2, 8, 8, 16, 32, 3, 1}, {3, 4, 4, 32, 64, 3, 1},  {2, 5, 7, 3, 10, 3, 1},
      {2, 7, 5, 5, 3, 3, 2},   {11, 8, 8, 8, 16, 3, 2},  {2, 9, 6, 19, 37, 3, 2},
      {2, 6, 6, 20, 24, 1, 1}, {3, 7, 8, 17, 9, 1, 2},   {1, 1, 1, 3, 5, 3, 1},
      {1, 1, 1, 2, 50, 1, 2},  {2, 13, 11, 1, 33, 3, 1}, {20, 2, 3, 12, 70, 3, 2},
      {2, 9, 9, 4, 8, 5, 1},   {2, 9, 10, 4, 8, 5, 3},   {37, 4, 4, 3, 90, 3, 1}};
  for (const ConvShape& s : shapes) {
    check_conv<double>(s, 1e-11);
    check_conv<float>(s, 2e-4);
  }
}

TEST_CASE("batch norm: forward, and gradients against central differences") {
  for (const auto act : {Activation::none, Activation::relu, Activation::gelu})
    for (const bool fixed : {false, true})
      for (const Index rows : {Index{5}, Index{300}}) {
        CAPTURE(int(act));
        CAPTURE(fixed);
        const Index c = 19;
        auto x = noise(rows * c, 1), scale = noise(c, 2), shift = noise(c, 3);
        const auto r = noise(rows * c, 4);
        Buffer<double> mean(c), rstd(c), y(rows * c), gx(rows * c), gscale(c), gshift(c);
        std::fill(mean.begin(), mean.end(), 0.1);
        std::fill(rstd.begin(), rstd.end(), 1.3);
        cnn::Scratch<double> scratch;
        const cnn::NormChannels<double> p{scale.data(), shift.data(), mean.data(),
                                          rstd.data()};
        const auto forward = [&] {
          if (!fixed) {
            cnn::batch_moments(rows, c, x.data(), mean.data(), rstd.data(), scratch);
            for (double& v : rstd) v = 1 / std::sqrt(v + 1e-5);
          }
          cnn::norm_forward(rows, c, act, p, x.data(), y.data());
          return dot(r, y.data());
        };
        forward();
        for (Index j = 0; j < c; ++j) {
          double m = 0, v = 0;
          for (Index i = 0; i < rows; ++i) m += x[i * c + j] / double(rows);
          for (Index i = 0; i < rows; ++i)
            v += std::pow(x[i * c + j] - m, 2) / double(rows);
          if (!fixed) CHECK(mean[j] == doctest::Approx(m).scale(1).epsilon(1e-13));
          if (!fixed)
            CHECK(rstd[j] == doctest::Approx(1 / std::sqrt(v + 1e-5)).epsilon(1e-12));
          const double z = (x[j] - mean[j]) * rstd[j] * scale[j] + shift[j];
          CHECK(y[j] == doctest::Approx(activated(act, z)).epsilon(1e-12));
        }
        const cnn::NormGrads<double> grads{gscale.data(), gshift.data()};
        cnn::norm_backward(rows, c, act, fixed, p, x.data(), r.data(), gx.data(), grads,
                           scratch);
        check_gradient(x, gx, 1 + rows * c / 60, forward);
        check_gradient(scale, gscale, 1, forward);
        check_gradient(shift, gshift, 1, forward);
        forward();
        Buffer<double> alone(c), none(rows * c);
        cnn::norm_backward<double>(rows, c, act, fixed, p, x.data(), r.data(),
                                   none.data(), {nullptr, alone.data()}, scratch);
        check_close(alone, gshift, 0);
        auto in_place = copy_of(r);
        cnn::norm_backward<double>(rows, c, act, fixed, p, x.data(), in_place.data(),
                                   in_place.data(), {nullptr, nullptr}, scratch);
        check_close(in_place, gx, 1e-12);
      }
}

TEST_CASE("batch norm, ReLU and pooling in one are the three in turn") {
  for (const bool fixed : {false, true})
    for (const Shape& s : {Shape{3, 6, 8, 19}, Shape{2, 7, 5, 11}, Shape{2, 7, 7, 8}}) {
      const Index k = s.h == s.w ? 3 : 2;
      CAPTURE(fixed);
      CAPTURE(k);
      const Index rows = s.n * s.pixels(), c = s.c, out = s.n * (s.h / k) * (s.w / k) * c;
      const auto x = noise(s.size(), 1), scale = noise(c, 2), shift = noise(c, 3),
                 g = noise(out, 4);
      Buffer<double> mean(c), rstd(c), z(s.size()), gz(s.size()), want(out), y(out),
          want_gx(s.size()), gx(s.size()), want_scale(c), want_shift(c), gscale(c),
          gshift(c);
      cnn::Scratch<double> scratch;
      cnn::batch_moments(rows, c, x.data(), mean.data(), rstd.data(), scratch);
      for (double& v : rstd) v = 1 / std::sqrt(v + 1e-5);
      const cnn::NormChannels<double> p{scale.data(), shift.data(), mean.data(),
                                        rstd.data()};
      cnn::norm_forward(rows, c, Activation::relu, p, x.data(), z.data());
      cnn::max_pool_forward(s, k, z.data(), want.data());
      cnn::max_pool_backward(s, k, z.data(), want.data(), g.data(), gz.data());
      cnn::norm_backward<double>(rows, c, Activation::relu, fixed, p, x.data(), gz.data(),
                                 want_gx.data(), {want_scale.data(), want_shift.data()},
                                 scratch);
      cnn::norm_pool_forward(s, k, p, x.data(), y.data());
      cnn::norm_pool_backward<double>(s, k, fixed, p, x.data(), y.data(), g.data(),
                                      gx.data(), {gscale.data(), gshift.data()}, scratch);
      check_close(y, want, 0);
      check_close(gx, want_gx, 1e-13);
      check_close(gscale, want_scale, 1e-12);
      check_close(gshift, want_shift, 1e-12);
    }
}

TEST_CASE("batch moments survive a mean far from zero, in float") {
  const Index rows = 1000, c = 3;
  auto x = noise<float>(rows * c, 9);
  double m = 0, v = 0;
  for (float& a : x) a += 1000;
  for (Index i = 0; i < rows; ++i) m += double(x[i * c]) / double(rows);
  for (Index i = 0; i < rows; ++i) v += std::pow(double(x[i * c]) - m, 2) / double(rows);
  Buffer<float> mean(c), var(c);
  cnn::Scratch<float> scratch;
  cnn::batch_moments(rows, c, x.data(), mean.data(), var.data(), scratch);
  CHECK(double(var[0]) == doctest::Approx(v).epsilon(1e-3));
}

TEST_CASE("activations: values and slopes, far out too") {
  for (const auto act : {Activation::none, Activation::relu, Activation::gelu}) {
    CAPTURE(int(act));
    const Index n = 43;
    auto x = noise(n, 1, 4);
    const auto r = noise(n, 2);
    Buffer<double> y(n), gx(n);
    const auto forward = [&] {
      cnn::activation_forward(act, n, x.data(), y.data());
      return dot(r, y.data());
    };
    forward();
    for (Index i = 0; i < n; ++i)
      CHECK(y[i] == doctest::Approx(activated(act, x[i])).epsilon(1e-12).scale(1));
    cnn::activation_backward(act, n, x.data(), r.data(), gx.data());
    check_gradient(x, gx, 1, forward);
    Buffer<float> far(4), at(4), slope(4), one(4);
    far[0] = 1e3F, far[1] = -1e3F, far[2] = 30, far[3] = -30;
    std::fill(one.begin(), one.end(), 1.0F);
    cnn::activation_forward(act, 4, far.data(), at.data());
    cnn::activation_backward(act, 4, far.data(), one.data(), slope.data());
    for (Index i = 0; i < 4; ++i) {
      CHECK(at[i] == (act == Activation::none ? far[i] : std::max(far[i], 0.0F)));
      CHECK(slope[i] == (act == Activation::none || far[i] > 0 ? 1.0F : 0.0F));
    }
  }
}

TEST_CASE("pooling and linear: gradients against central differences") {
  for (const Index k : {Index{2}, Index{3}, Index{5}}) {
    const Shape s{2, 7, 5, 11};
    auto x = noise(s.size(), 1);
    const Index out = s.n * (s.h / k) * (s.w / k) * s.c;
    const auto r = noise(out, 2);
    Buffer<double> y(out), gx(s.size());
    std::fill(gx.begin(), gx.end(), 7.0);
    const auto forward = [&] {
      cnn::max_pool_forward(s, k, x.data(), y.data());
      return dot(r, y.data());
    };
    forward();
    cnn::max_pool_backward(s, k, x.data(), y.data(), r.data(), gx.data());
    check_gradient(x, gx, 3, forward);
  }
  {
    const Shape s{3, 3, 4, 9};
    auto x = noise(s.size(), 3);
    const auto r = noise(s.n * s.c, 4);
    Buffer<double> y(r.size()), gx(s.size());
    cnn::mean_pool_backward(s, r.data(), gx.data());
    check_gradient(x, gx, 2, [&] {
      cnn::mean_pool_forward(s, x.data(), y.data());
      return dot(r, y.data());
    });
  }
  {
    const Index n = 27, in = 13, out = 21;
    auto x = noise(n * in, 5), w = noise(in * out, 6), b = noise(out, 7);
    const auto r = noise(n * out, 8);
    Buffer<double> y(n * out), gx(n * in), gw(in * out), gb(out);
    const auto forward = [&] {
      cnn::linear_forward(n, in, out, x.data(), w.data(), b.data(), y.data());
      return dot(r, y.data());
    };
    cnn::Scratch<double> scratch;
    cnn::linear_backward_input(n, in, out, r.data(), w.data(), gx.data(), scratch);
    cnn::linear_backward_weights(n, in, out, x.data(), r.data(), gw.data(), gb.data());
    check_gradient(x, gx, 7, forward);
    check_gradient(w, gw, 5, forward);
    check_gradient(b, gb, 1, forward);
  }
}

TEST_CASE("max pooling gives a tie to the first pixel only") {
  const float x[4] = {0, 0, 0, 0}, gy[1] = {3};
  float y[1], gx[4];
  cnn::max_pool_forward<float>({1, 2, 2, 1}, 2, x, y);
  cnn::max_pool_backward<float>({1, 2, 2, 1}, 2, x, y, gy, gx);
  CHECK(gx[0] == 3);
  CHECK(gx[1] + gx[2] + gx[3] == 0);
}

TEST_CASE("whole networks: directional derivative, repeated forward, smaller batches") {
  for (const char* name :
       {"tiny", "small", "resnet9", "resnet18", "resnet20", "plain", "airbench"}) {
    CAPTURE(std::string(name));
    Net net = cnn::make_net(name, 3, 4);
    net.init(seed);
    const Index n = 3;
    const Shape in{n, 32, 32, 3};
    const Shape out = net.plan(in);
    CHECK(out.pixels() == (name == std::string("plain") ? 16 : 1));
    auto x = noise<float>(in.size(), 1), d = noise<float>(in.size(), 2);
    const auto r = noise<float>(out.size(), 3);
    // ReLUs and maxima have kinks, so a share of the derivative differs: the smaller the
    // step, the smaller, until the digits end.
    for (const Mode mode : {Mode::train, Mode::frozen}) {
      CAPTURE(int(mode));
      Buffer<float> gx(in.size());
      net.zero_grad();
      net.forward(x.data(), mode);
      net.backward(r.data(), gx.data(), true);
      const auto at = [&](float h) {
        auto moved = copy_of(x);
        for (Index i = 0; i < moved.size(); ++i) moved[i] += h * d[i];
        return dot(r, net.forward(moved.data(), mode));
      };
      const double want = dot(d, gx.data());
      double off = 1e30;
      for (const float h : {1e-3F, 2e-4F, 5e-5F, 2e-5F})
        off = std::min(off, std::abs((at(h) - at(-h)) / (2 * double(h)) - want));
      // Deep networks have more kinks, and sum the rounding of Winograd's products, which
      // a quotient of floats divides by the step.
      const bool deep =
          name == std::string("resnet18") || name == std::string("resnet20");
      const double scale = deep ? 1 : 0.5;
      CHECK(off <= 0.05 * (scale + std::abs(want)));
      // The same by the weights.
      double slope = 0;
      for (const auto* p : net.params()) slope += dot(p->grad, p->grad.data());
      const double step = 1e-3 / std::sqrt(slope);
      const auto shifted = [&](double t) {
        for (const auto* p : net.params())
          for (Index i = 0; i < p->value.size(); ++i)
            p->value[i] += float(t) * p->grad[i];
        return dot(r, net.forward(x.data(), mode));
      };
      const double up = shifted(step), down = shifted(-2 * step);
      shifted(step);
      CHECK((up - down) / (2 * step) == doctest::Approx(slope).epsilon(0.05));
    }
    // Frozen images do not see each other, and backward follows the latest forward.
    const auto row = [&](Index i) {
      const float* const y = net.forward(x.data(), Mode::eval);
      return std::vector<float>(y + i * out.image(), y + (i + 1) * out.image());
    };
    const auto third = row(2);
    const float* const alone = net.forward(x.data() + 2 * in.image(), Mode::eval, 1);
    for (Index j = 0; j < out.image(); ++j) CHECK(alone[j] == third[std::size_t(j)]);
  }
}

TEST_CASE("a skipped gradient is not touched and weights accumulate") {
  Net net = cnn::tiny(3, 4);
  net.init(seed);
  const Shape in{4, 8, 8, 3}, out = net.plan(in);
  const auto x = noise<float>(in.size(), 1), r = noise<float>(out.size(), 2);
  Buffer<float> gx(in.size());
  net.zero_grad();
  net.forward(x.data(), Mode::train);
  net.backward(r.data(), gx.data(), false);
  for (const auto* p : net.params()) CHECK(dot(p->grad, p->grad.data()) == 0);
  net.backward(r.data(), nullptr, true);
  const auto once = copy_of(net.params()[0]->grad);
  net.backward(r.data(), nullptr, true);
  for (Index i = 0; i < once.size(); ++i)
    CHECK(net.params()[0]->grad[i] == doctest::Approx(2 * once[i]));
}

TEST_CASE("running statistics") {
  Net net{cnn::bn(2)};
  net.plan({2, 1, 1, 2});
  net.init(1);
  const float x[4] = {1, 10, 3, 30};
  net.forward(x, Mode::train);
  const auto& b = net.buffers();
  CHECK(b[0].value[1] == doctest::Approx(2.0F));             // 0.1 * 20
  CHECK(b[1].value[0] == doctest::Approx(0.9F + 0.1F * 2));  // unbiased variance 2
  net.forward(x, Mode::eval);
  CHECK(b[0].value[1] == doctest::Approx(2.0F));
}

TEST_CASE("convolution by Winograd's products is its definition, and states its error") {
  constexpr Index f = hcl::lanes<float>, d = hcl::lanes<double>;
  const ConvShape shapes[] = {{2, 8, 8, 16, 32, 3, 1},    {3, 5, 7, 2 * f, 3 * f, 3, 1},
                              {1, 13, 9, 5 * f, f, 3, 1}, {40, 4, 4, 32, 16, 3, 1},
                              {2, 1, 6, 16, 48, 3, 1},    {3, 10, 3, 192, 160, 3, 1}};
  for (const ConvShape& s : shapes) {
    CAPTURE(s.h);
    CAPTURE(s.w);
    CAPTURE(s.ci);
    CAPTURE(s.co);
    const Index out = s.n * s.h * s.w * s.co;
    const auto x = noise(s.n * s.h * s.w * s.ci, 1), w = noise(s.weights(), 2),
               gy = noise(out, 3), gw0 = noise(s.weights(), 4);
    Buffer<double> want_y(out), want_gx(x.size());
    auto want_gw = copy_of(gw0);
    for_products(s, [&](Index a, Index b, Index o) {
      want_y[o] += x[a] * w[b];
      want_gx[a] += gy[o] * w[b];
      want_gw[b] += gy[o] * x[a];
    });
    const auto check = [&]<class T>(T, double most) {
      const auto in = [](const Buffer<double>& b) {
        Buffer<T> to(b.size());
        std::transform(b.begin(), b.end(), to.begin(), [](double v) { return T(v); });
        return to;
      };
      const auto tx = in(x), tw = in(w), tgy = in(gy);
      auto gw = in(gw0);
      Buffer<T> y(out), gx(x.size());
      std::fill(y.begin(), y.end(), T(7)), std::fill(gx.begin(), gx.end(), T(7));
      cnn::Scratch<T> scratch;
      cnn::winograd_forward(s, tx.data(), tw.data(), y.data(), scratch);
      cnn::winograd_backward_input(s, tgy.data(), tw.data(), gx.data(), scratch);
      cnn::winograd_backward_weights(s, tx.data(), tgy.data(), gw.data(), scratch);
      const auto error = [](const Buffer<T>& got, const Buffer<double>& want) {
        double off = 0, all = 0;
        for (Index i = 0; i < got.size(); ++i) {
          off += std::pow(double(got[i]) - want[i], 2);
          all += want[i] * want[i];
        }
        return std::sqrt(off / all);
      };
      CHECK(error(y, want_y) <= most);
      CHECK(error(gx, want_gx) <= most);
      CHECK(error(gw, want_gw) <= most);
    };
    if (s.ci % f == 0 && s.co % f == 0) check(0.0F, 2e-6);
    if (s.ci % d == 0 && s.co % d == 0) check(0.0, 4e-15);
  }
  CHECK(cnn::winograd_fits<float>({1, 32, 32, 64, 64, 3, 1}));
  CHECK_FALSE(cnn::winograd_fits<float>({1, 32, 32, 3, 64, 3, 1}));
  CHECK_FALSE(cnn::winograd_fits<float>({1, 32, 32, 64, 64, 3, 2}));
  CHECK_FALSE(cnn::winograd_fits<float>({1, 32, 32, 64, 64, 1, 1}));
  CHECK_FALSE(cnn::winograd_fits<float>({1, 2, 2, 64, 64, 3, 1}));
}

#if defined(_OPENMP)
TEST_CASE("Winograd's products have the same bits for one, two and three threads") {
  const int before = omp_get_max_threads();
  for (const ConvShape& s :
       {ConvShape{19, 9, 8, 32, 48, 3, 1}, ConvShape{5, 8, 8, 176, 192, 3, 1}}) {
    const Index out = s.n * s.h * s.w * s.co;
    const auto x = noise<float>(s.n * s.h * s.w * s.ci, 1),
               w = noise<float>(s.weights(), 2), gy = noise<float>(out, 3);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      omp_set_num_threads(threads);
      cnn::Scratch<float> scratch;
      Buffer<float> y(out), gx(x.size()), gw(s.weights());
      cnn::winograd_forward(s, x.data(), w.data(), y.data(), scratch);
      cnn::winograd_backward_input(s, gy.data(), w.data(), gx.data(), scratch);
      cnn::winograd_backward_weights(s, x.data(), gy.data(), gw.data(), scratch);
      std::vector<float> all(y.begin(), y.end());
      all.insert(all.end(), gx.begin(), gx.end());
      all.insert(all.end(), gw.begin(), gw.end());
      results.push_back(std::move(all));
    }
    const std::size_t bytes = results[0].size() * sizeof(float);
    CHECK(std::memcmp(results[0].data(), results[1].data(), bytes) == 0);
    CHECK(std::memcmp(results[0].data(), results[2].data(), bytes) == 0);
  }
  omp_set_num_threads(before);
}

TEST_CASE("one and two threads give the same bits") {
  const int before = omp_get_max_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    Net net = cnn::resnet20(3, 5);
    net.init(seed);
    const Shape in{21, 12, 12, 3}, out = net.plan(in);
    const auto x = noise<float>(in.size(), 1), r = noise<float>(out.size(), 2);
    Buffer<float> gx(in.size());
    net.zero_grad();
    const float* y = net.forward(x.data(), Mode::train);
    std::vector<float> all(y, y + out.size());
    net.backward(r.data(), gx.data(), true);
    all.insert(all.end(), gx.begin(), gx.end());
    for (const auto* p : net.params())
      all.insert(all.end(), p->grad.begin(), p->grad.end());
    results.push_back(all);
  }
  omp_set_num_threads(before);
  const std::size_t bytes = results[0].size() * sizeof(float);
  CHECK(std::memcmp(results[0].data(), results[1].data(), bytes) == 0);
  CHECK(std::memcmp(results[0].data(), results[2].data(), bytes) == 0);
}
#endif

TEST_CASE("cross-entropy with label smoothing: value, gradient, bad labels") {
  const Index n = 3, k = 5;
  auto z = noise<float>(n * k, 1, 3);
  const std::vector<int> labels{4, 0, 2};
  Buffer<float> losses(n), grad(n * k), none(n);
  const double loss =
      cnn::cross_entropy(n, k, z.data(), labels, 0.1F, losses.data(), grad.data());
  CHECK(loss == doctest::Approx((losses[0] + losses[1] + losses[2]) / 3));
  double e = 0, want = 0;
  for (Index j = 0; j < k; ++j) e += std::exp(double(z[j]));
  for (Index j = 0; j < k; ++j)
    want -= (0.02 + (j == 4 ? 0.9 : 0)) * std::log(std::exp(double(z[j])) / e);
  CHECK(double(losses[0]) == doctest::Approx(want));
  for (Index i = 0; i < n * k; ++i) {
    const float old = z[i], h = 1e-2F;
    z[i] = old + h;
    const double up =
        cnn::cross_entropy(n, k, z.data(), labels, 0.1F, none.data(), nullptr);
    z[i] = old - h;
    const double down =
        cnn::cross_entropy(n, k, z.data(), labels, 0.1F, none.data(), nullptr);
    z[i] = old;
    CHECK(double(grad[i]) ==
          doctest::Approx((up - down) / (2 * double(h))).epsilon(1e-3).scale(0.1));
  }
  const std::vector<int> bad{4, 5, 2};
  CHECK_THROWS_AS(cnn::cross_entropy(n, k, z.data(), bad, 0, losses.data(), nullptr),
                  std::invalid_argument);
}

TEST_CASE("optimisers take the steps computed by hand") {
  const auto start = [](cnn::Param& p) {
    p.value[0] = 3, p.value[1] = 4, p.grad[0] = 1, p.grad[1] = 0;
  };
  cnn::Param p{"p", 2, 0, 0, true}, bias{"b", 2, 0, 0, false};
  {
    start(p), start(bias);
    bias.lr_scale = 2;
    cnn::Sgd sgd{{&p, &bias}, {0.5F, true, 0.1F, false}};
    sgd.step(0.1F);  // g = 1.3, v = 1.3; 1.3 + 0.65
    CHECK(p.value[0] == doctest::Approx(3 - 0.195));
    CHECK(p.value[1] == doctest::Approx(4 - 0.06));
    CHECK(bias.value[0] == doctest::Approx(3 - 0.3));
    sgd.step(0.1F);  // bias: v = 1.5; 1 + 0.75, at twice the rate
    CHECK(bias.value[0] == doctest::Approx(2.7 - 0.35));
    CHECK(sgd.state().size() == 2);
    CHECK(sgd.state()[1].value[0] == doctest::Approx(1.5));
  }
  {
    start(p);
    cnn::Sgd sgd{{&p}, {0.5F, false, 0.1F, true}};
    sgd.step(0.1F);
    CHECK(p.value[0] == doctest::Approx(3 - 0.1 - 0.03));
  }
  {
    start(p);
    p.decay = 0.5F;
    cnn::Sgd sgd{{&p}, {0.5F, false, 0.1F, true}};
    sgd.step(0.1F);
    CHECK(p.value[0] == doctest::Approx(3 - 0.1 - 0.015));
    p.decay = 1;
  }
  {
    start(p);
    cnn::AdamW adam{{&p}, {0.9F, 0.99F, 0, 0.1F}};
    p.grad[1] = -5;
    adam.step(0.1F);  // the first step is the sign
    CHECK(p.value[0] == doctest::Approx(3 - 0.1 - 0.03));
    CHECK(p.value[1] == doctest::Approx(4 + 0.1 - 0.04));
    CHECK(adam.state().back().value[0] == 1);
  }
  {
    start(p), start(bias);
    bias.lr_scale = 1;
    cnn::Lars lars{{&p, &bias}, {0.9F, 0.2F, 0.01F}};
    lars.step(1.0F);  // |w| = 5, |g| = 1: q = 0.05 / 2
    CHECK(p.value[0] == doctest::Approx(3 - 0.025 * 1.6));
    CHECK(bias.value[0] == doctest::Approx(2));
  }
}

TEST_CASE("triangle schedule") {
  const cnn::TriangleSchedule lr{1, 0.2F, 0.1F, 4, 13};
  CHECK(lr(0) == doctest::Approx(0.2));
  CHECK(lr(2) == doctest::Approx(0.6));
  CHECK(lr(4) == doctest::Approx(1));
  CHECK(lr(7) == doctest::Approx(0.7));
  CHECK(lr(13) == doctest::Approx(0.1));
  CHECK(lr(14) == doctest::Approx(0.1));
}

TEST_CASE("lookahead goes a part of the way, and hands it back") {
  Buffer<float> w(2);
  w[0] = 1, w[1] = -2;
  cnn::Lookahead ahead({{"w", {w.data(), 2}}});
  w[0] = 2, w[1] = 2;
  ahead.update(0.75F);
  CHECK(w[0] == 1.25F);
  CHECK(w[1] == -1);
  CHECK(ahead.state()[0].name == "lookahead.w");
  CHECK(ahead.state()[0].value[1] == -1);
  w[0] = 9;
  ahead.update(1);
  CHECK(w[0] == 1.25F);
}

TEST_CASE("layers that learn nothing are left out on the way back") {
  // Whoever asks for gradients of what lies before a fixed layer asks in vain.
  struct Never : cnn::Layer {
    bool& asked;
    explicit Never(bool& a) : asked{a} {}
    Shape plan(const Shape& in, cnn::Shared&) override { return in; }
    const float* forward(const float* x, Index, Mode) override { return x; }
    void backward(const float*, float*, bool) override { asked = true; }
  };
  bool asked = false;
  const auto gradients = [&](cnn::Start start) {
    Net net{std::make_unique<Never>(asked),
            std::make_unique<cnn::Conv>(3, 8, 3, 1, start), cnn::gelu(),
            cnn::conv3x3(8, 4), cnn::bn_relu(4)};
    net.init(seed);
    const Shape in{2, 8, 8, 3}, out = net.plan(in);
    const auto x = noise<float>(in.size(), 1), r = noise<float>(out.size(), 2);
    net.forward(x.data(), Mode::train);
    net.zero_grad();
    asked = false;
    net.backward(r.data(), nullptr, true);
    CHECK(!asked);
    std::vector<Buffer<float>> all;
    for (const auto* p : net.params()) all.push_back(copy_of(p->grad));
    Buffer<float> gx(in.size());
    net.backward(r.data(), gx.data(), false);
    CHECK(asked);
    return all;
  };
  const auto fixed = gradients(cnn::Start::fixed), learnt = gradients(cnn::Start::normal);
  REQUIRE(fixed.size() == 3);
  REQUIRE(learnt.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(dot(fixed[i], fixed[i].data()) > 0);
    check_close(fixed[i], learnt[i + 1], 0);
  }
}

TEST_CASE("blocks within blocks, with and without shortcuts: directional derivatives") {
  // Without kinks, so that only rounding is between the slope and the gradient.
  const auto block = [](Index ci, Index co, cnn::LayerPtr inner) {
    return std::make_unique<cnn::Residual>(
        cnn::sequential(cnn::conv3x3(ci, co), std::move(inner), cnn::bn(co)),
        ci == co ? nullptr : cnn::sequential(cnn::conv1x1(ci, co), cnn::bn(co)), false);
  };
  Net net{block(3, 8, block(8, 8, cnn::gelu())), cnn::gelu(),
          block(8, 4, block(4, 4, block(4, 4, cnn::bn(4)))), cnn::global_mean()};
  net.init(seed);
  const Shape in{3, 8, 8, 3}, out = net.plan(in);
  const auto x = noise<float>(in.size(), 1), d = noise<float>(in.size(), 2),
             r = noise<float>(out.size(), 3);
  Buffer<float> gx(in.size());
  net.forward(x.data(), Mode::frozen);
  net.zero_grad();
  net.backward(r.data(), gx.data(), true);
  const auto at = [&](float h) {
    auto moved = copy_of(x);
    for (Index i = 0; i < moved.size(); ++i) moved[i] += h * d[i];
    return dot(r, net.forward(moved.data(), Mode::frozen));
  };
  constexpr float h = 1e-2F;
  CHECK((at(h) - at(-h)) / (2 * double(h)) ==
        doctest::Approx(dot(d, gx.data())).epsilon(2e-3));
}

TEST_CASE("a convolution that starts as dirac passes its channels on") {
  for (const auto& [ci, co] : {std::pair<Index, Index>{4, 6}, {6, 4}}) {
    Net net{std::make_unique<cnn::Conv>(ci, co, 3, 1, cnn::Start::dirac)};
    net.init(seed);
    const Shape in{2, 5, 5, ci};
    net.plan(in);
    const auto x = noise<float>(in.size(), 1);
    const float* const y = net.forward(x.data(), Mode::eval);
    for (Index p = 0; p < in.n * in.pixels(); ++p)
      for (Index k = 0; k < std::min(ci, co); ++k) CHECK(y[p * co + k] == x[p * ci + k]);
  }
}

TEST_CASE("cosine schedule") {
  const cnn::CosineSchedule lr{0.4F, 0.1F, 4, 12};
  CHECK(lr(0) == doctest::Approx(0.1));
  CHECK(lr(3) == doctest::Approx(0.4));
  CHECK(lr(4) == doctest::Approx(0.4));
  CHECK(lr(8) == doctest::Approx(0.25));
  CHECK(lr(12) == doctest::Approx(0.1));
}

TEST_CASE("a toy problem is learnt") {
  const Shape in{48, 8, 8, 1};
  Net net = cnn::tiny(1, 8), head = cnn::linear_head(16, 3);
  net.init(seed), head.init(seed + 1);
  head.plan(net.plan(in));
  auto x = noise<float>(in.size(), 1);
  std::vector<int> labels;
  for (Index i = 0; i < in.n; ++i) {  // stripes along, across, or none
    const int label = int(i % 3);
    labels.push_back(label);
    for (Index p = 0; p < in.pixels(); ++p) {
      const Index line = label == 0 ? p / 8 : p % 8;
      if (label < 2) x[i * in.image() + p] += line % 2 == 0 ? 0.7F : -0.7F;
    }
  }
  auto params = net.params();
  params.insert(params.end(), head.params().begin(), head.params().end());
  cnn::Sgd sgd{params, {}};
  const cnn::CosineSchedule rate{0.1F, 0, 5, 40};
  Buffer<float> losses(in.n), gz(in.n * 3), gf(in.n * 16);
  double first = 0, last = 0;
  for (Index t = 0; t < 40; ++t) {
    net.zero_grad(), head.zero_grad();
    const float* z = head.forward(net.forward(x.data(), Mode::train), Mode::train);
    last = cnn::cross_entropy(in.n, 3, z, labels, 0, losses.data(), gz.data());
    if (t == 0) first = last;
    head.backward(gz.data(), gf.data(), true);
    net.backward(gf.data(), nullptr, true);
    sgd.step(rate(t));
  }
  MESSAGE("loss " << first << " -> " << last);
  CHECK(first > 0.8);
  CHECK(last < 0.1);
}

TEST_CASE("mistakes in a declaration are told") {
  CHECK_THROWS_AS(Net(cnn::conv3x3(3, 8), cnn::bn_relu(9)).plan({1, 4, 4, 3}),
                  std::invalid_argument);
  CHECK_THROWS_AS(Net(cnn::residual(cnn::conv3x3(3, 8))).plan({1, 4, 4, 3}),
                  std::invalid_argument);
  CHECK_THROWS_AS(cnn::make_net("vgg", 3), std::invalid_argument);
}
