// bench/bench_loss.cpp - contrastive losses and distance matrices, forward + backward:
// hcl beside its limit and the naive double loop.
//
// Rows: loss/geometry/scalar/N/D/threads. `of peak` is 3 N^2 D operations (a batch
// against itself; 6 N^2 D of two batches) over the time, as a fraction of the rate of
// fused multiply-adds measured at the start; `extra MB` what a step adds to the memory of
// the rows, its gradients included: run one row alone for it. The setting is that of the
// lineage: features of length around 2.3 clipped at 2.3, expmap0, c = 0.1, temperature
// 0.2, two views at cosine 0.9.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <Eigen/Core>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "hcl/hcl.hpp"
#include "limits.hpp"

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

/// Resident bytes now.
double resident() {
  std::ifstream in("/proc/self/statm");
  double all = 0, pages = 0;
  in >> all >> pages;
  return pages * double(sysconf(_SC_PAGESIZE));
}

template <class T>
double peak() {  // GFLOP/s
  static const double measured = bench::fma_peak<T>();
  return measured;
}

/// @param flop  of one step's matrix products
template <class T>
void report(benchmark::State& state, double flop, double before) {
  const double total = flop * double(state.iterations()) * 1e-9;
  state.counters["GFLOP/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["of peak"] =
      benchmark::Counter(total / peak<T>(), benchmark::Counter::kIsRate);
  state.counters["peak GFLOP/s"] = peak<T>();
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  state.counters["extra MB"] = (double(use.ru_maxrss) * 1024 - before) * 1e-6;
}

/// Two steps ahead of the timed ones: a workspace has its memory after them.
template <class Step>
void time_steps(benchmark::State& state, const Step& step) {
  step(), step();
  for (auto _ : state) step();
}

double square_flop(Eigen::Index n, Eigen::Index d) {
  return 3 * double(n) * double(n) * double(d);
}

template <class S>
void nt_xent(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  const hcl::NtXent loss{s, static_cast<T>(0.2)};
  const double before = resident();
  Matrix<T> g(z.rows(), z.cols());
  hcl::Workspace ws;
  time_steps(state, [&] {
    benchmark::DoNotOptimize(loss.value_and_grad(z, g, ws));
    benchmark::DoNotOptimize(g.data());
  });
  report<T>(state, square_flop(z.rows(), z.cols()), before);
}

template <class S>
void sup_con(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  const hcl::SupCon loss{s, static_cast<T>(0.2)};
  Matrix<T> g(z.rows(), z.cols());
  std::vector<int> labels(std::size_t(z.rows()));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i % 10);
  const double before = resident();
  hcl::Workspace ws;
  time_steps(state, [&] {
    benchmark::DoNotOptimize(loss.value_and_grad(z, labels, g, ws));
    benchmark::DoNotOptimize(g.data());
  });
  report<T>(state, square_flop(z.rows(), z.cols()), before);
}

/// The first views as anchors, the second and then the first ones as candidates.
template <class S>
void info_nce(benchmark::State& state, S s, Matrix<typename S::Scalar> z) {
  using T = typename S::Scalar;
  const hcl::InfoNce loss{s, static_cast<T>(0.2)};
  const Eigen::Index half = z.rows() / 2;
  const Matrix<T> x = z.topRows(half);
  Matrix<T> y(z.rows(), z.cols());
  y.topRows(half) = z.bottomRows(half), y.bottomRows(half) = x;
  const double before = resident();
  Matrix<T> gx(x.rows(), x.cols()), gy(y.rows(), y.cols());
  hcl::Workspace ws;
  time_steps(state, [&] {
    benchmark::DoNotOptimize(loss.value_and_grad(x, y, gx, gy, ws));
    benchmark::DoNotOptimize(gy.data());
  });
  report<T>(state, 6 * double(x.rows()) * double(y.rows()) * double(x.cols()), before);
}

/// All distances of a batch against itself, and (if grad) their backward.
template <bool grad, class M>
void distances(benchmark::State& state, M m, Matrix<typename M::Scalar> z) {
  using T = typename M::Scalar;
  const double before = resident();
  Matrix<T> d(z.rows(), z.rows()), g = Matrix<T>::Zero(z.rows(), z.cols());
  const Matrix<T> upstream = Matrix<T>::Ones(grad ? z.rows() : 0, z.rows());
  T gc(0);
  hcl::Workspace ws;
  time_steps(state, [&] {
    hcl::distance_matrix(m, z, d, ws);
    if (grad) hcl::distance_matrix_vjp(m, z, upstream, g, gc, ws);
    benchmark::DoNotOptimize(d.data());
  });
  report<T>(state, square_flop(z.rows(), z.cols()) / (grad ? 1 : 3), before);
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
  const double before = resident();
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
  report<T>(state, square_flop(z.rows(), z.cols()), before);
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
  const auto each = [&](const char* geometry, auto m, auto similarity, Eigen::Index n) {
    add("NtXent", geometry, m, n, 128,
        [=](auto& state, auto g, auto z) { nt_xent(state, similarity(g), z); });
    add("InfoNce", geometry, m, n, 128,
        [=](auto& state, auto g, auto z) { info_nce(state, similarity(g), z); });
    add("SupCon", geometry, m, n, 128,
        [=](auto& state, auto g, auto z) { sup_con(state, similarity(g), z); });
  };
  const auto dist = [](auto m) { return hcl::NegDist{m}; };
  const auto cosine = [](auto m) { return hcl::Cosine{m}; };
  for (const auto n : sizes) {
    each("PoincareBall", hcl::PoincareBall<T>{T(0.1)}, dist, n);
    each("Lorentz", hcl::Lorentz<T>{T(0.1)}, dist, n);
    each("Euclidean", hcl::Euclidean<T>{}, dist, n);
    each("Sphere", hcl::Sphere<T>{T(1)}, cosine, n);
  }
  const hcl::PoincareBall<T> ball{T(0.1)};
  add("Distances", "PoincareBall", ball, 4096, 128,
      [](auto& state, auto m, auto z) { distances<false>(state, m, z); });
  add("DistancesGrad", "PoincareBall", ball, 4096, 128,
      [](auto& state, auto m, auto z) { distances<true>(state, m, z); });
  // Rows that nearly coincide: what a Gram matrix in float cannot tell apart.
  add("NtXentCollapsed", "PoincareBall", ball, 4096, 128,
      [](auto& state, auto m, auto z) {
        for (Eigen::Index i = 1; i < z.rows(); ++i)
          z.row(i) = z.row(0) + T(1e-3) * z.row(i);
        z.row(0) *= T(1.001);
        nt_xent(state, hcl::NegDist{m}, z);
      });
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
