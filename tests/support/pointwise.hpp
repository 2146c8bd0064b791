// tests/support/pointwise.hpp - every pointwise map on a user's scalar: its values are
// those of double, and where it carries derivatives these are what the backward says.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/gyro.hpp"
#include "hcl/manifold/head.hpp"
#include "hcl/manifold/maps_vjp.hpp"
#include "hcl/manifold/metric_vjp.hpp"
#include "hcl/manifold/midpoint.hpp"
#include "hcl/manifold/models.hpp"
#include "hcl/manifold/transport0.hpp"
#include "hcl/similarity/cosine.hpp"
#include "hcl/similarity/inner.hpp"
#include "hcl/similarity/neg_dist.hpp"

namespace support {

/// The dimension of the points; a scalar with derivatives has one for each coordinate of
/// x, y, v and one for c.
inline constexpr std::size_t dim = 3, inputs = 3 * dim + 1;

/// What a map takes: points x and y, v tangent at x, a curvature, another number.
template <class T>
struct Arguments {
  std::vector<T> x, y, v;
  T c, t;
};
template <class T>
struct Gradients {
  std::vector<T> x = std::vector<T>(dim, T(0)), y = x, v = x;
  T c = T(0), t = T(0);
};

/// For maps that have no backward.
struct NoBackward {
  void operator()(const auto&...) const {}
};

/// A map to a point, and one to a number, as what appends numbers to out.
template <class F>
auto to_point(const F& f) {
  return [f]<class T>(const auto& m, const Arguments<T>& a, std::vector<T>& out) {
    std::vector<T> z(dim, T(0));
    f(m, a, std::span<T>(z));
    out.insert(out.end(), z.begin(), z.end());
  };
}
template <class F>
auto to_number(const F& f) {
  return [f]<class T>(const auto& m, const Arguments<T>& a, std::vector<T>& out) {
    out.push_back(T(f(m, a)));
  };
}

// visit(name, f, backward): f(m, a, out) appends numbers to out, backward(m, a, g, to)
// adds J^T g to the gradients `to`.
#define HCL_F [](const auto& m, const auto& a)
#define HCL_MAP [](const auto& m, const auto& a, auto z)
#define HCL_BACK [](const auto& m, const auto& a, auto g, auto& to)

template <class Visit>
void each_of_a_metric(const Visit& visit) {
  visit(
      "dist", to_number(HCL_F { return m.dist(a.x, a.y); }),
      HCL_BACK { m.dist_vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit(
      "dist2", to_number(HCL_F { return m.dist2(a.x, a.y); }),
      HCL_BACK { m.dist2_vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit(
      "NegDist", to_number(HCL_F { return hcl::NegDist(m).value(a.x, a.y); }),
      HCL_BACK { hcl::NegDist(m).vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit(
      "NegDist2", to_number(HCL_F { return hcl::NegDist2(m).value(a.x, a.y); }),
      HCL_BACK { hcl::NegDist2(m).vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit(
      "Cosine", to_number(HCL_F { return hcl::Cosine(m).value(a.x, a.y); }),
      HCL_BACK { hcl::Cosine(m).vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit("is_on_manifold",
        to_number(HCL_F { return m.is_on_manifold(a.x).ok ? 1.0 : 0.0; }), NoBackward());
}

template <class Visit>
void each_of_a_manifold(const Visit& visit) {
  visit(
      "Inner", to_number(HCL_F { return hcl::Inner(m).value(a.x, a.y); }),
      HCL_BACK { hcl::Inner(m).vjp(a.x, a.y, g[0], to.x, to.y, to.c); });
  visit(
      "dist0", to_number(HCL_F { return m.dist0(a.x); }),
      HCL_BACK { hcl::dist0_vjp(m, a.x, g[0], to.x, to.c); });
  visit(
      "inner", to_number(HCL_F { return m.inner(a.x, a.v, a.y); }),
      HCL_BACK { hcl::inner_vjp(m, a.x, a.v, a.y, g[0], to.x, to.v, to.y, to.c); });
  visit("norm", to_number(HCL_F { return m.norm(a.x, a.y); }), NoBackward());
  visit(
      "expmap", to_point(HCL_MAP { m.expmap(a.x, a.v, z); }),
      HCL_BACK { hcl::expmap_vjp(m, a.x, a.v, g, to.x, to.v, to.c); });
  visit(
      "logmap", to_point(HCL_MAP { m.logmap(a.x, a.y, z); }),
      HCL_BACK { hcl::logmap_vjp(m, a.x, a.y, g, to.x, to.y, to.c); });
  visit(
      "expmap0", to_point(HCL_MAP { m.expmap0(a.v, z); }),
      HCL_BACK { m.expmap0_vjp(a.v, g, to.v, to.c); });
  visit(
      "logmap0", to_point(HCL_MAP { m.logmap0(a.x, z); }),
      HCL_BACK { m.logmap0_vjp(a.x, g, to.x, to.c); });
  visit(
      "parallel_transport", to_point(HCL_MAP { m.parallel_transport(a.x, a.y, a.v, z); }),
      HCL_BACK {
        hcl::parallel_transport_vjp(m, a.x, a.y, a.v, g, to.x, to.y, to.v, to.c);
      });
  visit(
      "transport0", to_point(HCL_MAP { hcl::transport0(m, a.x, a.v, z); }),
      HCL_BACK { hcl::transport0_vjp(m, a.x, a.v, g, to.x, to.v, to.c); });
  visit(
      "transport0_back", to_point(HCL_MAP { hcl::transport0_back(m, a.x, a.v, z); }),
      HCL_BACK { hcl::transport0_back_vjp(m, a.x, a.v, g, to.x, to.v, to.c); });
  visit(
      "egrad2rgrad", to_point(HCL_MAP { m.egrad2rgrad(a.x, a.y, z); }),
      HCL_BACK { hcl::egrad2rgrad_vjp(m, a.x, a.y, g, to.x, to.y, to.c); });
  visit(
      "geodesic", to_point(HCL_MAP { hcl::geodesic(m, a.x, a.y, a.t, z); }),
      HCL_BACK { hcl::geodesic_vjp(m, a.x, a.y, a.t, g, to.x, to.y, to.t, to.c); });
  visit("project",
        to_point([]<class T>(const auto& m, const Arguments<T>& a, std::span<T> z) {
          std::vector<T> far(a.x);
          for (T& e : far) e *= T(100);
          m.project(far, z);
        }),
        NoBackward());
  visit("project_tangent", to_point(HCL_MAP { m.project_tangent(a.x, a.y, z); }),
        NoBackward());
  visit("retract", to_point(HCL_MAP { m.retract(a.x, a.v, z); }), NoBackward());
  visit("clip_of_radius", to_number(HCL_F { return hcl::clip_of_radius(m, a.t); }),
        NoBackward());
  visit("clip",
        to_point([](const auto&, const auto& a, auto z) { hcl::clip(a.x, a.t, z); }),
        [](const auto&, const auto& a, auto g, auto& to) {
          hcl::clip_vjp(a.x, a.t, g, to.x, to.t);
        });
  visit("normalize",
        to_point([]<class T>(const auto&, const Arguments<T>& a, std::span<T> z) {
          hcl::normalize<T>(a.x, z);
        }),
        []<class T>(const auto&, const Arguments<T>& a, hcl::Point<T> g,
                    Gradients<T>& to) { hcl::normalize_vjp<T>(a.x, g, to.x); });
}

/// The mean of x with weight 1 and of y with weight t.
template <class Visit>
void each_of_midpoints(const Visit& visit) {
  visit("midpoint",
        to_point([]<class T>(const auto& m, const Arguments<T>& a, std::span<T> z) {
          std::vector<T> both(a.x), w{T(1), a.t};
          both.insert(both.end(), a.y.begin(), a.y.end());
          hcl::midpoint(m, hcl::BatchIn<T>(both.data(), 2, dim), w, z);
        }),
        []<class T>(const auto& m, const Arguments<T>& a, hcl::Point<T> g,
                    Gradients<T>& to) {
          std::vector<T> both(a.x), w{T(1), a.t}, gboth(2 * dim, T(0)), gw(2, T(0));
          both.insert(both.end(), a.y.begin(), a.y.end());
          hcl::midpoint_vjp(m, hcl::BatchIn<T>(both.data(), 2, dim), w, g,
                            hcl::BatchOut<T>(gboth.data(), 2, dim), gw, to.c);
          for (std::size_t i = 0; i < dim; ++i)
            to.x[i] += gboth[i], to.y[i] += gboth[dim + i];
          to.t += gw[1];
        });
}

template <class Visit>
void each_of_the_ball(const Visit& visit) {
  visit(
      "conformal_factor", to_number(HCL_F { return hcl::conformal_factor(m, a.x); }),
      HCL_BACK { hcl::conformal_factor_vjp(m, a.x, g[0], to.x, to.c); });
  visit(
      "mobius_add", to_point(HCL_MAP { hcl::mobius_add(m, a.x, a.y, z); }),
      HCL_BACK { hcl::mobius_add_vjp(m, a.x, a.y, g, to.x, to.y, to.c); });
  visit(
      "mobius_scalar_mul", to_point(HCL_MAP { hcl::mobius_scalar_mul(m, a.t, a.x, z); }),
      HCL_BACK { hcl::mobius_scalar_mul_vjp(m, a.t, a.x, g, to.t, to.x, to.c); });
  visit(
      "gyration", to_point(HCL_MAP { hcl::gyration(m, a.x, a.y, a.v, z); }),
      HCL_BACK { hcl::gyration_vjp(m, a.x, a.y, a.v, g, to.x, to.y, to.v, to.c); });
  // The rows of the matrix are x, y, x.
  visit("mobius_matvec",
        to_point([]<class T>(const auto& m, const Arguments<T>& a, std::span<T> z) {
          std::vector<T> rows(a.x);
          rows.insert(rows.end(), a.y.begin(), a.y.end());
          rows.insert(rows.end(), a.x.begin(), a.x.end());
          hcl::mobius_matvec(m, hcl::BatchIn<T>(rows.data(), 3, dim), a.x, z);
        }),
        []<class T>(const auto& m, const Arguments<T>& a, hcl::Point<T> g,
                    Gradients<T>& to) {
          std::vector<T> rows(a.x), grows(3 * dim, T(0));
          rows.insert(rows.end(), a.y.begin(), a.y.end());
          rows.insert(rows.end(), a.x.begin(), a.x.end());
          hcl::mobius_matvec_vjp(m, hcl::BatchIn<T>(rows.data(), 3, dim), a.x, g,
                                 hcl::BatchOut<T>(grows.data(), 3, dim), to.x, to.c);
          for (std::size_t i = 0; i < dim; ++i) {
            to.x[i] += grows[i];
            to.y[i] += grows[dim + i];
            to.x[i] += grows[2 * dim + i];
          }
        });
}

/// Both ways between the ball and each other model; the maps between the others are made
/// of the same parts.
template <template <class> class M, class Visit>
void each_of_models(const Visit& visit) {
  if constexpr (!std::same_as<M<double>, hcl::PoincareBall<double>>) {
    visit(
        "to_ball", to_point(HCL_MAP { hcl::to_ball(m, a.x, z); }),
        HCL_BACK { hcl::to_ball_vjp(m, a.x, g, to.x, to.c); });
    visit("to_ball_jvp", to_point(HCL_MAP { hcl::to_ball_jvp(m, a.x, a.y, z); }),
          NoBackward());
  } else {
    visit(
        "to_klein", to_point(HCL_MAP { hcl::to_klein(m, a.x, z); }),
        HCL_BACK { hcl::to_klein_vjp(m, a.x, g, to.x, to.c); });
    visit(
        "to_half_space", to_point(HCL_MAP { hcl::to_half_space(m, a.x, z); }),
        HCL_BACK { hcl::to_half_space_vjp(m, a.x, g, to.x, to.c); });
  }
  if constexpr (!std::same_as<M<double>, hcl::Lorentz<double>>)
    visit(
        "to_lorentz", to_point(HCL_MAP { hcl::to_lorentz(m, a.x, z); }),
        HCL_BACK { hcl::to_lorentz_vjp(m, a.x, g, to.x, to.c); });
  else
    visit(
        "to_half_space", to_point(HCL_MAP { hcl::to_half_space(m, a.x, z); }),
        HCL_BACK { hcl::to_half_space_vjp(m, a.x, g, to.x, to.c); });
}

#undef HCL_F
#undef HCL_MAP
#undef HCL_BACK

template <template <class> class M, class Visit>
void each_map(const Visit& visit) {
  each_of_a_metric(visit);
  constexpr bool half_space = std::same_as<M<double>, hcl::HalfSpace<double>>;
  if constexpr (hcl::Manifold<M<double>>) each_of_a_manifold(visit);
  if constexpr (!half_space) each_of_midpoints(visit);
  if constexpr (std::same_as<M<double>, hcl::PoincareBall<double>>)
    each_of_the_ball(visit);
  if constexpr (std::same_as<M<double>, hcl::Lorentz<double>> || half_space ||
                std::same_as<M<double>, hcl::PoincareBall<double>> ||
                std::same_as<M<double>, hcl::Klein<double>>)
    each_of_models<M>(visit);
}

template <template <class> class M, class T>
M<T> curved(const T& c) {
  if constexpr (std::constructible_from<M<T>, T>)
    return M<T>(c);
  else
    return M<T>();
}

/// Points of every geometry: somewhere, and close to each other and to the origin, where
/// the functions are summed as series.
inline std::vector<Arguments<double>> arguments() {
  std::vector<Arguments<double>> out;
  for (const double size : {1.0, 1e-3}) {
    Arguments<double> a{{0.2, -0.3, 0.4}, {-0.3, 0.1, 0.5}, {0.1, 0.2, -0.15}, 0.7, 0.3};
    double xx = 0, xv = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      a.x[i] *= size, a.v[i] *= size;
      a.y[i] = a.x[i] + size * (a.y[i] - a.x[i]);
      xx += a.x[i] * a.x[i], xv += a.x[i] * a.v[i];
    }
    for (std::size_t i = 0; i < dim; ++i) a.v[i] -= xv / xx * a.x[i];  // for the sphere
    a.t *= size;
    out.push_back(a);
  }
  return out;
}

/// Scalar::make(value, k) is a number whose derivative by input k is 1, of no input by
/// k = inputs; Scalar::value and Scalar::slope(number, k) read it. Checks all maps of M.
template <template <class> class M, class Scalar>
void check_every_map() {
  using T = typename Scalar::Number;
  for (const Arguments<double>& plain : arguments()) {
    Arguments<T> a{
        {}, {}, {}, Scalar::make(plain.c, 3 * dim), Scalar::make(plain.t, inputs)};
    for (std::size_t i = 0; i < dim; ++i) {
      a.x.push_back(Scalar::make(plain.x[i], i));
      a.y.push_back(Scalar::make(plain.y[i], dim + i));
      a.v.push_back(Scalar::make(plain.v[i], 2 * dim + i));
    }
    each_map<M>([&]<class F, class Backward>(const char* name, const F& f,
                                             const Backward& backward) {
      CAPTURE(name);
      CAPTURE(plain.x[0]);
      std::vector<T> got;
      f(curved<M>(a.c), a, got);
      std::vector<double> want, g;
      f(curved<M>(plain.c), plain, want);
      REQUIRE(got.size() == want.size());
      double size = 1e-300;
      for (const double e : want) size = std::max(size, std::abs(e));
      for (std::size_t k = 0; k < want.size(); ++k) {
        CHECK(std::abs(Scalar::value(got[k]) - want[k]) <= 1e-13 * size);
        g.push_back(std::cos(double(k)));
      }
      if constexpr (!std::same_as<Backward, NoBackward>) {
        Gradients<double> want_to;
        backward(curved<M>(plain.c), plain, hcl::Point<double>(g), want_to);
        Gradients<T> to;
        const std::vector<T> upstream(g.begin(), g.end());
        backward(curved<M>(a.c), a, hcl::Point<T>(upstream), to);
        std::vector<T> all(to.x);
        std::vector<double> want_all(want_to.x);
        const auto append = [](auto& v, const auto& of) {
          v.insert(v.end(), of.y.begin(), of.y.end());
          v.insert(v.end(), of.v.begin(), of.v.end());
          v.push_back(of.c);
        };
        append(all, to), append(want_all, want_to);
        double most = 1e-300;
        for (const double e : want_all) most = std::max(most, std::abs(e));
        for (std::size_t k = 0; k < inputs; ++k) {
          CAPTURE(k);
          CHECK(std::abs(Scalar::value(all[k]) - want_all[k]) <= 1e-12 * most);
          if constexpr (Scalar::derivatives) {
            double by_k = 0;
            for (std::size_t j = 0; j < g.size(); ++j)
              by_k += g[j] * Scalar::slope(got[j], k);
            CHECK(std::abs(by_k - want_all[k]) <= 1e-12 * most);
          }
        }
      }
    });
  }
}

}  // namespace support

#define HCL_CHECK_EVERY_MAP(Scalar)                                        \
  static_assert(hcl::PointwiseScalar<Scalar::Number>);                     \
  TEST_CASE("every pointwise map of every geometry takes such a scalar") { \
    support::check_every_map<hcl::Euclidean, Scalar>();                    \
    support::check_every_map<hcl::Sphere, Scalar>();                       \
    support::check_every_map<hcl::PoincareBall, Scalar>();                 \
    support::check_every_map<hcl::Lorentz, Scalar>();                      \
    support::check_every_map<hcl::Klein, Scalar>();                        \
    support::check_every_map<hcl::HalfSpace, Scalar>();                    \
  }
