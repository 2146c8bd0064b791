// hcl/core/coordinates.hpp - sums over the coordinates of points that keep their digits,
// and updates of all coordinates: in vectors for float and double, one by one for dual
// numbers and multiprecision.
#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <type_traits>

#include "hcl/core/double_double.hpp"
#include "hcl/core/simd.hpp"
#include "hcl/core/view.hpp"

namespace hcl::inline HCL_ABI {

/// The type that formulas run in: double for float, else T itself.
template <class T>
using Wide = std::conditional_t<std::same_as<T, float>, double, T>;

/// The type that sums over coordinates run in, and what may cancel: double for float,
/// two doubles for double, else T itself.
template <class T>
using Sum = std::conditional_t<std::same_as<T, double>, DoubleDouble, Wide<T>>;

/// Finite, for any scalar: a number minus itself is 0 exactly then.
template <class T>
[[nodiscard]] bool is_finite(const T& x) {
  return x - x == T(0);
}

/// x in a message: as a double, its member value() or, like ceres::Jet's, a; NaN where it
/// has none of these.
template <class T>
[[nodiscard]] double as_double(const T& x) {
  if constexpr (requires { static_cast<double>(x); })
    return static_cast<double>(x);
  else if constexpr (requires { static_cast<double>(x.value()); })
    return static_cast<double>(x.value());
  else if constexpr (requires { static_cast<double>(x.a); })
    return static_cast<double>(x.a);
  else
    return std::numeric_limits<double>::quiet_NaN();
}

namespace detail {

/// Coordinates from p as what they are summed in: vectors or single numbers of double,
/// else S(*p).
template <class S, class T>
[[nodiscard]] HCL_INLINE S load_sum(const T* p) {
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    if constexpr (std::same_as<S, DoubleDouble>)
      return S(*p);
    else
      return vload_wide<S>(p);
  } else {
    return S(*p);
  }
}

/// s + a b.
template <class S>
[[nodiscard]] HCL_INLINE S add_product(const S& s, const S& a, const S& b) {
  if constexpr (requires { vfma(a, b, s); })
    return vfma(a, b, s);
  else
    return s + a * b;
}

/// The coordinates k, k+1, ... of a vector V of Wide<T>, or the one coordinate k.
template <class V>
struct Coordinates {
  std::size_t k;
  template <class Row>
  [[nodiscard]] HCL_INLINE V operator()(const Row& x) const {
    return load_sum<V>(&x[k]);
  }
  template <class T>
  HCL_INLINE void put(std::span<T> out, const V& v) const {
    if constexpr (std::constructible_from<T, V>)
      out[k] = T(v);
    else
      vstore_narrow(&out[k], v);
  }
  template <class T>
  HCL_INLINE void add(std::span<T> out, const V& v) const {
    put(out, V((*this)(out) + v));
  }
};

/// The number of coordinates that all rows have. Rows of one call have equally many, but
/// a compiler that knows only one of them sees here that it takes no vector step on it
/// where it is short.
template <class Row, class... Rows>
[[nodiscard]] HCL_INLINE std::size_t shared_size(const Row& row, const Rows&... rows) {
  std::size_t n = row.size();
  ((n = rows.size() < n ? rows.size() : n), ...);
  return n;
}

/// f(at) for all n coordinates of points of T, at a Coordinates<V>: out[k] = 2 x[k] +
/// y[k] reads at.put(out, 2 * at(x) + at(y)), in Wide<T> and rounded once.
template <class T, class F>
HCL_INLINE void each_coordinate(std::size_t n, const F& f) {
  std::size_t k = 0;
  if constexpr (std::same_as<Wide<T>, double> && lanes<double> != 1) {
    using V = Pack<double>;
    constexpr std::size_t width = std::size_t(lanes<double>);
    for (; n - k >= width; k += width) f(Coordinates<V>{k});
    // Counted as well: so a compiler sees that what is left is short.
    for (std::size_t l = 0; l + 1 < width && k < n; ++l, ++k) f(Coordinates<double>{k});
  } else {
    for (; k < n; ++k) f(Coordinates<Wide<T>>{k});
  }
}

/// N sums in S over k < n at once, of what add(s, k) puts on the array s of N numbers V
/// for the coordinates k, k+1, ... of V: sixteen chains, coordinate k in chain k % 16,
/// whatever V; so a sum has the same bits in any company.
template <std::size_t N, class S, class Add>
[[nodiscard]] HCL_INLINE std::array<S, N> sums_of(std::size_t n, const Add& add) {
  constexpr std::size_t chains = 16;
  std::array<S, N> s[chains], total;
  std::size_t k = 0;
  if constexpr (std::same_as<S, double>) {
    using V = Pack<double>;
    constexpr std::size_t width = std::size_t(lanes<double>), packs = chains / width;
    std::array<V, N> sums[packs];
    for (auto& of_pack : sums) of_pack.fill(V(0.0));
    for (; n - k >= chains; k += chains)
#pragma GCC unroll 8
      for (std::size_t p = 0; p < packs; ++p) add(sums[p], k + p * width);
    if (k == n) {  // the sum of the chains below, its first levels in registers
#pragma GCC unroll 8
      for (std::size_t m = 0; m < N; ++m) {
#pragma GCC unroll 4
        for (std::size_t half = packs / 2; half > 0; half /= 2)
          for (std::size_t p = 0; p < half; ++p)
            sums[p][m] = sums[p][m] + sums[p + half][m];
        double lane[width];
        vstore(lane, sums[0][m]);
        for (std::size_t half = width / 2; half > 0; half /= 2)
          for (std::size_t l = 0; l < half; ++l) lane[l] = lane[l] + lane[l + half];
        total[m] = lane[0];
      }
      return total;
    }
    for (std::size_t p = 0; p < packs; ++p)
      for (std::size_t m = 0; m < N; ++m) {
        double lane[width];
        vstore(lane, sums[p][m]);
        for (std::size_t l = 0; l < width; ++l) s[p * width + l][m] = lane[l];
      }
  } else {
    for (auto& of_chain : s) of_chain.fill(S(0));
    for (; n - k >= chains; k += chains)
      for (std::size_t l = 0; l < chains; ++l) add(s[l], k + l);
  }
  for (std::size_t l = 0; k < n; ++k, ++l) add(s[l], k);
  for (std::size_t m = 0; m < N; ++m) {
    for (std::size_t half = chains / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) s[l][m] = s[l][m] + s[l + half][m];
    total[m] = s[0][m];
  }
  return total;
}

/// The sum of what add returns for the sum so far.
template <class S, class Add>
[[nodiscard]] HCL_INLINE S sum_of(std::size_t n, const Add& add) {
  return sums_of<1, S>(n, [&]<class V>(std::array<V, 1>& s, std::size_t k)
                              HCL_INLINE_LAMBDA { s[0] = add(s[0], k); })[0];
}

/// <x, y>, |x - y|^2 and |x|^2 - |y|^2 = <x - y, x + y>, before they are rounded to
/// Wide<T>. The last two are made of the differences: nothing cancels for close points.
template <class T>
[[nodiscard]] Sum<T> dot_sum(Point<T> x, Point<T> y) {
  const std::size_t n = shared_size(x, y);
  if (x.data() == y.data())  // widened once: half of the work for floats
    return sum_of<Sum<T>>(n, [&]<class V>(const V& s, std::size_t k) {
      const V u = load_sum<V>(&x[k]);
      return add_product(s, u, u);
    });
  return sum_of<Sum<T>>(n, [&]<class V>(const V& s, std::size_t k) {
    return add_product(s, load_sum<V>(&x[k]), load_sum<V>(&y[k]));
  });
}
/// |x|^2, |y|^2 and <x, y>.
template <class T>
[[nodiscard]] std::array<Sum<T>, 3> gram_sums(Point<T> x, Point<T> y) {
  return sums_of<3, Sum<T>>(
      shared_size(x, y),
      [&]<class V>(std::array<V, 3>& s, std::size_t k) HCL_INLINE_LAMBDA {
        const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
        s[0] = add_product(s[0], u, u), s[1] = add_product(s[1], v, v);
        s[2] = add_product(s[2], u, v);
      });
}
/// |x|^2, |y|^2 and |x + sign y|^2, the last from the coordinates of x + sign y.
template <int sign, class T>
[[nodiscard]] std::array<Sum<T>, 3> norms_and_square(Point<T> x, Point<T> y) {
  return sums_of<3, Sum<T>>(
      shared_size(x, y),
      [&]<class V>(std::array<V, 3>& s, std::size_t k) HCL_INLINE_LAMBDA {
        const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
        const V w = sign > 0 ? V(u + v) : V(u - v);
        s[0] = add_product(s[0], u, u), s[1] = add_product(s[1], v, v);
        s[2] = add_product(s[2], w, w);
      });
}
/// |x|^2 and <x, y>.
template <class T>
[[nodiscard]] std::array<Sum<T>, 2> norm2_and_dot(Point<T> x, Point<T> y) {
  return sums_of<2, Sum<T>>(shared_size(x, y),
                            [&]<class V>(std::array<V, 2>& s, std::size_t k)
                                HCL_INLINE_LAMBDA {
                                  const V u = load_sum<V>(&x[k]);
                                  s[0] = add_product(s[0], u, u);
                                  s[1] = add_product(s[1], u, load_sum<V>(&y[k]));
                                });
}
/// |x|^2 of the point of n coordinates x_k = at(k) in T: the bits that dot_sum gives.
template <class T, class At>
[[nodiscard]] Sum<T> norm2_of(std::size_t n, const At& at) {
  if constexpr (std::same_as<Sum<T>, double>)
    return sum_of<double>(n, [&]<class V>(const V& s, std::size_t k) {
      double wide[std::size_t(width_of<V>)];
      for (std::size_t l = 0; l < std::size_t(width_of<V>); ++l)
        wide[l] = double(at(k + l));
      const V u = vload<V>(wide);
      return add_product(s, u, u);
    });
  else
    return sum_of<Sum<T>>(n, [&](const Sum<T>& s, std::size_t k) {
      const Sum<T> u(at(k));
      return add_product(s, u, u);
    });
}
template <class S, class T>
[[nodiscard]] S diff2_in(Point<T> x, Point<T> y) {
  return sum_of<S>(shared_size(x, y), [&]<class V>(const V& s, std::size_t k) {
    const V u = load_sum<V>(&x[k]) - load_sum<V>(&y[k]);
    return add_product(s, u, u);
  });
}
template <class T>
[[nodiscard]] Sum<T> diff2_sum(Point<T> x, Point<T> y) {
  return diff2_in<Sum<T>>(x, y);
}
template <class T>
[[nodiscard]] Sum<T> norm2_gap(Point<T> x, Point<T> y) {
  return sum_of<Sum<T>>(shared_size(x, y), [&]<class V>(const V& s, std::size_t k) {
    const V u = load_sum<V>(&x[k]), v = load_sum<V>(&y[k]);
    return add_product(s, V(u - v), V(u + v));
  });
}

}  // namespace detail

