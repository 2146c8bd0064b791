// The models of hyperbolic space: Klein's and the half-space's own distances, the
// isometries between all of them, their differentials and backward.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>

#include "hcl/loss/nt_xent.hpp"
#include "hcl/manifold/models.hpp"
#include "hcl/similarity/neg_dist.hpp"
#include "hcl/testing/manifold_laws.hpp"
#include "support/catalog.hpp"
#include "support/quantum.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<60>,
                                            boost::multiprecision::et_off>;
template <class T>
using Vec = std::vector<T>;
// Vectors of every instruction set, and coordinates that are left over.
constexpr std::size_t dim = 9;

/// Points of Lorentz space at sqrt(c) d(0, x) <= radius, with the origin, one on the last
/// axis each way, and two close to each other.
template <class T>
std::vector<Vec<T>> lorentz_points(const hcl::Lorentz<T>& m, double radius) {
  const auto x = random_points(m, 6, hcl::Index(dim), radius);
  std::vector<Vec<T>> out;
  for (hcl::Index i = 0; i < 6; ++i) {
    const auto row = hcl::BatchIn<T>(x).row(i);
    out.emplace_back(row.begin(), row.end());
  }
  const T far = T(std::sinh(radius) / std::sqrt(double(m.c())));
  out.emplace_back(dim, T(0));
  out.back().back() = far;
  out.emplace_back(dim, T(0));
  out.back().back() = -far;
  out.push_back(Vec<T>(dim, T(0)));
  out.push_back(out[0]);
  out.back()[1] *= T(1.001);
  return out;
}

/// |v|^2 in the metric of the model.
template <class T, class M>
double norm2_at(const M& m, const Vec<T>& x, const Vec<T>& v) {
  return double(m.inner(x, v, v));
}
template <class T>
double norm2_at(const hcl::Klein<T>& m, const Vec<T>& x, const Vec<T>& v) {
  const double c = double(m.c()), a = 1 - c * double(hcl::norm2<T>(x)),
               xv = double(hcl::dot<T>(x, v));
  return double(hcl::norm2<T>(v)) / a + c * xv * xv / (a * a);
}
template <class T>
double norm2_at(const hcl::HalfSpace<T>& m, const Vec<T>& x, const Vec<T>& v) {
  return double(hcl::norm2<T>(v)) / double(m.c()) / double(x.back()) / double(x.back());
}

// The three functions of a target model under one name.
struct ToLorentz {
  template <class T>
  static auto model(T c) {
    return hcl::Lorentz<T>(c);
  }
  template <class M, class X, class Out>
  static void map(const M& m, const X& x, Out&& out) {
    hcl::to_lorentz(m, x, out);
  }
  template <class M, class X, class Out>
  static void jvp(const M& m, const X& x, const X& v, Out&& out) {
    hcl::to_lorentz_jvp(m, x, v, out);
  }
  template <class M, class X, class G, class Out, class T>
  static void vjp(const M& m, const X& x, const G& g, Out&& gx, T& gc) {
    hcl::to_lorentz_vjp(m, x, g, gx, gc);
  }
};
struct ToBall {
  template <class T>
  static auto model(T c) {
    return hcl::PoincareBall<T>(c);
  }
  template <class M, class X, class Out>
  static void map(const M& m, const X& x, Out&& out) {
    hcl::to_ball(m, x, out);
  }
  template <class M, class X, class Out>
  static void jvp(const M& m, const X& x, const X& v, Out&& out) {
    hcl::to_ball_jvp(m, x, v, out);
  }
  template <class M, class X, class G, class Out, class T>
  static void vjp(const M& m, const X& x, const G& g, Out&& gx, T& gc) {
    hcl::to_ball_vjp(m, x, g, gx, gc);
  }
};
struct ToKlein {
  template <class T>
  static auto model(T c) {
    return hcl::Klein<T>(c);
  }
  template <class M, class X, class Out>
  static void map(const M& m, const X& x, Out&& out) {
    hcl::to_klein(m, x, out);
  }
  template <class M, class X, class Out>
  static void jvp(const M& m, const X& x, const X& v, Out&& out) {
    hcl::to_klein_jvp(m, x, v, out);
  }
  template <class M, class X, class G, class Out, class T>
  static void vjp(const M& m, const X& x, const G& g, Out&& gx, T& gc) {
    hcl::to_klein_vjp(m, x, g, gx, gc);
  }
};
struct ToHalfSpace {
  template <class T>
  static auto model(T c) {
    return hcl::HalfSpace<T>(c);
  }
  template <class M, class X, class Out>
  static void map(const M& m, const X& x, Out&& out) {
    hcl::to_half_space(m, x, out);
  }
  template <class M, class X, class Out>
  static void jvp(const M& m, const X& x, const X& v, Out&& out) {
    hcl::to_half_space_jvp(m, x, v, out);
  }
  template <class M, class X, class G, class Out, class T>
  static void vjp(const M& m, const X& x, const G& g, Out&& gx, T& gc) {
    hcl::to_half_space_vjp(m, x, g, gx, gc);
  }
};

