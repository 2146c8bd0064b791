// tests/support/one_pair_a_row.hpp - gradients of single pairs that go through the tiles.
#pragma once

#include <cstddef>

#include "hcl/pairwise/gram_tiles.hpp"

namespace support {

/// gx, gy += the gradients of -s(x_i, x_j), j = i + shift modulo the number of rows, one
/// for each i; of rows less their mean or less 0.
template <hcl::Similarity S>
void pull_one_a_row(const S& s, hcl::BatchIn<typename S::Scalar> x, bool about_mean,
                    hcl::Index shift, hcl::BatchOut<typename S::Scalar> gx,
                    hcl::BatchOut<typename S::Scalar> gy, hcl::Workspace& ws) {
  using hcl::Index;
  using T = typename S::Scalar;
  ws.reset();
  const T* const m = about_mean ? hcl::centre_of<S>(x, x, ws) : nullptr;
  const hcl::GramRows<S> a(s, x, m, ws), b(s, x, m, ws);
  hcl::GramTiles<S> tiles(s, T(-1), a, b, false, ws);
  const auto one = [&](const hcl::Tile<T>& t, int) {
    return [&, t](Index i) {
      return [j0 = t.j0, other = (t.i0 + i + shift) % x.rows()](const hcl::Pack<T>&,
                                                                Index j) {
        T w[std::size_t(hcl::lanes<T>)];
        for (Index l = 0; l < hcl::lanes<T>; ++l) w[l] = j0 + j + l == other ? 1 : 0;
        return hcl::vload<hcl::Pack<T>>(w);
      };
    };
  };
  tiles.backward(one, gx, gy);
}

}  // namespace support
