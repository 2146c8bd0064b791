// hcl/testing/manifold_laws.hpp - the laws of manifold/concept.hpp as functions, so that
// a geometry of your own can be verified. No test framework: each returns the worst
// violation as a Report.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "hcl/core/view.hpp"
#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"
#include "hcl/testing/gradient_check.hpp"

namespace hcl::inline HCL_ABI::testing {

namespace detail {

/// Collects the worst of many comparisons; a NaN is the worst of all.
class Worst {
 public:
  explicit Worst(double tolerance) : tolerance_{tolerance} {}
  /// Error of `got` against `expected`, relative to max(scale, |expected|).
  void compare(const char* law, Index i, Index j, double got, double expected,
               double scale = 1) {
    double e = std::abs(got - expected) / (std::max)(scale, std::abs(expected));
    if (!is_finite(e)) e = std::numeric_limits<double>::infinity();
    if (e <= report_.error) return;
    report_.error = e;
    report_.where =
        std::string(law) + ", rows " + std::to_string(i) + ", " + std::to_string(j);
    report_.message = report_.where + ": got " + std::to_string(got) + ", expected " +
                      std::to_string(expected) + ", relative error " + std::to_string(e);
    report_.ok = e <= tolerance_;
  }
  [[nodiscard]] Report report() const { return report_; }

