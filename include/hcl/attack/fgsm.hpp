// hcl/attack/fgsm.hpp - one step along the sign of the gradient.
#pragma once

#include "hcl/attack/pgd.hpp"

namespace hcl::inline HCL_ABI {

/// x + epsilon sign(grad) (L2: the steepest step of length epsilon within the box, which
/// is epsilon grad/|grad| away from its walls), in the box: PGD of one step of length
/// epsilon from x itself, so a row that the step would not harm stays as it was.
/// Arguments and errors as in pgd. Source: Goodfellow et al. 2015, arXiv:1412.6572,
/// sec. 4.
template <class T, AttackObjective<T> F>
AttackReport fgsm(const F& f, const Threat<T>& threat, BatchOut<T> x,
                  std::span<std::uint8_t> broken, AttackWorkspace<T>& ws) {
  return pgd(
      f, threat,
      PgdOptions<T>{.steps = 1, .step_size = threat.epsilon, .random_start = false}, x,
      broken, ws);
}

template <class T, AttackObjective<T> F>
AttackReport fgsm(const F& f, const Threat<T>& threat, BatchOut<T> x,
                  std::span<std::uint8_t> broken) {
  AttackWorkspace<T> ws;
  return fgsm(f, threat, x, broken, ws);
}

}  // namespace hcl::inline HCL_ABI
