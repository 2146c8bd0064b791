// hcl/similarity/neg_dist.hpp - minus the distance, and minus its square.
#pragma once

#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = -d(x, y). Its gradient at x = y is defined as 0.
template <Metric M>
class NegDist {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = detail::row_size_of<M>(), chords = 1;

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
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return NegDist<decltype(metric_.wide())>{metric_.wide()};
  }
  [[nodiscard]] std::array<Wide<Scalar>, 1> chord(
      Point<Scalar> x, Point<Scalar> y) const requires GramMetric<M> {
    return {metric_.chord(x, y)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> chord_at(
      const V&, const V& d2, const V* a, const V* b) const requires GramMetric<M> {
    return {metric_.chord_at(d2, a, b)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin(const V* q, const V* a,
                                    const V* b) const requires GramMetric<M> {
    return metric_.margin(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin_at(const V* q, const V* a,
                                       const V* b) const requires GramMetric<M> {
    return metric_.margin_at(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(
      const V* q, const V* a, const V* b) const requires GramMetric<M> {
    const auto d = metric_.dist_at(*q, a, b);
    return {-d.d, -d.dg, -d.dna, -d.dnb, -d.dc};
  }

 private:
  M metric_;
};

/// s(x, y) = -d(x, y)^2, smooth everywhere.
template <Metric M>
class NegDist2 {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = detail::row_size_of<M>(), chords = 1;

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
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return NegDist2<decltype(metric_.wide())>{metric_.wide()};
  }
  [[nodiscard]] std::array<Wide<Scalar>, 1> chord(
      Point<Scalar> x, Point<Scalar> y) const requires GramMetric<M> {
    return {metric_.chord(x, y)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> chord_at(
      const V&, const V& d2, const V* a, const V* b) const requires GramMetric<M> {
    return {metric_.chord_at(d2, a, b)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin(const V* q, const V* a,
                                    const V* b) const requires GramMetric<M> {
    return metric_.margin(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin_at(const V* q, const V* a,
                                       const V* b) const requires GramMetric<M> {
    return metric_.margin_at(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(
      const V* q, const V* a, const V* b) const requires GramMetric<M> {
    const auto d = metric_.dist_at(*q, a, b);
    const V f = V(Scalar(-2)) * d.d;
    return {-d.d * d.d, f * d.dg, f * d.dna, f * d.dnb, f * d.dc};
  }

 private:
  M metric_;
};

}  // namespace hcl::inline HCL_ABI
