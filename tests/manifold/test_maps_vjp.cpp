// The backward of expmap, logmap and parallel transport: against dual numbers, at
// coincident points, far out, and by rows.
#include <doctest/doctest.h>

#include "hcl/manifold/maps_batch.hpp"
#include "support/catalog.hpp"
#include "support/quantum.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
// Vectors of every instruction set, and coordinates that are left over.
constexpr std::size_t dim = 9;
template <class T>
const std::vector<T> tangent{T(0.3), T(-1.1), T(0.7),  T(0.4), T(-0.2),
                             T(0.9), T(0.1),  T(-0.5), T(0.6)};

template <class T, class... More>
std::vector<T> join(std::vector<T> first, const More&... more) {
  (first.insert(first.end(), more.begin(), more.end()), ...);
  return first;
}

TEST_CASE("backward of transport towards antipodes, float as double") {
  for (const double off : {1e-3, 1e-6, 1e-8})
    for (const double length : {1.0, 3.0, 1e3}) {
      CAPTURE(off);
      CAPTURE(length);
      const std::vector<float> x{1, 0}, y{float(-length), float(length * off)}, v{0, 1},
          g{1, 1};
      const auto run = [&]<class T>(T) {
        const auto as = [](const std::vector<float>& e) {
          return std::vector<T>(e.begin(), e.end());
        };
        std::vector<T> gx(2), gy(2), gv(2);
        T gc(0);
        hcl::parallel_transport_vjp(hcl::Sphere<T>(T(1)), as(x), as(y), as(v), as(g), gx,
                                    gy, gv, gc);
        return std::vector<double>{double(gx[0]),          double(gx[1]),
                                   length * double(gy[0]), length * double(gy[1]),
                                   double(gv[0]),          double(gv[1])};
      };
      const auto got = run(1.0F), want = run(1.0);
      for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(std::abs(got[i] - want[i]) <= 2e-6);
    }
}

TEST_CASE_TEMPLATE("backward of expmap, logmap and parallel transport", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  for (const std::size_t n : {std::size_t{4}, dim})
    for (const double c : curvatures)
      for (const double radius : {1.2, 2.5}) {
        CAPTURE(n);
        CAPTURE(c);
        CAPTURE(radius);
        // By c = 0.01 a rounding of the result, a longer sum in more coordinates, counts
        // 1/c.
        const double units = n == 4 ? 200 : 500;
        const std::vector<T> along(tangent<T>.begin(),
                                   tangent<T>.begin() + std::ptrdiff_t(n));
        const M m = make<M>(c);
        const std::vector<T> curvature{T(c)};
        const auto points = some_points(m, hcl::Index(n), radius);
        for (std::size_t i = 0; i < points.size(); ++i) {
          CAPTURE(i);
          for (const double length : {1.0, 1e-4}) {
            CAPTURE(length);
            // A step of that length in units of the curvature.
            auto v = along;
            const double unit =
                length / (double(m.norm(points[i], v)) * std::sqrt(c > 0 ? c : 1));
            for (T& e : v) e = T(double(e) * unit);
            check_vjp(
                join(points[i], v, curvature),
                [n](const auto& a) {
                  auto out = std::remove_cvref_t<decltype(a)>(n);
                  like<M>(a.back()).expmap(piece(a, 0, n), piece(a, 1, n), out);
                  return out;
                },
                [&](const auto& a, const auto& g, auto& out) {
                  hcl::expmap_vjp(m, piece(a, 0, n), piece(a, 1, n), g, piece(out, 0, n),
                                  piece(out, 1, n), out.back());
                },
                units);
          }
          for (std::size_t j = 0; j < points.size(); ++j) {
            if (i == j) continue;  // there the duals of d have no derivative
            CAPTURE(j);
            check_vjp(
                join(points[i], points[j], curvature),
                [n](const auto& a) {
                  auto out = std::remove_cvref_t<decltype(a)>(n);
                  like<M>(a.back()).logmap(piece(a, 0, n), piece(a, 1, n), out);
                  return out;
                },
                [&](const auto& a, const auto& g, auto& out) {
                  hcl::logmap_vjp(m, piece(a, 0, n), piece(a, 1, n), g, piece(out, 0, n),
                                  piece(out, 1, n), out.back());
                },
                units);
            check_vjp(
                join(points[i], points[j], along, curvature),
                [n](const auto& a) {
                  auto out = std::remove_cvref_t<decltype(a)>(n);
                  like<M>(a.back()).parallel_transport(piece(a, 0, n), piece(a, 1, n),
                                                       piece(a, 2, n), out);
                  return out;
                },
                [&](const auto& a, const auto& g, auto& out) {
                  hcl::parallel_transport_vjp(
                      m, piece(a, 0, n), piece(a, 1, n), piece(a, 2, n), g,
                      piece(out, 0, n), piece(out, 1, n), piece(out, 2, n), out.back());
                },
                units);
          }
        }
      }
}

