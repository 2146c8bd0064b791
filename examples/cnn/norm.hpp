// examples/cnn/norm.hpp - batch normalisation and an activation of a rows x c matrix (any
// n, h, w).
//
//   y = a(scale * (x - mean) * rstd + shift),  rstd = 1 / sqrt(var + eps)
//
// Partial sums belong to fixed chunks of rows and are combined in order, whatever the
// threads.
#pragma once

#include <cmath>

#include "activation.hpp"

namespace cnn {

namespace detail {

inline constexpr Index norm_chunk = 256;
inline Index norm_chunks(Index rows) { return (rows + norm_chunk - 1) / norm_chunk; }

}  // namespace detail

/// Per channel: scale and shift (trained), mean and rstd (of the batch, or fixed).
template <class T>
struct NormChannels {
  const T *scale, *shift;
  T *mean, *rstd;
};

/// Mean and biased variance per channel of x, rows x c, by Chan's update over chunks.
template <class T>
void batch_moments(Index rows, Index c, const T* x, T* mean, T* var,
                   Scratch<T>& scratch) {
  using namespace detail;
  const Index chunks = norm_chunks(rows);
  scratch.ensure(0, chunks * 2 * c);
  hcl::parallel_for(chunks, [&](Index b) {
    const Index n = std::min(norm_chunk, rows - b * norm_chunk);
    const T* const from = x + b * norm_chunk * c;
    T* const part = scratch.whole() + b * 2 * c;
    over_channels<T>(c, [&]<class V>(Index j) {
      V sum(T(0)), m2(T(0));
      for (Index r = 0; r < n; ++r) sum = sum + hcl::vload<V>(from + r * c + j);
      const V mid = sum * V(T(1) / T(n));
      for (Index r = 0; r < n; ++r) {
        const V d = hcl::vload<V>(from + r * c + j) - mid;
        m2 = hcl::vfma(d, d, m2);
      }
      hcl::vstore(part + j, mid);
      hcl::vstore(part + c + j, m2);
    });
  });
  for (Index j = 0; j < c; ++j) {
    double m = 0, m2 = 0, count = 0;
    for (Index b = 0; b < chunks; ++b) {
      const auto n = double(std::min(norm_chunk, rows - b * norm_chunk));
      const double d = double(scratch.whole()[b * 2 * c + j]) - m;
      m += d * n / (count + n);
      m2 +=
          double(scratch.whole()[(b * 2 + 1) * c + j]) + d * d * count * n / (count + n);
      count += n;
    }
    mean[j] = T(m);
    var[j] = T(m2 / count);
  }
}

/// y = a(scale (x - mean) rstd + shift) for rows x c numbers. y may be x.
template <class T>
void norm_forward(Index rows, Index c, Activation a, const NormChannels<T>& p, const T* x,
                  T* y) {
  using namespace detail;
  with_activation(a, [&]<Activation A>() {
    hcl::parallel_for(norm_chunks(rows), [&](Index b) {
      const Index end = std::min(rows, (b + 1) * norm_chunk);
      for (Index r = b * norm_chunk; r < end; ++r)
        over_channels<T>(c, [&]<class V>(Index j) {
          const V x_hat = (hcl::vload<V>(x + r * c + j) - hcl::vload<V>(p.mean + j)) *
                          hcl::vload<V>(p.rstd + j);
          const V z =
              hcl::vfma(x_hat, hcl::vload<V>(p.scale + j), hcl::vload<V>(p.shift + j));
          hcl::vstore(y + r * c + j, activate<A>(z));
        });
    });
  });
}

/// Where backward adds the gradients of scale and shift; null to leave them.
template <class T>
struct NormGrads {
  T *scale, *shift;
};

namespace detail {

/// From the sums of g and g x^ of each chunk: their means over all rows (zero stays for
/// fixed statistics), and the gradients of scale and shift.
template <class T>
void norm_sums(Index chunks, Index rows, Index c, bool fixed, const T* parts, T* means,
               NormGrads<T> grads) {
  for (Index j = 0; j < c; ++j) {
    double sum = 0, dot = 0;
    for (Index b = 0; b < chunks; ++b) {
      sum += double(parts[b * 2 * c + j]);
      dot += double(parts[(b * 2 + 1) * c + j]);
    }
    if (grads.scale != nullptr) grads.scale[j] += T(dot);
    if (grads.shift != nullptr) grads.shift[j] += T(sum);
    if (!fixed) {
      means[j] = T(sum / double(rows));
      means[c + j] = T(dot / double(rows));
    }
  }
}

template <Activation A, class T>
void norm_backward(Index rows, Index c, bool fixed, const NormChannels<T>& p, const T* x,
                   const T* gy, T* gx, NormGrads<T> grads, Scratch<T>& scratch) {
  const Index chunks = norm_chunks(rows);
  scratch.ensure(0, (chunks + 1) * 2 * c);
  T* const mean_g = scratch.whole() + chunks * 2 * c;  // then mean(g x^)
  const auto slope = [&]<class V>(Index at, Index j, const V& hat) {
    const V z = hcl::vfma(hat, hcl::vload<V>(p.scale + j), hcl::vload<V>(p.shift + j));
    return activate_vjp<A>(z, hcl::vload<V>(gy + at));
  };
  const auto x_hat = [&]<class V>(Index at, Index j) {
    return (hcl::vload<V>(x + at) - hcl::vload<V>(p.mean + j)) *
           hcl::vload<V>(p.rstd + j);
  };
  std::fill_n(mean_g, 2 * c, T(0));
  if (!fixed || grads.scale != nullptr || grads.shift != nullptr) {
    hcl::parallel_for(chunks, [&](Index b) {
      const Index begin = b * norm_chunk, end = std::min(rows, begin + norm_chunk);
      T* const part = scratch.whole() + b * 2 * c;
      over_channels<T>(c, [&]<class V>(Index j) {
        V sum(T(0)), dot(T(0));
        for (Index r = begin; r < end; ++r) {
          const V hat = x_hat.template operator()<V>(r * c + j, j);
          const V g = slope(r * c + j, j, hat);
          sum = sum + g;
          dot = hcl::vfma(g, hat, dot);
        }
        hcl::vstore(part + j, sum);
        hcl::vstore(part + c + j, dot);
      });
    });
    norm_sums(chunks, rows, c, fixed, scratch.whole(), mean_g, grads);
  }
  if (gx == nullptr) return;
  hcl::parallel_for(chunks, [&](Index b) {
    const Index end = std::min(rows, (b + 1) * norm_chunk);
    for (Index r = b * norm_chunk; r < end; ++r)
      over_channels<T>(c, [&]<class V>(Index j) {
        const Index at = r * c + j;
        const V hat = x_hat.template operator()<V>(at, j);
        V g = slope(at, j, hat);
        if (!fixed)
          g = g - hcl::vload<V>(mean_g + j) - hat * hcl::vload<V>(mean_g + c + j);
        hcl::vstore(gx + at,
                    g * (hcl::vload<V>(p.scale + j) * hcl::vload<V>(p.rstd + j)));
      });
  });
}

}  // namespace detail

/// With g = gy a'(z), z = scale x^ + shift, x^ = (x - mean) rstd, means over all rows:
///   batch statistics:  gx = scale rstd (g - mean(g) - x^ mean(g x^)),
///   fixed ones:        gx = scale rstd g,
///   gscale += sum(g x^), gshift += sum(g).
/// z is found from x again: one array less to read. gx is overwritten and may be gy.
template <class T>
void norm_backward(Index rows, Index c, Activation a, bool fixed,
                   const NormChannels<T>& p, const T* x, const T* gy, T* gx,
                   NormGrads<T> grads, Scratch<T>& scratch) {
  detail::with_activation(a, [&]<Activation A>() {
    detail::norm_backward<A>(rows, c, fixed, p, x, gy, gx, grads, scratch);
  });
}

}  // namespace cnn
