// hcl/pairwise/gram_tiles.hpp - all pairs of two batches, tile by tile: similarities
// forward, gradients of rows backward. Losses and the distance matrix share it.
//
// A tile of inner products becomes a tile of chords. A lane whose margin says that
// cancellation has eaten its digits gets its chord from the two rows themselves, in
// double, and in the backward pass adds its gradient in double too. What a pair's number
// is depends on its two rows only, not on the tile it is in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "hcl/core/diff2.hpp"
#include "hcl/pairwise/gram_rows.hpp"
#include "hcl/pairwise/schedule.hpp"
#include "hcl/similarity/accuracy.hpp"

namespace hcl::inline HCL_ABI {

/// Rows i0 .. i0 + rows of the one side against j0 .. j0 + cols of the other; `diagonal`
/// if both are the same block of a batch against itself. Logit (i, j) is at
/// l[i * tile_size + j].
template <class T>
struct Tile {
  Index i0, j0, rows, cols;
  bool diagonal;
  T* l;
};

/// What the backward pass sums beside the gradients of the rows.
struct TileSums {
  double by_l = 0;  ///< sum of l dL/dl
  double by_c = 0;  ///< dL/dc
};

/// The logits l_ij = scale s(x_i, y_j).
template <Similarity S>
class GramTiles {
 public:
  using T = typename S::Scalar;
  using V = Pack<T>;

  /// @param keep  keep the chords for backward(), as far as the workspace allows.
  GramTiles(const S& s, T scale, const GramRows<S>& x, const GramRows<S>& y, bool keep,
            Workspace& ws)
      : s_{s},
        scale_{scale},
        x_{x},
        y_{y},
        self_{&x == &y},
        schedule_{self_ ? Schedule::self(x.blocks())
                        : Schedule::cross(x.blocks(), y.blocks())} {
    const auto threads = std::size_t(max_threads()), tile = std::size_t(tile_area);
    values_ = ws.take<T>(threads * tile);
    weights_ = ws.take<T>(threads * tile);
    chords_ = ws.take<T>(threads * tile * chords);
    lists_ = ws.take<std::uint16_t>(threads * tile);
    wide_ = ws.take<double>(threads * wide_size());
    panels_ = ws.take<T>(threads * panels_size());
    flagged_ = ws.take<Index>(std::size_t(schedule_.slots()));
    std::fill_n(flagged_, schedule_.slots(), Index{0});
    sums_ = ws.take<TileSums>(std::size_t(schedule_.pairs_in_round(0) + x.blocks()));
    corr_x_ = ws.take<double>(std::size_t(x.blocks() * tile_size));
    corr_y_ = self_ ? corr_x_ : ws.take<double>(std::size_t(y.blocks() * tile_size));
    if (keep && tiled) {
      const std::size_t bytes = tile * chords * sizeof(T);
      const std::size_t rows = x.panel_bytes() + (self_ ? 0 : y.panel_bytes());
      const std::size_t spent = std::min(ws.tile_bytes(), ws.taken() - rows);
      kept_ = std::min(schedule_.slots(), Index((ws.tile_bytes() - spent) / bytes));
      cache_ = ws.take<T>(std::size_t(kept_) * tile * chords);
    }
  }

  /// visit(tile) for every tile, tiles that share no rows in parallel. Lanes of the
  /// diagonal and beyond the last column hold anything; the visitor may change l.
  template <class Visit>
  void forward(const Visit& visit) {
    forward_ = true;
    each_pair([&](Index slot, Index bi, Index bj, Index, int thread) {
      const auto tile = make_tile(bi, bj, thread);
      T* const q = chords_at(slot, thread);
      List list{lists_ + thread * tile_area};
      fill(tile, q, list, thread);
      flagged_[slot] = list.count;
      similarities(tile, q, list);
      visit(tile);
    });
  }

