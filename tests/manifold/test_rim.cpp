// The exponential at the origin beyond the farthest point that it gives: its value stays
// there, and its backward goes on, so that what has left the range comes back.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "hcl/manifold/batch.hpp"
#include "hcl/manifold/metric_vjp.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;

/// v = length (u_1, ..., u_n), |u| = 1.
template <class T>
std::vector<T> ray(std::size_t n, double length) {
  const auto u = random_vectors<double>(1, hcl::Index(n), 1, unsigned(seed + n));
  std::vector<T> v(n);
  for (std::size_t i = 0; i < n; ++i)
    v[i] = T(length * u(0, hcl::Index(i)) / u.row(0).norm());
  return v;
}
template <class T>
double length_of(const std::vector<T>& v) {
  return double(hcl::detail::length<T>(v));
}
/// d/d|v| of what has the gradient g by v.
template <class T>
double outwards(const std::vector<T>& g, const std::vector<T>& v) {
  long double s = 0;
  for (std::size_t i = 0; i < v.size(); ++i) s += (long double)(g[i]) * v[i];
  return double(s) / length_of(v);
}

TEST_CASE_TEMPLATE("dist0(expmap0(v)) grows by origin_scale() at any |v|", M,
                   hcl::PoincareBall<float>, hcl::PoincareBall<double>,
                   hcl::Lorentz<float>, hcl::Lorentz<double>) {
  using T = hcl::ScalarOf<M>;
  const bool is_float = sizeof(T) == sizeof(float);
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : {0.25, 1.0, 2.3}) {
    const M m = make<M>(c);
    const double k = double(m.origin_scale());
    for (const std::size_t n : {1u, 2u, 9u, 40u})
      for (double s = 0.25; s <= (is_float ? 90 : 400); s *= 1.07) {
        CAPTURE(c);
        CAPTURE(n);
        CAPTURE(s);
        const auto v = ray<T>(n, s / std::sqrt(c));
        std::vector<T> z(n), gz(n, T(0)), gv(n, T(0));
        T dist_by_c(0), z_by_c(0);
        m.expmap0(v, z);
        hcl::dist0_vjp(m, z, T(1), gz, dist_by_c);
        m.expmap0_vjp(v, gz, gv, z_by_c);
        CHECK(std::abs(outwards(gv, v) - k) <= k * (is_float ? 5e-4 : 5e-7));
        // dist0(expmap0(v)) = origin_scale() |v| for any c.
        CHECK(std::abs(double(z_by_c) + double(dist_by_c)) <=
              32 * eps * (std::abs(double(dist_by_c)) + s));
        // By rows the same.
        std::vector<T> rows(n, T(0));
        T c_of_rows(0);
        const auto size = hcl::Index(n);
        hcl::expmap0_vjp(m, hcl::BatchIn<T>(v.data(), 1, size),
                         hcl::BatchIn<T>(gz.data(), 1, size),
                         hcl::BatchOut<T>(rows.data(), 1, size), c_of_rows);
        CHECK(rows == gv);
        CHECK(c_of_rows == z_by_c);
      }
  }
}

TEST_CASE_TEMPLATE("a pull towards another point reaches v from beyond the rim", T, float,
                   double) {
  const double tolerance = sizeof(T) == sizeof(float) ? 1e-3 : 1e-6;
  const hcl::PoincareBall<T> m;
  const std::vector<T> y{T(0.2), T(-0.3), T(0.1)};
  for (const double s : {7.0, 8.0, 9.0, 10.0, 15.0, 18.0, 20.0, 30.0, 40.0}) {
    CAPTURE(s);
    const auto v = ray<T>(3, s);
    std::vector<T> z(3), gz(3, T(0)), gy(3, T(0)), gv(3, T(0));
    T c(0);
    m.expmap0(v, z);
    m.dist_vjp(z, y, T(1), gz, gy, c);
    m.expmap0_vjp(v, gz, gv, c);
    // Far out d(z, y) is 2|v| and a Busemann function of y.
    CHECK(std::abs(outwards(gv, v) - 2) <= tolerance);
  }
}

TEST_CASE_TEMPLATE("across a ray the exponential is a multiple of v, also at the rim", T,
                   float, double) {
  const hcl::PoincareBall<T> m;
  for (const double s : {2.0, 5.0, 9.0, 20.0, 40.0}) {
    CAPTURE(s);
    const std::vector<T> v{T(s), T(0)}, gz{T(0), T(1)};
    std::vector<T> z(2), gv(2, T(0));
    T c(0);
    m.expmap0(v, z);
    m.expmap0_vjp(v, gz, gv, c);
    CHECK(double(gv[0]) == 0);
    CHECK(double(gv[1]) == doctest::Approx(double(z[0]) / s).epsilon(1e-6));
    CHECK(double(c) == 0);
  }
}

}  // namespace
