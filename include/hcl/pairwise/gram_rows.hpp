// hcl/pairwise/gram_rows.hpp - the rows of a batch as the tiled Gram kernel wants them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/gemm.hpp"
#include "hcl/core/parallel.hpp"
#include "hcl/core/workspace.hpp"
#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The most rows and columns of a tile, and the distance of its rows: a multiple of every
/// register tile, small enough that a tile and the rows on both its sides stay in the
/// second-level cache.
inline constexpr Index tile_size = 96;

/// Rows in a block of n rows. Few rows make few blocks: then smaller ones waste less on
/// the diagonal and in the last block, and leave no thread of two without work.
[[nodiscard]] inline Index block_size(Index n) {
  const auto cost = [n](Index b) {
    const Index blocks = (n + b - 1) / b, pairs = (blocks + 1) / 2,
                in_turn = (pairs + 1) / 2;
    const Index tiles = blocks * in_turn + (blocks % 2 == 0 ? pairs - in_turn : 0);
    return tiles * b * (b + 4) + 400 * blocks;  // a tile, and a round of threads
  };
  Index best = tile_size;
  for (const Index b : {Index(64), Index(32)})
    if (20 * cost(b) < 19 * cost(best)) best = b;
  return best;
}

/// What the masked lanes of a tile hold in place of a logit: less than any real one, all
/// of which are held far above it, and finite, so that no difference is NaN.
template <class T>
inline constexpr T masked_logit = std::numeric_limits<T>::lowest();

/// Of rows that passed GramRows::check: the largest |x|^2 and its row, and how many zero
/// rows were passed over.
struct CheckedRows {
  double most = 0;
  Index at = 0, zeros = 0;
};

namespace detail {

/// Whether every coordinate is 0.
template <class T>
bool is_zero_row(Point<T> x) {
  return std::all_of(x.begin(), x.end(), [](const T& e) { return e == T(0); });
}

/// |x|^2 of a row, of whose digits a double holds all that count.
template <class T>
double row_norm2(Point<T> x) {
  return double(dot_sum<T>(x, x));
}

/// Chords below it, squares of distances, have lost digits to underflow.
template <class T>
inline constexpr T least_chord = T(sizeof(T) > sizeof(float) ? 0x1p-960 : 0x1p-100);

}  // namespace detail

/// A batch for one side of the Gram matrix: the row numbers of S, and the rows less a
/// centre m, packed coordinate by coordinate in panels of panel_width rows. Everything
/// lies in the workspace. Of a scale-free S the rows are scaled to length 1, in double,
/// before m is taken off and what is left is rounded.
template <Similarity S>
class GramRows {
 public:
  using T = typename S::Scalar;
  static constexpr int stats = [] {
    if constexpr (GramSimilarity<S>)
      return S::row_size;
    else
      return 0;
  }();

  /// @throws std::invalid_argument, naming argument, row and value, if a row is no valid
  /// point. Rows are checked before anything else happens. With skip_zeros rows of zeros
  /// are counted instead.
  static CheckedRows check_points(const S& s, const char* where, const char* arg,
                                  BatchIn<T> x, bool skip_zeros = false) {
    expect(x.cols() > 0, where, ": ", arg, " has no columns");
    CheckedRows rows;
    for (Index i = 0; i < x.rows(); ++i) {
      const double n = detail::row_norm2<T>(x.row(i));
      if (skip_zeros && n == 0 && detail::is_zero_row<T>(x.row(i))) {
        ++rows.zeros;
        continue;
      }
      if (!is_finite(n))  // which |x|^2 of finite numbers may be as well
        for (Index k = 0; k < x.cols(); ++k)
          expect(is_finite(x(i, k)), where, ": ", arg, " row ", i, ", column ", k, ": ",
                 x(i, k), " is not finite");
      expect(is_finite(n), where, ": ", arg, " row ", i, ": |x|^2 = ", n,
             " is too large for the scalar type");
      s.check_row(where, arg, i, x.row(i), n);
      if (n > rows.most) rows.most = n, rows.at = i;
    }
    return rows;
  }

