// What the losses promise beyond the numbers: same bits for any number of threads and any
// workspace, no allocation in a steady-state step, bounded memory, errors before any
// output.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <limits>
#include <string>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "hcl/manifold/models.hpp"
#include "hcl/pairwise/distance_matrix.hpp"
#include "support/count_allocations.hpp"
#include "support/message.hpp"
#include "support/naive_loss.hpp"

using namespace hcl_test;

namespace {

using support::contains, support::message_of;

const hcl::NegDist<hcl::PoincareBall<float>> ball{hcl::PoincareBall<float>{0.1f}};

struct Outcome {
  hcl::LossGrad<float> loss;
  Matrix<float> g;
  bool operator==(const Outcome& o) const {
    return loss.value == o.loss.value && loss.grad_c == o.loss.grad_c &&
           loss.grad_temperature == o.loss.grad_temperature && g == o.g;
  }
};

template <class S>
Outcome run_with(const S& similarity, const Matrix<float>& x, hcl::Workspace& ws) {
  Outcome o{{}, Matrix<float>(x.rows(), x.cols())};
  o.loss = hcl::NtXent{similarity, 0.2f}.value_and_grad(x, o.g, ws);
  return o;
}
Outcome run(const Matrix<float>& x, hcl::Workspace& ws) { return run_with(ball, x, ws); }
Outcome run_lorentz(const Matrix<float>& x, hcl::Workspace& ws) {
  return run_with(hcl::NegDist{hcl::Lorentz<float>{1.0f}}, x, ws);
}
Outcome run_supcon(const Matrix<float>& x, hcl::Workspace& ws) {
  std::vector<int> labels(std::size_t(x.rows()));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i % 5);
  Outcome o{{}, Matrix<float>(x.rows(), x.cols())};
  o.loss =
      hcl::SupCon{ball, 0.2f, hcl::SupConForm::inside}.value_and_grad(x, labels, o.g, ws);
  return o;
}
Outcome run_infonce(const Matrix<float>& x, hcl::Workspace& ws) {
  const Matrix<float> y = x.colwise().reverse();
  Matrix<float> gy(x.rows(), x.cols());
  Outcome o{{}, Matrix<float>(x.rows(), x.cols())};
  o.loss = hcl::InfoNce{ball, 0.2f, hcl::Sides::two}.value_and_grad(x, y, o.g, gy, ws);
  o.g += gy;
  return o;
}

}  // namespace

TEST_CASE("same bits for any number of threads and any workspace") {
  for (const Eigen::Index n : {2, 50, 96, 194, 500}) {
    CAPTURE(n);
    const auto x = random_rows<float>(n, 7, 2.5, 1);
    hcl::Workspace keep, none{0}, few{3 * 96 * 96 * sizeof(float)};
    for (const auto& loss : {run, run_lorentz, run_supcon, run_infonce}) {
      const Outcome want = loss(x, keep);
      CHECK(loss(x, keep) == want);
      CHECK(loss(x, none) == want);
      CHECK(loss(x, few) == want);
#if defined(_OPENMP)
      const int before = omp_get_max_threads();
      for (const int t : {1, 2, 3, 4, 5, 8}) {
        omp_set_num_threads(t);
        hcl::Workspace ws;
        CHECK(loss(x, ws) == want);
      }
      omp_set_num_threads(before);
#endif
    }
  }
}

TEST_CASE("row stride and parallel callers") {
  const auto x = random_rows<float>(200, 6, 2.5, 1);
  Matrix<float> wide(200, 11), wide_g(200, 13);
  wide.setConstant(std::numeric_limits<float>::quiet_NaN());
  wide.leftCols(6) = x;
  wide_g.setConstant(42);
  hcl::Workspace ws;
  const Outcome want = run(x, ws);
  const hcl::NtXent loss{ball, 0.2f};
  const auto got = loss.value_and_grad(wide.leftCols(6), wide_g.leftCols(6), ws);
  CHECK(got.value == want.loss.value);
  CHECK(wide_g.leftCols(6) == want.g);
  CHECK((wide_g.rightCols(7).array() == 42).all());
#if defined(_OPENMP)
  int equal = 0;
#pragma omp parallel for num_threads(4) reduction(+ : equal)
  for (int i = 0; i < 8; ++i) {
    hcl::Workspace own;
    equal += run(x, own) == want;
  }
  CHECK(equal == 8);
#endif
}

