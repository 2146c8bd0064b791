// The laws of every geometry in float and double, at curvatures other than 1.
#include <doctest/doctest.h>

#include "hcl/manifold/models.hpp"
#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
namespace t = hcl::testing;

TEST_CASE_TEMPLATE("manifold laws", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  static_assert(hcl::GramMetric<M> && hcl::TrainableManifold<M>);
  for (const double c : curvatures) {
    CAPTURE(c);
    CAPTURE(seed);
    const M m = make<M>(c);
    auto points = random_points(m, 7, 5);
    points.row(5) = points.row(4);                // coincident
    points.row(6) = points.row(4) * T(1 - 1e-3);  // close, and collinear
    const auto vectors = random_vectors<T>(7, 5, 1, seed + 1);
    const auto metric = t::check_metric_laws(m, points);
    CHECK_MESSAGE(metric.ok, metric.message);
    const auto manifold = t::check_manifold_laws(m, points, vectors);
    CHECK_MESSAGE(manifold.ok, manifold.message);
    if constexpr (std::same_as<T, double>) {
      const auto gram = t::check_gram_laws(m, points);
      CHECK_MESSAGE(gram.ok, gram.message);
    }
  }
}

TEST_CASE_TEMPLATE("ball and Lorentz are isometric", T, float, double) {
  for (const double c : curvatures) {
    const hcl::PoincareBall<T> ball{T(c)};
    const auto lorentz = hcl::Lorentz<T>(ball.c());
    const auto x = random_points(ball, 6, 4);
    Rows<T> y(6, 4), z(6, 4);
    for (hcl::Index i = 0; i < 6; ++i) {
      hcl::to_lorentz(ball, hcl::BatchIn<T>(x).row(i), hcl::BatchOut<T>(y).row(i));
      hcl::to_ball(lorentz, hcl::BatchIn<T>(y).row(i), hcl::BatchOut<T>(z).row(i));
    }
    const double eps = double(std::numeric_limits<T>::epsilon());
    CHECK(double((x - z).norm()) <= 16 * eps * double(x.norm()));
    for (hcl::Index i = 0; i < 6; ++i)
      for (hcl::Index j = 0; j < 6; ++j) {
        const hcl::BatchIn<T> xs(x), ys(y);
        const double a = double(ball.dist(xs.row(i), xs.row(j)));
        CHECK(double(lorentz.dist(ys.row(i), ys.row(j))) ==
              doctest::Approx(a).epsilon(1000 * eps));
      }
  }
}

TEST_CASE("the limits c -> 0 are flat") {
  const double c = 1e-12;
  const std::vector<double> x{0.3, -0.2, 0.5}, y{-0.1, 0.4, 0.2};
  const double flat = hcl::Euclidean<double>().dist(x, y);
  CHECK(hcl::PoincareBall<double>(c).dist(x, y) ==
        doctest::Approx(2 * flat).epsilon(1e-10));
  CHECK(hcl::Lorentz<double>(c).dist(x, y) == doctest::Approx(flat).epsilon(1e-10));
}

TEST_CASE_TEMPLATE("a huge vector ends at the documented radius", T, float, double) {
  const double c = 0.7;
  const hcl::PoincareBall<T> ball{T(c)};
  const std::vector<T> v{T(1e6), T(-2e6), T(5)};
  std::vector<T> z(3);
  ball.expmap0(v, z);
  CHECK(ball.is_on_manifold(z).ok);
  const double radius = std::sqrt(c) * double(ball.dist0(z));
  CHECK(radius > (sizeof(T) == 4 ? 14.5 : 34.5));
  CHECK(radius < (sizeof(T) == 4 ? 15.3 : 35.4));
  const hcl::Lorentz<T> lorentz{T(c)};
  lorentz.expmap0(v, z);
  CHECK(lorentz.is_on_manifold(z).ok);
  CHECK(hcl::is_finite(lorentz.dist0(z)));
}

}  // namespace
