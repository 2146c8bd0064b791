// hcl/core/simd.hpp - the one place that names xsimd: vectors of T, and the same
// functions on scalars.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>

#include "hcl/core/config.hpp"

#if HCL_WITH_XSIMD
#include <xsimd/xsimd.hpp>
#endif

namespace hcl::inline HCL_ABI {

// The lane functions, spelled once for scalars; a scalar is a vector of one lane.
template <std::floating_point T>
HCL_INLINE T vsqrt(T x) {
  return std::sqrt(x);
}
template <std::floating_point T>
HCL_INLINE T vexp(T x) {
  return std::exp(x);
}
// e^x for x <= 0.
template <std::floating_point T>
HCL_INLINE T vexp_negative(T x) {
  return std::exp(x);
}
template <std::floating_point T>
HCL_INLINE T vlog1p(T x) {
  return std::log1p(x);
}
template <std::floating_point T>
HCL_INLINE T vatan(T x) {
  return std::atan(x);
}
template <std::floating_point T>
HCL_INLINE T vmax(T x, T y) {
  return (std::max)(x, y);
}
template <std::floating_point T>
HCL_INLINE T vmin(T x, T y) {
  return (std::min)(x, y);
}
template <std::floating_point T>
HCL_INLINE T vselect(bool m, T x, T y) {
  return m ? x : y;
}
// Fused where the machine is, and then for vectors and scalars alike: equal bits.
template <std::floating_point T>
HCL_INLINE T vfma(T a, T b, T c) {
#if defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}
HCL_INLINE bool vany(bool m) { return m; }
HCL_INLINE bool vall(bool m) { return m; }
// Keeps x in its register: GCC would read it again from memory for every use.
template <std::floating_point T>
HCL_INLINE void vhold(T&) {}
// x for a member of a result in the losses' loops: of a copied vector GCC also keeps a
// store that nobody reads.
template <std::floating_point T>
HCL_INLINE T vcopy(T x) {
  return x;
}
template <std::floating_point T>
HCL_INLINE T vsum(T x) {
  return x;
}
template <std::floating_point T>
HCL_INLINE T vmax_lane(T x) {
  return x;
}

#if HCL_WITH_XSIMD
/// The widest vector of T that this translation unit is compiled for.
template <class T>
using Pack = xsimd::batch<T>;
template <class T>
inline constexpr int lanes = int(Pack<T>::size);

template <class V>
concept XsimdBatch = requires(const V& v) {
  typename V::batch_bool_type;
  v.store_unaligned(static_cast<typename V::value_type*>(nullptr));
};

#if defined(__AVX512F__)
// What the intrinsics without a mask take as undefined GCC 12 warns of in every program
// (GCC bug 105593); with all lanes in the mask they are the same instructions.
inline constexpr __mmask16 all_floats = 0xffff;
inline constexpr __mmask8 all_doubles = 0xff;
#endif

template <XsimdBatch V>
HCL_INLINE V vsqrt(const V& x) {
#if defined(__AVX512F__)
  if constexpr (std::same_as<typename V::value_type, float>)
    return V(_mm512_maskz_sqrt_ps(all_floats, x));
  else
    return V(_mm512_maskz_sqrt_pd(all_doubles, x));
#else
  return xsimd::sqrt(x);
#endif
}
#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
// Exponents as whole numbers in the lanes: what exp and log of core/exp_log.hpp take
// apart and put together. On other instruction sets they are xsimd's own.
#define HCL_LANE_EXPONENTS 1
/// y, but 0 where x < limit. (Of a select and a 0 GCC makes more operations.)
template <XsimdBatch V>
HCL_INLINE V vzero_below(const V& x, const V& limit, const V& y) {
  if constexpr (std::same_as<typename V::value_type, float>) {
#if defined(__AVX512F__)
    return V(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), y));
#else
    return V(_mm256_and_ps(_mm256_cmp_ps(x, limit, _CMP_NLT_UQ), y));
#endif
  } else {
#if defined(__AVX512F__)
    return V(_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(x, limit, _CMP_NLT_UQ), y));
#else
    return V(_mm256_and_pd(_mm256_cmp_pd(x, limit, _CMP_NLT_UQ), y));
#endif
  }
}
/// The number whose sign and biased exponent are the last digits of x.
template <XsimdBatch V>
HCL_INLINE V vfrom_exponent(const V& x) {
  if constexpr (std::same_as<typename V::value_type, float>) {
#if defined(__AVX512F__)
    return V(_mm512_castsi512_ps(
        _mm512_maskz_slli_epi32(all_floats, _mm512_castps_si512(x), 23)));
#else
    return V(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x), 23)));
#endif
  } else {
#if defined(__AVX512F__)
    return V(_mm512_castsi512_pd(
        _mm512_maskz_slli_epi64(all_doubles, _mm512_castpd_si512(x), 52)));
#else
    return V(_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(x), 52)));
