// hcl/pairwise/row_gradients.hpp - the gradients of the pairs that were evaluated from
// their rows, in double.
#pragma once

#include <algorithm>

#include "hcl/core/gemm.hpp"
#include "hcl/pairwise/gram_chords.hpp"
#include "hcl/pairwise/row_sums.hpp"

namespace hcl::inline HCL_ABI {

/// Adds w_ij ds_ij/d(row) of the listed pairs of a tile to the gradients of the rows, and
/// to by_c the sum of w_ij ds_ij/dc.
template <Similarity S>
class RowGradients {
 public:
  using Chords = GramChords<S>;
  using List = typename Chords::List;
  using T = typename S::Scalar;

  RowGradients(const S& s, const GramRows<S>& x, const GramRows<S>& y,
               const Chords& pairs)
      : s_{s}, x_{x}, y_{y}, pairs_{pairs} {}

  /// The listed pairs of a tile; their places are used up.
  void pull(const Tile<T>& t, const T* q, List& list, const T* w, int thread,
            const PulledRows<T>& to, double& by_c) const {
    pull_beyond(t, q, list, w, to, by_c);
    if constexpr (Chords::tiled && sizeof(T) < sizeof(double))
      if (Chords::dense(t, list)) {
        pull_dense(t, q, list, w, thread, to, by_c);
        return;
      }
    pull_pairs(t, q, list, w, to, by_c);
  }

 private:
  /// Those beyond the numbers of their rows, by their vjp: they leave the list.
  void pull_beyond(const Tile<T>& t, const T* q, List& list, const T* w,
                   const PulledRows<T>& to, double& by_c) const {
    if constexpr (by_differences || detail::partly_scale_free<S>) {
      List left{list.at};
      for (Index f = 0; f < list.count; ++f) {
        const Index at = list.at[f];
        const bool beyond = pairs_.is_beyond(t, q, at);
        if (beyond) pull_rows(t, at, w, to, by_c);
        left.add_if(!beyond, at / tile_size, at % tile_size);
      }
      list.count = left.count;
    }
  }

  void pull_rows(const Tile<T>& t, Index at, const T* w, const PulledRows<T>& to,
                 double& by_c) const {
    const Index i = t.i0 + at / tile_size, j = t.j0 + at % tile_size;
    const auto gx = to.gx.row(i), gy = to.gy.row(j);
    const auto along = [&](double sign) {
      if constexpr (has_radial) {
        to.x[i].radial += sign * double(detail::dot_sum<T>(row_x(i), gx));
        to.y[j].radial += sign * double(detail::dot_sum<T>(row_y(j), gy));
      }
    };
    T gc(0);
    along(1);
    s_.vjp(row_x(i), row_y(j), w[at], gx, gy, gc);
    along(-1);
    by_c += double(gc);
  }

  /// A few listed pairs, one by one: by the numbers of their rows in double where these
  /// keep the digits of T, others by their vjp.
  void pull_pairs(const Tile<T>& t, const T* q, const List& list, const T* w,
                  const PulledRows<T>& to, double& by_c) const {
    if constexpr (Chords::tiled && Chords::numbers_are_sharp) {
      const auto wide = s_.wide();
      for (Index f = 0; f < list.count; f += wide_step) {
        const auto p = pairs_.gather(t, q, list, f);
        const auto k = wide.logit_at(p.q.data(), p.a.data(), p.b.data(), D(1.0));
        double dg[std::size_t(wide_step)], dna[std::size_t(wide_step)],
            dnb[std::size_t(wide_step)], dc[std::size_t(wide_step)];
        vstore(dg, k.dg), vstore(dna, k.dna), vstore(dnb, k.dnb), vstore(dc, k.dc);
        const auto radial = radial_of(p);
        for (Index l = 0; l < p.count; ++l) {
          const double u = double(w[p.i[l] * tile_size + p.j[l]]);
          const auto x = row_x(t.i0 + p.i[l]), y = row_y(t.j0 + p.j[l]);
          const auto ox = to.gx.row(t.i0 + p.i[l]), oy = to.gy.row(t.j0 + p.j[l]);
          const double h = u * dg[l], a = 2 * u * dna[l], b = 2 * u * dnb[l];
          add_radial(t, p.i[l], p.j[l], h, radial, l, to);
          for (std::size_t d = 0; d < x.size(); ++d) {
            const double xd = double(x[d]), yd = double(y[d]);
            const double to_y = by_differences ? yd - xd : yd;
            const double to_x = by_differences ? xd - yd : xd;
            ox[d] = T(double(ox[d]) + (h * to_y + a * xd));
            oy[d] = T(double(oy[d]) + (h * to_x + b * yd));
          }
          by_c += u * dc[l];
        }
      }
      return;
    }
    for (Index f = 0; f < list.count; ++f) pull_rows(t, list.at[f], w, to, by_c);
  }

