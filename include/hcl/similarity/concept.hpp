// hcl/similarity/concept.hpp - what a loss may ask of a similarity.
#pragma once

#include <array>
#include <concepts>
#include <span>

#include "hcl/core/math.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// A symmetric number s(x, y) for two points, larger for closer ones, and its
/// derivatives:
///   value(x, y) = s(x, y) = s(y, x);
///   vjp(x, y, g, gx, gy, gc) adds g ds/dx to gx, g ds/dy to gy, and g ds/dc to gc;
///   check_row(where, arg, row, n) throws std::invalid_argument if a row with n = |x|^2
///   is no valid point.
/// All pure but for the outputs, so threads may share one S. These are enough for every
/// loss, pair by pair.
template <class S>
concept Similarity = std::copyable<S> &&
    requires(const S& s, Point<typename S::Scalar> x, typename S::Scalar g,
             Grad<typename S::Scalar> gx, typename S::Scalar& gc) {
  { s.value(x, x) } -> std::same_as<typename S::Scalar>;
  { s.vjp(x, x, g, gx, gx, gc) } -> std::same_as<void>;
  s.check_row("", "", Index{0}, 0.0);
};

/// A similarity on lanes V: value and total derivatives by g = <x, y>, n_a = |x|^2,
/// n_b = |y|^2 and c.
template <class V>
struct GramLogit {
  V s, dg, dna, dnb, dc;
};

/// A similarity that runs on the tiled kernel. The members are those of GramMetric, with
/// s in place of d and with `chords` numbers for a pair in place of one Q; its chord may
/// use g = <x, y> as well as d2 = |x - y|^2.
template <class S>
concept GramSimilarity = Similarity<S> &&
    requires(const S& s, Point<typename S::Scalar> x, double n, typename S::Scalar g,
             const typename S::Scalar* a) {
  requires(S::row_size > 0 && S::chords > 0);
  { s.row_stat(n) } -> std::same_as<std::array<double, std::size_t(S::row_size)>>;
  {
    s.chord(x, x)
    } -> std::same_as<std::array<Wide<typename S::Scalar>, std::size_t(S::chords)>>;
  {
    s.chord_at(g, g, a, a)
    } -> std::same_as<std::array<typename S::Scalar, std::size_t(S::chords)>>;
  { s.margin(a, a, a) } -> std::same_as<typename S::Scalar>;
  { s.margin_at(a, a, a) } -> std::same_as<typename S::Scalar>;
  { s.logit_at(a, a, a) } -> std::same_as<GramLogit<typename S::Scalar>>;
  { s.wide() } -> Similarity;
};

namespace detail {

/// The part of a GramSimilarity whose chord is <x, y> itself: no lane of it loses digits
/// that a difference would keep.
template <class T>
struct InnerChord {
  static constexpr int chords = 1;
  [[nodiscard]] std::array<Wide<T>, 1> chord(Point<T> x, Point<T> y) const {
    return {dot<T>(x, y)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> chord_at(const V& g, const V&, const V*,
                                                     const V*) const {
    return {g};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin(const V*, const V*, const V*) const {
    return V(T(1));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V margin_at(const V*, const V*, const V*) const {
    return V(T(1));
  }
};

template <class M>
constexpr int row_size_of() {
  if constexpr (GramMetric<M>)
    return M::row_size;
  else
    return 0;
}

/// A metric of the user's own need not check its rows; then only finiteness is asked.
template <class M>
void check_metric_row(const M& m, const char* where, const char* arg, Index row,
                      double n) {
  if constexpr (requires { m.check_row(where, arg, row, n); })
    m.check_row(where, arg, row, n);
  else
    expect(is_finite(n), where, ": ", arg, ", row ", row, ": |x|^2 = ", n,
           " is not finite");
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
