// Sums over coordinates, the bound that checks ask first, and updates by vectors.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "hcl/core/coordinates.hpp"

namespace {

TEST_CASE("sums and finiteness") {
  const std::vector<float> x{3e30f, 4e30f}, y{3e30f, 4e30f};
  CHECK(hcl::norm2<float>(x) == doctest::Approx(25e60));
  CHECK(hcl::diff2<float>(x, y) == 0);
  CHECK(hcl::is_finite(1.0f));
  CHECK_FALSE(hcl::is_finite(std::numeric_limits<double>::quiet_NaN()));
  CHECK_FALSE(hcl::is_finite(std::numeric_limits<double>::infinity()));
}

TEST_CASE_TEMPLATE("a sum has the same bits in any company", T, float, double) {
  for (const std::size_t n : {1U, 7U, 16U, 33U, 128U, 131U}) {
    CAPTURE(n);
    std::vector<T> x(n), y(n);
    for (std::size_t k = 0; k < n; ++k)
      x[k] = T(std::sin(double(k) + 0.3)), y[k] = T(std::cos(3.0 * double(k)));
    const auto same = [](const hcl::Sum<T>& a, const hcl::Sum<T>& b) {
      return hcl::Wide<T>(a - b) == hcl::Wide<T>(0);
    };
    const hcl::Point<T> u(x), v(y);
    const auto [uu, vv, uv] = hcl::detail::gram_sums<T>(u, v);
    CHECK(same(uu, hcl::detail::dot_sum<T>(u, u)));
    CHECK(same(vv, hcl::detail::dot_sum<T>(v, v)));
    CHECK(same(uv, hcl::detail::dot_sum<T>(u, v)));
    double want = 0;
    for (std::size_t k = 0; k < n; ++k) want += double(x[k]) * double(y[k]);
    CHECK(double(hcl::Wide<T>(uv)) == doctest::Approx(want).epsilon(1e-12));
  }
}

/// Numbers of all magnitudes whose squares T can hold, and some whose squares vanish.
template <class T>
std::vector<T> spread(std::size_t n, double decades) {
  std::vector<T> x(n);
  for (std::size_t k = 0; k < n; ++k)
    x[k] = T(std::sin(double(7 * k + 1)) * std::pow(10.0, -decades * double(k % 5) / 4));
  return x;
}

TEST_CASE_TEMPLATE("the bound of |x|^2 is above it, and close", T, float, double) {
  const double u = double(std::numeric_limits<T>::epsilon());
  for (const std::size_t n : {0U, 1U, 3U, 8U, 16U, 33U, 128U, 1023U})
    for (const double decades :
         {0.0, 3.0, double(std::numeric_limits<T>::max_exponent10)}) {
      CAPTURE(n);
      CAPTURE(decades);
      const std::vector<T> x = spread<T>(n, decades);
      long double exact = 0;
      for (const T& v : x) exact += static_cast<long double>(v) * v;
      const double bound = hcl::detail::norm2_at_most<T>(x);
      CHECK(static_cast<long double>(bound) >= exact);
      CHECK(bound <= double(exact) * (1 + 2 * double(n + 4) * u) + 1e-40);
    }
  // Squares that underflow to 0, and more numbers than the bound is proven for.
  const std::vector<T> tiny(33, std::numeric_limits<T>::min());
  CHECK(hcl::detail::norm2_at_most<T>(tiny) > 0);
  const std::vector<T> many(std::size_t{1} << 20, T(0));
  CHECK_FALSE(hcl::is_finite(hcl::detail::norm2_at_most<T>(many)));
}

TEST_CASE_TEMPLATE("no bound where |x|^2 is not finite in T", T, float, double) {
  const T large = std::numeric_limits<T>::max(),
          nan = std::numeric_limits<T>::quiet_NaN();
  for (const std::size_t n : {1U, 8U, 40U})
    for (std::size_t at = 0; at < n; ++at)
      for (const T bad : {large, -std::numeric_limits<T>::infinity(), nan}) {
        std::vector<T> x(n, T(0.5));
        x[at] = bad;
        CHECK_FALSE(hcl::is_finite(hcl::detail::norm2_at_most<T>(x)));
      }
}

TEST_CASE_TEMPLATE("updates are rounded once, in vectors and in what is left", T, float,
                   double) {
  using hcl::detail::Coordinates;
  for (const std::size_t n : {1U, 3U, 4U, 8U, 19U, 128U}) {
    CAPTURE(n);
    const std::vector<T> x = spread<T>(n, 2);
    std::vector<T> y(n), sum(n, T(1));
    const hcl::Grad<T> out(y), total(sum);
    hcl::detail::each_coordinate<T>(n, [&]<class V>(Coordinates<V> at) {
      at.put(out, V(at(x) + at(x)));
      at.add(total, at(x));
      at.add(total, at(x));  // of what is there by now
    });
    for (std::size_t k = 0; k < n; ++k) {
      CHECK(y[k] == T(2) * x[k]);
      CHECK(sum[k] == T(T(T(1) + x[k]) + x[k]));
    }
  }
}

}  // namespace