  /// @param centre  m, of both sides the same; null for 0: then a chord depends on its
  /// two rows only.
  GramRows(const S& s, BatchIn<T> x, const T* centre, Workspace& ws)
      : x_{x}, block_{block_size(x.rows())}, centre_{centre}, scale_{scales(x, ws)} {
    if constexpr (detail::scale_free<S>) {
      const Index d = x.cols();
      units_ = ws.take<T>(static_cast<std::size_t>(x.rows() * d));
      parallel_for(x.rows(), [&](Index i) {
        for (Index k = 0; k < d; ++k)
          units_[i * d + k] =
              T(scale_[i] * double(x(i, k)) - (centre ? double(centre[k]) : 0));
      });
    }
    const auto padded = static_cast<std::size_t>(padded_rows());
    if constexpr (GramSimilarity<S>) {
      HCL_ASSERT(S::by_differences || !centre);
      panels_ = ws.take<T>(padded * static_cast<std::size_t>(x.cols()));
      for (auto& p : stat_) p = ws.take<T>(padded);
      for (auto& p : wide_) p = ws.take<double>(padded);
      tiny_ = ws.take<bool>(static_cast<std::size_t>(blocks()));
      const std::size_t block = static_cast<std::size_t>(block_ * x.cols());
      T* const scratch = centre && !units_
                             ? ws.take<T>(static_cast<std::size_t>(max_threads()) * block)
                             : nullptr;
      const double m2 =
          centre
              ? detail::row_norm2<T>(Point<T>(centre, static_cast<std::size_t>(x.cols())))
              : 0;
      parallel_for(blocks(), [&](Index b, int thread) {
        pack(s, b, m2,
             scratch ? scratch + static_cast<std::size_t>(thread) * block : nullptr);
      });
    }
  }

  /// 1/|x| of the rows; null unless S is scale-free.
  static const double* scales(BatchIn<T> x, Workspace& ws) {
    if constexpr (!detail::scale_free<S>) return nullptr;
    double* const scale = ws.take<double>(static_cast<std::size_t>(x.rows()));
    parallel_for(x.rows(), [&](Index i) {
      scale[i] = 1 / std::sqrt(detail::row_norm2<T>(x.row(i)));
    });
    return scale;
  }

  [[nodiscard]] BatchIn<T> rows() const { return x_; }
  /// Those of these rows.
  [[nodiscard]] const double* scales() const { return scale_; }
  /// m, or null.
  [[nodiscard]] const T* centre() const { return centre_; }
  [[nodiscard]] Index blocks() const { return (x_.rows() + block_ - 1) / block_; }
  /// Rows of all blocks, the last one filled up.
  [[nodiscard]] Index padded_rows() const { return blocks() * block_; }
  [[nodiscard]] Index first(Index block) const { return block * block_; }
  [[nodiscard]] Index block_of(Index row) const { return row / block_; }
  /// Rows in a block: block_size() but for the last.
  [[nodiscard]] Index count(Index block) const {
    return (std::min)(block_, x_.rows() - first(block));
  }
  /// The rows of a block less m as the B of gemm_packed().
  [[nodiscard]] const T* panel(Index block) const {
    return panels_ + block * block_ * x_.cols();
  }
  /// The rows of a block less m, row by row: where they are if m is 0, otherwise in
  /// `scratch` of tile_size x D numbers; of a scale-free S in a copy of their own.
  [[nodiscard]] BatchIn<T> centred(Index block, T* scratch) const {
    if (units_)
      return BatchIn<T>(units_ + first(block) * x_.cols(), count(block), x_.cols());
    const BatchIn<T> x = original(block);
    if (!centre_) return x;
    const Index d = x.cols();
    for (Index i = 0; i < x.rows(); ++i)
      for (Index k = 0; k < d; ++k) scratch[i * d + k] = x(i, k) - centre_[k];
    return BatchIn<T>(scratch, x.rows(), d, d);
  }
  /// Row i of a scale-free S, of length 1, less m.
  [[nodiscard]] Point<T> unit(Index i) const {
    return {units_ + i * x_.cols(), static_cast<std::size_t>(x_.cols())};
  }
  /// The rows of a block themselves as such a panel; in `scratch` unless they are those.
  [[nodiscard]] const T* original_panel(Index block, T* scratch) const {
    if (!centre_ && !units_) return panel(block);
    pack_columns(original(block), scratch);
    return scratch;
  }

