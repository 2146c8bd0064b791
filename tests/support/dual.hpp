// tests/support/dual.hpp - forward-mode dual numbers: a second, exact way to every
// derivative.
#pragma once

#include <cmath>
#include <limits>

namespace support {

/// value + derivative * e, e^2 = 0. Comparisons look at the value only.
template <class T>
struct Dual {
  T v{}, d{};
  Dual() = default;
  explicit Dual(double value, double derivative = 0) : v(value), d(derivative) {}
  static Dual of(T value, T derivative) {
    Dual r;
    r.v = value;
    r.d = derivative;
    return r;
  }
  explicit operator double() const { return double(v); }
  Dual& operator+=(const Dual& o) { return *this = *this + o; }
  Dual& operator-=(const Dual& o) { return *this = *this - o; }
  Dual& operator*=(const Dual& o) { return *this = *this * o; }
  friend Dual operator+(const Dual& a, const Dual& b) { return of(a.v + b.v, a.d + b.d); }
  friend Dual operator-(const Dual& a, const Dual& b) { return of(a.v - b.v, a.d - b.d); }
  friend Dual operator-(const Dual& a) { return of(-a.v, -a.d); }
  friend Dual operator*(const Dual& a, const Dual& b) {
    return of(a.v * b.v, a.d * b.v + a.v * b.d);
  }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const T q = a.v / b.v;
    return of(q, (a.d - q * b.d) / b.v);
  }
  friend bool operator==(const Dual& a, const Dual& b) { return a.v == b.v; }
  friend bool operator<(const Dual& a, const Dual& b) { return a.v < b.v; }
  friend bool operator>(const Dual& a, const Dual& b) { return a.v > b.v; }
  friend bool operator<=(const Dual& a, const Dual& b) { return a.v <= b.v; }
  friend bool operator>=(const Dual& a, const Dual& b) { return a.v >= b.v; }

  friend Dual sqrt(const Dual& a) {
    const T r = std::sqrt(a.v);
    return of(r, a.d / (2 * r));
  }
  friend Dual log(const Dual& a) { return of(std::log(a.v), a.d / a.v); }
  friend Dual sinh(const Dual& a) { return of(std::sinh(a.v), a.d * std::cosh(a.v)); }
  friend Dual cosh(const Dual& a) { return of(std::cosh(a.v), a.d * std::sinh(a.v)); }
  friend Dual tanh(const Dual& a) {
    const T t = std::tanh(a.v);
    return of(t, a.d * (1 - t * t));
  }
  friend Dual asinh(const Dual& a) {
    return of(std::asinh(a.v), a.d / std::sqrt(1 + a.v * a.v));
  }
  friend Dual atanh(const Dual& a) { return of(std::atanh(a.v), a.d / (1 - a.v * a.v)); }
  friend Dual sin(const Dual& a) { return of(std::sin(a.v), a.d * std::cos(a.v)); }
  friend Dual cos(const Dual& a) { return of(std::cos(a.v), -a.d * std::sin(a.v)); }
  friend Dual atan(const Dual& a) { return of(std::atan(a.v), a.d / (1 + a.v * a.v)); }
  friend Dual atan2(const Dual& y, const Dual& x) {
    return of(std::atan2(y.v, x.v), (x.v * y.d - y.v * x.d) / (x.v * x.v + y.v * y.v));
  }
};

}  // namespace support

template <class T>
struct std::numeric_limits<support::Dual<T>> : std::numeric_limits<T> {
  static support::Dual<T> epsilon() {
    return support::Dual<T>::of(std::numeric_limits<T>::epsilon(), T(0));
  }
  static support::Dual<T> max() {
    return support::Dual<T>::of(std::numeric_limits<T>::max(), T(0));
  }
};
