// hcl/pairwise/schedule.hpp - which pairs of row blocks meet in which round.
#pragma once

#include <algorithm>

#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

/// A fixed order of rounds in which every pair of blocks meets once and, within a round,
/// no two pairs share a block. The pairs of a round may therefore run on any number of
/// threads and add to the rows of both their blocks; every sum has one order.
class Schedule {
 public:
  /// One of `pairs()` block pairs: rows of block i against rows of block j.
  struct Pair {
    Index i, j;
    bool idle;  ///< a block without a partner in this round
  };

  /// All unordered pairs {i, j}, i = j included, of n blocks against themselves: the
  /// circle method of a round-robin tournament, and the diagonal as the last round.
  static Schedule self(Index n) { return {n, n, true}; }
  /// All pairs of n blocks against m others: rotations.
  static Schedule cross(Index n, Index m) { return {n, m, false}; }

  [[nodiscard]] Index rounds() const { return self_ ? even() : std::max(n_, m_); }
  [[nodiscard]] Index pairs_in_round(Index r) const {
    if (!self_) return std::min(n_, m_);
    return r + 1 == rounds() ? n_ : even() / 2;
  }
  /// Upper bound of slot() + 1.
  [[nodiscard]] Index slots() const {
    return self_ ? (rounds() - 1) * (even() / 2) + n_ : n_ * m_;
  }
  /// Running number of pair p of round r.
  [[nodiscard]] Index slot(Index r, Index p) const { return r * pairs_in_round(0) + p; }

  [[nodiscard]] Pair pair(Index r, Index p) const {
    if (!self_) {
      const Index small = p, large = (p + r) % std::max(n_, m_);
      return n_ <= m_ ? Pair{small, large, false} : Pair{large, small, false};
    }
    if (r + 1 == rounds()) return {p, p, false};
    // The last block stands still, the others walk around the circle.
    const Index circle = even() - 1;
    const Index a = p == 0 ? circle : (r + p) % circle;
    const Index b = p == 0 ? r : (r - p + circle) % circle;
    return {std::min(a, b), std::max(a, b), std::max(a, b) >= n_};
  }

 private:
  Schedule(Index n, Index m, bool self) : n_{n}, m_{m}, self_{self} {}
  [[nodiscard]] Index even() const { return n_ + n_ % 2; }
  Index n_, m_;
  bool self_;
};

}  // namespace hcl::inline HCL_ABI
