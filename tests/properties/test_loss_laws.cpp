// Laws of the losses over every geometry: symmetries, limits, and gradients whose sums
// along the isometries vanish.
#include <doctest/doctest.h>

#include <array>

#include "hcl/hcl.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
using hcl::Index;

#define HCL_LOSS_MANIFOLDS HCL_TEST_MANIFOLDS(double)

constexpr Index n = 26, d = 5;

template <class M>
Rows<double> batch(const M& m) {
  Rows<double> x = random_points(m, n, d, 1.2);
  // The second view is near the first, one pair coincides.
  const double unit = double(m.c()) > 0 ? 1 / std::sqrt(double(m.c())) : 1;
  const auto step = random_vectors<double>(n, d, 0.1 * unit, seed + 1);
  for (Index i = 0; i < n / 2; ++i)
    x.row(i + n / 2) = x.row(i) * 0.95 + 0.1 * step.row(i);
  x.row(n / 2) = x.row(0);
  for (Index i = 0; i < n; ++i)
    if constexpr (!is_sphere<M>)
      m.project(hcl::BatchIn<double>(x).row(i), hcl::BatchOut<double>(x).row(i));
  return x;
}

/// f(loss) for NT-Xent and SupCon in both forms, each a function of rows and gradient.
template <class M, class F>
void each_loss(const M& m, const F& f, double tau = 0.3) {
  static const std::vector<int> labels = [] {
    std::vector<int> l(std::size_t{n});
    for (std::size_t i = 0; i < l.size(); ++i) l[i] = int(i % (n / 2) % 4);
    return l;
  }();
  const hcl::NegDist s{m};
  const hcl::NtXent nt{s, tau};
  const hcl::SupCon out{s, tau}, in{s, tau, hcl::SupConForm::inside};
  f([&](const Rows<double>& x, Rows<double>& g) { return nt.value_and_grad(x, g); });
  f([&](const Rows<double>& x, Rows<double>& g) {
    return out.value_and_grad(x, labels, g);
  });
  f([&](const Rows<double>& x, Rows<double>& g) {
    return in.value_and_grad(x, labels, g);
  });
}

TEST_CASE_TEMPLATE("gradients have remainders of second order", M, HCL_LOSS_MANIFOLDS) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    const auto x = batch(m);
    Rows<double> v = random_vectors<double>(n, d, 0.05 / std::sqrt(c), seed + 5);
    v.row(0).setZero(), v.row(n / 2).setZero();  // at coincidence d has no derivative
    each_loss(m, [&](const auto& loss) {
      Rows<double> g(n, d), unused(n, d);
      const double at = loss(x, g).value, slope = (g.array() * v.array()).sum();
      double before = 0;
      for (const double t : {1e-2, 1e-3, 1e-4}) {
        const Rows<double> there = x + t * v;
        const double rest = std::abs(loss(there, unused).value - at - t * slope);
        if (before > 0) CHECK(std::abs(std::log10(before / rest) - 2) <= 0.1);
        before = rest;
      }
    });
  }
}

/// sum_i of the change of L as all rows move along an isometry: rotations in the plane of
/// coordinates a and b, translations along coordinate a.
template <class M>
double along_rotation(const M&, const Rows<double>& x, const Rows<double>& g, Index a,
                      Index b) {
  return (x.col(a).array() * g.col(b).array() - x.col(b).array() * g.col(a).array())
      .sum();
}
double along_translation(const hcl::Euclidean<double>&, const Rows<double>&,
                         const Rows<double>& g, Index a) {
  return g.col(a).sum();
}
double along_translation(const hcl::PoincareBall<double>& m, const Rows<double>& x,
                         const Rows<double>& g, Index a) {
  double sum = 0;  // (1 + c|x|^2) e - 2c<x,e> x
  for (Index i = 0; i < n; ++i)
    sum += (1 + m.c() * x.row(i).squaredNorm()) * g(i, a) -
           2 * m.c() * x(i, a) * x.row(i).dot(g.row(i));
  return sum;
}
double along_translation(const hcl::Lorentz<double>& m, const Rows<double>& x,
                         const Rows<double>& g, Index a) {
  double sum = 0;  // t e
  for (Index i = 0; i < n; ++i) sum += m.time(hcl::BatchIn<double>(x).row(i)) * g(i, a);
  return sum;
}
double along_translation(const hcl::Sphere<double>&, const Rows<double>&,
                         const Rows<double>&, Index) {
  return 0;
}