TEST_CASE_TEMPLATE("backward at coincident points and steps of nothing", M,
                   HCL_TEST_MANIFOLDS(float), HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const M m = make<M>(c);
    for (const auto& x : some_points(m, dim)) {
      const std::vector<T> zero(dim, T(0));
      std::vector<T> g = tangent<T>, gx(dim, T(0)), gy = gx, gv = gx;
      T gc(0);
      if (is_sphere<M>) m.project_tangent(x, g, g);
      // log_x(y) and exp_x(v) have the identity as differential there.
      hcl::logmap_vjp(m, x, x, g, gx, gy, gc);
      const double l = is_sphere<M> ? std::sqrt(double(hcl::norm2<T>(x)) * c) : 1;
      for (std::size_t k = 0; k < dim; ++k) {
        CHECK(std::abs(double(gy[k]) * l - double(g[k])) <= 50 * eps);
        CHECK(std::abs(double(gx[k]) * l + double(g[k])) <= 50 * eps);
      }
      gx = gy = zero;
      hcl::expmap_vjp(m, x, zero, g, gx, gv, gc);
      for (std::size_t k = 0; k < dim; ++k) {
        CHECK(std::abs(double(gv[k]) - double(g[k])) <= 50 * eps);
        CHECK(std::abs(double(gx[k]) * l - double(g[k])) <= 50 * eps);
      }
      gx = gv = zero;
      hcl::parallel_transport_vjp(m, x, x, tangent<T>, g, gx, gy, gv, gc);
      for (std::size_t k = 0; k < dim; ++k) {
        CHECK(std::abs(double(gv[k]) - double(g[k])) <= 50 * eps);
        CHECK(hcl::is_finite(gx[k]));
        CHECK(hcl::is_finite(gy[k]));
      }
      CHECK(hcl::is_finite(gc));
    }
  }
}

TEST_CASE_TEMPLATE("no NaN from steps of any length", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  const M m = make<M>(0.7);
  for (const auto& x : some_points(m, dim, 3.0))
    for (const double length : {1e-30, 30.0, 1e3, 1e6, 1e18}) {
      CAPTURE(length);
      auto v = tangent<T>;
      for (T& e : v) e *= T(length);
      std::vector<T> gx(dim, T(0)), gv = gx;
      T gc(0);
      hcl::expmap_vjp(m, x, v, tangent<T>, gx, gv, gc);
      CHECK(!std::isnan(double(gc)));
      for (std::size_t k = 0; k < dim; ++k) {
        CHECK(!std::isnan(double(gx[k])));
        CHECK(!std::isnan(double(gv[k])));
      }
    }
}

template <class T>
std::vector<T> as_vector(std::span<const T> x) {
  return {x.begin(), x.end()};
}

