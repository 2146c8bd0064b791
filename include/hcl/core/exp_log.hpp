// hcl/core/exp_log.hpp - exp and log1p on lanes, for the instruction sets on which they
// are worth their own: the latency of general ones is most of a pair's cost.
//
// Cephes' (Moshier) and FDLIBM's (Sun) approximations, with the reductions that fma makes
// exact and the polynomials in short chains. tests/core/test_exp_log.cpp holds them to 2
// ulp.
#pragma once

#include <bit>
#include <limits>

#include "hcl/core/simd.hpp"

namespace hcl::inline HCL_ABI {

namespace detail {

/// c[First] + c[First + 1] x + c[First + 2] x^2 + ... of Count terms, by halves (Estrin);
/// powers are x, x^2, x^4, .... By recursion, because a loop over vectors is kept as one
/// where the compiler does not unroll.
template <std::size_t First, std::size_t Count, class V, class C>
HCL_INLINE V estrin(const V* powers, const C& c) {
  if constexpr (Count == 1) {
    return V(typename LaneScalar<V>::type(c[First]));
  } else {
    constexpr std::size_t half = std::bit_ceil(Count) / 2;
    return vfma(estrin<First + half, Count - half>(powers, c),
                powers[std::countr_zero(half)], estrin<First, half>(powers, c));
  }
}

/// c[0] + c[1] x + c[2] x^2 + ..., up to 32 terms.
template <class V, class T, std::size_t N>
HCL_INLINE V polynomial(const V& x, const T (&c)[N]) {
  static_assert(N <= 32);
  const V x2 = x * x, x4 = x2 * x2, x8 = x4 * x4;
  const V powers[] = {x, x2, x4, x8, V(x8 * x8)};
  return estrin<0, N>(powers, c);
}

}  // namespace detail

#if defined(HCL_LANE_EXPONENTS)

namespace detail {

/// e^x 2^-Less for e^x from 2^-125 to 2^(127 + Less), in double 2^-1021 to 2^(1023 +
/// Less).
template <int Less, XsimdBatch V>
HCL_INLINE V exp_in_range(const V& x) {
  using T = typename V::value_type;
  constexpr bool narrow = sizeof(T) == sizeof(float);
  // k = x / log 2 as the last digits of a large number, of which they are the exponent.
  const V large(T(narrow ? 0x1.8p23 + 127 - Less : 0x1.8p52 + 1023 - Less));
  const V sum = vfma(x, V(T(1.4426950408889634)), large), k = sum - large;
  const V scale = vfrom_exponent(sum);
  V rest;  // e^r - 1, r = x - k log 2
  if constexpr (narrow) {
    constexpr T p[] = {5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f,
                       8.3334519073e-3f, 1.3981999507e-3f, 1.9875691500e-4f};
    const V r = vfma(k, V(2.12194440e-4f), vfma(k, V(-0.693359375f), x));
    rest = vfma(V(r * r), detail::polynomial(r, p), r);
  } else {
    constexpr T p[] = {9.99999999999999999910e-1, 3.02994407707441961300e-2,
                       1.26177193074810590878e-4};
    constexpr T q[] = {2.00000000000000000005e0, 2.27265548208155028766e-1,
                       2.52448340349684104192e-3, 3.00198505138664455042e-6};
    const V r =
        vfma(k, V(-1.42860682030941723212e-6), vfma(k, V(-6.93145751953125e-1), x));
    const V z = r * r, odd = r * detail::polynomial(z, p);
    rest = (odd + odd) / (detail::polynomial(z, q) - odd);
  }
  return vfma(rest, scale, scale);
}

/// The limits of vexp: 0 below, infinity above.
template <class T>
inline constexpr T exp_least = T(sizeof(T) == sizeof(float) ? -86.64 : -707.7);
template <class T>
inline constexpr T exp_most = T(sizeof(T) == sizeof(float) ? 88.72283 : 709.7827);

}  // namespace detail

/// e^x for x <= 0; 0 where it would be below 2^-125, in double 2^-1021.
template <XsimdBatch V>
HCL_INLINE V vexp_negative(const V& x) {
  using T = typename V::value_type;
  return vzero_below(x, V(detail::exp_least<T>), detail::exp_in_range<0>(x));
}

/// e^x; 0 as above, infinity above the range.
template <XsimdBatch V>
HCL_INLINE V vexp(const V& x) {
  using T = typename V::value_type;
  const V half = detail::exp_in_range<1>(x);  // as k may be one too large
  const V y = vzero_below(x, V(detail::exp_least<T>), V(half + half));
  return vselect(x > V(detail::exp_most<T>), V(std::numeric_limits<T>::infinity()), y);
}

/// log(1 + x) for 0 <= x, in float below 2^126 and in double below 2^1022; NaN of NaN.
template <XsimdBatch V>
HCL_INLINE V vlog1p(const V& x) {
  using T = typename V::value_type;
  const V one(T(1));
  const auto [k, scale] = vexponent(V(one + x));
  // (1 + x) 2^-k - 1 with one rounding: x itself where k = 0, so small x keep their
  // digits.
  const V f = vfma(x, scale, scale - one), z = f * f;
  if constexpr (sizeof(T) == sizeof(float)) {
    constexpr T c[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,
                       -1.6668057665e-1f, 1.4249322787e-1f,  -1.2420140846e-1f,
                       1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
    const V tail = vfma(f * z, detail::polynomial(f, c), k * V(-2.12194440e-4f));
    return vfma(k, V(0.693359375f), f + vfma(V(-0.5f), z, tail));
  } else {
    constexpr T c[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                       2.857142874366239149e-01, 2.222219843214978396e-01,
                       1.818357216161805012e-01, 1.531383769920937332e-01,
                       1.479819860511658591e-01};
    const V q = f / (V(T(2)) + f), y = q * q, half = V(T(0.5)) * z;
    const V tail = vfma(q, vfma(y, detail::polynomial(y, c), half),
                        k * V(1.90821492927058770002e-10));
    return vfma(k, V(6.93147180369123816490e-01), f - (half - tail));
  }
}

#endif

}  // namespace hcl::inline HCL_ABI
