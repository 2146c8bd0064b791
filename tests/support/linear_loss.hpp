// The loss w.(x - start) and the most that an attack can gain on it in ball and box.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "hcl/attack/threat.hpp"

template <class T>
struct LinearLoss {
  const std::vector<T>& w;
  hcl::BatchIn<T> start;
  void operator()(hcl::BatchIn<T> x, hcl::BatchOut<T> g, std::span<T> loss) const {
    for (hcl::Index i = 0; i < x.rows(); ++i) {
      double s = 0;
      for (std::size_t k = 0; k < w.size(); ++k)
        s += double(w[k]) *
             (double(x(i, hcl::Index(k))) - double(start(i, hcl::Index(k))));
      loss[std::size_t(i)] = T(s);
      std::copy(w.begin(), w.end(), g.row(i).begin());
    }
  }
};

/// w.(y - x)
template <class T>
double gain(const std::vector<T>& w, hcl::Point<T> x, hcl::Point<T> y) {
  double s = 0;
  for (std::size_t k = 0; k < w.size(); ++k)
    s += double(w[k]) * (double(y[k]) - double(x[k]));
  return s;
}

/// The largest w.delta with |delta| <= epsilon and x + delta in the box: in L2 delta_k =
/// min(s |w_k|, way to the wall), s found by bisection.
template <class T>
double best_gain(const hcl::Threat<T>& t, const std::vector<T>& w, hcl::Point<T> x) {
  double length2 = 0, value = 0;
  const auto move = [&](double s) {
    length2 = value = 0;
    for (std::size_t k = 0; k < w.size(); ++k) {
      const double a = std::abs(double(w[k]));
      const double way = double(w[k] > T(0) ? t.hi - x[k] : x[k] - t.lo);
      const double delta =
          std::min(t.norm == hcl::Norm::l2 ? s * a : double(t.epsilon), way);
      length2 += delta * delta, value += a * delta;
    }
  };
  double lo = 0, hi = 1e9;
  for (int k = 0; k < 200; ++k) {
    const double s = (lo + hi) / 2;
    move(s);
    (length2 <= double(t.epsilon) * double(t.epsilon) ? lo : hi) = s;
  }
  move(lo);
  return value;
}