 private:
  double tolerance_;
  Report report_;
};

/// Rounding errors allowed by default: a few hundred units, because maps compose.
template <class T>
inline constexpr double law_tolerance = 2000 * double(std::numeric_limits<T>::epsilon());

}  // namespace detail

/// Not negative, symmetric, 0 at coincidence, triangle inequality, for all rows of
/// `points`; the equations to a tolerance relative to the distances, however small.
template <Metric M>
[[nodiscard]] Report check_metric_laws(
    const M& m, BatchIn<ScalarOf<M>> points,
    double tolerance = detail::law_tolerance<ScalarOf<M>>) {
  detail::Worst w(tolerance);
  const double least = (std::numeric_limits<double>::min)();
  const auto d = [&](Index i, Index j) {
    return double(m.dist(points.row(i), points.row(j)));
  };
  for (Index i = 0; i < points.rows(); ++i) {
    w.compare("dist(x,x) = 0", i, i, d(i, i), 0);
    for (Index j = 0; j < points.rows(); ++j) {
      const double ij = d(i, j);
      w.compare("dist >= 0", i, j, (std::min)(ij, 0.0), 0);
      w.compare("dist(x,y) = dist(y,x)", i, j, ij, d(j, i), least);
      for (Index k = 0; k < points.rows(); ++k) {
        const double way = d(i, k) + d(k, j);
        w.compare("dist(x,z) <= dist(x,y) + dist(y,z)", i, j, (std::max)(ij, way), way,
                  least);
      }
    }
  }
  return w.report();
}

/// The laws of Manifold for all pairs of rows. Where logmap is 0 between two points no
/// geodesic is singled out, as between antipodes: the laws of logmap are skipped there.
/// @param points  N x D points.
/// @param vectors  N x D vectors of length about 1; they are projected to tangent
/// vectors.
template <Manifold M>
[[nodiscard]] Report check_manifold_laws(
    const M& m, BatchIn<ScalarOf<M>> points, BatchIn<ScalarOf<M>> vectors,
    double tolerance = detail::law_tolerance<ScalarOf<M>>) {
  using T = ScalarOf<M>;
  using Vector = std::vector<T>;
  expect_shape("check_manifold_laws", "vectors", vectors, points.rows(), points.cols());
  detail::Worst w(tolerance);
  const auto make = [&](auto&& fill) {
    Vector out(std::size_t(points.cols()));
    fill(Grad<T>(out));
    return out;
  };
  const auto scale_of = [](double a) { return 1 + std::abs(a); };
  // How far y = expmap(x, v) moves for each rounding unit of v and of y: far out by e^d.
  const auto sensitivity = [&](Point<T> x, const Vector& v, Point<T> y) {
    const T unit = T(16) * std::numeric_limits<T>::epsilon();
    T top(0);
    for (const T& e : v) top = (std::max)(top, e < T(0) ? -e : e);
    double sum = 0;
    for (std::size_t k = 0; k < v.size(); ++k) {
      Vector other = v;
      other[k] += unit * top;
      const Vector end = make([&](Grad<T> o) { m.expmap(x, other, o); });
      std::copy(y.begin(), y.end(), other.begin());
      other[k] -= unit * other[k];  // towards the origin, where it stays in any ball
      sum += double(m.dist(end, y)) + double(m.dist(other, y));
    }
    return sum / double(unit);
  };
  const auto is_zero = [](const Vector& v) {
    return std::all_of(v.begin(), v.end(), [](const T& e) { return e == T(0); });
  };
  for (Index i = 0; i < points.rows(); ++i) {
    const Point<T> x = points.row(i);
    w.compare("points are on the manifold", i, i, m.is_on_manifold(x) ? 0 : 1, 0);
    const Vector v0 = make([&](Grad<T> o) { m.logmap0(x, o); });
    const double from_origin = double(m.dist0(x));
    if (!(is_zero(v0) && from_origin > 0)) {
      const Vector x0 = make([&](Grad<T> o) { m.expmap0(v0, o); });
      w.compare("expmap0(logmap0(x)) = x", i, i, double(m.dist(x0, x)), 0,
                scale_of(from_origin));
      w.compare("dist0(expmap0(v)) = origin_scale |v|", i, i,
                double(m.origin_scale()) * double(hcl::detail::length<T>(v0)),
                from_origin);
    }
    const Vector xp = make([&](Grad<T> o) { m.project(x, o); });
    w.compare("project(x) = x", i, i, double(m.dist(xp, x)), 0);
    for (Index j = 0; j < points.rows(); ++j) {
      const Point<T> y = points.row(j);
      const double d = double(m.dist(x, y));
      if (is_finite(T(d * d)))
        w.compare("dist2 = dist^2", i, j, double(m.dist2(x, y)), d * d);
      const Vector xy = make([&](Grad<T> o) { m.logmap(x, y, o); });
      const bool joined = !is_zero(xy);
      if (joined) {
        w.compare("norm(x, logmap(x,y)) = dist(x,y)", i, j, double(m.norm(x, xy)), d);
        const Vector back = make([&](Grad<T> o) { m.expmap(x, xy, o); });
        w.compare("expmap(x, logmap(x,y)) = y", i, j, double(m.dist(back, y)), 0,
                  scale_of((std::max)(d, sensitivity(x, xy, y))));
      }
      // Tangent vectors u, v at x, their transports at y.
      const Vector u = make([&](Grad<T> o) { m.project_tangent(x, vectors.row(i), o); });
      const Vector v = make([&](Grad<T> o) { m.project_tangent(x, vectors.row(j), o); });
      const Vector uu = make([&](Grad<T> o) { m.project_tangent(x, u, o); });
      const Vector pu = make([&](Grad<T> o) { m.parallel_transport(x, y, u, o); });
      const Vector pv = make([&](Grad<T> o) { m.parallel_transport(x, y, v, o); });
      const Vector pxy = make([&](Grad<T> o) { m.parallel_transport(x, y, xy, o); });
      const Vector yx = make([&](Grad<T> o) { m.logmap(y, x, o); });
      const double nu = double(m.norm(x, u)), nv = double(m.norm(x, v)), uv = nu * nv;
      for (std::size_t k = 0; k < u.size(); ++k) {
        w.compare("project_tangent is idempotent", i, j, double(uu[k]), double(u[k]));
        // In coordinates, relative to the vector's longest one.
        double top = 1;
        for (const T& e : yx) top = (std::max)(top, std::abs(double(e)));
        if (joined)
          w.compare("transport of logmap(x,y) = -logmap(y,x)", i, j, double(pxy[k]),
                    -double(yx[k]), top);
      }
      w.compare("norm^2 = inner", i, j, nu * nu, double(m.inner(x, u, u)));
      w.compare("transport keeps inner products", i, j, double(m.inner(y, pu, pv)),
                double(m.inner(x, u, v)), 1 + uv);
      const Vector grad = make([&](Grad<T> o) { m.egrad2rgrad(x, vectors.row(j), o); });
      w.compare("inner(x, egrad2rgrad(x,g), u) = <g,u>", i, j,
                double(m.inner(x, grad, u)), double(dot<T>(vectors.row(j), u)),
                1 + nu * double(m.norm(x, grad)));
      // The retraction is a first-order exponential: the gap over t is O(t) at a step of
      // length t.
      const double t = 1e-3, step = t / (std::max)(nu, 1e-6);
      const Vector tu = make([&](Grad<T> o) {
        for (std::size_t k = 0; k < u.size(); ++k) o[k] = T(step) * u[k];
      });
      const Vector re = make([&](Grad<T> o) { m.retract(x, tu, o); });
      const Vector ex = make([&](Grad<T> o) { m.expmap(x, tu, o); });
      const double gap = double(m.dist(re, ex)) / t;
      w.compare("retract(x, v) = expmap(x, v) + O(v^2)", i, j, gap < 0.1 ? 0 : gap, 0);
      w.compare("expmap stays on the manifold", i, j, m.is_on_manifold(ex) ? 0 : 1, 0);
    }
  }
  return w.report();
}

namespace detail {

template <class M, class Remake>
Report gradients(const M& m, BatchIn<double> points, const Remake& remake, double c,
                 bool by_c, double tolerance) {
  Report worst;
  const auto dim = std::size_t(points.cols());
  // dist_vjp adds to what is there.
  constexpr double before = 0.75;
  for (Index i = 0; i < points.rows(); ++i) {
    for (Index j = 0; j < points.rows(); ++j) {
      if (i == j) continue;
      std::vector<double> in(2 * dim + (by_c ? 1 : 0), c), gradient(2 * dim + 1, before);
      std::copy_n(points.row(i).data(), dim, in.data());
      std::copy_n(points.row(j).data(), dim, in.data() + dim);
      const Point<double> x(in.data(), dim), y(in.data() + dim, dim);
      const Grad<double> gx(gradient.data(), dim), gy(gradient.data() + dim, dim);
      m.dist_vjp(x, y, 1.5, gx, gy, gradient.back());
      for (double& e : gradient) e -= before;
      gradient.resize(in.size());
      Report r =
          gradient_check([&] { return 1.5 * remake(by_c ? in.back() : c).dist(x, y); },
                         in, gradient, tolerance);
      const std::string rows = "dist_vjp, rows " + std::to_string(i) + ", " +
                               std::to_string(j) +
                               (by_c ? ", of x, y and c " : ", of x and y ");
      r.where = rows + r.where, r.message = rows + r.message;
      worsen(worst, r);
    }
    // Coincident points: nothing is added.
    std::vector<double> g(dim, before);
    double gc = before;
    m.dist_vjp(points.row(i), points.row(i), 1.5, g, g, gc);
    for (double e : g)
      if (!(e == before) || !(gc == before))
        worsen(worst, {false, 1, "dist_vjp, row " + std::to_string(i) + " twice",
                       "dist_vjp, row " + std::to_string(i) + " twice: gradient not 0"});
  }
  return worst;
}

}  // namespace detail

/// dist_vjp against central differences for all pairs of rows; by c too, where remake(c)
/// gives the same geometry of another c.
/// @param tolerance  relative to the norm of the gradient.
template <Metric M, class Remake>
  requires std::same_as < ScalarOf<M>,
double > [[nodiscard]] Report check_gradients(const M& m, BatchIn<double> points,
                                              const Remake& remake, double c,
                                              double tolerance = 1e-7) {
  return detail::gradients(m, points, remake, c, true, tolerance);
}

/// The same but for c, which is not looked at.
template <Metric M>
[[nodiscard]] Report check_gradients(const M& m, BatchIn<double> points,
                                     double tolerance = 1e-7) {
  return detail::gradients(
      m, points, [&](double) { return m; }, 1.0, false, tolerance);
}

namespace detail {

/// The numbers of two rows about a centre; compares the chord from their inner product.
template <GramMetric M>
auto gram_pair(const M& m, Point<double> x, Point<double> y, Point<double> centre,
               Worst& w, Index i, Index j) {
  const auto stat = [&](Point<double> z) {
    const auto sum = hcl::detail::dot_sum<double>(z, z);
    const double n = double(sum);
    return m.row_stat({n, diff2<double>(z, centre), dot<double>(z, centre),
                       norm2<double>(centre), double(sum - decltype(sum)(n))});
  };
  const auto a = stat(x), b = stat(y);
  double g = 0;
  for (std::size_t k = 0; k < x.size(); ++k) g += (x[k] - centre[k]) * (y[k] - centre[k]);
  // By the distance: where a chord changes its form, either one is right.
  const double q = m.gram_chord(g, a.data(), b.data());
  if (m.gram_margin(q, a.data(), b.data()) > 0)
    w.compare("gram_chord = chord", i, j, m.dist_at(q, a.data(), b.data()).d,
              m.dist(x, y), (std::numeric_limits<double>::min)());
  return std::pair(a, b);
}

}  // namespace detail

/// chord, gram_chord, diff_chord and dist_at against dist and dist_vjp, in double for all
/// pairs of rows, about the origin and about the first row.
template <GramMetric M>
  requires std::same_as < ScalarOf<M>,
double > [[nodiscard]] Report check_gram_laws(const M& m, BatchIn<double> points,
                                              double tolerance = 1e-12) {
  detail::Worst w(tolerance);
  const auto dim = std::size_t(points.cols());
  for (Index i = 0; i < points.rows(); ++i) {
    for (Index j = 0; j < points.rows(); ++j) {
      const Point<double> x = points.row(i), y = points.row(j);
      const double q = m.chord(x, y);
      std::vector<double> centre(dim, 0.0);
      const auto numbers = detail::gram_pair(m, x, y, centre, w, i, j);
      const auto &a = numbers.first, &b = numbers.second;
      std::copy(points.row(0).begin(), points.row(0).end(), centre.begin());
      detail::gram_pair(m, x, y, centre, w, i, j);
      if (m.diff_margin(q, a.data(), b.data()) > 0)
        w.compare("diff_chord = chord", i, j,
                  m.dist_at(m.diff_chord(diff2<double>(x, y), a.data(), b.data()),
                            a.data(), b.data())
                      .d,
                  m.dist(x, y), (std::numeric_limits<double>::min)());
      const GramDist<double> d = m.dist_at(q, a.data(), b.data());
      w.compare("dist_at = dist", i, j, d.d, m.dist(x, y), 0.01);
      const double factor = -2.5;
      const GramDist<double> many = m.dist_at(q, a.data(), b.data(), factor);
      const double got[] = {many.d, many.dd2, many.dna, many.dnb, many.dc};
      const double one[] = {d.d, d.dd2, d.dna, d.dnb, d.dc};
      for (std::size_t e = 0; e < std::size(one); ++e)
        w.compare("dist_at by k", i, j, got[e], factor * one[e],
                  (std::numeric_limits<double>::min)());
      if (q == 0)
        for (const double slope : {d.dd2, d.dna, d.dnb, d.dc})
          w.compare("derivatives 0 at q = 0", i, j, slope, 0);
      std::vector<double> gx(dim, 0.0), gy(dim, 0.0);
      double gc = 0;
      m.dist_vjp(x, y, 1, gx, gy, gc);
      w.compare("dc = dd/dc", i, j, d.dc, gc, 0.1);
      if constexpr (requires { m.own(a.data(), b.data()); })
        if (d.dd2 != 0)
          w.compare("own = 1 + dna/dd2", i, j, m.own(a.data(), b.data()),
                    1 + d.dna / d.dd2);
      if constexpr (requires { m.radial(q, a.data(), b.data()); }) {
        const auto along = m.radial(q, a.data(), b.data());
        const double own[] = {m.own(a.data(), b.data()), m.own(b.data(), a.data())};
        const double own_x = own[0] * norm2<double>(x), own_y = own[1] * norm2<double>(y);
        const double xy = dot<double>(x, y), scale = std::abs(xy) + 2 * q;
        w.compare("radial = <x, own x - y>", i, j, along[0], own_x - xy, own_x + scale);
        w.compare("radial = <y, own y - x>", i, j, along[1], own_y - xy, own_y + scale);
      }
      if (!(m.diff_margin(q, a.data(), b.data()) > 0)) continue;
      const double least = (std::numeric_limits<double>::min)();  // x = y: exactly 0
      const double nx = (std::max)(std::sqrt(norm2<double>(gx)), least);
      const double ny = (std::max)(std::sqrt(norm2<double>(gy)), least);
      for (std::size_t k = 0; k < dim; ++k) {
        const double u = 2 * d.dd2 * (x[k] - y[k]);
        w.compare("2 dd2 (x-y) + 2 dna x = dd/dx", i, j, u + 2 * d.dna * x[k], gx[k], nx);
        w.compare("2 dd2 (y-x) + 2 dnb y = dd/dy", i, j, 2 * d.dnb * y[k] - u, gy[k], ny);
      }
    }
  }
  return w.report();
}

}  // namespace hcl::inline HCL_ABI::testing
