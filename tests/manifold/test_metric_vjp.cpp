// The backward of dist0, inner and egrad2rgrad against dual numbers.
#include <doctest/doctest.h>

#include <algorithm>

#include "hcl/manifold/metric_vjp.hpp"
#include "support/catalog.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
constexpr std::size_t dim = 4;

TEST_CASE_TEMPLATE("backward of dist0, inner and egrad2rgrad", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  for (const double c : curvatures)
    for (const double radius : {0.1, 1.2, 3.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const M m = make<M>(c);
      const auto points = random_points(m, 6, hcl::Index(dim), radius);
      for (hcl::Index i = 0; i < 6; ++i) {
        const auto row = hcl::BatchIn<T>(points).row(i);
        std::vector<T> in(row.begin(), row.end());
        in.push_back(T(c));
        check_vjp(
            in,
            [](const auto& a) {
              auto out = std::remove_cvref_t<decltype(a)>(1);
              out[0] = like<M>(a.back()).dist0(piece(a, 0, dim));
              return out;
            },
            [&](const auto& a, const auto& g, auto& out) {
              hcl::dist0_vjp(m, piece(a, 0, dim), g[0], piece(out, 0, dim), out.back());
            },
            200);
        in.insert(in.end() - 1, {T(0.3), T(-1.1), T(0.7), T(0.4)});
        check_vjp(
            in,
            [](const auto& a) {
              auto out = std::remove_cvref_t<decltype(a)>(dim);
              like<M>(a.back()).egrad2rgrad(piece(a, 0, dim), piece(a, 1, dim), out);
              return out;
            },
            [&](const auto& a, const auto& g, auto& out) {
              hcl::egrad2rgrad_vjp(m, piece(a, 0, dim), piece(a, 1, dim), g,
                                   piece(out, 0, dim), piece(out, 1, dim), out.back());
            },
            200);
        in.insert(in.end() - 1, {T(1), T(0.2), T(-0.5), T(0.6)});
        check_vjp(
            in,
            [](const auto& a) {
              auto out = std::remove_cvref_t<decltype(a)>(1);
              out[0] = like<M>(a.back()).inner(piece(a, 0, dim), piece(a, 1, dim),
                                               piece(a, 2, dim));
              return out;
            },
            [&](const auto& a, const auto& g, auto& out) {
              hcl::inner_vjp(m, piece(a, 0, dim), piece(a, 1, dim), piece(a, 2, dim),
                             g[0], piece(out, 0, dim), piece(out, 1, dim),
                             piece(out, 2, dim), out.back());
            },
            200);
      }
    }
}

TEST_CASE_TEMPLATE("radii have no gradient at the origin, and one of norm 1 elsewhere", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  const std::vector<T> zero(dim, T(0));
  std::vector<T> origin(dim), gx(zero), r(dim);
  T gc(0);
  m.expmap0(zero, origin);
  hcl::dist0_vjp(m, origin, T(1), gx, gc);
  CHECK(gx == zero);
  CHECK(gc == T(0));
  if (is_sphere<M>) return;  // by raw rows
  const auto points = random_points(m, 20, hcl::Index(dim), 3);
  for (hcl::Index i = 0; i < 20; ++i) {
    std::fill(gx.begin(), gx.end(), T(0));
    const auto x = hcl::BatchIn<T>(points).row(i);
    hcl::dist0_vjp(m, x, T(1), gx, gc);
    m.egrad2rgrad(x, gx, r);
    CHECK(double(m.norm(x, r)) ==
          doctest::Approx(1).epsilon(400 * double(std::numeric_limits<T>::epsilon())));
  }
}

}  // namespace
