// Rows that are broken cost nothing more, and what becomes of a row is its own affair.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "hcl/attack/pgd.hpp"

namespace {

using Flags = std::vector<std::uint8_t>;
using hcl::Index;

constexpr Index n = 40, d = 6;

std::vector<float> inputs() {
  std::mt19937 rng{5};
  std::uniform_real_distribution<float> u{0.2F, 0.8F};
  std::vector<float> x(std::size_t(n * d));
  for (float& v : x) v = u(rng);
  return x;
}

/// A bumpy loss, broken above a threshold of each row.
void bumpy(hcl::Point<float> x, hcl::Grad<float> g, float& loss) {
  loss = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    loss += std::sin(37 * x[k]) + x[k];
    g[k] = 37 * std::cos(37 * x[k]) + 1;
  }
}

/// Thresholds by row of the batch; notes what it was asked for.
struct ByRows {
  std::span<const float> threshold;
  std::vector<Index>* calls;  ///< of each row
  Index* batches;
  void operator()(hcl::BatchIn<float> x, hcl::BatchOut<float> g, std::span<float> loss,
                  std::span<std::uint8_t> broken, std::span<const Index> rows) const {
    ++*batches;
    CHECK(Index(rows.size()) == x.rows());
    CHECK(g.rows() == x.rows());
    CHECK(loss.size() == rows.size());
    CHECK(broken.size() == rows.size());
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    for (std::size_t k = 0; k < rows.size(); ++k) {
      ++(*calls)[std::size_t(rows[k])];
      bumpy(x.row(Index(k)), g.row(Index(k)), loss[k]);
      CHECK(broken[k] == 0);
      broken[k] = loss[k] > threshold[std::size_t(rows[k])];
    }
  }
};

/// The same of the older form.
struct Whole {
  std::span<const float> threshold;
  Index* batches;
  void operator()(hcl::BatchIn<float> x, hcl::BatchOut<float> g, std::span<float> loss,
                  std::span<std::uint8_t> broken) const {
    ++*batches;
    CHECK(x.rows() == Index(threshold.size()));
    for (Index i = 0; i < x.rows(); ++i) {
      const auto k = std::size_t(i);
      bumpy(x.row(i), g.row(i), loss[k]);
      broken[k] = loss[k] > threshold[k];
    }
  }
};

/// Some broken from the start, some soon, some late, some never.
std::vector<float> thresholds() {
  std::vector<float> t;
  for (Index i = 0; i < n; ++i) t.push_back(i % 4 == 3 ? 99.0F : 2.5F * float(i % 4));
  return t;
}

const hcl::PgdOptions<float> options{
    .steps = 12, .step_size = 0.01F, .restarts = 3, .seed = 7};

hcl::Threat<float> threat(hcl::Norm norm) { return {.norm = norm, .epsilon = 0.06F}; }

}  // namespace

TEST_CASE("a row is not looked at after it broke") {
  const auto x = inputs(), t = thresholds();
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    auto a = x, b = x;
    Flags broken(n), whole(n);
    std::vector<Index> calls(n, 0);
    Index batches = 0, whole_batches = 0;
    hcl::AttackWorkspace<float> ws, other;
    const auto report = hcl::pgd(ByRows{t, &calls, &batches}, threat(norm), options,
                                 hcl::BatchOut<float>(a.data(), n, d), broken, ws);
    hcl::pgd(Whole{t, &whole_batches}, threat(norm), options,
             hcl::BatchOut<float>(b.data(), n, d), whole, other);
    // Neither form changes what becomes of a row.
    CHECK(a == b);
    CHECK(broken == whole);
    CHECK(std::equal(ws.best_loss.begin(), ws.best_loss.begin() + n,
                     other.best_loss.begin()));
    CHECK(report.gradients == batches);
    CHECK(report.rows == std::accumulate(calls.begin(), calls.end(), Index{0}));
    const Index all = 1 + 3 * (1 + options.steps);
    Index once = 0, some = 0;
    for (std::size_t i = 0; i < std::size_t(n); ++i) {
      CHECK((calls[i] == all) == (broken[i] == 0));
      float loss;
      std::vector<float> g(static_cast<std::size_t>(d));
      bumpy(hcl::BatchIn<float>(x.data(), n, d).row(Index(i)), g, loss);
      CHECK((calls[i] == 1) == (loss > t[i]));
      once += calls[i] == 1;
      some += calls[i] > 2 && calls[i] < all;
    }
    CHECK(once > 0);
    CHECK(some > 0);
  }
}

TEST_CASE("when all rows are broken an attack ends, in either form") {
  const std::vector<float> t(std::size_t(n), -99.0F);  // broken at first sight
  Index batches = 0;
  std::vector<Index> calls(n, 0);
  auto a = inputs();
  Flags broken(n);
  auto report = hcl::pgd(ByRows{t, &calls, &batches}, threat(hcl::Norm::l2), options,
                         hcl::BatchOut<float>(a.data(), n, d), broken);
  CHECK(report.gradients == 1);
  CHECK(report.rows == n);
  CHECK(calls == std::vector<Index>(n, 1));
  batches = 0;
  report = hcl::pgd(Whole{t, &batches}, threat(hcl::Norm::l2), options,
                    hcl::BatchOut<float>(a.data(), n, d), broken);
  CHECK(batches == 1);
  CHECK(report.rows == n);
  CHECK(a == inputs());
  CHECK(broken == Flags(n, 1));
}

TEST_CASE("one iterate for the batch: every call has every row") {
  const auto t = thresholds();
  Index batches = 0;
  std::vector<Index> calls(n, 0);
  auto o = options;
  o.keep = hcl::Keep::batch;
  auto a = inputs();
  const auto report = hcl::pgd(ByRows{t, &calls, &batches}, threat(hcl::Norm::l2), o,
                               hcl::BatchOut<float>(a.data(), n, d), {});
  CHECK(report.gradients == 1 + 3 * (1 + o.steps));
  CHECK(calls == std::vector<Index>(n, report.gradients));
}

TEST_CASE("a row's end is the same in any batch and at any place") {
  const auto x = inputs(), t = thresholds();
  const hcl::BatchIn<float> rows(x.data(), n, d);
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    auto a = x;
    Flags broken(n);
    Index batches = 0;
    hcl::pgd(Whole{t, &batches}, threat(norm), options,
             hcl::BatchOut<float>(a.data(), n, d), broken);
    const hcl::BatchIn<float> ends(a.data(), n, d);
    std::vector<std::size_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), std::mt19937{9});
    for (const std::size_t batch : {std::size_t{1}, std::size_t{7}, std::size_t{n}})
      for (std::size_t first = 0; first < order.size(); first += batch) {
        const std::size_t m = std::min(batch, order.size() - first);
        std::vector<float> y, thresholds_of;
        for (std::size_t k = 0; k < m; ++k) {
          const auto row = rows.row(Index(order[first + k]));
          y.insert(y.end(), row.begin(), row.end());
          thresholds_of.push_back(t[order[first + k]]);
        }
        Flags flags(m);
        std::vector<Index> calls(m, 0);
        hcl::pgd(ByRows{thresholds_of, &calls, &batches}, threat(norm), options,
                 hcl::BatchOut<float>(y.data(), Index(m), d), flags);
        for (std::size_t k = 0; k < m; ++k) {
          CHECK(flags[k] == broken[order[first + k]]);
          CHECK(
              std::ranges::equal(hcl::BatchIn<float>(y.data(), Index(m), d).row(Index(k)),
                                 ends.row(Index(order[first + k]))));
        }
      }
  }
}
