// Every similarity and loss against double loops in 60 digits; derivatives against
// differences.
#include <doctest/doctest.h>

#include <Eigen/Core>

#include "support/naive_loss.hpp"

using namespace hcl_test;

namespace {

// A similarity in two scalars: the one under test and the exact one, built from the same
// numbers.
struct DistBall {
  static constexpr const char* name = "-d, ball";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist{hcl::PoincareBall<T>{c}};
  }
};
struct DistLorentz {
  static constexpr const char* name = "-d, Lorentz";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist{hcl::Lorentz<T>{c}};
  }
};
struct DistSphere {
  static constexpr const char* name = "-d, sphere";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist{hcl::Sphere<T>{c}};
  }
};
struct DistEuclidean {
  static constexpr const char* name = "-d, Euclidean";
  template <class T>
  static auto make(const T&) {
    return hcl::NegDist{hcl::Euclidean<T>{}};
  }
};
struct Dist2Ball {
  static constexpr const char* name = "-d^2, ball";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist2{hcl::PoincareBall<T>{c}};
  }
};
struct Dist2Lorentz {
  static constexpr const char* name = "-d^2, Lorentz";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist2{hcl::Lorentz<T>{c}};
  }
};
struct Dist2Sphere {
  static constexpr const char* name = "-d^2, sphere";
  template <class T>
  static auto make(const T& c) {
    return hcl::NegDist2{hcl::Sphere<T>{c}};
  }
};
struct Dist2Euclidean {
  static constexpr const char* name = "-d^2, Euclidean";
  template <class T>
  static auto make(const T&) {
    return hcl::NegDist2{hcl::Euclidean<T>{}};
  }
};
struct CosBall {
  static constexpr const char* name = "cosine, ball";
  template <class T>
  static auto make(const T& c) {
    return hcl::Cosine{hcl::PoincareBall<T>{c}};
  }
};
struct CosLorentz {
  static constexpr const char* name = "cosine, Lorentz";
  template <class T>
  static auto make(const T& c) {
    return hcl::Cosine{hcl::Lorentz<T>{c}};
  }
};
struct CosSphere {
  static constexpr const char* name = "cosine, sphere";
  template <class T>
  static auto make(const T& c) {
    return hcl::Cosine{hcl::Sphere<T>{c}};
  }
};
struct CosEuclidean {
  static constexpr const char* name = "cosine, Euclidean";
  template <class T>
  static auto make(const T&) {
    return hcl::Cosine{hcl::Euclidean<T>{}};
  }
};
struct InnerBall {
  static constexpr const char* name = "inner, ball";
  template <class T>
  static auto make(const T& c) {
    return hcl::Inner{hcl::PoincareBall<T>{c}};
  }
};
struct InnerLorentz {
  static constexpr const char* name = "inner, Lorentz";
  template <class T>
  static auto make(const T& c) {
    return hcl::Inner{hcl::Lorentz<T>{c}};
  }
};
struct InnerSphere {
  static constexpr const char* name = "inner, sphere";
  template <class T>
  static auto make(const T& c) {
    return hcl::Inner{hcl::Sphere<T>{c}};
  }
};
struct InnerEuclidean {
  static constexpr const char* name = "inner, Euclidean";
  template <class T>
  static auto make(const T&) {
    return hcl::Inner{hcl::Euclidean<T>{}};
  }
};
struct Mixed {
  static constexpr const char* name = "mixed cosine and ball";
  template <class T>
  static auto make(const T& c) {
    return hcl::WeightedSum{T(2), hcl::Cosine{hcl::Euclidean<T>{}}, T(1.5),
                            hcl::NegDist{hcl::PoincareBall<T>{c}}};
  }
};

template <class T>
double norm(const Matrix<T>& x) {
  double s = 0;
  for (Eigen::Index i = 0; i < x.size(); ++i)
    s += double(x.data()[i]) * double(x.data()[i]);
  return std::sqrt(s);
}

// Everything that one evaluation returns, in doubles.
struct Result {
  double value, by_tau, by_c;
  Matrix<double> gx, gy;
};

