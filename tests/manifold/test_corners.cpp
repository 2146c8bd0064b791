// The laws of every geometry at its corners, in float and double: equal, opposite and
// orthogonal points, poles, both sides of a threshold, the origin, the rim, subnormal and
// huge coordinates. What is too large for the scalar is refused by name.
#include <doctest/doctest.h>

#include "hcl/manifold/batch.hpp"
#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
namespace t = hcl::testing;

/// Directions; on the sphere some are antipodes, others nearly so, and two are equal.
Rows<double> directions() {
  Rows<double> x(11, 3);
  x << corners(), Rows<double>{{1, -1e-7, 0}, {0, 1, 0}};
  return x.rowwise().normalized();
}

template <class M>
void check_laws(const M& m, const Rows<hcl::ScalarOf<M>>& x, double tolerance) {
  const auto metric = t::check_metric_laws(m, x);
  CHECK_MESSAGE(metric.ok, metric.message);
  const auto vectors = random_vectors<hcl::ScalarOf<M>>(x.rows(), x.cols(), 1, seed + 1);
  const auto laws = t::check_manifold_laws(m, x, vectors, tolerance);
  CHECK_MESSAGE(laws.ok, laws.message);
}

/// A length of all rows and the tolerance that it leaves: e^r rounding units, by the
/// chart.
struct Size {
  double length, tolerance;
};

/// At the lengths of points sqrt(c) x, the origin among them.
template <template <class> class M, class T>
void check_sizes(const std::vector<Size>& sizes) {
  for (const double c : curvatures)
    for (const Size& size : sizes) {
      CAPTURE(c);
      CAPTURE(size.length);
      Rows<T> x = (directions() * (size.length / std::sqrt(c))).template cast<T>();
      x.row(4).setZero();
      check_laws(make<M<T>>(c), x, size.tolerance);
    }
}

TEST_CASE_TEMPLATE("corners of Euclidean space", T, float, double) {
  const bool narrow = sizeof(T) == 4;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double length : {narrow ? 1e-44 : 1e-320, narrow ? 1e-36 : 1e-300, 1e-10,
                              1.0, 1e3, narrow ? 1e15 : 1e150}) {
    CAPTURE(length);
    check_laws(hcl::Euclidean<T>(), (directions() * length).template cast<T>(),
               100 * eps);
  }
}

TEST_CASE_TEMPLATE("corners of the sphere, rows of any length", T, float, double) {
  const bool narrow = sizeof(T) == 4;
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::Sphere<T> m{T(c)};
    Rows<T> x = (directions() / std::sqrt(c)).template cast<T>();
    check_laws(m, x, narrow ? 1e-5 : 1e-12);
    for (hcl::Index i = 0; i < x.rows(); ++i)
      x.row(i) *= T(i % 3 == 0 ? 1 : i % 3 == 1 ? 0x1p-40 : 0x1p40);
    check_laws(m, x, narrow ? 1e-5 : 1e-12);
  }
}

TEST_CASE_TEMPLATE("angles do not depend on lengths, however unequal", T, float, double) {
  const hcl::Sphere<T> m{T(1)};
  const T eps = std::numeric_limits<T>::epsilon();
  for (const int power : {20, 40, 60, sizeof(T) == 4 ? 62 : 490})
    for (const T angle : {T(0), T(1e-3), T(0.5), T(1.5), T(3)}) {
      CAPTURE(power);
      CAPTURE(angle);
      Rows<T> x(1, 2), y(1, 2), gx = Rows<T>::Zero(1, 2), gy = gx, hx = gx, hy = gx;
      x << 1, 0;
      y << std::cos(angle), std::sin(angle);
      const auto row = [](const Rows<T>& r) { return hcl::BatchIn<T>(r).row(0); };
      const auto grad = [](Rows<T>& r) { return hcl::BatchOut<T>(r).row(0); };
      T gc(0);
      const T want = m.dist(row(x), row(y));
      m.dist_vjp(row(x), row(y), 1, grad(gx), grad(gy), gc);
      const T f = std::ldexp(T(1), power);
      x *= f, y /= f;
      CHECK(std::abs(m.dist(row(x), row(y)) - want) <= 2 * eps * want);
      m.dist_vjp(row(x), row(y), 1, grad(hx), grad(hy), gc);
      hx *= f, hy /= f;
      CHECK((hx - gx).norm() <= 4 * eps * gx.norm());
      CHECK((hy - gy).norm() <= 4 * eps * gy.norm());
    }
}

