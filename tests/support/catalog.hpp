// tests/support/catalog.hpp - the geometries, curvatures and random points that tests run
// over.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"

namespace support {

template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr double curvatures[] = {0.01, 0.7, 4.0};
inline constexpr unsigned seed = 20240117;

/// A geometry of curvature c; Euclidean space has none.
template <class M>
M make(double c) {
  if constexpr (std::is_constructible_v<M, hcl::ScalarOf<M>>)
    return M(hcl::ScalarOf<M>(c));
  else
    return M();
}

/// The geometry of this kind over the scalar of c.
template <class M, class S>
auto like(const S& c) {
  using T = hcl::ScalarOf<M>;
  if constexpr (std::same_as<M, hcl::Euclidean<T>>)
    return hcl::Euclidean<S>();
  else if constexpr (std::same_as<M, hcl::Sphere<T>>)
    return hcl::Sphere<S>(c);
  else if constexpr (std::same_as<M, hcl::PoincareBall<T>>)
    return hcl::PoincareBall<S>(c);
  else
    return hcl::Lorentz<S>(c);
}

template <class M>
inline constexpr bool is_sphere = false;
template <class T>
inline constexpr bool is_sphere<hcl::Sphere<T>> = true;

/// Directions at which formulas break: poles, opposite and orthogonal ones, both sides of
/// a quarter turn, nearly opposite ones.
inline Rows<double> corners() {
  Rows<double> x(9, 3);
  x << 1, 0, 0,    // a pole
      -1, 0, 0,    // the other
      0, 1, 0,     // orthogonal to both
      0, -1, 0,    //
      0, 0, 1,     //
      1, 0, 1e-9,  // both sides of a quarter turn
      0, 1, -1e-9, -1, 1e-3, 0, -1, 1e-7, 0;
  return x;
}

/// n x d vectors of length uniform in (0, length].
template <class T>
Rows<T> random_vectors(hcl::Index n, hcl::Index d, double length, unsigned from = seed) {
  std::mt19937 engine(from);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0.05, 1.0);
  Rows<T> v(n, d);
  for (hcl::Index i = 0; i < n; ++i) {
    double sum = 0;
    std::vector<double> row(static_cast<std::size_t>(d));
    for (double& e : row) {
      e = normal(engine);
      sum += e * e;
    }
    const double s = length * uniform(engine) / std::sqrt(sum);
    for (hcl::Index j = 0; j < d; ++j) v(i, j) = T(s * row[static_cast<std::size_t>(j)]);
  }
  return v;
}

/// n x d points within sqrt(c)|v| <= radius of the origin, z = expmap0(v); on the sphere
/// the rows then get lengths of their own, because only their directions count.
template <class M>
Rows<hcl::ScalarOf<M>> random_points(const M& m, hcl::Index n, hcl::Index d,
                                     double radius = 1.5, unsigned from = seed) {
  using T = hcl::ScalarOf<M>;
  const double root =
      static_cast<double>(m.c()) > 0 ? std::sqrt(static_cast<double>(m.c())) : 1;
  const Rows<T> v = random_vectors<T>(n, d, radius / root, from);
  Rows<T> x(n, d);
  for (hcl::Index i = 0; i < n; ++i) {
    m.expmap0(hcl::BatchIn<T>(v).row(i), hcl::BatchOut<T>(x).row(i));
    if constexpr (is_sphere<M>) x.row(i) *= T(0.5 + 0.3 * double(i % 5));
  }
  return x;
}

/// Vectors of length up to `length`, tangent at the rows of x.
template <class M>
Rows<hcl::ScalarOf<M>> random_tangents(const M& m, const Rows<hcl::ScalarOf<M>>& x,
                                       double length, unsigned from = seed) {
  using T = hcl::ScalarOf<M>;
  Rows<T> v = random_vectors<T>(x.rows(), x.cols(), length, from);
  for (hcl::Index i = 0; i < x.rows(); ++i)
    for (int twice = 0; twice < 2; ++twice)  // what is mostly across it loses digits
      m.project_tangent(hcl::BatchIn<T>(x).row(i), hcl::BatchIn<T>(v).row(i),
                        hcl::BatchOut<T>(v).row(i));
  return v;
}

/// Six points in `dim` dimensions, the last two close to each other.
template <class M>
std::vector<std::vector<hcl::ScalarOf<M>>> some_points(const M& m, hcl::Index dim,
                                                       double radius = 1.2) {
  using T = hcl::ScalarOf<M>;
  auto x = random_points(m, 6, dim, radius);
  x.row(5) = x.row(4) * T(1 - 1e-3);
  x(5, 0) += T(1e-3) * x(4, 1);
  std::vector<std::vector<T>> out;
  for (hcl::Index i = 0; i < 6; ++i)
    out.emplace_back(hcl::BatchIn<T>(x).row(i).begin(), hcl::BatchIn<T>(x).row(i).end());
  return out;
}

}  // namespace support

#define HCL_TEST_MANIFOLDS(T) \
  hcl::Euclidean<T>, hcl::Sphere<T>, hcl::PoincareBall<T>, hcl::Lorentz<T>