  /// Many listed pairs: the products of GramTiles::multiply() in double, where close rows
  /// still differ, complete with their row corrections before they are rounded to T.
  void pull_dense(const Tile<T>& t, const T* q, const List& list, const T* w, int thread,
                  const PulledRows<T>& to, double& by_c) const requires(Chords::tiled) {
    const auto wide = s_.wide();
    double* const h = pairs_.wide(thread);
    double corr_x[tile_size] = {}, corr_y[tile_size] = {};
    std::fill_n(h, tile_area, 0.0);
    for (Index f = 0; f < list.count; f += wide_step) {
      const auto p = pairs_.gather(t, q, list, f);
      auto k = wide.logit_at(p.q.data(), p.a.data(), p.b.data(), D(1.0));
      if constexpr (by_differences) {  // now at fixed g
        const D half = D(0.5) * k.dg;
        k.dna = k.dna - half, k.dnb = k.dnb - half;
      }
      const auto radial = radial_of(p);
      if (p.run) {
        const Index i = p.i[0], j = p.j[0];
        const D u = vload_wide<D>(w + i * tile_size + j);
        Chords::scatter(t, p, D(u * k.dg), h);
        corr_x[i] += vsum(D(u * k.dna));
        double* const corr = (t.diagonal ? corr_x : corr_y) + j;
        vstore(corr, vload<D>(corr) + u * k.dnb);
        by_c += vsum(D(u * k.dc));
        if constexpr (has_radial)
          for (Index l = 0; l < wide_step; ++l)
            add_radial(t, i, j + l, h[i * tile_size + j + l], radial, l, to);
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
        add_radial(t, i, j, u * dg[l], radial, l, to);
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
    Chords::widen(t.cols, y_.rows(), t.j0, rows);
    gemm<double>(t.rows, d, t.cols, h, tile_size, 1, rows, d, out, d, false);
    add(t.rows, x_.rows(), t.i0, corr_x, to.gx);
    if (t.diagonal) return;
    Chords::widen(t.rows, x_.rows(), t.i0, rows);
    gemm<double>(t.cols, d, t.rows, h, 1, tile_size, rows, d, out, d, false);
    add(t.cols, y_.rows(), t.j0, corr_y, to.gy);
  }

  using D = typename Chords::D;
  static constexpr Index wide_step = Chords::wide_step, tile_area = Chords::tile_area;
  static constexpr bool by_differences = detail::by_differences<S>;
  static constexpr bool has_radial = detail::has_radial<S>;

  /// Of the pairs of a vector, what their h adds to RowSums::radial of both rows.
  struct Radial {
    double x[std::size_t(wide_step)], y[std::size_t(wide_step)];
  };
  Radial radial_of(const typename Chords::WidePairs& p) const {
    Radial r{};
    if constexpr (has_radial) {
      const auto along = s_.wide().radial(p.q.data(), p.a.data(), p.b.data());
      vstore(r.x, along[0]), vstore(r.y, along[1]);
    }
    return r;
  }
  static HCL_INLINE void add_radial(const Tile<T>& t, Index i, Index j, double h,
                                    const Radial& r, Index l, const PulledRows<T>& to) {
    if constexpr (has_radial) {
      to.x[t.i0 + i].radial += h * r.x[l];
      to.y[t.j0 + j].radial += h * r.y[l];
    }
  }

  Point<T> row_x(Index i) const { return x_.rows().row(i); }
  Point<T> row_y(Index j) const { return y_.rows().row(j); }

  const S& s_;
  const GramRows<S>&x_, &y_;
  const Chords& pairs_;
};

}  // namespace hcl::inline HCL_ABI
