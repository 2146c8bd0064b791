// Mistakes, one for each definition MISTAKE_...; without one all is well. What the
// compiler must say of each is in CMakeLists.txt.
#include <Eigen/Core>

#include "hcl/loss/nt_xent.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/similarity/cosine.hpp"
#include "hcl/similarity/neg_dist.hpp"
#include "hcl/similarity/weighted_sum.hpp"

using Batch = Eigen::Matrix<float, -1, -1, Eigen::RowMajor>;
using Point = hcl::Point<double>;
using Grad = hcl::Grad<double>;

/// A geometry of one's own, what MISTAKE_no_... names left out.
struct Own {
  using Scalar = double;
#if !defined(MISTAKE_no_dist)
  double dist(Point x, Point y) const;
#endif
#if !defined(MISTAKE_no_vjp)
  void dist_vjp(Point x, Point y, double g, Grad gx, Grad gy, double& gc) const;
#endif
};

// A loss has many members; what they take is what is at stake, not how they compute.
float value(hcl::BatchIn<float> x);
float value_and_grad(hcl::BatchIn<float> x, hcl::BatchOut<float> gx);

void use(Batch x, Batch g) {
  const hcl::PoincareBall<float> ball{0.1f};
  const hcl::NegDist similarity{ball};
  const hcl::NegDist own{Own{}};
  const hcl::NtXent loss{similarity, 0.2f};
  const hcl::WeightedSum sum{0.5f, similarity, 0.5f, hcl::Cosine{ball}};
  const Batch& same = g;
#if defined(MISTAKE_column_major)
  loss.value(Eigen::MatrixXf(x));
#elif defined(MISTAKE_scalar)
  const hcl::NtXent in_double{hcl::NegDist{hcl::PoincareBall<double>{0.1}}, 0.2};
  in_double.value(x);
#elif defined(MISTAKE_expression)
  loss.value(x + x);
#elif defined(MISTAKE_strided)
  loss.value(Eigen::Map<Batch, 0, Eigen::Stride<-1, 2>>(x.data(), 4, 2, {4, 2}));
#elif defined(MISTAKE_read_only)
  loss.value_and_grad(x, same);
#elif defined(MISTAKE_temporary)
  loss.value_and_grad(x, Batch(8, 2));
#elif defined(MISTAKE_geometry)
  hcl::NtXent{ball, 0.2f};
#elif defined(MISTAKE_weighted)
  hcl::WeightedSum{0.5f, ball, 0.5f, similarity};
#elif defined(MISTAKE_no_similarity)
  hcl::NtXent{0.1f, 0.2f};
#endif

  // Temporaries as inputs; parts and views as outputs, without a name too.
  value(Batch(x)), value((x + x).eval()), value(x.topRows(4)), value(same);
  value_and_grad(x.topRows(8), g.topRows(8));
  value_and_grad(x, g.leftCols(2).bottomRows(2));
  value_and_grad(x, Eigen::Map<Batch>(g.data(), 8, 2));
  value_and_grad(x, Eigen::Ref<Batch>(g));
  value_and_grad(x, hcl::BatchOut<float>(g.data(), 8, 2));
  // Copies.
  const hcl::NegDist similarity2{similarity};
  const hcl::NtXent loss2{loss};
  const hcl::WeightedSum sum2{sum};
  static_cast<void>(std::tuple(own, similarity2, loss2, sum2));
}
