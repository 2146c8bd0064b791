// One variant of hcl in a program of several; NAME is the function's.
#include <cmath>
#include <vector>

#include "hcl/loss/nt_xent.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/similarity/neg_dist.hpp"

/// A loss and what its gradient adds up to, of rows that two variants round differently.
extern "C" void NAME(double* value, double* sum) {
  const int n = 96, d = 33;
  const auto size = static_cast<std::size_t>(n * d);
  std::vector<float> x(size), g(size);
  for (std::size_t i = 0; i < size; ++i)
    x[i] = 0.2f * std::sin(1.0f + 0.37f * static_cast<float>(i));
  const hcl::NtXent loss{hcl::NegDist{hcl::PoincareBall<float>{0.1f}}, 0.2f};
  *value = static_cast<double>(
      loss.value_and_grad(hcl::BatchIn<float>{x.data(), n, d}, {g.data(), n, d}).value);
  *sum = 0;
  for (std::size_t i = 0; i < size; ++i)
    *sum += static_cast<double>(g[i] * static_cast<float>(i % 7));
}
