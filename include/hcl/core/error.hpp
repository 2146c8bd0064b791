// hcl/core/error.hpp - the error policy: constructors and batch calls throw, points
// assert. Without exceptions (-fno-exceptions) what would be thrown is printed to stderr,
// and the program aborts.
#pragma once

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "hcl/core/config.hpp"

/// Preconditions of pointwise calls, checked in debug builds only.
#define HCL_ASSERT(...) assert((__VA_ARGS__))

namespace hcl::inline HCL_ABI {

/// Throws std::invalid_argument with the parts written one after the other; without
/// exceptions it prints them and aborts.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  text.precision(9);
  (text << ... << parts);
#if defined(__cpp_exceptions)
  throw std::invalid_argument(text.str());
#else
  std::fprintf(stderr, "%s\n", text.str().c_str());
  std::abort();
#endif
}

/// Throws std::invalid_argument of the parts unless ok. Messages read "where: argument,
/// row, value".
template <class... Parts>
void expect(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

}  // namespace hcl::inline HCL_ABI
