// bench/accuracy/maps.hpp - errors of the maps in storage quanta, and of their backward
// in units of roundoff, by radius.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "hcl/hcl.hpp"
#include "sample.hpp"
#include "support/quantum.hpp"

namespace accuracy {

/// Inputs of one measurement: two points, tangent vectors at the first and at the origin
/// (coordinates), an upstream gradient.
template <class T>
struct Inputs {
  T c;
  Vector<T> x, y, v, g;
};

/// A row of the tables: the error of one map at these inputs, in the row's unit.
template <class T>
struct MapError {
  std::string name;
  std::function<double(const Inputs<T>&)> of;
};

/// What the rounding of the coordinates of v, tangent at x, moves it by in the metric: in
/// the Lorentz chart those across x count in full, though the metric sees less of v.
template <class T, template <class> class M>
double vector_quantum(const M<T>& m, const Vector<T>& x, const Vector<T>& v) {
  return support::roundoff<T> *
         (std::is_same_v<M<T>, hcl::Lorentz<T>> ? std::sqrt(double(hcl::norm2<T>(v)))
                                                : double(m.norm(x, v)));
}

/// How far that may move expmap(x, v): geodesics spread by sinh(sqrt(c) d)/(sqrt(c) d).
template <class T, template <class> class M>
double step_quantum(const M<T>& m, const Vector<T>& x, const Vector<T>& v) {
  const double s = std::sqrt(double(m.c())) * double(m.norm(x, v));
  return vector_quantum(m, x, v) * (s > 0 ? std::sinh(s) / s : 1);
}

/// |error| of a point over u d + sum of quanta of the stored inputs; `d` what the map
/// moves by. A result farther out than the model holds in T is left out.
template <template <class> class To, class T, class F, class... In>
double point_quanta(const T& c, double d, double inputs, std::size_t n, const F& f,
                    const In&... in) {
  Vector<T> got(n);
  f(c, in..., got);
  Vector<Exact> want(n);
  f(Exact(c), exact(in)..., want);
  const To<T> m(c);
  const To<Exact> m60{Exact(c)};
  if constexpr (std::is_same_v<To<T>, hcl::PoincareBall<T>>)
    if (Exact(c) * hcl::norm2<Exact>(want) >
        Exact(1) - 16 * Exact(std::numeric_limits<T>::epsilon()))
      return 0;
  Vector<T> stored;
  for (const auto& e : want) stored.push_back(T(e));
  if (!m.is_on_manifold(stored)) return 0;
  if (!m.is_on_manifold(got)) return std::numeric_limits<double>::infinity();
  return double(m60.dist(want, exact(got))) /
         (support::roundoff<T> * d + inputs + support::quantum(m, got));
}

/// |error| of a tangent vector at x over u d + quanta of the points.
template <template <class> class M, class T, class F, class... In>
double vector_quanta(const T& c, double d, double inputs, const Vector<T>& at, const F& f,
                     const In&... in) {
  const std::size_t n = at.size();
  Vector<T> got(n);
  f(c, in..., got);
  Vector<Exact> want(n);
  f(Exact(c), exact(in)..., want);
  for (std::size_t k = 0; k < n; ++k) want[k] -= Exact(got[k]);
  return double(M<Exact>(Exact(c)).norm(exact(at), want)) /
         (support::roundoff<T> * d + inputs);
}

/// The largest relative error of the gradients that f(c, in, grads, gc) adds, by norms,
/// in units of u.
template <class T, class F>
double gradient_error(const Inputs<T>& in, const F& f) {
  const auto run = [&]<class S>(const S& c, const Vector<S>& x, const Vector<S>& y,
                                const Vector<S>& v, const Vector<S>& g) {
    std::vector<Vector<S>> out(3, Vector<S>(x.size(), S(0)));
    S gc(0);
    f(c, x, y, v, g, out, gc);
    return out;
  };
  const auto got = run(in.c, in.x, in.y, in.v, in.g);
  const auto want = run(Exact(in.c), exact(in.x), exact(in.y), exact(in.v), exact(in.g));
  double worst = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    Exact off(0), size(0);
    for (std::size_t i = 0; i < got[k].size(); ++i) {
      const Exact e = Exact(got[k][i]) - want[k][i];
      off += e * e, size += want[k][i] * want[k][i];
    }
    if (size > 0) worst = std::max(worst, double(sqrt(off / size)));
  }
  return worst / support::roundoff<T>;
}

