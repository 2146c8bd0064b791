// Features of an encoder -> clip -> Poincare ball -> NT-Xent, and the gradient back.
#include <Eigen/Core>
#include <cstdio>
#include <hcl/hcl.hpp>

int main() {
  using Batch = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  // Two views of 256 samples: row i and row i + 256 belong together.
  Batch features = Batch::Random(512, 128);
  features.bottomRows(256) = features.topRows(256) + 2.0f * Batch::Random(256, 128);

  const hcl::PoincareBall<float> ball{0.1f};  // curvature -0.1
  const float radius = 2.3f;                  // of the feature clip
  const hcl::NtXent loss{hcl::NegDist{ball}, 0.2f};

  Batch clipped(512, 128), points(512, 128);
  hcl::clip_rows(features, radius, clipped);
  hcl::expmap0(ball, clipped, points);

  Batch grad_points(512, 128);
  const auto out = loss.value_and_grad(points, grad_points);

  Batch grad_clipped = Batch::Zero(512, 128), grad_features = Batch::Zero(512, 128);
  float grad_c = out.grad_c, grad_radius = 0;
  hcl::expmap0_vjp(ball, clipped, grad_points, grad_clipped, grad_c);
  hcl::clip_rows_vjp(features, radius, grad_clipped, grad_features, grad_radius);

  std::printf("loss %.4f, |dL/dfeatures| %.5f\n", double(out.value),
              double(grad_features.norm()));
  std::printf("dL/dtemperature %.4f, dL/dc %.4f, dL/dradius %.5f\n",
              double(out.grad_temperature), double(grad_c), double(grad_radius));
}