void check_close(const Result& got, const Result& want, double tol) {
  CHECK(got.value == doctest::Approx(want.value).epsilon(tol));
  CHECK((got.gx - want.gx).norm() <= tol * want.gx.norm() + 1e-300);
  if (want.gy.size() > 0)
    CHECK((got.gy - want.gy).norm() <= tol * want.gy.norm() + 1e-300);
  CHECK(std::abs(got.by_tau - want.by_tau) <= tol * (std::abs(want.by_tau) + want.value));
  CHECK(std::abs(got.by_c - want.by_c) <= tol * (std::abs(want.by_c) + want.value));
}

// What the loss under test is asked for, and how the reference says it.
enum class Kind { nt_xent, info_nce, info_nce_two, sup_con_outside, sup_con_inside };

constexpr Kind every_kind[] = {Kind::nt_xent, Kind::info_nce, Kind::info_nce_two,
                               Kind::sup_con_outside, Kind::sup_con_inside};

struct Problem {
  Matrix<double> x, y;  // y only for InfoNce
  std::vector<int> labels;
  double c, tau;
};

template <class Sim, class T>
Result run(Kind kind, const Problem& p) {
  const auto s = Sim::template make<T>(T(p.c));
  const Matrix<T> x = p.x.template cast<T>(), y = p.y.template cast<T>();
  Matrix<T> gx(x.rows(), x.cols()), gy(y.rows(), y.cols());
  hcl::LossGrad<T> out{};
  T value{};
  const T tau = static_cast<T>(p.tau);
  switch (kind) {
    case Kind::nt_xent:
      out = hcl::NtXent{s, tau}.value_and_grad(x, gx);
      value = hcl::NtXent{s, tau}.value(x);
      break;
    case Kind::info_nce:
    case Kind::info_nce_two: {
      const hcl::InfoNce loss{s, tau,
                              kind == Kind::info_nce ? hcl::Sides::one : hcl::Sides::two};
      out = loss.value_and_grad(x, y, gx, gy);
      value = loss.value(x, y);
      break;
    }
    default: {
      const hcl::SupCon loss{s, tau,
                             kind == Kind::sup_con_outside ? hcl::SupConForm::outside
                                                           : hcl::SupConForm::inside};
      out = loss.value_and_grad(x, p.labels, gx);
      value = loss.value(x, p.labels);
    }
  }
  CHECK(value == out.value);
  Result r{double(out.value),
           double(out.grad_temperature),
           double(out.grad_c),
           gx.template cast<double>(),
           {}};
  if (kind == Kind::info_nce || kind == Kind::info_nce_two)
    r.gy = gy.template cast<double>();
  return r;
}

template <class Sim, class T>
T reference_value(Kind kind, const Matrix<T>& x, const Matrix<T>& y,
                  const std::vector<int>& labels, const T& c, const T& tau) {
  const auto s = Sim::template make<T>(c);
  switch (kind) {
    case Kind::nt_xent:
      return naive_softmax(s, tau, x, x, two_views(x.rows()), false);
    case Kind::info_nce:
      return naive_softmax(s, tau, x, y, one_to_one(), false);
    case Kind::info_nce_two:
      return (naive_softmax(s, tau, x, y, one_to_one(), false) +
              naive_softmax(s, tau, y, x, one_to_one(), false)) /
             T(2);
    case Kind::sup_con_outside:
      return naive_softmax(s, tau, x, x, by_label(labels), false);
    default:
      return naive_softmax(s, tau, x, x, by_label(labels), true);
  }
}

