// hcl/loss/softmax_contrast.hpp - the softmax over similarities that every loss here is
// made of.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hcl/pairwise/gram_rows.hpp"
#include "hcl/pairwise/schedule.hpp"

namespace hcl::inline HCL_ABI {

/// What value_and_grad returns beside the gradients of the rows.
template <class T>
struct LossGrad {
  T value;             ///< the loss
  T grad_temperature;  ///< its derivative by the temperature
  T grad_c;            ///< its derivative by the curvature parameter c
};

namespace detail {

template <class T>
void check_temperature(const char* where, T tau) {
  expect(is_finite(tau) && tau > T(0), where, ": temperature ", tau,
         " must be finite and > 0");
}

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
  ContrastSide(const S& s, BatchIn<T> x, Workspace& ws) : rows(s, x, ws) {
    const auto padded = static_cast<std::size_t>(rows.blocks() * tile_size);
    for (T** p :
         {&group, &share, &positive_share, &top, &sum, &positive_top, &positive_sum})
      *p = ws.take<T>(padded), std::fill_n(*p, padded, T(0));
    corr = ws.take<double>(padded), std::fill_n(corr, padded, 0.0);
    std::fill_n(group, padded, T(-1));
    for (T* p : {top, positive_top}) std::fill_n(p, padded, masked_logit<T> / T(10));
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

  GramRows<S> rows;
  bool anchors = false;  // there are some
  T* group;
  T *share, *positive_share;  // of the anchor in the mean; afterwards factors of weight()
  T *top, *sum;  // running maximum of l and sum of exp(l - top); outside: all candidates,
                 // otherwise those that are no positives
  T *positive_top, *positive_sum;  // inside: the same of the positives; one and outside:
                                   // (unused, sum of l)
  double* corr;                    // sum_j dL/ds_ij ds_ij/dn_i
};

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
      : s_{s},
        tau_{tau},
        x_{x},
        y_{y},
        self_{&x == &y},
        schedule_{self_ ? Schedule::self(x.rows.blocks())
                        : Schedule::cross(x.rows.blocks(), y.rows.blocks())},
        threads_{max_threads()} {
    const auto tile = static_cast<std::size_t>(tile_size * tile_size);
    const auto t = static_cast<std::size_t>(threads_);
    grams_ = ws.take<T>(t * tile);
    logits_ = ws.take<T>(t * tile);
    flagged_ = ws.take<std::uint16_t>(t * tile);
    scalars_ = ws.take<double>(
        2 * static_cast<std::size_t>(schedule_.pairs_in_round(0) + x.rows.blocks()));
    if (keep && GramSimilarity<S>) {
      kept_ = std::min(schedule_.slots(), Index(ws.tile_bytes() / (tile * sizeof(T))));
      cache_ = ws.take<T>(static_cast<std::size_t>(kept_) * tile);
    }
  }

  /// The loss; afterwards each side holds what weight() asks of its anchors.
  T forward() {
    each_pair([&](Index slot, Index bi, Index bj, Index, int thread) {
      forward_tile(slot, bi, bj, thread);
    });
    double loss = finish(x_);
    if (!self_) loss += finish(y_);
    return T(loss);
  }

  /// Adds to gx and gy, which are one for a batch against itself.
  void backward(BatchOut<T> gx, BatchOut<T> gy, T& grad_tau, T& grad_c) {
    double by_tau = 0, by_c = 0;
    for (Index r = 0; r < schedule_.rounds(); ++r) {
      const Index n = schedule_.pairs_in_round(r);
      std::fill_n(scalars_, 2 * n, 0.0);
      each_pair_of_round(r, [&](Index slot, Index bi, Index bj, Index p, int thread) {
        backward_tile(slot, bi, bj, thread, gx, gy, scalars_ + 2 * p);
      });
      for (Index p = 0; p < n; ++p)
        by_tau += scalars_[2 * p], by_c += scalars_[2 * p + 1];
    }
    add_row_corrections(x_, gx);
    if (!self_) add_row_corrections(y_, gy);
    grad_tau = T(-by_tau / double(tau_));
    grad_c = T(by_c);
  }

 private:
  static constexpr Index step = lanes<T>;
  using V = Pack<T>;

  template <class F>
  void each_pair_of_round(Index r, const F& f) {
    parallel_for(schedule_.pairs_in_round(r), [&](Index p, int thread) {
      const auto pair = schedule_.pair(r, p);
      if (!pair.idle) f(schedule_.slot(r, p), pair.i, pair.j, p, thread);
    });
  }
  template <class F>
  void each_pair(const F& f) {
    for (Index r = 0; r < schedule_.rounds(); ++r) each_pair_of_round(r, f);
  }

