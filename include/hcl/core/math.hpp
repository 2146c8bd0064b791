// hcl/core/math.hpp - scalar functions that keep their digits, for float, double, dual
// numbers and multiprecision alike; and what such a scalar must have.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>

#include "hcl/core/exp_log.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

namespace lookup {

using std::sqrt, std::sin, std::cos, std::sinh, std::cosh, std::tanh, std::atan2;

template <class T>
concept Functions = requires(const T& x) {
  { sqrt(x) } -> std::convertible_to<T>;
  { sin(x) } -> std::convertible_to<T>;
  { cos(x) } -> std::convertible_to<T>;
  { sinh(x) } -> std::convertible_to<T>;
  { cosh(x) } -> std::convertible_to<T>;
  { tanh(x) } -> std::convertible_to<T>;
  { atan2(x, x) } -> std::convertible_to<T>;
};

}  // namespace lookup

}  // namespace detail

/// What a scalar of the pointwise layer must have: arithmetic, comparisons (a dual number
/// by its value), construction from double, explicit or not, a limit epsilon and max, and
/// functions found by argument-dependent lookup. An operator may return an expression
/// that converts to the scalar. asinh, atanh and atan are taken where there are any; else
/// they are made of log and atan2. No conversion to double is needed. Held by float,
/// double, long double, ceres::Jet, Eigen::AutoDiffScalar, and
/// boost::multiprecision::number with expression templates or without.
template <class T>
concept PointwiseScalar = std::copyable<T> && detail::lookup::Functions<T> &&
    requires(T x, const T& a, const T& b) {
  T(0.5);
  { -a } -> std::convertible_to<T>;
  { a + b } -> std::convertible_to<T>;
  { a - b } -> std::convertible_to<T>;
  { a* b } -> std::convertible_to<T>;
  { a / b } -> std::convertible_to<T>;
  x += a;
  x -= a;
  { a == b } -> std::convertible_to<bool>;
  { a < b } -> std::convertible_to<bool>;
  { a <= b } -> std::convertible_to<bool>;
  { a > b } -> std::convertible_to<bool>;
  { a >= b } -> std::convertible_to<bool>;
  T(std::numeric_limits<T>::epsilon());
  T((std::numeric_limits<T>::max)());
};

namespace detail {

/// sqrt(x), also at a dual number of value 0: there no function below depends on x by its
/// root.
template <class T>
[[nodiscard]] T root(const T& x) {
  using std::sqrt;
  return x == T(0) ? T(0) : T(sqrt(x));
}

// Functions that a scalar may lack, made of those that it has. Near 0 the logarithm has
// lost the digits of x, and one step of Newton brings them back, and with a dual number
// the derivative: it does not depend on that of the number it starts from.

/// asinh(x).
template <class T>
[[nodiscard]] T arsinh(const T& x) {
  using std::asinh;
  if constexpr (requires { asinh(x); }) {
    return asinh(x);
  } else {
    using std::cosh, std::log, std::sinh, std::sqrt;
    if (x < T(0)) return -arsinh(T(-x));
    if (x > T(1)) {
      const T inv = T(1) / x;
      return log(x) + log(T(T(1) + sqrt(T(T(1) + inv * inv))));
    }
    const T y = log(T(x + sqrt(T(T(1) + x * x))));
    return y - (sinh(y) - x) / cosh(y);
  }
}
/// atanh(x), |x| < 1.
template <class T>
[[nodiscard]] T artanh(const T& x) {
  using std::atanh;
  if constexpr (requires { atanh(x); }) {
    return atanh(x);
  } else {
    using std::log, std::tanh;
    const T y = (log(T(T(1) + x)) - log(T(T(1) - x))) / T(2);
    if (x < T(-0.5) || x > T(0.5)) return y;
    const T t = tanh(y);
    return y - (t - x) / ((T(1) - t) * (T(1) + t));
  }
}
/// atan(x).
template <class T>
[[nodiscard]] T arctan(const T& x) {
  using std::atan, std::atan2;
  if constexpr (requires { atan(x); })
    return atan(x);
  else
    return atan2(x, T(1));
}

/// sum_k t_k with t_0 = first and t_{k+1} = t_k y ratio(k), until a term changes nothing:
/// as many terms as the scalar has digits for, so that one series serves float and
/// multiprecision.
template <class T, class Ratio>
[[nodiscard]] T series(const T& first, const T& y, const Ratio& ratio) {
  if constexpr (std::same_as<T, double>) {  // the same terms, from a table
    struct Table {
      double c[28] = {1.0};
    };
    constexpr Table table = [] {
      Table t;
      for (std::size_t k = 0; k < 27; ++k) t.c[k + 1] = t.c[k] * Ratio{}(double(k));
      return t;
    }();
    return first * polynomial(y, table.c);
  }
  T sum = first, term = first;
  for (int k = 0; k < 10000; ++k) {
    term = term * y * ratio(T(k));
    const T next = sum + term;
    if (next == sum) return next;
    sum = next;
  }
  return sum;
}

// Coefficients of F'(w), F(w) = asinh(sqrt w)/sqrt w, |w| < 1.
inline constexpr double asinhc_slope_series[] = {
    -1.0 / 6,      3.0 / 20,     -15.0 / 112,     35.0 / 288,
    -315.0 / 2816, 693.0 / 6656, -1001.0 / 10240, 6435.0 / 69632};

/// F'(w) for lanes, w small: relative truncation error about w^8.
template <class V>
HCL_INLINE V asinhc_slope_near0(const V& w) {
  return polynomial(w, asinhc_slope_series);
}

}  // namespace detail

