// The dense distance matrix, and what it promises: digits, symmetry, the same bits for
// any split of the batch and any number of threads.
#include <doctest/doctest.h>

#include <array>
#include <cstring>

#include "hcl/hcl.hpp"
#include "support/catalog.hpp"
#include "support/one_pair_a_row.hpp"
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace {

using namespace support;
using hcl::Index;

/// Points of m: random ones, and after them neighbours at separations from 0.3 down to
/// nothing, two of them on the same ray.
template <class M>
Rows<hcl::ScalarOf<M>> crowd(const M& m, Index n, Index d) {
  using T = hcl::ScalarOf<M>;
  Rows<T> x = random_points(m, n, d, 2.5);
  const Rows<T> step = random_vectors<T>(n, d, 1, seed + 9);
  for (Index i = n / 2; i < n; ++i) {
    const auto near = x.row(i - n / 2);
    double length = double(near.norm());
    if constexpr (std::same_as<M, hcl::PoincareBall<T>>)  // as long there as elsewhere
      length = std::min(length, 1 - double(m.c()) * length * length);
    const double size = 0.3 * std::pow(10.0, -double(i % 10));
    x.row(i) = near + step.row(i) * T(size * length);
    if (i % 10 == 9) x.row(i) = x.row(i - n / 2);
    if (i % 10 == 8) x.row(i) = x.row(i - n / 2) * T(0.9999);
    m.project(hcl::BatchIn<T>(x).row(i), hcl::BatchOut<T>(x).row(i));
  }
  return x;
}

template <class T>
bool same_bits(const Rows<T>& a, const Rows<T>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::memcmp(a.data(), b.data(), sizeof(T) * std::size_t(a.size())) == 0;
}

template <class M>
using WideOf = decltype(std::declval<M>().wide());

TEST_CASE_TEMPLATE("distances keep their digits at any separation", M,
                   HCL_TEST_MANIFOLDS(float)) {
  for (const double c : curvatures)
    for (const Index d : {3, 16, 37, 600}) {
      CAPTURE(c);
      CAPTURE(d);
      const M m = make<M>(c);
      const auto x = crowd(m, 230, d);
      hcl::Workspace ws;
      Rows<float> usual(230, 230), exact(230, 230);
      hcl::distance_matrix(m, x, usual, ws);
      hcl::distance_matrix(hcl::Exact{hcl::NegDist{m}}, x, exact, ws);
      const Rows<double> xd = x.template cast<double>();
      const hcl::BatchIn<double> rows(xd);
      const auto wide = m.wide();
      for (Index i = 0; i < 230; ++i)
        for (Index j = 0; j < 230; ++j) {
          const double want = wide.dist(rows.row(i), rows.row(j));
          REQUIRE(std::abs(double(usual(i, j)) - want) <= 1e-6 * want);
          int exponent = 0;
          (void)std::frexp(want, &exponent);
          REQUIRE(std::abs(double(exact(i, j)) - want) <=
                  4 * std::ldexp(1, exponent - 24));
        }
    }
}

TEST_CASE_TEMPLATE("neighbours on one ray, far out", M, hcl::PoincareBall<float>,
                   hcl::Lorentz<float>, hcl::Euclidean<float>) {
  const M m = make<M>(1);
  const Rows<float> v = random_vectors<float>(8, 16, 1).rowwise().normalized();
  Rows<float> x(64, 16), d(64, 64);
  for (Index i = 0; i < 64; ++i) {
    // In the Lorentz model so far out that differences in double cancel too.
    const float r =
        std::same_as<M, hcl::Lorentz<float>> ? 9 : 6 / float(m.origin_scale());
    const Rows<float> at = v.row(i / 8) * (r * (1 - std::pow(10.0F, -float(i % 8))));
    m.expmap0(hcl::BatchIn<float>(at).row(0), hcl::BatchOut<float>(x).row(i));
  }
  hcl::Workspace ws;
  hcl::distance_matrix(m, x, d, ws);
  const Rows<double> xd = x.cast<double>();
  const hcl::BatchIn<double> rows(xd);
  for (Index i = 0; i < 64; ++i)
    for (Index j = 0; j < 64; ++j) {
      const double want = m.wide().dist(rows.row(i), rows.row(j));
      CHECK(std::abs(double(d(i, j)) - want) <= 1e-6 * want);
    }
}

TEST_CASE_TEMPLATE("unchecked, the same rows lose them", M, hcl::PoincareBall<float>,
                   hcl::Lorentz<float>) {
  const M m(0.7F);
  const auto x = crowd(m, 230, 16);
  Rows<float> g(230, 16);
  const hcl::NtXent checked{hcl::NegDist{m}, 0.2F};
  const hcl::NtXent unchecked{hcl::Unchecked{hcl::NegDist{m}}, 0.2F};
  const auto a = checked.value_and_grad(x, g);
  CHECK(hcl::is_finite(a.value));
  CHECK(g.allFinite());
  CHECK(a.reevaluated >= 90);
  CHECK(a.reevaluated < 230 * 229 / 4);
  const auto b = unchecked.value_and_grad(x, g);
  CHECK(b.reevaluated == 0);
  CHECK_FALSE(g.allFinite());
}

TEST_CASE_TEMPLATE("a close pair has the same bits in a tile full of them and alone", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  for (const hcl::Index d : {1, 5, 17, 40, 128}) {
    CAPTURE(d);
    const hcl::Index n = 60;
    Rows<T> x(n, d), far = random_points(m, n, d, 1.0);
    for (hcl::Index i = 0; i < n; ++i) {
      x.row(i) = far.row(0);
      for (hcl::Index k = 0; k < d; ++k)
        x(i, k) *= T(1) + T(1e-7 * std::sin(double(7 * i + 3 * k)));
    }
    Rows<T> all(n, n), one(1, 1);
    hcl::distance_matrix(m, x, all);
    for (hcl::Index i = 1; i < n; ++i) {
      hcl::distance_matrix(m, Rows<T>(x.row(0)), Rows<T>(x.row(i)), one);
      CHECK(one(0, 0) == all(0, i));
    }
  }
}

TEST_CASE_TEMPLATE("symmetric to the bit, 0 on the diagonal, whatever the split", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  for (const Index d : {1, 2, 9, 40}) {
    if (support::is_sphere<M> && d == 1) continue;
    const auto x = crowd(m, 250, d);
    hcl::Workspace ws;
    Rows<T> all(250, 250), cross(250, 250), part(31, 97);
    hcl::distance_matrix(m, x, all, ws);
    CHECK(same_bits(all, Rows<T>(all.transpose())));
    CHECK(all.diagonal().isZero(0));
    hcl::distance_matrix(m, x, x, cross, ws);
    CHECK(same_bits(all, cross));
    const Rows<T> some = x.middleRows(100, 31), others = x.middleRows(5, 97);
    hcl::distance_matrix(m, some, others, part, ws);
    CHECK(same_bits(part, Rows<T>(all.block(100, 5, 31, 97))));
    Rows<T> one(1, 1);
    for (const Index i : {0, 126, 249})
      for (Index j = 0; j < 250; j += 7) {
        hcl::distance_matrix(m, x.row(i), x.row(j), one, ws);
        CHECK(one(0, 0) == all(i, j));
      }
  }
}

TEST_CASE_TEMPLATE("any number of threads gives the same bits", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
#if defined(_OPENMP)
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  const Index n = 500, d = 9;
  // Collapsed in its first third: tiles of all three kinds.
  auto x = crowd(m, n, d);
  for (Index i = 1; i < n / 3; ++i) x.row(i) = x.row(0) * T(1 - 1e-4 * double(i) / n);
  const Rows<T> g = Rows<T>::Random(n, n);
  const int before = omp_get_max_threads();
  Rows<T> out(n, n), gx(n, d), first_out, first_gx;
  T first_gc(0);
  for (const int threads : {1, 2, 3, 4, 8}) {
    omp_set_num_threads(threads);
    hcl::Workspace ws;
    T gc(0);
    gx.setZero();
    hcl::distance_matrix(m, x, out, ws);
    hcl::distance_matrix_vjp(m, x, g, gx, gc, ws);
    if (threads == 1) first_out = out, first_gx = gx, first_gc = gc;
    CHECK(same_bits(out, first_out));
    CHECK(same_bits(gx, first_gx));
    CHECK(gc == first_gc);
  }
  omp_set_num_threads(before);
#endif
}

/// Sums over all pairs by dist_vjp, in Wide.
template <class M>
struct Reference {
  Rows<double> gx, gy;
  double gc = 0;
  Reference(const M& m, const Rows<double>& x, const Rows<double>& y, const auto& g)
      : gx(Rows<double>::Zero(x.rows(), x.cols())),
        gy(Rows<double>::Zero(y.rows(), y.cols())) {
    for (Index i = 0; i < x.rows(); ++i)
      for (Index j = 0; j < y.rows(); ++j)
        m.dist_vjp(hcl::BatchIn<double>(x).row(i), hcl::BatchIn<double>(y).row(j),
                   double(g(i, j)), hcl::BatchOut<double>(gx).row(i),
                   hcl::BatchOut<double>(gy).row(j), gc);
  }
};

TEST_CASE_TEMPLATE("the backward is the sum of the pairs' own", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-10;
  for (const double c : curvatures)
    for (const bool collapsed : {false, true}) {
      CAPTURE(c);
      CAPTURE(collapsed);
      const M m = make<M>(c);
      const Index n = 130, k = 110, d = 12;
      auto x = crowd(m, n, d);
      if (collapsed) {
        const auto step = random_vectors<T>(n, d, 1e-3, seed + 2);
        for (Index i = 1; i < n; ++i) {
          x.row(i) = x.row(0) + step.row(i) * T(x.row(0).norm());
          m.project(hcl::BatchIn<T>(x).row(i), hcl::BatchOut<T>(x).row(i));
        }
      }
      const Rows<T> y = x.topRows(k).colwise().reverse(), g = Rows<T>::Random(n, k);
      Rows<T> gx = Rows<T>::Zero(n, d), gy = Rows<T>::Zero(k, d);
      T gc(0);
      hcl::Workspace ws;
      hcl::distance_matrix_vjp(m, x, y, g, gx, gy, gc, ws);
      const auto wide = m.wide();
      const Reference<WideOf<M>> want(wide, x.template cast<double>(),
                                      y.template cast<double>(), g);
      CHECK((gx.template cast<double>() - want.gx).norm() <= tolerance * want.gx.norm());
      CHECK((gy.template cast<double>() - want.gy).norm() <= tolerance * want.gy.norm());
      CHECK(std::abs(double(gc) - want.gc) <=
            10 * tolerance * (std::abs(want.gc) + 1e-2 * double(g.size())));
      // Against itself, with a matrix that is not symmetric.
      const Rows<T> h = Rows<T>::Random(n, n);
      Rows<T> both = Rows<T>::Zero(n, d);
      T hc(0);
      hcl::distance_matrix_vjp(m, x, h, both, hc, ws);
      const Reference<WideOf<M>> self(wide, x.template cast<double>(),
                                      x.template cast<double>(), h);
      const Rows<double> sum = self.gx + self.gy;
      CHECK((both.template cast<double>() - sum).norm() <= tolerance * sum.norm());
    }
}

TEST_CASE_TEMPLATE("gradients of pairs keep their digits at any separation", M,
                   HCL_TEST_MANIFOLDS(float)) {
  const Index n = 192, d = 16;
  const Rows<double> u = random_vectors<double>(n + 1, d, 1).rowwise().normalized();
  for (const double c : {0.1, 1.0})
    for (const double r : {1.0, 2.0, 3.0, 6.0}) {
      CAPTURE(c);
      CAPTURE(r);
      const M m = make<M>(c);
      Rows<float> v(n, d), x(n, d);
      for (Index i = 0; i < n; ++i) {  // a cone, by steps towards its axis
        const double off = std::pow(10.0, -6 * double(i) / double(n));
        const double length = r / std::sqrt(c) * (1 - off * double(i % 3) / 2);
        v.row(i) = ((u.row(n) + off * u.row(i)).normalized() * length).cast<float>();
      }
      hcl::expmap0(m, v, x);
      const Rows<double> xd = x.template cast<double>();
      const hcl::BatchIn<double> rows(xd);
      const auto wide = m.wide();
      hcl::Workspace ws;
      // About the origin, as distance_matrix_vjp has it, and about the mean, as losses
      // do.
      for (const bool about_mean : {false, true})
        for (const Index shift : {Index(1), Index(7), n / 3}) {
          CAPTURE(about_mean);
          Rows<float> gx = Rows<float>::Zero(n, d), gy = gx;
          pull_one_a_row(hcl::NegDist{m}, x, about_mean, shift, gx, gy, ws);
          for (Index i = 0; i < n; ++i) {
            const Index j = (i + shift) % n;
            Rows<double> off_x = -gx.row(i).template cast<double>();
            Rows<double> off_y = -gy.row(j).template cast<double>(), tangent = off_x;
            double by_c = 0;
            wide.dist_vjp(rows.row(i), rows.row(j), 1.0,
                          hcl::BatchOut<double>(off_x).row(0),
                          hcl::BatchOut<double>(off_y).row(0), by_c);
            wide.egrad2rgrad(rows.row(i), hcl::BatchIn<double>(off_x).row(0),
                             hcl::BatchOut<double>(tangent).row(0));
            CHECK(wide.norm(rows.row(i), hcl::BatchIn<double>(tangent).row(0)) <= 6e-6);
            wide.egrad2rgrad(rows.row(j), hcl::BatchIn<double>(off_y).row(0),
                             hcl::BatchOut<double>(tangent).row(0));
            CHECK(wide.norm(rows.row(j), hcl::BatchIn<double>(tangent).row(0)) <= 6e-6);
          }
        }
    }
}

// Here the only close pairs are close to the origin, which the mean of the batch is not.
TEST_CASE_TEMPLATE("gradients about the mean, of neighbours far from it", M,
                   HCL_TEST_MANIFOLDS(float)) {
  const M m = make<M>(1);
  const Index n = 192, d = 16;
  const Rows<float> u = random_vectors<float>(n + 1, d, 1).rowwise().normalized();
  for (const float size : {1e-2F, 1e-4F}) {
    CAPTURE(size);
    Rows<float> v(n, d), x(n, d), g(n, d);
    for (Index i = 0; i < n; ++i)
      v.row(i) = i % 2 == 0 ? Rows<float>(u.row(i) * size) : u.row(i) + u.row(n);
    hcl::expmap0(m, v, x);
    const Rows<double> xd = x.cast<double>();
    Rows<double> want(n, d);
    hcl::NtXent{hcl::NegDist{m}, 0.2F}.value_and_grad(x, g);
    hcl::NtXent{hcl::NegDist{m.wide()}, 0.2}.value_and_grad(xd, want);
    CHECK((g.cast<double>() - want).norm() <= 2e-6 * want.norm());
  }
}

TEST_CASE_TEMPLATE("gradients accumulate", M, HCL_TEST_MANIFOLDS(float)) {
  const M m = make<M>(0.7);
  const auto x = random_points(m, 120, 4, 2.5), y = random_points(m, 20, 4, 2.5);
  hcl::Workspace ws;
  const Rows<float> g = Rows<float>::Random(120, 20);
  Rows<float> x1 = Rows<float>::Zero(120, 4), y1 = Rows<float>::Zero(20, 4);
  float a = 0;
  hcl::distance_matrix_vjp(m, x, y, g, x1, y1, a, ws);
  Rows<float> x2 = x1, y2 = y1;
  float b = a;
  hcl::distance_matrix_vjp(m, x, y, g, x2, y2, b, ws);
  CHECK((x2 - 2 * x1).norm() <= 1e-5F * x1.norm());
  CHECK((y2 - 2 * y1).norm() <= 1e-5F * y1.norm());
  CHECK(b == doctest::Approx(2 * a).epsilon(1e-5));
}

TEST_CASE("arguments are checked first") {
  const hcl::PoincareBall<float> m(0.7F);
  const auto x = random_points(m, 20, 4);
  hcl::Workspace ws;
  const Rows<float> g = Rows<float>::Random(20, 20);
  Rows<float> gx = Rows<float>::Constant(20, 4, 7);
  float gc = 0;
  CHECK_THROWS_WITH_AS(hcl::distance_matrix_vjp(m, x, x, g, gx, gx, gc, ws),
                       doctest::Contains("gy overlaps gx"), std::invalid_argument);
  CHECK((gx.array() == 7).all());
  Rows<float> at = x;
  CHECK_THROWS_WITH_AS(hcl::distance_matrix_vjp(m, at, g, at, gc, ws),
                       doctest::Contains("gx overlaps x"), std::invalid_argument);
  Rows<float> out = Rows<float>::Constant(20, 20, 7), bad = x;
  bad(3, 1) = 2;
  CHECK_THROWS_WITH_AS(hcl::distance_matrix(m, bad, out, ws),
                       doctest::Contains("x row 3 is outside the ball"),
                       std::invalid_argument);
  bad(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(hcl::distance_matrix(m, x, bad, out, ws),
                       doctest::Contains("y row 3"), std::invalid_argument);
  CHECK((out.array() == 7).all());
  Rows<float> small(20, 19);
  CHECK_THROWS_WITH_AS(hcl::distance_matrix(m, x, small, ws),
                       doctest::Contains("out is 20 x 19, must be 20 x 20"),
                       std::invalid_argument);
  Rows<float> none(0, 4), empty(0, 0);
  hcl::distance_matrix(m, none, empty, ws);
}

TEST_CASE_TEMPLATE("rows that are no numbers, or overflow, are told by their place", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  const auto x = random_points(m, 20, 4);
  hcl::Workspace ws;
  Rows<T> out = Rows<T>::Constant(20, 20, 7), g = Rows<T>::Constant(20, 4, 7);
  using Limits = std::numeric_limits<T>;
  for (const T value :
       {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::max()}) {
    Rows<T> bad = x;
    bad(17, 2) = value;
    CHECK_THROWS_WITH_AS(hcl::distance_matrix(m, bad, out, ws),
                         doctest::Contains("x row 17"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(
        (hcl::NtXent{hcl::NegDist{m}, T(0.2)}.value_and_grad(bad, g, ws)),
        doctest::Contains("z row 17"), std::invalid_argument);
  }
  CHECK((out.array() == 7).all());
  CHECK((g.array() == 7).all());
}

}  // namespace
