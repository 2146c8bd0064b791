// tests/support/vjp.hpp - a backward held to dual numbers of a wider scalar.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catalog.hpp"
#include "support/dual.hpp"

namespace support {

/// Piece number k of the vectors of n numbers that lie one after the other in a.
template <class A>
auto piece(A& a, std::size_t k, std::size_t n) {
  return std::span(a).subspan(k * n, n);
}

template <class T>
std::string text(const std::vector<T>& x) {
  std::string out;
  for (const T& e : x) out.append(std::to_string(double(e))).append(" ");
  return out;
}

/// Checks a vector-Jacobian product at `in` for a random upstream g: `vjp(in, g, grad)`
/// must add J^T g to grad, J the Jacobian of f, which takes and gives vectors of any
/// scalar. The reference is f on dual numbers over a wider scalar, one pass for each
/// input. Input i may be off by `units` epsilons of sum_k |g_k J_ki|, and of the whole
/// gradient where that cancels.
template <class T, class F, class Vjp>
void check_vjp(const std::vector<T>& in, const F& f, const Vjp& vjp, double units = 100) {
  using R = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  using D = Dual<R>;
  std::vector<D> at;
  for (const T& e : in) at.push_back(D::of(R(e), R(0)));
  const std::size_t outputs = f(at).size();
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> g(outputs);
  for (T& e : g) e = T(normal(engine));

  std::vector<R> want(in.size(), R(0)), size(in.size(), R(0));
  for (std::size_t i = 0; i < in.size(); ++i) {
    at[i].d = R(1);
    const auto out = f(at);
    at[i].d = R(0);
    for (std::size_t k = 0; k < outputs; ++k) {
      want[i] += R(g[k]) * out[k].d;
      size[i] += std::abs(R(g[k]) * out[k].d);
    }
  }
  R whole(0);
  for (const R& e : want) whole += e * e;
  whole = std::sqrt(whole);

  const T before(0.5);  // a vjp adds
  std::vector<T> grad(in.size(), before);
  vjp(in, g, grad);
  const double eps = double(std::numeric_limits<T>::epsilon());
  CAPTURE(text(in));
  for (std::size_t i = 0; i < in.size(); ++i) {
    CAPTURE(i);
    const double got = double(R(grad[i]) - R(before)),
                 off = std::abs(got - double(want[i]));
    CAPTURE(got);
    CAPTURE(double(want[i]));
    CHECK(off <= units * eps * double(size[i] + whole + R(before)));
  }
}

}  // namespace support
