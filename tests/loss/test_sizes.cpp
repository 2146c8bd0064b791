// Losses of rows of any size, from squares that underflow to the largest that the scalar
// holds, against double loops in 60 digits; what the scalar cannot hold is refused by
// name.
#include <doctest/doctest.h>

#include <string>

#include "support/message.hpp"
#include "support/naive_loss.hpp"

using namespace hcl_test;

namespace {

using support::contains, support::message_of;

enum class Kind { nt_xent, info_nce, info_nce_two, sup_con_outside, sup_con_inside };

struct Result {
  double value, by_tau, by_c;
  Matrix<double> gx, gy;
};

std::vector<int> labels_of(Eigen::Index rows) {
  if (rows == 4) return {0, 0, 0, 1};
  return {4, 1, 4, 0, 1, 4};
}

template <class S, class T>
Result run(const S& s, Kind kind, const Matrix<T>& x, const Matrix<T>& y, T tau) {
  Matrix<T> gx(x.rows(), x.cols()), gy = Matrix<T>::Zero(y.rows(), y.cols());
  const auto form =
      kind == Kind::sup_con_inside ? hcl::SupConForm::inside : hcl::SupConForm::outside;
  const auto sides = kind == Kind::info_nce_two ? hcl::Sides::two : hcl::Sides::one;
  hcl::LossGrad<T> out{};
  if (kind == Kind::nt_xent)
    out = hcl::NtXent{s, tau}.value_and_grad(x, gx);
  else if (kind == Kind::info_nce || kind == Kind::info_nce_two)
    out = hcl::InfoNce{s, tau, sides}.value_and_grad(x, y, gx, gy);
  else
    out = hcl::SupCon{s, tau, form}.value_and_grad(x, labels_of(x.rows()), gx);
  return {double(out.value), double(out.grad_temperature), double(out.grad_c),
          gx.template cast<double>(), gy.template cast<double>()};
}

/// The same by its definition: a softmax over differences from the largest logit, and
/// weights times the derivatives of pairs. `largest` is that of |l|.
struct Reference : Result {
  double largest = 0;
};
template <class S>
Reference reference(const S& s, Kind kind, const Matrix<Exact>& x, const Matrix<Exact>& y,
                    const Exact& tau) {
  Matrix<Exact> gx = Matrix<Exact>::Zero(x.rows(), x.cols()),
                gy = Matrix<Exact>::Zero(y.rows(), y.cols());
  Exact value(0), by_tau(0), by_c(0);
  Reference r;
  const auto side = [&](const Matrix<Exact>& a, const Matrix<Exact>& b, Matrix<Exact>& ga,
                        Matrix<Exact>& gb, const Pairs& pairs, const Exact& part) {
    int anchors = 0;
    const auto positives = [&](Eigen::Index i) {
      int n = 0;
      for (Eigen::Index j = 0; j < b.rows(); ++j) n += pairs.positive(i, j);
      return n;
    };
    for (Eigen::Index i = 0; i < a.rows(); ++i) anchors += positives(i) > 0;
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
      const int count = positives(i);
      if (count == 0) continue;
      std::vector<Exact> l(std::size_t(b.rows())), w(l.size(), Exact(0));
      const auto lse = [&](const auto& in, const Exact& sign) {  // and w += sign softmax
        Exact top, sum(0);
        bool any = false;
        for (Eigen::Index j = 0; j < b.rows(); ++j)
          if (in(i, j) && (!any || l[std::size_t(j)] > top))
            top = l[std::size_t(j)], any = true;
        const auto e = [&](Eigen::Index j) {
          const Exact d = l[std::size_t(j)] - top;
          return in(i, j) && d > -2000 ? Exact(exp(d)) : Exact(0);
        };
        for (Eigen::Index j = 0; j < b.rows(); ++j) sum += e(j);
        for (Eigen::Index j = 0; j < b.rows(); ++j)
          w[std::size_t(j)] += sign * e(j) / sum;
        return Exact(top + log(sum));
      };
      for (Eigen::Index j = 0; j < b.rows(); ++j)
        if (pairs.candidate(i, j)) {
          l[std::size_t(j)] = s.value(row(a, i), row(b, j)) / tau;
          r.largest = std::max(r.largest, double(abs(l[std::size_t(j)])));
        }
      Exact term = lse(pairs.candidate, Exact(1));
      if (kind == Kind::sup_con_inside) {
        term += log(Exact(count)) - lse(pairs.positive, Exact(-1));
      } else {
        for (Eigen::Index j = 0; j < b.rows(); ++j)
          if (pairs.positive(i, j)) {
            term -= l[std::size_t(j)] / count;
            w[std::size_t(j)] -= Exact(1) / count;
          }
      }
      const Exact share = part / anchors;
      value += share * term;
      for (Eigen::Index j = 0; j < b.rows(); ++j) {
        if (!pairs.candidate(i, j)) continue;
        const Exact u = share * w[std::size_t(j)];
        by_tau -= u * l[std::size_t(j)] / tau;
        const auto out = [](Matrix<Exact>& g, Eigen::Index k) {
          return hcl::Grad<Exact>(g.data() + k * g.cols(), std::size_t(g.cols()));
        };
        s.vjp(row(a, i), row(b, j), u / tau, out(ga, i), out(gb, j), by_c);
      }
    }
  };
  const Eigen::Index n = x.rows();
  if (kind == Kind::nt_xent)
    side(x, x, gx, gx, two_views(n), Exact(1));
  else if (kind == Kind::info_nce)
    side(x, y, gx, gy, one_to_one(), Exact(1));
  else if (kind == Kind::info_nce_two)
    side(x, y, gx, gy, one_to_one(), Exact(0.5)),
        side(y, x, gy, gx, one_to_one(), Exact(0.5));
  else
    side(x, x, gx, gx, by_label(labels_of(n)), Exact(1));
  r.value = double(value), r.by_tau = double(by_tau), r.by_c = double(by_c);
  r.gx = gx.cast<double>(), r.gy = gy.cast<double>();
  return r;
}

