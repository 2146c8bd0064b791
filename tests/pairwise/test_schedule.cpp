// Every pair of blocks meets once; within a round nobody is in two pairs.
#include <doctest/doctest.h>

#include <set>
#include <utility>

#include "hcl/pairwise/schedule.hpp"

namespace {

void check(const hcl::Schedule& s, hcl::Index n, hcl::Index m, bool self) {
  std::set<std::pair<hcl::Index, hcl::Index>> met;
  std::set<hcl::Index> slots;
  for (hcl::Index r = 0; r < s.rounds(); ++r) {
    std::set<hcl::Index> rows, cols;
    for (hcl::Index p = 0; p < s.pairs_in_round(r); ++p) {
      const auto pair = s.pair(r, p);
      CHECK(pair.i >= 0);
      CHECK(pair.i < n);
      CHECK(pair.j < m);
      CHECK(met.insert({pair.i, pair.j}).second);
      CHECK(slots.insert(s.slot(r, p)).second);
      CHECK(s.slot(r, p) < s.slot_count());
      CHECK(rows.insert(pair.i).second);
      if (self) {
        CHECK(pair.i <= pair.j);
        if (pair.i != pair.j) CHECK(rows.insert(pair.j).second);
      } else {
        CHECK(cols.insert(pair.j).second);
      }
    }
  }
  CHECK(hcl::Index(met.size()) == (self ? n * (n + 1) / 2 : n * m));
}

}  // namespace

TEST_CASE("a batch against itself") {
  for (hcl::Index n = 1; n <= 13; ++n) {
    CAPTURE(n);
    check(hcl::Schedule::self(n), n, n, true);
  }
}

TEST_CASE("a batch against another") {
  for (hcl::Index n = 1; n <= 7; ++n)
    for (hcl::Index m = 1; m <= 7; ++m) {
      CAPTURE(n);
      CAPTURE(m);
      check(hcl::Schedule::cross(n, m), n, m, false);
    }
}