  T* scratch(T* base, int thread) const { return base + thread * tile_size * tile_size; }
  bool kept(Index slot) const { return slot < kept_; }
  T* gram_at(Index slot, int thread) const {
    return kept(slot) ? cache_ + slot * tile_size * tile_size : scratch(grams_, thread);
  }
  bool diagonal(Index bi, Index bj) const { return self_ && bi == bj; }

  Point<T> row_x(Index i) const { return x_.rows.rows().row(i); }
  Point<T> row_y(Index j) const { return y_.rows.rows().row(j); }

  /// Notes the pairs of a tile whose lanes cannot be trusted; on the diagonal i < j only.
  struct Flags {
    std::uint16_t* at;
    Index count = 0;
    void add(Index i, Index j) { at[count++] = std::uint16_t(i * tile_size + j); }
  };

  Flags flags(int thread) const { return {flagged_ + thread * tile_size * tile_size}; }

  void flag_lanes(Flags& flags, const V& margin, Index i, Index j, Index cols,
                  bool diag) const {
    T m[std::size_t(step)];
    vstore(m, margin);
    for (Index l = 0; l < step && j + l < cols; ++l)
      if (!(m[l] > T(0)) && (!diag || i < j + l)) flags.add(i, j + l);
  }
  static void flag_all(Flags& flags, Index rows, Index cols, bool diag) {
    for (Index i = 0; i < rows; ++i)
      for (Index j = diag ? i + 1 : 0; j < cols; ++j) flags.add(i, j);
  }

