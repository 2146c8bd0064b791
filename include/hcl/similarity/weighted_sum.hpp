// hcl/similarity/weighted_sum.hpp - two similarities in one logit.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "hcl/core/simd.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

template <class V, std::size_t N, std::size_t M>
HCL_INLINE std::array<V, N + M> join(const std::array<V, N>& a,
                                     const std::array<V, M>& b) {
  std::array<V, N + M> out{};
  std::copy(a.begin(), a.end(), out.begin());
  std::copy(b.begin(), b.end(), out.begin() + N);
  return out;
}

}  // namespace detail

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
  static constexpr int row_size = [] {
    if constexpr (tiled)
      return S1::row_size + S2::row_size;
    else
      return 0;
  }();
  static constexpr int chords = [] {
    if constexpr (tiled)
      return S1::chords + S2::chords;
    else
      return 1;
  }();
  static constexpr bool by_differences = [] {
    if constexpr (tiled)
      return S1::by_differences && S2::by_differences;
    else
      return false;
  }();

  static constexpr bool scale_free = detail::scale_free<S1> && detail::scale_free<S2>;
  static constexpr bool partly_scale_free =
      detail::partly_scale_free<S1> || detail::partly_scale_free<S2>;
  static constexpr bool sharp_differences =
      detail::sharp_differences<S1> && detail::sharp_differences<S2>;

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
  void check_row(const char* where, const char* arg, Index row, Point<Scalar> x,
                 double n) const {
    s1_.check_row(where, arg, row, x, n);
    s2_.check_row(where, arg, row, x, n);
  }
  /// Not less than a weight, which meets the temperature by itself.
  [[nodiscard]] double largest(double na, double nb) const
      requires(BoundedSimilarity<S1>&& BoundedSimilarity<S2>) {
    const auto part = [](Scalar weight, double s) {
      return std::abs(static_cast<double>(weight)) * (std::max)(s, 1.0);
    };
    return part(p_, s1_.largest(na, nb)) + part(q_, s2_.largest(na, nb));
  }

  [[nodiscard]] auto row_stat(const RowNorms& r) const requires(tiled) {
    return detail::join(s1_.row_stat(r), s2_.row_stat(r));
  }
  [[nodiscard]] auto wide() const requires(tiled) {
    using W = Wide<Scalar>;
    return WeightedSum<decltype(s1_.wide()), decltype(s2_.wide())>(W(p_), s1_.wide(),
                                                                   W(q_), s2_.wide());
  }
  [[nodiscard]] auto chord(Point<Scalar> x, Point<Scalar> y) const requires(tiled) {
    return detail::join(s1_.chord(x, y), s2_.chord(x, y));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE auto gram_chord(const V& g, const V* a, const V* b) const
      requires(tiled) {
    return detail::join(s1_.gram_chord(g, a, b),
                        s2_.gram_chord(g, a + S1::row_size, b + S1::row_size));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V* q, const V* a, const V* b) const
      requires(tiled) {
    return vmin(s1_.gram_margin(q, a, b),
                s2_.gram_margin(q + S1::chords, a + S1::row_size, b + S1::row_size));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE auto diff_chord(const V& d2, const V* a, const V* b) const
      requires(tiled) {
    return detail::join(s1_.diff_chord(d2, a, b),
                        s2_.diff_chord(d2, a + S1::row_size, b + S1::row_size));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V* q, const V* a, const V* b) const
      requires(tiled) {
    return vmin(s1_.diff_margin(q, a, b),
                s2_.diff_margin(q + S1::chords, a + S1::row_size, b + S1::row_size));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE GramLogit<V> logit_at(const V* q, const V* a, const V* b,
                                                 const V& k) const requires(tiled) {
    const auto u = same_terms(s1_, s1_.logit_at(q, a, b, V(k * V(p_))));
    const auto v = same_terms(s2_, s2_.logit_at(q + S1::chords, a + S1::row_size,
                                                b + S1::row_size, V(k * V(q_))));
    return {u.s + v.s, u.dg + v.dg, u.dna + v.dna, u.dnb + v.dnb, u.dc + v.dc};
  }

 private:
  /// At fixed g, as the sum has its derivatives, unless both parts go by differences.
  template <class S, class V>
  static HCL_INLINE GramLogit<V> same_terms(const S&, GramLogit<V> k) {
    if constexpr (S::by_differences && !by_differences) {
      const V half = V(Scalar(-0.5)) * k.dg;  // ds/dd2
      k.dna = k.dna + half, k.dnb = k.dnb + half;
    }
    return k;
  }
  Scalar p_, q_;
  S1 s1_;
  S2 s2_;
};

template <class P, class S1, class Q, class S2>
WeightedSum(P, S1, Q, S2) -> WeightedSum<typename detail::NoSimilarity<S1>::type,
                                         typename detail::NoSimilarity<S2>::type>;

}  // namespace hcl::inline HCL_ABI
