// examples/cifar/objective.cpp - clip -> expmap0 -> similarity -> loss and the gradient
// back to the features, for every geometry and similarity; a file of its own, as it takes
// long to compile.
#include "objective.hpp"

#include <algorithm>
#include <utility>

namespace cifar {

namespace {

/// The hyperbolic models take clipped features as tangent vectors at the origin; the
/// sphere normalises rows by itself; flat space takes them as they are.
template <class M>
inline constexpr bool maps_from_origin = false;
template <class T>
inline constexpr bool maps_from_origin<hcl::PoincareBall<T>> = true;
template <class T>
inline constexpr bool maps_from_origin<hcl::Lorentz<T>> = true;

/// The k best of each row of a Gram matrix, tile by tile.
template <class S>
std::vector<std::int32_t> best_of(const S& s, hcl::BatchIn<float> query,
                                  hcl::BatchIn<float> candidates, Index k) {
  hcl::Workspace ws;
  const float* const centre = hcl::centre_of<S>(query, candidates, ws);
  const hcl::GramRows<S> q(s, query, centre, ws), x(s, candidates, centre, ws);
  // Largest similarity first, then smallest index: heaps with the worst on top.
  std::vector<std::vector<std::pair<float, std::int32_t>>> heaps(
      std::size_t(query.rows()));
  hcl::GramTiles<S> tiles(s, 1.0F, q, x, false, ws);
  tiles.forward([&](const hcl::Tile<float>& t) {
    for (Index i = 0; i < t.rows; ++i) {
      auto& h = heaps[std::size_t(t.i0 + i)];
      for (Index j = 0; j < t.cols; ++j) {
        const std::pair<float, std::int32_t> item{-t.l[i * hcl::tile_size + j],
                                                  std::int32_t(t.j0 + j)};
        if (Index(h.size()) < k) {
          h.push_back(item), std::push_heap(h.begin(), h.end());
        } else if (item < h.front()) {
          std::pop_heap(h.begin(), h.end());
          h.back() = item, std::push_heap(h.begin(), h.end());
        }
      }
    }
  });
  std::vector<std::int32_t> best;
  for (auto& h : heaps) {
    std::sort_heap(h.begin(), h.end());
    for (const auto& [unlike, row] : h) best.push_back(row);
  }
  return best;
}

template <class M, class S>
class ObjectiveOf final : public Objective {
 public:
  ObjectiveOf(M m, S s, const Geometry& g)
      : m_{m},
        s_{s},
        clip_{g.clip},
        pairs_{s, g.temperature},
        classes_{
            s, g.temperature,
            g.form == "inside" ? hcl::SupConForm::inside : hcl::SupConForm::outside} {}

  Result value_and_grad(hcl::BatchIn<float> v, std::span<const int> labels,
                        hcl::BatchOut<float> gv) override {
    const Index n = v.rows(), d = v.cols();
    if (clipped_.rows() < n || clipped_.cols() != d)
      for (auto* b : {&clipped_, &points_, &grad_points_, &grad_clipped_})
        b->resize(n, d);
    const auto top = [&](Matrix& b) { return hcl::BatchOut<float>(b.data(), n, d); };
    hcl::BatchIn<float> z = v;
    if constexpr (maps_from_origin<M>) {
      hcl::clip_rows(v, clip_, top(clipped_));
      hcl::expmap0(m_, top(clipped_), top(points_));
      z = top(points_);
    }
    const auto gz = maps_from_origin<M> ? top(grad_points_) : gv;
    const auto out = labels.empty() ? pairs_.value_and_grad(z, gz, ws_)
                                    : classes_.value_and_grad(z, labels, gz, ws_);
    Result r{out.value, out.grad_temperature, out.grad_c};
    if constexpr (maps_from_origin<M>) {
      float grad_clip = 0;
      std::fill_n(grad_clipped_.data(), n * d, 0.0F);
      for (Index i = 0; i < n; ++i) std::ranges::fill(gv.row(i), 0.0F);
      hcl::expmap0_vjp(m_, top(clipped_), gz, top(grad_clipped_), r.grad_c);
      hcl::clip_rows_vjp(v, clip_, top(grad_clipped_), gv, grad_clip);
    }
    return r;
  }

  void points(hcl::BatchIn<float> v, hcl::BatchOut<float> z) const override {
    if constexpr (maps_from_origin<M>) {
      Matrix clipped(v.rows(), v.cols());
      hcl::clip_rows(v, clip_, clipped);
      hcl::expmap0(m_, clipped, z);
    } else {
      for (Index i = 0; i < v.rows(); ++i) std::ranges::copy(v.row(i), z.row(i).begin());
    }
  }

  std::vector<std::int32_t> nearest(hcl::BatchIn<float> query,
                                    hcl::BatchIn<float> candidates,
                                    Index k) const override {
    return best_of(s_, query, candidates, k);
  }

 private:
  M m_;
  S s_;
  float clip_;
  hcl::NtXent<S> pairs_;
  hcl::SupCon<S> classes_;
  hcl::Workspace ws_;
  Matrix clipped_, points_, grad_points_, grad_clipped_;
};

template <class M>
std::unique_ptr<Objective> with_manifold(const M& m, const Geometry& g) {
  const auto make = [&](auto s) -> std::unique_ptr<Objective> {
    return std::make_unique<ObjectiveOf<M, decltype(s)>>(m, s, g);
  };
  if (g.similarity == "dist") return make(hcl::NegDist{m});
  if (g.similarity == "dist2") return make(hcl::NegDist2{m});
  if (g.similarity == "cosine") return make(hcl::Cosine{m});
  if (g.similarity == "inner") return make(hcl::Inner{m});
  hcl::fail("similarity '", g.similarity, "': known are dist, dist2, cosine, inner");
}

}  // namespace

std::unique_ptr<Objective> make_objective(const Geometry& g) {
  hcl::expect(g.form == "outside" || g.form == "inside", "form '", g.form,
              "': known are outside, inside");
  if (g.manifold == "ball") return with_manifold(hcl::PoincareBall<float>{g.c}, g);
  if (g.manifold == "lorentz") return with_manifold(hcl::Lorentz<float>{g.c}, g);
  if (g.manifold == "sphere") return with_manifold(hcl::Sphere<float>{g.c}, g);
  if (g.manifold == "euclidean") return with_manifold(hcl::Euclidean<float>{}, g);
  hcl::fail("manifold '", g.manifold, "': known are ball, lorentz, sphere, euclidean");
}

}  // namespace cifar
