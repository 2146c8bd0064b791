// The metric, the maps and the gradients of every geometry as identities, each within
// eight storage quanta.
#include "properties/quanta.hpp"

namespace {

using namespace quanta;

constexpr unsigned seed = 20261;

TEST_CASE_TEMPLATE("a distance is a metric", M, HCL_PROPERTY_MANIFOLDS) {
  over_cases<M>(seed, [](const M& m, const auto& x) {
    const std::size_t count = x.size();
    std::vector<double> d(count * count);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < count; ++j) {
        const auto ij = m.dist(x[i], x[j]);
        d[i * count + j] = double(ij);
        REQUIRE(hcl::is_finite(ij));
        REQUIRE(ij >= 0);
        REQUIRE(ij == m.dist(x[j], x[i]));
        if (i == j || x[i] == x[j]) REQUIRE(ij == 0);
        // Distinct points are apart.
        double gap = 0;
        for (std::size_t k = 0; k < x[i].size(); ++k)
          gap = std::max(gap, std::abs(double(x[i][k]) - double(x[j][k])));
        if (!support::is_sphere<M> && gap > 0) REQUIRE(double(ij) > 0);
        const double d2 = double(m.dist2(x[i], x[j]));
        REQUIRE(std::abs(d2 - double(ij) * double(ij)) <=
                8 * roundoff<hcl::ScalarOf<M>> * d2 + 1e-40);
      }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < count; ++j)
        for (std::size_t k = 0; k < count; ++k)
          REQUIRE(d[i * count + j] <= d[i * count + k] + d[k * count + j] +
                                          8 * roundoff<hcl::ScalarOf<M>> *
                                              (d[i * count + k] + d[k * count + j]));
  });
}

TEST_CASE_TEMPLATE("exponential and logarithm", M, HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t n = x[i].size();
      Vector<T> v(n), z(n);
      m.logmap0(x[i], v);
      m.expmap0(v, z);
      REQUIRE(double(m.dist(z, x[i])) <= allowed(m, double(m.dist0(x[i])), x[i]));
      REQUIRE(std::abs(double(m.origin_scale()) * double(hcl::detail::length<T>(v)) -
                       double(m.dist0(x[i]))) <=
              allowed(m, double(m.dist0(x[i])), x[i]) +
                  double(std::numeric_limits<T>::denorm_min()));
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double d = double(m.dist(x[i], x[j]));
        if (support::is_sphere<M> && d * std::sqrt(double(m.c())) > 3) continue;
        m.logmap(x[i], x[j], v);
        CAPTURE(i);
        CAPTURE(j);
        REQUIRE(std::abs(double(m.norm(x[i], v)) - d) <= allowed(m, d, x[i], x[j]));
        m.expmap(x[i], v, z);
        REQUIRE(m.is_on_manifold(z).ok);
        // v is stored too: what rounding of its coordinates moves it by, the geodesics
        // that spread magnify by sinh(sqrt(c) d)/(sqrt(c) d).
        const double root = std::sqrt(double(m.c()));
        const double chart =
            std::same_as<M, hcl::Lorentz<T>> ? std::sqrt(double(hcl::norm2<T>(v))) : d;
        const double end = root * d > 0 && !support::is_sphere<M>
                               ? chart * std::sinh(root * d) / (root * d)
                               : d;
        REQUIRE(double(m.dist(z, x[j])) <=
                allowed(m, d, x[i], x[j]) + 8 * roundoff<T> * end);
        if (x[i] == x[j])
          for (const T e : v) REQUIRE(e == 0);
      }
    }
  });
}

