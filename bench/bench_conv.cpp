// bench/bench_conv.cpp - the examples' 3 x 3 convolutions: Winograd's products beside the
// direct ones.
//
// Rows: conv3x3/direction/CIxCOxSIDE/threads:N, and conv3x3-direct/... ; batch 128,
// float. GFLOP/s are nominal, 2 * 9 * ci * co a pixel, whatever the algorithm does; "of
// peak" is their share of the multiply-adds probed in this run, above 1 where work is
// saved. Before a row is timed, a small batch of it is held to a naive loop in double.
#include <benchmark/benchmark.h>

#include <chrono>
#include <random>
#include <string>

#include "cnn/winograd_weights.hpp"
#include "limits.hpp"

namespace {

using cnn::Buffer;
using cnn::ConvShape;
using cnn::Index;

bool failed = false;

Buffer<float> noise(Index size, unsigned seed) {
  std::mt19937_64 rng{seed};
  Buffer<float> b(size);
  for (float& v : b) v = float(double(rng() >> 11) * 0x1p-52 - 1);
  return b;
}

enum class Direction { forward, input, weights };

struct Job {
  ConvShape s;
  Direction direction;
  bool winograd;
  Buffer<float> x, w, gy, out;
  cnn::Scratch<float> scratch;

  Job(const ConvShape& shape, Direction d, bool fast)
      : s{shape},
        direction{d},
        winograd{fast},
        x{noise(s.n * s.h * s.w * s.ci, 1)},
        w{noise(s.weights(), 2)},
        gy{noise(s.n * s.h * s.w * s.co, 3)},
        out(std::max({x.size(), gy.size(), w.size()})) {}

  void run() {
    float *const to = out.data(), *const xs = x.data(), *const ws = w.data(),
                 *const gs = gy.data();
    switch (direction) {
      case Direction::forward:
        return winograd ? cnn::winograd_forward(s, xs, ws, to, scratch)
                        : cnn::conv_forward(s, xs, ws, to, scratch);
      case Direction::input:
        return winograd ? cnn::winograd_backward_input(s, gs, ws, to, scratch)
                        : cnn::conv_backward_input(s, gs, ws, to, scratch);
      case Direction::weights:
        return winograd ? cnn::winograd_backward_weights(s, xs, gs, to, scratch)
                        : cnn::conv_backward_weights(s, xs, gs, to, scratch);
    }
  }

  /// |out - naive| / |naive|, of the first run.
  double error() {
    Buffer<double> want(out.size());
    for (Index i = 0; i < s.n; ++i)
      for (Index y = 0; y < s.h; ++y)
        for (Index k = 0; k < s.w; ++k)
          for (Index tap = 0; tap < 9; ++tap) {
            const Index sy = y + tap / 3 - 1, sx = k + tap % 3 - 1;
            if (sy < 0 || sy >= s.h || sx < 0 || sx >= s.w) continue;
            const Index from = ((i * s.h + sy) * s.w + sx) * s.ci,
                        to = ((i * s.h + y) * s.w + k) * s.co;
            for (Index a = 0; a < s.ci; ++a)
              for (Index b = 0; b < s.co; ++b) {
                const Index at = (tap * s.ci + a) * s.co + b;
                if (direction == Direction::forward)
                  want[to + b] += double(x[from + a]) * double(w[at]);
                else if (direction == Direction::input)
                  want[from + a] += double(gy[to + b]) * double(w[at]);
                else
                  want[at] += double(x[from + a]) * double(gy[to + b]);
              }
          }
    std::fill(out.begin(), out.end(), 0.0F);
    run();
    double off = 0, all = 0;
    for (Index i = 0; i < out.size(); ++i) {
      off += std::pow(double(out[i]) - want[i], 2);
      all += want[i] * want[i];
    }
    return std::sqrt(off / all);
  }
};

void conv(benchmark::State& state, ConvShape s, Direction d, bool winograd) {
  static const double most = bench::fma_peak<float>();
  s.n = 2;
  const double error = Job(s, d, winograd).error();
  if (!(error <= 1e-5)) {
    failed = true;
    state.SkipWithError("the kernel and the naive loop disagree");
  }
  s.n = 128;
  Job job(s, d, winograd);
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    job.run();
    benchmark::DoNotOptimize(job.out.data());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double flop = 18e-9 * double(s.n * s.h * s.w) * double(s.ci * s.co);
  const double rate = flop * double(state.iterations()) / seconds.count();
  state.counters["GFLOP/s"] = rate;
  state.counters["of peak"] = rate / most;
  state.counters["error"] = error;
}

}  // namespace

int main(int argc, char** argv) {
  const std::pair<Direction, const char*> directions[] = {
      {Direction::forward, "forward"},
      {Direction::input, "backward_input"},
      {Direction::weights, "backward_weights"}};
  for (const bool winograd : {true, false})
    for (const auto& [direction, what] : directions)
      for (const auto& [c, side] :
           {std::pair<Index, Index>{64, 32}, {128, 16}, {256, 8}}) {
        const ConvShape s{128, side, side, c, c, 3, 1};
        const std::string size = std::to_string(c);
        const std::string name = std::string(winograd ? "conv3x3/" : "conv3x3-direct/") +
                                 what + "/" + size + "x" + size + "x" +
                                 std::to_string(side) +
                                 "/threads:" + std::to_string(hcl::max_threads());
        benchmark::RegisterBenchmark(
            name.c_str(),
            [=, d = direction](benchmark::State& state) { conv(state, s, d, winograd); })
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return failed;
}
