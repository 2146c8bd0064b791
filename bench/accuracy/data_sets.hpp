// bench/accuracy/data_sets.hpp - batches as contrastive learning meets them, and worse.
#pragma once

#include <Eigen/Core>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace accuracy {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Feature rows by name; row i and row i + n/2 are two views of one sample.
struct DataSet {
  std::string name;
  Matrix<float> rows;
};

/// Random directions; contrastive-like: ten classes about centres at cosine 0.7,
/// positives at cosine 0.9; the same with one class collapsed to cosine 1 - 1e-8; all of
/// the batch collapsed so. Lengths uniform in [1.5, 3], in a collapse equal. At last
/// random directions with lengths uniform in [0.02, 3]: near and far rows.
inline std::vector<DataSet> data_sets(Eigen::Index n, Eigen::Index d) {
  std::mt19937_64 random{1};
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> length{1.5, 3}, any_length{0.02, 3};
  using Row = Eigen::VectorXd;
  const auto direction = [&] {
    return Row(Row::NullaryExpr(d, [&] { return normal(random); }).normalized());
  };
  const auto near = [&](const Row& a, double off) {  // cosine 1 - off
    Row b = direction();
    b = (b - b.dot(a) * a).normalized();
    return Row((1 - off) * a + std::sqrt(off * (2 - off)) * b);
  };
  std::vector<Row> centre;
  for (int k = 0; k < 10; ++k) centre.push_back(direction());
  const char* const names[] = {"random directions", "contrastive-like", "collapsed class",
                               "collapsed batch", "near and far"};
  std::vector<DataSet> sets;
  for (int kind = 0; kind < 5; ++kind) {
    Matrix<float> x(n, d);
    for (Eigen::Index i = 0; i < n / 2; ++i) {
      const Row& c = centre[std::size_t(kind == 3 ? 0 : i % 10)];
      const bool collapsed = kind == 3 || (kind == 2 && i % 10 == 0);
      const bool at_random = kind == 0 || kind == 4;
      const Row a = at_random ? direction() : near(c, collapsed ? 1e-8 : 0.3);
      const Row b = at_random ? direction() : collapsed ? near(c, 1e-8) : near(a, 0.1);
      const auto drawn = [&] {
        return collapsed ? 2.0 : kind == 4 ? any_length(random) : length(random);
      };
      const double la = drawn(), lb = drawn();
      x.row(i) = (la * a).transpose().cast<float>();
      x.row(i + n / 2) = (lb * b).transpose().cast<float>();
    }
    sets.push_back({names[kind], x});
  }
  return sets;
}

/// A matrix of float32 from a .npy file, as hcl-cifar embed writes it.
inline Matrix<float> read_npy(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  char start[10] = {};
  in.read(start, 10);
  if (!in || std::string(start, 6) != "\x93NUMPY" || start[6] != 1)
    throw std::runtime_error(file + ": no .npy file of version 1");
  const auto size = std::size_t(static_cast<unsigned char>(start[8])) +
                    256 * std::size_t(static_cast<unsigned char>(start[9]));
  std::string header(size, ' ');
  in.read(header.data(), std::streamsize(size));
  const auto shape = header.find("'shape': (");
  long rows = 0, cols = 0;
  if (header.find("'<f4'") == std::string::npos || shape == std::string::npos ||
      std::sscanf(header.c_str() + shape, "'shape': (%ld, %ld)", &rows, &cols) != 2 ||
      rows < 1 || cols < 1 || rows > (1 << 20) || cols > (1 << 16))
    throw std::runtime_error(file + ": not a matrix of float32");
  Matrix<float> x(rows, cols);
  in.read(reinterpret_cast<char*>(x.data()), std::streamsize(sizeof(float)) * x.size());
  if (!in || !x.allFinite()) throw std::runtime_error(file + ": cut short or not finite");
  return x;
}

}  // namespace accuracy
