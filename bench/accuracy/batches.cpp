#include "batches.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <type_traits>

#include "hcl/hcl.hpp"
#include "support/one_pair_a_row.hpp"

namespace accuracy {

namespace {

using hcl::Index;

/// Rows of a data set as points of m: clip, expmap0.
template <class M>
Matrix<float> points(const M& m, Matrix<float> v, float clip) {
  Matrix<float> z(v.rows(), v.cols());
  hcl::clip_rows(v, clip, z);
  v = z;
  hcl::expmap0(m, v, z);
  return z;
}

struct BatchErrors {
  /// About the origin, as distance_matrix has it, and about the mean, as losses have it.
  double share[2] = {}, value[2] = {};
  double exact_ulps = 0, gradient = 0, gradient_positives = 0;
};

/// All pairs of x: shares, errors of the policies, gradients of single pairs.
template <template <class> class M>
BatchErrors batch(float c, const Matrix<float>& x) {
  const Index n = x.rows(), d = x.cols();
  const auto make = [&]<class T>(T) {
    if constexpr (std::is_constructible_v<M<T>, T>)
      return M<T>(T(c));
    else
      return M<T>();
  };
  const auto m = make(1.0F);
  const auto wide = make(1.0);
  const hcl::NegDist similarity{m};
  using S = std::remove_cvref_t<decltype(similarity)>;
  const Matrix<double> xd = x.cast<double>();
  const hcl::BatchIn<double> rows(xd);
  hcl::Workspace ws;
  BatchErrors e;
  const auto worst = [&](const auto& error) {
    std::vector<double> part(std::size_t(n), 0.0);
    hcl::parallel_for(n, [&](Index i) {
      for (Index j = 0; j < i; ++j)
        if (const double want = wide.dist(rows.row(i), rows.row(j)); want != 0)
          part[std::size_t(i)] = std::max(part[std::size_t(i)], error(i, j, want));
    });
    return *std::max_element(part.begin(), part.end());
  };
  Matrix<float> got(n, n);
  hcl::distance_matrix(hcl::Exact{similarity}, x, got, ws);
  e.exact_ulps = worst([&](Index i, Index j, double want) {
    int exponent = 0;
    std::frexp(want, &exponent);
    return std::abs(double(got(i, j)) - want) / std::ldexp(1.0, exponent - 24);
  });
  for (const std::size_t about_mean : {0U, 1U}) {
    {
      ws.reset();
      const float* const centre = about_mean ? hcl::centre_of<S>(x, x, ws) : nullptr;
      const hcl::GramRows<S> all(similarity, x, centre, ws);
      hcl::GramTiles<S> tiles(similarity, -1.0F, all, all, false, ws);
      tiles.forward([&](const hcl::Tile<float>& t) {
        for (Index i = 0; i < t.rows; ++i)
          for (Index j = 0; j < t.cols; ++j)
            got(t.i0 + i, t.j0 + j) = got(t.j0 + j, t.i0 + i) =
                t.l[i * hcl::tile_size + j];
      });
      e.share[about_mean] = double(tiles.reevaluated()) / (double(n) * double(n - 1) / 2);
    }
    e.value[about_mean] = worst([&](Index i, Index j, double want) {
      return std::abs(double(got(i, j)) - want) / want;
    });
    // One pair a row, through the tiles.
    const auto gradient = [&](Index shift) {
      Matrix<float> gx = Matrix<float>::Zero(n, d), gy = gx;
      support::pull_one_a_row(similarity, x, about_mean != 0, shift, gx, gy, ws);
      double most = 0;
      for (Index i = 0; i < n; ++i) {
        std::vector<double> ex(std::size_t(d), 0.0), ey = ex,
                                                     off(static_cast<std::size_t>(d));
        double ec = 0;
        wide.dist_vjp(rows.row(i), rows.row((i + shift) % n), 1, ex, ey, ec);
        for (Index k = 0; k < d; ++k) ex[std::size_t(k)] -= double(gx(i, k));
        wide.egrad2rgrad(rows.row(i), ex, off);
        most = std::max(most, wide.norm(rows.row(i), off));
      }
      return most;
    };
    for (const Index shift : {Index(1), Index(7), n / 3})
      e.gradient = std::max(e.gradient, gradient(shift));
    e.gradient_positives = std::max(e.gradient_positives, gradient(n / 2));
  }
  return e;
}

void batch_row(std::ostream& page, const std::string& what, const std::string& set,
               const BatchErrors& e) {
  char text[256];
  std::snprintf(text, sizeof text,
                "| %s | %s | %.3f %% | %.1e | %.3f %% | %.1e | %.2f | %.1e | %.1e |\n",
                what.c_str(), set.c_str(), 100 * e.share[0], e.value[0], 100 * e.share[1],
                e.value[1], e.exact_ulps, e.gradient, e.gradient_positives);
  page << text;
  std::cerr << text;
}

/// Median times of NT-Xent with its gradient, the three policies in turn.
template <class M>
void cost_row(std::ostream& page, const std::string& what, const std::string& set,
              const M& m, const Matrix<float>& x) {
  Matrix<float> g(x.rows(), x.cols());
  hcl::Workspace ws;
  std::vector<double> times[3];
  Index again = 0;
  const auto run = [&](std::size_t policy, const auto& similarity) {
    const auto start = std::chrono::steady_clock::now();
    const auto out = hcl::NtXent{similarity, 0.2F}.value_and_grad(x, g, ws);
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    times[policy].push_back(time.count());
    if (policy == 1) again = out.reevaluated;
  };
  const hcl::NegDist d{m};
  for (int i = 0; i < 12; ++i) {
    run(0, hcl::Unchecked{d});
    run(1, d);
    run(2, hcl::Exact{d});
  }
  double median[3];
  for (std::size_t k = 0; k < 3; ++k) {
    std::nth_element(times[k].begin(), times[k].begin() + 6, times[k].end());
    median[k] = times[k][6];
  }
  const double all = double(x.rows()) * double(x.rows() - 1) / 2;
  char text[256];
  std::snprintf(text, sizeof text, "| %s | %s | %.3f %% | %.1f ms | %.2f | %.2f |\n",
                what.c_str(), set.c_str(), 100 * double(again) / all, median[0],
                median[1] / median[0], median[2] / median[0]);
  page << text;
  std::cerr << text;
}

}  // namespace

void write_batches(std::ostream& page, const std::vector<DataSet>& sets) {
  page << "\n| geometry | rows | about 0: re-evaluated | error | about the mean: "
          "re-evaluated | error | Exact, ulp | gradient, dual norm | … of positives |\n"
          "|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& s : sets) {
    const hcl::Lorentz<float> lorentz{0.1F}, steep{1.0F};
    const hcl::PoincareBall<float> ball{0.1F}, deep{1.0F};
    batch_row(page, "Euclidean", s.name, batch<hcl::Euclidean>(0, s.rows));
    batch_row(page, "sphere", s.name, batch<hcl::Sphere>(1, s.rows));
    batch_row(page, "ball, c = 0.1, clip 2.3", s.name,
              batch<hcl::PoincareBall>(0.1F, points(ball, s.rows, 2.3F)));
    batch_row(page, "Lorentz, c = 0.1, clip 2.3", s.name,
              batch<hcl::Lorentz>(0.1F, points(lorentz, s.rows, 2.3F)));
    batch_row(page, "ball, r ≤ 6", s.name,
              batch<hcl::PoincareBall>(1, points(deep, s.rows, 3)));
    batch_row(page, "Lorentz, r ≤ 6", s.name,
              batch<hcl::Lorentz>(1, points(steep, 2 * s.rows, 6)));
  }
}

