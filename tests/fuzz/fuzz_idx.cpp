// tests/fuzz/fuzz_idx.cpp - an idx pair of Fashion-MNIST: a byte whose bits say which of
// the two files is packed, two bytes with the length of the labels, labels, images.
#include <algorithm>
#include <stdexcept>

#include "cnn/data.hpp"
#include "memory.hpp"
#include "scratch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Scratch scratch;
  fuzz::Input in(data, size);
  const auto packed = in.take<std::uint8_t>();
  const std::size_t length = in.take<std::uint16_t>();
  const auto bytes = in.rest();
  const auto labels = bytes.first(std::min(length, bytes.size()));
  const auto images = bytes.subspan(labels.size());
  const auto labels_path = scratch.file(packed & 1 ? "labels.gz" : "labels", labels);
  const auto images_path = scratch.file(packed & 2 ? "images.gz" : "images", images);

  cnn::Dataset set;
  const std::size_t memory = fuzz::peak_memory([&] {
    try {
      set = cnn::detail::read_idx_pair(images_path, labels_path);
    } catch (const std::runtime_error&) {
    }
  });
  // Deflate unpacks to 1032 times its length at most, into a vector that grows by
  // doubling; small images get a border.
  const std::size_t unpacked =
      labels.size() * (packed & 1 ? 1032 : 1) + images.size() * (packed & 2 ? 1032 : 1);
  fuzz::require(memory <= 3 * unpacked + 2 * bytes.size() + 2 * set.pixels.size() +
                              8 * set.labels.size() + (1U << 20),
                "idx: ", memory, " bytes of memory for files of ", bytes.size(),
                ", unpacked at most ", unpacked);
  fuzz::require(set.pixels.size() == set.labels.size() * 1024, "idx: ", set.pixels.size(),
                " pixels of ", set.labels.size(), " images");
  for (const int label : set.labels)
    fuzz::require(label >= 0 && label < set.classes, "idx: label ", label);
  return 0;
}
