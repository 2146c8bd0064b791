// What takes a workspace takes none too, and gives the same bits.
#include <doctest/doctest.h>

#include <Eigen/Core>

#include "hcl/manifold/lorentz.hpp"
#include "hcl/pairwise/distance_matrix.hpp"

namespace {

using Rows = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;

TEST_CASE("a distance matrix and its backward allocate their own workspace") {
  const hcl::Lorentz<double> m{0.5};
  const Rows x = Rows::Random(7, 3), y = Rows::Random(5, 3);
  const Rows g = Rows::Random(7, 5), g_self = Rows::Random(7, 7);
  const Rows zero_x = Rows::Zero(7, 3), zero_y = Rows::Zero(5, 3);
  hcl::Workspace ws;

  Rows with(7, 5), without(7, 5);
  hcl::distance_matrix(m, x, y, with, ws);
  hcl::distance_matrix(m, x, y, without);
  CHECK(with == without);
  Rows gx = zero_x, gy = zero_y, own_gx = zero_x, own_gy = zero_y;
  double gc = 0, own_gc = 0;
  hcl::distance_matrix_vjp(m, x, y, g, gx, gy, gc, ws);
  hcl::distance_matrix_vjp(m, x, y, g, own_gx, own_gy, own_gc);
  CHECK(gx == own_gx);
  CHECK(gy == own_gy);
  CHECK(gc == own_gc);
  CHECK(gx.norm() * gy.norm() * gc != 0);

  gx = own_gx = zero_x, gc = own_gc = 0;
  hcl::distance_matrix_vjp(m, x, g_self, gx, gc, ws);
  hcl::distance_matrix_vjp(m, x, g_self, own_gx, own_gc);
  CHECK(gx == own_gx);
  CHECK(gc == own_gc);
  CHECK(gx.norm() * gc != 0);
}

}  // namespace
