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
template <std::floating_point T>
HCL_INLINE T vlog1p(T x) {
  return std::log1p(x);
}
template <std::floating_point T>
HCL_INLINE T vacos(T x) {
  return std::acos(x);
}
template <std::floating_point T>
HCL_INLINE T vmax(T x, T y) {
  return std::max(x, y);
}
template <std::floating_point T>
HCL_INLINE T vmin(T x, T y) {
  return std::min(x, y);
}
template <std::floating_point T>
HCL_INLINE T vselect(bool m, T x, T y) {
  return m ? x : y;
}
template <std::floating_point T>
HCL_INLINE T vfma(T a, T b, T c) {
  return std::fma(a, b, c);
}
HCL_INLINE bool vany(bool m) { return m; }
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

template <XsimdBatch V>
HCL_INLINE V vsqrt(const V& x) {
  return xsimd::sqrt(x);
}
template <XsimdBatch V>
HCL_INLINE V vexp(const V& x) {
  return xsimd::exp(x);
}
template <XsimdBatch V>
HCL_INLINE V vlog1p(const V& x) {
  return xsimd::log1p(x);
}
template <XsimdBatch V>
HCL_INLINE V vacos(const V& x) {
  return xsimd::acos(x);
}
template <XsimdBatch V>
HCL_INLINE V vmax(const V& x, const V& y) {
  return xsimd::max(x, y);
}
template <XsimdBatch V>
HCL_INLINE V vmin(const V& x, const V& y) {
  return xsimd::min(x, y);
}
template <XsimdBatch V>
HCL_INLINE V vselect(const typename V::batch_bool_type& m, const V& x, const V& y) {
  return xsimd::select(m, x, y);
}
template <XsimdBatch V>
HCL_INLINE V vfma(const V& a, const V& b, const V& c) {
  return xsimd::fma(a, b, c);
}
template <class T, class A>
HCL_INLINE bool vany(const xsimd::batch_bool<T, A>& m) {
  return xsimd::any(m);
}
// hadd became reduce_add in xsimd 9; lanes are summed here by hand, in one fixed order.
template <XsimdBatch V>
HCL_INLINE typename V::value_type vsum(const V& x) {
  typename V::value_type a[V::size], s = 0;
  x.store_unaligned(a);
  for (auto v : a) s += v;
  return s;
}
template <XsimdBatch V>
HCL_INLINE typename V::value_type vmax_lane(const V& x) {
  typename V::value_type a[V::size];
  x.store_unaligned(a);
  auto m = a[0];
  for (auto v : a) m = v > m ? v : m;
  return m;
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

template <class V, class T>
HCL_INLINE V vload(const T* p) {
  if constexpr (std::same_as<V, T>)
    return *p;
  else
    return V::load_unaligned(p);
}
template <class V, class T>
HCL_INLINE void vstore(T* p, const V& v) {
  if constexpr (std::same_as<V, T>)
    *p = v;
  else
    v.store_unaligned(p);
}

}  // namespace hcl::inline HCL_ABI