TEST_CASE_TEMPLATE("parallel transport", M, HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double d = double(m.dist(x[i], x[j])), root = std::sqrt(double(m.c()));
        if (support::is_sphere<M> && d * root > 3) continue;
        const std::size_t n = x[i].size();
        Vector<T> u(n), v(n), there(n), back(n), other(n);
        for (auto& e : u) e = T(normal(random));
        for (auto& e : v) e = T(normal(random));
        m.project_tangent(x[i], u, u);
        m.project_tangent(x[i], v, v);
        m.parallel_transport(x[i], x[j], u, there);
        m.parallel_transport(x[i], x[j], v, other);
        m.parallel_transport(x[j], x[i], there, back);
        // Near antipodes what v is off the tangent space grows by 1/(1 + cos).
        const double antipodes = support::is_sphere<M> ? 2 / (1 + std::cos(d * root)) : 1;
        // Relative: quanta of the two points at curvature 1, once more for the vector.
        const double size = double(m.norm(x[i], u));
        const double scale = root > 0 ? root : 1 / (1 + d);
        const double tolerance =
            (allowed(m, d + 1 / scale, x[i], x[j]) * scale + 8 * roundoff<T>)*antipodes;
        CAPTURE(i);
        CAPTURE(j);
        REQUIRE(std::abs(double(m.norm(x[j], there)) - size) <= tolerance * size);
        REQUIRE(
            std::abs(double(m.inner(x[j], there, other)) - double(m.inner(x[i], u, v))) <=
            2 * tolerance * size * double(m.norm(x[i], v)));
        for (std::size_t k = 0; k < n; ++k) back[k] = T(double(back[k]) - double(u[k]));
        REQUIRE(double(m.norm(x[i], back)) <= tolerance * size);
        // The way nowhere changes nothing, and the map is linear.
        m.parallel_transport(x[i], x[i], u, back);
        for (std::size_t k = 0; k < n; ++k) back[k] = T(double(back[k]) - double(u[k]));
        REQUIRE(double(m.norm(x[i], back)) <= tolerance * size);
        for (std::size_t k = 0; k < n; ++k) v[k] = T(2 * double(u[k]));
        m.parallel_transport(x[i], x[j], v, other);
        for (std::size_t k = 0; k < n; ++k) other[k] /= T(2);
        REQUIRE(other == there);
      }
  });
}

TEST_CASE_TEMPLATE("the gradient of a distance has norm 1, and none at coincidence", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) {
        const std::size_t n = x[i].size();
        Vector<T> gx(n, T(0)), gy(n, T(0)), rx(n);
        T gc(0);
        m.dist_vjp(x[i], x[j], T(1), gx, gy, gc);
        REQUIRE(hcl::is_finite(gc));
        for (std::size_t k = 0; k < n; ++k)
          REQUIRE((hcl::is_finite(gx[k]) && hcl::is_finite(gy[k])));
        const double d = double(m.dist(x[i], x[j]));
        CAPTURE(i);
        CAPTURE(j);
        if (d == 0) {
          for (const T e : gx) REQUIRE(e == 0);
          for (const T e : gy) REQUIRE(e == 0);
          continue;
        }
        if (support::is_sphere<M>) continue;  // by raw rows; its own case below
        if (d < 1e-30) continue;              // subnormal coordinates
        m.egrad2rgrad(x[i], gx, rx);
        // What rounding of the coordinates leaves in the Lorentz chart: u cosh r/sqrt n.
        const double chart = quantum(m, Point<T>(x[i])) *
                             (double(m.c()) > 0 ? std::sqrt(double(m.c())) : 0);
        const bool lorentz = std::same_as<M, hcl::Lorentz<T>>;
        const double tolerance = 16 * roundoff<T> + (lorentz ? 8 * chart / double(n) : 0);
        REQUIRE(std::abs(double(m.norm(x[i], rx)) - 1) <= tolerance);
        // Carried along, the gradient at x is the opposite of that at y. In the Lorentz
        // chart the two, stored, are u cosh r off.
        Vector<T> ry(n), carried(n);
        m.egrad2rgrad(x[j], gy, ry);
        m.parallel_transport(x[i], x[j], rx, carried);
        for (std::size_t k = 0; k < n; ++k)
          carried[k] = T(double(carried[k]) + double(ry[k]));
        const double root = double(m.c()) > 0 ? std::sqrt(double(m.c())) : 1 / (1 + d);
        const double stored =
            lorentz ? (quantum(m, Point<T>(x[i])) + quantum(m, Point<T>(x[j]))) * root
                    : 0;
        REQUIRE(double(m.norm(x[j], carried)) <=
                32 * roundoff<T> + 8 * stored +
                    allowed(m, d + 1 / root, x[i], x[j]) * root);
      }
  });
}

TEST_CASE_TEMPLATE("on the sphere the gradient is tangent and of length 1/|x|", T, float,
                   double) {
  over_cases<hcl::Sphere<T>>(seed, [](const hcl::Sphere<T>& m, const auto& x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double d = double(m.dist(x[i], x[j])), root = std::sqrt(double(m.c()));
        if (d == 0 || d * root > 3.14) continue;
        Vector<T> gx(x[i].size(), T(0)), gy = gx;
        T gc(0);
        m.dist_vjp(x[i], x[j], T(1), gx, gy, gc);
        const double length = std::sqrt(double(hcl::norm2<T>(x[i]))) * root;
        REQUIRE(std::abs(std::sqrt(double(hcl::norm2<T>(gx))) * length - 1) <=
                16 * roundoff<T>);
        REQUIRE(std::abs(double(hcl::dot<T>(x[i], gx))) * root <= 16 * roundoff<T>);
      }
  });
}

