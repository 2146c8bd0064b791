// hcl/pairwise/gram_chords.hpp - the chords of all pairs of two blocks of rows, from
// their Gram matrix or, where that has lost their digits, from the rows.
//
// A tile of inner products becomes a tile of chords. A lane whose margin says that
// cancellation has eaten its digits gets its chord from the two rows themselves, in
// double. What a pair's number is depends on its two rows and the centre of the batch,
// not on the tile it is in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hcl/core/diff2.hpp"
#include "hcl/pairwise/gram_rows.hpp"
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
  /// The columns up to a whole vector.
  [[nodiscard]] Index width() const {
    return (cols + lanes<T> - 1) / lanes<T> * lanes<T>;
  }
};

/// Tiles of chords and of logits l_ij = scale s(x_i, y_j), each thread in its own
/// scratch.
template <Similarity S>
class GramChords {
 public:
  using T = typename S::Scalar;
  using V = Pack<T>;
  using D = Pack<double>;
  static constexpr bool tiled = GramSimilarity<S>;
  static constexpr bool exact = IsExact<S>;
  static constexpr bool by_differences = detail::by_differences<S>;
  static constexpr std::size_t chords = [] {
    if constexpr (tiled)
      return std::size_t(S::chords);
    else
      return std::size_t(1);
  }();
  static constexpr Index step = lanes<T>, wide_step = lanes<double>;
  static constexpr Index tile_area = tile_size * tile_size;
  /// Whether a listed pair may go by numbers of its rows in double; otherwise by the rows
  /// alone.
  static constexpr bool numbers_are_sharp =
      sizeof(T) < sizeof(double) || detail::sharp_differences<S>;

  GramChords(const S& s, T scale, const GramRows<S>& x, const GramRows<S>& y,
             Workspace& ws)
      : s_{s}, scale_{scale}, x_{x}, y_{y} {
    const auto threads = std::size_t(max_threads());
    wide_ = ws.take<double>(threads * wide_size());
    panels_ = ws.take<T>(threads * panels_size());
  }

  /// A chord that came from its rows is as good as any. The gradient of its pair may
  /// still be made by products, as long as the margin of so many times the chord is > 0:
  /// they enlarge the rounding errors of T by |x - m| / |x - y|, for Lorentz by
  /// |x - m| / 2 sqrt(Q), a Gram matrix by the square of that. `a`, `b` are the rows'
  /// numbers about m, q the place of the chord.
  template <class V>
  static HCL_INLINE V pull_margin(const S& s, const T* q, const V* a, const V* b) {
    auto chord = load_chords<V>(q);
    if constexpr (reaches)
#pragma GCC unroll 4
      for (V& e : chord) e = e * V(gram_reach<T>);
    return at_least(load_chords<V>(q), s.gram_margin(chord.data(), a, b));
  }
  /// A margin that is not > 0 either where a chord is too small.
  template <class V>
  static HCL_INLINE V at_least(const std::array<V, chords>& chord, V margin) {
    if constexpr (by_differences)
#pragma GCC unroll 4
      for (const V& e : chord)
        margin = vmin(margin, vmax(e, V(V(T(0)) - e)) - V(detail::least_chord<T>));
    return margin;
  }

  /// Pairs of a tile that are evaluated from their rows; on the diagonal i < j only.
  struct List {
    std::uint16_t* at;
    Index count = 0;
    void add(Index i, Index j) { add_if(true, i, j); }
    /// Without a branch, which no processor foresees; with room for one more.
    HCL_INLINE void add_if(bool yes, Index i, Index j) {
      at[count] = std::uint16_t(i * tile_size + j);
      count += Index(yes);
    }
  };

  template <class U>
  static HCL_INLINE std::array<U, chords> load_chords(const T* q) {
    std::array<U, chords> out{};
#pragma GCC unroll 4
    for (std::size_t k = 0; k < chords; ++k) out[k] = vload<U>(q + Index(k) * tile_area);
    return out;
  }

