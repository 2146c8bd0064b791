// What moves points and keeps distances, and what distances of a curved space obey beyond
// the triangle inequality.
#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/gyro.hpp"
#include "hcl/manifold/models.hpp"
#include "hcl/manifold/transport0.hpp"
#include "properties/quanta.hpp"

namespace {

using namespace quanta;

constexpr unsigned seed = 20262;

/// Rounding subnormal coordinates, up to 512 of them, moves a point by this.
template <class T>
inline constexpr double grain = 32 * double(std::numeric_limits<T>::denorm_min());

/// All distances before and after f, which moves each point by rounding too.
template <class M, class F>
void keeps_distances(const M& m, const std::vector<Vector<hcl::ScalarOf<M>>>& x,
                     const F& f) {
  std::vector<Vector<hcl::ScalarOf<M>>> moved;
  for (const auto& p : x) moved.push_back(f(p));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      CAPTURE(i);
      CAPTURE(j);
      const double d = double(m.dist(x[i], x[j]));
      REQUIRE(std::abs(double(m.dist(moved[i], moved[j])) - d) <=
              allowed(m, d, x[i], x[j], moved[i], moved[j]) + grain<hcl::ScalarOf<M>>);
    }
}

TEST_CASE_TEMPLATE("signs, permutations, rotations and reflections keep distances", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    const std::size_t n = x[0].size();
    keeps_distances(m, x, [](Vector<T> p) {
      for (std::size_t k = 0; k < p.size(); k += 2) p[k] = -p[k];
      return p;
    });
    keeps_distances(m, x, [](Vector<T> p) {
      std::rotate(p.begin(), p.begin() + 1, p.end());
      return p;
    });
    keeps_distances(m, x, [](Vector<T> p) {  // of the first two coordinates
      const double a = double(p[0]), b = double(p[1]);
      p[0] = T(0.6 * a - 0.8 * b), p[1] = T(0.8 * a + 0.6 * b);
      return p;
    });
    Vector<double> normal(n);
    double length = 0;
    std::mt19937_64 random(seed);
    for (auto& e : normal)
      e = std::normal_distribution<double>()(random), length += e * e;
    keeps_distances(m, x, [&](Vector<T> p) {  // at the hyperplane across `normal`
      double along = 0;
      for (std::size_t k = 0; k < n; ++k) along += normal[k] * double(p[k]);
      for (std::size_t k = 0; k < n; ++k)
        p[k] = T(double(p[k]) - 2 * along / length * normal[k]);
      return p;
    });
  });
}

TEST_CASE_TEMPLATE("Moebius translations and Lorentz boosts keep distances", T, float,
                   double) {
  over_cases<hcl::PoincareBall<T>>(seed, [](const auto& m, const auto& x) {
    Vector<T> by(x[0].size(), T(0.7 / std::sqrt(double(m.c()) * double(x[0].size()))));
    keeps_distances(m, x, [&](const Vector<T>& p) {
      Vector<T> out(p.size());
      hcl::mobius_add(m, by, p, out);
      return out;
    });
  });
  over_cases<hcl::Lorentz<T>>(seed, [](const hcl::Lorentz<T>& m, const auto& x) {
    keeps_distances(m, x, [&](Vector<T> p) {  // along the first axis
      const double t = std::sqrt(1 / double(m.c()) + double(hcl::norm2<T>(p)));
      p[0] = T(std::cosh(0.7) * double(p[0]) + std::sinh(0.7) * t);
      return p;
    });
  });
}

TEST_CASE_TEMPLATE("four points of hyperbolic space are within log 2 of a tree", M,
                   hcl::PoincareBall<float>, hcl::PoincareBall<double>,
                   hcl::Lorentz<float>, hcl::Lorentz<double>) {
  over_cases<M>(seed, [](const M& m, const auto& x) {
    const double root = std::sqrt(double(m.c()));
    const auto d = [&](std::size_t i, std::size_t j) {
      return root * double(m.dist(x[i], x[j]));
    };
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        for (std::size_t k = 0; k < j; ++k)
          for (std::size_t l = 0; l < k; ++l) {
            double s[3] = {d(i, j) + d(k, l), d(i, k) + d(j, l), d(i, l) + d(j, k)};
            std::sort(s, s + 3);
            REQUIRE(s[2] - s[1] <= 2 * std::log(2.0) + 1e-5);
          }
  });
}