#endif
  }
}
/// k and 2^-k, k the whole number with x 2^-k in [sqrt(1/2), sqrt(2)), for x >= 1.
template <class V>
struct LaneExponent {
  V k, scale;
};
template <XsimdBatch V>
HCL_INLINE LaneExponent<V> vexponent(const V& x) {
  // The bits of x less those of sqrt(1/2) are k and then digits; k moves to where it is
  // the last digits of a large number, and from the exponent of 1.
  if constexpr (std::same_as<typename V::value_type, float>) {
    constexpr int root_half = 0x3f3504f3, one = 0x3f800000, exponent = 0x7f800000;
    const V large(0x1p23f);
#if defined(__AVX512F__)
    const __m512i t =
        _mm512_sub_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(root_half));
    const __m512i s = _mm512_sub_epi32(_mm512_set1_epi32(one),
                                       _mm512_and_si512(t, _mm512_set1_epi32(exponent)));
    const __m512i k = _mm512_or_si512(_mm512_maskz_srli_epi32(all_floats, t, 23),
                                      _mm512_castps_si512(large));
    return {V(_mm512_castsi512_ps(k)) - large, V(_mm512_castsi512_ps(s))};
#else
    const __m256i t =
        _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(root_half));
    const __m256i s = _mm256_sub_epi32(_mm256_set1_epi32(one),
                                       _mm256_and_si256(t, _mm256_set1_epi32(exponent)));
    const __m256i k =
        _mm256_or_si256(_mm256_srli_epi32(t, 23), _mm256_castps_si256(large));
    return {V(_mm256_castsi256_ps(k)) - large, V(_mm256_castsi256_ps(s))};
#endif
  } else {
    constexpr long long root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000,
                        exponent = 0x7ff0000000000000;
    const V large(0x1p52);
#if defined(__AVX512F__)
    const __m512i t =
        _mm512_sub_epi64(_mm512_castpd_si512(x), _mm512_set1_epi64(root_half));
    const __m512i s = _mm512_sub_epi64(_mm512_set1_epi64(one),
                                       _mm512_and_si512(t, _mm512_set1_epi64(exponent)));
    const __m512i k = _mm512_or_si512(_mm512_maskz_srli_epi64(all_doubles, t, 52),
                                      _mm512_castpd_si512(large));
    return {V(_mm512_castsi512_pd(k)) - large, V(_mm512_castsi512_pd(s))};
#else
    const __m256i t =
        _mm256_sub_epi64(_mm256_castpd_si256(x), _mm256_set1_epi64x(root_half));
    const __m256i s = _mm256_sub_epi64(_mm256_set1_epi64x(one),
                                       _mm256_and_si256(t, _mm256_set1_epi64x(exponent)));
    const __m256i k =
        _mm256_or_si256(_mm256_srli_epi64(t, 52), _mm256_castpd_si256(large));
    return {V(_mm256_castsi256_pd(k)) - large, V(_mm256_castsi256_pd(s))};
#endif
  }
}
#else
template <XsimdBatch V>
HCL_INLINE V vexp(const V& x) {
  return xsimd::exp(x);
}
template <XsimdBatch V>
HCL_INLINE V vexp_negative(const V& x) {
  return xsimd::exp(x);
}
template <XsimdBatch V>
HCL_INLINE V vlog1p(const V& x) {
  return xsimd::log1p(x);
}
#endif
template <XsimdBatch V>
HCL_INLINE V vatan(const V& x) {
  return xsimd::atan(x);
}
template <XsimdBatch V>
HCL_INLINE V vmax(const V& x, const V& y) {
#if defined(__AVX512F__)
  if constexpr (std::same_as<typename V::value_type, float>)
    return V(_mm512_maskz_max_ps(all_floats, x, y));
  else
    return V(_mm512_maskz_max_pd(all_doubles, x, y));
#else
  return (xsimd::max)(x, y);
#endif
}
template <XsimdBatch V>
HCL_INLINE V vmin(const V& x, const V& y) {
#if defined(__AVX512F__)
  if constexpr (std::same_as<typename V::value_type, float>)
    return V(_mm512_maskz_min_ps(all_floats, x, y));
  else
    return V(_mm512_maskz_min_pd(all_doubles, x, y));
#else
  return (xsimd::min)(x, y);
#endif
}
template <XsimdBatch V>
HCL_INLINE V vselect(const typename V::batch_bool_type& m, const V& x, const V& y) {
  return xsimd::select(m, x, y);
}
template <XsimdBatch V>
HCL_INLINE V vfma(const V& a, const V& b, const V& c) {
#if defined(__AVX512F__)
  // xsimd leaves it to the compiler to fuse, and clang and -O1 do not.
  if constexpr (std::same_as<typename V::value_type, float>)
    return V(_mm512_fmadd_ps(a, b, c));
  else
    return V(_mm512_fmadd_pd(a, b, c));
#else
  return xsimd::fma(a, b, c);
#endif
}
template <XsimdBatch V>
HCL_INLINE void vhold([[maybe_unused]] V& x) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
  asm("" : "+v"(x.data));
