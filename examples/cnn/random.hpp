// examples/cnn/random.hpp - random numbers that depend on what they are for, not on who
// draws.
#pragma once

#include <cstdint>

namespace cnn {

/// The numbers of one (seed, stream, sample): a splitmix64 sequence (Steele et al. 2014)
/// from a start that mixes the three, so any thread may draw them, in any order of
/// samples.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t sample)
      : state_{mix(mix(mix(seed) + stream) + sample)} {}
  std::uint64_t bits() { return mix(state_ += 0x9E3779B97F4A7C15U); }
  /// Uniform in [0, 1).
  float uniform() { return float(bits() >> 40) * 0x1p-24F; }
  float uniform(float lo, float hi) { return lo + (hi - lo) * uniform(); }
  /// Uniform in {0, .., n - 1}.
  int below(int n) { return int((bits() >> 32) * std::uint64_t(n) >> 32); }
  bool chance(float p) { return uniform() < p; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace cnn
