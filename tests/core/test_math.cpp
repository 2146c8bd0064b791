// The scalar functions against 50 digits, through every cut between series and closed
// form.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>

#include "hcl/core/math.hpp"

namespace {

using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<100>>;
using Fifty = boost::multiprecision::cpp_bin_float_50;

/// Largest relative error, in epsilon of T, of f over x in (0, end), against 100 digits.
template <class T, class F>
double worst_error(const F& f, double end) {
  double worst = 0;
  for (double x = 1e-9; x < end; x *= 1.07) {
    const T at = static_cast<T>(x);
    const Exact want = f(Exact(at)), got = Exact(f(at));
    worst = std::max(worst, double(abs((got - want) / want)));
  }
  return worst / double(std::numeric_limits<T>::epsilon());
}

TEST_CASE_TEMPLATE("f(x)/x and its slope keep their digits", T, float, double, Fifty) {
  using namespace hcl;
  // The library of 50 digits keeps a digit less of its own sinh and asinh.
  const double few = std::same_as<T, Fifty> ? 40 : 4,
               many = std::same_as<T, Fifty> ? 120 : 30;
  CHECK(worst_error<T>([](const auto& x) { return tanhc(x); }, 30) < few);
  CHECK(worst_error<T>([](const auto& x) { return asinhc(x); }, 1e4) < few);
  CHECK(worst_error<T>([](const auto& x) { return sinhc(x); }, 30) < few);
  CHECK(worst_error<T>([](const auto& x) { return atanhc(x); }, 0.95) < few);
  CHECK(worst_error<T>([](const auto& x) { return sinc(x); }, 1.5) < few);
  CHECK(worst_error<T>([](const auto& x) { return tanhc_slope(x); }, 30) < many);
  CHECK(worst_error<T>([](const auto& x) { return asinhc_slope(x); }, 1e4) < many);
  CHECK(worst_error<T>([](const auto& x) { return sinhc_slope(x); }, 30) < many);
  CHECK(worst_error<T>([](const auto& x) { return atanhc_slope(x); }, 0.95) < many);
  CHECK(worst_error<T>([](const auto& x) { return sinc_slope(x); }, 1.5) < many);
  CHECK(worst_error<T>([](const auto& x) { return atanc_slope(x); }, 1e4) < many);
}

TEST_CASE("values and slopes at 0") {
  CHECK(hcl::tanhc(0.0) == 1);
  CHECK(hcl::tanhc_slope(0.0) == doctest::Approx(-2.0 / 3));
  CHECK(hcl::asinhc_slope(0.0) == doctest::Approx(-1.0 / 3));
  CHECK(hcl::atanhc_slope(0.0) == doctest::Approx(2.0 / 3));
  CHECK(hcl::sinhc_slope(0.0) == doctest::Approx(1.0 / 3));
  CHECK(hcl::sinc_slope(0.0) == doctest::Approx(-1.0 / 3));
}

TEST_CASE("the lanes' series of F' meets the slope: F'(x^2) = asinhc_slope(x)/2") {
  for (double w = 1e-8; w < 0.01; w *= 1.3)
    CHECK(hcl::detail::asinhc_slope_near0<double>(w) ==
          doctest::Approx(hcl::asinhc_slope(std::sqrt(w)) / 2).epsilon(1e-14));
  for (float w = 1e-6f; w < 0.1f; w *= 1.3f)
    CHECK(hcl::detail::asinhc_slope_near0<float>(w) ==
          doctest::Approx(double(hcl::asinhc_slope(std::sqrt(w))) / 2).epsilon(1e-6));
}

}  // namespace
