// The laws of the tiled kernel's geometries at their corners: equal, opposite and
// orthogonal rows, poles, both sides of a threshold, the rim, tiny and huge rows.
#include <doctest/doctest.h>

#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;

template <class M>
void check_gram_laws(const M& m, const Rows<double>& x, double tolerance) {
  const hcl::testing::Report r = hcl::testing::check_gram_laws(m, x, tolerance);
  CAPTURE(r.message);
  CHECK(r.ok);
}

TEST_CASE("gram laws on the sphere, at lengths of any size") {
  const hcl::Sphere<double> m(0.7);
  check_gram_laws(m, corners(), 2e-9);
  Rows<double> x = corners() * 3;
  x.row(3) *= 1e6, x.row(5) *= 1e-6;
  check_gram_laws(m, x, 2e-9);
}

TEST_CASE("gram laws of the ball, to the rim") {
  const hcl::PoincareBall<double> m(1.0);
  for (const double r : {1e-100, 1e-8, 0.5, 1 - 1e-9, 1 - 1e-14}) {
    CAPTURE(r);
    Rows<double> x = corners();
    for (hcl::Index i = 0; i < x.rows(); ++i) x.row(i) *= r / x.row(i).norm();
    check_gram_laws(m, x, 1e-6);
  }
}

TEST_CASE("gram laws of Lorentz and Euclidean space, near and far") {
  for (const double r : {1e-100, 1e-8, 1.0, 200.0}) {
    CAPTURE(r);
    check_gram_laws(hcl::Lorentz<double>(1), Rows<double>(corners() * r), 1e-7);
    check_gram_laws(hcl::Euclidean<double>(), Rows<double>(corners() * r), 1e-7);
  }
  check_gram_laws(hcl::Euclidean<double>(), Rows<double>(corners() * 1e100), 1e-7);
}

}  // namespace
