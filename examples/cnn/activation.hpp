// examples/cnn/activation.hpp - the functions between the layers, and their slopes.
#pragma once

#include "hcl/core/exp_log.hpp"
#include "tensor.hpp"

namespace cnn {

/// gelu: z / (1 + exp(-2 k (z + a z^3))), k = sqrt(2 / pi), a = 0.044715, the form with
/// tanh of Hendrycks and Gimpel 2016 (arXiv:1606.08415).
enum class Activation { none, relu, gelu };

namespace detail {

/// The logistic function of 2 k (z + a z^3).
template <class V>
HCL_INLINE V gelu_share(const V& z) {
  using T = typename hcl::LaneScalar<V>::type;
  constexpr T k2 = T(1.5957691216057308), k2a = k2 * T(0.044715);
  return V(T(1)) / (V(T(1)) + hcl::vexp(V(z * hcl::vfma(V(-k2a), z * z, V(-k2)))));
}

template <Activation A, class V>
HCL_INLINE V activate(const V& z) {
  using T = typename hcl::LaneScalar<V>::type;
  if constexpr (A == Activation::relu) return hcl::vmax(z, V(T(0)));
  if constexpr (A == Activation::gelu) return z * gelu_share(z);
  return z;
}

/// g times the slope at z; gelu for |z| < 1e12.
template <Activation A, class V>
HCL_INLINE V activate_vjp(const V& z, const V& g) {
  using T = typename hcl::LaneScalar<V>::type;
  if constexpr (A == Activation::relu) return hcl::vselect(z > V(T(0)), g, V(T(0)));
  if constexpr (A == Activation::gelu) {
    constexpr T k2 = T(1.5957691216057308), k6a = 3 * k2 * T(0.044715);
    const V s = gelu_share(z), rest = z * (V(T(1)) - s);
    return g * (s * hcl::vfma(rest, hcl::vfma(V(k6a), z * z, V(k2)), V(T(1))));
  }
  return g;
}

/// f<A>() for the activation of that value.
template <class F>
void with_activation(Activation a, const F& f) {
  switch (a) {
    case Activation::none:
      return f.template operator()<Activation::none>();
    case Activation::relu:
      return f.template operator()<Activation::relu>();
    case Activation::gelu:
      return f.template operator()<Activation::gelu>();
  }
}

/// f<V>(j) for vectors of channels, then for single ones.
template <class T, class F>
HCL_INLINE void over_channels(Index c, const F& f) {
  Index j = 0;
  for (; j + hcl::lanes<T> <= c; j += hcl::lanes<T>)
    f.template operator()<hcl::Pack<T>>(j);
  for (; j < c; ++j) f.template operator()<T>(j);
}

/// over_channels of all `size` numbers, chunks in parallel.
template <class T, class F>
void over_numbers(Index size, const F& f) {
  constexpr Index chunk = 1 << 14;
  hcl::parallel_for((size + chunk - 1) / chunk, [&](Index t) {
    const Index begin = t * chunk;
    over_channels<T>(std::min(chunk, size - begin),
                     [&]<class V>(Index j) { f.template operator()<V>(begin + j); });
  });
}

}  // namespace detail

/// y = a(x).
template <class T>
void activation_forward(Activation a, Index size, const T* x, T* y) {
  detail::with_activation(a, [&]<Activation A>() {
    detail::over_numbers<T>(size, [&]<class V>(Index j) {
      hcl::vstore(y + j, detail::activate<A>(hcl::vload<V>(x + j)));
    });
  });
}

/// gx = gy a'(x), overwritten; gx may be gy.
template <class T>
void activation_backward(Activation a, Index size, const T* x, const T* gy, T* gx) {
  detail::with_activation(a, [&]<Activation A>() {
    detail::over_numbers<T>(size, [&]<class V>(Index j) {
      hcl::vstore(gx + j,
                  detail::activate_vjp<A>(hcl::vload<V>(x + j), hcl::vload<V>(gy + j)));
    });
  });
}

}  // namespace cnn
