// The same with rows in memory of one's own, and without Eigen.
#include <cstdio>
#include <hcl/hcl.hpp>
#include <random>
#include <vector>

int main() {
  const hcl::Index rows = 512, cols = 128;
  using Batch = std::vector<float>;  // or any memory whose rows are contiguous
  const auto view = [&](Batch& x) { return hcl::BatchOut<float>(x.data(), rows, cols); };

  Batch features(rows * cols), clipped(rows * cols), points(rows * cols);
  std::mt19937 random;
  const auto uniform = [&] { return 2 * float(random()) / float(random.max()) - 1; };
  for (float& v : features) v = uniform();
  for (std::size_t k = 0, half = features.size() / 2; k < half; ++k)
    features[half + k] = features[k] + 2 * uniform();

  const hcl::PoincareBall<float> ball{0.1f};
  const float radius = 2.3f;
  const hcl::NtXent loss{hcl::NegDist{ball}, 0.2f};
  hcl::clip_rows(view(features), radius, view(clipped));
  hcl::expmap0(ball, view(clipped), view(points));

  Batch grad_points(rows * cols), grad_clipped(rows * cols), grad_features(rows * cols);
  const auto out = loss.value_and_grad(view(points), view(grad_points));
  float grad_c = out.grad_c, grad_radius = 0;
  hcl::expmap0_vjp(ball, view(clipped), view(grad_points), view(grad_clipped), grad_c);
  hcl::clip_rows_vjp(view(features), radius, view(grad_clipped), view(grad_features),
                     grad_radius);

  std::printf("loss %.4f, dL/dtemperature %.4f, dL/dc %.4f, dL/dradius %.5f; %s\n",
              double(out.value), double(out.grad_temperature), double(grad_c),
              double(grad_radius), HCL_SIMD_NAME);
}
