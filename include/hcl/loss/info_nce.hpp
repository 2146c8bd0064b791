// hcl/loss/info_nce.hpp - anchors against candidates of another batch.
#pragma once

#include "hcl/loss/softmax_contrast.hpp"

namespace hcl::inline HCL_ABI {

/// Which rows are anchors.
enum class Sides {
  one,  ///< the rows of x
  two   ///< the rows of x and, against all of x, those of y; the two means are averaged
};

/// InfoNCE over any similarity: anchor x_i, its positive y_i, candidates all m rows of y,
///   L = 1/n sum_i [ log sum_j exp l_ij - l_ii ],  l_ij = s(x_i, y_j)/tau, n <= m.
/// Two-sided (n = m): the mean of this and of the same with x and y exchanged. Source:
/// van den Oord et al. 2018, arXiv:1807.03748, eq. 4; two-sided as in Radford et al.
/// 2021, arXiv:2103.00020, fig. 3.
template <Similarity S>
class InfoNce {
 public:
  using Scalar = typename S::Scalar;

  /// @param zeros  skip: rows of zeros take no part, and a row whose positive is one is
  /// no anchor; the mean is over the anchors that remain.
  /// @throws std::invalid_argument unless the temperature is finite and > 0.
  InfoNce(S similarity, Scalar temperature, Sides sides = Sides::one,
          ZeroRows zeros = ZeroRows::keep)
      : s_{similarity}, tau_{temperature}, sides_{sides}, zeros_{zeros} {
    detail::check_temperature("InfoNce", tau_);
  }

  /// @param x  (n, d) anchors.   @param y  (m, d) candidates, m >= n; two-sided m = n.
  /// @throws std::invalid_argument naming the argument, the row and the value, also where
  /// logits are too large for the scalar.
  Scalar value(BatchIn<Scalar> x, BatchIn<Scalar> y, Workspace& ws) const {
    return run(x, y, nullptr, nullptr, ws).value;
  }
  Scalar value(BatchIn<Scalar> x, BatchIn<Scalar> y) const {
    Workspace ws;
    return value(x, y, ws);
  }

  /// @param gx,gy  overwritten with dL/dx (n, d) and dL/dy (m, d); no overlap with
  /// anything. Untouched if this throws, unless it is a gradient itself that is too large
  /// for the scalar.
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> x, BatchIn<Scalar> y,
                                  BatchOut<Scalar> gx, BatchOut<Scalar> gy,
                                  Workspace& ws) const {
    expect_shape("InfoNce", "gx", gx, x.rows(), x.cols());
    expect_shape("InfoNce", "gy", gy, y.rows(), y.cols());
    for (const auto& [name, g] : {std::pair("gx", gx), std::pair("gy", gy)}) {
      expect_apart<Scalar>("InfoNce", name, g, "x", x);
      expect_apart<Scalar>("InfoNce", name, g, "y", y);
    }
    expect_apart<Scalar>("InfoNce", "gy", gy, "gx", gx);
    return run(x, y, &gx, &gy, ws);
  }
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> x, BatchIn<Scalar> y,
                                  BatchOut<Scalar> gx, BatchOut<Scalar> gy) const {
    Workspace ws;
    return value_and_grad(x, y, gx, gy, ws);
  }

 private:
  LossGrad<Scalar> run(BatchIn<Scalar> x, BatchIn<Scalar> y, const BatchOut<Scalar>* gx,
                       const BatchOut<Scalar>* gy, Workspace& ws) const {
    const Index n = x.rows(), m = y.rows();
    const bool two = sides_ == Sides::two;
    expect(n > 0, "InfoNce: x has no rows");
    expect(x.cols() == y.cols(), "InfoNce: x has ", x.cols(), " columns, y ", y.cols());
    expect(two ? m == n : m >= n, "InfoNce: x has ", n, " rows, y ", m,
           two ? ", two-sided they must be equal" : ", every anchor needs its candidate");
    expect(m <= (1 << 24), "InfoNce: y has ", m, " rows, at most 2^24 are supported");
    detail::LossRows<S> of_x(s_, "InfoNce", "x", x, zeros_),
        of_y(s_, "InfoNce", "y", y, zeros_);
    detail::check_logits(s_, tau_, of_x, of_y);
    ws.reset();
    of_x.gather(gx != nullptr, ws), of_y.gather(gx != nullptr, ws);
    LossGrad<Scalar> out{};
    out.skipped = of_x.skipped() + of_y.skipped();
    if (of_x.count() == 0 || of_y.count() == 0) {
      if (gx) detail::set_zero(*gx), detail::set_zero(*gy);
      return out;
    }
    const Scalar* const centre = centre_of<S>(of_x.rows(), of_y.rows(), ws);
    detail::ContrastSide<S> anchors(s_, of_x, centre, ws),
        candidates(s_, of_y, centre, ws);
    Index pairs = 0;
    for (Index i = 0; i < of_x.count(); ++i) pairs += of_y.has(of_x[i]);
    const Scalar weight = Scalar(1) / Scalar((std::max)((two ? 2 : 1) * pairs, Index{1}));
    for (Index i = 0; i < of_x.count(); ++i)
      anchors.set(i, Scalar(of_x[i]), of_y.has(of_x[i]), weight);
    for (Index j = 0; j < of_y.count(); ++j)
      candidates.set(j, Scalar(of_y[j]), two && of_x.has(of_y[j]), weight);
    detail::SoftmaxContrast<S, detail::Positives::one> contrast(
        s_, tau_, anchors, candidates, gx != nullptr, ws);
    out.value = contrast.forward();
    if (gx) {
      const auto sum_x = of_x.gradient(*gx), sum_y = of_y.gradient(*gy);
      contrast.backward(sum_x, sum_y, out);
      of_x.put("gx", sum_x, *gx);
      of_y.put("gy", sum_y, *gy);
    }
    return out;
  }

  S s_;
  Scalar tau_;
  Sides sides_;
  ZeroRows zeros_;
};

template <detail::NotSimilarity S, class T, class... Form>
InfoNce(S, T, Form...) -> InfoNce<typename detail::NoSimilarity<S>::type>;

}  // namespace hcl::inline HCL_ABI
