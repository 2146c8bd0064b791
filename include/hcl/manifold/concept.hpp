// hcl/manifold/concept.hpp - what a geometry is: three concepts and the laws they stand
// for.
//
// One idea carries all distances here: d = 2 sqrt(Q) F(kappa Q), F(w) = asinh(sqrt
// w)/sqrt w, where Q(x, y) is a quotient of squares that does not cancel and -kappa the
// curvature:
//   Poincare ball  Q = |x-y|^2 / ((1-c|x|^2)(1-c|y|^2)),       kappa = c,  d -> 2|x-y| as
//   c -> 0 Lorentz        Q = (|x-y|^2 - (t_x-t_y)^2)/4, t = sqrt(1/c+|x|^2), kappa = c,
//   d -> |x-y| Euclidean      Q = |x-y|^2/4,                               kappa = 0
// and on the sphere arcsin takes asinh's place. See chord.hpp.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

/// Answer of is_on_manifold: why not, and the number that shows it.
struct OnManifold {
  bool ok = true;
  const char* reason = "";
  double value = 0;
  explicit operator bool() const { return ok; }
};

/// The scalar of a geometry.
template <class M>
using ScalarOf = typename M::Scalar;

/// A distance and its vector-Jacobian product: enough for every loss, pair by pair.
/// Laws (testing/manifold_laws.hpp checks them):
///   dist(x,y) >= 0, dist(x,y) = dist(y,x), dist(x,x) = 0, dist(x,z) <= dist(x,y) +
///   dist(y,z); dist_vjp(x, y, g, gx, gy, gc) adds g*d dist/dx to gx, g*d dist/dy to gy,
///   g*d dist/dc to gc, and adds 0 at coincident points. A geometry without a curvature
///   leaves gc alone.
/// What the two throw comes out of the batch call, the same for any number of threads. A
/// loss has touched no output when dist throws, and may have when dist_vjp does, as any
/// map or matrix whose output is under way.
template <class M>
concept Metric = requires(const M& m, Point<ScalarOf<M>> x, const ScalarOf<M>& g,
                          Grad<ScalarOf<M>> gx, ScalarOf<M>& gc) {
  { m.dist(x, x) } -> std::convertible_to<ScalarOf<M>>;
  m.dist_vjp(x, x, g, gx, gx, gc);
};

namespace detail {

/// The optional constants of GramMetric and GramSimilarity.
template <class M>
inline constexpr bool scale_free = requires {
  requires bool(M::scale_free);
};
/// Of a sum of several, whether a part is.
template <class M>
inline constexpr bool partly_scale_free = scale_free<M> || requires {
  requires bool(M::partly_scale_free);
};
template <class M>
inline constexpr bool sharp_differences = requires {
  requires bool(M::sharp_differences);
};

}  // namespace detail

/// k d of a pair on lanes V (SIMD or a scalar), with its derivatives by d2 = |x_a -
/// x_b|^2, by n_a = |x_a|^2 and n_b (through all of the rows' numbers), by c.
template <class V>
struct GramDist {
  V d, dd2, dna, dnb, dc;
};

/// A row x of a batch with the centre m, from which its products are taken: |x|^2,
/// |x - m|^2 with x - m as it was rounded, <x, m>, |m|^2, and what |x|^2 lost by being
/// rounded to n.
struct RowNorms {
  double n, from_centre, along = 0, centre = 0, rest = 0;
};

/// Smallest |x_a - x_b|^2 / (|x_a - m|^2 + |x_b - m|^2), or what takes its place in a
/// geometry's gram_margin, that a Gram matrix in T may resolve. In float the error of d
/// is then below 1e-6 with the probability that docs/accuracy.md states, in double it is
/// below 1e-12.
template <class T>
inline constexpr T gram_theta = T(1.0 / 64);
template <>
inline constexpr float gram_theta<float> = 1.0f / 4;

/// How many times smaller than gram_margin asks a chord may be for a gradient that goes
/// through products of T.
template <class T>
inline constexpr T gram_reach = T(64);

