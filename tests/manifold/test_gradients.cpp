// Every vector-Jacobian product against central differences and against dual numbers.
#include <doctest/doctest.h>

#include "hcl/manifold/head.hpp"
#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"
#include "support/dual.hpp"

namespace {

using namespace support;
namespace t = hcl::testing;
using Vector = std::vector<double>;

constexpr std::size_t dim = 4;

bool close(const Vector& a, const Vector& b, double tolerance) {
  double e = 0, n = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    e += (a[i] - b[i]) * (a[i] - b[i]), n += b[i] * b[i];
  return e <= tolerance * tolerance * n;
}

/// Checks the backward of a map f(m, in, out) at one row: in -> gradient by (in, c).
template <class M, class F, class B>
void check_map(const M& m, hcl::Point<double> at, const F& f, const B& backward) {
  const double c = double(m.c());
  Vector in(at.begin(), at.end()), gradient(in.size() + 1, 0.0), out(in.size());
  in.push_back(c);
  const Vector g{0.3, -1.1, 0.7, 0.4};
  const hcl::Point<double> x(in.data(), dim);
  backward(m, x, g, hcl::Grad<double>(gradient.data(), dim), gradient.back());
  const auto value = [&] {
    f(make<M>(in.back()), x, hcl::Grad<double>(out));
    return hcl::dot<double>(out, g);
  };
  const auto r = t::gradient_check(value, in, gradient);
  CHECK_MESSAGE(r.ok, r.message);
}

TEST_CASE_TEMPLATE("vjps agree with central differences", M, HCL_TEST_MANIFOLDS(double)) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    auto points = random_points(m, 6, dim);
    // A close pair, collinear where that is not the same point.
    points.row(5) = points.row(4) * 0.95;
    if (is_sphere<M>) points.row(5) += points.row(3) * 0.05;
    const auto r = t::check_gradients(
        m, points, [](double k) { return make<M>(k); }, c);
    CHECK_MESSAGE(r.ok, r.message);
    const hcl::BatchIn<double> rows(points);
    const auto vectors = random_vectors<double>(6, dim, 1.5 / std::sqrt(c), seed + 2);
    for (hcl::Index i = 0; i < 6; ++i) {
      check_map(
          m, hcl::BatchIn<double>(vectors).row(i),
          [](const M& k, auto v, auto o) { k.expmap0(v, o); },
          [](const M& k, auto v, auto g, auto gv, double& gc) {
            k.expmap0_vjp(v, g, gv, gc);
          });
      check_map(
          m, rows.row(i), [](const M& k, auto v, auto o) { k.logmap0(v, o); },
          [](const M& k, auto v, auto g, auto gv, double& gc) {
            k.logmap0_vjp(v, g, gv, gc);
          });
      const auto y = rows.row((i + 1) % 6);
      Vector in(rows.row(i).begin(), rows.row(i).end()), gradient(dim + 1, 0.0), gy(dim);
      in.push_back(c);
      const hcl::Point<double> x(in.data(), dim);
      m.dist2_vjp(x, y, 2.0, hcl::Grad<double>(gradient.data(), dim), gy,
                  gradient.back());
      const auto d2 = t::gradient_check(
          [&] { return 2 * make<M>(in.back()).dist2(x, y); }, in, gradient);
      CHECK_MESSAGE(d2.ok, d2.message);
    }
  }
}

TEST_CASE_TEMPLATE("squared distance is flat at coincidence", M,
                   HCL_TEST_MANIFOLDS(double)) {
  const M m = make<M>(0.7);
  const auto points = random_points(m, 1, dim);
  Vector gx(dim), gy(dim);
  double gc = 0;
  m.dist2_vjp(hcl::BatchIn<double>(points).row(0), hcl::BatchIn<double>(points).row(0),
              1.0, gx, gy, gc);
  CHECK(gx == Vector(dim));
  CHECK(gy == Vector(dim));
  CHECK(gc == 0);
}