/// f(From, To) for every pair of models that has a direct way.
template <class F>
void each_way(const F& f) {
  f(ToBall{}, ToLorentz{}), f(ToLorentz{}, ToBall{});
  f(ToBall{}, ToKlein{}), f(ToKlein{}, ToBall{});
  f(ToLorentz{}, ToKlein{}), f(ToKlein{}, ToLorentz{});
  f(ToBall{}, ToHalfSpace{}), f(ToHalfSpace{}, ToBall{});
  f(ToLorentz{}, ToHalfSpace{}), f(ToHalfSpace{}, ToLorentz{});
}
/// The same point in the model of `To`.
template <class To, class T>
Vec<T> given(const hcl::Lorentz<T>& m, const Vec<T>& x) {
  if constexpr (std::same_as<To, ToLorentz>) return x;
  Vec<T> out(x);
  if constexpr (!std::same_as<To, ToLorentz>) To::map(m, x, out);
  return out;
}

TEST_CASE_TEMPLATE("models keep distances, and round trips are within 8 quanta", T, float,
                   double) {
  for (const double c : curvatures)
    for (const double radius : {1.0, 4.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const hcl::Lorentz<T> lorentz{T(c)};
      const auto points = lorentz_points(lorentz, radius);
      each_way([&](auto from, auto to) {
        const auto a = from.model(T(c));
        const auto b = to.model(T(c));
        for (const auto& p : points) {
          const Vec<T> x = given<decltype(from)>(lorentz, p);
          Vec<T> y(dim), back(dim), in_place(x);
          to.map(a, x, y);
          from.map(b, y, back);
          CAPTURE(text(x));
          CAPTURE(text(y));
          CHECK(a.is_on_manifold(x).ok);
          CHECK(b.is_on_manifold(y).ok);
          CHECK(double(a.dist(x, back)) <= 8 * (quantum(a, x) + quantum(b, y)));
          to.map(a, in_place, in_place);
          CHECK(in_place == y);
          for (const auto& q : points) {
            const Vec<T> z = given<decltype(from)>(lorentz, q);
            Vec<T> w(dim);
            to.map(a, z, w);
            const double d = double(a.dist(x, z));
            // The ball's own scale: d -> 2|x-y|, at the same curvature the same distance.
            CHECK(std::abs(double(b.dist(y, w)) - d) <=
                  8 * (quantum(a, x) + quantum(b, y) + quantum(a, z) + quantum(b, w) +
                       double(std::numeric_limits<T>::epsilon()) * d));
          }
        }
      });
    }
}

TEST_CASE_TEMPLATE("differentials keep lengths, and are the duals'", T, float, double) {
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures)
    for (const double radius : {1.0, 3.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const hcl::Lorentz<T> lorentz{T(c)};
      each_way([&](auto from, auto to) {
        const auto a = from.model(T(c));
        const auto b = to.model(T(c));
        for (const auto& p : lorentz_points(lorentz, radius)) {
          const Vec<T> x = given<decltype(from)>(lorentz, p);
          CAPTURE(text(x));
          const Vec<T> v{T(0.3), T(-1.1), T(0.7),  T(0.4), T(-0.2),
                         T(0.9), T(0.1),  T(-0.5), T(0.6)},
              g{T(1), T(0.2), T(-0.5), T(2), T(0.3), T(-0.7), T(0.1), T(0.4), T(-1)};
          Vec<T> y(dim), w(dim), gx(dim, T(0)), in_place(v);
          to.map(a, x, y);
          to.jvp(a, x, v, w);
          // Relative: the quanta of the points that the metrics are taken at.
          const double tolerance =
              8 * (eps + std::sqrt(c) * (quantum(a, x) + quantum(b, y)));
          CHECK(std::sqrt(norm2_at(b, y, w) / norm2_at(a, x, v)) ==
                doctest::Approx(1).epsilon(tolerance));
          to.jvp(a, x, in_place, in_place);
          CHECK(in_place == w);
          T gc(0);
          to.vjp(a, x, g, gx, gc);  // <g, J v> = <J^T g, v>
          double size = 0;
          for (std::size_t k = 0; k < dim; ++k)
            size += std::abs(double(g[k] * w[k])) + std::abs(double(gx[k] * v[k]));
          CHECK(std::abs(double(hcl::dot<T>(g, w) - hcl::dot<T>(gx, v))) <=
                20 * eps * size);
          Vec<T> in(x);
          in.push_back(T(c));
          check_vjp(
              in,
              [&](const auto& e) {
                auto out = std::remove_cvref_t<decltype(e)>(dim);
                to.map(from.model(e.back()), piece(e, 0, dim), out);
                return out;
              },
              [&](const auto& e, const auto& u, auto& out) {
                to.vjp(a, piece(e, 0, dim), u, piece(out, 0, dim), out.back());
              },
              300);
        }
      });
    }
}

TEST_CASE_TEMPLATE("Klein and half-space are metrics with a backward", T, float, double) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::Lorentz<T> lorentz{T(c)};
    const auto check = [&](auto to) {
      const auto m = to.model(T(c));
      Rows<T> rows(10, hcl::Index(dim));
      hcl::Index i = 0;
      for (const auto& p : lorentz_points(lorentz, 2.0))
        to.map(lorentz, p, hcl::BatchOut<T>(rows).row(i++));
      const auto laws = hcl::testing::check_metric_laws(m, rows);
      CHECK_MESSAGE(laws.ok, laws.message);
      for (hcl::Index a = 0; a < 10; ++a)
        for (hcl::Index b = 0; b < 10; ++b) {
          const auto x = hcl::BatchIn<T>(rows).row(a), y = hcl::BatchIn<T>(rows).row(b);
          CHECK(m.dist(x, y) == m.dist(y, x));
          if (a == b) {
            CHECK(m.dist(x, y) == T(0));
            Vec<T> gx(dim, T(0)), gy(gx);
            T gc(0);
            m.dist_vjp(x, y, T(1), gx, gy, gc);
            m.dist2_vjp(x, y, T(1), gx, gy, gc);
            CHECK(gx == Vec<T>(dim, T(0)));
            CHECK(gy == Vec<T>(dim, T(0)));
            continue;
          }
          Vec<T> in(x.begin(), x.end());
          in.insert(in.end(), y.begin(), y.end());
          in.push_back(T(c));
          for (const bool squared : {false, true})
            check_vjp(
                in,
                [&](const auto& e) {
                  auto out = std::remove_cvref_t<decltype(e)>(1);
                  const auto k = to.model(e.back());
                  out[0] = squared ? k.dist2(piece(e, 0, dim), piece(e, 1, dim))
                                   : k.dist(piece(e, 0, dim), piece(e, 1, dim));
                  return out;
                },
                [&](const auto& e, const auto& g, auto& out) {
                  const auto ex = piece(e, 0, dim), ey = piece(e, 1, dim);
                  const auto gx = piece(out, 0, dim), gy = piece(out, 1, dim);
                  squared ? m.dist2_vjp(ex, ey, g[0], gx, gy, out.back())
                          : m.dist_vjp(ex, ey, g[0], gx, gy, out.back());
                },
                300);
        }
    };
    check(ToKlein{});
    check(ToHalfSpace{});
  }
}

