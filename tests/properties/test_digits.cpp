// The promised digits, sampled: distances and gradients against 60 digits, at every
// radius and separation that bench/accuracy tabulates, a few pairs a cell.
#include <doctest/doctest.h>

#include "../bench/accuracy/sample.hpp"

namespace {

using namespace accuracy;

#ifdef HCL_SHORT
const std::vector<std::size_t> dimensions{2, 16};
constexpr int pairs = 4;
#else
const std::vector<std::size_t> dimensions{2, 16, 129};
constexpr int pairs = 12;
#endif

/// f(c, pair) for pairs of every radius, separation, dimension and curvature.
template <class T, template <class> class M, class F>
void each_pair(std::initializer_list<double> radii, const F& f) {
  for (const std::size_t n : dimensions)
    for (const double r : radii)
      for (const auto& s : separations()) {
        std::mt19937_64 random(n);
        for (int i = 0; i < pairs; ++i) {
          constexpr double curvatures[] = {1e-3, 0.1, 1, 10};
          const T c = T(curvatures[i % 4]);
          CAPTURE(n);
          CAPTURE(r);
          CAPTURE(s.name);
          CAPTURE(c);
          f(c, sample<T, M>(double(c), n, r, s, random));
        }
      }
}

template <class T, template <class> class M>
void distances(std::initializer_list<double> radii, double bar) {
  each_pair<T, M>(radii, [bar](T c, const Pair<T>& p) {
    const Exact want = M<Exact>(Exact(c)).dist(exact(p.x), exact(p.y));
    const T got = M<T>(c).dist(p.x, p.y);
    REQUIRE(ulps(got, want) <= bar);
    REQUIRE(got == M<T>(c).dist(p.y, p.x));
  });
}

TEST_CASE("distances of floats are rounded once") {
  distances<float, hcl::PoincareBall>({0.5, 2, 6, 12}, 0.51);
  distances<float, hcl::Lorentz>({0.5, 2, 6, 12, 20}, 0.51);
}

TEST_CASE("distances of doubles keep all but the last digit") {
  distances<double, hcl::PoincareBall>({0.5, 2, 6, 12, 25}, 4);
  distances<double, hcl::Lorentz>({0.5, 2, 6, 10, 20}, 4);
}

/// The error of the gradient in the dual norm, in which the exact one has length 1.
template <class T, template <class> class M>
void gradients(std::initializer_list<double> radii, double bar) {
  each_pair<T, M>(radii, [bar](T c, const Pair<T>& p) {
    const M<Exact> m{Exact(c)};
    const auto x = exact(p.x), y = exact(p.y);
    const std::size_t n = x.size();
    // Two coordinates cannot be rounded to more than the chart of Lorentz resolves.
    if (n < 16 || m.dist(x, y) == 0) return;
    Vector<T> gx(n, T(0)), gy(n, T(0));
    T gc(0);
    M<T>(c).dist_vjp(p.x, p.y, T(1), gx, gy, gc);
    Vector<Exact> ex(n, Exact(0)), ey(n, Exact(0)), off(n);
    Exact ec(0);
    m.dist_vjp(x, y, Exact(1), ex, ey, ec);
    const double u = double(std::numeric_limits<T>::epsilon()) / 2;
    for (std::size_t k = 0; k < n; ++k) ex[k] = Exact(gx[k]) - ex[k];
    m.egrad2rgrad(x, ex, off);
    REQUIRE(double(sqrt(abs(m.inner(x, off, off)))) <= bar * u);
    for (std::size_t k = 0; k < n; ++k) ey[k] = Exact(gy[k]) - ey[k];
    m.egrad2rgrad(y, ey, off);
    REQUIRE(double(sqrt(abs(m.inner(y, off, off)))) <= bar * u);
    REQUIRE(double(abs(Exact(gc) - ec)) <= 64 * u * double(abs(ec)) + 1e-30);
  });
}

TEST_CASE("gradients are within 16 u in the manifold's own norm") {
  gradients<float, hcl::PoincareBall>({0.5, 2, 6}, 16);
  gradients<float, hcl::Lorentz>({0.5, 2, 6}, 16);
  gradients<double, hcl::PoincareBall>({0.5, 2, 6, 12}, 16);
  gradients<double, hcl::Lorentz>({0.5, 2, 6}, 16);
}

TEST_CASE_TEMPLATE("angles are within 5 ulp from 1e-6 to pi", T, float, double) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  for (const std::size_t n : dimensions)
    for (const double angle : {1e-6, 1e-3, 0.1, 1.0, 2.0, 3.1405926, 3.1415916})
      for (int i = 0; i < pairs; ++i) {
        Vector<Exact> a(n), b(n);
        for (std::size_t k = 0; k < n; ++k) a[k] = normal(random), b[k] = normal(random);
        const Exact f = hcl::dot<Exact>(a, b) / hcl::norm2<Exact>(a);
        for (std::size_t k = 0; k < n; ++k) b[k] -= f * a[k];
        const Exact la = sqrt(hcl::norm2<Exact>(a)), lb = sqrt(hcl::norm2<Exact>(b));
        Vector<T> x(n), y(n);
        for (std::size_t k = 0; k < n; ++k) {
          x[k] = T(a[k] / la);
          y[k] = T(3 * (cos(Exact(angle)) * a[k] / la + sin(Exact(angle)) * b[k] / lb));
        }
        CAPTURE(n);
        CAPTURE(angle);
        REQUIRE(ulps(hcl::Sphere<T>(T(1)).dist(x, y),
                     hcl::Sphere<Exact>(Exact(1)).dist(exact(x), exact(y))) <= 5);
      }
}

TEST_CASE_TEMPLATE("dd/dc holds down to c = 1e-12", M, hcl::PoincareBall<double>,
                   hcl::Lorentz<double>) {
  const std::vector<double> x{0.3, -0.2, 0.5, 0.1}, y{-0.1, 0.4, 0.2, 0};
  for (const double c : {1e-2, 1e-4, 1e-8, 1e-12}) {
    std::vector<double> gx(4, 0.0), gy(4, 0.0);
    double gc = 0;
    M(c).dist_vjp(x, y, 1, gx, gy, gc);
    using E = std::conditional_t<std::same_as<M, hcl::PoincareBall<double>>,
                                 hcl::PoincareBall<Exact>, hcl::Lorentz<Exact>>;
    const Exact h = Exact(c) * Exact(1e-20);
    const auto at = [&](const Exact& e) { return E(e).dist(exact(x), exact(y)); };
    const Exact want = (at(Exact(c) + h) - at(Exact(c) - h)) / (2 * h);
    CHECK(double(abs((Exact(gc) - want) / want)) <= 1e-12);
  }
}

}  // namespace
