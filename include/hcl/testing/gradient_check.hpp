// hcl/testing/gradient_check.hpp - holds a gradient to central differences. No test
// framework.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hcl/core/coordinates.hpp"
#include "hcl/core/error.hpp"

namespace hcl::inline HCL_ABI::testing {

/// What a check found: the largest error, where, and a sentence about it.
struct Report {
  bool ok = true;
  double error = 0;
  std::string where;
  std::string message;
  explicit operator bool() const { return ok; }
};

/// Keeps the worse of two reports.
inline void worsen(Report& a, const Report& b) {
  if (b.error > a.error || (a.ok && !b.ok)) a = b;
}

/// Compares `gradient` with (f(x+h e_i) - f(x-h e_i))/2h, taken with one Richardson step:
/// (4 D(h) - D(2h))/3, error O(h^4).
/// @param f  the function of x; called 4 times a coordinate, with x changed and put back.
/// @param tolerance  allowed |gradient - differences| as a part of |differences|
/// (2-norms).
/// @param step  h relative to max(0.1, |x_i|).
template <class F>
  requires std::invocable<const F&>
[[nodiscard]] Report gradient_check(const F& f, std::span<double> x,
                                    std::span<const double> gradient,
                                    double tolerance = 1e-7, double step = 1e-4) {
  expect(x.size() == gradient.size(), "gradient_check: x has ", x.size(),
         " numbers, the gradient ", gradient.size());
  Report r;
  double error2 = 0, norm2 = 0, worst = -1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i], h = step * (std::max)(0.1, std::abs(at));
    const auto slope = [&](double e) {
      x[i] = at + e;
      const double up = double(f());
      x[i] = at - e;
      const double down = double(f());
      x[i] = at;
      return (up - down) / (2 * e);
    };
    const double expected = (4 * slope(h) - slope(2 * h)) / 3;
    const double off = std::abs(gradient[i] - expected);
    error2 += off * off;
    norm2 += expected * expected;
    if (off > worst || !is_finite(off)) {
      worst = is_finite(off) ? off : std::numeric_limits<double>::infinity();
      r.where = "coordinate " + std::to_string(i);
      r.message = r.where + ": gradient " + std::to_string(gradient[i]) +
                  ", differences " + std::to_string(expected);
    }
  }
  // A gradient that is 0 everywhere is held to the rounding of the differences.
  r.error = std::sqrt(error2) / (std::max)(std::sqrt(norm2), 1e-5);
  if (!is_finite(r.error)) r.error = std::numeric_limits<double>::infinity();
  r.ok = r.error <= tolerance;
  return r;
}

}  // namespace hcl::inline HCL_ABI::testing
