// Pairs that inner products cannot tell: opposite, orthogonal and equal rows, narrow
// cones, rows of very unequal length, neighbours in double, distances whose squares
// underflow.
#include <doctest/doctest.h>

#include <array>
#include <numbers>
#include <random>

#include "hcl/loss/nt_xent.hpp"
#include "hcl/loss/sup_con.hpp"
#include "hcl/pairwise/distance_matrix.hpp"
#include "hcl/similarity/inner.hpp"
#include "hcl/similarity/neg_dist.hpp"
#include "hcl/similarity/weighted_sum.hpp"
#include "support/catalog.hpp"
#include "support/one_pair_a_row.hpp"

namespace {

using namespace support;
using hcl::Index;
using std::numbers::pi;

template <class T>
Rows<T> circle(std::initializer_list<std::array<double, 2>> points) {
  Rows<T> x(Index(points.size()), 2);
  Index i = 0;
  for (const auto& p : points) x.row(i++) << T(p[0]), T(p[1]);
  return x;
}

/// The largest difference of the batch's distances from the pointwise ones, and of its
/// gradients from theirs.
template <class M>
void check_against_points(const M& m, const Rows<hcl::ScalarOf<M>>& x, double tolerance) {
  using T = hcl::ScalarOf<M>;
  const Index n = x.rows(), d = x.cols();
  const hcl::BatchIn<T> rows(x);
  Rows<T> usual(n, n), exact(n, n);
  hcl::distance_matrix(m, x, usual);
  hcl::distance_matrix(hcl::Exact{hcl::NegDist{m}}, x, exact);
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Rows<T> g(n, n), gx = Rows<T>::Zero(n, d);
  for (T& e : g.reshaped()) e = T(uniform(engine));
  Rows<double> want = Rows<double>::Zero(n, d);
  const auto wide = m.wide();
  const Rows<double> xd = x.template cast<double>();
  const hcl::BatchIn<double> points(xd);
  double gc = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      CAPTURE(i);
      CAPTURE(j);
      const double dist = wide.dist(points.row(i), points.row(j));
      CHECK(std::abs(double(usual(i, j)) - dist) <= tolerance * dist);
      CHECK(std::abs(double(exact(i, j)) - dist) <= tolerance * dist);
      hcl::BatchOut<double> to(want);
      if (i != j)
        wide.dist_vjp(points.row(i), points.row(j), double(g(i, j)), to.row(i), to.row(j),
                      gc);
    }
  T c(0);
  hcl::Workspace ws;
  hcl::distance_matrix_vjp(m, x, g, gx, c, ws);
  for (Index i = 0; i < n; ++i)
    CHECK((gx.row(i).template cast<double>() - want.row(i)).norm() <=
          10 * tolerance * (want.row(i).norm() + want.norm()));
  CHECK(double(c) == doctest::Approx(gc).epsilon(100 * tolerance));
}

TEST_CASE_TEMPLATE("opposite, orthogonal and equal rows on the sphere", T, float,
                   double) {
  const hcl::Sphere<T> m(T(0.7));
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;
  check_against_points(m, circle<T>({{1, 0}, {-1, 0}}), tolerance);
  check_against_points(m, circle<T>({{1, 0}, {0, 1}, {-1, 0}, {0, -1}, {2, 0}, {-3, 0}}),
                       tolerance);
  check_against_points(m, circle<T>({{.9, .1}, {-.9, -.1}, {-1.8, -.2}, {.45, .05}}),
                       tolerance);
  // Both sides of every threshold, and an axis in 16 dimensions.
  Rows<T> x(120, 16);
  x.setZero();
  for (Index i = 0; i < 60; ++i) {
    const double off = std::pow(10.0, -double(i) / 5);
    x.row(i) << T(std::cos(off)), Rows<T>::Zero(1, 14), T(std::sin(off));
    x.row(i + 60) << T(-std::cos(off)), T(std::sin(off)), Rows<T>::Zero(1, 14);
  }
  check_against_points(m, x, tolerance);
}