  /// Adds sum_ij weight_ij dl_ij/d(row) to gx and gy, which are one for a batch against
  /// itself. weight(l, i, j) is dL/dl of row i and the lanes j, j+1, ...; for a batch
  /// against itself it is symmetric and counts a pair {i, j} once. Needs no forward(),
  /// but then keeps nothing.
  template <class Weight>
  TileSums backward(const Weight& weight, BatchOut<T> gx, BatchOut<T> gy) {
    std::fill_n(corr_x_, x_.blocks() * tile_size, 0.0);
    std::fill_n(corr_y_, y_.blocks() * tile_size, 0.0);
    TileSums total;
    for (Index r = 0; r < schedule_.rounds(); ++r) {
      const Index n = schedule_.pairs_in_round(r);
      std::fill_n(sums_, n, TileSums{});
      each_pair_of_round(r, [&](Index slot, Index bi, Index bj, Index p, int thread) {
        const auto tile = make_tile(bi, bj, thread);
        T* const q = chords_at(slot, thread);
        List list{lists_ + thread * tile_area};
        if (!kept(slot)) fill(tile, q, list, thread);
        // From the chords as they are now, kept or not: so the same pairs are listed.
        if (tiled && (kept(slot) ? flagged_[slot] : list.count) > 0) {
          list.count = 0;
          find(tile, q, list);
        }
        pull(tile, q, list, weight, thread, gx, gy, sums_[p]);
      });
      for (Index p = 0; p < n; ++p)
        total.by_l += sums_[p].by_l, total.by_c += sums_[p].by_c;
    }
    add_row_corrections(x_, corr_x_, gx);
    if (!self_) add_row_corrections(y_, corr_y_, gy);
    return total;
  }

  /// Pairs that were evaluated from their rows, after forward().
  [[nodiscard]] Index reevaluated() const {
    Index sum = 0;
    for (Index k = 0; k < schedule_.slots(); ++k) sum += flagged_[k];
    return sum;
  }

 private:
  static constexpr bool tiled = GramSimilarity<S>;
  static constexpr bool exact = IsExact<S>;
  static constexpr std::size_t chords = [] {
    if constexpr (tiled)
      return std::size_t(S::chords);
    else
      return std::size_t(1);
  }();
  static constexpr Index step = lanes<T>, tile_area = tile_size * tile_size;
  using D = Pack<double>;
  static constexpr Index wide_step = lanes<double>;

  /// Pairs of a tile that are evaluated from their rows; on the diagonal i < j only.
  struct List {
    std::uint16_t* at;
    Index count = 0;
    void add(Index i, Index j) { at[count++] = std::uint16_t(i * tile_size + j); }
  };

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

  bool kept(Index slot) const { return forward_ && slot < kept_; }
  T* chords_at(Index slot, int thread) const {
    constexpr Index size = tile_area * Index(chords);
    return kept(slot) ? cache_ + slot * size : chords_ + thread * size;
  }
  Tile<T> make_tile(Index bi, Index bj, int thread) const {
    return {x_.first(bi), y_.first(bj),      x_.count(bi),
            y_.count(bj), self_ && bi == bj, values_ + thread * tile_area};
  }
  Point<T> row_x(Index i) const { return x_.rows().row(i); }
  Point<T> row_y(Index j) const { return y_.rows().row(j); }

  template <class U>
  static HCL_INLINE std::array<U, chords> load_chords(const T* q) {
    std::array<U, chords> out{};
    for (std::size_t k = 0; k < chords; ++k) out[k] = vload<U>(q + Index(k) * tile_area);
    return out;
  }

  static HCL_INLINE void note(const Tile<T>& t, List& list, const V& margin, Index i,
                              Index j) {
    T m[std::size_t(step)];
    vstore(m, margin);
    for (Index l = 0; l < step && j + l < t.cols; ++l)
      if (!(m[l] > T(0)) && (!t.diagonal || i < j + l)) list.add(i, j + l);
  }

