// tests/fuzz/memory.hpp - counts what a reader allocates. One file of a program includes
// it: it replaces operator new and delete, or asks the address sanitizer, which has them.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FUZZ_ADDRESS_SANITIZER
#endif
#if defined(FUZZ_ADDRESS_SANITIZER)
// Of sanitizer/allocator_interface.h, which GCC has in its library but does not install.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                std::size_t),
                                              void (*on_free)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void*);
}
#endif

namespace fuzz {

inline std::size_t allocated = 0, most_allocated = 0;

inline void count_new(std::size_t size) {
  allocated += size;
  most_allocated = std::max(most_allocated, allocated);
}
inline void count_delete(std::size_t size) { allocated -= std::min(allocated, size); }

/// The largest number of bytes that were allocated at once while f ran.
template <class F>
std::size_t peak_memory(const F& f) {
#if defined(FUZZ_ADDRESS_SANITIZER)
  [[maybe_unused]] static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t size) { count_new(size); },
      [](const volatile void* p) {
        if (p) count_delete(__sanitizer_get_allocated_size(p));
      });
#endif
  const std::size_t before = allocated;
  most_allocated = before;
  f();
  return most_allocated - before;
}

}  // namespace fuzz

#if !defined(FUZZ_ADDRESS_SANITIZER)
// GCC inlines one of the pair and not the other, and then takes them for mismatched.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
void* operator new(std::size_t size) {
  void* const p = std::malloc(size);
  if (!p) throw std::bad_alloc();
  fuzz::count_new(malloc_usable_size(p));
  return p;
}
void operator delete(void* p) noexcept {
  if (p) fuzz::count_delete(malloc_usable_size(p));
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
#endif
