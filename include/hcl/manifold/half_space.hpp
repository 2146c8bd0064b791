// hcl/manifold/half_space.hpp - hyperbolic space of curvature -c as the half-space x_D >
// 0.
#pragma once

#include <limits>

#include "hcl/manifold/chord.hpp"
#include "hcl/manifold/concept.hpp"

namespace hcl::inline HCL_ABI {

/// The Poincare half-space: points have a last coordinate h > 0, the metric is |dx|^2/(c
/// h^2), d = (2/sqrt(c)) arsinh(|x-y|/(2 sqrt(h_x h_y))). Q = |x-y|^2/(4c h_x h_y) has
/// nothing that cancels, at any radius. Its origin, which models.hpp takes to 0, is (0,
/// ..., 0, 1/sqrt(c)). A Metric.
template <class T>
class HalfSpace {
 public:
  using Scalar = T;
  using W = Wide<T>;
  using S = Sum<T>;

  /// @throws std::invalid_argument unless c is finite and > 0.
  explicit HalfSpace(T c = T(1)) : c_{detail::checked_curvature("HalfSpace", c)} {}
  [[nodiscard]] T c() const { return c_; }

  [[nodiscard]] T dist(Point<T> x, Point<T> y) const {
    const S q = chord(x, y);
    if (is_close(q, x, y)) return T(close_dist(x, y));
    return T(detail::chord_dist<T>(q, c_).value);
  }
  [[nodiscard]] T dist2(Point<T> x, Point<T> y) const {
    return T(detail::chord_dist2<T>(chord(x, y), c_).value);
  }
  /// Adds g dd/dx, g dd/dy, g dd/dc; 0 at x = y.
  void dist_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const S q = chord(x, y);
    if (is_close(q, x, y)) {
      const W k = W(g) * close_scale(x, y);
      const double by = grown(x, y);
      detail::add_unit<T>(k, detail::difference<T>(x, y), gx, by);
      detail::add_unit<T>(k, detail::difference<T>(y, x), gy, by);
      gc = T(W(gc) - W(g) * close_dist(x, y) / (W(2) * W(c_)));
      return;
    }
    pair_vjp(W(q), detail::chord_dist<T>(q, c_), x, y, W(g), gx, gy, gc);
  }
  /// The same for d^2, smooth everywhere.
  void dist2_vjp(Point<T> x, Point<T> y, const T& g, Grad<T> gx, Grad<T> gy,
                 T& gc) const {
    const S q = chord(x, y);
    pair_vjp(W(q), detail::chord_dist2<T>(q, c_), x, y, W(g), gx, gy, gc);
  }
  /// Finite, h > 0, and |x|^2 and 1/h^2 no larger than Q has room for: about 2^490 in
  /// double; every float with h > 0 is a point at c >= 2^-200.
  [[nodiscard]] OnManifold is_on_manifold(Point<T> x) const {
    using std::sqrt;
    HCL_ASSERT(!x.empty());
    if (const auto finite = detail::all_finite<T>(x); !finite) return finite;
    const W h(x.back());
    if (!(h > W(0)))
      return {false, "outside the half-space, the last coordinate must be > 0",
              as_double(x.back())};
    const W c(c_), most = W(sqrt((std::numeric_limits<W>::max)())) * W(0x1p-20) *
                          (c < W(1) ? c : W(1));
    if (norm2<T>(x) > most) return {false, "|x|^2 is too large", as_double(norm2<T>(x))};
    if (W(1) > most * h * h) return {false, "too close to the boundary", as_double(h)};
    return {};
  }

 private:
  [[nodiscard]] S chord(Point<T> x, Point<T> y) const {
    HCL_ASSERT(x.size() == y.size() && x.back() > T(0) && y.back() > T(0));
    return detail::diff2_sum<T>(x, y) / (S(4) * S(c_) * (S(x.back()) * S(y.back())));
  }
  /// Where Q or |x-y|^2 underflows d = |x-y|/sqrt(c h_x h_y).
  [[nodiscard]] bool is_close(const S& q, Point<T> x, Point<T> y) const {
    return detail::underflows<T>(q) || detail::underflows<T>(detail::diff2_sum<T>(x, y));
  }
  /// What need not be enlarged of x - y.
  [[nodiscard]] static double grown(Point<T> x, Point<T> y) {
    return detail::underflows<T>(detail::diff2_sum<T>(x, y)) ? 1 : detail::enlarged;
  }
  [[nodiscard]] W close_scale(Point<T> x, Point<T> y) const {
    using std::sqrt;
    return W(1) / (sqrt(W(c_)) * sqrt(W(x.back())) * sqrt(W(y.back())));
  }
  [[nodiscard]] W close_dist(Point<T> x, Point<T> y) const {
    const double by = grown(x, y);
    const W d(detail::enlarged_length<T>(x.size(), detail::difference<T>(x, y), by));
    return d * close_scale(x, y) / W(detail::enlarged / by);
  }
  /// dQ/dx = (x-y)/(2c h_x h_y) - Q/h_x e_D, dQ/dc = -Q/c.
  void pair_vjp(const W& q, const detail::OfChord<W>& f, Point<T> x, Point<T> y,
                const W& g, Grad<T> gx, Grad<T> gy, T& gc) const {
    const W k = g * f.by_q, c(c_), hx(x.back()), hy(y.back());
    const W by_gap = k / (W(2) * c * hx * hy);
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const W u = by_gap * (W(x[i]) - W(y[i]));
      gx[i] = T(W(gx[i]) + u);
      gy[i] = T(W(gy[i]) - u);
    }
    const W u = by_gap * (hx - hy);
    gx.back() = T(W(gx.back()) + (u - k * q / hx));
    gy.back() = T(W(gy.back()) - (u + k * q / hy));
    gc = T(W(gc) + g * f.by_c - k * q / c);
  }

  T c_;
};

}  // namespace hcl::inline HCL_ABI