// The same in 60 digits, derivatives by central differences of the double loop.
template <class Sim>
Result reference(Kind kind, const Problem& p) {
  Matrix<Exact> x = p.x.cast<Exact>(), y = p.y.cast<Exact>();
  Exact c(p.c), tau(p.tau);
  const auto f = [&] {
    return reference_value<Sim, Exact>(kind, x, y, p.labels, c, tau);
  };
  Result r{double(f()),
           double(difference(tau, f)),
           double(difference(c, f)),
           Matrix<double>(x.rows(), x.cols()),
           {}};
  for (Eigen::Index i = 0; i < x.size(); ++i)
    r.gx.data()[i] = double(difference(x.data()[i], f));
  if (kind == Kind::info_nce || kind == Kind::info_nce_two) {
    r.gy.resize(y.rows(), y.cols());
    for (Eigen::Index i = 0; i < y.size(); ++i)
      r.gy.data()[i] = double(difference(y.data()[i], f));
  }
  return r;
}

Problem problem(Kind kind, double c, unsigned seed) {
  // Inside the ball of c = 4 as well; the numbers are floats, so that both scalars see
  // the same.
  const double radius = 0.9 / std::sqrt(c);
  const Eigen::Index m = kind == Kind::info_nce ? 8 : 6;
  Problem p{random_rows<float>(6, 3, radius, seed).cast<double>(),
            random_rows<float>(m, 3, radius, seed + 1).cast<double>(),
            {4, 1, 4, 0, 1, 4},
            double(float(c)),
            double(0.3f)};
  return p;
}

template <class Sim>
double largest_logit(const Problem& p) {
  const auto s = Sim::template make<double>(p.c);
  const hcl::BatchIn<double> x(p.x), y(p.y);
  double most = 0;
  for (const auto* rows : {&x, &y})
    for (hcl::Index i = 0; i < x.rows(); ++i)
      for (hcl::Index j = 0; j < rows->rows(); ++j)
        most = std::max(most, std::abs(s.value(x.row(i), rows->row(j))) / p.tau);
  return most;
}

template <class Sim>
void check_similarity(std::initializer_list<Kind> kinds) {
  for (const double c : {0.01, 0.7, 4.0})
    for (const Kind kind : kinds) {
      CAPTURE(Sim::name);
      CAPTURE(c);
      CAPTURE(int(kind));
      const Problem p = problem(kind, c, 11);
      const Result exact = reference<Sim>(kind, p);
      check_close(run<Sim, double>(kind, p), exact, 1e-9);
      // A weight has no more digits than its logit, which is rounded to float.
      check_close(run<Sim, float>(kind, p), exact,
                  1e-5 + 0x1p-24 * largest_logit<Sim>(p));
    }
}

}  // namespace

#if defined(HCL_SHORT)
#define HCL_TEST_SIMILARITIES DistBall, InnerLorentz, Mixed
#else
#define HCL_TEST_SIMILARITIES                                                    \
  DistBall, DistLorentz, DistSphere, DistEuclidean, Dist2Ball, Dist2Lorentz,     \
      Dist2Sphere, Dist2Euclidean, CosBall, CosLorentz, CosSphere, CosEuclidean, \
      InnerBall, InnerLorentz, InnerSphere, InnerEuclidean, Mixed
#endif

TEST_CASE_TEMPLATE("every similarity in NT-Xent", Sim, HCL_TEST_SIMILARITIES) {
  check_similarity<Sim>({Kind::nt_xent});
}

TEST_CASE_TEMPLATE("every loss", Sim, DistBall, InnerLorentz, Mixed) {
  check_similarity<Sim>(
      {Kind::info_nce, Kind::info_nce_two, Kind::sup_con_outside, Kind::sup_con_inside});
}

TEST_CASE("several tiles, with a last one that is not full") {
  for (const Kind kind : every_kind) {
    CAPTURE(int(kind));
    Problem p{
        random_rows<float>(230, 5, 2.5, 3).cast<double>(),
        random_rows<float>(kind == Kind::info_nce ? 301 : 230, 5, 2.5, 4).cast<double>(),
        {},
        double(0.1f),
        double(0.2f)};
    for (int i = 0; i < 230; ++i) p.labels.push_back(i % 7);
    const double want =
        reference_value<DistBall, double>(kind, p.x, p.y, p.labels, p.c, p.tau);
    const Result d = run<DistBall, double>(kind, p), f = run<DistBall, float>(kind, p);
    CHECK(d.value == doctest::Approx(want).epsilon(1e-11));
    check_close(f, d, 1e-5);
    Problem q = p;  // one coordinate by differences, far from the tile's corner
    const double h = 1e-5;
    q.x(197, 3) += h;
    const double up =
        reference_value<DistBall, double>(kind, q.x, q.y, q.labels, q.c, q.tau);
    q.x(197, 3) -= 2 * h;
    const double down =
        reference_value<DistBall, double>(kind, q.x, q.y, q.labels, q.c, q.tau);
    CHECK(d.gx(197, 3) == doctest::Approx((up - down) / (2 * h)).epsilon(1e-5));
  }
}

