// The length of PGD's steps: long enough for the ball unless said, and told where it is
// not.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "hcl/attack/fgsm.hpp"
#include "support/linear_loss.hpp"

TEST_CASE_TEMPLATE("a linear loss reaches its optimum in any ball, by default", T, float,
                   double) {
  const hcl::Index n = 4, d = 3072;
  std::mt19937 rng{11};
  std::uniform_real_distribution<double> u{0, 1};
  std::normal_distribution<double> normal;
  std::vector<T> x(std::size_t(n * d)), w(static_cast<std::size_t>(d));
  for (T& v : x) v = T(u(rng));
  for (T& v : w) v = T(normal(rng));
  for (const auto& [of, size] :
       {std::pair{hcl::Norm::linf, 8.0 / 255}, std::pair{hcl::Norm::linf, 0.3},
        std::pair{hcl::Norm::l2, 0.5}, std::pair{hcl::Norm::l2, 1.0},
        std::pair{hcl::Norm::l2, 3.0}}) {
    const double epsilon = size;  // clang 14 captures no structured binding
    const hcl::Threat<T> threat{.norm = of, .epsilon = T(epsilon)};
    const hcl::BatchIn<T> clean(x.data(), n, d);
    auto a = x;
    const auto report = hcl::pgd(LinearLoss<T>{w, clean}, threat, {},
                                 hcl::BatchOut<T>(a.data(), n, d), {});
    CAPTURE(epsilon);
    CHECK(report.reliable());
    for (hcl::Index i = 0; i < n; ++i)
      CHECK(gain<T>(w, clean.row(i), hcl::BatchIn<T>(a.data(), n, d).row(i)) >
            0.999 * best_gain(threat, w, clean.row(i)));
  }
}

TEST_CASE("steps that cannot cross the ball are told") {
  const hcl::Index n = 2, d = 48;
  const std::vector<float> x(std::size_t(n * d), 0.5F);
  const hcl::BatchIn<float> clean(x.data(), n, d);
  std::vector<float> w(std::size_t(d), 1.0F);
  const auto report = [&](hcl::Threat<float> t, hcl::PgdOptions<float> o) {
    auto a = x;
    return hcl::pgd(LinearLoss<float>{w, clean}, t, o,
                    hcl::BatchOut<float>(a.data(), n, d), {});
  };
  const float small = 2.0F / 255;
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    const hcl::Threat<float> narrow{.norm = norm, .epsilon = 8.0F / 255},
        wide{.norm = norm, .epsilon = 0.4F};
    CHECK(report(narrow, {.step_size = small}).reliable());
    CHECK_FALSE(report(wide, {.step_size = small}).reliable());
    CHECK_FALSE(report(wide, {.step_size = small}).crosses);
    CHECK(report(wide, {}).reliable());
    CHECK(report(wide, {}).step_size == doctest::Approx(2.5 * 0.4 / 20));
    CHECK(report(wide, {.steps = 5}).step_size == doctest::Approx(2.5 * 0.4 / 5));
    CHECK(report(wide, {.step_size = small}).step_size == double(small));
    // A random start may be as far as 2 epsilon from where it must go, x itself epsilon.
    CHECK(report(wide, {.step_size = 2 * 0.4F / 20}).crosses);
    CHECK_FALSE(report(wide, {.step_size = 1.9F * 0.4F / 20}).crosses);
    CHECK(report(wide, {.step_size = 0.4F / 20, .random_start = false}).crosses);
    CHECK_FALSE(report(wide, {.step_size = 0.38F / 20, .random_start = false}).crosses);
    CHECK_FALSE(report(wide, {.steps = 0}).reliable());
    const hcl::Threat<float> point{.norm = norm, .epsilon = 0};
    CHECK(report(point, {}).reliable());
    CHECK(report(point, {.steps = 0}).reliable());
  }
  auto a = x;
  CHECK(hcl::fgsm(LinearLoss<float>{w, clean}, {.epsilon = 0.4F},
                  hcl::BatchOut<float>(a.data(), n, d), {})
            .reliable());
}

TEST_CASE("an epsilon beyond the box counts as the box's size") {
  const hcl::Index n = 1, d = 16;
  std::vector<float> w(std::size_t(d), 1.0F);
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    const std::vector<float> x(std::size_t(d), 0.25F);
    auto a = x;
    const auto report =
        hcl::pgd(LinearLoss<float>{w, {x.data(), n, d}}, {.norm = norm, .epsilon = 1e30F},
                 {}, hcl::BatchOut<float>(a.data(), n, d), {});
    CHECK(report.step_size == (norm == hcl::Norm::linf ? 0.125 : 0.5));
    CHECK(report.reliable());
    for (const float v : a) CHECK(v == 1.0F);
  }
}
