// tests/support/naive_loss.hpp - the losses as double loops, in any scalar: the
// reference.
#pragma once

#include <Eigen/Core>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <functional>
#include <random>
#include <vector>

#include "hcl/loss/info_nce.hpp"
#include "hcl/loss/nt_xent.hpp"
#include "hcl/loss/sup_con.hpp"
#include "hcl/similarity/cosine.hpp"
#include "hcl/similarity/inner.hpp"
#include "hcl/similarity/neg_dist.hpp"
#include "hcl/similarity/weighted_sum.hpp"

namespace hcl_test {

using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<60>,
                                            boost::multiprecision::et_off>;
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
hcl::Point<T> row(const Matrix<T>& x, Eigen::Index i) {
  return {x.data() + i * x.cols(), std::size_t(x.cols())};
}

/// Which candidates and positives anchor i has, written as the definition says.
struct Pairs {
  std::function<bool(Eigen::Index, Eigen::Index)> candidate, positive;
};

/// Mean over the rows of x that have positives; logits s(x_i, y_j)/tau.
template <class S, class T>
T naive_softmax(const S& s, T tau, const Matrix<T>& x, const Matrix<T>& y,
                const Pairs& pairs, bool inside) {
  using std::exp, std::log;
  T total(0), anchors(0);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    T all(0), pos_exp(0), pos_log(0), count(0);
    for (Eigen::Index j = 0; j < y.rows(); ++j) {
      if (!pairs.candidate(i, j)) continue;
      const T l = T(s.value(row(x, i), row(y, j)) / tau);
      all += exp(l);
      if (pairs.positive(i, j)) pos_exp += exp(l), pos_log += l, count += T(1);
    }
    if (count == T(0)) continue;
    total +=
        inside ? T(log(all) - log(T(pos_exp / count))) : T(log(all) - pos_log / count);
    anchors += T(1);
  }
  return anchors == T(0) ? T(0) : T(total / anchors);
}

inline Pairs two_views(Eigen::Index n) {
  return {[](auto i, auto j) { return i != j; },
          [n](auto i, auto j) { return j == (i + n / 2) % n; }};
}
inline Pairs one_to_one() {
  return {[](auto, auto) { return true; }, [](auto i, auto j) { return i == j; }};
}
inline Pairs by_label(std::vector<int> labels) {
  return {[](auto i, auto j) { return i != j; },
          [labels](auto i, auto j) {
            return i != j && labels[std::size_t(i)] == labels[std::size_t(j)];
          }};
}

/// Central difference of f at x: to 1e-30 and better in Exact.
template <class T, class F>
T difference(T& x, const F& f) {
  const T kept = x;
  const T h = T(1e-18);
  x = kept + h;
  const T up = f();
  x = kept - h;
  const T down = f();
  x = kept;
  return (up - down) / (T(2) * h);
}

/// Rows of length < 1 (inside every ball that the tests use after scaling by 1/sqrt(c)
/// bounds).
template <class T>
Matrix<T> random_rows(Eigen::Index n, Eigen::Index d, double radius, unsigned seed) {
  std::mt19937_64 rng{seed};
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> length{0.1, 1};
  Matrix<T> x(n, d);
  for (Eigen::Index i = 0; i < n; ++i) {
    Eigen::VectorXd v = Eigen::VectorXd::NullaryExpr(d, [&] { return normal(rng); });
    v *= radius * length(rng) / v.norm();
    for (Eigen::Index k = 0; k < d; ++k) x(i, k) = T(v[k]);
  }
  return x;
}

}  // namespace hcl_test