  void forward_tile(Index slot, Index bi, Index bj, int thread) {
    const Index rows = x_.rows.count(bi), cols = y_.rows.count(bj);
    const Index i0 = x_.rows.first(bi), j0 = y_.rows.first(bj);
    const bool diag = diagonal(bi, bj);
    T* const l = scratch(logits_, thread);
    Flags flagged = flags(thread);
    const T scale = T(1) / tau_;
    if constexpr (GramSimilarity<S>) {
      T* const gram = gram_at(slot, thread);
      gram_tile(x_.rows, bi, y_.rows, bj, gram);
      for (Index i = 0; i < rows; ++i) {
        const auto a = x_.rows.template broadcast<V>(i0 + i);
        for (Index j = 0; j < cols; j += step) {
          const auto b = y_.rows.template load<V>(j0 + j);
          const auto p = s_.gram(vload<V>(gram + i * tile_size + j), a.data(), b.data());
          vstore(l + i * tile_size + j, p.s * V(scale));
          if (vany(p.margin <= V(T(0)))) flag_lanes(flagged, p.margin, i, j, cols, diag);
        }
      }
    } else {
      flag_all(flagged, rows, cols, diag);
    }
    for (Index f = 0; f < flagged.count; ++f) {
      const Index i = flagged.at[f] / tile_size, j = flagged.at[f] % tile_size;
      const T v = s_.value(row_x(i0 + i), row_y(j0 + j)) * scale;
      l[i * tile_size + j] = v;
      if (diag) l[j * tile_size + i] = v;
    }
    for (Index i = 0; i < rows; ++i) {
      if (diag) l[i * tile_size + i] = masked_logit<T>;
      std::fill(l + i * tile_size + cols, l + (i + 1) * tile_size, masked_logit<T>);
    }
    reduce_rows(l, rows, i0, j0);
    if (!diag && y_.anchors) reduce_columns(l, rows, cols, i0, j0);
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
  void reduce_rows(const T* l, Index rows, Index i0, Index j0) {
    for (Index i = 0; i < rows; ++i) {
      const T* const li = l + i * tile_size;
      const V zero(T(0)), group(x_.group[i0 + i]), none(masked_logit<T>);
      V top(x_.top[i0 + i]);
      for (Index j = 0; j < tile_size; j += step)
        top =
            vmax(top, candidate(vload<V>(li + j), group == vload<V>(y_.group + j0 + j)));
      const T m = vmax_lane(top);
      V sum(T(0)), pos(T(0)), pos_top(x_.positive_top[i0 + i]);
      for (Index j = 0; j < tile_size; j += step) {
        const V v = vload<V>(li + j);
        const auto same = group == vload<V>(y_.group + j0 + j);
        sum = sum + vexp(candidate(v, same) - V(m));
        if constexpr (positives == Positives::inside)
          pos_top = vmax(pos_top, vselect(same, v, none));
        else
          pos = pos + vselect(same && v > none, v, zero);
      }
      x_.sum[i0 + i] = x_.sum[i0 + i] * std::exp(x_.top[i0 + i] - m) + vsum(sum);
      x_.top[i0 + i] = m;
      if constexpr (positives == Positives::inside) {
        const T pm = vmax_lane(pos_top);
        for (Index j = 0; j < tile_size; j += step) {
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
  double finish(Side& side) {
    double loss = 0;
    for (Index i = 0; i < side.rows.rows().rows(); ++i) {
      if (side.share[i] == T(0)) {  // no anchor: exp(l - top) is 0 in backward, for any l
        side.top[i] = side.positive_top[i] = -masked_logit<T>;
        continue;
      }
      const double share = double(side.share[i]), sum = double(side.sum[i]);
      const double lse = double(side.top[i]) + std::log(sum);
      double pos = double(side.positive_sum[i]);
      if constexpr (positives == Positives::outside) {
        loss += share * lse - double(side.positive_share[i]) * pos;
        side.share[i] = T(share / sum);
      } else {
        double positive_sum = 1;
        if constexpr (positives == Positives::inside) {
          positive_sum = pos;
          pos = double(side.positive_top[i]) + std::log(positive_sum);
          loss += share * std::log(share / double(side.positive_share[i]));
        }
        const double x = lse - pos, missed = share / (1 + std::exp(-x));
        loss += share * (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
        side.positive_share[i] = T(missed / positive_sum);
        side.share[i] = sum > 0 ? T(missed / sum) : T(0);
      }
    }
    return loss;
  }

  /// dL/dl of a pair: what row i as an anchor and row j as an anchor want of it.
  template <class U, class Mask>
  HCL_INLINE U weight(const U& l, const Mask& same, Index i, const U& share_j,
                      const U& top_j, const U& positive_j,
                      const U& positive_top_j) const {
    U share_i(x_.share[i]), top_i(x_.top[i]), s_j(share_j), t_j(top_j);
    const U positive_i(x_.positive_share[i]);
    if constexpr (positives == Positives::inside) {
      share_i = vselect(same, U(T(0)) - positive_i, share_i);
      top_i = vselect(same, U(x_.positive_top[i]), top_i);
      s_j = vselect(same, U(T(0)) - positive_j, s_j);
      t_j = vselect(same, positive_top_j, t_j);
    }
    const U w = share_i * vexp(l - top_i) + s_j * vexp(l - t_j);
    if constexpr (positives == Positives::one)
      return vselect(same, U(T(0)) - (positive_i + positive_j), w);
    else if constexpr (positives == Positives::outside)
      return w - vselect(same, positive_i + positive_j, U(T(0)));
    else
      return w;
  }

  void backward_tile(Index slot, Index bi, Index bj, int thread, BatchOut<T> gx,
                     BatchOut<T> gy, double* scalars) {
    const Index rows = x_.rows.count(bi), cols = y_.rows.count(bj);
    const Index i0 = x_.rows.first(bi), j0 = y_.rows.first(bj);
    const bool diag = diagonal(bi, bj);
    Flags flagged = flags(thread);
    const T scale = T(1) / tau_;
    double by_tau = 0, by_c = 0;
    if constexpr (GramSimilarity<S>) {
      T* const h = gram_at(slot, thread);  // the Gram tile, overwritten by dL/dg
      if (!kept(slot)) gram_tile(x_.rows, bi, y_.rows, bj, h);
      alignas(64) T column_corr[tile_size] = {};
      alignas(64) T lane[tile_size];
      for (Index j = 0; j < tile_size; ++j) lane[j] = T(j);
      const V zero(T(0));
      V tau_sum(T(0)), c_sum(T(0));
      for (Index i = 0; i < rows; ++i) {
        const auto a = x_.rows.template broadcast<V>(i0 + i);
        const V group(x_.group[i0 + i]);
        V row_corr(T(0));
        for (Index j = 0; j < cols; j += step) {
          const auto b = y_.rows.template load<V>(j0 + j);
          const auto p = s_.gram(vload<V>(h + i * tile_size + j), a.data(), b.data());
          const V l = p.s * V(scale);
          V w = weight(l, group == vload<V>(y_.group + j0 + j), i0 + i,
                       vload<V>(y_.share + j0 + j), vload<V>(y_.top + j0 + j),
                       vload<V>(y_.positive_share + j0 + j),
                       vload<V>(y_.positive_top + j0 + j));
          auto drop = p.margin <= V(T(0));
          if (vany(drop)) flag_lanes(flagged, p.margin, i, j, cols, diag);
          drop = drop || vload<V>(lane + j) >= V(T(cols));
          if (diag) drop = drop || vload<V>(lane + j) == V(T(i));
          const V ws = w * V(scale);
          vstore(h + i * tile_size + j, vselect(drop, zero, ws * p.dg));
          row_corr = row_corr + vselect(drop, zero, ws * p.dna);
          vstore(column_corr + j,
                 vload<V>(column_corr + j) + vselect(drop, zero, ws * p.dnb));
          tau_sum = tau_sum + vselect(drop, zero, w * l);
          c_sum = c_sum + vselect(drop, zero, ws * p.dc);
        }
        x_.corr[i0 + i] += double(vsum(row_corr));
        if ((i & 7) == 7 ||
            i + 1 == rows) {  // short chains: the lanes sum in T, the rest in double
          by_tau += double(vsum(tau_sum)), by_c += double(vsum(c_sum));
          tau_sum = c_sum = zero;
        }
      }
      const auto x = x_.rows.rows(), y = y_.rows.rows();
      gemm(rows, x.cols(), cols, h, tile_size, Index{1}, y.data() + j0 * y.stride(),
           y.stride(), gx.data() + i0 * gx.stride(), gx.stride(), true);
      if (!diag) {
        gemm(cols, x.cols(), rows, h, Index{1}, tile_size, x.data() + i0 * x.stride(),
             x.stride(), gy.data() + j0 * gy.stride(), gy.stride(), true);
        for (Index j = 0; j < cols; ++j) y_.corr[j0 + j] += double(column_corr[j]);
      } else {
        by_tau /= 2, by_c /= 2;  // the diagonal tile met each pair twice
      }
    } else {
      flag_all(flagged, rows, cols, diag);
    }
    for (Index f = 0; f < flagged.count; ++f) {
      const Index i = i0 + flagged.at[f] / tile_size, j = j0 + flagged.at[f] % tile_size;
      const T l = s_.value(row_x(i), row_y(j)) * scale;
      const T w = weight(l, x_.group[i] == y_.group[j], i, y_.share[j], y_.top[j],
                         y_.positive_share[j], y_.positive_top[j]);
      T gc(0);
      s_.vjp(row_x(i), row_y(j), w * scale, gx.row(i), gy.row(j), gc);
      by_tau += double(w) * double(l), by_c += double(gc);
    }
    scalars[0] = by_tau, scalars[1] = by_c;
  }

  /// dn_i/dx_i = 2 x_i.
  static void add_row_corrections(const Side& side, BatchOut<T> g) {
    const auto x = side.rows.rows();
    parallel_for(x.rows(), [&](Index i) {
      const T k = T(2 * side.corr[i]);
      for (Index d = 0; d < x.cols(); ++d) g(i, d) += k * x(i, d);
    });
  }

  const S& s_;
  T tau_;
  Side &x_, &y_;
  bool self_;
  Schedule schedule_;
  int threads_;
  T *grams_, *logits_, *cache_ = nullptr;
  std::uint16_t* flagged_;
  double* scalars_;
  Index kept_ = 0;
};

template <class T>
void set_zero(BatchOut<T> g) {
  parallel_for(g.rows(), [&](Index i) { std::ranges::fill(g.row(i), T(0)); });
}

/// The steps that all losses of a batch against itself share: rows, sums, gradients.
/// assign(side) sets groups and shares; g is null where only the value is wanted.
template <Positives positives, Similarity S, class Assign>
LossGrad<typename S::Scalar> contrast_self(const S& s, typename S::Scalar tau,
                                           BatchIn<typename S::Scalar> z,
                                           const BatchOut<typename S::Scalar>* g,
                                           Workspace& ws, const Assign& assign) {
  using T = typename S::Scalar;
  ContrastSide<S> side(s, z, ws);
  assign(side);
  SoftmaxContrast<S, positives> contrast(s, tau, side, side, g != nullptr, ws);
  LossGrad<T> out{contrast.forward(), T(0), T(0)};
  if (g) {
    set_zero(*g);
    contrast.backward(*g, *g, out.grad_temperature, out.grad_c);
  }
  return out;
}

}  // namespace detail

}  // namespace hcl::inline HCL_ABI
