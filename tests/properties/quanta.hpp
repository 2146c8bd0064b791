// tests/properties/quanta.hpp - the tolerance of an identity that passes through stored
// points, and the points that properties are tested on.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/catalog.hpp"
#include "support/quantum.hpp"

namespace quanta {

using hcl::Index;
using hcl::Point;
template <class T>
using Vector = std::vector<T>;

using support::quantum;
using support::roundoff;

/// C (u d + sum of quanta), C = 8.
template <class M, class... Points>
double allowed(const M& m, double d, const Points&... points) {
  using T = hcl::ScalarOf<M>;
  return 8 * (roundoff<T> * d + (quantum(m, Point<T>(points)) + ...));
}

struct Case {
  double c;
  std::size_t n;
};

/// Dimensions that are no multiple of a vector, and those that are; curvatures over seven
/// decades. HCL_SHORT keeps a few.
inline std::vector<Case> cases() {
#ifdef HCL_SHORT
  const std::vector<std::size_t> dims{2, 9, 17};
  const std::vector<double> cs{1e-3, 1};
#else
  const std::vector<std::size_t> dims{2, 3, 7, 8, 9, 16, 17, 65, 512};
  const std::vector<double> cs{1e-6, 1e-3, 0.1, 1, 10};
#endif
  std::vector<Case> all;
  for (const auto n : dims)
    for (const double c : cs) all.push_back({c, n});
  return all;
}

/// sqrt(c) d(0, x) up to which the type and the chart resolve directions.
template <class M>
double largest_radius() {
  constexpr bool single = sizeof(hcl::ScalarOf<M>) == 4;
  if constexpr (support::is_sphere<M>) return 3;
  return single ? 6 : 12;
}

/// Random points: radii log-uniform up to the largest, then their neighbours at
/// log-uniform separations, a coincident, a collinear, an opposite one, one on an axis,
/// the origin with signs, and subnormal coordinates.
template <class M>
std::vector<Vector<hcl::ScalarOf<M>>> points(const M& m, std::size_t n, unsigned seed) {
  using T = hcl::ScalarOf<M>;
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  const double root = double(m.c()) > 0 ? std::sqrt(double(m.c())) : 1;
  const auto log_uniform = [&](double a, double b) {
    return a * std::pow(b / a, uniform(random));
  };
  const auto vector = [&](double length) {
    Vector<double> v(n);
    double sum = 0;
    for (auto& e : v) e = normal(random), sum += e * e;
    Vector<T> out(n);
    for (std::size_t k = 0; k < n; ++k) out[k] = T(v[k] * length / std::sqrt(sum));
    if constexpr (support::is_sphere<M>) {
      out[0] = T(0);
      if (n == 1) out[0] = T(1);
    }
    return out;
  };
  std::vector<Vector<T>> all;
  const auto at = [&](const Vector<T>& v) {
    Vector<T> z(n);
    m.expmap0(v, z);
    return z;
  };
  const double scale = root * double(m.origin_scale());
  for (int i = 0; i < 4; ++i)
    all.push_back(at(vector(log_uniform(0.01, largest_radius<M>()) / scale)));
  for (int i = 0; i < 4; ++i) {
    const Vector<T>& x = all[std::size_t(i)];
    Vector<T> v = vector(1), z(n);
    m.project_tangent(x, v, v);
    const double norm = double(m.norm(x, v));
    if (norm == 0) continue;
    const double k = log_uniform(1e-6, 1) / (root * norm);
    for (auto& e : v) e = T(double(e) * k);
    m.expmap(x, v, z);
    all.push_back(z);
  }
  all.push_back(all[0]);
  Vector<T> v(n);
  if constexpr (!support::is_sphere<M>) {
    v = all[1];
    for (auto& e : v) e *= T(0.999);
    all.push_back(v);
    v = all[2];
    for (auto& e : v) e = -e;
    all.push_back(v);
    Vector<T> axis(n, T(0));
    axis[n / 2] = T(0.5 / root);
    all.push_back(axis);
    all.push_back(Vector<T>(n, T(0)));
    all.push_back(Vector<T>(n, T(-0.0)));
    all.push_back(Vector<T>(n, std::numeric_limits<T>::denorm_min()));
  }
  return all;
}

/// f(m, points) over all cases.
template <class M, class F>
void over_cases(unsigned seed, const F& f) {
  for (const Case& k : cases()) {
    const double c = k.c;
    const std::size_t n = k.n;
    CAPTURE(c);
    CAPTURE(n);
    CAPTURE(seed);
    const M m = support::make<M>(c);
    f(m, points(m, n, seed));
  }
}

}  // namespace quanta

#define HCL_PROPERTY_MANIFOLDS HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)