  /// The chords of a tile, and the list of those from rows.
  void fill(const Tile<T>& t, T* q, List& list, int thread) const {
    if constexpr (tiled) {
      const S s = s_;  // a copy, whose numbers no store can change
      gram_tile(x_, t.i0 / tile_size, y_, t.j0 / tile_size, q);
      for (Index i = 0; i < t.rows; ++i) {
        const auto a = x_.template broadcast<V>(t.i0 + i);
        for (Index j = 0; j < t.cols; j += step) {
          const auto b = y_.template load<V>(t.j0 + j);
          T* const at = q + i * tile_size + j;
          const V g = vload<V>(at);
          const V d2 = ((a[0] - g) + (b[0] - g)) + (a[1] + b[1]);
          const auto chord = s.chord_at(g, d2, a.data(), b.data());
          for (std::size_t k = 0; k < chords; ++k)
            vstore(at + Index(k) * tile_area, chord[k]);
          const V margin = s.margin(chord.data(), a.data(), b.data());
          if (vany(!(margin > V(T(0))))) note(t, list, margin, i, j);
        }
      }
      if (t.diagonal)  // of no use, but read: no square root of a negative rounding error
        for (Index i = 0; i < t.rows; ++i)
          for (std::size_t k = 0; k < chords; ++k)
            q[Index(k) * tile_area + i * (tile_size + 1)] = T(0);
      chords_of_rows(t, q, list, thread);
    } else {
      for (Index i = 0; i < t.rows; ++i)
        for (Index j = t.diagonal ? i + 1 : 0; j < t.cols; ++j) list.add(i, j);
    }
  }

  /// The list again, from kept chords.
  void find(const Tile<T>& t, const T* q, List& list) const {
    if constexpr (tiled)
      for (Index i = 0; i < t.rows; ++i) {
        const auto a = x_.template broadcast<V>(t.i0 + i);
        for (Index j = 0; j < t.cols; j += step) {
          const auto b = y_.template load<V>(t.j0 + j);
          const auto chord = load_chords<V>(q + i * tile_size + j);
          const V margin = s_.margin(chord.data(), a.data(), b.data());
          if (vany(!(margin > V(T(0))))) note(t, list, margin, i, j);
        }
      }
  }

  /// A vector of listed pairs in double: their places, row numbers and chords. Lanes
  /// beyond the end repeat the last pair. In a run they follow each other in one row.
  struct WidePairs {
    Index i[std::size_t(wide_step)], j[std::size_t(wide_step)], count;
    bool run;
    std::array<D, std::size_t(tiled ? S::row_size : 1)> a, b;
    std::array<D, chords> q;
  };
  WidePairs gather(const Tile<T>& t, const T* q, const List& list, Index first) const {
    WidePairs p;
    p.count = std::min(wide_step, list.count - first);
    const std::uint16_t* const at = list.at + first;
    const Index last = wide_step - 1;
    p.run = p.count == wide_step && at[last] == at[0] + last &&
            at[0] % tile_size + last < tile_size;
    for (Index l = 0; l < wide_step; ++l) {
      const Index place = p.run ? at[0] : at[std::min(l, p.count - 1)];
      p.i[l] = place / tile_size, p.j[l] = place % tile_size + (p.run ? l : 0);
    }
    if (p.run) {
      for (std::size_t k = 0; k < p.a.size(); ++k) {
        p.a[k] = D(*x_.wide(Index(k), t.i0 + p.i[0]));
        p.b[k] = vload<D>(y_.wide(Index(k), t.j0 + p.j[0]));
      }
      for (std::size_t k = 0; k < chords; ++k)
        p.q[k] = vload_wide<D>(q + Index(k) * tile_area + p.i[0] * tile_size + p.j[0]);
      return p;
    }
    double lane[std::size_t(wide_step)];
    for (std::size_t k = 0; k < p.a.size(); ++k) {
      for (Index l = 0; l < wide_step; ++l) lane[l] = *x_.wide(Index(k), t.i0 + p.i[l]);
      p.a[k] = vload<D>(lane);
      for (Index l = 0; l < wide_step; ++l) lane[l] = *y_.wide(Index(k), t.j0 + p.j[l]);
      p.b[k] = vload<D>(lane);
    }
    for (std::size_t k = 0; k < chords; ++k) {
      for (Index l = 0; l < wide_step; ++l)
        lane[l] = double(q[Index(k) * tile_area + p.i[l] * tile_size + p.j[l]]);
      p.q[k] = vload<D>(lane);
    }
    return p;
  }
  /// The numbers of the pairs into a tile, on the diagonal also into their mirrors.
  template <class U>
  static void scatter(const Tile<T>& t, const WidePairs& p, const D& value, U* tile) {
    double lane[std::size_t(wide_step)];
    vstore(lane, value);
    if (p.run)
      for (Index l = 0; l < wide_step; ++l)
        tile[p.i[0] * tile_size + p.j[0] + l] = U(lane[l]);
    else
      for (Index l = 0; l < p.count; ++l) tile[p.i[l] * tile_size + p.j[l]] = U(lane[l]);
    if (t.diagonal)
      for (Index l = 0; l < p.count; ++l) tile[p.j[l] * tile_size + p.i[l]] = U(lane[l]);
  }

