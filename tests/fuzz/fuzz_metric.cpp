// tests/fuzz/fuzz_metric.cpp - every geometry at any bit patterns: a byte (3 bits: number
// of coordinates - 1, the next: double), then c, the points x and y, a tangent vector v.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/geodesic.hpp"
#include "hcl/manifold/gyro.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/maps_vjp.hpp"
#include "hcl/manifold/metric_vjp.hpp"
#include "hcl/manifold/midpoint.hpp"
#include "hcl/manifold/models.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"
#include "hcl/manifold/transport0.hpp"
#include "input.hpp"

namespace {

using fuzz::require;

/// The numbers of one input, for messages too.
template <class T>
struct Case {
  std::string geometry;
  T c;
  std::vector<T> x, y, v;

  friend std::ostream& operator<<(std::ostream& out, const Case& k) {
    out << k.geometry << (sizeof(T) == 4 ? "<float>" : "<double>") << ", c = " << k.c;
    for (const auto& [name, row] : {std::pair{'x', k.x}, {'y', k.y}, {'v', k.v}}) {
      out << ", " << name << " =";
      for (const T value : row) out << ' ' << value;
    }
    return out;
  }
};

template <class M, class T>
bool is_point(const M& m, const std::vector<T>& x) {
  if (!m.is_on_manifold(x)) return false;
  try {
    m.check_row("", "", 0, double(hcl::norm2<T>(x)));
  } catch (const std::invalid_argument&) {
    return false;
  }
  return true;
}

template <class M, class T>
void check(const M& m, const Case<T>& k) {
  const auto &x = k.x, &y = k.y, &v = k.v;
  if (!is_point(m, x) || !is_point(m, y)) return;

  // The square of the largest distance that coordinates can make, which no point may.
  const auto nx = hcl::norm2<T>(x), ny = hcl::norm2<T>(y);
  if (!std::isfinite(T(4 * nx)) || !std::isfinite(T(4 * ny))) return;

  const auto distance = [&](const char* what, const auto& f) {
    const T d = f(x, y), back = f(y, x), self = f(x, x);
    require(d >= T(0), what, " = ", d, " of ", k);
    require(d == back, what, " = ", d, ", and ", back, " the other way, of ", k);
    require(self == T(0), what, "(x, x) = ", self, " of ", k);
  };
  require(std::isfinite(m.dist(x, y)), "dist = ", m.dist(x, y), " of ", k);
  distance("dist", [&](const auto& a, const auto& b) { return m.dist(a, b); });
  distance("dist2", [&](const auto& a, const auto& b) { return m.dist2(a, b); });

  const std::vector<T> g(x.size(), T(1));  // an upstream gradient
  std::vector<T> out(x.size()), other(x.size());
  T gc(0);
  const auto no_nan = [&](const char* what) {
    for (const auto* row : {&out, &other})
      for (const T value : *row) require(!std::isnan(value), what, " has a NaN of ", k);
    require(!std::isnan(gc), what, " has a NaN by c of ", k);
    std::ranges::fill(out, T(0));
    std::ranges::fill(other, T(0));
    gc = T(0);
  };
  m.dist_vjp(x, y, T(1), out, other, gc), no_nan("dist_vjp");
  m.dist2_vjp(x, y, T(1), out, other, gc), no_nan("dist2_vjp");
  m.logmap0(x, out), no_nan("logmap0");
  m.logmap0_vjp(x, g, out, gc), no_nan("logmap0_vjp");
  // At antipodes, and only there, no geodesic is singled out.
  const bool antipodes =
      k.geometry == "Sphere" && double(m.dist(x, y)) * std::sqrt(double(k.c)) > 3.141592;
  if (!antipodes) m.logmap(x, y, out), no_nan("logmap");
  if (!std::isfinite(hcl::norm2<T>(v))) return;
  m.expmap0(v, out), no_nan("expmap0");
  m.expmap0_vjp(v, g, out, gc), no_nan("expmap0_vjp");
  m.expmap(x, v, out), no_nan("expmap");
  if (!antipodes) m.parallel_transport(x, y, v, out), no_nan("parallel_transport");

  // The backward of the maps multiplies more: for them all squares are to be moderate.
  const double nv = double(hcl::norm2<T>(v)), c = double(k.c);
  for (const double n :
       {double(nx), double(ny), nv, c, 1 / c, c * double(nx), c * double(ny), c * nv})
    if (!(n < 1e24)) return;
  if (k.geometry == "Sphere" && !(double(nx) > 1e-24 && double(ny) > 1e-24)) return;
  std::vector<T> more(x.size(), T(0));
  T gt(0);
  hcl::expmap_vjp(m, x, v, g, out, other, gc), no_nan("expmap_vjp");
  if (!antipodes) {
    hcl::logmap_vjp(m, x, y, g, out, other, gc), no_nan("logmap_vjp");
    hcl::parallel_transport_vjp(m, x, y, v, g, out, other, more, gc);
    no_nan("parallel_transport_vjp");
    hcl::geodesic(m, x, y, T(0.25), out), no_nan("geodesic");
    hcl::geodesic_vjp(m, x, y, T(0.25), g, out, other, gt, gc), no_nan("geodesic_vjp");
    require(!std::isnan(gt), "geodesic_vjp has a NaN by t of ", k);
  }
  hcl::dist0_vjp(m, x, T(1), out, gc), no_nan("dist0_vjp");
  hcl::inner_vjp(m, x, y, v, T(1), out, other, more, gc), no_nan("inner_vjp");
  hcl::egrad2rgrad_vjp(m, x, y, v, out, other, gc), no_nan("egrad2rgrad_vjp");
  hcl::transport0(m, x, v, out), no_nan("transport0");
  hcl::transport0_back(m, x, v, out), no_nan("transport0_back");
  if (antipodes) return;
  std::vector<T> both(x);
  both.insert(both.end(), y.begin(), y.end());
  const hcl::BatchIn<T> rows(both.data(), 2, hcl::Index(x.size()));
  hcl::midpoint(m, rows, std::vector<T>(), out), no_nan("midpoint");
}

/// Moebius addition, and the ways to the other models and back.
template <class T>
void check_ball(const Case<T>& k) {
  const hcl::PoincareBall<T> m(k.c);
  if (!m.is_on_manifold(k.x) || !m.is_on_manifold(k.y)) return;
  if (!(k.c > T(1e-12) && k.c < T(1e12))) return;
  std::vector<T> out(k.x.size()), other(out);
  const auto finite = [&](const char* what) {
    for (const T value : out) require(std::isfinite(value), what, " of ", k);
  };
  hcl::mobius_add(m, k.x, k.y, out), finite("mobius_add");
  require(m.is_on_manifold(out).ok, "mobius_add leaves the ball of ", k);
  hcl::gyration(m, k.x, k.y, k.x, out), finite("gyration");
  hcl::mobius_scalar_mul(m, T(3), k.x, out), finite("mobius_scalar_mul");
  hcl::to_lorentz(m, k.x, out), finite("to_lorentz");
  hcl::to_ball(hcl::Lorentz<T>(k.c), out, other);
  require(m.is_on_manifold(other).ok, "to_ball leaves the ball of ", k);
  hcl::to_klein(m, k.x, out), finite("to_klein");
  require(hcl::Klein<T>(k.c).is_on_manifold(out).ok, "to_klein leaves the ball of ", k);
  hcl::to_half_space(m, k.x, out), finite("to_half_space");
  require(out.back() >= T(0), "to_half_space leaves it of ", k);
}

template <class T>
void check_all(fuzz::Input& in, std::size_t dim) {
  const T c = in.take<T>();
  Case<T> k{"Euclidean", c, in.take<T>(dim), in.take<T>(dim), in.take<T>(dim)};
  check(hcl::Euclidean<T>(), k);
  if (!(std::isfinite(c) && c > T(0))) return;
  k.geometry = "Sphere", check(hcl::Sphere<T>(c), k);
  k.geometry = "PoincareBall", check(hcl::PoincareBall<T>(c), k), check_ball(k);
  k.geometry = "Lorentz", check(hcl::Lorentz<T>(c), k);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto kind = in.take<std::uint8_t>();
  const std::size_t dim = 1 + kind % 8;
  try {
    if (kind & 8)
      check_all<double>(in, dim);
    else
      check_all<float>(in, dim);
  } catch (const std::invalid_argument&) {  // a curvature out of range
  }
  return 0;
}