TEST_CASE("close and equal rows are finite and exact where lanes lose their digits") {
  for (const Kind kind : every_kind) {
    CAPTURE(int(kind));
    Problem p = problem(kind, 0.7, 5);
    for (Eigen::Index k = 0; k < 3; ++k)  // the positives of two views, 1e-5 apart
      p.x(3, k) = double(float(p.x(0, k) * (1 + 1e-5))), p.y(1, k) = p.x(1, k) + 1e-6;
    const Result exact = reference<DistBall>(kind, p);
    check_close(run<DistBall, double>(kind, p), exact, 1e-7);
    p.x.row(3) = p.x.row(0);
    for (const Result& r :
         {run<DistBall, float>(kind, p), run<DistBall, double>(kind, p)}) {
      CHECK(std::isfinite(r.value));
      CHECK(r.gx.allFinite());
    }
  }
}

TEST_CASE_TEMPLATE("rows that share a direction keep their digits in the Gram matrix",
                   Sim, DistBall, DistLorentz, DistSphere, DistEuclidean, Dist2Ball,
                   Dist2Lorentz) {
  const Eigen::Index n = 240, d = 16;
  for (const Kind kind : every_kind) {
    CAPTURE(Sim::name);
    CAPTURE(int(kind));
    Problem p{random_rows<float>(n, d, 0.4, 31).cast<double>(),
              random_rows<float>(n, d, 0.4, 32).cast<double>(),
              {},
              double(0.1f),
              double(0.2f)};
    for (int i = 0; i < n; ++i) p.labels.push_back(i % 11);
    // |x-y|^2 is a fiftieth of |x|^2 + |y|^2.
    for (Matrix<double>* z : {&p.x, &p.y}) {
      z->col(3).array() += 1.5, z->col(7).array() -= 1.25;
      *z = z->cast<float>().cast<double>().eval();
    }
    check_close(run<Sim, float>(kind, p), run<Sim, double>(kind, p), 1e-5);
    const Matrix<float> x = p.x.cast<float>();
    Matrix<float> g(n, d);
    const auto out =
        hcl::NtXent{Sim::make(float(p.c)), float(p.tau)}.value_and_grad(x, g);
    CHECK(out.reevaluated < n);  // of n^2/2
  }
}

TEST_CASE("pairs at the edge of being re-evaluated count once, kept or not") {
  // About the origin, where the edge is |x-y|^2 = (|x|^2 + |y|^2)/4: |x| = |y|, angle
  // arccos(3/4), and a little to either side.
  using hcl::WeightedSum;
  const Eigen::Index n = 400;
  Matrix<float> x(n, 2), kept(n, 2), again(n, 2);
  for (int i = 0; i < n / 2; ++i) {
    const double at = 0.1 * i, apart = std::acos(0.75) * (1 + 1e-8 * (i - 100));
    x.row(i) << float(0.7 * std::cos(at)), float(0.7 * std::sin(at));
    x.row(i + n / 2) << float(0.7 * std::cos(at + apart)),
        float(0.7 * std::sin(at + apart));
  }
  const auto loss = []<class T>(T) {
    const hcl::PoincareBall<T> m{T(0.5)};
    return hcl::NtXent{WeightedSum{T(1), hcl::Cosine{m}, T(0.5), hcl::NegDist{m}},
                       T(0.2f)};
  };
  hcl::Workspace none{0};
  loss(1.0f).value_and_grad(x, kept);
  loss(1.0f).value_and_grad(x, again, none);
  CHECK(kept == again);
  const Matrix<double> dx = x.cast<double>();
  Matrix<double> want(n, 2);
  loss(1.0).value_and_grad(dx, want);
  for (Eigen::Index i = 0; i < n; ++i)
    CHECK((kept.cast<double>() - want).row(i).norm() < 1e-5 * want.row(i).norm() + 1e-9);
}

