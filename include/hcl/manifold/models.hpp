// hcl/manifold/models.hpp - the isometries between the two models of hyperbolic space.
#pragma once

#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"

namespace hcl::inline HCL_ABI {

/// Ball point x -> spatial coordinates 2x/(1 - c|x|^2). Distances are kept: both metrics
/// have curvature -c. out may be x.
template <class T>
void to_lorentz(const PoincareBall<T>& ball, Point<std::type_identity_t<T>> x,
                Grad<std::type_identity_t<T>> out) {
  using W = Wide<T>;
  detail::scale<T>(W(2) / (W(1) - W(ball.c()) * norm2<T>(x)), x, out);
}

/// Spatial coordinates x -> ball point x/(1 + sqrt(1 + c|x|^2)), rounded to the inside as
/// PoincareBall::project does. out may be x.
template <class T>
void to_ball(const Lorentz<T>& lorentz, Point<std::type_identity_t<T>> x,
             Grad<std::type_identity_t<T>> out) {
  using std::sqrt;
  using W = Wide<T>;
  detail::scale<T>(W(1) / (W(1) + sqrt(W(1) + W(lorentz.c()) * norm2<T>(x))), x, out);
  PoincareBall<T>(lorentz.c()).project(out, out);
}

/// The other model of the same curvature.
template <class T>
[[nodiscard]] Lorentz<T> as_lorentz(const PoincareBall<T>& ball) {
  return Lorentz<T>(ball.c());
}
template <class T>
[[nodiscard]] PoincareBall<T> as_ball(const Lorentz<T>& lorentz) {
  return PoincareBall<T>(lorentz.c());
}

}  // namespace hcl::inline HCL_ABI
