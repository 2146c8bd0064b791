// Rows that a loss leaves out, and rows in another order: each against the same loss on
// the rows as it would have them.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "support/message.hpp"
#include "support/naive_loss.hpp"

using namespace hcl_test;
using Eigen::Index;
using hcl::ZeroRows;

namespace {

using support::contains, support::message_of;

template <class T>
struct OnSphere {
  static auto make() { return hcl::NegDist{hcl::Sphere<T>{T(0.7)}}; }
};
template <class T>
struct ByCosine {
  static auto make() { return hcl::Cosine{hcl::Euclidean<T>{}}; }
};
/// For which a zero row is a point like any other.
template <class T>
struct InBall {
  static auto make() { return hcl::NegDist{hcl::PoincareBall<T>{T(0.3)}}; }
};

template <class T>
Matrix<T> take(const Matrix<T>& x, const std::vector<Index>& rows) {
  Matrix<T> y(Index(rows.size()), x.cols());
  for (std::size_t i = 0; i < rows.size(); ++i) y.row(Index(i)) = x.row(rows[i]);
  return y;
}

/// The rows that are not zero, and x with the others set to 0.
template <class T>
std::vector<Index> make_zeros(Matrix<T>& x, const std::vector<Index>& zeros) {
  std::vector<Index> rest;
  for (const Index k : zeros) x.row(k).setConstant(k % 2 ? T(0) : T(-0.0));
  for (Index k = 0; k < x.rows(); ++k)
    if (std::ranges::find(zeros, k) == zeros.end()) rest.push_back(k);
  return rest;
}

/// A gradient of the whole batch is that of its rows, and 0 elsewhere.
template <class T>
void check_spread(const Matrix<T>& whole, const Matrix<T>& part,
                  const std::vector<Index>& rows) {
  Matrix<T> want = Matrix<T>::Zero(whole.rows(), whole.cols());
  for (std::size_t i = 0; i < rows.size(); ++i) want.row(rows[i]) = part.row(Index(i));
  CHECK(whole == want);
}

template <class T>
void check_same(const hcl::LossGrad<T>& a, const hcl::LossGrad<T>& b) {
  CHECK(a.value == b.value);
  CHECK(a.grad_temperature == b.grad_temperature);
  CHECK(a.grad_c == b.grad_c);
}

}  // namespace

#define HCL_SIMILARITIES OnSphere<float>, ByCosine<double>, InBall<float>

TEST_CASE_TEMPLATE("NT-Xent of rows in any order is SupCon of the samples", Sim,
                   OnSphere<double>, InBall<float>) {
  const auto s = Sim::make();
  using T = typename decltype(s)::Scalar;
  const T tau = T(0.3);
  const Index n = 60, d = 5;
  Matrix<T> x = random_rows<T>(n, d, 1.0, 3);
  x.bottomRows(n / 2) = T(0.9) * x.topRows(n / 2) + T(0.1) * x.bottomRows(n / 2);
  Matrix<T> g(n, d), y(n, d), h(n, d);
  const auto want = hcl::NtXent{s, tau}.value_and_grad(x, g);
  const auto check = [&](const auto& to) {
    std::vector<int> sample(std::size_t{n});
    for (Index i = 0; i < n; ++i)
      y.row(to(i)) = x.row(i), sample[std::size_t(to(i))] = int(i % (n / 2));
    for (const auto form : {hcl::SupConForm::outside, hcl::SupConForm::inside}) {
      const auto got = hcl::SupCon{s, tau, form}.value_and_grad(y, sample, h);
      const double tol = sizeof(T) == 4 ? 1e-5 : 1e-12;
      CHECK(double(got.value) == doctest::Approx(double(want.value)).epsilon(tol));
      for (Index i = 0; i < n; ++i)
        CHECK(double((h.row(to(i)) - g.row(i)).norm()) <= tol * double(g.norm()));
    }
  };
  check([](Index i) { return i; });
  check([&](Index i) { return 2 * (i % (n / 2)) + i / (n / 2); });  // views in turn
  check([](Index i) { return 7 * i % 60; });
  for (Index i = 0; i < n; ++i) y.row(2 * (i % (n / 2)) + i / (n / 2)) = x.row(i);
  CHECK(hcl::NtXent{s, tau}.value(y) > 2 * want.value);  // the trap
}

TEST_CASE_TEMPLATE("NT-Xent and SupCon of what skipped rows leave", Sim,
                   HCL_SIMILARITIES) {
  const auto s = Sim::make();
  using T = typename decltype(s)::Scalar;
  const T tau = T(0.3);
  for (const Index n : {10, 230}) {
    CAPTURE(n);
    const Index d = 5, half = n / 2;
    Matrix<T> x = random_rows<T>(n, d, 1.0, 7), g(n, d);
    g.setConstant(std::numeric_limits<T>::quiet_NaN());
    // A whole sample, one view of another, the second one of a third, the last row.
    const std::vector<Index> zeros{1, 1 + half, 3, 2 + half, n - 1};
    const auto rest = make_zeros(x, zeros);
    const Matrix<T> part = take(x, rest);
    Matrix<T> h(part.rows(), d);
    std::vector<int> labels, samples, left;
    for (Index k = 0; k < n; ++k) labels.push_back(int(k * k % 4));
    for (const Index k : rest)
      samples.push_back(int(k % half)), left.push_back(labels[std::size_t(k)]);

    const hcl::NtXent nt{s, tau, ZeroRows::skip};
    const auto got = nt.value_and_grad(x, g);
    CHECK(got.skipped == Index(zeros.size()));
    check_same(got, hcl::SupCon{s, tau}.value_and_grad(part, samples, h));
    check_spread(g, h, rest);
    CHECK(nt.value(x) == got.value);
    CHECK(got.value > 0);
    for (const auto form : {hcl::SupConForm::outside, hcl::SupConForm::inside}) {
      g.setConstant(std::numeric_limits<T>::quiet_NaN());
      const auto out =
          hcl::SupCon{s, tau, form, ZeroRows::skip}.value_and_grad(x, labels, g);
      CHECK(out.skipped == Index(zeros.size()));
      const auto want = hcl::SupCon{s, tau, form}.value_and_grad(part, left, h);
      CHECK(want.skipped == 0);
      check_same(out, want);
      check_spread(g, h, rest);
    }
    // Nothing to skip, nothing changes.
    const Matrix<T> full = random_rows<T>(n, d, 1.0, 8);
    Matrix<T> a(n, d), b(n, d);
    check_same(nt.value_and_grad(full, a), hcl::NtXent{s, tau}.value_and_grad(full, b));
    CHECK(a == b);
  }
}

