// Doubles whose squares underflow, or lose digits, against long double, whose do not.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hcl/manifold/half_space.hpp"
#include "hcl/manifold/klein.hpp"
#include "hcl/manifold/metric_vjp.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
using Wide = long double;
using Row = std::vector<double>;
using WideRow = std::vector<Wide>;

WideRow wide(const Row& x) { return {x.begin(), x.end()}; }

/// Relative to `size`, and to what a subnormal can say.
void check_near(double got, Wide want, Wide size) {
  CAPTURE(got);
  CAPTURE(double(want));
  CHECK(std::abs(Wide(got) - want) <=
        64 * Wide(std::numeric_limits<double>::epsilon()) * size +
            64 * Wide(std::numeric_limits<double>::denorm_min()));
}
void check_near(const Row& got, const WideRow& want) {
  Wide size = 0;
  for (const Wide e : want) size += std::abs(e);
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    check_near(got[i], want[i], size);
  }
}

/// Everything of m at x and y against the same of `exact`.
template <class M, class R>
void check_pair(const M& m, const R& exact, const Row& x, const Row& y) {
  const WideRow wx = wide(x), wy = wide(y);
  const std::size_t n = x.size();
  const Wide d = exact.dist(wx, wy);
  check_near(m.dist(x, y), d, d);
  check_near(m.dist(y, x), d, d);
  check_near(m.dist2(x, y), d * d, d * d);
  Row gx(n, 0), gy(n, 0);
  WideRow wgx(n, 0), wgy(n, 0);
  double gc = 0;
  Wide wgc = 0;
  m.dist_vjp(x, y, 0.75, gx, gy, gc);
  exact.dist_vjp(wx, wy, 0.75L, wgx, wgy, wgc);
  check_near(gx, wgx), check_near(gy, wgy), check_near(gc, wgc, std::abs(wgc));
  gx.assign(n, 0), gy.assign(n, 0), wgx.assign(n, 0), wgy.assign(n, 0);
  gc = 0, wgc = 0;
  m.dist2_vjp(x, y, 1.0, gx, gy, gc);
  exact.dist2_vjp(wx, wy, 1.0L, wgx, wgy, wgc);
  check_near(gx, wgx), check_near(gy, wgy);
  m.logmap(x, y, gx);
  exact.logmap(wx, wy, wgx);
  check_near(gx, wgx);
  const Wide length = exact.norm(wx, wgx);
  check_near(m.norm(x, gx), length, length);
}
template <class M, class R>
void check_origin(const M& m, const R& exact, const Row& x) {
  const WideRow wx = wide(x);
  const std::size_t n = x.size();
  const Wide d = exact.dist0(wx);
  check_near(m.dist0(x), d, d);
  Row out(n, 0);
  WideRow want(n, 0);
  double gc = 0;
  Wide wgc = 0;
  hcl::dist0_vjp(m, x, 0.75, out, gc);
  hcl::dist0_vjp(exact, wx, 0.75L, want, wgc);
  check_near(out, want), check_near(gc, wgc, std::abs(wgc));
  m.logmap0(x, out), exact.logmap0(wx, want);
  check_near(out, want);
  m.expmap0(x, out), exact.expmap0(wx, want);
  check_near(out, want);
}

