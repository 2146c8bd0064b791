// Bad input: the message names argument, row and value, and no output has been touched.
#include <doctest/doctest.h>

#include <string>

#include "hcl/manifold/gyro_batch.hpp"
#include "hcl/manifold/head.hpp"
#include "hcl/manifold/maps_batch.hpp"
#include "support/catalog.hpp"
#include "support/message.hpp"

namespace {

using support::message_of, support::Rows;

void check_has(const std::string& text, std::initializer_list<const char*> parts) {
  CAPTURE(text);
  for (const char* part : parts) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

const float nan_value = std::numeric_limits<float>::quiet_NaN();

TEST_CASE("curvatures") {
  check_has(message_of([] { hcl::PoincareBall<float>(-2.0f); }),
            {"PoincareBall", "c = -2"});
  check_has(message_of([] { hcl::Lorentz<double>(0.0); }), {"Lorentz", "c = 0"});
  check_has(message_of([] { hcl::Sphere<float>{nan_value}; }), {"Sphere", "nan"});
}

TEST_CASE("rows off the manifold") {
  const hcl::PoincareBall<float> ball(4.0f);
  Rows<float> x = Rows<float>::Constant(5, 2, 0.1f), y = x,
              out = Rows<float>::Constant(5, 2, 9);
  y(3, 1) = 0.6f;  // c|x|^2 = 4 (0.01 + 0.36) = 1.48
  std::vector<float> d(5, 9.0f);
  check_has(message_of([&] { hcl::dist(ball, x, y, d); }),
            {"dist", "y row 3", "1.48", "outside"});
  CHECK(d == std::vector<float>(5, 9.0f));
  check_has(message_of([&] { hcl::logmap0(ball, y, out); }),
            {"logmap0", "z row 3", "1.48"});
  CHECK(out == Rows<float>::Constant(5, 2, 9));
  hcl::project(ball, y, y);
  CHECK(message_of([&] { hcl::dist(ball, x, y, d); }).empty());
  y.row(2).setZero();
  check_has(message_of([&] { hcl::dist(hcl::Sphere<float>(0.7f), x, y, d); }),
            {"dist", "y row 2", "zero row"});
}

TEST_CASE_TEMPLATE("vectors that are not tangent to the sphere", T, float, double) {
  const hcl::Sphere<T> m(T(1));
  Rows<T> x(2, 3), v(2, 3), out = Rows<T>::Constant(2, 3, 9), kept = out;
  x << 1, 0, 0, 0, 0, 1;
  v << 0, 1, 0, T(1.5707963), 0, 1;
  T gc(0);
  const auto refused = [&](const char* where, const auto& call) {
    check_has(message_of(call), {where, "v row 1", "not tangent", "0.537"});
    CHECK(out == kept);
  };
  refused("expmap", [&] { hcl::expmap(m, x, v, out); });
  refused("expmap_vjp", [&] { hcl::expmap_vjp(m, x, v, x, out, kept, gc); });
  refused("parallel_transport", [&] { hcl::parallel_transport(m, x, x, v, out); });
  Rows<T> g(3 * 2, 3);
  refused("parallel_transport_vjp", [&] {
    hcl::parallel_transport_vjp(m, x, x, v, x, out, hcl::BatchOut<T>(g.data(), 2, 3),
                                hcl::BatchOut<T>(g.data() + 6, 2, 3), gc);
  });
  // Rounding is none of it, at any length.
  Rows<T> points = support::random_points(m, 200, 5), tangents(200, 5), to(200, 5);
  for (hcl::Index i = 0; i < 200; ++i) {
    const Rows<T> any = Rows<T>::Random(1, 5) * T(std::pow(10.0, double(i % 30) - 15));
    m.project_tangent(hcl::BatchIn<T>(points).row(i), hcl::BatchIn<T>(any).row(0),
                      hcl::BatchOut<T>(tangents).row(i));
  }
  tangents.row(7).setZero();
  CHECK(message_of([&] { hcl::expmap(m, points, tangents, to); }).empty());
}

TEST_CASE("numbers that are not finite") {
  Rows<float> x = Rows<float>::Constant(70, 2, 0.1f), out = x;
  x(69, 0) = nan_value;
  std::vector<float> d(70), g(70, 1.0f);
  float gc = 0;
  const hcl::Lorentz<float> m(0.7f);
  check_has(message_of([&] { hcl::dist(m, x, out, d); }),
            {"dist", "x row 69", "not finite", "nan"});
  check_has(message_of([&] { hcl::expmap0(m, x, out); }), {"expmap0", "v row 69"});
  Rows<float> gx = out;
  check_has(message_of([&] { hcl::expmap0_vjp(m, out, x, gx, gc); }),
            {"expmap0_vjp", "upstream gradient row 69"});
  Rows<double> far = Rows<double>::Constant(70, 2, 0.1);
  const Rows<double> points = far;
  far(3, 1) = -1e200;  // finite, but its square is not
  Rows<double> wide_out = far;
  const hcl::PoincareBall<double> ball(0.7);
  for (const std::string& why :
       {message_of([&] { hcl::expmap0(ball, far, wide_out); }),
        message_of([&] { hcl::expmap(ball, points, far, wide_out); }), message_of([&] {
          hcl::parallel_transport(ball, points, points, far, wide_out);
        })})
    check_has(why, {"v row 3", "|v|^2 is too large"});
  const auto projected = [&](const auto& space) {
    CHECK(message_of([&] { hcl::project(space, far, wide_out); }).empty());
    CHECK(space.is_on_manifold(hcl::BatchIn<double>(wide_out).row(3)).ok);
  };
  projected(ball);
  projected(hcl::Lorentz<double>(0.7));
  projected(hcl::Sphere<double>(0.7));
  g[4] = nan_value;
  check_has(message_of([&] { hcl::dist_vjp(m, out, out, g, gx, gx, gc); }),
            {"dist_vjp", "g row 4"});
}

TEST_CASE("a gradient upon what its backward reads is refused") {
  const hcl::PoincareBall<float> m(0.7f);
  const Rows<float> x = Rows<float>::Constant(4, 3, 0.1f);
  Rows<float> y = x, g = x, gx = x, gy = x;
  float gc = 0;
  const auto refused = [&](const auto& f) { check_has(message_of(f), {"overlaps"}); };
  refused([&] { hcl::expmap0_vjp(m, x, g, g, gc); });
  refused([&] { hcl::dist_vjp(m, x, y, std::vector<float>(4), gx, y, gc); });
  refused([&] { hcl::expmap_vjp(m, x, y, g, g, gy, gc); });
  refused([&] { hcl::logmap_vjp(m, x, y, g, gx, y, gc); });
  refused([&] { hcl::parallel_transport_vjp(m, x, x, y, g, y, gx, gy, gc); });
  Rows<float> gm = Rows<float>::Zero(3, 3);
  const Rows<float> matrix = gm;
  refused([&] { hcl::mobius_matvec_vjp(m, matrix, x, g, gm, g, gc); });
  refused([&] { hcl::mobius_add_vjp(m, x, y, g, y, gy, gc); });
  refused([&] { hcl::clip_rows_vjp(g, 0.5f, x, g, gc); });
  refused([&] { hcl::normalize_rows_vjp<float>(x, g, g); });
  CHECK(y == x);
  CHECK(g == x);
  CHECK(message_of([&] { hcl::logmap_vjp(m, x, y, g, gx, gx, gc); }).empty());
}

TEST_CASE("shapes and clips") {
  const hcl::Euclidean<float> m;
  Rows<float> x = Rows<float>::Zero(4, 3), y = Rows<float>::Zero(4, 2);
  std::vector<float> d(4), shorter(3);
  check_has(message_of([&] { hcl::dist(m, x, y, d); }), {"dist", "y is 4 x 2", "4 x 3"});
  check_has(message_of([&] { hcl::dist(m, x, x, shorter); }), {"dist", "out has 3", "4"});
  check_has(message_of([&] { hcl::clip_rows(x, -1.0f, x); }), {"clip_rows", "r = -1"});
  check_has(message_of([&] { hcl::normalize_rows<float>(x, x); }),
            {"normalize_rows", "v row 0", "zero"});
}

TEST_CASE("row numbers of the Gram kernel") {
  const auto of = [](const auto& m, double n) {
    return message_of([&] { m.check_row("NtXent", "z", 7, n); });
  };
  check_has(of(hcl::PoincareBall<float>(4.0f), 0.37),
            {"NtXent", "z row 7", "1.48", "outside"});
  check_has(of(hcl::Sphere<float>(0.7f), 0.0), {"NtXent", "z row 7", "zero row"});
  check_has(of(hcl::Euclidean<float>(), std::nan("")),
            {"NtXent", "z row 7", "not finite"});
  check_has(of(hcl::Lorentz<float>(0.7f), 1e60), {"NtXent", "z row 7", "too large"});
  CHECK(of(hcl::PoincareBall<float>(4.0f), 0.2).empty());
}

}  // namespace