TEST_CASE_TEMPLATE("InfoNCE of what skipped rows leave", Sim, OnSphere<double>,
                   ByCosine<double>) {
  const auto s = Sim::make();
  const double tau = 0.3;
  const Index n = 12, d = 4;
  for (const auto sides : {hcl::Sides::one, hcl::Sides::two}) {
    const bool two = sides == hcl::Sides::two;
    CAPTURE(two);
    const Index m = two ? n : n + 5;
    Matrix<double> x = random_rows<double>(n, d, 1.0, 7), gx(n, d),
                   y = random_rows<double>(m, d, 1.0, 8), gy(m, d);
    const auto rest_x = make_zeros(x, {0, 3, 5}), rest_y = make_zeros(y, {3, 4, n - 1});
    const hcl::InfoNce loss{s, tau, sides, ZeroRows::skip};
    gx.setConstant(42), gy.setConstant(42);
    const auto out = loss.value_and_grad(x, y, gx, gy);
    CHECK(out.skipped == 6);
    CHECK(loss.value(x, y) == out.value);
    const auto value = [&] {
      const Matrix<double> a = take(x, rest_x), b = take(y, rest_y);
      const auto pairs = [](const auto& of, const auto& among) {
        return Pairs{
            [](auto, auto) { return true; },
            [&](auto i, auto j) { return of[std::size_t(i)] == among[std::size_t(j)]; }};
      };
      const double there = naive_softmax(s, tau, a, b, pairs(rest_x, rest_y), false);
      return two ? (there + naive_softmax(s, tau, b, a, pairs(rest_y, rest_x), false)) / 2
                 : there;
    };
    CHECK(out.value == doctest::Approx(value()).epsilon(1e-12));
    const auto check_gradient = [&](Matrix<double>& z, const Matrix<double>& g) {
      for (Index i = 0; i < z.rows(); ++i) {
        if (z.row(i).isZero(0)) {
          CHECK(g.row(i).isZero(0));
          continue;
        }
        const double kept = z(i, 1), step = 1e-5;
        z(i, 1) = kept + step;
        const double up = value();
        z(i, 1) = kept - step;
        const double down = value();
        z(i, 1) = kept;
        CHECK(std::abs(g(i, 1) - (up - down) / (2 * step)) <= 1e-7);
      }
    };
    check_gradient(x, gx);
    check_gradient(y, gy);
  }
}

TEST_CASE("rows of which nothing is left, and rows that are not skipped") {
  const hcl::NegDist s{hcl::Sphere<float>{1.0f}};
  const hcl::NtXent loss{s, 0.5f, ZeroRows::skip};
  Matrix<float> x(4, 2), g(4, 2), h(4, 2);
  const auto check_nothing = [&](Index skipped) {
    g.setConstant(42);
    const auto out = loss.value_and_grad(x, g);
    CHECK(out.value == 0);
    CHECK(out.grad_c == 0);
    CHECK(out.grad_temperature == 0);
    CHECK(out.skipped == skipped);
    CHECK(g.isZero(0));
  };
  x.setZero();
  check_nothing(4);
  g.setConstant(42), h.setConstant(42);
  const hcl::InfoNce pairs{s, 0.5f, hcl::Sides::one, ZeroRows::skip};
  CHECK(pairs.value_and_grad(x, x, g, h).skipped == 8);
  CHECK(g.isZero(0));
  CHECK(h.isZero(0));
  x(0, 0) = 1;
  check_nothing(3);
  x(1, 1) = 2;  // two first views
  check_nothing(2);

  x << 1, 0, 0, 1, 0, 0, 1, 1;
  g.setConstant(42);
  const auto refused = [&](const char* text) {
    CHECK(contains(message_of([&] { loss.value_and_grad(x, g); }), text));
    CHECK((g.array() == 42).all());
  };
  CHECK(contains(message_of([&] {
                   hcl::NtXent{s, 0.5f}.value_and_grad(x, g);
                 }),
                 "z row 2"));
  x(3, 0) = std::numeric_limits<float>::quiet_NaN();
  refused("NtXent: z row 3, column 0: nan is not finite");
  x(3, 0) = -std::numeric_limits<float>::infinity();
  refused("NtXent: z row 3, column 0: -inf is not finite");
  x.row(3).setConstant(1e-30f);  // has a direction, which floats cannot tell
  refused("NtXent: z row 3");
}
