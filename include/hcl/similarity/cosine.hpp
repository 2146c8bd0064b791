// hcl/similarity/cosine.hpp - the cosine of the angle under which the origin sees two
// points.
#pragma once

#include <cmath>
#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = <x, y> / (|x| |y|). In the ball and in Lorentz coordinates logmap0 is
/// radial, so this is the cosine of the tangent vectors at the origin as well: the same
/// rows serve cosine and distance. M says which rows are valid; a zero row throws, and
/// one whose |x|^2 is below the smallest normal number.
template <Metric M>
class Cosine : public detail::InnerChord<typename M::Scalar> {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = 2;

  explicit Cosine(M metric) : metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    using std::sqrt;
    return Scalar(dot<Scalar>(x, y) / (sqrt(norm2<Scalar>(x)) * sqrt(norm2<Scalar>(y))));
  }
  /// ds/dx = (y/|y| - s x/|x|)/|x|.
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar&) const {
    using std::sqrt;
    using W = Wide<Scalar>;
    const W rx = W(1) / sqrt(norm2<Scalar>(x)), ry = W(1) / sqrt(norm2<Scalar>(y));
    const W s = dot<Scalar>(x, y) * rx * ry;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const W u = W(x[i]) * rx, v = W(y[i]) * ry;
      gx[i] += Scalar(W(g) * rx * (v - s * u));
      gy[i] += Scalar(W(g) * ry * (u - s * v));
    }
  }
  void check_row(const char* where, const char* arg, Index row, Point<Scalar> x,
                 double n) const {
    detail::check_metric_row(metric_, where, arg, row, x, n);
    expect(n > 0, where, ": ", arg, " row ", row, " is zero and has no direction");
    expect(n >= double(std::numeric_limits<Scalar>::min()), where, ": ", arg, " row ",
           row, ": |x|^2 = ", n, " is too small for the scalar type");
  }

  [[nodiscard]] double largest(double, double) const { return 1; }

  [[nodiscard]] std::array<double, 2> row_stat(const RowNorms& r) const {
    return {r.n, 1 / std::sqrt(r.n)};
  }
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return Cosine<decltype(metric_.wide())>{metric_.wide()};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* g, const V* a, const V* b,
                                                 const V& k) const {
    const V r = k * V(a[1] * b[1]), s = *g * r, half(Scalar(-0.5));
    return {vcopy(s), vcopy(r), half * s * a[1] * a[1], half * s * b[1] * b[1],
            V(Scalar(0))};
  }

 private:
  M metric_;
};

}  // namespace hcl::inline HCL_ABI
