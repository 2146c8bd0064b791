// The backward of maps far out, against the same formulas in 100 digits.
#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>

#include "hcl/manifold/maps_vjp.hpp"
#include "hcl/manifold/metric_vjp.hpp"
#include "support/catalog.hpp"

namespace {

using namespace support;
using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<100>,
                                            boost::multiprecision::et_off>;
template <class T>
using Vec = std::vector<T>;

template <class T>
Vec<Exact> exact(const Vec<T>& x) {
  return {x.begin(), x.end()};
}

/// |got - want| of covectors at the point x over |want|, in the dual norm.
template <template <class> class M, class T>
double covector_error(const M<T>& m, const Vec<T>& x, const Vec<T>& got,
                      const Vec<Exact>& want) {
  const M<Exact> wide{Exact(m.c())};
  const auto norm = [&](const Vec<Exact>& g) {
    Vec<Exact> v(g.size());
    wide.egrad2rgrad(exact(x), g, v);
    return wide.norm(exact(x), v);
  };
  Vec<Exact> off = want;
  for (std::size_t k = 0; k < off.size(); ++k) off[k] -= Exact(got[k]);
  return static_cast<double>(norm(off) / norm(want));
}

/// The errors of a backward f(m, inputs, upstream, gradients, gc): of each gradient, at
/// the point `at` of the inputs, and by c.
template <template <class> class M, class T, class F>
void check_far(const char* name, double c, const std::array<Vec<T>, 3>& in,
               const std::array<int, 3>& at, const Vec<T>& g, const F& f,
               double tolerance) {
  CAPTURE(name);
  const M<T> m{T(c)};
  std::array<Vec<T>, 3> out;
  std::array<Vec<Exact>, 3> in_exact, want;
  for (std::size_t k = 0; k < 3; ++k) {
    out[k].assign(g.size(), T(0)), want[k].assign(g.size(), Exact(0));
    in_exact[k] = exact(in[k]);
  }
  T gc(0);
  Exact want_c(0);
  f(m, in, g, out, gc);
  f(M<Exact>{Exact(m.c())}, in_exact, exact(g), want, want_c);
  for (std::size_t k = 0; k < 3; ++k) {
    if (at[k] < 0) continue;
    CAPTURE(k);
    CHECK(covector_error<M>(m, in[std::size_t(at[k])], out[k], want[k]) <= tolerance);
  }
  CHECK(static_cast<double>(abs(Exact(gc) - want_c) / (abs(want_c) + 1e-30)) <=
        10 * tolerance);
}

template <template <class> class M, class T>
void check_all(double r, double tolerance) {
  const M<T> m{T(1)};
  const hcl::Index n = 12, d = 7;
  const Rows<T> u = random_vectors<T>(n, d, 1).rowwise().normalized();
  const auto row = [](const Rows<T>& x, hcl::Index i) {
    return Vec<T>(x.row(i).data(), x.row(i).data() + x.cols());
  };
  for (hcl::Index i = 0; i < n; ++i)
    for (const double turn : {0.0, 1e-3, 1.0}) {
      CAPTURE(r);
      CAPTURE(i);
      CAPTURE(turn);
      const Rows<T> across = u.row((i + 1) % n) * T(turn) + u.row(i);
      const T size = T(r / double(m.origin_scale()));
      Vec<T> x(d), y(d), v = row(u, (i + 2) % n), g = row(u, (i + 3) % n);
      m.expmap0(row(Rows<T>(u.row(i) * size), 0), x);
      m.expmap0(row(Rows<T>(across.normalized() * size * T(0.97)), 0), y);
      const T length = T(1 + double(i) / 4) / m.norm(x, v);
      for (T& e : v) e *= length;
      const auto expmap = [](const auto& space, const auto& in, const auto& e, auto& out,
                             auto& gc) {
        hcl::expmap_vjp(space, in[0], in[1], e, out[0], out[1], gc);
      };
      check_far<M, T>("expmap", 1, {x, v, v}, {0, 0, -1}, g, expmap, tolerance);
      const auto logmap = [](const auto& space, const auto& in, const auto& e, auto& out,
                             auto& gc) {
        hcl::logmap_vjp(space, in[0], in[1], e, out[0], out[1], gc);
      };
      check_far<M, T>("logmap", 1, {x, y, y}, {0, 1, -1}, g, logmap, tolerance);
      const auto transport = [](const auto& space, const auto& in, const auto& e,
                                auto& out, auto& gc) {
        hcl::parallel_transport_vjp(space, in[0], in[1], in[2], e, out[0], out[1], out[2],
                                    gc);
      };
      check_far<M, T>("transport", 1, {x, y, v}, {0, 1, 0}, g, transport, tolerance);
      const auto inner = [](const auto& space, const auto& in, const auto& e, auto& out,
                            auto& gc) {
        hcl::inner_vjp(space, in[0], in[1], in[2], e[0], out[0], out[1], out[2], gc);
      };
      check_far<M, T>("inner", 1, {x, v, g}, {0, 0, 0}, g, inner, tolerance);
    }
}

TEST_CASE("backward of the ball's maps, far out") {
  for (const double r : {2.0, 6.0, 12.0, 20.0, 30.0})
    check_all<hcl::PoincareBall, double>(r, 1e-9);
  for (const double r : {2.0, 6.0, 12.0}) check_all<hcl::PoincareBall, float>(r, 1e-5);
}

TEST_CASE("backward of Lorentz maps, far out") {
  for (const double r : {2.0, 6.0, 10.0}) check_all<hcl::Lorentz, double>(r, 1e-9);
  for (const double r : {2.0, 6.0, 12.0}) check_all<hcl::Lorentz, float>(r, 3e-4);
}

}  // namespace
