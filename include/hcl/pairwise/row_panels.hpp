// hcl/pairwise/row_panels.hpp - the rows of a batch, less its centre, as the B of a
// matrix product.
#pragma once

#include <cstddef>

#include "hcl/pairwise/gram_rows.hpp"

namespace hcl::inline HCL_ABI {

/// Blocks of rows less m, packed by row: all at once where they are kept, otherwise a
/// block when it is asked for.
template <Similarity S>
class RowPanels {
 public:
  using T = typename S::Scalar;

  RowPanels(const GramRows<S>& rows, std::size_t block_size)
      : rows_{rows}, size_{block_size} {}

  /// Keeps all blocks, unless they take more than a sixteenth of the workspace.
  void keep(Workspace& ws) {
    const std::size_t count = std::size_t(rows_.blocks()) * size_;
    if (count * sizeof(T) <= ws.tile_bytes() / 16) kept_ = ws.take<T>(count);
  }
  /// Packs all blocks, if they are kept.
  void pack() const {
    if (kept_)
      parallel_for(rows_.blocks(), [&](Index b) { pack(b, kept_ + b * Index(size_)); });
  }
  /// The block that begins at row `first`, which may be packed into scratch.
  const T* at(Index first, T* scratch) const {
    const Index block = rows_.block_of(first);
    if (kept_) return kept_ + block * Index(size_);
    pack(block, scratch);
    return scratch;
  }

 private:
  void pack(Index block, T* panels) const {
    if constexpr (detail::scale_free<S>) {
      const auto x = rows_.centred(block, nullptr);
      pack_panels(x.rows(), x.cols(), x.data(), x.stride(),
                  static_cast<const T*>(nullptr), panels);
    } else {
      const auto x = rows_.rows();
      pack_panels(rows_.count(block), x.cols(), x.row(rows_.first(block)).data(),
                  x.stride(), rows_.centre(), panels);
    }
  }

  const GramRows<S>& rows_;
  std::size_t size_;
  T* kept_ = nullptr;
};

}  // namespace hcl::inline HCL_ABI