void write_costs(std::ostream& page, const std::vector<DataSet>& sets) {
  page << "\n## What it costs\n\nNT-Xent with its gradient, 128 columns, float, "
       << hcl::max_threads() << R"( threads; medians of 12, the policies in
turn. `Unchecked` is the same kernel without the check, its time in ms; the others as multiples of it.

| geometry | rows | re-evaluated | `Unchecked` | default | `Exact` |
|---|---|---|---|---|---|
)";
  for (const auto& s : sets) {
    const std::string name = s.name + ", " + std::to_string(s.rows.rows());
    const hcl::PoincareBall<float> ball{0.1F};
    const hcl::Lorentz<float> lorentz{0.1F}, steep{1.0F};
    cost_row(page, "Euclidean", name, hcl::Euclidean<float>(), s.rows);
    cost_row(page, "sphere", name, hcl::Sphere<float>(), s.rows);
    cost_row(page, "ball, c = 0.1, clip 2.3", name, ball, points(ball, s.rows, 2.3F));
    cost_row(page, "Lorentz, c = 0.1, clip 2.3", name, lorentz,
             points(lorentz, s.rows, 2.3F));
    cost_row(page, "Lorentz, r ≤ 6", name, steep, points(steep, 2 * s.rows, 6));
  }
}

}  // namespace accuracy