// Each f(x)/x below comes with its slope (d/dx of it)/x, which is even and finite at 0.
// The closed forms of the slopes cancel there; below |x| = 1/2 the series is summed
// instead, so that no more than three bits are lost anywhere. A slope takes the
// function's value where that is known.

/// sinh(x)/x.
template <class T>
[[nodiscard]] T sinhc(const T& x) {
  using std::sinh;
  return x == T(0) ? T(1) : T(sinh(x) / x);
}

/// (cosh x - sinh(x)/x)/x^2.
template <class T>
[[nodiscard]] T sinhc_slope(const T& x) {
  using std::cosh;
  const T y = x * x;
  if (y < T(0.25))
    return detail::series<T>(T(1) / T(3), y, [](T k) -> T {
      return T(1) / ((k + T(1)) * (k * T(4) + T(10)));
    });
  return (cosh(x) - sinhc(x)) / y;
}

/// asinh(x)/x.
template <class T>
[[nodiscard]] T asinhc(const T& x) {
  return x == T(0) ? T(1) : T(detail::arsinh(x) / x);
}

/// (1/sqrt(1 + x^2) - asinh(x)/x)/x^2.
template <class T>
[[nodiscard]] T asinhc_slope(const T& x, const T& asinhc_x) {
  using std::sqrt;
  const T y = x * x;
  if (y < T(0.25))
    return detail::series<T>(T(-1) / T(3), y, [](T k) -> T {
      const T odd = k * T(2) + T(3);
      return -(odd * odd) / ((k + T(1)) * (k * T(4) + T(10)));
    });
  return (T(1) / sqrt(T(1) + y) - asinhc_x) / y;
}
template <class T>
[[nodiscard]] T asinhc_slope(const T& x) {
  return asinhc_slope(x, asinhc(x));
}

/// tanh(x)/x.
template <class T>
[[nodiscard]] T tanhc(const T& x) {
  using std::tanh;
  return x == T(0) ? T(1) : T(tanh(x) / x);
}

/// (1/cosh^2 x - tanh(x)/x)/x^2, 1/cosh^2 = (1-t)(1+t), t = tanh x. Near 0 as
/// -4 S(2x)/cosh^2 x with S(z) = (sinh z - z)/z^3.
template <class T>
[[nodiscard]] T tanhc_slope(const T& x, const T& tanh_x) {
  const T y = x * x, sech2 = (T(1) - tanh_x) * (T(1) + tanh_x);
  if (y < T(0.25)) {
    const T s = detail::series<T>(T(1) / T(6), T(y * T(4)), [](T k) -> T {
      return T(1) / ((k * T(2) + T(4)) * (k * T(2) + T(5)));
    });
    return T(-4) * s * sech2;
  }
  return (sech2 - tanh_x / x) / y;
}
template <class T>
[[nodiscard]] T tanhc_slope(const T& x) {
  using std::tanh;
  return tanhc_slope(x, T(tanh(x)));
}

/// atanh(x)/x, |x| < 1.
template <class T>
[[nodiscard]] T atanhc(const T& x) {
  return x == T(0) ? T(1) : T(detail::artanh(x) / x);
}

/// (1/(1 - x^2) - atanh(x)/x)/x^2, |x| < 1.
template <class T>
[[nodiscard]] T atanhc_slope(const T& x, const T& atanhc_x) {
  const T y = x * x;
  if (y < T(0.25))
    return detail::series<T>(T(2) / T(3), y, [](T k) -> T {
      return (k + T(2)) * (k * T(2) + T(3)) / ((k + T(1)) * (k * T(2) + T(5)));
    });
  return (T(1) / ((T(1) - x) * (T(1) + x)) - atanhc_x) / y;
}
template <class T>
[[nodiscard]] T atanhc_slope(const T& x) {
  return atanhc_slope(x, atanhc(x));
}

/// sin(x)/x.
template <class T>
[[nodiscard]] T sinc(const T& x) {
  using std::sin;
  return x == T(0) ? T(1) : T(sin(x) / x);
}

/// (cos x - sin(x)/x)/x^2.
template <class T>
[[nodiscard]] T sinc_slope(const T& x) {
  using std::cos;
  const T y = x * x;
  if (y < T(0.25))
    return detail::series<T>(T(-1) / T(3), y, [](T k) -> T {
      return T(-1) / ((k + T(1)) * (k * T(4) + T(10)));
    });
  return (cos(x) - sinc(x)) / y;
}

/// d/dx of atan(x)/x, divided by x: (1/(1 + x^2) - atan(x)/x)/x^2.
template <class T>
[[nodiscard]] T atanc_slope(const T& x) {
  const T y = x * x;
  if (y < T(0.25))
    return detail::series<T>(T(-2) / T(3), y, [](T k) -> T {
      return -((k + T(2)) * (k * T(2) + T(3))) / ((k + T(1)) * (k * T(2) + T(5)));
    });
  return (T(1) / (T(1) + y) - detail::arctan(x) / x) / y;
}

}  // namespace hcl::inline HCL_ABI
