// tests/fuzz/fuzz_cifar.cpp - a CIFAR-10 or CIFAR-100 file: a byte that chooses which, a
// byte for the number of records it should have, the file.
#include <stdexcept>

#include "cnn/data.hpp"
#include "memory.hpp"
#include "scratch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Scratch scratch;
  fuzz::Input in(data, size);
  cnn::Dataset set;
  const std::size_t label_bytes = 1 + in.take<std::uint8_t>() % 2;
  const std::size_t records = in.take<std::uint8_t>();
  set.classes = label_bytes == 1 ? 10 : 100;
  const auto bytes = in.rest();
  const cnn::Path path = scratch.file("data.bin", bytes);

  bool good = true;
  const std::size_t memory = fuzz::peak_memory([&] {
    try {
      cnn::detail::append_cifar(set, path, label_bytes, records);
    } catch (const std::runtime_error&) {
      good = false;
    }
  });
  fuzz::require(memory <= 2 * bytes.size() + (1U << 20), "cifar: ", memory,
                " bytes of memory for a file of ", bytes.size());
  const std::size_t want = good ? records : 0;
  fuzz::require(set.labels.size() == want && set.pixels.size() == want * 3072,
                "cifar: ", set.labels.size(), " labels, ", set.pixels.size(),
                " pixels of ", want, " records");
  for (std::size_t i = 0; i < want; ++i) {
    const auto* const record = bytes.data() + i * (label_bytes + 3072);
    fuzz::require(set.labels[i] == record[label_bytes - 1] && set.labels[i] < set.classes,
                  "cifar: record ", i, " has label ", set.labels[i]);
    for (std::size_t k = 0; k < 3072; ++k)
      fuzz::require(
          set.pixels[i * 3072 + k] == record[label_bytes + k % 3 * 1024 + k / 3],
          "cifar: record ", i, ", byte ", k);
  }
  return 0;
}
