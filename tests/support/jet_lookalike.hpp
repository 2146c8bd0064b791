// tests/support/jet_lookalike.hpp - a dual number with what ceres::Jet has, and no more:
// a scalar part a and derivatives v, arithmetic among Jets and with T, comparisons by a,
// an explicit constructor and no conversion back, functions found by argument-dependent
// lookup, of which asinh and atanh are none.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lookalike {

template <class T, int N>
struct Jet {
  T a{};
  std::array<T, std::size_t(N)> v{};

  Jet() = default;
  explicit Jet(const T& value) : a{value} {}
  Jet(const T& value, int k) : a{value} { v[std::size_t(k)] = T(1); }
  /// f(x) from its value and slope there.
  static Jet chain(const Jet& x, const T& value, const T& slope) {
    Jet r(value);
    for (std::size_t i = 0; i < r.v.size(); ++i) r.v[i] = slope * x.v[i];
    return r;
  }
  static Jet chain(const Jet& x, const T& by_x, const Jet& y, const T& by_y,
                   const T& value) {
    Jet r(value);
    for (std::size_t i = 0; i < r.v.size(); ++i) r.v[i] = by_x * x.v[i] + by_y * y.v[i];
    return r;
  }

  friend Jet operator-(const Jet& x) { return chain(x, -x.a, T(-1)); }
  friend Jet operator+(const Jet& x, const Jet& y) {
    return chain(x, T(1), y, T(1), x.a + y.a);
  }
  friend Jet operator-(const Jet& x, const Jet& y) {
    return chain(x, T(1), y, T(-1), x.a - y.a);
  }
  friend Jet operator*(const Jet& x, const Jet& y) {
    return chain(x, y.a, y, x.a, x.a * y.a);
  }
  friend Jet operator/(const Jet& x, const Jet& y) {
    return chain(x, T(1) / y.a, y, -x.a / y.a / y.a, x.a / y.a);
  }
  friend Jet operator+(const Jet& x, T s) { return x + Jet(s); }
  friend Jet operator+(T s, const Jet& x) { return Jet(s) + x; }
  friend Jet operator-(const Jet& x, T s) { return x - Jet(s); }
  friend Jet operator-(T s, const Jet& x) { return Jet(s) - x; }
  friend Jet operator*(const Jet& x, T s) { return x * Jet(s); }
  friend Jet operator*(T s, const Jet& x) { return Jet(s) * x; }
  friend Jet operator/(const Jet& x, T s) { return x / Jet(s); }
  friend Jet operator/(T s, const Jet& x) { return Jet(s) / x; }
  Jet& operator+=(const Jet& y) { return *this = *this + y; }
  Jet& operator-=(const Jet& y) { return *this = *this - y; }
  Jet& operator*=(const Jet& y) { return *this = *this * y; }
  Jet& operator/=(const Jet& y) { return *this = *this / y; }

  friend bool operator<(const Jet& x, const Jet& y) { return x.a < y.a; }
  friend bool operator<=(const Jet& x, const Jet& y) { return x.a <= y.a; }
  friend bool operator>(const Jet& x, const Jet& y) { return x.a > y.a; }
  friend bool operator>=(const Jet& x, const Jet& y) { return x.a >= y.a; }
  friend bool operator==(const Jet& x, const Jet& y) { return x.a == y.a; }

  friend Jet sqrt(const Jet& x) {
    const T r = std::sqrt(x.a);
    return chain(x, r, T(1) / (T(2) * r));
  }
  friend Jet exp(const Jet& x) { return chain(x, std::exp(x.a), std::exp(x.a)); }
  friend Jet log(const Jet& x) { return chain(x, std::log(x.a), T(1) / x.a); }
  friend Jet sin(const Jet& x) { return chain(x, std::sin(x.a), std::cos(x.a)); }
  friend Jet cos(const Jet& x) { return chain(x, std::cos(x.a), -std::sin(x.a)); }
  friend Jet sinh(const Jet& x) { return chain(x, std::sinh(x.a), std::cosh(x.a)); }
  friend Jet cosh(const Jet& x) { return chain(x, std::cosh(x.a), std::sinh(x.a)); }
  friend Jet tanh(const Jet& x) {
    const T t = std::tanh(x.a);
    return chain(x, t, T(1) - t * t);
  }
  friend Jet atan(const Jet& x) {
    return chain(x, std::atan(x.a), T(1) / (T(1) + x.a * x.a));
  }
  friend Jet atan2(const Jet& y, const Jet& x) {
    const T n = x.a * x.a + y.a * y.a;
    return chain(y, x.a / n, x, -y.a / n, std::atan2(y.a, x.a));
  }
};

}  // namespace lookalike

template <class T, int N>
struct std::numeric_limits<lookalike::Jet<T, N>> : std::numeric_limits<T> {
  using Jet = lookalike::Jet<T, N>;
  static Jet epsilon() { return Jet(std::numeric_limits<T>::epsilon()); }
  static Jet min() { return Jet((std::numeric_limits<T>::min)()); }
  static Jet max() { return Jet((std::numeric_limits<T>::max)()); }
  static Jet infinity() { return Jet(std::numeric_limits<T>::infinity()); }
};