  void chords_of_rows(const Tile<T>& t, T* q, const List& list, int thread) const {
    if constexpr (tiled) {
      const auto wide = s_.wide();
      double* const all = wide_ + std::size_t(thread) * wide_size();
      if (dense(t, list)) {
        const Index d = x_.rows().cols();
        double* const rows = all + tile_area;
        widen(t.rows, x_.rows(), t.i0, rows);
        diff2_tile(t.rows, t.cols, d, rows, y_.panel(t.j0 / tile_size), all, tile_size);
      }
      const auto diff2_at = [&](Index i, Index j) {
        return dense(t, list)
                   ? all[i * tile_size + j]
                   : detail::diff2_in<double, T>(row_x(t.i0 + i), row_y(t.j0 + j));
      };
      for (Index f = 0; f < list.count; f += wide_step) {
        const auto p = gather(t, q, list, f);
        D d;
        if (dense(t, list) && p.run) {
          d = vload<D>(all + p.i[0] * tile_size + p.j[0]);
        } else {
          double d2[std::size_t(wide_step)];
          for (Index l = 0; l < wide_step; ++l)
            d2[l] = l < p.count ? diff2_at(p.i[l], p.j[l]) : 1;
          d = vload<D>(d2);
        }
        const D g = D(0.5) * ((p.a[0] - d) + p.b[0]);
        const auto chord = wide.chord_at(g, d, p.a.data(), p.b.data());
        for (std::size_t k = 0; k < chords; ++k)
          scatter(t, p, chord[k], q + Index(k) * tile_area);
        const D margin = wide.margin_at(chord.data(), p.a.data(), p.b.data());
        if (vany(!(margin > D(0.0)))) last_resort(t, q, p, margin);
      }
    }
  }
  /// Pairs that even differences in double do not tell apart.
  void last_resort(const Tile<T>& t, T* q, const WidePairs& p, const D& margin) const {
    double lane[std::size_t(wide_step)];
    vstore(lane, margin);
    for (Index l = 0; l < p.count; ++l) {
      if (lane[l] > 0) continue;
      const auto chord = s_.chord(row_x(t.i0 + p.i[l]), row_y(t.j0 + p.j[l]));
      for (std::size_t k = 0; k < chords; ++k) {
        T* const tile = q + Index(k) * tile_area;
        tile[p.i[l] * tile_size + p.j[l]] = T(chord[k]);
        if (t.diagonal) tile[p.j[l] * tile_size + p.i[l]] = T(chord[k]);
      }
    }
  }

  /// l of every lane; under Exact from double.
  void similarities(const Tile<T>& t, const T* q, const List& list) const {
    if constexpr (tiled) {
      const S s = s_;
      for (Index i = 0; i < t.rows; ++i) {
        const auto a = x_.template broadcast<V>(t.i0 + i);
        for (Index j = 0; j < t.cols; j += step) {
          const auto b = y_.template load<V>(t.j0 + j);
          const auto chord = load_chords<V>(q + i * tile_size + j);
          vstore(t.l + i * tile_size + j,
                 s.logit_at(chord.data(), a.data(), b.data()).s * V(scale_));
        }
      }
      if constexpr (exact) {
        const auto wide = s_.wide();
        for (Index f = 0; f < list.count; f += wide_step) {
          const auto p = gather(t, q, list, f);
          const D l = wide.logit_at(p.q.data(), p.a.data(), p.b.data()).s;
          scatter(t, p, D(l * D(double(scale_))), t.l);
        }
      }
    } else {
      for (Index f = 0; f < list.count; ++f) {
        const Index i = list.at[f] / tile_size, j = list.at[f] % tile_size;
        const T s = s_.value(row_x(t.i0 + i), row_y(t.j0 + j));
        t.l[i * tile_size + j] = s * scale_;
        if (t.diagonal) t.l[j * tile_size + i] = s * scale_;
      }
    }
  }