TEST_CASE_TEMPLATE("their distances keep their digits", T, float, double) {
  // Of the points as stored, up to where the model resolves the type.
  constexpr bool single = sizeof(T) == 4;
  for (const double c : {1e-3, 0.1, 1.0, 10.0})
    for (const double radius : {0.5, 3.0, single ? 6.0 : 15.0}) {
      CAPTURE(c);
      CAPTURE(radius);
      const hcl::Lorentz<T> lorentz{T(c)};
      const auto check = [&](auto to) {
        const auto m = to.model(T(c));
        const auto exact = to.model(Exact(m.c()));
        std::vector<Vec<T>> points;
        for (const auto& p : lorentz_points(lorentz, radius)) {
          points.emplace_back(dim);
          to.map(lorentz, p, points.back());
        }
        for (const auto& x : points)
          for (const auto& y : points) {
            const Vec<Exact> ex(x.begin(), x.end()), ey(y.begin(), y.end());
            const Exact want = exact.dist(ex, ey);
            const T got = m.dist(x, y), unit = std::nextafter(T(want), T(1e30)) - T(want);
            CAPTURE(text(x));
            CAPTURE(text(y));
            CHECK(double(abs(Exact(got) - want) / Exact(unit)) <= (single ? 0.51 : 4));
          }
      };
      check(ToKlein{});
      check(ToHalfSpace{});
    }
}

