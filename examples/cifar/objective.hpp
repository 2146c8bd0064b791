// examples/cifar/objective.hpp - from encoder features to a contrastive loss, geometry
// chosen at run time.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hcl/hcl.hpp"

namespace cifar {

using Index = std::ptrdiff_t;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Geometry {
  std::string manifold = "ball";    ///< ball, lorentz, sphere, euclidean
  std::string similarity = "dist";  ///< dist, dist2, cosine, inner
  std::string form = "outside";     ///< of SupCon: outside, inside
  float c = 0.1F, clip = 2.3F, temperature = 0.2F;
};

/// A contrastive loss on features. Row i of two views and row i + n/2 belong together;
/// with labels the loss is SupCon.
class Objective {
 public:
  virtual ~Objective() = default;
  struct Result {
    float value, grad_temperature, grad_c;
  };
  /// Loss of features v (n x d); gv is overwritten with its gradient.
  virtual Result value_and_grad(hcl::BatchIn<float> v, std::span<const int> labels,
                                hcl::BatchOut<float> gv) = 0;
  /// The points that the features become.
  virtual void points(hcl::BatchIn<float> v, hcl::BatchOut<float> z) const = 0;
  /// For each row of query the k candidates of largest similarity, best first.
  virtual std::vector<std::int32_t> nearest(hcl::BatchIn<float> query,
                                            hcl::BatchIn<float> candidates,
                                            Index k) const = 0;
};

/// @throws std::invalid_argument for an unknown name or a value out of range.
std::unique_ptr<Objective> make_objective(const Geometry& g);

}  // namespace cifar
