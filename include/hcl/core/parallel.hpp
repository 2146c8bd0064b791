// hcl/core/parallel.hpp - the one place that names OpenMP.
#pragma once

#include <cstddef>
#include <type_traits>

#include "hcl/core/config.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace hcl::inline HCL_ABI {

/// Threads that parallel_for may use from here.
inline int max_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// f(i) or f(i, thread) for i in [0, n), contiguous shares to the threads; thread <
/// max_threads() numbers scratch memory. f must not throw. Bits do not depend on the
/// number of threads as long as f(i) writes only what belongs to i.
template <class F>
void parallel_for(std::ptrdiff_t n, const F& f) {
  const auto call = [&f](std::ptrdiff_t i, int thread) {
    if constexpr (std::is_invocable_v<const F&, std::ptrdiff_t, int>)
      f(i, thread);
    else
      f(i);
  };
#if defined(_OPENMP)
  if (n > 1 && max_threads() > 1) {
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < n; ++i) call(i, omp_get_thread_num());
    return;
  }
#endif
  for (std::ptrdiff_t i = 0; i < n; ++i) call(i, 0);
}

}  // namespace hcl::inline HCL_ABI
