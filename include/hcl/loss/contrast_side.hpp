// hcl/loss/contrast_side.hpp - one side of a softmax over similarities, and the weights
// of its pairs in the backward pass.
#pragma once

#include <algorithm>
#include <cstddef>

#include "hcl/core/exp_log.hpp"
#include "hcl/loss/loss_rows.hpp"
#include "hcl/pairwise/gram_rows.hpp"

namespace hcl::inline HCL_ABI::detail {

/// Where the running maximum of an anchor begins, below every logit and above the mask;
/// minus this is the top of rows that are no anchors, whose weights are exp of it: 0.
template <class T>
inline constexpr T no_top = masked_logit<T> / T(2);

/// How an anchor treats its positives (Khosla et al. 2020, arXiv:2004.11362, eq. 2 and
/// 3): mean of the logarithms, or logarithm of the mean; with one positive they are
/// equal.
enum class Positives { one, outside, inside };

/// One side of the logits l_ij = s(x_i, y_j)/tau: its rows, their group, their part as
/// anchors. A pair is positive where the groups are equal. Groups are kept as T: exact to
/// 2^24 in float.
template <Similarity S>
struct ContrastSide {
  using T = typename S::Scalar;
  ContrastSide(const S& s, const LossRows<S>& x, const T* centre, Workspace& ws)
      : of{x}, rows(s, x.rows(), centre, ws) {
    const auto padded = static_cast<std::size_t>(rows.padded_rows());
    for (T** p :
         {&group, &share, &positive_share, &top, &sum, &positive_top, &positive_sum})
      *p = ws.take<T>(padded), std::fill_n(*p, padded, T(0));
    std::fill_n(group, padded, T(-1));
    for (T* p : {top, positive_top}) std::fill_n(p, padded, no_top<T>);
    if constexpr (!BoundedSimilarity<S>) {
      beyond = ws.take<T>(padded);
      std::fill_n(beyond, padded, T(0));
    }
  }
  /// Row i is in this group, has this many positives, and a share of the mean as an
  /// anchor.
  void set(Index i, T g, Index positives, T weight) {
    group[i] = g;
    if (positives == 0) return;
    anchors = true;
    share[i] = weight;
    positive_share[i] = weight / T(positives);
  }

  const LossRows<S>& of;
  GramRows<S> rows;
  bool anchors = false;  // there are some
  T* group;
  T *share, *positive_share;  // of the anchor in the mean; afterwards factors of the
                              // weights
  T *top, *sum;  // a number near the maximum of l and the sum of exp(l - top): outside:
                 // of all candidates, otherwise of those that are no positives
  T *positive_top, *positive_sum;  // inside: the same of the positives; one and outside:
                                   // (unused, sum of l)
  T* beyond = nullptr;  // where S is not bounded: a logit that is too large, or 0
};

/// dL/dl of the pairs of a tile, by row and lanes: what either side wants of the pair as
/// an anchor. By value, like GramRows::Numbers.
template <Similarity S, Positives positives>
class ContrastWeight {
 public:
  using T = typename S::Scalar;
  using V = Pack<T>;
  using Side = ContrastSide<S>;

  /// Rows of x from i0, of y from j0. With one_top all anchors have the top `top`.
  ContrastWeight(const Side& x, Index i0, const Side& y, Index j0, bool one_top, T top)
      : x_{x, i0}, y_{y, j0}, one_top_{one_top}, top_{top} {}

  /// The function of (l, j) for row i.
  HCL_INLINE auto operator()(Index i) const {
    const V zero(T(0)), group(x_.group[i]), share(x_.share[i]), top(x_.top[i]),
        minus_positive(-x_.positive_share[i]), positive_top(x_.positive_top[i]),
        top_of_all(top_);
    const Numbers y = y_;
    const bool one_top = one_top_;
    return [=](const V& l, Index j) HCL_INLINE_LAMBDA {
      const auto same = group == vload<V>(y.group + j);
      const V share_j = vload<V>(y.share + j), top_j = vload<V>(y.top + j),
              positive_j = vload<V>(y.positive_share + j);
      if constexpr (positives == Positives::inside) {
        const V positive_top_j = vload<V>(y.positive_top + j);
        return vselect(same, minus_positive, share) *
                   below(l, vselect(same, positive_top, top)) +
               vselect(same, V(zero - positive_j), share_j) *
                   below(l, vselect(same, positive_top_j, top_j));
      } else {
        const V w = one_top ? V(share + share_j) * below(l, top_of_all)
                            : V(share * below(l, top) + share_j * below(l, top_j));
        if constexpr (positives == Positives::one)
          return vselect(same, V(minus_positive - positive_j), w);
        else
          return w + vselect(same, V(minus_positive - positive_j), zero);
      }
    };
  }

 private:
  /// exp(l - top), of no logit above it more than 1, whatever the last digits of large
  /// ones.
  static HCL_INLINE V below(const V& l, const V& top) {
    return vexp_negative(vmin(V(l - top), V(T(0))));
  }
  struct Numbers {
    const T *group, *share, *top, *positive_share, *positive_top;
    Numbers(const Side& side, Index first)
        : group{side.group + first},
          share{side.share + first},
          top{side.top + first},
          positive_share{side.positive_share + first},
          positive_top{side.positive_top + first} {}
  };
  Numbers x_, y_;
  bool one_top_;
  T top_;
};

}  // namespace hcl::inline HCL_ABI::detail
