// Midpoints: one point in every model, the middle of two, moved by isometries, and their
// backward.
#include <doctest/doctest.h>

#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/gyro.hpp"
#include "hcl/manifold/midpoint.hpp"
#include "hcl/manifold/models.hpp"
#include "hcl/testing/gradient_check.hpp"
#include "support/catalog.hpp"
#include "support/quantum.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
constexpr hcl::Index rows = 6, dim = 9;  // vectors and what is left over
template <class T>
using Vec = std::vector<T>;
template <class T>
const Vec<T> weights{T(0.5), T(2), T(0), T(1), T(0.1), T(3)};

template <class T>
const Vec<T> weights3{T(1), T(0.5), T(2)};

template <class M>
Vec<hcl::ScalarOf<M>> middle(const M& m, const Rows<hcl::ScalarOf<M>>& x,
                             const Vec<hcl::ScalarOf<M>>& w = {}) {
  Vec<hcl::ScalarOf<M>> out(std::size_t(x.cols()));
  hcl::midpoint(m, x, w, out);
  return out;
}

TEST_CASE_TEMPLATE("of two points it is the middle of their geodesic", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures)
    for (const double radius : {1.2, 3.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const M m = make<M>(c);
      const auto x = random_points(m, rows, dim, radius);
      for (hcl::Index i = 0; i < rows; ++i)
        for (hcl::Index j = 0; j < rows; ++j) {
          Rows<T> two(2, dim);
          two.row(0) = x.row(i), two.row(1) = x.row(j);
          Vec<T> want(dim);
          hcl::geodesic(m, hcl::BatchIn<T>(two).row(0), hcl::BatchIn<T>(two).row(1),
                        T(0.5), want);
          const double unit = c > 0 ? 1 / std::sqrt(c) : 1;
          CHECK(double(m.dist(middle(m, two), want)) <=
                20 * eps * (1 + std::exp(2 * radius)) * unit);
        }
    }
}

TEST_CASE_TEMPLATE("gyro-midpoint, Einstein midpoint and Lorentz centroid are one", T,
                   float, double) {
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures)
    for (const double radius : {1.0, 2.5}) {
      CAPTURE(c);
      CAPTURE(radius);
      const hcl::Lorentz<T> lorentz{T(c)};
      const hcl::PoincareBall<T> ball{T(c)};
      const hcl::Klein<T> klein{T(c)};
      const auto x = random_points(lorentz, rows, dim, radius);
      Rows<T> in_ball(x), in_klein(x);
      for (hcl::Index i = 0; i < rows; ++i) {
        hcl::to_ball(lorentz, hcl::BatchIn<T>(x).row(i),
                     hcl::BatchOut<T>(in_ball).row(i));
        hcl::to_klein(lorentz, hcl::BatchIn<T>(x).row(i),
                      hcl::BatchOut<T>(in_klein).row(i));
      }
      const auto want = middle(lorentz, x, weights<T>);
      Vec<T> a(dim), b(dim);
      hcl::to_lorentz(ball, middle(ball, in_ball, weights<T>), a);
      hcl::to_lorentz(klein, middle(klein, in_klein, weights<T>), b);
      const double tolerance = 20 * eps * std::exp(2 * radius) / std::sqrt(c);
      CHECK(double(lorentz.dist(want, a)) <= tolerance);
      CHECK(double(lorentz.dist(want, b)) <= tolerance);
    }
}

TEST_CASE_TEMPLATE("in the half-space it is the same point", T, float, double) {
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures)
    for (const double radius : {1.0, 2.5}) {
      CAPTURE(c);
      CAPTURE(radius);
      const hcl::Lorentz<T> lorentz{T(c)};
      const hcl::HalfSpace<T> half{T(c)};
      const auto x = random_points(lorentz, rows, dim, radius);
      Rows<T> in_half(x);
      for (hcl::Index i = 0; i < rows; ++i)
        hcl::to_half_space(lorentz, hcl::BatchIn<T>(x).row(i),
                           hcl::BatchOut<T>(in_half).row(i));
      for (const auto& w : {Vec<T>{}, weights<T>}) {
        Vec<T> want(dim);
        hcl::to_half_space(lorentz, middle(lorentz, x, w), want);
        CHECK(double(half.dist(want, middle(half, in_half, w))) <=
              20 * eps * std::exp(2 * radius) / std::sqrt(c));
      }
    }
}

