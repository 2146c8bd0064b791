// tests/support/message.hpp - what a call that must throw says.
#pragma once

#include <stdexcept>
#include <string>

namespace support {

/// The text of the std::invalid_argument that f() throws; empty if it throws none.
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return {};
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace support