  /// Adds the lanes whose margin is not > 0 to the list.
  static HCL_INLINE void note(Tile<T> t, List& list, const V& margin, Index i, Index j) {
    T m[std::size_t(step)];
    vstore(m, margin);
    const Index from = t.diagonal ? i + 1 : 0;
    for (Index l = 0; l < step && j + l < t.cols; ++l)
      list.add_if(!(m[l] > T(0)) & (j + l >= from), i, j + l);
  }
  static void note_all(const Tile<T>& t, List& list) {
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = t.diagonal ? i + 1 : 0; j < t.cols; ++j) list.add(i, j);
  }

  /// Whether a listed pair is beyond the numbers of its rows in double, and its value and
  /// gradient are those of the two rows alone: the square of its distance underflows in
  /// T, or the rows are so nearly opposite on the sphere that the direction of a gradient
  /// cancels, or of such different lengths that in the longer one's gradient, as small as
  /// 1/|x|, terms of 1/|y| cancel. Equal rows are not: their numbers give 0.
  [[nodiscard]] bool is_beyond(const Tile<T>& t, const T* q, Index at) const {
    if constexpr (detail::partly_scale_free<S> && sizeof(T) < sizeof(double)) {
      const Index i = t.i0 + at / tile_size, j = t.j0 + at % tile_size;
      const auto length = [](const GramRows<S>& rows, Index k) {
        if constexpr (detail::scale_free<S>)
          return 1 / rows.scales()[k];
        else
          return std::sqrt(detail::row_norm2<T>(rows.rows().row(k)));
      };
      const double a = length(x_, i), b = length(y_, j);
      if (a > 16 * b || b > 16 * a) return true;
    }
    if constexpr (by_differences) {
      for (std::size_t k = 0; k < chords; ++k) {
        const T v = q[Index(k) * tile_area + at];
        if (v < T(0) ? v > T(-0x1p-40) : v > T(0) && v < detail::least_chord<T>)
          return true;
        if (v == T(0)) {
          const auto x = row_x(t.i0 + at / tile_size), y = row_y(t.j0 + at % tile_size);
          return !std::equal(x.begin(), x.end(), y.begin());
        }
      }
    }
    return false;
  }

  /// The chords of a tile, and the list of those from rows.
  void fill(const Tile<T>& tile, T* q, List& list, int thread) const {
    const Tile<T> t = tile;
    if constexpr (tiled) {
      const S s = s_;  // a copy, whose numbers no store can change
      const auto rows = x_.numbers(t.i0), columns = y_.numbers(t.j0);
      const Index bi = x_.block_of(t.i0), bj = y_.block_of(t.j0);
      gram_tile(x_, bi, y_, bj, panels(thread), q);
      for (Index i = 0; i < t.rows; ++i) {
        const auto a = rows.template broadcast<V>(i);
        for (Index j = 0; j < t.cols; j += step) {
          const auto b = columns.template load<V>(j);
          T* const at = q + i * tile_size + j;
          const auto chord = s.gram_chord(vload<V>(at), a.data(), b.data());
#pragma GCC unroll 4
          for (std::size_t k = 0; k < chords; ++k)
            vstore(at + Index(k) * tile_area, chord[k]);
          const V margin = s.gram_margin(chord.data(), a.data(), b.data());
          if (!vall(margin > V(T(0)))) note(t, list, margin, i, j);
        }
      }
      if (x_.tiny(bi) && y_.tiny(bj)) note_again(t, q, list);
      if (t.diagonal) mirror(t.rows, q);
      chords_of_rows(t, q, list, thread);
    } else {
      note_all(t, list);
    }
  }

  /// Whether some of the listed pairs are too close for a gradient by products.
  bool some_are_close(const Tile<T>& t, const T* q, const List& list) const {
    if constexpr (reaches) {
      const auto rows = x_.numbers(t.i0), columns = y_.numbers(t.j0);
      for (Index f = 0; f < list.count; ++f) {
        const Index at = list.at[f];
        const auto a = rows.template broadcast<T>(at / tile_size);
        const auto b = columns.template load<T>(at % tile_size);
        if (!(pull_margin<T>(s_, q + at, a.data(), b.data()) > T(0))) return true;
      }
      return false;
    }
    return list.count > 0;
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
    p.count = (std::min)(wide_step, list.count - first);
    const std::uint16_t* const at = list.at + first;
    const Index last = wide_step - 1;
    p.run = p.count == wide_step && at[last] == at[0] + last &&
            at[0] % tile_size + last < tile_size;
    for (Index l = 0; l < wide_step; ++l) {
      const Index place = p.run ? at[0] : at[(std::min)(l, p.count - 1)];
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

  /// f(j, logit) for the lanes of a row from its chords. Roots of all lanes first, then
  /// the rest: short chains of operations, of which a processor overlaps more than of
  /// long ones.
  template <class A, class Numbers, class F>
  static HCL_INLINE void logits_of_row(const S& s, const V& scale, Index cols, const T* q,
                                       const A& a, const Numbers& columns, const F& f) {
    if constexpr (has_root) {
      alignas(64) T root[tile_size];
      for (Index j = 0; j < cols; j += step)
        vstore(root + j, s.root_at(load_chords<V>(q + j).data()));
      for (Index j = 0; j < cols; j += step) {
        const auto b = columns.template load<V>(j);
        const auto chord = load_chords<V>(q + j);
        f(j, s.logit_from(vload<V>(root + j), chord.data(), a.data(), b.data(), scale));
      }
    } else {
      for (Index j = 0; j < cols; j += step) {
        const auto b = columns.template load<V>(j);
        const auto chord = load_chords<V>(q + j);
        f(j, s.logit_at(chord.data(), a.data(), b.data(), scale));
      }
    }
  }

  /// l of every lane; under Exact from double.
  void similarities(const Tile<T>& tile, const T* q, const List& list) const {
    const Tile<T> t = tile;
    if constexpr (tiled) {
      const S s = s_;
      const V scale(scale_);
      const auto rows = x_.numbers(t.i0), columns = y_.numbers(t.j0);
      for (Index i = 0; i < t.rows; ++i) {
        T* const l = t.l + i * tile_size;
        logits_of_row(s, scale, t.cols, q + i * tile_size, rows.template broadcast<V>(i),
                      columns, [l](Index j, const GramLogit<V>& p) HCL_INLINE_LAMBDA {
                        vstore(l + j, p.s);
                      });
      }
      if constexpr (exact) {
        const auto wide = s_.wide();
        for (Index f = 0; f < list.count; f += wide_step) {
          const auto p = gather(t, q, list, f);
          const D l =
              wide.logit_at(p.q.data(), p.a.data(), p.b.data(), D(double(scale_))).s;
          scatter(t, p, l, t.l);
        }
      }
      for (Index f = 0; f < list.count; ++f)
        if (is_beyond(t, q, list.at[f])) logit_of_rows(t, list.at[f]);
    } else {
      for (Index f = 0; f < list.count; ++f) logit_of_rows(t, list.at[f]);
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
  /// Scratch of a thread: room for a block of rows in panels, and for a tile and two
  /// blocks of rows in double.
  T* panels(int thread) const { return panels_ + std::size_t(thread) * panels_size(); }
  std::size_t panels_size() const {
    constexpr Index width = panel_width<T>;
    return std::size_t(tile_size * ((x_.rows().cols() + width - 1) / width * width));
  }
  double* wide(int thread) const { return wide_ + std::size_t(thread) * wide_size(); }

 private:
  Point<T> row_x(Index i) const { return x_.rows().row(i); }
  Point<T> row_y(Index j) const { return y_.rows().row(j); }
  void logit_of_rows(const Tile<T>& t, Index at) const {
    const Index i = at / tile_size, j = at % tile_size;
    const T s = s_.value(row_x(t.i0 + i), row_y(t.j0 + j)) * scale_;
    t.l[at] = s;
    if (t.diagonal) t.l[j * tile_size + i] = s;
  }
  std::size_t wide_size() const {
    return std::size_t(tile_area + 2 * tile_size * x_.rows().cols());
  }

  static constexpr bool has_root = requires(const S& s, const T* q) {
    s.logit_from(s.root_at(q), q, q, q, *q);
  };

  /// Whether products reach any of the pairs that gram_margin sent to their rows.
  static constexpr bool reaches = tiled && sizeof(T) < sizeof(double) && requires {
    requires bool(S::reaches);
  };
  /// A pair has one chord on both sides of the diagonal, whatever order the compiler has
  /// rounded its products in: of large logits the last digit decides. The diagonal itself
  /// is of no use, but read: no square root of a negative rounding error.
  static void mirror(Index rows, T* q) {
    for (std::size_t k = 0; k < chords; ++k, q += tile_area)
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < i; ++j) q[i * tile_size + j] = q[j * tile_size + i];
        q[i * tile_size + i] = T(0);
      }
  }
  /// The list of fill(), with the lanes whose chords are too small.
  void note_again(const Tile<T>& t, const T* q, List& list) const {
    const auto rows = x_.numbers(t.i0), columns = y_.numbers(t.j0);
    list.count = 0;
    for (Index i = 0; i < t.rows; ++i) {
      const auto a = rows.template broadcast<V>(i);
      for (Index j = 0; j < t.cols; j += step) {
        const auto b = columns.template load<V>(j);
        const auto chord = load_chords<V>(q + i * tile_size + j);
        note(t, list, at_least(chord, s_.gram_margin(chord.data(), a.data(), b.data())),
             i, j);
      }
    }
  }

  void chords_of_rows(const Tile<T>& t, T* q, const List& list, int thread) const {
    if constexpr (tiled) {
      if constexpr (!numbers_are_sharp) {
        for (Index f = 0; f < list.count; ++f) chord_of_rows(t, q, list.at[f]);
        return;
      }
      const auto wide = s_.wide();
      double* const all = this->wide(thread);
      if (dense(t, list)) {
        const Index d = x_.rows().cols();
        double* const rows = all + tile_area;
        widen(t.rows, x_.rows(), t.i0, rows);
        diff2_tile(t.rows, t.cols, d, rows,
                   y_.original_panel(y_.block_of(t.j0), panels(thread)), all, tile_size);
      }
      const auto diff2_at = [&](Index i, Index j) {
        return dense(t, list) ? all[i * tile_size + j]
                              : detail::diff2_pair<T>(row_x(t.i0 + i), row_y(t.j0 + j));
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
        const auto chord = wide.diff_chord(d, p.a.data(), p.b.data());
        for (std::size_t k = 0; k < chords; ++k)
          scatter(t, p, chord[k], q + Index(k) * tile_area);
        const D margin = wide.diff_margin(chord.data(), p.a.data(), p.b.data());
        if (!vall(margin > D(0.0))) last_resort(t, q, p, margin);
      }
    }
  }
  /// Pairs that even differences in double do not tell apart.
  void last_resort(const Tile<T>& t, T* q, const WidePairs& p, const D& margin) const {
    double lane[std::size_t(wide_step)];
    vstore(lane, margin);
    for (Index l = 0; l < p.count; ++l)
      if (!(lane[l] > 0)) chord_of_rows(t, q, p.i[l] * tile_size + p.j[l]);
  }
  void chord_of_rows(const Tile<T>& t, T* q, Index at) const {
    const Index i = at / tile_size, j = at % tile_size;
    const auto chord = s_.chord(row_x(t.i0 + i), row_y(t.j0 + j));
    for (std::size_t k = 0; k < chords; ++k) {
      T* const tile = q + Index(k) * tile_area;
      tile[at] = T(chord[k]);
      if (t.diagonal) tile[j * tile_size + i] = T(chord[k]);
    }
  }

  const S& s_;
  T scale_;
  const GramRows<S>&x_, &y_;
  double* wide_;
  T* panels_;
};

}  // namespace hcl::inline HCL_ABI
