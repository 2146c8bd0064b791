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
inline constexpr T masked_logit = T(-1e30);

namespace detail {

/// |x|^2 of a row, in double, in several chains: the rows are read once, at memory speed.
template <class T>
double row_norm2(Point<T> x) {
  double s[8] = {};
  std::size_t k = 0;
  for (; k + 8 <= x.size(); k += 8)
    for (std::size_t l = 0; l < 8; ++l) s[l] += double(x[k + l]) * double(x[k + l]);
  for (; k < x.size(); ++k) s[k % 8] += double(x[k]) * double(x[k]);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

}  // namespace detail

/// A batch for one side of the Gram matrix: the row numbers of S, and the rows packed
/// coordinate by coordinate in panels of tile_size rows. Everything lies in the
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
      panels_ = ws.take<T>(padded * static_cast<std::size_t>(x.cols()));
      for (auto& p : stat_) p = ws.take<T>(padded);
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
  [[nodiscard]] const T* panel(Index block) const {
    return panels_ + block * tile_size * x_.cols();
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

 private:
  // Lanes beyond the last row repeat its numbers: they stay finite and are masked later.
  void pack(const S& s, Index b) {
    T* const panel = panels_ + b * tile_size * x_.cols();
    const Index n = count(b), d = x_.cols();
    for (Index r = 0; r < tile_size; ++r) {
      const auto x = x_.row(first(b) + std::min(r, n - 1));
      const auto stat = s.row_stat(detail::row_norm2<T>(x));
      for (std::size_t k = 0; k < stat.size(); ++k) stat_[k][first(b) + r] = T(stat[k]);
    }
    // Sixteen columns at a time: the lines that are read and written then stay in L1.
    for (Index k0 = 0; k0 < d; k0 += 16)
      for (Index r = 0; r < tile_size; ++r) {
        const T* const x = x_.row(first(b) + std::min(r, n - 1)).data();
        for (Index k = k0; k < std::min(k0 + 16, d); ++k) panel[k * tile_size + r] = x[k];
      }
  }

  BatchIn<T> x_;
  T* panels_ = nullptr;
  std::array<T*, std::size_t(stats)> stat_{};
};

/// tile(i, j) = <x_i, y_j> for the rows of block bi of x and all lanes of block bj of y;
/// the row distance of the tile is tile_size.
template <Similarity S>
void gram_tile(const GramRows<S>& x, Index bi, const GramRows<S>& y, Index bj,
               typename S::Scalar* tile) {
  const auto rows = x.rows();
  gemm(x.count(bi), tile_size, rows.cols(), rows.data() + x.first(bi) * rows.stride(),
       rows.stride(), Index{1}, y.panel(bj), tile_size, tile, tile_size, false);
}

}  // namespace hcl::inline HCL_ABI
