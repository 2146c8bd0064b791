// bench/bench_maps.cpp - maps by rows, forward + backward, beside the memory limit.
//
// Rows: map/geometry/scalar/N/D/threads. A map reads and writes each array once at best:
// `of limit` is the time over that of these bytes at the rate of a copy in this run.
// Bytes are counted as forward (inputs read, output written) and backward (inputs and
// upstream gradient read, gradients written once).
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "hcl/hcl.hpp"
#include "limits.hpp"

namespace {

using Index = hcl::Index;
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

bool failed = false;

/// n random directions with lengths uniform in [from, to].
template <class T>
Matrix<T> rows(Index n, Index d, double from, double to, unsigned seed) {
  std::mt19937_64 rng{seed};
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> length{from, to};
  Matrix<T> x(n, d);
  for (Index i = 0; i < n; ++i) {
    const Eigen::VectorXd v =
        Eigen::VectorXd::NullaryExpr(d, [&] { return normal(rng); });
    x.row(i) = (v * (length(rng) / v.norm())).transpose().cast<T>();
  }
  return x;
}

using Vec = Eigen::Matrix<long double, Eigen::Dynamic, 1>;

/// A map of one or two rows as its textbook formula, in long double.
using Naive = std::function<Vec(const Vec&, const Vec&)>;

/// One map and its backward over the arrays of a Job.
template <class T>
struct Job {
  Matrix<T> x, y, g, out, gx, gy;
  std::vector<T> gd, od;
  T gc = 0;
};

/// Compares the rows of out with the formula, and <g, d out> along a direction with the
/// backward. Some rows.
template <class T>
bool agrees(const Job<T>& job, bool two, bool scalar, const Naive& f) {
  const long double h = 1e-6L, tolerance = sizeof(T) == 4 ? 2e-5L : 1e-9L;
  std::mt19937_64 rng{9};
  std::normal_distribution<double> normal;
  for (Index i = 0; i < job.x.rows(); i += job.x.rows() / 13 + 1) {
    const Index d = job.x.cols();
    const auto row = [&](const Matrix<T>& m) {
      return Vec(m.row(i).transpose().template cast<long double>());
    };
    const Vec x = row(job.x), y = two ? row(job.y) : Vec(x);
    const auto random = [&](const Vec& at) {
      const Vec v =
          Vec::NullaryExpr(d, [&] { return static_cast<long double>(normal(rng)); });
      return Vec(v * (at.norm() / v.norm()));
    };
    const Vec value = f(x, y), dx = random(x), dy = two ? random(y) : Vec(Vec::Zero(d));
    Vec out(1), g(1);
    if (scalar)
      out(0) = job.od[std::size_t(i)], g(0) = job.gd[std::size_t(i)];
    else
      out = row(job.out), g = row(job.g);
    if (!((out - value).norm() <= tolerance * value.norm())) return false;
    const long double slope =
        (f(x + h * dx, y + h * dy) - f(x - h * dx, y - h * dy)).dot(g) / (2 * h);
    const long double by_x = row(job.gx).dot(dx), by_y = two ? row(job.gy).dot(dy) : 0;
    const long double size =
        row(job.gx).norm() * dx.norm() + (two ? row(job.gy).norm() * dy.norm() : 0.0L);
    if (!(std::abs(by_x + by_y - slope) <= tolerance * size)) return false;
  }
  return true;
}

template <class T>
constexpr const char* scalar_name = sizeof(T) == 4 ? "float" : "double";

double copied = 0;  // GB/s, measured once

/// Registers a row. forward and backward take a Job; two: a second row; scalar: the
/// result is a number a row.
template <class T, class Forward, class Backward>
void add(const std::string& map, const char* geometry, Index n, Index d,
         Job<T> (*make)(Index, Index), bool two, bool scalar, const Naive& naive,
         Forward forward, Backward backward) {
  const std::string name = map + "/" + geometry + "/" + scalar_name<T> + "/" +
                           std::to_string(n) + "/" + std::to_string(d) +
                           "/threads:" + std::to_string(hcl::max_threads());
  benchmark::RegisterBenchmark(
      name.c_str(),
      [=](benchmark::State& state) {
        Job<T> job = make(n, d);
        job.out = Matrix<T>::Zero(n, d);
        job.gx = job.gy = job.out;
        job.gd.assign(std::size_t(n), T(0.5)), job.od.assign(std::size_t(n), T(0));
        forward(job), backward(job);
        if (!agrees(job, two, scalar, naive)) {
          failed = true;
          state.SkipWithError("the map and its textbook formula disagree");
        }
        double in_forward = 0;
        for (auto _ : state) {
          const double start = bench::seconds_now();
          forward(job);
          in_forward += bench::seconds_now() - start;
          backward(job);
        }
        const double array = double(n) * double(d) * sizeof(T), inputs = two ? 2 : 1;
        const double bytes = array * (inputs + !scalar + inputs + !scalar + inputs);
        const double steps = double(state.iterations());
        state.counters["GB/s"] =
            benchmark::Counter(bytes * steps * 1e-9, benchmark::Counter::kIsRate);
        state.counters["limit ms"] = bytes / copied * 1e-6;
        // The rate counter divides by the time: bytes at the copy's rate over the time.
        state.counters["limit/time"] = benchmark::Counter(bytes * steps * 1e-9 / copied,
                                                          benchmark::Counter::kIsRate);
        state.counters["forward ms"] = in_forward / steps * 1e3;
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

const Naive expmap0 = [](const Vec& v, const Vec&) -> Vec {
  return std::tanh(v.norm()) / v.norm() * v;
};
const Naive logmap0 = [](const Vec& z, const Vec&) -> Vec {
  return std::atanh(z.norm()) / z.norm() * z;
};
const Naive mobius = [](const Vec& x, const Vec& y) -> Vec {
  const long double xy = x.dot(y), nx = x.squaredNorm(), ny = y.squaredNorm();
  return ((1 + 2 * xy + ny) * x + (1 - nx) * y) / (1 + 2 * xy + nx * ny);
};
const Naive expmap_at = [](const Vec& x, const Vec& v) -> Vec {
  return mobius(x, std::tanh(v.norm() / (1 - x.squaredNorm())) / v.norm() * v);
};
const Naive distance = [](const Vec& x, const Vec& y) -> Vec {
  const long double q =
      (x - y).squaredNorm() / ((1 - x.squaredNorm()) * (1 - y.squaredNorm()));
  return Vec::Constant(1, 2 * std::asinh(std::sqrt(q)));
};

template <class T>
Job<T> tangents(Index n, Index d) {  // half of them are clipped
  return {rows<T>(n, d, 0.1, 0.9, 1), {}, rows<T>(n, d, 1, 1, 3), {}, {}, {}, {}, {}, 0};
}
template <class T>
Job<T> points(Index n, Index d) {
  return {rows<T>(n, d, 0.1, 0.9, 1),
          rows<T>(n, d, 0.1, 0.9, 2),
          rows<T>(n, d, 1, 1, 3),
          {},
          {},
          {},
          {},
          {},
          0};
}
template <class T>
Job<T> steps(Index n, Index d) {
  return {rows<T>(n, d, 0.1, 0.9, 1),
          rows<T>(n, d, 0.1, 0.5, 2),
          rows<T>(n, d, 1, 1, 3),
          {},
          {},
          {},
          {},
          {},
          0};
}

template <class T>
void add_scalar(Index n, Index d) {
  const hcl::PoincareBall<T> ball{T(1)};
  const T r(0.5);
  add<T>(
      "expmap0", "PoincareBall", n, d, tangents<T>, false, false, expmap0,
      [=](Job<T>& j) { hcl::expmap0(ball, j.x, j.out); },
      [=](Job<T>& j) { hcl::expmap0_vjp(ball, j.x, j.g, j.gx, j.gc); });
  add<T>(
      "clip", "PoincareBall", n, d, tangents<T>, false, false,
      [](const Vec& v, const Vec&) -> Vec { return v * std::min(1.0L, 0.5L / v.norm()); },
      [=](Job<T>& j) { hcl::clip_rows(j.x, r, j.out); },
      [=](Job<T>& j) {
        T gr(0);
        hcl::clip_rows_vjp(j.x, r, j.g, j.gx, gr);
      });
  add<T>(
      "logmap0", "PoincareBall", n, d, tangents<T>, false, false, logmap0,
      [=](Job<T>& j) { hcl::logmap0(ball, j.x, j.out); },
      [=](Job<T>& j) { hcl::logmap0_vjp(ball, j.x, j.g, j.gx, j.gc); });
  add<T>(
      "mobius_add", "PoincareBall", n, d, points<T>, true, false, mobius,
      [=](Job<T>& j) { hcl::mobius_add(ball, j.x, j.y, j.out); },
      [=](Job<T>& j) { hcl::mobius_add_vjp(ball, j.x, j.y, j.g, j.gx, j.gy, j.gc); });
  add<T>(
      "expmap", "PoincareBall", n, d, steps<T>, true, false, expmap_at,
      [=](Job<T>& j) { hcl::expmap(ball, j.x, j.y, j.out); },
      [=](Job<T>& j) { hcl::expmap_vjp(ball, j.x, j.y, j.g, j.gx, j.gy, j.gc); });
  add<T>(
      "dist", "PoincareBall", n, d, points<T>, true, true, distance,
      [=](Job<T>& j) { hcl::dist(ball, j.x, j.y, std::span<T>(j.od)); },
      [=](Job<T>& j) {
        hcl::dist_vjp(ball, j.x, j.y, std::span<const T>(j.gd), j.gx, j.gy, j.gc);
      });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  copied = bench::copy_rate();
  benchmark::AddCustomContext("copy GB/s", std::to_string(copied));
  add_scalar<float>(65536, 128);
  add_scalar<double>(65536, 128);
  benchmark::RunSpecifiedBenchmarks();
  return failed;
}
