// hcl/loss/nt_xent.hpp - the self-supervised loss of two views of a batch.
#pragma once

#include "hcl/loss/softmax_contrast.hpp"

namespace hcl::inline HCL_ABI {

/// NT-Xent over any similarity. z holds N = 2B rows: row i and row i + B are the two
/// views of sample i. With logits l_ij = s(z_i, z_j)/tau and p(i) the other view,
///   L = 1/N sum_i [ log sum_{a != i} exp l_ia - l_i,p(i) ],
///   dL/dl_ij = 1/N (softmax_{a != i}(l_i.)_j - [j = p(i)]).
/// The views lie one after the other, not in turn (0, 0', 1, 1', ...): no check can tell.
/// For any other order take SupCon with the number of each row's sample as its label:
/// that is the same loss, with the same gradients, of rows in any order. With s = -d on
/// the ball it is the loss of hyperbolic contrastive learning. Source: Chen et al. 2020,
/// arXiv:2002.05709, eq. 1; -d as in Ermolov et al. 2022, arXiv:2203.10833, eq. 5. Costs
/// 3 N^2 D operations while the Gram tiles fit the workspace, 4 N^2 D beyond; memory O(N
/// D).
template <Similarity S>
class NtXent {
 public:
  using Scalar = typename S::Scalar;

  /// @param temperature  tau, in units of the similarity.
  /// @param zeros  skip: rows of zeros take no part, and a row whose other view is one is
  /// no anchor; the mean is over the anchors that remain.
  /// @throws std::invalid_argument unless tau is finite and > 0.
  NtXent(S similarity, Scalar temperature, ZeroRows zeros = ZeroRows::keep)
      : s_{similarity}, tau_{temperature}, zeros_{zeros} {
    detail::check_temperature("NtXent", tau_);
  }

  /// @param z  (2B, d), every row a valid point.
  /// @throws std::invalid_argument if the rows are odd in number or none, or one is no
  /// point, or their logits are too large for the scalar.
  Scalar value(BatchIn<Scalar> z, Workspace& ws) const {
    return run(z, nullptr, ws).value;
  }
  Scalar value(BatchIn<Scalar> z) const {
    Workspace ws;
    return value(z, ws);
  }

  /// @param gz  overwritten with dL/dz, (2B, d); must not overlap z.
  /// @throws as value, and if gz has another shape; gz is untouched then. Also if a
  /// gradient is too large for the scalar, which is found when it is written.
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> z, BatchOut<Scalar> gz,
                                  Workspace& ws) const {
    expect_shape("NtXent", "gz", gz, z.rows(), z.cols());
    expect_apart<Scalar>("NtXent", "gz", gz, "z", z);
    return run(z, &gz, ws);
  }
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> z, BatchOut<Scalar> gz) const {
    Workspace ws;
    return value_and_grad(z, gz, ws);
  }

 private:
  LossGrad<Scalar> run(BatchIn<Scalar> z, const BatchOut<Scalar>* gz,
                       Workspace& ws) const {
    const Index n = z.rows();
    expect(n > 0 && n % 2 == 0, "NtXent: z has ", n,
           " rows, must be even and at least 2: two views of each sample");
    expect(n <= (2 << 24), "NtXent: z has ", n, " rows, at most 2^25 are supported");
    detail::LossRows<S> rows(s_, "NtXent", "z", z, zeros_);
    detail::check_logits(s_, tau_, rows, rows);
    ws.reset();
    rows.gather(gz != nullptr, ws);
    return detail::contrast_self<detail::Positives::one>(
        s_, tau_, rows, gz, ws, [&](auto& side) {
          const auto positives = [&](Index i) {
            return Index(rows.has((rows[i] + n / 2) % n));
          };
          Index anchors = 0;
          for (Index i = 0; i < rows.count(); ++i) anchors += positives(i);
          const Scalar weight = Scalar(1) / Scalar((std::max)(anchors, Index{1}));
          for (Index i = 0; i < rows.count(); ++i)
            side.set(i, Scalar(rows[i] % (n / 2)), positives(i), weight);
        });
  }

  S s_;
  Scalar tau_;
  ZeroRows zeros_;
};

template <detail::NotSimilarity S, class T>
NtXent(S, T) -> NtXent<typename detail::NoSimilarity<S>::type>;

}  // namespace hcl::inline HCL_ABI
