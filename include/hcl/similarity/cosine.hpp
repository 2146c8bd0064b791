// hcl/similarity/cosine.hpp - the cosine of the angle under which the origin sees two
// points.
#pragma once

#include <cmath>
#include <limits>

#include "hcl/manifold/sphere.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = <x, y> / (|x| |y|) = 1 - 2Q, Q the chord of the sphere. In the ball and in
/// Lorentz coordinates logmap0 is radial, so this is the cosine of the tangent vectors at
/// the origin as well: the same rows serve cosine and distance. M says which rows are
/// valid; a zero row throws, and one whose |x|^2 is below the smallest normal number.
template <Metric M>
class Cosine : public detail::MetricChord<Sphere<typename M::Scalar>> {
  using Chord = detail::MetricChord<Sphere<typename M::Scalar>>;

 public:
  using Scalar = typename M::Scalar;
  static constexpr bool reaches = false;  // gram_margin has it

  explicit Cosine(M metric) : Chord{Sphere<Scalar>{}}, metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    using std::sqrt;
    return Scalar(dot<Scalar>(x, y) / (sqrt(norm2<Scalar>(x)) * sqrt(norm2<Scalar>(y))));
  }
  /// ds/dx = (y/|y| - s x/|x|)/|x|.
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar&) const {
    Chord::metric().cosine_vjp(x, y, g, gx, gy);
  }
  void check_row(const char* where, const char* arg, Index row, Point<Scalar> x,
                 double n) const {
    detail::check_metric_row(metric_, where, arg, row, x, n);
    expect(n > 0, where, ": ", arg, " row ", row, " is zero and has no direction");
    expect(n >= double((std::numeric_limits<Scalar>::min)()), where, ": ", arg, " row ",
           row, ": |x|^2 = ", n, " is too small for the scalar type");
  }

  [[nodiscard]] double largest(double, double) const { return 1; }
  [[nodiscard]] auto wide() const requires GramMetric<M> {
    return Cosine<decltype(metric_.wide())>{metric_.wide()};
  }
  /// Neither s nor its derivative by Q is steep at Q = 0, so a value has its digits from
  /// any Q, as long as the rows' lengths are not far apart, and a gradient as far as
  /// products reach.
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V* q, const V* a, const V* b) const {
    constexpr bool narrow = sizeof(Scalar) < sizeof(double);
    const V rounded = (a[0] + b[0]) * (a[4] * b[4]);
    return vmin(Chord::metric().gram_margin(
                    V(V(narrow ? gram_reach<Scalar> : Scalar(1)) * *q), a, b),
                V(V(Scalar(6)) - rounded));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* q, const V* a, const V* b,
                                                 const V& k) const {
    const V two(Scalar(2)), zero(Scalar(0));
    const auto [dd2, dna, dnb] = Sphere<Scalar>::by_numbers(V(zero - two * k), *q, a, b);
    const V s = vselect(*q < zero, k, V(zero - k)) + two * k * *q;
    return {V(zero - s), V(zero - two * dd2), vcopy(dna), vcopy(dnb), vcopy(zero)};
  }

 private:
  M metric_;
};

template <detail::NotMetric M>
Cosine(M) -> Cosine<typename detail::NoMetric<M>::type>;

}  // namespace hcl::inline HCL_ABI
