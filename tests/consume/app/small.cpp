// A stranger's program: one distance, Eigen and the vectors of hcl.
#include <Eigen/Core>
#include <cmath>
#include <hcl/manifold/poincare_ball.hpp>

#if defined(_OPENMP)
#error "OpenMP's flags come with hcl::openmp, and with nothing else"
#endif

int main() {
  const Eigen::Vector3d x(0.5, 0, 0), y(-0.5, 0, 0);
  const double d = hcl::PoincareBall<double>(1.0).dist({x.data(), 3}, {y.data(), 3});
  return std::abs(d - 4 * std::atanh(0.5)) < 1e-14 ? 0 : 1;
}