/// A Metric that is a function of the Gram matrix, and so runs on the tiled kernel. It
/// says its distance in two steps: the chord Q of a pair, in which digits may cancel, and
/// d as a function of Q, in which none do. `On lanes' is a template over V: V is T or a
/// vector of T, for which core/simd.hpp has vsqrt, vselect and the like; q, k are V, and
/// a, b the rows' numbers, const V*.
///   row_stat(norms) the row_size numbers that a row contributes to its pairs;
///   chord(x, y)     Q from two points, to the last digits, in Wide<T>;
///   gram_chord(g, a, b)   Q on lanes from g = <x_a - m, x_b - m> and the rows' numbers;
///   gram_margin(q, a, b)  > 0: that Q, of a g in T, kept its digits;
///   diff_chord(d2, a, b)  Q on lanes from d2 = |x_a - x_b|^2, summed by differences;
///   diff_margin(q, a, b)  > 0: that Q keeps them in double;
///   dist_at(q, a, b, k)   k d and its derivatives on lanes; those are 0 at q = 0 in
///                         double; k is any number, 1 if it is not given, and the same
///                         for many pairs;
///   root_at(q), dist_from(root, q, a, b, k)  only where dist_at begins with a long
///                   root: the two halves of it, which many pairs take one after another;
///   own(a, b)       only where it cancels: 1 + dna/dd2;
///   radial(q, a, b) only where the metric at a row enlarges what is along it, and with
///                   it the rounding errors of a gradient: <x_a, own x_a - x_b> and the
///                   same of b, which
///                   counts for rows with trusts_radial(|x_a|^2);
///   scale_free      a constant, true where only the directions of rows count: the
///                   kernel then scales every row to length 1;
///   sharp_differences  a constant, true where diff_chord and the numbers of the rows
///                   keep the digits of doubles too, not only those of floats;
///   largest_dist(na, nb)  only where the losses need not look at every logit: at least
///                   d of all rows with |x_a|^2 <= na, |x_b|^2 <= nb; infinity if T
///                   cannot hold their Q;
///   wide()          the same geometry over Wide<T>;
///   check_row       throws std::invalid_argument naming argument, row and value for a
///                   row that no distance is defined for.
/// A chord that is not of differences alone, Q - 1 beyond a quarter of the sphere, is
/// negative.
/// Laws, for any centre m: dist_at(chord(x, y)) agrees with dist, and 2 dd2 (x-y) +
/// 2 dna x, 2 dd2 (y-x) + 2 dnb y, dc with dist_vjp; gram_chord agrees with chord
/// wherever gram_margin > 0, diff_chord wherever diff_margin > 0; own and radial are what
/// is said of them.
template <class M>
concept GramMetric = Metric<M> && requires(const M& m, Point<ScalarOf<M>> x, double n,
                                           const ScalarOf<M>& q, const ScalarOf<M>* a) {
  {
    m.row_stat(RowNorms{})
    } -> std::same_as<std::array<double, std::size_t(M::row_size)>>;
  m.check_row("where", "argument", Index(0), n);
  { m.chord(x, x) } -> std::same_as<Wide<ScalarOf<M>>>;
  { m.gram_chord(q, a, a) } -> std::same_as<ScalarOf<M>>;
  { m.gram_margin(q, a, a) } -> std::same_as<ScalarOf<M>>;
  { m.diff_chord(q, a, a) } -> std::same_as<ScalarOf<M>>;
  { m.diff_margin(q, a, a) } -> std::same_as<ScalarOf<M>>;
  { m.dist_at(q, a, a) } -> std::same_as<GramDist<ScalarOf<M>>>;
  { m.dist_at(q, a, a, q) } -> std::same_as<GramDist<ScalarOf<M>>>;
  { m.wide().c() } -> std::convertible_to<Wide<ScalarOf<M>>>;
};

/// A Metric with the rest of Riemannian geometry, for optimisers and heads. c() is the
/// magnitude of the curvature, 0 for a flat one. Every `out` may be the very span of an
/// input. Laws: expmap(x, logmap(x,y)) = y; norm(x, logmap(x,y)) = dist(x,y); dist2 =
/// dist^2;
///   expmap0, logmap0, dist0 are these at the origin, dist0(expmap0(v)) =
///   origin_scale()*|v|; inner(y, P u, P v) = inner(x, u, v) for P =
///   parallel_transport(x, y, .); inner(x, egrad2rgrad(x,g), v) = <g, v> for tangent v;
///   project and project_tangent are idempotent and end on the manifold, in the tangent
///   space; retract(x, t v) = expmap(x, t v) + O(t^2).
template <class M>
concept Manifold = Metric<M> &&
    requires(const M& m, Point<ScalarOf<M>> x, const ScalarOf<M>& g,
             Grad<ScalarOf<M>> out, ScalarOf<M>& gc) {
  { m.c() } -> std::convertible_to<ScalarOf<M>>;
  { m.origin_scale() } -> std::convertible_to<ScalarOf<M>>;
  { m.dist2(x, x) } -> std::convertible_to<ScalarOf<M>>;
  { m.dist0(x) } -> std::convertible_to<ScalarOf<M>>;
  { m.inner(x, x, x) } -> std::convertible_to<ScalarOf<M>>;
  { m.norm(x, x) } -> std::convertible_to<ScalarOf<M>>;
  { m.is_on_manifold(x) } -> std::same_as<OnManifold>;
  m.expmap(x, x, out);
  m.logmap(x, x, out);
  m.expmap0(x, out);
  m.logmap0(x, out);
  m.parallel_transport(x, x, x, out);
  m.egrad2rgrad(x, x, out);
  m.project(x, out);
  m.project_tangent(x, x, out);
  m.retract(x, x, out);
};

/// A Manifold whose maps at the origin and squared distance have vector-Jacobian products
/// too.
template <class M>
concept TrainableManifold = Manifold<M> &&
    requires(const M& m, Point<ScalarOf<M>> x, const ScalarOf<M>& g, Grad<ScalarOf<M>> gx,
             ScalarOf<M>& gc) {
  m.dist2_vjp(x, x, g, gx, gx, gc);
  m.expmap0_vjp(x, x, gx, gc);
  m.logmap0_vjp(x, x, gx, gc);
};

}  // namespace hcl::inline HCL_ABI
