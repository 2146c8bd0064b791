// Batch calls give, row by row, the bits of the pointwise ones, on strided views and any
// threads.
#include <doctest/doctest.h>

#include "hcl/manifold/head.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;

TEST_CASE_TEMPLATE("rows equal points", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const hcl::Index n = 150, d = 5;
  for (const double c : curvatures) {
    const M m = make<M>(c);
    // Views of a wider matrix: the row stride is not the width.
    Rows<T> wide(n, d + 3);
    wide.leftCols(d) = random_points(m, n, d);
    const auto x = wide.leftCols(d);
    const Rows<T> y = x.colwise().reverse();
    const hcl::BatchIn<T> xs(x), ys(y);
    const auto count = static_cast<std::size_t>(n);
    std::vector<T> out(count), g(count, T(0.5));
    hcl::dist(m, x, y, out);
    Rows<T> gx = Rows<T>::Zero(n, d), gy = gx, gx1 = gx, gy1 = gx;
    T gc(0), sum(0);
    hcl::dist_vjp(m, x, y, g, gx, gy, gc);
    for (hcl::Index i = 0; i < n; ++i) {
      CHECK(out[std::size_t(i)] == m.dist(xs.row(i), ys.row(i)));
      m.dist_vjp(xs.row(i), ys.row(i), T(0.5), hcl::BatchOut<T>(gx1).row(i),
                 hcl::BatchOut<T>(gy1).row(i), sum);
    }
    CHECK(gx == gx1);
    CHECK(gy == gy1);
    CHECK(double(gc) == doctest::Approx(double(sum)).epsilon(1e-5));

    Rows<T> v(n, d), z(n, d), part(n, d);
    hcl::logmap0(m, x, v);
    hcl::expmap0(m, v, z);
    hcl::expmap0(m, v.topRows(7), part.topRows(7));
    CHECK(part.topRows(7) == z.topRows(7));
    std::vector<T> zero(count, T(0));
    hcl::dist(m, x, z, zero);
    for (const T e : zero) CHECK(double(e) < 1e-3);
    Rows<T> w(n, d), back(n, d);
    hcl::logmap(m, x, y, w);
    hcl::expmap(m, x, w, back);
    hcl::dist(m, y, back, zero);
    for (const T e : zero) CHECK(double(e) < 2e-3 * double(T(1) + out[0]) * 10);
    hcl::project(m, z, z);  // in place
  }
}

TEST_CASE("maps accumulate their gradients") {
  const hcl::PoincareBall<double> m(0.7);
  const auto v = random_vectors<double>(9, 3, 1);
  Rows<double> once = Rows<double>::Zero(9, 3), twice = once;
  double a = 0, b = 0;
  hcl::expmap0_vjp(m, v, v, once, a);
  hcl::expmap0_vjp(m, v, v, twice, b);
  hcl::expmap0_vjp(m, v, v, twice, b);
  CHECK((twice - 2 * once).norm() < 1e-14);
  CHECK(b == doctest::Approx(2 * a));
}

TEST_CASE("clip and normalisation by rows") {
  const auto v = random_vectors<double>(9, 3, 4);
  Rows<double> out(9, 3), g = Rows<double>::Ones(9, 3), gv = Rows<double>::Zero(9, 3);
  double gr = 0;
  hcl::clip_rows(v, 2.3, out);
  for (hcl::Index i = 0; i < 9; ++i)
    CHECK(out.row(i).norm() == doctest::Approx(std::min(2.3, v.row(i).norm())));
  hcl::clip_rows_vjp(v, 2.3, g, gv, gr);
  const double h = 1e-5;
  Rows<double> up(9, 3), down(9, 3);
  hcl::clip_rows(v, 2.3 + h, up);
  hcl::clip_rows(v, 2.3 - h, down);
  CHECK(gr == doctest::Approx((up.sum() - down.sum()) / (2 * h)).epsilon(1e-7));
  hcl::normalize_rows<double>(v, out);
  for (hcl::Index i = 0; i < 9; ++i) CHECK(out.row(i).norm() == doctest::Approx(1.0));
}

}  // namespace
