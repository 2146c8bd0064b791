// The laws of a gyrovector space, values in 50 digits, and every backward.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <string>

#include "hcl/manifold/gyro_batch.hpp"
#include "support/catalog.hpp"
#include "support/message.hpp"
#include "support/vjp.hpp"

namespace {

using namespace support;
using Exact = boost::multiprecision::cpp_bin_float_50;
template <class T>
using Vec = std::vector<T>;
// Vectors of every instruction set, and coordinates that are left over.
constexpr std::size_t dim = 9;

template <class T>
Vec<T> add(const hcl::PoincareBall<T>& m, const Vec<T>& x, const Vec<T>& y) {
  Vec<T> out(x.size());
  hcl::mobius_add(m, x, y, out);
  return out;
}
template <class T>
Vec<T> times(const hcl::PoincareBall<T>& m, T r, const Vec<T>& x) {
  Vec<T> out(x.size());
  hcl::mobius_scalar_mul(m, r, x, out);
  return out;
}
template <class T>
Vec<T> gyr(const hcl::PoincareBall<T>& m, const Vec<T>& a, const Vec<T>& b,
           const Vec<T>& v) {
  Vec<T> out(v.size());
  hcl::gyration(m, a, b, v, out);
  return out;
}
template <class T>
Vec<T> minus(Vec<T> x) {
  for (T& e : x) e = -e;
  return x;
}
template <class T>
double length(const Vec<T>& x) {
  return std::sqrt(double(hcl::norm2<T>(x)));
}

/// Points of sqrt(c)|v| <= radius; the last is close to the opposite of the first, the
/// one before it 0.
template <class T>
std::vector<Vec<T>> some_points(const hcl::PoincareBall<T>& m, double radius = 1.2) {
  const auto x = random_points(m, 6, hcl::Index(dim), radius);
  std::vector<Vec<T>> out;
  for (hcl::Index i = 0; i < 6; ++i) {
    const auto row = hcl::BatchIn<T>(x).row(i);
    out.emplace_back(row.begin(), row.end());
  }
  for (std::size_t k = 0; k < dim; ++k) {
    out[4][k] = T(0);
    out[5][k] = -out[0][k] * T(1 + 1e-3 * double(k));
  }
  return out;
}

/// d(a, b) within `units` epsilons of the lengths at stake.
template <class T>
void same(const hcl::PoincareBall<T>& m, const Vec<T>& a, const Vec<T>& b,
          double units = 400) {
  CAPTURE(text(a));
  CAPTURE(text(b));
  const double root = std::sqrt(double(m.c()));
  CHECK(root * double(m.dist(a, b)) <= units * double(std::numeric_limits<T>::epsilon()));
}

TEST_CASE_TEMPLATE("gyrogroup laws", T, float, double) {
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::PoincareBall<T> m{T(c)};
    const auto points = some_points(m);
    const Vec<T> zero(dim, T(0)),
        v{T(0.3), T(-1.1), T(0.7), T(0.4), T(-0.2), T(0.9), T(0.1), T(-0.5), T(0.6)};
    for (const auto& x : points) {
      CHECK(add(m, zero, x) == x);
      same(m, add(m, x, zero), x, 4);
      CHECK(add(m, minus(x), x) == zero);
      CHECK(gyr(m, x, zero, v) == v);
      CHECK(gyr(m, zero, x, v) == v);
      for (const auto& y : points) {
        const Vec<T> xy = add(m, x, y), gv = gyr(m, x, y, v);
        same(m, add(m, minus(x), xy), y);         // left cancellation
        same(m, xy, gyr(m, x, y, add(m, y, x)));  // gyrocommutativity
        const Vec<T> loop = gyr(m, xy, y, v);     // left loop
        for (std::size_t k = 0; k < dim; ++k)
          CHECK(std::abs(double(loop[k] - gv[k])) <= 400 * eps);
        CHECK(length(gv) == doctest::Approx(length(v)).epsilon(100 * eps));
        const Vec<T> back = gyr(m, y, x, gv);  // gyr[x,y]^-1 = gyr[y,x]
        for (std::size_t k = 0; k < dim; ++k)
          CHECK(std::abs(double(back[k] - v[k])) <= 400 * eps);
        // d(x,y) = d(0, -x (+) y), and the gyrotriangle inequality.
        CHECK(double(m.dist0(add(m, minus(x), y))) ==
              doctest::Approx(double(m.dist(x, y))).epsilon(400 * eps));
        CHECK(double(m.dist0(xy)) <=
              (double(m.dist0(x)) + double(m.dist0(y))) * (1 + 8 * eps));
        for (const auto& z : points) {
          // Gyroassociativity, and gyr is an automorphism.
          same(m, add(m, x, add(m, y, z)), add(m, xy, gyr(m, x, y, z)), 2000);
          same(m, gyr(m, x, y, add(m, y, z)), add(m, gyr(m, x, y, y), gyr(m, x, y, z)),
               1000);
          // Left translations are isometries.
          CHECK(double(m.dist(add(m, x, y), add(m, x, z))) ==
                doctest::Approx(double(m.dist(y, z)))
                    .epsilon(4e-4 * std::sqrt(eps / 1e-7)));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("scalar laws", T, float, double) {
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::PoincareBall<T> m{T(c)};
    for (const auto& x : some_points(m, 0.8)) {
      same(m, times(m, T(1), x), x, 20);
      same(m, times(m, T(3), x), add(m, x, add(m, x, x)));
      for (const double r : {-1.3, 0.0, 0.4, 1.9}) {
        CAPTURE(r);
        const Vec<T> rx = times(m, T(r), x);
        same(m, times(m, T(-r), x), minus(rx), 0);
        same(m, times(m, T(r + 0.5), x), add(m, rx, times(m, T(0.5), x)));
        same(m, times(m, T(r * 0.5), x), times(m, T(0.5), rx));
        CHECK(double(m.dist0(rx)) ==
              doctest::Approx(std::abs(r) * double(m.dist0(x))).epsilon(100 * eps));
      }
    }
  }
}

TEST_CASE_TEMPLATE("matrices act as on logarithms", T, float, double) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::PoincareBall<T> m{T(c)};
    const auto a = random_vectors<T>(3, hcl::Index(dim), 1.5);
    const auto b = random_vectors<T>(2, 3, 1.5, seed + 1);
    const Rows<T> ba = b * a;
    for (const auto& x : some_points(m)) {
      Vec<T> v(dim), mv(3), want(3), got(3), twice(2), once(2);
      m.logmap0(x, v);
      for (std::size_t i = 0; i < 3; ++i)
        mv[i] = T(hcl::dot<T>(hcl::BatchIn<T>(a).row(hcl::Index(i)), v));
      m.expmap0(mv, want);
      hcl::mobius_matvec(m, a, x, got);
      same(m, got, want, 100);
      hcl::mobius_matvec(m, b, got, twice);
      hcl::mobius_matvec(m, ba, x, once);
      same(m, twice, once, 100);
      // 2 (x) x as a matrix.
      const Rows<T> two = Rows<T>::Identity(hcl::Index(dim), hcl::Index(dim)) * T(2);
      Vec<T> doubled(dim);
      hcl::mobius_matvec(m, two, x, doubled);
      same(m, doubled, times(m, T(2), x), 100);
    }
  }
}

/// ((1 + 2c<x,y> + c|y|^2) x + (1 - c|x|^2) y)/(1 + 2c<x,y> + c^2|x|^2|y|^2).
Vec<Exact> textbook_add(const Exact& c, const Vec<Exact>& x, const Vec<Exact>& y) {
  const Exact xy = hcl::dot<Exact>(x, y), nx = hcl::norm2<Exact>(x),
              ny = hcl::norm2<Exact>(y);
  Vec<Exact> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = ((1 + 2 * c * xy + c * ny) * x[i] + (1 - c * nx) * y[i]) /
             (1 + 2 * c * xy + c * c * nx * ny);
  return out;
}

/// |got - want| <= units epsilon |want|.
template <class T>
void near(const Vec<T>& got, const Vec<Exact>& want, double units) {
  Exact off = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    off += (Exact(got[i]) - want[i]) * (Exact(got[i]) - want[i]);
  const Exact norm = hcl::norm2<Exact>(want);
  CAPTURE(text(got));
  CHECK(double(sqrt(off)) <=
        units * double(std::numeric_limits<T>::epsilon()) * double(sqrt(norm)));
}

TEST_CASE_TEMPLATE("values agree with 50 digits of the textbook", T, float, double) {
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::PoincareBall<T> m{T(c)};
    const Exact ec(m.c());
    for (const double radius : {1.2, 3.0, 6.0}) {
      auto points = some_points(m, radius);
      for (const double apart : {1e-2, 1e-5}) {
        Vec<T> y = minus(points[1]);
        y[0] += T(apart) * y[0];
        y[2] -= T(apart) * y[1];
        points.push_back(y);
      }
      for (std::size_t p = 0; p < 4; ++p) {
        // A sum as short as x is near the rim: there every digit of 1 - c|x|^2 counts.
        Vec<T> y = minus(points[p]);
        y[0] -= (T(1) - m.c() * T(hcl::norm2<T>(y))) * y[0];
        points.push_back(y);
      }
      std::erase_if(points, [&](const auto& x) { return !m.is_on_manifold(x).ok; });
      for (const auto& x : points)
        for (const auto& y : points) {
          const Vec<Exact> ex(x.begin(), x.end()), ey(y.begin(), y.end());
          const auto sum = textbook_add(ec, ex, ey);
          // Beyond the farthest point a sum is rounded back to it.
          const Exact r = 2 * atanh(sqrt(ec * hcl::norm2<Exact>(sum)));
          if (r > (sizeof(T) == 4 ? 14 : 34)) continue;
          near(add(m, x, y), sum, 4);
          if (radius > 3) continue;
          // Beyond float's Wide the gaps 1 - c|x|^2 of double points carry their own
          // error.
          const double units = sizeof(T) == 4 ? 4 : 40 + 4 * std::exp(2 * radius);
          // gyr[x,y]v = -(x+y) + (x + (y + v)), of points v.
          const Vec<Exact> v(points[2].begin(), points[2].end());
          near(
              gyr(m, x, y, points[2]),
              textbook_add(ec, minus(sum), textbook_add(ec, ex, textbook_add(ec, ey, v))),
              units);
        }
      if (radius > 3) continue;
      for (const auto& x : points) {
        const Vec<Exact> ex(x.begin(), x.end());
        const Exact s = sqrt(ec * hcl::norm2<Exact>(ex));
        if (s == 0) continue;
        const T r = T(0.7);
        Vec<Exact> want(ex);
        for (Exact& e : want) e *= tanh(Exact(r) * atanh(s)) / s;
        near(times(m, r, x), want, sizeof(T) == 4 ? 4 : 40 + 4 * std::exp(2 * radius));
        const Exact l = 2 / (1 - ec * hcl::norm2<Exact>(ex));
        CHECK(double(hcl::conformal_factor(m, x)) ==
              doctest::Approx(double(l)).epsilon(
                  1000 * double(std::numeric_limits<T>::epsilon())));
      }
    }
  }
}

TEST_CASE_TEMPLATE("results stay inside", T, float, double) {
  const hcl::PoincareBall<T> m{T(0.7)};
  Vec<T> far(dim, T(100)), out(dim);
  m.project(far, far);
  CHECK(m.is_on_manifold(add(m, far, far)).ok);
  CHECK(m.is_on_manifold(times(m, T(1e6), far)).ok);
  const Rows<T> big = Rows<T>::Constant(hcl::Index(dim), hcl::Index(dim), T(1e6));
  hcl::mobius_matvec(m, big, far, out);
  CHECK(m.is_on_manifold(out).ok);
}

TEST_CASE_TEMPLATE("every backward agrees with dual numbers", T, float, double) {
  const auto ball = [](const auto& c) {
    return hcl::PoincareBall<std::remove_cvref_t<decltype(c)>>(c);
  };
  for (const double c : curvatures) {
    CAPTURE(c);
    const hcl::PoincareBall<T> m{T(c)};
    const auto points = some_points(m);
    const auto w = random_vectors<T>(3, hcl::Index(dim), 1.5);
    for (std::size_t p = 0; p < points.size(); ++p)
      for (std::size_t q = 0; q < points.size(); ++q) {
        CAPTURE(p);
        CAPTURE(q);
        Vec<T> in(points[p]);
        in.insert(in.end(), points[q].begin(), points[q].end());
        in.push_back(m.c());
        check_vjp(
            in,
            [&](const auto& a) {
              auto out = std::remove_cvref_t<decltype(a)>(dim);
              hcl::mobius_add(ball(a.back()), piece(a, 0, dim), piece(a, 1, dim), out);
              return out;
            },
            [&](const auto& a, const auto& g, auto& out) {
              hcl::mobius_add_vjp(m, piece(a, 0, dim), piece(a, 1, dim), g,
                                  piece(out, 0, dim), piece(out, 1, dim), out.back());
            },
            400);  // at y = 0 terms of |x|^2, 56 here, cancel in the derivative by c
        in.insert(in.end() - 1, {T(0.3), T(-1.1), T(0.7), T(0.4), T(-0.2), T(0.9), T(0.1),
                                 T(-0.5), T(0.6)});
        check_vjp(
            in,
            [&](const auto& a) {
              auto out = std::remove_cvref_t<decltype(a)>(dim);
              hcl::gyration(ball(a.back()), piece(a, 0, dim), piece(a, 1, dim),
                            piece(a, 2, dim), out);
              return out;
            },
            [&](const auto& a, const auto& g, auto& out) {
              hcl::gyration_vjp(m, piece(a, 0, dim), piece(a, 1, dim), piece(a, 2, dim),
                                g, piece(out, 0, dim), piece(out, 1, dim),
                                piece(out, 2, dim), out.back());
            });
      }
    for (const auto& x : points) {
      Vec<T> in(x);
      in.push_back(m.c());
      check_vjp(
          in,
          [&](const auto& a) {
            auto out = std::remove_cvref_t<decltype(a)>(1);
            out[0] = hcl::conformal_factor(ball(a.back()), piece(a, 0, dim));
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::conformal_factor_vjp(m, piece(a, 0, dim), g[0], piece(out, 0, dim),
                                      out.back());
          });
      in.insert(in.end() - 1, T(-0.6));
      check_vjp(
          in,
          [&](const auto& a) {
            auto out = std::remove_cvref_t<decltype(a)>(dim);
            hcl::mobius_scalar_mul(ball(a.back()), a[dim], piece(a, 0, dim), out);
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::mobius_scalar_mul_vjp(m, a[dim], piece(a, 0, dim), g, out[dim],
                                       piece(out, 0, dim), out.back());
          });
      in.assign(x.begin(), x.end());
      in.insert(in.end(), w.data(), w.data() + 3 * dim);
      in.push_back(m.c());
      check_vjp(
          in,
          [&](const auto& a) {
            using S = std::remove_cvref_t<decltype(a[0])>;
            std::vector<S> out(3);
            hcl::mobius_matvec(ball(a.back()), hcl::BatchIn<S>(a.data() + dim, 3, dim),
                               piece(a, 0, dim), out);
            return out;
          },
          [&](const auto& a, const auto& g, auto& out) {
            hcl::mobius_matvec_vjp(m, hcl::BatchIn<T>(a.data() + dim, 3, dim),
                                   piece(a, 0, dim), g,
                                   hcl::BatchOut<T>(out.data() + dim, 3, dim),
                                   piece(out, 0, dim), out.back());
          });
    }
  }
}

TEST_CASE_TEMPLATE("rows equal points", T, float, double) {
  const hcl::PoincareBall<T> m{T(0.7)};
  const hcl::Index n = 70, d = 4, e = 3;
  const auto x = random_points(m, n, d), y = random_points(m, n, d, 1.5, seed + 1);
  const auto matrix = random_vectors<T>(e, d, 1), g = random_vectors<T>(n, d, 1);
  const hcl::BatchIn<T> xs(x), ys(y), gs(g);
  Rows<T> out(n, d), gx = Rows<T>::Zero(n, d), gy = gx, gx1 = gx, gy1 = gx;
  T gc(0), gc1(0);
  hcl::mobius_add(m, x, y, out);
  hcl::mobius_add_vjp(m, x, y, g, gx, gy, gc);
  Rows<T> wide(n, e);
  hcl::mobius_matvec(m, matrix, x, wide);
  const Rows<T> h = g.leftCols(e);
  Rows<T> hx = Rows<T>::Zero(n, d), hx1 = hx, hm = Rows<T>::Zero(e, d), hm1 = hm;
  T hc(0), hc1(0);
  hcl::mobius_matvec_vjp(m, matrix, x, h, hm, hx, hc);
  for (hcl::Index i = 0; i < n; ++i) {
    const auto row = [&](Rows<T>& a) { return hcl::BatchOut<T>(a).row(i); };
    Vec<T> one(static_cast<std::size_t>(d)), other(static_cast<std::size_t>(e));
    hcl::mobius_add(m, xs.row(i), ys.row(i), one);
    hcl::mobius_matvec(m, matrix, xs.row(i), other);
    for (hcl::Index j = 0; j < d; ++j) CHECK(out(i, j) == one[std::size_t(j)]);
    for (hcl::Index j = 0; j < e; ++j) CHECK(wide(i, j) == other[std::size_t(j)]);
    hcl::mobius_add_vjp(m, xs.row(i), ys.row(i), gs.row(i), row(gx1), row(gy1), gc1);
    hcl::mobius_matvec_vjp(m, matrix, xs.row(i), hcl::BatchIn<T>(h).row(i), hm1, row(hx1),
                           hc1);
  }
  CHECK(gx == gx1);
  CHECK(gy == gy1);
  CHECK(hx == hx1);
  CHECK(double(gc) == doctest::Approx(double(gc1)).epsilon(1e-5));
  CHECK(double(hc) == doctest::Approx(double(hc1)).epsilon(1e-5));
  CHECK(double((hm - hm1).norm()) <= 1e-5 * double(hm1.norm()));
}

TEST_CASE("bad batches are named") {
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const hcl::PoincareBall<float> m(4.0f);
  Rows<float> x = Rows<float>::Constant(5, 2, 0.1f), out = x, y = x;
  y(3, 1) = 0.6f;
  const Rows<float> narrow = Rows<float>::Zero(3, 1), wide = Rows<float>::Zero(3, 2);
  has(message_of([&] { hcl::mobius_add(m, x, y, out); }), "mobius_add: y row 3");
  has(message_of([&] { hcl::mobius_matvec(m, narrow, x, out); }), "matrix is 3 x 1");
  has(message_of([&] { hcl::mobius_matvec(m, wide, x, out); }), "out is 5 x 2");
  CHECK(out == x);
}

}  // namespace
