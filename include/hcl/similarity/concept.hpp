// hcl/similarity/concept.hpp - what a loss may ask of a similarity.
#pragma once

#include <array>
#include <concepts>
#include <span>

#include "hcl/core/coordinates.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// A symmetric number s(x, y) for two points, larger for closer ones, and its
/// derivatives:
///   value(x, y) = s(x, y) = s(y, x);
///   vjp(x, y, g, gx, gy, gc) adds g ds/dx to gx, g ds/dy to gy, and g ds/dc to gc;
///   check_row(where, arg, row, x, n) throws std::invalid_argument if x, a row with
///   n = |x|^2 finite, is no valid point.
/// All pure but for the outputs, so threads may share one S. These are enough for every
/// loss, pair by pair. One that has `largest` is a BoundedSimilarity as well.
template <class S>
concept Similarity = std::copyable<S> &&
    requires(const S& s, Point<typename S::Scalar> x, typename S::Scalar g,
             Grad<typename S::Scalar> gx, typename S::Scalar& gc) {
  { s.value(x, x) } -> std::same_as<typename S::Scalar>;
  { s.vjp(x, x, g, gx, gx, gc) } -> std::same_as<void>;
  s.check_row("", "", Index{0}, x, 0.0);
};

/// A similarity that says how large it gets: largest(na, nb) >= |s(x, y)| for all valid
/// |x|^2 <= na, |y|^2 <= nb, or infinity where the scalar cannot hold what s is made of.
/// A loss then refuses logits that are too large by the lengths of the rows alone; of any
/// other similarity it looks at every one.
template <class S>
concept BoundedSimilarity = Similarity<S> && requires(const S& s, double n) {
  { s.largest(n, n) } -> std::same_as<double>;
};

/// k s on lanes V of a similarity s, and its derivatives. dg is that by g = <x, y>, at
/// fixed |x|^2 and |y|^2; dna, dnb are those by n_a = |x|^2, n_b = |y|^2, at fixed |x -
/// y|^2 if it is one by differences, at fixed g otherwise; dc is that by c.
template <class V>
struct GramLogit {
  V s, dg, dna, dnb, dc;
};

/// A similarity that runs on the tiled kernel. The members are those of GramMetric, with
/// logit_at, k s, in place of dist_at, k d, and with `chords` numbers for a pair in place
/// of one Q. If it is one by_differences, of |x - y|^2 and numbers of the two rows, it
/// takes a Gram matrix of rows less any centre m; otherwise m is 0. `own`, `radial`
/// with `trusts_radial`, `root_at` with `logit_from`, `scale_free` and
/// `sharp_differences`, if there are any, are those of the metric.
template <class S>
concept GramSimilarity = Similarity<S> &&
    requires(const S& s, Point<typename S::Scalar> x, typename S::Scalar g,
             const typename S::Scalar* a) {
  requires(S::row_size > 0 && S::chords > 0);
  { S::by_differences } -> std::convertible_to<bool>;
  {
    s.row_stat(RowNorms{})
    } -> std::same_as<std::array<double, std::size_t(S::row_size)>>;
  {
    s.chord(x, x)
    } -> std::same_as<std::array<Wide<typename S::Scalar>, std::size_t(S::chords)>>;
  {
    s.gram_chord(g, a, a)
    } -> std::same_as<std::array<typename S::Scalar, std::size_t(S::chords)>>;
  { s.gram_margin(a, a, a) } -> std::same_as<typename S::Scalar>;
  {
    s.diff_chord(g, a, a)
    } -> std::same_as<std::array<typename S::Scalar, std::size_t(S::chords)>>;
  { s.diff_margin(a, a, a) } -> std::same_as<typename S::Scalar>;
  { s.logit_at(a, a, a, g) } -> std::same_as<GramLogit<typename S::Scalar>>;
  { s.wide() } -> Similarity;
};

