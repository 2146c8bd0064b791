// hcl/similarity/neg_dist.hpp - minus the distance, and minus its square.
#pragma once

#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = -d(x, y). Its gradient at x = y is defined as 0.
template <Metric M>
class NegDist : public detail::MetricChord<M> {
 public:
  using detail::MetricChord<M>::MetricChord, detail::MetricChord<M>::metric;
  using Scalar = typename M::Scalar;

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    return -metric().dist(x, y);
  }
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar& gc) const {
    metric().dist_vjp(x, y, -g, gx, gy, gc);
  }
  [[nodiscard]] double largest(double na,
                               double nb) const requires detail::BoundedMetric<M> {
    return metric().largest_dist(na, nb);
  }
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return NegDist<decltype(metric().wide())>{metric().wide()};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(
      const V* q, const V* a, const V* b, const V& k) const requires GramMetric<M> {
    return logit(metric().dist_at(*q, a, b, V(V(Scalar(0)) - k)));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_from(
      const V& root, const V* q, const V* a, const V* b,
      const V& k) const requires detail::HasRoot<M> {
    return logit(metric().dist_from(root, *q, a, b, V(V(Scalar(0)) - k)));
  }

 private:
  template <class V>
  static HCL_INLINE GramLogit<V> logit(const GramDist<V>& d) {
    return {vcopy(d.d), V(Scalar(-2)) * d.dd2, vcopy(d.dna), vcopy(d.dnb), vcopy(d.dc)};
  }
};

/// s(x, y) = -d(x, y)^2, smooth everywhere.
template <Metric M>
class NegDist2 : public detail::MetricChord<M> {
 public:
  using detail::MetricChord<M>::MetricChord, detail::MetricChord<M>::metric;
  using Scalar = typename M::Scalar;

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    const Scalar d = metric().dist(x, y);
    return -(d * d);
  }
  /// -2 d dd/dx: both factors vanish together at x = y, where the product is 0.
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar& gc) const {
    metric().dist_vjp(x, y, -Scalar(2) * g * metric().dist(x, y), gx, gy, gc);
  }
  [[nodiscard]] double largest(double na,
                               double nb) const requires detail::BoundedMetric<M> {
    const double d = metric().largest_dist(na, nb);
    return d * d;
  }
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return NegDist2<decltype(metric().wide())>{metric().wide()};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(
      const V* q, const V* a, const V* b, const V& k) const requires GramMetric<M> {
    const auto d = metric().dist_at(*q, a, b);
    const V f = V(Scalar(-2)) * k * d.d;
    return {V(Scalar(0.5)) * f * d.d, V(Scalar(-2)) * f * d.dd2, f * d.dna, f * d.dnb,
            f * d.dc};
  }
};

template <class M>
NegDist(M) -> NegDist<M>;
template <class M>
NegDist2(M) -> NegDist2<M>;
template <detail::NotMetric M>
NegDist(M) -> NegDist<typename detail::NoMetric<M>::type>;
template <detail::NotMetric M>
NegDist2(M) -> NegDist2<typename detail::NoMetric<M>::type>;

}  // namespace hcl::inline HCL_ABI
