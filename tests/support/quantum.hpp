// tests/support/quantum.hpp - how far the rounding of its coordinates may move a point.
#pragma once

#include <cmath>
#include <limits>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/half_space.hpp"
#include "hcl/manifold/klein.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace support {

/// u = 2^-24 or 2^-53.
template <class T>
inline constexpr double roundoff = double(std::numeric_limits<T>::epsilon()) / 2;

// quantum(m, x): in the metric of m, the most that one rounding of every coordinate moves
// x by.
template <class T>
double quantum(const hcl::Euclidean<T>&, std::type_identity_t<hcl::Point<T>> x) {
  return roundoff<T> * std::sqrt(double(hcl::norm2<T>(x)));
}
template <class T>
double quantum(const hcl::Sphere<T>& m, std::type_identity_t<hcl::Point<T>>) {
  return roundoff<T> / std::sqrt(double(m.c()));
}
template <class T>
double quantum(const hcl::PoincareBall<T>& m, std::type_identity_t<hcl::Point<T>> x) {
  const double n = double(hcl::norm2<T>(x)), c = double(m.c());
  return roundoff<T> * (2 * std::sqrt(n) / (1 - c * n) + 1 / std::sqrt(c));
}
template <class T>
double quantum(const hcl::Lorentz<T>& m, std::type_identity_t<hcl::Point<T>> x) {
  return roundoff<T> * std::sqrt(1 / double(m.c()) + double(hcl::norm2<T>(x)));
}
template <class T>
double quantum(const hcl::Klein<T>& m, std::type_identity_t<hcl::Point<T>> x) {
  const double n = double(hcl::norm2<T>(x)), c = double(m.c());
  return roundoff<T> * (std::sqrt(n) / (1 - c * n) + 1 / std::sqrt(c));
}
template <class T>
double quantum(const hcl::HalfSpace<T>& m, std::type_identity_t<hcl::Point<T>> x) {
  return roundoff<T> * std::sqrt(double(hcl::norm2<T>(x)) / double(m.c())) /
         double(x.back());
}

}  // namespace support
