// FGSM and PGD: against the closed form of a linear model, and what they promise.
#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hcl/attack/fgsm.hpp"
#include "support/message.hpp"

namespace {

using support::message_of;

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

TEST_CASE("fgsm is one step of pgd of length epsilon, and harms more with epsilon") {
  const hcl::Index n = 200, d = 12;
  const Linear m = linear_model(n, d);
  const Matrix x = inputs(n, d, 0, 1);
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    Flags before(n, 0);
    for (const float eps : {0.0F, 0.003F, 0.02F, 0.1F, 0.5F, 2.0F}) {
      const hcl::Threat<float> threat{.norm = norm, .epsilon = eps};
      Matrix a = x, b = x;
      Flags once(n), step(n);
      hcl::fgsm(m, threat, hcl::BatchOut<float>(a), once);
      hcl::pgd(m, threat, {.steps = 1, .step_size = eps, .random_start = false},
               hcl::BatchOut<float>(b), step);
      CHECK(a == b);
      CHECK(once == step);
      for (std::size_t i = 0; i < n; ++i) CHECK(once[i] >= before[i]);
      before = once;
    }
    CHECK(count(before) > n / 2);
  }
}

TEST_CASE_TEMPLATE("iterates lie in ball and box exactly", T, float, double) {
  using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const T infinity = std::numeric_limits<T>::infinity();
  const auto waves = [](hcl::BatchIn<T> x, hcl::BatchOut<T> g, std::span<T> loss) {
    for (hcl::Index i = 0; i < x.rows(); ++i) {
      loss[std::size_t(i)] = 0;
      for (hcl::Index j = 0; j < x.cols(); ++j) {
        loss[std::size_t(i)] += std::sin(T(37) * x(i, j));
        g(i, j) = T(37) * std::cos(T(37) * x(i, j));
      }
    }
  };
  const Rows x = inputs(60, 9, 0, 1).cast<T>();
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2})
    for (const bool boxed : {true, false})
      for (const T eps : {T(1e-8), T(1e-7), T(1) / T(255), T(0.031), T(0.4), T(3)}) {
        Rows a = x;
        hcl::pgd(
            waves,
            hcl::Threat<T>{norm, eps, boxed ? T(0) : -infinity, boxed ? T(1) : infinity},
            {.steps = 7, .step_size = eps / 3, .restarts = 2}, hcl::BatchOut<T>(a), {});
        CHECK(a.allFinite());
        if (boxed) CHECK(a.minCoeff() >= 0);
        if (boxed) CHECK(a.maxCoeff() <= 1);
        const auto moved = (a.template cast<double>() - x.template cast<double>()).eval();
        for (hcl::Index i = 0; i < 60; ++i) {
          if (norm == hcl::Norm::linf)
            CHECK(moved.row(i).template lpNorm<Eigen::Infinity>() <= double(eps));
          else
            CHECK(std::sqrt(hcl::diff2<T>({a.row(i).data(), 9}, {x.row(i).data(), 9})) <=
                  double(eps));
        }
        if (eps > T(1e-6)) CHECK(moved.cwiseAbs().maxCoeff() > double(eps) / 9);
      }
}

TEST_CASE("more steps and restarts never break fewer rows") {
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
  CHECK(r.rows == 18);
  CHECK(r.zero_gradients == 6);
  CHECK(r.nonfinite_gradients == 6);
  CHECK_FALSE(r.reliable());
  CHECK((a.row(0).array() == 0.5F).all());
  CHECK(a(1, 2) == 0.5F);
  CHECK(a(1, 1) == doctest::Approx(0.6F));
  CHECK(a.allFinite());
}

TEST_CASE("a model that quantises its input is flagged, not called robust") {
  Linear m = linear_model(50, 8);
  const auto quantised = [&m](hcl::BatchIn<float> x, hcl::BatchOut<float> g,
                              std::span<float> loss, std::span<std::uint8_t> broken) {
    Matrix q = Eigen::Map<const Matrix>(x.data(), x.rows(), x.cols());
    q = (q.array() * 8).round() / 8;
    m(q, g, loss, broken);
    for (hcl::Index i = 0; i < g.rows(); ++i) std::ranges::fill(g.row(i), 0.0F);
  };
  Matrix a = inputs(50, 8, 0.2F, 0.8F), b = a;
  const hcl::Threat<float> threat{.epsilon = 0.1F};
  const auto masked = hcl::pgd(quantised, threat, {}, hcl::BatchOut<float>(a), {});
  CHECK(masked.zero_gradients == masked.rows);
  CHECK_FALSE(masked.reliable());
  CHECK(hcl::pgd(m, threat, {}, hcl::BatchOut<float>(b), {}).reliable());
}

TEST_CASE_TEMPLATE("tiny and huge gradients give the same L2 step", T, float, double) {
  using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  for (const T size :
       {std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::min(), T(1),
        std::numeric_limits<T>::max() / T(4)}) {
    const auto slope = [size](hcl::BatchIn<T> x, hcl::BatchOut<T> g, std::span<T> loss) {
      for (hcl::Index i = 0; i < x.rows(); ++i) {
        std::ranges::fill(g.row(i), size);
        loss[std::size_t(i)] = x(i, 0);
      }
    };
    Rows a = Rows::Constant(2, 4, T(0.5));
    hcl::fgsm(slope, hcl::Threat<T>{.norm = hcl::Norm::l2, .epsilon = T(0.2)},
              hcl::BatchOut<T>(a), {});
    CHECK((a.array() - T(0.6)).abs().maxCoeff() < T(1e-6));
  }
}

