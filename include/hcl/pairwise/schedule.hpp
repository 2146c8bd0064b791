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
  /// Rows of block i against rows of block j.
  struct Pair {
    Index i, j;
  };

  /// All unordered pairs {i, j}, i = j included, of n blocks against themselves: the
  /// circle method of a round-robin tournament. If n is odd, the block without a partner
  /// in a round meets itself; otherwise all do so in the last round.
  static Schedule self(Index n) { return {n, n, true}; }
  /// All pairs of n blocks against m others: rotations.
  static Schedule cross(Index n, Index m) { return {n, m, false}; }

  [[nodiscard]] Index rounds() const { return self_ ? n_ : (std::max)(n_, m_); }
  [[nodiscard]] Index pairs_in_round(Index r) const {
    if (!self_) return (std::min)(n_, m_);
    return last_of_even(r) ? n_ : even() / 2;
  }
  /// Upper bound of slot() + 1.
  [[nodiscard]] Index slot_count() const { return self_ ? n_ * (n_ + 1) / 2 : n_ * m_; }
  /// Running number of pair p of round r.
  [[nodiscard]] Index slot(Index r, Index p) const { return r * pairs_in_round(0) + p; }

  [[nodiscard]] Pair pair(Index r, Index p) const {
    if (!self_) {
      const Index fewer = p, more = (p + r) % (std::max)(n_, m_);
      return n_ <= m_ ? Pair{fewer, more} : Pair{more, fewer};
    }
    if (last_of_even(r)) return {p, p};
    // The last block stands still, the others walk around the circle; of an odd number
    // nobody stands there.
    const Index circle = even() - 1;
    if (p == 0) return {r, circle < n_ ? circle : r};
    const Index a = (r + p) % circle, b = (r - p + circle) % circle;
    return {(std::min)(a, b), (std::max)(a, b)};
  }

 private:
  Schedule(Index n, Index m, bool self) : n_{n}, m_{m}, self_{self} {}
  [[nodiscard]] Index even() const { return n_ + n_ % 2; }
  [[nodiscard]] bool last_of_even(Index r) const { return n_ % 2 == 0 && r + 1 == n_; }
  Index n_, m_;
  bool self_;
};

}  // namespace hcl::inline HCL_ABI