/// How far a matrix is from another, in the largest coordinate of that one.
double off(const Matrix<double>& got, const Matrix<double>& want) {
  const double scale = want.cwiseAbs().maxCoeff();
  return scale == 0 ? got.cwiseAbs().maxCoeff()
                    : ((got - want).array() / scale).abs().maxCoeff();
}

/// Rows of about this size; `make` gives the similarity over any scalar. Of rows whose
/// squares underflow, which count as equal, only the value is right.
template <class T, class Make>
void check(const Make& make, double size, std::initializer_list<Kind> kinds,
           double tau = 1) {
  const double tol = sizeof(T) == 4 ? 1e-5 : 1e-9;
  const bool tiny = size < (sizeof(T) == 4 ? 1e-15 : 1e-140);
  const auto rows = [&](unsigned seed) -> Matrix<T> {
    return (size * random_rows<double>(6, 3, 1.0, seed)).template cast<T>();
  };
  const Matrix<T> x = rows(11), y = rows(12);
  const Matrix<Exact> xe = x.template cast<Exact>(), ye = y.template cast<Exact>();
  for (const Kind kind : kinds) {
    CAPTURE(size);
    CAPTURE(sizeof(T));
    CAPTURE(int(kind));
    const Reference want = reference(make(Exact(1)), kind, xe, ye, Exact(T(tau)));
    const Result got = run(make(T(1)), kind, x, y, T(tau));
    // Logits are rounded to T, and so is what is left of them.
    CHECK(std::abs(got.value - want.value) <= tol * (want.value + want.largest));
    if (tiny) continue;
    CHECK(std::abs(got.by_tau - want.by_tau) <=
          tol * (std::abs(want.by_tau) + want.largest / tau));
    CHECK(std::isfinite(got.by_c));
    CHECK(off(got.gx, want.gx) <= tol);
    if (kind == Kind::info_nce || kind == Kind::info_nce_two)
      CHECK(off(got.gy, want.gy) <= tol);
  }
}

constexpr std::initializer_list<Kind> every_kind = {
    Kind::nt_xent, Kind::info_nce, Kind::info_nce_two, Kind::sup_con_outside,
    Kind::sup_con_inside};

}  // namespace

