// Geodesics and transport from the origin: laws, the general maps, and the backward.
#include <doctest/doctest.h>

#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/gyro.hpp"
#include "hcl/manifold/transport0.hpp"
#include "support/catalog.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
// Vectors of every instruction set, and coordinates that are left over.
constexpr std::size_t dim = 9;

TEST_CASE_TEMPLATE("geodesics have constant speed and the right ends", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    const double unit = double(m.c()) > 0 ? 1 / std::sqrt(c) : 1;
    const auto points = some_points(m, dim);
    for (const auto& x : points)
      for (const auto& y : points) {
        const double d = double(m.dist(x, y)), tolerance = 200 * eps * (d + unit);
        std::vector<T> at(dim), v(dim), far(dim);
        const auto gap = [&](const auto& a, const auto& b) {
          return double(m.dist(a, b));
        };
        hcl::geodesic(m, x, y, T(0), at);
        CHECK(gap(at, x) <= tolerance);
        hcl::geodesic(m, x, y, T(1), at);
        CHECK(gap(at, y) <= tolerance);
        for (const double t : {0.25, 0.5, 0.9, -0.3, 1.2}) {
          CAPTURE(t);
          hcl::geodesic(m, x, y, T(t), at);
          CHECK(m.is_on_manifold(at).ok);
          CHECK(std::abs(gap(at, x) - std::abs(t) * d) <= 10 * tolerance);
          CHECK(std::abs(gap(at, y) - std::abs(1 - t) * d) <= 10 * tolerance);
          // The same as the exponential of a part of the logarithm, where that is unique.
          m.logmap(x, y, v);
          for (T& e : v) e *= T(t);
          m.expmap(x, v, far);
          CHECK(gap(at, far) <= 10 * tolerance);
          std::vector<T> in_place(x);
          hcl::geodesic(m, in_place, y, T(t), in_place);
          CHECK(in_place == at);
        }
      }
  }
}

TEST_CASE_TEMPLATE("backward of geodesics", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    const auto points = some_points(m, dim);
    for (std::size_t i = 0; i < points.size(); ++i)
      for (std::size_t j = 0; j < points.size(); ++j) {
        if (i == j) continue;  // there the duals of d have no derivative
        for (const double t : {0.3, 1.0, -0.4}) {
          CAPTURE(i);
          CAPTURE(j);
          CAPTURE(t);
          std::vector<T> in(points[i]);
          in.insert(in.end(), points[j].begin(), points[j].end());
          in.push_back(T(t));
          in.push_back(T(c));
          check_vjp(
              in,
              [](const auto& a) {
                auto out = std::remove_cvref_t<decltype(a)>(dim);
                hcl::geodesic(like<M>(a.back()), piece(a, 0, dim), piece(a, 1, dim),
                              a[2 * dim], out);
                return out;
              },
              [&](const auto& a, const auto& g, auto& out) {
                hcl::geodesic_vjp(m, piece(a, 0, dim), piece(a, 1, dim), a[2 * dim], g,
                                  piece(out, 0, dim), piece(out, 1, dim), out[2 * dim],
                                  out.back());
              },
              500);
        }
      }
  }
}

TEST_CASE_TEMPLATE("transport from the origin is the general one, and inverts", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    std::vector<T> origin(dim, T(0)), zero(dim, T(0));
    m.expmap0(zero, origin);
    auto points = some_points(m, dim);
    points.push_back(origin);
    for (const auto& y : points) {
      std::vector<T> v{T(0.3), T(-1.1), T(0.7),  T(0.4), T(-0.2),
                       T(0.9), T(0.1),  T(-0.5), T(0.6)},
          at(dim), want(dim), back(dim);
      m.project_tangent(origin, v, v);
      hcl::transport0(m, y, v, at);
      m.parallel_transport(origin, y, v, want);
      hcl::transport0_back(m, y, at, back);
      CHECK(std::abs(double(m.norm(y, at)) - double(m.norm(origin, v))) <=
            100 * eps * double(m.norm(origin, v)));
      for (std::size_t k = 0; k < dim; ++k) {
        CHECK(std::abs(double(at[k] - want[k])) <= 100 * eps);
        CHECK(std::abs(double(back[k] - v[k])) <= 100 * eps);
      }
      hcl::transport0(m, y, v, v);
      CHECK(v == at);
    }
  }
}

TEST_CASE("transport back from far out keeps the radial part") {
  const hcl::Lorentz<double> m(1.0);
  const std::vector<double> y{std::sinh(18.0), 0}, v{std::cosh(18.0), 1};  // norm sqrt(2)
  std::vector<double> out(2);
  hcl::transport0_back(m, y, v, out);
  CHECK(std::abs(out[0] - 1) <= 1e-14);
  CHECK(std::abs(out[1] - 1) <= 1e-14);
}

TEST_CASE("transport near the rim has the digits of 1 - c|y|^2") {
  // 1 - |y|^2 = 2^-39 - 2^-80: of |y|^2 rounded to double 14 bits would be left.
  const hcl::PoincareBall<double> m(1.0);
  const std::vector<double> y{1 - 0x1p-40, 0}, v{1, 2}, g{1, 0};
  const double gap = 0x1p-39 - 0x1p-80;
  std::vector<double> out(2), gy(2, 0.0), gv(2, 0.0);
  double gc = 0;
  const auto close = [](double got, double want) {
    CHECK(std::abs(got / want - 1) <= 1e-15);
  };
  hcl::transport0(m, y, v, out);
  close(out[1], 2 * gap);
  hcl::transport0_back(m, y, v, out);
  close(out[1], 2 / gap);
  close(hcl::conformal_factor(m, y), 2 / gap);
  hcl::transport0_vjp(m, y, v, g, gy, gv, gc);
  close(gv[0], gap);
}

TEST_CASE_TEMPLATE("backward of the transports", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    for (const auto& y : some_points(m, dim)) {
      std::vector<T> in(y);
      in.insert(in.end(), {T(0.3), T(-1.1), T(0.7), T(0.4), T(-0.2), T(0.9), T(0.1),
                           T(-0.5), T(0.6)});
      in.push_back(T(c));
      check_vjp(
          in,
          [](const auto& a) {
            auto out = std::remove_cvref_t<decltype(a)>(dim);
            hcl::transport0(like<M>(a.back()), piece(a, 0, dim), piece(a, 1, dim), out);
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::transport0_vjp(m, piece(a, 0, dim), piece(a, 1, dim), g,
                                piece(out, 0, dim), piece(out, 1, dim), out.back());
          });
      check_vjp(
          in,
          [](const auto& a) {
            auto out = std::remove_cvref_t<decltype(a)>(dim);
            hcl::transport0_back(like<M>(a.back()), piece(a, 0, dim), piece(a, 1, dim),
                                 out);
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::transport0_back_vjp(m, piece(a, 0, dim), piece(a, 1, dim), g,
                                     piece(out, 0, dim), piece(out, 1, dim), out.back());
          });
    }
  }
}

}  // namespace
