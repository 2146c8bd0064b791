// examples/cnn/winograd.hpp - 3 x 3 convolutions with a quarter of the products: F(4 x 4,
// 3 x 3) of Winograd's family (Lavin and Gray 2016, arXiv:1509.09308), NHWC in and out.
//
// The image is cut into tiles of 4 x 4 outputs, each a 6 x 6 piece of the input:
//
//   y = A^T [ (G w G^T) . (B^T x B) ] A      . by number, summed over input channels
//
// so that one convolution is 36 matrix products, tiles x ci by ci x co, one for each
// number of a transformed tile. Lanes run over channels: a tile is read from NHWC and
// written to it as it lies there, and nothing is repacked.
#pragma once

#include <array>

#include "conv.hpp"

namespace cnn {

/// The transforms of the points 0, +-a, +-b and infinity, of vectors V: one number of
/// each of `lanes` channels. a = 5/8, b = 3/2 lose fewer digits than 1, 2.
template <class V, class T>
struct Winograd {
  static constexpr T a = T(0.625), b = T(1.5), aa = a * a, bb = b * b;
  static constexpr T at_0 = 1 / (aa * bb), at_a = 1 / (2 * aa * (aa - bb)),
                     at_b = 1 / (2 * bb * (bb - aa));
  template <int N>
  using Line = std::array<V, N>;

  /// B^T x: what an input tile contributes at each point.
  static HCL_INLINE void input(const Line<6>& x, Line<6>& v) {
    const V even_a = hcl::vfma(V(-bb), x[2], x[4]), odd_a = hcl::vfma(V(-bb), x[1], x[3]);
    const V even_b = hcl::vfma(V(-aa), x[2], x[4]), odd_b = hcl::vfma(V(-aa), x[1], x[3]);
    v[0] = hcl::vfma(V(-(aa + bb)), x[2], hcl::vfma(V(aa * bb), x[0], x[4]));
    v[1] = hcl::vfma(V(a), odd_a, even_a);
    v[2] = hcl::vfma(V(-a), odd_a, even_a);
    v[3] = hcl::vfma(V(b), odd_b, even_b);
    v[4] = hcl::vfma(V(-b), odd_b, even_b);
    v[5] = hcl::vfma(V(-(aa + bb)), x[3], hcl::vfma(V(aa * bb), x[1], x[5]));
  }
  /// A^T m: four outputs from the products at the six points.
  static HCL_INLINE void output(const Line<6>& m, Line<4>& y) {
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const V even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = hcl::vfma(V(a), odd_a, V(b) * odd_b);
    y[2] = hcl::vfma(V(aa), even_a, V(bb) * even_b);
    y[3] = hcl::vfma(V(aa * a), odd_a, hcl::vfma(V(bb * b), odd_b, m[5]));
  }
  /// A g: the transpose of output, for the gradient by the weights.
  static HCL_INLINE void output_gradient(const Line<4>& g, Line<6>& m) {
    const V even_a = hcl::vfma(V(aa), g[2], g[0]), even_b = hcl::vfma(V(bb), g[2], g[0]);
    const V odd_a = hcl::vfma(V(aa), g[3], g[1]), odd_b = hcl::vfma(V(bb), g[3], g[1]);
    m[0] = g[0];
    m[1] = hcl::vfma(V(a), odd_a, even_a);
    m[2] = hcl::vfma(V(-a), odd_a, even_a);
    m[3] = hcl::vfma(V(b), odd_b, even_b);
    m[4] = hcl::vfma(V(-b), odd_b, even_b);
    m[5] = g[3];
  }
  /// G w: three weights at the six points.
  static HCL_INLINE void weights(const Line<3>& w, Line<6>& u) {
    const V even_a = V(at_a) * hcl::vfma(V(aa), w[2], w[0]), odd_a = V(at_a * a) * w[1];
    const V even_b = V(at_b) * hcl::vfma(V(bb), w[2], w[0]), odd_b = V(at_b * b) * w[1];
    u[0] = V(at_0) * w[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = w[2];
  }
  /// G^T u: the transpose of weights.
  static HCL_INLINE void weights_gradient(const Line<6>& u, Line<3>& w) {
    const V even_a = V(at_a) * (u[1] + u[2]), odd_a = V(at_a * a) * (u[1] - u[2]);
    const V even_b = V(at_b) * (u[3] + u[4]), odd_b = V(at_b * b) * (u[3] - u[4]);
    w[0] = hcl::vfma(V(at_0), u[0], even_a + even_b);
    w[1] = odd_a + odd_b;
    w[2] = hcl::vfma(V(aa), even_a, hcl::vfma(V(bb), even_b, u[5]));
  }

  /// Both ways: M x M numbers f(row, column) to N x N numbers, put(row, column, v), by
  /// the transform of one line.
  template <int M, int N, class Transform, class F, class Put>
  static HCL_INLINE void square(const Transform& line, const F& f, const Put& put) {
    Line<N> middle[M];
    for (int r = 0; r < M; ++r) {
      Line<M> x;
#pragma GCC unroll 6
      for (int c = 0; c < M; ++c) x[std::size_t(c)] = f(r, c);
      line(x, middle[r]);
    }
    for (int c = 0; c < N; ++c) {
      Line<M> x;
      Line<N> y;
#pragma GCC unroll 6
      for (int r = 0; r < M; ++r) x[std::size_t(r)] = middle[r][std::size_t(c)];
      line(x, y);
#pragma GCC unroll 6
      for (int r = 0; r < N; ++r) put(r, c, y[std::size_t(r)]);
    }
  }
};

}  // namespace cnn
