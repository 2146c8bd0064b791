// hcl/attack/pgd.hpp - projected gradient ascent on any loss.
#pragma once

#include "hcl/attack/step.hpp"
#include "hcl/core/parallel.hpp"

namespace hcl::inline HCL_ABI {

template <class T>
struct PgdOptions {
  Index steps = 20;
  T step_size = T(2) / T(255);  ///< in the norm of the threat
  Index restarts = 1;           ///< further ones start at random points of the ball
  bool random_start = true;     ///< of the first one too
  std::uint64_t seed = 1;
  Keep keep = Keep::row;
};

/// PGD: y <- P(y + step * sign(grad)) (L2: grad/|grad|), P the projection on ball and
/// box, from each start; the clean rows are looked at first. Every row keeps the iterate
/// that breaks it or, while none does, that of largest loss; with Keep::batch all rows
/// keep the iterate of largest sum. A success is carried over: more steps, or more
/// restarts, of the same seed never break fewer rows, nor lower the loss of a row that
/// stays whole. Same bits for any number of threads, if f has. Source: Madry et al. 2018,
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
  expect(is_finite(options.step_size) && options.step_size >= T(0), where, ": step_size ",
         options.step_size, " must be finite and >= 0");
  expect(broken.empty() || Index(broken.size()) == n, where, ": broken has ",
         broken.size(), " flags for ", n, " rows");
  detail::check_inputs<T>(where, threat, x);
  AttackReport report;
  if (n == 0) return report;

  ws.ensure(n, d);
  const auto rows = static_cast<std::size_t>(n);
  const BatchOut<T> now(ws.now.data(), n, d), best(ws.best.data(), n, d);
  const BatchOut<T> grad(ws.grad.data(), n, d);
  const std::span<T> loss(ws.loss.data(), rows);
  const std::span<std::uint8_t> hit(ws.hit.data(), rows);
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

  const auto look = [&] {  // at the iterates as they are now
    std::fill(hit.begin(), hit.end(), std::uint8_t{0});
    if constexpr (detail::GivesLossAndBroken<F, T>)
      f(BatchIn<T>(now), grad, loss, hit);
    else
      f(BatchIn<T>(now), grad, loss);
    parallel_for(n, [&](Index i) {
      ws.fate[static_cast<std::size_t>(i)] = detail::sift_gradient<T>(grad.row(i));
    });
    Wide<T> sum(0);
    for (const T v : loss) sum += Wide<T>(v);
    const bool better = sum > best_sum;
    if (better) best_sum = sum;
    ++report.gradients, report.rows += n;
    for (std::size_t i = 0; i < rows; ++i) {
      report.zero_gradients += ws.fate[i] == detail::Fate::zero;
      report.nonfinite_gradients += ws.fate[i] == detail::Fate::nonfinite;
      const bool take =
          options.keep == Keep::batch
              ? better
              : ws.broken[i] == 0 && (hit[i] != 0 || loss[i] > ws.best_loss[i]);
      if (hit[i] != 0) ws.broken[i] = 1;
      if (!take) continue;
      ws.best_loss[i] = loss[i];
      copy_row(now.row(Index(i)), best.row(Index(i)));
    }
  };
  for (Index r = 0; r < options.restarts; ++r) {
    copy_rows(x, now);
    if (r == 0) look();
    if (threat.epsilon == T(0)) break;
    if (r > 0 || options.random_start) {
      parallel_for(n, [&](Index i) {
        detail::random_start<T>(threat, options.seed, r, i, x.row(i), now.row(i));
        detail::project_row<T>(threat, x.row(i), now.row(i));
      });
      look();
    }
    for (Index s = 0; s < options.steps; ++s) {
      parallel_for(n, [&](Index i) {
        detail::ascend<T>(threat.norm, options.step_size, grad.row(i), now.row(i));
        detail::project_row<T>(threat, x.row(i), now.row(i));
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
