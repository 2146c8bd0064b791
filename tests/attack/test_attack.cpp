// FGSM and PGD: against the closed form of a linear model, and what they promise.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <random>
#include <string>

#include "hcl/attack/fgsm.hpp"

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Flags = std::vector<std::uint8_t>;

/// sign(w.x + b) against a label of -1 or 1: loss -label (w.x + b), broken where it is >=
/// 0.
struct Linear {
  Eigen::RowVectorXf w;
  float b;
  std::vector<float> label;
  void operator()(hcl::BatchIn<float> x, hcl::BatchOut<float> g, std::span<float> loss,
                  std::span<std::uint8_t> broken) const {
    for (hcl::Index i = 0; i < x.rows(); ++i) {
      const auto k = std::size_t(i);
      double s = double(b);
      for (hcl::Index j = 0; j < x.cols(); ++j) s += double(w[j]) * double(x(i, j));
      loss[k] = float(-double(label[k]) * s);
      broken[k] = loss[k] >= 0;
      for (hcl::Index j = 0; j < x.cols(); ++j) g(i, j) = -label[k] * w[j];
    }
  }
};

/// A bumpy loss without a closed form; broken above a threshold.
struct Bumpy {
  void operator()(hcl::BatchIn<float> x, hcl::BatchOut<float> g, std::span<float> loss,
                  std::span<std::uint8_t> broken) const {
    for (hcl::Index i = 0; i < x.rows(); ++i) {
      float s = 0;
      for (hcl::Index j = 0; j < x.cols(); ++j) {
        s += std::sin(37 * x(i, j)) + x(i, j);
        g(i, j) = 37 * std::cos(37 * x(i, j)) + 1;
      }
      loss[std::size_t(i)] = s;
      broken[std::size_t(i)] = s > 7.5F;
    }
  }
};

Matrix inputs(hcl::Index n, hcl::Index d, float lo, float hi) {
  std::mt19937 rng{5};
  std::uniform_real_distribution<float> u{lo, hi};
  return Matrix::NullaryExpr(n, d, [&] { return u(rng); });
}

Linear linear_model(hcl::Index n, hcl::Index d) {
  std::mt19937 rng{6};
  std::normal_distribution<float> normal;
  Linear m{Eigen::RowVectorXf::NullaryExpr(d, [&] { return normal(rng); }), 0.1F, {}};
  m.b = -m.w.sum() / 2;  // about half of each class around the middle of the box
  for (hcl::Index i = 0; i < n; ++i) m.label.push_back(i % 2 == 0 ? 1.0F : -1.0F);
  return m;
}

hcl::Index count(const Flags& f) {
  return std::count(f.begin(), f.end(), std::uint8_t{1});
}

template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "no exception";
}

}  // namespace

TEST_CASE("robust accuracy of a linear model is the closed form, to the sample") {
  const hcl::Index n = 400, d = 12;
  const Linear m = linear_model(n, d);
  const Matrix x = inputs(n, d, 0.3F, 0.7F);  // far from the box
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2})
    for (const float eps : {0.0F, 0.01F, 0.05F, 0.2F}) {
      const hcl::Threat<float> threat{.norm = norm, .epsilon = eps};
      Matrix a = x, b = x;
      Flags broken(n), once(n);
      hcl::pgd(m, threat, {.steps = 15, .step_size = eps / 4, .random_start = false},
               hcl::BatchOut<float>(a), broken);
      hcl::fgsm(m, threat, hcl::BatchOut<float>(b), once);
      const double size = norm == hcl::Norm::linf ? m.w.cast<double>().lpNorm<1>()
                                                  : m.w.cast<double>().norm();
      hcl::Index decided = 0;
      for (hcl::Index i = 0; i < n; ++i) {
        const double margin =
            double(m.label[std::size_t(i)]) *
            (x.row(i).cast<double>().dot(m.w.cast<double>()) + double(m.b));
        if (std::abs(margin - double(eps) * size) < 1e-4)
          continue;  // decided by rounding
        ++decided;
        CHECK(bool(broken[std::size_t(i)]) == (margin <= double(eps) * size));
        CHECK(bool(once[std::size_t(i)]) == (margin <= double(eps) * size));
      }
      CHECK(decided > n * 9 / 10);
      if (eps == 0) CHECK(a == x);
    }
}

TEST_CASE("iterates lie in ball and box exactly") {
  const Matrix x = inputs(60, 9, 0, 1);
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2})
    for (const float eps : {1e-8F, 1.0F / 255, 0.031F, 0.4F, 3.0F}) {
      Matrix a = x;
      Flags broken(60);
      hcl::pgd(Bumpy{}, hcl::Threat<float>{.norm = norm, .epsilon = eps},
               {.steps = 7, .step_size = eps / 3, .restarts = 2}, hcl::BatchOut<float>(a),
               broken);
      CHECK(a.minCoeff() >= 0);
      CHECK(a.maxCoeff() <= 1);
      for (hcl::Index i = 0; i < 60; ++i) {
        if (norm == hcl::Norm::linf)
          CHECK((a.row(i) - x.row(i)).lpNorm<Eigen::Infinity>() <= eps);
        else
          CHECK(hcl::detail::row_distance2<float>({x.row(i).data(), 9},
                                                  {a.row(i).data(), 9}) <= eps);
      }
    }
}