#endif
}
template <XsimdBatch V>
HCL_INLINE V vcopy(const V& x) {
  return V(x.data);
}
template <class T, class A>
HCL_INLINE bool vany(const xsimd::batch_bool<T, A>& m) {
  return xsimd::any(m);
}
template <class T, class A>
HCL_INLINE bool vall(const xsimd::batch_bool<T, A>& m) {
  return xsimd::all(m);
}
// hadd became reduce_add in xsimd 9; lanes are folded here by hand, halves onto each
// other.
template <XsimdBatch V, class Fold>
HCL_INLINE typename V::value_type fold_lanes(const V& x, const Fold& fold) {
  typename V::value_type a[V::size];
  x.store_unaligned(a);
#pragma GCC unroll 4
  for (std::size_t half = V::size / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (std::size_t l = 0; l < half; ++l) a[l] = fold(a[l], a[l + half]);
  return a[0];
}
template <XsimdBatch V>
HCL_INLINE typename V::value_type vsum(const V& x) {
  return fold_lanes(x, [](auto a, auto b) HCL_INLINE_LAMBDA { return a + b; });
}
template <XsimdBatch V>
HCL_INLINE typename V::value_type vmax_lane(const V& x) {
  return fold_lanes(x, [](auto a, auto b) HCL_INLINE_LAMBDA { return b > a ? b : a; });
}
#else
template <class T>
using Pack = T;
template <class T>
inline constexpr int lanes = 1;
#endif

/// Lanes of a vector type, 1 for a scalar.
template <class V>
inline constexpr int width_of = [] {
  if constexpr (std::floating_point<V>)
    return 1;
  else
    return int(V::size);
}();

/// The type of a lane.
template <class V>
struct LaneScalar {
  using type = V;
};
#if HCL_WITH_XSIMD
template <XsimdBatch V>
struct LaneScalar<V> {
  using type = typename V::value_type;
};
#endif

template <class V, class T>
HCL_INLINE V vload(const T* p) {
  if constexpr (std::same_as<V, T>)
    return *p;
  else
    return V::load_unaligned(p);
}
/// Consecutive numbers in double.
template <class V, class T>
HCL_INLINE V vload_wide(const T* p) {
  if constexpr (std::same_as<V, T> || (width_of < V >> 1 && std::same_as<T, double>)) {
    return vload<V>(p);
  } else if constexpr (width_of<V> == 1) {
    return V(*p);
  } else {
#if HCL_WITH_XSIMD && defined(__AVX512F__)
    return V(_mm512_maskz_cvtps_pd(all_doubles, _mm256_loadu_ps(p)));
#elif HCL_WITH_XSIMD && defined(__AVX__)
    return V(_mm256_cvtps_pd(_mm_loadu_ps(p)));
#elif HCL_WITH_XSIMD && defined(__SSE2__)
    return V(
        _mm_cvtps_pd(_mm_loadl_pi(_mm_setzero_ps(), reinterpret_cast<const __m64*>(p))));
#else
    double wide[std::size_t(width_of<V>)];
    for (int l = 0; l < width_of<V>; ++l) wide[l] = double(p[l]);
    return vload<V>(wide);
#endif
  }
}
template <class V, class T>
HCL_INLINE void vstore(T* p, const V& v) {
  if constexpr (std::same_as<V, T>)
    *p = v;
  else
    v.store_unaligned(p);
}
/// Numbers in double, each rounded to T.
template <class V, class T>
HCL_INLINE void vstore_narrow(T* p, const V& v) {
  if constexpr (std::same_as<T, double>) {
    v.store_unaligned(p);
  } else {
#if HCL_WITH_XSIMD && defined(__AVX512F__)
    _mm256_storeu_ps(p, _mm512_maskz_cvtpd_ps(all_doubles, v));
#elif HCL_WITH_XSIMD && defined(__AVX__)
    _mm_storeu_ps(p, _mm256_cvtpd_ps(v));
#elif HCL_WITH_XSIMD && defined(__SSE2__)
    // By hand: in the loop below GCC 12 forgets to round what is loaded again.
    _mm_storel_pi(reinterpret_cast<__m64*>(p), _mm_cvtpd_ps(v));
#else
    double wide[std::size_t(width_of<V>)];
    vstore(wide, v);
    for (int l = 0; l < width_of<V>; ++l) p[l] = T(wide[l]);
#endif
  }
}

}  // namespace hcl::inline HCL_ABI