  template <class Weight>
  void pull(const Tile<T>& t, T* q, const List& list, const Weight& weight, int thread,
            BatchOut<T> gx, BatchOut<T> gy, TileSums& sums) {
    const S s = s_;
    const bool some = list.count > 0;
    const Index left =
        t.rows * t.cols - (t.diagonal ? t.rows : 0) - list.count * (t.diagonal ? 2 : 1);
    const bool all = left == 0;
    const bool guarded = some || t.diagonal || t.cols < tile_size;
    T* const w = weights_ + thread * tile_area;
    if (some && (exact || !tiled)) similarities(t, q, list);
    alignas(64) T lane[tile_size];
    for (Index j = 0; j < tile_size; ++j) lane[j] = T(j);
    alignas(64) T column_corr[tile_size] = {};
    struct {
      alignas(64) T g[tile_size], na[tile_size], nb[tile_size], c[tile_size];
    } by;  // derivatives of a row of logits
    const V zero(T(0)), scale(scale_);
    V l_sum(T(0)), c_sum(T(0));
    double by_l = 0, by_c = 0;
    for (Index i = 0; i < t.rows; ++i) {
      const auto dropped = [&](Index j) {
        auto drop = vload<V>(lane + j) >= V(T(t.cols));
        if (t.diagonal) drop = drop || vload<V>(lane + j) == V(T(i));
        return drop;
      };
      V row_corr(T(0));
      if constexpr (tiled) {
        // Logits of the row first, then weights: two short chains of operations, of which
        // a processor overlaps more than of one long one.
        const auto a = x_.template broadcast<V>(t.i0 + i);
        for (Index j = 0; j < t.cols; j += step) {
          const auto b = y_.template load<V>(t.j0 + j);
          const auto chord = load_chords<V>(q + i * tile_size + j);
          const auto p = s.logit_at(chord.data(), a.data(), b.data());
          if (!(exact && some)) vstore(t.l + i * tile_size + j, V(p.s * scale));
          vstore(by.g + j, p.dg), vstore(by.na + j, p.dna);
          vstore(by.nb + j, p.dnb), vstore(by.c + j, p.dc);
        }
        for (Index j = 0; j < t.cols; j += step) {
          T* const at = t.l + i * tile_size + j;
          const V l = vload<V>(at), v = weight(l, t.i0 + i, t.j0 + j), u = v * scale;
          V vl = v * l;
          if (some) {
            vstore(w + i * tile_size + j, u);
            if (all) {
              l_sum = l_sum + vselect(dropped(j), zero, vl);
              continue;
            }
          }
          V g = u * vload<V>(by.g + j), na = u * vload<V>(by.na + j),
            nb = u * vload<V>(by.nb + j), c = u * vload<V>(by.c + j);
          if (guarded) {
            auto drop = dropped(j);
            vl = vselect(drop, zero, vl);
            if (some) {
              const auto b = y_.template load<V>(t.j0 + j);
              const auto chord = load_chords<V>(q + i * tile_size + j);
              drop = drop || !(s.margin(chord.data(), a.data(), b.data()) > zero);
            }
            g = vselect(drop, zero, g), c = vselect(drop, zero, c);
            na = vselect(drop, zero, na), nb = vselect(drop, zero, nb);
          }
          vstore(at, g);  // dL/dg takes the logit's place.
          l_sum = l_sum + vl, c_sum = c_sum + c, row_corr = row_corr + na;
          vstore(column_corr + j, vload<V>(column_corr + j) + nb);
        }
      } else {
        for (Index j = 0; j < t.cols; j += step) {
          const V l = vload<V>(t.l + i * tile_size + j),
                  v = weight(l, t.i0 + i, t.j0 + j);
          l_sum = l_sum + vselect(dropped(j), zero, v * l);
          vstore(w + i * tile_size + j, v * scale);
        }
      }
      corr_x_[t.i0 + i] += double(vsum(row_corr));
      if ((i & 7) == 7 || i + 1 == t.rows) {  // the lanes sum short chains in T
        by_l += double(vsum(l_sum)), by_c += double(vsum(c_sum));
        l_sum = c_sum = zero;
      }
    }
    if (t.diagonal) by_l /= 2, by_c /= 2;  // the diagonal tile meets each pair twice
    if constexpr (tiled) {
      if (dense(t, list)) pull_dense(t, q, list, w, thread, gx, gy, by_c);
      if (!all) multiply(t, column_corr, thread, gx, gy);
      if (!dense(t, list)) pull_pairs(t, q, list, w, gx, gy, by_c);
    } else {
      pull_pairs(t, q, list, w, gx, gy, by_c);
    }
    sums.by_l += by_l, sums.by_c += by_c;
  }

