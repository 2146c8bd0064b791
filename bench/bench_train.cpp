// bench/bench_train.cpp - the examples' networks: steps of training, and inference.
//
// Rows: train/network/batch/threads:N: forward, cross-entropy, backward, SGD with
// momentum, on images that are there already; infer/...: forward with running statistics.
// The networks are those of peers/torch_cnn.py, 32 x 32 x 3 to 10 classes; Tiny is
// `plain`. GFLOP/s are nominal, 2 a multiply-add of the networks' definition forward and
// 6 in a step, whatever the algorithm does; "of peak" is their share of the multiply-adds
// probed in this run.
//
// ssl/network/rows/...: a self-supervised step, two views of rows / 2 images: SimCLR's
// augmentation, forward, NT-Xent on the Poincare ball (D = 128), backward, SGD. Its
// counters "augmentation" and "loss" are shares of the step; the loss is clip, expmap0,
// NT-Xent and all their backward.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <Eigen/Core>
#include <string>

#include "cnn/augment.hpp"
#include "cnn/loss_ce.hpp"
#include "cnn/models.hpp"
#include "cnn/optim.hpp"
#include "hcl/hcl.hpp"
#include "limits.hpp"

namespace {

using cnn::Buffer;
using cnn::Index;
using cnn::Mode;

bool failed = false;

struct Job {
  Index n;
  cnn::Net net, head;
  cnn::Shape features;
  Buffer<float> x, losses, gz, gf;
  std::vector<int> labels;
  std::unique_ptr<cnn::Sgd> sgd;

  Job(const std::string& name, Index batch)
      : n{batch},
        net{cnn::make_net(name, 3)},
        head{cnn::linear_head(net.plan({1, 32, 32, 3}).image(), 10)},
        features{net.plan({n, 32, 32, 3})},
        x(n * 32 * 32 * 3),
        losses(n),
        gz(n * 10),
        gf(features.size()) {
    head.plan(features);
    net.init(1), head.init(2);
    std::mt19937_64 rng{3};
    for (float& v : x) v = float(double(rng() >> 11) * 0x1p-51 - 2);
    for (Index i = 0; i < n; ++i) labels.push_back(int(rng() % 10));
    auto params = net.params();
    params.insert(params.end(), head.params().begin(), head.params().end());
    sgd = std::make_unique<cnn::Sgd>(
        params, cnn::SgdOptions{.nesterov = false, .weight_decay = 0});
  }

  const float* forward(Mode mode) {
    return head.forward(net.forward(x.data(), mode), mode);
  }
  double train() {
    net.zero_grad(), head.zero_grad();
    const float* const z = forward(Mode::train);
    const double loss = cnn::cross_entropy(n, 10, z, labels, 0, losses.data(), gz.data());
    head.backward(gz.data(), gf.data(), true);
    net.backward(gf.data(), nullptr, true);
    sgd->step(0.01F);
    return loss;
  }
};

void run(benchmark::State& state, const std::string& name, Index n, bool train) {
  Job job(name, n);
  double loss = 0;
  if (train)
    loss = job.train();  // allocates what the steps reuse
  else
    job.forward(Mode::eval);
  for (auto _ : state) {
    if (train)
      loss = job.train();
    else
      benchmark::DoNotOptimize(job.forward(Mode::eval));
  }
  if (!std::isfinite(loss)) {
    failed = true;
    state.SkipWithError("the loss is not finite");
  }
  state.SetItemsProcessed(state.iterations() * n);  // images
  static const double peak = bench::fma_peak<float>();
  const double flops = (train ? 6 : 2) * double(n) *
                       (job.net.multiply_adds() + job.head.multiply_adds()) *
                       double(state.iterations());
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsRate);
  state.counters["of peak"] =
      benchmark::Counter(flops * 1e-9 / peak, benchmark::Counter::kIsRate);
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  state.counters["peak MB"] = double(use.ru_maxrss) / 1024;
}

/// Noise for images: the augmentation's time does not depend on what it sees.
cnn::Dataset noise(Index n) {
  cnn::Dataset d;
  std::mt19937_64 rng{5};
  d.labels.assign(std::size_t(n), 0);
  d.pixels.resize(std::size_t(n * d.image_size()));
  for (auto& p : d.pixels) p = std::uint8_t(rng() >> 56);
  return d;
}