TEST_CASE("duals through the pointwise layer give the same derivatives") {
  const auto check = [](auto plain, auto dual_of, double c) {
    using D = Dual<double>;
    const auto points = random_points(plain, 2, dim);
    const hcl::BatchIn<double> rows(points);
    Vector gx(dim), gy(dim), gv(dim);
    double gc = 0, gc0 = 0;
    plain.dist_vjp(rows.row(0), rows.row(1), 1.0, gx, gy, gc);
    const Vector g{0.3, -1.1, 0.7, 0.4};
    plain.logmap0_vjp(rows.row(0), g, gv, gc0);
    for (std::size_t k = 0; k <= dim; ++k) {  // k = dim: by c
      CAPTURE(k);
      const auto m = dual_of(D(c, k == dim ? 1.0 : 0.0));
      std::vector<D> x(dim), y(dim), out(dim);
      for (std::size_t i = 0; i < dim; ++i) {
        x[i] = D(rows.row(0)[i], i == k ? 1.0 : 0.0);
        y[i] = D(rows.row(1)[i]);
      }
      CHECK(m.dist(x, y).d == doctest::Approx(k == dim ? gc : gx[k]).epsilon(1e-11));
      m.logmap0(x, out);
      double sum = 0;
      for (std::size_t i = 0; i < dim; ++i) sum += g[i] * out[i].d;
      CHECK(sum == doctest::Approx(k == dim ? gc0 : gv[k]).epsilon(1e-11));
    }
  };
  for (const double c : curvatures) {
    CAPTURE(c);
    check(
        hcl::PoincareBall<double>(c),
        [](auto k) { return hcl::PoincareBall<Dual<double>>(k); }, c);
    check(
        hcl::Lorentz<double>(c), [](auto k) { return hcl::Lorentz<Dual<double>>(k); }, c);
    check(
        hcl::Sphere<double>(c), [](auto k) { return hcl::Sphere<Dual<double>>(k); }, c);
  }
}

TEST_CASE("clip and normalise") {
  const Vector g{0.3, -1.1, 0.7, 0.4};
  for (const double r : {0.5, 1.3, 2.3}) {
    CAPTURE(r);
    Vector in{0.9, -0.4, 1.2, 0.3}, gradient(dim + 1, 0.0), out(dim);  // |v| = 1.58
    in.push_back(r);
    const hcl::Point<double> v(in.data(), dim);
    hcl::clip_vjp(v, r, g, hcl::Grad<double>(gradient.data(), dim), gradient.back());
    const auto f = [&] {
      hcl::clip(v, in.back(), out);
      return hcl::dot<double>(out, g);
    };
    const auto report = t::gradient_check(f, in, gradient);
    CHECK_MESSAGE(report.ok, report.message);
    f();
    CHECK(std::sqrt(hcl::norm2<double>(out)) <= r * (1 + 1e-15));
  }
  Vector in{0.9, -0.4, 1.2, 0.3}, gradient(dim, 0.0), out(dim);
  hcl::normalize_vjp<double>(in, g, gradient);
  const auto r = t::gradient_check(
      [&] {
        hcl::normalize<double>(in, out);
        return hcl::dot<double>(out, g);
      },
      in, gradient);
  CHECK_MESSAGE(r.ok, r.message);
}

TEST_CASE("a clip stated as a radius means that radius in every geometry") {
  const auto check = [](auto m) {
    Vector v{30, -10, 5}, z(3);
    hcl::clip(v, hcl::clip_of_radius(m, 1.7), v);
    m.expmap0(v, z);
    CHECK(m.dist0(z) == doctest::Approx(1.7).epsilon(1e-12));
  };
  check(hcl::Euclidean<double>());
  check(hcl::PoincareBall<double>(0.7));
  check(hcl::Lorentz<double>(0.7));
}

TEST_CASE_TEMPLATE("float gradients agree with double", M, HCL_TEST_MANIFOLDS(float)) {
  for (const double c : curvatures) {
    const M m = make<M>(c);
    const auto points = random_points(m, 5, dim);
    const auto wide = [&] {
      if constexpr (std::same_as<M, hcl::Euclidean<float>>)
        return hcl::Euclidean<double>();
      else if constexpr (std::same_as<M, hcl::Sphere<float>>)
        return hcl::Sphere<double>(m.c());
      else if constexpr (std::same_as<M, hcl::PoincareBall<float>>)
        return hcl::PoincareBall<double>(m.c());
      else
        return hcl::Lorentz<double>(m.c());
    }();
    const Rows<double> p64 = points.template cast<double>();
    for (hcl::Index i = 0; i + 1 < 5; ++i) {
      std::vector<float> gx(dim), gy(dim);
      Vector hx(dim), hy(dim);
      float gc = 0;
      double hc = 0;
      const hcl::BatchIn<float> a(points);
      const hcl::BatchIn<double> b(p64);
      m.dist_vjp(a.row(i), a.row(i + 1), 1.0f, gx, gy, gc);
      wide.dist_vjp(b.row(i), b.row(i + 1), 1.0, hx, hy, hc);
      CHECK(close(Vector(gx.begin(), gx.end()), hx, 1e-6));
      CHECK(close(Vector(gy.begin(), gy.end()), hy, 1e-6));
      CHECK(double(gc) == doctest::Approx(hc).epsilon(1e-6));
    }
  }
}

}  // namespace
