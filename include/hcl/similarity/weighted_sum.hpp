// hcl/similarity/weighted_sum.hpp - two similarities in one logit.
#pragma once

#include <algorithm>
#include <array>

#include "hcl/core/simd.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// s(x, y) = p s1(x, y) + q s2(x, y), on the same rows. The mixed logit of HypMix is
/// p = 1/tau_e with the cosine, q = lambda/tau_h with minus the ball's distance, and a
/// loss of temperature 1. The gradient by c is that of a curvature which both share; a
/// part without curvature adds nothing to it.
template <Similarity S1, Similarity S2>
  requires std::same_as<typename S1::Scalar, typename S2::Scalar>
class WeightedSum {
 public:
  using Scalar = typename S1::Scalar;
  static constexpr bool tiled = GramSimilarity<S1> && GramSimilarity<S2>;
  static constexpr int row_size = tiled ? S1::row_size + S2::row_size : 0;

  /// @throws std::invalid_argument unless both weights are finite.
  WeightedSum(Scalar p, S1 s1, Scalar q, S2 s2) : p_{p}, q_{q}, s1_{s1}, s2_{s2} {
    expect(is_finite(p) && is_finite(q), "WeightedSum: weights ", p, ", ", q,
           " must be finite");
  }

  [[nodiscard]] Scalar value(Point<Scalar> x, Point<Scalar> y) const {
    return p_ * s1_.value(x, y) + q_ * s2_.value(x, y);
  }
  void vjp(Point<Scalar> x, Point<Scalar> y, Scalar g, Grad<Scalar> gx, Grad<Scalar> gy,
           Scalar& gc) const {
    s1_.vjp(x, y, p_ * g, gx, gy, gc);
    s2_.vjp(x, y, q_ * g, gx, gy, gc);
  }
  void check_row(const char* where, const char* arg, Index row, double n) const {
    s1_.check_row(where, arg, row, n);
    s2_.check_row(where, arg, row, n);
  }

  [[nodiscard]] auto row_stat(double n) const requires(tiled) {
    std::array<double, std::size_t(row_size)> out{};
    const auto a = s1_.row_stat(n);
    const auto b = s2_.row_stat(n);
    std::copy(a.begin(), a.end(), out.begin());
    std::copy(b.begin(), b.end(), out.begin() + S1::row_size);
    return out;
  }
  template <class V>
  HCL_INLINE GramLogit<V> gram(const V& g, const V* a, const V* b) const requires(tiled) {
    const V p(p_), q(q_);
    const auto u = s1_.gram(g, a, b);
    const auto v = s2_.gram(g, a + S1::row_size, b + S1::row_size);
    return {p * u.s + q * v.s,     p * u.dg + q * v.dg, p * u.dna + q * v.dna,
            p * u.dnb + q * v.dnb, p * u.dc + q * v.dc, vmin(u.margin, v.margin)};
  }

 private:
  Scalar p_, q_;
  S1 s1_;
  S2 s2_;
};

}  // namespace hcl::inline HCL_ABI
