// hcl/loss/sup_con.hpp - the supervised contrastive loss, in both of its forms.
#pragma once

#include "hcl/loss/softmax_contrast.hpp"

namespace hcl::inline HCL_ABI {

/// Where the mean over an anchor's positives stands.
enum class SupConForm {
  outside,  ///< mean over p of -log softmax, eq. 2 of the paper
  inside    ///< -log of the mean over p of softmax, eq. 3
};

/// SupCon over any similarity: positives P(i) = { p != i : label_p = label_i },
/// candidates all a != i, logits l_ij = s(z_i, z_j)/tau, and the mean over the A anchors
/// that have a positive of
///   outside  -1/|P(i)| sum_p log( exp l_ip / sum_a exp l_ia ),
///   inside   -log( 1/|P(i)| sum_p exp l_ip / sum_a exp l_ia ).
/// Without any such anchor value and gradients are 0. With the numbers of samples as
/// labels, two rows of each, it is NtXent for rows in any order. Source: Khosla et al.
/// 2020, arXiv:2004.11362, eq. 2 and 3; there is no base temperature here, it only
/// rescales.
template <Similarity S>
class SupCon {
 public:
  using Scalar = typename S::Scalar;

  /// @param zeros  skip: rows of zeros take no part, neither as anchors nor as positives
  /// or other candidates.
  /// @throws std::invalid_argument unless the temperature is finite and > 0.
  SupCon(S similarity, Scalar temperature, SupConForm form = SupConForm::outside,
         ZeroRows zeros = ZeroRows::keep)
      : s_{similarity}, tau_{temperature}, form_{form}, zeros_{zeros} {
    detail::check_temperature("SupCon", tau_);
  }

  /// @param z       (n, d), every row a valid point.
  /// @param labels  n class labels, 0 <= label < 2^24.
  /// @throws std::invalid_argument naming the argument, the row and the value, also where
  /// logits are too large for the scalar.
  Scalar value(BatchIn<Scalar> z, std::span<const int> labels, Workspace& ws) const {
    return run(z, labels, nullptr, ws).value;
  }
  Scalar value(BatchIn<Scalar> z, std::span<const int> labels) const {
    Workspace ws;
    return value(z, labels, ws);
  }

  /// @param gz  overwritten with dL/dz, (n, d); must not overlap z. Untouched if this
  /// throws, unless it is a gradient itself that is too large for the scalar.
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> z, std::span<const int> labels,
                                  BatchOut<Scalar> gz, Workspace& ws) const {
    expect_shape("SupCon", "gz", gz, z.rows(), z.cols());
    expect_apart<Scalar>("SupCon", "gz", gz, "z", z);
    return run(z, labels, &gz, ws);
  }
  LossGrad<Scalar> value_and_grad(BatchIn<Scalar> z, std::span<const int> labels,
                                  BatchOut<Scalar> gz) const {
    Workspace ws;
    return value_and_grad(z, labels, gz, ws);
  }

 private:
  LossGrad<Scalar> run(BatchIn<Scalar> z, std::span<const int> labels,
                       const BatchOut<Scalar>* gz, Workspace& ws) const {
    const Index n = z.rows();
    expect(n > 0, "SupCon: z has no rows");
    expect(Index(labels.size()) == n, "SupCon: labels has ", labels.size(),
           " entries, z has ", n, " rows");
    for (Index i = 0; i < n; ++i) {
      const int label = labels[std::size_t(i)];
      expect(label >= 0 && label < (1 << 24), "SupCon: labels row ", i, ": ", label,
             " is out of range, must be in [0, 2^24)");
    }
    detail::LossRows<S> rows(s_, "SupCon", "z", z, zeros_);
    detail::check_logits(s_, tau_, rows, rows);
    ws.reset();
    rows.gather(gz != nullptr, ws);
    const Index count = rows.count();
    const auto label = [&](Index i) { return labels[std::size_t(rows[i])]; };
    int* const sorted = ws.take<int>(std::size_t(count));
    for (Index i = 0; i < count; ++i) sorted[i] = label(i);
    std::sort(sorted, sorted + count);
    const auto others = [&](Index i) {
      const auto [a, b] = std::equal_range(sorted, sorted + count, label(i));
      return Index(b - a) - 1;
    };
    Index anchors = 0, most = 0;
    for (Index i = 0; i < count; ++i) {
      anchors += others(i) > 0;
      most = (std::max)(most, others(i));
    }
    const Scalar weight = anchors > 0 ? Scalar(1) / Scalar(anchors) : Scalar(0);
    const auto assign = [&](auto& side) {
      for (Index i = 0; i < count; ++i) side.set(i, Scalar(label(i)), others(i), weight);
    };
    using detail::Positives;
    if (most <= 1)
      return detail::contrast_self<Positives::one>(s_, tau_, rows, gz, ws, assign);
    return form_ == SupConForm::inside
               ? detail::contrast_self<Positives::inside>(s_, tau_, rows, gz, ws, assign)
               : detail::contrast_self<Positives::outside>(s_, tau_, rows, gz, ws,
                                                           assign);
  }

  S s_;
  Scalar tau_;
  SupConForm form_;
  ZeroRows zeros_;
};

template <detail::NotSimilarity S, class T, class... Form>
SupCon(S, T, Form...) -> SupCon<typename detail::NoSimilarity<S>::type>;

}  // namespace hcl::inline HCL_ABI