  /// What the copies of the rows take.
  [[nodiscard]] std::size_t panel_bytes() const {
    if constexpr (!GramSimilarity<S>) return 0;
    const Index copied = padded_rows() + (detail::scale_free<S> ? x_.rows() : 0);
    return static_cast<std::size_t>(copied * x_.cols()) * sizeof(T);
  }

  // Loops of constant length over vectors are told to unroll: -O2 leaves them rolled and
  // the vectors in memory, and a loss then takes a third longer.

  /// The numbers of rows from one on. By value: a compiler takes a store of lanes for a
  /// change of any member, and would fetch the pointers anew for every vector.
  struct Numbers {
    std::array<const T*, std::size_t(stats)> at;
    /// Those of row i on all lanes, or of the rows from j on.
    template <class V>
    HCL_INLINE std::array<V, std::size_t(stats)> broadcast(Index i) const {
      std::array<V, std::size_t(stats)> a{};
#pragma GCC unroll 16
      for (std::size_t k = 0; k < a.size(); ++k) a[k] = V(at[k][i]);
      return a;
    }
    template <class V>
    HCL_INLINE std::array<V, std::size_t(stats)> load(Index j) const {
      std::array<V, std::size_t(stats)> a{};
#pragma GCC unroll 16
      for (std::size_t k = 0; k < a.size(); ++k) a[k] = vload<V>(at[k] + j);
      return a;
    }
  };
  HCL_INLINE Numbers numbers(Index first) const {
    Numbers n{};
#pragma GCC unroll 16
    for (std::size_t k = 0; k < n.at.size(); ++k) n.at[k] = stat_[k] + first;
    return n;
  }

  /// Whether a row of a block is so close to m that its distance from another such row
  /// may be below least_chord.
  [[nodiscard]] bool tiny(Index block) const { return tiny_[block]; }

  /// The numbers of rows about 0, in double.
  HCL_INLINE const double* wide(Index k, Index i) const {
    return wide_[std::size_t(k)] + i;
  }

 private:
  [[nodiscard]] BatchIn<T> original(Index block) const {
    return BatchIn<T>(x_.data() + first(block) * x_.stride(), count(block), x_.cols(),
                      x_.stride());
  }
  static auto wide_stat(const S& s, const RowNorms& r) {
    if constexpr (std::same_as<T, double>)
      return s.row_stat(r);
    else
      return s.wide().row_stat(r);
  }
  // Lanes beyond the last row repeat its numbers: they stay finite and are masked later.
  void pack(const S& s, Index b, double m2, T* scratch) {
    const BatchIn<T> rows = centred(b, scratch);
    const Index n = count(b);
    tiny_[b] = false;
    for (Index r = 0; r < block_; ++r) {
      const Index i = (std::min)(r, n - 1);
      const Point<T> x = x_.row(first(b) + i);
      const auto sum = detail::dot_sum<T>(x, x);
      const double n_x = double(sum), rest = double(sum - decltype(sum)(n_x));
      RowNorms norms{units_ ? 1 : n_x, n_x};
      norms.rest = rest;
      if (centre_ || units_) norms.from_centre = detail::row_norm2<T>(rows.row(i));
      if (centre_) {
        norms.along = double(detail::dot_sum<T>(x, Point<T>(centre_, x.size())));
        norms.centre = m2;
      }
      tiny_[b] |= norms.from_centre < double(detail::least_chord<T>) * 0x1p20;
      const auto stat = s.row_stat(norms);
      // About 0: those of a row near it would be small differences from a far centre.
      const auto wide = wide_stat(s, {n_x, n_x, 0, 0, rest});
      for (std::size_t k = 0; k < stat.size(); ++k) {
        wide_[k][first(b) + r] = wide[k];
        stat_[k][first(b) + r] = T(stat[k]);
      }
    }
    pack_columns(rows, panels_ + b * block_ * x_.cols());
  }
  // Sixteen columns at a time: the lines that are read and written then stay in L1.
  void pack_columns(BatchIn<T> rows, T* panel) const {
    constexpr Index width = panel_width<T>;
    const Index n = rows.rows(), d = rows.cols();
    for (Index k0 = 0; k0 < d; k0 += 16)
      for (Index r = 0; r < block_; ++r) {
        const T* const x = rows.row((std::min)(r, n - 1)).data();
        T* const column = panel + r / width * width * d + r % width;
        for (Index k = k0; k < (std::min)(k0 + 16, d); ++k) column[k * width] = x[k];
      }
  }