TEST_CASE_TEMPLATE("on a geodesic distances add up, and grow", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const double d = double(m.dist(x[i], x[j]));
        if (support::is_sphere<M> && d * std::sqrt(double(m.c())) > 3) continue;
        CAPTURE(i);
        CAPTURE(j);
        double before = 0;
        for (const double t : {0.1, 0.35, 0.5, 0.8, 1.0}) {
          Vector<T> at(x[i].size());
          hcl::geodesic(m, x[i], x[j], T(t), at);
          const double there = double(m.dist(x[i], at)), rest = double(m.dist(at, x[j]));
          const double tolerance = allowed(m, d, x[i], x[j], at) + grain<T>;
          REQUIRE(std::abs(there + rest - d) <= 2 * tolerance);
          REQUIRE(std::abs(there - double(T(t)) * d) <= tolerance);
          REQUIRE(there >= before - tolerance);
          before = there;
        }
      }
  });
}

TEST_CASE_TEMPLATE("a step of length t ends at distance t", M, HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    const double root = double(m.c()) > 0 ? std::sqrt(double(m.c())) : 1;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t n = x[i].size();
      Vector<T> v(n, T(0)), z(n);
      for (std::size_t k = 0; k < n; ++k) v[k] = x[(i + 1) % 4][k];
      m.project_tangent(x[i], v, v);
      m.project_tangent(x[i], v, v);  // what was mostly across the sphere lost digits
      const double size = double(m.norm(x[i], v));
      for (const double t : {1e-8, 1e-6, 1e-4, 1e-2, 0.1, 1.0, 2.0}) {
        Vector<T> w(v);
        for (T& e : w) e = T(double(e) * t / (root * size));
        const double step = double(m.norm(x[i], w));  // of what is stored
        m.expmap(x[i], w, z);
        CAPTURE(t);
        REQUIRE(std::abs(double(m.dist(x[i], z)) - step) <= allowed(m, step, x[i], z));
      }
    }
  });
}

TEST_CASE_TEMPLATE("the maps at the origin are the general ones", M,
                   HCL_PROPERTY_MANIFOLDS) {
  using T = hcl::ScalarOf<M>;
  over_cases<M>(seed, [](const M& m, const auto& x) {
    const std::size_t n = x[0].size();
    Vector<T> zero(n, T(0)), origin(n), v(n), a(n), b(n);
    m.expmap0(zero, origin);
    for (const auto& p : x) {
      const double d = double(m.dist0(p));
      if (support::is_sphere<M> && d * std::sqrt(double(m.c())) > 3) continue;
      REQUIRE(std::abs(double(m.dist(origin, p)) - d) <= allowed(m, d, p));
      m.logmap0(p, a);
      m.logmap(origin, p, b);
      for (std::size_t k = 0; k < n; ++k) v[k] = T(double(a[k]) - double(b[k]));
      REQUIRE(double(m.norm(origin, v)) <= allowed(m, d, p));
      Vector<T> there(n), back(n), u(n), w(n);
      for (std::size_t k = 0; k < n; ++k) u[k] = T(1 + double(k % 3));
      m.project_tangent(origin, u, u);
      hcl::transport0(m, p, u, there);
      hcl::transport0_back(m, p, there, back);
      for (std::size_t k = 0; k < n; ++k) w[k] = T(double(back[k]) - double(u[k]));
      const double root = std::sqrt(double(m.c())), size = double(m.norm(origin, u));
      REQUIRE(double(m.norm(origin, w)) <=
              8 * size * (2 * roundoff<T> + root * quantum(m, Point<T>(p))));
    }
  });
}

TEST_CASE_TEMPLATE("ball -> Lorentz -> Klein -> ball ends within 8 quanta", T, float,
                   double) {
  over_cases<hcl::PoincareBall<T>>(
      seed, [](const hcl::PoincareBall<T>& m, const auto& x) {
        const hcl::Lorentz<T> lorentz(m.c());
        const hcl::Klein<T> klein(m.c());
        for (const auto& p : x) {
          Vector<T> a(p.size()), b(a), z(a);
          hcl::to_lorentz(m, p, a);
          hcl::to_klein(lorentz, a, b);
          hcl::to_ball(klein, b, z);
          REQUIRE(double(m.dist(p, z)) <=
                  8 * (quantum(m, Point<T>(p)) + quantum(lorentz, Point<T>(a)) +
                       quantum(klein, Point<T>(b)) + quantum(m, Point<T>(z))));
        }
      });
}

}  // namespace
