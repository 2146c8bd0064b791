// The pointwise layer on Eigen's AutoDiffScalar: operators return expressions, of other
// types than their operands; no conversion to double, no asinh, no atanh, no atan.
#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>

#include "support/pointwise.hpp"

namespace {

struct AutoDiff {
  using Number = Eigen::AutoDiffScalar<Eigen::Matrix<double, int(support::inputs), 1>>;
  static constexpr bool derivatives = true;
  static Number make(double value, std::size_t k) {
    Number x(value);
    if (k < support::inputs) x.derivatives()[Eigen::Index(k)] = 1;
    return x;
  }
  static double value(const Number& x) { return x.value(); }
  static double slope(const Number& x, std::size_t k) {
    return x.derivatives()[Eigen::Index(k)];
  }
};

HCL_CHECK_EVERY_MAP(AutoDiff)

}  // namespace