  BatchIn<T> x_;
  Index block_;
  const T* centre_;
  const double* scale_;
  T *units_ = nullptr, *panels_ = nullptr;
  bool* tiny_ = nullptr;
  std::array<T*, std::size_t(stats)> stat_{};
  std::array<double*, std::size_t(stats)> wide_{};
};

/// The mean of the rows of x, and of y if that is another batch, scaled as GramRows has
/// them: about it the Gram matrix of rows that share a direction keeps the digits of
/// their differences. Null for a similarity that is none of differences.
template <Similarity S>
const typename S::Scalar* centre_of(BatchIn<typename S::Scalar> x,
                                    BatchIn<typename S::Scalar> y, Workspace& ws) {
  using T = typename S::Scalar;
  if constexpr (GramSimilarity<S>) {
    if (!S::by_differences || x.rows() == 0) return nullptr;
    const bool one = x.data() == y.data() && x.rows() == y.rows();
    const Index d = x.cols(), strip = 16, n = x.rows() + (one ? 0 : y.rows());
    T* const m = ws.take<T>(static_cast<std::size_t>(d));
    const double* const scale_x = GramRows<S>::scales(x, ws);
    const double* const scale_y = one ? scale_x : GramRows<S>::scales(y, ws);
    parallel_for((d + strip - 1) / strip, [&](Index s) {
      const Index k0 = s * strip, count = (std::min)(strip, d - k0);
      double sum[strip] = {};
      const auto add = [&](BatchIn<T> z, const double* scale) {
        for (Index i = 0; i < z.rows(); ++i) {
          const double f = scale ? scale[i] : 1;
          for (Index k = 0; k < count; ++k) sum[k] += f * double(z(i, k0 + k));
        }
      };
      add(x, scale_x);
      if (!one) add(y, scale_y);
      for (Index k = 0; k < count; ++k) m[k0 + k] = T(sum[k] / static_cast<double>(n));
    });
    return m;
  }
  return nullptr;
}

/// Products that are summed in one chain in a Gram matrix of T.
template <class T>
inline constexpr Index gram_chunk = sizeof(T) > sizeof(float) ? 1 << 20 : 16;

/// tile(i, j) = <x_i - m, y_j - m> for the rows of block bi of x and the rows of block
/// bj of y, up to a whole panel; the row distance of the tile is tile_size. `scratch` as
/// in centred().
template <Similarity S>
void gram_tile(const GramRows<S>& x, Index bi, const GramRows<S>& y, Index bj,
               typename S::Scalar* scratch, typename S::Scalar* tile) {
  using T = typename S::Scalar;
  constexpr Index width = panel_width<T>;
  const auto rows = x.centred(bi, scratch);
  gemm_packed(rows.rows(), (y.count(bj) + width - 1) / width * width, rows.cols(),
              rows.data(), rows.stride(), Index{1}, y.panel(bj), tile, tile_size, false,
              gram_chunk<T>);
}

}  // namespace hcl::inline HCL_ABI
