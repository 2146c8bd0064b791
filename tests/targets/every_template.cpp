// Every public template, for float and double: compiled by tests/every_template.sh for
// many CPUs and compilers, each warning an error, and never run.
//
// What a compiler says of memory depends on what it sees of it. So the rows of a
// pointwise call come from elsewhere, all but the first as arrays of three numbers before
// its eyes. With HCL_FLATTEN each row in turn is the only one that it sees, and all that
// is called is inlined: a harder look by hand, at which GCC 12 still warns.
#if defined(__x86_64__)
#include <immintrin.h>  // as Eigen has it, before any header of ours
#endif
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "hcl/hcl.hpp"
#include "hcl/testing/gradient_check.hpp"
#include "hcl/testing/manifold_laws.hpp"

namespace every_template {

// Defined nowhere: numbers, rows and batches of which nothing is known.
template <class T>
T& number(int i = 0);
template <class T>
std::span<T> row(std::size_t i);
template <class T>
hcl::BatchOut<T> batch(int i);
template <class M>
const M& given();
template <class T>
void fill_in(T (&values)[3]);
template <class T>
void read(const T& value);

#if HCL_FLATTEN
#define HCL_FLAT [[gnu::flatten, gnu::noinline]]
#else
#define HCL_FLAT [[gnu::noinline]]
#endif

/// Three numbers for row i where it is known.
template <class T, bool known>
struct Row {
  explicit Row(std::size_t) { fill_in(values); }
  ~Row() { read(values); }
  operator std::span<T>() { return values; }
  T values[3];
};
template <class T>
struct Row<T, false> {
  explicit Row(std::size_t i) : values{row<T>(i)} {}
  operator std::span<T>() const { return values; }
  std::span<T> values;
};

template <class T, std::size_t known, class F, std::size_t... i>
HCL_FLAT void with_known(const F& f, std::index_sequence<i...>) {
  f(std::span<T>(Row < T, known == 0 ? i != 0 : i + 1 == known > (i))...);
}
/// f of n rows.
template <class T, std::size_t n, class F>
void rows(const F& f) {
  constexpr std::make_index_sequence<n> all;
#if HCL_FLATTEN
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (with_known<T, i + 1>(f, all), ...);
  }
  (all);
#else
  with_known<T, 0>(f, all);
#endif
}

template <class M, class T = hcl::ScalarOf<M>>
void metric() {
  using R = std::span<T>;
  const M& m = given<M>();
  rows<T, 2>([&](R x, R y) {
    read(m.dist(x, y));
    read(m.dist2(x, y));
    read(m.is_on_manifold(x));
    m.project(x, y);
  });
  rows<T, 4>([&](R x, R y, R gx, R gy) {
    m.dist_vjp(x, y, number<T>(), gx, gy, number<T>(1));
    m.dist2_vjp(x, y, number<T>(), gx, gy, number<T>(1));
  });
}

template <class M, class T = hcl::ScalarOf<M>>
void maps() {
  using R = std::span<T>;
  const M& m = given<M>();
  T &t = number<T>(), &gt = number<T>(1), &gc = number<T>(2);
  rows<T, 1>([&](R x) { read(m.dist0(x)); });
  rows<T, 2>([&](R x, R out) {
    read(m.norm(x, out));
    m.expmap0(x, out);
    m.logmap0(x, out);
    hcl::dist0_vjp(m, x, t, out, gc);
  });
  rows<T, 3>([&](R x, R v, R out) {
    read(m.inner(x, v, out));
    m.expmap(x, v, out);
    m.logmap(x, v, out);
    m.egrad2rgrad(x, v, out);
    m.project_tangent(x, v, out);
    m.retract(x, v, out);
    m.expmap0_vjp(x, v, out, gc);
    m.logmap0_vjp(x, v, out, gc);
    hcl::geodesic(m, x, v, t, out);
    hcl::transport0(m, x, v, out);
    hcl::transport0_back(m, x, v, out);
  });
  rows<T, 4>([&](R x, R y, R v, R out) { m.parallel_transport(x, y, v, out); });
  rows<T, 5>([&](R x, R v, R g, R gx, R gv) {
    hcl::expmap_vjp(m, x, v, g, gx, gv, gc);
    hcl::logmap_vjp(m, x, v, g, gx, gv, gc);
    hcl::egrad2rgrad_vjp(m, x, v, g, gx, gv, gc);
    hcl::geodesic_vjp(m, x, v, t, g, gx, gv, gt, gc);
    hcl::transport0_vjp(m, x, v, g, gx, gv, gc);
    hcl::transport0_back_vjp(m, x, v, g, gx, gv, gc);
  });
  rows<T, 6>([&](R x, R u, R v, R gx, R gu, R gv) {
    hcl::inner_vjp(m, x, u, v, t, gx, gu, gv, gc);
  });
  rows<T, 7>([&](R x, R y, R v, R g, R gx, R gy, R gv) {
    hcl::parallel_transport_vjp(m, x, y, v, g, gx, gy, gv, gc);
  });
}

