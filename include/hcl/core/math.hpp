// hcl/core/math.hpp - scalar functions that keep their digits, for float, double, dual
// numbers and multiprecision alike. Such a scalar needs + - * / < ==, construction from
// double, std::numeric_limits, and sqrt, sinh, ... found by argument-dependent lookup.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

#include "hcl/core/double_double.hpp"
#include "hcl/core/exp_log.hpp"
#include "hcl/core/simd.hpp"
#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

/// The type that formulas run in: double for float, else T itself.
template <class T>
using Wide = std::conditional_t<std::same_as<T, float>, double, T>;

/// The type that sums over coordinates run in, and what may cancel: double for float,
/// two doubles for double, else T itself.
template <class T>
using Sum = std::conditional_t<std::same_as<T, double>, DoubleDouble, Wide<T>>;

/// Finite, for any scalar: a number minus itself is 0 exactly then.
template <class T>
[[nodiscard]] bool is_finite(const T& x) {
  return x - x == T(0);
}

namespace detail {

/// Coordinates from p as what they are summed in: vectors or single numbers of double,
/// else S(*p).
template <class S, class T>
[[nodiscard]] HCL_INLINE S load_sum(const T* p) {
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    if constexpr (std::same_as<S, DoubleDouble>)
      return S(*p);
    else
      return vload_wide<S>(p);
  } else {
    return S(*p);
  }
}

/// s + a b.
template <class S>
[[nodiscard]] HCL_INLINE S add_product(const S& s, const S& a, const S& b) {
  if constexpr (requires { vfma(a, b, s); })
    return vfma(a, b, s);
  else
    return s + a * b;
}

/// N sums in S over k < n at once, of what add(s, k) puts on the array s of N numbers V
/// for the coordinates k, k+1, ... of V: sixteen chains, coordinate k in chain k % 16,
/// whatever V; so a sum has the same bits in any company.
template <std::size_t N, class S, class Add>
[[nodiscard]] HCL_INLINE std::array<S, N> sums_of(std::size_t n, const Add& add) {
  constexpr std::size_t chains = 16;
  std::array<S, N> s[chains], total;
  std::size_t k = 0;
  if constexpr (std::same_as<S, double>) {
    using V = Pack<double>;
    constexpr std::size_t width = std::size_t(lanes<double>), packs = chains / width;
    std::array<V, N> sums[packs];
    for (auto& of_pack : sums) of_pack.fill(V(0.0));
    for (; k + chains <= n; k += chains)
#pragma GCC unroll 8
      for (std::size_t p = 0; p < packs; ++p) add(sums[p], k + p * width);
    if (k == n) {  // the sum of the chains below, its first levels in registers
#pragma GCC unroll 8
      for (std::size_t m = 0; m < N; ++m) {
#pragma GCC unroll 4
        for (std::size_t half = packs / 2; half > 0; half /= 2)
          for (std::size_t p = 0; p < half; ++p)
            sums[p][m] = sums[p][m] + sums[p + half][m];
        double lane[width];
        vstore(lane, sums[0][m]);
        for (std::size_t half = width / 2; half > 0; half /= 2)
          for (std::size_t l = 0; l < half; ++l) lane[l] = lane[l] + lane[l + half];
        total[m] = lane[0];
      }
      return total;
    }
    for (std::size_t p = 0; p < packs; ++p)
      for (std::size_t m = 0; m < N; ++m) {
        double lane[width];
        vstore(lane, sums[p][m]);
        for (std::size_t l = 0; l < width; ++l) s[p * width + l][m] = lane[l];
      }
  } else {
    for (auto& of_chain : s) of_chain.fill(S(0));
    for (; k + chains <= n; k += chains)
      for (std::size_t l = 0; l < chains; ++l) add(s[l], k + l);
  }
  for (std::size_t l = 0; k < n; ++k, ++l) add(s[l], k);
  for (std::size_t m = 0; m < N; ++m) {
    for (std::size_t half = chains / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) s[l][m] = s[l][m] + s[l + half][m];
    total[m] = s[0][m];
  }
  return total;
}

/// The sum of what add returns for the sum so far.
template <class S, class Add>
[[nodiscard]] HCL_INLINE S sum_of(std::size_t n, const Add& add) {
  return sums_of<1, S>(n, [&]<class V>(std::array<V, 1>& s, std::size_t k)
                              HCL_INLINE_LAMBDA { s[0] = add(s[0], k); })[0];
}

