// hcl/pairwise/gram_rows.hpp - the rows of a batch as the tiled Gram kernel wants them.
#pragma once

#include <array>

#include "hcl/core/gemm.hpp"
#include "hcl/core/math.hpp"
#include "hcl/core/parallel.hpp"
#include "hcl/core/workspace.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// Rows in a tile and columns in a tile: a multiple of every register tile, small enough
/// that a tile and the rows on both its sides stay in the second-level cache.
inline constexpr Index tile_size = 96;

/// What the masked lanes of a tile hold in place of a logit: exp of it is 0 beside any
/// real one.
template <class T>
inline constexpr T masked_logit = T(-1e18);

namespace detail {

/// |x|^2 of a row, of whose digits a double holds all that count.
template <class T>
double row_norm2(Point<T> x) {
  return double(dot_sum<T>(x, x));
}

}  // namespace detail

/// A batch for one side of the Gram matrix: the row numbers of S, and the rows packed
/// coordinate by coordinate in panels of panel_width rows. Everything lies in the
/// workspace.
template <Similarity S>
class GramRows {
 public:
  using T = typename S::Scalar;
  static constexpr int stats = S::row_size;

  /// @throws std::invalid_argument, naming argument, row and value, if a row is no valid
  /// point. Rows are checked before anything else happens.
  static void check(const S& s, const char* where, const char* arg, BatchIn<T> x) {
    expect(x.cols() > 0, where, ": ", arg, " has no columns");
    for (Index i = 0; i < x.rows(); ++i)
      s.check_row(where, arg, i, detail::row_norm2<T>(x.row(i)));
  }

  GramRows(const S& s, BatchIn<T> x, Workspace& ws) : x_{x} {
    const auto padded = static_cast<std::size_t>(blocks() * tile_size);
    if constexpr (GramSimilarity<S>) {
      panels_ = ws.take<T>(panel_bytes() / sizeof(T));
      for (auto& p : stat_) p = ws.take<T>(padded);
      if constexpr (std::same_as<T, double>)
        wide_ = stat_;
      else
        for (auto& p : wide_) p = ws.take<double>(padded);
      parallel_for(blocks(), [&](Index b) { pack(s, b); });
    }
  }

  [[nodiscard]] BatchIn<T> rows() const { return x_; }
  [[nodiscard]] Index blocks() const { return (x_.rows() + tile_size - 1) / tile_size; }
  [[nodiscard]] Index first(Index block) const { return block * tile_size; }
  /// Rows in a block: tile_size but for the last.
  [[nodiscard]] Index count(Index block) const {
    return std::min(tile_size, x_.rows() - first(block));
  }
  /// The rows of a block as the B of gemm_packed().
  [[nodiscard]] const T* panel(Index block) const {
    return panels_ + block * tile_size * x_.cols();
  }

  /// What the copy of the rows takes.
  [[nodiscard]] std::size_t panel_bytes() const {
    if constexpr (!GramSimilarity<S>) return 0;
    return static_cast<std::size_t>(blocks() * tile_size * x_.cols()) * sizeof(T);
  }

  /// The numbers of one row on all lanes, or those of consecutive rows.
  template <class V>
  HCL_INLINE std::array<V, std::size_t(stats)> broadcast(Index i) const {
    std::array<V, std::size_t(stats)> a{};
    for (std::size_t k = 0; k < a.size(); ++k) a[k] = V(stat_[k][i]);
    return a;
  }
  template <class V>
  HCL_INLINE std::array<V, std::size_t(stats)> load(Index j) const {
    std::array<V, std::size_t(stats)> a{};
    for (std::size_t k = 0; k < a.size(); ++k) a[k] = vload<V>(stat_[k] + j);
    return a;
  }

  /// The same numbers in double, before they were rounded to T.
  HCL_INLINE const double* wide(Index k, Index i) const {
    return wide_[std::size_t(k)] + i;
  }

 private:
  static auto wide_stat(const S& s, double n) {
    if constexpr (std::same_as<T, double>)
      return s.row_stat(n);
    else
      return s.wide().row_stat(n);
  }
  // Lanes beyond the last row repeat its numbers: they stay finite and are masked later.
  void pack(const S& s, Index b) {
    T* const panel = panels_ + b * tile_size * x_.cols();
    const Index n = count(b), d = x_.cols();
    for (Index r = 0; r < tile_size; ++r) {
      const auto x = x_.row(first(b) + std::min(r, n - 1));
      const double norm2 = detail::row_norm2<T>(x);
      const auto stat = s.row_stat(norm2);
      const auto wide = wide_stat(s, norm2);
      for (std::size_t k = 0; k < stat.size(); ++k) {
        wide_[k][first(b) + r] = wide[k];
        stat_[k][first(b) + r] = T(stat[k]);
      }
    }
    // Sixteen columns at a time: the lines that are read and written then stay in L1.
    constexpr Index width = panel_width<T>;
    for (Index k0 = 0; k0 < d; k0 += 16)
      for (Index r = 0; r < tile_size; ++r) {
        const T* const x = x_.row(first(b) + std::min(r, n - 1)).data();
        T* const column = panel + r / width * width * d + r % width;
        for (Index k = k0; k < std::min(k0 + 16, d); ++k) column[k * width] = x[k];
      }
  }

  BatchIn<T> x_;
  T* panels_ = nullptr;
  std::array<T*, std::size_t(stats)> stat_{};
  std::array<double*, std::size_t(stats)> wide_{};
};

/// Products that are summed in one chain in a Gram matrix of T.
template <class T>
inline constexpr Index gram_chunk = sizeof(T) > sizeof(float) ? 1 << 20 : 16;

/// tile(i, j) = <x_i, y_j> for the rows of block bi of x and all lanes of block bj of y;
/// the row distance of the tile is tile_size.
template <Similarity S>
void gram_tile(const GramRows<S>& x, Index bi, const GramRows<S>& y, Index bj,
               typename S::Scalar* tile) {
  const auto rows = x.rows();
  gemm_packed(x.count(bi), tile_size, rows.cols(),
              rows.data() + x.first(bi) * rows.stride(), rows.stride(), Index{1},
              y.panel(bj), tile, tile_size, false, gram_chunk<typename S::Scalar>);
}

}  // namespace hcl::inline HCL_ABI
