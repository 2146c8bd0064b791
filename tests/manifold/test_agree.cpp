// Distances and maps against 50 digits from textbook formulas, which are the ones that
// cancel.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>

#include "support/catalog.hpp"

namespace {

using namespace support;
using Exact = boost::multiprecision::cpp_bin_float_50;

template <class T>
std::vector<Exact> exact(std::span<const T> x) {
  return {x.begin(), x.end()};
}
Exact dot(const std::vector<Exact>& x, const std::vector<Exact>& y) {
  return hcl::dot<Exact>(x, y);
}

/// arcosh(1 + 2c|x-y|^2/((1-c|x|^2)(1-c|y|^2)))/sqrt(c).
template <class T>
Exact textbook(const hcl::PoincareBall<T>& m, const std::vector<Exact>& x,
               const std::vector<Exact>& y) {
  const Exact c(m.c());
  return acosh(1 + 2 * c * hcl::diff2<Exact>(x, y) /
                       ((1 - c * dot(x, x)) * (1 - c * dot(y, y)))) /
         sqrt(c);
}
/// arcosh(c(t_x t_y - <x,y>))/sqrt(c).
template <class T>
Exact textbook(const hcl::Lorentz<T>& m, const std::vector<Exact>& x,
               const std::vector<Exact>& y) {
  const Exact c(m.c());
  return acosh(c * (sqrt(1 / c + dot(x, x)) * sqrt(1 / c + dot(y, y)) - dot(x, y))) /
         sqrt(c);
}
/// arccos(<x,y>/(|x||y|))/sqrt(c).
template <class T>
Exact textbook(const hcl::Sphere<T>& m, const std::vector<Exact>& x,
               const std::vector<Exact>& y) {
  return acos(dot(x, y) / sqrt(dot(x, x) * dot(y, y))) / sqrt(Exact(m.c()));
}
template <class T>
Exact textbook(const hcl::Euclidean<T>&, const std::vector<Exact>& x,
               const std::vector<Exact>& y) {
  return sqrt(dot(x, x) + dot(y, y) - 2 * dot(x, y));
}

TEST_CASE_TEMPLATE("distances agree with 50 digits at any separation", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    for (const double separation : {1.0, 1e-1, 1e-2, 1e-4}) {
      CAPTURE(separation);
      const auto x = random_points(m, 8, 6, 1.5);
      Rows<T> y = x;
      const auto step = random_vectors<T>(8, 6, 0.2 * separation, seed + 3);
      for (hcl::Index i = 0; i < 8; ++i)
        y.row(i) += step.row(i) * (T(x.row(i).norm()) * T(0.1) + T(1e-3));
      for (hcl::Index i = 0; i < 8; ++i) {
        const hcl::BatchIn<T> xs(x), ys(y);
        const Exact want = textbook(m, exact<T>(xs.row(i)), exact<T>(ys.row(i)));
        const double got = double(m.dist(xs.row(i), ys.row(i)));
        CHECK(std::abs(got - double(want)) <= 40 * eps * double(want));
      }
    }
  }
}

TEST_CASE_TEMPLATE("far pairs keep their digits", M, hcl::PoincareBall<float>,
                   hcl::Lorentz<float>) {
  // sqrt(c) d(0,x) up to 10, where 1 - c|x|^2 is 2e-4 and the Lorentz inner product has
  // no digits.
  for (const double c : curvatures) {
    const M m = make<M>(c);
    const auto x = random_points(m, 8, 6, 10.0 / double(m.origin_scale()));
    const hcl::BatchIn<float> rows(x);
    for (hcl::Index i = 0; i < 8; ++i)
      for (hcl::Index j = 0; j < i; ++j) {
        const double want =
            double(textbook(m, exact<float>(rows.row(i)), exact<float>(rows.row(j))));
        CHECK(std::abs(double(m.dist(rows.row(i), rows.row(j))) - want) <= 2e-7 * want);
      }
  }
}

TEST_CASE_TEMPLATE("maps at the origin invert each other in 50 digits too", M,
                   hcl::PoincareBall<Exact>, hcl::Lorentz<Exact>, hcl::Sphere<Exact>,
                   hcl::Euclidean<Exact>) {
  const M m = make<M>(0.7);
  const std::vector<Exact> v{Exact(0), Exact(0.3), Exact(-0.9), Exact(0.2)};
  std::vector<Exact> z(4), back(4);
  m.expmap0(v, z);
  m.logmap0(z, back);
  for (std::size_t i = 0; i < 4; ++i) CHECK(abs(back[i] - v[i]) < Exact(1e-45));
  CHECK(abs(m.dist0(z) - m.origin_scale() * sqrt(dot(v, v))) < Exact(1e-45));
}

TEST_CASE_TEMPLATE("SIMD lanes equal scalars", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  using V = hcl::Pack<T>;
  for (const double c : curvatures) {
    const M m = make<M>(c);
    const auto x = random_points(m, 2, 6);
    const hcl::BatchIn<T> rows(x);
    T a[8], b[8];
    V va[8], vb[8];
    const double na = double(hcl::norm2<T>(rows.row(0)));
    const double nb = double(hcl::norm2<T>(rows.row(1)));
    const auto wa = m.row_stat({na, na}), wb = m.row_stat({nb, nb});
    for (std::size_t k = 0; k < wa.size(); ++k) {
      va[k] = V(a[k] = T(wa[k]));
      vb[k] = V(b[k] = T(wb[k]));
    }
    const double eps = 64 * double(std::numeric_limits<T>::epsilon());
    const auto same = [&](T scalar, const V& lanes) {
      T out[std::size_t(hcl::lanes<T>)];
      hcl::vstore(out, lanes);
      for (const T e : out)
        CHECK(double(e) == doctest::Approx(double(scalar)).epsilon(eps));
    };
    const T d2 = T(hcl::diff2<T>(rows.row(0), rows.row(1)));
    const T q = m.diff_chord(d2, a, b);
    same(q, m.diff_chord(V(d2), va, vb));
    const T g = T(hcl::dot<T>(rows.row(0), rows.row(1)));
    same(m.gram_chord(g, a, b), m.gram_chord(V(g), va, vb));
    CHECK(double(q) ==
          doctest::Approx(double(m.chord(rows.row(0), rows.row(1)))).epsilon(eps));
    const auto one = m.dist_at(q, a, b);
    const auto many = m.dist_at(V(q), va, vb);
    same(one.d, many.d);
    same(one.dd2, many.dd2);
    same(one.dna, many.dna);
    same(one.dnb, many.dnb);
    same(one.dc, many.dc);
    same(m.gram_margin(q, a, b), m.gram_margin(V(q), va, vb));
    same(m.diff_margin(q, a, b), m.diff_margin(V(q), va, vb));
  }
}

}  // namespace