template <class M, class T = hcl::ScalarOf<M>>
void batches() {
  const M& m = given<M>();
  const auto x = batch<T>(0), y = batch<T>(1), v = batch<T>(2), g = batch<T>(3),
             gx = batch<T>(4), gy = batch<T>(5), gv = batch<T>(6);
  T& gc = number<T>();
  read(hcl::clip_of_radius(m, gc));
  hcl::dist(m, x, y, row<T>(0));
  hcl::dist_vjp(m, x, y, row<T>(0), gx, gy, gc);
  hcl::expmap0(m, v, gx);
  hcl::expmap0_vjp(m, v, g, gv, gc);
  hcl::logmap0(m, x, gx);
  hcl::logmap0_vjp(m, x, g, gx, gc);
  hcl::expmap(m, x, v, gx);
  hcl::expmap_vjp(m, x, v, g, gx, gv, gc);
  hcl::logmap(m, x, y, gx);
  hcl::logmap_vjp(m, x, y, g, gx, gy, gc);
  hcl::egrad2rgrad(m, x, g, gx);
  hcl::project(m, x, gx);
  hcl::geodesic(m, x, y, gc, gx);
  hcl::parallel_transport(m, x, y, v, gx);
  hcl::parallel_transport_vjp(m, x, y, v, g, gx, gy, gv, gc);
}

template <class M, class T = hcl::ScalarOf<M>>
void midpoints() {
  T& gc = number<T>();
  hcl::midpoint(given<M>(), batch<T>(0), row<T>(0), row<T>(1));
  hcl::midpoint_vjp(given<M>(), batch<T>(0), row<T>(0), row<T>(1), batch<T>(1), row<T>(2),
                    gc);
}

template <class M, class T = hcl::ScalarOf<M>>
void models() {
  using R = std::span<T>;
  const M& m = given<M>();
  const auto each = [&]<class To>(const To&, const auto& to, const auto& jvp,
                                  const auto& vjp) {
    if constexpr (!std::same_as<M, To>) {
      rows<T, 2>([&](R x, R out) { to(x, out); });
      rows<T, 3>([&](R x, R v, R out) {
        jvp(x, v, out);
        vjp(x, v, out);
      });
    }
  };
  T& gc = number<T>();
  each(
      given<hcl::Lorentz<T>>(), [&](auto... r) { hcl::to_lorentz(m, r...); },
      [&](auto... r) { hcl::to_lorentz_jvp(m, r...); },
      [&](auto... r) { hcl::to_lorentz_vjp(m, r..., gc); });
  each(
      given<hcl::PoincareBall<T>>(), [&](auto... r) { hcl::to_ball(m, r...); },
      [&](auto... r) { hcl::to_ball_jvp(m, r...); },
      [&](auto... r) { hcl::to_ball_vjp(m, r..., gc); });
  if constexpr (!std::same_as<M, hcl::HalfSpace<T>>)
    each(
        given<hcl::Klein<T>>(), [&](auto... r) { hcl::to_klein(m, r...); },
        [&](auto... r) { hcl::to_klein_jvp(m, r...); },
        [&](auto... r) { hcl::to_klein_vjp(m, r..., gc); });
  if constexpr (!std::same_as<M, hcl::Klein<T>>)
    each(
        given<hcl::HalfSpace<T>>(), [&](auto... r) { hcl::to_half_space(m, r...); },
        [&](auto... r) { hcl::to_half_space_jvp(m, r...); },
        [&](auto... r) { hcl::to_half_space_vjp(m, r..., gc); });
}

template <class T>
void gyro() {
  using R = std::span<T>;
  const auto& ball = given<hcl::PoincareBall<T>>();
  const auto matrix = batch<T>(0), x = batch<T>(1), g = batch<T>(2), gm = batch<T>(3),
             gx = batch<T>(4), gy = batch<T>(5);
  T &r = number<T>(), &gr = number<T>(1), &gc = number<T>(2);
  rows<T, 2>([&](R a, R out) {
    read(hcl::conformal_factor(ball, a));
    hcl::conformal_factor_vjp(ball, a, r, out, gc);
    hcl::mobius_scalar_mul(ball, r, a, out);
    hcl::mobius_matvec(ball, matrix, a, out);
  });
  rows<T, 3>([&](R a, R b, R out) {
    hcl::mobius_add(ball, a, b, out);
    hcl::mobius_scalar_mul_vjp(ball, r, a, b, gr, out, gc);
    hcl::mobius_matvec_vjp(ball, matrix, a, b, gm, out, gc);
  });
  rows<T, 4>([&](R a, R b, R v, R out) { hcl::gyration(ball, a, b, v, out); });
  rows<T, 5>(
      [&](R a, R b, R d, R ga, R gb) { hcl::mobius_add_vjp(ball, a, b, d, ga, gb, gc); });
  rows<T, 7>([&](R a, R b, R v, R d, R ga, R gb, R gv) {
    hcl::gyration_vjp(ball, a, b, v, d, ga, gb, gv, gc);
  });
  hcl::mobius_add(ball, x, g, gx);
  hcl::mobius_add_vjp(ball, x, g, gm, gx, gy, gc);
  hcl::mobius_matvec(ball, matrix, x, gx);
  hcl::mobius_matvec_vjp(ball, matrix, x, g, gm, gx, gc);
}

