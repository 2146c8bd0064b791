// A stranger's program: a loss and its gradient.
#include <Eigen/Core>
#include <cmath>
#include <cstdio>
#include <hcl/hcl.hpp>

#if defined(_OPENMP) != defined(WITH_OPENMP)
#error "OpenMP's flags come with hcl::openmp, and with nothing else"
#endif

int main() {
  using Matrix = Eigen::Matrix<float, -1, -1, Eigen::RowMajor>;
  Matrix x(8, 3), gx(8, 3);  // rows i and i + 4 are two views of one thing
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 3; ++j)
      x(i, j) = 0.3f * std::sin(1.0f + static_cast<float>((i % 4) * 3 + j) +
                                0.1f * static_cast<float>(i / 4));

  const hcl::NtXent loss{hcl::NegDist{hcl::PoincareBall<float>{0.1f}}, 0.2f};
  const double value = static_cast<double>(loss.value_and_grad(x, gx).value);
  std::printf("hcl %d.%d.%d: loss %.6f, |gradient| %.6f\n", HCL_VERSION_MAJOR,
              HCL_VERSION_MINOR, HCL_VERSION_PATCH, value,
              static_cast<double>(gx.norm()));
  return value > 0 && value < 10 && gx.allFinite() && gx.norm() > 0 ? 0 : 1;
}