TEST_CASE("corners of the ball, to the rim") {
  check_sizes<hcl::PoincareBall, float>({{1e-44, 3e-4},
                                         {1e-36, 3e-4},
                                         {1e-10, 3e-4},
                                         {0.5, 3e-4},
                                         {0.99, 3e-4},
                                         {0.999, 3e-4},
                                         {1 - 1e-6, 2e-2}});
  check_sizes<hcl::PoincareBall, double>({{1e-320, 1e-12},
                                          {1e-300, 1e-12},
                                          {1e-10, 1e-12},
                                          {0.5, 1e-12},
                                          {1 - 1e-6, 1e-8},
                                          {1 - 1e-13, 1e-2}});
}

TEST_CASE("corners of Lorentz space, near and far") {
  check_sizes<hcl::Lorentz, float>(
      {{1e-44, 3e-4}, {1e-36, 3e-4}, {1e-10, 3e-4}, {1, 3e-4}, {10, 3e-4}, {1e3, 3e-4}});
  check_sizes<hcl::Lorentz, double>({{1e-320, 1e-12},
                                     {1e-300, 1e-12},
                                     {1e-10, 1e-12},
                                     {1, 1e-12},
                                     {100, 1e-11},
                                     {1e6, 1e-8}});
}

TEST_CASE_TEMPLATE("equal points have distance and gradient 0", T, float, double) {
  const std::vector<T> x{T(0.3), T(0.4)};
  const auto check = [&](const auto& m) {
    std::vector<T> gx(2), gy(2);
    T gc(0);
    m.dist_vjp(x, x, T(1), gx, gy, gc);
    CHECK(m.dist(x, x) == T(0));
    CHECK(gx == std::vector<T>(2));
    CHECK(gy == std::vector<T>(2));
    CHECK(gc == T(0));
  };
  check(hcl::Euclidean<T>());
  check(hcl::Sphere<T>(1));
  check(hcl::PoincareBall<T>(1));
  check(hcl::Lorentz<T>(1));
}

#if defined(NDEBUG)  // otherwise they are asserted to be points
TEST_CASE_TEMPLATE("what is not a number has no distance", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> x{nan, T(0.1)}, y{T(0.2), T(0.3)};
  const auto check = [&](const auto& m) {
    CHECK(std::isnan(m.dist(x, y)));
    CHECK(std::isnan(m.dist(y, x)));
    CHECK(std::isnan(m.dist2(x, y)));
    CHECK(std::isnan(m.dist0(x)));
  };
  check(hcl::Euclidean<T>());
  check(hcl::Sphere<T>(1));
  check(hcl::PoincareBall<T>(1));
  check(hcl::Lorentz<T>(1));
}
#endif

template <class M>
void check_refused(const M& m) {
  using T = hcl::ScalarOf<M>;
  const double size = sizeof(T) == 4 ? 1e30 : 1e300;
  const Rows<T> x = (directions() * size).template cast<T>();
  CHECK(!m.is_on_manifold(hcl::BatchIn<T>(x).row(0)));
  std::vector<T> out(std::size_t(x.rows()), T(42));
  CHECK_THROWS_AS(hcl::dist(m, x, x, out), std::invalid_argument);
  CHECK(std::count(out.begin(), out.end(), T(42)) == x.rows());
}

TEST_CASE_TEMPLATE("squares that the scalar cannot hold are refused", T, float, double) {
  check_refused(hcl::Euclidean<T>());
  check_refused(hcl::Sphere<T>(1));
  check_refused(hcl::PoincareBall<T>(1));
  check_refused(hcl::Lorentz<T>(1));
}

}  // namespace
