// The convolutions of bench_conv by oneDNN, called directly in layouts of its own choice:
// one CSV line a row. Direct, and Winograd where this CPU has it (AVX-512 only).
// Built and run by cnn.py.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <dnnl.hpp>
#include <vector>

using dnnl::memory;

static memory filled(const memory::desc& desc, const dnnl::engine& engine) {
  memory m(desc, engine);
  auto* const p = static_cast<float*>(m.get_data_handle());
  for (std::size_t i = 0; i < desc.get_size() / sizeof(float); ++i)
    p[i] = float((i * 2654435761U >> 8) & 1023) / 512 - 1;
  return m;
}

template <class F>
static void report(const char* algorithm, const char* what, memory::dim c,
                   memory::dim side, const F& run) {
  using Clock = std::chrono::steady_clock;
  run();
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%s,%s/%ldx%ldx%ld,%.4f\n", algorithm, what, long(c), long(c), long(side),
              seconds[2] * 1e3);
}

static void measure(dnnl::algorithm algorithm, const char* name, memory::format_tag tag,
                    memory::dim c, memory::dim side) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto type = memory::data_type::f32;
  const memory::desc image({128, c, side, side}, type, tag);
  const memory::desc weights({c, c, 3, 3}, type, memory::format_tag::any);
  const memory::dims one{1, 1};
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, image, weights, image, one, one,
       one},
      engine);
  {
    auto x = filled(forward.src_desc(), engine), y = filled(forward.dst_desc(), engine),
         w = filled(forward.weights_desc(), engine);
    const dnnl::convolution_forward run(forward);
    report(name, "forward", c, side, [&] {
      run.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
      stream.wait();
    });
  }
  {
    const dnnl::convolution_backward_data::primitive_desc d(
        {algorithm, image, weights, image, one, one, one}, engine, forward);
    auto gx = filled(d.diff_src_desc(), engine), gy = filled(d.diff_dst_desc(), engine),
         w = filled(d.weights_desc(), engine);
    const dnnl::convolution_backward_data run(d);
    report(name, "backward_input", c, side, [&] {
      run.execute(
          stream,
          {{DNNL_ARG_DIFF_SRC, gx}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_DST, gy}});
      stream.wait();
    });
  }
  {
    const dnnl::convolution_backward_weights::primitive_desc d(
        {algorithm, image, weights, image, one, one, one}, engine, forward);
    auto x = filled(d.src_desc(), engine), gy = filled(d.diff_dst_desc(), engine),
         gw = filled(d.diff_weights_desc(), engine);
    const dnnl::convolution_backward_weights run(d);
    report(name, "backward_weights", c, side, [&] {
      run.execute(
          stream,
          {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_WEIGHTS, gw}, {DNNL_ARG_DIFF_DST, gy}});
      stream.wait();
    });
  }
}

int main() {
  using dnnl::algorithm;
  struct Variant {
    algorithm kind;
    const char* name;
    memory::format_tag tag;
  };
  const Variant variants[] = {
      {algorithm::convolution_direct, "direct", memory::format_tag::any},
      {algorithm::convolution_direct, "direct-nhwc", memory::format_tag::nhwc},
      {algorithm::convolution_winograd, "winograd", memory::format_tag::any}};
  for (const auto& [kind, name, tag] : variants)
    for (const auto& [c, side] :
         {std::pair<memory::dim, memory::dim>{64, 32}, {128, 16}, {256, 8}})
      try {
        measure(kind, name, tag, c, side);
      } catch (const dnnl::error&) {
        std::fprintf(stderr, "oneDNN has no %s convolution here\n", name);
      }
}
