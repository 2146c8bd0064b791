// bench/accuracy/formulas.hpp - how others compute a hyperbolic distance, written anew
// from what they do, operation by operation in T: what hcl's table stands beside.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace accuracy {

template <class T>
T dot_in(const std::vector<T>& x, const std::vector<T>& y) {
  T s(0);
  for (std::size_t i = 0; i < x.size(); ++i) s += x[i] * y[i];
  return s;
}

/// |(-x) (+) y|, Mobius addition as it stands in Ungar's formula.
template <class T>
T mobius_difference(const std::vector<T>& x, const std::vector<T>& y, T c) {
  const T x2 = dot_in(x, x), y2 = dot_in(y, y), xy = -dot_in(x, y);
  const T a = 1 + 2 * c * xy + c * y2, b = 1 - c * x2;
  const T below = std::max(T(1e-15), 1 + 2 * c * xy + c * c * x2 * y2);
  T s(0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const T u = (b * y[i] - a * x[i]) / below;
    s += u * u;
  }
  return std::sqrt(s);
}

template <class T>
struct Formula {
  std::string name;
  T (*dist)(const std::vector<T>& x, const std::vector<T>& y, T c);
};

template <class T>
std::vector<Formula<T>> ball_formulas() {
  using V = std::vector<T>;
  return {
      {"geoopt: 2 artanh, clamped",
       [](const V& x, const V& y, T c) {
         const T z = std::min(
             std::sqrt(c) * std::max(mobius_difference(x, y, c), T(1e-15)), T(1 - 1e-7));
         return (std::log(1 + z) - std::log(1 - z)) / std::sqrt(c);
       }},
      {"HypLL: 2 artanh",
       [](const V& x, const V& y, T c) {
         return 2 / std::sqrt(c) * std::atanh(std::sqrt(c) * mobius_difference(x, y, c));
       }},
      {"hyperbolix: 2 artanh of a quotient",
       [](const V& x, const V& y, T c) {
         T d(0);
         for (std::size_t i = 0; i < x.size(); ++i) d += (y[i] - x[i]) * (y[i] - x[i]);
         const T xy = dot_in(x, y), x2 = dot_in(x, x), y2 = dot_in(y, y);
         const T z = std::sqrt(c * d / (1 - 2 * c * xy + c * c * x2 * y2));
         const T eps = std::numeric_limits<T>::epsilon();
         return 2 / std::sqrt(c) * std::atanh(std::clamp(z, eps - 1, 1 - eps));
       }},
      {"textbook: arcosh(1 + 2 ...)",
       [](const V& x, const V& y, T c) {
         T d(0);
         for (std::size_t i = 0; i < x.size(); ++i) d += (y[i] - x[i]) * (y[i] - x[i]);
         const T a = 1 - c * dot_in(x, x), b = 1 - c * dot_in(y, y);
         return std::acosh(1 + 2 * c * d / (a * b)) / std::sqrt(c);
       }},
  };
}

/// With the time coordinate stored in T beside the others.
template <class T>
std::vector<Formula<T>> lorentz_formulas() {
  using V = std::vector<T>;
  return {
      {"geoopt: arcosh",
       [](const V& x, const V& y, T c) {
         const T tx = std::sqrt(1 / c + dot_in(x, x)),
                 ty = std::sqrt(1 / c + dot_in(y, y));
         const T z = c * (tx * ty - dot_in(x, y));
         return std::log(z + std::sqrt(std::max(z * z - 1, T(1e-15)))) / std::sqrt(c);
       }},
      {"MERU: arcosh, clamped",
       [](const V& x, const V& y, T c) {
         const T tx = std::sqrt(1 / c + dot_in(x, x)),
                 ty = std::sqrt(1 / c + dot_in(y, y));
         return std::acosh(std::max(c * (tx * ty - dot_in(x, y)), T(1 + 1e-8))) /
                std::sqrt(c);
       }},
      {"Manopt: 2 arsinh of |x-y|_L/2",
       [](const V& x, const V& y, T c) {
         const T tx = std::sqrt(1 / c + dot_in(x, x)),
                 ty = std::sqrt(1 / c + dot_in(y, y));
         T d = -(tx - ty) * (tx - ty);
         for (std::size_t i = 0; i < x.size(); ++i) d += (y[i] - x[i]) * (y[i] - x[i]);
         return 2 / std::sqrt(c) * std::asinh(std::sqrt(std::max(c * d, T(0))) / 2);
       }},
  };
}

}  // namespace accuracy
