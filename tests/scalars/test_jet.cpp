// The pointwise layer on ceres::Jet, or where Ceres is not installed on what looks like
// it.
#if __has_include(<ceres/jet.h>)
#include <ceres/jet.h>
using ceres::Jet;
#else
#include "support/jet_lookalike.hpp"
using lookalike::Jet;
#endif

#include "support/pointwise.hpp"

namespace {

struct OfJet {
  using Number = Jet<double, int(support::inputs)>;
  static constexpr bool derivatives = true;
  static Number make(double value, std::size_t k) {
    return k < support::inputs ? Number(value, int(k)) : Number(value);
  }
  static double value(const Number& x) { return x.a; }
  static double slope(const Number& x, std::size_t k) {
    return x.v[decltype(x.v.size())(k)];
  }
};

HCL_CHECK_EVERY_MAP(OfJet)

TEST_CASE("what a scalar lacks is made of logarithms, to the last digits") {
  using Number = OfJet::Number;
  const auto near = [](const Number& got, double value, double slope) {
    CHECK(std::abs(got.a - value) <= 1e-15 * std::abs(value));
    CHECK(std::abs(got.v[0] - slope) <= 2e-15 * slope);
  };
  for (const double x : {1e-300, 1e-20, 1e-9, 1e-4, 0.1, 0.49, 0.51, 0.9, 0.999999})
    for (const double sign : {1.0, -1.0}) {
      CAPTURE(x);
      near(hcl::detail::artanh(Number(sign * x, 0)), std::atanh(sign * x),
           1 / ((1 - x) * (1 + x)));
      near(hcl::detail::arsinh(Number(sign * x, 0)), std::asinh(sign * x),
           1 / std::sqrt(1 + x * x));
      near(hcl::detail::arsinh(Number(sign / x, 0)), std::asinh(sign / x),
           1 / std::hypot(1 / x, 1));
    }
}

}  // namespace
