// bench/accuracy/sample.hpp - pairs of stored points at a given radius and separation,
// and errors in units in the last place against 60 digits.
#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace accuracy {

using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<60>,
                                            boost::multiprecision::et_off>;
template <class T>
using Vector = std::vector<T>;

template <class T>
Vector<Exact> exact(const Vector<T>& x) {
  return {x.begin(), x.end()};
}

/// |got - want| in spacings of T at want.
template <class T>
double ulps(T got, const Exact& want) {
  if (!(got - got == T(0))) return std::numeric_limits<double>::infinity();
  const Exact size = abs(want);
  if (size == 0) return got == T(0) ? 0 : std::numeric_limits<double>::infinity();
  int exponent = 0;
  (void)frexp(size, &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent;
  const Exact spacing =
      ldexp(Exact(1), std::max(exponent, lowest) - std::numeric_limits<T>::digits);
  return double(abs(Exact(got) - want) / spacing);
}

/// How y lies to x: at a distance, in a random direction; on the ray of x, nearer to the
/// origin; or in a direction of its own.
struct Separation {
  std::string name;
  double distance;
  enum { anywhere, along, apart } kind = anywhere;
};

inline const std::vector<Separation>& separations() {
  static const std::vector<Separation> all{{"1e-6", 1e-6},
                                           {"1e-3", 1e-3},
                                           {"0.1", 0.1},
                                           {"1", 1},
                                           {"collinear", 1e-3, Separation::along},
                                           {"far", 0, Separation::apart}};
  return all;
}

template <class T>
struct Pair {
  Vector<T> x, y;
};

/// A geometry with a radius: x = expmap0(v), sqrt(c) d(0, x) = r; y = expmap(x, w),
/// sqrt(c) d(x, y) = separation; both rounded to T. M is the geometry over Exact.
template <class T, template <class> class M>
Pair<T> sample(double c, std::size_t n, double r, const Separation& s,
               std::mt19937_64& random) {
  const M<Exact> m{Exact(c)};
  const Exact root = sqrt(Exact(c));
  std::normal_distribution<double> normal;
  const auto direction = [&](const Exact& length) {
    Vector<Exact> v(n);
    Exact sum(0);
    for (auto& e : v) e = Exact(normal(random)), sum += e * e;
    const Exact k = length / sqrt(sum);
    for (auto& e : v) e *= k;
    return v;
  };
  const auto point = [&](const Vector<Exact>& v) {
    Vector<Exact> z(n);
    m.expmap0(v, z);
    return z;
  };
  const auto stored = [](const Vector<Exact>& v) {
    Vector<T> out;
    for (const auto& e : v) out.push_back(T(e));
    return out;
  };
  const Exact scale = root * m.origin_scale();
  const Vector<Exact> v = direction(Exact(r) / scale), x = point(v);
  Vector<Exact> y(n);
  if (s.kind == Separation::apart) {
    y = point(direction(Exact(r) / scale));
  } else if (s.kind == Separation::along) {
    Vector<Exact> w = v;
    for (auto& e : w) e *= Exact(1 - s.distance / r);
    y = point(w);
  } else {
    Vector<Exact> w = direction(Exact(1));
    const Exact k = Exact(s.distance) / (root * m.norm(x, w));
    for (auto& e : w) e *= k;
    m.expmap(x, w, y);
  }
  return {stored(x), stored(y)};
}

}  // namespace accuracy
