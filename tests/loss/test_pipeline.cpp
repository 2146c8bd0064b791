// The whole way of an embedding, features -> clip -> expmap0 -> loss: its gradients by
// features, clip radius, curvature and temperature, in one and several threads.
#include <doctest/doctest.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "hcl/hcl.hpp"
#include "support/catalog.hpp"

namespace {

using support::Rows;

template <class T>
struct Gradients {
  T value = 0;
  Rows<T> features;
  T radius = 0, c = 0, temperature = 0;
  bool operator==(const Gradients&) const = default;
};

/// L(features, r, c, tau) of SupCon over -d, of which NT-Xent is a case; and its
/// gradient.
template <class M>
Gradients<typename M::Scalar> run(const Rows<typename M::Scalar>& v, typename M::Scalar r,
                                  typename M::Scalar c, typename M::Scalar tau) {
  using T = typename M::Scalar;
  const M m{c};
  const auto n = v.rows(), d = v.cols();
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i % 7);
  Rows<T> clipped(n, d), z(n, d), gz(n, d);
  hcl::clip_rows(v, r, clipped);
  hcl::expmap0(m, clipped, z);
  const auto out = hcl::SupCon{hcl::NegDist{m}, tau}.value_and_grad(z, labels, gz);
  Gradients<T> g{out.value, Rows<T>::Zero(n, d), T(0), out.grad_c, out.grad_temperature};
  Rows<T> gc = Rows<T>::Zero(n, d);
  hcl::expmap0_vjp(m, clipped, gz, gc, g.c);
  hcl::clip_rows_vjp(v, r, gc, g.features, g.radius);
  return g;
}

}  // namespace

TEST_CASE_TEMPLATE("gradients through clip, map and loss are differences of the value", M,
                   hcl::PoincareBall<double>, hcl::Lorentz<double>) {
  for (const double c : support::curvatures) {
    CAPTURE(c);
    const double r = 2.3, tau = 0.2;
    const auto v = support::random_vectors<double>(40, 5, 4.0);  // some within the clip
    const auto g = run<M>(v, r, c, tau);
    // Five points: a step that is long against the roundings of points near the rim.
    const auto check = [](double got, double scale, const auto& value) {
      const double h = 5e-4;
      const double want =
          (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
      CHECK(std::abs(got - want) <= 1e-7 * scale);
    };
    for (unsigned seed = 1; seed < 6; ++seed) {
      const auto u = support::random_vectors<double>(40, 5, 1.0, seed);
      check((g.features.array() * u.array()).sum(), g.features.norm() * u.norm(),
            [&](double t) { return run<M>(v + t * u, r, c, tau).value; });
    }
    check(g.radius, std::abs(g.radius),
          [&](double t) { return run<M>(v, r + t, c, tau).value; });
    check(c * g.c, std::abs(c * g.c),
          [&](double t) { return run<M>(v, r, c * (1 + t), tau).value; });
    check(tau * g.temperature, std::abs(tau * g.temperature),
          [&](double t) { return run<M>(v, r, c, tau * (1 + t)).value; });
  }
}

TEST_CASE("the pipeline in float is that in double to 1e-5") {
  for (const double c : support::curvatures) {
    CAPTURE(c);
    const auto v = support::random_vectors<float>(130, 16, float(2 / std::sqrt(c)));
    const float r = float(1.2 / std::sqrt(c)), tau = 0.2f;
    const auto f = run<hcl::PoincareBall<float>>(v, r, float(c), tau);
    const auto g = run<hcl::PoincareBall<double>>(v.cast<double>(), double(r),
                                                  double(float(c)), double(tau));
    CHECK(double(f.value) == doctest::Approx(g.value).epsilon(1e-5));
    CHECK((f.features.cast<double>() - g.features).norm() <= 1e-5 * g.features.norm());
    CHECK(double(f.radius) == doctest::Approx(g.radius).epsilon(1e-5));
    CHECK(double(f.c) == doctest::Approx(g.c).epsilon(1e-5));
    CHECK(double(f.temperature) == doctest::Approx(g.temperature).epsilon(1e-5));
  }
}

#if defined(_OPENMP)
TEST_CASE("the pipeline has the same bits for any number of threads") {
  const int before = omp_get_max_threads();
  const auto v = support::random_vectors<float>(301, 9, 4.0);
  omp_set_num_threads(1);
  const auto one = run<hcl::PoincareBall<float>>(v, 2.3f, 0.1f, 0.2f);
  for (const int n : {2, 3, 4, 8}) {
    omp_set_num_threads(n);
    CHECK(run<hcl::PoincareBall<float>>(v, 2.3f, 0.1f, 0.2f) == one);
  }
  omp_set_num_threads(before);
}
#endif
