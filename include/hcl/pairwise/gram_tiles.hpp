// hcl/pairwise/gram_tiles.hpp - all pairs of two batches, tile by tile: similarities
// forward, gradients of rows backward. Losses and the distance matrix share it. A pair
// whose chord came from its two rows adds its gradient in double too.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "hcl/pairwise/row_gradients.hpp"
#include "hcl/pairwise/row_panels.hpp"
#include "hcl/pairwise/row_sums.hpp"
#include "hcl/pairwise/schedule.hpp"

namespace hcl::inline HCL_ABI {

/// What the backward pass sums beside the gradients of the rows.
struct TileSums {
  double by_l = 0;  ///< sum of l dL/dl
  double by_c = 0;  ///< dL/dc
};

/// The logits l_ij = scale s(x_i, y_j).
template <Similarity S>
class GramTiles {
 public:
  using Chords = GramChords<S>;
  using List = typename Chords::List;
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
                        : Schedule::cross(x.blocks(), y.blocks())},
        pairs_{s, scale, x, y, ws},
        by_row_x_{x, pairs_.panels_size()},
        by_row_y_{y, pairs_.panels_size()},
        from_rows_{s, x, y, pairs_} {
    const auto threads = std::size_t(max_threads()), tile = std::size_t(tile_area);
    values_ = ws.take<T>(threads * tile);
    weights_ = ws.take<T>(threads * tile);
    chords_ = ws.take<T>(threads * tile * chords);
    lists_ = ws.take<std::uint16_t>(threads * tile);
    listed_ = ws.take<Listed>(std::size_t(schedule_.slot_count()));
    std::fill_n(listed_, schedule_.slot_count(), Listed{});
    sums_ = ws.take<TileSums>(std::size_t(schedule_.pairs_in_round(0) + x.blocks()));
    row_x_ = ws.take<RowSums>(std::size_t(x.padded_rows()));
    row_y_ = self_ ? row_x_ : ws.take<RowSums>(std::size_t(y.padded_rows()));
    if constexpr (detail::scale_free<S>) {
      const auto size = [](const GramRows<S>& r) {
        return std::size_t(r.rows().rows() * r.rows().cols());
      };
      by_unit_x_ = ws.take<T>(size(x));
      if (!self_) by_unit_y_ = ws.take<T>(size(y));
    }
    if (keep && tiled) {
      by_row_x_.keep(ws);
      if (!self_) by_row_y_.keep(ws);
      const std::size_t bytes = tile * chords * sizeof(T);
      const std::size_t rows = x.panel_bytes() + (self_ ? 0 : y.panel_bytes());
      const std::size_t spent = (std::min)(ws.tile_bytes(), ws.taken() - rows);
      kept_ =
          (std::min)(schedule_.slot_count(), Index((ws.tile_bytes() - spent) / bytes));
      cache_ = ws.take<T>(std::size_t(kept_) * tile * chords);
    }
  }

  GramTiles(const GramTiles&) = delete;
  GramTiles& operator=(const GramTiles&) = delete;

  /// visit(tile) for every tile, tiles that share no rows in parallel. Lanes of the
  /// diagonal and beyond the last column hold anything; the visitor may change l.
  template <class Visit>
  void forward(const Visit& visit) {
    forward_ = true;
    each_pair([&](Index slot, Index bi, Index bj, Index, int thread) {
      const auto tile = make_tile(bi, bj, thread);
      T* const q = chords_at(slot, thread);
      List list{lists_ + thread * tile_area};
      pairs_.fill(tile, q, list, thread);
      listed_[slot] = {list.count, kept(slot) && pairs_.some_are_close(tile, q, list)};
      pairs_.similarities(tile, q, list);
      visit(tile);
    });
  }

