// Single points, as the README shows them.
#include <doctest/doctest.h>

#include <vector>

#include "hcl/core/view.hpp"
#include "hcl/manifold/poincare_ball.hpp"

TEST_CASE("two points, without a batch") {
  // clang-format off
  const hcl::PoincareBall<double> ball{1.0};
  const std::vector<double> x{0.1, 0.2}, y{-0.3, 0.4};  // or an array, {pointer, size}, a row of a view
  std::vector<double> v(2), z(2), gx(2), gy(2);
  double gc = 0;
  const double d = ball.dist(x, y);  // 1.0154
  ball.logmap(x, y, v);
  ball.expmap(x, v, z);                  // y again
  ball.dist_vjp(x, y, 1.0, gx, gy, gc);  // adds dd/dx, dd/dy, dd/dc
  // clang-format on

  CHECK(d == doctest::Approx(1.0154).epsilon(1e-4));
  CHECK(ball.norm(x, v) == doctest::Approx(d));
  CHECK(z[0] == doctest::Approx(y[0]));
  CHECK(z[1] == doctest::Approx(y[1]));
  // d is a function of the angle and of both radii: turning both points changes nothing.
  CHECK(gx[0] * x[1] - gx[1] * x[0] == doctest::Approx(gy[1] * y[0] - gy[0] * y[1]));
  CHECK(gc > 0);
  CHECK(ball.dist({x.data(), 2}, hcl::BatchIn<double>(y.data(), 1, 2).row(0)) == d);
}
