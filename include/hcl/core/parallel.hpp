// hcl/core/parallel.hpp - the one place that names OpenMP.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
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
/// max_threads() numbers scratch memory. Bits do not depend on the number of threads as
/// long as f(i) writes only what belongs to i. With one thread no OpenMP region begins:
/// so a forked child, which has none of its parent's threads, can work after
/// omp_set_num_threads(1).
/// @throws what f(i) throws for the smallest i that throws, whatever the number of
/// threads; f has run for all i below it and for some beyond.
template <class F>
void parallel_for(std::ptrdiff_t n, const F& f) {
  const auto run = [&f](std::ptrdiff_t first, std::ptrdiff_t last, int thread) {
    for (std::ptrdiff_t i = first; i < last; ++i)
      if constexpr (std::is_invocable_v<const F&, std::ptrdiff_t, int>)
        f(i, thread);
      else
        f(i);
  };
#if defined(_OPENMP)
  if (n > 1 && max_threads() > 1) {
#if defined(__cpp_exceptions)
    std::exception_ptr thrown;
    int thrower = max_threads();
#endif
#pragma omp parallel
    {
      const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
      const std::ptrdiff_t share = n / threads, longer = n % threads;
      const std::ptrdiff_t first =
          thread * share + std::min<std::ptrdiff_t>(thread, longer);
      const std::ptrdiff_t last = first + share + (thread < longer);
#if defined(__cpp_exceptions)
      try {
        run(first, last, thread);
      } catch (...) {  // no exception may leave the region
#pragma omp critical(hcl_parallel_for)
        if (thread < thrower) thrower = thread, thrown = std::current_exception();
      }
#else
      run(first, last, thread);
#endif
    }
#if defined(__cpp_exceptions)
    if (thrown) std::rethrow_exception(thrown);
#endif
    return;
  }
#endif
  run(0, n, 0);
}

}  // namespace hcl::inline HCL_ABI
