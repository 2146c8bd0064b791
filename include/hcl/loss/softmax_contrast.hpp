// hcl/loss/softmax_contrast.hpp - the softmax over similarities that every loss here is
// made of.
#pragma once

#include <algorithm>
#include <cmath>

#include "hcl/core/exp_log.hpp"
#include "hcl/loss/contrast_side.hpp"
#include "hcl/pairwise/gram_tiles.hpp"

namespace hcl::inline HCL_ABI {

/// What value_and_grad returns beside the gradients of the rows.
template <class T>
struct LossGrad {
  T value;             ///< the loss
  T grad_temperature;  ///< its derivative by the temperature
  T grad_c;            ///< its derivative by the curvature parameter c
  /// Pairs whose digits a Gram matrix in T could not hold, and that were evaluated from
  /// their rows: many where a batch collapses.
  Index reevaluated = 0;
  /// Zero rows that took no part, under ZeroRows::skip.
  Index skipped = 0;
};

namespace detail {

template <class T>
void check_temperature(const char* where, T tau) {
  expect(is_finite(tau) && tau > T(0) && is_finite(T(1) / tau), where, ": temperature ",
         tau, " must be finite and > 0, and so must 1/temperature");
}

/// L = sum_i share_i (lse_a l_ia - [mean_p l_ip | lse_p l_ip - log P_i]) over the anchors
/// of both sides. For a batch against itself the two sides are one and a row is no
/// candidate of its own.
///
/// A loss that is nearly 0 is the difference of two nearly equal terms. Therefore, but
/// for the mean of several logarithms, positives and others are summed apart: lse_a l_ia
/// - lse_p l_ip = softplus(lse_o l_io - lse_p l_ip).
template <Similarity S, Positives positives>
class SoftmaxContrast {
 public:
  using T = typename S::Scalar;
  using Side = ContrastSide<S>;

  SoftmaxContrast(const S& s, T tau, Side& x, Side& y, bool keep, Workspace& ws)
      : tau_{tau},
        most_{T(largest_logit(tau, x.of.count() + y.of.count()))},
        x_{x},
        y_{y},
        self_{&x == &y},
        tiles_(s, T(1) / tau, x.rows, y.rows, keep, ws) {}

  /// The loss; afterwards each side holds what ContrastWeight asks of its anchors.
  /// @throws std::invalid_argument if a logit or the loss is not finite or too large.
  T forward() {
    tiles_.forward([&](const Tile<T>& t) { reduce(t); });
    if constexpr (!BoundedSimilarity<S>)
      for (Index i = 0; i < x_.of.count(); ++i)
        if (!(x_.beyond[i] == T(0)))
          x_.of.refuse(i, "a logit, ", x_.beyond[i],
                       ", is not finite or too large for the scalar type");
    double loss = finish(x_);
    if (!self_) loss += finish(y_);
    if constexpr (positives != Positives::inside) share_top();
    expect(IsUnchecked<S> || is_finite(T(loss)), x_.of.where(), ": the loss, ", loss,
           ", is not finite or too large for the scalar type");
    return T(loss);
  }

  /// Adds to gx and gy, which are one for a batch against itself.
  /// @throws std::invalid_argument if a derivative by temperature or c is not finite.
  void backward(BatchOut<T> gx, BatchOut<T> gy, LossGrad<T>& out) {
    const auto weights = [&](const Tile<T>& t, int) {
      return ContrastWeight<S, positives>(x_, t.i0, y_, t.j0, one_top_, top_);
    };
    const TileSums sums = tiles_.backward(weights, gx, gy);
    out.grad_temperature = T(-sums.by_l / double(tau_));
    out.grad_c = T(sums.by_c);
    out.reevaluated = tiles_.reevaluated();
    expect(IsUnchecked<S> || (is_finite(out.grad_temperature) && is_finite(out.grad_c)),
           x_.of.where(), ": the gradient by temperature or c, ", out.grad_temperature,
           " or ", out.grad_c, ", is too large for the scalar type");
  }

