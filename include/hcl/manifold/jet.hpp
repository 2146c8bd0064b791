// hcl/manifold/jet.hpp - the backward of maps whose coefficients are functions of a few
// invariants.
//
// The maps of all geometries read
//   out = alpha x + beta y,   alpha, beta functions of (|x|^2, |y|^2, <x,y>, c) or the
//   like.
// With the upstream g, phi = <g,x> alpha + <g,y> beta as a function of the invariants has
//   dL/dx = alpha g + 2 phi_nx x + phi_xy y,   dL/dc = phi_c,
// so a backward needs the partial derivatives of two scalars. Each map writes its
// coefficients once, for numbers S: the forward takes S = W, the backward S = Jet.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/math.hpp"

namespace hcl::inline HCL_ABI::detail {

/// A number and its derivatives by N variables.
template <class W, std::size_t N>
struct Jet {
  W v;
  std::array<W, N> d;

  // NOLINTNEXTLINE(google-explicit-constructor): a constant is a Jet.
  Jet(const W& constant) : v(constant) { d.fill(W(0)); }
  template <class A>
    requires std::is_arithmetic_v<A>
  explicit Jet(A constant) : Jet(W(static_cast<double>(constant))) {}

  /// f(a) from its value and slope there.
  [[nodiscard]] static Jet chain(const Jet& a, const W& value, const W& slope) {
    Jet r(value);
    for (std::size_t k = 0; k < N; ++k) r.d[k] = slope * a.d[k];
    return r;
  }
  friend Jet operator+(const Jet& a, const Jet& b) {
    Jet r(W(a.v + b.v));
    for (std::size_t k = 0; k < N; ++k) r.d[k] = a.d[k] + b.d[k];
    return r;
  }
  friend Jet operator-(const Jet& a) { return chain(a, -a.v, W(-1)); }
  friend Jet operator-(const Jet& a, const Jet& b) { return a + (-b); }
  friend Jet operator*(const Jet& a, const Jet& b) {
    Jet r(W(a.v * b.v));
    for (std::size_t k = 0; k < N; ++k) r.d[k] = a.d[k] * b.v + a.v * b.d[k];
    return r;
  }
  friend Jet operator/(const Jet& a, const Jet& b) {
    Jet r(W(a.v / b.v));
    for (std::size_t k = 0; k < N; ++k) r.d[k] = (a.d[k] - r.v * b.d[k]) / b.v;
    return r;
  }
  friend Jet sqrt(const Jet& a) {
    using std::sqrt;
    const W r = sqrt(a.v);
    return chain(a, r, W(1) / (W(2) * r));
  }
};

/// 1 - c n from the jets of n = |x|^2 and c, with the digits of `gap`, its value where
/// that was taken from a wider sum.
template <class W, std::size_t N>
[[nodiscard]] Jet<W, N> gap_of(const W& gap, const Jet<W, N>& n, const Jet<W, N>& c) {
  Jet<W, N> r = Jet<W, N>(1) - c * n;
  r.v = gap;
  return r;
}

/// The variables themselves: number k has derivative 1 by variable k.
template <class W, class... Values>
[[nodiscard]] auto variables(const Values&... values) {
  constexpr std::size_t n = sizeof...(Values);
  std::array<Jet<W, n>, n> r{Jet<W, n>(W(values))...};
  for (std::size_t k = 0; k < n; ++k) r[k].d[k] = W(1);
  return r;
}

// Even functions by the square of their argument, smooth through 0: f(sqrt z), whose
// derivative by z is half the slope f'(s)/s of math.hpp.

template <class W, std::size_t N, class F, class Slope>
[[nodiscard]] Jet<W, N> even(const Jet<W, N>& z, const F& f, const Slope& slope) {
  const W s = root(z.v), value = f(s);
  return Jet<W, N>::chain(z, value, W(slope(s, value) / W(2)));
}
template <class W, class F, class Slope>
[[nodiscard]] W even(const W& z, const F& f, const Slope&) {
  return f(root(z));
}

/// tanh(s)/s and 1/cosh(s)^2.
template <class S>
struct TanhcSech2 {
  S tanhc, sech2;
};
template <class W, std::size_t N>
[[nodiscard]] TanhcSech2<Jet<W, N>> tanhc_sech2_of_square(const Jet<W, N>& z) {
  using std::cosh;
  using std::tanh;
  const W s = root(z.v), t = tanh(s), h = cosh(s);
  const W f = s == W(0) ? W(1) : W(t / s), sech2 = W(1) / h / h;
  return {Jet<W, N>::chain(z, f, W(tanhc_slope(s, t) / W(2))),
          Jet<W, N>::chain(z, sech2, W(-sech2 * f))};
}
template <class S>
[[nodiscard]] S tanhc_of_square(const S& z) {
  return even(
      z, [](const auto& s) { return tanhc(s); },
      [](const auto& s, const auto&) { return tanhc_slope(s); });
}
template <class S>
[[nodiscard]] S asinhc_of_square(const S& z) {
  return even(
      z, [](const auto& s) { return asinhc(s); },
      [](const auto& s, const auto& f) { return asinhc_slope(s, f); });
}
template <class S>
[[nodiscard]] S sinhc_of_square(const S& z) {
  return even(
      z, [](const auto& s) { return sinhc(s); },
      [](const auto& s, const auto&) { return sinhc_slope(s); });
}
template <class S>
[[nodiscard]] S sinc_of_square(const S& z) {
  return even(
      z, [](const auto& s) { return sinc(s); },
      [](const auto& s, const auto&) { return sinc_slope(s); });
}
template <class S>
[[nodiscard]] S cosh_of_square(const S& z) {
  return even(
      z,
      []<class W>(const W& s) -> W {
        using std::cosh;
        return cosh(s);
      },
      [](const auto& s, const auto&) { return sinhc(s); });
}
template <class S>
[[nodiscard]] S cos_of_square(const S& z) {
  return even(
      z,
      []<class W>(const W& s) -> W {
        using std::cos;
        return cos(s);
      },
      []<class W>(const W& s, const W&) -> W { return -sinc(s); });
}

}  // namespace hcl::inline HCL_ABI::detail
