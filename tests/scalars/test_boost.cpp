// The pointwise layer on multiprecision numbers that are expression templates.
#include <boost/multiprecision/cpp_bin_float.hpp>

#include "support/pointwise.hpp"

namespace {

namespace mp = boost::multiprecision;

struct Boost {
  using Number = mp::number<mp::cpp_bin_float<50>, mp::et_on>;
  static constexpr bool derivatives = false;
  static Number make(double value, std::size_t) { return Number(value); }
  static double value(const Number& x) { return double(x); }
};

HCL_CHECK_EVERY_MAP(Boost)

}  // namespace
