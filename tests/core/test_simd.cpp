// Multiply-adds of lanes and of one number have the same bits, whatever the compiler
// makes of a * b + c: this file is compiled so that it fuses nothing by itself.
#include <doctest/doctest.h>

#include <random>

#include "hcl/core/simd.hpp"

TEST_CASE_TEMPLATE("a multiply-add of lanes is that of their numbers", T, float, double) {
  using V = hcl::Pack<T>;
  constexpr int width = hcl::width_of<V>;
  std::mt19937 rng{7};
  std::uniform_real_distribution<T> uniform(1, 2);
  for (int n = 0; n < 1000; ++n) {
    T a[width], b[width], c[width], sum[width];
    for (int l = 0; l < width; ++l) {
      a[l] = uniform(rng), b[l] = uniform(rng);
      c[l] = -(a[l] * b[l]);  // What is left is the rounding error, if fused.
    }
    hcl::vstore(sum, hcl::vfma(hcl::vload<V>(a), hcl::vload<V>(b), hcl::vload<V>(c)));
    for (int l = 0; l < width; ++l) CHECK(sum[l] == hcl::vfma(a[l], b[l], c[l]));
  }
}