TEST_CASE_TEMPLATE("log is minus half the gradient of d^2", M, HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    if (support::is_sphere<M>) return;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) {
        const std::size_t n = x[i].size();
        Vector<T> gx(n, T(0)), gy = gx, rx(n), v(n);
        T gc(0);
        m.dist2_vjp(x[i], x[j], T(-0.5), gx, gy, gc);
        if (x[i] == x[j])
          for (const T e : gx) REQUIRE(e == 0);
        m.egrad2rgrad(x[i], gx, rx);
        m.logmap(x[i], x[j], v);
        for (std::size_t k = 0; k < n; ++k) v[k] = T(double(v[k]) - double(rx[k]));
        const double d = double(m.dist(x[i], x[j]));
        CAPTURE(i);
        CAPTURE(j);
        REQUIRE(double(m.norm(x[i], v)) <=
                allowed(m, d, x[i], x[j]) +
                    8 * d * quantum(m, Point<T>(x[i])) *
                        (double(m.c()) > 0 ? std::sqrt(double(m.c())) : 0));
      }
  });
}

TEST_CASE_TEMPLATE("projections and steps of nothing leave points alone", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    for (const auto& p : x) {
      Vector<T> once(p.size()), twice(p.size());
      m.project(p, once);
      m.project(once, twice);
      if (!support::is_sphere<M>) REQUIRE(once == p);
      REQUIRE(double(m.dist(once, twice)) <= allowed(m, 0, once));
      const Vector<T> zero(p.size(), T(0));
      m.expmap(p, zero, twice);
      REQUIRE(double(m.dist(p, twice)) <= allowed(m, 0, p));
    }
  });
}

TEST_CASE_TEMPLATE("steps of any length from anywhere end on the manifold", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    if (std::same_as<M, hcl::Euclidean<T>>) return;
    const double root = std::sqrt(double(m.c()));
    for (const auto& p : x)
      for (const double length : {1.0, 15.0, 40.0, 400.0, 1e6}) {
        CAPTURE(length);
        Vector<T> far(p.size()), v(p.size(), T(0)), z(p.size());
        m.expmap0(Vector<T>(p.size(), T(length / root)), far);
        REQUIRE(m.is_on_manifold(far).ok);
        m.project_tangent(p, far, v);
        const double size = double(m.norm(p, v));
        for (auto& e : v) e = size > 0 ? T(double(e) / size * length / root) : T(0);
        for (const auto& from : {p, far}) {
          m.expmap(from, v, z);
          REQUIRE(m.is_on_manifold(z).ok);
          m.retract(from, v, z);
          REQUIRE(m.is_on_manifold(z).ok);
        }
      }
  });
}

TEST_CASE_TEMPLATE("d_c(x, y) = d_1(sqrt(c) x, sqrt(c) y)/sqrt(c), to the bit at c = 4",
                   M, hcl::PoincareBall<float>, hcl::Lorentz<float>,
                   hcl::PoincareBall<double>, hcl::Lorentz<double>) {
  using T = hcl::ScalarOf<M>;
  for (const std::size_t n : {2U, 9U, 65U}) {
    const M four(T(4)), one(T(1));
    auto x = points(four, n, seed), y = x;
    for (auto& p : y)
      for (auto& e : p) e *= T(2);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j)
        if (four.dist(x[i], x[j]) > T(1e-30))  // not of subnormal numbers
          CHECK(four.dist(x[i], x[j]) == one.dist(y[i], y[j]) / T(2));
  }
}

TEST_CASE_TEMPLATE("the flat limit is met at O(c)", M, hcl::PoincareBall<double>,
                   hcl::Lorentz<double>) {
  // Gaps of 1e-12 are still 1e4 roundings.
  const std::vector<double> x{0.3, -0.2, 0.5, 0.1}, y{-0.1, 0.4, 0.2, 0};
  const double flat = double(M(1.0).origin_scale()) * hcl::Euclidean<double>().dist(x, y);
  double before = 0;
  for (const double c : {1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12}) {
    CAPTURE(c);
    const double gap = std::abs(M(c).dist(x, y) - flat);
    if (before > 0) CHECK(std::abs(std::log10(before / gap) / 2 - 1) <= 0.01);
    before = gap;
  }
}

}  // namespace
