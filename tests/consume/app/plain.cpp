// A stranger's program without Eigen: distances of rows in memory of its own.
#include <cmath>
#include <hcl/manifold/batch.hpp>
#include <hcl/manifold/poincare_ball.hpp>

#if defined(EIGEN_WORLD_VERSION)
#error "hcl includes Eigen"
#endif

int main() {
  const double x[] = {0.5, 0, 0, 0.5}, y[] = {-0.5, 0, 0, -0.5};
  double d[2];
  hcl::dist(hcl::PoincareBall<double>(1.0), {x, 2, 2}, {y, 2, 2}, d);
  return std::abs(d[0] - 4 * std::atanh(0.5)) < 1e-14 && d[0] == d[1] ? 0 : 1;
}
