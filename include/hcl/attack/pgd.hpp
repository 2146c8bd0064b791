// hcl/attack/pgd.hpp - projected gradient ascent on any loss.
#pragma once

#include "hcl/attack/threat.hpp"

namespace hcl::inline HCL_ABI {

template <class T>
struct PgdOptions {
  Index steps = 20;
  T step_size = T(2) / T(255);  ///< in the norm of the threat
  Index restarts = 1;           ///< further ones start at random points of the ball
  bool random_start = true;     ///< of the first one too
  std::uint64_t seed = 1;
};

namespace detail {

/// splitmix64 of (seed, restart, row, column): a start depends on nothing else.
template <class T>
T start_noise(std::uint64_t seed, Index restart, Index row, Index column) {
  std::uint64_t z = seed;
  for (const Index part : {restart, row, column}) {
    z += 0x9E3779B97F4A7C15U * (static_cast<std::uint64_t>(part) + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    z ^= z >> 31;
  }
  return static_cast<T>(double(z >> 11) * 0x1p-52 - 1);
}

}  // namespace detail

/// PGD: y <- P(y + step * sign(grad)) (L2: grad/|grad|), P the projection on ball and
/// box, from each start; every row keeps the iterate that breaks it or, while none does,
/// that of largest loss. A success is carried over: more steps, or more restarts, of the
/// same seed never break fewer rows. Source: Madry et al. 2018, arXiv:1706.06083,
/// sec. 2.1.
/// @param f        an AttackObjective.
/// @param x        (n, d), in the box; overwritten with the best iterates, which lie in
/// ball and box exactly as rounded. With epsilon = 0 it keeps its bits.
/// @param broken   n flags, overwritten: 1 where some iterate, the clean row among them,
/// succeeded.
/// @throws std::invalid_argument naming argument, row and value, before x is touched.
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
  expect(Index(broken.size()) == n, where, ": broken has ", broken.size(), " flags for ",
         n, " rows");
  detail::check_inputs<T>(where, threat, x);

  ws.ensure(2 * n, d);  // iterates above, clean rows below
  const BatchOut<T> now(ws.now.data(), n, d), clean(ws.now.data() + n * d, n, d);
  const BatchOut<T> grad(ws.grad.data(), n, d);
  const std::span<T> loss(ws.loss.data(), std::size_t(n));
  const std::span<std::uint8_t> hit(ws.broken.data(), std::size_t(n));
  for (Index i = 0; i < n; ++i) std::ranges::copy(x.row(i), clean.row(i).begin());
  std::ranges::fill(broken, std::uint8_t{0});
  std::fill_n(ws.best_loss.begin(), n, -std::numeric_limits<T>::infinity());

  AttackReport report;
  const auto look = [&] {  // at the iterates as they are now
    f(BatchIn<T>(now), grad, loss, hit);
    ++report.gradients;
    for (Index i = 0; i < n; ++i) {
      const auto k = std::size_t(i);
      if (broken[k] != 0) continue;  // carried over
      if (hit[k] == 0 && !(loss[k] > ws.best_loss[k])) continue;
      broken[k] = hit[k];
      ws.best_loss[k] = loss[k];
      std::ranges::copy(now.row(i), x.row(i).begin());
    }
  };
  for (Index r = 0; r < options.restarts; ++r) {
    for (Index i = 0; i < n; ++i) std::ranges::copy(clean.row(i), now.row(i).begin());
    if (r == 0) look();
    if (threat.epsilon == T(0)) break;
    const bool random = r > 0 || options.random_start;
    if (random)
      for (Index i = 0; i < n; ++i) {
        for (Index k = 0; k < d; ++k)
          now(i, k) += threat.epsilon * detail::start_noise<T>(options.seed, r, i, k);
        detail::project_row<T>(threat, clean.row(i), now.row(i));
      }
    if (random) look();
    for (Index s = 0; s < options.steps; ++s) {
      for (Index i = 0; i < n; ++i) {
        if (!detail::usable_gradient<T>(grad.row(i), report)) continue;
        detail::ascend<T>(threat.norm, options.step_size, grad.row(i), now.row(i));
        detail::project_row<T>(threat, clean.row(i), now.row(i));
      }
      look();
    }
  }
  return report;
}

template <class T, AttackObjective<T> F>
AttackReport pgd(const F& f, const Threat<T>& threat, const PgdOptions<T>& options,
                 BatchOut<T> x, std::span<std::uint8_t> broken) {
  AttackWorkspace<T> ws;
  return pgd(f, threat, options, x, broken, ws);
}

}  // namespace hcl::inline HCL_ABI
