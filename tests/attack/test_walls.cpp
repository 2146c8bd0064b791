// L2 steps beside the walls of the box: no length is spent on what a wall, or the ball,
// holds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hcl/attack/fgsm.hpp"
#include "support/linear_loss.hpp"

namespace {

/// In ball and box, exactly.
template <class T>
bool feasible(const hcl::Threat<T>& t, hcl::Point<T> x, hcl::Point<T> y) {
  for (const T v : y)
    if (!(v >= t.lo && v <= t.hi)) return false;
  return std::sqrt(hcl::diff2<T>(x, y)) <= hcl::Wide<T>(t.epsilon);
}

}  // namespace

TEST_CASE_TEMPLATE("entries that a wall holds cost nothing", T, float, double) {
  const hcl::Index n = 3, d = 1000;
  std::mt19937 rng{3};
  std::uniform_real_distribution<double> u{0, 1};
  std::normal_distribution<double> normal;
  const T lo = T(0.1), hi = T(0.9);  // not numbers of either type
  // The distance of the held ones from their wall: none, one number, a little.
  for (const double gap : {0.0, double(std::numeric_limits<T>::epsilon()), 1e-3})
    for (const double strength : {0.2, 1.0, 5.0, 1e6, 1e15}) {
      std::vector<T> w(static_cast<std::size_t>(d)), x(std::size_t(n * d));
      for (std::size_t k = 0; k < w.size(); ++k)
        w[k] = T(normal(rng) * (k % 5 != 0 ? strength : 1));
      for (std::size_t k = 0; k < x.size(); ++k) {
        const bool up = w[k % w.size()] > T(0);
        x[k] = k % 5 == 0 ? T(0.1 + 0.8 * u(rng))
               : up       ? T(double(hi) - gap * u(rng))
                          : T(double(lo) + gap * u(rng));
        x[k] = std::clamp(x[k], lo, hi);
      }
      const hcl::BatchIn<T> clean(x.data(), n, d);
      for (const T epsilon : {T(0.01), T(0.5), T(3), T(20), T(100)}) {
        const hcl::Threat<T> threat{hcl::Norm::l2, epsilon, lo, hi};
        auto a = x, b = x;
        hcl::pgd(LinearLoss<T>{w, clean}, threat, {}, hcl::BatchOut<T>(a.data(), n, d),
                 {});
        hcl::fgsm(LinearLoss<T>{w, clean}, threat, hcl::BatchOut<T>(b.data(), n, d), {});
        CAPTURE(gap);
        CAPTURE(strength);
        CAPTURE(epsilon);
        for (hcl::Index i = 0; i < n; ++i) {
          const double best = best_gain(threat, w, clean.row(i));
          // PGD spends its first steps on what the random start moved off a wall.
          for (const auto& [y, least] : {std::pair(&a, 0.998), std::pair(&b, 0.999)}) {
            const auto row = hcl::BatchIn<T>(y->data(), n, d).row(i);
            CHECK(feasible(threat, clean.row(i), row));
            CHECK(gain<T>(w, clean.row(i), row) > least * best);
          }
        }
      }
    }
}

TEST_CASE_TEMPLATE("a box of no room, one side of it, and none", T, float, double) {
  const T infinity = std::numeric_limits<T>::infinity();
  const std::size_t d = 6;
  const std::vector<T> w{1, -1, 1, -1, T(1e-30), T(1e30)};
  const auto attacked = [&](hcl::Threat<T> t, std::vector<T> x) {
    const auto clean = x;
    hcl::pgd(LinearLoss<T>{w, {clean.data(), 1, hcl::Index(d)}}, t,
             {.steps = 8, .random_start = false},
             hcl::BatchOut<T>(x.data(), 1, hcl::Index(d)), {});
    return x;
  };
  // Every entry at the wall that its gradient points out of.
  const std::vector<T> corner{1, 0, 1, 0, 1, 1};
  for (const T epsilon : {T(1e-6), T(0.5), T(30)})
    CHECK(attacked({hcl::Norm::l2, epsilon, 0, 1}, corner) == corner);
  // One entry has room, of a gradient that is 1e-30 of another's.
  auto one = corner;
  one[4] = T(0.25);
  const auto moved = attacked({hcl::Norm::l2, T(0.5), 0, 1}, one);
  CHECK(moved[4] == doctest::Approx(0.75));
  CHECK(attacked({hcl::Norm::l2, T(2), 0, 1}, one) == corner);
  // A room of one point, and walls at infinity.
  CHECK(attacked({hcl::Norm::l2, T(2), 0, 0}, std::vector<T>(d, 0)) ==
        std::vector<T>(d, 0));
  const auto up = attacked({hcl::Norm::l2, T(2), 0, infinity}, std::vector<T>(d, 0));
  CHECK(up[5] == doctest::Approx(2));
  const auto open =
      attacked({hcl::Norm::l2, T(2), -infinity, infinity}, std::vector<T>(d, 0));
  CHECK(open[5] == doctest::Approx(2));
}

TEST_CASE(
    "a row that the ball stops moves on along it by the step, and rests at the top") {
  // From a quarter turn away on the ball, steps of 0.1 epsilon: 16 make the turn.
  const std::vector<double> w{0, 1}, x{0, 0};
  const hcl::Threat<double> t{hcl::Norm::l2, 1, -9, 9};
  std::vector<double> y{1, 0};
  for (int step = 0; step < 16; ++step) {
    const auto before = y;
    hcl::detail::ascend<double>(t, 0.1, x, w, y);
    CHECK(std::hypot(y[0] - before[0], y[1] - before[1]) <= 0.1 * (1 + 1e-12));
    if (step < 12) CHECK(std::hypot(y[0] - before[0], y[1] - before[1]) > 0.09);
    CHECK(std::hypot(y[0], y[1]) <= 1);
  }
  CHECK(y[1] > 0.99);
  for (int step = 0; step < 5; ++step) hcl::detail::ascend<double>(t, 0.1, x, w, y);
  CHECK(y[1] > 1 - 1e-9);
}