TEST_CASE("anchors whose sums are further apart than an exponential in float reaches") {
  for (const Kind kind : every_kind) {
    CAPTURE(int(kind));
    Problem p{random_rows<float>(8, 3, 0.5, 21).cast<double>(),
              random_rows<float>(8, 3, 0.5, 22).cast<double>(),
              {0, 1, 2, 3, 0, 1, 2, 3},
              double(0.7f),
              double(0.04f)};
    // To the others -125, to their positives -250; the others among themselves -20.
    for (Matrix<double>* z : {&p.x, &p.y}) (*z)(0, 0) += 5, (*z)(4, 0) -= 5;
    p.y.row(0).swap(p.y.row(4));
    const Result exact = reference<DistEuclidean>(kind, p);
    CHECK(exact.value > 10);
    check_close(run<DistEuclidean, double>(kind, p), exact, 1e-9);
    check_close(run<DistEuclidean, float>(kind, p), exact, 1e-5);
  }
}

TEST_CASE("SupCon: anchors without positives leave the mean; none at all gives 0") {
  const auto x = random_rows<double>(5, 3, 0.5, 9);
  const hcl::NegDist s{hcl::PoincareBall<double>{0.7}};
  Matrix<double> g(5, 3);
  for (const auto form : {hcl::SupConForm::outside, hcl::SupConForm::inside}) {
    const hcl::SupCon loss{s, 0.3, form};
    const std::vector<int> some{1, 1, 2, 3, 4}, none{0, 1, 2, 3, 4};
    CHECK(loss.value(x, some) ==
          doctest::Approx(naive_softmax(s, 0.3, x, x, by_label(some),
                                        form == hcl::SupConForm::inside)));
    g.setConstant(7);
    const auto out = loss.value_and_grad(x, none, g);
    CHECK(out.value == 0);
    CHECK(out.grad_c == 0);
    CHECK(out.grad_temperature == 0);
    CHECK(g.isZero(0));
  }
}

TEST_CASE("rows that are no anchors meet large logits and stay out") {
  // cosine/tau reaches 200, beyond what exp holds in float
  const auto x = random_rows<float>(100, 6, 1.0, 5);
  Matrix<float> y = x;
  y.bottomRows(50) = 1.01f * x.topRows(50);
  const hcl::Cosine s{hcl::Sphere<float>{1}};
  const hcl::Cosine exact{hcl::Sphere<double>{1}};
  const Matrix<double> dx = x.cast<double>(), dy = y.cast<double>();
  const float tau = 0.005f;
  Matrix<float> g(100, 6), h(100, 6);
  Matrix<double> dg(100, 6), dh(100, 6);
  std::vector<int> labels(100);
  for (std::size_t i = 0; i < 100; ++i) labels[i] = int(i < 90 ? i : i % 2);
  for (const bool inside : {false, true}) {
    const auto form = inside ? hcl::SupConForm::inside : hcl::SupConForm::outside;
    const auto out = hcl::SupCon{s, tau, form}.value_and_grad(y, labels, g);
    hcl::SupCon{exact, double(tau), form}.value_and_grad(dy, labels, dg);
    CHECK(double(out.value) == doctest::Approx(naive_softmax(exact, double(tau), dy, dy,
                                                             by_label(labels), inside)));
    CHECK((g.cast<double>() - dg).norm() < 1e-4 * dg.norm());
    CHECK(std::isfinite(out.grad_temperature));
  }
  const auto out = hcl::InfoNce{s, tau}.value_and_grad(x, y, g, h);
  hcl::InfoNce{exact, double(tau)}.value_and_grad(dx, dy, dg, dh);
  CHECK(std::isfinite(out.grad_temperature));
  CHECK((g.cast<double>() - dg).norm() < 1e-4 * dg.norm());
  CHECK((h.cast<double>() - dh).norm() < 1e-4 * dh.norm());
}