void self_supervised(benchmark::State& state, const std::string& name, Index rows) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  constexpr Index d = 128;
  const auto data = noise(rows / 2);
  std::vector<Index> samples;
  for (Index i = 0; i < rows / 2; ++i) samples.push_back(i);
  cnn::Net net = cnn::make_net(name, 3);
  const Index features = net.plan({rows, 32, 32, 3}).image();
  cnn::Net head = cnn::projection_head(features, features, d);
  head.plan({rows, 1, 1, features});
  net.init(1), head.init(2);
  auto params = net.params();
  params.insert(params.end(), head.params().begin(), head.params().end());
  cnn::Sgd sgd(params, {});
  const cnn::SimclrAugment augment;
  const hcl::PoincareBall<float> ball{0.1F};
  const hcl::NtXent loss{hcl::NegDist{ball}, 0.2F};
  hcl::Workspace ws;
  Buffer<float> x(net.in_shape().size()), gf(rows * features);
  Matrix clipped(rows, d), z(rows, d), gz(rows, d), g_clipped(rows, d), gv(rows, d);
  std::uint64_t epoch = 0;
  double seconds[3] = {};  // of augmentation, loss, and all
  bool finite = true;
  const auto step = [&] {
    const double start = bench::seconds_now();
    for (const std::uint64_t view : {0U, 1U})
      augment(data, samples, 1, 2 * epoch + view,
              x.data() + Index(view) * rows / 2 * data.image_size());
    ++epoch;
    const double augmented = bench::seconds_now();
    const float* const out =
        head.forward(net.forward(x.data(), Mode::train), Mode::train);
    const double encoded = bench::seconds_now();
    const hcl::BatchIn<float> v(out, rows, d);
    hcl::clip_rows(v, 2.3F, clipped);
    hcl::expmap0(ball, clipped, z);
    const auto l = loss.value_and_grad(z, gz, ws);
    finite = finite && std::isfinite(l.value);
    float gc = 0, gr = 0;
    g_clipped.setZero(), gv.setZero();
    hcl::expmap0_vjp(ball, clipped, gz, g_clipped, gc);
    hcl::clip_rows_vjp(v, 2.3F, g_clipped, gv, gr);
    const double lost = bench::seconds_now();
    net.zero_grad(), head.zero_grad();
    head.backward(gv.data(), gf.data(), true);
    net.backward(gf.data(), nullptr, true);
    sgd.step(0.01F);
    seconds[0] += augmented - start, seconds[1] += lost - encoded;
    seconds[2] += bench::seconds_now() - start;
  };
  step(), step();
  for (double& s : seconds) s = 0;
  for (auto _ : state) step();
  if (!finite) {
    failed = true;
    state.SkipWithError("the loss is not finite");
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.counters["augmentation"] = seconds[0] / seconds[2];
  state.counters["loss"] = seconds[1] / seconds[2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::pair<const char*, const char*> nets[] = {{"Tiny", "plain"},
                                                      {"ResNet9", "resnet9"},
                                                      {"ResNet18", "resnet18"},
                                                      {"ResNet20", "resnet20"},
                                                      {"Airbench", "airbench"}};
  for (const auto& [title, name] : nets)
    for (const bool train : {true, false}) {
      const Index n = title == std::string("Airbench") ? 1024 : 128;
      const std::string row = std::string(train ? "train/" : "infer/") + title + "/" +
                              std::to_string(n) +
                              "/threads:" + std::to_string(hcl::max_threads());
      benchmark::RegisterBenchmark(row.c_str(),
                                   [=, key = std::string(name)](benchmark::State& state) {
                                     run(state, key, n, train);
                                   })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  for (const auto& [title, name] : {nets[1], nets[2], nets[3]}) {
    const std::string row = std::string("ssl/") + title +
                            "/256/threads:" + std::to_string(hcl::max_threads());
    benchmark::RegisterBenchmark(row.c_str(),
                                 [key = std::string(name)](benchmark::State& state) {
                                   self_supervised(state, key, 256);
                                 })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return failed;
}