TEST_CASE_TEMPLATE("points as close as doubles can be", M, HCL_TEST_MANIFOLDS(double)) {
  for (const double c : {1.0, 0.3, 4.0}) {
    const M m = make<M>(c);
    const auto exact = like<M>(Wide(c));
    for (const double e : {1e-120, 1e-134, 1e-136, 1e-146, 1e-154, 1e-160, 1e-170, 1e-200,
                           1e-290, 1e-305, 1e-310, 4e-320}) {
      CAPTURE(c);
      CAPTURE(e);
      // Away from the origin, of coordinates 0 or as small as the difference.
      check_pair(m, exact, {0.4, 0, 0.1}, {0.4, e, 0.1});
      check_pair(m, exact, {0.4, e, 0.1}, {0.4, -3 * e, 0.1});
      check_pair(m, exact, {0.4, e, 0, e}, {0.4, 0, e, 3 * e});
      check_origin(m, exact, {0.4, e, 0, 2 * e});
      if (is_sphere<M>) {
        if (e < 1e-300) continue;  // opposite rows, and rows of no length, to a double
        check_pair(m, exact, {1, e}, {-1, e});
        check_pair(m, exact, {e, 0, 2 * e}, {e, e, -e});  // rows as small
        check_pair(m, exact, {e, 0, 2 * e}, {0.5, 1, -1});
        continue;
      }
      check_pair(m, exact, {e, 0}, {3 * e, 0});
      check_pair(m, exact, {0, 0, 0}, {3 * e, -e, e});
      check_pair(m, exact, {2 * e, 0, 0}, {3 * e, -e, e});
      check_pair(m, exact, {e, -e, 2 * e}, {0.3, 0.1, 0.2});
      check_pair(m, exact, {1e-150, 0}, {e, 2 * e});
      check_origin(m, exact, {e, -2 * e, e});
    }
  }
}

template <class M, class R>
void check_distance(const M& m, const R& exact, const Row& x, const Row& y) {
  const WideRow wx = wide(x), wy = wide(y);
  const std::size_t n = x.size();
  const Wide d = exact.dist(wx, wy);
  check_near(m.dist(x, y), d, d);
  Row gx(n, 0), gy(n, 0);
  WideRow wgx(n, 0), wgy(n, 0);
  double gc = 0;
  Wide wgc = 0;
  m.dist_vjp(x, y, 0.75, gx, gy, gc);
  exact.dist_vjp(wx, wy, 0.75L, wgx, wgy, wgc);
  check_near(gx, wgx), check_near(gy, wgy), check_near(gc, wgc, std::abs(wgc));
}

TEST_CASE("in the Klein model and the half-space too") {
  for (const double c : {1.0, 0.3})
    for (const double e : {1e-120, 1e-136, 1e-160, 1e-200, 1e-305, 1e-310}) {
      CAPTURE(c);
      CAPTURE(e);
      const hcl::Klein<double> klein(c);
      const hcl::Klein<Wide> exact(c);
      check_distance(klein, exact, {e, 0}, {3 * e, 0});
      check_distance(klein, exact, {0, 0, 0}, {3 * e, -e, e});
      check_distance(klein, exact, {0.4, 0, 0.1}, {0.4, e, 0.1});
      check_distance(klein, exact, {0.4, e, 0, e}, {0.4, 0, e, 3 * e});
      const hcl::HalfSpace<double> half(c);
      const hcl::HalfSpace<Wide> wider(c);
      check_distance(half, wider, {e, 0.4}, {3 * e, 0.4});
      check_distance(half, wider, {e, 1e60}, {3 * e, 1e60});
      check_distance(half, wider, {1e-80, 1e60}, {3e-80, 1e60});
      check_distance(half, wider, {e, 0, -e, 0.4}, {3 * e, e, 2 * e, 0.4});
    }
}

TEST_CASE("two subnormals of the ball") {
  const hcl::PoincareBall<double> ball;
  const Row x{1e-310}, y{3e-310};
  CHECK(ball.dist(x, y) == doctest::Approx(4e-310).epsilon(1e-12));
  Row gx{0}, gy{0};
  double gc = 0;
  ball.dist_vjp(x, y, 1.0, gx, gy, gc);
  CHECK(gx[0] == -2);
  CHECK(gy[0] == 2);
  gx[0] = gy[0] = 0;
  ball.dist_vjp(x, x, 1.0, gx, gy, gc);
  CHECK(gx[0] == 0);
  CHECK(gy[0] == 0);
}

}  // namespace