TEST_CASE_TEMPLATE("moving all rows by an isometry changes no loss", M,
                   HCL_LOSS_MANIFOLDS) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    const auto x = batch(m);
    each_loss(m, [&](const auto& loss) {
      Rows<double> g(n, d), h(n, d);
      const double value = loss(x, g).value, size = g.norm() * x.norm();
      for (Index a = 0; a < d; ++a) {
        CHECK(std::abs(along_translation(m, x, g, a)) <= 1e-12 * (size + g.norm() / c));
        for (Index b = 0; b < a; ++b)
          CHECK(std::abs(along_rotation(m, x, g, a, b)) <= 1e-12 * size);
      }
      // A finite one: a permutation of coordinates with signs.
      Rows<double> y(n, d);
      for (Index k = 0; k < d; ++k) y.col(k) = (k % 2 ? -1 : 1) * x.col((k + 2) % d);
      CHECK(loss(y, h).value == doctest::Approx(value).epsilon(1e-13));
      for (Index k = 0; k < d; ++k)
        CHECK((h.col(k) - (k % 2 ? -1 : 1) * g.col((k + 2) % d)).norm() <=
              1e-10 * g.norm());  // a Gram matrix of doubles may lose 20 bits
    });
  }
}

TEST_CASE_TEMPLATE("the order of the samples and of the views does not matter", M,
                   HCL_LOSS_MANIFOLDS) {
  const M m = make<M>(0.7);
  const auto x = batch(m);
  const hcl::NtXent loss{hcl::NegDist{m}, 0.3};
  Rows<double> g(n, d), h(n, d), y(n, d);
  const double value = loss.value_and_grad(x, g).value;
  const auto moved = [&](auto&& to) {
    for (Index i = 0; i < n; ++i) y.row(to(i)) = x.row(i);
    CHECK(loss.value_and_grad(y, h).value == doctest::Approx(value).epsilon(1e-13));
    for (Index i = 0; i < n; ++i)
      CHECK((h.row(to(i)) - g.row(i)).norm() <= 1e-10 * g.norm());
  };
  moved([](Index i) { return (i + n / 2) % n; });
  moved([](Index i) { return (5 * i) % (n / 2) + (i < n / 2 ? 0 : n / 2); });
}

TEST_CASE_TEMPLATE("candidates twice over weigh twice", M, HCL_LOSS_MANIFOLDS) {
  const M m = make<M>(0.7);
  const auto x = batch(m);
  const Rows<double> anchors = x.topRows(n / 2), once = x.bottomRows(n / 2),
                     twice = once.replicate(2, 1);
  const hcl::InfoNce loss{hcl::NegDist{m}, 0.3};
  Rows<double> g(n / 2, d), h(n / 2, d), to_once(n / 2, d), to_twice(n, d);
  const double want = loss.value_and_grad(anchors, once, g, to_once).value;
  const double got = loss.value_and_grad(anchors, twice, h, to_twice).value;
  CHECK(std::abs(got - want - std::log(2.0)) <= 1e-13);
  CHECK((h - g).norm() <= 1e-10 * g.norm());
  const Rows<double> sum = to_twice.topRows(n / 2) + to_twice.bottomRows(n / 2);
  CHECK((sum - to_once).norm() <= 1e-10 * to_once.norm());
}

TEST_CASE_TEMPLATE("one point only: the logarithm of the number of candidates", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  Rows<T> x = random_points(m, 1, 6).replicate(40, 1), g(40, 6);
  const auto out = hcl::NtXent{hcl::NegDist{m}, T(0.2)}.value_and_grad(x, g);
  CHECK(double(out.value) ==
        doctest::Approx(std::log(39.0)).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-14));
  CHECK(g.isZero(0));
  CHECK(out.grad_c == 0);
  CHECK(out.reevaluated == 40 * 39 / 2);
}

TEST_CASE_TEMPLATE("temperatures far apart", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  const Rows<T> x = random_points(m, 30, 6, 2.5);
  Rows<T> g(30, 6);
  const auto hot = hcl::NtXent{hcl::NegDist{m}, T(1e6)}.value_and_grad(x, g);
  CHECK(double(hot.value) == doctest::Approx(std::log(29.0)).epsilon(1e-5));
  for (const T tau : {T(1e-4), T(1e-3)}) {  // logits to 1e4 and beyond
    const auto cold = hcl::NtXent{hcl::NegDist{m}, tau}.value_and_grad(x, g);
    CHECK(hcl::is_finite(cold.value));
    CHECK(hcl::is_finite(cold.grad_temperature));
    CHECK(g.allFinite());
    // The best candidate takes it all: the mean of (closest minus positive)/tau.
    double want = 0;
    for (Index i = 0; i < 30; ++i) {
      double best = 1e300;
      const hcl::BatchIn<T> rows(x);
      for (Index j = 0; j < 30; ++j)
        if (j != i) best = std::min(best, double(m.dist(rows.row(i), rows.row(j))));
      want += (double(m.dist(rows.row(i), rows.row((i + 15) % 30))) - best) / double(tau);
    }
    CHECK(double(cold.value) == doctest::Approx(want / 30).epsilon(1e-2));
  }
}

}  // namespace