TEST_CASE("the half-space's backward is that of differences") {
  const hcl::HalfSpace<double> m(0.7);
  const Rows<double> x = random_vectors<double>(rows, dim, 1.0);
  Rows<double> points = x;
  points.col(dim - 1) = x.col(dim - 1).array().abs() + 0.2;
  const Vec<double> g{1, -0.5, 2, 0.3, -1, 0.7, 0.2, 0.1, 1.5};
  std::vector<double> in(points.data(), points.data() + points.size());
  in.insert(in.end(), weights<double>.begin(), weights<double>.end());
  in[rows * dim + 2] = 0.4;  // a difference on both sides of a weight
  const std::size_t size = std::size_t(points.size());
  const auto value = [&] {
    Vec<double> out(dim);
    hcl::midpoint(m, hcl::BatchIn<double>(in.data(), rows, dim),
                  std::span<const double>(in).subspan(size), out);
    double sum = 0;
    for (std::size_t k = 0; k < g.size(); ++k) sum += g[k] * out[k];
    return sum;
  };
  std::vector<double> gradient(in.size(), 0.0);
  double gc = 0;
  hcl::midpoint_vjp(m, hcl::BatchIn<double>(in.data(), rows, dim),
                    std::span<const double>(in).subspan(size), g,
                    hcl::BatchOut<double>(gradient.data(), rows, dim),
                    std::span<double>(gradient).subspan(size), gc);
  CHECK(gc == 0);
  const auto r = hcl::testing::gradient_check(value, in, gradient, 1e-7);
  CAPTURE(r.message);
  CHECK(r.ok);
}

TEST_CASE_TEMPLATE("translations move it along", T, float, double) {
  const hcl::PoincareBall<T> m{T(0.7)};
  const auto x = random_points(m, rows, dim, 1.0);
  const Vec<T> by{T(0.3), T(-0.2), T(0.4), T(0.1), T(0.2), T(-0.3), T(0), T(0.1), T(0.2)};
  Rows<T> moved(x);
  for (hcl::Index i = 0; i < rows; ++i)
    hcl::mobius_add(m, by, hcl::BatchIn<T>(x).row(i), hcl::BatchOut<T>(moved).row(i));
  Vec<T> want(dim);
  hcl::mobius_add(m, by, middle(m, x, weights<T>), want);
  CHECK(double(m.dist(middle(m, moved, weights<T>), want)) <=
        200 * double(std::numeric_limits<T>::epsilon()));
}

TEST_CASE_TEMPLATE("of one point, or one of weight, it is that point", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  const auto x = random_points(m, rows, dim, 3.0);
  Vec<T> w(rows, T(0));
  w[3] = T(0.2);
  const auto row = hcl::BatchIn<T>(x).row(3);
  const double tolerance = 200 * double(std::numeric_limits<T>::epsilon());
  CHECK(double(m.dist(middle(m, x, w), row)) <= tolerance);
  CHECK(double(m.dist(middle(m, Rows<T>(x.row(3))), row)) <= tolerance);
}

TEST_CASE("far from the origin the digits are those of the points") {
  // sqrt(c) d(0, x) = 12, 1e-3 apart: H^2 - c|s|^2 loses 21 decimal digits.
  const hcl::Lorentz<double> m(1.0);
  Rows<double> x(2, 2);
  x << std::sinh(12.0), 0, std::sinh(12.001), 0;
  const Vec<double> at = middle(m, x);
  CHECK(at[0] == doctest::Approx(std::sinh(12.0005)).epsilon(1e-14));
}

TEST_CASE_TEMPLATE("weights of coincident rows have no gradient", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  const M m = make<M>(0.7);
  const auto points = random_points(m, 8, dim, 3.0);
  for (hcl::Index p = 0; p < 8; ++p) {
    Rows<T> x(3, dim), gx = Rows<T>::Zero(3, dim);
    for (hcl::Index i = 0; i < 3; ++i) x.row(i) = points.row(p);
    const Vec<T> g{T(1), T(-2), T(0.5), T(1), T(0.3), T(-1), T(2), T(0.1), T(-0.4)};
    Vec<T> gw(3, T(0));
    T gc(0);
    hcl::midpoint_vjp(m, x, weights3<T>, g, gx, gw, gc);
    for (const T e : gw) CHECK(std::abs(double(e)) <= 100 * eps);
  }
}