/// <x, y>.
template <class T>
[[nodiscard]] Wide<T> dot(Point<T> x, Point<T> y) {
  return Wide<T>(detail::dot_sum<T>(x, y));
}

/// |x|^2.
template <class T>
[[nodiscard]] Wide<T> norm2(Point<T> x) {
  return dot<T>(x, x);
}

/// |x - y|^2 from the differences themselves: no cancellation for close points.
template <class T>
[[nodiscard]] Wide<T> diff2(Point<T> x, Point<T> y) {
  return Wide<T>(detail::diff2_sum<T>(x, y));
}

namespace detail {

/// A number that |x|^2 is certainly not above, from a sum in T itself: the test to make
/// before a slower one. Infinity or NaN where that sum cannot tell, as for any x that is
/// not finite. A sum of n squares in any order is off by less than 2(n+1)u of itself,
/// but for what underflowed (Higham, Accuracy and Stability of Numerical Algorithms,
/// 2002, section 4.2).
template <class T>
[[nodiscard]] double norm2_at_most(Point<T> x) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    using V = Pack<T>;
    constexpr std::size_t width = std::size_t(lanes<T>);
    const std::size_t n = x.size();
    if (n >= (std::size_t{1} << 20)) return std::numeric_limits<double>::infinity();
    V a(T(0)), b(T(0));
    std::size_t k = 0;
    for (; k + 2 * width <= n; k += 2 * width) {
      const V u = vload<V>(&x[k]), v = vload<V>(&x[k + width]);
      a = vfma(u, u, a), b = vfma(v, v, b);
    }
    double s = static_cast<double>(vsum(V(a + b)));
    T rest(0);
    for (const T& v : x.subspan(k)) rest += v * v;
    s +=
        static_cast<double>(rest) + double(n) * static_cast<double>(Limits::denorm_min());
    return s * (1 + double(n + 4) * static_cast<double>(Limits::epsilon()));
  } else {
    return std::numeric_limits<double>::infinity();
  }
}

}  // namespace detail

/// Whether all numbers of x are finite.
template <class T>
[[nodiscard]] bool all_finite(Point<T> x) {
  std::size_t k = 0;
  if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    // A number minus itself is 0 or NaN, and so is a sum of these.
    using V = Pack<T>;
    constexpr std::size_t width = std::size_t(lanes<T>);
    V a(T(0)), b(T(0));
    for (; k + 2 * width <= x.size(); k += 2 * width) {
      const V u = vload<V>(&x[k]), v = vload<V>(&x[k + width]);
      a = a + (u - u), b = b + (v - v);
    }
    if (!(vsum(V(a + b)) == T(0))) return false;
  }
  for (; k < x.size(); ++k)
    if (!is_finite(x[k])) return false;
  return true;
}

}  // namespace hcl::inline HCL_ABI
