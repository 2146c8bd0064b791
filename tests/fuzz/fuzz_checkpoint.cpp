// tests/fuzz/fuzz_checkpoint.cpp - a safetensors file after one byte; if that is odd, the
// checksums are set right first, so that what they protect is reached too.
#include <stdexcept>

#include "cnn/checkpoint.hpp"
#include "memory.hpp"
#include "scratch.hpp"

namespace {

using cnn::detail::json;

/// The same file with right checksums, as far as its header can be read.
std::vector<std::uint8_t> sign(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> same(bytes.begin(), bytes.end());
  std::uint64_t length = 0;
  if (bytes.size() < 8) return same;
  std::memcpy(&length, bytes.data(), 8);
  if (length > bytes.size() - 8) return same;
  const auto data = bytes.subspan(8 + std::size_t(length));
  json root = json::parse(same.data() + 8, same.data() + 8 + length, nullptr, false);
  if (!root.is_object()) return same;
  json notes = root.value("__metadata__", json::object());
  if (!notes.is_object()) return same;
  notes.erase(cnn::detail::header_crc);
  for (const auto& [name, tensor] : root.items()) {
    if (name == "__metadata__") continue;
    if (!tensor.is_object() || !tensor.contains("data_offsets")) return same;
    const json& range = tensor["data_offsets"];
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() ||
        !range[1].is_number_unsigned())
      return same;
    const auto begin = range[0].get<std::size_t>(), end = range[1].get<std::size_t>();
    if (begin > end || end > data.size()) return same;
    notes[cnn::detail::tensor_crc + name] =
        cnn::detail::crc_text(data.data() + begin, end - begin);
  }
  root["__metadata__"] = notes;
  std::string text = root.dump();
  root["__metadata__"][cnn::detail::header_crc] =
      cnn::detail::crc_text(text.data(), text.size());
  text = root.dump();
  length = text.size();
  std::vector<std::uint8_t> good(8);
  std::memcpy(good.data(), &length, 8);
  good.insert(good.end(), text.begin(), text.end());
  good.insert(good.end(), data.begin(), data.end());
  return good;
}

/// What a program expects in its file.
struct State {
  std::vector<float> weight = std::vector<float>(6);
  std::vector<std::int64_t> step = std::vector<std::int64_t>(2);
  std::vector<std::uint64_t> key = std::vector<std::uint64_t>(1);
  std::vector<cnn::NamedTensor> tensors() {
    return {{"weight", {2, 3}, weight.data()},
            {"step", {2}, step.data()},
            {"key", {}, key.data()},
            {"none", {0, 4}, weight.data()}};
  }
  /// Bits, as a weight may be NaN.
  friend bool operator==(const State& a, const State& b) {
    return std::memcmp(a.weight.data(), b.weight.data(), 24) == 0 && a.step == b.step &&
           a.key == b.key;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Scratch scratch;
  fuzz::Input in(data, size);
  const bool set_right = in.take<std::uint8_t>() & 1;
  const auto bytes = set_right
                         ? sign(in.rest())
                         : std::vector<std::uint8_t>(in.rest().begin(), in.rest().end());
  const cnn::Path path = scratch.file("a.safetensors", bytes);

  bool readable = true, loaded = true;
  cnn::Metadata notes, loaded_notes;
  State state;
  const std::size_t memory = fuzz::peak_memory([&] {
    try {
      notes = cnn::read_checkpoint_metadata(path);
    } catch (const std::runtime_error&) {
      readable = false;
    }
    try {
      loaded_notes = cnn::load_checkpoint(path, state.tensors());
    } catch (const std::runtime_error&) {
      loaded = false;
    }
  });
  fuzz::require(memory <= 2 * bytes.size() + (1U << 20), "checkpoint: ", memory,
                " bytes of memory for a file of ", bytes.size());
  if (!loaded) {
    fuzz::require(state == State(), "checkpoint: refused, but written to");
    return 0;
  }
  fuzz::require(readable && notes == loaded_notes, "checkpoint: metadata differ");
  // What was read can be written, and is the same then.
  const cnn::Path copy = path.string() + ".copy";
  cnn::save_checkpoint(copy, state.tensors(), notes);
  State again;
  fuzz::require(cnn::load_checkpoint(copy, again.tensors()) == notes && again == state,
                "checkpoint: saved again it is another");
  return 0;
}
