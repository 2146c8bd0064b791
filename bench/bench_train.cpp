// bench/bench_train.cpp - the examples' networks: steps of training, and inference.
//
// Rows: train/network/batch/threads:N: forward, cross-entropy, backward, SGD with
// momentum, on images that are there already; infer/...: forward with running statistics.
// The networks are those of peers/torch_cnn.py, 32 x 32 x 3 to 10 classes; Tiny is
// `plain`.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <string>

#include "cnn/loss_ce.hpp"
#include "cnn/models.hpp"
#include "cnn/optim.hpp"

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
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  state.counters["peak MB"] = double(use.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr Index n = 128;
  const std::pair<const char*, const char*> nets[] = {{"Tiny", "plain"},
                                                      {"ResNet9", "resnet9"},
                                                      {"ResNet18", "resnet18"},
                                                      {"ResNet20", "resnet20"}};
  for (const auto& [title, name] : nets)
    for (const bool train : {true, false}) {
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
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return failed;
}