TEST_CASE("no allocation in a steady-state step") {
  const auto x = random_rows<float>(300, 8, 2.5, 1);
  Matrix<float> g(300, 8), h(300, 8), dead = x;
  dead.row(7).setZero(), dead.row(299).setZero();
  std::vector<int> labels(300);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i % 5);
  hcl::Workspace ws;
  const hcl::NtXent nt{ball, 0.2f};
  const hcl::SupCon sup{ball, 0.2f, hcl::SupConForm::inside};
  const hcl::InfoNce nce{ball, 0.2f, hcl::Sides::two};
  const hcl::NtXent alive{ball, 0.2f, hcl::ZeroRows::skip};
  const auto step = [&] {
    nt.value_and_grad(x, g, ws);
    sup.value_and_grad(x, labels, g, ws);
    nce.value_and_grad(x, x, g, h, ws);
    nt.value(x, ws);
    alive.value_and_grad(dead, g, ws);
  };
  step(), step(), step();
  const long before = allocations;
  step(), step();
  CHECK(allocations == before);
}

TEST_CASE("memory grows with N, not N^2") {
  const auto x = random_rows<float>(6000, 4, 2.5, 1);
  hcl::Workspace ws{0};
  run(x, ws);
  CHECK(ws.capacity() < std::size_t{4} << 20);  // N^2 floats would be 144 MB
}

TEST_CASE("bad input names argument, row and value, and leaves the output alone") {
  auto x = random_rows<float>(6, 3, 1, 1);
  Matrix<float> g(6, 3);
  g.setConstant(42);
  const hcl::NtXent nt{ball, 0.2f};
  const auto message = [&] { return message_of([&] { nt.value_and_grad(x, g); }); };

  x(4, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(message(), "NtXent: z"));
  CHECK(contains(message(), "row 4, column 1"));
  CHECK(contains(message(), "nan"));
  x(4, 1) = -std::numeric_limits<float>::infinity();
  CHECK(contains(message(), "row 4, column 1: -inf is not finite"));
  x.row(4) << 4, 0, 0;
  CHECK(contains(message(), "row 4"));
  CHECK(contains(message(), "outside the ball"));
  CHECK(contains(message(), "1.6"));
  CHECK((g.array() == 42).all());
  x.row(4).setZero();

  Matrix<float> small(5, 3);
  CHECK(contains(message_of([&] { nt.value_and_grad(x, small); }),
                 "gz is 5 x 3, must be 6 x 3"));
  CHECK(contains(message_of([&] { nt.value(x.topRows(5)); }), "5 rows"));
  CHECK(contains(message_of([&] { nt.value(x.topRows(0)); }), "0 rows"));
  for (const float tau : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    CHECK(contains(message_of([&] { hcl::NtXent(ball, tau); }), "temperature"));
    CHECK(contains(message_of([&] { hcl::SupCon(ball, tau); }), "temperature"));
    CHECK(contains(message_of([&] { hcl::InfoNce(ball, tau); }), "temperature"));
  }
  const hcl::SupCon sup{ball, 0.2f};
  const std::vector<int> bad{0, 1, 2, -3, 0, 1}, few{0, 1};
  CHECK(contains(message_of([&] { sup.value(x, bad); }), "labels row 3: -3"));
  CHECK(contains(message_of([&] { sup.value(x, few); }),
                 "labels has 2 entries, z has 6 rows"));
  const hcl::InfoNce nce{ball, 0.2f}, two{ball, 0.2f, hcl::Sides::two};
  CHECK(contains(message_of([&] { nce.value(x, x.topRows(4)); }), "y 4"));
  CHECK(contains(message_of([&] { two.value(x.topRows(4), x); }), "equal"));
  const hcl::NtXent cosine{hcl::Cosine{hcl::Euclidean<float>{}}, 0.2f};
  CHECK(contains(message_of([&] { cosine.value(x); }), "row 4 is zero"));
  x.row(4) << 1e-20f, 0, 0;
  CHECK(contains(message_of([&] { cosine.value(x); }), "is too small"));
  x.row(4) << 2e-19f, 0, 0;
  CHECK(std::isfinite(cosine.value_and_grad(x, g).value));
  CHECK(g.allFinite());
}

