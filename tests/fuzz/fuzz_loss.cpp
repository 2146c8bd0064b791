// tests/fuzz/fuzz_loss.cpp - every loss over several similarities: a byte each for the
// loss and the scalar, the number of rows, of candidates and of columns, then
// temperature, c, labels (a byte each), rows.
#include <cmath>
#include <stdexcept>

#include "hcl/loss/info_nce.hpp"
#include "hcl/loss/nt_xent.hpp"
#include "hcl/loss/sup_con.hpp"
#include "hcl/manifold/lorentz.hpp"
#include "hcl/manifold/poincare_ball.hpp"
#include "hcl/manifold/sphere.hpp"
#include "hcl/similarity/inner.hpp"
#include "hcl/similarity/neg_dist.hpp"
#include "input.hpp"

namespace {

using fuzz::require;

template <class T>
struct Batch {
  T tau, c;
  hcl::Index rows, candidates, cols;
  std::vector<int> labels;
  std::vector<T> x, y;
};

template <class S, class T>
void check(const char* name, const S& s, int loss, const Batch<T>& b) {
  const hcl::BatchIn<T> x(b.x.data(), b.rows, b.cols),
      y(b.y.data(), b.candidates, b.cols);
  std::vector<T> gx_data(b.x.size()), gy_data(b.y.size());
  const hcl::BatchOut<T> gx(gx_data.data(), b.rows, b.cols),
      gy(gy_data.data(), b.candidates, b.cols);
  hcl::LossGrad<T> out{};
  try {
    using hcl::Sides, hcl::SupConForm;
    const auto form = loss % 2 ? SupConForm::inside : SupConForm::outside;
    const auto sides = loss % 2 ? Sides::two : Sides::one;
    if (loss < 2)
      out = hcl::NtXent{s, b.tau}.value_and_grad(x, gx);
    else if (loss < 4)
      out = hcl::SupCon{s, b.tau, form}.value_and_grad(x, b.labels, gx);
    else
      out = hcl::InfoNce{s, b.tau, sides}.value_and_grad(x, y, gx, gy);
  } catch (const std::invalid_argument&) {
    return;
  }
  const auto where = [&](const char* what, T value) {
    if (std::isfinite(value)) return;
    std::cerr << name << (sizeof(T) == 4 ? "<float>" : "<double>") << ", loss " << loss
              << ", temperature " << b.tau << ", c " << b.c << ", " << b.rows << " x "
              << b.cols << ", " << b.candidates << " candidates\nx";
    for (const T u : b.x) std::cerr << ' ' << u;
    std::cerr << "\ny";
    for (const T u : b.y) std::cerr << ' ' << u;
    std::cerr << "\nlabels";
    for (const int l : b.labels) std::cerr << ' ' << l;
    std::cerr << "\nvalue " << out.value << ", by temperature " << out.grad_temperature
              << ", by c " << out.grad_c << std::endl;
    require(false, what, " is ", value);
  };
  where("value", out.value);
  where("gradient by temperature", out.grad_temperature);
  where("gradient by c", out.grad_c);
  for (const T g : gx_data) where("gradient by x", g);
  for (const T g : gy_data) where("gradient by y", g);
}

template <class T>
void check_all(fuzz::Input& in, int loss) {
  Batch<T> b;
  b.rows = in.take<std::uint8_t>() % 10;
  b.candidates = in.take<std::uint8_t>() % 10;
  b.cols = in.take<std::uint8_t>() % 4;
  b.tau = in.take<T>();
  b.c = in.take<T>();
  for (hcl::Index i = 0; i < b.rows; ++i) b.labels.push_back(in.take<std::int8_t>());
  b.x = in.take<T>(std::size_t(b.rows * b.cols));
  b.y = in.take<T>(std::size_t(b.candidates * b.cols));
  check("NegDist2, Euclidean", hcl::NegDist2{hcl::Euclidean<T>()}, loss, b);
  // The kernel of the losses works in T, where c times a squared distance must not leave
  // its range.
  if (!(b.c > T(1e-30) && b.c < T(1e30))) return;
  check("NegDist, ball", hcl::NegDist{hcl::PoincareBall<T>(b.c)}, loss, b);
  check("NegDist, Lorentz", hcl::NegDist{hcl::Lorentz<T>(b.c)}, loss, b);
  check("NegDist, sphere", hcl::NegDist{hcl::Sphere<T>(b.c)}, loss, b);
  check("Inner, sphere", hcl::Inner{hcl::Sphere<T>(b.c)}, loss, b);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto kind = in.take<std::uint8_t>();
  try {
    if (kind & 8)
      check_all<double>(in, kind % 8 % 6);
    else
      check_all<float>(in, kind % 8 % 6);
  } catch (const std::invalid_argument&) {  // a curvature out of range
  }
  return 0;
}