TEST_CASE("more steps, restarts and epsilon never break fewer rows") {
  const Matrix x = inputs(80, 6, 0.2F, 0.8F);
  const auto broken_rows = [&](hcl::Index steps, hcl::Index restarts) {
    Matrix a = x;
    Flags broken(80);
    hcl::pgd(Bumpy{}, hcl::Threat<float>{.epsilon = 0.06F},
             {.steps = steps, .step_size = 0.01F, .restarts = restarts},
             hcl::BatchOut<float>(a), broken);
    return broken;
  };
  Flags before(80, 0);
  for (hcl::Index steps = 0; steps <= 12; steps += 2) {
    const Flags now = broken_rows(steps, 1);
    for (std::size_t i = 0; i < 80; ++i) CHECK(now[i] >= before[i]);
    before = now;
  }
  for (hcl::Index restarts = 1; restarts <= 5; ++restarts) {
    const Flags now = broken_rows(12, restarts);
    for (std::size_t i = 0; i < 80; ++i) CHECK(now[i] >= before[i]);
    before = now;
  }
  CHECK(count(before) > count(broken_rows(0, 1)));
}

TEST_CASE("zero and non-finite gradients are counted and contained") {
  const auto model = [](hcl::BatchIn<float> x, hcl::BatchOut<float> g,
                        std::span<float> loss, std::span<std::uint8_t> broken) {
    for (hcl::Index i = 0; i < x.rows(); ++i) {
      std::ranges::fill(g.row(i), i == 0 ? 0.0F : 1.0F);
      if (i == 1) g(i, 2) = std::numeric_limits<float>::quiet_NaN();
      loss[std::size_t(i)] = x(i, 0);
      broken[std::size_t(i)] = 0;
    }
  };
  Matrix a = Matrix::Constant(3, 4, 0.5F);
  Flags broken(3);
  const auto r = hcl::pgd(model, hcl::Threat<float>{.epsilon = 0.1F},
                          {.steps = 5, .step_size = 0.1F, .random_start = false},
                          hcl::BatchOut<float>(a), broken);
  CHECK(r.gradients == 6);
  CHECK(r.zero_gradients == 5);
  CHECK(r.nonfinite_gradients == 5);
  CHECK((a.row(0).array() == 0.5F).all());
  CHECK(a(1, 2) == 0.5F);
  CHECK(a(1, 1) == doctest::Approx(0.6F));
  CHECK(a.allFinite());
}

TEST_CASE("a loss that couples the rows keeps one iterate for all of them") {
  // Rows want to be far from their mean: the loss is the batch's variance.
  const auto spread = [](hcl::BatchIn<float> x, hcl::BatchOut<float> g,
                         std::span<float> loss, std::span<std::uint8_t> broken) {
    const Eigen::Map<const Matrix> m(x.data(), x.rows(), x.cols());
    const Matrix c = m.rowwise() - m.colwise().mean();
    Eigen::Map<Matrix>(g.data(), g.rows(), g.cols()) = 2 * c;
    std::ranges::fill(loss, c.squaredNorm());
    std::ranges::fill(broken, std::uint8_t{0});
  };
  const Matrix x = inputs(10, 5, 0.4F, 0.6F);
  Matrix a = x;
  Flags broken(10);
  hcl::pgd(spread, hcl::Threat<float>{.epsilon = 0.1F}, {.steps = 10, .step_size = 0.02F},
           hcl::BatchOut<float>(a), broken);
  const auto variance = [](const Matrix& m) {
    return (m.rowwise() - m.colwise().mean()).squaredNorm();
  };
  CHECK(variance(a) > 3 * variance(x));
}

TEST_CASE("bad arguments are named before x is touched") {
  Matrix a = Matrix::Constant(3, 4, 0.5F);
  Flags broken(3);
  const auto attack = [&](hcl::Threat<float> t, hcl::PgdOptions<float> o = {}) {
    return message_of([&] { hcl::pgd(Bumpy{}, t, o, hcl::BatchOut<float>(a), broken); });
  };
  CHECK(attack({.epsilon = -1}).find("epsilon -1") != std::string::npos);
  CHECK(attack({}, {.steps = -2}).find("steps -2") != std::string::npos);
  CHECK(attack({}, {.step_size = std::nanf("")}).find("step_size nan") !=
        std::string::npos);
  a(2, 3) = 1.5F;
  CHECK(attack({}).find("row 2, column 3: 1.5") != std::string::npos);
  a(2, 3) = std::nanf("");
  CHECK(attack({}).find("row 2, column 3: nan") != std::string::npos);
  a(2, 3) = 0.5F;
  broken.resize(2);
  CHECK(attack({}).find("broken has 2 flags for 3 rows") != std::string::npos);
  CHECK((a.array() == 0.5F).all());
}