TEST_CASE("SupCon with one positive is NT-Xent") {
  const auto x = random_rows<float>(8, 4, 1.0, 2);
  Matrix<float> a(8, 4), b(8, 4);
  const hcl::NegDist s{hcl::PoincareBall<float>{0.7f}};
  const auto l = hcl::NtXent{s, 0.2f}.value_and_grad(x, a);
  const std::vector<int> labels{0, 1, 2, 3, 0, 1, 2, 3};
  const auto m = hcl::SupCon{s, 0.2f}.value_and_grad(x, labels, b);
  CHECK(l.value == m.value);
  CHECK(a == b);
}

TEST_CASE("a batch that is nearly solved keeps its digits") {
  // Losses of 1e-4 beside logits of -20: a difference of the two has lost them in float.
  const Eigen::Index half = 120, d = 64;
  const auto unit = [&](unsigned seed) {
    return Matrix<double>(random_rows<double>(half, d, 1.0, seed).rowwise().normalized());
  };
  const Matrix<double> first = unit(1),
                       second = (first + 0.3 * unit(2)).rowwise().normalized();
  std::vector<int> labels(std::size_t(2 * half));  // four of a class, two of them close
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = int(i) % int(half / 2);
  for (const double c : {0.01, 0.7, 4.0}) {
    CAPTURE(c);
    const double scale = 1 / std::sqrt(c);  // the same problem for every c
    const Matrix<float> xf = (0.8 * scale * first).cast<float>(),
                        yf = (0.8 * scale * second).cast<float>();
    const Matrix<double> xd = xf.cast<double>(), yd = yf.cast<double>();
    Matrix<float> zf(2 * half, d), gf(2 * half, d), af(half, d), bf(half, d);
    Matrix<double> zd(2 * half, d), gd(2 * half, d), ad(half, d), bd(half, d);
    zf << xf, yf;
    zd << xd, yd;
    const hcl::NegDist sf{hcl::PoincareBall<float>{float(c)}};
    const hcl::NegDist sd{hcl::PoincareBall<double>{double(float(c))}};
    const float tau = float(0.17 * scale);
    const auto check = [](const char* what, double solved, const auto& f,
                          const Matrix<float>& gf_, const auto& r,
                          const Matrix<double>& gr) {
      CAPTURE(what);
      CHECK(r.value - solved < 1e-2);
      CHECK(double(f.value) == doctest::Approx(r.value).epsilon(1e-5));
      CHECK(double(f.grad_c) == doctest::Approx(r.grad_c).epsilon(1e-5));
      CHECK(double(f.grad_temperature) ==
            doctest::Approx(r.grad_temperature).epsilon(1e-5));
      const double error = (gf_.cast<double>() - gr).norm() / gr.norm();
      CHECK(error <= 1e-5);
    };
    const auto nf = hcl::NtXent{sf, tau}.value_and_grad(zf, gf);
    const auto nd = hcl::NtXent{sd, double(tau)}.value_and_grad(zd, gd);
    check("NtXent", 0, nf, gf, nd, gd);
    const auto cf = hcl::InfoNce{sf, tau, hcl::Sides::two}.value_and_grad(xf, yf, af, bf);
    const auto cd =
        hcl::InfoNce{sd, double(tau), hcl::Sides::two}.value_and_grad(xd, yd, ad, bd);
    check("InfoNce x", 0, cf, af, cd, ad);
    check("InfoNce y", 0, cf, bf, cd, bd);
    const auto inside = hcl::SupConForm::inside;
    const auto uf = hcl::SupCon{sf, tau, inside}.value_and_grad(zf, labels, gf);
    const auto ud = hcl::SupCon{sd, double(tau), inside}.value_and_grad(zd, labels, gd);
    check("SupCon", std::log(3.0), uf, gf, ud, gd);
  }
}