/// <x, y>, |x - y|^2 and |x|^2 - |y|^2 = <x - y, x + y>, before they are rounded to
/// Wide<T>. The last two are made of the differences: nothing cancels for close points.
template <class T>
[[nodiscard]] Sum<T> dot_sum(Point<T> x, Point<T> y) {
  if (x.data() == y.data())  // widened once: half of the work for floats
    return sum_of<Sum<T>>(x.size(), [&]<class V>(const V& s, std::size_t k) {
      const V u = load_sum<V>(&x[k]);
      return add_product(s, u, u);
    });
  return sum_of<Sum<T>>(x.size(), [&]<class V>(const V& s, std::size_t k) {
    return add_product(s, load_sum<V>(&x[k]), load_sum<V>(&y[k]));
  });
}
/// |x|^2, |y|^2 and <x, y>.
template <class T>
[[nodiscard]] std::array<Sum<T>, 3> gram_sums(Point<T> x, Point<T> y) {
  return sums_of<3, Sum<T>>(
      x.size(), [&]<class V>(std::array<V, 3>& s, std::size_t k) HCL_INLINE_LAMBDA {
        const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
        s[0] = add_product(s[0], u, u), s[1] = add_product(s[1], v, v);
        s[2] = add_product(s[2], u, v);
      });
}
/// |x|^2, |y|^2 and |x + sign y|^2, the last from the coordinates of x + sign y.
template <int sign, class T>
[[nodiscard]] std::array<Sum<T>, 3> norms_and_square(Point<T> x, Point<T> y) {
  return sums_of<3, Sum<T>>(
      x.size(), [&]<class V>(std::array<V, 3>& s, std::size_t k) HCL_INLINE_LAMBDA {
        const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
        const V w = sign > 0 ? u + v : u - v;
        s[0] = add_product(s[0], u, u), s[1] = add_product(s[1], v, v);
        s[2] = add_product(s[2], w, w);
      });
}
/// |x|^2 and <x, y>.
template <class T>
[[nodiscard]] std::array<Sum<T>, 2> norm2_and_dot(Point<T> x, Point<T> y) {
  return sums_of<2, Sum<T>>(
      x.size(), [&]<class V>(std::array<V, 2>& s, std::size_t k) HCL_INLINE_LAMBDA {
        const V u = load_sum<V>(&x[k]);
        s[0] = add_product(s[0], u, u);
        s[1] = add_product(s[1], u, load_sum<V>(&y[k]));
      });
}
template <class S, class T>
[[nodiscard]] S diff2_in(Point<T> x, Point<T> y) {
  return sum_of<S>(x.size(), [&]<class V>(const V& s, std::size_t k) {
    const V u = load_sum<V>(&x[k]) - load_sum<V>(&y[k]);
    return add_product(s, u, u);
  });
}
template <class T>
[[nodiscard]] Sum<T> diff2_sum(Point<T> x, Point<T> y) {
  return diff2_in<Sum<T>>(x, y);
}
template <class T>
[[nodiscard]] Sum<T> norm2_gap(Point<T> x, Point<T> y) {
  return sum_of<Sum<T>>(x.size(), [&]<class V>(const V& s, std::size_t k) {
    const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
    return add_product(s, V(u - v), V(u + v));
  });
}

}  // namespace detail

/// <x, y>.
template <class T>
[[nodiscard]] Wide<T> dot(Point<T> x, Point<T> y) {
  return Wide<T>(detail::dot_sum<T>(x, y));
}

/// |x|^2.
template <class T>
[[nodiscard]] Wide<T> norm2(Point<T> x) {
  return dot<T>(x, x);
}

/// |x - y|^2 from the differences themselves: no cancellation for close points.
template <class T>
[[nodiscard]] Wide<T> diff2(Point<T> x, Point<T> y) {
  return Wide<T>(detail::diff2_sum<T>(x, y));
}

/// Whether all numbers of x are finite.
template <class T>
[[nodiscard]] bool all_finite(Point<T> x) {
  std::size_t k = 0;
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    // A number minus itself is 0 or NaN, and so is a sum of these.
    using V = Pack<T>;
    constexpr std::size_t width = std::size_t(lanes<T>);
    V a(T(0)), b(T(0));
    for (; k + 2 * width <= x.size(); k += 2 * width) {
      const V u = vload<V>(&x[k]), v = vload<V>(&x[k + width]);
      a = a + (u - u), b = b + (v - v);
    }
    if (!(vsum(V(a + b)) == T(0))) return false;
  }
  for (; k < x.size(); ++k)
    if (!is_finite(x[k])) return false;
  return true;
}

namespace detail {

/// sqrt(x), also at a dual number of value 0: there no function below depends on x by its
/// root.
template <class T>
[[nodiscard]] T root(const T& x) {
  using std::sqrt;
  return x == T(0) ? T(0) : T(sqrt(x));
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
    return detail::series(T(1) / T(3), y,
                          [](T k) { return T(1) / ((k + T(1)) * (k * T(4) + T(10))); });
  return (cosh(x) - sinhc(x)) / y;
}

/// asinh(x)/x.
template <class T>
[[nodiscard]] T asinhc(const T& x) {
  using std::asinh;
  return x == T(0) ? T(1) : T(asinh(x) / x);
}

/// (1/sqrt(1 + x^2) - asinh(x)/x)/x^2.
template <class T>
[[nodiscard]] T asinhc_slope(const T& x, const T& asinhc_x) {
  using std::sqrt;
  const T y = x * x;
  if (y < T(0.25))
    return detail::series(T(-1) / T(3), y, [](T k) {
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
    const T s = detail::series(T(1) / T(6), T(y * T(4)), [](T k) {
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
  using std::atanh;
  return x == T(0) ? T(1) : T(atanh(x) / x);
}

/// (1/(1 - x^2) - atanh(x)/x)/x^2, |x| < 1.
template <class T>
[[nodiscard]] T atanhc_slope(const T& x, const T& atanhc_x) {
  const T y = x * x;
  if (y < T(0.25))
    return detail::series(T(2) / T(3), y, [](T k) {
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
    return detail::series(T(-1) / T(3), y,
                          [](T k) { return T(-1) / ((k + T(1)) * (k * T(4) + T(10))); });
  return (cos(x) - sinc(x)) / y;
}

/// d/dx of atan(x)/x, divided by x: (1/(1 + x^2) - atan(x)/x)/x^2.
template <class T>
[[nodiscard]] T atanc_slope(const T& x) {
  using std::atan;
  const T y = x * x;
  if (y < T(0.25))
    return detail::series(T(-2) / T(3), y, [](T k) {
      return -((k + T(2)) * (k * T(2) + T(3))) / ((k + T(1)) * (k * T(2) + T(5)));
    });
  return (T(1) / (T(1) + y) - atan(x) / x) / y;
}

}  // namespace hcl::inline HCL_ABI