/// The maps that every geometry of this kind has.
template <template <class> class M, class T>
std::vector<MapError<T>> map_errors() {
  const auto q = [](const Inputs<T>& in) {
    const M<T> m(in.c);
    return std::array{support::quantum(m, in.x), support::quantum(m, in.y)};
  };
  const auto d0 = [](const Inputs<T>& in) { return double(M<T>(in.c).dist0(in.x)); };
  const auto d = [](const Inputs<T>& in) { return double(M<T>(in.c).dist(in.x, in.y)); };
  std::vector<MapError<T>> all;
  all.push_back({"`expmap0`", [=](const Inputs<T>& in) {
                   Vector<T> v(in.x.size());
                   M<T>(in.c).logmap0(in.x, v);
                   return point_quanta<M>(
                       in.c, d0(in), 0, v.size(),
                       []<class S>(const S& c, const Vector<S>& a, Vector<S>& out) {
                         M<S>(c).expmap0(a, out);
                       },
                       v);
                 }});
  all.push_back({"`logmap0`", [=](const Inputs<T>& in) {
                   const Vector<T> origin(in.x.size(), T(0));
                   return vector_quanta<M>(
                       in.c, d0(in), 0, origin,
                       []<class S>(const S& c, const Vector<S>& a, Vector<S>& out) {
                         M<S>(c).logmap0(a, out);
                       },
                       in.x);
                 }});
  all.push_back({"`expmap`", [=](const Inputs<T>& in) {
                   Vector<T> v(in.x.size());
                   M<T>(in.c).logmap(in.x, in.y, v);
                   return point_quanta<M>(
                       in.c, d(in), q(in)[0] + step_quantum<T>(M<T>(in.c), in.x, v),
                       v.size(),
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   Vector<S>& out) { M<S>(c).expmap(a, b, out); },
                       in.x, v);
                 }});
  all.push_back({"`logmap`", [=](const Inputs<T>& in) {
                   Vector<T> v(in.x.size());
                   M<T>(in.c).logmap(in.x, in.y, v);
                   const double own = vector_quantum<T>(M<T>(in.c), in.x, v);
                   return vector_quanta<M>(
                       in.c, d(in), q(in)[0] + q(in)[1] + own, in.x,
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   Vector<S>& out) { M<S>(c).logmap(a, b, out); },
                       in.x, in.y);
                 }});
  all.push_back({"`parallel_transport`", [=](const Inputs<T>& in) {
                   const M<T> m(in.c);
                   const double size = double(m.norm(in.x, in.v));
                   // Relative to the vector, whose rounding counts as a quantum at
                   // curvature 1.
                   return vector_quanta<M>(
                       in.c, 0,
                       size * (support::roundoff<T> +
                               std::sqrt(double(in.c)) * (q(in)[0] + q(in)[1])),
                       in.y,
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   const Vector<S>& w, Vector<S>& out) {
                         M<S>(c).parallel_transport(a, b, w, out);
                       },
                       in.x, in.y, in.v);
                 }});
  all.push_back(
      {"`transport0`", [=](const Inputs<T>& in) {
         const M<T> m(in.c);
         const Vector<T> origin(in.x.size(), T(0));
         const double size = double(m.norm(origin, in.v));
         return vector_quanta<M>(
             in.c, 0, size * (support::roundoff<T> + std::sqrt(double(in.c)) * q(in)[1]),
             in.y,
             []<class S>(const S& c, const Vector<S>& b, const Vector<S>& w,
                         Vector<S>& out) { hcl::transport0(M<S>(c), b, w, out); },
             in.y, in.v);
       }});
  all.push_back({"`geodesic`, t = 0.3", [=](const Inputs<T>& in) {
                   return point_quanta<M>(
                       in.c, d(in), q(in)[0] + q(in)[1], in.x.size(),
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   Vector<S>& out) {
                         hcl::geodesic(M<S>(c), a, b, S(T(0.3)), out);
                       },
                       in.x, in.y);
                 }});
  all.push_back({"`midpoint`", [=](const Inputs<T>& in) {
                   return point_quanta<M>(
                       in.c, d(in), q(in)[0] + q(in)[1], in.x.size(),
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   Vector<S>& out) {
                         Vector<S> both(a);
                         both.insert(both.end(), b.begin(), b.end());
                         hcl::midpoint(
                             M<S>(c),
                             hcl::BatchIn<S>(both.data(), 2, hcl::Index(a.size())),
                             Vector<S>(), out);
                       },
                       in.x, in.y);
                 }});
  return all;
}

