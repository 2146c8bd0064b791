// bench/bench_loss.cpp - contrastive losses, forward + backward: hcl beside the naive
// double loop.
//
// Rows: loss/similarity/scalar/N/D. The setting is that of the lineage: features of
// length around 2.3 clipped at 2.3, expmap0, c = 0.1, temperature 0.2, two views at
// cosine 0.9.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <random>
#include <string>
#include <vector>

#include "hcl/hcl.hpp"

namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

bool failed = false;

/// Two views of n/2 random directions, the second at cosine 0.9 to the first.
template <class T>
Matrix<T> features(Eigen::Index n, Eigen::Index d) {
  std::mt19937_64 rng{1};
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> length{1.5, 3};
  const auto direction = [&] {
    Eigen::VectorXd v = Eigen::VectorXd::NullaryExpr(d, [&] { return normal(rng); });
    return Eigen::VectorXd(v / v.norm());
  };
  Matrix<T> v(n, d);
  for (Eigen::Index i = 0; i < n / 2; ++i) {
    const Eigen::VectorXd a = direction();
    Eigen::VectorXd b = direction();
    b -= b.dot(a) * a;
    b = 0.9 * a + std::sqrt(1 - 0.81) * b / b.norm();
    v.row(i) = (a * length(rng)).transpose().cast<T>();
    v.row(i + n / 2) = (b * length(rng)).transpose().cast<T>();
  }
  return v;
}

/// Points of a manifold from features.
template <class M>
Matrix<typename M::Scalar> points(const M& m, Eigen::Index n, Eigen::Index d) {
  using T = typename M::Scalar;
  Matrix<T> v = features<T>(n, d), z(n, d);
  if constexpr (std::same_as<M, hcl::Sphere<T>>) return v;
  hcl::clip_rows(v, T(2.3), z);
  v = z;
  hcl::expmap0(m, v, z);
  return z;
}

template <class T>
void report(benchmark::State& state, double n, double d) {
  state.counters["GFLOP/s of 3N2D"] = benchmark::Counter(
      3 * n * n * d * double(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  state.counters["peak MB"] = double(use.ru_maxrss) / 1024;
}

template <class S>
void nt_xent(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  const hcl::NtXent loss{s, static_cast<T>(0.2)};
  Matrix<T> g(z.rows(), z.cols());
  hcl::Workspace ws;
  for (auto _ : state) {
    benchmark::DoNotOptimize(loss.value_and_grad(z, g, ws));
    benchmark::DoNotOptimize(g.data());
  }
  report<T>(state, double(z.rows()), double(z.cols()));
}

template <class S>
void sup_con(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  const hcl::SupCon loss{s, static_cast<T>(0.2)};
  Matrix<T> g(z.rows(), z.cols());
  std::vector<int> labels(std::size_t(z.rows()));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i % 10);
  hcl::Workspace ws;
  for (auto _ : state) {
    benchmark::DoNotOptimize(loss.value_and_grad(z, labels, g, ws));
    benchmark::DoNotOptimize(g.data());
  }
  report<T>(state, double(z.rows()), double(z.cols()));
}

/// The double loop that one writes first: distances, softmax, then every pair's vjp.
template <class S>
typename S::Scalar naive(const S& s, typename S::Scalar tau,
                         const Matrix<typename S::Scalar>& z,
                         Matrix<typename S::Scalar>& g) {
  using T = typename S::Scalar;
  const Eigen::Index n = z.rows();
  const hcl::BatchIn<T> x(z);
  const hcl::BatchOut<T> gx(g);
  Matrix<T> w(n, n);
  double loss = 0;
  g.setZero();
  T gc(0);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < n; ++j)
      w(i, j) = i == j ? T(-1e30) : s.value(x.row(i), x.row(j)) / tau;
    const T top = w.row(i).maxCoeff();
    const T lse = top + std::log((w.row(i).array() - top).exp().sum());
    loss += double(lse - w(i, (i + n / 2) % n));
    w.row(i) = (w.row(i).array() - lse).exp() / T(n);
    w(i, (i + n / 2) % n) -= T(1) / T(n);
    for (Eigen::Index j = 0; j < n; ++j)
      if (i != j) s.vjp(x.row(i), x.row(j), w(i, j) / tau, gx.row(i), gx.row(j), gc);
  }
  return T(loss / double(n));
}

template <class S>
void nt_xent_naive(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  Matrix<T> g(z.rows(), z.cols()), h(z.rows(), z.cols());
  const T tau = static_cast<T>(0.2);
  const T a = naive(s, tau, z, g), b = hcl::NtXent{s, tau}.value_and_grad(z, h).value;
  // The loop takes the difference of nearly equal numbers; hcl is the closer one.
  if (!(std::abs(a - b) <= T(1e-3) * std::abs(a)) ||
      !((g - h).norm() <= T(1e-3) * g.norm())) {
    failed = true;
    state.SkipWithError("the naive loop and the tiled kernel disagree");
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(naive(s, tau, z, g));
    benchmark::DoNotOptimize(g.data());
  }
  report<T>(state, double(z.rows()), double(z.cols()));
}

template <class T>
constexpr const char* scalar_name = sizeof(T) == 4 ? "float" : "double";

template <class M, class Body>
void add(const char* what, const char* geometry, M m, Eigen::Index n, Eigen::Index d,
         const Body& body) {
  using T = typename M::Scalar;
  const std::string name = std::string(what) + "/" + geometry + "/" + scalar_name<T> +
                           "/" + std::to_string(n) + "/" + std::to_string(d) +
                           "/threads:" + std::to_string(hcl::max_threads());
  benchmark::RegisterBenchmark(
      name.c_str(), [=](benchmark::State& state) { body(state, m, points(m, n, d)); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

template <class T>
void add_scalar(std::initializer_list<Eigen::Index> sizes) {
  const auto dist = [](auto& state, auto m, auto z) {
    nt_xent(state, hcl::NegDist{m}, z);
  };
  const auto cosine = [](auto& state, auto m, auto z) {
    nt_xent(state, hcl::Cosine{m}, z);
  };
  for (const auto n : sizes) {
    add("NtXent", "PoincareBall", hcl::PoincareBall<T>{T(0.1)}, n, 128, dist);
    add("NtXent", "Lorentz", hcl::Lorentz<T>{T(0.1)}, n, 128, dist);
    add("NtXent", "Euclidean", hcl::Euclidean<T>{}, n, 128, dist);
    add("NtXent", "SphereCosine", hcl::Sphere<T>{T(1)}, n, 128, cosine);
    add("SupCon", "PoincareBall", hcl::PoincareBall<T>{T(0.1)}, n, 128,
        [](auto& state, auto m, auto z) { sup_con(state, hcl::NegDist{m}, z); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  add_scalar<float>({256, 512, 1024, 4096, 8192});
  add_scalar<double>({1024, 4096});
  add("NtXentNaive", "PoincareBall", hcl::PoincareBall<float>{0.1f}, 1024, 128,
      [](auto& state, auto m, auto z) { nt_xent_naive(state, hcl::NegDist{m}, z); });
  add("NtXent", "PoincareBall", hcl::PoincareBall<float>{0.1f}, 65536, 128,
      [](auto& state, auto m, auto z) { nt_xent(state, hcl::NegDist{m}, z); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return failed;
}
