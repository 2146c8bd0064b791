// bench/accuracy/corners.hpp - pairs where formulas break: equal, opposite, orthogonal,
// at a pole, at the rim, subnormal, huge; errors of one pair and of the same pair in a
// batch.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "hcl/pairwise/distance_matrix.hpp"
#include "sample.hpp"

namespace accuracy {

template <class T>
struct Corner {
  std::string name;
  Vector<T> x, y;
};

/// Of every geometry; what is far out differs.
template <class T, template <class> class M>
std::vector<Corner<T>> corners(const M<T>& m) {
  using Limits = std::numeric_limits<T>;
  constexpr bool round = std::is_same_v<M<T>, hcl::Sphere<T>>;
  const T a = T(0.48), b = T(0.64);  // (a, b, 0) has length 0.8
  const Vector<T> x{a, b, 0}, opposite{-a, -b, 0};
  const T tiny = Limits::denorm_min(), least = (Limits::min)();
  const T angle = T(sizeof(T) == 4 ? 1e-6 : 1e-13);
  std::vector<Corner<T>> all{
      {"equal", x, x},
      {"the last digit of one coordinate", x, {std::nextafter(a, T(1)), b, 0}},
      {"opposite", x, opposite},
      {"nearly opposite", x, {-a, -b, angle}},
      {"orthogonal", x, {-b, a, 0}},
      {"orthogonal but for one digit", x, {-b, std::nextafter(a, T(1)), 0}},
      {round ? "the pole" : "the origin", x,
       round ? Vector<T>{1, 0, 0} : Vector<T>{0, 0, 0}},
      {"subnormal", {3 * tiny, tiny, 0}, {tiny, -7 * tiny, 0}},
      {"the least normal numbers", {3 * least, least, 0}, {least, -7 * least, 0}},
      {"subnormal beside 0.8", x, {tiny, -7 * tiny, 0}}};
  if constexpr (std::is_same_v<M<T>, hcl::PoincareBall<T>>) {
    Vector<T> u{3, 4, 0}, v{-4, 3, 0}, w{3, 4, T(1e-3)};
    for (Vector<T>* const e : {&u, &v, &w}) m.project(*e, *e);
    all.push_back({"both at the rim, far", u, v});
    all.push_back({"both at the rim, near", u, w});
    all.push_back({"the rim and the origin", u, {0, 0, 0}});
  } else {
    const T huge = T(sizeof(T) == 4 ? 1e15 : 1e150);
    const T far = round || std::is_same_v<M<T>, hcl::Euclidean<T>> ? huge : T(1e4);
    all.push_back({"both far", {far, 2 * far, 0}, {2 * far, -far, 0}});
    all.push_back({"one far", {far, 2 * far, 0}, {a, -b, 0}});
  }
  return all;
}

/// Of d in ulp and of dd/dx in units of u of its length; then the same in a batch. -1
/// where the rows are refused, and of a slope that is not finite in T.
template <class T, template <class> class M>
std::array<double, 4> corner_errors(const M<T>& m, const M<Exact>& m60,
                                    const Corner<T>& at) {
  if (!m.is_on_manifold(at.x) || !m.is_on_manifold(at.y)) return {-1, -1, -1, -1};
  const std::size_t n = at.x.size();
  const auto x60 = exact(at.x), y60 = exact(at.y);
  const Exact want = m60.dist(x60, y60);
  Vector<Exact> slope(n, Exact(0)), other(n, Exact(0));
  Exact by_c(0);
  m60.dist_vjp(x60, y60, Exact(1), slope, other, by_c);
  const auto off = [&](const Vector<T>& got) {
    Exact error(0), size(0);
    for (std::size_t k = 0; k < n; ++k) {
      if (abs(slope[k]) > Exact((std::numeric_limits<T>::max)())) return -1.0;
      if (!(got[k] - got[k] == T(0))) return std::numeric_limits<double>::infinity();
      error += (Exact(got[k]) - slope[k]) * (Exact(got[k]) - slope[k]);
      size += slope[k] * slope[k];
    }
    if (error == 0) return 0.0;
    return double(sqrt(error / size)) * 2 / double(std::numeric_limits<T>::epsilon());
  };
  Vector<T> gx(n, T(0)), gy(n, T(0));
  T gc(0);
  m.dist_vjp(at.x, at.y, T(1), gx, gy, gc);
  Vector<T> hx(n, T(0)), hy(n, T(0));
  T d(0);
  const T one(1);
  const auto rows = [&](const Vector<T>& v) {
    return hcl::BatchIn<T>(v.data(), 1, hcl::Index(n));
  };
  const auto out = [&](T* v, std::size_t size) {
    return hcl::BatchOut<T>(v, 1, hcl::Index(size));
  };
  try {
    hcl::distance_matrix(m, rows(at.x), rows(at.y), out(&d, 1));
  } catch (const std::invalid_argument&) {
    return {ulps(m.dist(at.x, at.y), want), off(gx), -1, -1};
  }
  hcl::distance_matrix_vjp(m, rows(at.x), rows(at.y), hcl::BatchIn<T>(&one, 1, 1),
                           out(hx.data(), n), out(hy.data(), n), gc);
  return {ulps(m.dist(at.x, at.y), want), off(gx), ulps(d, want), off(hx)};
}

}  // namespace accuracy
