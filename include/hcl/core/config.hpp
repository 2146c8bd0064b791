// hcl/core/config.hpp - what this translation unit is compiled for.
#pragma once

#if __cplusplus < 202002L
#error "hcl: needs C++20; compile with -std=c++20."
#endif

/// HCL_WITH_XSIMD=1 uses xsimd's vectors, 0 plain scalars. CMake sets it; by hand the
/// default is 0.
#ifndef HCL_WITH_XSIMD
#define HCL_WITH_XSIMD 0
#endif

#if !defined(HCL_ALLOW_FAST_MATH)
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error \
    "hcl: -ffast-math breaks the checks for NaN and the error bounds; build without it."
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "hcl: -ffinite-math-only removes the checks for NaN; build without it."
#endif
#endif

// GCC 12 warns of uninitialised values inside its own AVX-512 intrinsics (GCC bug
// 105593).
#if HCL_WITH_XSIMD && defined(__AVX512F__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

// Everything lives in an inline namespace named after the instruction set and the
// options, so that a program whose files are compiled with different flags keeps one copy
// of each function for each.
#if !HCL_WITH_XSIMD
#define HCL_ABI_ISA scalar
#elif defined(__AVX512F__)
#define HCL_ABI_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define HCL_ABI_ISA avx2
#elif defined(__AVX__)
#define HCL_ABI_ISA avx
#elif defined(__SSE4_2__)
#define HCL_ABI_ISA sse4
#elif defined(__SSE2__)
#define HCL_ABI_ISA sse2
#elif defined(__ARM_NEON)
#define HCL_ABI_ISA neon
#else
#define HCL_ABI_ISA other
#endif

#if defined(_OPENMP)
#define HCL_ABI_THREADS _omp
#else
#define HCL_ABI_THREADS _seq
#endif

#define HCL_ABI_JOIN2(a, b) a##b
#define HCL_ABI_JOIN(a, b) HCL_ABI_JOIN2(a, b)
#define HCL_ABI HCL_ABI_JOIN(HCL_ABI_ISA, HCL_ABI_THREADS)

#if defined(__GNUC__) || defined(__clang__)
#define HCL_INLINE inline __attribute__((always_inline))
#define HCL_INLINE_LAMBDA __attribute__((always_inline))
#else
#define HCL_INLINE inline
#define HCL_INLINE_LAMBDA
#endif
