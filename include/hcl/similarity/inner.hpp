// hcl/similarity/inner.hpp - the inner product of the space that the model lies in.
#pragma once

#include <cmath>

#include "hcl/manifold/euclidean.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"
#include "hcl/similarity/cosine.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// <x, y> of the stored coordinates.
template <class M>
class CoordinateInner : public InnerChord<typename M::Scalar> {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = 1;

  explicit CoordinateInner(M metric) : metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }
  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    return Scalar(dot<Scalar>(x, y));
  }
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar&) const {
    for (std::size_t i = 0; i < x.size(); ++i) gx[i] += g * y[i], gy[i] += g * x[i];
  }
  void check_row(const char* where, const char* arg, Index row, Point<Scalar> x,
                 double n) const {
    check_metric_row(metric_, where, arg, row, x, n);
  }
  [[nodiscard]] double largest(double na, double nb) const {
    return std::sqrt(na) * std::sqrt(nb);
  }
  [[nodiscard]] std::array<double, 1> row_stat(const RowNorms& r) const { return {r.n}; }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* g, const V*, const V*,
                                                 const V& k) const {
    const V zero(Scalar(0));
    return {k * *g, k, zero, zero, zero};
  }

 private:
  M metric_;
};

}  // namespace detail

/// The inner product of the embedding space, for each geometry:
///   Euclidean, Poincare ball  <x, y>;
///   sphere of radius 1/sqrt c  <x, y>/(c |x| |y|), rows are normalised;
///   Lorentz  <x, y>_L + 1/c, <x, y>_L = <x, y> - t_x t_y, t = sqrt(1/c + |x|^2).
/// The constant 1/c is one that no softmax sees; with it the number is -|x - y|_L^2/2, 0
/// at x = y, and keeps its digits as c -> 0, where <x, y>_L itself is 1/c and little
/// else.
template <class M>
class Inner;

template <class T>
class Inner<Euclidean<T>> : public detail::CoordinateInner<Euclidean<T>> {
 public:
  using detail::CoordinateInner<Euclidean<T>>::CoordinateInner;
  [[nodiscard]] auto wide() const {
    return Inner<Euclidean<Wide<T>>>{this->metric().wide()};
  }
};

template <class T>
class Inner<PoincareBall<T>> : public detail::CoordinateInner<PoincareBall<T>> {
 public:
  using detail::CoordinateInner<PoincareBall<T>>::CoordinateInner;
  [[nodiscard]] auto wide() const {
    return Inner<PoincareBall<Wide<T>>>{this->metric().wide()};
  }
};

template <class T>
class Inner<Sphere<T>> : public Cosine<Sphere<T>> {
 public:
  using Cosine<Sphere<T>>::Cosine, Cosine<Sphere<T>>::metric;
  using Scalar = T;

  [[nodiscard]] T value(Point<T> x, Point<T> y) const {
    return Cosine<Sphere<T>>::value(x, y) / metric().c();
  }
  void vjp(Point<T> x, Point<T> y, T g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const T c = metric().c();
    Cosine<Sphere<T>>::vjp(x, y, g / c, gx, gy, gc);
    gc -= g / c * value(x, y);
  }
  [[nodiscard]] double largest(double, double) const {
    return 1 / static_cast<double>(metric().c());
  }
  [[nodiscard]] auto wide() const { return Inner<Sphere<Wide<T>>>{metric().wide()}; }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* q, const V* a, const V* b,
                                                 const V& k) const {
    const V r(T(1) / metric().c());
    auto by = Cosine<Sphere<T>>::logit_at(q, a, b, V(k * r));
    by.dc = V(V(T(0)) - r) * by.s;
    return by;
  }
};

// s = -2Q, Q the chord of the distance.
template <class T>
class Inner<Lorentz<T>> : public detail::MetricChord<Lorentz<T>> {
 public:
  using detail::MetricChord<Lorentz<T>>::MetricChord;
  using detail::MetricChord<Lorentz<T>>::metric;
  using Scalar = T;

  /// -(|x-y|^2 - (t_x-t_y)^2)/2.
  [[nodiscard]] T value(Point<T> x, Point<T> y) const {
    return T(Wide<T>(-2) * metric().chord(x, y));
  }
  /// ds/dx = y - (t_y/t_x) x = (y - x) + (t_x-t_y)/t_x x;  ds/dc = (t_x-t_y)^2/(2 c^2 t_x
  /// t_y).
  void vjp(Point<T> x, Point<T> y, T g, Grad<T> gx, Grad<T> gy, T& gc) const {
    using W = Wide<T>;
    const W tx = time(x), ty = time(y), dt = time_step(x, y), c = W(metric().c());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u = W(y[i]) - W(x[i]);
      gx[i] += T(W(g) * (u + dt / tx * W(x[i])));
      gy[i] -= T(W(g) * (u + dt / ty * W(y[i])));
    }
    gc += T(W(g) / W(2) * (dt / (c * tx)) * (dt / (c * ty)));
  }
  /// -s <= |x-y|^2/2.
  [[nodiscard]] double largest(double na, double nb) const {
    const double apart = std::sqrt(na) + std::sqrt(nb);
    return apart * apart / 2;
  }
  [[nodiscard]] auto wide() const { return Inner<Lorentz<Wide<T>>>{metric().wide()}; }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* q, const V* a, const V* b,
                                                 const V& k) const {
    const V half = V(T(0.5)) * k, dt = detail::gram_gap(a + 2, b + 2);
    const V e = V(T(1) / metric().c()) * dt;
    return {V(T(-2)) * k * *q, k, half * dt * a[4], V(V(T(-0.5)) * k) * dt * b[4],
            half * (e * a[4]) * (e * b[4])};
  }

 private:
  Wide<T> time(Point<T> x) const {
    using std::sqrt;
    return sqrt(Wide<T>(1) / Wide<T>(metric().c()) + norm2<T>(x));
  }
  /// t_x - t_y without cancellation.
  Wide<T> time_step(Point<T> x, Point<T> y) const {
    return Wide<T>(detail::norm2_gap<T>(x, y)) / (time(x) + time(y));
  }
};

template <class T>
Inner(Euclidean<T>) -> Inner<Euclidean<T>>;
template <class T>
Inner(PoincareBall<T>) -> Inner<PoincareBall<T>>;
template <class T>
Inner(Sphere<T>) -> Inner<Sphere<T>>;
template <class T>
Inner(Lorentz<T>) -> Inner<Lorentz<T>>;

}  // namespace hcl::inline HCL_ABI