TEST_CASE("squared distances of rows of any size") {
  const auto make = []<class T>(const T&) { return hcl::NegDist2{hcl::Euclidean<T>{}}; };
  for (const double size : {1e-30, 1e-12, 1.0, 1e6, 1e9, 1e15})
    check<float>(make, size, every_kind);
  for (const double size : {1e-140, 1.0, 1e9, 1e50, 1e150})
    check<double>(make, size, every_kind);
}
TEST_CASE("distances of rows of any size") {
  const auto make = []<class T>(const T&) { return hcl::NegDist{hcl::Euclidean<T>{}}; };
  for (const double size : {1e-30, 1.0, 1e9, 1e16})
    check<float>(make, size, {Kind::nt_xent}, 1e-3);
  for (const double size : {1e-140, 1.0, 1e50, 1e150})
    check<double>(make, size, {Kind::nt_xent}, 1e-3);
}
TEST_CASE("inner products of rows of any size") {
  const auto make = []<class T>(const T&) { return hcl::Inner{hcl::Euclidean<T>{}}; };
  for (const double size : {1e-15, 1.0, 3e9, 1e15})
    check<float>(make, size, {Kind::nt_xent, Kind::sup_con_inside});
  for (const double size : {1e-140, 1.0, 1e100, 1e150})
    check<double>(make, size, {Kind::nt_xent, Kind::sup_con_inside});
}
/// The size of the rows in units of 1/sqrt(c), within which a ball lies.
template <template <class> class M, template <class> class Sim>
void check_curved(double size, double by_size) {
  const auto make = [&]<class T>(const T&) {
    return Sim<M<T>>{M<T>{T(double(float(by_size * by_size / (size * size))))}};
  };
  check<float>(make, size, {Kind::nt_xent, Kind::sup_con_outside});
  check<double>(make, size, {Kind::nt_xent, Kind::sup_con_outside});
}
TEST_CASE("curved spaces of any radius") {
  for (const double size : {1e-9, 1e-3, 1e3, 1e9}) {
    check_curved<hcl::PoincareBall, hcl::NegDist2>(size, 0.9);
    check_curved<hcl::Lorentz, hcl::NegDist2>(size, 1);
    check_curved<hcl::Sphere, hcl::NegDist2>(size, 1);
    check_curved<hcl::Lorentz, hcl::Inner>(size, 1);
  }
}

TEST_CASE("the numbers that were read as masked") {
  Matrix<float> x(4, 2), g(4, 2);
  x << 1, 0, 0, 2, -3, 1, 2, -2;
  const Matrix<float> far = 1e9f * x;
  const auto squares =
      hcl::NtXent{hcl::NegDist2{hcl::Euclidean<float>{}}, 1.0f}.value_and_grad(far, g);
  // Rows of 1e9 (1,0), (0,2), (-3,1), (2,-2): positives 17, 20, 17, 20, closest others
  // 5, 5, 10, 5; inner products: -3, -4, and 2 is the best of the others of each.
  CHECK(double(squares.value) == doctest::Approx(12.25e18).epsilon(1e-6));
  CHECK(g.cwiseAbs().maxCoeff() > 1e9f);
  const auto inner =
      hcl::NtXent{hcl::Inner{hcl::Euclidean<float>{}}, 1.0f}.value_and_grad(far, g);
  CHECK(double(inner.value) == doctest::Approx(5.5e18).epsilon(1e-6));
  const Matrix<double> beyond = 1e50 * x.cast<double>();
  Matrix<double> h(4, 2);
  const auto distances =
      hcl::NtXent{hcl::NegDist{hcl::Euclidean<double>{}}, 1.0}.value_and_grad(beyond, h);
  const double want =
      (2 * std::sqrt(17) + 2 * std::sqrt(20) - 3 * std::sqrt(5) - std::sqrt(10)) / 4;
  CHECK(distances.value == doctest::Approx(1e50 * want).epsilon(1e-12));
}

TEST_CASE("several tiles of large logits: float as double") {
  const Eigen::Index n = 230, d = 5;
  std::vector<int> classes;
  for (int i = 0; i < n; ++i) classes.push_back(i % 7);
  for (const double size : {1.0, 1e9, 1e14}) {
    CAPTURE(size);
    const Matrix<float> x = (size * random_rows<double>(n, d, 1.0, 3)).cast<float>();
    const auto each = [&]<class T>(T) {
      const Matrix<T> z = x.template cast<T>(), y = z.colwise().reverse();
      const hcl::NegDist2 s{hcl::Euclidean<T>{}};
      Matrix<T> g(n, d), h(n, d);
      std::vector<std::pair<double, Matrix<double>>> out;
      const auto add = [&](T value) {
        out.emplace_back(double(value), g.template cast<double>());
      };
      add(hcl::NtXent{s, T(1)}.value_and_grad(z, g).value);
      for (const auto form : {hcl::SupConForm::outside, hcl::SupConForm::inside})
        add(hcl::SupCon{s, T(1), form}.value_and_grad(z, classes, g).value);
      add(hcl::InfoNce{s, T(1), hcl::Sides::two}.value_and_grad(z, y, g, h).value);
      return out;
    };
    const auto narrow = each(1.0f), wide = each(1.0);
    for (std::size_t k = 0; k < wide.size(); ++k) {
      CAPTURE(k);
      CHECK(wide[k].first > size * size / 100);
      CHECK(narrow[k].first == doctest::Approx(wide[k].first).epsilon(1e-5));
      CHECK(off(narrow[k].second, wide[k].second) <= 1e-5);
    }
  }
}