TEST_CASE_TEMPLATE("maps by rows equal the points", M, HCL_TEST_MANIFOLDS(float),
                   HCL_TEST_MANIFOLDS(double)) {
  using T = hcl::ScalarOf<M>;
  using Vec = std::vector<T>;
  const M m = make<M>(0.7);
  const hcl::Index n = 70, d = 9;
  const auto x = random_points(m, n, d), y = random_points(m, n, d, 1.5, seed + 1);
  const auto v = random_tangents(m, x, 1), g = random_vectors<T>(n, d, 1, seed + 2);
  const hcl::BatchIn<T> xs(x), ys(y), vs(v), gs(g);
  Rows<T> at(n, d), carried(n, d), zero = Rows<T>::Zero(n, d);
  hcl::geodesic(m, x, y, T(0.3), at);
  hcl::parallel_transport(m, x, y, v, carried);
  Rows<T> ex = zero, ev = zero, lx = zero, ly = zero, px = zero, py = zero, pv = zero;
  T ec(0), lc(0), pc(0);
  hcl::expmap_vjp(m, x, v, g, ex, ev, ec);
  hcl::logmap_vjp(m, x, y, g, lx, ly, lc);
  hcl::parallel_transport_vjp(m, x, y, v, g, px, py, pv, pc);
  double ec1 = 0, lc1 = 0, pc1 = 0, ec_size = 0, lc_size = 0, pc_size = 0;
  const auto row = [](Rows<T>& a, hcl::Index i) {
    return as_vector(hcl::Point<T>(hcl::BatchOut<T>(a).row(i)));
  };
  for (hcl::Index i = 0; i < n; ++i) {
    const auto a = xs.row(i), b = ys.row(i), u = vs.row(i), e = gs.row(i);
    Vec out(9), g1(9, T(0)), g2 = g1, g3 = g1;
    T gc(0);
    hcl::geodesic(m, a, b, T(0.3), out);
    CHECK(out == row(at, i));
    m.parallel_transport(a, b, u, out);
    CHECK(out == row(carried, i));
    hcl::expmap_vjp(m, a, u, e, g1, g2, gc);
    CHECK(g1 == row(ex, i));
    CHECK(g2 == row(ev, i));
    ec1 += double(gc), ec_size += std::abs(double(gc)), gc = T(0), g1 = g2 = g3;
    hcl::logmap_vjp(m, a, b, e, g1, g2, gc);
    CHECK(g1 == row(lx, i));
    CHECK(g2 == row(ly, i));
    lc1 += double(gc), lc_size += std::abs(double(gc)), gc = T(0), g1 = g2 = g3;
    hcl::parallel_transport_vjp(m, a, b, u, e, g1, g2, g3, gc);
    CHECK(g1 == row(px, i));
    CHECK(g2 == row(py, i));
    CHECK(g3 == row(pv, i));
    pc1 += double(gc), pc_size += std::abs(double(gc));
  }
  const auto close = [&](T got, double want, double size) {
    CHECK(std::abs(double(got) - want) <= double(n) * roundoff<T> * size);
  };
  close(ec, ec1, ec_size), close(lc, lc1, lc_size), close(pc, pc1, pc_size);
}

TEST_CASE("a bad row of a map is named before anything is written") {
  const hcl::PoincareBall<float> m(4.0f);
  Rows<float> x = Rows<float>::Constant(5, 2, 0.1f), y = x, out = x, gx = x, gy = x;
  y(3, 1) = 0.6f;
  float gc = 1;
  const auto refused = [](const auto& f, const char* text) {
    CHECK_THROWS_WITH_AS(f(), doctest::Contains(text), std::invalid_argument);
  };
  refused([&] { hcl::geodesic(m, x, y, 0.5f, out); }, "geodesic: y row 3");
  refused([&] { hcl::geodesic(m, x, x, std::numeric_limits<float>::infinity(), out); },
          "geodesic: t = inf");
  refused([&] { hcl::logmap_vjp(m, x, y, x, gx, gy, gc); }, "logmap_vjp: y row 3");
  refused([&] { hcl::parallel_transport(m, y, x, x, out); }, "x row 3");
  const Rows<float> narrow = x.leftCols(1);
  refused([&] { hcl::expmap_vjp(m, x, narrow, x, gx, gy, gc); }, "v is 5 x 1");
  y(3, 1) = std::numeric_limits<float>::quiet_NaN();
  refused([&] { hcl::expmap_vjp(m, x, y, x, gx, gy, gc); }, "expmap_vjp: v row 3");
  CHECK(out == x);
  CHECK(gx == x);
  CHECK(gc == 1);
}

}  // namespace
