// Geodesics beyond their ends against 100 digits of the hyperboloid.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <vector>

#include "hcl/manifold/geodesic.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
using Exact = boost::multiprecision::cpp_bin_float_100;
using Point = std::vector<Exact>;

Exact dot(const Point& x, const Point& y) { return hcl::dot<Exact>(x, y); }

// To and from the hyperboloid t^2 - |x|^2 = 1, whose points are {x_1, ..., x_D, t}.
template <class T>
Point lift(const hcl::PoincareBall<T>& m, const Point& x) {
  const Exact root = sqrt(Exact(m.c())), k = 2 / (1 - Exact(m.c()) * dot(x, x));
  Point r;
  for (const Exact& e : x) r.push_back(root * k * e);
  r.push_back(k - 1);
  return r;
}
template <class T>
Point lift(const hcl::Lorentz<T>& m, const Point& x) {
  Point r;
  for (const Exact& e : x) r.push_back(sqrt(Exact(m.c())) * e);
  r.push_back(sqrt(1 + dot(r, r)));
  return r;
}
Exact cosh_dist(const Point& x, const Point& y) {
  return 2 * x.back() * y.back() - dot(x, y);
}
/// The distance that the space of curvature -1 has, of close points too.
Exact dist(const Point& x, const Point& y) {
  const Exact h = cosh_dist(x, y) - 1;
  return h > 0 ? acosh(1 + h) : Exact(0);
}
Point on_geodesic(const Point& x, const Point& y, const Exact& t) {
  const Exact s = acosh(cosh_dist(x, y)), u = sinh((1 - t) * s) / sinh(s),
              v = sinh(t * s) / sinh(s);
  Point r;
  for (std::size_t i = 0; i < x.size(); ++i) r.push_back(u * x[i] + v * y[i]);
  return r;
}

/// A row at the distance r from the origin along (cos a, sin a), signed.
template <class M>
std::vector<hcl::ScalarOf<M>> at(const M& m, double r, double angle) {
  using T = hcl::ScalarOf<M>;
  const double length = r / double(m.origin_scale()) / std::sqrt(double(m.c()));
  std::vector<T> v{T(length * std::cos(angle)), T(length * std::sin(angle))}, x(2);
  m.expmap0(v, x);
  return x;
}
template <class T>
Point exact(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

struct Case {
  double x, y, t;
};

TEST_CASE_TEMPLATE("geodesics beyond their ends keep their digits", M,
                   hcl::PoincareBall<float>, hcl::PoincareBall<double>,
                   hcl::Lorentz<float>, hcl::Lorentz<double>) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  std::vector<Case> cases{{12, 2, 2},   {2, 12, -1},    {5, 2, 3},     {-3, 4, 1.5},
                          {1, 9, -0.5}, {8, 8.25, -20}, {0, 6, -1.25}, {6, 0, 2}};
  if (sizeof(T) == sizeof(double))
    cases.insert(cases.end(), {{20, 5, 2}, {5, 20, -1}, {25, 10, 2}, {20, 20.5, -40}});
  for (const double c : {1.0, 0.3})
    for (const double angle : {0.0, 0.7})
      for (const Case& k : cases) {
        CAPTURE(c);
        CAPTURE(angle);
        CAPTURE(k.x);
        CAPTURE(k.y);
        CAPTURE(k.t);
        const M m = make<M>(c);
        // A ray, whose rounding is the rows' own, and a turn at a small angle.
        for (const double turn : {0.0, 1e-3}) {
          CAPTURE(turn);
          const auto x = at(m, k.x, angle), y = at(m, k.y, angle + turn);
          const Point lx = lift(m, exact(x)), ly = lift(m, exact(y));
          const Point want = on_geodesic(lx, ly, Exact(T(k.t)));
          std::vector<T> z(2);
          hcl::geodesic(m, x, y, T(k.t), z);
          CHECK(m.is_on_manifold(z).ok);
          const double r = double(acosh(want.back()));
          const double off = double(dist(lift(m, exact(z)), want));
          // What the rounding of the result's coordinates can move it by.
          CHECK(off <= 4 * eps * (r + std::abs(k.t * (k.x - k.y)) + std::sinh(r)));
        }
      }
}

template <class M>
constexpr bool is_ball = false;
template <class T>
constexpr bool is_ball<hcl::PoincareBall<T>> = true;

/// The point with the coordinates of in = {x, y, t, c}, each of x and y two numbers.
template <class M>
Point model(const Point& in) {
  const auto m = like<M>(in[5]);
  const Point z = on_geodesic(lift(m, {in[0], in[1]}), lift(m, {in[2], in[3]}), in[4]);
  const Exact k = sqrt(in[5]) * (is_ball<M> ? Exact(1 + z[2]) : Exact(1));
  return {z[0] / k, z[1] / k};
}

TEST_CASE_TEMPLATE("and so do their gradients", M, hcl::PoincareBall<float>,
                   hcl::PoincareBall<double>, hcl::Lorentz<float>, hcl::Lorentz<double>) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  std::vector<Case> cases{{9, 2, 2}, {2, 9, -1}, {5, 2, 2}, {-3, 4, 1.5}, {0.5, 6, -0.5}};
  if (sizeof(T) == sizeof(double)) cases.insert(cases.end(), {{20, 5, 2}, {5, 20, -1}});
  for (const double c : {1.0, 0.3})
    for (const Case& k : cases) {
      CAPTURE(c);
      CAPTURE(k.x);
      CAPTURE(k.y);
      CAPTURE(k.t);
      const M m = make<M>(c);
      const auto x = at(m, k.x, 0.7), y = at(m, k.y, 0.701);
      const std::vector<T> g{T(0.3), T(-1.1)};
      const Point in{Exact(x[0]), Exact(x[1]),   Exact(y[0]),
                     Exact(y[1]), Exact(T(k.t)), Exact(m.c())};
      std::vector<Exact> want;
      for (std::size_t i = 0; i < in.size(); ++i) {
        Point up = in, down = in;
        const Exact h("1e-40");
        up[i] += h, down[i] -= h;
        const Point a = model<M>(up), b = model<M>(down);
        want.push_back((Exact(g[0]) * (a[0] - b[0]) + Exact(g[1]) * (a[1] - b[1])) /
                       (2 * h));
      }
      std::vector<T> gx(2, T(0)), gy(2, T(0));
      T gt(0), gc(0);
      hcl::geodesic_vjp(m, x, y, T(k.t), g, gx, gy, gt, gc);
      const auto off = [&](const std::vector<T>& p, const std::vector<T>& got,
                           std::size_t first) {
        // In the dual norm at p, by what is wanted.
        const auto r = like<M>(in[5]);
        const Point q = exact(p), all{want[first], want[first + 1]},
                    rest{got[0] - all[0], got[1] - all[1]};
        Point u(2), v(2);
        r.egrad2rgrad(q, rest, u), r.egrad2rgrad(q, all, v);
        return double(sqrt(dot(rest, u) / dot(all, v)));
      };
      const double most = (is_ball<M> ? 16 : 2000) * eps;
      CHECK(off(x, gx, 0) <= most);
      CHECK(off(y, gy, 2) <= most);
      CHECK(abs(gt - want[4]) <= most * abs(want[4]));
      CHECK(abs(gc - want[5]) <= most * abs(want[5]));
    }
}

}  // namespace