TEST_CASE("equal logits keep the logarithm of their number, however large") {
  // All distances of the corners of a tetrahedron are sqrt(8).
  Matrix<float> corners(4, 3);
  corners << 1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1, 1;
  const hcl::NegDist2 s{hcl::Euclidean<float>{}};
  const hcl::NegDist2 exact{hcl::Euclidean<Exact>{}};
  for (const float size : {1e2f, 1e6f, 1e9f, 1e15f})
    for (const Kind kind : {Kind::nt_xent, Kind::info_nce_two, Kind::sup_con_outside,
                            Kind::sup_con_inside}) {
      CAPTURE(size);
      CAPTURE(int(kind));
      const Matrix<float> x = size * corners;
      const Matrix<Exact> xe = x.cast<Exact>();
      const Reference want = reference(exact, kind, xe, xe, Exact(1));
      const Result got = run(s, kind, x, x, 1.0f);
      CHECK(got.value == doctest::Approx(want.value).epsilon(1e-5));
      CHECK(off(got.gx, want.gx) <= 1e-5);
      CHECK(off(got.gy, want.gy) <= 1e-5);
    }
}

namespace {
/// A stranger's distance whose chords of (x, y) and (y, x) differ by rounding.
struct Lopsided : hcl::Euclidean<float> {
  template <class V>
  V gram_chord(const V& g, const V* a, const V* b) const {
    const V q = hcl::Euclidean<float>::gram_chord(g, a, b);
    return hcl::vselect(a[0] < b[0], V(q * V(1 + 0x1p-22f)), q);
  }
};
}  // namespace

TEST_CASE("a pair has one logit in both of its rows' sums") {
  for (const double size : {1.0, 1e6, 1e9}) {
    CAPTURE(size);
    const Matrix<float> x = (size * random_rows<double>(40, 3, 1.0, 11)).cast<float>();
    Matrix<float> g(40, 3), h(40, 3);
    const auto want =
        hcl::NtXent{hcl::NegDist2{hcl::Euclidean<float>{}}, 1.0f}.value_and_grad(x, g);
    const auto got = hcl::NtXent{hcl::NegDist2{Lopsided{}}, 1.0f}.value_and_grad(x, h);
    CHECK(got.value == doctest::Approx(double(want.value)).epsilon(1e-5));
    CHECK(off(h.cast<double>(), g.cast<double>()) <= 1e-5);
  }
}

TEST_CASE("logits that the scalar cannot hold are refused before any gradient") {
  Matrix<float> x(4, 2), g(4, 2), h(4, 2);
  x << 1, 0, 0, 2, -3, 1, 2, -2;
  const Matrix<float> far = 1e15f * x;
  g.setConstant(42), h.setConstant(42);
  const hcl::NegDist2 s{hcl::Euclidean<float>{}};
  const auto refused = [&](const auto& loss) {
    const std::string text = message_of([&] { loss.value_and_grad(far, g); });
    CHECK(contains(text, "NtXent: z row 2: |x|^2 = 1"));
    CHECK(contains(text, "too large for the scalar type"));
  };
  refused(hcl::NtXent{s, 1e-10f});
  refused(hcl::NtXent{hcl::Inner{hcl::Euclidean<float>{}}, 1e-10f});
  refused(hcl::NtXent{hcl::WeightedSum{1e30f, s, 1.0f, s}, 1.0f});
  CHECK(contains(message_of([&] {
                   hcl::InfoNce{s, 1e-10f}.value_and_grad(x, far, g, h);
                 }),
                 "InfoNce: y row 2"));
  CHECK((g.array() == 42).all());
  CHECK((h.array() == 42).all());
}

