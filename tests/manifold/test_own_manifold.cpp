// A geometry of one's own, written as the README tells it, and held to the laws.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/concept.hpp"
#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"

namespace {

/// Hyperbolic half-space {x : x_D > 0} of curvature -1: d = 2 asinh(|x-y|/(2 sqrt(x_D
/// y_D))).
struct HalfSpace {
  using Scalar = double;

  [[nodiscard]] double dist(hcl::Point<double> x, hcl::Point<double> y) const {
    return 2 *
           std::asinh(std::sqrt(hcl::diff2<double>(x, y) / (4 * x.back() * y.back())));
  }
  void dist_vjp(hcl::Point<double> x, hcl::Point<double> y, double g,
                hcl::Grad<double> gx, hcl::Grad<double> gy, double&) const {
    const double q = hcl::diff2<double>(x, y) / (4 * x.back() * y.back());
    if (q == 0) return;
    const double k = g / std::sqrt(q * (1 + q));  // g dd/dq
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = k * (x[i] - y[i]) / (2 * x.back() * y.back());
      gx[i] += u;
      gy[i] -= u;
    }
    gx.back() -= k * q / x.back();
    gy.back() -= k * q / y.back();
  }
};

/// The same with a wrong sign, which the checks must find.
struct Wrong : HalfSpace {
  void dist_vjp(hcl::Point<double> x, hcl::Point<double> y, double g,
                hcl::Grad<double> gx, hcl::Grad<double> gy, double& gc) const {
    HalfSpace::dist_vjp(x, y, g, gy, gx, gc);
  }
};

/// The same overwriting what it must add to.
struct Overwrites : HalfSpace {
  void dist_vjp(hcl::Point<double> x, hcl::Point<double> y, double g,
                hcl::Grad<double> gx, hcl::Grad<double> gy, double& gc) const {
    std::fill(gx.begin(), gx.end(), 0.0);
    HalfSpace::dist_vjp(x, y, g, gx, gy, gc);
  }
};

/// Flat space whose distances are over sqrt(c), and so have a derivative by c.
struct Scaled {
  using Scalar = double;
  double c;

  [[nodiscard]] double dist(hcl::Point<double> x, hcl::Point<double> y) const {
    return std::sqrt(hcl::diff2<double>(x, y) / c);
  }
  void dist_vjp(hcl::Point<double> x, hcl::Point<double> y, double g,
                hcl::Grad<double> gx, hcl::Grad<double> gy, double& gc) const {
    const double d = dist(x, y);
    if (d == 0) return;
    for (std::size_t i = 0; i < x.size(); ++i)
      gx[i] += g * (x[i] - y[i]) / (c * d), gy[i] -= g * (x[i] - y[i]) / (c * d);
    gc -= g * d / (2 * c);
  }
};

support::Rows<double> points() {
  auto x = support::random_vectors<double>(6, 3, 2);
  x.col(2) = x.col(2).cwiseAbs().array() + 0.1;
  return x;
}

TEST_CASE("two functions make a metric, and it passes the laws") {
  static_assert(hcl::Metric<HalfSpace>);
  const auto laws = hcl::testing::check_metric_laws(HalfSpace{}, points());
  CHECK_MESSAGE(laws.ok, laws.message);
  const auto gradients = hcl::testing::check_gradients(HalfSpace{}, points());
  CHECK_MESSAGE(gradients.ok, gradients.message);
}

TEST_CASE("the laws catch a wrong gradient") {
  const auto r = hcl::testing::check_gradients(Wrong{}, points());
  CHECK_FALSE(r.ok);
  CHECK(r.message.find("gradient") != std::string::npos);
}

TEST_CASE("a gradient that is not added is caught, and one by c asks for a remake") {
  CHECK_FALSE(hcl::testing::check_gradients(Overwrites{}, points()).ok);
  const auto by_rows = hcl::testing::check_gradients(Scaled{0.3}, points());
  CHECK_MESSAGE(by_rows.ok, by_rows.message);
  const auto remake = [](double c) { return Scaled{c}; };
  const auto by_c = hcl::testing::check_gradients(Scaled{0.3}, points(), remake, 0.3);
  CHECK_MESSAGE(by_c.ok, by_c.message);
  const auto other = [](double c) { return Scaled{c * c / 0.3}; };
  CHECK_FALSE(hcl::testing::check_gradients(Scaled{0.3}, points(), other, 0.3).ok);
}

TEST_CASE("batch calls take it as they take the library's own") {
  const auto x = points(), y = support::Rows<double>(x.colwise().reverse());
  std::vector<double> d(6);
  hcl::dist(HalfSpace{}, x, y, d);
  CHECK(d[1] ==
        HalfSpace{}.dist(hcl::BatchIn<double>(x).row(1), hcl::BatchIn<double>(y).row(1)));
}

}  // namespace
