// tests/fuzz/input.hpp - what every fuzz target needs: numbers out of bytes, and a loud
// end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the program with a message that shows the parts, unless ok.
template <class... Parts>
void require(bool ok, const Parts&... parts) {
  if (ok) return;
  std::cerr.precision(17);
  (std::cerr << ... << parts) << std::endl;
  std::abort();
}

/// The input, read from its front; zeros follow its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{data, size} {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return rest_; }

  /// The next bytes as they are: any bit pattern of a T.
  template <class T>
  T take() {
    T value{};
    const std::size_t n = std::min(sizeof(T), rest_.size());
    if (n > 0) std::memcpy(&value, rest_.data(), n);
    rest_ = rest_.subspan(n);
    return value;
  }
  template <class T>
  std::vector<T> take(std::size_t count) {
    std::vector<T> values(count);
    for (T& value : values) value = take<T>();
    return values;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace fuzz