TEST_CASE("bits depend on the seed, not on threads or on a reused workspace") {
  const Matrix x = inputs(70, 6, 0.2F, 0.8F);
  hcl::AttackWorkspace<float> ws;
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    const auto attacked = [&](std::uint64_t seed) {
      Matrix a = x;
      Flags broken(70);
      hcl::pgd(Bumpy{}, hcl::Threat<float>{.norm = norm, .epsilon = 0.06F},
               {.steps = 5, .step_size = 0.01F, .restarts = 3, .seed = seed},
               hcl::BatchOut<float>(a), broken, ws);
      return a;
    };
    const Matrix first = attacked(11);
#if defined(_OPENMP)
    const int threads = omp_get_max_threads();
    for (const int t : {1, 2, 5}) {
      omp_set_num_threads(t);
      CHECK(attacked(11) == first);
    }
    omp_set_num_threads(threads);
#endif
    const float* const kept = ws.now.data();
    CHECK(attacked(11) == first);
    CHECK(attacked(12) != first);
    CHECK(ws.now.data() == kept);
  }
}

TEST_CASE("a contrastive loss keeps one iterate for the whole batch") {
  // Rows 2k and 2k + 1 are a pair; loss_i = log sum_{j != i} exp(s_ij) - s_i,pair(i) with
  // s_ij = -5 |x_i - x_j|^2.
  const auto contrast = [](hcl::BatchIn<float> x, hcl::BatchOut<float> g,
                           std::span<float> loss) {
    const hcl::Index n = x.rows();
    const Eigen::Map<const Matrix> m(x.data(), n, x.cols());
    Eigen::Map<Matrix> grad(g.data(), n, x.cols());
    grad.setZero();
    for (hcl::Index i = 0; i < n; ++i) {
      Eigen::ArrayXf s = -5 * (m.rowwise() - m.row(i)).rowwise().squaredNorm();
      const float positive = s[i ^ 1];
      s = s.exp(), s[i] = 0;
      loss[std::size_t(i)] = std::log(s.sum()) - positive;
      s /= s.sum(), s[i ^ 1] -= 1;
      for (hcl::Index j = 0; j < n; ++j) {
        grad.row(i) -= 10 * s[j] * (m.row(i) - m.row(j));
        grad.row(j) += 10 * s[j] * (m.row(i) - m.row(j));
      }
    }
  };
  const auto sum_of = [&](Matrix m) {
    Matrix g = m;
    std::vector<float> loss(std::size_t(m.rows()));
    contrast(hcl::BatchIn<float>(m), hcl::BatchOut<float>(g), loss);
    double sum = 0;
    for (const float v : loss) sum += double(v);
    return sum;
  };
  const Matrix x = inputs(10, 5, 0.4F, 0.6F);
  for (const auto norm : {hcl::Norm::linf, hcl::Norm::l2}) {
    double before = sum_of(x);
    for (const hcl::Index steps : {0, 1, 3, 10}) {
      Matrix a = x;
      hcl::AttackWorkspace<float> ws;
      hcl::pgd(contrast, hcl::Threat<float>{.norm = norm, .epsilon = 0.1F},
               {.steps = steps, .step_size = 0.02F, .keep = hcl::Keep::batch},
               hcl::BatchOut<float>(a), {}, ws);
      CHECK(sum_of(a) >= before);
      before = sum_of(a);
      double reported = 0;  // the rows returned are of one iterate
      for (std::size_t i = 0; i < 10; ++i) reported += double(ws.best_loss[i]);
      CHECK(reported == before);
    }
    CHECK(before > sum_of(x) + 1);
  }
}

TEST_CASE("an objective that throws leaves x and broken as they were") {
  const Matrix x = inputs(4, 3, 0.2F, 0.8F);
  Matrix a = x;
  Flags broken(4, 7);
  int calls = 0;
  const auto fails = [&](hcl::BatchIn<float> in, hcl::BatchOut<float> g,
                         std::span<float> loss, std::span<std::uint8_t> hit) {
    if (++calls == 4) throw std::runtime_error("out of luck");
    Bumpy{}(in, g, loss, hit);
  };
  CHECK_THROWS_AS(
      hcl::pgd(fails, hcl::Threat<float>{}, {}, hcl::BatchOut<float>(a), broken),
      std::runtime_error);
  CHECK(a == x);
  CHECK(broken == Flags(4, 7));
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
  a(2, 3) = std::numeric_limits<float>::infinity();
  CHECK(attack({.hi = a(2, 3)}).find("row 2, column 3: inf") != std::string::npos);
  a(2, 3) = 0.5F;
  CHECK(attack({.lo = 1, .hi = 0}).find("box [1, 0]") != std::string::npos);
  CHECK(attack({}, {.restarts = 0}).find("restarts 0") != std::string::npos);
  broken.resize(2);
  CHECK(attack({}).find("broken has 2 flags for 3 rows") != std::string::npos);
  CHECK((a.array() == 0.5F).all());
}