  /// Adds sum_ij weight_ij dl_ij/d(row) to gx and gy, which are one for a batch against
  /// itself. weights(tile, thread)(i) is a function whose value for (l, j) is dL/dl of
  /// row i of the tile and its columns j, j+1, ...; for a batch against itself it is
  /// symmetric and counts a pair {i, j} once. Needs no forward(), but then keeps nothing.
  template <class Weights>
  TileSums backward(const Weights& weights, BatchOut<T> gx, BatchOut<T> gy) {
    if constexpr (!detail::scale_free<S>)
      return backward(weights, PulledRows<T>{gx, gy, gx, gy, row_x_, row_y_});
    const auto zero = [](const GramRows<S>& rows, T* to) {
      const Index n = rows.rows().rows(), d = rows.rows().cols();
      std::fill_n(to, n * d, T(0));
      return BatchOut<T>(to, n, d);
    };
    const auto add = [](const GramRows<S>& rows, BatchIn<T> by_unit, BatchOut<T> g) {
      parallel_for(g.rows(), [&](Index i) {
        for (Index k = 0; k < g.cols(); ++k)
          g(i, k) = T(double(g(i, k)) + rows.scales()[i] * double(by_unit(i, k)));
      });
    };
    const auto by_x = zero(x_, by_unit_x_), by_y = self_ ? by_x : zero(y_, by_unit_y_);
    const TileSums sums =
        backward(weights, PulledRows<T>{gx, gy, by_x, by_y, row_x_, row_y_});
    add(x_, by_x, gx);
    if (!self_) add(y_, by_y, gy);
    return sums;
  }

  /// Pairs that were evaluated from their rows, after forward().
  [[nodiscard]] Index reevaluated() const {
    Index sum = 0;
    for (Index k = 0; k < schedule_.slot_count(); ++k) sum += listed_[k].count;
    return sum;
  }

 private:
  static constexpr bool tiled = Chords::tiled, exact = Chords::exact;
  static constexpr bool by_differences = detail::by_differences<S>;
  static constexpr bool has_own = detail::has_own<S>, has_radial = detail::has_radial<S>;
  static constexpr std::size_t chords = Chords::chords;
  static constexpr Index step = Chords::step, tile_area = Chords::tile_area;

  template <class Weights>
  TileSums backward(const Weights& weights, const PulledRows<T>& to) {
    begin_row_sums(x_, to.gx, to.x);
    if (!self_) begin_row_sums(y_, to.gy, to.y);
    by_row_x_.pack();
    if (!self_) by_row_y_.pack();
    TileSums total;
    for (Index r = 0; r < schedule_.rounds(); ++r) {
      const Index n = schedule_.pairs_in_round(r);
      std::fill_n(sums_, n, TileSums{});
      each_pair_of_round(r, [&](Index slot, Index bi, Index bj, Index p, int thread) {
        const auto tile = make_tile(bi, bj, thread);
        T* const q = chords_at(slot, thread);
        List list{lists_ + thread * tile_area};
        if (!kept(slot)) pairs_.fill(tile, q, list, thread);
        const auto row_weights = weights(tile, thread);
        if constexpr (tiled && !exact) {
          const bool close =
              kept(slot) ? listed_[slot].close : pairs_.some_are_close(tile, q, list);
          pull(tile, q, close, row_weights, thread, to, sums_[p]);
        } else {
          pull_rows(tile, q, row_weights, thread, to, sums_[p]);
        }
      });
      for (Index p = 0; p < n; ++p)
        total.by_l += sums_[p].by_l, total.by_c += sums_[p].by_c;
    }
    add_row_sums(s_, x_, to.x, to.by_products_x);
    if (!self_) add_row_sums(s_, y_, to.y, to.by_products_y);
    return total;
  }

  /// Of a tile, the pairs that were evaluated from their rows, and whether the gradients
  /// of some must be as well.
  struct Listed {
    Index count = 0;
    bool close = false;
  };

