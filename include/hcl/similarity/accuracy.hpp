// hcl/similarity/accuracy.hpp - how much a batch trusts its Gram matrix, by name.
#pragma once

#include "hcl/similarity/concept.hpp"

namespace hcl::inline HCL_ABI {

/// S with every pair evaluated from its two rows, by differences and in double: for float
/// the last digits of every distance, at four to eight times the time.
template <GramSimilarity S>
class Exact : public S {
 public:
  explicit Exact(S s) : S(s) {}
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V*, const V*, const V*) const {
    return V(typename S::Scalar(-1));
  }
};

template <class S>
inline constexpr bool IsExact = false;
template <class S>
inline constexpr bool IsExact<Exact<S>> = true;

/// S without the check for lost digits, as others compute it: what the check costs is
/// measured against this. Coincident rows give NaN, which no loss refuses here.
template <GramSimilarity S>
class Unchecked : public S {
 public:
  explicit Unchecked(S s) : S(s) {}
  template <class V>
  [[nodiscard]] HCL_INLINE V gram_margin(const V*, const V*, const V*) const {
    return V(typename S::Scalar(1));
  }
};

template <class S>
inline constexpr bool IsUnchecked = false;
template <class S>
inline constexpr bool IsUnchecked<Unchecked<S>> = true;

}  // namespace hcl::inline HCL_ABI
