// bench/limits.hpp - what this machine can do at most, measured in the same run as what
// is held against it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "hcl/core/parallel.hpp"
#include "hcl/core/simd.hpp"

namespace bench {

inline double seconds_now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Fused multiply-adds of one thread in registers: chains enough to hide their latency.
template <class T>
T fma_chains(long rounds) {
  using V = hcl::Pack<T>;
  constexpr int chains = 12;
  const V m(T(0.999999)), c(T(1e-6));
  V a[chains];
  for (int k = 0; k < chains; ++k) a[k] = V(T(k));
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int k = 0; k < chains; ++k) a[k] = hcl::vfma(a[k], m, c);
  V sum = a[0];
  for (int k = 1; k < chains; ++k) sum = sum + a[k];
  return hcl::vsum(sum);
}

/// GFLOP/s of fused multiply-adds on all threads, the best of a few tries.
template <class T>
double fma_peak() {
  const int threads = hcl::max_threads();
  const long rounds = 4'000'000;
  std::vector<T> out(std::size_t(threads) * 64);
  double best = 0;
  for (int tries = 0; tries < 5; ++tries) {
    const double start = seconds_now();
    hcl::parallel_for(threads, [&](std::ptrdiff_t t) {
      out[std::size_t(t) * 64] = fma_chains<T>(rounds);
    });
    const double flops = 2.0 * 12 * hcl::lanes<T> * double(rounds) * threads;
    best = std::max(best, flops / (seconds_now() - start) * 1e-9);
  }
  return best;
}

/// GB/s of a copy between arrays far larger than the caches, read and written bytes
/// together: the memory limit of maps by rows is their bytes at this rate.
inline double copy_rate() {
  const std::ptrdiff_t n = std::ptrdiff_t{1} << 26;
  std::vector<float> from(std::size_t(n), 1.0f), to(std::size_t(n), 2.0f);
  double best = 0;
  for (int tries = 0; tries < 5; ++tries) {
    const double start = seconds_now();
    hcl::parallel_for(n >> 10, [&](std::ptrdiff_t b) {
      std::copy_n(from.data() + (b << 10), 1 << 10, to.data() + (b << 10));
    });
    best =
        std::max(best, 2.0 * sizeof(float) * double(n) / (seconds_now() - start) * 1e-9);
  }
  return best;
}

}  // namespace bench