  template <class F>
  void each_pair_of_round(Index r, const F& f) {
    parallel_for(schedule_.pairs_in_round(r), [&](Index p, int thread) {
      const auto pair = schedule_.pair(r, p);
      f(schedule_.slot(r, p), pair.i, pair.j, p, thread);
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

  /// Of the columns of a tile, over its rows.
  struct ColumnSums {
    alignas(64) T by_n[tile_size] = {};
    alignas(64) T h[tile_size] = {};
    alignas(64) T own[has_own ? tile_size : 1] = {};
    alignas(64) T radial[has_radial ? tile_size : 1] = {};
  };

  /// The numbers of the columns, to find the lanes that are no pairs.
  static constexpr auto column_numbers = [] {
    std::array<T, std::size_t(tile_size)> n{};
    for (std::size_t j = 0; j < n.size(); ++j) n[j] = T(int(j));
    return n;
  }();
  static HCL_INLINE auto no_pair(Tile<T> t, Index i, Index j) {
    const V column = vload<V>(column_numbers.data() + j);
    auto none = column >= V(T(t.cols));
    if (t.diagonal) none = none || column == V(T(i));
    return none;
  }

  /// The gradients of a tile from its chords; `some` if pairs of it are to be pulled by
  /// their rows.
  template <class Weight>
  void pull(const Tile<T>& tile, T* q, bool some, const Weight& row_weights, int thread,
            const PulledRows<T>& to, TileSums& sums) {
    const Tile<T> t = tile;
    const S s = s_;
    const auto rows = x_.numbers(t.i0), columns = y_.numbers(t.j0);
    const bool guarded = some || t.diagonal || t.cols < t.width();
    T* const w = weights_ + thread * tile_area;
    List list{lists_ + thread * tile_area};
    ColumnSums column;
    struct {
      alignas(64) T weight[tile_size], g[tile_size], na[tile_size], nb[tile_size],
          c[tile_size];
    } by;  // dL/dl of a row, and the derivatives of l
    const V zero(T(0)), scale(scale_);
    V l_sum(T(0)), c_sum(T(0));
    double by_l = 0, by_c = 0;
    for (Index i = 0; i < t.rows; ++i) {
      V row_by_n(T(0)), row_h(T(0)), row_own(T(0)), row_radial(T(0));
      const auto a = rows.template broadcast<V>(i);
      T* const row = t.l + i * tile_size;
      Chords::logits_of_row(s, scale, t.cols, q + i * tile_size, a, columns,
                            [&](Index j, const GramLogit<V>& p) HCL_INLINE_LAMBDA {
                              vstore(row + j, p.s);
                              vstore(by.g + j, p.dg), vstore(by.na + j, p.dna);
                              vstore(by.nb + j, p.dnb), vstore(by.c + j, p.dc);
                            });
      const auto weight = row_weights(i);
      for (Index j = 0; j < t.cols; j += step)
        vstore(by.weight + j, weight(vload<V>(row + j), j));
      for (Index j = 0; j < t.cols; j += step) {
        const auto b = columns.template load<V>(j);
        const V l = vload<V>(row + j), v = vload<V>(by.weight + j);
        V g = v * vload<V>(by.g + j), na = v * vload<V>(by.na + j),
          nb = v * vload<V>(by.nb + j);
        if (guarded) {
          auto drop = no_pair(t, i, j);
          l_sum = l_sum + vselect(drop, zero, V(v * l));
          if (some) {
            // From the chords as they are now, kept or not: so the same pairs are listed.
            const V margin = Chords::template pull_margin<V>(s, q + i * tile_size + j,
                                                             a.data(), b.data());
            if (const auto fit = margin > zero; !vall(fit)) {
              Chords::note(t, list, margin, i, j);
              vstore(w + i * tile_size + j, V(v * scale));
              drop = drop || !fit;
            }
          }
          g = vselect(drop, zero, g);
          na = vselect(drop, zero, na), nb = vselect(drop, zero, nb);
          c_sum = c_sum + vselect(drop, zero, V(v * vload<V>(by.c + j)));
        } else {
          l_sum = vfma(v, l, l_sum), c_sum = vfma(v, vload<V>(by.c + j), c_sum);
        }
        vstore(row + j, g);  // dL/dg takes the logit's place.
        row_by_n = row_by_n + na;
        vstore(column.by_n + j, vload<V>(column.by_n + j) + nb);
        if constexpr (by_differences) {
          row_h = row_h + g;
          vstore(column.h + j, vload<V>(column.h + j) + g);
        }
        if constexpr (has_own) {
          row_own = vfma(g, s.own(a.data(), b.data()), row_own);
          vstore(column.own + j,
                 vfma(g, s.own(b.data(), a.data()), vload<V>(column.own + j)));
        }
        if constexpr (has_radial) {
          const auto chord = Chords::template load_chords<V>(q + i * tile_size + j);
          const auto along = s.radial(chord.data(), a.data(), b.data());
          row_radial = vfma(g, along[0], row_radial);
          vstore(column.radial + j, vfma(g, along[1], vload<V>(column.radial + j)));
        }
      }
      row_x_[t.i0 + i].by_n += double(vsum(row_by_n));
      row_x_[t.i0 + i].h += double(vsum(row_h));
      if constexpr (has_own) row_x_[t.i0 + i].own += double(vsum(row_own));
      if constexpr (has_radial) row_x_[t.i0 + i].radial += double(vsum(row_radial));
      if ((i & 7) == 7 || i + 1 == t.rows) {  // the lanes sum short chains in T
        by_l += double(vsum(l_sum)), by_c += double(vsum(c_sum));
        l_sum = c_sum = zero;
      }
    }
    if (t.diagonal) by_l /= 2, by_c /= 2;  // the diagonal tile meets each pair twice
    multiply(t, column, thread, to);
    from_rows_.pull(t, q, list, w, thread, to, by_c);
    sums.by_l += by_l, sums.by_c += by_c;
  }

  /// The gradients of a tile with every pair from its rows.
  template <class Weight>
  void pull_rows(const Tile<T>& t, const T* q, const Weight& row_weights, int thread,
                 const PulledRows<T>& to, TileSums& sums) {
    T* const w = weights_ + thread * tile_area;
    List list{lists_ + thread * tile_area};
    Chords::note_all(t, list);
    pairs_.similarities(t, q, list);
    double by_l = 0, by_c = 0;
    for (Index i = 0; i < t.rows; ++i) {
      V l_sum(T(0));
      const auto weight = row_weights(i);
      for (Index j = 0; j < t.cols; j += step) {
        const V l = vload<V>(t.l + i * tile_size + j), v = weight(l, j);
        l_sum = l_sum + vselect(no_pair(t, i, j), V(T(0)), V(v * l));
        vstore(w + i * tile_size + j, V(v * V(scale_)));
      }
      by_l += double(vsum(l_sum));
    }
    from_rows_.pull(t, q, list, w, thread, to, by_c);
    sums.by_l += t.diagonal ? by_l / 2 : by_l, sums.by_c += by_c;
  }

  /// gx += H (y - m), gy += H^T (x - m), H = dL/dg.
  void multiply(const Tile<T>& t, const ColumnSums& column, int thread,
                const PulledRows<T>& to) {
    const T* const h = t.l;
    const Index d = x_.rows().cols();
    const auto& columns = self_ ? by_row_x_ : by_row_y_;
    gemm_packed(t.rows, d, t.cols, h, tile_size, Index{1},
                columns.at(t.j0, pairs_.panels(thread)),
                to.by_products_x.row(t.i0).data(), to.by_products_x.stride(), true);
    if (t.diagonal) return;
    gemm_packed(t.cols, d, t.rows, h, Index{1}, tile_size,
                by_row_x_.at(t.i0, pairs_.panels(thread)),
                to.by_products_y.row(t.j0).data(), to.by_products_y.stride(), true);
    for (Index j = 0; j < t.cols; ++j) {
      row_y_[t.j0 + j].by_n += double(column.by_n[j]);
      row_y_[t.j0 + j].h += double(column.h[j]);
      if constexpr (has_own) row_y_[t.j0 + j].own += double(column.own[j]);
      if constexpr (has_radial) row_y_[t.j0 + j].radial += double(column.radial[j]);
    }
  }

  const S& s_;
  T scale_;
  const GramRows<S>&x_, &y_;
  bool self_;
  Schedule schedule_;
  Chords pairs_;
  RowPanels<S> by_row_x_, by_row_y_;
  RowGradients<S> from_rows_;
  T *values_, *weights_, *chords_, *cache_ = nullptr;
  T *by_unit_x_ = nullptr, *by_unit_y_ = nullptr;
  std::uint16_t* lists_;
  RowSums *row_x_, *row_y_;
  Listed* listed_;
  TileSums* sums_;
  Index kept_ = 0;
  bool forward_ = false;
};

}  // namespace hcl::inline HCL_ABI