 private:
  static constexpr Index step = lanes<T>;
  using V = Pack<T>;

  void reduce(const Tile<T>& t) {
    if constexpr (!BoundedSimilarity<S>) note_beyond(t);
    for (Index i = 0; i < t.rows; ++i) {
      T* const l = t.l + i * tile_size;
      if (t.diagonal) l[i] = masked_logit<T>;
      std::fill(l + t.cols, l + t.width(), masked_logit<T>);
    }
    if constexpr (positives != Positives::inside)
      if (!t.diagonal && y_.anchors && reduce_both(t)) return;
    reduce_rows(t.l, t.rows, t.width(), t.i0, t.j0);
    if (!t.diagonal && y_.anchors) reduce_columns(t.l, t.rows, t.cols, t.i0, t.j0);
  }

  /// Of each row the first logit that is too large, in the order of the tiles.
  void note_beyond(const Tile<T>& t) {
    for (Index i = 0; i < t.rows; ++i) {
      T& beyond = x_.beyond[t.i0 + i];
      for (Index j = t.diagonal ? i + 1 : 0; j < t.cols; ++j)
        if (const T l = t.l[i * tile_size + j];
            beyond == T(0) && !(l <= most_ && -l <= most_))
          beyond = l;
    }
  }

  /// Folds a tile into the sums of both its sides with one exponential a pair, of l less
  /// the tile's maximum; false if its logits are too far apart for that. Of an anchor's
  /// sum only that vanishes which is e^-27 times (in double: e^-108) what it met in the
  /// tile.
  bool reduce_both(const Tile<T>& tile) {
    const Tile<T> t = tile;
    const T *const groups = x_.group + t.i0, *const column_groups = y_.group + t.j0;
    constexpr T spread = sizeof(T) > sizeof(float) ? T(600) : T(60);
    const V zero(T(0)), none(masked_logit<T>);
    V most = none, least = zero - none;
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < t.cols; j += step) {
        const V v = vload<V>(t.l + i * tile_size + j);
        most = vmax(most, v), least = vmin(least, v);
      }
    const T top = vmax_lane(most);
    if (!(top + vmax_lane(V(zero - least)) <= spread)) return false;
    alignas(64) T row_sum[tile_size] = {}, row_pos[tile_size] = {};
    alignas(64) T column_sum[tile_size] = {}, column_pos[tile_size] = {};
    for (Index i = 0; i < t.rows; ++i) {
      const T* const li = t.l + i * tile_size;
      const V group(groups[i]);
      V sum = zero, pos = zero;
      for (Index j = 0; j < t.cols; j += step) {
        const V v = vload<V>(li + j);
        V e = vexp_negative(V(v - V(top)));
        const auto same = group == vload<V>(column_groups + j);
        if (positives == Positives::outside || vany(same)) {
          const V p = vselect(same, v, zero);
          pos = pos + p;
          vstore(column_pos + j, vload<V>(column_pos + j) + p);
          if constexpr (positives == Positives::one) e = vselect(same, zero, e);
        }
        sum = sum + e;
        vstore(column_sum + j, vload<V>(column_sum + j) + e);
      }
      row_sum[i] = vsum(sum), row_pos[i] = vsum(pos);
    }
    fold(x_, t.i0, t.rows, top, row_sum, row_pos);
    fold(y_, t.j0, t.cols, top, column_sum, column_pos);
    return true;
  }
  static void fold(Side& side, Index first, Index count, T tile_top, const T* sum,
                   const T* pos) {
    for (Index k = 0; k < count; k += step) {
      T* const tops = side.top + first + k;
      T* const sums = side.sum + first + k;
      T* const all_pos = side.positive_sum + first + k;
      const V old = vload<V>(tops), top = vmax(old, V(tile_top));
      vstore(tops, top);
      vstore(sums, vload<V>(sums) * vexp(old - top) +
                       vload<V>(sum + k) * vexp(V(tile_top) - top));
      vstore(all_pos, vload<V>(all_pos) + vload<V>(pos + k));
    }
  }

