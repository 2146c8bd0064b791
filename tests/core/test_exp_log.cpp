// exp and log1p on lanes against those of long double.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "hcl/core/math.hpp"

namespace {

/// Largest error of f, in ulp of T, over x in [from, to], against want in long double.
template <class T, class F, class G>
double worst_ulp(const F& f, const G& want, double from, double to) {
  using V = hcl::Pack<T>;
  constexpr int width = hcl::width_of<V>;
  double worst = 0;
  const int steps = 200000;
  for (int k = 0; k < steps; k += width) {
    T x[width], y[width];
    for (int l = 0; l < width; ++l)
      x[l] = static_cast<T>(from + (to - from) * double(k + l) / steps);
    hcl::vstore(y, f(hcl::vload<V>(x)));
    for (int l = 0; l < width; ++l) {
      const long double w = want(static_cast<long double>(x[l]));
      const T near = static_cast<T>(w), ulp = std::nextafter(near, T(1e30)) - near;
      worst = std::max(worst, double(std::abs(static_cast<long double>(y[l]) - w) /
                                     static_cast<long double>(ulp)));
    }
  }
  return worst;
}

TEST_CASE_TEMPLATE("exp and log1p on lanes", T, float, double) {
  using V = hcl::Pack<T>;
  const auto exp = [](const V& x) { return hcl::vexp(x); };
  const auto negative = [](const V& x) { return hcl::vexp_negative(x); };
  const auto log1p = [](const V& x) { return hcl::vlog1p(x); };
  const auto exp_l = [](long double x) { return std::exp(x); };
  const auto log1p_l = [](long double x) { return std::log1p(x); };
  const bool narrow = sizeof(T) == sizeof(float);
  CHECK(worst_ulp<T>(exp, exp_l, -1, 1) < 2);
  CHECK(worst_ulp<T>(exp, exp_l, narrow ? -86 : -707, narrow ? 88.7 : 709.7) < 2);
  CHECK(worst_ulp<T>(negative, exp_l, -1, 0) < 2);
  CHECK(worst_ulp<T>(negative, exp_l, narrow ? -86 : -707, 0) < 2);
  for (const double end : {1e-30, 1e-4, 0.4, 0.5, 2.0, 100.0, 1e18})
    CHECK(worst_ulp<T>(log1p, log1p_l, 0, end) < 2);
  const auto one = [](const auto& f, T x) {
    T y[hcl::width_of<V>];
    hcl::vstore(y, f(V(x)));
    return y[0];
  };
  const T inf = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const auto& f :
       {std::function<V(const V&)>(exp), std::function<V(const V&)>(negative)}) {
    CHECK(one(f, T(0)) == T(1));
    CHECK(one(f, T(-1e18)) == T(0));
    CHECK(one(f, -inf) == T(0));
    // 0 or below the normal numbers.
    for (const T x : {T(narrow ? -87.5 : -708.5), T(narrow ? -90 : -710)})
      CHECK(std::abs(one(f, x)) < std::numeric_limits<T>::min());
    CHECK(std::isnan(one(f, nan)));
  }
  CHECK(one(exp, T(1e18)) == inf);
  CHECK(one(exp, inf) == inf);
  CHECK(one(log1p, T(0)) == T(0));
  CHECK(std::isnan(one(log1p, nan)));
}

}  // namespace
