// hcl/core/config.hpp - what this translation unit is compiled for.
#pragma once

#include <version>

#if __cplusplus < 202002L
#error "hcl: needs C++20; compile with -std=c++20."
#endif

/// HCL_WITH_XSIMD=1 uses xsimd's vectors, 0 plain scalars. CMake sets it; by hand xsimd
/// is taken where its headers are found, are of version 8.1 or newer, and know the CPU.
#if !defined(HCL_WITH_XSIMD) || HCL_WITH_XSIMD
#if defined(HCL_WITH_XSIMD) || \
    (__has_include(<xsimd/xsimd.hpp>) && __has_include(<xsimd/config/xsimd_config.hpp>))
#include <xsimd/config/xsimd_config.hpp>
#if XSIMD_VERSION_MAJOR > 8 || (XSIMD_VERSION_MAJOR == 8 && XSIMD_VERSION_MINOR >= 1)
#define HCL_XSIMD_IS_NEW_ENOUGH 1
#endif
#endif
#if defined(HCL_WITH_XSIMD) && !defined(HCL_XSIMD_IS_NEW_ENOUGH)
#error "hcl: xsimd is older than 8.1; take a newer one, or HCL_WITH_XSIMD=0 for scalars."
#elif !defined(HCL_WITH_XSIMD) && defined(HCL_XSIMD_IS_NEW_ENOUGH) && \
    !defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#define HCL_WITH_XSIMD 1
#elif !defined(HCL_WITH_XSIMD)
#define HCL_WITH_XSIMD 0
#endif
#endif

#if !defined(HCL_ALLOW_FAST_MATH)
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error \
    "hcl: -ffast-math breaks the checks for NaN and the error bounds; build without it."
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "hcl: -ffinite-math-only removes the checks for NaN; build without it."
#endif
#endif

/// What the batch calls compute with, as a string: "xsimd 8.1, AVX2 and FMA" or
/// "scalars". -DHCL_VERBOSE prints it when it compiles.
#if !HCL_WITH_XSIMD
#define HCL_SIMD_NAME "scalars"
#else
#define HCL_QUOTE2(x) #x
#define HCL_QUOTE(x) HCL_QUOTE2(x)
#define HCL_SIMD_NAME                                    \
  "xsimd " HCL_QUOTE(XSIMD_VERSION_MAJOR) "." HCL_QUOTE( \
      XSIMD_VERSION_MINOR) ", " HCL_SIMD_ISA
#if defined(__AVX512F__)
#define HCL_SIMD_ISA "AVX-512"
#elif defined(__AVX2__) && defined(__FMA__)
#define HCL_SIMD_ISA "AVX2 and FMA"
#elif defined(__AVX2__)
#define HCL_SIMD_ISA "AVX2"
#elif defined(__AVX__)
#define HCL_SIMD_ISA "AVX"
#elif defined(__SSE4_2__)
#define HCL_SIMD_ISA "SSE4.2"
#elif defined(__SSE2__)
#define HCL_SIMD_ISA "SSE2"
#elif defined(__ARM_FEATURE_SVE_BITS) && __ARM_FEATURE_SVE_BITS
#define HCL_SIMD_ISA "SVE"
#elif defined(__ARM_NEON)
#define HCL_SIMD_ISA "NEON"
#else
#define HCL_SIMD_ISA "another instruction set"
#endif
#endif
#if defined(HCL_VERBOSE)
#pragma message("hcl: " HCL_SIMD_NAME)
#endif

// HCL_ABI: everything lives in an inline namespace whose name tells all that its code
// depends on: v<hash of the headers>_<threads>_<vectors>_<instruction set>_<language>, as
// in v1a2b3c4d_omp_xs8_1_fe7f3_0. So a program whose files are compiled with other flags,
// or with another state of hcl, keeps one copy of each function for each. What has no
// macro (-O, -mtune, -ffp-contract) is not told apart.

/// The headers' state: written by cmake/abi.sh, checked by .ci/run.
#define HCL_ABI_HASH v531a462f

#define HCL_ABI_PASTE(a, b, c, d, e) a##b##c##d##e
#define HCL_ABI_JOIN(a, b, c, d, e) HCL_ABI_PASTE(a, b, c, d, e)

// HCL_ABI_HEX(a, b, c, d) is a hexadecimal digit, one bit for each of four macros: 1
// where it is defined as 1.
#define HCL_ABI_HEX(a, b, c, d)                                                \
  HCL_ABI_JOIN(HCL_ABI_DIGIT_, HCL_ABI_BIT(a), HCL_ABI_BIT(b), HCL_ABI_BIT(c), \
               HCL_ABI_BIT(d))
#define HCL_ABI_BIT(flag) HCL_ABI_BIT_OF(flag)
#define HCL_ABI_BIT_OF(value) HCL_ABI_SECOND_OF(HCL_ABI_COMMA_IF_##value 1, 0, 0)
#define HCL_ABI_SECOND_OF(...) HCL_ABI_SECOND(__VA_ARGS__)
#define HCL_ABI_SECOND(a, b, ...) b
#define HCL_ABI_COMMA_IF_1 0,
#define HCL_ABI_DIGIT_0000 0
#define HCL_ABI_DIGIT_0001 1
#define HCL_ABI_DIGIT_0010 2
#define HCL_ABI_DIGIT_0011 3
#define HCL_ABI_DIGIT_0100 4
#define HCL_ABI_DIGIT_0101 5
#define HCL_ABI_DIGIT_0110 6
#define HCL_ABI_DIGIT_0111 7
#define HCL_ABI_DIGIT_1000 8
#define HCL_ABI_DIGIT_1001 9
#define HCL_ABI_DIGIT_1010 a
#define HCL_ABI_DIGIT_1011 b
#define HCL_ABI_DIGIT_1100 c
#define HCL_ABI_DIGIT_1101 d
#define HCL_ABI_DIGIT_1110 e
#define HCL_ABI_DIGIT_1111 f