  /// A logit as the sum over candidates sees it.
  template <class Mask>
  static HCL_INLINE V candidate(const V& l, const Mask& same) {
    if constexpr (positives == Positives::outside)
      return l;
    else
      return vselect(same, V(masked_logit<T>), l);
  }

  /// Folds the rows of a tile of logits into the running sums of the row side.
  void reduce_rows(const T* l, Index rows, Index cols, Index i0, Index j0) {
    for (Index i = 0; i < rows; ++i) {
      const T* const li = l + i * tile_size;
      const V zero(T(0)), group(x_.group[i0 + i]), none(masked_logit<T>);
      V top(x_.top[i0 + i]);
      for (Index j = 0; j < cols; j += step)
        top =
            vmax(top, candidate(vload<V>(li + j), group == vload<V>(y_.group + j0 + j)));
      const T m = vmax_lane(top);
      V sum(T(0)), pos(T(0)), pos_top(x_.positive_top[i0 + i]);
      for (Index j = 0; j < cols; j += step) {
        const V v = vload<V>(li + j);
        const auto same = group == vload<V>(y_.group + j0 + j);
        sum = sum + vexp(candidate(v, same) - V(m));
        if constexpr (positives == Positives::inside)
          pos_top = vmax(pos_top, vselect(same, v, none));
        else
          pos = pos + vselect(same && v > none, v, zero);
      }
      if (m > x_.top[i0 + i]) {  // seldom, after the first tiles
        x_.sum[i0 + i] *= std::exp(x_.top[i0 + i] - m);
        x_.top[i0 + i] = m;
      }
      x_.sum[i0 + i] += vsum(sum);
      if constexpr (positives == Positives::inside) {
        const T pm = vmax_lane(pos_top);
        for (Index j = 0; j < cols; j += step) {
          const V v = vload<V>(li + j);
          pos =
              pos + vselect(group == vload<V>(y_.group + j0 + j), vexp(v - V(pm)), zero);
        }
        x_.positive_sum[i0 + i] *= std::exp(x_.positive_top[i0 + i] - pm);
        x_.positive_top[i0 + i] = pm;
      }
      x_.positive_sum[i0 + i] += vsum(pos);
    }
  }

  /// The same for the column side: y's anchors see the tile's columns.
  void reduce_columns(const T* l, Index rows, Index cols, Index i0, Index j0) {
    const V zero(T(0)), none(masked_logit<T>);
    for (Index j = 0; j < cols; j += step) {
      const V group = vload<V>(y_.group + j0 + j);
      const V old = vload<V>(y_.top + j0 + j),
              pos_old = vload<V>(y_.positive_top + j0 + j);
      V top = old, pos_top = pos_old;
      for (Index i = 0; i < rows; ++i) {
        const V v = vload<V>(l + i * tile_size + j);
        const auto same = group == V(x_.group[i0 + i]);
        top = vmax(top, candidate(v, same));
        if constexpr (positives == Positives::inside)
          pos_top = vmax(pos_top, vselect(same, v, none));
      }
      V sum = vload<V>(y_.sum + j0 + j) * vexp(old - top);
      V pos = vload<V>(y_.positive_sum + j0 + j);
      if constexpr (positives == Positives::inside) pos = pos * vexp(pos_old - pos_top);
      for (Index i = 0; i < rows; ++i) {
        const V v = vload<V>(l + i * tile_size + j);
        const auto same = group == V(x_.group[i0 + i]);
        sum = sum + vexp(candidate(v, same) - top);
        if constexpr (positives == Positives::inside)
          pos = pos + vselect(same, vexp(v - pos_top), zero);
        else
          pos = pos + vselect(same && v > none, v, zero);
      }
      vstore(y_.sum + j0 + j, sum);
      vstore(y_.top + j0 + j, top);
      vstore(y_.positive_sum + j0 + j, pos);
      vstore(y_.positive_top + j0 + j, pos_top);
    }
  }