  /// gx += H y, gy += H^T x, H = dL/dg.
  void multiply(const Tile<T>& t, const T* column_corr, int thread, BatchOut<T> gx,
                BatchOut<T> gy) {
    const auto x = x_.rows(), y = y_.rows();
    const T* const h = t.l;
    const Index d = x.cols();
    T* const panels = panels_ + std::size_t(thread) * panels_size();
    pack_panels(t.cols, d, y.row(t.j0).data(), y.stride(), panels);
    gemm_packed(t.rows, d, t.cols, h, tile_size, Index{1}, panels, gx.row(t.i0).data(),
                gx.stride(), true);
    if (t.diagonal) return;
    pack_panels(t.rows, d, x.row(t.i0).data(), x.stride(), panels);
    gemm_packed(t.cols, d, t.rows, h, Index{1}, tile_size, panels, gy.row(t.j0).data(),
                gy.stride(), true);
    for (Index j = 0; j < t.cols; ++j) corr_y_[t.j0 + j] += double(column_corr[j]);
  }

  /// A few listed pairs, one by one: of float rows in double, others by their vjp.
  void pull_pairs(const Tile<T>& t, const T* q, const List& list, const T* w,
                  BatchOut<T> gx, BatchOut<T> gy, double& by_c) const {
    if constexpr (tiled && sizeof(T) < sizeof(double)) {
      const auto wide = s_.wide();
      for (Index f = 0; f < list.count; f += wide_step) {
        const auto p = gather(t, q, list, f);
        const auto k = wide.logit_at(p.q.data(), p.a.data(), p.b.data());
        double dg[std::size_t(wide_step)], dna[std::size_t(wide_step)],
            dnb[std::size_t(wide_step)], dc[std::size_t(wide_step)];
        vstore(dg, k.dg), vstore(dna, k.dna), vstore(dnb, k.dnb), vstore(dc, k.dc);
        for (Index l = 0; l < p.count; ++l) {
          const double u = double(w[p.i[l] * tile_size + p.j[l]]);
          const auto x = row_x(t.i0 + p.i[l]), y = row_y(t.j0 + p.j[l]);
          const auto ox = gx.row(t.i0 + p.i[l]), oy = gy.row(t.j0 + p.j[l]);
          const double by_y = u * dg[l], a = 2 * u * dna[l], b = 2 * u * dnb[l];
          for (std::size_t d = 0; d < x.size(); ++d) {
            const double xd = double(x[d]), yd = double(y[d]);
            ox[d] = T(double(ox[d]) + (by_y * yd + a * xd));
            oy[d] = T(double(oy[d]) + (by_y * xd + b * yd));
          }
          by_c += u * dc[l];
        }
      }
      return;
    }
    for (Index f = 0; f < list.count; ++f) {
      const Index i = list.at[f] / tile_size, j = list.at[f] % tile_size;
      T gc(0);
      s_.vjp(row_x(t.i0 + i), row_y(t.j0 + j), w[list.at[f]], gx.row(t.i0 + i),
             gy.row(t.j0 + j), gc);
      by_c += double(gc);
    }
  }

  /// Whether so many pairs are listed that all of the tile is worth its work in double.
  static bool dense(const Tile<T>& t, const List& list) {
    return t.rows * t.cols < 16 * list.count * (t.diagonal ? 2 : 1);
  }
  static void widen(Index n, BatchIn<T> x, Index first, double* rows) {
    for (Index i = 0; i < n; ++i)
      for (Index k = 0; k < x.cols(); ++k)
        rows[i * x.cols() + k] = double(x(first + i, k));
  }
  std::size_t panels_size() const {
    constexpr Index width = panel_width<T>;
    return std::size_t(tile_size * ((x_.rows().cols() + width - 1) / width * width));
  }
  std::size_t wide_size() const {
    return std::size_t(tile_area + 2 * tile_size * x_.rows().cols());
  }

