// bench/agree.cpp - one side of peers/agree.py: a network's starting weights, its images,
// its outputs in the first step and after the last, and the losses, in a safetensors
// file.
//
//   agree NET WIDTH STEPS FILE
//
// Images and labels are the same in each step: what differs is the network. SGD with
// momentum 0.9, no decay, rate 0.001.
#include <cstdio>
#include <cstdlib>

#include "cnn/checkpoint.hpp"
#include "cnn/loss_ce.hpp"
#include "cnn/models.hpp"
#include "cnn/optim.hpp"

namespace {

using cnn::Buffer;
using cnn::Index;
using cnn::Mode;

void run(const std::string& name, Index width, Index steps, const char* file) {
  constexpr Index n = 16, classes = 10;
  cnn::Net net = cnn::make_net(name, 3, width);
  const bool airbench = name == "airbench";
  cnn::Net head = cnn::linear_head(net.plan({1, 32, 32, 3}).image(), classes, !airbench,
                                   airbench ? 1.0F / 9 : 1.0F);
  head.plan(net.plan({n, 32, 32, 3}));
  net.init(1), head.init(2);
  std::mt19937_64 rng{3};
  Buffer<float> x(net.in_shape().size()), logits(n * classes), eval(n * classes),
      losses(n), gz(n * classes), gf(net.out_shape().size()), curve(steps);
  for (float& v : x) v = float(double(rng() >> 11) * 0x1p-51 - 2);
  std::vector<int> labels;
  std::vector<std::int64_t> stored;
  for (Index i = 0; i < n; ++i) labels.push_back(int(rng() % classes));
  stored.assign(labels.begin(), labels.end());

  std::vector<cnn::NamedTensor> file_tensors;
  std::vector<Buffer<float>> starts;
  std::vector<cnn::Param*> params = net.params(), all = net.all_params();
  params.insert(params.end(), head.params().begin(), head.params().end());
  all.insert(all.end(), head.params().begin(), head.params().end());
  starts.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& value = all[i]->value;
    auto& start = starts.emplace_back(value.size());
    std::copy(value.begin(), value.end(), start.begin());
    file_tensors.push_back(
        {"param." + std::to_string(1000 + i), {value.size()}, start.data()});
  }
  const auto forward = [&](Mode mode) {
    return head.forward(net.forward(x.data(), mode), mode);
  };
  cnn::Sgd sgd(params, {.momentum = 0.9F, .nesterov = false, .weight_decay = 0});
  for (Index step = 0; step < steps; ++step) {
    net.zero_grad(), head.zero_grad();
    const float* const z = forward(Mode::train);
    if (step == 0) std::copy_n(z, logits.size(), logits.begin());
    curve[step] =
        float(cnn::cross_entropy(n, classes, z, labels, 0, losses.data(), gz.data()));
    head.backward(gz.data(), gf.data(), true);
    net.backward(gf.data(), nullptr, true);
    sgd.step(0.001F);
  }
  std::copy_n(forward(Mode::eval), eval.size(), eval.begin());
  file_tensors.push_back({"x", {n, 32, 32, 3}, x.data()});
  file_tensors.push_back({"labels", {n}, stored.data()});
  file_tensors.push_back({"logits.train", {n, classes}, logits.data()});
  file_tensors.push_back({"logits.eval", {n, classes}, eval.data()});
  file_tensors.push_back({"losses", {steps}, curve.data()});
  cnn::save_checkpoint(file, file_tensors, {});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "agree NET WIDTH STEPS FILE\n");
    return 2;
  }
  try {
    run(argv[1], std::atol(argv[2]), std::atol(argv[3]), argv[4]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "agree: %s\n", e.what());
    return 1;
  }
}
