// hcl/core/error.hpp - the error policy: constructors and batch calls throw, points
// assert.
#pragma once

#include <cassert>
#include <sstream>
#include <stdexcept>

#include "hcl/core/config.hpp"

/// Preconditions of pointwise calls, checked in debug builds only.
#define HCL_ASSERT(...) assert((__VA_ARGS__))

namespace hcl::inline HCL_ABI {

/// Throws std::invalid_argument with the parts written one after the other.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  text.precision(9);
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

/// Throws std::invalid_argument of the parts unless ok. Messages read "where: argument,
/// row, value".
template <class... Parts>
void expect(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

}  // namespace hcl::inline HCL_ABI