  /// Many listed pairs: the products of multiply() in double, where close rows still
  /// differ, complete with their row corrections before they are rounded to T.
  void pull_dense(const Tile<T>& t, const T* q, const List& list, const T* w, int thread,
                  BatchOut<T> gx, BatchOut<T> gy, double& by_c) const {
    const auto wide = s_.wide();
    double* const h = wide_ + std::size_t(thread) * wide_size();
    double corr_x[tile_size] = {}, corr_y[tile_size] = {};
    std::fill_n(h, tile_area, 0.0);
    for (Index f = 0; f < list.count; f += wide_step) {
      const auto p = gather(t, q, list, f);
      const auto k = wide.logit_at(p.q.data(), p.a.data(), p.b.data());
      if (p.run) {
        const Index i = p.i[0], j = p.j[0];
        const D u = vload_wide<D>(w + i * tile_size + j);
        scatter(t, p, D(u * k.dg), h);
        corr_x[i] += vsum(D(u * k.dna));
        double* const corr = (t.diagonal ? corr_x : corr_y) + j;
        vstore(corr, vload<D>(corr) + u * k.dnb);
        by_c += vsum(D(u * k.dc));
        continue;
      }
      double dg[std::size_t(wide_step)], dna[std::size_t(wide_step)],
          dnb[std::size_t(wide_step)], dc[std::size_t(wide_step)];
      vstore(dg, k.dg), vstore(dna, k.dna), vstore(dnb, k.dnb), vstore(dc, k.dc);
      for (Index l = 0; l < p.count; ++l) {
        const Index i = p.i[l], j = p.j[l];
        const double u = double(w[i * tile_size + j]);
        h[i * tile_size + j] = u * dg[l];
        if (t.diagonal) h[j * tile_size + i] = u * dg[l];
        corr_x[i] += u * dna[l];
        (t.diagonal ? corr_x : corr_y)[j] += u * dnb[l];
        by_c += u * dc[l];
      }
    }
    double* const rows = h + tile_area;
    const Index d = x_.rows().cols();
    double* const out = rows + tile_size * d;
    const auto add = [&](Index n, const auto& x, Index first, const double* corr,
                         BatchOut<T> g) {
      for (Index i = 0; i < n; ++i)
        for (Index k = 0; k < d; ++k)
          g(first + i, k) = T(double(g(first + i, k)) + out[i * d + k] +
                              2 * corr[i] * double(x(first + i, k)));
    };
    widen(t.cols, y_.rows(), t.j0, rows);
    gemm<double>(t.rows, d, t.cols, h, tile_size, 1, rows, d, out, d, false);
    add(t.rows, x_.rows(), t.i0, corr_x, gx);
    if (t.diagonal) return;
    widen(t.rows, x_.rows(), t.i0, rows);
    gemm<double>(t.cols, d, t.rows, h, 1, tile_size, rows, d, out, d, false);
    add(t.cols, y_.rows(), t.j0, corr_y, gy);
  }

  /// dn_i/dx_i = 2 x_i.
  static void add_row_corrections(const GramRows<S>& rows, const double* corr,
                                  BatchOut<T> g) {
    const auto x = rows.rows();
    parallel_for(x.rows(), [&](Index i) {
      const T k = T(2 * corr[i]);
      for (Index d = 0; d < x.cols(); ++d) g(i, d) += k * x(i, d);
    });
  }

  const S& s_;
  T scale_;
  const GramRows<S>&x_, &y_;
  bool self_;
  Schedule schedule_;
  T *values_, *weights_, *chords_, *panels_, *cache_ = nullptr;
  std::uint16_t* lists_;
  double *wide_ = nullptr, *corr_x_ = nullptr, *corr_y_ = nullptr;
  Index* flagged_;
  TileSums* sums_;
  Index kept_ = 0;
  bool forward_ = false;
};

}  // namespace hcl::inline HCL_ABI