template <class T>
void head() {
  using R = std::span<T>;
  T &r = number<T>(), &gr = number<T>(1);
  rows<T, 2>([&](R v, R out) {
    hcl::clip(v, r, out);
    hcl::normalize<T>(v, out);
  });
  rows<T, 3>([&](R v, R g, R gv) {
    hcl::clip_vjp(v, r, g, gv, gr);
    hcl::normalize_vjp<T>(v, g, gv);
  });
  hcl::clip_rows(batch<T>(0), r, batch<T>(1));
  hcl::clip_rows_vjp(batch<T>(0), r, batch<T>(1), batch<T>(2), gr);
  hcl::normalize_rows(batch<T>(0), batch<T>(1));
  hcl::normalize_rows_vjp(batch<T>(0), batch<T>(1), batch<T>(2));
}

template <class T>
void attacks() {
  const auto objective = [](hcl::BatchIn<T>, hcl::BatchOut<T>, std::span<T>) {};
  const auto& threat = given<hcl::Threat<T>>();
  read(hcl::pgd(objective, threat, given<hcl::PgdOptions<T>>(), batch<T>(0), {}));
  read(hcl::fgsm(objective, threat, batch<T>(0), {}));
}

template <class M>
void laws() {
  using T = hcl::ScalarOf<M>;
  const M& m = given<M>();
  read(hcl::testing::check_metric_laws(m, batch<T>(0)));
  if constexpr (hcl::Manifold<M>)
    read(hcl::testing::check_manifold_laws(m, batch<T>(0), batch<T>(1)));
  if constexpr (std::same_as<T, double>) {
    read(hcl::testing::check_gradients(m, batch<T>(0)));
    if constexpr (hcl::GramMetric<M>) read(hcl::testing::check_gram_laws(m, batch<T>(0)));
  }
}

template <class M, class T = hcl::ScalarOf<M>>
void distances() {
  const M& m = given<M>();
  T& gc = number<T>();
  auto& ws = given<hcl::Workspace*>();
  hcl::distance_matrix(m, batch<T>(0), batch<T>(1), batch<T>(2));
  hcl::distance_matrix(m, batch<T>(0), batch<T>(1));
  hcl::distance_matrix_vjp(m, batch<T>(0), batch<T>(1), batch<T>(2), batch<T>(3),
                           batch<T>(4), gc, *ws);
  hcl::distance_matrix_vjp(m, batch<T>(0), batch<T>(1), batch<T>(2), gc, *ws);
}

template <class S, class T = typename S::Scalar>
void nt_xent() {
  read(given<hcl::NtXent<S>>().value_and_grad(batch<T>(0), batch<T>(1)));
}
template <class S, class T = typename S::Scalar>
void info_nce() {
  read(given<hcl::InfoNce<S>>().value_and_grad(batch<T>(0), batch<T>(1), batch<T>(2),
                                               batch<T>(3)));
}
template <class S, class T = typename S::Scalar>
void sup_con() {
  read(given<hcl::SupCon<S>>().value_and_grad(batch<T>(0), row<int>(0), batch<T>(1)));
}

template <class M>
void manifold() {
  metric<M>();
  maps<M>();
  midpoints<M>();
}

template <class T>
void pointwise() {
  manifold<hcl::Euclidean<T>>();
  manifold<hcl::PoincareBall<T>>();
  manifold<hcl::Lorentz<T>>();
  manifold<hcl::Sphere<T>>();
  metric<hcl::Klein<T>>();
  midpoints<hcl::Klein<T>>();
  rows<T, 2>([&](std::span<T> x, std::span<T> y) {
    read(given<hcl::HalfSpace<T>>().dist2(x, y));
  });
  models<hcl::PoincareBall<T>>();
  models<hcl::Lorentz<T>>();
  models<hcl::Klein<T>>();
  models<hcl::HalfSpace<T>>();
  gyro<T>();
  head<T>();
  attacks<T>();
  batches<hcl::PoincareBall<T>>();
  laws<hcl::Lorentz<T>>();
}

using namespace hcl;

void all() {
  pointwise<float>();
  pointwise<double>();
  // Each loss and each similarity in both scalars, each geometry in one of them.
  nt_xent<NegDist<PoincareBall<float>>>();
  nt_xent<Exact<Cosine<Euclidean<double>>>>();
  info_nce<Inner<Lorentz<float>>>();
  info_nce<Unchecked<NegDist<Sphere<double>>>>();
  sup_con<WeightedSum<NegDist2<Sphere<float>>, Cosine<Sphere<float>>>>();
  sup_con<NegDist2<Lorentz<double>>>();
  distances<Euclidean<float>>();
  distances<PoincareBall<double>>();
  distances<Klein<float>>();
}

}  // namespace every_template