  /// The share of one side in the loss; turns its running sums into what backward needs.
  /// Large numbers are subtracted before small ones are added: of logits of 1e18 with
  /// equal tops there is still the logarithm.
  double finish(Side& side) {
    double loss = 0;
    for (Index i = 0; i < side.rows.rows().rows(); ++i) {
      if (side.share[i] == T(0)) {  // no anchor: exp(l - top) is 0 in backward, for any l
        side.top[i] = side.positive_top[i] = -no_top<T>;
        continue;
      }
      const double share = double(side.share[i]), top = double(side.top[i]);
      const double log_sum = std::log(double(side.sum[i]));
      const double pos = double(side.positive_sum[i]);
      if constexpr (positives == Positives::outside) {
        const double count = std::round(share / double(side.positive_share[i]));
        loss += share * (log_sum + (top - pos / count));
        set_weight(side, i, share, log_sum);
      } else {
        double positive_sum = 1, x = log_sum + (top - pos);
        if constexpr (positives == Positives::inside) {
          positive_sum = pos;
          x = (log_sum - std::log(pos)) + (top - double(side.positive_top[i]));
          loss += share * std::log(share / double(side.positive_share[i]));
        }
        const double missed = share / (1 + std::exp(-x));
        loss += share * ((std::max)(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
        side.positive_share[i] = T(missed / positive_sum);
        set_weight(side, i, missed, log_sum);
      }
    }
    return loss;
  }

  /// share exp(l - top) = w exp(l - lse), 0 where there is nothing in the sum.
  static void set_weight(Side& side, Index i, double w, double log_sum) {
    const bool empty = !is_finite(log_sum);
    const double old = double(side.top[i]);
    side.top[i] = empty ? -no_top<T> : T(old + log_sum);
    side.share[i] = empty ? T(0) : T(w / std::exp(log_sum + (old - double(side.top[i]))));
  }

  /// Where the anchors' sums are within e^40 of the largest, takes that one's top for
  /// all: the two exponentials of a pair are then one. What vanishes by it is less than
  /// e^-47 of an anchor's weights.
  void share_top() {
    constexpr T most(40);
    T top = no_top<T>, least = -no_top<T>;
    const auto each = [&](const auto& f) {
      for (Side* side : {&x_, &y_}) {
        for (Index i = 0; i < side->rows.rows().rows(); ++i)
          if (side->share[i] != T(0)) f(*side, i);
        if (self_) break;
      }
    };
    each([&](const Side& side, Index i) {
      top = (std::max)(top, side.top[i]), least = (std::min)(least, side.top[i]);
    });
    one_top_ = top - least <= most;
    if (!one_top_) return;
    top_ = top;
    each(
        [&](const Side& side, Index i) { side.share[i] *= std::exp(top - side.top[i]); });
  }

  T tau_, most_;
  Side &x_, &y_;
  bool self_, one_top_ = false;
  T top_{};  // of all anchors, where one_top_
  GramTiles<S> tiles_;
};

/// The steps that all losses of a batch against itself share: rows, sums, gradients.
/// assign(side) sets groups and shares; g is null where only the value is wanted.
template <Positives positives, Similarity S, class Assign>
LossGrad<typename S::Scalar> contrast_self(const S& s, typename S::Scalar tau,
                                           const LossRows<S>& z,
                                           const BatchOut<typename S::Scalar>* g,
                                           Workspace& ws, const Assign& assign) {
  using T = typename S::Scalar;
  LossGrad<T> out{};
  out.skipped = z.skipped();
  if (z.count() == 0) {
    if (g) set_zero(*g);
    return out;
  }
  ContrastSide<S> side(s, z, centre_of<S>(z.rows(), z.rows(), ws), ws);
  assign(side);
  SoftmaxContrast<S, positives> contrast(s, tau, side, side, g != nullptr, ws);
  out.value = contrast.forward();
  if (g) {
    const auto sum = z.gradient(*g);
    contrast.backward(sum, sum, out);
    z.put("gz", sum, *g);
  }
  return out;
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