TEST_CASE_TEMPLATE("rows within 1e-8 of opposite", T, float, double) {
  const Index n = 200, d = 8;
  const Rows<T> u = random_vectors<T>(n, d, 1);
  Rows<T> x(2 * n, d);
  x << u, -u;
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < d; ++k)
      if ((i + k) % 3 == 0)
        x(i + n, k) = std::nextafter(x(i + n, k), T(i % 2 == 0 ? 2 : -2));
  const hcl::Sphere<T> m(T(1));
  Rows<T> dist(2 * n, 2 * n);
  hcl::distance_matrix(m, x, dist);
  Rows<T> gx = Rows<T>::Zero(2 * n, d), gy = gx;
  hcl::Workspace ws;
  pull_one_a_row(hcl::NegDist{m}, x, true, n, gx, gy, ws);
  for (Index i = 0; i < n; ++i) {
    CHECK(double(dist(i, i + n)) == doctest::Approx(pi).epsilon(1e-6));
    CHECK(double(gx.row(i).norm() * x.row(i).norm()) == doctest::Approx(1).epsilon(1e-5));
    CHECK(double(gy.row(i).norm() * x.row(i).norm()) == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE_TEMPLATE("losses of classes and views at opposite points", T, float, double) {
  const hcl::Sphere<T> m(T(1));
  const double eps = sizeof(T) == 4 ? 1e-5 : 1e-7;
  const int labels[] = {0, 0, 1, 1};
  const auto two = circle<T>({{1, 0}, {.9, .1}, {-1, 0}, {-.9, -.1}});
  CHECK(double(hcl::SupCon{hcl::NegDist{m}, T(0.5)}.value(two, labels)) ==
        doctest::Approx(0.0052).epsilon(0.01));
  const auto four = circle<T>({{1, 0}, {0, 1}, {-1, 0}, {0, -1}});
  // Logits 0 beside the own view, distance pi, and twice pi/2: log(1 + 2 e^(pi/2)).
  const double dist = std::log(1 + 2 * std::exp(pi / 2));
  const double dist2 = std::log(1 + 2 * std::exp(pi * pi * 3 / 4));
  const auto check = [&](auto similarity, double want) {
    CHECK(double(hcl::NtXent{similarity, T(1)}.value(four)) ==
          doctest::Approx(want).epsilon(eps));
    CHECK(double(hcl::NtXent{hcl::Exact{similarity}, T(1)}.value(four)) ==
          doctest::Approx(want).epsilon(eps));
  };
  check(hcl::NegDist{m}, dist);
  check(hcl::NegDist2{m}, dist2);
  check(hcl::Cosine{m}, std::log(1 + 2 * std::exp(1.0)));
  check(hcl::Inner{m}, std::log(1 + 2 * std::exp(1.0)));
}

/// |g - want|/|want| for a float loss and the same one in double.
template <class Make>
double gradient_error(const Make& make, const Rows<float>& x) {
  Rows<float> g(x.rows(), x.cols());
  Rows<double> want(x.rows(), x.cols());
  make(0.0F).value_and_grad(x, g);
  make(0.0).value_and_grad(Rows<double>(x.cast<double>()), want);
  return (g.cast<double>() - want).norm() / want.norm();
}

TEST_CASE("cosines in narrow cones") {
  for (const double sigma : {1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5}) {
    CAPTURE(sigma);
    std::mt19937 engine(seed);
    std::normal_distribution<double> normal(1, sigma);
    Rows<float> x(128, 128);
    for (float& e : x.reshaped()) e = float(normal(engine));
    const auto cosine = []<class T>(T) {
      return hcl::NtXent{hcl::Cosine{hcl::Sphere<T>{T(1)}}, T(0.2F)};
    };
    const auto inner = []<class T>(T) {
      return hcl::NtXent{hcl::Inner{hcl::Sphere<T>{T(2)}}, T(0.2F)};
    };
    CHECK(gradient_error(cosine, x) <= 1e-6);
    CHECK(gradient_error(inner, x) <= 1e-6);
  }
}

TEST_CASE("rows of unequal length on the sphere") {
  for (const double ratio : {1.0, 10.0, 1e2, 1e4, 1e8, 1e12}) {
    CAPTURE(ratio);
    Rows<float> x = random_vectors<float>(256, 32, 1).rowwise().normalized();
    for (Index i = 0; i < 256; ++i)
      x.row(i) *= float(std::pow(ratio, double(i % 16) / 15 - 0.5));
    const auto dist = []<class T>(T) {
      return hcl::NtXent{hcl::NegDist{hcl::Sphere<T>{T(1)}}, T(0.2F)};
    };
    const auto cosine = []<class T>(T) {
      return hcl::NtXent{hcl::Cosine{hcl::Sphere<T>{T(1)}}, T(0.2F)};
    };
    // By rows, as short ones have the largest gradients.
    const auto worst = [&](const auto& make) {
      Rows<float> g(256, 32);
      Rows<double> want(256, 32);
      make(0.0F).value_and_grad(x, g);
      make(0.0).value_and_grad(Rows<double>(x.cast<double>()), want);
      double most = 0;
      for (Index i = 0; i < 256; ++i)
        most = std::max(
            most, (g.row(i).cast<double>() - want.row(i)).norm() / want.row(i).norm());
      return most;
    };
    CHECK(worst(dist) <= 2e-6);
    CHECK(worst(cosine) <= 2e-6);
    hcl::Workspace ws;
    Rows<float> ones = Rows<float>::Ones(256, 256), grad = Rows<float>::Zero(256, 32);
    float c = 0;
    hcl::distance_matrix_vjp(hcl::Sphere<float>(1), x, ones, grad, c, ws);
    const Rows<float> once = grad;
    hcl::distance_matrix_vjp(hcl::Sphere<float>(1), x, ones, grad, c, ws);
    CHECK(grad == 2 * once);
  }
}

TEST_CASE(
    "gradients of a long and a short row on the sphere, alone and in a mixed logit") {
  for (const double angle : {1e-6, 1e-3, 1.0, 3.14159})
    for (const double length : {1.0, 1e3, 1e6, 1e10, 1e15}) {
      CAPTURE(angle);
      CAPTURE(length);
      Rows<float> x(2, 2);
      x << float(length), 0, float(std::cos(angle)), float(std::sin(angle));
      const Rows<double> xd = x.cast<double>();
      const auto check = [&](const auto& make) {
        Rows<float> g = Rows<float>::Zero(2, 2), one(2, 2);
        Rows<double> want = Rows<double>::Zero(2, 2);
        one << 0, 1, 0, 0;
        float by_c = 0;
        double c = 0;
        hcl::Workspace ws;
        hcl::detail::dense_distances_vjp(
            "test", make(1.0F), hcl::BatchIn<float>(x), hcl::BatchIn<float>(x), true,
            hcl::BatchIn<float>(one), hcl::BatchOut<float>(g), hcl::BatchOut<float>(g),
            by_c, ws);
        const hcl::BatchIn<double> in(xd);
        const hcl::BatchOut<double> out(want);
        make(1.0).vjp(in.row(0), in.row(1), -1, out.row(0), out.row(1), c);
        for (Index i = 0; i < 2; ++i)
          CHECK((g.row(i).cast<double>() - want.row(i)).norm() <=
                2e-6 * want.row(i).norm());
      };
      check([]<class T>(T) { return hcl::NegDist{hcl::Sphere<T>(T(1))}; });
      check([]<class T>(T) { return hcl::NegDist2{hcl::Sphere<T>(T(1))}; });
      check([]<class T>(T) { return hcl::Cosine{hcl::Euclidean<T>()}; });
      check([]<class T>(T) {
        return hcl::WeightedSum{T(0.5), hcl::NegDist{hcl::Sphere<T>(T(1))}, T(2),
                                hcl::Cosine{hcl::Euclidean<T>()}};
      });
    }
}

TEST_CASE_TEMPLATE("doubles within r = 6, at any separation", M,
                   HCL_TEST_MANIFOLDS(double)) {
  const auto n = Index(150);
  for (const Index d : {2, 16, 600})
    for (const double r : {1.0, 6.0}) {
      CAPTURE(d);
      CAPTURE(r);
      const M m = make<M>(1);
      const Rows<double> u = random_vectors<double>(n + 1, d, 1).rowwise().normalized();
      Rows<double> v(n, d), x(n, d);
      for (Index i = 0; i < n; ++i) {  // a cone: from separations of 2 r to 1e-15
        const double off = std::pow(10.0, -15 * double(i) / double(n));
        const double length =
            r / double(m.origin_scale()) * (1 - off * double(i % 3) / 2);
        v.row(i) = (u.row(n) + off * u.row(i)).normalized() * length;
      }
      hcl::expmap0(m, v, x);
      const hcl::BatchIn<double> rows(x);
      Rows<double> dist(n, n);
      hcl::distance_matrix(m, x, dist);
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j) {
          const double want = m.dist(rows.row(i), rows.row(j));
          CHECK(std::abs(dist(i, j) - want) <= 1e-12 * want);
        }
      hcl::Workspace ws;
      for (const bool about_mean : {false, true})
        for (const Index shift : {Index(1), n / 3}) {
          Rows<double> gx = Rows<double>::Zero(n, d), gy = gx;
          pull_one_a_row(hcl::NegDist{m}, x, about_mean, shift, gx, gy, ws);
          const auto off = [&](Index i, const Rows<double>& got,
                               const Rows<double>& want) {
            const Rows<double> by = got - want;
            Rows<double> tangent(1, d), unit(1, d);
            m.egrad2rgrad(rows.row(i), hcl::BatchIn<double>(by).row(0),
                          hcl::BatchOut<double>(tangent).row(0));
            m.egrad2rgrad(rows.row(i), hcl::BatchIn<double>(want).row(0),
                          hcl::BatchOut<double>(unit).row(0));
            return m.norm(rows.row(i), hcl::BatchIn<double>(tangent).row(0)) /
                   std::max(1e-300,
                            m.norm(rows.row(i), hcl::BatchIn<double>(unit).row(0)));
          };
          for (Index i = 0; i < n; ++i) {
            const Index j = (i + shift) % n;
            Rows<double> wx = Rows<double>::Zero(1, d), wy = wx;
            double c = 0;
            m.dist_vjp(rows.row(i), rows.row(j), 1, hcl::BatchOut<double>(wx).row(0),
                       hcl::BatchOut<double>(wy).row(0), c);
            CHECK(off(i, gx.row(i), wx) <= 1e-9);
            CHECK(off(j, gy.row(j), wy) <= 1e-9);
          }
        }
    }
}

TEST_CASE_TEMPLATE("distances whose squares underflow", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(1);
  for (const double size : {1e-3, 1e-17, 1e-20, 1e-30, 1e-39, 1e-160, 1e-200, 1e-305}) {
    const auto e = static_cast<T>(size);
    if (!(e > T(0))) continue;
    CAPTURE(size);
    Rows<T> x(4, 2), dist(4, 4);
    if constexpr (is_sphere<M>)
      x << 1, 0, 1, e, 1, 3 * e, -1, e;
    else
      x << 0, 0, e, 0, 3 * e, 0, T(0.5), e;
    hcl::distance_matrix(m, x, dist);
    const hcl::BatchIn<T> rows(x);
    for (Index i = 0; i < 4; ++i)
      for (Index j = 0; j < 4; ++j) {
        CAPTURE(i);
        CAPTURE(j);
        const double want = double(m.dist(rows.row(i), rows.row(j)));
        if (i != j && i < 3 && j < 3) CHECK(want > 0);
        CHECK(double(dist(i, j)) == doctest::Approx(want).epsilon(1e-6).scale(size));
      }
    Rows<T> gx = Rows<T>::Zero(4, 2), gy = gx;
    hcl::Workspace ws;
    pull_one_a_row(hcl::NegDist{m}, x, true, 1, gx, gy, ws);
    CHECK(double(gx.row(1).norm()) ==
          doctest::Approx(is_sphere<M> ? 1 : double(m.origin_scale())).epsilon(1e-5));
  }
}

}  // namespace
