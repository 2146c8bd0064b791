// hcl after headers whose macros are ordinary words.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <numbers>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <version>
#if defined(_OPENMP)
#include <omp.h>
#endif

// The vectors, which are not ours.
#if __has_include(<xsimd/xsimd.hpp>)
#include <xsimd/xsimd.hpp>
#endif

#include "support/common_macros.hpp"
// After which
#include "hcl/hcl.hpp"
#include "hcl/testing/gradient_check.hpp"
#include "hcl/testing/manifold_laws.hpp"

namespace {

TEST_CASE("hcl works after headers whose macros are ordinary words") {
  const float x[] = {0.1f, 0.2f, -0.3f, 0.4f, 0.15f, 0.2f, -0.3f, 0.35f};
  float g[8] = {}, d[16];
  const hcl::BatchIn<float> rows(x, 4, 2);
  const auto each = [&](const auto& geometry) {
    const hcl::NtXent loss{hcl::NegDist{geometry}, 0.2f};
    CHECK(loss.value_and_grad(rows, {g, 4, 2}).value > 0);
    hcl::distance_matrix(geometry, rows, {d, 4, 4});
    CHECK(d[1] > 0);
  };
  each(hcl::Lorentz<float>{0.7f});
  each(hcl::PoincareBall<float>{0.7f});
  each(hcl::Sphere<float>{0.7f});
}

}  // namespace