TEST_CASE("metrics that run pair by pair refuse their bad rows in a loss too") {
  Matrix<double> x = random_rows<float>(6, 3, 0.5, 1).cast<double>(), d(6, 6);
  x.col(2).array() += 2;  // in the half space, outside of Klein's ball
  const hcl::NegDist klein{hcl::Klein<double>{1}};
  const hcl::NegDist half{hcl::HalfSpace<double>{1}};
  CHECK(contains(message_of([&] { hcl::NtXent(klein, 0.2).value(x); }), "z row 0"));
  CHECK(contains(message_of([&] { hcl::distance_matrix(klein.metric(), x, d); }),
                 "x row 0"));
  CHECK_NOTHROW(hcl::NtXent(half, 0.2).value(x));
  x(3, 2) = -2;
  CHECK(contains(message_of([&] { hcl::NtXent(half, 0.2).value(x); }), "z row 3"));
  const hcl::WeightedSum both{1.0, half, 1.0, half};
  CHECK(contains(message_of([&] { hcl::NtXent(both, 0.2).value(x); }), "z row 3"));
}

/// A similarity that says no more than the concept asks: -|x - y|^2.
struct Plain {
  using Scalar = double;
  double value(hcl::Point<double> x, hcl::Point<double> y) const {
    return -hcl::diff2<double>(x, y);
  }
  void vjp(hcl::Point<double> x, hcl::Point<double> y, double g, hcl::Grad<double> gx,
           hcl::Grad<double> gy, double&) const {
    for (std::size_t k = 0; k < x.size(); ++k) {
      gx[k] -= 2 * g * (x[k] - y[k]);
      gy[k] += 2 * g * (x[k] - y[k]);
    }
  }
  void check_row(const char*, const char*, hcl::Index, hcl::Point<double>, double) const {
  }
};

TEST_CASE("a similarity of the user's own, and a sum with one") {
  const auto x = random_rows<double>(10, 3, 1, 1);
  Matrix<double> got(10, 3), want(10, 3);
  const hcl::NegDist2 same{hcl::Euclidean<double>{}};
  const auto out = hcl::NtXent(Plain{}, 0.3).value_and_grad(x, got);
  CHECK(out.value ==
        doctest::Approx(hcl::NtXent(same, 0.3).value_and_grad(x, want).value));
  CHECK((got - want).norm() < 1e-12 * want.norm());
  const hcl::WeightedSum sum{0.25, Plain{}, 0.75, same};
  CHECK(hcl::NtXent(sum, 0.3).value_and_grad(x, got).value == doctest::Approx(out.value));
  CHECK((got - want).norm() < 1e-12 * want.norm());
}

TEST_CASE("a gradient may lie beside its rows, not upon them") {
  Matrix<float> all(6, 6);
  all.leftCols(3) = random_rows<float>(6, 3, 1, 1);
  const Matrix<float> before = all;
  const hcl::NtXent nt{ball, 0.2f};
  const auto part = [&](Eigen::Index first) {
    return hcl::BatchOut<float>(all.data() + first, 6, 3, 6);
  };
  CHECK(contains(message_of([&] { nt.value_and_grad(part(0), part(0)); }), "overlaps"));
  CHECK(contains(message_of([&] { nt.value_and_grad(part(0), part(1)); }), "overlaps"));
  CHECK(all == before);
  CHECK_NOTHROW(nt.value_and_grad(part(0), part(3)));
  Matrix<float> want(6, 3);
  nt.value_and_grad(Matrix<float>(before.leftCols(3)), want);
  CHECK(all.rightCols(3) == want);
  const hcl::InfoNce nce{ball, 0.2f};
  CHECK(contains(message_of([&] { nce.value_and_grad(part(0), part(0), want, want); }),
                 "gy overlaps gx"));
}

TEST_CASE("a column-major matrix is refused by the compiler") {
  using ColumnMajor = Eigen::MatrixXf;
  static_assert(!std::convertible_to<ColumnMajor&, hcl::BatchIn<float>>);
  static_assert(!std::convertible_to<ColumnMajor&, hcl::BatchOut<float>>);
  static_assert(!std::convertible_to<const Matrix<float>&, hcl::BatchOut<float>>);
  static_assert(!std::convertible_to<Matrix<double>&, hcl::BatchIn<float>>);
  static_assert(std::convertible_to<Matrix<float>&, hcl::BatchIn<float>>);
  CHECK(true);
}