namespace detail {

template <Similarity S>
inline constexpr bool by_differences = [] {
  if constexpr (GramSimilarity<S>)
    return bool(S::by_differences);
  else
    return false;
}();

// Deduction guides for what is no Similarity or no Metric say so in a sentence. They take
// types that would do as well: clang 14 asks for the constraints of a guide last.
template <class S>
concept NotSimilarity = !Similarity<S>;
/// A similarity is for copies.
template <class M>
concept NotMetric = !Metric<M> && !Similarity<M>;

template <class S>
struct NoSimilarity {
  static_assert(Similarity<S> || !Metric<S>,
                "hcl: a loss takes a similarity of a geometry; write NegDist{ball}, "
                "NegDist2{ball}, Cosine{ball} or Inner{ball} in place of ball");
  static_assert(Similarity<S> || Metric<S>,
                "hcl: a loss takes a similarity, with members value, vjp and check_row, "
                "as hcl/similarity/concept.hpp tells");
  using type = S;
};
template <class M>
struct NoMetric {
  static_assert(
      Similarity<M> || requires { typename M::Scalar; },
      "hcl: a geometry needs the member type Scalar");
  static_assert(
      Similarity<M> || requires(const M& m, Point<ScalarOf<M>> x) { m.dist(x, x); },
      "hcl: a geometry needs Scalar dist(Point<Scalar> x, Point<Scalar> y) const");
  static_assert(
      Similarity<M> || requires(const M& m, Point<ScalarOf<M>> x, ScalarOf<M> g,
                                Grad<ScalarOf<M>> gx) { m.dist_vjp(x, x, g, gx, gx, g); },
      "hcl: a geometry needs void dist_vjp(Point<Scalar> x, Point<Scalar> y, "
      "Scalar g, Grad<Scalar> gx, Grad<Scalar> gy, Scalar& gc) const");
  using type = M;
};

/// A metric with largest_dist(na, nb), what BoundedSimilarity asks for, of d.
template <class M>
concept BoundedMetric = requires(const M& m, double n) {
  { m.largest_dist(n, n) } -> std::same_as<double>;
};

/// A metric whose dist_at comes in two halves.
template <class M>
concept HasRoot = GramMetric<M> &&
    requires(const M& m, const ScalarOf<M>& q, const ScalarOf<M>* a) {
  m.dist_from(m.root_at(q), q, a, a, q);
};

template <class M>
constexpr int row_size_of() {
  if constexpr (GramMetric<M>)
    return M::row_size;
  else
    return 0;
}

/// By the metric's check_row or else its is_on_manifold; one that has neither takes any
/// finite row.
template <class M>
void check_metric_row(const M& m, const char* where, const char* arg, Index row,
                      Point<ScalarOf<M>> x, double n) {
  if constexpr (requires { m.check_row(where, arg, row, n); }) {
    m.check_row(where, arg, row, n);
  } else if constexpr (requires { m.is_on_manifold(x); }) {
    const OnManifold on = m.is_on_manifold(x);
    expect(on.ok, where, ": ", arg, " row ", row, ": ", on.reason, ", value ", on.value);
  }
}

/// The part of a GramSimilarity whose chord is <x, y> itself: no lane of it loses digits
/// that a difference would keep. Its row numbers begin with |x|^2.
template <class T>
struct InnerChord {
  static constexpr int chords = 1;
  static constexpr bool by_differences = false;
  [[nodiscard]] std::array<Wide<T>, 1> chord(Point<T> x, Point<T> y) const {
    return {dot<T>(x, y)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> gram_chord(const V& g, const V*,
                                                       const V*) const {
    return {g};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V*, const V*, const V*) const {
    return V(T(1));
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> diff_chord(const V& d2, const V* a,
                                                       const V* b) const {
    return {V(T(0.5)) * ((a[0] - d2) + b[0])};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V*, const V*, const V*) const {
    return V(T(1));
  }
};

/// The part of a GramSimilarity whose chord is that of the metric M, if M has one.
template <Metric M>
class MetricChord {
 public:
  using Scalar = typename M::Scalar;
  static constexpr int row_size = row_size_of<M>(), chords = 1;
  static constexpr bool by_differences = true;
  static constexpr bool scale_free = detail::scale_free<M>;
  static constexpr bool sharp_differences = detail::sharp_differences<M>;
  /// A gradient may go through products gram_reach times farther than a value.
  static constexpr bool reaches = true;

  explicit MetricChord(M metric) : metric_{metric} {}
  [[nodiscard]] const M& metric() const { return metric_; }
  void check_row(const char* where, const char* arg, Index row, Point<Scalar> x,
                 double n) const {
    check_metric_row(metric_, where, arg, row, x, n);
  }
  [[nodiscard]] auto row_stat(const RowNorms& r) const requires GramMetric<M> {
    return metric_.row_stat(r);
  }
  [[nodiscard]] std::array<Wide<Scalar>, 1> chord(
      Point<Scalar> x, Point<Scalar> y) const requires GramMetric<M> {
    return {metric_.chord(x, y)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> gram_chord(
      const V& g, const V* a, const V* b) const requires GramMetric<M> {
    return {metric_.gram_chord(g, a, b)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V* q, const V* a,
                                         const V* b) const requires GramMetric<M> {
    return metric_.gram_margin(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 1> diff_chord(
      const V& d2, const V* a, const V* b) const requires GramMetric<M> {
    return {metric_.diff_chord(d2, a, b)};
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V diff_margin(const V* q, const V* a,
                                         const V* b) const requires GramMetric<M> {
    return metric_.diff_margin(*q, a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V root_at(const V* q) const requires HasRoot<M> {
    return metric_.root_at(*q);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE V own(const V* a, const V* b) const
      requires(requires(const M& m) { m.own(a, b); }) {
    return metric_.own(a, b);
  }
  template <class V>
  [[nodiscard]] HCL_INLINE std::array<V, 2> radial(const V* q, const V* a,
                                                   const V* b) const
      requires(GramMetric<M>&& requires(const M& m) { m.radial(*q, a, b); }) {
    return metric_.radial(*q, a, b);
  }
  [[nodiscard]] bool trusts_radial(double n) const
      requires(requires(const M& m) { m.trusts_radial(n); }) {
    return metric_.trusts_radial(n);
  }

 private:
  M metric_;
};

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
