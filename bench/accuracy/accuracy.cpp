// bench/accuracy/accuracy.cpp - measures what the docs promise: errors of distances,
// gradients, curvature derivatives, round trips and batches against 60 digits, next to
// the formulas of others. Writes accuracy.md and, where gnuplot is, its plots.
//
//   accuracy OUT_FOLDER [--pairs N] [--rows N] [--embedding FILE.npy]... [--cost]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "batches.hpp"
#include "corners.hpp"
#include "formulas.hpp"
#include "hcl/hcl.hpp"
#include "maps.hpp"
#include "sample.hpp"
#include "support/catalog.hpp"

namespace {

using namespace accuracy;
using hcl::Index;

std::ostringstream page;
int pairs = 60;
Index batch_rows = 1024;
std::filesystem::path out_folder;

std::string number(double e) {
  char text[32];
  if (e < 0) return "–";  // no pair, or refused
  if (!(e < 1e300)) return "∞";
  if (e == 0)
    std::snprintf(text, sizeof text, "0");
  else if (e >= 0.01 && e < 1000)
    std::snprintf(text, sizeof text, "%.2f", e);
  else
    std::snprintf(text, sizeof text, "%.0e", e);
  return text;
}

void header(const std::string& first, const std::vector<std::string>& columns) {
  page << "| " << first << " |";
  for (const auto& c : columns) page << ' ' << c << " |";
  page << "\n|---|";
  for (std::size_t k = 0; k < columns.size(); ++k) page << "---|";
  page << '\n';
}
void row(const std::string& first, const std::vector<double>& cells) {
  page << "| " << first << " |";
  for (const double c : cells) page << ' ' << number(c) << " |";
  page << '\n';
}

constexpr double curvatures[] = {1e-3, 0.1, 1, 10};
const std::vector<std::size_t> dimensions{2, 16, 128, 1024};

/// f(c, pair, separation index) for sampled pairs of a radius, all dimensions.
template <class T, template <class> class M, class F>
void each_pair(double r, const F& f) {
  for (const std::size_t n : dimensions) {
    std::mt19937_64 random(17 * n + std::size_t(1000 * r));
    const int count = std::max(4, n > 128 ? pairs / 16 : n > 16 ? pairs / 2 : pairs);
    for (std::size_t s = 0; s < separations().size(); ++s)
      for (int i = 0; i < count; ++i) {
        const double c = double(T(curvatures[i % 4]));
        f(T(c), sample<T, M>(c, n, r, separations()[s], random), s);
      }
  }
}

std::vector<std::string> separation_names() {
  std::vector<std::string> names;
  for (const auto& s : separations()) names.push_back(s.name);
  return names;
}

struct Curve {
  std::string name;
  std::map<double, double> worst;  // by radius
};

/// Distances: hcl's table, and the worst of each formula by radius.
template <class T, template <class> class M>
void distances(const std::string& title, const std::vector<double>& radii,
               const std::vector<Formula<T>>& others, const std::string& plot) {
  std::vector<Curve> curves{{"hcl", {}}};
  for (const auto& o : others) curves.push_back({o.name, {}});
  page << "\n### " << title
       << "\n\nLargest error in ulp, hcl, by r and separation √c·d(x, y):\n\n";
  header("r", separation_names());
  std::ostringstream rest;
  for (const double r : radii) {
    std::vector<double> worst(separations().size(), -1);
    for (auto& c : curves) c.worst[r] = 0;
    each_pair<T, M>(r, [&](T c, const Pair<T>& p, std::size_t s) {
      const Exact want = M<Exact>(Exact(c)).dist(exact(p.x), exact(p.y));
      if (want == 0) return;  // rounded onto each other
      const double e = ulps(M<T>(c).dist(p.x, p.y), want);
      worst[s] = std::max(worst[s], e);
      curves[0].worst[r] = std::max(curves[0].worst[r], e);
      for (std::size_t k = 0; k < others.size(); ++k) {
        double& w = curves[k + 1].worst[r];
        w = std::max(w, ulps(others[k].dist(p.x, p.y, c), want));
      }
    });
    row(number(r), worst);
    std::cerr << title << " r = " << r << '\n';
  }
  if (others.empty()) return;
  page << "\nThe same pairs, all separations, with the formulas of others (in their "
          "order of "
          "operations,\nsums in the scalar itself; ∞ stands for NaN or infinity):\n\n";
  std::vector<std::string> names;
  for (const auto& c : curves) names.push_back(c.name);
  header("r", names);
  for (const double r : radii) {
    std::vector<double> cells;
    for (const auto& c : curves) cells.push_back(c.worst.at(r));
    row(number(r), cells);
  }
  FILE* const gnuplot = popen("gnuplot 2>/dev/null", "w");
  if (!gnuplot) return;
  const auto file = out_folder / (plot + ".svg");
  std::fprintf(
      gnuplot,
      "set terminal svg size 720,520 font 'sans,13' background 'white'\n"
      "set output '%s'\nset logscale y\nset format y '1e%%T'\nset grid\n"
      "set key below height 1.5 noenhanced\nset xlabel 'r = √c d(0, x)' offset 0,0.4\n"
      "set ylabel 'largest error, ulp (drawn up to 1e12)'\nset title '%s'\n"
      "set yrange [0.1:3e12]\nset linetype 5 lc rgb '#a65628'\nplot",
      file.c_str(), title.c_str());
  for (std::size_t k = 0; k < curves.size(); ++k)
    // The earlier the wider: of curves that coincide all are seen.
    std::fprintf(gnuplot, "%s '-' with linespoints lw %g pt %zu title '%s'", k ? "," : "",
                 1.5 + 1.2 * double(curves.size() - 1 - k), k + 5,
                 curves[k].name.c_str());
  std::fprintf(gnuplot, "\n");
  for (const auto& c : curves) {
    for (const auto& [r, e] : c.worst)
      std::fprintf(gnuplot, "%g %g\n", r, std::clamp(e, 0.1, 1e12));
    std::fprintf(gnuplot, "e\n");
  }
  if (pclose(gnuplot) == 0) page << "\n![" << title << "](" << plot << ".svg)\n";
}

/// |error of grad_x d| in the dual norm of x, in units of roundoff; the exact norm is 1.
template <class T, template <class> class M>
void gradients(const std::string& title, const std::vector<double>& radii) {
  page << "\n### " << title << "\n\n";
  header("r", separation_names());
  for (const double r : radii) {
    std::vector<double> worst(separations().size(), 0);
    each_pair<T, M>(r, [&](T c, const Pair<T>& p, std::size_t s) {
      if (p.x.size() < 16) return;
      const M<Exact> m{Exact(c)};
      const auto x = exact(p.x), y = exact(p.y);
      if (m.dist(x, y) == 0) return;
      const std::size_t n = x.size();
      Vector<T> gx(n, T(0)), gy(n, T(0));
      T gc(0);
      M<T>(c).dist_vjp(p.x, p.y, T(1), gx, gy, gc);
      Vector<Exact> ex(n, Exact(0)), ey(n, Exact(0)), up(n);
      Exact ec(0);
      m.dist_vjp(x, y, Exact(1), ex, ey, ec);
      for (std::size_t k = 0; k < n; ++k) ex[k] = Exact(gx[k]) - ex[k];
      m.egrad2rgrad(x, ex, up);
      const double u = double(std::numeric_limits<T>::epsilon()) / 2;
      worst[s] = std::max(worst[s], double(sqrt(abs(m.inner(x, up, up)))) / u);
    });
    row(number(r), worst);
  }
  std::cerr << title << '\n';
}

/// Corner points of one geometry, float beside double.
template <template <class> class M>
void corner_points(const std::string& title) {
  page << "\n### " << title << "\n\n";
  header("points", {"float: d", "∂d/∂x", "batch: d", "∂d/∂x", "double: d", "∂d/∂x",
                    "batch: d", "∂d/∂x"});
  const auto m60 = support::make<M<Exact>>(1);
  const auto m32 = support::make<M<float>>(1);
  const auto m64 = support::make<M<double>>(1);
  const auto narrow = corners<float, M>(m32);
  const auto wide = corners<double, M>(m64);
  for (std::size_t k = 0; k < narrow.size(); ++k) {
    std::vector<double> cells;
    for (const double e : corner_errors<float, M>(m32, m60, narrow[k]))
      cells.push_back(e);
    for (const double e : corner_errors<double, M>(m64, m60, wide[k])) cells.push_back(e);
    row(narrow[k].name, cells);
  }
  std::cerr << title << '\n';
}

/// The worst of each map by radius, over all separations.
template <class T, template <class> class M>
void maps(const std::string& title, const std::vector<double>& radii,
          const std::vector<MapError<T>>& errors) {
  page << "\n### " << title << "\n\n";
  std::vector<std::string> names;
  for (const double r : radii) names.push_back("r = " + number(r));
  header("", names);
  std::vector<std::vector<double>> worst(errors.size(),
                                         std::vector<double>(radii.size(), 0));
  for (std::size_t k = 0; k < radii.size(); ++k)
    for (const std::size_t n : {2U, 16U, 129U}) {
      std::mt19937_64 random(31 * n + std::size_t(1000 * radii[k]));
      std::normal_distribution<double> normal;
      for (const auto& separation : separations())
        for (int i = 0; i < std::max(4, pairs / 4); ++i) {
          const T c = T(curvatures[i % 4]);
          auto p = sample<T, M>(double(c), n, radii[k], separation, random);
          Inputs<T> in{c, p.x, p.y, Vector<T>(n), Vector<T>(n)};
          for (T& e : in.g) e = T(normal(random));
          // A tangent vector of length 1 at x, at curvature 1.
          for (T& e : in.v) e = T(normal(random));
          const double unit =
              1 / (double(M<T>(c).norm(p.x, in.v)) * std::sqrt(double(c)));
          for (T& e : in.v) e = T(double(e) * unit);
          for (std::size_t l = 0; l < errors.size(); ++l)
            worst[l][k] = std::max(worst[l][k], errors[l].of(in));
        }
    }
  for (std::size_t l = 0; l < errors.size(); ++l) row(errors[l].name, worst[l]);
  std::cerr << title << '\n';
}

template <class T>
void sphere_angles(const std::string& title) {
  page << "\n### " << title << "\n\n";
  const double pi = 3.14159265358979;
  const std::vector<std::pair<std::string, double>> angles{
      {"1e-6", 1e-6}, {"1e-3", 1e-3},        {"0.1", 0.1},         {"1", 1},
      {"2", 2},       {"π-1e-3", pi - 1e-3}, {"π-1e-6", pi - 1e-6}};
  std::vector<std::string> names;
  for (const auto& a : angles) names.push_back(a.first);
  header("n", names);
  std::normal_distribution<double> normal;
  for (const std::size_t n : dimensions) {
    std::mt19937_64 random(n);
    std::vector<double> worst;
    for (const auto& [name, angle] : angles) {
      double w = 0;
      for (int i = 0; i < (n > 128 ? pairs / 8 + 1 : pairs); ++i) {
        Vector<Exact> a(n), b(n);
        for (std::size_t k = 0; k < n; ++k) a[k] = normal(random), b[k] = normal(random);
        const Exact f = hcl::dot<Exact>(a, b) / hcl::norm2<Exact>(a);
        Vector<T> x(n), y(n);
        for (std::size_t k = 0; k < n; ++k) b[k] -= f * a[k];
        const Exact la = sqrt(hcl::norm2<Exact>(a)), lb = sqrt(hcl::norm2<Exact>(b));
        for (std::size_t k = 0; k < n; ++k)
          x[k] = T(a[k] / la),
          y[k] = T(cos(Exact(angle)) * a[k] / la + sin(Exact(angle)) * b[k] / lb);
        w = std::max(w, ulps(hcl::Sphere<T>(T(1)).dist(x, y),
                             hcl::Sphere<Exact>(Exact(1)).dist(exact(x), exact(y))));
      }
      worst.push_back(w);
    }
    row(std::to_string(n), worst);
  }
}

/// dd/dc in double against 60 digits, and the gap between d and its limit.
template <template <class> class M>
void curvature_derivatives(const std::string& name, double flat) {
  double previous = 0;
  for (const double c : {1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12}) {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    double by_c = 0;
    Exact gap(0);
    for (int i = 0; i < pairs; ++i) {
      Vector<double> x(16), y(16), gx(16, 0.0), gy(16, 0.0);
      for (auto& e : x) e = 0.2 * normal(random);
      for (auto& e : y) e = 0.2 * normal(random);
      double gc = 0;
      M<double>(c).dist_vjp(x, y, 1, gx, gy, gc);
      const Exact h = Exact(c) * Exact(1e-20);
      const auto at = [&](const Exact& e) {
        return M<Exact>(e).dist(exact(x), exact(y));
      };
      const Exact want = (at(Exact(c) + h) - at(Exact(c) - h)) / (2 * h);
      by_c = std::max(by_c, double(abs((Exact(gc) - want) / want)));
      const Exact limit = Exact(flat) * hcl::Euclidean<Exact>().dist(exact(x), exact(y));
      const Exact e = abs(Exact(M<double>(c).dist(x, y)) - limit);
      if (e > gap) gap = e;
    }
    const double slope =
        previous > 0 ? std::log(previous / double(gap)) / std::log(100.0) : 0;
    page << "| " << name << " | " << c << " | " << number(by_c) << " | "
         << number(double(gap)) << " | "
         << (previous > 0 ? number(slope) : std::string("–")) << " |\n";
    previous = double(gap);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app{"Measures the errors of every operation and writes a page and its plots."};
  std::string folder;
  std::vector<std::string> files;
  bool cost = false;
  app.add_option("FOLDER", folder, "where the page goes")->required();
  app.add_option("--pairs", pairs, "pairs for each dimension and cell")
      ->capture_default_str()
      ->check(CLI::Range(4, 100'000));
  app.add_option("--rows", batch_rows, "rows of the batches")
      ->capture_default_str()
      ->check(CLI::Range(64, 65'536));
  app.add_option("--embedding", files, "rows of a trained encoder, a .npy of floats")
      ->check(CLI::ExistingFile);
  app.add_flag("--cost", cost, "also the time of the certified path (a quiet machine!)");
  CLI11_PARSE(app, argc, argv);
  out_folder = folder;
  std::filesystem::create_directories(out_folder);
  std::vector<DataSet> embeddings;
  for (const auto& file : files)
    embeddings.push_back({"trained encoder", read_npy(file)});
  page << R"(# Accuracy, measured

Written by `bench/accuracy`; the README says how. An error is that against the exact result for
the *stored* points (60 digits): rounding a point to its scalar moves it, and is no error here.
Maxima over sampled pairs are lower bounds of the true maxima; what is proven is said to be, and
where. r = √c·d(0, x); u is the unit roundoff (2⁻²⁴, 2⁻⁵³); n ∈ {2, 16, 128, 1024}, c ∈
{1e-3, 0.1, 1, 10}, up to )"
       << pairs << R"( pairs
for each n and cell. "collinear": y on the ray of x, 1e-3 nearer to the origin; "far": in a direction
of its own.

## Distances, pair by pair

*Proven, float*, to first order in 2⁻⁵³: all is computed in double from exact differences of floats
and rounded once; k = n/8 + 30 roundings of 2⁻⁵³ fall on sums. On the ball their terms have one sign,
and 1 - c|x|² is magnified by at most cosh²(r/2): 0.5 + 2⁻²⁸·k·cosh²(r/2) ulp, 0.524 at r = 12, n = 1024.
On Lorentz no part of Q is negative. |x| - |y| errs by k·2⁻⁵³ of |x-y|, of which Q sees at most three
times k·2⁻⁵³; the coordinates of the angular part are differences, whose ten roundings Q sees magnified
by cosh r: 0.5 + 2⁻³⁰(3k + 10 cosh r) ulp, 2.8 at r = 20, n = 1024. *Double*: sums run in 106 bits, and
the rest is a square root, a quotient, one arsinh (glibc states 2 ulp) and a product: at most 5 ulp.
Measured:
)";
  distances<float, hcl::PoincareBall>("Poincaré ball, float",
                                      {0.5, 1, 2, 4, 6, 8, 10, 12, 14},
                                      ball_formulas<float>(), "accuracy-ball-float");
  distances<float, hcl::Lorentz>("Lorentz, float", {0.5, 1, 2, 4, 6, 8, 10, 12, 16, 20},
                                 lorentz_formulas<float>(), "accuracy-lorentz-float");
  distances<double, hcl::PoincareBall>("Poincaré ball, double",
                                       {0.5, 2, 6, 12, 18, 25, 32},
                                       ball_formulas<double>(), "accuracy-ball-double");
  distances<double, hcl::Lorentz>("Lorentz, double", {0.5, 2, 6, 10, 14, 20},
                                  lorentz_formulas<double>(), "accuracy-lorentz-double");
  page << "\n## Angles on the sphere\n\nLargest error in ulp by dimension and angle:\n";
  sphere_angles<float>("float");
  sphere_angles<double>("double");
  page << R"(
## Gradients of d, pair by pair

The error of ∂d/∂x in the dual norm at x, where the gradient has norm 1, in units of u; n ≥ 16: the
rounding of the stored gradient alone is u·cosh(r)/√n there in the Lorentz chart, which sees the radial
part of few coordinates enlarged. That is also what is left of it beyond r = 6.
)";
  gradients<float, hcl::PoincareBall>("Poincaré ball, float", {0.5, 2, 4, 6, 8, 12});
  gradients<float, hcl::Lorentz>("Lorentz, float", {0.5, 2, 4, 6, 8, 12, 20});
  gradients<double, hcl::PoincareBall>("Poincaré ball, double", {0.5, 4, 6, 12, 25});
  gradients<double, hcl::Lorentz>("Lorentz, double", {0.5, 4, 6, 10});
  page << R"(
## Corner points

Single pairs of three numbers, c = 1, at which formulas break: the error of d in ulp, of ∂d/∂x in
units of u of its length (0 where both are 0); then the same of the pair alone in a batch (– where
rows are refused by name, or a slope is infinite in float). The points are 0.8 long unless said; at the
rim they are as far out as `project` leaves any. The last digit is that of float or double, and what is
nearly opposite misses it by 1e-6 or 1e-13.
)";
  corner_points<hcl::Euclidean>("Euclidean space, corners");
  corner_points<hcl::Sphere>("Sphere, corners");
  corner_points<hcl::PoincareBall>("Poincaré ball, corners");
  corner_points<hcl::Lorentz>("Lorentz, corners");
  page << R"(
## Maps

The error of the result in the metric, over u·d + the sum of the storage quanta of the stored points
and vectors (what one rounding of the coordinates moves them by: u|x|λ on the ball, u cosh r/√c in the
Lorentz chart; a vector v of that chart by u|v|); d is the distance moved. Rounding the result alone
may cost 1.
)";
  maps<float, hcl::PoincareBall>("Poincaré ball, float, maps", {0.5, 2, 6, 12},
                                 ball_map_errors<float>());
  maps<float, hcl::Lorentz>("Lorentz, float, maps", {0.5, 2, 6, 12, 20},
                            map_errors<hcl::Lorentz, float>());
  maps<double, hcl::PoincareBall>("Poincaré ball, double, maps", {0.5, 2, 6, 12, 25},
                                  ball_map_errors<double>());
  maps<double, hcl::Lorentz>("Lorentz, double, maps", {0.5, 2, 6, 10},
                             map_errors<hcl::Lorentz, double>());
  page << R"(
Their backward, for a random upstream gradient: the largest relative error of the gradient by an
input, |error|/|exact|, in units of u. On the ball these formulas run in two doubles, and so does the
transport in the Lorentz chart: to the rim, r = 30, gradients are within 1e-9 and derivatives by c within
1e-8 (`manifold/test_maps_far.cpp`). In the Lorentz chart a covector is rounded as that of a distance is: of
floats the dual norm sees 3e-4 of it at r = 12.
)";
  maps<float, hcl::PoincareBall>("Poincaré ball, float, backward", {0.5, 2, 6, 12},
                                 vjp_errors<hcl::PoincareBall, float>());
  maps<float, hcl::Lorentz>("Lorentz, float, backward", {0.5, 2, 6, 12},
                            vjp_errors<hcl::Lorentz, float>());
  maps<double, hcl::PoincareBall>("Poincaré ball, double, backward", {0.5, 2, 6, 12},
                                  vjp_errors<hcl::PoincareBall, double>());
  maps<double, hcl::Lorentz>("Lorentz, double, backward", {0.5, 2, 6},
                             vjp_errors<hcl::Lorentz, double>());
  page << R"(
## The curvature, down to 1e-12

dd/dc in double, largest relative error, and the largest gap |d_c − d_0| of distances in double to
the flat limit with the slope of its decrease (1: O(c)).

| geometry | c | dd/dc | gap | slope |
|---|---|---|---|---|
)";
  curvature_derivatives<hcl::PoincareBall>("ball", 2);
  curvature_derivatives<hcl::Lorentz>("Lorentz", 1);
  page << "\n## Batches, float\n\nAll pairs of " << batch_rows << R"( rows of 128 numbers,