TEST_CASE_TEMPLATE("no radius makes it lose its finiteness", M, hcl::Lorentz<float>,
                   hcl::Lorentz<double>, hcl::PoincareBall<float>,
                   hcl::PoincareBall<double>) {
  using T = hcl::ScalarOf<M>;
  const M m(T(0.7));
  for (const double length : {10.0, 20.0, 36.0, 200.0, 400.0}) {
    CAPTURE(length);
    Rows<T> x(3, 2), gx = Rows<T>::Zero(3, 2);
    const Vec<T> v{T(length * 0.6), T(length * 0.8)};
    for (hcl::Index i = 0; i < 3; ++i) m.expmap0(v, hcl::BatchOut<T>(x).row(i));
    const auto row = hcl::BatchIn<T>(x).row(0);
    const Vec<T> at = middle(m, x), g{T(1), T(2)};
    CHECK(m.is_on_manifold(at).ok);
    if (length <= 20) CHECK(double(m.dist(at, row)) <= 8 * quantum(m, row));
    T gc(0);
    Vec<T> gw(3, T(0));
    hcl::midpoint_vjp(m, x, weights3<T>, g, gx, gw, gc);
    CHECK(hcl::is_finite(gc));
    for (hcl::Index i = 0; i < 3; ++i) {
      CHECK(hcl::is_finite(gw[std::size_t(i)]));
      CHECK(hcl::is_finite(gx(i, 0)));
      CHECK(hcl::is_finite(gx(i, 1)));
    }
  }
}

TEST_CASE_TEMPLATE("backward of midpoints", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double), hcl::Klein<float>, hcl::Klein<double>) {
  using T = hcl::ScalarOf<M>;
  for (const double c : curvatures)
    for (const double radius : {0.5, 2.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const M m = make<M>(c);
      const hcl::PoincareBall<T> ball{T(c)};
      Rows<T> x;
      if constexpr (hcl::Manifold<M>)
        x = random_points(m, rows, dim, radius);
      else
        x = random_points(ball, rows, dim, radius / 2);
      const std::size_t n = rows * dim;
      Vec<T> in(x.data(), x.data() + n);
      in.insert(in.end(), weights<T>.begin(), weights<T>.end());
      in.push_back(T(c));
      const auto at = [](const auto& a) {
        using S = std::remove_cvref_t<decltype(a[0])>;
        if constexpr (hcl::Manifold<M>)
          return like<M>(S(a.back()));
        else
          return hcl::Klein<S>(a.back());
      };
      check_vjp(
          in,
          [&](const auto& a) {
            using S = std::remove_cvref_t<decltype(a[0])>;
            std::vector<S> out(dim);
            hcl::midpoint(at(a), hcl::BatchIn<S>(a.data(), rows, dim),
                          std::span(a).subspan(n, rows), std::span(out));
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::midpoint_vjp(m, hcl::BatchIn<T>(a.data(), rows, dim),
                              std::span(a).subspan(n, rows), g,
                              hcl::BatchOut<T>(out.data(), rows, dim),
                              std::span(out).subspan(n, rows), out.back());
          },
          300);
    }
}

TEST_CASE("bad points and weights are named") {
  const hcl::PoincareBall<float> m(1.0f);
  Rows<float> x = Rows<float>::Constant(3, 2, 0.1f);
  Vec<float> out(2, 7.0f);
  const auto refused = [&](const Vec<float>& w, const char* text) {
    CHECK_THROWS_WITH_AS(hcl::midpoint(m, x, w, out), doctest::Contains(text),
                         std::invalid_argument);
  };
  refused({1, 1}, "w has 2 numbers, must have 3");
  refused({1, -1, 1}, "w[1] = -1");
  refused({0, 0, 0}, "all weights are 0");
  x(2, 0) = 1;
  refused({}, "x row 2");
  CHECK(out == Vec<float>(2, 7.0f));
  CHECK_THROWS_WITH_AS(hcl::midpoint(m, Rows<float>(0, 2), Vec<float>(), out),
                       doctest::Contains("no rows"), std::invalid_argument);
  Rows<float> opposite(2, 2);
  opposite << 1, 0, -1, 0;
  CHECK_THROWS_WITH_AS(hcl::midpoint(hcl::Sphere<float>(), opposite, Vec<float>(), out),
                       doctest::Contains("cancel"), std::invalid_argument);
}

}  // namespace