TEST_CASE("chords at the rim of a ball that a float cannot hold are refused") {
  // 1 - c|x|^2 is 1e-14, c = 2^-60: Q = 1e47, though d would be 5e10.
  const float near = 1 - 0x1p-24f, rest = std::sqrt((1 - near) * (1 + near));
  Matrix<float> x(4, 2), g(4, 2);
  x << near, rest, near, -rest, -near, rest, -near, -rest;
  while (double(near) * double(near) + double(x(0, 1)) * double(x(0, 1)) >= 1)
    for (Eigen::Index i = 0; i < 4; ++i) x(i, 1) = std::nextafter(x(i, 1), 0.0f);
  x *= 0x1p30f;
  g.setConstant(42);
  const hcl::NtXent loss{hcl::NegDist{hcl::PoincareBall<float>{0x1p-60f}}, 1.0f};
  CHECK(contains(message_of([&] { loss.value_and_grad(x, g); }), "z row 0"));
  CHECK((g.array() == 42).all());
}

namespace {
/// A stranger's similarity, with numbers that no bound foretells: the product of the
/// first coordinates.
struct Product {
  using Scalar = float;
  float value(hcl::Point<float> x, hcl::Point<float> y) const { return x[0] * y[0]; }
  void vjp(hcl::Point<float> x, hcl::Point<float> y, float g, hcl::Grad<float> gx,
           hcl::Grad<float> gy, float&) const {
    gx[0] += g * y[0], gy[0] += g * x[0];
  }
  void check_row(const char*, const char*, hcl::Index, hcl::Point<float>, double) const {}
};
}  // namespace

TEST_CASE("a stranger's logits are looked at one by one") {
  static_assert(!hcl::BoundedSimilarity<Product>);
  Matrix<float> x(4, 1), g(4, 1), h(4, 1);
  x << 3, -1, 2, 1e-3f;
  const hcl::Inner same{hcl::Euclidean<float>{}};
  const auto want = hcl::NtXent{same, 1.0f}.value_and_grad(x, g);
  CHECK(hcl::NtXent{Product{}, 1.0f}.value_and_grad(x, h).value ==
        doctest::Approx(double(want.value)));
  CHECK((g - h).norm() < 1e-6f * g.norm());
  g.setConstant(42), h.setConstant(42);
  x(2, 0) = -1e18f;
  x(3, 0) = 1e18f;
  CHECK(std::isfinite(hcl::NtXent{Product{}, 1.0f}.value(x)));
  x(3, 0) = 3e18f;
  x(2, 0) = 3e19f;
  x(1, 0) = 4e18f;
  const auto message = [&](float tau) {
    return message_of([&] { hcl::NtXent{Product{}, tau}.value_and_grad(x, g); });
  };
  CHECK(contains(message(1.0f), "NtXent: z row 1: a logit, 1."));
  CHECK(contains(message(1e-20f), "NtXent: z row 0: a logit"));
  x(1, 0) *= 10;
  CHECK(contains(message(1.0f), "NtXent: z row 1: a logit, inf"));
  const Matrix<float> y = x.colwise().reverse();
  const hcl::InfoNce both{Product{}, 1.0f, hcl::Sides::two};
  CHECK(
      contains(message_of([&] { both.value_and_grad(x, y, g, h); }), "InfoNce: x row 1"));
  CHECK((g.array() == 42).all());
  CHECK((h.array() == 42).all());
}

TEST_CASE("no result that is not finite") {
  int finite = 0, refused = 0;
  const auto check = [&](const auto& s, double size, double tau) {
    using T = typename std::decay_t<decltype(s)>::Scalar;
    const Matrix<T> x = (size * random_rows<double>(6, 3, 1.0, 5).rowwise().normalized())
                            .template cast<T>();
    Matrix<T> g(6, 3);
    try {
      const auto out = hcl::NtXent{s, T(tau)}.value_and_grad(x, g);
      CAPTURE(size);
      CAPTURE(tau);
      CHECK(std::isfinite(out.value));
      CHECK(std::isfinite(out.grad_c));
      CHECK(std::isfinite(out.grad_temperature));
      CHECK(g.allFinite());
      ++finite;
    } catch (const std::invalid_argument&) {
      ++refused;
    }
  };
  for (const double size : {1e-22, 1e-18, 1e-9, 1.0, 1e9, 1e15})
    for (const double tau : {1e-37, 1e-20, 1e-3, 1.0, 1e20}) {
      check(hcl::Cosine{hcl::Euclidean<float>{}}, size, tau);
      check(hcl::NegDist{hcl::Sphere<float>{1}}, size, tau);
      for (const float c : {2e-19f, 1.0f, 1e19f})
        check(hcl::NegDist2{hcl::Lorentz<float>{c}}, size, tau);
    }
  CHECK(finite > 20);
  CHECK(refused > 20);
}