#if defined(_OPENMP)
#define HCL_ABI_THREADS _omp
#else
#define HCL_ABI_THREADS _seq
#endif

#if HCL_WITH_XSIMD
#define HCL_ABI_VECTORS HCL_ABI_JOIN(_xs, XSIMD_VERSION_MAJOR, _, XSIMD_VERSION_MINOR, _)
#else
#define HCL_ABI_VECTORS _scalar_
#endif

// What the compiler may emit anywhere, and what the code or xsimd chooses by.
#if defined(__x86_64__) || defined(__i386__)
#define HCL_ABI_ISA                                                    \
  HCL_ABI_JOIN(HCL_ABI_HEX(__SSE2__, __SSE3__, __SSSE3__, __SSE4_1__), \
               HCL_ABI_HEX(__SSE4_2__, __AVX__, __AVX2__, __FMA__),    \
               HCL_ABI_HEX(__F16C__, __FMA4__, __XOP__, __AVXVNNI__),  \
               HCL_ABI_HEX(__POPCNT__, __LZCNT__, __BMI__, __BMI2__), HCL_ABI_ISA_512)
#define HCL_ABI_ISA_512                                                                 \
  HCL_ABI_JOIN(                                                                         \
      HCL_ABI_HEX(__AVX512F__, __AVX512CD__, __AVX512BW__, __AVX512DQ__),               \
      HCL_ABI_HEX(__AVX512VL__, __AVX512IFMA__, __AVX512VBMI__, __AVX512VBMI2__),       \
      HCL_ABI_HEX(__AVX512VNNI__, __AVX512BF16__, __AVX512FP16__, __AVX512VPOPCNTDQ__), \
      HCL_ABI_HEX(__AVX512ER__, __AVX512PF__, __AVX10_1__, __AVX10_2__),                \
      HCL_ABI_HEX(__MOVBE__, __APX_F__, __SSE_MATH__, __SSE2_MATH__))
#elif defined(__ARM_ARCH)
#if defined(__ARM_FEATURE_SVE_BITS)
#define HCL_ABI_SVE_BITS __ARM_FEATURE_SVE_BITS
#else
#define HCL_ABI_SVE_BITS 0
#endif
#define HCL_ABI_ISA                                                                   \
  HCL_ABI_JOIN(HCL_ABI_JOIN(arm, __ARM_ARCH, _sve, HCL_ABI_SVE_BITS, _),              \
               HCL_ABI_HEX(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_DOTPROD,      \
                           __ARM_FEATURE_ATOMICS),                                    \
               HCL_ABI_HEX(__ARM_FEATURE_SVE, __ARM_FEATURE_SVE2,                     \
                           __ARM_FEATURE_MATMUL_INT8, __ARM_FEATURE_SVE_MATMUL_INT8), \
               HCL_ABI_HEX(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, __ARM_FEATURE_BF16,  \
                           __ARM_FEATURE_COMPLEX, __ARM_FEATURE_JCVT), )
#elif defined(__riscv_v_fixed_vlen)
#define HCL_ABI_ISA HCL_ABI_JOIN(rvv, __riscv_v_fixed_vlen, , , )
#elif defined(__s390x__)
#define HCL_ABI_ISA HCL_ABI_JOIN(z, __ARCH__, HCL_ABI_HEX(__VX__, 0, 0, 0), , )
#else
#define HCL_ABI_ISA                                                                     \
  HCL_ABI_JOIN(HCL_ABI_HEX(__riscv_vector, 0, __wasm_simd128__, __wasm_relaxed_simd__), \
               HCL_ABI_HEX(__ALTIVEC__, __VSX__, _ARCH_PWR8, _ARCH_PWR9),               \
               HCL_ABI_HEX(_ARCH_PWR10, __MMA__, 0, 0), , )
#endif

// Floating point; the standard library, by whose types ours are laid out; exceptions.
#if defined(_LIBCPP_VERSION)
#define HCL_ABI_LIBCPP 1
#endif
#if !defined(__cpp_exceptions)
#define HCL_ABI_NO_EXCEPTIONS 1
#endif
#define HCL_ABI_LANGUAGE                                                           \
  HCL_ABI_JOIN(_,                                                                  \
               HCL_ABI_HEX(XSIMD_WITH_FMA3_SSE, XSIMD_WITH_FMA3_AVX,               \
                           XSIMD_WITH_FMA3_AVX2, XSIMD_WITH_EMULATED),             \
               HCL_ABI_HEX(__FP_FAST_FMAF, __FAST_MATH__, __FINITE_MATH_ONLY__,    \
                           __ASSOCIATIVE_MATH__),                                  \
               HCL_ABI_HEX(_GLIBCXX_USE_CXX11_ABI, _GLIBCXX_DEBUG, HCL_ABI_LIBCPP, \
                           HCL_ABI_NO_EXCEPTIONS), )

#define HCL_ABI                                                             \
  HCL_ABI_JOIN(HCL_ABI_HASH, HCL_ABI_THREADS, HCL_ABI_VECTORS, HCL_ABI_ISA, \
               HCL_ABI_LANGUAGE)

#if defined(__GNUC__) || defined(__clang__)
#define HCL_INLINE inline __attribute__((always_inline))
#define HCL_INLINE_LAMBDA __attribute__((always_inline))
#else
#define HCL_INLINE inline
#define HCL_INLINE_LAMBDA
#endif
