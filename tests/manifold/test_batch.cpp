// Batch calls give, row by row, the bits of the pointwise ones, on strided views and any
// threads.
#include <doctest/doctest.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "hcl/manifold/gyro_batch.hpp"
#include "hcl/manifold/head.hpp"
#include "hcl/manifold/maps_batch.hpp"
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

#if defined(_OPENMP)
/// All that maps by rows write for one batch, one matrix below the other.
template <class M>
Rows<hcl::ScalarOf<M>> all_maps(const M& m) {
  using T = hcl::ScalarOf<M>;
  const hcl::Index n = 150, d = 9;
  const auto x = random_points(m, n, d), y = random_points(m, n, d, 1.5, seed + 1);
  const auto v = random_vectors<T>(n, d, 1), g = random_vectors<T>(n, d, 1, seed + 2);
  std::vector<Rows<T>> out(10, Rows<T>::Zero(n, d));
  std::vector<T> distances(std::size_t(n), T(0)), by_distance(std::size_t(n), T(0.5));
  T c(0), r(0);
  hcl::dist(m, x, y, distances);
  hcl::dist_vjp(m, x, y, by_distance, out[0], out[1], c);
  hcl::logmap0(m, x, out[2]);
  hcl::expmap0_vjp(m, v, g, out[3], c);
  const auto at_x = random_tangents(m, x, 1);
  hcl::expmap(m, x, at_x, out[4]);
  hcl::expmap_vjp(m, x, at_x, g, out[5], out[6], c);
  hcl::clip_rows_vjp(v, T(0.5), g, out[7], r);
  if constexpr (std::same_as<M, hcl::PoincareBall<T>>)
    hcl::mobius_add_vjp(m, x, y, g, out[8], out[9], c);
  Rows<T> all(10 * n + 2, d);
  for (std::size_t k = 0; k < 10; ++k) all.middleRows(hcl::Index(k) * n, n) = out[k];
  all.row(10 * n).setConstant(c), all.row(10 * n + 1).setConstant(r);
  for (hcl::Index i = 0; i < n; ++i) all(i, 0) += distances[std::size_t(i)];
  return all;
}

TEST_CASE_TEMPLATE("maps have the same bits for any number of threads", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const M m = make<M>(0.7);
  const auto one = all_maps(m);
  for (const int n : {2, 3, 4, 8}) {
    omp_set_num_threads(n);
    CHECK(all_maps(m) == one);
  }
  omp_set_num_threads(before);
}
#endif

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