/// Changes of model, from points of the ball.
template <class T>
std::vector<MapError<T>> ball_map_errors() {
  auto all = map_errors<hcl::PoincareBall, T>();
  const auto q = [](const Inputs<T>& in) {
    const hcl::PoincareBall<T> m(in.c);
    return support::quantum(m, in.x) + support::quantum(m, in.y);
  };
  all.push_back({"`mobius_add`", [=](const Inputs<T>& in) {
                   return point_quanta<hcl::PoincareBall>(
                       in.c, double(hcl::PoincareBall<T>(in.c).dist0(in.y)), q(in),
                       in.x.size(),
                       []<class S>(const S& c, const Vector<S>& a, const Vector<S>& b,
                                   Vector<S>& out) {
                         Vector<S> minus(a);
                         for (S& e : minus) e = -e;
                         hcl::mobius_add(hcl::PoincareBall<S>(c), minus, b, out);
                       },
                       in.x, in.y);
                 }});
  all.push_back({"`to_lorentz`", [=](const Inputs<T>& in) {
                   return point_quanta<hcl::Lorentz>(
                       in.c, 0, 0, in.x.size(),
                       []<class S>(const S& c, const Vector<S>& a, Vector<S>& out) {
                         hcl::to_lorentz(hcl::PoincareBall<S>(c), a, out);
                       },
                       in.x);
                 }});
  all.push_back({"`to_half_space`", [=](const Inputs<T>& in) {
                   return point_quanta<hcl::HalfSpace>(
                       in.c, 0, 0, in.x.size(),
                       []<class S>(const S& c, const Vector<S>& a, Vector<S>& out) {
                         hcl::to_half_space(hcl::PoincareBall<S>(c), a, out);
                       },
                       in.x);
                 }});
  return all;
}

template <template <class> class M, class T>
std::vector<MapError<T>> vjp_errors() {
  return {
      {"`expmap_vjp`",
       [](const Inputs<T>& in) {
         return gradient_error(
             in, []<class S>(const S& c, const Vector<S>& x, const Vector<S>&,
                             const Vector<S>& v, const Vector<S>& g, auto& out, S& gc) {
               hcl::expmap_vjp(M<S>(c), x, v, g, out[0], out[2], gc);
             });
       }},
      {"`logmap_vjp`",
       [](const Inputs<T>& in) {
         return gradient_error(
             in, []<class S>(const S& c, const Vector<S>& x, const Vector<S>& y,
                             const Vector<S>&, const Vector<S>& g, auto& out, S& gc) {
               hcl::logmap_vjp(M<S>(c), x, y, g, out[0], out[1], gc);
             });
       }},
      {"`parallel_transport_vjp`", [](const Inputs<T>& in) {
         return gradient_error(in, []<class S>(const S& c, const Vector<S>& x,
                                               const Vector<S>& y, const Vector<S>& v,
                                               const Vector<S>& g, auto& out, S& gc) {
           hcl::parallel_transport_vjp(M<S>(c), x, y, v, g, out[0], out[1], out[2], gc);
         });
       }}};
}

}  // namespace accuracy