against the pair in double; errors are relative. A Gram matrix is taken about a centre m: 0 for
`distance_matrix`, whose numbers depend on their two rows only, the mean of the rows in a loss.
A lane of it is re-evaluated from its rows where |x−y|², or what is left of it in the chord, is
below (|x−m|²+|y−m|²)/4, on Lorentz (e(x)+e(y))/8 + |x−m||y−m|/4, e the squared Lorentz distance
to m. *Statistical bound* of the other lanes: a sum of 128 products in chains of 16 errs by
0.7 u rms of |x−m||y−m|, by 1.3 u where one coordinate dominates; so d errs by 1.6e-7 rms at the
threshold, on Lorentz by 2e-7, and by 1e-6 at six and five sigma. *Proven*: 24 roundings one way,
6e-6. More columns are summed 128 at a time; tests hold 600 of them to the same 1e-6.
Outside of r ≤ 6 the same holds as long as 1 − c|x|² in double does, to r = 12 on the ball.
`Exact{…}` is double throughout. The gradient of a re-evaluated pair is a product of floats, like
that of any other, until |x−y|² is 64 times smaller than at the threshold.
The gradients, the worse of the two centres, are those of single pairs, in the dual norm, where the exact one has norm 1.

Batches of doubles, r ≤ 6, any separation and any number of columns: distances within 1e-12, gradients of
single pairs within 1e-9 in the dual norm. A lane is re-evaluated below (|x−m|²+|y−m|²)/64. `pairwise/test_hard_pairs.cpp`,
"doubles within r = 6, at any separation", holds them to it.
)";
  auto sets = data_sets(batch_rows, 128);
  for (auto& e : embeddings) {
    const Index half = e.rows.rows() / 2, n = std::min(batch_rows / 2, half);
    Matrix<float> x(2 * n, e.rows.cols());
    x << e.rows.topRows(n), e.rows.middleRows(half, n);
    sets.push_back({e.name, x});
  }
  write_batches(page, sets);
  if (cost) {
    auto large = data_sets(4096, 128);
    large.insert(large.end(), embeddings.begin(), embeddings.end());
    write_costs(page, large);
  }
  FILE* const file = std::fopen((out_folder / "accuracy.md").c_str(), "w");
  const std::string text = page.str();
  if (!file || std::fwrite(text.data(), 1, text.size(), file) != text.size() ||
      std::fclose(file) != 0)
    throw std::runtime_error("cannot write accuracy.md");
} catch (const std::exception& e) {
  std::cerr << "accuracy: " << e.what() << '\n';
  return 1;
}
