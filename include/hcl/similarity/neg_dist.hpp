// hcl/similarity/neg_dist.hpp - minus the distance, and minus its square.
#pragma once

#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = -d(x, y). Its gradient at x = y is defined as 0.
template <Metric M>
class NegDist {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = detail::row_size_of<M>();

  explicit NegDist(M metric) : metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    return -metric_.dist(x, y);
  }
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar& gc) const {
    metric_.dist_vjp(x, y, -g, gx, gy, gc);
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_metric_row(metric_, where, arg, row, n);
  }

  [[nodiscard]] auto row_stat(double n) const requires GramMetric<M> {
    return metric_.row_stat(n);
  }
  template <class V>
  HCL_INLINE GramLogit<V> gram(const V& g, const V* a,
                               const V* b) const requires GramMetric<M> {
    const auto d = metric_.gram_dist(g, a, b);
    return {-d.d, -d.dg, -d.dna, -d.dnb, -d.dc, d.margin};
  }

 private:
  M metric_;
};

/// s(x, y) = -d(x, y)^2, smooth everywhere.
template <Metric M>
class NegDist2 {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = detail::row_size_of<M>();

  explicit NegDist2(M metric) : metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    const Scalar d = metric_.dist(x, y);
    return -(d * d);
  }
  /// -2 d dd/dx: both factors vanish together at x = y, where the product is 0.
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar& gc) const {
    metric_.dist_vjp(x, y, -Scalar(2) * g * metric_.dist(x, y), gx, gy, gc);
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    detail::check_metric_row(metric_, where, arg, row, n);
  }

  [[nodiscard]] auto row_stat(double n) const requires GramMetric<M> {
    return metric_.row_stat(n);
  }
  template <class V>
  HCL_INLINE GramLogit<V> gram(const V& g, const V* a,
                               const V* b) const requires GramMetric<M> {
    const auto d = metric_.gram_dist(g, a, b);
    const V f = V(Scalar(-2)) * d.d;
    return {-d.d * d.d, f * d.dg, f * d.dna, f * d.dnb, f * d.dc, d.margin};
  }

 private:
  M metric_;
};

}  // namespace hcl::inline HCL_ABI
