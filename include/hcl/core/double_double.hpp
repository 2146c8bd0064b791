// hcl/core/double_double.hpp - a number as the unevaluated sum of two doubles, 106 bits:
// what sums over double coordinates run in where their result may cancel.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "hcl/core/config.hpp"

namespace hcl::inline HCL_ABI {

/// hi + lo with |lo| <= ulp(hi)/2. The arithmetic is Dekker's (A Floating-Point Technique
/// for Extending the Available Precision, 1971) with exact products by fma: relative
/// error of * / sqrt about 2^-102, of + the same relative to the larger term, of exp cosh
/// sinh tanh about 2^-90. asinh and atan2 are those of double with a correction to first
/// order: their own rounding, but none of the argument's.
struct DoubleDouble {
  double hi = 0, lo = 0;

  constexpr DoubleDouble() = default;
  constexpr explicit DoubleDouble(double high, double low = 0) : hi{high}, lo{low} {}
  template <std::same_as<float> F>
  constexpr explicit DoubleDouble(F x) : hi{static_cast<double>(x)} {}
  constexpr explicit operator double() const { return hi; }
  constexpr explicit operator float() const { return static_cast<float>(hi); }

  /// a + b exactly (Knuth).
  [[nodiscard]] static HCL_INLINE DoubleDouble two_sum(double a, double b) {
    const double s = a + b, t = s - a;
    return DoubleDouble(s, (a - (s - t)) + (b - t));
  }
  /// a + b exactly, for |a| >= |b|.
  [[nodiscard]] static HCL_INLINE DoubleDouble fast_two_sum(double a, double b) {
    const double s = a + b;
    return DoubleDouble(s, b - (s - a));
  }
  /// a b exactly. The product is an fma too, so that no compiler contracts it with a
  /// later sum, whatever its -ffp-contract.
  [[nodiscard]] static HCL_INLINE DoubleDouble two_prod(double a, double b) {
    const double p = std::fma(a, b, 0.0);
    return DoubleDouble(p, std::fma(a, b, -p));
  }

  friend HCL_INLINE DoubleDouble operator-(const DoubleDouble& a) {
    return DoubleDouble(-a.hi, -a.lo);
  }
  friend HCL_INLINE DoubleDouble operator+(const DoubleDouble& a, const DoubleDouble& b) {
    const DoubleDouble s = two_sum(a.hi, b.hi);
    return fast_two_sum(s.hi, s.lo + (a.lo + b.lo));
  }
  friend HCL_INLINE DoubleDouble operator-(const DoubleDouble& a, const DoubleDouble& b) {
    return a + -b;
  }
  friend HCL_INLINE DoubleDouble operator*(const DoubleDouble& a, const DoubleDouble& b) {
    const DoubleDouble p = two_prod(a.hi, b.hi);
    // a b = b a to the bit.
    const double u = std::fma(a.hi, b.lo, 0.0), v = std::fma(a.lo, b.hi, 0.0);
    return fast_two_sum(p.hi, p.lo + (u + v));
  }
  friend HCL_INLINE DoubleDouble operator/(const DoubleDouble& a, const DoubleDouble& b) {
    const double q = a.hi / b.hi;
    if (q == 0) return DoubleDouble(q);  // also of an infinite b, whose product is NaN
    const DoubleDouble p = two_prod(q, b.hi);
    return fast_two_sum(q, std::fma(-q, b.lo, ((a.hi - p.hi) - p.lo) + a.lo) / b.hi);
  }
  DoubleDouble& operator+=(const DoubleDouble& b) { return *this = *this + b; }
  DoubleDouble& operator-=(const DoubleDouble& b) { return *this = *this - b; }

  friend bool operator==(const DoubleDouble& a, const DoubleDouble& b) {
    return a.hi == b.hi && a.lo == b.lo;
  }
  friend bool operator<(const DoubleDouble& a, const DoubleDouble& b) {
    return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
  }
  friend bool operator>(const DoubleDouble& a, const DoubleDouble& b) { return b < a; }
  friend bool operator<=(const DoubleDouble& a, const DoubleDouble& b) {
    return a < b || a == b;
  }

  friend DoubleDouble sqrt(const DoubleDouble& a) {
    if (a.hi == 0) return a;
    const double r = std::sqrt(a.hi);
    const DoubleDouble p = two_prod(r, r);
    return fast_two_sum(r, ((a.hi - p.hi) - p.lo + a.lo) / (2 * r));
  }
  /// e^a: of a remainder over 256 by its series, squared eight times.
  friend DoubleDouble exp(const DoubleDouble& a) {
    if (!(std::abs(a.hi) < 709)) return DoubleDouble(std::exp(a.hi));
    const double k = std::round(a.hi * 1.4426950408889634);
    const DoubleDouble log2(0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56);
    const DoubleDouble r = (a - DoubleDouble(k) * log2) * DoubleDouble(0x1p-8);
    DoubleDouble p = r, term = r;  // e^r - 1
    for (int n = 2; n <= 11; ++n) {
      term = term * r / DoubleDouble(double(n));
      p += term;
    }
    for (int n = 0; n < 8; ++n) p = p + p + p * p;
    p += DoubleDouble(1.0);
    return DoubleDouble(std::ldexp(p.hi, int(k)), std::ldexp(p.lo, int(k)));
  }
  friend DoubleDouble sinh(const DoubleDouble& a) { return sinh_cosh(a)[0]; }
  friend DoubleDouble cosh(const DoubleDouble& a) { return sinh_cosh(a)[1]; }
  friend DoubleDouble tanh(const DoubleDouble& a) {
    if (a.hi < 0) return -tanh(-a);
    if (a.hi > 40) return DoubleDouble(1.0, -2 * std::exp(-2 * a.hi));
    const auto f = sinh_cosh(a);
    return f[0] / f[1];
  }
  friend DoubleDouble asinh(const DoubleDouble& a) {
    return fast_two_sum(std::asinh(a.hi), a.lo / std::hypot(1.0, a.hi));
  }
  friend DoubleDouble atan2(const DoubleDouble& y, const DoubleDouble& x) {
    const double r = std::hypot(x.hi, y.hi), s = y.hi / r, c = x.hi / r;
    return fast_two_sum(std::atan2(y.hi, x.hi), (c * y.lo - s * x.lo) / r);
  }

 private:
  /// By their series below 1/8, where a difference of exponentials would cancel.
  static std::array<DoubleDouble, 2> sinh_cosh(const DoubleDouble& a) {
    if (std::abs(a.hi) > 350)
      return {DoubleDouble(std::sinh(a.hi)), DoubleDouble(std::cosh(a.hi))};
    const DoubleDouble one(1.0), half(0.5);
    if (!(std::abs(a.hi) < 0.125)) {
      const DoubleDouble e = exp(a), back = one / e;
      return {(e - back) * half, (e + back) * half};
    }
    std::array<DoubleDouble, 2> f{DoubleDouble(0.0), one};
    DoubleDouble term = one;
    for (std::size_t n = 1; n <= 22; ++n) {
      term = term * a / DoubleDouble(double(n));
      f[(n + 1) % 2] += term;
    }
    return f;
  }
};

}  // namespace hcl::inline HCL_ABI

template <>
struct std::numeric_limits<hcl::DoubleDouble> : std::numeric_limits<double> {
  static constexpr hcl::DoubleDouble epsilon() { return hcl::DoubleDouble(0x1p-104); }
};