TEST_CASE("a loss takes the other models, and sees the same geometry") {
  const hcl::Lorentz<double> lorentz(0.7);
  const auto x = random_points(lorentz, 12, hcl::Index(dim));
  Rows<double> klein(x), half(x), grad(x);
  for (hcl::Index i = 0; i < 12; ++i) {
    hcl::to_klein(lorentz, hcl::BatchIn<double>(x).row(i),
                  hcl::BatchOut<double>(klein).row(i));
    hcl::to_half_space(lorentz, hcl::BatchIn<double>(x).row(i),
                       hcl::BatchOut<double>(half).row(i));
  }
  const auto loss = [&](const auto& m, const Rows<double>& rows) {
    return double(hcl::NtXent{hcl::NegDist{m}, 0.2}.value_and_grad(rows, grad).value);
  };
  const double want = loss(lorentz, x);
  CHECK(loss(hcl::Klein<double>(0.7), klein) == doctest::Approx(want).epsilon(1e-12));
  CHECK(loss(hcl::HalfSpace<double>(0.7), half) == doctest::Approx(want).epsilon(1e-12));
}

TEST_CASE("points of the half-space are above the boundary") {
  const hcl::HalfSpace<double> m(1.0);
  CHECK(m.is_on_manifold(std::vector{0.0, 1.0}).ok);
  CHECK_FALSE(m.is_on_manifold(std::vector{0.0, 0.0}).ok);
  CHECK_FALSE(m.is_on_manifold(std::vector{0.0, -1.0}).ok);
  CHECK_FALSE(m.is_on_manifold(std::vector{0.0, 1e-200}).ok);
  CHECK_FALSE(m.is_on_manifold(std::vector{std::nan(""), 1.0}).ok);
  CHECK(hcl::is_finite(m.dist(std::vector{1e70, 1e-70}, std::vector{-1e70, 1e-70})));
  CHECK_THROWS_AS(hcl::HalfSpace<double>(-1.0), std::invalid_argument);
  CHECK_THROWS_AS(hcl::Klein<float>(0.0f), std::invalid_argument);
}

}  // namespace
