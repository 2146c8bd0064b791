// hcl/attack/pgd.hpp - projected gradient ascent on any loss.
#pragma once

#include <numeric>
#include <optional>

#include "hcl/attack/step.hpp"
#include "hcl/core/parallel.hpp"

namespace hcl::inline HCL_ABI {

template <class T>
struct PgdOptions {
  Index steps = 20;
  /// In the norm of the threat; 2.5 epsilon/steps where not given, with the box's size
  /// for an epsilon that is larger.
  std::optional<T> step_size{};
  Index restarts = 1;        ///< further ones start at random points of the ball
  bool random_start = true;  ///< of the first one too
  std::uint64_t seed = 1;
  Keep keep = Keep::row;
};

/// PGD: y <- P(y + step * sign(grad)), P the projection on ball and box, from each start;
/// L2: y <- P(y + s * grad), s such that the row moves by the step within ball and box.
/// The clean rows are looked at first. Every row keeps the iterate that breaks it or,
/// while none does, that of largest loss; with Keep::batch all rows keep the iterate of
/// largest sum. A success is carried over: more steps, or more restarts, of the same seed
/// and step never break fewer rows, nor lower the loss of a row that stays whole. Nothing
/// is computed for a row after it broke, if f takes rows; other objectives are called
/// until the last row broke. A row's start depends on the seed and its own numbers alone
/// (Keep::batch: and its place), so that its result is the same in any batch, at any
/// place and for any number of threads, if that holds for f. Source: Madry et al. 2018,
/// arXiv:1706.06083, sec. 2.1.
/// @param f        an AttackObjective; a gradient entry that is not finite counts as 0.
/// @param x        (n, d), in the box; overwritten with the best iterates, which lie in
/// ball and box exactly as rounded. With epsilon = 0 it keeps its bits.
/// @param broken   n flags, or none; overwritten: 1 where some iterate, the clean row
/// among them, succeeded.
/// @throws std::invalid_argument naming argument, row and value, and whatever f throws,
/// before x or broken is touched.
template <class T, AttackObjective<T> F>
AttackReport pgd(const F& f, const Threat<T>& threat, const PgdOptions<T>& options,
                 BatchOut<T> x, std::span<std::uint8_t> broken, AttackWorkspace<T>& ws) {
  const char* const where = "pgd";
  const Index n = x.rows(), d = x.cols();
  detail::check_threat(where, threat);
  expect(options.steps >= 0 && options.restarts >= 1, where, ": steps ", options.steps,
         " must be >= 0, restarts ", options.restarts, " >= 1");
  if (options.step_size)
    expect(is_finite(*options.step_size) && *options.step_size >= T(0), where,
           ": step_size ", *options.step_size, " must be finite and >= 0");
  expect(broken.empty() || Index(broken.size()) == n, where, ": broken has ",
         broken.size(), " flags for ", n, " rows");
  detail::check_inputs<T>(where, threat, x);
  const T step = options.step_size ? *options.step_size
                                   : detail::default_step<T>(threat, options.steps, d);
  AttackReport report;
  report.step_size = double(step);
  report.crosses =
      detail::crosses<T>(threat, step, options.steps, options.random_start, d);
  if (n == 0) return report;

  ws.ensure(n, d);
  const BatchOut<T> best(ws.best.data(), n, d);
  const auto copy_row = [](Point<T> from, Grad<T> to) {
    std::copy(from.begin(), from.end(), to.begin());
  };
  const auto copy_rows = [n, copy_row](BatchIn<T> from, BatchOut<T> to) {
    for (Index i = 0; i < n; ++i) copy_row(from.row(i), to.row(i));
  };
  copy_rows(x, best);
  std::fill_n(ws.broken.begin(), n, std::uint8_t{0});
  std::fill_n(ws.best_loss.begin(), n, -std::numeric_limits<T>::infinity());
  Wide<T> best_sum = -std::numeric_limits<Wide<T>>::infinity();

  // Row k of now, grad, loss, hit and fate is of row ws.rows[k] of x, k < count.
  constexpr bool takes_any = detail::TakesAnyRows<F, T>;
  std::iota(ws.rows.begin(), ws.rows.begin() + n, Index{0});
  Index count = n, whole = n;
  const auto row_of = [&](Index k) { return ws.rows[static_cast<std::size_t>(k)]; };
  const auto now = [&] { return BatchOut<T>(ws.now.data(), count, d); };
  const auto grad = [&] { return BatchOut<T>(ws.grad.data(), count, d); };
  const auto look = [&] {  // at the iterates as they are now
    const auto size = static_cast<std::size_t>(count);
    const BatchOut<T> y = now(), g = grad();
    const std::span<T> loss(ws.loss.data(), size);
    const std::span<std::uint8_t> hit(ws.hit.data(), size);
    std::fill(hit.begin(), hit.end(), std::uint8_t{0});
    if constexpr (takes_any)
      f(BatchIn<T>(y), g, loss, hit, std::span<const Index>(ws.rows.data(), size));
    else if constexpr (detail::GivesLossAndBroken<F, T>)
      f(BatchIn<T>(y), g, loss, hit);
    else
      f(BatchIn<T>(y), g, loss);
    parallel_for(count, [&](Index k) {
      ws.fate[static_cast<std::size_t>(k)] = detail::sift_gradient<T>(g.row(k));
    });
    Wide<T> sum(0);
    for (const T v : loss) sum += Wide<T>(v);
    const bool better = sum > best_sum;
    if (better) best_sum = sum;
    ++report.gradients, report.rows += count;
    Index kept = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const auto i = static_cast<std::size_t>(ws.rows[k]);
      report.zero_gradients += ws.fate[k] == detail::Fate::zero;
      report.nonfinite_gradients += ws.fate[k] == detail::Fate::nonfinite;
      const bool take =
          options.keep == Keep::batch
              ? better
              : ws.broken[i] == 0 && (hit[k] != 0 || loss[k] > ws.best_loss[i]);
      if (hit[k] != 0 && ws.broken[i] == 0) ws.broken[i] = 1, --whole;
      if (take) {
        ws.best_loss[i] = loss[k];
        copy_row(y.row(Index(k)), best.row(Index(i)));
      }
      if (takes_any && options.keep == Keep::row && ws.broken[i] != 0) continue;
      if (kept < Index(k)) {  // the rows that are left move to the front
        ws.rows[static_cast<std::size_t>(kept)] = Index(i);
        copy_row(y.row(Index(k)), y.row(kept));
        copy_row(g.row(Index(k)), g.row(kept));
      }
      ++kept;
    }
    count = kept;
  };
  const auto done = [&] { return options.keep == Keep::row && whole == 0; };
  for (Index r = 0; r < options.restarts && !done(); ++r) {
    for (Index k = 0; k < count; ++k) copy_row(x.row(row_of(k)), now().row(k));
    if (r == 0) look();
    if (threat.epsilon == T(0)) break;
    if ((r > 0 || options.random_start) && !done()) {
      parallel_for(count, [&](Index k) {
        const Index i = row_of(k);
        const std::uint64_t key = options.keep == Keep::batch
                                      ? static_cast<std::uint64_t>(i)
                                      : detail::row_key<T>(x.row(i));
        detail::random_start<T>(threat, options.seed, r, key, x.row(i), now().row(k));
        detail::project_row<T>(threat, x.row(i), now().row(k));
      });
      look();
    }
    for (Index s = 0; s < options.steps && !done(); ++s) {
      parallel_for(count, [&](Index k) {
        detail::ascend<T>(threat, step, x.row(row_of(k)), grad().row(k), now().row(k));
      });
      look();
    }
  }
  copy_rows(best, x);
  if (!broken.empty()) std::copy_n(ws.broken.begin(), n, broken.begin());
  return report;
}

template <class T, AttackObjective<T> F>
AttackReport pgd(const F& f, const Threat<T>& threat, const PgdOptions<T>& options,
                 BatchOut<T> x, std::span<std::uint8_t> broken) {
  AttackWorkspace<T> ws;
  return pgd(f, threat, options, x, broken, ws);
}

}  // namespace hcl::inline HCL_ABI
