// examples/cnn/data.hpp - labelled images: CIFAR-10, CIFAR-100 and the idx files of
// Fashion-MNIST.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "file.hpp"

namespace cnn {

/// n images of height x width x channels bytes (NHWC), and a label for each.
struct Dataset {
  int channels = 3, height = 32, width = 32, classes = 10;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;

  [[nodiscard]] std::ptrdiff_t size() const { return std::ptrdiff_t(labels.size()); }
  [[nodiscard]] std::ptrdiff_t image_size() const {
    return std::ptrdiff_t(channels) * height * width;
  }
  [[nodiscard]] const std::uint8_t* image(std::ptrdiff_t i) const {
    return pixels.data() + i * image_size();
  }
  /// The first n images; all if there are fewer.
  [[nodiscard]] Dataset first(std::ptrdiff_t n) const {
    Dataset d = *this;
    n = std::min(n, size());
    d.labels.resize(std::size_t(n));
    d.pixels.resize(std::size_t(n * image_size()));
    return d;
  }
};

struct Split {
  std::string name;
  Dataset train, test;
  std::vector<std::string> class_names;  ///< in the order of the labels, or none
};

namespace detail {

/// Appends a CIFAR file of that many records: label bytes, of which the last counts, then
/// the planes red, green, blue of 32 x 32.
inline void append_cifar(Dataset& data, const Path& path, std::size_t label_bytes,
                         std::size_t records) {
  const std::size_t plane = 1024, record = label_bytes + 3 * plane;
  const auto bytes = read_file(path);
  if (bytes.size() != records * record)
    bad_file(path, "has ", bytes.size(), " bytes, it ends at byte ",
             bytes.size() % record, " of record ", bytes.size() / record, ": must be ",
             records, " records of ", record);
  for (std::size_t i = 0; i < records; ++i) {
    const int label = bytes[i * record + label_bytes - 1];
    if (label >= data.classes)
      bad_file(path, "record ", i, ": label ", label, " must be in [0, ", data.classes,
               ")");
  }
  for (std::size_t i = 0; i < records; ++i) {
    const std::uint8_t* const r = bytes.data() + i * record;
    data.labels.push_back(r[label_bytes - 1]);
    for (std::size_t p = 0; p < plane; ++p)
      for (std::size_t c = 0; c < 3; ++c)
        data.pixels.push_back(r[label_bytes + c * plane + p]);
  }
}

inline std::uint32_t big_endian(const std::uint8_t* p) {
  return std::uint32_t(p[0]) << 24 | std::uint32_t(p[1]) << 16 |
         std::uint32_t(p[2]) << 8 | p[3];
}

/// The body of an idx file of unsigned bytes and this many dimensions, which come back in
/// dims; gzip by the name's end.
inline Bytes read_idx(const Path& path, std::vector<std::size_t>& dims) {
  auto bytes = read_file(path);
  if (path.extension() == ".gz") bytes = gunzip(path, std::move(bytes));
  const std::size_t head = 4 + 4 * dims.size();
  if (bytes.size() < head) bad_file(path, "has ", bytes.size(), " bytes, no idx header");
  const std::uint32_t magic = big_endian(bytes.data()),
                      want = 0x800U + unsigned(dims.size());
  if (magic != want) bad_file(path, "magic number ", magic, ", must be ", want);
  std::size_t size = 1;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    dims[k] = big_endian(bytes.data() + 4 + 4 * k);
    if (dims[k] == 0 || dims[k] > (std::size_t{1} << 30) / size)
      bad_file(path, "dimension ", k, " is ", dims[k]);
    size *= dims[k];
  }
  if (bytes.size() != head + size)
    bad_file(path, "has ", bytes.size() - head, " bytes of data, its header says ", size);
  bytes.erase(bytes.begin(), bytes.begin() + std::ptrdiff_t(head));
  return bytes;
}

/// Images and labels of Fashion-MNIST, 28 x 28 gray, with a border of zeros to 32 x 32.
inline Dataset read_idx_pair(const Path& images, const Path& labels) {
  std::vector<std::size_t> shape(3), count(1);
  const auto pixels = read_idx(images, shape);
  const auto names = read_idx(labels, count);
  if (shape[1] > 32 || shape[2] > 32)
    bad_file(images, "images of ", shape[1], " x ", shape[2], ", at most 32 x 32");
  if (shape[0] != count[0])
    bad_file(labels, "has ", count[0], " labels for ", shape[0], " images");
  Dataset d;
  d.channels = 1;
  const std::size_t top = (32 - shape[1]) / 2, left = (32 - shape[2]) / 2;
  d.pixels.assign(shape[0] * 1024, 0);
  for (std::size_t i = 0; i < shape[0]; ++i) {
    if (names[i] >= d.classes)
      bad_file(labels, "record ", i, ": label ", int(names[i]), " must be in [0, 10)");
    d.labels.push_back(names[i]);
    for (std::size_t y = 0; y < shape[1]; ++y)
      std::copy_n(pixels.data() + (i * shape[1] + y) * shape[2], shape[2],
                  d.pixels.data() + i * 1024 + (y + top) * 32 + left);
  }
  return d;
}

}  // namespace detail

/// What a folder holds: CIFAR-10 or CIFAR-100 in the official binary layout (in the
/// folder or in its cifar-10-batches-bin, cifar-100-binary), or Fashion-MNIST's four idx
/// files, packed or not.
/// @throws std::runtime_error naming the file, the record and the value.
inline Split load(const Path& folder) {
  namespace fs = std::filesystem;
  for (const auto& at : {folder, folder / "cifar-10-batches-bin"})
    if (fs::exists(at / "data_batch_1.bin")) {
      Split s{"CIFAR-10",
              {},
              {},
              {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
               "ship", "truck"}};
      for (int k = 1; k <= 5; ++k)
        detail::append_cifar(s.train, at / ("data_batch_" + std::to_string(k) + ".bin"),
                             1, 10000);
      detail::append_cifar(s.test, at / "test_batch.bin", 1, 10000);
      return s;
    }
  for (const auto& at : {folder, folder / "cifar-100-binary"})
    if (fs::exists(at / "train.bin")) {
      Split s{"CIFAR-100", {}, {}, {}};
      s.train.classes = s.test.classes = 100;
      detail::append_cifar(s.train, at / "train.bin", 2, 50000);
      detail::append_cifar(s.test, at / "test.bin", 2, 10000);
      return s;
    }
  for (const std::string end : {"-ubyte.gz", "-ubyte"})
    if (fs::exists(folder / ("train-images-idx3" + end)))
      return {"Fashion-MNIST",
              detail::read_idx_pair(folder / ("train-images-idx3" + end),
                                    folder / ("train-labels-idx1" + end)),
              detail::read_idx_pair(folder / ("t10k-images-idx3" + end),
                                    folder / ("t10k-labels-idx1" + end)),
              {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
               "sneaker", "bag", "boot"}};
  bad_file(folder,
           "holds none of data_batch_1.bin, train.bin, train-images-idx3-ubyte[.gz]");
}

}  // namespace cnn
